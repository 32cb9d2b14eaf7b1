-- Late-binding views: the front reads their texts and says what PostgreSQL is to make of them (`late.rs`).
SET search_path = pg_catalog;

CREATE FUNCTION rs_unbound() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM rs_fail('0A000', 'a late-binding view is read where the stand-in cannot bind it');
END $$;

-- What it reads need not be there. Runs as the caller, so that PostgreSQL judges his rights.
CREATE FUNCTION rs_late_view(relations text[], replaces text, statement text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE concat('CREATE ', replaces, ' VIEW ', relations[1], ' AS SELECT FROM pg_catalog.rs_unbound()');
  EXECUTE format('COMMENT ON VIEW %s IS %L', relations[1], 'late-binding: ' || statement);
END $$;

-- A relation by the parts of its name, [schema,] relation. By the catalogue, so that a schema that the reader may not use
-- can be named in the refusal.
CREATE FUNCTION rs_late_find(path text[], parts jsonb) RETURNS oid LANGUAGE sql STABLE AS $$
  SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relname = parts->>-1 AND CASE jsonb_array_length(parts) WHEN 1 THEN n.nspname = ANY (path) WHEN 2 THEN n.nspname = parts->>0 ELSE false END
  ORDER BY array_position(path, n.nspname::text) LIMIT 1
$$;

-- AWS, CREATE VIEW: OR REPLACE "locks the view for reads and writes until the operation completes".
CREATE FUNCTION rs_late_locked(view oid) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('LOCK TABLE %s IN ACCESS SHARE MODE', view::regclass);
  RETURN rs_late_text(view);
END $$;

-- Which of these relations are late-binding views, and which of these functions a user made, where the search_path finds
-- it: before pg_catalog's, or at all.
CREATE FUNCTION rs_late(path text[], asked jsonb) RETURNS jsonb LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
  views jsonb;
  known jsonb;
  before jsonb;
BEGIN
  -- A view that was dropped and made anew while its lock was waited for is looked up again, as PostgreSQL does with names.
  LOOP
  SELECT jsonb_agg(jsonb_build_object('name', x.parts, 'view', x.view::bigint, 'owner', (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = x.view), 'text', rs_late_locked(x.view))) INTO views
  FROM (
    SELECT parts, rs_late_find(path, parts) AS view FROM jsonb_array_elements(asked->'relations') parts
    UNION ALL
    SELECT jsonb_build_array(n.nspname, c.relname), c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE (asked->>'all')::boolean AND c.relkind = 'v' AND c.relnatts = 0
    OFFSET 0
  ) x WHERE rs_late_text(x.view) IS NOT NULL;
  EXIT WHEN NOT EXISTS (SELECT 1 FROM jsonb_array_elements(views) v WHERE v->>'text' IS NULL);
  END LOOP;
  SELECT jsonb_object_agg(name, path[place]), jsonb_object_agg(name, path[place]) FILTER (WHERE place < array_position(path, 'pg_catalog'))
    INTO known, before
  FROM (
    SELECT p.proname AS name, min(array_position(path, n.nspname::text)) AS place
    FROM jsonb_array_elements_text(asked->'functions') f JOIN pg_proc p ON p.proname = f JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname = ANY (path) AND n.nspname <> 'pg_catalog' GROUP BY p.proname
  ) x;
  RETURN jsonb_build_object('user', session_user, 'views', coalesce(views, '[]') || rs_external_found(asked->'relations'),
    'first', coalesce(before, '{}'), 'known', coalesce(known, '{}'))
    || rs_external_targets(asked->'targets')
    || jsonb_build_object('refreshed', (
      SELECT coalesce(jsonb_agg(jsonb_build_object('name', parts, 'view', c.oid::bigint, 'owner', pg_get_userbyid(c.relowner), 'text', rs_materialized_text(c.oid), 'materialized', true)), '[]')
      FROM jsonb_array_elements(asked->'refreshed') parts JOIN pg_class c ON c.oid = rs_late_find(path, parts) AND rs_materialized_text(c.oid) IS NOT NULL));
END $$;

-- Whether names still stand for what they stood for before the query string.
CREATE FUNCTION rs_late_same(path text[], earlier jsonb) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM jsonb_to_recordset(earlier) AS x(name jsonb, view bigint, text text)
             WHERE rs_late_text(rs_late_find(path, x.name)) IS DISTINCT FROM x.text
                OR x.text IS NOT NULL AND rs_late_find(path, x.name) IS DISTINCT FROM x.view::oid) THEN
    PERFORM rs_fail('0A000', 'the stand-in binds late-binding views before a query string: this statement has to be sent in one of its own');
  END IF;
END $$;

