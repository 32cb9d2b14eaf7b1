//! What keeps a user from being dropped, in words.

use crate::engine::catalog::acl;
use crate::engine::error::{Error, shown};
use crate::engine::sql::ident;
use crate::engine::user::handover::{on_datashare, revoke_on_database, to_hand_over};
use crate::engine::user::inventory::{Hold, Inventory, Objects, OnDatabase, Outside, Owned};
use crate::engine::user::table;

/// At most this many blockers are listed.
const BLOCKERS: usize = 50;

/// Refuses with the list of what blocks: everything, or with `force` what cannot be handed over or revoked here.
pub(super) fn check(name: &str, databases: &[Inventory], outside: &Outside, force: bool) -> Result<(), Error> {
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
        "\nNothing was changed. These cannot be handed over or revoked here: remove them by hand. (Views, and routines \
         that run with their owner's rights, would go on with the login's: whoever may use them would gain those. Drop \
         them, or give them to another user.)"
    } else {
        "\nNothing was changed. Remove these, or set force_destroy = true: what the user owns is then handed to the \
         login, and what he holds is revoked."
    });
    Err(Error::refused(format!("User {} still owns or holds something", ident(name)), detail))
}

/// One line for each thing that blocks.
pub(super) fn blockers(databases: &[Inventory], outside: &Outside, name: &str, force: bool) -> Vec<String> {
    let mut lines = Vec::new();
    for inventory in databases {
        let place = format!("database {}", ident(&inventory.database));
        for owned in inventory.owns.iter().filter(|owned| !force || to_hand_over(owned).is_none()) {
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
                shown(&row.owner)
            ));
        }
        for (schema, relation, column, privilege) in &inventory.columns {
            lines.push(format!(
                "{place}: holds {privilege} on column {} of {}",
                shown(column),
                table(schema, relation)
            ));
        }
        for (schema, rights) in &inventory.scoped {
            lines.push(format!("{place}: holds {rights} for tables in schema {}", ident(schema)));
        }
    }
    if !force {
        lines.extend(
            outside.iam.iter().map(|(arn, command)| format!("holds ASSUMEROLE on {} for {command}", shown(arn))),
        );
    }
    let on_databases = outside.databases.iter().filter(|right| !force || revoke_on_database(right, name).is_none());
    lines.extend(on_databases.map(right_in_words));
    let on_shares = outside.datashares.iter().filter(|(_, privilege)| !force || on_datashare(privilege).is_none());
    lines.extend(on_shares.map(|(share, privilege)| format!("holds {privilege} on datashare {}", ident(share))));
    lines.extend(outside.policies.iter().map(|policy| format!("has {} attached", shown(policy))));
    lines
}

fn right_in_words(right: &OnDatabase) -> String {
    let OnDatabase { database, privilege, scope, .. } = right;
    let scope = if scope.is_empty() { String::new() } else { format!(" ({})", scope.to_ascii_lowercase()) };
    format!("holds {privilege} on database {}{scope}", ident(database))
}

fn owned_in_words(owned: &Owned) -> String {
    match owned.kind.as_str() {
        "table" | "view" | "mview" => {
            let kind = if owned.kind == "mview" { "materialized view" } else { &owned.kind };
            format!("{kind} {}", table(&owned.schema, &owned.name))
        }
        "function" | "procedure" => format!("{} {} in schema {}", owned.kind, shown(&owned.name), ident(&owned.schema)),
        "definer" => format!("routine {} (SECURITY DEFINER) in schema {}", shown(&owned.name), ident(&owned.schema)),
        kind => format!("{kind} {}", ident(&owned.name)),
    }
}

fn hold_in_words(hold: &Hold, name: &str) -> String {
    let on = match hold.kind.as_str() {
        "relation" => format!("table {}", table(&hold.schema, &hold.name)),
        "function" | "procedure" => format!("{} {} in schema {}", hold.kind, shown(&hold.name), ident(&hold.schema)),
        kind => format!("{kind} {}", ident(&hold.name)),
    };
    // What is left of GRANT ALL when all that have names were revoked.
    let rights = if hold.rights.is_empty() { "rights without a name".to_owned() } else { hold.rights.to_string() };
    if hold.is_to(name) {
        let grantor = shown(hold.grantor.as_deref().unwrap_or("unknown"));
        format!("holds {rights} on {on} (granted by {grantor})")
    } else {
        format!("has granted {rights} on {on} to {}", grantee_in_words(&hold.to))
    }
}

fn grantee_in_words(grantee: &acl::Grantee) -> String {
    match grantee {
        acl::Grantee::Public => "PUBLIC".to_owned(),
        acl::Grantee::User(name) => format!("user {}", shown(name)),
        acl::Grantee::Group(name) => format!("group {}", shown(name)),
    }
}

fn objects(objects: Objects) -> String {
    objects.sql().to_string().to_ascii_lowercase()
}

fn in_schema(schema: &str) -> String {
    if schema.is_empty() { String::new() } else { format!(" in schema {}", ident(schema)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::rights::Rights;
    use crate::engine::user::inventory::{DefaultBy, DefaultTo};
    use crate::engine::user::routine::Routine;

    fn inventory() -> Inventory {
        let owned = |kind: &str, schema: &str, name: &str| Owned {
            kind: kind.into(),
            schema: schema.into(),
            name: name.into(),
            routine: Routine::parse(schema, "p", name),
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
        let right = |privilege: &str, scope: &str| OnDatabase {
            database: "shared".into(),
            privilege: privilege.into(),
            scope: scope.into(),
            is_local: false,
        };
        Outside {
            iam: vec![("arn:aws:iam::1:role/x".into(), "COPY".into())],
            databases: vec![right("USAGE", "DATABASE"), right("OWN", "TABLES")],
            datashares: vec![("share".into(), "ALTER".into()), ("share".into(), "OWN".into())],
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
                "holds OWN on database \"shared\" (tables)",
                "holds ALTER on datashare \"share\"",
                "holds OWN on datashare \"share\"",
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
            [
                "database \"dev\": owns library \"lib\"",
                "holds OWN on database \"shared\" (tables)",
                "holds OWN on datashare \"share\"",
                "has masking policy \"m\" on \"s\".\"t\" attached"
            ]
        );
    }

    #[test]
    fn the_refusal_lists_so_many_and_says_the_way_out() {
        let owned = Owned { kind: "table".into(), schema: "s".into(), name: "t".into(), routine: None };
        let many = Inventory { database: "dev".into(), owns: vec![owned; BLOCKERS + 3], ..Inventory::default() };
        let error = check("bob", std::slice::from_ref(&many), &Outside::default(), false).expect_err("blocks");
        assert!(error.detail().contains("and 3 more") && error.detail().contains("force_destroy"), "{error}");
        assert!(check("bob", &[many], &Outside::default(), true).is_ok());
    }
}
