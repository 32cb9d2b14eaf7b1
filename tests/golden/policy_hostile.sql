-- hostile
CREATE OR REPLACE VIEW gov_system.entitlements_sales_f88277f8 AS
SELECT CASE WHEN q.n = 1 THEN 1 ELSE 0 END AS known,
       CASE WHEN q.n = 1 THEN q.c1 ELSE 0 END AS e1,
       CASE WHEN q.n = 1 THEN q.a1 END AS a1,
       CASE WHEN q.n = 1 THEN q.userid END AS userid,
       pg_catalog.chr(31) AS sep,
       k.mask_key AS mask_key
FROM (SELECT pg_catalog.count(*) AS n,
             pg_catalog.max(u.gov__userid) AS userid,
             pg_catalog.max(CASE WHEN pg_catalog.strpos(u.gov__groups, pg_catalog.chr(31) || '''; DROP TABLE x; --\\' || pg_catalog.chr(31)) > 0 THEN 1 ELSE 0 END) AS c1,
             pg_catalog.max(pg_catalog.chr(31) || pg_catalog.split_part(pg_catalog.split_part(u.gov__attributes, pg_catalog.chr(30) || ''' || chr(31) || ''\\' || pg_catalog.chr(31), 2), pg_catalog.chr(30), 1)) AS a1
      FROM gov_system.user_profile u) q
CROSS JOIN (SELECT pg_catalog.max(m.mask_key) AS mask_key FROM gov_system.mask_key m) k;
CREATE OR REPLACE VIEW "gov_sales"."t"" CROSS JOIN y --" AS
SELECT CASE WHEN r.gov__visible = 1 THEN r."a""; DROP TABLE x; --" END AS "a""; DROP TABLE x; --",
       CASE WHEN r.gov__visible = 1 THEN r."b'\" END AS "b'\"
FROM (SELECT CASE WHEN NOT (t."b'\" = 1) THEN CASE WHEN p.e1 = 1 THEN t."a""; DROP TABLE x; --" ELSE pg_catalog.sha2(p.mask_key || '''; DROP TABLE x; --\\' || p.sep || t."a""; DROP TABLE x; --", 256) END ELSE CAST('''; DROP TABLE x; --\\' AS varchar(20)) END AS "a""; DROP TABLE x; --",
             CASE WHEN p.e1 = 1 THEN t."b'\" ELSE pg_catalog.strtol(pg_catalog.substring(pg_catalog.sha2(p.mask_key || '''; DROP TABLE x; --\\' || p.sep || t."b'\"::varchar, 256), 1, 15), 16) END AS "b'\",
             CASE WHEN p.known = 1 AND (pg_catalog.strpos(p.a1, p.sep || t."b'\"::varchar || p.sep) > 0) THEN 1 ELSE 0 END AS gov__visible
      FROM "sales"."t"" CROSS JOIN y --" t CROSS JOIN gov_system.entitlements_sales_f88277f8 p
      WHERE p.known = 1 AND (pg_catalog.strpos(p.a1, p.sep || t."b'\"::varchar || p.sep) > 0)) r
WITH NO SCHEMA BINDING;

