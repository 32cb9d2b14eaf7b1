-- the whole table, but for the exempt
CREATE OR REPLACE VIEW gov_system.entitlements_sales_d8449323 AS
SELECT CASE WHEN q.n = 1 THEN 1 ELSE 0 END AS known,
       CASE WHEN q.n = 1 THEN q.c1 ELSE 0 END AS e1,
       CASE WHEN q.n = 1 THEN q.userid END AS userid,
       pg_catalog.chr(31) AS sep
FROM (SELECT pg_catalog.count(*) AS n,
             pg_catalog.max(u.gov__userid) AS userid,
             pg_catalog.max(CASE WHEN pg_catalog.strpos(u.gov__groups, pg_catalog.chr(31) || 'ops' || pg_catalog.chr(31)) > 0 THEN 1 ELSE 0 END) AS c1
      FROM gov_system.user_profile u) q;
CREATE OR REPLACE VIEW "gov_sales"."people" AS
SELECT CASE WHEN r.gov__visible = 1 THEN r."tenant_id" END AS "tenant_id",
       CASE WHEN r.gov__visible = 1 THEN r."region" END AS "region"
FROM (SELECT t."tenant_id" AS "tenant_id",
             t."region" AS "region",
             CASE WHEN p.known = 1 AND (p.e1 = 1 OR 1 = 0) THEN 1 ELSE 0 END AS gov__visible
      FROM "sales"."people" t CROSS JOIN gov_system.entitlements_sales_d8449323 p
      WHERE p.known = 1 AND (p.e1 = 1 OR 1 = 0)) r
WITH NO SCHEMA BINDING;

-- in groups
CREATE OR REPLACE VIEW gov_system.entitlements_sales_66254be7 AS
SELECT CASE WHEN q.n = 1 THEN 1 ELSE 0 END AS known,
       CASE WHEN q.n = 1 THEN q.a1 END AS a1,
       CASE WHEN q.n = 1 THEN q.userid END AS userid,
       pg_catalog.chr(31) AS sep
FROM (SELECT pg_catalog.count(*) AS n,
             pg_catalog.max(u.gov__userid) AS userid,
             pg_catalog.max(u.gov__groups) AS a1
      FROM gov_system.user_profile u) q;
CREATE OR REPLACE VIEW "gov_sales"."people" AS
SELECT CASE WHEN r.gov__visible = 1 THEN r."tenant_id" END AS "tenant_id",
       CASE WHEN r.gov__visible = 1 THEN r."region" END AS "region"
FROM (SELECT t."tenant_id" AS "tenant_id",
             t."region" AS "region",
             CASE WHEN p.known = 1 AND (pg_catalog.strpos(p.a1, p.sep || pg_catalog.replace(pg_catalog.rtrim(t."region"), p.sep, pg_catalog.chr(30)) || p.sep) > 0) THEN 1 ELSE 0 END AS gov__visible
      FROM "sales"."people" t CROSS JOIN gov_system.entitlements_sales_66254be7 p
      WHERE p.known = 1 AND (pg_catalog.strpos(p.a1, p.sep || pg_catalog.replace(pg_catalog.rtrim(t."region"), p.sep, pg_catalog.chr(30)) || p.sep) > 0)) r
WITH NO SCHEMA BINDING;

-- in the purpose that was chosen
CREATE OR REPLACE VIEW gov_system.entitlements_sales_bf8a48cd AS
SELECT CASE WHEN q.n = 1 THEN 1 ELSE 0 END AS known,
       CASE WHEN q.n = 1 THEN q.a1 END AS a1,
       CASE WHEN q.n = 1 THEN q.userid END AS userid,
       pg_catalog.chr(31) AS sep
