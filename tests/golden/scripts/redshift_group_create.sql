-- Makes a governance integration.
-- Run it in database governed, as a superuser, with autocommit on.
-- It begins and ends its own transactions. Stop at the first error.

-- The marker, by which it is known again, and everything else: all or nothing.
BEGIN;
CREATE SCHEMA immuta_system;
CREATE TABLE immuta_system.integration_lock (unused integer) DISTSTYLE ALL;
CREATE TABLE immuta_system.integration (id varchar(64) NOT NULL, type varchar(32) NOT NULL, mode varchar(16) NOT NULL, status varchar(32) NOT NULL, format integer NOT NULL, generation bigint NOT NULL, run_id varchar(64), config_digest varchar(64) NOT NULL, made varchar(4096) NOT NULL, message varchar(4096), created_at timestamp NOT NULL, updated_at timestamp NOT NULL) DISTSTYLE ALL;
INSERT INTO immuta_system.integration SELECT md5('governed' || getdate()::varchar || pg_backend_pid()::varchar), 'Redshift', 'manual', 'enabled', 1, 1, NULL, '28282f356106f08eb425f1712780693bc4d9629ec1a597c70bb476399a52bf72', '{"database":true,"user":true,"system_user":"immuta_system_user","actors":{"name":"immuta_impersonator_role","type":"group"},"temp_to_public":false,"owners":"system"}', NULL, getdate(), getdate();
CREATE USER immuta_system_user PASSWORD DISABLE NOCREATEDB NOCREATEUSER;
CREATE GROUP immuta_impersonator_role;
GRANT CREATE, TEMP ON DATABASE governed TO immuta_system_user;
REVOKE ALL ON DATABASE governed FROM PUBLIC;
GRANT TEMP ON DATABASE governed TO PUBLIC;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT ALL ON SCHEMA immuta_system TO immuta_system_user;
SET SESSION AUTHORIZATION 'immuta_system_user';
CREATE SCHEMA immuta_functions;
CREATE SCHEMA immuta_procedures;
CREATE TABLE immuta_system.profile (immuta__userid varchar(256) NOT NULL, immuta__groups varchar(65535), immuta__attributes varchar(65535), immuta__projects varchar(65535), immuta__tables varchar(65535)) DISTSTYLE ALL SORTKEY (immuta__userid);
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
GRANT USAGE ON SCHEMA immuta_functions TO PUBLIC;
GRANT USAGE ON SCHEMA immuta_procedures TO PUBLIC;
SET SESSION AUTHORIZATION DEFAULT;
GRANT USAGE ON SCHEMA immuta_system TO PUBLIC;
SET SESSION AUTHORIZATION 'immuta_system_user';
GRANT SELECT ON immuta_system.user_profile TO PUBLIC;
GRANT EXECUTE ON PROCEDURE immuta_procedures.impersonate_user(varchar) TO GROUP immuta_impersonator_role;
SET SESSION AUTHORIZATION DEFAULT;
ALTER DATABASE governed OWNER TO immuta_system_user;

-- View and procedure must work here, else nothing is kept.
SELECT count(*) FROM immuta_system.user_profile;
CALL immuta_procedures.impersonate_user(NULL);
COMMIT;

-- The system user cannot sign in yet. Complete this line with a password in single quotes, and run it:
--   ALTER USER immuta_system_user PASSWORD

-- Nobody can act for others yet. Put the output of `openssl rand -hex 32` in single quotes between the parentheses,
-- and run it:
--   INSERT INTO immuta_system.impersonation VALUES ( )
