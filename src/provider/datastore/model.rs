//! A datastore in Rust types, and the rights it comes to.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Deserialize;

use super::super::place;
use crate::engine::datastore::script;
use crate::engine::datastore::{FutureTables, Grantee, GranteeKind, Selection, Through, Wanted};
use crate::engine::rights::{Privilege, Rights};

/// How old a catalogue may become where no interval is written.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

/// A datastore once everything about it is known.
#[derive(Deserialize)]
pub struct Model {
    pub(super) database: String,
    pub(super) schema: String,
    enrichment_only: bool,
    pub(super) trigger_catalog: bool,
    catalog_refresh: Option<CatalogRefresh>,
    datasets: Option<BTreeSet<String>>,
    pub(super) enrichment_datastore_id: Option<String>,
    service_user: Option<ServiceUser>,
    pub(super) endpoint: Option<String>,
    pub(super) namespace: Option<String>,
    grant_role: Option<String>,
    default_privileges_owners: Option<Vec<String>>,
    missing: Option<Vec<String>>,
    surplus: Option<Vec<String>>,
    catalog: Option<Catalog>,
}

#[derive(Deserialize)]
struct CatalogRefresh {
    enabled: Option<bool>,
    interval: Option<String>,
}

/// Its presence is all that matters: what it holds is shown, not used.
#[derive(Deserialize)]
struct Catalog {}

/// The block `service_user`.
#[derive(Clone, Deserialize)]
pub(super) struct ServiceUser {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) kind: GranteeKind,
    pub(super) grant_through: Option<String>,
    pub(super) future_tables: String,
    pub(super) default_privileges_for: Option<BTreeSet<String>>,
    table_privileges: Option<BTreeSet<String>>,
    tables: Option<BTreeSet<String>>,
}

/// What a script is made of.
#[derive(Deserialize)]
pub(super) struct Scripted {
    database: String,
    schema: String,
    enrichment_only: bool,
    service_user: Option<ServiceUser>,
}

impl ServiceUser {
    pub(super) fn grantee(&self) -> Grantee {
        Grantee { name: self.name.clone(), kind: self.kind }
    }

    /// The rights on tables beside the usual ones.
    fn extra(&self) -> Rights {
        self.table_privileges.iter().flatten().filter_map(|name| Privilege::from_name(name)).collect()
    }

    /// The tables that the rights are about, where not all.
    fn selection(&self) -> Option<Selection> {
        self.tables.as_ref().map(|patterns| patterns.iter().cloned().collect::<Vec<_>>().into())
    }

    /// Whether the rights go through a role where nothing is written and nothing was found: a group cannot have one.
    pub(super) fn uses_role(&self) -> bool {
        match self.grant_through.as_deref() {
            Some(through) => through == "role",
            None => self.kind != GranteeKind::Group,
        }
    }

    /// How future tables are covered; `pinned` are the owners that were found when none was named.
    pub(super) fn future(&self, pinned: Option<&[String]>) -> FutureTables {
        match (self.future_tables.as_str(), &self.default_privileges_for, pinned) {
            ("schema", _, _) => FutureTables::Schema,
            ("none", _, _) => FutureTables::None,
            (_, Some(named), _) if !named.is_empty() => FutureTables::Owners(named.iter().cloned().collect()),
            // Nobody was found who could be covered, and a warning said so.
            (_, _, Some([])) => FutureTables::None,
            (_, _, Some(owners)) => FutureTables::Pinned(owners.to_vec()),
            (_, _, None) => FutureTables::Owners(Vec::new()),
        }
    }
}