FROM (SELECT pg_catalog.count(*) AS n,
             pg_catalog.max(u.gov__userid) AS userid,
             pg_catalog.max(CASE WHEN coalesce(pg_catalog.current_setting('gov_session.purpose', FALSE), '') <> '' AND pg_catalog.strpos(coalesce(pg_catalog.current_setting('gov_session.purpose', FALSE), ''), pg_catalog.chr(31)) = 0 AND pg_catalog.strpos(u.gov__projects, pg_catalog.chr(31) || coalesce(pg_catalog.current_setting('gov_session.purpose', FALSE), '') || pg_catalog.chr(31)) > 0 THEN pg_catalog.chr(31) || coalesce(pg_catalog.current_setting('gov_session.purpose', FALSE), '') || pg_catalog.chr(31) END) AS a1
      FROM gov_system.user_profile u) q;
CREATE OR REPLACE VIEW "gov_sales"."people" AS
SELECT CASE WHEN r.gov__visible = 1 THEN r."tenant_id" END AS "tenant_id",
       CASE WHEN r.gov__visible = 1 THEN r."owner" END AS "owner",
       CASE WHEN r.gov__visible = 1 THEN r."region" END AS "region"
FROM (SELECT t."tenant_id" AS "tenant_id",
             t."owner" AS "owner",
             t."region" AS "region",
             CASE WHEN p.known = 1 AND (pg_catalog.strpos(p.a1, p.sep || pg_catalog.replace(t."owner", p.sep, pg_catalog.chr(30)) || p.sep) > 0) THEN 1 ELSE 0 END AS gov__visible
      FROM "sales"."people" t CROSS JOIN gov_system.entitlements_sales_bf8a48cd p
      WHERE p.known = 1 AND (pg_catalog.strpos(p.a1, p.sep || pg_catalog.replace(t."owner", p.sep, pg_catalog.chr(30)) || p.sep) > 0)) r
WITH NO SCHEMA BINDING;

-- in an attribute, of a whole number
CREATE OR REPLACE VIEW gov_system.entitlements_sales_897e0dc5 AS
SELECT CASE WHEN q.n = 1 THEN 1 ELSE 0 END AS known,
       CASE WHEN q.n = 1 THEN q.a1 END AS a1,
       CASE WHEN q.n = 1 THEN q.userid END AS userid,
       pg_catalog.chr(31) AS sep
FROM (SELECT pg_catalog.count(*) AS n,
             pg_catalog.max(u.gov__userid) AS userid,
             pg_catalog.max(pg_catalog.chr(31) || pg_catalog.split_part(pg_catalog.split_part(u.gov__attributes, pg_catalog.chr(30) || 'tenant' || pg_catalog.chr(31), 2), pg_catalog.chr(30), 1)) AS a1
      FROM gov_system.user_profile u) q;
CREATE OR REPLACE VIEW "gov_sales"."people" AS
SELECT CASE WHEN r.gov__visible = 1 THEN r."tenant_id" END AS "tenant_id",
       CASE WHEN r.gov__visible = 1 THEN r."region" END AS "region"
FROM (SELECT t."tenant_id" AS "tenant_id",
             t."region" AS "region",
             CASE WHEN p.known = 1 AND (pg_catalog.strpos(p.a1, p.sep || t."tenant_id"::varchar || p.sep) > 0) THEN 1 ELSE 0 END AS gov__visible
      FROM "sales"."people" t CROSS JOIN gov_system.entitlements_sales_897e0dc5 p
      WHERE p.known = 1 AND (pg_catalog.strpos(p.a1, p.sep || t."tenant_id"::varchar || p.sep) > 0)) r
WITH NO SCHEMA BINDING;

-- in an attribute, of a date
CREATE OR REPLACE VIEW gov_system.entitlements_sales_dc7aca96 AS
SELECT CASE WHEN q.n = 1 THEN 1 ELSE 0 END AS known,
       CASE WHEN q.n = 1 THEN q.a1 END AS a1,
       CASE WHEN q.n = 1 THEN q.userid END AS userid,
       pg_catalog.chr(31) AS sep
FROM (SELECT pg_catalog.count(*) AS n,
             pg_catalog.max(u.gov__userid) AS userid,
             pg_catalog.max(pg_catalog.chr(31) || pg_catalog.split_part(pg_catalog.split_part(u.gov__attributes, pg_catalog.chr(30) || 'born' || pg_catalog.chr(31), 2), pg_catalog.chr(30), 1)) AS a1
      FROM gov_system.user_profile u) q;
