//! Tests of the service as Terraform calls it.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use serde::Deserialize;
use tokio::sync::Notify;
use tonic::Request;

use super::super::wire::tfplugin6 as pb;
use super::super::wire::tfplugin6::provider_server::Provider as _;
use super::super::*;
use super::{Server, Service, convert};

struct Sample;

/// What the test and the resource say to each other.
#[derive(Default)]
struct World {
    begun: Notify,
}

impl Provider for Sample {
    type Data = Arc<World>;
    const NAME: &'static str = "sample";
    const ADDRESS: &'static str = "test/sample";
    const VERSION: &'static str = "1.2.3";

    fn schema() -> Schema<()> {
        Schema::new("").setting("host", string()).setting("password", string().sensitive().max_length(3))
    }

    fn check(config: &Value, d: &mut Diagnostics) {
        if config.at("host").is_unknown() {
            d.push(Diagnostic::warning("unknown", "").at("host"));
        }
    }

    async fn configure(request: Configure) -> Result<(Arc<World>, Diagnostics), Diagnostics> {
        match request.config.at("host").as_str() {
            Some("panic") => panic!("{}", String::from("CANARY")),
            Some("bad") => Err(Diagnostic::error("bad host", "").at("host").into()),
            _ => Ok((Arc::default(), Diagnostic::warning("hello", "").into())),
        }
    }

    fn types() -> Types<Arc<World>> {
        Types::new().resource::<Thing>().data_source::<Look>().function::<Sum>().ephemeral::<Token>()
    }
}

struct Thing;

#[derive(Deserialize)]
struct Model {
    name: String,
    #[serde(rename = "do")]
    wanted: Option<String>,
}

impl Model {
    async fn act(&self, world: &World, cx: &Change<'_>) -> Result<(), Diagnostics> {
        match self.wanted.as_deref() {
            Some("panic") => panic!("{}", String::from("CANARY")),
            Some("fail") => Err(Diagnostic::error("failed", "").at("do").into()),
            Some("wait") => {
                world.begun.notify_one();
                cx.cancelled().cancelled().await;
                Err(Diagnostic::error("cancelled", "").into())
            }
            _ => Ok(()),
        }
    }
}

impl Resource for Thing {
    type Data = Arc<World>;
    type Model = Model;
    const NAME: &'static str = "thing";

    fn schema() -> Schema<Arc<World>> {
        Schema::new("")
            .version(2)
            .upgrade(0, |old| Ok(Value::object([("name", old["title"].as_str().into())])))
            .upgrade(1, |_| Err(Diagnostic::error("cannot", "").into()))
            .setting("name", string().required())
            .setting("do", string())
            .setting("tags", set(string()))
            .setting("url", string().holds_secret())
            .setting("logins", map_of([("password", string().write_only())]))
            .pinned("id", string())
            .timeouts(&[("delete", "1ms")])
    }

    fn check(config: &Value, d: &mut Diagnostics) {
        for path in config.at("tags[0]").as_str().into_iter().flat_map(|paths| paths.split(' ')) {
            d.push(Diagnostic::error("about", "").at(path));
        }
    }

    async fn plan(_: &Arc<World>, plan: &mut Plan<'_>) -> Result<(), Diagnostics> {
        if plan.planned().at("do").as_str() == Some("plan panic") {
            panic!("in the plan");
        }
        let name = plan.planned().at("name").as_str().map(str::to_owned);
        plan.set_private("planned", name);
        Ok(())
    }

    async fn create(world: &Arc<World>, wanted: Model, cx: &mut Change<'_>) -> Result<(), Diagnostics> {
        wanted.act(world, cx).await?;
        let secret = cx.secret("logins.k.password")?;
        cx.set("id", format!("{}{}", wanted.name, if secret.is_some() { " with a secret" } else { "" }));
        cx.set_private("made", cx.private("planned"));
        Ok(())
    }

    async fn read(world: &Arc<World>, state: Model, cx: &mut Change<'_>) -> Result<Found, Diagnostics> {
        state.act(world, cx).await?;
        assert!(cx.secret("logins.k.password").is_err(), "a read has no secrets");
        Ok(if state.name == "gone" { Found::Gone } else { Found::Here })
    }

