-- Changes a governance integration.
-- Run it in database governed, as a superuser, with autocommit on.
-- It begins and ends its own transactions. Stop at the first error.

-- All or nothing.
BEGIN;
CREATE GROUP immuta_impersonator_role;
SET SESSION AUTHORIZATION 'immuta_system_user';
CREATE TABLE immuta_system.impersonation (impersonation_key varchar(64) NOT NULL) DISTSTYLE ALL;
CREATE OR REPLACE PROCEDURE immuta_procedures.impersonate_user(target IN varchar(256)) AS $rs_body$
DECLARE
  k varchar(64);
  claim varchar(1024);
  found_rows integer;
  ignored varchar(2048);
BEGIN
  IF target IS NULL THEN
    SELECT INTO ignored set_config('immuta_session.impersonation', '', false);
    RETURN;
  END IF;
  SELECT INTO found_rows count(*) FROM immuta_system.profile WHERE immuta__userid = target;
  IF found_rows <> 1 THEN
    RAISE EXCEPTION 'user % is not known here', target;
  END IF;
  SELECT INTO k impersonation_key FROM immuta_system.impersonation;
  claim := pg_backend_pid()::varchar || '|' || to_char(getdate() + interval '4 hours', 'YYYYMMDDHH24MISS') || '|' || sha2(session_user::varchar, 256) || '|' || target;
  SELECT INTO ignored set_config('immuta_session.impersonation', sha2(k || sha2(k || claim, 256), 256) || '|' || claim, false);
END;
$rs_body$ LANGUAGE plpgsql SECURITY DEFINER SET search_path = immuta_system;
CREATE OR REPLACE VIEW immuta_system.user_profile AS SELECT p.* FROM immuta_system.profile p CROSS JOIN (SELECT CASE WHEN length(c.v) > 65 AND substring(c.v, 1, 64) = sha2(i.impersonation_key || sha2(i.impersonation_key || substring(c.v, 66), 256), 256) AND split_part(c.v, '|', 2) = pg_backend_pid()::varchar AND split_part(c.v, '|', 3) > to_char(getdate(), 'YYYYMMDDHH24MISS') AND split_part(c.v, '|', 4) = sha2(current_user::varchar, 256) THEN substring(c.v, length(split_part(c.v, '|', 1)) + length(split_part(c.v, '|', 2)) + length(split_part(c.v, '|', 3)) + length(split_part(c.v, '|', 4)) + 5) ELSE current_user::varchar END AS acting_as FROM (SELECT coalesce(current_setting('immuta_session.impersonation', FALSE), '') AS v) c LEFT JOIN immuta_system.impersonation i ON 1 = 1) me WHERE p.immuta__userid = me.acting_as;
GRANT EXECUTE ON PROCEDURE immuta_procedures.impersonate_user(varchar) TO GROUP immuta_impersonator_role;
SET SESSION AUTHORIZATION DEFAULT;
SELECT count(*) FROM immuta_system.user_profile;
CALL immuta_procedures.impersonate_user(NULL);
UPDATE immuta_system.integration SET status = 'enabled', run_id = NULL, config_digest = '28282f356106f08eb425f1712780693bc4d9629ec1a597c70bb476399a52bf72', made = '{"database":true,"user":true,"system_user":"immuta_system_user","actors":{"name":"immuta_impersonator_role","type":"group"},"temp_to_public":false,"owners":"system"}', message = NULL, generation = generation + 1, updated_at = getdate();
COMMIT;

-- Nobody can act for others yet. Put the output of `openssl rand -hex 32` in single quotes between the parentheses,
-- and run it:
--   INSERT INTO immuta_system.impersonation VALUES ( )
