//! Who may act for others, where the configuration says who: exactly these hold the group or role.

use std::collections::BTreeSet;

use super::found::Found;
use super::parts::{List, Place};
use super::spec::{ActorKind, Impersonation, Spec};
use crate::engine::error::{Error, shown};
use crate::engine::names::same_name;
use crate::engine::sql::{Sql, bare, ident, sql};

/// Who holds a role.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Holder {
    User(String),
    Role(String),
}

impl Holder {
    fn sql(&self) -> Sql {
        match self {
            Holder::User(name) => sql!("{}", ident(name)),
            Holder::Role(name) => sql!("ROLE {}", ident(name)),
        }
    }
}

impl List<'_> {
    /// The declared members get the group or role, and others lose it.
    pub(super) fn members(&mut self) {
        let (Some(actors), Some(wanted)) = (&self.spec.impersonation, &self.spec.members) else { return };
        let (actors, wanted) = (actors.clone(), wanted.clone());
        match actors.kind {
            ActorKind::Group => self.group(&actors, &wanted),
            ActorKind::Role => self.role(&actors, &wanted),
        }
    }

    fn group(&mut self, actors: &Impersonation, wanted: &BTreeSet<String>) {
        let world = &self.found.world;
        let group = world.principals.group(&actors.name, world.case_sensitive);
        // Of members who were dropped only an id is left, which no statement can name.
        let there: BTreeSet<String> = group
            .iter()
            .flat_map(|group| &group.members)
            .filter_map(|id| world.principals.users.get(id))
            .map(|user| user.name.clone())
            .collect();
        for name in wanted.difference(&there) {
            let add = sql!("ALTER GROUP {} ADD USER {}", bare(&actors.name), ident(name));
            self.one(Place::Inside, format!("user {} in {actors}", shown(name)), false, add);
        }
        for name in there.difference(wanted) {
            let drop = sql!("ALTER GROUP {} DROP USER {}", bare(&actors.name), ident(name));
            self.too_much(Place::Inside, format!("user {} in {actors}", shown(name)), drop);
        }
    }

    fn role(&mut self, actors: &Impersonation, wanted: &BTreeSet<String>) {
        let roles = &self.found.world.roles;
        let is_ours = |role: &str| same_name(role, &actors.name, self.found.world.case_sensitive);
        let users = roles.of_users.iter().filter(|(_, role)| is_ours(role)).map(|(name, _)| Holder::User(name.clone()));
        let others =
            roles.of_roles.iter().filter(|(_, role)| is_ours(role)).map(|(name, _)| Holder::Role(name.clone()));
        let there: BTreeSet<Holder> = users.chain(others).collect();
        let wanted: BTreeSet<Holder> = wanted.iter().cloned().map(Holder::User).collect();
        // Others than superusers see their own roles alone. The procedure names the members for whom it was made.
        let are_unseen =
            !self.found.world.superuser && self.found.world.has_actors(actors) && self.has_procedure_as_made();
        if !are_unseen {
            for holder in wanted.difference(&there) {
                let grant = sql!("GRANT {} TO {}", actors.sql(), holder.sql());
                self.one(Place::Inside, format!("{actors} for {}", shown(&holder.sql().to_string())), false, grant);
            }
        }
        for holder in there.difference(&wanted) {
            let revoke = sql!("REVOKE {} FROM {}", actors.sql(), holder.sql());
            self.too_much(Place::Inside, format!("{actors} for {}", shown(&holder.sql().to_string())), revoke);
        }
    }
}

/// An error that names the declared members who are no users.
pub(super) fn check_there(spec: &Spec, found: &Found) -> Result<(), Error> {
    let members = spec.impersonation.iter().flat_map(|_| spec.members.iter().flatten());
    let absent: Vec<String> = members
        .filter(|name| **name != spec.system_user && found.world.principals.user(name).is_none())
        .map(|name| ident(name).to_string())
        .collect();
    if absent.is_empty() {
        return Ok(());
    }
    Err(Error::refused(
        "Members of impersonation are no users of the warehouse",
        format!(
            "There is no user {}. Names of users keep their case. Make them first, with redshift_user or CREATE USER, or take \
             them out of members. Nothing was changed.",
            absent.join(", ")
        ),
    )
    .about("impersonation.members"))
}
