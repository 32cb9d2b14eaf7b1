//! Finding a datastore again in a warehouse: at import, and when the warehouse has another name.

use std::collections::BTreeMap;

use tokio_util::sync::CancellationToken;

use crate::engine::catalog::At;
use crate::engine::catalog::roles::RoleHeld;
use crate::engine::datastore::declared::Before;
use crate::engine::datastore::found::{Found, found};
use crate::engine::datastore::grantee::{Grantee, GranteeKind};
use crate::engine::datastore::role::{is_role_name, is_trusted};
use crate::engine::datastore::wanted::{FutureTables, Through, Wanted};
use crate::engine::error::Error;
use crate::engine::names::same_name;
use crate::engine::rights::{Privilege, Rights};
use crate::engine::session::warehouse::Warehouse;
use crate::engine::sql::ident;

/// What the warehouse shows of a datastore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    pub grantee: Option<Grantee>,
    pub through: Through,
    /// Whether what is held is what an enrichment store has.
    pub write: bool,
    pub future: FutureTables,
}

/// Whether a role of that name is in the warehouse; `None` if the login would not see it. The datastore's role is how
/// the same warehouse is known again under another name.
pub async fn grant_role_present(
    warehouse: &Warehouse,
    role: &str,
    cancel: &CancellationToken,
) -> Result<Option<bool>, Error> {
    let at = At::new(warehouse, &warehouse.access().database, cancel);
    let facts = warehouse.facts(cancel).await?;
    let roles = warehouse.catalog().roles(at, Some(role)).await?;
    if roles.has(role, facts.case_sensitive) {
        return Ok(Some(true));
    }
    let system = warehouse.catalog().system_rights(at).await?;
    let login = crate::engine::catalog::snapshot::Login {
        name: facts.user.clone(),
        superuser: facts.superuser,
        case_sensitive: facts.case_sensitive,
    };
    Ok(if roles.sees_all(&login, &system) { Some(false) } else { None })
}

/// What is there for the named grantee on the schema. `kind`: what the id says the name is; left out, a user of that
/// name is taken first, then a group, then a role. `role`: the datastore's role, if the id names it; left out, the one
/// `tfds_` role that the grantee holds with rights on the schema. Several are an error that lists them; with none the
/// rights are direct.
pub async fn import_lookup(
    warehouse: &Warehouse,
    database: &str,
    schema: &str,
    grantee: Option<(&str, Option<GranteeKind>)>,
    role: Option<&str>,
    cancel: &CancellationToken,
) -> Result<Imported, Error> {
    let mut wanted = Wanted {
        database: database.to_owned(),
        schema: schema.to_owned(),
        write: false,
        grantee: None,
        through: Through::Direct,
        future: FutureTables::None,
        extra: crate::engine::rights::Rights::NONE,
        tables: None,
    };
    wanted.check()?;
    let there = found(warehouse, &wanted, &Before::default(), cancel).await?;
    let Some(schema_found) = &there.schema else {
        return Err(crate::engine::datastore::refusal::no_schema(schema, database, &there.login));
    };
    let Some((name, kind)) = grantee else {
        return Ok(Imported { grantee: None, through: Through::Direct, write: false, future: FutureTables::None });
    };
    let at = At::new(warehouse, database, cancel);
    let grantee = Grantee { name: name.to_owned(), kind: kind_of(at, name, kind, &there).await? };
    let case_sensitive = there.login.case_sensitive;
    let role = match (role, grantee.kind) {
        (Some(role), _) => Some(role.to_owned()),
        (None, GranteeKind::Group) => None,
        (None, _) => {
            let roles = warehouse.catalog().roles(at, Some("")).await?;
            let rights = warehouse.catalog().role_rights(at, Some(schema)).await?;
            let holds = |holder: &str| match grantee.kind {
                GranteeKind::User => holder == grantee.name,
                _ => same_name(holder, &grantee.name, case_sensitive),
            };
            let principals = warehouse.catalog().principals(at).await?;
            // Whoever may make roles can make one of our shape and give it to the grantee.
            let is_ours = |role: &str| match roles.owner(role, case_sensitive) {
                Some((owner, _)) => is_trusted(owner, &there.login, &principals),
                None => true,
            };
            let memberships = if grantee.kind == GranteeKind::User { &roles.of_users } else { &roles.of_roles };
            let mut candidates: Vec<&str> = memberships
                .iter()
                .filter(|(holder, role)| holds(holder) && is_role_name(role) && is_ours(role))
                .map(|(_, role)| role.as_str())
                .filter(|role| {
                    rights
                        .of(role, case_sensitive)
                        .is_some_and(|held| touches(held, &schema_found.name, case_sensitive))
                })
                .collect();
            candidates.sort_unstable();
            candidates.dedup();
            match candidates.as_slice() {
                [] => None,
                [role] => Some((*role).to_owned()),
                several => {
                    return Err(Error::refused(
                        format!("{grantee} has several roles with rights on schema {}", ident(schema)),
                        format!(
                            "Add &grant_role=NAME to the import id, with one of: {}. Each belongs to a datastore of its own.",
                            several.join(", ")
                        ),
                    ));
                }
            }
        }
    };
    wanted.grantee = Some(grantee);
    if let Some(role) = role {
        wanted.through = Through::Role(role);
    }
    read_back(warehouse, wanted, cancel).await
}

