//! Our own refusals about datastores: what cannot be done is said before anything is changed, with the next step.

use std::collections::BTreeMap;

use crate::engine::catalog::snapshot::Login;
use crate::engine::datastore::declared::Before;
use crate::engine::datastore::found::{Found, MayCreate, SchemaFound};
use crate::engine::datastore::grantee::{Grantee, GranteeKind};
use crate::engine::datastore::missing::{Lacks, lacks};
use crate::engine::datastore::owners::Warning;
use crate::engine::datastore::role::not_ours;
use crate::engine::datastore::steps::{default_privileges, scope, table};
use crate::engine::datastore::wanted::{Through, Wanted};
use crate::engine::error::Error;
use crate::engine::rights::Rights;
use crate::engine::sql::{Sql, ident, literal, sql};
use crate::engine::step::Step;

/// At most this many tables are written into one proposed statement.
const TABLES: usize = 20;

/// Checks that what is wanted can be done at all; nothing was changed yet.
pub fn check(found: &Found, wanted: &Wanted, before: &Before) -> Result<(), Error> {
    let Some(schema) = &found.schema else {
        return Err(no_schema(&wanted.schema, &wanted.database, &found.login));
    };
    let Some(grantee) = &wanted.grantee else { return Ok(()) };
    if holds_a_marker(schema) {
        return Err(Error::refused(
            format!("Schema {} is an integration's own", ident(&schema.name)),
            "A governance integration keeps its profile, its marker and the key that signs impersonation there. Nobody \
             else may read them, and the integration would take every right away again. Use another schema.",
        )
        .about("schema"));
    }
    if found.grantee == Some(false) {
        return Err(no_grantee(grantee, &found.other_kinds).about("service_user.name"));
    }
    if schema.external && wanted.write {
        return Err(Error::refused(
            format!("External schema {} cannot be an enrichment store", ident(&schema.name)),
            "In an external schema only USAGE can be granted: its tables cannot be written to through Redshift rights. \
             Use a local schema for an enrichment store.",
        ));
    }
    if schema.external && wanted.tables.is_some() {
        return Err(Error::refused(
            format!("External schema {} cannot be narrowed to some of its tables", ident(&schema.name)),
            "Whoever has USAGE on an external schema reads every table in it (AWS: GRANT). Leave `tables` out, or put the \
             tables into an external schema of their own.",
        )
        .about("service_user.tables"));
    }
    let lacks = lacks(found, wanted);
    let makes_role = match &wanted.through {
        Through::Role(role) => lacks.role || (lacks.unseen.role && !before.has_role(role)),
        Through::Direct => false,
    };
    if let Some((role, owner)) = wanted.role().and_then(|role| found.foreign_roles.get_key_value(role)) {
        return Err(not_ours(role, &[format!("user {} owns it", ident(owner))]));
    }
    if makes_role && !found.may_create_roles {
        return Err(no_roles(found, grantee));
    }
    if schema.external {
        return Ok(());
    }
    for owner in wanted.owners() {
        check_owner(found, schema, &lacks, owner)?;
    }
    Ok(())
}

/// Whether it is the `<prefix>_system` of an integration.
fn holds_a_marker(schema: &SchemaFound) -> bool {
    let holds = |name: &str| schema.relations.iter().any(|relation| relation.name == name);
    (schema.name.ends_with("_system") && holds("integration") && holds("profile"))
        || (schema.name.ends_with("_lock") && holds("integration_lock"))
}

fn no_roles(found: &Found, grantee: &Grantee) -> Error {
    Error::refused(
        format!("User {} may not create roles", ident(&found.login.name)),
        format!(
            "The rights of this datastore are to be given by a role of its own, and {} is neither a superuser nor \
                 has the CREATE ROLE permission. Either let a superuser run `GRANT CREATE ROLE TO ROLE <a role of {}>`, \
                 or set `grant_through = \"direct\"` in service_user: the rights are then granted to {grantee} itself.",
            found.login.name, found.login.name
        ),
    )
}

