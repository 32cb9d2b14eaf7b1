//! The attributes of a datastore, what is wrong with them by themselves, and how its grants are planned.

use super::super::configured::Configured;
use super::super::link::{self, Link};
use super::super::place;
use super::super::settings::{Place, globs};
use super::model::{Scripted, ServiceUser, keeps_role};
use crate::engine::datastore::{GranteeKind, script};
use crate::engine::names::{check_name, same_name};
use crate::engine::settings::id::{DatastoreId, Mode};
use crate::engine::settings::jdbc_url;
use crate::terraform::{
    Attr, Diagnostic, Diagnostics, Plan, Schema, Value, boolean, list, number, object, set, string,
};

pub(super) fn schema() -> Schema<Configured> {
    let schema = Schema::new(
        "A schema that a tool reads, or an enrichment store that it writes to, with exactly the rights its user needs.",
    )
    .setting(
        "name",
        string().required().max_length(255).doc(
            "Display name. Kept in state only, like `description`, `teams` and `tags`: changing them runs no SQL.",
        ),
    )
    .setting("description", string().max_length(255).doc("Kept in state only."))
    .setting("teams", set(string()).doc("Names of teams. Kept in state only."))
    .setting("tags", set(string()).doc("Tags. Kept in state only."));
    let schema = link::attributes(schema, Place::Block)
        .setting("database", string().required().replaces().check(|value| name("database", value)).doc("Database that holds the schema."))
        .setting("schema", string().required().replaces_if(is_another).check(|value| name("schema", value)).doc("The schema. It must exist."))
        .setting(
            "enrichment_only",
            boolean().default(false).doc(
                "`false`: a source, which is read: USAGE on the schema, SELECT on its tables. `true`: an enrichment store, which is \
                 written to: also CREATE on the schema, and INSERT, UPDATE and DELETE on its tables.",
            ),
        )
        .setting("trigger_catalog", boolean().default(true).doc("Read the catalogue right after creation."))
        .block(
            "catalog_refresh",
            "Whether a refresh reads the catalogue again. Without it, the catalogue in state is served as it is. Reading it wakes a \
             paused serverless warehouse, which bills at least its minimum.",
            [
                ("enabled", boolean().doc("Default: `false`.")),
                ("interval", string().check(interval).doc("The catalogue is read again once it is older than this. Default: `24h`.")),
            ],
        )
        .setting(
            "datasets",
            set(string()).check(globs).doc("Patterns of table names, such as `orders_*`, that belong to the catalogue. Default: all. They never narrow the rights: `service_user.tables` does."),
        )
        .setting(
            "enrichment_datastore_id",
            string().check(enrichment).doc(
                "`id` of the enrichment store that findings about this source go to. Kept in state only; a refresh warns where the \
                 store is not there, is in another warehouse, or does not let this source's service user write.",
            ),
        )
        .block(
            "service_user",
            "Who gets the rights. Without it nothing is granted, and the login's own rights are checked.",
            [
                ("name", string().required().check(|value| name("service_user.name", value)).doc("Name of the user, group or role. It must exist: `redshift_user` makes users.")),
                ("type", string().default("user").one_of(&["user", "group", "role"]).doc("What `name` is.")),
                (
                    "grant_through",
                    string().one_of(&["role", "direct"]).doc(
                        "`role`: the rights go to a role of this datastore's own, and the role to the service user; nothing else is \
                         touched, and removal is exact. It takes a login that may create roles. `direct`: plain grants; two datastores \
                         on one grantee are not told apart. Default: `role`; for a group always `direct`.",
                    ),
                ),
                (
                    "future_tables",
                    string().default("owners").one_of(&["owners", "schema", "none"]).doc(
                        "How tables to come are covered. `owners`: by default privileges for those who make tables. `schema`: by one \
                         right on all tables of the schema, whoever makes them (not for groups). `none`: not at all.",
                    ),
                ),
                (
                    "default_privileges_for",
                    set(string()).check(owners).doc(
                        "Users whose future tables are covered. Default: the schema's owner and the present owners of its tables, as \
                         they are found at creation. Redshift applies default privileges by who creates the table.",
                    ),
                ),
                (
                    "tables",
                    set(string()).check(tables).doc(
                        "Names of tables, or patterns such as `orders_*`: a source gives SELECT on the tables and views that match, \
                         and on no others. Write `future_tables = \"none\"` with it: a table that comes later and matches shows in \
                         `missing`, and the next apply grants it. Default: all tables.",
                    ),
                ),
                (
                    "table_privileges",
                    set(string()).one_of(&PRIVILEGES).doc(
                        "Rights on the tables of an enrichment store beside the usual ones, for a tool that changes tables which \
                         another user made: `ALTER`, `DROP`, `TRUNCATE`, `REFERENCES`. Tables to come get `ALTER` by the next apply \
                         (with `future_tables = \"schema\"` at once): Redshift's default privileges do not know it.",
                    ),
                ),
            ],
        )
        .derived("id", string().doc("Endpoint, or the connection's id, and `#DATABASE/SCHEMA?mode=…`; also the import id. `name` is not part of it."), id);
    place::attributes(schema)
        .pinned(
            "grant_role",
            string().doc(
                "Role that carries the rights; null with direct grants. Its name follows from what is declared, and the plan \
                 knows it wherever the warehouse can be read.",
            ),
        )
        .pinned("default_privileges_owners", list(string()).doc("Users whose future tables are covered by default privileges."))
        .constant("type", string().doc("Always `redshift`."), "redshift")
        .constant("store_type", string().doc("Always `jdbc`."), "jdbc")
        .derived("jdbc_url", string().doc("URL for JDBC drivers, without user and password."), url)
        .pure(
            "script",
            string().doc(
                "The whole wanted state as SQL, known before anything runs. What an apply sends is this less what is there already. It \
                 names the role of `grant_role`; only where the plan\n                 cannot know that name does the word `grant_role` stand in its place.",
            ),
            |_: &Configured, scripted: Scripted| script(&scripted.rights(None), false).into(),
        )
        .observed("connected", boolean().doc("Whether the last read could sign in."))
        .observed(
            "catalog",
            object([
                ("table_count", number().doc("Tables and views.")),
                ("column_count", number().doc("Their columns.")),
                ("fingerprint", string().doc("Digest of names and types: it changes when they do.")),
            ])
            .doc("What the last reading of the catalogue found; null if it was never read. The tables themselves: data source `redshift_catalog`."),
        )
        .drift(
            "missing",
            list(string()).doc("Declared rights that the grantee lacks. A plan that shows any restores them."),
            Value::List(Vec::new()),
        )
        .drift(
            "surplus",
            list(string()).doc(
                "What the role in `grant_role` has beyond what is declared, and who else holds it. A plan that shows any takes \
                 it back. Empty with direct grants.",
            ),
            Value::List(Vec::new()),
        )
}

