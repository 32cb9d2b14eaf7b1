-- Rights on objects where Redshift's rules are not PostgreSQL's.
SET search_path = pg_catalog;

-- Scoped grants of this database: PostgreSQL has none, so a helper role holds the right on every table of the schema,
-- new ones included, and the grantee is its member. nsp is 0 for all schemas.
CREATE TABLE rs_scoped (nsp oid, grantee oid, privilege text, PRIMARY KEY (nsp, grantee, privilege));
-- External schemas of this database.
CREATE TABLE rs_external_schemas (nsp oid PRIMARY KEY, databasename text, options text);
-- The data catalogue is one for all databases, so it is kept where all of them see it: a comment of a shared object.
CREATE FUNCTION rs_catalogue() RETURNS jsonb LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
  SELECT coalesce((SELECT description::jsonb FROM pg_shdescription JOIN pg_tablespace ON oid = objoid
                   WHERE spcname = 'pg_global' AND classoid = 'pg_tablespace'::regclass), '[]')
$$;
-- External tables, by the external database that they are in: they are not in pg_class.
CREATE VIEW rs_external_tables AS SELECT * FROM jsonb_to_recordset(rs_catalogue())
  t(id int, databasename text, name text, location text, format text, columns jsonb, properties jsonb);
CREATE FUNCTION rs_set_catalogue(tables jsonb) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS
$$ BEGIN EXECUTE format('COMMENT ON TABLESPACE pg_global IS %L', tables); END $$;
REVOKE EXECUTE ON FUNCTION rs_set_catalogue(jsonb) FROM PUBLIC;
CREATE VIEW rs_external_relations AS
SELECT n.oid AS nsp, n.nspname::text AS schemaname, n.nspowner, t.*
FROM rs_external_schemas e JOIN pg_namespace n ON n.oid = e.nsp JOIN rs_external_tables t ON t.databasename = e.databasename;
-- Quotas of schemas of this database, in MB.
CREATE TABLE rs_schema_quotas (nsp oid PRIMARY KEY, mb integer NOT NULL);

CREATE FUNCTION rs_schema(n text) RETURNS oid LANGUAGE plpgsql STABLE AS $$
DECLARE found oid;
BEGIN
  SELECT oid INTO found FROM pg_namespace WHERE nspname = n;
  IF found IS NULL THEN PERFORM rs_fail('3F000', format('schema "%s" does not exist', n)); END IF;
  RETURN found;
END $$;