-- Makes what is read in the place of a view. AWS, CREATE VIEW: the reader needs SELECT on the view, and its owner SELECT
-- on what it reads, which PostgreSQL judges because the same owner has what is made here. The reader needs USAGE on each
-- schema that the text names (aws-samples/amazon-redshift-dynamic-data-masking#2).
CREATE FUNCTION rs_late_make(path text[], step jsonb) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
  bound record;
  reader oid;
  s text;
BEGIN
  SELECT n.nspname, c.relname, r.rolname INTO bound FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_roles r ON r.oid = c.relowner
    WHERE c.oid = (step->>'view')::oid;
  IF bound IS NULL THEN PERFORM rs_fail('42P01', format('relation with OID %s does not exist', step->>'view')); END IF;
  FOR s IN SELECT jsonb_array_elements_text(step->'schemas') UNION ALL SELECT bound.nspname WHERE step->'readers' @> '0' LOOP
    CONTINUE WHEN rs_switch('external-views-by-owner') AND rs_is_external(s);
    IF NOT coalesce((SELECT has_schema_privilege(session_user, oid, 'USAGE') FROM pg_namespace WHERE nspname = s), true) THEN
      PERFORM rs_fail('42501', format('permission denied for schema %s', s));
    END IF;
  END LOOP;
  FOR reader IN SELECT CASE x WHEN '0' THEN (SELECT oid FROM pg_roles WHERE rolname = session_user) ELSE (SELECT relowner FROM pg_class WHERE oid = x::oid) END
                FROM jsonb_array_elements_text(step->'readers') x LOOP
    IF NOT has_table_privilege(reader, (step->>'view')::oid, 'SELECT') THEN
      PERFORM rs_fail('42501', format('permission denied for relation %s', bound.relname));
    END IF;
  END LOOP;
  PERFORM set_config('search_path', (SELECT string_agg(quote_ident(p), ', ') FROM unnest(path) p), true);
  EXECUTE format('CREATE TEMP VIEW %I AS %s', step->>'place', step->>'sql');
  PERFORM set_config('search_path', 'pg_catalog', true);
  EXECUTE format('ALTER VIEW pg_temp.%I OWNER TO %I', step->>'place', bound.rolname);
  EXECUTE format('GRANT SELECT ON pg_temp.%I TO PUBLIC', step->>'place');
END $$;

CREATE FUNCTION rs_late_bind(path text[], steps jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE step jsonb;
BEGIN
  FOR step IN SELECT jsonb_array_elements(steps) LOOP
    IF (step->>'external')::boolean THEN PERFORM rs_external_make(step); ELSE PERFORM rs_late_make(path, step); END IF;
  END LOOP;
END $$;

CREATE FUNCTION rs_late_drop(steps jsonb) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE place text;
BEGIN
  FOR place IN SELECT step->>'place' FROM jsonb_array_elements(steps) WITH ORDINALITY x(step, at) ORDER BY at DESC LOOP
    EXECUTE format('DROP VIEW pg_temp.%I', place);
  END LOOP;
END $$;

-- The columns of views, as JSON; what the reader could not read is left out.
CREATE FUNCTION rs_late_columns(path text[], views jsonb) RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
  steps jsonb;
  shown jsonb := '[]';
BEGIN
  FOR steps IN SELECT jsonb_array_elements(views) LOOP
    BEGIN
      PERFORM rs_late_bind(path, (SELECT jsonb_agg(x || '{"readers": []}') FROM jsonb_array_elements(steps) x));
      shown := shown || (
        SELECT jsonb_agg(jsonb_build_object('view', steps->-1->'view', 'name', attname, 'number', attnum, 'type', atttypid::bigint, 'modifier', atttypmod))
        FROM pg_attribute WHERE attrelid = concat('pg_temp.', steps->-1->>'place')::regclass AND attnum > 0);
      PERFORM rs_late_drop(steps);
    EXCEPTION WHEN OTHERS THEN NULL;
    END;
  END LOOP;
  RETURN shown::text;
END $$;

-- The columns of a relation that another database reads. AWS, cross-database_limitation: not of views that leave their
-- database, which are late-binding, nor with rights on columns. Runs as who reads.
CREATE FUNCTION rs_late_source(relation text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE source oid;
BEGIN
  IF rs_is_external((parse_ident(relation))[1]) THEN
    PERFORM rs_fail('0A000', 'an external table of another database is read, which the stand-in does not');
  END IF;
  source := relation::regclass;
  IF rs_late_text(source) IS NOT NULL THEN
    PERFORM rs_fail('0A000', 'a late-binding view of another database is read, which the stand-in does not');
  END IF;
  IF EXISTS (SELECT 1 FROM pg_attribute WHERE attrelid = source AND attacl IS NOT NULL) THEN
    PERFORM rs_fail('0A000', format('relation %s has privileges on columns and cannot be read from another database', relation));
  END IF;
  RETURN (SELECT string_agg(format('%I %s', attname, format_type(atttypid, atttypmod)), ', ' ORDER BY attnum)
          FROM pg_attribute WHERE attrelid = source AND attnum > 0 AND NOT attisdropped);
END $$;
CREATE FUNCTION rs_late_copy(place text, columns text, copied text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
  EXECUTE format('CREATE TEMP TABLE %I (%s)', place, columns);
  EXECUTE format('INSERT INTO pg_temp.%I SELECT * FROM json_populate_recordset(NULL::pg_temp.%I, $1)', place, place) USING copied::json;
  EXECUTE format('GRANT SELECT ON pg_temp.%I TO PUBLIC', place);
END $$;
CREATE FUNCTION rs_late_copied(place text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
  EXECUTE format('DROP TABLE pg_temp.%I', place);
END $$;
