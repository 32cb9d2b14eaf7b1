-- with a barrier, of another database
CREATE OR REPLACE VIEW gov_system.entitlements_sales_3bb987f0 AS
SELECT CASE WHEN q.n = 1 THEN 1 ELSE 0 END AS known,
       CASE WHEN q.n = 1 THEN q.c1 ELSE 0 END AS e1,
       CASE WHEN q.n = 1 THEN q.c2 ELSE 0 END AS e2,
       CASE WHEN q.n = 1 THEN q.c3 ELSE 0 END AS e3,
       CASE WHEN q.n = 1 THEN q.c4 ELSE 0 END AS e4,
       CASE WHEN q.n = 1 THEN q.a1 END AS a1,
       CASE WHEN q.n = 1 THEN q.userid END AS userid,
       pg_catalog.chr(31) AS sep,
       k.mask_key AS mask_key
FROM (SELECT pg_catalog.count(*) AS n,
             pg_catalog.max(u.gov__userid) AS userid,
             pg_catalog.max(CASE WHEN (pg_catalog.strpos(u.gov__projects, pg_catalog.chr(31) || 'Fraud' || pg_catalog.chr(31)) > 0 AND coalesce(pg_catalog.current_setting('gov_session.purpose', FALSE), '') = 'Fraud') THEN 1 ELSE 0 END) AS c1,
             pg_catalog.max(CASE WHEN pg_catalog.strpos(u.gov__groups, pg_catalog.chr(31) || 'privacy' || pg_catalog.chr(31)) > 0 THEN 1 ELSE 0 END) AS c2,
             pg_catalog.max(CASE WHEN pg_catalog.strpos(u.gov__groups, pg_catalog.chr(31) || 'finance' || pg_catalog.chr(31)) > 0 THEN 1 ELSE 0 END) AS c3,
             pg_catalog.max(CASE WHEN pg_catalog.strpos(u.gov__groups, pg_catalog.chr(31) || 'operators' || pg_catalog.chr(31)) > 0 THEN 1 ELSE 0 END) AS c4,
             pg_catalog.max(pg_catalog.chr(31) || pg_catalog.split_part(pg_catalog.split_part(u.gov__attributes, pg_catalog.chr(30) || 'tenant' || pg_catalog.chr(31), 2), pg_catalog.chr(30), 1)) AS a1
      FROM gov_system.user_profile u) q
CROSS JOIN (SELECT pg_catalog.max(m.mask_key) AS mask_key FROM gov_system.mask_key m) k;
CREATE OR REPLACE VIEW "gov_sales"."people" AS
SELECT CASE WHEN r.gov__visible = 1 THEN r."id" END AS "id",
       CASE WHEN r.gov__visible = 1 THEN r."email" END AS "email",
       CASE WHEN r.gov__visible = 1 THEN r."tenant_id" END AS "tenant_id",
       CASE WHEN r.gov__visible = 1 THEN r."owner" END AS "owner",
       CASE WHEN r.gov__visible = 1 THEN r."region" END AS "region",
       CASE WHEN r.gov__visible = 1 THEN r."born" END AS "born",
       CASE WHEN r.gov__visible = 1 THEN r."sold_at" END AS "sold_at",
       CASE WHEN r.gov__visible = 1 THEN r."amount" END AS "amount"
