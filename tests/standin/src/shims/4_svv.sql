-- The SVV and STV views that the provider reads, with the columns of their AWS pages.
SET search_path = pg_catalog;

CREATE VIEW svv_redshift_databases AS
SELECT datname::text AS database_name, datdba AS database_owner, 'local'::text AS database_type, datacl::text AS database_acl, ''::text AS database_options,
       'Snapshot Isolation'::text AS database_isolation_level FROM rs_database
UNION ALL SELECT 'template0', 1, 'local', NULL, '', 'Snapshot Isolation'
UNION ALL SELECT 'sys:internal', 1, 'local', NULL, '', 'Snapshot Isolation'
UNION ALL SELECT 'lake@catalog', 1, 'local', NULL, '', 'Snapshot Isolation'
UNION ALL SELECT 'awsdatacatalog', 1, 'auto mounted catalog', NULL, '', 'Snapshot Isolation';

CREATE VIEW svv_roles AS
SELECT id AS role_id, name AS role_name, coalesce(rs_meta(oid)->>'owner', 'rdsdb') AS role_owner, NULL::text AS external_id
FROM rs_identity WHERE kind = 'role' AND visible;

CREATE VIEW svv_user_grants AS
SELECT u.id AS user_id, u.name AS user_name, r.id AS role_id, r.name AS role_name, m.admin_option
FROM pg_auth_members m JOIN rs_identity u ON u.oid = m.member AND u.kind = 'user' JOIN rs_identity r ON r.oid = m.roleid AND r.kind = 'role'
WHERE u.visible AND NOT coalesce(rs_meta(u.oid)->'session_roles' ? r.name, false);

