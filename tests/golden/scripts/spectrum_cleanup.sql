-- Removes what a set-up made of a governance integration before it stopped.
-- Run it in database governed, as a superuser, with autocommit on.
-- Leave out what was there before the set-up. Go on after a statement that says that its object does not exist.
DROP SCHEMA IF EXISTS "My Pond";
DROP SCHEMA IF EXISTS "lake";

-- Without CASCADE: what others put there is not dropped.
DROP VIEW IF EXISTS immuta_system.user_profile;
DROP PROCEDURE immuta_procedures.impersonate_user(varchar);
DROP TABLE IF EXISTS immuta_system.impersonation;
DROP TABLE IF EXISTS immuta_system.profile;
DROP TABLE IF EXISTS immuta_system.registration;
DROP TABLE IF EXISTS immuta_system.mask_key;
DROP SCHEMA IF EXISTS immuta_functions;
DROP SCHEMA IF EXISTS immuta_procedures;
REVOKE ALL ON SCHEMA immuta_system FROM immuta_system_user;
REVOKE ALL ON DATABASE governed FROM immuta_system_user;
DROP USER IF EXISTS immuta_system_user;
DROP GROUP immuta_impersonator_role;
DROP TABLE IF EXISTS immuta_lock.integration_lock;
DROP TABLE IF EXISTS immuta_system.integration;
DROP SCHEMA IF EXISTS immuta_lock;
DROP SCHEMA IF EXISTS immuta_system;
