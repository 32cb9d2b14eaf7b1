-- null
CREATE OR REPLACE VIEW gov_system.entitlements_sales_fcbcf165 AS
SELECT CASE WHEN q.n = 1 THEN 1 ELSE 0 END AS known,
       CASE WHEN q.n = 1 THEN q.userid END AS userid,
       pg_catalog.chr(31) AS sep
FROM (SELECT pg_catalog.count(*) AS n,
             pg_catalog.max(u.gov__userid) AS userid
      FROM gov_system.user_profile u) q;
CREATE OR REPLACE VIEW "gov_sales"."people" AS
SELECT CAST(NULL AS varchar(20)) AS "text",
       CAST(NULL AS char(3)) AS "code",
       CAST(NULL AS smallint) AS "small",
       CAST(NULL AS integer) AS "whole",
       CAST(NULL AS bigint) AS "big",
       CAST(NULL AS decimal(18, 2)) AS "price",
       CAST(NULL AS real) AS "ratio",
       CAST(NULL AS double precision) AS "weight",
       CAST(NULL AS boolean) AS "active",
       CAST(NULL AS date) AS "day",
       CAST(NULL AS timestamp) AS "at",
       CAST(NULL AS timestamptz) AS "at_zone",
       CAST(NULL AS time) AS "clock",
       CAST(NULL AS super) AS "document",
       CAST(NULL AS varbyte(10)) AS "bytes"
FROM "sales"."people" t
WITH NO SCHEMA BINDING;

-- constant
-- warning: `people.document` (super) shows NULL where `constant` is asked for: no constant can be of its type.
CREATE OR REPLACE VIEW "gov_sales"."people" AS
SELECT CAST('0' AS varchar(20)) AS "text",
       CAST('0' AS varchar(3)) AS "code",
       CAST('0' AS smallint) AS "small",
       CAST('0' AS integer) AS "whole",
       CAST('0' AS bigint) AS "big",
       CAST('0' AS decimal(18, 2)) AS "price",
       CAST('0' AS real) AS "ratio",
       CAST('0' AS double precision) AS "weight",
       t."active" AS "active",
       t."day" AS "day",
       t."at" AS "at",
       t."at_zone" AS "at_zone",
       t."clock" AS "clock",
       CAST(NULL AS super) AS "document",
       t."bytes" AS "bytes"
FROM "sales"."people" t
WITH NO SCHEMA BINDING;

-- constant, longer than the column
CREATE OR REPLACE VIEW "gov_sales"."people" AS
SELECT t."text" AS "text",
       CAST('it''s \\ hidden' AS varchar(13)) AS "code",
       t."small" AS "small",
       t."whole" AS "whole",
       t."big" AS "big",
       t."price" AS "price",
       t."ratio" AS "ratio",
       t."weight" AS "weight",
       t."active" AS "active",
       t."day" AS "day",
       t."at" AS "at",
       t."at_zone" AS "at_zone",
       t."clock" AS "clock",
       t."document" AS "document",
       t."bytes" AS "bytes"
FROM "sales"."people" t
WITH NO SCHEMA BINDING;

-- constant, of time
CREATE OR REPLACE VIEW "gov_sales"."people" AS
SELECT t."text" AS "text",
       t."code" AS "code",
       t."small" AS "small",
       t."whole" AS "whole",
       t."big" AS "big",
       t."price" AS "price",
       t."ratio" AS "ratio",
       t."weight" AS "weight",
       t."active" AS "active",
       CAST('2000-01-01' AS date) AS "day",
       CAST('2000-01-01' AS timestamp) AS "at",
       CAST('2000-01-01' AS timestamptz) AS "at_zone",
       t."clock" AS "clock",
       t."document" AS "document",
       t."bytes" AS "bytes"
FROM "sales"."people" t
WITH NO SCHEMA BINDING;

-- constant, true or false
CREATE OR REPLACE VIEW "gov_sales"."people" AS
SELECT t."text" AS "text",
       t."code" AS "code",
       t."small" AS "small",
       t."whole" AS "whole",
       t."big" AS "big",
       t."price" AS "price",
       t."ratio" AS "ratio",
       t."weight" AS "weight",
       CAST('false' AS boolean) AS "active",
       t."day" AS "day",
       t."at" AS "at",
       t."at_zone" AS "at_zone",
       t."clock" AS "clock",
       t."document" AS "document",
       t."bytes" AS "bytes"
FROM "sales"."people" t
WITH NO SCHEMA BINDING;

