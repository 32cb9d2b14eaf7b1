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
UPDATE immuta_system.integration SET status = 'editing', config_digest = '3fad0effea39b2a86c18bbe52d0acba93ceb68eff4850c1432ea680271454e64', generation = generation + 1, updated_at = getdate();
COMMIT;

-- Cannot be in a transaction: no external schema gone as it was.
DROP SCHEMA "gone";

-- Cannot be in a transaction: no external schema lake as it was.
DROP SCHEMA "lake";

-- Cannot be in a transaction: external schema My Pond.
CREATE EXTERNAL SCHEMA "My Pond" FROM DATA CATALOG DATABASE 'pond' REGION 'eu-west-1' IAM_ROLE 'arn:aws:iam::123456789012:role/pond';

-- Cannot be in a transaction: USAGE on external schema My Pond for user immuta_system_user.
GRANT USAGE ON SCHEMA "My Pond" TO immuta_system_user;

-- Cannot be in a transaction: external schema lake.
CREATE EXTERNAL SCHEMA "lake" FROM DATA CATALOG DATABASE 'it''s' IAM_ROLE DEFAULT;

-- Cannot be in a transaction: USAGE on external schema lake for user immuta_system_user.
GRANT USAGE ON SCHEMA "lake" TO immuta_system_user;

-- Last: what was done, if the transaction took effect.
UPDATE immuta_system.integration SET status = 'enabled', run_id = NULL, config_digest = '3fad0effea39b2a86c18bbe52d0acba93ceb68eff4850c1432ea680271454e64', made = '{"database":false,"user":true,"system_user":"immuta_system_user","actors":{"name":"immuta_impersonator_role","type":"group"},"temp_to_public":false,"owners":"system","external_schemas":{"My Pond":{"database":"pond","iam_role":"arn:aws:iam::123456789012:role/pond","region":"eu-west-1"},"lake":{"database":"it''s","iam_role":"default"}}}', message = NULL, generation = generation + 1, updated_at = getdate() WHERE config_digest = '3fad0effea39b2a86c18bbe52d0acba93ceb68eff4850c1432ea680271454e64';

-- Nobody can act for others yet. Put the output of `openssl rand -hex 32` in single quotes between the parentheses,
-- and run it:
--   INSERT INTO immuta_system.impersonation VALUES ( )