fn check_owner(found: &Found, schema: &SchemaFound, lacks: &Lacks, owner: &str) -> Result<(), Error> {
    if !lacks.defaults.contains_key(owner) {
        return Ok(());
    }
    match schema.may_create.get(owner) {
        None => Err(Error::refused(
            format!("User {} does not exist", ident(owner)),
            "default_privileges_for names users (never groups or roles) whose future tables are to be covered. \
             Redshift keeps the case of user names.",
        )),
        Some(MayCreate::No) => Err(Error::refused(
            format!("User {} may not create in schema {}", ident(owner), ident(&schema.name)),
            format!(
                "Redshift takes default privileges only for users who have CREATE on the schema. Leave {owner} out of \
                 default_privileges_for, or let {} run: GRANT CREATE ON SCHEMA {} TO {}",
                who(&schema.owner, &found.login),
                ident(&schema.name),
                ident(owner)
            ),
        )),
        Some(_) => Ok(()),
    }
}

/// There is no such database.
pub fn no_database(database: &str, error: &Error) -> Error {
    Error::refused(
        format!("Database {} does not exist", ident(database)),
        format!("The warehouse refused the session: {}", error.detail()),
    )
    .about("database")
}

/// The line of `missing` for a database that is not there.
pub fn database_in_words(database: &str) -> String {
    format!("database {}", ident(database))
}

/// There is no such schema, or it is hidden.
pub fn no_schema(schema: &str, database: &str, login: &Login) -> Error {
    let case = if login.case_sensitive {
        " This warehouse keeps the case of names (enable_case_sensitive_identifier)."
    } else {
        ""
    };
    let hidden = if login.superuser {
        String::new()
    } else {
        format!(" (A warehouse with metadata_security shows {} only what it may use.)", login.name)
    };
    Error::refused(
        format!("Schema {} does not exist in database {}", ident(schema), ident(database)),
        format!("User {} sees no such schema there.{case}{hidden}", ident(&login.name)),
    )
    .about("schema")
}

fn no_grantee(grantee: &Grantee, other_kinds: &[GranteeKind]) -> Error {
    let kind = match grantee.kind {
        GranteeKind::User => "User",
        GranteeKind::Group => "Group",
        GranteeKind::Role => "Role",
    };
    let detail = match other_kinds {
        [] => match grantee.kind {
            GranteeKind::User => "The user who is to get the rights must exist before: a redshift_user makes it. User \
                                  names keep their case."
                .to_owned(),
            kind => format!("The {kind} that is to get the rights must exist before."),
        },
        kinds => {
            let kinds = kinds.iter().map(|kind| format!("type = \"{kind}\"")).collect::<Vec<_>>().join(" or ");
            format!("There is one of that name of another kind: set {kinds} in service_user.")
        }
    };
    Error::refused(format!("{kind} {} does not exist", ident(&grantee.name)), detail)
}

fn who(owner: &str, login: &Login) -> String {
    if owner == login.name { "a superuser".to_owned() } else { format!("{owner}, or a superuser,") }
}

/// Says who must run what, where the warehouse refused to let the login pass on rights. Other errors stay as they are.
pub fn explain(error: Error, found: &Found, wanted: &Wanted) -> Error {
    if let (Error::Server(refused), Some(grantee)) = (&error, &wanted.grantee)
        && refused.sqlstate == "42501"
        && refused.statement.starts_with("CREATE ROLE ")
    {
        return no_roles(found, grantee);
    }
    if let (Error::Server(refused), Some(role), false) = (&error, wanted.role(), found.sees_all)
        && refused.sqlstate == "42710"
        && refused.statement.starts_with("CREATE ROLE ")
    {
        let why = format!("user {} does not see it, so it may be anybody's", ident(&found.login.name));
        return not_ours(role, &[why]);
    }
    if let Some(why) = columns_in_the_way(&error, wanted) {
        return why;
    }
    let is_refusal = match &error {
        Error::Refused { summary, .. } => summary == crate::engine::run::NOTHING_GRANTED,
        other => other.sqlstate() == Some("42501"),
    };
    // What a superuser is refused is not for others to give.
    let asks_others = is_refusal && !found.login.superuser;
    let statements = if asks_others { others_must_run(found, wanted) } else { Vec::new() };
    if statements.is_empty() {
        return error;
    }
    let mut detail = format!("{}\nNothing was changed. To let it succeed, run as the user named:\n", error.detail());
    detail.push_str(&statements.join("\n"));
    detail.push_str("\nOr sign in as a superuser.");
    Error::refused(
        format!("User {} may not pass on all rights in schema {}", ident(&found.login.name), ident(&wanted.schema)),
        detail,
    )
}

