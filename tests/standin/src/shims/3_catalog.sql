-- Redshift's catalogue as its users see it. A relation whose name PostgreSQL has too is called rs_..., and the rewriter
-- puts that name in its place.
SET search_path = pg_catalog;

CREATE FUNCTION rs_version() RETURNS text LANGUAGE sql IMMUTABLE AS
$$ SELECT 'PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC gcc (GCC) 3.4.2 20041017 (Red Hat 3.4.2-6.fc3), Redshift 1.0.12345'::text $$;

-- AWS, DB_COLLATION. PostgreSQL has no such databases, and CREATE DATABASE stands alone: a limit of connections that
-- nobody asks for marks those that were made case-insensitive. Their text is compared as everywhere else.
CREATE FUNCTION rs_db_collation() RETURNS varchar LANGUAGE sql STABLE AS $$
  SELECT CASE datconnlimit WHEN 262142 THEN 'case_insensitive' ELSE 'case_sensitive' END FROM pg_database WHERE datname = current_database()
$$;

-- AWS, character types: the length of a VARCHAR is of bytes.
CREATE FUNCTION rs_fits(value text, bytes int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  IF octet_length(value) > bytes THEN
    PERFORM rs_fail('22001', format('value too long for type character varying(%s)', bytes));
  END IF;
  RETURN true;
END $$;

-- AWS, GETDATE: the start of the statement, also inside a transaction.
CREATE FUNCTION rs_getdate() RETURNS timestamp LANGUAGE sql STABLE AS $$ SELECT date_trunc('second', statement_timestamp() AT TIME ZONE 'UTC') $$;

-- AWS, SHA2: hex digits; 0 bits are 256; null for another number of bits.
CREATE FUNCTION rs_sha2(value text, bits int) RETURNS varchar LANGUAGE sql IMMUTABLE STRICT AS $$
  SELECT encode(CASE bits WHEN 0 THEN sha256(b) WHEN 224 THEN sha224(b) WHEN 256 THEN sha256(b) WHEN 384 THEN sha384(b) WHEN 512 THEN sha512(b) END, 'hex')
  FROM convert_to(value, 'UTF8') b
$$;

-- AWS, CURRENT_SETTING: the second argument is error_if_undefined, where PostgreSQL's is missing_ok.
CREATE FUNCTION rs_current_setting(setting text, error_if_undefined boolean) RETURNS varchar LANGUAGE sql STABLE AS
$$ SELECT current_setting(setting, NOT error_if_undefined) $$;
CREATE FUNCTION rs_current_setting(setting text) RETURNS varchar LANGUAGE sql STABLE AS $$ SELECT current_setting(setting) $$;

-- AWS, the pages of the SVV privilege views: who is not superuser and has no ACCESS SYSTEM TABLE sees "only identities
-- to which they have access or that they own".
CREATE FUNCTION rs_sees_all() RETURNS boolean LANGUAGE sql STABLE AS $$ SELECT rs_has('ACCESS SYSTEM TABLE') $$;

CREATE VIEW rs_identity AS
SELECT oid, rs_id(oid) AS id, rolname, rs_kind(rolname) AS kind, rs_bare(rolname) AS name, rolsuper, rolcreatedb, rolconnlimit, rolvaliduntil,
       CASE WHEN (SELECT rs_sees_all()) THEN true
            ELSE pg_has_role(session_user, oid, 'MEMBER') OR rs_meta(oid)->>'owner' = session_user END AS visible
FROM pg_authid WHERE left(rolname, 3) <> 'pg_';

CREATE FUNCTION rs_userbyid(i int) RETURNS name LANGUAGE sql STABLE AS $$
  SELECT coalesce((SELECT rolname FROM pg_roles WHERE rs_id(oid) = i AND rs_kind(rolname) <> 'gone'), format('unknown (UID=%s)', i))::name
$$;

-- A name as ACL text has it: quoted if it holds anything but letters, digits and _ (PostgreSQL 8.0, putid). Null for
-- roles and helpers, which are not in ACLs.
CREATE FUNCTION rs_acl_name(quoted text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  n text := CASE WHEN left(quoted, 1) = '"' THEN replace(substr(quoted, 2, length(quoted) - 2), '""', '"') ELSE quoted END;
  bare text := rs_bare(n);
BEGIN
  IF rs_kind(n) IN ('role', 'scope') THEN RETURN NULL; END IF;
  IF bare ~ '[^a-zA-Z0-9_]' THEN bare := '"' || replace(bare, '"', '""') || '"'; END IF;
  RETURN CASE rs_kind(n) WHEN 'group' THEN 'group ' || bare ELSE bare END;
END $$;

-- Letters by kind of object (AWS, PG_DEFAULT_ACL: arwdRxtXUCTDPA): a table's D is DROP and P is TRUNCATE, where
-- PostgreSQL's D is TRUNCATE; a database has no c.
CREATE FUNCTION rs_acl_letters(letters text, kind text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE
    WHEN kind = 'database' THEN replace(replace(letters, 'c*', ''), 'c', '')
    WHEN kind = 'table' AND replace(letters, '*', '') IN ('arwdDxt', 'arwdDxtm') THEN
      CASE WHEN letters LIKE '%*%' THEN 'a*r*w*d*R*x*t*D*P*A*' ELSE 'arwdRxtDPA' END
    WHEN kind = 'table' THEN replace(replace(replace(replace(replace(letters, 'm*', ''), 'm', ''), 'D', 'P'), 't*', 'D*A*'), 't', 'DA')
    ELSE letters END
$$;

-- What a right of PostgreSQL's on a table is called on Redshift: TRIGGER stands for ALTER and DROP.
CREATE FUNCTION rs_table_rights(privilege text) RETURNS SETOF text LANGUAGE sql IMMUTABLE AS $$
  SELECT unnest(CASE privilege WHEN 'TRIGGER' THEN ARRAY['ALTER', 'DROP'] WHEN 'MAINTAIN' THEN '{}' ELSE ARRAY[privilege] END)
$$;

CREATE FUNCTION rs_acl_of(acl text, kind text) RETURNS text[] LANGUAGE plpgsql STABLE AS $$
DECLARE
  item text;
  part text[];
  letters text;
  who text;
  quotes boolean := rs_switch('quoted-groups');
  result text[] := '{}';
BEGIN
  FOREACH item IN ARRAY acl::text[] LOOP
    part := regexp_match(item, '^("(?:[^"]|"")*"|[^"=]*)=([a-zA-Z*]*)/(.*)$');
    who := rs_acl_name(part[1]);
    letters := rs_acl_letters(part[2], kind);
    CONTINUE WHEN who IS NULL OR letters = '';
    item := concat(who, '=', letters, '/', rs_acl_name(part[3]));
    IF quotes AND left(who, 6) = 'group ' THEN item := concat('"', replace(replace(item, chr(92), repeat(chr(92), 2)), '"', chr(92) || '"'), '"'); END IF;
    result := result || item;
  END LOOP;
  RETURN result;
END $$;

CREATE FUNCTION rs_acl(acl aclitem[], kind text) RETURNS text[] LANGUAGE sql STABLE AS
$$ SELECT CASE WHEN acl IS NOT NULL THEN rs_acl_of(acl::text, kind) END $$;

CREATE VIEW rs_user AS
SELECT name::name AS usename, id AS usesysid, rolcreatedb AS usecreatedb, rs_usesuper(oid) AS usesuper, oid = 10 AS usecatupd,
       '********'::text AS passwd, CASE rolvaliduntil WHEN '290000-01-01 00:00:00+00' THEN 'invalid' ELSE rolvaliduntil::text END AS valuntil, NULL::text[] AS useconfig
FROM rs_identity WHERE kind = 'user';

CREATE VIEW rs_user_info AS
SELECT u.*, CASE i.rolconnlimit WHEN -1 THEN 'UNLIMITED' ELSE i.rolconnlimit::text END AS useconnlimit
FROM rs_user u JOIN rs_identity i ON i.id = u.usesysid AND i.kind = 'user'
WHERE (SELECT rs_superuser()) OR u.usename = session_user;

CREATE VIEW rs_group AS
SELECT name::name AS groname, id AS grosysid,
       (SELECT array_agg(rs_id(member) ORDER BY member) FROM pg_auth_members m WHERE m.roleid = i.oid) AS grolist
FROM rs_identity i WHERE kind = 'group';

CREATE VIEW rs_namespace AS
SELECT oid, nspname, rs_id(nspowner) AS nspowner, rs_acl(nspacl, 'schema') AS nspacl FROM pg_namespace;

-- Thousands of tables share a few ACLs: each is put into words once.
CREATE VIEW rs_class AS
SELECT c.oid, c.relname, c.relnamespace, c.reltype, rs_id(c.relowner) AS relowner, c.relkind, c.relnatts, c.reltuples, a.shown AS relacl
FROM pg_class c LEFT JOIN (
  SELECT acl, rs_acl_of(acl, 'table') AS shown FROM (SELECT DISTINCT relacl::text AS acl FROM pg_class WHERE relacl IS NOT NULL OFFSET 0) d OFFSET 0
) a ON a.acl = c.relacl::text;

CREATE VIEW rs_database AS
SELECT oid, datname, rs_id(datdba) AS datdba, encoding, datistemplate, datallowconn, rs_acl(datacl, 'database') AS datacl FROM pg_database;

-- A procedure's source as it was sent is its comment.
CREATE VIEW rs_proc AS
SELECT oid, proname, pronamespace, rs_id(proowner) AS proowner, CASE prokind WHEN 'p' THEN 0::oid ELSE prorettype END AS prorettype,
       proargtypes, pronargs, coalesce(obj_description(oid, 'pg_proc'), prosrc) AS prosrc, prosecdef, rs_acl(proacl, 'routine') AS proacl FROM pg_proc;

CREATE VIEW rs_proc_info AS
SELECT oid AS prooid, proname, pronamespace, rs_id(proowner) AS proowner, prokind, prosecdef, proconfig FROM pg_proc;

CREATE VIEW rs_language AS SELECT oid, lanname, lanispl, lanpltrusted, rs_acl(lanacl, 'language') AS lanacl FROM pg_language;

-- Whether somebody has a right otherwise than by a role or a scoped grant, where that is what counts.
CREATE FUNCTION rs_by_itself(acl aclitem[], owner oid, privilege text) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT NOT rs_switch('privileges-without-roles') OR rs_superuser() OR pg_has_role(owner, 'MEMBER')
    OR EXISTS (SELECT 1 FROM aclexplode(acl) a LEFT JOIN pg_roles r ON r.oid = a.grantee
               WHERE a.privilege_type = upper(privilege) AND (a.grantee = 0 OR rs_kind(r.rolname) IN ('user', 'group') AND pg_has_role(a.grantee, 'MEMBER')))
$$;

-- PostgreSQL 8.0 has an error where PostgreSQL answers null: who reads the catalogue while tables are dropped meets it.
CREATE FUNCTION rs_has_table_privilege(o oid, privilege text) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
DECLARE held boolean := has_table_privilege(o, privilege);
BEGIN
  IF held IS NULL THEN PERFORM rs_fail('42P01', format('relation with OID %s does not exist', o)); END IF;
  RETURN held AND rs_by_itself((SELECT relacl FROM pg_class WHERE oid = o), (SELECT relowner FROM pg_class WHERE oid = o), privilege);
END $$;
CREATE FUNCTION rs_has_table_privilege(n text, privilege text) RETURNS boolean LANGUAGE sql STABLE AS
$$ SELECT rs_has_table_privilege(n::regclass::oid, privilege) $$;
CREATE FUNCTION rs_has_table_privilege(u name, n text, privilege text) RETURNS boolean LANGUAGE sql STABLE AS
$$ SELECT has_table_privilege(u, n, privilege) $$;

CREATE FUNCTION rs_has_schema_privilege(n text, privilege text) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT has_schema_privilege(n, privilege)
    AND rs_by_itself((SELECT nspacl FROM pg_namespace WHERE nspname = n), (SELECT nspowner FROM pg_namespace WHERE nspname = n), privilege)
$$;
CREATE FUNCTION rs_has_schema_privilege(u name, n text, privilege text) RETURNS boolean LANGUAGE sql STABLE AS
$$ SELECT has_schema_privilege(u, n, privilege) $$;

-- A late-binding view is one of no columns, with its statement as it was sent in the comment.
CREATE FUNCTION rs_late_text(view oid) RETURNS text LANGUAGE sql STABLE AS
$$ SELECT substr(d, 15) FROM obj_description(view, 'pg_class') d WHERE left(d, 14) = 'late-binding: ' $$;

-- The text of a view in its catalogue's words; of a late-binding or materialized one the whole statement as it was sent
-- (awslabs, v_generate_view_ddl.sql and amazon-redshift-utils#340; dbt-redshift, catalog.sql). Names that the reader's search_path finds have no schema, as on
-- PostgreSQL 8.0.
CREATE FUNCTION rs_viewdef(view oid, pretty boolean DEFAULT false) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT CASE WHEN rs_materialized_text(view) IS NOT NULL THEN rs_materialized_text(view) || ';'
              WHEN rs_late_text(view) IS NOT NULL THEN rs_late_text(view) || ';' ELSE d END
  FROM replace(regexp_replace(pg_get_viewdef(view, pretty), '\\mrs_(getdate|sha2|current_setting|version|strtol|fnv_hash|regexp_replace|regexp_count)\\(', '\\1(', 'g'), '''rs_variable.', '''') d
$$;

CREATE VIEW rs_views AS
SELECT n.nspname AS schemaname, c.relname AS viewname, rs_userbyid(rs_id(c.relowner)) AS viewowner, rs_viewdef(c.oid) AS definition
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'v' AND left(n.nspname, 3) <> 'pg_' AND n.nspname <> 'information_schema';

CREATE VIEW rs_library AS SELECT ''::name AS name, 0::oid AS language_oid, 0 AS file_store_id, 0 AS owner WHERE false;

CREATE VIEW rs_attribute AS
SELECT attrelid, attname, atttypid, attnum, atttypmod, attnotnull, atthasdef, attisdropped FROM pg_attribute;

-- AWS, PG_DEFAULT_ACL: "regular users can see only their own data". A row that holds nothing but rights of roles does
-- not show here.
CREATE VIEW rs_default_acl AS
SELECT rs_id(d.defaclrole) AS defacluser, d.defaclnamespace, d.defaclobjtype, rs_acl(d.defaclacl, CASE d.defaclobjtype WHEN 'r' THEN 'table' ELSE 'routine' END) AS defaclacl
FROM pg_default_acl d
WHERE (rs_acl(d.defaclacl, 'table') <> '{}' OR d.defaclacl = '{}')
  AND ((SELECT rs_sees_all()) OR pg_has_role(session_user, d.defaclrole, 'MEMBER')
       OR EXISTS (SELECT 1 FROM aclexplode(d.defaclacl) x JOIN rs_identity i ON i.oid = x.grantee AND i.visible));