/// The same name in another case is another name only where the warehouse keeps the case, which its next answer tells.
fn is_another(prior: &Value, planned: &Value) -> bool {
    match (prior.as_str(), planned.as_str()) {
        (Some(prior), Some(planned)) => !same_name(prior, planned, false),
        _ => prior != planned,
    }
}

/// What `table_privileges` may hold.
const PRIVILEGES: [&str; 4] = ["ALTER", "DROP", "TRUNCATE", "REFERENCES"];

fn name(setting: &'static str, value: &Value) -> Result<(), String> {
    check_name(value.as_str().unwrap_or_default()).map_err(|problem| format!("In {setting}: {problem}."))
}

fn owners(value: &Value) -> Result<(), String> {
    let Value::List(names) = value else { return Ok(()) };
    let known = names.iter().filter(|name| !name.is_unknown());
    known.into_iter().try_for_each(|owner| name("service_user.default_privileges_for", owner))
}

fn tables(value: &Value) -> Result<(), String> {
    if matches!(value, Value::List(patterns) if patterns.is_empty()) {
        return Err(
            "An empty list would let nothing be read. Name a table or a pattern, or leave `tables` out for all."
                .to_owned(),
        );
    }
    globs(value)
}

fn interval(value: &Value) -> Result<(), String> {
    let text = value.as_str().unwrap_or_default();
    humantime::parse_duration(text)
        .map(drop)
        .map_err(|error| format!("`{text}` is not a duration such as `24h`: {error}."))
}

