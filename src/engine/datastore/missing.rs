//! What a datastore lacks, and how that is said.

use std::collections::BTreeMap;

use crate::engine::datastore::found::{Found, Held, RelationFound, SchemaFound};
use crate::engine::datastore::wanted::{FutureTables, Through, Wanted};
use crate::engine::error::shown;
use crate::engine::rights::{Privilege, Rights};
use crate::engine::sql::ident;

/// At most this many tables are named in one line.
const NAMES: usize = 20;

/// What is certainly missing, and what cannot be seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lacks {
    /// The schema is not there; then nothing else is said.
    pub no_schema: bool,
    /// The datastore's role is not there; it lacks everything, then.
    pub role: bool,
    pub schema: Rights,
    /// Index of the relation, and what the holder lacks there.
    pub tables: Vec<(usize, Rights)>,
    pub defaults: BTreeMap<String, Rights>,
    pub scoped: Rights,
    /// TEMP on the database, without which nobody can query an external table.
    pub temp: bool,
    /// The grantee does not hold the datastore's role.
    pub member: bool,
    pub unseen: Unseen,
}

/// What the login cannot see: it may be there or not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unseen {
    /// Whether the role is there, and what it holds.
    pub role: bool,
    pub schema: Rights,
    /// On some tables.
    pub tables: Rights,
    pub defaults: BTreeMap<String, Rights>,
    pub scoped: Rights,
    pub member: bool,
}

impl Lacks {
    /// Whether nothing is certainly missing.
    pub fn is_empty(&self) -> bool {
        *self == Lacks { unseen: self.unseen.clone(), ..Lacks::default() }
    }

    /// What is lacked on any table.
    pub fn on_tables(&self) -> Rights {
        self.tables.iter().fold(Rights::NONE, |all, (_, rights)| all.and(*rights))
    }
}

impl Unseen {
    /// Whether everything could be seen.
    pub fn is_empty(&self) -> bool {
        *self == Unseen::default()
    }
}

/// What the datastore wants on tables by plain grants: nothing where a scoped right covers them, or where they are
/// elsewhere.
pub fn plain_table_rights(wanted: &Wanted, external: bool) -> Rights {
    if external || wanted.future == FutureTables::Schema { Rights::NONE } else { wanted.table_rights() }
}

/// What the datastore wants on all tables of the schema in one right.
pub fn scoped_rights(wanted: &Wanted, external: bool) -> Rights {
    if !external && wanted.future == FutureTables::Schema { wanted.table_rights() } else { Rights::NONE }
}

/// What of the wanted table rights makes sense on a relation: a view is only read.
pub fn rights_on(relation: &RelationFound, rights: Rights) -> Rights {
    if relation.writable { rights } else { rights.common(Rights::READ) }
}

/// Whether a right that is lacked on a relation matters to this datastore.
pub fn counts_for(relation: &RelationFound, wanted: &Wanted, case_sensitive: bool) -> bool {
    relation.counts && wanted.includes(&relation.name, case_sensitive)
}

/// Compares what was found with what is wanted.
pub fn lacks(found: &Found, wanted: &Wanted) -> Lacks {
    let (Some(held), Some(_)) = (&found.held, &wanted.grantee) else {
        return Lacks { no_schema: found.schema.is_none(), ..Lacks::default() };
    };
    let Some(schema) = &found.schema else { return Lacks { no_schema: true, ..Lacks::default() } };
    let is_role = matches!(wanted.through, Through::Role(_));
    let mut lacks = Lacks { role: is_role && held.exists == Some(false), ..Lacks::default() };
    lacks.unseen.role = is_role && held.exists.is_none();

    lacks.schema = held.schema.lacks(wanted.schema_rights());
    lacks.unseen.schema = held.schema.unsure(wanted.schema_rights());
    let on_tables = plain_table_rights(wanted, schema.external);
    let counts = |relation: &RelationFound| counts_for(relation, wanted, found.login.case_sensitive);
    for (index, relation) in schema.relations.iter().enumerate().filter(|(_, relation)| counts(relation)) {
        let wanted = rights_on(relation, on_tables);
        match held.relations.get(index).copied().flatten() {
            Some(rights) if !rights.covers(wanted) => lacks.tables.push((index, wanted.without(rights))),
            Some(_) => {}
            None => lacks.unseen.tables = lacks.unseen.tables.and(wanted),
        }
    }
    if !schema.external {
        for owner in wanted.owners().iter().filter(|owner| !is_dropped_owner(schema, wanted, owner)) {
            let seen = held.defaults.get(owner).copied();
            let everywhere = held.everywhere.get(owner).copied().unwrap_or_default();
            let rights = wanted.future_rights().without(everywhere);
            let (lacking, unsure) = match seen {
                Some(seen) => (seen.lacks(rights), seen.unsure(rights)),
                None => (rights, Rights::NONE),
            };
            if !lacking.is_empty() {
                lacks.defaults.insert(owner.clone(), lacking);
            }
            if !unsure.is_empty() {
                lacks.unseen.defaults.insert(owner.clone(), unsure);
            }
        }
    }
    let scoped = scoped_rights(wanted, schema.external);
    lacks.scoped = held.scoped.lacks(scoped);
    lacks.unseen.scoped = held.scoped.unsure(scoped);
    lacks.temp = schema.external && found.temp == Some(false);
    if is_role && !is_member(found, wanted) {
        lacks.member = found.members_complete || lacks.role;
        lacks.unseen.member = !lacks.member;
    }
    lacks
}