-- hash, of this column alone
-- warning: `people.price` (decimal(18, 2)) shows NULL where `hash` is asked for: only text and whole numbers are hashed.
-- warning: `people.ratio` (real) shows NULL where `hash` is asked for: only text and whole numbers are hashed.
-- warning: `people.weight` (double precision) shows NULL where `hash` is asked for: only text and whole numbers are hashed.
-- warning: `people.active` (boolean) shows NULL where `hash` is asked for: only text and whole numbers are hashed.
-- warning: `people.day` (date) shows NULL where `hash` is asked for: only text and whole numbers are hashed.
-- warning: `people.at` (timestamp) shows NULL where `hash` is asked for: only text and whole numbers are hashed.
-- warning: `people.at_zone` (timestamptz) shows NULL where `hash` is asked for: only text and whole numbers are hashed.
-- warning: `people.clock` (time) shows NULL where `hash` is asked for: only text and whole numbers are hashed.
-- warning: `people.document` (super) shows NULL where `hash` is asked for: only text and whole numbers are hashed.
-- warning: `people.bytes` (varbyte(10)) shows NULL where `hash` is asked for: only text and whole numbers are hashed.
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
SELECT pg_catalog.sha2(p.mask_key || 'sales.people.text' || p.sep || t."text", 256) AS "text",
       pg_catalog.sha2(p.mask_key || 'sales.people.code' || p.sep || pg_catalog.rtrim(t."code"), 256) AS "code",
       pg_catalog.strtol(pg_catalog.substring(pg_catalog.sha2(p.mask_key || 'sales.people.small' || p.sep || t."small"::varchar, 256), 1, 15), 16) AS "small",
       pg_catalog.strtol(pg_catalog.substring(pg_catalog.sha2(p.mask_key || 'sales.people.whole' || p.sep || t."whole"::varchar, 256), 1, 15), 16) AS "whole",
       pg_catalog.strtol(pg_catalog.substring(pg_catalog.sha2(p.mask_key || 'sales.people.big' || p.sep || t."big"::varchar, 256), 1, 15), 16) AS "big",
       CAST(NULL AS decimal(18, 2)) AS "price",
       CAST(NULL AS real) AS "ratio",
       CAST(NULL AS double precision) AS "weight",
       CAST(NULL AS boolean) AS "active",
       CAST(NULL AS date) AS "day",
       CAST(NULL AS timestamp) AS "at",
       CAST(NULL AS timestamptz) AS "at_zone",
       CAST(NULL AS time) AS "clock",
       CAST(NULL AS super) AS "document",
       CAST(NULL AS varbyte(10)) AS "bytes"
FROM "sales"."people" t CROSS JOIN gov_system.entitlements_sales_b5bea41b p
WITH NO SCHEMA BINDING;

-- hash, with a salt
-- warning: `people.price` (decimal(18, 2)) shows NULL where `hash` is asked for: only text and whole numbers are hashed.
-- warning: `people.ratio` (real) shows NULL where `hash` is asked for: only text and whole numbers are hashed.
-- warning: `people.weight` (double precision) shows NULL where `hash` is asked for: only text and whole numbers are hashed.
-- warning: `people.active` (boolean) shows NULL where `hash` is asked for: only text and whole numbers are hashed.
-- warning: `people.day` (date) shows NULL where `hash` is asked for: only text and whole numbers are hashed.
-- warning: `people.at` (timestamp) shows NULL where `hash` is asked for: only text and whole numbers are hashed.
-- warning: `people.at_zone` (timestamptz) shows NULL where `hash` is asked for: only text and whole numbers are hashed.
-- warning: `people.clock` (time) shows NULL where `hash` is asked for: only text and whole numbers are hashed.
-- warning: `people.document` (super) shows NULL where `hash` is asked for: only text and whole numbers are hashed.
-- warning: `people.bytes` (varbyte(10)) shows NULL where `hash` is asked for: only text and whole numbers are hashed.
CREATE OR REPLACE VIEW "gov_sales"."people" AS
SELECT pg_catalog.sha2(p.mask_key || 'customer''s' || p.sep || t."text", 256) AS "text",
       pg_catalog.sha2(p.mask_key || 'customer''s' || p.sep || pg_catalog.rtrim(t."code"), 256) AS "code",
       pg_catalog.strtol(pg_catalog.substring(pg_catalog.sha2(p.mask_key || 'customer''s' || p.sep || t."small"::varchar, 256), 1, 15), 16) AS "small",
       pg_catalog.strtol(pg_catalog.substring(pg_catalog.sha2(p.mask_key || 'customer''s' || p.sep || t."whole"::varchar, 256), 1, 15), 16) AS "whole",
       pg_catalog.strtol(pg_catalog.substring(pg_catalog.sha2(p.mask_key || 'customer''s' || p.sep || t."big"::varchar, 256), 1, 15), 16) AS "big",
       CAST(NULL AS decimal(18, 2)) AS "price",
       CAST(NULL AS real) AS "ratio",
       CAST(NULL AS double precision) AS "weight",
       CAST(NULL AS boolean) AS "active",
       CAST(NULL AS date) AS "day",
       CAST(NULL AS timestamp) AS "at",
       CAST(NULL AS timestamptz) AS "at_zone",
       CAST(NULL AS time) AS "clock",
       CAST(NULL AS super) AS "document",
       CAST(NULL AS varbyte(10)) AS "bytes"
