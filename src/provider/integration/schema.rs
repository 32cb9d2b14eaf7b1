//! The attributes of an integration, and what is derived of them.

use super::super::configured::Configured;
use super::super::link::{self, Link};
use super::super::place;
use super::super::rotation;
use super::super::script;
use super::super::settings::Place;
use super::super::tests_result;
use super::model::{Settings, SystemUser};
use crate::engine::bootstrap::{Scripts, Spec, check_plain, check_prefix, scripts};
use crate::engine::registration::uri::IntegrationUri;
use crate::engine::script::Script;
use crate::terraform::{
    Attr, Attribute, Diagnostic, Diagnostics, Schema, Value, boolean, list, map, map_of, number, object, set, string,
};

pub(super) fn schema() -> Schema<Configured> {
    let schema = Schema::new(
        "A governance integration: a managed database (or managed schemas in a database that is there), a system user, a profile \
         table of which each user sees the own row, and if wanted a procedure by which members act for others.",
    );
    let schema = settings().into_iter().fold(schema, |schema, (name, attribute)| {
        let attribute = match name {
            "type" => attribute.default("Redshift"),
            "prefix" => attribute.default("immuta").replaces(),
            "database" => attribute.replaces(),
            _ => attribute,
        };
        schema.setting(name, attribute)
    });
    let schema = link::attributes(schema, Place::Block);
    let schema = blocks(schema)
        .setting(
            "allowed_readers",
            set(string()).doc(
                "Who may hold rights on everything in the managed database (`GRANT SELECT FOR TABLES IN DATABASE ...`), each as `role NAME` or \
                 `user NAME`. Such a right reaches the managed tables too, the profile and the key of impersonation included: whoever \
                 holds it reads every profile, and with impersonation can act for anybody. Others who hold one stop an apply.",
            ),
        )
        .setting(
            "mask_key_version",
            number().whole().doc(
                "Any whole number. Whenever it changes to another, the warehouse makes another key of hashes, in place, and every hash that protected \
                 tables show is another from then on. Needs `auto_bootstrap = true`; by hand `scripts.rotate` does it.",
            ),
        )
        .setting(
            "force_destroy",
            boolean().default(false).local().doc(
                "`true`: a destroy also drops what others put into the managed database or schemas, and hands over what the system \
                 user owns elsewhere. Otherwise both are listed, and nothing is dropped.",
            ),
        )
        .setting(
            "abandon_on_destroy",
            boolean().default(false).local().doc(
                "With `auto_bootstrap = false`: a destroy leaves the objects, with a warning, instead of failing until the delete \
                 script was run.",
            ),
        )
        .timeouts(&[("create", "20m"), ("update", "20m"), ("delete", "20m")])
        .pinned("id", string().doc("The integration's own id, which the marker in the warehouse holds; also the import id."));
    place::attributes(schema)
        .drift(
            "status",
            string().doc(
                "`enabled`; `recurringValidationError` if somebody altered what is managed; `createError`, `editError` or \
                 `deleteError` after something failed; `creating`, `editing` or `deleting` while a run is at it, or was cut short.",
            ),
            "enabled",
        )
        .drift(
            "missing",
            list(string()).doc("What is not as it was made. A plan that shows any restores it."),
            Value::List(Vec::new()),
        )
        .drift(
            "surplus",
            list(string()).doc("What others hold or put there that nobody but the integration should. A plan that shows any takes it away."),
            Value::List(Vec::new()),
        )
        .observed(
            "exposed_to",
            list(string()).doc(
                "Who holds rights on everything in the managed database, such as SELECT for all tables, and is not in `allowed_readers`: \
                 such rights reach the managed tables too.",
            ),
        )
        .observed("validation_results", tests_result::attribute())
        .pinned(
            "password_version",
            string().doc("Version of the system user's password that was last sent; null if none was."),
        )
        .derived(
            "uri",
            string().doc(
                "The integration as other resources name it, such as `redshift_user_profiles` and `redshift_protected_tables`: what is \
                 managed where, known before it is made.",
            ),
            uri,
        )
        .derived(
            "system_user_name",
            string().doc("Name of the system user, known before it is made: for a grant or a policy that names it."),
            |_: &Configured, planned: &Value| of_spec(planned, |spec| spec.system_user.into()),
        )
        .derived(
            "schemas",
            map(string()).doc("The managed schemas that people and the governance tool use: `system`, `functions`, `procedures`."),
            |_: &Configured, planned: &Value| of_spec(planned, schemas),
        )
        .derived(
            "config",
            string().doc("The configuration as JSON in the words of the documents, with `<REDACTED>` for user and password."),
            config,
        )
        .derived(
            "scripts",
            scripts_attribute().doc(
                "The SQL of this integration, known before anything runs: for a set-up by hand, or for a review of what an apply \
                 sends. No script holds a secret.",
            ),
            |data: &Configured, planned: &Value| scripts_of(data, planned, None),
        )
}

