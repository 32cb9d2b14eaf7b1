//! Who reads the tables themselves, past the views and their rules.

use std::collections::BTreeSet;

use super::changes::given::{listed, on_schema};
use super::source::SourceFound;
use super::wanted::{Reader, TablesWanted};
use crate::engine::catalog::acl::{Acl, Grantee};
use crate::engine::datastore::missing::some_of;
use crate::engine::error::Error;
use crate::engine::rights::Privilege;

impl SourceFound {
    /// Who may read one of the tables itself, but for superusers, the owners and the user of this name: `user a`, `group b`,
    /// `role c`, `PUBLIC`. A right that is given without USAGE on the schema counts too: that is given for the views.
    pub fn direct_readers(&self, system_user: &str) -> BTreeSet<String> {
        let mut readers = BTreeSet::new();
        let is_exempt =
            |name: &str| name == system_user || self.principals.user(name).is_none_or(|user| user.superuser);
        if let Some(external) = &self.external {
            return external.users(&self.principals, &self.role_rights, is_exempt);
        }
        for name in self.tables.keys() {
            let owner = self.owners.get(name).map(|owner| self.principals.name_of(*owner)).unwrap_or_default();
            for entry in self.acls.get(name).into_iter().flatten().flat_map(|acl| &acl.0) {
                if !entry.rights.has(Privilege::Select) {
                    continue;
                }
                match &entry.grantee {
                    Grantee::Public => drop(readers.insert("PUBLIC".to_owned())),
                    Grantee::Group(name) => drop(readers.insert(format!("group {name}"))),
                    Grantee::User(name) if *name == owner || is_exempt(name) => {}
                    Grantee::User(name) => drop(readers.insert(format!("user {name}"))),
                }
            }
        }
        for ((user, schema), rights) in &self.user_scopes.0 {
            if *schema == self.schema && rights.has(Privilege::Select) && !self.tables.is_empty() && !is_exempt(user) {
                readers.insert(format!("user {user}"));
            }
        }
        for held in self.role_rights.all() {
            let on_table = |name: &String| {
                held.relations.get(&(self.schema.clone(), name.clone())).is_some_and(|it| it.has(Privilege::Select))
            };
            let on_all = held.scoped.get(&self.schema).is_some_and(|rights| rights.has(Privilege::Select));
            if (on_all && !self.tables.is_empty()) || self.tables.keys().any(on_table) {
                readers.insert(format!("role {}", held.role));
            }
        }
        readers
    }

    /// The right that lets somebody read the tables themselves, in words.
    pub fn right_to_read(&self) -> &'static str {
        match self.external {
            Some(_) => "USAGE on an external schema that leads to tables of the source",
            None => "SELECT on tables of the source",
        }
    }
}

impl TablesWanted {
    /// Who reads the tables themselves, past the rules, and is not allowed to.
    pub fn strangers(&self, found: &SourceFound) -> Vec<String> {
        let is_allowed =
            |reader: &String| self.allowed_readers.as_ref().is_some_and(|allowed| allowed.contains(reader));
        let readers = found.direct_readers(&self.uri.system_user).into_iter();
        readers.filter(|reader| !is_allowed(reader)).collect()
    }

    /// Tables beside the offered ones that somebody will be able to read by the USAGE on their schema that readers are given,
    /// who could not so far.
    pub fn opened(&self, found: &SourceFound) -> Vec<String> {
        if found.external.is_some() || self.offer.source.database != self.uri.database {
            return Vec::new();
        }
        let roles = &found.role_rights;
        let usage = |reader: &Reader| {
            let held = on_schema(reader, found.acl.as_ref(), roles, &found.schema, found.case_sensitive);
            held.has(Privilege::Usage)
        };
        let new: Vec<&Reader> = self.offer.readers.iter().filter(|reader| !usage(reader)).collect();
        if new.is_empty() || usage(&Reader::Public) {
            return Vec::new();
        }
        let by_role = |role: &str, table: &String| {
            let held = roles.of(role, found.case_sensitive);
            held.and_then(|held| held.relations.get(&(found.schema.clone(), table.clone())))
                .copied()
                .unwrap_or_default()
        };
        let opens = |table: &String, acl: Option<&Acl>| {
            let held = |reader: &Reader| match reader {
                Reader::Role(role) => by_role(role, table),
                _ => listed(reader, acl),
            };
            held(&Reader::Public).has(Privilege::Select) || new.iter().any(|reader| held(reader).has(Privilege::Select))
        };
        let others = found.acls.iter().filter(|(table, _)| !found.tables.contains_key(*table));
        others.filter(|(table, acl)| opens(table, acl.as_ref())).map(|(table, _)| table.clone()).collect()
    }

    /// Refuses them, where it is written who may.
    pub fn refuse_strangers(&self, found: &SourceFound) -> Result<(), Error> {
        let strangers = if self.allowed_readers.is_some() { self.strangers(found) } else { Vec::new() };
        if strangers.is_empty() {
            return Ok(());
        }
        let who: Vec<&str> = strangers.iter().map(String::as_str).collect();
        Err(Error::refused(
            "Others read the tables themselves",
            format!(
                "These hold {} and are not in `allowed_direct_readers`, so they see what the rules hide: {}. Nothing was changed. \
                 Revoke it, or add them.",
                found.right_to_read(),
                some_of(&who)
            ),
        )
        .about("allowed_direct_readers"))
    }
}
