//! What others must not have on the managed schemas, tables and the procedure: each right of theirs is a part that takes
//! it away.

use std::collections::BTreeSet;

use super::found::Inside;
use super::parts::{List, Place};
use super::spec::{ActorKind, Impersonation};
use super::text::{self, of_system};
use crate::engine::catalog::acl::Grantee;
use crate::engine::error::shown;
use crate::engine::rights::{Privilege, Rights};
use crate::engine::sql::{Sql, bare, ident, sql};
use crate::engine::user::holder::Holder;

impl List<'_> {
    /// Nobody has rights on the managed tables but who is given them here.
    pub(super) fn nobody_else(&mut self) {
        let Some(inside) = self.inside.clone() else { return };
        let system = self.spec.system();
        if inside.schema(&system).is_none() {
            return;
        }
        self.on_tables(&inside);
        self.on_schemas(&inside);
        self.no_role_reaches_in(&inside);
        self.no_user_reaches_in(&inside);
        self.nobody_else_acts(&inside);
        self.nothing_narrow(&inside);
    }

    /// No right on a single column of a managed table, and no role but ours that may call the procedure: neither stands in
    /// the lists of table and procedure.
    fn nothing_narrow(&mut self, inside: &Inside) {
        for right in &inside.narrow {
            let (from, words) = match right.kind.as_str() {
                "role" => role(&right.name),
                "user" if right.name != self.spec.system_user => named(&Grantee::User(right.name.clone())),
                "public" => named(&Grantee::Public),
                "group" => named(&Grantee::Group(right.name.clone())),
                _ => continue,
            };
            let (Some(privilege), place) = (Privilege::from_name(&right.privilege), self.own()) else { continue };
            match &right.column {
                Some((table, column)) => {
                    let Some((table, _)) = managed(table) else { continue };
                    let table = of_system(self.spec, table);
                    let revoke = sql!("REVOKE {} ({}) ON TABLE {} FROM {}", privilege, ident(column), table, from);
                    let what = format!("{} on column {} of {table} for {words}", privilege.name(), ident(column));
                    self.too_much(place, what, revoke);
                }
                None if right.kind == "role" => {
                    let ours = self.spec.impersonation.iter().chain(&self.how.made.actors);
                    let is_ours = |actors: &Impersonation| actors.kind == ActorKind::Role && actors.name == right.name;
                    if self.spec.impersonation.is_none() || ours.into_iter().any(is_ours) {
                        continue;
                    }
                    let procedure = self.spec.procedure();
                    let revoke = sql!("REVOKE EXECUTE ON PROCEDURE {} FROM {}", procedure, from);
                    self.too_much(place, format!("EXECUTE on procedure {procedure} for {words}"), revoke);
                }
                None => {}
            }
        }
    }

    fn on_tables(&mut self, inside: &Inside) {
        let system = self.spec.system();
        let user = Grantee::User(self.spec.system_user.clone());
        let mut extra: Vec<(Place, &'static str, (Sql, String), Rights)> = Vec::new();
        let mut unreadable = Vec::new();
        // What was granted on a view that is dropped goes with it.
        let other_columns = self.view_has_other_columns();
        for relation in inside.schema(&system).into_iter().flat_map(|schema| &schema.relations) {
            let Some((name, of_system_user)) = managed(&relation.name) else { continue };
            if name == text::VIEW && other_columns {
                continue;
            }
            let Some(acl) = &relation.acl else {
                unreadable.push(format!("table {}", of_system(self.spec, name)));
                continue;
            };
            let owner = self.found.world.principals.name_of(relation.owner);
            let grantees: BTreeSet<_> = acl.0.iter().map(|entry| entry.grantee.clone()).collect();
            for grantee in grantees.into_iter().filter(|grantee| self.is_somebody(grantee)) {
                let held = acl.of(&grantee);
                let allowed = match &grantee {
                    Grantee::Public if name == text::VIEW => Rights::READ,
                    Grantee::User(name) if *name == owner => held,
                    _ if grantee == user && of_system_user => held,
                    _ => Rights::NONE,
                };
                let more = held.without(allowed);
                if !more.is_empty() {
                    let place = if of_system_user { self.own() } else { Place::Inside };
                    extra.push((place, name, named(&grantee), more));
                }
            }
        }
        unreadable.iter().for_each(|what| self.unreadable(what));
        for held in inside.role_rights.all() {
            for ((_, name), rights) in held.relations.iter().filter(|((schema, _), _)| *schema == system) {
                let Some((name, of_system_user)) = managed(name) else { continue };
                let place = if of_system_user { self.own() } else { Place::Inside };
                extra.push((place, name, role(&held.role), *rights));
            }
        }
        for (place, name, (from, words), rights) in extra {
            let table = of_system(self.spec, name);
            let revoke = sql!("REVOKE {} ON TABLE {} FROM {}", rights, table, from);
            self.too_much(place, format!("{rights} on {table} for {words}"), revoke);
        }
    }

    /// Nobody else makes something in the managed schemas, and nobody reaches the lock, in front of which he could wait.
    fn on_schemas(&mut self, inside: &Inside) {
        let user = Grantee::User(self.spec.system_user.clone());
        let [system, _, _, lock] = self.spec.all_schemas();
        let create = Rights::from(Privilege::Create);
        for schema in self.spec.all_schemas() {
            let Some(found) = inside.schema(&schema) else { continue };
            let owner = Grantee::User(self.found.world.principals.name_of(found.owner));
            let barred = if schema == lock { create.and(Privilege::Usage.into()) } else { create };
            let Some(acl) = found.acl.clone() else {
                self.unreadable(&format!("schema {schema}"));
                continue;
            };
            let grantees: BTreeSet<_> = acl.0.iter().map(|entry| entry.grantee.clone()).collect();
            for grantee in grantees.into_iter().filter(|grantee| self.is_somebody(grantee)).collect::<Vec<_>>() {
                let held = acl.of(&grantee).common(barred);
                if held.is_empty() || grantee == owner || (grantee == user && schema != lock) {
                    continue;
                }
                let place = if schema == system || schema == lock { Place::Inside } else { self.own() };
                let (from, words) = named(&grantee);
                let revoke = sql!("REVOKE {} ON SCHEMA {} FROM {}", held, bare(&schema), from);
                self.too_much(place, format!("{held} on schema {schema} for {words}"), revoke);
            }
            for held in inside.role_rights.all() {
                let rights = held.schemas.get(&schema).copied().unwrap_or_default().common(barred);
                if rights.is_empty() {
                    continue;
                }
                let place = if schema == system || schema == lock { Place::Inside } else { self.own() };
                let (from, words) = role(&held.role);
                let revoke = sql!("REVOKE {} ON SCHEMA {} FROM {}", rights, bare(&schema), from);
                self.too_much(place, format!("{rights} on schema {schema} for {words}"), revoke);
            }
        }
    }

    /// No role reads all that is in a managed schema, now or later.
    fn no_role_reaches_in(&mut self, inside: &Inside) {
        for held in inside.role_rights.all() {
            for schema in self.spec.all_schemas() {
                if let Some(rights) = held.scoped.get(&schema) {
                    self.no_scope(&schema, *rights, role(&held.role));
                }
            }
        }
    }

    /// No user either.
    fn no_user_reaches_in(&mut self, inside: &Inside) {
        for ((user, schema), rights) in &inside.user_scopes.0 {
            if self.spec.all_schemas().contains(schema) && *user != self.spec.system_user {
                self.no_scope(schema, *rights, named(&Grantee::User(user.clone())));
            }
        }
    }

    fn no_scope(&mut self, schema: &str, rights: Rights, (from, words): (Sql, String)) {
        let revoke = sql!(
            "REVOKE {} FOR TABLES IN SCHEMA {} DATABASE {} FROM {}",
            rights,
            ident(schema),
            ident(&self.spec.database),
            from
        );
        self.too_much(Place::Inside, format!("{rights} for tables in schema {schema} for {words}"), revoke);
    }

    /// Whether a statement can name him: an entry that only keeps the number of somebody who is gone gives nothing to
    /// anybody, and no statement takes it away.
    fn is_somebody(&self, grantee: &Grantee) -> bool {
        !matches!(Holder::of(grantee, &self.found.world.principals), Holder::Gone(_))
    }

    /// A list that cannot be read may give anything to anybody: that is not taken for nothing, and nothing here mends it.
    fn unreadable(&mut self, what: &str) {
        self.push(Place::Inside, format!("a list of rights on {what} that can be read"), false, Vec::new());
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
        let Some(acl) = &routine.acl else {
            return self.unreadable(&format!("procedure {}", self.spec.procedure()));
        };
        let extra: BTreeSet<_> = acl
            .0
            .iter()
            .map(|entry| entry.grantee.clone())
            .filter(|grantee| !may(grantee) && self.is_somebody(grantee))
            .collect();
        for grantee in extra {
            let (from, words) = named(&grantee);
            let procedure = self.spec.procedure();
            let revoke = sql!("REVOKE EXECUTE ON PROCEDURE {} FROM {}", procedure, from);
            self.too_much(self.own(), format!("EXECUTE on procedure {procedure} for {words}"), revoke);
        }
    }
}

/// A relation of `<prefix>_system` that is managed, and whether it is the system user's.
fn managed(relation: &str) -> Option<(&'static str, bool)> {
    let ours = [
        (text::PROFILE, true),
        (text::KEY, true),
        (text::VIEW, true),
        (text::REGISTRATION, true),
        (text::MASK_KEY, true),
        (text::MARKER, false),
    ];
    ours.into_iter().find(|(name, _)| *name == relation)
}

/// A grantee in SQL, and in words.
fn named(grantee: &Grantee) -> (Sql, String) {
    match grantee {
        Grantee::Public => (sql!("PUBLIC"), "PUBLIC".to_owned()),
        Grantee::User(name) => (sql!("{}", ident(name)), format!("user {}", shown(name))),
        Grantee::Group(name) => (sql!("GROUP {}", ident(name)), format!("group {}", shown(name))),
    }
}

fn role(name: &str) -> (Sql, String) {
    (sql!("ROLE {}", ident(name)), format!("role {name}"))
}