/// Whether the owner was found earlier, named by nobody, and is no user any more.
pub fn is_dropped_owner(schema: &SchemaFound, wanted: &Wanted, owner: &str) -> bool {
    matches!(wanted.future, FutureTables::Pinned(_)) && !schema.may_create.contains_key(owner)
}

/// Whether the grantee holds the datastore's role, as far as that is seen.
pub fn is_member(found: &Found, wanted: &Wanted) -> bool {
    wanted.grantee.as_ref().is_some_and(|grantee| found.holds_role(grantee))
}

/// One line per right that the datastore's holder lacks. What the login cannot see is not among them.
pub fn missing(found: &Found, wanted: &Wanted) -> Vec<String> {
    let lacks = lacks(found, wanted);
    let mut lines = Vec::new();
    if lacks.no_schema {
        lines.push(format!("schema {}", wanted.schema));
        return lines;
    }
    let role = match &wanted.through {
        Through::Role(role) => role.as_str(),
        Through::Direct => "",
    };
    if lacks.role {
        lines.push(format!("role {role}"));
    }
    for privilege in lacks.schema.iter() {
        lines.push(format!("{} on schema {}", privilege.name(), wanted.schema));
    }
    if let Some(schema) = &found.schema {
        let on_tables = plain_table_rights(wanted, schema.external);
        let counts = |relation: &&RelationFound| counts_for(relation, wanted, found.login.case_sensitive);
        let concerned: Vec<&RelationFound> = schema.relations.iter().filter(counts).collect();
        lines.extend(on_tables.iter().filter_map(|privilege| table_line(schema, &concerned, &lacks, privilege)));
    }
    for privilege in lacks.scoped.iter() {
        lines.push(format!("{} for tables in schema {}, present and future", privilege.name(), wanted.schema));
    }
    for (owner, rights) in &lacks.defaults {
        for privilege in rights.iter() {
            lines.push(format!("{} on future tables of {owner}", privilege.name()));
        }
    }
    if lacks.temp {
        lines.push(format!("TEMP on database {}", wanted.database));
    }
    if let (true, Some(grantee)) = (lacks.member, &wanted.grantee) {
        lines.push(format!("role {role} for {grantee}"));
    }
    lines
}

/// `SELECT on 3 of 412 tables (a, b, c)`.
fn table_line(
    schema: &SchemaFound,
    concerned: &[&RelationFound],
    lacks: &Lacks,
    privilege: Privilege,
) -> Option<String> {
    let counted = concerned.iter().filter(|relation| rights_on(relation, privilege.into()).has(privilege)).count();
    let names: Vec<&str> = lacks
        .tables
        .iter()
        .filter(|(_, rights)| rights.has(privilege))
        .map(|(index, _)| schema.relations[*index].name.as_str())
        .collect();
    (!names.is_empty()).then(|| {
        let tables = if counted == 1 { "table" } else { "tables" };
        format!("{} on {} of {counted} {tables} ({})", privilege.name(), names.len(), some_of(&names))
    })
}

/// The first names, and that there are more.
pub fn some_of(names: &[&str]) -> String {
    let first = names.iter().take(NAMES).map(|name| shown(name)).collect::<Vec<_>>().join(", ");
    if names.len() > NAMES { format!("{first}, ...") } else { first }
}

