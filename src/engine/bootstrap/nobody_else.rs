//! What others must not have on the managed schemas, tables and the procedure: each right of theirs is a part that takes
//! it away.

use std::collections::BTreeSet;

use super::found::Inside;
use super::parts::{List, Place};
use super::spec::ActorKind;
use crate::engine::catalog::acl::Grantee;
use crate::engine::datastore::steps::scope;
use crate::engine::rights::{Privilege, Rights};
use crate::engine::sql::ident;

impl List<'_> {
    /// Nobody has rights on the managed tables but who is given them here.
    pub(super) fn nobody_else(&mut self) {
        let Some(inside) = self.inside else { return };
        let system = self.spec.system();
        let Some(schema) = inside.schema(&system) else { return };
        let user = Grantee::User(self.spec.system_user.clone());
        let mut extra = Vec::new();
        // What was granted on a view that is dropped goes with it.
        let dropped = |name: &str| name == "user_profile" && self.view_has_other_columns();
        for relation in schema.relations.iter().filter(|relation| !dropped(&relation.name)) {
            let Some(acl) = &relation.acl else { continue };
            let owner = self.found.world.principals.name_of(relation.owner);
            let Some(of_system_user) = managed(&relation.name) else { continue };
            let grantees: BTreeSet<_> = acl.0.iter().map(|entry| entry.grantee.clone()).collect();
            for grantee in grantees {
                let held = acl.of(&grantee);
                let allowed = match &grantee {
                    Grantee::Public if relation.name == "user_profile" => Rights::READ,
                    Grantee::User(name) if *name == owner => held,
                    _ if grantee == user && of_system_user => held,
                    _ => Rights::NONE,
                };
                let more = held.without(allowed);
                if !more.is_empty() {
                    let place = if of_system_user { self.own() } else { Place::Inside };
                    extra.push((place, format!("{system}.{}", relation.name), grantee, more));
                }
            }
        }
        let mut extra: Vec<_> =
            extra.into_iter().map(|(place, table, grantee, rights)| (place, table, named(&grantee), rights)).collect();
        for held in inside.role_rights.all() {
            for ((schema, name), rights) in held.relations.iter().filter(|((schema, _), _)| *schema == system) {
                let Some(of_system_user) = managed(name) else { continue };
                let place = if of_system_user { self.own() } else { Place::Inside };
                let words = (format!("ROLE {}", ident(&held.role)), format!("role {}", held.role));
                extra.push((place, format!("{schema}.{name}"), words, *rights));
            }
        }
        for (place, table, (name, words), rights) in extra {
            let revoke = format!("REVOKE {rights} ON TABLE {table} FROM {name}");
            self.one(place, format!("no {rights} on {table} for {words}"), false, revoke);
        }
        for schema in self.spec.schemas() {
            let Some(found) = inside.schema(&schema) else { continue };
            let owner = Grantee::User(self.found.world.principals.name_of(found.owner));
            let entries = found.acl.iter().flat_map(|acl| &acl.0);
            let creates = entries.filter(|entry| entry.rights.has(Privilege::Create)).map(|entry| &entry.grantee);
            let others: BTreeSet<_> =
                creates.filter(|grantee| **grantee != owner && **grantee != user).cloned().collect();
            for grantee in others {
                let place = if schema == system { Place::Inside } else { self.own() };
                let (name, words) = named(&grantee);
                let revoke = format!("REVOKE CREATE ON SCHEMA {schema} FROM {name}");
                self.one(place, format!("no CREATE on schema {schema} for {words}"), false, revoke);
            }
        }
        self.no_role_reaches_in(inside);
        self.nobody_else_acts(inside);
    }

    /// No role may make something in the managed schemas, or read all that is in the first, now or later.
    fn no_role_reaches_in(&mut self, inside: &Inside) {
        let (system, schemas) = (self.spec.system(), self.spec.schemas());
        for held in inside.role_rights.all() {
            let role = format!("ROLE {}", ident(&held.role));
            let managed = |schema: &&String| schemas.contains(schema);
            for (schema, _) in held.schemas.iter().filter(|(s, rights)| managed(s) && rights.has(Privilege::Create)) {
                let place = if *schema == system { Place::Inside } else { self.own() };
                let revoke = format!("REVOKE CREATE ON SCHEMA {schema} FROM {role}");
                self.one(place, format!("no CREATE on schema {schema} for role {}", held.role), false, revoke);
            }
            if let Some(rights) = held.scoped.get(&system) {
                let revoke =
                    format!("REVOKE {rights} FOR TABLES IN {} FROM {role}", scope(&system, &self.spec.database));
                let what = format!("no {rights} for tables in schema {system} for role {}", held.role);
                self.one(Place::Inside, what, false, revoke);
            }
        }
    }

    /// Nobody may call the procedure but its owner, the system user, and the group or role.
    fn nobody_else_acts(&mut self, inside: &Inside) {
        let (Some(actors), Some(routine)) = (&self.spec.impersonation, inside.procedure(self.spec)) else { return };
        let owner = self.found.world.principals.name_of(routine.owner);
        let own = [Grantee::User(owner), Grantee::User(self.spec.system_user.clone())];
        let group = (actors.kind == ActorKind::Group).then(|| Grantee::Group(actors.name.clone()));
        // The group or role of an earlier configuration is taken care of on its own.
        let former = self.how.made.actors.as_ref().map(|former| Grantee::Group(former.name.clone()));
        let may = |grantee: &Grantee| own.contains(grantee) || [&group, &former].contains(&&Some(grantee.clone()));
        let extra: BTreeSet<_> =
            routine.acl.0.iter().map(|entry| entry.grantee.clone()).filter(|grantee| !may(grantee)).collect();
        for grantee in extra {
            let (name, words) = named(&grantee);
            let procedure = self.spec.procedure();
            let revoke = format!("REVOKE EXECUTE ON PROCEDURE {procedure} FROM {name}");
            self.one(self.own(), format!("no EXECUTE on procedure {procedure} for {words}"), false, revoke);
        }
    }
}

/// Whether a relation of `<prefix>_system` is managed, and the system user's.
fn managed(relation: &str) -> Option<bool> {
    match relation {
        "profile" | "impersonation" | "user_profile" => Some(true),
        "integration" | "integration_lock" => Some(false),
        _ => None,
    }
}

/// A grantee in SQL, and in words.
fn named(grantee: &Grantee) -> (String, String) {
    match grantee {
        Grantee::Public => ("PUBLIC".to_owned(), "PUBLIC".to_owned()),
        Grantee::User(name) => (ident(name).into(), format!("user {name}")),
        Grantee::Group(name) => (format!("GROUP {}", ident(name)), format!("group {name}")),
    }
}
