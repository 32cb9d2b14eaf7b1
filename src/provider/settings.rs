//! The connection settings of a provider block, a connection and a `warehouse` block: one definition of their attributes,
//! and the way from what is written to what the engine takes.

use crate::engine::catalog::sync::Datasets;
use crate::engine::settings::connection_string::{has_password, passed_over};
use crate::engine::settings::defaults::Resolved;
use crate::engine::settings::{Settings, root_cert_path};
use crate::terraform::{
    Attribute, Change, DecodeError, Diagnostic, Diagnostics, Value, boolean, number, object, string,
};

use super::errors;

/// Where connection settings are written. The differences are few: who may hold a password, and who has a database of
/// its own.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The provider block: never stored, so the only one with a login password.
    Provider,
    /// `redshift_connection`.
    Connection,
    /// A `warehouse` block of a resource that names its database itself.
    Block,
    /// A `warehouse` block of a resource without a database of its own.
    BlockWithDatabase,
    /// A `warehouse` block of a data source, which cannot have write-only attributes.
    DataBlock,
    /// The same where the data source has no database of its own.
    DataBlockWithDatabase,
}

/// The attributes of connection settings, in the order of the documentation.
pub(super) fn attributes(place: Place) -> Vec<(&'static str, Attribute)> {
    let replaces = |attribute: Attribute| if place == Place::Connection { attribute.replaces() } else { attribute };
    let mut all = vec![
        (
            "host",
            replaces(string().doc(
                "Endpoint of the warehouse: a DNS name or an IP address, without port and database. \
                 Of a cluster: `NAME.HASH.REGION.redshift.amazonaws.com`; of a workgroup: \
                 `NAME.ACCOUNT.REGION.redshift-serverless.amazonaws.com`.",
            )),
        ),
        ("port", replaces(number().check(port).doc("Port of the warehouse. Default: `5439`."))),
    ];
    if !matches!(place, Place::Block | Place::DataBlock) {
        all.push(("database", string().doc("Database that is first connected to. Default: `dev`.")));
    }
    all.extend([
        (
            "authentication_type",
            string().doc(
                "How to sign in. `BASIC`: a database user and its password. `IAM`: temporary credentials from AWS. `IAM_ROLE`: \
                 the same, asked for by the role in `role_arn`. Left out, it follows from what is written: `IAM_ROLE` with \
                 `role_arn`, `BASIC` where there is a password, else `IAM` where the cluster or workgroup is known.",
            ),
        ),
        (
            "username",
            string().doc(
                "The database user who signs in. With `IAM` or `IAM_ROLE` on a cluster: the user to get credentials for; left \
                 out, it follows from the AWS identity, as it always does on a serverless workgroup.",
            ),
        ),
        (
            "password_ssm_parameter",
            string().doc("Name of an SSM parameter (a SecureString) that holds the password. It is read anew in each run and never stored."),
        ),
        (
            "secret_id",
            string().doc(
                "Name or ARN of a secret in Secrets Manager, read anew in each run and never stored. Its JSON fills only what is \
                 absent: `username` (or `user`), `password`, `host`, `port`, `dbname` (or `database`), `dbClusterIdentifier`.",
            ),
        ),
        (
            "connection_string",
            connection_string(place).doc(
                "Settings as one line: `postgresql://`, `postgres://`, `redshift://`, `jdbc:redshift://` or `jdbc:redshift:iam://`. \
                 Special characters are percent-encoded. What it says must not be written beside it. Parameters that only tune a \
                 driver (`tcpKeepAlive`, `application_name`, …) are passed over with a warning.",
            ),
        ),
        (
            "cluster_identifier",
            replaces(string().doc(
                "The provisioned cluster. Needed where the host does not tell it (an IP address, a VPC endpoint) and AWS gives \
                 the credentials; in place of `host`, the endpoint is looked up.",
            )),
        ),
        ("workgroup_name", replaces(string().doc("The serverless workgroup, likewise."))),
        ("region", string().doc("AWS region. Left out: told by the host, inherited, or the AWS configuration's.")),
        ("role_arn", string().doc("ARN of the role that is assumed to get credentials; it may be in another account.")),
        ("external_id", string().doc("External id that the role's trust policy asks for. Sent only when written.")),
        ("role_session_name", string().doc("Name of the assumed role's session. Default: `terraform-provider-redshift`.")),
        (
            "password_duration",
            string().doc(
                "How long temporary credentials may be used to sign in: `900s` to `3600s`, as digits with `s`, `m` or `h`. They \
                 are renewed by themselves. Default: `15m`.",
            ),
        ),
        (
            "sslmode",
            string().doc(
                "How TLS is used: `disable` (plain text), `require` (encrypted, server not verified), `verify-ca` \
                 (certificate verified), `verify-full` (certificate and host name verified). AWS's temporary credentials need TLS. \
                 Default: `verify-full`.",
            ),
        ),
        (
            "sslrootcert",
            string().doc(match place {
                Place::Provider => {
                    "Root certificates to trust instead of the built-in public ones: the path of a PEM file, or PEM text."
                }
                _ => "Path of a PEM file with the root certificates to trust instead of the built-in public ones.",
            }),
        ),
        (
            "connect_timeout",
            string().doc("How long a sign-in may take, such as `30s` or `1m`. Default: `30s`."),
        ),
        (
            "preserve_case",
            boolean().doc(
                "`true` for a warehouse with `enable_case_sensitive_identifier`, where names keep their case. It is \
                 checked against the warehouse. Default: `false`.",
            ),
        ),
    ]);
    let refused = "Not used here: declared so that a password written in the wrong place gets an answer. \
                   A login password belongs in the provider block.";
    all.extend(match place {
        Place::Provider => vec![(
            "password",
            string().sensitive().holds_secret().doc(
                "Password of `username`. It goes only to the endpoint and user of this block. Better: the environment \
                 variable `REDSHIFT_PASSWORD`, or an ephemeral value, which reach neither state nor plan.",
            ),
        )],
        Place::DataBlock | Place::DataBlockWithDatabase => {
            vec![("password", string().refused(false).doc(refused))]
        }
        _ => vec![("password", string().refused(true).doc(refused))],
    });
    all
}