/// What the login cannot see, in words; `None` if it sees everything that matters.
pub fn unseen_in_words(found: &Found, wanted: &Wanted) -> Option<String> {
    let unseen = lacks(found, wanted).unseen;
    if unseen.is_empty() {
        return None;
    }
    let mut kinds: Vec<String> = Vec::new();
    if let (true, Some(held)) = (unseen.role, &found.held) {
        kinds.push(format!("the rights of {}", held.holder));
    } else {
        if !unseen.schema.is_empty() || !unseen.tables.is_empty() || !unseen.scoped.is_empty() {
            kinds.extend(found.held.as_ref().map(|Held { holder, .. }| format!("some rights of {holder}")));
        }
        if unseen.member {
            kinds.extend(wanted.grantee.as_ref().map(|grantee| format!("the roles of {grantee}")));
        }
    }
    if !unseen.defaults.is_empty() {
        let owners = unseen.defaults.keys().map(|owner| ident(owner)).collect::<Vec<_>>().join(", ");
        kinds.push(format!("default privileges of {owners}"));
    }
    Some(kinds.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::datastore::declared::Before;
    use crate::engine::datastore::grantee::Grantee;
    use crate::engine::datastore::steps::steps;
    use crate::engine::datastore::world::{World, by_role, direct};

    fn lines(world: &World, wanted: &Wanted) -> Vec<String> {
        missing(&world.found(wanted, &Before::default()), wanted)
    }

    #[test]
    fn one_line_per_right_that_is_lacked() {
        let world = World::sample();
        let store = |wanted: Wanted| Wanted { write: true, ..wanted };
        assert_eq!(
            lines(&world, &direct()),
            [
                "USAGE on schema sales",
                "SELECT on 3 of 3 tables (lines, orders, totals)",
                "SELECT on future tables of etl",
                "SELECT on future tables of owner",
            ]
        );
        assert_eq!(
            lines(&world, &store(Wanted { future: FutureTables::None, ..direct() })),
            [
                "USAGE on schema sales",
                "CREATE on schema sales",
                "SELECT on 3 of 3 tables (lines, orders, totals)",
                "INSERT on 2 of 2 tables (lines, orders)",
                "UPDATE on 2 of 2 tables (lines, orders)",
                "DELETE on 2 of 2 tables (lines, orders)",
            ]
        );
        assert_eq!(
            lines(&world, &Wanted { future: FutureTables::Schema, ..by_role() }),
            [
                "role tfds_0123456789",
                "USAGE on schema sales",
                "SELECT for tables in schema sales, present and future",
                "role tfds_0123456789 for user svc",
            ]
        );
        let nobody = Wanted { grantee: None, ..direct() };
        for wanted in [direct(), nobody.clone()] {
            assert_eq!(lines(&world, &Wanted { schema: "nowhere".into(), ..wanted }), ["schema nowhere"]);
        }
        assert_eq!(lines(&world, &nobody), [] as [&str; 0]);
    }

    #[test]
    fn some_tables_do_not_count() {
        let mut world = World::sample();
        let wanted = Wanted { future: FutureTables::None, ..direct() };
        world.run(&steps(&world.found(&wanted, &Before::default()), &wanted, &Before::default(), &[]));
        assert_eq!(lines(&world, &wanted), [] as [&str; 0]);
        world.add_table("own", "svc");
        world.add_table("mv_tbl__m__0", "owner");
        world.add_table("auto_mv_1", "owner");
        assert_eq!(lines(&world, &wanted), [] as [&str; 0]);
        world.add_table("new", "owner");
        assert_eq!(lines(&world, &wanted), ["SELECT on 1 of 4 tables (new)"]);
        // The service user's own table does not count for his role, either.
        let found = world.found(&by_role(), &Before::default());
        assert_eq!(lacks(&found, &by_role()).tables.len(), 4);
    }

    #[test]
    fn a_group_or_public_behind_the_grantee_does_not_count() {
        let mut world = World::sample();
        world.execute("GRANT USAGE ON SCHEMA \"sales\" TO GROUP \"readers\"");
        let wanted = Wanted { grantee: Some(Grantee::user("other")), future: FutureTables::None, ..direct() };
        assert_eq!(lines(&world, &wanted)[0], "USAGE on schema sales");
        let group = Wanted { grantee: Some(Grantee::group("READERS")), future: FutureTables::None, ..direct() };
        assert!(lines(&world, &group)[0].starts_with("SELECT"), "group names are folded");
        let cased = Wanted { grantee: Some(Grantee::user("OTHER")), ..wanted };
        world.execute("GRANT USAGE ON SCHEMA \"sales\" TO \"other\"");
        assert_eq!(lines(&world, &cased)[0], "USAGE on schema sales", "user names are not");
    }

    #[test]
    fn the_role_is_held_by_users_of_this_very_name_and_by_roles_in_any_case() {
        let mut world = World::sample();
        world.run(&steps(&world.found(&by_role(), &Before::default()), &by_role(), &Before::default(), &[]));
        let to_role = Wanted { grantee: Some(Grantee::role("analysts")), ..by_role() };
        for (member, wanted, lacking) in [
            (Grantee::user("svc"), by_role(), None),
            (Grantee::user("SVC"), by_role(), Some("role tfds_0123456789 for user svc")),
            (Grantee::role("svc"), by_role(), Some("role tfds_0123456789 for user svc")),
            (Grantee::role("ANALYSTS"), to_role.clone(), None),
            (Grantee::user("analysts"), to_role, Some("role tfds_0123456789 for role analysts")),
        ] {
            world.members = [("tfds_0123456789".to_owned(), member.clone())].into();
            assert_eq!(lines(&world, &wanted), lacking.as_slice(), "{member}");
        }
    }

    #[test]
    fn at_most_twenty_tables_are_named() {
        let names: Vec<String> = (0..25).map(|number| format!("t{number:02}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let text = some_of(&names);
        assert!(text.ends_with("t18, t19, ...") && !text.contains("t20"));
        assert!(some_of(&names[..20]).ends_with("t18, t19"));
    }

    #[test]
    fn in_an_external_schema_only_usage_and_temp_count() {
        let mut world = World::sample();
        world.tables.clear();
        world.external.insert("sales".into());
        for wanted in [direct(), Wanted { future: FutureTables::Schema, ..direct() }] {
            assert_eq!(lines(&world, &wanted), ["USAGE on schema sales", "TEMP on database dev"]);
        }
        world.temp.insert(Grantee::user("svc"));
        world.execute("GRANT USAGE ON SCHEMA \"sales\" TO \"svc\"");
        assert_eq!(lines(&world, &direct()), [] as [&str; 0]);
    }

    #[test]
    fn what_the_login_cannot_see_is_unknown_and_not_missing() {
        let mut world = World::sample();
        world.sign_in("owner", &["CREATE ROLE"]);
        let found = world.found(&by_role(), &Before::default());
        let lacking = lacks(&found, &by_role());
        assert!(lacking.is_empty() && lacking.unseen.role && lacking.unseen.member, "{lacking:?}");
        assert_eq!(missing(&found, &by_role()), [] as [&str; 0]);
        let words = unseen_in_words(&found, &by_role()).expect("says so");
        assert!(words.contains("the rights of role tfds_0123456789"), "{words}");

        // Lists on schemas and tables are for all to read; default privileges of others are not.
        let found = world.found(&direct(), &Before::default());
        assert_eq!(
            missing(&found, &direct()),
            [
                "USAGE on schema sales",
                "SELECT on 3 of 3 tables (lines, orders, totals)",
                "SELECT on future tables of owner",
            ]
        );
        assert_eq!(unseen_in_words(&found, &direct()).as_deref(), Some("default privileges of \"etl\""));

        let mut sees_all = World::sample();
        sees_all.sign_in("owner", &["CREATE ROLE", "ACCESS SYSTEM TABLE"]);
        let found = sees_all.found(&by_role(), &Before::default());
        assert!(!lacks(&found, &by_role()).is_empty());
        assert!(missing(&found, &by_role()).contains(&"role tfds_0123456789".to_owned()));
        assert_eq!(unseen_in_words(&found, &by_role()), None);
    }

    #[test]
    fn one_kind_of_rights_that_is_not_seen_is_enough_to_say_so() {
        let scoped = Wanted { future: FutureTables::Schema, ..direct() };
        for (what, wanted) in [("schema", direct()), ("a table", direct()), ("scope", scoped)] {
            let mut found = World::sample().found(&wanted, &Before::default());
            assert_eq!(unseen_in_words(&found, &wanted), None);
            let held = found.held.as_mut().expect("a holder");
            match what {
                "schema" => held.schema.complete = false,
                "a table" => held.relations[0] = None,
                _ => held.scoped.complete = false,
            }
            assert_eq!(unseen_in_words(&found, &wanted).as_deref(), Some("some rights of user svc"));
        }
    }
}