-- AWS, PG_GET_SESSION_ROLES: what an identity provider gave for this session, which is in no SVV view. Here somebody has
-- them for all his sessions: SELECT pg_catalog.rs_session_role(user, role), behind.
CREATE FUNCTION rs_session_role(u text, r text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM rs_grant_roles(ARRAY[chr(2) || r], ARRAY[u], NULL);
  PERFORM rs_set_meta(u, rs_meta(rs_find(u)) || jsonb_build_object('session_roles', coalesce(rs_meta(rs_find(u))->'session_roles', '[]') || to_jsonb(r)));
END $$;
CREATE FUNCTION rs_session_roles() RETURNS TABLE (name name, roleid int) LANGUAGE sql STABLE AS $$
  SELECT x::name, rs_id(rs_find(chr(2) || x)) FROM jsonb_array_elements_text(coalesce(rs_meta(rs_find(session_user))->'session_roles', '[]')) x
$$;

-- AWS's sample: GRANT ROLE role1 TO ROLE role2 gives role_name role2, granted_role_name role1.
CREATE VIEW svv_role_grants AS
SELECT x.id AS role_id, x.name AS role_name, r.id AS granted_role_id, r.name AS granted_role_name
FROM pg_auth_members m JOIN rs_identity x ON x.oid = m.member AND x.kind = 'role' JOIN rs_identity r ON r.oid = m.roleid AND r.kind = 'role'
WHERE x.visible;

-- Who may be named in a row: users, groups, roles and PUBLIC, those visible to the reader.
CREATE VIEW rs_grantee AS
SELECT oid, id, name, kind FROM rs_identity WHERE kind IN ('user', 'group', 'role') AND visible UNION ALL SELECT 0, 0, 'public', 'public';

CREATE VIEW rs_scopes AS
SELECT r.oid AS grantee, d.datname::text AS datname, (x->>'nsp')::oid AS nsp, x->>'scope' AS scope, x->>'privilege' AS privilege
FROM pg_roles r CROSS JOIN LATERAL jsonb_array_elements(coalesce(rs_meta(r.oid)->'scoped', '[]')) x JOIN pg_database d ON d.oid::text = x->>'db';

CREATE VIEW svv_relation_privileges AS
SELECT n.nspname::text AS namespace_name, c.relname::text AS relation_name, p AS privilege_type, g.id AS identity_id, g.name AS identity_name,
       g.kind AS identity_type, a.is_grantable AS admin_option
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND left(n.nspname, 3) <> 'pg_' AND n.nspname <> 'information_schema'
CROSS JOIN LATERAL aclexplode(c.relacl) a CROSS JOIN LATERAL rs_table_rights(a.privilege_type) p JOIN rs_grantee g ON g.oid = a.grantee
WHERE c.relkind IN ('r', 'v', 'm');

CREATE VIEW svv_column_privileges AS
SELECT n.nspname::text AS namespace_name, c.relname::text AS relation_name, t.attname::text AS column_name, a.privilege_type,
       g.id AS identity_id, g.name AS identity_name, g.kind AS identity_type, a.is_grantable AS admin_option
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND left(n.nspname, 3) <> 'pg_' AND n.nspname <> 'information_schema'
JOIN pg_attribute t ON t.attrelid = c.oid CROSS JOIN LATERAL aclexplode(t.attacl) a JOIN rs_grantee g ON g.oid = a.grantee;

CREATE VIEW svv_schema_privileges AS
SELECT n.nspname::text AS namespace_name, a.privilege_type, g.id AS identity_id, g.name AS identity_name, g.kind AS identity_type,
       a.is_grantable AS admin_option, 'SCHEMA'::text AS privilege_scope
FROM pg_namespace n CROSS JOIN LATERAL aclexplode(n.nspacl) a JOIN rs_grantee g ON g.oid = a.grantee
WHERE left(n.nspname, 3) <> 'pg_' AND n.nspname <> 'information_schema'
UNION ALL
SELECT n.nspname::text, p, g.id, g.name, g.kind, false, 'TABLES'
FROM rs_scoped x CROSS JOIN LATERAL rs_table_rights(x.privilege) p JOIN pg_namespace n ON n.oid = x.nsp JOIN rs_grantee g ON g.oid = x.grantee
UNION ALL
SELECT n.nspname::text, x.privilege, g.id, g.name, g.kind, false, x.scope
FROM rs_scopes x JOIN pg_namespace n ON n.oid = x.nsp JOIN rs_grantee g ON g.oid = x.grantee WHERE x.datname = current_database();

CREATE VIEW svv_function_privileges AS
SELECT n.nspname::text AS namespace_name, p.proname::text AS function_name, pg_get_function_identity_arguments(p.oid) AS argument_types, a.privilege_type,
       g.id AS identity_id, g.name AS identity_name, g.kind AS identity_type, a.is_grantable AS admin_option
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace AND left(n.nspname, 3) <> 'pg_' AND n.nspname <> 'information_schema'
CROSS JOIN LATERAL aclexplode(p.proacl) a JOIN rs_grantee g ON g.oid = a.grantee;

CREATE VIEW svv_language_privileges AS
SELECT l.lanname::text AS language_name, a.privilege_type, g.id AS identity_id, g.name AS identity_name, g.kind AS identity_type, a.is_grantable AS admin_option
FROM pg_language l CROSS JOIN LATERAL aclexplode(l.lanacl) a JOIN rs_grantee g ON g.oid = a.grantee;

CREATE VIEW svv_database_privileges AS
SELECT d.datname::text AS database_name, CASE a.privilege_type WHEN 'TEMPORARY' THEN 'TEMP' ELSE a.privilege_type END AS privilege_type, g.id AS identity_id,
       g.name AS identity_name, g.kind AS identity_type, a.is_grantable AS admin_option, 'DATABASE'::text AS privilege_scope
FROM pg_database d CROSS JOIN LATERAL aclexplode(d.datacl) a JOIN rs_grantee g ON g.oid = a.grantee WHERE a.privilege_type <> 'CONNECT'
UNION ALL
SELECT x.datname, x.privilege, g.id, g.name, g.kind, false, x.scope FROM rs_scopes x JOIN rs_grantee g ON g.oid = x.grantee WHERE x.nsp = 0;

CREATE VIEW svv_default_privileges AS
SELECT n.nspname::text AS schema_name, CASE d.defaclobjtype WHEN 'r' THEN 'RELATION' ELSE 'FUNCTION' END::text AS object_type, o.id AS owner_id,
       o.name AS owner_name, 'user'::text AS owner_type, replace(a.privilege_type, 'TRIGGER', 'DROP') AS privilege_type, g.id AS grantee_id, g.name AS grantee_name, g.kind AS grantee_type,
       a.is_grantable AS admin_option
FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace JOIN rs_identity o ON o.oid = d.defaclrole
CROSS JOIN LATERAL aclexplode(d.defaclacl) a JOIN rs_grantee g ON g.oid = a.grantee
WHERE a.grantee <> d.defaclrole AND a.privilege_type <> 'MAINTAIN';

CREATE VIEW svv_system_privileges AS
SELECT s.privilege AS system_privilege, i.id AS identity_id, i.name AS identity_name, i.kind AS identity_type
FROM rs_identity i CROSS JOIN LATERAL jsonb_array_elements_text(coalesce(rs_meta(i.oid)->'system', '[]')) s(privilege) WHERE i.visible;

-- AWS, SVV_RLS_ATTACHED_POLICY, SVV_ATTACHED_MASKING_POLICY: for superusers and holders of sys:secadmin.
CREATE FUNCTION rs_guard(relation text) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF NOT rs_superuser() AND NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = chr(2) || 'sys:secadmin' AND pg_has_role(session_user, oid, 'MEMBER')) THEN
    PERFORM rs_fail('42501', 'permission denied for relation ' || relation);
  END IF;
  RETURN false;
