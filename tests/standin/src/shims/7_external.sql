-- External tables. Nothing of them is in PostgreSQL's catalogue: who reads one reads a temporary view in its place, of rows
-- that the front knows (`lake.rs`), made like those of late-binding views.
SET search_path = pg_catalog;

-- Whether this is the name of a relation, existing or not, in an external schema.
CREATE FUNCTION rs_is_outside(relation text) RETURNS boolean LANGUAGE sql STABLE AS
$$ SELECT cardinality(p) = 2 AND rs_is_external(p[1]) FROM parse_ident(relation) p $$;

-- Which of these relations are external tables, and what is to be read in their place.
CREATE FUNCTION rs_external_found(relations jsonb) RETURNS jsonb LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
  SELECT coalesce(jsonb_agg(jsonb_build_object('name', parts, 'view', r.id, 'owner', '', 'text', '', 'external',
    jsonb_build_object('place', concat('external_', r.nsp, '_', r.id), 'location', r.location, 'columns', r.columns))), '[]')
  FROM jsonb_array_elements(relations) parts JOIN rs_external_relations r ON jsonb_build_array(r.schemaname, r.name) = parts
$$;

-- Which of these relations are external tables, and which schemas of theirs are external.
CREATE FUNCTION rs_external_targets(targets jsonb) RETURNS jsonb LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
  SELECT jsonb_build_object(
    'external', coalesce(jsonb_agg(parts) FILTER (WHERE EXISTS (SELECT 1 FROM rs_external_relations r WHERE jsonb_build_array(r.schemaname, r.name) = parts)), '[]'),
    'outside', coalesce(jsonb_agg(parts->0) FILTER (WHERE jsonb_array_length(parts) = 2 AND rs_is_external(parts->>0)), '[]'))
  FROM jsonb_array_elements(targets) parts
$$;

-- AWS, GRANT: whoever has USAGE on the external schema reads its tables, and nothing else is asked; but "the database user
-- must have permission to create temporary tables in the database".
CREATE FUNCTION rs_external_make(step jsonb) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
  schemaname text := step->'schemas'->>0;
  reader oid;
BEGIN
  FOR reader IN SELECT CASE x WHEN '0' THEN (SELECT oid FROM pg_roles WHERE rolname = session_user) ELSE (SELECT relowner FROM pg_class WHERE oid = x::oid) END
                FROM jsonb_array_elements_text(step->'readers') x LOOP
    IF NOT has_schema_privilege(reader, rs_schema(schemaname), 'USAGE') THEN
      PERFORM rs_fail('42501', format('permission denied for schema %s', schemaname));
    END IF;
  END LOOP;
  IF NOT has_database_privilege(session_user, current_database(), 'TEMP') THEN
    PERFORM rs_fail('42501', format('permission denied to create temporary tables in database "%s"', current_database()));
  END IF;
  EXECUTE format('CREATE TEMP VIEW %I AS %s', step->>'place', step->>'sql');
  EXECUTE format('GRANT SELECT ON pg_temp.%I TO PUBLIC', step->>'place');
END $$;

-- AWS, CREATE EXTERNAL TABLE: by "the owner of the external schema or a superuser". With which words others are refused is
-- not said.
CREATE FUNCTION rs_external_owner(schemaname text) RETURNS void LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF NOT rs_superuser() AND (SELECT nspowner <> (SELECT oid FROM pg_roles WHERE rolname = session_user) FROM pg_namespace WHERE oid = rs_schema(schemaname)) THEN
    PERFORM rs_fail('42501', format('permission denied for schema %s', schemaname));
  END IF;
END $$;

CREATE FUNCTION rs_create_external(relations text[], columns text, keys text, format text, location text, properties text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
  parts text[] := parse_ident(relations[1]);
  twice text;
  listed jsonb := (
    SELECT jsonb_agg(x || jsonb_build_object('key', key) ORDER BY key, number)
    FROM (SELECT x, number, 0 AS key FROM jsonb_array_elements(columns::jsonb) WITH ORDINALITY c(x, number)
          UNION ALL SELECT x, number, number::int FROM jsonb_array_elements(keys::jsonb) WITH ORDINALITY k(x, number)) a);
BEGIN
  IF cardinality(parts) = 2 THEN PERFORM rs_schema(parts[1]); END IF;
  IF NOT rs_is_outside(relations[1]) THEN PERFORM rs_fail('0A000', 'external tables must be created in an external schema'); END IF;
  PERFORM rs_external_owner(parts[1]);
  twice := (SELECT min(x->>'name') FROM jsonb_array_elements(listed) x GROUP BY x->>'name' HAVING count(*) > 1 LIMIT 1);
  IF twice IS NOT NULL THEN PERFORM rs_fail('42701', pg_catalog.format('column "%s" specified more than once', twice)); END IF;
  IF EXISTS (SELECT 1 FROM rs_external_relations r WHERE r.schemaname = parts[1] AND r.name = parts[2]) THEN
    PERFORM rs_fail('42P07', pg_catalog.format('relation "%s" already exists', parts[2]));
  END IF;
  PERFORM rs_set_catalogue(rs_catalogue() || jsonb_build_object(
    'id', (SELECT coalesce(max(id), 0) + 1 FROM rs_external_tables), 'databasename', e.databasename, 'name', parts[2],
    'location', rs_create_external.location, 'format', rs_create_external.format, 'columns', listed,
    'properties', coalesce(rs_create_external.properties, '{}')::jsonb))
  FROM rs_external_schemas e WHERE e.nsp = rs_schema(parts[1]);
END $$;

CREATE FUNCTION rs_drop_external(relation text, if_exists text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE parts text[] := parse_ident(relation);
BEGIN
  IF NOT EXISTS (SELECT 1 FROM rs_external_relations r WHERE r.schemaname = parts[1] AND r.name = parts[2]) THEN
    IF if_exists = '' THEN PERFORM rs_fail('42P01', format('relation "%s" does not exist', array_to_string(parts, '.'))); END IF;
    RAISE INFO 'Table "%" does not exist and will be skipped', array_to_string(parts, '.');
    RETURN;
  END IF;
  PERFORM rs_external_owner(parts[1]);
  PERFORM rs_set_catalogue(coalesce((SELECT jsonb_agg(to_jsonb(t)) FROM rs_external_tables t WHERE NOT EXISTS (
    SELECT 1 FROM rs_external_schemas e
    WHERE e.nsp = rs_schema(parts[1]) AND t.databasename = e.databasename AND t.name = parts[2])), '[]'));
END $$;

-- AWS, DROP TABLE: "with an external table can't be run inside a transaction".
CREATE FUNCTION rs_drop_tables(relations text[], if_exists text, mode text, in_transaction boolean) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  outside int := (SELECT count(*) FROM unnest(relations) r WHERE rs_is_outside(r));
  r text;
BEGIN
  IF outside = 0 THEN
    PERFORM rs_owning(relations, concat('DROP TABLE ', if_exists, ' ', array_to_string(relations, ', '), ' ', mode));
    RETURN;
  END IF;
  PERFORM rs_alone('DROP EXTERNAL TABLE', in_transaction);
  IF outside < cardinality(relations) THEN PERFORM rs_fail('0A000', 'local and external tables cannot be dropped in one statement'); END IF;
  FOREACH r IN ARRAY relations LOOP PERFORM rs_drop_external(r, if_exists); END LOOP;
END $$;
