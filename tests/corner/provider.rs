//! A provider that is all corner cases: it keeps things in a folder, and fails when it is asked to.

use std::path::PathBuf;

use secrecy::ExposeSecret as _;
use serde::Deserialize;
use terraform_provider_redshift::terraform::{
    Block, Change, Configure, DataSource, Diagnostic, Diagnostics, Ephemeral, Found, Function, FunctionError, Lease,
    Plan, Provider, Read, Resource, Schema, Signature, Types, Value, boolean, dynamic, list, list_of, map, map_of,
    number, object, set, set_of, string,
};

pub struct Corner;

/// The folder that is this provider's world; none while it is unknown.
pub struct World(Option<PathBuf>);

impl World {
    fn folder(&self) -> Result<&PathBuf, Diagnostic> {
        self.0.as_ref().ok_or_else(|| Diagnostic::error("The folder is not known yet", "").at("folder"))
    }

    fn note(&self, line: &str) {
        use std::io::Write as _;
        let Ok(folder) = self.folder() else { return };
        let file = std::fs::OpenOptions::new().create(true).append(true).open(folder.join("log"));
        if let Ok(mut file) = file {
            let _ = writeln!(file, "{line}");
        }
    }
}

impl World {
    /// Tells the test, which listens on a socket in the folder.
    fn tell(&self, what: &str) {
        use std::io::Write as _;
        let Ok(folder) = self.folder() else { return };
        if let Ok(mut socket) = std::os::unix::net::UnixStream::connect(folder.join("test.sock")) {
            let _ = socket.write_all(what.as_bytes());
        }
    }
}

impl Provider for Corner {
    type Data = World;
    const NAME: &'static str = "corner";
    const ADDRESS: &'static str = "test/corner";
    const VERSION: &'static str = "0.0.1";

    fn schema() -> Schema<()> {
        Schema::new("Corner cases.")
            .setting("folder", string().required().doc("Where things are kept."))
            .setting("token", string().sensitive())
    }

    async fn configure(request: Configure) -> Result<(World, Diagnostics), Diagnostics> {
        let folder = request.config.get::<PathBuf>("folder")?;
        Ok((World(folder.known()), Diagnostics::new()))
    }

    fn types() -> Types<World> {
        Types::new()
            .resource::<Thing>()
            .resource::<Everything>()
            .data_source::<Lookup>()
            .function::<Join>()
            .ephemeral::<Token>()
    }
}

pub struct Thing;

#[derive(Deserialize)]
pub struct Model {
    name: String,
    fail: Option<String>,
    content: Option<String>,
    lid: Option<Lid>,
}

#[derive(Deserialize)]
struct Lid {
    color: Option<String>,
    secret_wo_version: Option<u64>,
}

#[derive(Deserialize)]
struct IdInputs {
    name: String,
    content: Option<String>,
}

/// Fails if the `fail` setting says so.
fn failing(model: &Model, when: &str) -> Result<(), Diagnostics> {
    match model.fail.as_deref() {
        Some(fail) if fail == when => {
            Err(Diagnostic::error(format!("Failed as asked: {when}"), "detail").at("fail").into())
        }
        Some("panic") => panic!("as asked"),
        Some("crash") => {
            let _ = std::thread::spawn(|| panic!("outside a request")).join();
            std::process::abort()
        }
        _ => Ok(()),
    }
}

/// Whether a shelf is on the upper floor. One on the same floor is reached without a new thing.
fn is_upstairs(shelf: &Value) -> bool {
    shelf.as_str().is_some_and(|shelf| shelf.starts_with("up"))
}

impl Resource for Thing {
    type Data = World;
    type Model = Model;
    const NAME: &'static str = "thing";

    fn schema() -> Schema<World> {
        Schema::new("A file with a name.")
            .version(1)
            .upgrade(0, |old| Ok(Value::object([("name", old["old_name"].as_str().unwrap_or_default().into())])))
            .setting("name", string().required().max_length(20).doc("Its name."))
            .setting("content", string().default("empty"))
            .setting("fail", string().local())
            .setting("place", string().replaces())
            .setting("tags", set(string()))
            .setting("shelf", string().replaces_if(|before, after| is_upstairs(before) != is_upstairs(after)))
            .setting("label", string().deprecated("Use `name` for it."))
            .block(
                "lid",
                "On top.",
                [
                    ("color", string().default("red").one_of(&["red", "blue"])),
                    ("secret_wo", string().write_only().required_with(&["secret_wo_version"])),
                    ("secret_wo_version", number().between(1, 1000)),
                ],
            )
            .constant("kind", string(), "thing")
            .pinned("serial", string())
            .pure("id", string(), |_, inputs: IdInputs| {
                format!("{}:{}", inputs.name, inputs.content.unwrap_or_default()).into()
            })
            .observed("size", number())
            .drift("missing", list(string()), Vec::<Value>::new())
            .timeouts(&[("create", "10s"), ("delete", "10s")])
    }

