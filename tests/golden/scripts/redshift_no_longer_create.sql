-- Makes a governance integration.
-- Run it in database governed, as a superuser, with autocommit on.
-- It begins and ends its own transactions. Stop at the first error.

-- The marker, by which it is known again, and everything else: all or nothing.
BEGIN;
CREATE SCHEMA immuta_system;
CREATE SCHEMA immuta_lock;
CREATE TABLE immuta_lock.integration_lock (unused integer) DISTSTYLE ALL;
CREATE TABLE immuta_system.integration (id varchar(64) NOT NULL, type varchar(32) NOT NULL, mode varchar(16) NOT NULL, status varchar(32) NOT NULL, format integer NOT NULL, generation bigint NOT NULL, run_id varchar(64), config_digest varchar(64) NOT NULL, made varchar(4096) NOT NULL, message varchar(4096), created_at timestamp NOT NULL, updated_at timestamp NOT NULL) DISTSTYLE ALL;
INSERT INTO immuta_system.integration SELECT md5('governed' || getdate()::varchar || (random() * 1000000000)::bigint::varchar), 'Redshift', 'manual', 'enabled', 1, 1, NULL, '764f53d0c15a031625fa6b08402283b41278a33d6cf7a6c4da90dd339341e3fc', '{"database":true,"user":true,"system_user":"immuta_system_user","temp_to_public":false,"owners":"system"}', NULL, getdate(), getdate();
CREATE USER immuta_system_user PASSWORD DISABLE NOCREATEDB NOCREATEUSER;
GRANT CREATE, TEMP ON DATABASE governed TO immuta_system_user;
REVOKE ALL ON DATABASE governed FROM PUBLIC;
GRANT TEMP ON DATABASE governed TO PUBLIC;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT ALL ON SCHEMA immuta_system TO immuta_system_user;
SET SESSION AUTHORIZATION 'immuta_system_user';
CREATE SCHEMA immuta_functions;
CREATE SCHEMA immuta_procedures;
CREATE TABLE immuta_system.profile (immuta__userid varchar(256) NOT NULL, immuta__groups varchar(65535), immuta__attributes varchar(65535), immuta__projects varchar(65535), immuta__tables varchar(65535)) DISTSTYLE ALL SORTKEY (immuta__userid);
CREATE OR REPLACE VIEW immuta_system.user_profile AS SELECT p.* FROM immuta_system.profile p WHERE p.immuta__userid = current_user::varchar AND pg_catalog.length(p.immuta__userid) = pg_catalog.length(current_user::varchar) AND pg_catalog.getdate() IS NOT NULL;
GRANT USAGE ON SCHEMA immuta_functions TO PUBLIC;
GRANT USAGE ON SCHEMA immuta_procedures TO PUBLIC;
SET SESSION AUTHORIZATION DEFAULT;
GRANT USAGE ON SCHEMA immuta_system TO PUBLIC;
SET SESSION AUTHORIZATION 'immuta_system_user';
GRANT SELECT ON immuta_system.user_profile TO PUBLIC;
SET SESSION AUTHORIZATION DEFAULT;
ALTER DATABASE governed OWNER TO immuta_system_user;

-- View and procedure must work here, else nothing is kept.
SET SESSION AUTHORIZATION 'immuta_system_user';
SELECT count(*) FROM immuta_system.user_profile;
SET SESSION AUTHORIZATION DEFAULT;
COMMIT;

-- The system user cannot sign in yet. Complete this line with a password in single quotes, and run it:
--   ALTER USER immuta_system_user PASSWORD
