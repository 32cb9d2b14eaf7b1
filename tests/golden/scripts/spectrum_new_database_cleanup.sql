-- Removes what a set-up made of a governance integration before it stopped.
-- Run it in database dev, as a superuser, with autocommit on.
-- Leave out what was there before the set-up. Go on after a statement that says that its object does not exist.

-- The database with all that is in it. Look into it first. Nobody may be connected to it.
DROP DATABASE governed;
DROP USER IF EXISTS immuta_system_user;
