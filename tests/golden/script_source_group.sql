-- The rights are granted directly: there is no role (grant_role is empty).
-- Schema "sales" of database "dev" as a source (read only) for group "readers". Run it in that database.
-- Should the schema be external, only USAGE on it and TEMP on the database are granted.
-- The schema.
GRANT USAGE ON SCHEMA "sales" TO GROUP "readers";
-- The tables and views that are there.
GRANT SELECT ON ALL TABLES IN SCHEMA "sales" TO GROUP "readers";