fn port(value: &Value) -> Result<(), String> {
    match value.as_number().and_then(|number| number.as_i64()) {
        Some(1..=65535) => Ok(()),
        _ => {
            let given = value.as_number().map(ToString::to_string).unwrap_or_default();
            Err(format!(
                "It must be a whole number between 1 and 65535, not {given}. Redshift's own port is 5439: write port = 5439, or \
                 leave port out."
            ))
        }
    }
}

fn connection_string(place: Place) -> Attribute {
    match place {
        Place::Provider => string().sensitive().holds_secret(),
        Place::Connection => string().holds_secret().replaces_if(leads_elsewhere),
        _ => string().holds_secret(),
    }
}

/// Another string replaces a connection only when it names another endpoint.
fn leads_elsewhere(prior: &Value, planned: &Value) -> bool {
    let place = |value: &Value| {
        let settings = Settings::from_connection_string(value.as_str()?).ok()?;
        Some((settings.host, settings.port, settings.cluster_identifier, settings.workgroup_name))
    };
    place(prior) != place(planned)
}

/// The settings that a configuration may hold.
const NAMES: [&str; 20] = [
    "host",
    "port",
    "database",
    "authentication_type",
    "username",
    "password",
    "password_ssm_parameter",
    "secret_id",
    "connection_string",
    "cluster_identifier",
    "workgroup_name",
    "region",
    "role_arn",
    "external_id",
    "role_session_name",
    "password_duration",
    "sslmode",
    "sslrootcert",
    "connect_timeout",
    "preserve_case",
];

/// The settings in a configuration or a state. What is not known yet is pending; what a place does not have is not
/// written.
pub(super) fn read(value: &Value) -> Result<Settings, DecodeError> {
    let mut known = value.clone();
    let mut pending = Vec::new();
    for name in NAMES {
        if value.at(name).is_unknown() {
            known.set(name, Value::Null);
            pending.push(name);
        }
    }
    let mut settings: Settings = known.decode()?;
    settings.pending.extend(pending);
    Ok(settings)
}

/// Refuses a login password wherever it does not belong, known or not. The message names it in words: with a path,
/// Terraform would print the line.
pub(super) fn refuse_password(config: &Value, prefix: &str, d: &mut Diagnostics) {
    let place = if prefix.is_empty() { "`password`".to_owned() } else { format!("`password` in `{prefix}`") };
    let belongs = "A login password belongs in the provider block, which is never stored: as `password` for the provider's \
                   own endpoint and user, or as an entry of `credentials` for others. Or give it by the environment \
                   variable REDSHIFT_PASSWORD.";
    let value = config.at(prefix);
    if !value.attribute("password").is_null() {
        let why = "The settings here are kept in state, where a password must not be.";
        d.push(Diagnostic::error("A password does not belong here", format!("{place} is not used. {why} {belongs}")));
    }
    let string = value.attribute("connection_string").as_str();
    if string.is_some_and(has_password) {
        let why = "There is a password in the connection string. It would be kept in state: take it out.";
        d.push(Diagnostic::error("A password does not belong here", format!("{why} {belongs}")));
    }
}

