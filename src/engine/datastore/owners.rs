//! Whose future tables are covered: Redshift applies default privileges by who makes a table, and the login makes none.

use std::collections::BTreeSet;

use crate::engine::datastore::declared::{Before, Declared, kept_for_others};
use crate::engine::datastore::found::{Found, MayCreate, SchemaFound};
use crate::engine::datastore::grantee::{Grantee, GranteeKind};
use crate::engine::datastore::missing::{is_dropped_owner, some_of};
use crate::engine::datastore::tables::Selection;
use crate::engine::datastore::wanted::{FutureTables, Wanted};
use crate::engine::error::shown;
use crate::engine::rights::Privilege;
use crate::engine::sql::ident;

/// Something a person should know, and that stops nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    pub summary: String,
    pub detail: String,
}

impl Warning {
    pub fn new(summary: impl Into<String>, detail: impl Into<String>) -> Warning {
        Warning { summary: summary.into(), detail: detail.into() }
    }
}

/// The owners that are covered where none is named: the schema's owner and the present owners of its tables, without
/// the warehouse's own user, the grantee himself, and those who may not create in the schema.
pub fn derive(found: &Found, wanted: &Wanted) -> (Vec<String>, Vec<Warning>) {
    let schema = match (&found.schema, &wanted.future) {
        (Some(schema), FutureTables::Owners(_)) if !schema.external => schema,
        _ => return (Vec::new(), Vec::new()),
    };
    let owners = candidates(schema, wanted);
    if !owners.is_empty() {
        return (owners.into_iter().map(str::to_owned).collect(), Vec::new());
    }
    let warning = Warning::new(
        format!("Future tables in schema {} are not covered", ident(&schema.name)),
        format!(
            "Neither the schema's owner ({}) nor an owner of its tables is a user who may create there, so there is \
             nobody to set default privileges for. Name the users who will make tables in default_privileges_for, or \
             set future_tables = \"schema\" for one right that covers every table to come, whoever makes it.",
            schema.owner
        ),
    );
    (Vec::new(), vec![warning])
}

fn candidates<'a>(schema: &'a SchemaFound, wanted: &Wanted) -> BTreeSet<&'a str> {
    let may_create = schema.owners.iter().filter(|name| schema.may_create.get(*name) != Some(&MayCreate::No));
    may_create.map(String::as_str).filter(|name| wanted.grantee != Some(Grantee::user(*name))).collect()
}

/// Says that what the former user of an enrichment store made stays his: the new one may read and write it, and no more.
pub fn tables_that_stay(found: &Found, wanted: &Wanted, before: &Before) -> Option<Warning> {
    let schema = found.schema.as_ref().filter(|schema| !schema.external && wanted.write)?;
    let now = wanted.grantee.as_ref()?;
    let changes = [Privilege::Alter, Privilege::Drop].into_iter().collect();
    if wanted.extra.covers(changes) {
        return None;
    }
    let former = before.declared.iter().filter_map(|declared| declared.grantee.as_ref());
    let former: Vec<&Grantee> = former.filter(|it| it.kind == GranteeKind::User && *it != now).collect();
    let theirs = |owner: &str| former.iter().any(|it| it.name == owner);
    let stay: Vec<_> = schema.relations.iter().filter(|it| it.writable && theirs(&it.owner)).collect();
    let first = stay.first()?;
    let names: Vec<&str> = stay.iter().map(|relation| relation.name.as_str()).collect();
    let tables = if names.len() == 1 { "table" } else { "tables" };
    let given = match now.kind {
        GranteeKind::User => format!(
            ", or hand {} over: ALTER TABLE {}.{} OWNER TO {};",
            if names.len() == 1 { "it" } else { "each" },
            ident(&schema.name),
            ident(&first.name),
            ident(&now.name)
        ),
        _ => ".".to_owned(),
    };
    Some(Warning::new(
        format!("{} {tables} in schema {} stay with user {}", names.len(), ident(&schema.name), ident(&first.owner)),
        format!(
            "{} made: {}. {now} may read and write there, but not alter or drop what another user made, as a tool does when it is \
             upgraded. Write table_privileges = [\"ALTER\", \"DROP\"] in service_user{given}",
            shown(&first.owner),
            some_of(&names)
        ),
    ))
}