FROM "sales"."people" t CROSS JOIN gov_system.entitlements_sales_b5bea41b p
WITH NO SCHEMA BINDING;

-- regex
-- warning: `people.small` (smallint) shows NULL where `regex` is asked for: a pattern is for text.
-- warning: `people.whole` (integer) shows NULL where `regex` is asked for: a pattern is for text.
-- warning: `people.big` (bigint) shows NULL where `regex` is asked for: a pattern is for text.
-- warning: `people.price` (decimal(18, 2)) shows NULL where `regex` is asked for: a pattern is for text.
-- warning: `people.ratio` (real) shows NULL where `regex` is asked for: a pattern is for text.
-- warning: `people.weight` (double precision) shows NULL where `regex` is asked for: a pattern is for text.
-- warning: `people.active` (boolean) shows NULL where `regex` is asked for: a pattern is for text.
-- warning: `people.day` (date) shows NULL where `regex` is asked for: a pattern is for text.
-- warning: `people.at` (timestamp) shows NULL where `regex` is asked for: a pattern is for text.
-- warning: `people.at_zone` (timestamptz) shows NULL where `regex` is asked for: a pattern is for text.
-- warning: `people.clock` (time) shows NULL where `regex` is asked for: a pattern is for text.
-- warning: `people.document` (super) shows NULL where `regex` is asked for: a pattern is for text.
-- warning: `people.bytes` (varbyte(10)) shows NULL where `regex` is asked for: a pattern is for text.
CREATE OR REPLACE VIEW "gov_sales"."people" AS
SELECT CASE WHEN pg_catalog.regexp_count(t."text", '^(\\w).*@') > 0 THEN pg_catalog.regexp_replace(t."text", '^(\\w).*@', 'x@') END AS "text",
       CASE WHEN pg_catalog.regexp_count(t."code", '^(\\w).*@') > 0 THEN pg_catalog.regexp_replace(t."code", '^(\\w).*@', 'x@') END AS "code",
       CAST(NULL AS smallint) AS "small",
       CAST(NULL AS integer) AS "whole",
       CAST(NULL AS bigint) AS "big",
       CAST(NULL AS decimal(18, 2)) AS "price",
       CAST(NULL AS real) AS "ratio",
       CAST(NULL AS double precision) AS "weight",
       CAST(NULL AS boolean) AS "active",
       CAST(NULL AS date) AS "day",
       CAST(NULL AS timestamp) AS "at",
       CAST(NULL AS timestamptz) AS "at_zone",
       CAST(NULL AS time) AS "clock",
       CAST(NULL AS super) AS "document",
       CAST(NULL AS varbyte(10)) AS "bytes"
FROM "sales"."people" t
WITH NO SCHEMA BINDING;

-- regex, what does not match kept, in any case
-- warning: `people.small` (smallint) shows NULL where `regex` is asked for: a pattern is for text.
-- warning: `people.whole` (integer) shows NULL where `regex` is asked for: a pattern is for text.
-- warning: `people.big` (bigint) shows NULL where `regex` is asked for: a pattern is for text.
-- warning: `people.price` (decimal(18, 2)) shows NULL where `regex` is asked for: a pattern is for text.
-- warning: `people.ratio` (real) shows NULL where `regex` is asked for: a pattern is for text.
-- warning: `people.weight` (double precision) shows NULL where `regex` is asked for: a pattern is for text.
-- warning: `people.active` (boolean) shows NULL where `regex` is asked for: a pattern is for text.
-- warning: `people.day` (date) shows NULL where `regex` is asked for: a pattern is for text.
-- warning: `people.at` (timestamp) shows NULL where `regex` is asked for: a pattern is for text.
-- warning: `people.at_zone` (timestamptz) shows NULL where `regex` is asked for: a pattern is for text.
-- warning: `people.clock` (time) shows NULL where `regex` is asked for: a pattern is for text.
-- warning: `people.document` (super) shows NULL where `regex` is asked for: a pattern is for text.
-- warning: `people.bytes` (varbyte(10)) shows NULL where `regex` is asked for: a pattern is for text.
CREATE OR REPLACE VIEW "gov_sales"."people" AS
SELECT pg_catalog.regexp_replace(t."text", '[0-9]', '#', 1, 'ip') AS "text",
       pg_catalog.regexp_replace(t."code", '[0-9]', '#', 1, 'ip') AS "code",
       CAST(NULL AS smallint) AS "small",
       CAST(NULL AS integer) AS "whole",
       CAST(NULL AS bigint) AS "big",
       CAST(NULL AS decimal(18, 2)) AS "price",
       CAST(NULL AS real) AS "ratio",
       CAST(NULL AS double precision) AS "weight",
       CAST(NULL AS boolean) AS "active",
       CAST(NULL AS date) AS "day",
       CAST(NULL AS timestamp) AS "at",
       CAST(NULL AS timestamptz) AS "at_zone",
       CAST(NULL AS time) AS "clock",
       CAST(NULL AS super) AS "document",
       CAST(NULL AS varbyte(10)) AS "bytes"
