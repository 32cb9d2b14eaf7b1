-- Removes a governance integration.
-- Run it in database governed, as a superuser, with autocommit on.
-- It begins and ends its own transactions. Stop at the first error.
DROP SCHEMA "My Pond";
DROP SCHEMA "lake";

-- Without CASCADE: what others put there is not dropped.
BEGIN;
DROP VIEW immuta_system.user_profile;
DROP PROCEDURE immuta_procedures.impersonate_user(varchar);
DROP TABLE immuta_system.impersonation;
DROP TABLE immuta_system.profile;
DROP TABLE IF EXISTS immuta_system.registration;
DROP TABLE IF EXISTS immuta_system.mask_key;
DROP SCHEMA immuta_functions;
DROP SCHEMA immuta_procedures;
REVOKE ALL ON SCHEMA immuta_system FROM immuta_system_user;
REVOKE ALL ON DATABASE governed FROM immuta_system_user;
DROP USER immuta_system_user;
DROP GROUP immuta_impersonator_role;
DROP TABLE immuta_lock.integration_lock;
DROP TABLE immuta_system.integration;
DROP SCHEMA immuta_lock;
DROP SCHEMA immuta_system;
COMMIT;
