//! What the datastores that one process has to do with declare, so that removing one leaves what another needs.
//!
//! Where an object is replaced, or goes by another name in the configuration, the new one declares what the old one
//! did, and the two are made and removed in either order.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::engine::datastore::wanted::Wanted;
use crate::engine::settings::endpoint::Endpoint;

/// The datastores that were planned, made, updated or read, by a mark that each keeps.
#[derive(Debug, Default)]
pub struct Registry(Mutex<BTreeMap<String, Entry>>);

#[derive(Debug)]
struct Entry {
    endpoint: Endpoint,
    declares: Wanted,
    /// State knows it; else it is only planned.
    in_state: bool,
    /// It is being removed, so it needs nothing any more.
    leaving: bool,
}

/// The datastores beside one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Others<'r> {
    registry: Option<(&'r Registry, &'r Endpoint)>,
    /// The mark of the one, if it has one.
    own: Option<&'r str>,
}

impl Registry {
    /// Notes what a datastore declares.
    pub fn note(&self, mark: &str, endpoint: &Endpoint, declares: &Wanted, in_state: bool) {
        let entry = Entry { endpoint: endpoint.clone(), declares: declares.clone(), in_state, leaving: false };
        self.entries().insert(mark.to_owned(), entry);
    }

    /// A datastore is being removed, or stays after all. Two that leave at once leave nothing for each other.
    pub fn leaves(&self, mark: &str, leaving: bool) {
        if let Some(entry) = self.entries().get_mut(mark) {
            entry.leaving = leaving;
        }
    }

    /// A datastore is gone.
    pub fn forget(&self, mark: &str) {
        self.entries().remove(mark);
    }

    /// Those beside the one of this mark.
    pub fn beside<'r>(&'r self, endpoint: &'r Endpoint, own: Option<&'r str>) -> Others<'r> {
        Others { registry: Some((self, endpoint)), own }
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Others<'_> {
    /// What they declare at this moment.
    pub fn declare(&self) -> Vec<Wanted> {
        self.entries(|entry| !entry.leaving)
    }

    /// Whether a state that this process read knows the role.
    pub fn know_role(&self, role: &str) -> bool {
        self.entries(|entry| entry.in_state).iter().any(|declares| declares.role() == Some(role))
    }

    fn entries(&self, wanted: impl Fn(&Entry) -> bool) -> Vec<Wanted> {
        let Some((registry, endpoint)) = self.registry else { return Vec::new() };
        registry
            .entries()
            .iter()
            .filter(|(mark, entry)| Some(mark.as_str()) != self.own && entry.endpoint == *endpoint && wanted(entry))
            .map(|(_, entry)| entry.declares.clone())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::datastore::world::{by_role, direct};

    #[test]
    fn others_are_those_of_the_same_endpoint_but_the_one_itself() {
        let registry = Registry::default();
        let here = Endpoint { host: "h".into(), port: 5439 };
        let there = Endpoint { host: "h".into(), port: 5440 };
        registry.note("a", &here, &direct(), true);
        registry.note("b", &here, &by_role(), false);
        registry.note("c", &there, &direct(), true);
        assert_eq!(registry.beside(&here, Some("a")).declare(), [by_role()]);
        assert_eq!(registry.beside(&here, None).declare(), [direct(), by_role()]);
        assert!(!registry.beside(&here, None).know_role("tfds_0123456789"), "it is only planned");
        registry.note("b", &here, &by_role(), true);
        assert!(registry.beside(&here, Some("a")).know_role("tfds_0123456789"));
        assert!(!registry.beside(&here, Some("b")).know_role("tfds_0123456789"));
        registry.forget("b");
        assert_eq!(registry.beside(&here, Some("a")).declare(), []);
        assert_eq!(Others::default().declare(), []);
    }
}
