-- Makes the managed database of an integration.
-- Run it in database Sales "x, as a superuser, with autocommit on (the script begins and ends its own transactions).
CREATE DATABASE governed WITH ISOLATION LEVEL SNAPSHOT;