FROM (SELECT CASE WHEN p.e1 = 1 THEN t."id" ELSE pg_catalog.strtol(pg_catalog.substring(pg_catalog.sha2(p.mask_key || 'customer' || p.sep || t."id"::varchar, 256), 1, 15), 16) END AS "id",
             CASE WHEN p.e2 = 1 THEN t."email" ELSE CAST(NULL AS varchar(100)) END AS "email",
             t."tenant_id" AS "tenant_id",
             CASE WHEN NOT (t."amount" > 10000) THEN (pg_catalog.lower( t."owner" )) ELSE CAST('vip' AS varchar(64)) END AS "owner",
             t."region" AS "region",
             t."born" AS "born",
             t."sold_at" AS "sold_at",
             CASE WHEN p.e3 = 1 THEN CAST(t."amount" - pg_catalog.mod(t."amount", CAST('100' AS decimal(3, 0))) AS decimal(12, 2)) ELSE CAST(t."amount" - pg_catalog.mod(t."amount", CAST('1000' AS decimal(4, 0))) AS decimal(12, 2)) END AS "amount",
             CASE WHEN p.known = 1 AND (t."sold_at" >= CURRENT_DATE - 14) AND (p.e4 = 1 OR (pg_catalog.strpos(p.a1, p.sep || t."tenant_id"::varchar || p.sep) > 0)) THEN 1 ELSE 0 END AS gov__visible
      FROM "prod"."sales"."people" t CROSS JOIN gov_system.entitlements_sales_3bb987f0 p
      WHERE p.known = 1 AND (t."sold_at" >= CURRENT_DATE - 14) AND (p.e4 = 1 OR (pg_catalog.strpos(p.a1, p.sep || t."tenant_id"::varchar || p.sep) > 0))) r
WITH NO SCHEMA BINDING;

-- a column left out of the barrier
CREATE OR REPLACE VIEW "gov_sales"."people" AS
SELECT CASE WHEN r.gov__visible = 1 THEN r."id" END AS "id",
       CASE WHEN r.gov__visible = 1 THEN r."email" END AS "email",
       CASE WHEN r.gov__visible = 1 THEN r."tenant_id" END AS "tenant_id",
       CASE WHEN r.gov__visible = 1 THEN r."owner" END AS "owner",
       CASE WHEN r.gov__visible = 1 THEN r."region" END AS "region",
       CASE WHEN r.gov__visible = 1 THEN r."born" END AS "born",
       r."sold_at" AS "sold_at",
       CASE WHEN r.gov__visible = 1 THEN r."amount" END AS "amount"
FROM (SELECT CASE WHEN p.e1 = 1 THEN t."id" ELSE pg_catalog.strtol(pg_catalog.substring(pg_catalog.sha2(p.mask_key || 'customer' || p.sep || t."id"::varchar, 256), 1, 15), 16) END AS "id",
             CASE WHEN p.e2 = 1 THEN t."email" ELSE CAST(NULL AS varchar(100)) END AS "email",
             t."tenant_id" AS "tenant_id",
             CASE WHEN NOT (t."amount" > 10000) THEN (pg_catalog.lower( t."owner" )) ELSE CAST('vip' AS varchar(64)) END AS "owner",
             t."region" AS "region",
             t."born" AS "born",
             t."sold_at" AS "sold_at",
             CASE WHEN p.e3 = 1 THEN CAST(t."amount" - pg_catalog.mod(t."amount", CAST('100' AS decimal(3, 0))) AS decimal(12, 2)) ELSE CAST(t."amount" - pg_catalog.mod(t."amount", CAST('1000' AS decimal(4, 0))) AS decimal(12, 2)) END AS "amount",
             CASE WHEN p.known = 1 AND (t."sold_at" >= CURRENT_DATE - 14) AND (p.e4 = 1 OR (pg_catalog.strpos(p.a1, p.sep || t."tenant_id"::varchar || p.sep) > 0)) THEN 1 ELSE 0 END AS gov__visible
      FROM "sales"."people" t CROSS JOIN gov_system.entitlements_sales_3bb987f0 p
      WHERE p.known = 1 AND (t."sold_at" >= CURRENT_DATE - 14) AND (p.e4 = 1 OR (pg_catalog.strpos(p.a1, p.sep || t."tenant_id"::varchar || p.sep) > 0))) r
WITH NO SCHEMA BINDING;

