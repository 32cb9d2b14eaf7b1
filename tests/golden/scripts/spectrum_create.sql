-- Makes a governance integration.
-- Run it in database governed, as a superuser, with autocommit on.
-- It begins and ends its own transactions. Stop at the first error.

-- The marker, by which it is known again, and everything else: all or nothing.
BEGIN;
CREATE SCHEMA immuta_system;
CREATE SCHEMA immuta_lock;
CREATE TABLE immuta_lock.integration_lock (unused integer) DISTSTYLE ALL;
CREATE TABLE immuta_system.integration (id varchar(64) NOT NULL, type varchar(32) NOT NULL, mode varchar(16) NOT NULL, status varchar(32) NOT NULL, format integer NOT NULL, generation bigint NOT NULL, run_id varchar(64), config_digest varchar(64) NOT NULL, made varchar(4096) NOT NULL, message varchar(4096), created_at timestamp NOT NULL, updated_at timestamp NOT NULL) DISTSTYLE ALL;
INSERT INTO immuta_system.integration SELECT md5('governed' || getdate()::varchar || (random() * 1000000000)::bigint::varchar), 'RedshiftSpectrum', 'manual', 'enabled', 1, 1, NULL, '3fad0effea39b2a86c18bbe52d0acba93ceb68eff4850c1432ea680271454e64', '{"database":false,"user":true,"system_user":"immuta_system_user","actors":{"name":"immuta_impersonator_role","type":"group"},"temp_to_public":false,"owners":"system","external_schemas":{"My Pond":{"database":"pond","iam_role":"arn:aws:iam::123456789012:role/pond","region":"eu-west-1"},"lake":{"database":"it''s","iam_role":"default"}}}', NULL, getdate(), getdate();
CREATE USER immuta_system_user PASSWORD DISABLE NOCREATEDB NOCREATEUSER;
CREATE GROUP immuta_impersonator_role;
GRANT CREATE, TEMP ON DATABASE governed TO immuta_system_user;
GRANT ALL ON SCHEMA immuta_system TO immuta_system_user;
SET SESSION AUTHORIZATION 'immuta_system_user';
CREATE SCHEMA immuta_functions;
CREATE SCHEMA immuta_procedures;
CREATE TABLE immuta_system.profile (immuta__userid varchar(256) NOT NULL, immuta__groups varchar(65535), immuta__attributes varchar(65535), immuta__projects varchar(65535), immuta__tables varchar(65535)) DISTSTYLE ALL SORTKEY (immuta__userid);
CREATE TABLE immuta_system.impersonation (impersonation_key varchar(64) NOT NULL) DISTSTYLE ALL;
SET SESSION AUTHORIZATION DEFAULT;
DELETE FROM immuta_system.impersonation;
INSERT INTO immuta_system.impersonation SELECT pg_catalog.sha2((pg_catalog.random() * 1000000000)::bigint::varchar || '.' || (pg_catalog.random() * 1000000000)::bigint::varchar || '.' || (pg_catalog.random() * 1000000000)::bigint::varchar || '.' || (pg_catalog.random() * 1000000000)::bigint::varchar || '.' || (pg_catalog.random() * 1000000000)::bigint::varchar || '.' || (pg_catalog.random() * 1000000000)::bigint::varchar || '.' || (pg_catalog.random() * 1000000000)::bigint::varchar || '.' || (pg_catalog.random() * 1000000000)::bigint::varchar || '.' || pg_catalog.to_char(pg_catalog.getdate(), 'YYYYMMDDHH24MISS') || (pg_catalog.random() * 1000000000)::bigint::varchar || '.' || (pg_catalog.random() * 1000000000)::bigint::varchar || '.' || (pg_catalog.random() * 1000000000)::bigint::varchar || '.' || (pg_catalog.random() * 1000000000)::bigint::varchar || '.' || (pg_catalog.random() * 1000000000)::bigint::varchar || '.' || (pg_catalog.random() * 1000000000)::bigint::varchar || '.' || (pg_catalog.random() * 1000000000)::bigint::varchar || '.' || (pg_catalog.random() * 1000000000)::bigint::varchar || '.' || pg_catalog.to_char(pg_catalog.getdate(), 'YYYYMMDDHH24MISS'), 256);
SET SESSION AUTHORIZATION 'immuta_system_user';
CREATE OR REPLACE PROCEDURE immuta_procedures.impersonate_user(target IN varchar(256)) AS $rs_body$
DECLARE
  k varchar(64);
  pid varchar(32);
  caller varchar(256);
  claim varchar(1024);
  found_rows integer;
  ignored varchar(2048);
