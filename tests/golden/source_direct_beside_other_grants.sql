-- create
GRANT SELECT ON TABLE "sales"."lines" TO "svc";
GRANT SELECT ON TABLE "sales"."totals" TO "svc";
-- destroy
REVOKE SELECT ON TABLE "sales"."lines" FROM "svc";
REVOKE SELECT ON TABLE "sales"."totals" FROM "svc";
