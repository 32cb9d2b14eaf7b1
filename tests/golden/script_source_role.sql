-- grant_role stands for this datastore's own role: the provider gives it a random name when it makes it (attribute grant_role).
-- Schema "sales" of database "dev" as a source (read only) for user "svc". Run it in that database.
-- The role. Leave this line out if it is there.
CREATE ROLE "grant_role";
-- The schema.
GRANT USAGE ON SCHEMA "sales" TO ROLE "grant_role";
-- The tables and views that are there.
GRANT SELECT ON ALL TABLES IN SCHEMA "sales" TO ROLE "grant_role";
-- Tables that these users will make.
ALTER DEFAULT PRIVILEGES FOR USER "etl", "owner" IN SCHEMA "sales" GRANT SELECT ON TABLES TO ROLE "grant_role";
-- The role for user "svc".
GRANT ROLE "grant_role" TO "svc";
