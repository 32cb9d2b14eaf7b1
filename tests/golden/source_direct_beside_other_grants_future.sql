-- create
GRANT SELECT ON TABLE "sales"."lines" TO "svc";
GRANT SELECT ON TABLE "sales"."totals" TO "svc";
ALTER DEFAULT PRIVILEGES FOR USER "etl", "owner" IN SCHEMA "sales" GRANT SELECT ON TABLES TO "svc";
-- destroy
REVOKE SELECT ON TABLE "sales"."lines" FROM "svc";
REVOKE SELECT ON TABLE "sales"."totals" FROM "svc";
ALTER DEFAULT PRIVILEGES FOR USER "etl", "owner" IN SCHEMA "sales" REVOKE SELECT ON TABLES FROM "svc";
