//! Objects and rights as text, for comparing a warehouse before and after.

use crate::Error;
use crate::client::Client;

/// Each query gives lines. Rights are those in force: where nothing was granted or revoked, the ones by default.
const QUERIES: [&str; 15] = [
    "SELECT format('%s %s super=%s createdb=%s limit=%s until=%s %s', kind, name, rolsuper, rolcreatedb, rolconnlimit, coalesce(rolvaliduntil::text, '-'), rs_meta(oid)) FROM rs_identity WHERE kind <> 'scope'",
    "SELECT format('member %s %s of %s %s admin=%s', m.kind, m.name, r.kind, r.name, a.admin_option) FROM pg_auth_members a JOIN rs_identity m ON m.oid = a.member JOIN rs_identity r ON r.oid = a.roleid WHERE 'scope' NOT IN (r.kind, m.kind)",
    "SELECT format('database %s owner=%s %s', datname, pg_get_userbyid(datdba), rs_dump(coalesce(datacl, acldefault('d', datdba)))) FROM pg_database",
    "SELECT format('schema %s owner=%s %s', nspname, pg_get_userbyid(nspowner), rs_dump(nspacl)) FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'",
    "SELECT format('external schema %s database=%s %s', n.nspname, e.databasename, e.options) FROM rs_external_schemas e JOIN pg_namespace n ON n.oid = e.nsp",
    "SELECT format('external table %s.%s at %s %s', schemaname, name, location, columns) FROM rs_external_relations",
    "SELECT format('quota of schema %s %s MB', n.nspname, q.mb) FROM rs_schema_quotas q JOIN pg_namespace n ON n.oid = q.nsp",
    "SELECT format('relation %s.%s %s owner=%s %s', n.nspname, c.relname, c.relkind, pg_get_userbyid(c.relowner), rs_dump(c.relacl)) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relkind IN ('r', 'v', 'm')",
    "SELECT format('column %s.%s.%s %s %s%s default=%s %s', n.nspname, c.relname, a.attname, a.attnum, format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END, coalesce(pg_get_expr(d.adbin, d.adrelid), '-'), rs_dump(a.attacl)) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relkind IN ('r', 'v', 'm')",
    "SELECT format('view %s.%s as %s', schemaname, viewname, regexp_replace(definition, '[[:space:]]+', ' ', 'g')) FROM rs_views",
    "SELECT format('routine %s.%s owner=%s definer=%s settings=%s %s source=%s', n.nspname, p.oid::regprocedure, pg_get_userbyid(p.proowner), p.prosecdef, coalesce(p.proconfig::text, '-'), rs_dump(coalesce(p.proacl, acldefault('f', p.proowner))), regexp_replace(s.prosrc, '[[:space:]]+', ' ', 'g')) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN rs_proc s ON s.oid = p.oid WHERE p.oid >= 16384 AND n.nspname !~ '^pg_'",
    "SELECT format('language %s %s', lanname, rs_dump(coalesce(lanacl, acldefault('l', lanowner)))) FROM pg_language",
    "SELECT format('default for %s in %s on %s: %s', pg_get_userbyid(d.defaclrole), coalesce(n.nspname, '-'), d.defaclobjtype, rs_dump(d.defaclacl)) FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace",
    "SELECT format('scoped %s for tables in %s to %s %s', x.privilege, coalesce(n.nspname, 'all schemas'), i.kind, i.name) FROM rs_scoped x LEFT JOIN pg_namespace n ON n.oid = x.nsp JOIN rs_identity i ON i.oid = x.grantee WHERE x.nsp = 0 OR n.oid IS NOT NULL",
    "SELECT format('in database %s', current_database())",
];

/// An ACL with every kind of grantee, scoped helpers left out: they have lines of their own.
const ACL: &str = "CREATE FUNCTION pg_temp.rs_dump(acl aclitem[]) RETURNS text LANGUAGE sql AS $$ \
    SELECT coalesce(string_agg(format('%s %s: %s%s by %s', CASE x.grantee WHEN 0 THEN 'public' ELSE rs_kind(g.rolname) END, coalesce(rs_bare(g.rolname), ''), x.privilege_type, \
    CASE WHEN x.is_grantable THEN '*' ELSE '' END, pg_get_userbyid(x.grantor)), ', ' ORDER BY g.rolname, x.privilege_type), '-') \
    FROM aclexplode(acl) x LEFT JOIN pg_roles g ON g.oid = x.grantee \
    WHERE x.privilege_type <> 'CONNECT' AND (x.grantee = 0 OR rs_kind(g.rolname) <> 'scope') AND x.grantee IS DISTINCT FROM x.grantor $$";

/// Reads everything.
pub async fn dump(client: &mut Client) -> Result<String, Error> {
    client.query(ACL).await?;
    let mut lines = Vec::new();
    for query in QUERIES {
        let answer = client.query(&query.replace("rs_dump", "pg_temp.rs_dump")).await?;
        lines.extend(answer.rows.into_iter().flatten().flatten());
    }
    lines.sort();
    Ok(lines.join("\n"))
}
