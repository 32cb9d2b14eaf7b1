//! Dropping a user. Redshift itself looks only in the current database for what he owns and holds, and leaves the rest
//! dangling; so every database is looked at before anything is changed in any.

use tokio_util::sync::CancellationToken;

use super::acl;
use super::catalog::At;
use super::error::Error;
use super::handover::{Owners, clearing_steps, outside_steps};
use super::inventory::{Hold, Inventory, Outside, Owned, look};
use super::owners::Warning;
use super::principals::Group;
use super::run::{self, Retry};
use super::sql::{Sql, ident, literal};
use super::steps::{Step, table};
use super::warehouse::Warehouse;

/// At most this many blockers are listed.
const BLOCKERS: usize = 50;

/// A user is gone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    pub warnings: Vec<Warning>,
}

/// The databases of the warehouse itself: not shared ones, not the system's. In order.
pub async fn local_databases(at: At<'_>) -> Result<Vec<String>, Error> {
    const DATABASES: &str = "SELECT database_name FROM svv_redshift_databases WHERE database_type = 'local' \
        AND database_name NOT IN ('padb_harvest','template0','template1','sys:internal','awsdatacatalog')";
    let mut session = at.warehouse.session(at.database, at.cancel).await?;
    let rows = session.query(&Sql::from(DATABASES)).await?;
    let mut names =
        rows.iter().map(|row| Ok(row.text(0)?.trim_end().to_owned())).collect::<Result<Vec<String>, Error>>()?;
    names.sort();
    Ok(names)
}

/// Drops the user. What he owns and holds in any database but those in `skip_databases` blocks that, and is listed;
/// with `force` it is handed to the login and revoked. Memberships never block, they are revoked. A user who is gone
/// already is fine.
pub async fn drop_user(
    warehouse: &Warehouse,
    name: &str,
    force: bool,
    skip_databases: &[String],
    cancel: &CancellationToken,
) -> Result<Dropped, Error> {
    let home = warehouse.access().database.clone();
    let at = At::new(warehouse, &home, cancel);
    let catalog = warehouse.catalog();
    let principals = catalog.principals(at).await?;
    let Some(user) = principals.user(name).cloned() else { return Ok(Dropped::default()) };
    let facts = warehouse.facts(cancel).await?;
    if facts.user == name {
        return Err(Error::refused(
            format!("User {} is the login itself", ident(name)),
            "A user cannot drop himself. Sign in as somebody else.",
        ));
    }

    let mut retry = Retry::default();
    loop {
        let ran = drop_once(at, name, user.id, force, skip_databases).await;
        catalog.forget_principals();
        match ran {
            Ok(()) => break,
            Err(error) => retry.after(error, cancel).await?,
        }
    }
    let principals = catalog.principals(At { cancel: &CancellationToken::new(), ..at }).await?;
    if principals.user(name).is_some() {
        return Err(Error::refused(
            format!("User {} was not dropped", ident(name)),
            "The warehouse accepted DROP USER, but pg_user still lists the user.",
        ));
    }
    Ok(Dropped { warnings: blind_spots(warehouse, name, skip_databases, cancel).await })
}

/// Looks everywhere, then changes one database after the other, and drops the user last.
async fn drop_once(at: At<'_>, name: &str, id: i64, force: bool, skip_databases: &[String]) -> Result<(), Error> {
    let warehouse = at.warehouse;
    let found = look_everywhere(warehouse, name, id, skip_databases, at.cancel).await?;
    let outside = outside(at, name).await?;
    check(name, &found, &outside, force)?;
    for inventory in &found {
        clear(warehouse, inventory, name, id, at.cancel).await?;
    }
    let mut last = Vec::new();
    if force {
        last.extend(outside_steps(at.database, name, &outside));
    }
    for role in &outside.roles {
        let sql = format!("REVOKE ROLE {} FROM {}", ident(role), ident(name));
        last.push(Step::shared(at.database, sql, "a role"));
    }
    for group in &outside.groups {
        let sql = format!("ALTER GROUP {} DROP USER {}", ident(group), ident(name));
        last.push(Step::shared(at.database, sql, "a group"));
    }
    last.push(Step::shared(at.database, format!("DROP USER {}", ident(name)), "the user"));
    run_in(warehouse, at.database, &last, at.cancel).await
}