impl Model {
    /// Where it was made.
    pub(super) fn made(&self) -> place::Made<'_> {
        place::Made {
            endpoint: self.endpoint.as_deref(),
            namespace: self.namespace.as_deref(),
            mark: self.grant_role.as_deref().map_or(place::Mark::None, place::Mark::Role),
            asks: &[],
        }
    }

    /// Where the update is planned: the pinned endpoint, of the warehouse that state knows.
    pub(super) fn made_before<'a>(&'a self, prior: &'a Model) -> place::Made<'a> {
        place::Made { endpoint: self.endpoint.as_deref(), ..prior.made() }
    }

    /// Who gets the rights.
    pub(super) fn grantee(&self) -> Option<Grantee> {
        self.service_user.as_ref().map(ServiceUser::grantee)
    }

    /// The rights as state has them.
    pub(super) fn rights(&self) -> Wanted {
        let through = self.grant_role.clone().map_or(Through::Direct, Through::Role);
        self.rights_through(through)
    }

    /// The rights of a new datastore: through the role that was planned, or one whose name is still to be chosen.
    pub(super) fn rights_to_create(&self) -> Wanted {
        let role = self.service_user.as_ref().is_some_and(ServiceUser::uses_role);
        self.rights_through(self.through(role, None))
    }

    /// The rights that a datastore is to have which had others: through the role it has, if it keeps one.
    pub(super) fn rights_to_update(&self, prior: &Model) -> Wanted {
        let role = match &self.service_user {
            Some(user) => {
                keeps_role(user, prior.service_user.as_ref().map(|user| user.kind), prior.grant_role.is_some())
            }
            None => false,
        };
        self.rights_through(self.through(role, prior.grant_role.as_ref()))
    }

    fn through(&self, role: bool, had: Option<&String>) -> Through {
        if !role {
            return Through::Direct;
        }
        let name = had.or(self.grant_role.as_ref());
        Through::Role(name.map_or_else(|| script::ROLE.to_owned(), Clone::clone))
    }

    fn rights_through(&self, through: Through) -> Wanted {
        Wanted {
            database: self.database.clone(),
            schema: self.schema.clone(),
            write: self.enrichment_only,
            grantee: self.grantee(),
            through,
            future: self
                .service_user
                .as_ref()
                .map_or(FutureTables::None, |user| user.future(self.default_privileges_owners.as_deref())),
            extra: self.service_user.as_ref().map(ServiceUser::extra).unwrap_or_default(),
            tables: self.service_user.as_ref().and_then(ServiceUser::selection),
        }
    }

    /// Whether the last read found something missing, or too much, or did not look.
    pub(super) fn has_drifted(&self) -> bool {
        [&self.missing, &self.surplus].into_iter().any(|lines| lines.as_ref().is_none_or(|lines| !lines.is_empty()))
    }

    /// Whether an update from `prior` reads the catalogue.
    pub(super) fn syncs_after(&self, prior: &Model) -> bool {
        self.trigger_catalog && (prior.catalog.is_none() || !prior.trigger_catalog || self.datasets != prior.datasets)
    }

    /// Whether a refresh reads the catalogue that was read then, in seconds since 1970.
    pub(super) fn refreshes(&self, synced_at: Option<u64>) -> bool {
        let Some(refresh) = self.catalog_refresh.as_ref().filter(|refresh| refresh.enabled == Some(true)) else {
            return false;
        };
        let interval = refresh.interval.as_deref().and_then(|text| humantime::parse_duration(text).ok());
        synced_at.is_none_or(|at| now() >= at + interval.unwrap_or(DEFAULT_INTERVAL).as_secs())
    }

    /// The patterns of tables that belong to the catalogue; none: all.
    pub(super) fn datasets(&self) -> Vec<String> {
        self.datasets.iter().flatten().cloned().collect()
    }
}

impl Scripted {
    /// The rights, through a role of this name.
    pub(super) fn through(&self, role: &str) -> Wanted {
        Wanted { through: Through::Role(role.to_owned()), ..self.rights(Some(true)) }
    }

    /// The rights, with a word in place of the role's name.
    pub(super) fn rights(&self, through_role: Option<bool>) -> Wanted {
        let user = self.service_user.as_ref();
        let role = through_role.unwrap_or_else(|| user.is_some_and(ServiceUser::uses_role));
        Wanted {
            write: self.enrichment_only,
            grantee: user.map(ServiceUser::grantee),
            through: if role { Through::Role(script::ROLE.to_owned()) } else { Through::Direct },
            future: user.map_or(FutureTables::None, |user| user.future(None)),
            extra: user.map(ServiceUser::extra).unwrap_or_default(),
            tables: user.and_then(ServiceUser::selection),
            database: self.database.clone(),
            schema: self.schema.clone(),
        }
    }
}

/// Whether a datastore that exists goes through a role from now on. Where nothing is written, what it has is kept: an
/// import may have found direct grants.
pub(super) fn keeps_role(user: &ServiceUser, prior: Option<GranteeKind>, has_role: bool) -> bool {
    let had_a_choice = prior.is_some_and(|kind| kind != GranteeKind::Group);
    match user.grant_through {
        None if had_a_choice && user.kind != GranteeKind::Group => has_role,
        _ => user.uses_role(),
    }
}

/// Whether the rights go through a role whose name is still to be chosen.
pub(super) fn lacks_role_name(rights: &Wanted) -> bool {
    rights.role() == Some(script::ROLE)
}

/// The role that rights go through.
pub(super) fn role_of(rights: &Wanted) -> Option<String> {
    match &rights.through {
        Through::Role(role) if rights.grantee.is_some() => Some(role.clone()),
        _ => None,
    }
}

/// Whether tables to come are covered by their owners' default privileges.
pub(super) fn covers_owners(rights: &Wanted) -> bool {
    matches!(rights.future, FutureTables::Owners(_) | FutureTables::Pinned(_))
}

/// Seconds since 1970.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
