//! Objects and rights as text, for comparing a warehouse before and after.

use crate::Error;
use crate::client::Client;

/// Each query gives lines.
const QUERIES: [&str; 9] = [
    "SELECT format('%s %s super=%s createdb=%s limit=%s until=%s %s', kind, name, rolsuper, rolcreatedb, rolconnlimit, coalesce(rolvaliduntil::text, '-'), rs_meta(oid)) FROM rs_identity WHERE kind <> 'scope'",
    "SELECT format('member %s %s of %s %s admin=%s', m.kind, m.name, r.kind, r.name, a.admin_option) FROM pg_auth_members a JOIN rs_identity m ON m.oid = a.member JOIN rs_identity r ON r.oid = a.roleid WHERE 'scope' NOT IN (r.kind, m.kind)",
    "SELECT format('database %s owner=%s acl=%s', datname, rs_userbyid(datdba), datacl) FROM rs_database",
    "SELECT format('schema %s owner=%s %s', nspname, pg_get_userbyid(nspowner), rs_dump(nspacl)) FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'",
    "SELECT format('relation %s.%s %s owner=%s %s', n.nspname, c.relname, c.relkind, pg_get_userbyid(c.relowner), rs_dump(c.relacl)) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relkind IN ('r', 'v', 'm')",
    "SELECT format('column %s.%s %s', a.attrelid::regclass, a.attname, rs_dump(a.attacl)) FROM pg_attribute a WHERE a.attacl IS NOT NULL AND a.attrelid >= 16384",
    "SELECT format('routine %s owner=%s %s', oid::regprocedure, pg_get_userbyid(proowner), rs_dump(proacl)) FROM pg_proc WHERE oid >= 16384 AND pronamespace NOT IN (SELECT n.oid FROM pg_namespace n WHERE n.nspname ~ '^pg_')",
    "SELECT format('default for %s in %s on %s: %s', pg_get_userbyid(d.defaclrole), coalesce(n.nspname, '-'), d.defaclobjtype, rs_dump(d.defaclacl)) FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace",
    "SELECT format('scoped %s for tables in %s to %s %s', x.privilege, coalesce(n.nspname, 'all schemas'), i.kind, i.name) FROM rs_scoped x LEFT JOIN pg_namespace n ON n.oid = x.nsp JOIN rs_identity i ON i.oid = x.grantee WHERE x.nsp = 0 OR n.oid IS NOT NULL",
];

/// An ACL with every kind of grantee, scoped helpers left out: they have lines of their own.
const ACL: &str = "CREATE FUNCTION pg_temp.rs_dump(acl aclitem[]) RETURNS text LANGUAGE sql AS $$ \
    SELECT coalesce(string_agg(format('%s %s: %s%s by %s', CASE x.grantee WHEN 0 THEN 'public' ELSE rs_kind(g.rolname) END, coalesce(rs_bare(g.rolname), ''), x.privilege_type, \
    CASE WHEN x.is_grantable THEN '*' ELSE '' END, pg_get_userbyid(x.grantor)), ', ' ORDER BY g.rolname, x.privilege_type), '-') \
    FROM aclexplode(acl) x LEFT JOIN pg_roles g ON g.oid = x.grantee \
    WHERE (x.grantee = 0 OR rs_kind(g.rolname) <> 'scope') AND x.grantee IS DISTINCT FROM x.grantor $$";

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
