//! The rights of a datastore as a script for people: the whole wanted state, from the configuration alone.

use crate::engine::datastore::grantee::Grantee;
use crate::engine::datastore::steps::{create_role, default_privileges, grant_role, scope, table};
use crate::engine::datastore::tables::Selection;
use crate::engine::datastore::wanted::{FutureTables, Through, Wanted};
use crate::engine::rights::{Privilege, Rights};
use crate::engine::sql::{Sql, ident, sql};

/// The name under which the script writes the datastore's role where it is not known yet.
pub const ROLE: &str = "grant_role";

/// A comment, and the statements under it.
struct Part {
    comment: String,
    statements: Vec<Sql>,
    /// What a person has to complete before it can run: a comment too.
    example: Option<Sql>,
}

impl Part {
    fn new(comment: impl Into<String>, statement: Sql) -> Part {
        Part { comment: comment.into(), statements: vec![statement], example: None }
    }
}

/// Everything the datastore wants, as statements that can be run again and again, each with a comment. What an apply
/// runs is this, less what is there. That the schema is `external` is not known before it is seen.
pub fn script(wanted: &Wanted, external: bool) -> String {
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
        // Only comments, so nobody can run it with the word that stands for the user.
        let parts = parts(wanted, &sql!("<user>"), None, external);
        let statements = parts.iter().flat_map(|part| &part.statements);
        lines.extend(statements.map(|statement| format!("-- {statement};")));
        return lines.join("\n") + "\n";
    };
    let (holder, role) = match &wanted.through {
        Through::Role(role) => {
            lines.push(if role == ROLE {
                format!("-- {ROLE} stands for this datastore's own role (attribute {ROLE}).")
            } else {
                format!("-- {} is this datastore's own role (attribute {ROLE}).", ident(role))
            });
            (Grantee::role(role), Some((role.as_str(), grantee)))
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
    lines.push(
        match external {
            true => "-- The schema is external: what is in it, AWS gives to the schema's own IAM role.",
            false => "-- Should the schema be external, only USAGE on it and TEMP on the database are granted.",
        }
        .to_owned(),
    );
    for part in parts(wanted, &holder.sql(), role, external) {
        lines.push(format!("-- {}", part.comment));
        lines.extend(part.statements.iter().map(|statement| format!("{statement};")));
        lines.extend(part.example.iter().map(|statement| format!("-- {statement};")));
    }
    lines.join("\n") + "\n"
}

fn parts(wanted: &Wanted, to: &Sql, role: Option<(&str, &Grantee)>, external: bool) -> Vec<Part> {
    let mut parts = Vec::new();
    let (on, rights) = (ident(&wanted.schema), wanted.table_rights());
    if let Some((role, _)) = role {
        parts.push(Part::new("The role. Leave this line out if it is there.", create_role(role)));
    }
    let on_schema = if external { Privilege::Usage.into() } else { wanted.schema_rights() };
    let on_schema = sql!("GRANT {} ON SCHEMA {} TO {}", on_schema, on, *to);
    parts.push(Part::new("The schema.", on_schema));
    if external {
        let temp = sql!("GRANT TEMP ON DATABASE {} TO {}", ident(&wanted.database), *to);
        parts.push(Part::new("Queries on external tables make temporary ones.", temp));
    }
    let on_tables = || {
        let grant = sql!("GRANT {} ON ALL TABLES IN SCHEMA {} TO {}", rights, on, *to);
        Part::new("The tables and views that are there.", grant)
    };
    match &wanted.future {
        _ if external => {}
        FutureTables::Schema => {
            let scope = scope(&wanted.schema, &wanted.database);
            let grant = sql!("GRANT {} FOR TABLES IN {} TO {}", rights, scope, *to);
            parts.push(Part::new("All tables, present and future, whoever makes them.", grant));
        }
        FutureTables::None => match &wanted.tables {
            Some(selection) => parts.push(selected(selection, wanted, rights, to)),
            None => parts.push(on_tables()),
        },
        FutureTables::Owners(owners) | FutureTables::Pinned(owners) => {
            parts.push(on_tables());
            parts.push(future_tables(owners, wanted, wanted.future_rights(), to));
        }
    }
    if let Some((role, grantee)) = role {
        let comment = format!("The role for {} {}.", grantee.kind, ident(&grantee.name));
        parts.push(Part::new(comment, grant_role(role, grantee)));
    }
    parts
}

/// The tables that are named; of patterns, a line to complete for each table that matches.
fn selected(selection: &Selection, wanted: &Wanted, rights: Rights, to: &Sql) -> Part {
    let is_name = |pattern: &&String| !pattern.contains(['*', '?', '[', '{', '\\']);
    let (names, patterns): (Vec<&String>, Vec<&String>) = selection.patterns().iter().partition(is_name);
    let grant = |name: &str| sql!("GRANT {} ON TABLE {} TO {}", rights, table(&wanted.schema, name), *to);
    let shown: Vec<String> = patterns.iter().map(|pattern| crate::engine::error::shown(pattern).into_owned()).collect();
    Part {
        comment: match patterns.is_empty() {
            true => "The tables that are named, and no others.".to_owned(),
            false => format!(
                "The tables that are named, and one such line for each table or view that matches {}.",
                shown.join(", ")
            ),
        },
        statements: names.iter().map(|name| grant(name)).collect(),
        example: (!patterns.is_empty()).then(|| grant("table")),
    }
}

fn future_tables(owners: &[String], wanted: &Wanted, rights: Rights, to: &Sql) -> Part {
    let grant = sql!("GRANT {} ON TABLES TO {}", rights, *to);
    if owners.is_empty() {
        return Part {
            comment:
                "Tables to come: one such line for each user who makes tables there (the schema's owner, the owners \
                      of its tables)."
                    .to_owned(),
            statements: Vec::new(),
            example: Some(default_privileges(&["owner"], &wanted.schema, &grant)),
        };
    }
    let owners: Vec<&str> = owners.iter().map(String::as_str).collect();
    Part::new("Tables that these users will make.", default_privileges(&owners, &wanted.schema, &grant))
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
        golden("script_source_role.sql", &script(&by_role(), false));
        golden("script_source_role_owners_unknown.sql", &script(&derived(by_role()), false));
        golden(
            "script_store_role_schema.sql",
            &script(&store(Wanted { future: FutureTables::Schema, ..by_role() }), false),
        );
        golden("script_store_direct.sql", &script(&store(direct()), false));
        golden("script_source_group.sql", &script(&group(Wanted { future: FutureTables::None, ..direct() }), false));
        golden("script_source_role_external.sql", &script(&by_role(), true));
        golden("script_source_nobody.sql", &script(&Wanted { grantee: None, ..derived(direct()) }, false));
    }

    #[test]
    fn a_role_whose_name_is_not_known_yet_has_a_word_in_its_place() {
        let unknown = script(&Wanted { through: Through::Role(ROLE.into()), ..by_role() }, false);
        let first = unknown.lines().next().map(str::to_owned).unwrap_or_default();
        assert!(first.starts_with("-- grant_role stands for"), "{first}");
        assert!(unknown.contains("CREATE ROLE \"grant_role\";"), "{unknown}");
        assert!(script(&by_role(), false).contains("CREATE ROLE \"tfds_0123456789\";"));
    }

    #[test]
    fn a_name_cannot_end_a_comment() {
        for name in ["a\nDROP SCHEMA x", "a\u{2028}b", "a\rb"] {
            for wanted in [Wanted { schema: name.into(), ..direct() }, Wanted { database: name.into(), ..direct() }] {
                let text = script(&wanted, false);
                assert!(text.starts_with("-- ") && text.lines().count() == 1 && !text.contains("DROP"), "{text}");
            }
        }
        let hostile = script(&Wanted { schema: "x\"; DROP SCHEMA y; --".into(), grantee: None, ..direct() }, false);
        assert!(hostile.lines().all(|line| line.starts_with("-- ")), "{hostile}");
    }
}