async fn kind_of(at: At<'_>, name: &str, kind: Option<GranteeKind>, there: &Found) -> Result<GranteeKind, Error> {
    if let Some(kind) = kind {
        return Ok(kind);
    }
    let principals = at.warehouse.catalog().principals(at).await?;
    if principals.user(name).is_some() {
        return Ok(GranteeKind::User);
    }
    if principals.group(name, there.login.case_sensitive).is_some() {
        return Ok(GranteeKind::Group);
    }
    let roles = at.warehouse.catalog().roles(at, Some("")).await?;
    if roles.has(name, there.login.case_sensitive) {
        return Ok(GranteeKind::Role);
    }
    Err(Error::refused(
        format!("Nobody is called {}", ident(name)),
        "There is no user, group or role of that name. User names keep their case.",
    ))
}

/// What the holder has, as settings.
async fn read_back(warehouse: &Warehouse, wanted: Wanted, cancel: &CancellationToken) -> Result<Imported, Error> {
    // The scoped rights of a user are read only where they matter: here they do.
    let asked = Wanted { future: scoped_too(&wanted), ..wanted.clone() };
    let there = found(warehouse, &asked, &Before::of(&asked), cancel).await?;
    if let (Through::Role(role), Some(Some(false))) = (&wanted.through, there.held.as_ref().map(|held| held.exists)) {
        return Err(Error::refused(
            format!("Role {} does not exist", ident(role)),
            "The import id names it as the datastore's role. Without &grant_role=NAME the role is looked for.",
        ));
    }
    let as_it_is = Wanted { future: FutureTables::None, ..wanted.clone() };
    crate::engine::datastore::refusal::check(&there, &as_it_is, &Before::of(&wanted))?;
    let (write, future) = shown(&there);
    Ok(Imported { grantee: wanted.grantee, through: wanted.through, write, future })
}

fn scoped_too(wanted: &Wanted) -> FutureTables {
    match wanted.holder() {
        Some(holder) if holder.kind == GranteeKind::User => FutureTables::Schema,
        _ => FutureTables::None,
    }
}

/// Mode and cover of future tables, by what the holder has.
fn shown(there: &Found) -> (bool, FutureTables) {
    let Some(held) = &there.held else { return (false, FutureTables::None) };
    let on_tables = held.relations.iter().flatten().fold(held.scoped.rights, |all, rights| all.and(*rights));
    let defaults: BTreeMap<&String, Rights> = held
        .defaults
        .iter()
        .map(|(owner, seen)| (owner, seen.rights.common(Rights::READ_WRITE)))
        .filter(|(_, rights)| !rights.is_empty())
        .collect();
    let in_future = defaults.values().fold(Rights::NONE, |all, rights| all.and(*rights));
    let writes = on_tables.and(in_future).common(Rights::READ_WRITE.without(Rights::READ));
    let write = held.schema.rights.has(Privilege::Create) || !writes.is_empty();
    let future = if !held.scoped.rights.is_empty() {
        FutureTables::Schema
    } else if !defaults.is_empty() {
        FutureTables::Owners(defaults.into_keys().cloned().collect())
    } else {
        FutureTables::None
    };
    (write, future)
}

fn touches(held: &RoleHeld, schema: &str, case_sensitive: bool) -> bool {
    let here = |name: &str| same_name(name, schema, case_sensitive);
    held.schemas.keys().any(|name| here(name))
        || held.scoped.keys().any(|name| here(name))
        || held.relations.keys().any(|(name, _)| here(name))
        || held.defaults.keys().any(|(name, _)| name.as_deref().is_some_and(here))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::datastore::steps::steps;
    use crate::engine::datastore::world::{World, by_role, direct};

    #[test]
    fn what_an_apply_made_is_read_back_as_its_settings() {
        let owners = |names: &[&str]| FutureTables::Owners(names.iter().map(|name| (*name).to_owned()).collect());
        let settings = |wanted: &Wanted| {
            let mut world = World::sample();
            let nothing = Before::default();
            world.run(&steps(&world.found(wanted, &nothing), wanted, &nothing, &[]));
            let asked = Wanted { write: false, future: scoped_too(wanted), ..wanted.clone() };
            shown(&world.found(&asked, &nothing))
        };
        for wanted in [direct(), by_role()] {
            for write in [false, true] {
                for future in [FutureTables::None, FutureTables::Schema, owners(&["owner"]), owners(&["etl", "owner"])]
                {
                    let wanted = Wanted { write, future: future.clone(), ..wanted.clone() };
                    assert_eq!(settings(&wanted), (write, future), "{wanted:?}");
                }
            }
        }
        assert_eq!(shown(&World::sample().found(&direct(), &Before::default())), (false, FutureTables::None));
    }

    #[test]
    fn a_role_touches_a_schema_by_any_right() {
        let schema = "sales".to_owned();
        let mut cases = vec![RoleHeld::default(); 5];
        cases[1].schemas.insert(schema.clone(), Rights::NONE);
        cases[2].scoped.insert(schema.clone(), Rights::READ);
        cases[3].relations.insert((schema.clone(), "t".into()), Rights::READ);
        cases[4].defaults.insert((Some(schema), "o".into()), Rights::READ);
        let found: Vec<bool> = cases.iter().map(|held| touches(held, "SALES", false)).collect();
        assert_eq!(found, [false, true, true, true, true]);
        assert!(!touches(&cases[1], "SALES", true));
    }
}