    async fn update(world: &Arc<World>, _: Model, wanted: Model, cx: &mut Change<'_>) -> Result<(), Diagnostics> {
        wanted.act(world, cx).await
    }

    async fn delete(world: &Arc<World>, state: Model, cx: &mut Change<'_>) -> Result<(), Diagnostics> {
        state.act(world, cx).await
    }

    async fn import(_: &Arc<World>, id: &str, cx: &mut Change<'_>) -> Result<(), Diagnostics> {
        if id.is_empty() {
            return Err(Diagnostic::error("no id", "").into());
        }
        cx.set("name", id);
        cx.set_private("imported", true);
        Ok(())
    }
}

struct Look;

#[derive(Deserialize)]
struct LookModel {
    name: Option<String>,
    limit: u64,
}

impl DataSource for Look {
    type Data = Arc<World>;
    type Model = LookModel;
    const NAME: &'static str = "look";

    fn schema() -> Schema<Arc<World>> {
        Schema::new("")
            .setting("name", string())
            .setting("limit", number().between(0, 1000).default(3))
            .computed("seen", string())
            .computed("rest", string())
    }

    async fn read(_: &Arc<World>, config: LookModel, cx: &mut Read<'_>) -> Result<(), Diagnostics> {
        let name = config.name.ok_or_else(|| Diagnostic::error("no name", "").at("name"))?;
        cx.set("seen", format!("{name} {}", config.limit));
        Ok(())
    }
}

struct Sum;

impl Function for Sum {
    type Arguments = (u64, Vec<u64>);
    const NAME: &'static str = "sum";

    fn signature() -> Signature {
        Signature::new("", "", number()).parameter("first", number()).variadic("more", number())
    }

    fn call((first, more): (u64, Vec<u64>)) -> Result<Value, FunctionError> {
        match first {
            7 => panic!("seven"),
            8 => Err(FunctionError::argument(0, "eight")),
            _ => Ok((first + more.iter().sum::<u64>()).into()),
        }
    }
}

struct Token;

#[derive(Deserialize)]
struct TokenModel {
    scope: String,
}

impl Ephemeral for Token {
    type Data = Arc<World>;
    type Model = TokenModel;
    const NAME: &'static str = "token";

    fn schema() -> Schema<Arc<World>> {
        Schema::new("").setting("scope", string().default("all")).computed("token", string())
    }

    async fn open(_: &Arc<World>, config: TokenModel, lease: &mut Lease) -> Result<(), Diagnostics> {
        lease.set("token", config.scope);
        lease.set_private("times", 0);
        lease.renew_at(UNIX_EPOCH + Duration::from_millis(5_250));
        Ok(())
    }

    async fn renew(_: &Arc<World>, lease: &mut Lease) -> Result<(), Diagnostics> {
        let times = lease.private("times").and_then(|times| times.as_u64()).unwrap_or_default();
        lease.set_private("times", times + 1);
        Ok(())
    }

    async fn close(_: &Arc<World>, lease: &mut Lease) -> Result<(), Diagnostics> {
        let times = lease.private("times").unwrap_or_default();
        Err(Diagnostic::error(format!("closed after {times}"), "").into())
    }
}

fn ty() -> Type {
    Thing::schema().ty()
}

fn send(value: Value) -> Option<pb::DynamicValue> {
    convert::message(value, &ty()).expect("it fits")
}

fn got(message: &Option<pb::DynamicValue>) -> Value {
    convert::value(message.as_ref(), &ty()).expect("it fits")
}

fn summaries(diagnostics: &[pb::Diagnostic]) -> Vec<&str> {
    diagnostics.iter().map(|diagnostic| diagnostic.summary.as_str()).collect()
}

async fn configured() -> (Server<Sample>, Arc<Service<Sample>>) {
    let service = Arc::new(Service::new());
    let server = Server(Arc::clone(&service));
    let response = server.configure_provider(Request::new(Default::default())).await.expect("answered");
    assert_eq!(summaries(&response.get_ref().diagnostics), ["hello"]);
    (server, service)
}

