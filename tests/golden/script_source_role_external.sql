-- "tfds_0123456789" is this datastore's own role (attribute grant_role).
-- Schema "sales" of database "dev" as a source (read only) for user "svc". Run it in that database.
-- The schema is external: what is in it, AWS gives to the schema's own IAM role.
-- The role. Leave this line out if it is there.
CREATE ROLE "tfds_0123456789";
-- The schema.
GRANT USAGE ON SCHEMA "sales" TO ROLE "tfds_0123456789";
-- Queries on external tables make temporary ones.
GRANT TEMP ON DATABASE "dev" TO ROLE "tfds_0123456789";
-- The role for user "svc".
GRANT ROLE "tfds_0123456789" TO "svc";