END $$;

CREATE VIEW svv_iam_privileges AS
SELECT s.x->>'arn' AS iam_arn, s.x->>'command' AS command_type, i.id AS identity_id, i.name AS identity_name, i.kind AS identity_type
FROM rs_identity i CROSS JOIN LATERAL jsonb_array_elements(coalesce(rs_meta(i.oid)->'assumerole', '[]')) s(x) WHERE i.visible;

CREATE VIEW svv_datashare_privileges AS
SELECT s.x->>'share' AS datashare_name, s.x->>'privilege' AS privilege_type, i.id AS identity_id, i.name AS identity_name, i.kind AS identity_type, false AS admin_option
FROM rs_identity i CROSS JOIN LATERAL jsonb_array_elements(coalesce(rs_meta(i.oid)->'shares', '[]')) s(x) WHERE i.visible;

CREATE VIEW svv_datashares AS
SELECT s.x::varchar AS share_name, i.id AS share_owner, current_database()::varchar AS source_database, 'OUTBOUND'::varchar AS share_type
FROM rs_identity i CROSS JOIN LATERAL jsonb_array_elements_text(coalesce(rs_meta(i.oid)->'datashares', '[]')) s(x) WHERE i.visible;

-- Nothing in this stand-in can make rows of these.
CREATE VIEW svv_ml_model_privileges AS
SELECT ''::varchar AS namespace_name, ''::varchar AS model_name, 0 AS model_version, ''::varchar AS privilege_type, 0 AS identity_id, ''::varchar AS identity_name,
       ''::varchar AS identity_type, false AS admin_option WHERE false;
-- A condition on a constant would be decided without a look, so the grantee is none.
CREATE VIEW svv_rls_attached_policy AS
SELECT ''::text AS relschema, ''::text AS relname, ''::text AS relkind, ''::text AS polname, ''::text AS grantor, g::text AS grantee,
       ''::text AS granteekind, false AS is_pol_on, false AS is_rls_on FROM rs_guard('svv_rls_attached_policy') g WHERE g;
CREATE VIEW svv_attached_masking_policy AS
SELECT ''::text AS policy_name, ''::text AS schema_name, ''::text AS table_name, ''::text AS table_type, ''::text AS grantor, g::text AS grantee,
       ''::text AS grantee_type, 0 AS priority, ''::text AS input_columns, ''::text AS output_columns FROM rs_guard('svv_attached_masking_policy') g WHERE g;

CREATE VIEW svv_external_schemas AS
SELECT n.oid AS esoid, 1::smallint AS eskind, n.nspname AS schemaname, rs_id(n.nspowner) AS esowner, e.databasename, e.options AS esoptions
FROM rs_external_schemas e JOIN pg_namespace n ON n.oid = e.nsp WHERE has_schema_privilege(n.oid, 'USAGE');

CREATE VIEW svv_external_tables AS
SELECT current_database()::text AS redshift_database_name, r.schemaname, r.name AS tablename, ''::text AS tabletype, r.location,
       f.input AS input_format, f.output AS output_format, f.serde AS serialization_lib, '{"serialization.format":"1"}'::text AS serde_parameters,
       0 AS compressed, ('{"EXTERNAL": "TRUE"}'::jsonb || r.properties)::text AS parameters
