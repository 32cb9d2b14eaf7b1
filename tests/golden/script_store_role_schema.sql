-- grant_role stands for this datastore's own role: the provider gives it a random name when it makes it (attribute grant_role).
-- Schema "sales" of database "dev" as an enrichment store (read and write) for user "svc". Run it in that database.
-- The role. Leave this line out if it is there.
CREATE ROLE "grant_role";
-- The schema.
GRANT USAGE, CREATE ON SCHEMA "sales" TO ROLE "grant_role";
-- All tables, present and future, whoever makes them.
GRANT SELECT, INSERT, UPDATE, DELETE FOR TABLES IN SCHEMA "sales" DATABASE "dev" TO ROLE "grant_role";
-- The role for user "svc".
GRANT ROLE "grant_role" TO "svc";