FROM "sales"."people" t
WITH NO SCHEMA BINDING;

-- round to a whole number
-- warning: `people.text` (varchar(20)) shows NULL where `round` is asked for: its type cannot be rounded so.
-- warning: `people.code` (char(3)) shows NULL where `round` is asked for: its type cannot be rounded so.
-- warning: `people.active` (boolean) shows NULL where `round` is asked for: its type cannot be rounded so.
-- warning: `people.day` (date) shows NULL where `round` is asked for: its type cannot be rounded so.
-- warning: `people.at` (timestamp) shows NULL where `round` is asked for: its type cannot be rounded so.
-- warning: `people.at_zone` (timestamptz) shows NULL where `round` is asked for: its type cannot be rounded so.
-- warning: `people.clock` (time) shows NULL where `round` is asked for: its type cannot be rounded so.
-- warning: `people.document` (super) shows NULL where `round` is asked for: its type cannot be rounded so.
-- warning: `people.bytes` (varbyte(10)) shows NULL where `round` is asked for: its type cannot be rounded so.
CREATE OR REPLACE VIEW "gov_sales"."people" AS
SELECT CAST(NULL AS varchar(20)) AS "text",
       CAST(NULL AS char(3)) AS "code",
       CAST(t."small" - pg_catalog.mod(t."small", 1000) AS smallint) AS "small",
       CAST(t."whole" - pg_catalog.mod(t."whole", 1000) AS integer) AS "whole",
       CAST(t."big" - pg_catalog.mod(t."big", 1000) AS bigint) AS "big",
       CAST(t."price" - pg_catalog.mod(t."price", CAST('1000' AS decimal(4, 0))) AS decimal(18, 2)) AS "price",
       CAST(pg_catalog.trunc(t."ratio" / 1000) * 1000 AS real) AS "ratio",
       CAST(pg_catalog.trunc(t."weight" / 1000) * 1000 AS double precision) AS "weight",
       CAST(NULL AS boolean) AS "active",
       CAST(NULL AS date) AS "day",
       CAST(NULL AS timestamp) AS "at",
       CAST(NULL AS timestamptz) AS "at_zone",
       CAST(NULL AS time) AS "clock",
       CAST(NULL AS super) AS "document",
       CAST(NULL AS varbyte(10)) AS "bytes"
FROM "sales"."people" t
WITH NO SCHEMA BINDING;

