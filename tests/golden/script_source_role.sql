-- "tfds_0123456789" is this datastore's own role (attribute grant_role).
-- Schema "sales" of database "dev" as a source (read only) for user "svc". Run it in that database.
-- Should the schema be external, only USAGE on it and TEMP on the database are granted.
-- The role. Leave this line out if it is there.
CREATE ROLE "tfds_0123456789";
-- The schema.
GRANT USAGE ON SCHEMA "sales" TO ROLE "tfds_0123456789";
-- The tables and views that are there.
GRANT SELECT ON ALL TABLES IN SCHEMA "sales" TO ROLE "tfds_0123456789";
-- Tables that these users will make.
ALTER DEFAULT PRIVILEGES FOR USER "etl", "owner" IN SCHEMA "sales" GRANT SELECT ON TABLES TO ROLE "tfds_0123456789";
-- The role for user "svc".
GRANT ROLE "tfds_0123456789" TO "svc";