FROM rs_external_relations r JOIN (VALUES
  ('PARQUET', 'org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat', 'org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat',
   'org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe'),
  ('ORC', 'org.apache.hadoop.hive.ql.io.orc.OrcInputFormat', 'org.apache.hadoop.hive.ql.io.orc.OrcOutputFormat', 'org.apache.hadoop.hive.ql.io.orc.OrcSerde'),
  ('TEXTFILE', 'org.apache.hadoop.mapred.TextInputFormat', 'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat',
   'org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe')
) f(format, input, output, serde) ON f.format = r.format
WHERE has_schema_privilege(r.nsp, 'USAGE');

-- AWS, SVV_EXTERNAL_COLUMNS: is_nullable may be empty, for no information, which is what Glue has.
CREATE VIEW svv_external_columns AS
SELECT current_database()::text AS redshift_database_name, r.schemaname, r.name AS tablename, c.x->>'name' AS columnname, c.x->>'shown' AS external_type,
       c.number::int AS columnnum, (c.x->>'key')::int AS part_key, ''::text AS is_nullable
FROM rs_external_relations r CROSS JOIN LATERAL jsonb_array_elements(r.columns) WITH ORDINALITY c(x, number)
WHERE has_schema_privilege(r.nsp, 'USAGE');

-- The schemas of this database that are not external, and who may see each.
CREATE VIEW rs_schemas AS
SELECT current_database()::text AS database_name, n.nspname::text AS schema_name, n.nspowner AS schema_owner,
       'local'::text AS schema_type, n.nspacl::text AS schema_acl,
       (SELECT array_agg(r.rolname::text) FROM pg_roles r WHERE r.rolcanlogin AND has_schema_privilege(r.oid, n.oid, 'USAGE')) AS users
FROM rs_namespace n
WHERE left(n.nspname, 3) <> 'pg_' AND n.nspname <> 'information_schema' AND n.oid NOT IN (SELECT nsp FROM rs_external_schemas);

-- AWS, SVV_REDSHIFT_SCHEMAS: the schemas of the cluster, not external ones; superusers see all rows, others their own
-- data. The front puts the other databases' rows into a setting.
CREATE VIEW svv_redshift_schemas AS
SELECT database_name, schema_name, schema_owner, schema_type, schema_acl, ''::text AS schema_option
FROM (
  SELECT * FROM rs_schemas
  UNION ALL
  SELECT x.* FROM json_to_recordset(coalesce(nullif(current_setting('standin.schemas', true), ''), '[]')::json)
    AS x(database_name text, schema_name text, schema_owner int, schema_type text, schema_acl text, users text[])
  WHERE x.database_name <> current_database()
) s
WHERE (SELECT rs_sees_all()) OR session_user = ANY (s.users);

-- AWS, SVV_REDSHIFT_SCHEMA_QUOTA: names padded to 128, sizes in MB; superusers see all rows, others their own schemas'.
-- Of a schema without a quota AWS shows no example.
CREATE VIEW svv_redshift_schema_quota AS
SELECT current_database()::character(128) AS database_name, n.nspname::character(128) AS schema_name, rs_id(n.nspowner) AS schema_owner,
       q.mb AS quota, 0 AS disk_usage
FROM rs_schema_quotas q JOIN pg_namespace n ON n.oid = q.nsp
WHERE (SELECT rs_sees_all()) OR n.nspowner = (SELECT oid FROM pg_roles WHERE rolname = session_user);

CREATE VIEW svv_tables AS
SELECT current_database()::text AS table_catalog, n.nspname::text AS table_schema, c.relname::text AS table_name,
       CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'VIEW' ELSE 'BASE TABLE' END::text AS table_type, NULL::text AS remarks
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND left(n.nspname, 3) <> 'pg_' AND n.nspname <> 'information_schema'
WHERE c.relkind IN ('r', 'v', 'm')
UNION ALL SELECT redshift_database_name, schemaname, tablename, 'EXTERNAL TABLE', NULL FROM svv_external_tables;

