//! The data source `redshift_integration_scripts`: the SQL of an integration, without touching a warehouse.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::super::configured::Configured;
use super::super::errors;
use super::model::{ImpersonationBlock, Settings, SystemUser};
use super::schema;
use crate::engine::bootstrap::{ExternalSchema, Kind, scripts};
use crate::terraform::{DataSource, Diagnostics, Read, Schema, Value, boolean, map_of, string};

/// The data source `redshift_integration_scripts`.
pub struct IntegrationScripts;

/// What is asked for.
#[derive(Deserialize)]
pub struct Model {
    #[serde(rename = "type")]
    kind: Option<Kind>,
    database: String,
    initial_database: Option<String>,
    create_database: Option<bool>,
    prefix: Option<String>,
    system_user_name: Option<String>,
    impersonation: Option<ImpersonationBlock>,
    marker_owner: Option<String>,
    external_schemas: Option<BTreeMap<String, ExternalSchema>>,
    before: Option<Before>,
}

/// What the settings were that may change in place.
#[derive(Clone, Deserialize)]
struct Before {
    impersonation: Option<ImpersonationBlock>,
    marker_owner: Option<String>,
    external_schemas: Option<BTreeMap<String, ExternalSchema>>,
}

impl DataSource for IntegrationScripts {
    type Data = Configured;
    type Model = Model;
    const NAME: &'static str = "integration_scripts";

    fn schema() -> Schema<Configured> {
        let schema = Schema::new(
            "The SQL by which a person sets up, changes or removes an integration. No warehouse is asked. No script holds a secret.",
        );
        let settings = schema::settings().into_iter().filter(|(name, _)| *name != "auto_bootstrap");
        let schema = settings.fold(schema, |schema, (name, attribute)| schema.setting(name, attribute));
        let external = || {
            map_of([
                ("database", string().required().doc("Database of the data catalogue.")),
                ("iam_role", string().required().doc("ARN of the role that reads the catalogue, or `default`.")),
                ("region", string().doc("Region of the catalogue.")),
            ])
            .doc("The external schemas, as they were.")
        };
        schema
            .setting("system_user_name", string().doc("Name of the system user. Default: `<prefix>_system_user`."))
            .block("impersonation", "As in the resource.", schema::impersonation())
            .setting(
                "before",
                crate::terraform::object([
                    (
                        "impersonation",
                        crate::terraform::object([
                            ("enabled", boolean().doc("Whether it was on.")),
                            ("name", string().doc("Name of the group or role.")),
                            ("type", string().one_of(&["group", "role"]).doc("`group` or `role`.")),
                            ("key_version", crate::terraform::number().whole().doc("The version of the key.")),
                            ("members", crate::terraform::set(string()).doc("The members that were declared.")),
                        ])
                        .doc("The block, as it was."),
                    ),
                    ("marker_owner", string().doc("The marker's owner, as it was.")),
                    ("external_schemas", external()),
                ])
                .doc("What the settings were that change in place. With it `scripts.edit` is made."),
            )
            .computed("scripts", schema::scripts_attribute().doc("The scripts."))
    }

    async fn read(data: &Configured, wanted: Model, cx: &mut Read<'_>) -> Result<(), Diagnostics> {
        let settings = Settings {
            kind: wanted.kind.unwrap_or_default(),
            auto_bootstrap: false,
            database: wanted.database,
            initial_database: wanted.initial_database,
            create_database: wanted.create_database,
            prefix: wanted.prefix.unwrap_or_else(|| "immuta".to_owned()),
            system_user: Some(SystemUser { name: wanted.system_user_name, ..SystemUser::default() }),
            impersonation: wanted.impersonation,
            marker_owner: wanted.marker_owner,
            external_schemas: wanted.external_schemas,
            allowed_readers: None,
        };
        let before = wanted.before.map(|before| Settings {
            impersonation: before.impersonation,
            marker_owner: before.marker_owner,
            external_schemas: before.external_schemas,
            ..settings.clone()
        });
        let explain = |error| errors::of_setting(&error, "");
        // That of the provider block's connection, which nobody has to reach for it.
        let home = schema::home(data, &Value::object([])).unwrap_or_else(|| "dev".to_owned());
        let spec = settings.spec(&home);
        spec.check().map_err(explain)?;
        let before = before.map(|before| before.spec(&home));
        if let Some(before) = &before {
            before.check().map_err(explain)?;
        }
        cx.set("scripts", schema::scripts_value(&scripts(&spec, &home, before.as_ref())));
        Ok(())
    }
}
