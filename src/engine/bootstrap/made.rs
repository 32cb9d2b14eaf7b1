//! What an integration made: kept in its marker and with whoever manages it, so that only that is ever removed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::found::Found;
use super::parts::digest;
use super::spec::{ExternalSchema, Impersonation, Spec};

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

/// What an apply remembers of what it saw when it was done: by it, what somebody altered is told from what he replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keepsake {
    /// The digest of the view's query, in the server's words.
    pub view: Option<String>,
    /// The user id of the marker's owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<i64>,
    /// The user id of the system user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_user: Option<i64>,
    /// Whether somebody held rights by which the key can be read, since it was made.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exposed: bool,
    /// The ids of the managed schemas: one that is made again has another.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub schemas: BTreeMap<String, u64>,
    /// The id of `<prefix>_system`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<u64>,
}

impl Keepsake {
    pub(super) fn of(spec: &Spec, found: &Found) -> Keepsake {
        let Some(inside) = &found.inside else { return Keepsake::default() };
        Keepsake {
            view: inside.view.as_deref().map(digest),
            owner: inside.schema(&spec.system()).map(|schema| schema.owner),
            system_user: found.world.principals.user(&spec.system_user).map(|user| user.id),
            exposed: false,
            schemas: inside.schema_oids.clone(),
            schema: inside.system_oid,
        }
    }
}

impl Made {
    /// Whether a marker names something that neither configuration nor private state knows: somebody wrote in it.
    pub(super) fn is_contradicted_by(&self, spec: &Spec, marker: &Made) -> bool {
        let knows = |actors: &Impersonation| {
            spec.impersonation.as_ref() == Some(actors) || self.actors.as_ref() == Some(actors)
        };
        let known =
            |name: &String| self.external_schemas.contains_key(name) || spec.external_schemas.contains_key(name);
        marker.system_user != spec.system_user
            || marker.actors.as_ref().is_some_and(|actors| !knows(actors))
            || !marker.external_schemas.keys().all(known)
    }

    /// As the marker keeps it.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// What is ours: of what configuration and private state name, that which the marker says too. `kept` is what private
    /// state has; none: nothing was kept.
    #[must_use]
    pub fn ours(spec: &Spec, kept: Option<&Made>, marker: &Made) -> Made {
        let also = |was: fn(&Made) -> bool| kept.is_none_or(was);
        let actors = marker.actors.as_ref().filter(|said| {
            spec.impersonation.as_ref() == Some(said) || kept.is_some_and(|kept| kept.actors.as_ref() == Some(said))
        });
        let external = |name: &String, said: &ExternalSchema| {
            let before = kept.and_then(|kept| kept.external_schemas.get(name));
            let wanted = spec.external_schemas.get(name);
            // An edit that was cut short may have come as far as either.
            if wanted == Some(said) { wanted } else { before.or(wanted) }
        };
        Made {
            database: spec.create_database && marker.database && also(|kept| kept.database),
            user: marker.user && marker.system_user == spec.system_user && also(|kept| kept.user),
            system_user: spec.system_user.clone(),
            actors: actors.cloned(),
            temp_to_public: !spec.create_database && marker.temp_to_public && also(|kept| kept.temp_to_public),
            owners: kept.map_or(marker.owners, |kept| kept.owners),
            external_schemas: marker
                .external_schemas
                .iter()
                .filter_map(|(name, said)| Some((name.clone(), external(name, said)?.clone())))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::spec::{ActorKind, Kind};
    use super::*;

    fn actors() -> impl Strategy<Value = Option<Impersonation>> {
        let kind = prop_oneof![Just(ActorKind::Group), Just(ActorKind::Role)];
        proptest::option::of(("[a-c]", kind).prop_map(|(name, kind)| Impersonation { name, kind }))
    }

    fn external() -> impl Strategy<Value = BTreeMap<String, ExternalSchema>> {
        let one = "[a-b]".prop_map(|database| ExternalSchema { database, iam_role: "default".into(), region: None });
        proptest::collection::btree_map("[x-z]", one, 0..3)
    }

    fn made() -> impl Strategy<Value = Made> {
        let owners = prop_oneof![Just(Owners::System), Just(Owners::Login)];
        (any::<bool>(), any::<bool>(), "[s-t]", actors(), any::<bool>(), owners, external()).prop_map(
            |(database, user, system_user, actors, temp_to_public, owners, external_schemas)| Made {
                database,
                user,
                system_user,
                actors,
                temp_to_public,
                owners,
                external_schemas,
            },
        )
    }

    proptest! {
        /// Whatever a marker says, nothing is ours that neither configuration nor private state names.
        #[test]
        fn a_marker_only_narrows(
            marker in made(), kept in proptest::option::of(made()), wanted in actors(), schemas in external(), create in any::<bool>(),
        ) {
            let spec = Spec {
                kind: Kind::RedshiftSpectrum,
                database: "d".into(),
                initial_database: None,
                create_database: create,
                prefix: "p".into(),
                system_user: "s".into(),
                impersonation: wanted,
                marker_owner: None,
                external_schemas: schemas,
                members: None,
                key_version: None,
                allowed_readers: Default::default(),
            };
            let ours = Made::ours(&spec, kept.as_ref(), &marker);
            prop_assert_eq!(&ours.system_user, &spec.system_user);
            prop_assert!(!ours.database || create);
            if let Some(actors) = &ours.actors {
                let named = [spec.impersonation.as_ref(), kept.as_ref().and_then(|kept| kept.actors.as_ref())];
                prop_assert!(named.contains(&Some(actors)) && marker.actors.as_ref() == Some(actors));
            }
            for (name, external) in &ours.external_schemas {
                let named = [spec.external_schemas.get(name), kept.as_ref().and_then(|kept| kept.external_schemas.get(name))];
                prop_assert!(named.contains(&Some(external)) && marker.external_schemas.contains_key(name));
            }
            if let Some(kept) = &kept {
                prop_assert!(!ours.database || kept.database);
                prop_assert!(!ours.user || kept.user);
                prop_assert!(!ours.temp_to_public || kept.temp_to_public);
            }
        }
    }
}