/// Takes away what the user has in one database, and looks again.
async fn clear(
    warehouse: &Warehouse,
    inventory: &Inventory,
    name: &str,
    id: i64,
    cancel: &CancellationToken,
) -> Result<(), Error> {
    let at = At::new(warehouse, &inventory.database, cancel);
    let login = warehouse.facts(cancel).await?.user.clone();
    let mut left = inventory.clone();
    // What is revoked can leave an empty row of default privileges behind, which is the second round's.
    for _ in 0..2 {
        let owners = Owners::load(at).await?;
        let steps = clearing_steps(&left, name, &login, &owners);
        if steps.is_empty() {
            return Ok(());
        }
        run_in(warehouse, &inventory.database, &steps, cancel).await?;
        left = look_in(warehouse, &inventory.database, name, id, cancel).await?;
    }
    let lines = blockers(&[left], &Outside::default(), name, false);
    if lines.is_empty() {
        return Ok(());
    }
    Err(Error::refused(
        format!("User {} could not be cleared out of database {}", ident(name), ident(&inventory.database)),
        format!("After the commit there is still:\n- {}\nThe user was not dropped.", lines.join("\n- ")),
    ))
}

async fn run_in(
    warehouse: &Warehouse,
    database: &str,
    steps: &[Step],
    cancel: &CancellationToken,
) -> Result<(), Error> {
    let mut turns = run::turn(warehouse, database, cancel).await?;
    turns.with_shared(warehouse, steps, cancel).await?;
    let ran = run::run(warehouse, database, steps, cancel).await;
    warehouse.catalog().forget(database);
    ran.map_err(|stopped| stopped.error)
}

/// Says what could not be looked at.
async fn blind_spots(
    warehouse: &Warehouse,
    name: &str,
    skip_databases: &[String],
    cancel: &CancellationToken,
) -> Vec<Warning> {
    let mut warnings = Vec::new();
    if !skip_databases.is_empty() {
        warnings.push(Warning {
            summary: format!("User {} was dropped without a look into {}", ident(name), skip_databases.join(", ")),
            detail:
                "What the user owned or held there is now owned by nobody (Redshift shows the owner as \"unknown\")."
                    .to_owned(),
        });
    }
    if warehouse.facts(cancel).await.is_ok_and(|facts| !facts.superuser) {
        warnings.push(Warning {
            summary: format!("Not everything about user {} could be seen", ident(name)),
            detail:
                "A login that is no superuser does not see the default privileges and the column, IAM and database \
                     rights of others."
                    .to_owned(),
        });
    }
    warnings
}

async fn look_everywhere(
    warehouse: &Warehouse,
    name: &str,
    id: i64,
    skip_databases: &[String],
    cancel: &CancellationToken,
) -> Result<Vec<Inventory>, Error> {
    let home = warehouse.access().database.clone();
    let mut all = Vec::new();
    for database in local_databases(At::new(warehouse, &home, cancel)).await? {
        if skip_databases.contains(&database) {
            continue;
        }
        let found = look_in(warehouse, &database, name, id, cancel).await;
        all.push(found.map_err(|error| cannot_look(error, &database, name))?);
    }
    Ok(all)
}

async fn look_in(
    warehouse: &Warehouse,
    database: &str,
    name: &str,
    id: i64,
    cancel: &CancellationToken,
) -> Result<Inventory, Error> {
    let mut inventory = {
        let mut session = warehouse.session(database, cancel).await?;
        look(&mut session, name, id).await?
    };
    let at = At::new(warehouse, database, cancel);
    let scopes = warehouse.catalog().user_scopes(at, None).await?;
    let his = scopes.0.iter().filter(|((user, _), _)| user == name);
    inventory.scoped = his.map(|((_, schema), rights)| (schema.clone(), *rights)).collect();
    Ok(inventory)
}

fn cannot_look(error: Error, database: &str, name: &str) -> Error {
    if matches!(error, Error::Cancelled) {
        return error;
    }
    Error::refused(
        format!("Cannot look into database {}", ident(database)),
        format!(
            "Before user {} is dropped, every database is searched for what he owns and holds, and nothing was changed \
             yet. {}: {}\nIf this database is not to be searched, name it in skip_databases.",
            ident(name),
            error.summary(),
            error.detail()
        ),
    )
}