/// Says that tables of an owner who was not there before are not covered, where owners are.
pub fn uncovered_owners(found: &Found, wanted: &Wanted) -> Option<Warning> {
    let schema = found.schema.as_ref().filter(|schema| !schema.external)?;
    if wanted.owners().is_empty() {
        return None;
    }
    let uncovered: Vec<&str> = candidates(schema, wanted)
        .into_iter()
        .filter(|name| !wanted.owners().iter().any(|owner| owner == name))
        .collect();
    if uncovered.is_empty() {
        return None;
    }
    let all: Vec<String> = wanted
        .owners()
        .iter()
        .filter(|name| !is_dropped_owner(schema, wanted, name))
        .map(String::as_str)
        .chain(uncovered.iter().copied())
        .map(|name| format!("\"{name}\""))
        .collect();
    Some(Warning::new(
        format!("Future tables of {} in schema {} are not covered", some_of(&uncovered), ident(&schema.name)),
        format!(
            "Tables that these users make will not be readable. Set in service_user:\n  default_privileges_for = [{}]",
            all.join(", ")
        ),
    ))
}

/// Says that owners who were found earlier are gone, and nothing is set for them any more.
pub fn dropped_owners(found: &Found, wanted: &Wanted) -> Option<Warning> {
    let schema = found.schema.as_ref().filter(|schema| !schema.external && wanted.grantee.is_some())?;
    let owners = wanted.owners().iter().map(String::as_str);
    let (dropped, left): (Vec<&str>, Vec<&str>) = owners.partition(|owner| is_dropped_owner(schema, wanted, owner));
    if dropped.is_empty() {
        return None;
    }
    let left = if left.is_empty() { "nobody".to_owned() } else { left.join(", ") };
    let names = some_of(&dropped);
    let (is, those) = if dropped.len() == 1 { ("is no user", "that user") } else { ("are no users", "those users") };
    Some(Warning::new(
        format!("{names} {is} any more; tables of {left} in schema {} stay covered", ident(&schema.name)),
        format!(
            "The owners whose future tables are covered were found when this datastore was made, and {those} was \
             dropped or renamed since. Nothing is set for {names}. To cover tables of others, name their owners in \
             default_privileges_for.",
        ),
    ))
}

/// Says that everybody may create in the schema, so that a read-only user may write there too, and what would end it.
/// The statement is never run: the database is not ours.
pub fn public_create_warning(found: &Found, wanted: &Wanted) -> Option<Warning> {
    let schema = found.schema.as_ref().filter(|schema| schema.public_creates)?;
    let grantee = wanted.grantee.as_ref().filter(|_| !wanted.write)?;
    let on = ident(&schema.name);
    Some(Warning::new(
        format!("Everybody may create in schema {on}"),
        format!(
            "PUBLIC has CREATE on schema {on} of database {} (Redshift's default for \"public\"), so {grantee} can make \
             tables there although this datastore is read-only. A superuser can end that for all users with:\n  REVOKE \
             CREATE ON SCHEMA {on} FROM PUBLIC;",
            ident(&wanted.database)
        ),
    ))
}

/// Says that not everything could be seen, and which permission would show it.
pub fn unseen_warning(found: &Found, wanted: &Wanted) -> Option<Warning> {
    let what = crate::engine::datastore::missing::unseen_in_words(found, wanted)?;
    Some(Warning::new(
        format!("User {} does not see all rights on schema {}", ident(&found.login.name), ident(&wanted.schema)),
        format!(
            "Not visible: {what}. What cannot be seen is taken to be as it was last set, and drift there is not \
             noticed. A superuser can show it: GRANT ACCESS SYSTEM TABLE TO ROLE <a role of {}>;",
            found.login.name
        ),
    ))
}