/// The settings that the data source of scripts has too, before what is done about a change.
pub(super) fn settings() -> [(&'static str, Attribute); 8] {
    [
        (
            "type",
            string().one_of(&["Redshift", "RedshiftSpectrum"]).doc(
                "`Redshift`: a managed database of its own, which takes RA3 nodes or a serverless workgroup. `RedshiftSpectrum`: \
                 managed schemas in the database that holds the external tables. Another value replaces the integration.",
            ),
        ),
        (
            "auto_bootstrap",
            boolean().required().doc(
                "`true`: an apply does the work, with a login that has the rights for it. `false`: a person runs `scripts`, and an \
                 apply only verifies. Changing it runs no SQL.",
            ),
        ),
        (
            "database",
            string().required().check(plain("database")).doc("The managed database. If it is made, it must not exist yet, or be empty."),
        ),
        ("initial_database", string().doc("Database from which the managed one is made. Default: that of the connection.")),
        (
            "create_database",
            boolean().doc("Whether the managed database is made. Default: `true` for `Redshift`, `false` for `RedshiftSpectrum`. Another value replaces."),
        ),
        (
            "prefix",
            string().check(|value| check_prefix(value.as_str().unwrap_or_default()).map_err(|error| error.detail())).doc(
                "What the names of managed schemas begin with (`<prefix>_system`, `<prefix>_functions`, `<prefix>_procedures`). One \
                 integration for each prefix in a warehouse.",
            ),
        ),
        (
            "marker_owner",
            string().doc("User who gets the marker's schema and tables, where the login is to be deleted after the set-up. Default: the login keeps them."),
        ),
        (
            "external_schemas",
            map_of([
                ("database", string().required().doc("Database of the data catalogue.")),
                ("iam_role", string().required().doc("ARN of the role that reads the catalogue, or `default`.")),
                ("region", string().doc("Region of the catalogue. Default: the warehouse's.")),
            ])
            .doc("External schemas to make, by name. Only with `RedshiftSpectrum`."),
        ),
    ]
}

fn blocks(schema: Schema<Configured>) -> Schema<Configured> {
    const STORES: [&str; 2] = ["password_ssm_parameter", "secret_id"];
    schema
        .block(
            "system_user",
            "The user that owns what is managed, and that the governance tool signs in as.",
            [
                ("name", string().check(plain("system_user.name")).doc("Name of the user. Default: `<prefix>_system_user`. Another name replaces the integration.")),
                (
                    "password_wo",
                    string().write_only().holds_secret().required_with(&["password_wo_version"]).conflicts_with(&STORES).doc(
                        "Password of the user, sent as a hash. It is looked at where it is sent. Without any source of a password it cannot sign in by password.",
                    ),
                ),
                ("password_wo_version", number().doc("Any number. The password is sent again whenever this changes.")),
                ("password_ssm_parameter", string().conflicts_with(&["secret_id"]).check(rotation::parameter).doc("Name of an SSM parameter (a SecureString) that holds the password.")),
                ("secret_id", string().check(rotation::secret).doc("Name or ARN of a secret in Secrets Manager, whose JSON holds the password as `password`.")),
            ],
        )
        .block(
            "impersonation",
            "Lets members of a group or role act for other users, in what they see of the profile.",
            impersonation(),
        )
}

/// The block `impersonation`.
pub(super) fn impersonation() -> [(&'static str, Attribute); 5] {
    [
        ("enabled", boolean().doc("Default: `false`.")),
        ("name", string().check(plain("impersonation.name")).doc("Name of the group or role. Default: `<prefix>_impersonator_role`. Another name drops the old one with its members.")),
        ("type", string().one_of(&["group", "role"]).doc("`group`, which only superusers make, or `role`. Default: `group`.")),
        ("key_version", number().whole().doc("Any whole number. Whenever it changes, the warehouse makes a new key, which ends every impersonation that goes on.")),
        ("members", set(string()).doc("The users who may act for others. They are put into the group or get the role, and others lose it. With `type = \"role\"` the procedure refuses everybody else by name. Left out: members are whoever is given the group or role elsewhere.")),
    ]
}

fn plain(setting: &'static str) -> impl Fn(&Value) -> Result<(), String> {
    move |value| check_plain(setting, value.as_str().unwrap_or_default()).map_err(|error| error.detail())
}

/// `scripts`, with the five of them.
pub(super) fn scripts_attribute() -> Attribute {
    let script = |doc: &str| object(script::fields()).doc(doc);
    object([
        ("initial_create", script("Makes the managed database; null where it is there.")),
        ("create", script("Makes everything in it.")),
        ("edit", script("Leads from the settings before the last change to those now; null without one.")),
        ("delete", script("Removes everything.")),
        ("cleanup", script("Removes what a set-up that failed left.")),
        ("rotate", script("Makes new keys, and another password of the system user.")),
    ])
}

/// The scripts for what is planned; `before` is what was in state, for `edit`.
pub(super) fn scripts_of(data: &Configured, planned: &Value, before: Option<&Value>) -> Value {
    let Some((spec, home)) = spec_of(data, planned) else { return Value::Unknown };
    let before = before.and_then(|before| spec_of(data, before)).map(|(spec, _)| spec);
    scripts_value(&scripts(&spec, &home, before.as_ref()))
}

pub(super) fn scripts_value(scripts: &Scripts) -> Value {
    let or_null = |script: &Option<Script>| script.as_ref().map_or(Value::Null, script::value);
    Value::object([
        ("initial_create", or_null(&scripts.initial_create)),
        ("create", script::value(&scripts.create)),
        ("edit", or_null(&scripts.edit)),
        ("delete", script::value(&scripts.delete)),
        ("cleanup", script::value(&scripts.cleanup)),
        ("rotate", script::value(&scripts.rotate)),
    ])
}

/// What the configuration comes to, and the connection's own database. None while something in it is unknown.
pub(super) fn spec_of(data: &Configured, planned: &Value) -> Option<(Spec, String)> {
    let settings = settings_of(planned)?;
    let home = match &settings.initial_database {
        None if settings.creates_database() => home(data, planned)?,
        _ => home(data, planned).unwrap_or_default(),
    };
    let spec = settings.spec(&home);
    spec.check().is_ok().then_some((spec, home))
}

/// The database that the connection leads to.
pub(super) fn home(data: &Configured, planned: &Value) -> Option<String> {
    data.first_database(&Link::read(planned).ok()??.settings)
}

/// The settings, where all that makes a difference to the SQL is known: when a password is sent makes none.
fn settings_of(planned: &Value) -> Option<Settings> {
    let mut planned = planned.clone();
    for path in ["system_user.password_wo_version", "system_user.password_ssm_parameter", "system_user.secret_id"] {
        if planned.at(path).is_unknown() && !planned.at("system_user").is_unknown() {
            planned.set(path, Value::Null);
        }
    }
    planned.decode().ok()
}

/// What follows from the settings; unknown, where these are.
fn of_spec(planned: &Value, read: impl FnOnce(Spec) -> Value) -> Value {
    settings_of(planned).map_or(Value::Unknown, |settings| read(settings.spec("")))
}

fn schemas(spec: Spec) -> Value {
    let all = [("system", spec.system()), ("functions", spec.functions()), ("procedures", spec.procedures())];
    Value::Map(all.map(|(what, name)| (what.to_owned(), name.into())).into())
}

/// The integration as what is registered in it names it.
fn uri(_: &Configured, planned: &Value) -> Value {
    let Some(settings) = settings_of(planned) else { return Value::Unknown };
    let (spec, by_hand) = (settings.spec(""), !settings.auto_bootstrap);
    let uri = IntegrationUri {
        database: spec.database,
        prefix: spec.prefix,
        system_user: spec.system_user,
        kind: spec.kind,
        by_hand,
    };
    uri.to_string().into()
}

/// The configuration in the words of the documents.
pub(super) fn config(data: &Configured, planned: &Value) -> Value {
    let (Some(settings), Some((spec, _)), Ok(Some(link))) =
        (settings_of(planned), spec_of(data, planned), Link::read(planned))
    else {
        return Value::Unknown;
    };
    if data.is_unresolved(&link.settings) {
        return Value::Unknown;
    }
    let resolved = data.resolved(&link.settings);
    let endpoint = resolved.as_ref().and_then(|to| to.endpoint.clone());
    let authentication = match resolved.as_ref().map(|to| to.authentication_type) {
        None | Some("BASIC") => "userPassword",
        Some(other) => other,
    };
    let impersonation = match &spec.impersonation {
        None => serde_json::json!({ "enabled": false }),
        Some(actors) => serde_json::json!({ "enabled": true, "role": actors.name, "type": actors.kind }),
    };
    let config = serde_json::json!({
        "type": spec.kind,
        "autoBootstrap": settings.auto_bootstrap,
        "config": {
            "host": endpoint.as_ref().map(|endpoint| endpoint.host.clone()),
            "port": endpoint.as_ref().map(|endpoint| endpoint.port),
            "database": spec.database,
            "initialDatabase": spec.initial_database,
            "impersonation": impersonation,
            "authenticationType": authentication,
            "username": crate::engine::sql::REDACTED,
            "password": crate::engine::sql::REDACTED,
        },
    });
    config.to_string().into()
}

/// Rules across attributes; what is unknown is let pass.
pub(super) fn check(config: &Value, d: &mut Diagnostics) {
    link::check(config, d);
    if d.has_errors() {
        return;
    }
    let mut filled = config.clone();
    for (name, default) in [("type", "Redshift"), ("prefix", "immuta")] {
        if filled.at(name).is_null() {
            filled.set(name, default);
        }
    }
    let settings = match filled.get::<Settings>("") {
        Ok(Attr::Known(settings)) => settings,
        Ok(_) => return,
        Err(error) => return d.push(error),
    };
    let spec = Spec { initial_database: settings.initial_database.clone(), ..settings.spec("") };
    if let Err(error) = spec.check() {
        d.push(super::super::errors::on_attribute(&error, &crate::engine::error::Hints::default(), config));
    }
    if settings.system_user.as_ref().is_some_and(SystemUser::has_source) && !settings.auto_bootstrap {
        let detail = "With auto_bootstrap = false nothing is sent to the warehouse: whoever runs the script gives the password there.";
        d.push(Diagnostic::error("The password would not be used", detail).at("system_user"));
    }
    if !filled.at("mask_key_version").is_null() && !settings.auto_bootstrap {
        let detail = "With auto_bootstrap = false nothing is sent to the warehouse, so no new key is made. Leave it out, and run scripts.rotate.";
        d.push(Diagnostic::error("The key would not change", detail).at("mask_key_version"));
    }
}
