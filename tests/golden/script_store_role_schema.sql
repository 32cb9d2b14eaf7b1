-- "tfds_0123456789" is this datastore's own role (attribute grant_role).
-- Schema "sales" of database "dev" as an enrichment store (read and write) for user "svc". Run it in that database.
-- Should the schema be external, only USAGE on it and TEMP on the database are granted.
-- The role. Leave this line out if it is there.
CREATE ROLE "tfds_0123456789";
-- The schema.
GRANT USAGE, CREATE ON SCHEMA "sales" TO ROLE "tfds_0123456789";
-- All tables, present and future, whoever makes them.
GRANT SELECT, INSERT, UPDATE, DELETE FOR TABLES IN SCHEMA "sales" DATABASE "dev" TO ROLE "tfds_0123456789";
-- The role for user "svc".
GRANT ROLE "tfds_0123456789" TO "svc";