/// Says which names and patterns of `tables` match nothing that is there.
pub fn unmatched_patterns(found: &Found, wanted: &Wanted) -> Option<Warning> {
    let (schema, selection) = (found.schema.as_ref()?, wanted.tables.as_ref()?);
    let matches = |pattern: &&String| {
        let one = Selection::from(vec![(*pattern).clone()]);
        schema.relations.iter().any(|relation| one.includes(&relation.name, found.login.case_sensitive))
    };
    let idle: Vec<&str> = selection.patterns().iter().filter(|pattern| !matches(pattern)).map(String::as_str).collect();
    if idle.is_empty() {
        return None;
    }
    Some(Warning::new(
        format!("No table of schema {} matches {}", ident(&schema.name), some_of(&idle)),
        "Nothing is granted for it now. A table of that name that comes later shows in `missing`, and the next apply grants it. If it \
         is there already, compare the spelling: table names are written without their schema.",
    ))
}

/// All warnings about a datastore as it was found.
pub fn warnings(found: &Found, wanted: &Wanted) -> Vec<Warning> {
    let all = [
        public_create_warning(found, wanted),
        uncovered_owners(found, wanted),
        dropped_owners(found, wanted),
        unseen_warning(found, wanted),
        unmatched_patterns(found, wanted),
    ];
    all.into_iter().flatten().collect()
}

/// Says which of the rights that are declared anew were there already, given directly: a destroy revokes them too.
pub fn there_before(found: &Found, wanted: &Wanted, before: &Before, others: &[Wanted]) -> Option<Warning> {
    let (schema, held) = (found.schema.as_ref()?, found.held.as_ref()?);
    if wanted.role().is_some() || held.exists == Some(false) {
        return None;
    }
    let known = before.declared_for(&held.names, schema.external);
    let kept = kept_for_others(others, wanted, &held.names, schema.external, found.login.case_sensitive);
    let (declared, known) = (Declared::of(wanted, schema.external), known.and(kept));
    let mut lines = Vec::new();
    for privilege in held.schema.rights.common(declared.schema).without(known.schema).iter() {
        lines.push(format!("{} on schema {}", privilege.name(), schema.name));
    }
    let case_sensitive = found.login.case_sensitive;
    let anew = |table: &str| declared.tables.on(table, case_sensitive).without(known.tables.on(table, case_sensitive));
    for privilege in declared.tables.any().iter() {
        let tables = schema.relations.iter().zip(&held.relations);
        let names: Vec<&str> = tables
            .filter(|(relation, _)| relation.counts && anew(&relation.name).has(privilege))
            .filter(|(_, rights)| rights.is_some_and(|rights| rights.has(privilege)))
            .map(|(relation, _)| relation.name.as_str())
            .collect();
        if !names.is_empty() {
            lines.push(format!("{} on {}", privilege.name(), some_of(&names)));
        }
    }
    for (owner, seen) in &held.defaults {
        let rights = seen.rights.common(declared.on_future_of(owner)).without(known.on_future_of(owner));
        lines.extend(rights.iter().map(|privilege| format!("{} on future tables of {owner}", privilege.name())));
    }
    for privilege in held.scoped.rights.common(declared.scoped).without(known.scoped).iter() {
        lines.push(format!("{} for tables in schema {}, present and future", privilege.name(), schema.name));
    }
    if declared.temp && !known.temp && held.temp == Some(true) {
        lines.push(format!("TEMP on database {}", found.database));
    }
    if lines.is_empty() {
        return None;
    }
    Some(Warning::new(
        format!("Rights of {} on schema {} were there before", held.holder, ident(&schema.name)),
        format!(
            "What a datastore declares is its own, whoever gave it: destroy will revoke these too.\n- {}\nTo let them be, \
             take the datastore out of state without revoking: removed {{ lifecycle {{ destroy = false }} }}.",
            lines.join("\n- ")
        ),
    ))
}