-- AWS, SVV_COLUMNS: those of late-binding views too. The front binds each for whoever asks, and puts what came of it into a
-- setting.
CREATE VIEW svv_columns AS
SELECT t.table_catalog, t.table_schema, t.table_name, a.attname::text AS column_name, a.attnum::int AS ordinal_position, NULL::text AS column_default,
       CASE WHEN a.attnotnull THEN 'NO' ELSE 'YES' END::text AS is_nullable, format_type(a.atttypid, NULL)::text AS data_type,
       CASE WHEN a.atttypid IN ('varchar'::regtype, 'bpchar'::regtype) THEN nullif(a.atttypmod, -1) - 4 END AS character_maximum_length,
       CASE WHEN a.atttypid = 'numeric'::regtype THEN ((a.atttypmod - 4) >> 16) & 65535 END AS numeric_precision,
       CASE WHEN a.atttypid = 'numeric'::regtype THEN (a.atttypmod - 4) & 65535 END AS numeric_scale, NULL::text AS remarks
FROM svv_tables t JOIN pg_namespace n ON n.nspname = t.table_schema JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = t.table_name
JOIN (
  SELECT attrelid, attname::text, attnum::int, attnotnull, atttypid, atttypmod FROM pg_attribute WHERE attnum > 0 AND NOT attisdropped
  UNION ALL
  SELECT x.view::oid, x.name, x.number, false, x.type::oid, x.modifier
  FROM jsonb_to_recordset(coalesce(nullif(current_setting('standin.late_columns', true), ''), '[]')::jsonb)
    AS x(view bigint, name text, number int, type bigint, modifier int)
) a ON a.attrelid = c.oid
UNION ALL
SELECT redshift_database_name, schemaname, tablename, columnname, columnnum, NULL, is_nullable, external_type, NULL, NULL, NULL, NULL FROM svv_external_columns;

-- PostgreSQL shows a regular user little of others' sessions.
CREATE FUNCTION rs_activity() RETURNS SETOF pg_stat_activity LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS
$$ SELECT * FROM pg_stat_activity WHERE backend_type = 'client backend' $$;

-- AWS, STV_SESSIONS: user_name and db_name are char(50); regular users see their own rows.
CREATE VIEW stv_sessions AS
SELECT backend_start::timestamp AS starttime, pid AS process, usename::char(50) AS user_name, datname::char(50) AS db_name, 0 AS timeout_sec
FROM rs_activity() WHERE (SELECT rs_sees_all()) OR usename = session_user;

-- AWS, SVV_TRANSACTIONS: superusers see all rows, regular users their own. A transaction of PostgreSQL's has no xid before
-- it writes: its virtual one shows.
CREATE VIEW svv_transactions AS
SELECT s.usename::text AS txn_owner, s.datname::text AS txn_db, coalesce(s.backend_xid::text, split_part(l.virtualtransaction, '/', 2))::bigint AS xid, l.pid,
       s.xact_start::timestamp AS txn_start, l.mode AS lock_mode, l.locktype AS lockable_object_type, l.relation::int AS relation, l.granted
FROM pg_locks l JOIN rs_activity() s ON s.pid = l.pid
WHERE l.pid <> pg_backend_pid() AND ((SELECT rs_sees_all()) OR s.usename = session_user);

DO $$
DECLARE v name;
BEGIN
  FOR v IN SELECT relname FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind = 'v' AND oid >= 16384 LOOP
    EXECUTE format('GRANT SELECT ON pg_catalog.%I TO PUBLIC', v);
  END LOOP;
END $$;

-- PUBLIC's rights in a new database: CREATE and USAGE on public, which belongs to rdsdb (AWS, CREATE USER).
ALTER SCHEMA public OWNER TO rdsdb;
GRANT CREATE, USAGE ON SCHEMA public TO PUBLIC;

-- A schema of rdsdb's that its name does not give away: public readers of pg_class, svv_tables and svv_table_info leave
-- it out by name, so it holds relations there. What those are called is not known.
CREATE SCHEMA catalog_history AUTHORIZATION rdsdb;
CREATE TABLE catalog_history.changes (happened timestamp, relation int);
CREATE VIEW catalog_history.last_changes AS SELECT relation, max(happened) AS happened FROM catalog_history.changes GROUP BY relation;