-- without a barrier
CREATE OR REPLACE VIEW "gov_sales"."people" AS
SELECT CASE WHEN p.e1 = 1 THEN t."id" ELSE pg_catalog.strtol(pg_catalog.substring(pg_catalog.sha2(p.mask_key || 'customer' || p.sep || t."id"::varchar, 256), 1, 15), 16) END AS "id",
       CASE WHEN p.e2 = 1 THEN t."email" ELSE CAST(NULL AS varchar(100)) END AS "email",
       t."tenant_id" AS "tenant_id",
       CASE WHEN NOT (t."amount" > 10000) THEN (pg_catalog.lower( t."owner" )) ELSE CAST('vip' AS varchar(64)) END AS "owner",
       t."region" AS "region",
       t."born" AS "born",
       t."sold_at" AS "sold_at",
       CASE WHEN p.e3 = 1 THEN CAST(t."amount" - pg_catalog.mod(t."amount", CAST('100' AS decimal(3, 0))) AS decimal(12, 2)) ELSE CAST(t."amount" - pg_catalog.mod(t."amount", CAST('1000' AS decimal(4, 0))) AS decimal(12, 2)) END AS "amount"
FROM "sales"."people" t CROSS JOIN gov_system.entitlements_sales_3bb987f0 p
WHERE p.known = 1 AND (t."sold_at" >= CURRENT_DATE - 14) AND (p.e4 = 1 OR (pg_catalog.strpos(p.a1, p.sep || t."tenant_id"::varchar || p.sep) > 0))
WITH NO SCHEMA BINDING;

-- nothing is asked of a reader
CREATE OR REPLACE VIEW gov_system.entitlements_sales_fcbcf165 AS
SELECT CASE WHEN q.n = 1 THEN 1 ELSE 0 END AS known,
       CASE WHEN q.n = 1 THEN q.userid END AS userid,
       pg_catalog.chr(31) AS sep
FROM (SELECT pg_catalog.count(*) AS n,
             pg_catalog.max(u.gov__userid) AS userid
      FROM gov_system.user_profile u) q;
CREATE OR REPLACE VIEW "gov_sales"."people" AS
SELECT t."id" AS "id",
       t."email" AS "email",
       t."tenant_id" AS "tenant_id",
       t."owner" AS "owner",
       t."region" AS "region",
       t."born" AS "born",
       t."sold_at" AS "sold_at",
       CAST(t."amount" - pg_catalog.mod(t."amount", CAST('100' AS decimal(3, 0))) AS decimal(12, 2)) AS "amount"
FROM "sales"."people" t
WITH NO SCHEMA BINDING;

-- what alone is shown in clear
CREATE OR REPLACE VIEW gov_system.entitlements_sales_b5bea41b AS
SELECT CASE WHEN q.n = 1 THEN 1 ELSE 0 END AS known,
       CASE WHEN q.n = 1 THEN q.userid END AS userid,
       pg_catalog.chr(31) AS sep,
       k.mask_key AS mask_key
FROM (SELECT pg_catalog.count(*) AS n,
             pg_catalog.max(u.gov__userid) AS userid
      FROM gov_system.user_profile u) q
CROSS JOIN (SELECT pg_catalog.max(m.mask_key) AS mask_key FROM gov_system.mask_key m) k;
CREATE OR REPLACE VIEW "gov_sales"."people" AS
SELECT t."id" AS "id",
       pg_catalog.sha2(p.mask_key || 'sales.people.email' || p.sep || t."email", 256) AS "email",
       CAST(NULL AS integer) AS "tenant_id",
       CAST(NULL AS varchar(64)) AS "owner",
       CAST(NULL AS char(2)) AS "region",
       CAST(NULL AS date) AS "born",
       t."sold_at" AS "sold_at",
       CAST(NULL AS decimal(12, 2)) AS "amount"
FROM "sales"."people" t CROSS JOIN gov_system.entitlements_sales_b5bea41b p
WITH NO SCHEMA BINDING;

