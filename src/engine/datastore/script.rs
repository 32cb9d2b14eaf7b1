//! The rights of a datastore as a script for people: the whole wanted state, from the configuration alone.

use crate::engine::datastore::grantee::Grantee;
use crate::engine::datastore::steps::{create_role, default_privileges, grant_role, scope};
use crate::engine::datastore::wanted::{FutureTables, Through, Wanted};
use crate::engine::rights::Rights;
use crate::engine::sql::ident;

/// The name under which the script writes the datastore's role, which is not known before it is made.
pub const ROLE: &str = "grant_role";

/// Everything the datastore wants, as statements that can be run again and again, each with a comment. What an apply
/// runs is this, less what is there.
pub fn script(wanted: &Wanted) -> String {
    // Names stand in comments, which a line break would end.
    if let Err(problem) = wanted.check() {
        return format!("-- {}\n", problem.detail());
    }
    let mut lines: Vec<String> = Vec::new();
    let (database, schema) = (ident(&wanted.database), ident(&wanted.schema));
    let mode = if wanted.write { "an enrichment store (read and write)" } else { "a source (read only)" };
    let Some(grantee) = &wanted.grantee else {
        lines.push("-- grant_role is not used: without service_user nothing is granted.".to_owned());
        lines.push(format!("-- Schema {schema} of database {database} is {mode}. The connection's own user needs:"));
        let statements = statements(wanted, "<user>", None);
        let statements = statements.into_iter().flatten().filter(|line| !line.starts_with("--"));
        lines.extend(statements.map(|statement| format!("-- {statement}")));
        return lines.join("\n") + "\n";
    };
    let (holder, role) = match &wanted.through {
        Through::Role(_) => {
            lines.push(format!(
                "-- {ROLE} stands for this datastore's own role: the provider gives it a random name when it makes it (attribute {ROLE})."
            ));
            (Grantee::role(ROLE), Some(grantee))
        }
        Through::Direct => {
            lines.push("-- The rights are granted directly: there is no role (grant_role is empty).".to_owned());
            (grantee.clone(), None)
        }
    };
    lines.push(format!(
        "-- Schema {schema} of database {database} as {mode} for {} {}. Run it in that database.",
        grantee.kind,
        ident(&grantee.name)
    ));
    let all = statements(wanted, &holder.sql(), role);
    lines.extend(all.into_iter().map(|lines| lines.join("\n")));
    lines.join("\n") + "\n"
}

/// Each a comment with its statements.
fn statements(wanted: &Wanted, to: &str, role: Option<&Grantee>) -> Vec<Vec<String>> {
    let mut parts: Vec<Vec<String>> = Vec::new();
    let on = ident(&wanted.schema);
    let rights = wanted.table_rights();
    if role.is_some() {
        parts.push(vec![
            "-- The role. Leave this line out if it is there.".to_owned(),
            format!("{};", create_role(ROLE)),
        ]);
    }
    let mut part = vec!["-- The schema.".to_owned()];
    part.push(format!("GRANT {} ON SCHEMA {on} TO {to};", wanted.schema_rights()));
    parts.push(part);
    match &wanted.future {
        FutureTables::Schema => {
            parts.push(vec![
                "-- All tables, present and future, whoever makes them.".to_owned(),
                format!("GRANT {rights} FOR TABLES IN {} TO {to};", scope(&wanted.schema, &wanted.database)),
            ]);
        }
        FutureTables::None => parts.push(on_tables(rights, &on, to)),
        FutureTables::Owners(owners) | FutureTables::Pinned(owners) => {
            parts.push(on_tables(rights, &on, to));
            parts.push(future_tables(owners, wanted, rights, to));
        }
    }
    if let Some(grantee) = role {
        parts.push(vec![
            format!("-- The role for {} {}.", grantee.kind, ident(&grantee.name)),
            format!("{};", grant_role(ROLE, grantee)),
        ]);
    }
    parts
}

fn on_tables(rights: Rights, on: &str, to: &str) -> Vec<String> {
    vec![
        "-- The tables and views that are there.".to_owned(),
        format!("GRANT {rights} ON ALL TABLES IN SCHEMA {on} TO {to};"),
    ]
}

fn future_tables(owners: &[String], wanted: &Wanted, rights: Rights, to: &str) -> Vec<String> {
    let line = |owners: &[&str]| {
        format!("{};", default_privileges(owners, &wanted.schema, &format!("GRANT {rights} ON TABLES TO {to}")))
    };
    if owners.is_empty() {
        return vec![
            "-- Tables to come: one such line for each user who makes tables there (the schema's owner, the owners of its tables).".to_owned(),
            format!("-- {}", line(&["owner"])),
        ];
    }
    let owners: Vec<&str> = owners.iter().map(String::as_str).collect();
    vec!["-- Tables that these users will make.".to_owned(), line(&owners)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::datastore::world::{by_role, direct, golden};

    #[test]
    fn scripts_show_the_whole_wanted_state() {
        let derived = |wanted: Wanted| Wanted { future: FutureTables::Owners(Vec::new()), ..wanted };
        let store = |wanted: Wanted| Wanted { write: true, ..wanted };
        let group = |wanted: Wanted| Wanted { grantee: Some(Grantee::group("readers")), ..wanted };
        golden("script_source_role.sql", &script(&by_role()));
        golden("script_source_role_owners_unknown.sql", &script(&derived(by_role())));
        golden("script_store_role_schema.sql", &script(&store(Wanted { future: FutureTables::Schema, ..by_role() })));
        golden("script_store_direct.sql", &script(&store(direct())));
        golden("script_source_group.sql", &script(&group(Wanted { future: FutureTables::None, ..direct() })));
        golden("script_source_nobody.sql", &script(&Wanted { grantee: None, ..derived(direct()) }));
    }

    #[test]
    fn the_roles_own_name_is_not_in_the_script() {
        assert_eq!(
            script(&by_role()),
            script(&Wanted { through: Through::Role("tfds_ffffffffff".into()), ..by_role() })
        );
        let first = script(&by_role()).lines().next().map(str::to_owned).unwrap_or_default();
        assert!(first.starts_with("-- grant_role stands for"), "{first}");
    }

    #[test]
    fn a_name_cannot_end_a_comment() {
        for name in ["a\nDROP SCHEMA x", "a\u{2028}b", "a\rb"] {
            for wanted in [Wanted { schema: name.into(), ..direct() }, Wanted { database: name.into(), ..direct() }] {
                let text = script(&wanted);
                assert!(text.starts_with("-- ") && text.lines().count() == 1 && !text.contains("DROP"), "{text}");
            }
        }
        let hostile = script(&Wanted { schema: "x\"; DROP SCHEMA y; --".into(), grantee: None, ..direct() });
        assert!(hostile.lines().all(|line| line.starts_with("-- ")), "{hostile}");
    }
}
