-- Makes the managed database of an integration.
-- Run it in database dev, as a superuser, with autocommit on.
-- It begins and ends its own transactions. Stop at the first error.
CREATE DATABASE governed WITH ISOLATION LEVEL SNAPSHOT;
