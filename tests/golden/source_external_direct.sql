-- create
GRANT USAGE ON SCHEMA "sales" TO "svc";
GRANT TEMP ON DATABASE "dev" TO "svc";
-- destroy
REVOKE USAGE ON SCHEMA "sales" FROM "svc";
REVOKE TEMP ON DATABASE "dev" FROM "svc";