/// AWS, GRANT, usage notes: who has a right on columns of a table cannot be granted the same right on the table. How the
/// warehouse says so is not published, so that any refusal of such a GRANT names it, but for those of known kinds.
fn columns_in_the_way(error: &Error, wanted: &Wanted) -> Option<Error> {
    let Error::Server(refused) = error else { return None };
    let is_on_tables = refused.statement.starts_with("GRANT ") && refused.statement.contains(" TABLE");
    let is_known = matches!(refused.sqlstate.as_str(), "42501" | "42P01" | "3F000" | "42704" | "57014" | "25006");
    let holder = wanted.holder()?;
    if !is_on_tables || is_known || error.is_retryable() {
        return None;
    }
    Some(Error::refused(
        format!("The rights on the tables of schema {} were not granted", ident(&wanted.schema)),
        format!(
            "{}\nIf {holder} holds rights on single columns there, that is the cause: Redshift does not grant on a table what somebody already holds on its columns. They are listed by: SELECT relation_name, column_name, privilege_type FROM svv_column_privileges WHERE namespace_name = {} AND identity_name = {}; Revoke them, then apply again.",
            error.detail(),
            literal(&wanted.schema),
            literal(&holder.name)
        ),
    ))
}

/// The statements that let the login pass on what it may not pass on yet, each with who must run it.
fn others_must_run(found: &Found, wanted: &Wanted) -> Vec<String> {
    let Some(schema) = &found.schema else { return Vec::new() };
    let lacks = lacks(found, wanted);
    let to = sql!("{} WITH GRANT OPTION", ident(&found.login.name));
    let mut lines = Vec::new();
    let on_schema = lacks.schema.and(lacks.unseen.schema);
    if !schema.may_grant && !on_schema.is_empty() {
        let grant = sql!("GRANT {} ON SCHEMA {} TO {}", on_schema, ident(&schema.name), to);
        lines.push(format!("{}: {grant};", schema.owner));
    }
    let tables: Vec<(usize, Rights)> =
        lacks.tables.iter().copied().filter(|(index, _)| !schema.relations[*index].may_grant).collect();
    lines.extend(by_owner(schema, &tables, &to));
    let defaults = lacks.defaults.iter().chain(&lacks.unseen.defaults);
    for (owner, rights) in defaults.filter(|(owner, _)| **owner != found.login.name) {
        if let Some(held) = found.held.as_ref().filter(|held| held.exists != Some(false)) {
            let grant = sql!("GRANT {} ON TABLES TO {}", *rights, held.holder.sql());
            lines.push(format!("{owner}: {};", default_privileges(&[owner], &schema.name, &grant)));
        } else {
            lines.push(format!(
                "a superuser: GRANT ALTER DEFAULT PRIVILEGES TO ROLE <a role of {}>; (for the future tables of {owner})",
                found.login.name
            ));
        }
    }
    if !lacks.scoped.is_empty() || !lacks.unseen.scoped.is_empty() {
        let rights = lacks.scoped.and(lacks.unseen.scoped);
        let scope = scope(&schema.name, &wanted.database);
        lines.push(format!("a superuser: {};", sql!("GRANT {} FOR TABLES IN {} TO {}", rights, scope, to)));
    }
    lines
}

/// One statement for each owner of tables.
fn by_owner(schema: &SchemaFound, tables: &[(usize, Rights)], to: &Sql) -> Vec<String> {
    let mut owners: BTreeMap<&str, (Rights, Vec<&str>)> = BTreeMap::new();
    for (index, rights) in tables {
        let relation = &schema.relations[*index];
        let (all, names) = owners.entry(&relation.owner).or_default();
        *all = all.and(*rights);
        names.push(&relation.name);
    }
    owners
        .into_iter()
        .map(|(owner, (rights, names))| {
            let more = names.len().saturating_sub(TABLES);
            let list = Sql::join(", ", names.iter().take(TABLES).map(|name| table(&schema.name, name)));
            let rest = if more > 0 { format!(" (and {more} more)") } else { String::new() };
            format!("{owner}: {};{rest}", sql!("GRANT {} ON TABLE {} TO {}", rights, list, *to))
        })
        .collect()
}