CREATE FUNCTION rs_external(n text, databasename text, region text, arn text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
  INSERT INTO rs_external_schemas VALUES (rs_schema(n), databasename,
    jsonb_strip_nulls(jsonb_build_object('REGION', region, 'IAM_ROLE', coalesce(arn, 'default')))::text)
$$;

-- AWS, CREATE SCHEMA: a number without a unit is GB; kept in MB. None: unlimited.
CREATE FUNCTION rs_quota(n text, size text, unit text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
  DELETE FROM rs_schema_quotas WHERE nsp = rs_schema(n);
  INSERT INTO rs_schema_quotas
  SELECT rs_schema(n), size::integer * CASE upper(coalesce(unit, 'GB')) WHEN 'MB' THEN 1 WHEN 'GB' THEN 1024 ELSE 1048576 END
  WHERE size IS NOT NULL
$$;

CREATE FUNCTION rs_alone(statement text, in_transaction boolean) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF in_transaction THEN PERFORM rs_fail('25001', statement || ' cannot run inside a transaction block'); END IF;
END $$;

CREATE FUNCTION rs_is_external(n text) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS
$$ SELECT EXISTS (SELECT 1 FROM rs_external_schemas e JOIN pg_namespace s ON s.oid = e.nsp WHERE s.nspname = n) $$;

-- AWS, GRANT: on an external schema USAGE only, and not in a transaction block.
CREATE FUNCTION rs_check_schemas(names text[], rights text, in_transaction boolean) RETURNS void LANGUAGE plpgsql AS $$
DECLARE n text;
BEGIN
  FOREACH n IN ARRAY names LOOP
    CONTINUE WHEN NOT rs_is_external(n);
    IF rights <> 'USAGE' THEN PERFORM rs_fail('0A000', format('only USAGE can be granted on external schema "%s"', n)); END IF;
    IF in_transaction THEN
      PERFORM rs_fail('25001', 'GRANT or REVOKE on an external schema cannot run inside a transaction block');
    END IF;
  END LOOP;
END $$;

-- Runs as the caller, so that PostgreSQL judges his grant options and gives its warnings 01007 and 01006. The tables
-- behind materialized views (mv_tbl__) are not reached (dbsystel/terraform-provider-redshift).
CREATE FUNCTION rs_on_all_tables(verb text, rights text, schemas text[], direction text, grantees text, option text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE n text; tables text; hidden boolean;
BEGIN
  FOREACH n IN ARRAY schemas LOOP
    IF rs_is_external(n) THEN PERFORM rs_fail('0A000', format('only USAGE can be granted on external schema "%s"', n)); END IF;
    SELECT string_agg(format('%I.%I', n, relname), ', ') FILTER (WHERE left(relname, 8) <> 'mv_tbl__'),
           coalesce(bool_or(left(relname, 8) = 'mv_tbl__'), false)
      INTO tables, hidden FROM pg_class WHERE relnamespace = rs_schema(n) AND relkind IN ('r', 'v', 'm', 'p');
    IF tables IS NOT NULL THEN
      EXECUTE concat(verb, rights, ' ON TABLE ', tables, direction, grantees, ' ', option);
    ELSIF NOT hidden THEN
      EXECUTE concat(verb, rights, ' ON ALL TABLES IN SCHEMA ', quote_ident(n), direction, grantees, ' ', option);
    END IF;
  END LOOP;
END $$;

-- Redshift checks CREATE on the schema for the owner named, in GRANT and REVOKE alike (AWS: "users that set privileges
-- for schemas that they have the CREATE privilege on"), and lets others than the owner in by a system permission.
CREATE FUNCTION rs_default_privileges(users text[], schemas text[], verb text, rights text, direction text, grantees text, option text)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE u text; s text;
BEGIN
  FOREACH u IN ARRAY coalesce(users, ARRAY[session_user::text]) LOOP
    PERFORM rs_find(u);
    IF u <> session_user THEN PERFORM rs_require('ALTER DEFAULT PRIVILEGES', 'must be superuser to alter default privileges of other users'); END IF;
    FOREACH s IN ARRAY coalesce(schemas, '{}') LOOP
      PERFORM rs_schema(s);
      IF NOT has_schema_privilege(u, s, 'CREATE') THEN PERFORM rs_fail('42501', format('permission denied for schema %s', s)); END IF;
      EXECUTE concat(format('ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA %I ', u, s), verb, rights, ' ON ', direction, grantees, ' ', option);
    END LOOP;
    IF schemas IS NULL THEN
      EXECUTE concat(format('ALTER DEFAULT PRIVILEGES FOR ROLE %I ', u), verb, rights, ' ON ', direction, grantees, ' ', option);
    END IF;
  END LOOP;
END $$;

CREATE FUNCTION rs_scoped(granting boolean, rights text, schema text, database text, grantees text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog SET client_min_messages = error AS $$
DECLARE
  s oid := CASE WHEN schema IS NULL THEN 0::oid ELSE rs_schema(schema) END;
  one text;
  who oid;
  helper text;
  schemas text;
  wanted text[] := CASE rights WHEN 'ALL' THEN ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'REFERENCES'] ELSE string_to_array(rights, ', ') END;
BEGIN
  IF database <> current_database() THEN
    PERFORM rs_fail('0A000', 'scoped permissions can be granted in the connected database only');
  END IF;
  IF schema IS NULL THEN PERFORM rs_scope(granting, array_to_string(wanted, ', '), 'TABLES', NULL, database, grantees); END IF;
  PERFORM rs_superuser('grant or revoke scoped permissions');
  IF rs_is_external(schema) THEN PERFORM rs_fail('0A000', format('only USAGE can be granted on external schema "%s"', schema)); END IF;
  SELECT string_agg(quote_ident(nspname), ', ') INTO schemas FROM pg_namespace
    WHERE oid = s OR (s = 0 AND left(nspname, 3) <> 'pg_' AND nspname <> 'information_schema');
  FOREACH one IN ARRAY grantees LOOP
    who := rs_find(one);
    helper := concat(chr(4), (SELECT oid FROM pg_database WHERE datname = current_database()), '.', s, '.', who);
    IF granting THEN
      IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = helper) THEN
        EXECUTE format('CREATE ROLE %I NOLOGIN', helper);
        EXECUTE format('GRANT %I TO %I', helper, one);
      END IF;
      INSERT INTO rs_scoped SELECT s, who, unnest(wanted) ON CONFLICT DO NOTHING;
      EXECUTE format('GRANT %s ON ALL TABLES IN SCHEMA %s TO %I', array_to_string(wanted, ', '), schemas, helper);
    ELSIF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = helper) THEN
      DELETE FROM rs_scoped WHERE nsp = s AND grantee = who AND privilege = ANY (wanted);
      EXECUTE format('REVOKE %s ON ALL TABLES IN SCHEMA %s FROM %I', array_to_string(wanted, ', '), schemas, helper);
      IF NOT EXISTS (SELECT 1 FROM rs_scoped WHERE nsp = s AND grantee = who) THEN
        EXECUTE format('DROP OWNED BY %I', helper);
        EXECUTE format('DROP ROLE %I', helper);
      END IF;
    END IF;
  END LOOP;
END $$;

-- AWS, GRANT, usage notes: "If a user has a column-level privilege, then granting the same privilege at the table level
-- returns an error." Which one is not said.
CREATE FUNCTION rs_no_column_rights(schemas text[], relations text[], rights text, grantees text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE held record;
BEGIN
  SELECT c.relname, g.rolname INTO held FROM pg_attribute t JOIN pg_class c ON c.oid = t.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    CROSS JOIN LATERAL aclexplode(t.attacl) a JOIN pg_roles g ON g.oid = a.grantee
    WHERE (n.nspname = ANY (schemas) OR c.oid IN (SELECT to_regclass(r)::oid FROM unnest(relations) r))
      AND g.rolname = ANY (grantees) AND (rights = 'ALL' OR a.privilege_type = ANY (string_to_array(rights, ', '))) LIMIT 1;
  IF held IS NOT NULL THEN
    PERFORM rs_fail('0LP01', format('role "%s" has a column-level privilege on relation %s', held.rolname, held.relname));
  END IF;
END $$;

-- AWS: SET SESSION AUTHORIZATION is for superusers; that a role makes one is nowhere said. Whether it knows a user who was
-- made in the same transaction is not said either.
CREATE FUNCTION rs_may_authorize(u text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE signed_in oid := (SELECT usesysid FROM pg_stat_activity WHERE pid = pg_backend_pid());
BEGIN
  IF (SELECT rolname FROM pg_roles WHERE oid = signed_in) <> u AND NOT rs_usesuper(signed_in) THEN
    PERFORM rs_fail('42501', 'permission denied to set session authorization');
  END IF;
  IF rs_switch('no-new-authorization') AND EXISTS (
    SELECT 1 FROM pg_authid WHERE rolname = u AND xmin::text = (txid_current_if_assigned() % (2::bigint ^ 32)::bigint)::text) THEN
    PERFORM rs_fail('42704', format('user "%s" does not exist', u));
  END IF;
END $$;

-- A materialized view is a view, and a table behind it (dbt-redshift, catalog.sql).
CREATE FUNCTION rs_behind(relation text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE cardinality(p) WHEN 2 THEN quote_ident(p[1]) || '.' ELSE '' END || quote_ident('mv_tbl__' || p[cardinality(p)] || '__0')
  FROM (SELECT parse_ident(relation) AS p) x
$$;
CREATE FUNCTION rs_materialized_text(view oid) RETURNS text LANGUAGE sql STABLE AS
$$ SELECT substr(d, 15) FROM obj_description(view, 'pg_class') d WHERE left(d, 14) = 'materialized: ' $$;
CREATE FUNCTION rs_is_materialized(relation text) RETURNS boolean LANGUAGE sql STABLE AS
$$ SELECT rs_materialized_text(to_regclass(relation)::oid) IS NOT NULL $$;

CREATE FUNCTION rs_materialize(relations text[], query text, statement text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE n text := relations[1];
BEGIN
  EXECUTE concat('CREATE TABLE ', rs_behind(n), ' AS ', query);
  EXECUTE concat('CREATE VIEW ', n, ' AS SELECT * FROM ', rs_behind(n));
  EXECUTE format('COMMENT ON VIEW %s IS %L', n, 'materialized: ' || statement);
END $$;

-- AWS, REFRESH MATERIALIZED VIEW: "Only the owner of a materialized view can perform a REFRESH"; that a superuser can is
-- not said.
CREATE FUNCTION rs_may_refresh(relations text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE view oid := relations[1]::regclass;
BEGIN
  IF NOT rs_is_materialized(relations[1]) THEN PERFORM rs_fail('42809', format('"%s" is not a materialized view', relations[1])); END IF;
  IF (SELECT pg_get_userbyid(relowner) <> session_user FROM pg_class WHERE oid = view) THEN
    PERFORM rs_fail('42501', format('must be owner of relation %s', (SELECT relname FROM pg_class WHERE oid = view)));
  END IF;
END $$;
CREATE FUNCTION rs_refresh(relations text[], query text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE concat('DELETE FROM ', rs_behind(relations[1]));
  EXECUTE concat('INSERT INTO ', rs_behind(relations[1]), ' ', query);
END $$;

CREATE FUNCTION rs_drop_materialized(relations text[], if_exists text, mode text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE n text;
BEGIN
  FOREACH n IN ARRAY relations LOOP
    CONTINUE WHEN to_regclass(n) IS NULL AND if_exists IS NOT NULL;
    IF NOT rs_is_materialized(n) THEN PERFORM rs_fail('42809', format('"%s" is not a materialized view', n)); END IF;
    EXECUTE concat('DROP VIEW ', n, ' ', mode);
    EXECUTE concat('DROP TABLE ', rs_behind(n));
  END LOOP;
END $$;

-- A plain DROP VIEW of one is taken to be refused: no public text shows it.
CREATE FUNCTION rs_plain_views(relations text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE n text;
BEGIN
  FOREACH n IN ARRAY relations LOOP
    IF rs_is_materialized(n) THEN PERFORM rs_fail('42809', format('"%s" is a materialized view', n)); END IF;
  END LOOP;
END $$;

-- That a materialized view can get another owner is shown nowhere (AWS, ALTER MATERIALIZED VIEW, has no OWNER).
CREATE FUNCTION rs_own_materialized(relations text[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF rs_is_materialized(relations[1]) THEN PERFORM rs_fail('0A000', 'ALTER TABLE ... OWNER TO is not supported for materialized views'); END IF;
END $$;

-- A table is altered and dropped by its owner, and by whoever has been given the right to (AWS, GRANT: ALTER, DROP), for
-- which TRIGGER stands here.
CREATE FUNCTION rs_as_owner(relations text[], statement text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog AS $$
BEGIN
  IF (SELECT bool_and(has_table_privilege(session_user, to_regclass(r), 'TRIGGER')) FROM unnest(relations) r) THEN EXECUTE statement; END IF;
END $$;
CREATE FUNCTION rs_owning(relations text[], statement text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  given boolean := (SELECT bool_and(has_table_privilege(session_user, c.oid, 'TRIGGER') AND NOT pg_has_role(session_user, c.relowner, 'USAGE'))
                    FROM unnest(relations) r LEFT JOIN pg_class c ON c.oid = to_regclass(r));
BEGIN
  IF given THEN PERFORM rs_as_owner(relations, statement); ELSE EXECUTE statement; END IF;
END $$;

-- Scoped rights on other objects than tables, and again those on all tables of a database: JSON beside who holds them, so
-- that every database lists them. AWS, considerations for scoped permissions: "granted to or revoked from objects for the
-- connected database" only.
CREATE FUNCTION rs_scope(granting boolean, rights text, scope text, schema text, database text, grantees text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
  s oid := CASE WHEN schema IS NULL THEN 0::oid ELSE rs_schema(schema) END;
  here oid := (SELECT oid FROM pg_database WHERE datname = current_database());
  known text[] := CASE scope
    WHEN 'SCHEMAS' THEN ARRAY['CREATE', 'USAGE', 'ALTER', 'DROP'] WHEN 'LANGUAGES' THEN ARRAY['USAGE']
    WHEN 'COPY JOBS' THEN ARRAY['CREATE', 'ALTER', 'DROP'] WHEN 'TEMPLATES' THEN ARRAY['USAGE', 'ALTER', 'DROP']
    WHEN 'TABLES' THEN ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'REFERENCES', 'TRUNCATE'] ELSE ARRAY['EXECUTE'] END;
  wanted text[] := CASE rights WHEN 'ALL' THEN known ELSE string_to_array(rights, ', ') END;
  one text;
  meta jsonb;
  held jsonb;
BEGIN
  IF database <> current_database() THEN
    PERFORM rs_fail('0A000', 'scoped permissions can be granted in the connected database only');
  END IF;
  PERFORM rs_superuser('grant or revoke scoped permissions');
  IF NOT wanted <@ known THEN PERFORM rs_fail('42601', format('invalid privilege type for %s: %s', scope, rights)); END IF;
  FOREACH one IN ARRAY grantees LOOP
    meta := rs_meta(rs_find(one));
    SELECT jsonb_agg(x) INTO held FROM (
      SELECT x FROM jsonb_array_elements(coalesce(meta->'scoped', '[]')) x
      WHERE NOT (x->>'db' = here::text AND x->>'nsp' = s::text AND x->>'scope' = rs_scope.scope AND x->>'privilege' = ANY (wanted))
      UNION ALL
      SELECT jsonb_build_object('db', here::text, 'nsp', s::text, 'scope', rs_scope.scope, 'privilege', p) FROM unnest(wanted) p WHERE granting) h;
    PERFORM rs_set_meta(one, CASE WHEN held IS NULL THEN meta - 'scoped' ELSE meta || jsonb_build_object('scoped', held) END);
  END LOOP;
END $$;

-- A new table falls under the scoped grants of its schema. A new procedure is not PUBLIC's (on PostgreSQL it is).
CREATE FUNCTION rs_on_create() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE o record; g record;
BEGIN
  FOR o IN SELECT * FROM pg_event_trigger_ddl_commands() WHERE object_type IN ('table', 'view', 'materialized view', 'procedure') LOOP
    IF o.object_type = 'procedure' THEN
      IF (SELECT proacl IS NULL FROM pg_proc WHERE oid = o.objid) THEN
        EXECUTE format('REVOKE ALL ON PROCEDURE %s FROM PUBLIC', o.object_identity);
      END IF;
      CONTINUE;
    END IF;
    FOR g IN SELECT r.rolname, string_agg(x.privilege, ', ') AS rights FROM rs_scoped x
             JOIN pg_class c ON c.oid = o.objid AND x.nsp IN (0, c.relnamespace)
             JOIN pg_database d ON d.datname = current_database()
             JOIN pg_roles r ON r.rolname = concat(chr(4), d.oid, '.', x.nsp, '.', x.grantee) GROUP BY r.rolname LOOP
      EXECUTE format('GRANT %s ON TABLE %s TO %I', g.rights, o.object_identity, g.rolname);
    END LOOP;
  END LOOP;
END $$;
CREATE EVENT TRIGGER rs_on_create ON ddl_command_end
  WHEN TAG IN ('CREATE TABLE', 'CREATE TABLE AS', 'CREATE VIEW', 'CREATE MATERIALIZED VIEW', 'CREATE PROCEDURE')
  EXECUTE FUNCTION rs_on_create();

-- AWS, LOCK: tables only, ACCESS EXCLUSIVE; means nothing outside a transaction, which PostgreSQL refuses (PostgreSQL 8.0
-- does not). Runs as the caller, so that his rights are judged.
CREATE FUNCTION rs_lock(relations text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE r text;
BEGIN
  FOREACH r IN ARRAY relations LOOP
    IF (SELECT relkind <> 'r' FROM pg_class WHERE oid = to_regclass(r)) THEN
      PERFORM rs_fail('42809', format('"%s" is not a table', to_regclass(r)));
    END IF;
    EXECUTE concat('LOCK TABLE ', r, ' IN ACCESS EXCLUSIVE MODE');
  END LOOP;
END $$;

-- AWS, CREATE VIEW: a view may only be replaced by one with the identical columns, names and types; PostgreSQL lets some be
-- added. Called before the replacement and after it.
CREATE FUNCTION rs_view_columns(relations text[], after boolean) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  found text := (SELECT string_agg(concat(attname, ' ', format_type(atttypid, atttypmod)), ', ' ORDER BY attnum)
                 FROM pg_attribute WHERE attrelid = to_regclass(relations[1]) AND attnum > 0 AND NOT attisdropped);
BEGIN
  IF NOT after THEN
    PERFORM set_config('standin.view_columns', coalesce(found, ''), true);
  ELSIF current_setting('standin.view_columns') NOT IN ('', found) THEN
    PERFORM rs_fail('42P16', 'cannot change number of columns in view');
  END IF;
END $$;
