-- Makes a governance integration.
-- Run it in database governed, as a superuser, with autocommit on.
-- It begins and ends its own transactions. Stop at the first error.

-- The marker, by which it is known again, and everything else: all or nothing.
BEGIN;
CREATE SCHEMA gov_system;
CREATE SCHEMA gov_lock;
CREATE TABLE gov_lock.integration_lock (unused integer) DISTSTYLE ALL;
CREATE TABLE gov_system.integration (id varchar(64) NOT NULL, type varchar(32) NOT NULL, mode varchar(16) NOT NULL, status varchar(32) NOT NULL, format integer NOT NULL, generation bigint NOT NULL, run_id varchar(64), config_digest varchar(64) NOT NULL, made varchar(4096) NOT NULL, message varchar(4096), created_at timestamp NOT NULL, updated_at timestamp NOT NULL) DISTSTYLE ALL;
INSERT INTO gov_system.integration SELECT md5('governed' || getdate()::varchar || (random() * 1000000000)::bigint::varchar), 'Redshift', 'manual', 'enabled', 1, 1, NULL, 'a06b3a869050b50b9d613a77538cac9e357e25a7a039f59e4130a382381b6328', '{"database":true,"user":true,"system_user":"tool","actors":{"name":"actors","type":"role"},"temp_to_public":false,"owners":"system"}', NULL, getdate(), getdate();
CREATE USER tool PASSWORD DISABLE NOCREATEDB NOCREATEUSER;
CREATE ROLE actors;
GRANT CREATE, TEMP ON DATABASE governed TO tool;
REVOKE ALL ON DATABASE governed FROM PUBLIC;
GRANT TEMP ON DATABASE governed TO PUBLIC;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT ALL ON SCHEMA gov_system TO tool;
SET SESSION AUTHORIZATION 'tool';
CREATE SCHEMA gov_functions;
CREATE SCHEMA gov_procedures;
CREATE TABLE gov_system.profile (gov__userid varchar(256) NOT NULL, gov__groups varchar(65535), gov__attributes varchar(65535), gov__projects varchar(65535), gov__tables varchar(65535)) DISTSTYLE ALL SORTKEY (gov__userid);
CREATE TABLE gov_system.impersonation (impersonation_key varchar(64) NOT NULL) DISTSTYLE ALL;
SET SESSION AUTHORIZATION DEFAULT;
DELETE FROM gov_system.impersonation;
INSERT INTO gov_system.impersonation SELECT pg_catalog.sha2((pg_catalog.random() * 1000000000)::bigint::varchar || '.' || (pg_catalog.random() * 1000000000)::bigint::varchar || '.' || (pg_catalog.random() * 1000000000)::bigint::varchar || '.' || (pg_catalog.random() * 1000000000)::bigint::varchar || '.' || (pg_catalog.random() * 1000000000)::bigint::varchar || '.' || (pg_catalog.random() * 1000000000)::bigint::varchar || '.' || (pg_catalog.random() * 1000000000)::bigint::varchar || '.' || (pg_catalog.random() * 1000000000)::bigint::varchar || '.' || pg_catalog.to_char(pg_catalog.getdate(), 'YYYYMMDDHH24MISS') || (pg_catalog.random() * 1000000000)::bigint::varchar || '.' || (pg_catalog.random() * 1000000000)::bigint::varchar || '.' || (pg_catalog.random() * 1000000000)::bigint::varchar || '.' || (pg_catalog.random() * 1000000000)::bigint::varchar || '.' || (pg_catalog.random() * 1000000000)::bigint::varchar || '.' || (pg_catalog.random() * 1000000000)::bigint::varchar || '.' || (pg_catalog.random() * 1000000000)::bigint::varchar || '.' || (pg_catalog.random() * 1000000000)::bigint::varchar || '.' || pg_catalog.to_char(pg_catalog.getdate(), 'YYYYMMDDHH24MISS'), 256);
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
CREATE OR REPLACE VIEW gov_system.user_profile AS SELECT p.* FROM gov_system.profile p CROSS JOIN (SELECT CASE WHEN pg_catalog.length(c.v) > 65 AND substring(c.v, 1, 64) = pg_catalog.sha2(i.impersonation_key || pg_catalog.sha2(i.impersonation_key || substring(c.v, 66), 256), 256) AND pg_catalog.split_part(c.v, '|', 2) = pg_catalog.pg_backend_pid()::varchar AND pg_catalog.split_part(c.v, '|', 3) > pg_catalog.to_char(pg_catalog.getdate(), 'YYYYMMDDHH24MISS') AND pg_catalog.split_part(c.v, '|', 3) < pg_catalog.to_char(pg_catalog.getdate() + interval '5 hours', 'YYYYMMDDHH24MISS') AND pg_catalog.split_part(c.v, '|', 4) = pg_catalog.sha2(current_user::varchar, 256) THEN substring(c.v, pg_catalog.length(pg_catalog.split_part(c.v, '|', 1)) + pg_catalog.length(pg_catalog.split_part(c.v, '|', 2)) + pg_catalog.length(pg_catalog.split_part(c.v, '|', 3)) + pg_catalog.length(pg_catalog.split_part(c.v, '|', 4)) + 5) ELSE current_user::varchar END AS acting_as FROM (SELECT coalesce(pg_catalog.current_setting('gov_session.impersonation', FALSE), '') AS v) c LEFT JOIN gov_system.impersonation i ON 1 = 1) me WHERE p.gov__userid = me.acting_as AND pg_catalog.length(p.gov__userid) = pg_catalog.length(me.acting_as);
GRANT USAGE ON SCHEMA gov_functions TO PUBLIC;
GRANT USAGE ON SCHEMA gov_procedures TO PUBLIC;
SET SESSION AUTHORIZATION DEFAULT;
GRANT USAGE ON SCHEMA gov_system TO PUBLIC;
SET SESSION AUTHORIZATION 'tool';
GRANT SELECT ON gov_system.user_profile TO PUBLIC;
GRANT EXECUTE ON PROCEDURE gov_procedures.impersonate_user(varchar) TO ROLE actors;
SET SESSION AUTHORIZATION DEFAULT;
ALTER SCHEMA gov_system OWNER TO "Jane Doe";
ALTER SCHEMA gov_lock OWNER TO "Jane Doe";
ALTER TABLE gov_system.integration OWNER TO "Jane Doe";
ALTER TABLE gov_lock.integration_lock OWNER TO "Jane Doe";
ALTER DATABASE governed OWNER TO tool;

-- View and procedure must work here, else nothing is kept.
SET SESSION AUTHORIZATION 'tool';
SELECT count(*) FROM gov_system.user_profile;
CALL gov_procedures.impersonate_user(NULL);
SET SESSION AUTHORIZATION DEFAULT;
COMMIT;

-- The system user cannot sign in yet. Complete this line with a password in single quotes, and run it:
--   ALTER USER tool PASSWORD