CREATE OR REPLACE VIEW "gov_sales"."people" AS
SELECT CASE WHEN r.gov__visible = 1 THEN r."tenant_id" END AS "tenant_id",
       CASE WHEN r.gov__visible = 1 THEN r."region" END AS "region",
       CASE WHEN r.gov__visible = 1 THEN r."born" END AS "born"
FROM (SELECT t."tenant_id" AS "tenant_id",
             t."region" AS "region",
             t."born" AS "born",
             CASE WHEN p.known = 1 AND (pg_catalog.strpos(p.a1, p.sep || pg_catalog.to_char(t."born", 'YYYY-MM-DD') || p.sep) > 0) THEN 1 ELSE 0 END AS gov__visible
      FROM "sales"."people" t CROSS JOIN gov_system.entitlements_sales_dc7aca96 p
      WHERE p.known = 1 AND (pg_catalog.strpos(p.a1, p.sep || pg_catalog.to_char(t."born", 'YYYY-MM-DD') || p.sep) > 0)) r
WITH NO SCHEMA BINDING;

-- the reader's own
CREATE OR REPLACE VIEW gov_system.entitlements_sales_fcbcf165 AS
SELECT CASE WHEN q.n = 1 THEN 1 ELSE 0 END AS known,
       CASE WHEN q.n = 1 THEN q.userid END AS userid,
       pg_catalog.chr(31) AS sep
FROM (SELECT pg_catalog.count(*) AS n,
             pg_catalog.max(u.gov__userid) AS userid
      FROM gov_system.user_profile u) q;
CREATE OR REPLACE VIEW "gov_sales"."people" AS
SELECT CASE WHEN r.gov__visible = 1 THEN r."tenant_id" END AS "tenant_id",
       CASE WHEN r.gov__visible = 1 THEN r."owner" END AS "owner",
       CASE WHEN r.gov__visible = 1 THEN r."region" END AS "region"
FROM (SELECT t."tenant_id" AS "tenant_id",
             t."owner" AS "owner",
             t."region" AS "region",
             CASE WHEN p.known = 1 AND (t."owner" = p.userid AND pg_catalog.length(t."owner") = pg_catalog.length(p.userid)) THEN 1 ELSE 0 END AS gov__visible
      FROM "sales"."people" t CROSS JOIN gov_system.entitlements_sales_fcbcf165 p
      WHERE p.known = 1 AND (t."owner" = p.userid AND pg_catalog.length(t."owner") = pg_catalog.length(p.userid))) r
WITH NO SCHEMA BINDING;

-- where, unless
CREATE OR REPLACE VIEW gov_system.entitlements_sales_f5c8f3fa AS
SELECT CASE WHEN q.n = 1 THEN 1 ELSE 0 END AS known,
       CASE WHEN q.n = 1 THEN q.c1 ELSE 0 END AS e1,
       CASE WHEN q.n = 1 THEN q.a1 END AS a1,
       CASE WHEN q.n = 1 THEN q.userid END AS userid,
       pg_catalog.chr(31) AS sep
FROM (SELECT pg_catalog.count(*) AS n,
             pg_catalog.max(u.gov__userid) AS userid,
             pg_catalog.max(CASE WHEN pg_catalog.strpos(u.gov__groups, pg_catalog.chr(31) || 'ops' || pg_catalog.chr(31)) > 0 THEN 1 ELSE 0 END) AS c1,
             pg_catalog.max(u.gov__groups) AS a1
      FROM gov_system.user_profile u) q;
CREATE OR REPLACE VIEW "gov_sales"."people" AS
SELECT CASE WHEN r.gov__visible = 1 THEN r."tenant_id" END AS "tenant_id",
       CASE WHEN r.gov__visible = 1 THEN r."region" END AS "region"