BEGIN
  IF target IS NULL THEN
    SELECT INTO ignored pg_catalog.set_config('immuta_session.impersonation', '', false);
    RETURN;
  END IF;
  caller := session_user::varchar;
  SELECT INTO found_rows pg_catalog.count(*) FROM pg_catalog.pg_user u, pg_catalog.pg_group g WHERE u.usename = session_user AND g.groname = 'immuta_impersonator_role' AND ',' || pg_catalog.array_to_string(g.grolist, ',') || ',' LIKE '%,' || u.usesysid::varchar || ',%';
  IF found_rows = 0 THEN
    SELECT INTO found_rows pg_catalog.count(*) FROM pg_catalog.pg_user u WHERE u.usename = session_user AND (u.usesuper OR u.usename = current_user);
  END IF;
  IF found_rows = 0 THEN
    RAISE EXCEPTION 'user % may not act for others', caller;
  END IF;
  SELECT INTO found_rows pg_catalog.count(*) FROM immuta_system.profile WHERE immuta__userid = target;
  IF found_rows <> 1 THEN
    RAISE EXCEPTION 'user % is not known here', target;
  END IF;
  SELECT INTO k impersonation_key FROM immuta_system.impersonation;
  pid := pg_catalog.pg_backend_pid()::varchar;
  claim := pid || '|' || pg_catalog.to_char(pg_catalog.getdate() + interval '4 hours', 'YYYYMMDDHH24MISS') || '|' || pg_catalog.sha2(caller, 256) || '|' || target;
  SELECT INTO ignored pg_catalog.set_config('immuta_session.impersonation', pg_catalog.sha2(k || pg_catalog.sha2(k || claim, 256), 256) || '|' || claim, false);
END;
$rs_body$ LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog;
CREATE OR REPLACE VIEW immuta_system.user_profile AS SELECT p.* FROM immuta_system.profile p CROSS JOIN (SELECT CASE WHEN pg_catalog.length(c.v) > 65 AND substring(c.v, 1, 64) = pg_catalog.sha2(i.impersonation_key || pg_catalog.sha2(i.impersonation_key || substring(c.v, 66), 256), 256) AND pg_catalog.split_part(c.v, '|', 2) = pg_catalog.pg_backend_pid()::varchar AND pg_catalog.split_part(c.v, '|', 3) > pg_catalog.to_char(pg_catalog.getdate(), 'YYYYMMDDHH24MISS') AND pg_catalog.split_part(c.v, '|', 3) < pg_catalog.to_char(pg_catalog.getdate() + interval '5 hours', 'YYYYMMDDHH24MISS') AND pg_catalog.split_part(c.v, '|', 4) = pg_catalog.sha2(current_user::varchar, 256) THEN substring(c.v, pg_catalog.length(pg_catalog.split_part(c.v, '|', 1)) + pg_catalog.length(pg_catalog.split_part(c.v, '|', 2)) + pg_catalog.length(pg_catalog.split_part(c.v, '|', 3)) + pg_catalog.length(pg_catalog.split_part(c.v, '|', 4)) + 5) ELSE current_user::varchar END AS acting_as FROM (SELECT coalesce(pg_catalog.current_setting('immuta_session.impersonation', FALSE), '') AS v) c LEFT JOIN immuta_system.impersonation i ON 1 = 1) me WHERE p.immuta__userid = me.acting_as AND pg_catalog.length(p.immuta__userid) = pg_catalog.length(me.acting_as);
GRANT USAGE ON SCHEMA immuta_functions TO PUBLIC;
GRANT USAGE ON SCHEMA immuta_procedures TO PUBLIC;
SET SESSION AUTHORIZATION DEFAULT;
GRANT USAGE ON SCHEMA immuta_system TO PUBLIC;
SET SESSION AUTHORIZATION 'immuta_system_user';
GRANT SELECT ON immuta_system.user_profile TO PUBLIC;
GRANT EXECUTE ON PROCEDURE immuta_procedures.impersonate_user(varchar) TO GROUP immuta_impersonator_role;
SET SESSION AUTHORIZATION DEFAULT;

-- View and procedure must work here, else nothing is kept.
SET SESSION AUTHORIZATION 'immuta_system_user';
SELECT count(*) FROM immuta_system.user_profile;
CALL immuta_procedures.impersonate_user(NULL);
SET SESSION AUTHORIZATION DEFAULT;
COMMIT;

-- Cannot be in a transaction: external schema My Pond.
CREATE EXTERNAL SCHEMA "My Pond" FROM DATA CATALOG DATABASE 'pond' REGION 'eu-west-1' IAM_ROLE 'arn:aws:iam::123456789012:role/pond';

-- Cannot be in a transaction: USAGE on external schema My Pond for user immuta_system_user.
GRANT USAGE ON SCHEMA "My Pond" TO immuta_system_user;

-- Cannot be in a transaction: external schema lake.
CREATE EXTERNAL SCHEMA "lake" FROM DATA CATALOG DATABASE 'it''s' IAM_ROLE DEFAULT;

-- Cannot be in a transaction: USAGE on external schema lake for user immuta_system_user.
GRANT USAGE ON SCHEMA "lake" TO immuta_system_user;

-- The system user cannot sign in yet. Complete this line with a password in single quotes, and run it:
--   ALTER USER immuta_system_user PASSWORD
