-- Changes a governance integration.
-- Run it in database governed, as a superuser, with autocommit on.
-- It begins and ends its own transactions. Stop at the first error.

-- All or nothing.
BEGIN;
SET SESSION AUTHORIZATION 'immuta_system_user';
CREATE OR REPLACE VIEW immuta_system.user_profile AS SELECT p.* FROM immuta_system.profile p WHERE p.immuta__userid = current_user::varchar AND pg_catalog.length(p.immuta__userid) = pg_catalog.length(current_user::varchar) AND pg_catalog.getdate() IS NOT NULL;
DROP PROCEDURE immuta_procedures.impersonate_user(varchar);
DROP TABLE immuta_system.impersonation;
SET SESSION AUTHORIZATION DEFAULT;
DROP ROLE immuta_impersonator_role FORCE;
SET SESSION AUTHORIZATION 'immuta_system_user';
SELECT count(*) FROM immuta_system.user_profile;
SET SESSION AUTHORIZATION DEFAULT;
UPDATE immuta_system.integration SET status = 'enabled', run_id = NULL, config_digest = '764f53d0c15a031625fa6b08402283b41278a33d6cf7a6c4da90dd339341e3fc', made = '{"database":true,"user":true,"system_user":"immuta_system_user","temp_to_public":false,"owners":"system"}', message = NULL, generation = generation + 1, updated_at = getdate();
COMMIT;
