-- unless, a group
CREATE OR REPLACE VIEW gov_system.entitlements_sales_dbd8c09c AS
SELECT CASE WHEN q.n = 1 THEN 1 ELSE 0 END AS known,
       CASE WHEN q.n = 1 THEN q.c1 ELSE 0 END AS e1,
       CASE WHEN q.n = 1 THEN q.userid END AS userid,
       pg_catalog.chr(31) AS sep
FROM (SELECT pg_catalog.count(*) AS n,
             pg_catalog.max(u.gov__userid) AS userid,
             pg_catalog.max(CASE WHEN pg_catalog.strpos(u.gov__groups, pg_catalog.chr(31) || 'pii' || pg_catalog.chr(31)) > 0 THEN 1 ELSE 0 END) AS c1
      FROM gov_system.user_profile u) q;
CREATE OR REPLACE VIEW "gov_sales"."people" AS
SELECT CASE WHEN p.e1 = 1 THEN t."email" ELSE CAST(NULL AS varchar(100)) END AS "email"
FROM "sales"."people" t CROSS JOIN gov_system.entitlements_sales_dbd8c09c p
WITH NO SCHEMA BINDING;

-- unless, one of several groups
CREATE OR REPLACE VIEW gov_system.entitlements_sales_dbd8c09c AS
SELECT CASE WHEN q.n = 1 THEN 1 ELSE 0 END AS known,
       CASE WHEN q.n = 1 THEN q.c1 ELSE 0 END AS e1,
       CASE WHEN q.n = 1 THEN q.userid END AS userid,
       pg_catalog.chr(31) AS sep
FROM (SELECT pg_catalog.count(*) AS n,
             pg_catalog.max(u.gov__userid) AS userid,
             pg_catalog.max(CASE WHEN (pg_catalog.strpos(u.gov__groups, pg_catalog.chr(31) || 'it''s' || pg_catalog.chr(31)) > 0 OR pg_catalog.strpos(u.gov__groups, pg_catalog.chr(31) || 'pii' || pg_catalog.chr(31)) > 0) THEN 1 ELSE 0 END) AS c1
      FROM gov_system.user_profile u) q;

-- unless, a user
CREATE OR REPLACE VIEW gov_system.entitlements_sales_dbd8c09c AS
SELECT CASE WHEN q.n = 1 THEN 1 ELSE 0 END AS known,
       CASE WHEN q.n = 1 THEN q.c1 ELSE 0 END AS e1,
       CASE WHEN q.n = 1 THEN q.userid END AS userid,
       pg_catalog.chr(31) AS sep
FROM (SELECT pg_catalog.count(*) AS n,
             pg_catalog.max(u.gov__userid) AS userid,
             pg_catalog.max(CASE WHEN (u.gov__userid = 'ann' AND pg_catalog.length(u.gov__userid) = 3) THEN 1 ELSE 0 END) AS c1
      FROM gov_system.user_profile u) q;

-- unless, a purpose
CREATE OR REPLACE VIEW gov_system.entitlements_sales_dbd8c09c AS
SELECT CASE WHEN q.n = 1 THEN 1 ELSE 0 END AS known,
       CASE WHEN q.n = 1 THEN q.c1 ELSE 0 END AS e1,
       CASE WHEN q.n = 1 THEN q.userid END AS userid,
       pg_catalog.chr(31) AS sep
FROM (SELECT pg_catalog.count(*) AS n,
             pg_catalog.max(u.gov__userid) AS userid,
             pg_catalog.max(CASE WHEN (pg_catalog.strpos(u.gov__projects, pg_catalog.chr(31) || 'Research' || pg_catalog.chr(31)) > 0 AND coalesce(pg_catalog.current_setting('gov_session.purpose', FALSE), '') = 'Research') THEN 1 ELSE 0 END) AS c1
      FROM gov_system.user_profile u) q;

-- unless, attributes
CREATE OR REPLACE VIEW gov_system.entitlements_sales_dbd8c09c AS
SELECT CASE WHEN q.n = 1 THEN 1 ELSE 0 END AS known,
       CASE WHEN q.n = 1 THEN q.c1 ELSE 0 END AS e1,
       CASE WHEN q.n = 1 THEN q.userid END AS userid,
       pg_catalog.chr(31) AS sep
FROM (SELECT pg_catalog.count(*) AS n,
             pg_catalog.max(u.gov__userid) AS userid,
             pg_catalog.max(CASE WHEN pg_catalog.strpos(pg_catalog.chr(31) || pg_catalog.split_part(pg_catalog.split_part(u.gov__attributes, pg_catalog.chr(30) || 'region' || pg_catalog.chr(31), 2), pg_catalog.chr(30), 1), pg_catalog.chr(31) || 'eu' || pg_catalog.chr(31)) > 0 AND (pg_catalog.strpos(pg_catalog.chr(31) || pg_catalog.split_part(pg_catalog.split_part(u.gov__attributes, pg_catalog.chr(30) || 'tenant' || pg_catalog.chr(31), 2), pg_catalog.chr(30), 1), pg_catalog.chr(31) || '7' || pg_catalog.chr(31)) > 0 OR pg_catalog.strpos(pg_catalog.chr(31) || pg_catalog.split_part(pg_catalog.split_part(u.gov__attributes, pg_catalog.chr(30) || 'tenant' || pg_catalog.chr(31), 2), pg_catalog.chr(30), 1), pg_catalog.chr(31) || '9' || pg_catalog.chr(31)) > 0) THEN 1 ELSE 0 END) AS c1
      FROM gov_system.user_profile u) q;

