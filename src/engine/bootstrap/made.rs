//! What an integration made: kept in its marker and with whoever manages it, so that only that is ever removed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::spec::{ExternalSchema, Impersonation};

/// Who owns the managed schemas and what is in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Owners {
    /// The system user: a superuser made them on its behalf, and can be deleted afterwards.
    #[default]
    System,
    /// The login, which is no superuser and cannot give them away; the system user holds all rights on them.
    Login,
}

/// What was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// The managed database, which is dropped with the integration then.
    #[serde(default)]
    pub database: bool,
    #[serde(default)]
    pub user: bool,
    /// Its name, by which an import knows it.
    #[serde(default)]
    pub system_user: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actors: Option<Impersonation>,
    /// TEMP on a database that was there before.
    #[serde(default)]
    pub temp_to_public: bool,
    #[serde(default)]
    pub owners: Owners,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub external_schemas: BTreeMap<String, ExternalSchema>,
}

impl Made {
    /// As the marker keeps it.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// What the marker says, where it may only narrow what is known: names come from elsewhere.
    #[must_use]
    pub fn narrowed_by(&self, marker: &Made) -> Made {
        Made {
            database: self.database && marker.database,
            user: self.user && marker.user,
            system_user: self.system_user.clone(),
            actors: self.actors.clone().filter(|_| marker.actors.is_some()),
            temp_to_public: self.temp_to_public && marker.temp_to_public,
            owners: marker.owners,
            external_schemas: self
                .external_schemas
                .iter()
                .filter(|(name, _)| marker.external_schemas.contains_key(*name))
                .map(|(name, external)| (name.clone(), external.clone()))
                .collect(),
        }
    }
}
