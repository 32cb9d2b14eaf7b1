-- The rights are granted directly: there is no role (grant_role is empty).
-- Schema "sales" of database "dev" as an enrichment store (read and write) for user "svc". Run it in that database.
-- Should the schema be external, only USAGE on it and TEMP on the database are granted.
-- The schema.
GRANT USAGE, CREATE ON SCHEMA "sales" TO "svc";
-- The tables and views that are there.
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA "sales" TO "svc";
-- Tables that these users will make.
ALTER DEFAULT PRIVILEGES FOR USER "etl", "owner" IN SCHEMA "sales" GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO "svc";