fn thing(name: &str, wanted: &str) -> Value {
    Value::object([("name", name.into()), ("do", wanted.into())])
}

async fn apply(server: &Server<Sample>, prior: Value, planned: Value) -> pb::apply_resource_change::Response {
    let request = pb::apply_resource_change::Request {
        type_name: "sample_thing".into(),
        prior_state: send(prior),
        config: send(planned.clone()),
        planned_state: send(planned),
        planned_private: br#"{"provider":{"planned":"p"}}"#.to_vec(),
        ..Default::default()
    };
    server.apply_resource_change(Request::new(request)).await.expect("answered").into_inner()
}

#[tokio::test]
async fn stop_cancels_what_is_under_way_and_nothing_else() {
    let (server, service) = configured().await;
    let begun = Arc::clone(&service.data().expect("configured"));
    let stopping = async {
        begun.begun.notified().await;
        server.stop_provider(Request::new(Default::default())).await.expect("answered");
    };
    let (created, ()) = tokio::join!(apply(&server, Value::Null, thing("n", "wait")), stopping);
    assert_eq!(summaries(&created.diagnostics), ["cancelled"]);
    assert_eq!(got(&created.new_state), Value::Null);
    assert!(!service.token().is_cancelled());
    let later = apply(&server, Value::Null, thing("n", "")).await;
    assert!(later.diagnostics.is_empty(), "what comes after the stop is done");
    assert_eq!(got(&later.new_state).at("id"), &"n".into());
    assert_eq!(later.private, br#"{"provider":{"made":"p","planned":"p"}}"#);
}

#[tokio::test]
async fn a_call_that_takes_too_long_is_cancelled_and_waited_for() {
    let (server, _) = configured().await;
    let state = thing("n", "wait");
    let deleted = apply(&server, state.clone(), Value::Null).await;
    assert_eq!(summaries(&deleted.diagnostics), ["The time for delete is over", "cancelled"]);
    assert_eq!(got(&deleted.new_state), ty().fit(state).expect("it fits"), "it is still there");
}

#[tokio::test]
async fn a_panic_is_the_error_of_its_request() {
    let (server, _) = configured().await;
    let prior = thing("n", "");
    for (before, planned, left) in [
        (Value::Null, thing("n", "panic"), Value::Null),
        (prior.clone(), thing("n", "panic"), ty().fit(prior).expect("it fits")),
        (thing("n", "panic"), Value::Null, ty().fit(thing("n", "panic")).expect("it fits")),
    ] {
        let response = apply(&server, before, planned).await;
        assert_eq!(summaries(&response.diagnostics), ["The provider has a bug"]);
        assert!(!response.diagnostics[0].detail.contains("CANARY"), "{}", response.diagnostics[0].detail);
        assert_eq!(got(&response.new_state), left);
    }
    let config = send(thing("n", "plan panic"));
    let request = pb::plan_resource_change::Request {
        type_name: "sample_thing".into(),
        proposed_new_state: config.clone(),
        config,
        ..Default::default()
    };
    let response = server.plan_resource_change(Request::new(request)).await.expect("answered").into_inner();
    assert_eq!(summaries(&response.diagnostics), ["The provider has a bug"]);
    assert!(apply(&server, Value::Null, thing("n", "")).await.diagnostics.is_empty(), "the process lives on");
}

#[tokio::test]
async fn a_write_only_value_reaches_create_and_no_state() {
    let (server, _) = configured().await;
    let mut config = thing("n", "");
    config.set("logins.k.password", "CANARY");
    let request = pb::plan_resource_change::Request {
        type_name: "sample_thing".into(),
        proposed_new_state: send(config.clone()),
        config: send(config.clone()),
        prior_state: send(Value::Null),
        ..Default::default()
    };
    let plan = server.plan_resource_change(Request::new(request)).await.expect("answered").into_inner();
    assert!(plan.diagnostics.is_empty(), "{:?}", plan.diagnostics);
    let request = pb::apply_resource_change::Request {
        type_name: "sample_thing".into(),
        prior_state: send(Value::Null),
        planned_state: plan.planned_state.clone(),
        planned_private: plan.planned_private.clone(),
        config: send(config),
        ..Default::default()
    };
    let applied = server.apply_resource_change(Request::new(request)).await.expect("answered").into_inner();
    assert_eq!(got(&applied.new_state).at("id"), &"n with a secret".into());
    for bytes in [plan.planned_state, applied.new_state].into_iter().flatten().map(|value| value.msgpack) {
        assert!(!bytes.windows(6).any(|window| window == b"CANARY"));
    }
}

#[tokio::test]
async fn a_read_that_fails_changes_nothing() {
    let (server, _) = configured().await;
    for (name, wanted, expected) in [("n", "", "n"), ("n", "fail", "n"), ("n", "panic", "n"), ("gone", "", "")] {
        let request = pb::read_resource::Request {
            type_name: "sample_thing".into(),
            current_state: send(thing(name, wanted)),
            private: br#"{"provider":{"k":1}}"#.to_vec(),
            ..Default::default()
        };
        let response = server.read_resource(Request::new(request)).await.expect("answered").into_inner();
        assert_eq!(got(&response.new_state).at("name").as_str().unwrap_or_default(), expected, "{name} {wanted}");
        assert_eq!(response.private.is_empty(), expected.is_empty(), "{name} {wanted}");
    }
}

#[tokio::test]
async fn diagnostics_carry_paths_in_the_types_words_and_none_of_secrets() {
    let (server, _) = configured().await;
    let mut config = thing("n", "");
    config.set("tags", vec!["name tags[3].x logins.k.password url nowhere"]);
    let request = pb::validate_resource_config::Request {
        type_name: "sample_thing".into(),
        config: send(config),
        client_capabilities: Some(pb::ClientCapabilities { write_only_attributes_allowed: true, ..Default::default() }),
    };
    let response = server.validate_resource_config(Request::new(request)).await.expect("answered").into_inner();
    let shown: Vec<(usize, &str)> = (response.diagnostics.iter())
        .map(|d| (d.attribute.as_ref().map_or(0, |path| path.steps.len()), d.detail.as_str()))
        .collect();
    let secret = |name: &str| format!("This is about `{name}`. ");
    let (login, url) = (secret("logins.k.password"), secret("url"));
    assert_eq!(shown, [(1, ""), (1, ""), (0, login.as_str()), (0, url.as_str()), (1, "")]);
}

#[tokio::test]
async fn state_is_upgraded() {
    let (server, _) = configured().await;
    for (version, json, expected) in [
        (2, r#"{"name":"a","gone":1}"#, Ok("a")),
        (0, r#"{"title":"b"}"#, Ok("b")),
        (1, r#"{}"#, Err("cannot")),
        (3, r#"{}"#, Err("The state cannot be read")),
        (2, r#"{"name":[]}"#, Err("The state cannot be read")),
        (2, "", Err("The state cannot be read")),
    ] {
        let request = pb::upgrade_resource_state::Request {
            type_name: "sample_thing".into(),
            version,
            raw_state: Some(pb::RawState { json: json.into(), ..Default::default() }),
        };
        let response = server.upgrade_resource_state(Request::new(request)).await.expect("answered").into_inner();
        let found = match summaries(&response.diagnostics)[..] {
            [] => Ok(got(&response.upgraded_state).at("name").as_str().unwrap_or_default().to_owned()),
            [summary, ..] => Err(summary.to_owned()),
        };
        assert_eq!(found, expected.map(str::to_owned).map_err(str::to_owned), "{version} {json}");
    }
}

#[tokio::test]
async fn import_is_by_id() {
    let (server, _) = configured().await;
    let import = async |id: &str| {
        let request = pb::import_resource_state::Request {
            type_name: "sample_thing".into(),
            id: id.into(),
            ..Default::default()
        };
        server.import_resource_state(Request::new(request)).await.expect("answered").into_inner()
    };
    let imported = import("x").await.imported_resources;
    assert_eq!(got(&imported[0].state).at("name"), &"x".into());
    assert_eq!(imported[0].private, br#"{"provider":{"imported":true}}"#);
    let refused = import("").await;
    assert!(refused.imported_resources.is_empty());
    assert_eq!(summaries(&refused.diagnostics), ["no id"]);
}

#[tokio::test]
async fn data_sources_are_read_with_their_defaults() {
    let (server, _) = configured().await;
    let ty = Look::schema().ty();
    let read = async |config: Value| {
        let config = convert::message(config, &ty).expect("it fits");
        let request = pb::read_data_source::Request { type_name: "sample_look".into(), config, ..Default::default() };
        server.read_data_source(Request::new(request)).await.expect("answered").into_inner()
    };
    let response = read(Value::object([("name", "n".into())])).await;
    let state = convert::value(response.state.as_ref(), &ty).expect("it fits");
    let expected = [("name", "n".into()), ("limit", 3.into()), ("seen", "n 3".into()), ("rest", Value::Null)];
    assert_eq!(state, Value::object(expected));
    assert_eq!(summaries(&read(Value::object([])).await.diagnostics), ["no name"]);
}

#[tokio::test]
async fn functions_are_called() {
    let server = Server::<Sample>(Arc::new(Service::new()));
    let call = async |name: &str, arguments: &[u64]| {
        let argument = |n: &u64| convert::message((*n).into(), &Type::Number).expect("a number").expect("a value");
        let request =
            pb::call_function::Request { name: name.into(), arguments: arguments.iter().map(argument).collect() };
        let response = server.call_function(Request::new(request)).await.expect("answered").into_inner();
        match response.error {
            Some(error) => Err((error.text, error.function_argument)),
            None => Ok(convert::value(response.result.as_ref(), &Type::Number).expect("a number")),
        }
    };
    assert_eq!(call("sum", &[1, 2, 3]).await, Ok(6.into()));
    assert_eq!(call("sum", &[1]).await, Ok(1.into()));
    assert_eq!(call("sum", &[8]).await, Err(("eight".to_owned(), Some(0))));
    assert!(call("sum", &[]).await.is_err());
    assert!(call("sum", &[7]).await.expect_err("a panic").0.contains("seven"));
    assert!(call("product", &[1]).await.is_err());
    let functions = server.get_functions(Request::new(Default::default())).await.expect("answered").into_inner();
    assert_eq!(functions.functions["sum"].parameters[0].r#type, b"\"number\"");
}

#[tokio::test]
async fn ephemeral_resources_keep_their_private_data() {
    let (server, _) = configured().await;
    let type_name = "sample_token".to_owned();
    let request = pb::open_ephemeral_resource::Request { type_name, ..Default::default() };
    let request = pb::open_ephemeral_resource::Request {
        config: convert::message(Value::object([]), &Token::schema().ty()).expect("it fits"),
        ..request
    };
    let opened = server.open_ephemeral_resource(Request::new(request)).await.expect("answered").into_inner();
    let result = convert::value(opened.result.as_ref(), &Token::schema().ty()).expect("it fits");
    assert_eq!(result.at("token"), &"all".into(), "{:?}", opened.diagnostics);
    assert_eq!(opened.renew_at.map(|at| (at.seconds, at.nanos)), Some((5, 250_000_000)));
    let type_name = "sample_token".to_owned();
    let request = pb::renew_ephemeral_resource::Request { type_name, private: opened.private };
    let renewed = server.renew_ephemeral_resource(Request::new(request)).await.expect("answered").into_inner();
    let type_name = "sample_token".to_owned();
    let request = pb::close_ephemeral_resource::Request { type_name, private: renewed.private };
    let closed = server.close_ephemeral_resource(Request::new(request)).await.expect("answered").into_inner();
    assert_eq!(summaries(&closed.diagnostics), ["closed after 1"]);
}

#[tokio::test]
async fn the_provider_block_is_checked_and_taken() {
    let server = Server::<Sample>(Arc::new(Service::new()));
    let ty = Sample::schema().ty();
    let config = |value: Value| convert::message(value, &ty).expect("it fits");
    let mut unknown = Value::object([("password", "CANARY".into())]);
    unknown.set("host", Value::Unknown);
    let request = pb::validate_provider_config::Request { config: config(unknown) };
    let response = server.validate_provider_config(Request::new(request)).await.expect("answered").into_inner();
    assert_eq!(summaries(&response.diagnostics), ["Bad password", "unknown"]);
    assert!(response.diagnostics[0].attribute.is_none() && !response.diagnostics[0].detail.contains("CANARY"));
    let before = apply(&server, Value::Null, thing("n", "")).await;
    assert_eq!(summaries(&before.diagnostics), ["The provider is not configured"]);
    let (state, expected) = (thing("n", ""), super::tests::ty().fit(thing("n", "")).expect("it fits"));
    let before = apply(&server, state.clone(), state).await;
    assert_eq!(got(&before.new_state), expected, "an error loses no state");
    for (host, expected) in [("bad", "bad host"), ("panic", "The provider has a bug")] {
        let config = config(Value::object([("host", host.into())]));
        let request = pb::configure_provider::Request { config, ..Default::default() };
        let response = server.configure_provider(Request::new(request)).await.expect("answered").into_inner();
        assert_eq!(summaries(&response.diagnostics), [expected]);
        assert!(!response.diagnostics[0].detail.contains("CANARY"));
    }
}

#[tokio::test]
async fn what_there_is_not_is_said_cleanly() {
    let (server, _) = configured().await;
    let resource = pb::validate_resource_config::Request { type_name: "sample_other".into(), ..Default::default() };
    let resource = server.validate_resource_config(Request::new(resource)).await.expect("answered").into_inner();
    assert_eq!(summaries(&resource.diagnostics), ["There is no such resource"]);
    let list = pb::validate_list_resource_config::Request { type_name: "sample_thing".into(), ..Default::default() };
    let list = server.validate_list_resource_config(Request::new(list)).await.expect("answered").into_inner();
    assert_eq!(summaries(&list.diagnostics), ["There is no such list resource"]);
    let action = pb::plan_action::Request { action_type: "sample_thing".into(), ..Default::default() };
    let action = server.plan_action(Request::new(action)).await.expect("answered").into_inner();
    assert_eq!(summaries(&action.diagnostics), ["There is no such action"]);
    let moved = pb::move_resource_state::Request { target_type_name: "sample_thing".into(), ..Default::default() };
    let moved = server.move_resource_state(Request::new(moved)).await.expect("answered").into_inner();
    assert_eq!(summaries(&moved.diagnostics), ["There is no such move of state"]);
    let identities = server.get_resource_identity_schemas(Request::new(Default::default())).await.expect("answered");
    assert!(identities.get_ref().identity_schemas.is_empty());
}

#[tokio::test]
async fn the_schema_tells_terraform_what_is_what() {
    let server = Server::<Sample>(Arc::new(Service::new()));
    let response = server.get_provider_schema(Request::new(Default::default())).await.expect("answered").into_inner();
    let capabilities = response.server_capabilities.expect("capabilities");
    assert!(capabilities.get_provider_schema_optional && !capabilities.move_resource_state);
    let thing = response.resource_schemas["sample_thing"].clone();
    assert_eq!(thing.version, 2);
    let block = thing.block.expect("a block");
    let find = |name: &str| block.attributes.iter().find(|a| a.name == name).expect(name);
    assert!(find("name").required && !find("name").computed);
    assert!(find("do").optional && find("id").computed && !find("id").optional);
    let login = &find("logins").nested_type.as_ref().expect("nested").attributes[0];
    assert!(login.write_only && login.sensitive && login.optional);
    assert_eq!(block.block_types[0].type_name, "timeouts");
    let look = response.data_source_schemas["sample_look"].block.as_ref().expect("a block");
    let limit = look.attributes.iter().find(|a| a.name == "limit").expect("limit");
    assert!(limit.optional && limit.computed, "a default is computed by the provider");
    assert_eq!(schema_problems::<Sample>(), Vec::<String>::new());
}
