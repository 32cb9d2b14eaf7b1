-- Changes a governance integration.
-- Run it in database governed, as a superuser, with autocommit on.
-- It begins and ends its own transactions. Stop at the first error.

-- All or nothing.
BEGIN;
CREATE ROLE actors;
SET SESSION AUTHORIZATION 'tool';
REVOKE EXECUTE ON PROCEDURE gov_procedures.impersonate_user(varchar) FROM GROUP gov_impersonator_role;
SET SESSION AUTHORIZATION DEFAULT;
DROP GROUP gov_impersonator_role;
SET SESSION AUTHORIZATION 'tool';
GRANT EXECUTE ON PROCEDURE gov_procedures.impersonate_user(varchar) TO ROLE actors;
SET SESSION AUTHORIZATION DEFAULT;
ALTER SCHEMA gov_system OWNER TO "Jane Doe";
ALTER TABLE gov_system.integration OWNER TO "Jane Doe";
ALTER TABLE gov_system.integration_lock OWNER TO "Jane Doe";
SELECT count(*) FROM gov_system.user_profile;
CALL gov_procedures.impersonate_user(NULL);
UPDATE gov_system.integration SET status = 'enabled', run_id = NULL, config_digest = 'a06b3a869050b50b9d613a77538cac9e357e25a7a039f59e4130a382381b6328', made = '{"database":true,"user":true,"system_user":"tool","actors":{"name":"actors","type":"role"},"temp_to_public":false,"owners":"system"}', message = NULL, generation = generation + 1, updated_at = getdate();
COMMIT;