async fn outside(at: At<'_>, name: &str) -> Result<Outside, Error> {
    let catalog = at.warehouse.catalog();
    let mut outside = Outside::default();
    let roles = catalog.roles(at, None).await?;
    outside.roles = roles.of_users.iter().filter(|(user, _)| user == name).map(|(_, role)| role.clone()).collect();
    let principals = catalog.principals(at).await?;
    if let Some(user) = principals.user(name) {
        outside.groups = principals.groups_of(user.id).map(|Group { name, .. }| name.clone()).collect();
    }
    let who = literal(name);
    let iam =
        format!("SELECT iam_arn, command_type, identity_type FROM svv_iam_privileges WHERE identity_name = {who}");
    for row in optional(at, &iam).await?.iter().filter(|row| is_user(row.get(2))) {
        outside.iam.push((trimmed(row.text(0)?), trimmed(row.text(1)?)));
    }
    let databases = format!(
        "SELECT database_name, privilege_type, identity_name, identity_type, privilege_scope FROM svv_database_privileges WHERE identity_name = {who}"
    );
    let local = local_databases(at).await?;
    for row in optional(at, &databases).await?.iter().filter(|row| is_user(row.get(3))) {
        let (database, privilege) = (trimmed(row.text(0)?), trimmed(row.text(1)?));
        let scope = row.get(4).map(trimmed).unwrap_or_default();
        // Plain rights on local databases are in their access control lists.
        if !local.contains(&database) || !matches!(scope.to_ascii_uppercase().as_str(), "" | "DATABASE") {
            outside.databases.push((database, privilege, scope));
        }
    }
    let shares = format!(
        "SELECT datashare_name, privilege_type, identity_type FROM svv_datashare_privileges WHERE identity_name = {who}"
    );
    for row in optional(at, &shares).await?.iter().filter(|row| is_user(row.get(2))) {
        outside.datashares.push((trimmed(row.text(0)?), trimmed(row.text(1)?)));
    }
    let rows =
        format!("SELECT polname, relschema, relname, granteekind FROM svv_rls_attached_policy WHERE grantee = {who}");
    let masks = format!(
        "SELECT policy_name, schema_name, table_name, grantee_type FROM svv_attached_masking_policy WHERE grantee = {who}"
    );
    for (kind, sql) in [("row-level security policy", rows), ("masking policy", masks)] {
        for row in optional(at, &sql).await?.iter().filter(|row| is_user(row.get(3))) {
            let (policy, on) = (trimmed(row.text(0)?), table(&trimmed(row.text(1)?), &trimmed(row.text(2)?)));
            outside.policies.push(format!("{kind} {} on {on}", ident(&policy)));
        }
    }
    Ok(outside)
}

/// A view that not every login may read, nor every release has: what it does not show is not looked at.
async fn optional(at: At<'_>, sql: &str) -> Result<Vec<super::row::Row>, Error> {
    let mut session = at.warehouse.session(at.database, at.cancel).await?;
    match session.query(&Sql::from(sql)).await {
        Err(error) if matches!(error.sqlstate(), Some("42501" | "42P01")) => Ok(Vec::new()),
        other => other,
    }
}

fn is_user(kind: Option<&str>) -> bool {
    kind.is_none_or(|kind| kind.trim().eq_ignore_ascii_case("user"))
}

fn trimmed(text: &str) -> String {
    text.trim_end().to_owned()
}

/// Refuses with the list of what blocks: everything, or with `force` what cannot be handed over or revoked here.
fn check(name: &str, databases: &[Inventory], outside: &Outside, force: bool) -> Result<(), Error> {
    let lines = blockers(databases, outside, name, force);
    if lines.is_empty() {
        return Ok(());
    }
    let more = lines.len().saturating_sub(BLOCKERS);
    let mut detail = lines.iter().take(BLOCKERS).map(|line| format!("- {line}")).collect::<Vec<_>>().join("\n");
    if more > 0 {
        detail.push_str(&format!("\n- and {more} more"));
    }
    detail.push_str(if force {
        "\nNothing was changed. These cannot be handed over or revoked here: remove them by hand."
    } else {
        "\nNothing was changed. Remove these, or set force_destroy = true: what the user owns is then handed to the \
         login, and what he holds is revoked."
    });
    Err(Error::refused(format!("User {} still owns or holds something", ident(name)), detail))
}