fn enrichment(value: &Value) -> Result<(), String> {
    let id: DatastoreId =
        value.as_str().unwrap_or_default().parse().map_err(|error: crate::engine::error::Error| error.detail())?;
    match id.mode {
        Mode::Enrichment => Ok(()),
        Mode::Source => {
            Err("This is the id of a source. Findings go to an enrichment store: its id says mode=enrichment."
                .to_owned())
        }
    }
}

/// What does not go together in `service_user`.
pub(super) fn check_service_user(config: &Value, d: &mut Diagnostics) {
    let text = |name: &str| config.at(&format!("service_user.{name}")).as_str().map(str::to_owned);
    if text("type").as_deref() == Some("group") {
        if text("grant_through").as_deref() == Some("role") {
            let detail = "Redshift cannot grant a role to a group: leave `grant_through` out, or write \"direct\".";
            d.push(Diagnostic::error("A group cannot hold a role", detail).at("service_user.grant_through"));
        }
        if text("future_tables").as_deref() == Some("schema") {
            let detail =
                "Redshift cannot give a group one right on all tables of a schema: write \"owners\" or \"none\".";
            d.push(Diagnostic::error("A group cannot hold a scoped right", detail).at("service_user.future_tables"));
        }
    }
    let asks = matches!(config.at("service_user.table_privileges"), Value::List(asked) if !asked.is_empty());
    let is_source = matches!(config.at("enrichment_only"), Value::Null | Value::Bool(false));
    if asks && is_source {
        let detail = "A source is only read. `table_privileges` are for an enrichment store: write enrichment_only = true, or leave \
                      them out.";
        d.push(
            Diagnostic::error("table_privileges are for enrichment stores", detail).at("service_user.table_privileges"),
        );
    }
    check_tables(config, d);
    let names_owners = !config.at("service_user.default_privileges_for").is_null();
    if let (true, Some("schema" | "none")) = (names_owners, text("future_tables").as_deref()) {
        let detail = "`default_privileges_for` names the owners that `future_tables = \"owners\"` covers. Leave one of the two out.";
        d.push(
            Diagnostic::error("default_privileges_for does not go with this future_tables", detail)
                .at("service_user.default_privileges_for"),
        );
    }
}

fn check_tables(config: &Value, d: &mut Diagnostics) {
    if config.at("service_user.tables").is_null() {
        return;
    }
    if config.at("enrichment_only").as_bool() == Some(true) {
        let detail = "A tool writes its findings into any table of an enrichment store. `tables` narrows what is read of a source: \
                      leave it out here.";
        d.push(Diagnostic::error("tables are for sources", detail).at("service_user.tables"));
    }
    let future = config.at("service_user.future_tables");
    if !future.is_unknown() && future.as_str() != Some("none") {
        let detail = "Rights on tables to come cannot be narrowed to some of them: Redshift gives them for every table that is made. Write \
                      future_tables = \"none\" in service_user. A table that comes later and matches shows in `missing`, and the next \
                      apply grants it.";
        d.push(Diagnostic::error("tables takes future_tables = \"none\"", detail).at("service_user.future_tables"));
    }
}

fn id(data: &Configured, planned: &Value) -> Value {
    let text = |name: &str| planned.at(name).as_str().map(str::to_owned);
    let user = planned.at("service_user");
    let principal = match user {
        user if user.is_null() => None,
        user => match user.decode::<ServiceUser>() {
            Ok(user) => Some((user.kind, user.name)),
            // Only its name and kind are part of the id.
            Err(_) => {
                match (text("service_user.name"), user.at("type").get::<GranteeKind>("").map(|kind| kind.known())) {
                    (Some(name), Ok(Some(kind))) => Some((kind, name)),
                    _ => return Value::Unknown,
                }
            }
        },
    };
    let (Some(database), Some(schema), Some(writes)) =
        (text("database"), text("schema"), planned.at("enrichment_only").as_bool())
    else {
        return Value::Unknown;
    };
    let Ok(Some(link)) = Link::read(planned) else { return Value::Unknown };
    let Some(connection) = place::base_id(data, &link) else { return Value::Unknown };
    let mode = if writes { Mode::Enrichment } else { Mode::Source };
    DatastoreId { connection, database, schema, mode, principal, grant_role: None }.to_string().into()
}