-- round to a fraction
-- warning: `people.text` (varchar(20)) shows NULL where `round` is asked for: its type cannot be rounded so.
-- warning: `people.code` (char(3)) shows NULL where `round` is asked for: its type cannot be rounded so.
-- warning: `people.small` (smallint) shows NULL where `round` is asked for: its type cannot be rounded so.
-- warning: `people.whole` (integer) shows NULL where `round` is asked for: its type cannot be rounded so.
-- warning: `people.big` (bigint) shows NULL where `round` is asked for: its type cannot be rounded so.
-- warning: `people.ratio` (real) shows NULL where `round` is asked for: its type cannot be rounded so.
-- warning: `people.weight` (double precision) shows NULL where `round` is asked for: its type cannot be rounded so.
-- warning: `people.active` (boolean) shows NULL where `round` is asked for: its type cannot be rounded so.
-- warning: `people.day` (date) shows NULL where `round` is asked for: its type cannot be rounded so.
-- warning: `people.at` (timestamp) shows NULL where `round` is asked for: its type cannot be rounded so.
-- warning: `people.at_zone` (timestamptz) shows NULL where `round` is asked for: its type cannot be rounded so.
-- warning: `people.clock` (time) shows NULL where `round` is asked for: its type cannot be rounded so.
-- warning: `people.document` (super) shows NULL where `round` is asked for: its type cannot be rounded so.
-- warning: `people.bytes` (varbyte(10)) shows NULL where `round` is asked for: its type cannot be rounded so.
CREATE OR REPLACE VIEW "gov_sales"."people" AS
SELECT CAST(NULL AS varchar(20)) AS "text",
       CAST(NULL AS char(3)) AS "code",
       CAST(NULL AS smallint) AS "small",
       CAST(NULL AS integer) AS "whole",
       CAST(NULL AS bigint) AS "big",
       CAST(t."price" - pg_catalog.mod(t."price", CAST('0.05' AS decimal(3, 2))) AS decimal(18, 2)) AS "price",
       CAST(NULL AS real) AS "ratio",
       CAST(NULL AS double precision) AS "weight",
       CAST(NULL AS boolean) AS "active",
       CAST(NULL AS date) AS "day",
       CAST(NULL AS timestamp) AS "at",
       CAST(NULL AS timestamptz) AS "at_zone",
       CAST(NULL AS time) AS "clock",
       CAST(NULL AS super) AS "document",
       CAST(NULL AS varbyte(10)) AS "bytes"
FROM "sales"."people" t
WITH NO SCHEMA BINDING;

-- round to a unit of time
-- warning: `people.text` (varchar(20)) shows NULL where `round` is asked for: its type cannot be rounded so.
-- warning: `people.code` (char(3)) shows NULL where `round` is asked for: its type cannot be rounded so.
-- warning: `people.small` (smallint) shows NULL where `round` is asked for: its type cannot be rounded so.
-- warning: `people.whole` (integer) shows NULL where `round` is asked for: its type cannot be rounded so.
-- warning: `people.big` (bigint) shows NULL where `round` is asked for: its type cannot be rounded so.
-- warning: `people.price` (decimal(18, 2)) shows NULL where `round` is asked for: its type cannot be rounded so.
-- warning: `people.ratio` (real) shows NULL where `round` is asked for: its type cannot be rounded so.
-- warning: `people.weight` (double precision) shows NULL where `round` is asked for: its type cannot be rounded so.
-- warning: `people.active` (boolean) shows NULL where `round` is asked for: its type cannot be rounded so.
-- warning: `people.clock` (time) shows NULL where `round` is asked for: its type cannot be rounded so.
-- warning: `people.document` (super) shows NULL where `round` is asked for: its type cannot be rounded so.
-- warning: `people.bytes` (varbyte(10)) shows NULL where `round` is asked for: its type cannot be rounded so.
CREATE OR REPLACE VIEW "gov_sales"."people" AS
SELECT CAST(NULL AS varchar(20)) AS "text",
       CAST(NULL AS char(3)) AS "code",
       CAST(NULL AS smallint) AS "small",
       CAST(NULL AS integer) AS "whole",
       CAST(NULL AS bigint) AS "big",
       CAST(NULL AS decimal(18, 2)) AS "price",
       CAST(NULL AS real) AS "ratio",
       CAST(NULL AS double precision) AS "weight",
       CAST(NULL AS boolean) AS "active",
       CAST(pg_catalog.date_trunc('month', t."day") AS date) AS "day",
       CAST(pg_catalog.date_trunc('month', t."at") AS timestamp) AS "at",
       CAST(pg_catalog.date_trunc('month', t."at_zone") AS timestamptz) AS "at_zone",
       CAST(NULL AS time) AS "clock",
       CAST(NULL AS super) AS "document",
       CAST(NULL AS varbyte(10)) AS "bytes"
FROM "sales"."people" t
WITH NO SCHEMA BINDING;

-- expression
CREATE OR REPLACE VIEW "gov_sales"."people" AS
SELECT (pg_catalog.substring( t."text" , 1 , 3 ) || '…') AS "text",
       (pg_catalog.substring( t."code" , 1 , 3 ) || '…') AS "code",
       t."small" AS "small",
       t."whole" AS "whole",
       t."big" AS "big",
       t."price" AS "price",
       t."ratio" AS "ratio",
       t."weight" AS "weight",
       t."active" AS "active",
       t."day" AS "day",
       t."at" AS "at",
       t."at_zone" AS "at_zone",
       t."clock" AS "clock",
       t."document" AS "document",
       t."bytes" AS "bytes"
FROM "sales"."people" t
WITH NO SCHEMA BINDING;