/// One line for each thing that blocks.
fn blockers(databases: &[Inventory], outside: &Outside, name: &str, force: bool) -> Vec<String> {
    let mut lines = Vec::new();
    for inventory in databases {
        let place = format!("database {}", ident(&inventory.database));
        for owned in inventory.owns.iter().filter(|owned| !force || owned.kind == "library") {
            lines.push(format!("{place}: owns {}", owned_in_words(owned)));
        }
        if force {
            continue;
        }
        lines.extend(inventory.holds.iter().map(|hold| format!("{place}: {}", hold_in_words(hold, name))));
        for row in inventory.defaults_by.iter().filter(|row| !row.to.is_empty()) {
            let to = row.to.iter().map(grantee_in_words).collect::<Vec<_>>().join(", ");
            lines.push(format!(
                "{place}: has set default privileges on {}{} for {to}",
                objects(row.objects),
                in_schema(&row.schema)
            ));
        }
        for row in &inventory.defaults_to {
            lines.push(format!(
                "{place}: is given {} by default on {}{} of {}",
                row.rights,
                objects(row.objects),
                in_schema(&row.schema),
                row.owner
            ));
        }
        for (schema, relation, column, privilege) in &inventory.columns {
            lines.push(format!("{place}: holds {privilege} on column {column} of {}", table(schema, relation)));
        }
        for (schema, rights) in &inventory.scoped {
            lines.push(format!("{place}: holds {rights} for tables in schema {}", ident(schema)));
        }
    }
    if !force {
        lines.extend(outside.iam.iter().map(|(arn, command)| format!("holds ASSUMEROLE on {arn} for {command}")));
        lines.extend(outside.databases.iter().map(|(database, privilege, scope)| {
            let scope = if scope.is_empty() { String::new() } else { format!(" ({})", scope.to_ascii_lowercase()) };
            format!("holds {privilege} on database {}{scope}", ident(database))
        }));
        lines.extend(
            outside
                .datashares
                .iter()
                .map(|(share, privilege)| format!("holds {privilege} on datashare {}", ident(share))),
        );
    }
    lines.extend(outside.policies.iter().map(|policy| format!("has {policy} attached")));
    lines
}

fn owned_in_words(owned: &Owned) -> String {
    match owned.kind.as_str() {
        "table" | "view" | "mview" => {
            let kind = if owned.kind == "mview" { "materialized view" } else { &owned.kind };
            format!("{kind} {}", table(&owned.schema, &owned.name))
        }
        "function" | "procedure" => format!("{} {} in schema {}", owned.kind, owned.name, ident(&owned.schema)),
        kind => format!("{kind} {}", ident(&owned.name)),
    }
}

fn hold_in_words(hold: &Hold, name: &str) -> String {
    let on = match hold.kind.as_str() {
        "relation" => format!("table {}", table(&hold.schema, &hold.name)),
        "function" | "procedure" => format!("{} {} in schema {}", hold.kind, hold.name, ident(&hold.schema)),
        kind => format!("{kind} {}", ident(&hold.name)),
    };
    if hold.is_to(name) {
        let grantor = hold.grantor.as_deref().unwrap_or("unknown");
        format!("holds {} on {on} (granted by {grantor})", hold.rights)
    } else {
        format!("has granted {} on {on} to {}", hold.rights, grantee_in_words(&hold.to))
    }
}

fn grantee_in_words(grantee: &acl::Grantee) -> String {
    match grantee {
        acl::Grantee::Public => "PUBLIC".to_owned(),
        acl::Grantee::User(name) => format!("user {name}"),
        acl::Grantee::Group(name) => format!("group {name}"),
    }
}

fn objects(objects: super::inventory::Objects) -> String {
    objects.sql().to_ascii_lowercase()
}

fn in_schema(schema: &str) -> String {
    if schema.is_empty() { String::new() } else { format!(" in schema {}", ident(schema)) }
}

#[cfg(test)]
mod tests {
    use super::super::inventory::{DefaultBy, DefaultTo, Objects};
    use super::super::rights::Rights;
    use super::*;