-- unless, all kinds
CREATE OR REPLACE VIEW gov_system.entitlements_sales_dbd8c09c AS
SELECT CASE WHEN q.n = 1 THEN 1 ELSE 0 END AS known,
       CASE WHEN q.n = 1 THEN q.c1 ELSE 0 END AS e1,
       CASE WHEN q.n = 1 THEN q.userid END AS userid,
       pg_catalog.chr(31) AS sep
FROM (SELECT pg_catalog.count(*) AS n,
             pg_catalog.max(u.gov__userid) AS userid,
             pg_catalog.max(CASE WHEN (pg_catalog.strpos(u.gov__groups, pg_catalog.chr(31) || 'a' || pg_catalog.chr(31)) > 0 OR pg_catalog.strpos(u.gov__groups, pg_catalog.chr(31) || 'b' || pg_catalog.chr(31)) > 0) AND (u.gov__userid = 'ann' AND pg_catalog.length(u.gov__userid) = 3) AND (pg_catalog.strpos(u.gov__projects, pg_catalog.chr(31) || 'Research' || pg_catalog.chr(31)) > 0 AND coalesce(pg_catalog.current_setting('gov_session.purpose', FALSE), '') = 'Research') AND pg_catalog.strpos(pg_catalog.chr(31) || pg_catalog.split_part(pg_catalog.split_part(u.gov__attributes, pg_catalog.chr(30) || 'region' || pg_catalog.chr(31), 2), pg_catalog.chr(30), 1), pg_catalog.chr(31) || 'eu' || pg_catalog.chr(31)) > 0 AND (pg_catalog.strpos(pg_catalog.chr(31) || pg_catalog.split_part(pg_catalog.split_part(u.gov__attributes, pg_catalog.chr(30) || 'tenant' || pg_catalog.chr(31), 2), pg_catalog.chr(30), 1), pg_catalog.chr(31) || '7' || pg_catalog.chr(31)) > 0 OR pg_catalog.strpos(pg_catalog.chr(31) || pg_catalog.split_part(pg_catalog.split_part(u.gov__attributes, pg_catalog.chr(30) || 'tenant' || pg_catalog.chr(31), 2), pg_catalog.chr(30), 1), pg_catalog.chr(31) || '9' || pg_catalog.chr(31)) > 0) THEN 1 ELSE 0 END) AS c1
      FROM gov_system.user_profile u) q;

-- unless, one of two blocks
CREATE OR REPLACE VIEW gov_system.entitlements_sales_dbd8c09c AS
SELECT CASE WHEN q.n = 1 THEN 1 ELSE 0 END AS known,
       CASE WHEN q.n = 1 THEN q.c1 ELSE 0 END AS e1,
       CASE WHEN q.n = 1 THEN q.userid END AS userid,
       pg_catalog.chr(31) AS sep
FROM (SELECT pg_catalog.count(*) AS n,
             pg_catalog.max(u.gov__userid) AS userid,
             pg_catalog.max(CASE WHEN ((pg_catalog.strpos(u.gov__groups, pg_catalog.chr(31) || 'a' || pg_catalog.chr(31)) > 0 OR pg_catalog.strpos(u.gov__groups, pg_catalog.chr(31) || 'b' || pg_catalog.chr(31)) > 0) AND (u.gov__userid = 'ann' AND pg_catalog.length(u.gov__userid) = 3) AND (pg_catalog.strpos(u.gov__projects, pg_catalog.chr(31) || 'Research' || pg_catalog.chr(31)) > 0 AND coalesce(pg_catalog.current_setting('gov_session.purpose', FALSE), '') = 'Research') AND pg_catalog.strpos(pg_catalog.chr(31) || pg_catalog.split_part(pg_catalog.split_part(u.gov__attributes, pg_catalog.chr(30) || 'region' || pg_catalog.chr(31), 2), pg_catalog.chr(30), 1), pg_catalog.chr(31) || 'eu' || pg_catalog.chr(31)) > 0 AND (pg_catalog.strpos(pg_catalog.chr(31) || pg_catalog.split_part(pg_catalog.split_part(u.gov__attributes, pg_catalog.chr(30) || 'tenant' || pg_catalog.chr(31), 2), pg_catalog.chr(30), 1), pg_catalog.chr(31) || '7' || pg_catalog.chr(31)) > 0 OR pg_catalog.strpos(pg_catalog.chr(31) || pg_catalog.split_part(pg_catalog.split_part(u.gov__attributes, pg_catalog.chr(30) || 'tenant' || pg_catalog.chr(31), 2), pg_catalog.chr(30), 1), pg_catalog.chr(31) || '9' || pg_catalog.chr(31)) > 0)) OR (pg_catalog.strpos(u.gov__groups, pg_catalog.chr(31) || 'ops' || pg_catalog.chr(31)) > 0) THEN 1 ELSE 0 END) AS c1
      FROM gov_system.user_profile u) q;

-- only for a group
CREATE OR REPLACE VIEW gov_system.entitlements_sales_dbd8c09c AS
SELECT CASE WHEN q.n = 1 THEN 1 ELSE 0 END AS known,
       CASE WHEN q.n = 1 THEN 1 - q.c1 ELSE 0 END AS e1,
       CASE WHEN q.n = 1 THEN q.userid END AS userid,
       pg_catalog.chr(31) AS sep
FROM (SELECT pg_catalog.count(*) AS n,
             pg_catalog.max(u.gov__userid) AS userid,
             pg_catalog.max(CASE WHEN pg_catalog.strpos(u.gov__groups, pg_catalog.chr(31) || 'support' || pg_catalog.chr(31)) > 0 THEN 1 ELSE 0 END) AS c1
      FROM gov_system.user_profile u) q;