    fn check(config: &Value, d: &mut Diagnostics) {
        if config.at("name").as_str() == Some("forbidden") {
            d.push(Diagnostic::error("This name is forbidden", "Take another.").at("name"));
        }
        if config.at("lid.secret_wo").as_str().is_some_and(|s| s.len() < 4) {
            d.push(Diagnostic::error("Too short", "The secret must be longer.").at("lid.secret_wo"));
        }
    }

    async fn plan(_: &World, plan: &mut Plan<'_>) -> Result<(), Diagnostics> {
        if plan.planned().at("name").as_str() == Some("warned") {
            plan.warn(Diagnostic::warning("Be warned", "by the plan").at("name"));
        }
        plan.set_private("planned", true);
        Ok(())
    }

    async fn create(world: &World, wanted: Model, cx: &mut Change<'_>) -> Result<(), Diagnostics> {
        failing(&wanted, "before")?;
        if wanted.fail.as_deref() == Some("wait") {
            world.tell("waiting");
            cx.cancelled().cancelled().await;
            world.note("cancelled");
            return Err(Diagnostic::error("Cancelled", "Nothing was made.").into());
        }
        let secret = cx.secret("lid.secret_wo")?;
        world.note(&format!(
            "create {} secret={} private={}",
            wanted.name,
            secret.as_ref().map_or("none", |s| s.expose_secret()),
            cx.private("planned").is_some()
        ));
        let content = wanted.content.clone().unwrap_or_default();
        std::fs::write(world.folder()?.join(&wanted.name), &content)
            .map_err(|e| Diagnostic::error("It cannot be written", e.to_string()))?;
        cx.created();
        cx.set("serial", "s-1");
        cx.set_private("made", "here");
        failing(&wanted, "after")?;
        cx.set("size", content.len());
        Ok(())
    }

    async fn read(world: &World, state: Model, cx: &mut Change<'_>) -> Result<Found, Diagnostics> {
        failing(&state, "read")?;
        let Ok(content) = std::fs::read_to_string(world.folder()?.join(&state.name)) else { return Ok(Found::Gone) };
        let mut missing = Vec::new();
        if state.content.as_ref().is_some_and(|wanted| *wanted != content) {
            missing.push(format!("content of {}", state.name));
        }
        cx.set("missing", missing);
        cx.set("size", content.len());
        Ok(Found::Here)
    }

    async fn update(world: &World, prior: Model, wanted: Model, cx: &mut Change<'_>) -> Result<(), Diagnostics> {
        let secret =
            if prior.lid.as_ref().map(|l| l.secret_wo_version) != wanted.lid.as_ref().map(|l| l.secret_wo_version) {
                cx.secret("lid.secret_wo")?
            } else {
                None
            };
        world.note(&format!(
            "update {} lid={:?} secret={} made={:?}",
            wanted.name,
            wanted.lid.as_ref().and_then(|lid| lid.color.clone()),
            secret.as_ref().map_or("none", |s| s.expose_secret()),
            cx.private("made"),
        ));
        let folder = world.folder()?;
        if prior.name != wanted.name {
            let _ = std::fs::rename(folder.join(&prior.name), folder.join(&wanted.name));
            cx.keep("name");
        }
        failing(&wanted, "update")?;
        let content = wanted.content.clone().unwrap_or_default();
        std::fs::write(folder.join(&wanted.name), &content).map_err(|e| Diagnostic::error("No", e.to_string()))?;
        cx.set("size", content.len());
        Ok(())
    }

    async fn delete(world: &World, state: Model, _: &mut Change<'_>) -> Result<(), Diagnostics> {
        failing(&state, "delete")?;
        world.note(&format!("delete {}", state.name));
        let _ = std::fs::remove_file(world.folder()?.join(&state.name));
        Ok(())
    }

    async fn import(_: &World, id: &str, cx: &mut Change<'_>) -> Result<(), Diagnostics> {
        let Some((name, content)) = id.split_once(':') else {
            return Err(Diagnostic::error("This is no id", format!("`{id}` is not `name:content`.")).into());
        };
        cx.set("name", name);
        cx.set("content", content);
        cx.set("id", id);
        cx.set("kind", "thing");
        cx.set("serial", "imported");
        Ok(())
    }
}

/// A resource with every kind of attribute; what is written is what is kept.
pub struct Everything;