/// Says what may stay where a name of state leads to nothing: renamed or dropped, which only an id would tell.
pub fn renamed_away(found: &Found, declared: &Wanted, before: &Before) -> Vec<Warning> {
    let mut warnings: Vec<Warning> = found.foreign_roles.iter().map(|(role, owner)| left_role(role, owner)).collect();
    // What a role of our own holds is found wherever it is.
    let Some(grantee) = declared.grantee.as_ref().filter(|_| declared.role().is_none()) else { return warnings };
    if found.schema.is_none() && before.ids.schema.is_none() {
        warnings.push(Warning::new(
            format!("Schema {} is not there any more", ident(&declared.schema)),
            format!(
                "If it was dropped, its rights went with it. If it was renamed, {grantee} keeps there what this datastore \
                 declared: revoke it by hand.",
            ),
        ));
    }
    if found.gone.contains(grantee) && before.ids.grantee.is_none() {
        warnings.push(Warning::new(
            format!("There is no {grantee} any more"),
            format!(
                "If that name was dropped, its rights went with it. If it was renamed, the new name keeps what this \
                 datastore declared on schema {} of database {}: revoke it by hand.",
                ident(&declared.schema),
                ident(&declared.database)
            ),
        ));
    }
    warnings
}

fn left_role(role: &str, owner: &str) -> Warning {
    Warning::new(
        format!("Role {} was left as it is", ident(role)),
        format!("It has the name of this datastore's role, but somebody made it anew: user {} owns it.", ident(owner)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::datastore::missing::missing;
    use crate::engine::datastore::refusal::check;
    use crate::engine::datastore::steps::steps;
    use crate::engine::datastore::world::{World, by_role, direct};
    use crate::engine::rights::Privilege;

    fn derived() -> Wanted {
        Wanted { future: FutureTables::Owners(Vec::new()), ..direct() }
    }

    fn derive_in(world: &World, wanted: &Wanted) -> (Vec<String>, Vec<Warning>) {
        derive(&world.found(wanted, &Before::default()), wanted)
    }

    #[test]
    fn owners_are_those_who_can_make_tables() {
        let mut world = World::sample();
        assert_eq!(derive_in(&world, &derived()), (vec!["etl".into(), "owner".into()], vec![]));
        // He may not create there any more.
        world.execute("REVOKE CREATE ON SCHEMA \"sales\" FROM \"etl\"");
        assert_eq!(derive_in(&world, &derived()).0, ["owner"]);
        // By a group, by everybody, by a role, as a superuser.
        let mut by_group = world.clone();
        by_group.groups[0].members = vec![102];
        by_group.execute("GRANT CREATE ON SCHEMA \"sales\" TO GROUP \"readers\"");
        assert_eq!(derive_in(&by_group, &derived()).0, ["etl", "owner"]);
        let mut by_a_role = world.clone();
        by_a_role.roles.insert("makers".into());
        by_a_role.execute("GRANT CREATE ON SCHEMA \"sales\" TO ROLE \"makers\"");
        by_a_role.execute("GRANT ROLE \"makers\" TO \"etl\"");
        assert_eq!(derive_in(&by_a_role, &derived()).0, ["etl", "owner"]);
        world.users[2].superuser = true;
        assert_eq!(derive_in(&world, &derived()).0, ["etl", "owner"]);
    }

    #[test]
    fn neither_the_grantee_nor_the_system_nor_who_was_dropped_is_an_owner() {
        let mut world = World::sample();
        world.add_table("own", "svc");
        world.add_table("orphan", "dropped");
        world.add_table("mv_tbl__x__0", "other");
        world.schemas.get_mut("sales").expect("schema").0 = "rdsdb".into();
        assert_eq!(derive_in(&world, &derived()).0, ["etl"]);
        world.execute("REVOKE CREATE ON SCHEMA \"sales\" FROM \"etl\"");
        world.tables.retain(|_, (_, owner, _)| owner != "owner");
        let (owners, warnings) = derive_in(&world, &derived());
        assert!(owners.is_empty());
        assert!(warnings[0].detail.contains("default_privileges_for") && warnings[0].detail.contains("\"schema\""));
        let none = Wanted { future: FutureTables::None, ..direct() };
        assert_eq!(derive_in(&world, &none), (vec![], vec![]));
    }

    #[test]
    fn a_new_owner_is_told_with_the_line_to_write() {
        let world = World::sample();
        let wanted = Wanted { future: FutureTables::Owners(vec!["owner".into()]), ..direct() };
        let warning = uncovered_owners(&world.found(&wanted, &Before::default()), &wanted).expect("warns");
        assert!(warning.summary.contains("etl") && warning.detail.contains("[\"owner\", \"etl\"]"), "{warning:?}");
        assert_eq!(uncovered_owners(&world.found(&direct(), &Before::default()), &direct()), None);
    }

    #[test]
    fn an_owner_who_was_found_earlier_and_is_gone_is_told_and_left_out() {
        let owners = vec!["etl".into(), "owner".into()];
        for through in [direct(), by_role()] {
            let named = Wanted { future: FutureTables::Owners(owners.clone()), ..through };
            let pinned = Wanted { future: FutureTables::Pinned(owners.clone()), ..named.clone() };
            let nothing = Before::default();
            let mut world = World::sample();
            let whole = world.found(&pinned, &nothing);
            assert_eq!(dropped_owners(&whole, &pinned), None);
            assert_eq!(missing(&whole, &pinned), missing(&whole, &named));
            world.tables.remove(&("sales".into(), "lines".into()));
            world.users.retain(|user| user.name != "etl");
            let found = world.found(&named, &nothing);
            assert!(check(&found, &named, &nothing).expect_err("is named").summary().contains("\"etl\""));
            assert_eq!(dropped_owners(&found, &named), None);
            let found = world.found(&pinned, &nothing);
            check(&found, &pinned, &nothing).expect("can be done");
            assert!(missing(&found, &pinned).iter().all(|line| !line.contains("etl")));
            let warning = dropped_owners(&found, &pinned).expect("warns");
            assert!(warnings(&found, &pinned).contains(&warning));
            assert!(warning.summary.starts_with("etl is no user any more; tables of owner"), "{warning:?}");
            world.run(&steps(&found, &pinned, &nothing, &[]));
            let before = Before::of(&pinned);
            let again = world.found(&pinned, &before);
            assert_eq!(missing(&again, &pinned), [] as [&str; 0]);
            assert!(steps(&again, &pinned, &before, &[]).is_empty());
            // The line that a new owner asks for leaves him out.
            world.add_table("more", "other");
            world.execute("GRANT CREATE ON SCHEMA \"sales\" TO \"other\"");
            let warning = uncovered_owners(&world.found(&pinned, &before), &pinned).expect("warns");
            assert!(warning.detail.contains("[\"owner\", \"other\"]"), "{warning:?}");
        }
    }

    #[test]
    fn an_open_schema_is_told_with_the_statement_that_closes_it() {
        let world = World::sample();
        let found = world.found(&direct(), &Before::default());
        assert_eq!(public_create_warning(&found, &direct()), None);
        let mut open = found;
        open.schema.as_mut().expect("schema").public_creates = true;
        let warning = public_create_warning(&open, &direct()).expect("warns");
        assert!(warning.detail.contains("REVOKE CREATE ON SCHEMA \"sales\" FROM PUBLIC;"), "{warning:?}");
        let store = Wanted { write: true, ..direct() };
        assert_eq!(public_create_warning(&open, &store), None, "who may write anyway is not read-only");
    }

    #[test]
    fn what_is_not_seen_is_told_with_the_permission_that_shows_it() {
        let mut world = World::sample();
        assert_eq!(unseen_warning(&world.found(&by_role(), &Before::default()), &by_role()), None);
        world.sign_in("owner", &[]);
        let warning = unseen_warning(&world.found(&by_role(), &Before::default()), &by_role()).expect("warns");
        assert!(warning.detail.contains("GRANT ACCESS SYSTEM TABLE TO ROLE"), "{warning:?}");
        assert!(warnings(&world.found(&by_role(), &Before::default()), &by_role()).contains(&warning));
        world.schemas.get_mut("sales").expect("schema").1.insert(Grantee::group("readers"), Privilege::Usage.into());
    }
}