FROM (SELECT t."tenant_id" AS "tenant_id",
             t."region" AS "region",
             CASE WHEN p.known = 1 AND (p.e1 = 1 OR (t."region" = 'eu' OR pg_catalog.strpos(p.a1, p.sep || pg_catalog.replace(pg_catalog.rtrim(t."region"), p.sep, pg_catalog.chr(30)) || p.sep) > 0)) THEN 1 ELSE 0 END AS gov__visible
      FROM "sales"."people" t CROSS JOIN gov_system.entitlements_sales_f5c8f3fa p
      WHERE p.known = 1 AND (p.e1 = 1 OR (t."region" = 'eu' OR pg_catalog.strpos(p.a1, p.sep || pg_catalog.replace(pg_catalog.rtrim(t."region"), p.sep, pg_catalog.chr(30)) || p.sep) > 0))) r
WITH NO SCHEMA BINDING;

-- newest, only for
CREATE OR REPLACE VIEW gov_system.entitlements_sales_50f3d673 AS
SELECT CASE WHEN q.n = 1 THEN 1 ELSE 0 END AS known,
       CASE WHEN q.n = 1 THEN 1 - q.c1 ELSE 0 END AS e1,
       CASE WHEN q.n = 1 THEN q.userid END AS userid,
       pg_catalog.chr(31) AS sep
FROM (SELECT pg_catalog.count(*) AS n,
             pg_catalog.max(u.gov__userid) AS userid,
             pg_catalog.max(CASE WHEN pg_catalog.strpos(u.gov__groups, pg_catalog.chr(31) || 'support' || pg_catalog.chr(31)) > 0 THEN 1 ELSE 0 END) AS c1
      FROM gov_system.user_profile u) q;
CREATE OR REPLACE VIEW "gov_sales"."people" AS
SELECT CASE WHEN r.gov__visible = 1 THEN r."tenant_id" END AS "tenant_id",
       CASE WHEN r.gov__visible = 1 THEN r."region" END AS "region",
       CASE WHEN r.gov__visible = 1 THEN r."sold_at" END AS "sold_at"
FROM (SELECT t."tenant_id" AS "tenant_id",
             t."region" AS "region",
             t."sold_at" AS "sold_at",
             CASE WHEN p.known = 1 AND (p.e1 = 1 OR (t."sold_at" >= CURRENT_DATE - 90)) THEN 1 ELSE 0 END AS gov__visible
      FROM "sales"."people" t CROSS JOIN gov_system.entitlements_sales_50f3d673 p
      WHERE p.known = 1 AND (p.e1 = 1 OR (t."sold_at" >= CURRENT_DATE - 90))) r
WITH NO SCHEMA BINDING;

-- a share of the rows
CREATE OR REPLACE VIEW "gov_sales"."people" AS
SELECT CASE WHEN r.gov__visible = 1 THEN r."id" END AS "id",
       CASE WHEN r.gov__visible = 1 THEN r."tenant_id" END AS "tenant_id",
       CASE WHEN r.gov__visible = 1 THEN r."region" END AS "region"
FROM (SELECT t."id" AS "id",
             t."tenant_id" AS "tenant_id",
             t."region" AS "region",
             CASE WHEN p.known = 1 AND (t."id" IS NOT NULL AND pg_catalog.abs(pg_catalog.mod(pg_catalog.fnv_hash(t."id"), 100)) < 10) THEN 1 ELSE 0 END AS gov__visible
      FROM "sales"."people" t CROSS JOIN gov_system.entitlements_sales_fcbcf165 p
      WHERE p.known = 1 AND (t."id" IS NOT NULL AND pg_catalog.abs(pg_catalog.mod(pg_catalog.fnv_hash(t."id"), 100)) < 10)) r
WITH NO SCHEMA BINDING;

-- by the column's tag

-- passed over, as the column is missing
CREATE OR REPLACE VIEW "gov_sales"."people" AS
SELECT t."tenant_id" AS "tenant_id",
       t."region" AS "region"
FROM "sales"."people" t
WITH NO SCHEMA BINDING;

