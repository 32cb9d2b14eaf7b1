//! How a resource says which warehouse it is about: by a connection's id, by a `warehouse` block, or by neither.

use super::settings::{self, Place};
use crate::engine::settings::Settings;
use crate::engine::settings::id::{ConnectionId, is_no_id};
use crate::terraform::{Attribute, Diagnostic, Diagnostics, Schema, Value, string};

/// The settings that a resource's warehouse is reached with, before what it inherits.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) settings: Settings,
    pub(super) enabled: bool,
    /// Whether the settings are those of a connection, whose id then begins the resource's own.
    connection: Option<ConnectionId>,
}

impl Link {
    /// Reads it from a configuration, a plan or a state. None while the connection's id is not known yet.
    pub(super) fn read(value: &Value) -> Result<Option<Link>, Diagnostic> {
        let id = value.at("connection_id");
        if id.is_unknown() {
            return Ok(None);
        }
        if let Some(id) = id.as_str() {
            let id: ConnectionId =
                id.parse().map_err(|error| super::errors::of_setting(&error, "").at("connection_id"))?;
            return Ok(Some(Link::of(id)));
        }
        let settings = match value.at("warehouse") {
            block if block.is_null() => Settings::default(),
            block => settings::read(block).map_err(|error| error.below(&"warehouse".into()))?,
        };
        Ok(Some(Link::own(settings, true)))
    }

    /// That of a connection.
    pub(super) fn of(id: ConnectionId) -> Link {
        Link { settings: id.settings().clone(), enabled: id.enabled(), connection: Some(id) }
    }

    /// Settings that are written where they are used.
    pub(super) fn own(settings: Settings, enabled: bool) -> Link {
        Link { settings, enabled, connection: None }
    }

    /// What tells it from other links, where that is cheap to say: a connection's id, or that everything is inherited.
    pub(super) fn key(&self) -> Option<String> {
        match &self.connection {
            Some(id) => Some(id.to_string()),
            None if self.settings.written().is_empty() => Some(String::new()),
            None => None,
        }
    }

    /// The connection whose id was given.
    pub(super) fn connection(&self) -> Option<&ConnectionId> {
        self.connection.as_ref()
    }
}

/// The same where everything is known.
pub(super) fn known(value: &Value) -> Result<Link, Diagnostics> {
    let why = "`connection_id` is known only after apply.";
    Link::read(value)?.ok_or_else(|| Diagnostic::error("The connection is not known yet", why).into())
}

/// Adds `connection_id` and the `warehouse` block to a schema.
pub(super) fn attributes<D>(schema: Schema<D>, place: Place) -> Schema<D> {
    let inherited = "Without it and without `connection_id`, the provider block says which warehouse.";
    schema.setting("connection_id", connection_id()).block(
        "warehouse",
        format!("Connection settings of its own; what is left out is inherited from the provider block. {inherited}"),
        settings::attributes(place),
    )
}

fn connection_id() -> Attribute {
    string()
        .conflicts_with(&["warehouse"])
        .check(|value| {
            let id = value.as_str().unwrap_or_default();
            id.parse::<ConnectionId>().map(drop).map_err(|error| {
                let problem = is_no_id(id, "connection", &error);
                format!(
                    "{problem} Write the connection's `id`, not its name: connection_id = redshift_connection.NAME.id"
                )
            })
        })
        .doc("`id` of a `redshift_connection`, whose settings then are inherited.")
}

/// What is wrong with a `warehouse` block.
pub(super) fn check(config: &Value, d: &mut Diagnostics) {
    if config.at("warehouse").is_null() || config.at("warehouse").is_unknown() {
        return;
    }
    settings::refuse_password(config, "warehouse", d);
    settings::check(config, "warehouse", Place::Block, d);
}