/// What is wrong with settings that they show by themselves.
pub(super) fn check(config: &Value, prefix: &str, place: Place, d: &mut Diagnostics) {
    let value = config.at(prefix);
    if place != Place::Provider
        && let Some(Err(error)) = value.attribute("sslrootcert").as_str().map(root_cert_path)
    {
        d.push(errors::of_setting(&error, prefix));
        return;
    }
    let passed_over = value.attribute("connection_string").as_str().map(passed_over).unwrap_or_default();
    if let Some(first) = passed_over.first() {
        let (names, is) = (passed_over.join(", "), if passed_over.len() == 1 { "is" } else { "are" });
        d.push(Diagnostic::warning(
            format!("{first} of the connection string is not used"),
            format!("{names} {is} for a driver and means nothing here. The rest of the connection string is used."),
        ));
    }
    let settings = match read(value) {
        Ok(settings) => settings,
        // What a rule of the schema refused does not decode either.
        Err(_) if d.has_errors() => return,
        Err(error) => return d.push(error.below(&prefix.into()).into()),
    };
    // A port out of range was refused by its validator.
    for error in settings.check().iter().filter(|error| error.setting_name() != Some("port")) {
        d.push(errors::of_setting(error, prefix));
    }
}

/// The attribute `resolved`.
pub(super) fn resolved_attribute() -> Attribute {
    object([
        ("authentication_type", string().doc("How the login signs in.")),
        ("username", string().doc("The database user; null where it follows from the AWS identity.")),
        ("database", string().doc("The database first connected to.")),
        ("cluster_identifier", string().doc("The cluster, if the settings or the host name one.")),
        ("workgroup_name", string().doc("The serverless workgroup, if the settings or the host name one.")),
        ("region", string().doc("The region, if the settings or the host name one.")),
        ("sslmode", string().doc("How TLS is used.")),
    ])
    .doc("What the settings come to, with what they inherit. Kept until a setting of this resource changes.")
}

/// The value of `resolved`.
pub(super) fn resolved_value(to: &Resolved) -> Value {
    Value::object([
        ("authentication_type", to.authentication_type.into()),
        ("username", to.username.clone().into()),
        ("database", to.database.as_str().into()),
        ("cluster_identifier", to.cluster_identifier.clone().into()),
        ("workgroup_name", to.workgroup_name.clone().into()),
        ("region", to.region.clone().into()),
        ("sslmode", to.sslmode.as_str().into()),
    ])
}

/// Puts settings into the state of an imported connection.
pub(super) fn set(settings: &Settings, cx: &mut Change<'_>) {
    cx.set("host", settings.host.clone());
    cx.set("port", settings.port);
    cx.set("database", settings.database.clone());
    cx.set("authentication_type", settings.authentication_type.clone());
    cx.set("username", settings.username.clone());
    cx.set("password_ssm_parameter", settings.password_ssm_parameter.clone());
    cx.set("secret_id", settings.secret_id.clone());
    cx.set("cluster_identifier", settings.cluster_identifier.clone());
    cx.set("workgroup_name", settings.workgroup_name.clone());
    cx.set("region", settings.region.clone());
    cx.set("role_arn", settings.role_arn.clone());
    cx.set("external_id", settings.external_id.clone());
    cx.set("role_session_name", settings.role_session_name.clone());
    cx.set("password_duration", settings.password_duration.clone());
    cx.set("sslmode", settings.sslmode.clone());
    cx.set("sslrootcert", settings.sslrootcert.clone());
    cx.set("connect_timeout", settings.connect_timeout.clone());
    cx.set("preserve_case", settings.preserve_case);
}

/// Checks patterns of table names.
pub(super) fn globs(value: &Value) -> Result<(), String> {
    let Value::List(patterns) = value else { return Ok(()) };
    let known = patterns.iter().filter_map(Value::as_str);
    known.map(Datasets::check).find_map(Result::err).map_or(Ok(()), |error| Err(error.detail()))
}
