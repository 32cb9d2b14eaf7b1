-- Removes a governance integration.
-- Run it in database dev, as a superuser, with autocommit on.
-- It begins and ends its own transactions. Stop at the first error.

-- The database with all that is in it. Look into it first. Nobody may be connected to it.
DROP DATABASE governed;
DROP USER immuta_system_user;
