//! What keeps a user from being dropped, in words.

use crate::engine::error::{Error, shown};
use crate::engine::rights::Privilege;
use crate::engine::sql::ident;
use crate::engine::user::chain::Given;
use crate::engine::user::handover::{on_datashare, revoke_assumerole, revoke_on_database, to_hand_over};
use crate::engine::user::holder::Holder;
use crate::engine::user::inventory::{Inventory, Objects, OnDatabase, OnObject, Outside, Owned};
use crate::engine::user::table;

/// At most this many blockers are listed.
const BLOCKERS: usize = 50;

/// Refuses with the list of what blocks: everything, or with `force` what cannot be handed over or revoked here.
pub(super) fn check(name: &str, databases: &[Inventory], outside: &Outside, force: bool) -> Result<(), Error> {
    let lines = blockers(databases, outside, name, force);
    if lines.is_empty() {
        return Ok(());
    }
    let mut detail = listed(&lines);
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

/// The lines that are shown, one below the other.
pub(super) fn listed(lines: &[String]) -> String {
    let more = lines.len().saturating_sub(BLOCKERS);
    let mut text = lines.iter().take(BLOCKERS).map(|line| format!("- {line}")).collect::<Vec<_>>().join("\n");
    if more > 0 {
        text.push_str(&format!("\n- and {more} more"));
    }
    text
}

/// One line for each thing that blocks.
pub(super) fn blockers(databases: &[Inventory], outside: &Outside, name: &str, force: bool) -> Vec<String> {
    let mut lines = Vec::new();
    for inventory in databases {
        let place = format!("database {}", ident(&inventory.database));
        for owned in inventory.owns.iter().filter(|owned| !force || to_hand_over(owned).is_none()) {
            lines.push(format!("{place}: owns {}", owned_in_words(owned)));
        }
        let columns =
            inventory.columns.iter().filter(|right| !force || Privilege::from_name(&right.privilege).is_none());
        for right in columns {
            let on = table(&right.schema, &right.relation);
            lines.push(format!(
                "{place}: holds {} on column {} of {on}",
                shown(&right.privilege),
                shown(&right.column)
            ));
        }
        for right in inventory.scoped.iter().filter(|right| !force || !right.is_known()) {
            lines.push(format!("{place}: holds {}", shown(&right.words())));
        }
        lines.extend(inventory.by_hand.iter().map(|words| format!("{place}: {}", shown(words))));
        if force {
            continue;
        }
        for object in &inventory.objects {
            lines.extend(object.of(name).map(|one| format!("{place}: {}", given_in_words(object, one, name))));
        }
        for row in inventory.defaults_by.iter().filter(|row| !row.to.is_empty()) {
            let to = row.to.iter().map(Holder::words).collect::<Vec<_>>().join(", ");
            let (objects, schema) = (objects(row.objects), in_schema(&row.schema));
            lines.push(format!("{place}: has set default privileges on {objects}{schema} for {to}"));
        }
        for row in &inventory.defaults_to {
            let owner = match &row.owner {
                Holder::User(owner) => shown(owner).into_owned(),
                other => other.words(),
            };
            let (objects, schema) = (objects(row.objects), in_schema(&row.schema));
            lines.push(format!("{place}: is given {} by default on {objects}{schema} of {owner}", row.rights));
        }
    }
    if !force {
        lines.extend(outside.owned_roles.iter().map(|role| format!("owns role {}", ident(role))));
    }
    lines.extend(outside.owned_shares.iter().map(|share| format!("owns datashare {}", ident(share))));
    let assumed = outside.iam.iter().filter(|right| !force || revoke_assumerole(right, name).is_none());
    lines.extend(assumed.map(|(arn, command)| format!("holds ASSUMEROLE on {} for {}", shown(arn), shown(command))));
    let on_databases = outside.databases.iter().filter(|right| !force || revoke_on_database(right, name).is_none());
    lines.extend(on_databases.map(right_in_words));
    let on_shares = outside.datashares.iter().filter(|(_, privilege)| !force || on_datashare(privilege).is_none());
    let on_share =
        |(share, privilege): &(String, String)| format!("holds {} on datashare {}", shown(privilege), ident(share));
    lines.extend(on_shares.map(on_share));
    lines.extend(outside.by_hand.iter().map(|words| shown(words).into_owned()));
    lines
}

/// What no statement can take away, since it names somebody who is gone. It may not keep the user from being dropped: the
/// warehouse says that when it is tried.
pub(super) fn stuck(databases: &[Inventory], name: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for inventory in databases {
        let place = format!("database {}", ident(&inventory.database));
        for object in &inventory.objects {
            let stuck = object.of(name).filter(|one| object.is_stuck(one));
            lines.extend(stuck.map(|one| format!("{place}: {}", given_in_words(object, one, name))));
        }
        let gone = inventory.defaults_to.iter().filter(|row| matches!(row.owner, Holder::Gone(_)));
        lines.extend(gone.map(|row| {
            let (objects, schema) = (objects(row.objects), in_schema(&row.schema));
            format!("{place}: is given {} by default on {objects}{schema} of {}", row.rights, row.owner.words())
        }));
    }
    lines
}

fn right_in_words(right: &OnDatabase) -> String {
    let OnDatabase { database, privilege, scope } = right;
    let scope = if scope.is_empty() { String::new() } else { format!(" ({})", shown(&scope.to_ascii_lowercase())) };
    format!("holds {} on database {}{scope}", shown(privilege), ident(database))
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

fn given_in_words(object: &OnObject, one: &Given, name: &str) -> String {
    let on = match object.kind.as_str() {
        "relation" => format!("table {}", table(&object.schema, &object.name)),
        "function" | "procedure" => {
            format!("{} {} in schema {}", object.kind, shown(&object.name), ident(&object.schema))
        }
        kind => format!("{kind} {}", ident(&object.name)),
    };
    // What is left of GRANT ALL when all that have names were revoked.
    let rights = if one.rights.is_empty() { "rights without a name".to_owned() } else { one.rights.to_string() };
    if one.by == name {
        return format!("has granted {rights} on {on} to {}", one.to.words());
    }
    let giver = match object.gone.contains(&one.by) {
        true => Holder::Gone(one.by.clone()).words(),
        false => shown(&one.by).into_owned(),
    };
    format!("holds {rights} on {on} (granted by {giver})")
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
    use crate::engine::user::inventory::{DefaultBy, DefaultTo, OnColumn};
    use crate::engine::user::routine::Routine;
    use crate::engine::user::scoped::Scoped;

    fn inventory() -> Inventory {
        let owned = |kind: &str, schema: &str, name: &str| Owned {
            kind: kind.into(),
            schema: schema.into(),
            name: name.into(),
            routine: Routine::parse(schema, "p", name),
        };
        let user = |name: &str| Holder::User(name.into());
        let given = |by: &str, to: Holder| Given { by: by.into(), to, rights: Rights::READ, options: Rights::NONE };
        let object = |kind: &str, given: Vec<Given>| OnObject {
            kind: kind.into(),
            schema: "s".into(),
            name: "t".into(),
            routine: None,
            owner: "o".into(),
            given,
            gone: vec!["157".into()],
        };
        let gone = Holder::Gone("155".into());
        let default_to =
            |owner: Holder| DefaultTo { objects: Objects::Tables, schema: String::new(), owner, rights: Rights::READ };
        let column = |privilege: &str| OnColumn {
            schema: "s".into(),
            relation: "t".into(),
            column: "c".into(),
            privilege: privilege.into(),
        };
        let scoped = |scope: &str, schema: Option<&str>| Scoped {
            scope: scope.into(),
            schema: schema.map(str::to_owned),
            privilege: "USAGE".into(),
        };
        Inventory {
            database: "dev".into(),
            owns: vec![owned("table", "s", "own"), owned("procedure", "s", "p(integer)"), owned("library", "", "lib")],
            objects: vec![
                object("relation", vec![given("hr", user("bob")), given("bob", user("eve")), given("bob", gone)]),
                object("language", vec![given("157", user("bob")), given("o", user("eve"))]),
            ],
            defaults_by: vec![
                DefaultBy {
                    objects: Objects::Tables,
                    schema: "s".into(),
                    to: vec![Holder::Group("g".into()), Holder::Public, Holder::Role("r".into())],
                },
                DefaultBy { objects: Objects::Functions, schema: String::new(), to: vec![] },
            ],
            defaults_to: vec![default_to(user("o")), default_to(Holder::Gone("9".into()))],
            columns: vec![column("SELECT"), column("FLY")],
            scoped: vec![scoped("FUNCTIONS", Some("s")), scoped("LANGUAGES", None), scoped("WIDGETS", None)],
            by_hand: vec!["has masking policy \"m\" on \"s\".\"t\" attached".into()],
        }
    }

    fn outside() -> Outside {
        let right = |privilege: &str, scope: &str| OnDatabase {
            database: "shared".into(),
            privilege: privilege.into(),
            scope: scope.into(),
        };
        Outside {
            local: Vec::new(),
            iam: vec![("arn:aws:iam::1:role/x".into(), "COPY".into()), ("arn:aws:iam::1:role/x".into(), "FLY".into())],
            databases: vec![right("USAGE", "DATABASE"), right("OWN", "TABLES")],
            datashares: vec![("share".into(), "ALTER".into()), ("share".into(), "OWN".into())],
            owned_shares: vec!["pool".into()],
            owned_roles: vec!["his".into()],
            roles: vec!["r".into()],
            groups: vec!["g".into()],
            by_hand: vec!["has the system permission FLY".into()],
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
                "database \"dev\": holds SELECT on column c of \"s\".\"t\"",
                "database \"dev\": holds FLY on column c of \"s\".\"t\"",
                "database \"dev\": holds USAGE for functions in schema \"s\"",
                "database \"dev\": holds USAGE for languages in the database",
                "database \"dev\": holds USAGE for widgets in the database",
                "database \"dev\": has masking policy \"m\" on \"s\".\"t\" attached",
                "database \"dev\": holds SELECT on table \"s\".\"t\" (granted by hr)",
                "database \"dev\": has granted SELECT on table \"s\".\"t\" to user eve",
                "database \"dev\": has granted SELECT on table \"s\".\"t\" to a user who no longer exists (155)",
                "database \"dev\": holds SELECT on language \"t\" (granted by a user who no longer exists (157))",
                "database \"dev\": has set default privileges on tables in schema \"s\" for group g, PUBLIC, role r",
                "database \"dev\": is given SELECT by default on tables of o",
                "database \"dev\": is given SELECT by default on tables of a user who no longer exists (9)",
                "owns role \"his\"",
                "owns datashare \"pool\"",
                "holds ASSUMEROLE on arn:aws:iam::1:role/x for COPY",
                "holds ASSUMEROLE on arn:aws:iam::1:role/x for FLY",
                "holds USAGE on database \"shared\" (database)",
                "holds OWN on database \"shared\" (tables)",
                "holds ALTER on datashare \"share\"",
                "holds OWN on datashare \"share\"",
                "has the system permission FLY",
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
                "database \"dev\": holds FLY on column c of \"s\".\"t\"",
                "database \"dev\": holds USAGE for widgets in the database",
                "database \"dev\": has masking policy \"m\" on \"s\".\"t\" attached",
                "owns datashare \"pool\"",
                "holds ASSUMEROLE on arn:aws:iam::1:role/x for FLY",
                "holds OWN on database \"shared\" (tables)",
                "holds OWN on datashare \"share\"",
                "has the system permission FLY",
            ]
        );
        assert_eq!(
            stuck(&[inventory()], "bob"),
            [
                "database \"dev\": has granted SELECT on table \"s\".\"t\" to a user who no longer exists (155)",
                "database \"dev\": holds SELECT on language \"t\" (granted by a user who no longer exists (157))",
                "database \"dev\": is given SELECT by default on tables of a user who no longer exists (9)",
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