fn url(data: &Configured, planned: &Value) -> Value {
    let (Some(database), Ok(Some(link))) = (planned.at("database").as_str(), Link::read(planned)) else {
        return Value::Unknown;
    };
    let url = data.resolved(&link.settings).and_then(|to| {
        let endpoint = to.endpoint.as_ref()?;
        Some(jdbc_url(endpoint, database, to.authentication_type))
    });
    url.map_or(Value::Unknown, Value::from)
}

/// Plans the role and the owners: kept where they stay, unknown where an apply decides, null where there are none.
pub(super) fn plan_grants(plan: &mut Plan<'_>) {
    // As it was: nothing that they depend on has changed.
    if !plan.settings_changed() && !plan.prior().at("default_privileges_owners").is_null() {
        return;
    }
    let planned = plan.planned().at("service_user").clone();
    if planned.is_null() {
        plan.set("grant_role", Value::Null);
        plan.set("default_privileges_owners", Value::Null);
        return;
    }
    let prior = plan.prior();
    let has_role = !prior.at("grant_role").is_null();
    let has_owners = !prior.at("default_privileges_owners").is_null();
    let prior_kind = prior.at("service_user").get::<GranteeKind>("type").ok().and_then(Attr::known);
    let were_named = matches!(prior.at("service_user.default_privileges_for"), Value::List(named) if !named.is_empty());
    let Ok(user) = planned.decode::<ServiceUser>() else {
        // Something in the block is known only after apply. What is there may have to change then.
        plan.set("grant_role", Value::Unknown);
        plan.set("default_privileges_owners", Value::Unknown);
        return;
    };
    let uses_role = if plan.is_create() { user.uses_role() } else { keeps_role(&user, prior_kind, has_role) };
    match (uses_role, has_role) {
        (true, true) => {}
        (true, false) => plan.set("grant_role", Value::Unknown),
        (false, _) => plan.set("grant_role", Value::Null),
    }
    let found_direct = !plan.is_create() && user.grant_through.is_none() && !uses_role;
    if let (true, true, Ok(scripted)) = (found_direct, plan.settings_changed(), plan.planned().decode::<Scripted>()) {
        plan.set("script", script(&scripted.rights(Some(false)), false));
    }
    let named = user.default_privileges_for.as_ref().filter(|named| !named.is_empty());
    match (user.future_tables.as_str(), named) {
        ("owners", Some(named)) => {
            plan.set("default_privileges_owners", named.iter().cloned().collect::<Vec<_>>());
        }
        ("owners", None) => {
            if !has_owners || were_named {
                plan.set("default_privileges_owners", Value::Unknown);
            }
        }
        _ => plan.set("default_privileges_owners", Value::Null),
    }
}

/// A disabled connection is not used: what is missing stays so until it is enabled.
pub(super) fn plan_without_a_call(plan: &mut Plan<'_>) -> Result<(), Diagnostics> {
    let is_disabled = Link::read(plan.planned())?.is_some_and(|link| !link.enabled);
    if is_disabled && !plan.is_create() {
        for drift in ["missing", "surplus"] {
            let seen = plan.prior().at(drift).clone();
            plan.set(drift, seen);
        }
    }
    Ok(())
}

/// A datastore cannot be its own enrichment store.
pub(super) fn refuse_own_link(plan: &Plan<'_>) -> Result<(), Diagnostics> {
    let read = |name: &str| plan.planned().at(name).as_str().and_then(|id| id.parse::<DatastoreId>().ok());
    if let (Some(own), Some(linked)) = (read("id"), read("enrichment_datastore_id"))
        && own.connection.same_place(&linked.connection)
        && (&own.database, &own.schema) == (&linked.database, &linked.schema)
    {
        let detail = "Its `enrichment_datastore_id` is the datastore itself: findings would be written into what they are about.";
        return Err(Diagnostic::error("A datastore cannot be its own enrichment store", detail)
            .at("enrichment_datastore_id")
            .into());
    }
    Ok(())
}
