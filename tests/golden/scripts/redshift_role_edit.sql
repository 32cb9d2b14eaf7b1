-- Changes a governance integration.
-- Run it in database governed, as a superuser, with autocommit on.
-- It begins and ends its own transactions. Stop at the first error.

-- All or nothing.
BEGIN;
CREATE ROLE actors;
SET SESSION AUTHORIZATION 'tool';
CREATE OR REPLACE PROCEDURE gov_procedures.impersonate_user(target IN varchar(256)) AS $rs_body$
DECLARE
  k varchar(64);
  pid varchar(32);
  caller varchar(256);
  claim varchar(1024);
  found_rows integer;
  ignored varchar(2048);
BEGIN
  IF target IS NULL THEN
    SELECT INTO ignored pg_catalog.set_config('gov_session.impersonation', '', false);
    RETURN;
  END IF;
  caller := session_user::varchar;
  SELECT INTO found_rows pg_catalog.count(*) FROM gov_system.profile WHERE gov__userid = target;
  IF found_rows <> 1 THEN
    RAISE EXCEPTION 'user % is not known here', target;
  END IF;
  SELECT INTO k impersonation_key FROM gov_system.impersonation;
  pid := pg_catalog.pg_backend_pid()::varchar;
  claim := pid || '|' || pg_catalog.to_char(pg_catalog.getdate() + interval '4 hours', 'YYYYMMDDHH24MISS') || '|' || pg_catalog.sha2(caller, 256) || '|' || target;
  SELECT INTO ignored pg_catalog.set_config('gov_session.impersonation', pg_catalog.sha2(k || pg_catalog.sha2(k || claim, 256), 256) || '|' || claim, false);
END;
$rs_body$ LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog;
REVOKE EXECUTE ON PROCEDURE gov_procedures.impersonate_user(varchar) FROM GROUP gov_impersonator_role;
SET SESSION AUTHORIZATION DEFAULT;
DROP GROUP gov_impersonator_role;
SET SESSION AUTHORIZATION 'tool';
GRANT EXECUTE ON PROCEDURE gov_procedures.impersonate_user(varchar) TO ROLE actors;
SET SESSION AUTHORIZATION DEFAULT;
ALTER SCHEMA gov_system OWNER TO "Jane Doe";
ALTER SCHEMA gov_lock OWNER TO "Jane Doe";
ALTER TABLE gov_system.integration OWNER TO "Jane Doe";
ALTER TABLE gov_lock.integration_lock OWNER TO "Jane Doe";
SET SESSION AUTHORIZATION 'tool';
SELECT count(*) FROM gov_system.user_profile;
CALL gov_procedures.impersonate_user(NULL);
SET SESSION AUTHORIZATION DEFAULT;
UPDATE gov_system.integration SET status = 'enabled', run_id = NULL, config_digest = 'a06b3a869050b50b9d613a77538cac9e357e25a7a039f59e4130a382381b6328', made = '{"database":true,"user":true,"system_user":"tool","actors":{"name":"actors","type":"role"},"temp_to_public":false,"owners":"system"}', message = NULL, generation = generation + 1, updated_at = getdate();
COMMIT;