/// What was committed is not there when it is read back. A role that this apply made may be gone when this is read, so each
/// owner is asked to let the login pass the right on, which can be run in any case.
pub fn not_read_back(found: &Found, wanted: &Wanted, missing: &[String]) -> Error {
    let mut detail = format!("After the commit the warehouse still lacks:\n{}", missing.join("\n"));
    if let (Some(schema), false) = (&found.schema, found.login.superuser) {
        let lacks = lacks(found, wanted);
        let to = sql!("{} WITH GRANT OPTION", ident(&found.login.name));
        let mut lines = Vec::new();
        if !lacks.schema.is_empty() {
            let grant = sql!("GRANT {} ON SCHEMA {} TO {}", lacks.schema, ident(&schema.name), to);
            lines.push(format!("{}: {grant};", schema.owner));
        }
        lines.extend(by_owner(schema, &lacks.tables, &to));
        if !lines.is_empty() {
            detail.push_str("\nThe owners must let the login grant it:\n");
            detail.push_str(&lines.join("\n"));
        }
    }
    detail.push_str("\nTables may have been dropped or made all the while. Then apply again.");
    Error::refused(format!("Rights on schema {} were not granted", ident(&wanted.schema)), detail)
}

/// What would still have to be taken back after the commit. From a role of our own that is an error. What a grantee
/// keeps was given by somebody who may pass it on: only he can take it back.
pub fn left_behind(left: &[Step], declared: &Wanted) -> Result<Option<Warning>, Error> {
    if left.is_empty() {
        return Ok(None);
    }
    let summary = format!("Rights on schema {} were not taken back", ident(&declared.schema));
    let statements = left.iter().map(|step| format!("{};", step.sql)).collect::<Vec<_>>().join("\n");
    if declared.role().is_some() {
        return Err(Error::refused(
            summary,
            format!("After the commit these statements would still have something to do:\n{statements}"),
        ));
    }
    let detail = format!(
        "They were given by somebody else who may pass them on, and a REVOKE takes back what the object's owner gave. Let \
         who gave them run, in database {}:\n{statements}",
        ident(&declared.database)
    );
    Ok(Some(Warning { summary, detail }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::datastore::wanted::FutureTables;
    use crate::engine::datastore::world::{World, by_role, direct};
    use crate::engine::error::ServerError;

    fn refused(world: &World, wanted: &Wanted) -> String {
        match check(&world.found(wanted, &Before::default()), wanted, &Before::default()) {
            Ok(()) => String::new(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn what_is_not_there_or_cannot_be_is_named_before_anything_is_changed() {
        let world = World::sample();
        assert_eq!(refused(&world, &direct()), "");
        assert_eq!(refused(&world, &by_role()), "");
        assert_eq!(refused(&world, &Wanted { schema: "SALES".into(), ..direct() }), "");
        let to = |grantee| Wanted { grantee: Some(grantee), ..direct() };
        let owners = |name: &str| Wanted { future: FutureTables::Owners(vec![name.into()]), ..direct() };
        for (wanted, words) in [
            (
                Wanted { schema: "nowhere".into(), ..direct() },
                vec!["Schema \"nowhere\" does not exist in database \"dev\""],
            ),
            (to(Grantee::user("nobody")), vec!["User \"nobody\" does not exist", "redshift_user"]),
            (to(Grantee::user("SVC")), vec!["User \"SVC\" does not exist", "keep their case"]),
            (to(Grantee::user("readers")), vec!["User \"readers\" does not exist", "type = \"group\""]),
            (to(Grantee::group("svc")), vec!["Group \"svc\" does not exist", "type = \"user\""]),
            (to(Grantee::role("svc")), vec!["Role \"svc\" does not exist", "type = \"user\""]),
            (owners("nobody"), vec!["User \"nobody\" does not exist", "default_privileges_for"]),
            (
                owners("other"),
                vec!["\"other\" may not create in schema \"sales\"", "GRANT CREATE ON SCHEMA \"sales\" TO \"other\""],
            ),
        ] {
            let text = refused(&world, &wanted);
            assert!(words.iter().all(|word| text.contains(word)), "{text}");
        }
        let mut external = World::sample();
        external.tables.clear();
        external.external.insert("sales".into());
        assert!(refused(&external, &Wanted { write: true, ..direct() }).contains("cannot be an enrichment store"));
    }

    #[test]
    fn who_may_not_make_roles_is_offered_direct_grants() {
        let mut world = World::sample();
        world.sign_in("owner", &[]);
        let text = refused(&world, &by_role());
        assert!(text.contains("CREATE ROLE") && text.contains("grant_through = \"direct\""), "{text}");
        assert_eq!(refused(&world, &direct()), "");
        world.sign_in("owner", &["CREATE ROLE"]);
        assert_eq!(refused(&world, &by_role()), "");
        // A role that was made before needs no right to make one.
        world.sign_in("owner", &[]);
        let before = Before::of(&by_role());
        assert!(check(&world.found(&by_role(), &before), &by_role(), &before).is_ok());
    }

    #[test]
    fn a_refused_grant_names_the_owners_and_what_each_must_run() {
        let mut world = World::sample();
        world.sign_in("etl", &["CREATE ROLE"]);
        let wanted = direct();
        let found = world.found(&wanted, &Before::default());
        let denied = Error::from(ServerError::new("42501", "permission denied for schema sales"));
        let error = explain(denied, &found, &wanted);
        let text = error.to_string();
        for line in [
            "owner: GRANT USAGE ON SCHEMA \"sales\" TO \"etl\" WITH GRANT OPTION;",
            "owner: GRANT SELECT ON TABLE \"sales\".\"orders\", \"sales\".\"totals\" TO \"etl\" WITH GRANT OPTION;",
            "owner: ALTER DEFAULT PRIVILEGES FOR USER \"owner\" IN SCHEMA \"sales\" GRANT SELECT ON TABLES TO \"svc\";",
            "permission denied for schema sales",
            "Nothing was changed",
        ] {
            assert!(text.contains(line), "{line} is not in:\n{text}");
        }
        assert!(!text.contains("\"lines\""), "his own table is not among them: {text}");

        let warning = Error::refused(crate::engine::run::NOTHING_GRANTED, "01007");
        assert!(explain(warning, &found, &wanted).to_string().contains("owner: GRANT USAGE"));
        let conflict = Error::from(ServerError::new("40001", "x"));
        assert_eq!(explain(conflict.clone(), &found, &wanted), conflict);
        let statement = "CREATE ROLE \"tfds_0123456789\"".to_owned();
        let denied = Error::from(ServerError { statement, ..ServerError::new("42501", "permission denied") });
        assert!(explain(denied, &found, &wanted).to_string().contains("grant_through = \"direct\""));
        let all = World::sample().found(&wanted, &Before::default());
        let denied = Error::from(ServerError::new("42501", "x"));
        assert_eq!(explain(denied.clone(), &all, &wanted), denied, "a superuser is told what the warehouse said");
    }

    #[test]
    fn what_does_not_read_back_is_told_with_owner_and_statement() {
        let mut world = World::sample();
        world.sign_in("loader", &[]);
        let found = world.found(&direct(), &Before::default());
        let missing = crate::engine::datastore::missing::missing(&found, &direct());
        let text = not_read_back(&found, &direct(), &missing).to_string();
        assert!(text.contains("SELECT on 3 of 3 tables"), "{text}");
        let grant = "etl: GRANT SELECT ON TABLE \"sales\".\"lines\" TO \"loader\" WITH GRANT OPTION;";
        assert!(text.contains(grant), "{text}");
    }

    #[test]
    fn a_long_list_of_tables_is_cut() {
        let mut world = World::sample();
        for number in 0..30 {
            world.add_table(&format!("t{number:02}"), "owner");
        }
        world.sign_in("loader", &[]);
        let found = world.found(&direct(), &Before::default());
        let text = not_read_back(&found, &direct(), &[]).to_string();
        assert!(text.contains("(and 12 more)"), "{text}");
    }
}
