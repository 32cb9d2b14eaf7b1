//! An integration in Rust types, and what it comes to for the engine.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::super::place;
use crate::engine::bootstrap::life::Known;
use crate::engine::bootstrap::user_in_words;
use crate::engine::bootstrap::{ActorKind, ExternalSchema, Impersonation, Keepsake, Kind, Made, Spec};
use crate::engine::settings::defaults::StoredAt;
use crate::terraform::Change;

/// The settings of an integration once everything about them is known.
#[derive(Clone, Deserialize)]
pub struct Settings {
    #[serde(rename = "type")]
    pub(super) kind: Kind,
    pub(super) auto_bootstrap: bool,
    pub(super) database: String,
    pub(super) initial_database: Option<String>,
    pub(super) create_database: Option<bool>,
    pub(super) prefix: String,
    pub(super) system_user: Option<SystemUser>,
    pub(super) impersonation: Option<ImpersonationBlock>,
    pub(super) marker_owner: Option<String>,
    pub(super) external_schemas: Option<BTreeMap<String, ExternalSchema>>,
    pub(super) allowed_readers: Option<BTreeSet<String>>,
}

/// The block `system_user`.
#[derive(Clone, Default, Deserialize)]
pub(super) struct SystemUser {
    pub(super) name: Option<String>,
    /// Only whether it is written: what it says is compared as `password_version`.
    pub(super) password_wo_version: Option<IgnoredAny>,
    pub(super) password_ssm_parameter: Option<String>,
    pub(super) secret_id: Option<String>,
}

/// The block `impersonation`.
#[derive(Clone, Deserialize)]
pub(super) struct ImpersonationBlock {
    enabled: Option<bool>,
    name: Option<String>,
    #[serde(rename = "type")]
    kind: Option<ActorKind>,
    key_version: Option<i64>,
    members: Option<BTreeSet<String>>,
}

/// An integration.
#[derive(Deserialize)]
pub struct Model {
    #[serde(flatten)]
    pub(super) settings: Settings,
    pub(super) mask_key_version: Option<i64>,
    pub(super) force_destroy: bool,
    pub(super) abandon_on_destroy: bool,
    pub(super) id: Option<String>,
    pub(super) endpoint: Option<String>,
    pub(super) namespace: Option<String>,
    pub(super) status: Option<String>,
    pub(super) missing: Option<Vec<String>>,
    surplus: Option<Vec<String>>,
    pub(super) exposed_to: Option<Vec<String>>,
    pub(super) password_version: Option<String>,
}

/// What is kept in private state: what was made, and what it looked like then.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) made: Made,
    #[serde(flatten)]
    pub(super) keepsake: Keepsake,
    /// Whether all of it is what the marker said at an import, which no apply has confirmed yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) imported: bool,
}

/// The key of [`Kept`] in private state.
const KEPT: &str = "integration";

impl Kept {
    pub(super) fn read(cx: &Change<'_>) -> Option<Kept> {
        cx.private(KEPT).and_then(|kept| serde_json::from_value(kept).ok())
    }

    pub(super) fn keep(&self, cx: &mut Change<'_>) {
        cx.set_private(KEPT, serde_json::json!(self));
    }
}

impl Settings {
    /// The user that owns what is managed.
    pub(super) fn system_user_name(&self) -> String {
        let written = self.system_user.as_ref().and_then(|user| user.name.clone());
        written.unwrap_or_else(|| format!("{}_system_user", self.prefix))
    }

    /// Whether the managed database is made.
    pub(super) fn creates_database(&self) -> bool {
        self.create_database.unwrap_or(self.kind == Kind::Redshift)
    }

    fn impersonation(&self) -> Option<Impersonation> {
        let block = self.impersonation.as_ref().filter(|block| block.enabled == Some(true))?;
        let name = block.name.clone().unwrap_or_else(|| format!("{}_impersonator_role", self.prefix));
        Some(Impersonation { name, kind: block.kind.unwrap_or_default() })
    }

    /// What the engine is asked for; `home` is the database of the connection.
    pub(super) fn spec(&self, home: &str) -> Spec {
        let creates = self.creates_database();
        let initial = self.initial_database.clone();
        Spec {
            kind: self.kind,
            database: self.database.clone(),
            initial_database: if creates { Some(initial.unwrap_or_else(|| home.to_owned())) } else { initial },
            create_database: creates,
            prefix: self.prefix.clone(),
            system_user: self.system_user_name(),
            impersonation: self.impersonation(),
            members: self.impersonation.as_ref().and_then(|block| block.members.clone()),
            marker_owner: self.marker_owner.clone(),
            external_schemas: self.external_schemas.clone().unwrap_or_default(),
            key_version: self.impersonation.as_ref().and_then(|block| block.key_version),
            allowed_readers: self.allowed_readers.clone().unwrap_or_default(),
        }
    }
}

impl Model {
    pub(super) fn made(&self) -> place::Made<'_> {
        place::Made {
            endpoint: self.endpoint.as_deref(),
            namespace: self.namespace.as_deref(),
            mark: match &self.id {
                Some(id) => {
                    place::Mark::Integration { id, database: &self.settings.database, prefix: &self.settings.prefix }
                }
                None => place::Mark::None,
            },
            asks: &[],
        }
    }

    /// Where AWS keeps the system user's password, if an apply sends it.
    pub(super) fn store(&self) -> Option<StoredAt> {
        self.settings.system_user.as_ref().filter(|_| self.settings.auto_bootstrap)?.store()
    }

    /// Whether a read found something missing, or too much.
    pub(super) fn has_drifted(&self) -> bool {
        [&self.missing, &self.surplus].into_iter().flatten().any(|lines| !lines.is_empty())
    }

    /// Whether a read found the system user gone.
    pub(super) fn lost_its_user(&self) -> bool {
        let gone = user_in_words(&self.settings.system_user_name());
        self.missing.as_ref().is_some_and(|missing| missing.contains(&gone))
    }

    /// Where the update is planned: the pinned endpoint, of the warehouse that state knows.
    pub(super) fn made_before<'a>(&'a self, prior: &'a Model) -> place::Made<'a> {
        place::Made { endpoint: self.endpoint.as_deref(), ..prior.made() }
    }

    pub(super) fn known(&self, kept: Option<&Kept>) -> Known {
        Known {
            id: self.id.clone().unwrap_or_default(),
            made: kept.map(|kept| kept.made.clone()),
            prior: kept.is_none().then(|| self.settings.spec("")),
            keepsake: kept.map(|kept| kept.keepsake.clone()).unwrap_or_default(),
        }
    }
}