    fn inventory() -> Inventory {
        let owned = |kind: &str, schema: &str, name: &str| Owned {
            kind: kind.into(),
            schema: schema.into(),
            name: name.into(),
        };
        let hold = |kind: &str, to: &str, grantor: &str| Hold {
            kind: kind.into(),
            schema: "s".into(),
            name: "t".into(),
            to: acl::Grantee::User(to.into()),
            rights: Rights::READ,
            grantor: Some(grantor.into()),
        };
        Inventory {
            database: "dev".into(),
            owns: vec![owned("table", "s", "own"), owned("procedure", "s", "p(integer)"), owned("library", "", "lib")],
            holds: vec![
                hold("relation", "bob", "hr"),
                hold("relation", "eve", "bob"),
                hold("language", "bob", "rdsdb"),
            ],
            defaults_by: vec![
                DefaultBy {
                    objects: Objects::Tables,
                    schema: "s".into(),
                    to: vec![acl::Grantee::Group("g".into()), acl::Grantee::Public],
                },
                DefaultBy { objects: Objects::Functions, schema: String::new(), to: vec![] },
            ],
            defaults_to: vec![DefaultTo {
                objects: Objects::Tables,
                schema: String::new(),
                owner: "o".into(),
                rights: Rights::READ,
            }],
            columns: vec![("s".into(), "t".into(), "c".into(), "SELECT".into())],
            scoped: vec![("s".into(), Rights::READ)],
        }
    }

    fn outside() -> Outside {
        Outside {
            iam: vec![("arn:aws:iam::1:role/x".into(), "COPY".into())],
            databases: vec![("shared".into(), "USAGE".into(), "DATABASE".into())],
            datashares: vec![("share".into(), "ALTER".into())],
            policies: vec!["masking policy \"m\" on \"s\".\"t\"".into()],
            roles: vec!["r".into()],
            groups: vec!["g".into()],
        }
    }

    #[test]
    fn every_blocker_is_one_line_and_memberships_are_none() {
        assert_eq!(
            blockers(&[inventory()], &outside(), "bob", false),
            [
                "database \"dev\": owns table \"s\".\"own\"",
                "database \"dev\": owns procedure p(integer) in schema \"s\"",
                "database \"dev\": owns library \"lib\"",
                "database \"dev\": holds SELECT on table \"s\".\"t\" (granted by hr)",
                "database \"dev\": has granted SELECT on table \"s\".\"t\" to user eve",
                "database \"dev\": holds SELECT on language \"t\" (granted by rdsdb)",
                "database \"dev\": has set default privileges on tables in schema \"s\" for group g, PUBLIC",
                "database \"dev\": is given SELECT by default on tables of o",
                "database \"dev\": holds SELECT on column c of \"s\".\"t\"",
                "database \"dev\": holds SELECT for tables in schema \"s\"",
                "holds ASSUMEROLE on arn:aws:iam::1:role/x for COPY",
                "holds USAGE on database \"shared\" (database)",
                "holds ALTER on datashare \"share\"",
                "has masking policy \"m\" on \"s\".\"t\" attached",
            ]
        );
        let members = Outside { roles: vec!["r".into()], groups: vec!["g".into()], ..Outside::default() };
        assert!(blockers(&[Inventory::default()], &members, "bob", false).is_empty());
    }

    #[test]
    fn force_leaves_only_what_cannot_be_handed_over() {
        let left = blockers(&[inventory()], &outside(), "bob", true);
        assert_eq!(
            left,
            ["database \"dev\": owns library \"lib\"", "has masking policy \"m\" on \"s\".\"t\" attached"]
        );
    }

    #[test]
    fn the_refusal_lists_so_many_and_says_the_way_out() {
        let owned = Owned { kind: "table".into(), schema: "s".into(), name: "t".into() };
        let many = Inventory { database: "dev".into(), owns: vec![owned; BLOCKERS + 3], ..Inventory::default() };
        let error = check("bob", &[many.clone()], &Outside::default(), false).expect_err("blocks");
        assert!(error.detail().contains("and 3 more") && error.detail().contains("force_destroy"), "{error}");
        assert!(check("bob", &[many], &Outside::default(), true).is_ok());
    }
}
