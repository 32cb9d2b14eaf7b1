-- Users, groups and roles. PostgreSQL has roles only, so a group's name starts with chr(1), a role's with chr(2); chr(3)
-- marks a user who was dropped while other databases knew him, chr(4) a helper of the stand-in. What PostgreSQL has no
-- place for is JSON in the role's comment, which is shared by all databases and transactional. Messages name a role with
-- its mark: the front reads `role "<chr(1)>g"` as group "g" and an unmarked `role "u"` as user "u".
SET search_path = pg_catalog;

CREATE FUNCTION rs_refuse(code text, message text, detail text, hint text, info text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE i text;
BEGIN
  FOREACH i IN ARRAY info LOOP RAISE INFO '%', i; END LOOP;
  IF hint <> '' THEN RAISE EXCEPTION USING ERRCODE = code, MESSAGE = message, HINT = hint; END IF;
  IF detail = '' THEN RAISE EXCEPTION USING ERRCODE = code, MESSAGE = message; END IF;
  RAISE EXCEPTION USING ERRCODE = code, MESSAGE = message, DETAIL = detail;
END $$;

CREATE FUNCTION rs_fail(code text, message text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION USING ERRCODE = code, MESSAGE = message;
END $$;

CREATE FUNCTION rs_kind(n text) RETURNS text LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE ascii(n) WHEN 1 THEN 'group' WHEN 2 THEN 'role' WHEN 3 THEN 'gone' WHEN 4 THEN 'scope' ELSE 'user' END $$;

CREATE FUNCTION rs_bare(n text) RETURNS text LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE WHEN ascii(n) < 5 THEN substr(n, 2) ELSE n END $$;

-- rdsdb, the system, has the id 1 on Redshift.
CREATE FUNCTION rs_id(o oid) RETURNS int LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE WHEN o = 10 THEN 1 ELSE o::bigint::int END $$;

CREATE FUNCTION rs_meta(o oid) RETURNS jsonb LANGUAGE sql STABLE AS
$$ SELECT coalesce(shobj_description(o, 'pg_authid'), '{}')::jsonb $$;

CREATE FUNCTION rs_set_meta(n text, meta jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('COMMENT ON ROLE %I IS %L', n, meta::text);
END $$;

-- Something that nobody knows of Redshift: whether it is the other way (StandinOptions::switches).
CREATE FUNCTION rs_switch(n text) RETURNS boolean LANGUAGE sql STABLE AS
$$ SELECT n = ANY (string_to_array(coalesce(current_setting('standin.switches', true), ''), ',')) $$;

-- Who holds sys:superuser is one here too (AWS, system-defined roles: "the same permissions as" one), but no usesuper.
CREATE FUNCTION rs_superuser() RETURNS boolean LANGUAGE sql STABLE AS
$$ SELECT rolsuper FROM pg_roles WHERE rolname = session_user $$;
CREATE FUNCTION rs_usesuper(o oid) RETURNS boolean LANGUAGE sql STABLE AS
$$ SELECT rolsuper AND NOT rs_meta(o) ? 'by_role' FROM pg_roles WHERE oid = o $$;

-- PostgreSQL's SUPERUSER follows the role, directly or through other roles.
CREATE FUNCTION rs_follow_superusers() RETURNS void LANGUAGE plpgsql AS $$
DECLARE u record;
BEGIN
  FOR u IN
    WITH RECURSIVE held(oid) AS (
      SELECT oid FROM pg_roles WHERE rolname = chr(2) || 'sys:superuser'
      UNION SELECT m.member FROM pg_auth_members m JOIN held h ON m.roleid = h.oid)
    SELECT r.oid, r.rolname, r.rolsuper, EXISTS (SELECT 1 FROM held h WHERE h.oid = r.oid) AS holds FROM pg_roles r
    WHERE r.rolcanlogin AND rs_kind(r.rolname) = 'user'
  LOOP
    IF u.holds AND NOT u.rolsuper THEN
      EXECUTE format('ALTER ROLE %I SUPERUSER', u.rolname);
      PERFORM rs_set_meta(u.rolname, rs_meta(u.oid) || '{"by_role": true}');
    ELSIF NOT u.holds AND rs_meta(u.oid) ? 'by_role' THEN
      EXECUTE format('ALTER ROLE %I NOSUPERUSER', u.rolname);
      PERFORM rs_set_meta(u.rolname, rs_meta(u.oid) - 'by_role');
    END IF;
  END LOOP;
END $$;

-- Whether the session's user is a superuser or holds a system permission through a role, nested ones included.
CREATE FUNCTION rs_has(permission text) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT rs_superuser() OR EXISTS (
    SELECT 1 FROM pg_roles r
    WHERE rs_kind(r.rolname) = 'role' AND pg_has_role(session_user, r.oid, 'MEMBER') AND rs_meta(r.oid)->'system' ? permission)
$$;

CREATE FUNCTION rs_require(permission text, message text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF NOT rs_has(permission) THEN PERFORM rs_fail('42501', message); END IF;
END $$;

CREATE FUNCTION rs_superuser(action text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF NOT rs_superuser() THEN PERFORM rs_fail('42501', 'must be superuser to ' || action); END IF;
END $$;

CREATE FUNCTION rs_find(n text) RETURNS oid LANGUAGE plpgsql STABLE AS $$
DECLARE found oid;
BEGIN
  SELECT oid INTO found FROM pg_roles WHERE rolname = n;
  IF found IS NULL THEN PERFORM rs_fail('42704', format('role "%s" does not exist', n)); END IF;
  RETURN found;
END $$;

-- AWS, PG_USER_INFO: valuntil is an abstime, seconds in 32 bits. PostgreSQL 8.0 keeps what is beyond as `invalid`, which
-- ends nothing: the last day that PostgreSQL knows stands for it.
CREATE FUNCTION rs_abstime(t text) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT CASE WHEN isfinite(t::timestamptz) AND (t::timestamptz >= '2038-01-19 00:00:00+00' OR t::timestamptz < '1901-12-14 00:00:00+00')
         THEN '290000-01-01 00:00:00+00' ELSE t END
$$;

CREATE FUNCTION rs_options(o jsonb) RETURNS text LANGUAGE sql AS $$
  SELECT concat_ws(' ',
    CASE (o->>'superuser')::boolean WHEN true THEN 'SUPERUSER' WHEN false THEN 'NOSUPERUSER' END,
    CASE (o->>'createdb')::boolean WHEN true THEN 'CREATEDB' WHEN false THEN 'NOCREATEDB' END,
    'CONNECTION LIMIT ' || (o->>'connection_limit'),
    'VALID UNTIL ' || quote_literal(rs_abstime(o->>'valid_until')))
$$;

-- What is kept of the options beside what PostgreSQL keeps.
CREATE FUNCTION rs_kept(old jsonb, o jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
  SELECT jsonb_strip_nulls(CASE WHEN NOT o ? 'password' THEN old WHEN o->'password' = 'null' THEN old || '{"disabled": true}' ELSE old - 'disabled' END
    || (o - ARRAY['superuser', 'createdb', 'connection_limit', 'valid_until', 'groups']))
$$;

-- AWS, ALTER USER: SET parameter. Of oneself, or of others by whoever may alter them.
CREATE FUNCTION rs_set_for_user(n text, setting text, value text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
  PERFORM rs_find(n);
  IF n <> session_user THEN PERFORM rs_require('ALTER USER', 'permission denied'); END IF;
  EXECUTE format('ALTER ROLE %I SET %s TO %s', n, setting, value);
END $$;

CREATE FUNCTION rs_create_user(n text, options text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
  o jsonb := options::jsonb;
  g text;
BEGIN
  PERFORM rs_require('CREATE USER', 'must be superuser to create users');
  IF (o->>'superuser')::boolean THEN PERFORM rs_superuser('create superusers'); END IF;
  -- AWS, ALTER USER: "Only a superuser can enable or disable passwords".
  IF o->'password' = 'null' THEN PERFORM rs_superuser('disable passwords'); END IF;
  IF NOT o ? 'password' THEN PERFORM rs_fail('42601', 'password is required'); END IF;
  IF lower(n) = 'public' THEN PERFORM rs_fail('42939', format('user name "%s" is reserved', n)); END IF;
  IF (o->>'superuser')::boolean AND o->>'password' IS NULL THEN PERFORM rs_fail('42601', 'password of a superuser cannot be disabled'); END IF;
  IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = chr(2) || n) THEN
    PERFORM rs_fail('42710', format('role "%s" already exists', chr(2) || n));
  END IF;
  EXECUTE format('CREATE ROLE %I LOGIN INHERIT %s', n, rs_options(o));
  PERFORM rs_set_meta(n, rs_kept('{}', o));
  FOR g IN SELECT jsonb_array_elements_text(o->'groups') LOOP
    PERFORM rs_superuser('alter groups');
    PERFORM rs_find(g);
    EXECUTE format('GRANT %I TO %I', g, n);
  END LOOP;
END $$;

CREATE FUNCTION rs_alter_user(n text, options text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
  o jsonb := options::jsonb;
  target oid := rs_find(n);
  was_super boolean := rs_usesuper(target);
BEGIN
  -- A user may change his own password.
  IF NOT (n = session_user AND o - 'password' = '{}') THEN PERFORM rs_require('ALTER USER', 'permission denied'); END IF;
  IF was_super OR o ? 'superuser' THEN PERFORM rs_superuser('alter superusers'); END IF;
  IF o ? 'password' AND (o->'password' = 'null' OR rs_meta(target) ? 'disabled') THEN PERFORM rs_superuser('enable or disable passwords'); END IF;
  IF o ? 'password' AND o->>'password' IS NULL AND was_super THEN
    PERFORM rs_fail('42601', 'password of a superuser cannot be disabled');
  END IF;
  IF rs_options(o) <> '' THEN EXECUTE format('ALTER ROLE %I %s', n, rs_options(o)); END IF;
  PERFORM rs_set_meta(n, rs_kept(rs_meta(target), o));
END $$;

CREATE FUNCTION rs_rename_user(n text, new text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
  meta jsonb := rs_meta(rs_find(n));
  r record;
BEGIN
  PERFORM rs_require('ALTER USER', 'permission denied');
  IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = chr(2) || new) THEN
    PERFORM rs_fail('42710', format('role "%s" already exists', chr(2) || new));
  END IF;
  EXECUTE format('ALTER ROLE %I RENAME TO %I', n, new);
  -- AWS, ALTER USER: "you must change the password of a user that is renamed".
  PERFORM rs_set_meta(new, meta - 'password');
  FOR r IN SELECT rolname, oid FROM pg_roles WHERE rs_kind(rolname) = 'role' AND rs_meta(oid)->>'owner' = n LOOP
    PERFORM rs_set_meta(r.rolname, rs_meta(r.oid) || jsonb_build_object('owner', new));
  END LOOP;
END $$;

-- What blocks the dropping of a user or group in this database, in Redshift's words; null if nothing does. PostgreSQL
-- would look in all databases.
CREATE FUNCTION rs_blocker(target oid, n text) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
  kind text := rs_kind(n);
  shown text := CASE rs_kind(n) WHEN 'role' THEN n ELSE rs_bare(n) END;
  here oid := (SELECT oid FROM pg_database WHERE datname = current_database());
  d record;
BEGIN
  FOR d IN SELECT classid, objid, deptype FROM pg_shdepend
           WHERE refclassid = 'pg_authid'::regclass AND refobjid = target AND dbid IN (0, here)
             AND classid <> 'pg_auth_members'::regclass ORDER BY deptype DESC LOOP
    IF d.classid = 'pg_default_acl'::regclass AND d.deptype = 'o' THEN
      RETURN format('owner of default privileges on new relations belonging to user %s', n);
    ELSIF d.deptype = 'o' THEN
      RETURN format('%s "%s" can''t be dropped because the %s owns some object', kind, shown, kind);
    ELSE
      RETURN format('%s "%s" can''t be dropped because the %s has a privilege on some object', kind, shown, kind);
    END IF;
  END LOOP;
  -- AWS, DROP USER: who "owns any database object"; a role and a datashare have owners too.
  IF rs_meta(target) ? 'datashares'
     OR kind = 'user' AND EXISTS (SELECT 1 FROM pg_roles r WHERE rs_kind(r.rolname) = 'role' AND rs_meta(r.oid)->>'owner' = n) THEN
    RETURN format('%s "%s" can''t be dropped because the %s owns some object', kind, shown, kind);
  END IF;
  IF rs_meta(target) ?| ARRAY['assumerole', 'shares']
     OR EXISTS (SELECT 1 FROM jsonb_array_elements(coalesce(rs_meta(target)->'scoped', '[]')) x WHERE x->>'db' = here::text
                AND (x->>'nsp' = '0' OR EXISTS (SELECT 1 FROM pg_namespace n WHERE n.oid::text = x->>'nsp')))
     OR EXISTS (SELECT 1 FROM rs_scoped x LEFT JOIN pg_namespace n ON n.oid = x.nsp WHERE x.grantee = target AND (x.nsp = 0 OR n.oid IS NOT NULL)) THEN
    RETURN format('%s "%s" can''t be dropped because the %s has a privilege on some object', kind, shown, kind);
  END IF;
  RETURN NULL;
END $$;

-- Drops a PostgreSQL role; where another database still knows it, only its name goes.
CREATE FUNCTION rs_forget(target oid, n text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE m name;
BEGIN
  IF NOT EXISTS (SELECT 1 FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass AND refobjid = target
                 AND classid <> 'pg_auth_members'::regclass) THEN
    EXECUTE format('DROP ROLE %I', n);
    RETURN;
  END IF;
  PERFORM rs_set_meta(n, '{}');
  FOR m IN SELECT r.rolname FROM pg_auth_members a JOIN pg_roles r ON r.oid = a.roleid WHERE a.member = target LOOP
    EXECUTE format('REVOKE %I FROM %I', m, n);
  END LOOP;
  FOR m IN SELECT r.rolname FROM pg_auth_members a JOIN pg_roles r ON r.oid = a.member WHERE a.roleid = target LOOP
    EXECUTE format('REVOKE %I FROM %I', n, m);
  END LOOP;
  EXECUTE format('ALTER ROLE %I NOLOGIN NOSUPERUSER', n);
  EXECUTE format('ALTER ROLE %I RENAME TO %I', n, chr(CASE WHEN rs_kind(n) = 'role' THEN 4 ELSE 3 END) || target);
END $$;

CREATE FUNCTION rs_drop_users(names text[], if_exists text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
  n text;
  target oid;
  blocker text;
BEGIN
  PERFORM rs_require('DROP USER', 'must be superuser to drop users');
  FOREACH n IN ARRAY names LOOP
    SELECT oid INTO target FROM pg_roles WHERE rolname = n;
    CONTINUE WHEN target IS NULL AND if_exists IS NOT NULL;
    target := rs_find(n);
    IF n = session_user THEN PERFORM rs_fail('55006', 'current user cannot be dropped'); END IF;
    IF (SELECT rolsuper FROM pg_roles WHERE oid = target) THEN PERFORM rs_superuser('drop superusers'); END IF;
    blocker := rs_blocker(target, n);
    IF blocker IS NOT NULL THEN PERFORM rs_fail('55006', blocker); END IF;
    PERFORM rs_forget(target, n);
  END LOOP;
END $$;

CREATE FUNCTION rs_create_group(n text, users text[]) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
  PERFORM rs_superuser('create groups');
  EXECUTE format('CREATE ROLE %I NOLOGIN INHERIT', n);
  IF users IS NOT NULL THEN PERFORM rs_alter_group(n, 'ADD', users); END IF;
END $$;

CREATE FUNCTION rs_alter_group(n text, what text, users text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog SET client_min_messages = warning AS $$
DECLARE u text;
BEGIN
  PERFORM rs_superuser('alter groups');
  PERFORM rs_find(n);
  FOREACH u IN ARRAY users LOOP
    PERFORM rs_find(u);
    EXECUTE format(CASE what WHEN 'ADD' THEN 'GRANT %I TO %I' ELSE 'REVOKE %I FROM %I' END, n, u);
  END LOOP;
END $$;

CREATE FUNCTION rs_drop_group(n text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
  target oid := rs_find(n);
  blocker text := rs_blocker(target, n);
BEGIN
  PERFORM rs_superuser('drop groups');
  IF blocker IS NOT NULL THEN PERFORM rs_fail('55006', blocker); END IF;
  PERFORM rs_forget(target, n);
END $$;

CREATE FUNCTION rs_create_role(n text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
  PERFORM rs_require('CREATE ROLE', 'permission denied to create role');
  IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = rs_bare(n)) THEN
    PERFORM rs_fail('42710', format('user "%s" already exists', rs_bare(n)));
  END IF;
  EXECUTE format('CREATE ROLE %I NOLOGIN INHERIT', n);
  PERFORM rs_set_meta(n, jsonb_build_object('owner', session_user));
END $$;

-- AWS, ALTER ROLE: "OWNER TO user_name".
CREATE FUNCTION rs_own_role(n text, new text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
  PERFORM rs_role_admin(rs_find(n), n);
  PERFORM rs_find(new);
  PERFORM rs_set_meta(n, rs_meta(rs_find(n)) || jsonb_build_object('owner', new));
END $$;

-- AWS: a role's owner, who holds it WITH ADMIN OPTION, and superusers may hand it on and drop it.
CREATE FUNCTION rs_role_admin(target oid, n text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF NOT rs_superuser() AND rs_meta(target)->>'owner' IS DISTINCT FROM session_user AND NOT EXISTS (
    SELECT 1 FROM pg_auth_members a JOIN pg_roles r ON r.oid = a.member
    WHERE a.roleid = target AND a.admin_option AND r.rolname = session_user) THEN
    PERFORM rs_fail('42501', format('permission denied for role "%s"', n));
  END IF;
END $$;

CREATE FUNCTION rs_drop_role(n text, mode text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
  target oid := rs_find(n);
  blocker text := rs_blocker(target, n);
BEGIN
  PERFORM rs_role_admin(target, n);
  IF rs_bare(n) LIKE 'sys:%' THEN PERFORM rs_fail('42501', format('permission denied for role "%s"', n)); END IF;
  IF mode IS DISTINCT FROM 'FORCE' THEN
    IF EXISTS (SELECT 1 FROM pg_auth_members WHERE roleid = target) THEN
      PERFORM rs_fail('2BP01', 'cannot drop this role since it has been granted on a user');
    ELSIF EXISTS (SELECT 1 FROM pg_auth_members a JOIN pg_roles r ON r.oid = a.roleid
                  WHERE a.member = target AND rs_kind(r.rolname) = 'role') THEN
      PERFORM rs_fail('2BP01', 'cannot drop this role since it depends on another role');
    END IF;
  END IF;
  IF blocker IS NOT NULL THEN PERFORM rs_fail('55006', blocker); END IF;
  PERFORM rs_forget(target, n);
  PERFORM rs_follow_superusers();
END $$;

CREATE FUNCTION rs_grant_roles(roles text[], members text[], admin text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog SET client_min_messages = warning AS $$
DECLARE r text; m text;
BEGIN
  FOREACH r IN ARRAY roles LOOP
    PERFORM rs_role_admin(rs_find(r), r);
    FOREACH m IN ARRAY members LOOP
      PERFORM rs_find(m);
      IF admin IS NOT NULL AND rs_kind(m) = 'role' THEN PERFORM rs_fail('0LP01', 'admin option can only be granted to individual users'); END IF;
      EXECUTE format('GRANT %I TO %I %s', r, m, admin);
    END LOOP;
  END LOOP;
  PERFORM rs_follow_superusers();
END $$;

CREATE FUNCTION rs_revoke_roles(roles text[], members text[], admin text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog SET client_min_messages = warning AS $$
DECLARE r text; m text;
BEGIN
  FOREACH r IN ARRAY roles LOOP
    PERFORM rs_role_admin(rs_find(r), r);
    FOREACH m IN ARRAY members LOOP
      PERFORM rs_find(m);
      EXECUTE format('REVOKE %s %I FROM %I', admin, r, m);
    END LOOP;
  END LOOP;
  PERFORM rs_follow_superusers();
END $$;

CREATE FUNCTION rs_system_rights(granting boolean, rights text[], roles text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
  r text;
  meta jsonb;
  now_held text[];
BEGIN
  PERFORM rs_superuser('grant or revoke system permissions');
  FOREACH r IN ARRAY roles LOOP
    meta := rs_meta(rs_find(r));
    SELECT coalesce(array_agg(x), '{}') INTO now_held FROM (
      SELECT jsonb_array_elements_text(coalesce(meta->'system', '[]')) AS x
      UNION SELECT unnest(rights) WHERE granting) held
    WHERE granting OR NOT (x = ANY (rights));
    PERFORM rs_set_meta(r, meta || jsonb_build_object('system', to_jsonb(now_held)));
  END LOOP;
END $$;

CREATE FUNCTION rs_assumerole(granting boolean, arn text, n text, what text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
  meta jsonb := rs_meta(rs_find(n));
  one jsonb := jsonb_build_object('arn', arn, 'command', what);
  held jsonb;
BEGIN
  PERFORM rs_superuser('grant or revoke ASSUMEROLE');
  SELECT jsonb_agg(x) INTO held FROM (
    SELECT x FROM jsonb_array_elements(coalesce(meta->'assumerole', '[]')) x WHERE x <> one
    UNION ALL SELECT one WHERE granting) all_held;
  PERFORM rs_set_meta(n, CASE WHEN held IS NULL THEN meta - 'assumerole' ELSE meta || jsonb_build_object('assumerole', held) END);
END $$;

-- Datashares: a name beside its owner, and rights beside who holds them. They hold nothing.
CREATE FUNCTION rs_share_owner(share text) RETURNS name LANGUAGE sql STABLE AS
$$ SELECT rolname FROM pg_roles WHERE rs_meta(oid)->'datashares' ? share $$;

CREATE FUNCTION rs_datashare(making boolean, share text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
  o text := coalesce(rs_share_owner(share), session_user);
  meta jsonb := rs_meta(rs_find(o));
  r record;
BEGIN
  IF making THEN
    PERFORM rs_superuser('create datashares');
    IF rs_share_owner(share) IS NOT NULL THEN PERFORM rs_fail('42710', format('datashare "%s" already exists', share)); END IF;
    PERFORM rs_set_meta(o, meta || jsonb_build_object('datashares', coalesce(meta->'datashares', '[]') || to_jsonb(share)));
    RETURN;
  END IF;
  IF rs_share_owner(share) IS NULL THEN PERFORM rs_fail('42704', format('datashare "%s" does not exist', share)); END IF;
  IF o <> session_user THEN PERFORM rs_superuser('drop datashares of others'); END IF;
  meta := jsonb_set(meta, '{datashares}', (meta->'datashares') - share);
  PERFORM rs_set_meta(o, CASE meta->'datashares' WHEN '[]' THEN meta - 'datashares' ELSE meta END);
  FOR r IN SELECT rolname FROM pg_roles WHERE rs_meta(oid) ? 'shares' LOOP
    PERFORM rs_on_datashare(false, ARRAY['ALTER', 'SHARE'], share, ARRAY[r.rolname::text]);
  END LOOP;
END $$;

CREATE FUNCTION rs_on_datashare(granting boolean, rights text[], share text, grantees text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE n text; meta jsonb; held jsonb;
BEGIN
  IF granting AND rs_share_owner(share) IS NULL THEN PERFORM rs_fail('42704', format('datashare "%s" does not exist', share)); END IF;
  PERFORM rs_superuser('grant or revoke rights on datashares');
  FOREACH n IN ARRAY grantees LOOP
    meta := rs_meta(rs_find(n));
    SELECT jsonb_agg(x) INTO held FROM (
      SELECT x FROM jsonb_array_elements(coalesce(meta->'shares', '[]')) x WHERE NOT (x->>'share' = rs_on_datashare.share AND x->>'privilege' = ANY (rights))
      UNION ALL SELECT jsonb_build_object('share', rs_on_datashare.share, 'privilege', p) FROM unnest(rights) p WHERE granting) h;
    PERFORM rs_set_meta(n, CASE WHEN held IS NULL THEN meta - 'shares' ELSE meta || jsonb_build_object('shares', held) END);
  END LOOP;
END $$;