#[derive(Deserialize)]
pub struct Nothing {}

impl Resource for Everything {
    type Data = World;
    type Model = Nothing;
    const NAME: &'static str = "everything";

    fn schema() -> Schema<World> {
        Schema::new("Every kind of attribute.")
            .setting("any", dynamic())
            .setting("number", number())
            .setting("numbers", list(number()))
            .setting("names", set(string()))
            .setting("labels", map(string()))
            .setting("flags", map(boolean()))
            .setting("one", object([("a", string().required()), ("b", number().default(5))]))
            .setting(
                "many",
                list_of([("a", string().required()), ("b", string().default("x")), ("wo", string().write_only())]),
            )
            .setting("named", map_of([("a", string()), ("b", string().default("y")), ("key", string().replaces())]))
            .setting("some", set_of([("a", string()), ("b", number())]))
            .block(
                "shelf",
                "One above the other.",
                Block::new([("label", string().required()), ("color", string().default("red"))]).at_most(3).block(
                    "drawer",
                    "",
                    Block::new([("depth", number().required())]).repeated(),
                ),
            )
            .observed("copy", object([("any", dynamic()), ("number", number())]))
            .pinned("id", string())
    }

    async fn create(_: &World, _: Nothing, cx: &mut Change<'_>) -> Result<(), Diagnostics> {
        let number = cx.planned().at("number").clone();
        let any = cx.planned().at("any").clone();
        cx.set("copy", [("any", any), ("number", number)]);
        cx.set("id", "everything");
        Ok(())
    }

    async fn read(_: &World, _: Nothing, _: &mut Change<'_>) -> Result<Found, Diagnostics> {
        Ok(Found::Here)
    }

    async fn update(_: &World, _: Nothing, _: Nothing, cx: &mut Change<'_>) -> Result<(), Diagnostics> {
        let number = cx.planned().at("number").clone();
        let any = cx.planned().at("any").clone();
        cx.set("copy", [("any", any), ("number", number)]);
        Ok(())
    }

    async fn delete(_: &World, _: Nothing, _: &mut Change<'_>) -> Result<(), Diagnostics> {
        Ok(())
    }

    async fn import(_: &World, id: &str, _: &mut Change<'_>) -> Result<(), Diagnostics> {
        Err(Diagnostic::error("It cannot be imported", id).into())
    }
}

pub struct Lookup;

#[derive(Deserialize)]
pub struct Wanted {
    name: String,
    suffix: Option<String>,
}

impl DataSource for Lookup {
    type Data = World;
    type Model = Wanted;
    const NAME: &'static str = "lookup";

    fn schema() -> Schema<World> {
        Schema::new("Looks a thing up.")
            .setting("name", string().required())
            .setting("suffix", string().default("!"))
            .computed("content", string())
            .computed("parts", list_of([("text", string())]))
    }

    async fn read(world: &World, config: Wanted, cx: &mut Read<'_>) -> Result<(), Diagnostics> {
        let content = std::fs::read_to_string(world.folder()?.join(&config.name))
            .map_err(|e| Diagnostic::error("There is no such thing", e.to_string()).at("name"))?;
        cx.set("content", format!("{content}{}", config.suffix.unwrap_or_default()));
        cx.set("parts", content.split(' ').map(|part| Value::object([("text", part.into())])).collect::<Vec<_>>());
        Ok(())
    }
}

pub struct Join;

impl Function for Join {
    type Arguments = (String, Vec<String>);
    const NAME: &'static str = "join";

    fn signature() -> Signature {
        Signature::new("Joins", "Joins *texts*.", string())
            .parameter("by", string().doc("Between."))
            .variadic("texts", string().doc("What to join."))
    }

    fn call((by, texts): (String, Vec<String>)) -> Result<Value, FunctionError> {
        if by == "bad" {
            return Err(FunctionError::argument(0, "it is bad"));
        }
        Ok(texts.join(&by).into())
    }
}

pub struct Token;

impl Ephemeral for Token {
    type Data = World;
    type Model = Nothing;
    const NAME: &'static str = "token";

    fn schema() -> Schema<World> {
        Schema::new("A token.").setting("scope", string().default("all")).computed("value", string().sensitive())
    }

    async fn open(world: &World, _: Nothing, lease: &mut Lease) -> Result<(), Diagnostics> {
        world.note(&format!("open {}", lease.config().at("scope").as_str().unwrap_or("?")));
        lease.set("value", "t0k3n");
        lease.set_private("n", 1);
        Ok(())
    }

    async fn close(world: &World, lease: &mut Lease) -> Result<(), Diagnostics> {
        world.note(&format!("close {:?}", lease.private("n")));
        Ok(())
    }
}
