//! What real Terraform must be seen to do with the room.

use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use serde_json::{Value as Json, json};

use crate::workspace::Workspace;

type Scenario = (&'static str, fn());

pub const ALL: [Scenario; 14] = [
    ("a_resource_lives", a_resource_lives),
    ("every_kind_of_value_comes_back", every_kind_of_value_comes_back),
    ("a_conditional_replacement", a_conditional_replacement),
    ("a_failed_create", a_failed_create),
    ("a_failed_update", a_failed_update),
    ("a_failed_delete", a_failed_delete),
    ("an_import", an_import),
    ("an_upgrade", an_upgrade),
    ("a_bad_configuration", a_bad_configuration),
    ("values_known_later", values_known_later),
    ("an_interrupt", an_interrupt),
    ("a_timeout", a_timeout),
    ("a_panic_and_a_crash", a_panic_and_a_crash),
    ("a_provider_started_by_hand", a_provider_started_by_hand),
];

/// A thing with a secret, and what the test says about it.
fn thing(settings: &str) -> String {
    format!(
        "resource \"corner_thing\" \"a\" {{\n  name = \"a\"\n  tags = [\"y\", \"x\"]\n  {}\n}}\n",
        settings.replace("; ", "\n  ")
    )
}

const LID: &str = "lid {; secret_wo = \"CANARY\"; secret_wo_version = 1; }";

fn a_resource_lives() {
    let mut w = Workspace::new(&thing(&format!("content = \"one\"; {LID}")));
    w.environment.push(("TF_LOG".into(), "TRACE".into()));
    w.environment.push(("TF_LOG_PATH".into(), w.path("trace.log").display().to_string()));
    w.apply().ok().has("+ id = \"a:one\"").has("+ serial = (known after apply)").has("+ missing = []");
    assert!(w.world("log").contains("create a secret=CANARY private=true"));
    w.put("log", "");
    w.nothing_to_do();
    assert_eq!(w.holds("CANARY"), Vec::<std::path::PathBuf>::new(), "state and traces hold no secret");
    w.put("a", "altered");
    w.run(&["plan"]).ok().has("- \"content of a\"").has("size = 7 -> (known after apply)");
    w.apply().ok();
    assert_eq!(w.world("a"), "one", "drift is put right");
    w.put("log", "");
    w.configure(&thing(&format!("content = \"two\"; {}", LID.replace("CANARY", "CANARY2"))));
    w.apply().ok().has("\"a:one\" -> \"a:two\"").has("1 changed");
    assert!(w.world("log").contains("secret=none made=Some(String(\"here\"))"), "{}", w.world("log"));
    w.configure(&thing(&format!("content = \"two\"; {}", LID.replace("version = 1", "version = 2"))));
    w.apply().ok();
    assert!(w.world("log").contains("secret=CANARY "), "a new version sends it");
    w.configure(&thing(&format!("content = \"two\"; place = \"p\"; {}", LID.replace("version = 1", "version = 2"))));
    w.apply().ok().has("# forces replacement").has("1 added, 0 changed, 1 destroyed");
    std::fs::remove_file(w.path("world").join("a")).expect("it is there");
    w.run(&["plan"]).ok().has("1 to add");
    w.destroy().ok();
    assert_eq!(w.resources(), Vec::<String>::new());
    w.nothing_left();
}

fn every_kind_of_value_comes_back() {
    let w = Workspace::new(
        r#"
        resource "corner_everything" "e" {
          any     = { a = 1, b = [true, "x", null] }
          number  = 123456789012345678901234567890.5
          numbers = [0.1, 1e20, 5, 0.5, -3, 18446744073709551615]
          names   = ["z", "a", "é"]
          labels  = { "a key.with [all]" = "v" }
          flags   = { f = true }
          one     = { a = "x" }
          many    = [{ a = "1", wo = "CANARY" }, { a = "2", b = "two" }]
          named   = { k = { a = "1", key = "k" }, l = {} }
          some    = [{ a = "1" }, { b = 2 }]
          shelf {
            label = "upper"
          }
          shelf {
            label = "lower"
            color = "blue"
            drawer { depth = 2 }
            drawer { depth = 1 }
          }
        }
        data "corner_lookup" "l" {
          name       = "file"
          depends_on = [corner_everything.e]
        }
        output "copy" { value = corner_everything.e.copy }
        output "joined" { value = provider::corner::join("-", "a", "b") }
        output "looked" { value = data.corner_lookup.l }
        "#,
    );
    w.put("file", "hello there");
    w.apply().ok().has("number = 123456789012345678901234567890.5").has("joined = \"a-b\"").has("\"hello there!\"");
    w.nothing_to_do();
    let state = w.state("corner_everything.e");
    assert_eq!(state["many"], json!([{"a": "1", "b": "x", "wo": null}, {"a": "2", "b": "two", "wo": null}]));
    assert_eq!(state["named"]["l"], json!({"a": null, "b": "y", "key": null}));
    assert_eq!(state["one"], json!({"a": "x", "b": 5}));
    let drawers = json!([{ "depth": 2 }, { "depth": 1 }]);
    assert_eq!(
        state["shelf"],
        json!([{ "label": "upper", "color": "red", "drawer": [] }, { "label": "lower", "color": "blue", "drawer": drawers }])
    );
    assert_eq!(w.holds("CANARY"), Vec::<std::path::PathBuf>::new());
    w.configure("output \"bad\" { value = provider::corner::join(\"bad\", \"a\") }");
    w.run(&["plan"]).failed().has("it is bad");
}

fn a_conditional_replacement() {
    let w = Workspace::new(&thing("shelf = \"up-1\""));
    w.apply().ok();
    for (shelf, what) in
        [("up-2", "0 to add, 1 to change, 0 to destroy"), ("down-1", "1 to add, 0 to change, 1 to destroy")]
    {
        w.configure(&thing(&format!("shelf = \"{shelf}\"")));
        w.run(&["plan"]).ok().has(what);
    }
}

fn a_failed_create() {
    let w = Workspace::new(&thing("fail = \"before\""));
    w.apply().failed().has("Failed as asked: before").has("fail = \"before\"");
    assert_eq!(w.resources(), Vec::<String>::new(), "nothing was made");
    w.configure(&thing("fail = \"after\""));
    w.apply().failed();
    assert_eq!(w.resources(), ["corner_thing.a"]);
    w.configure(&thing(""));
    w.apply().ok().has("is tainted, so must be replaced").has("1 added, 0 changed, 1 destroyed");
    w.nothing_to_do();
}

fn a_failed_update() {
    let w = Workspace::new(&thing("content = \"one\""));
    w.apply().ok();
    w.configure(&thing("content = \"two\"; fail = \"update\"").replace("name = \"a\"", "name = \"b\""));
    w.apply().failed().has("Failed as asked: update");
    let state = w.state("corner_thing.a");
    assert_eq!(state["name"], "b", "what was done is saved");
    assert_eq!(state["id"], "b:one", "and what is derived from it");
    assert_eq!(state["fail"], "update", "what is local is saved");
    assert_eq!(state["content"], "one", "the rest is not");
    w.configure(&thing("content = \"two\"").replace("name = \"a\"", "name = \"b\""));
    w.apply().ok().has("\"one\" -> \"two\"");
    w.nothing_to_do();
}

fn a_failed_delete() {
    let w = Workspace::new(&thing("fail = \"delete\""));
    w.apply().ok();
    w.destroy().failed().has("Failed as asked: delete");
    assert_eq!(w.resources(), ["corner_thing.a"]);
}

fn an_import() {
    let w = Workspace::new(&thing("content = \"one\"").replace("tags = [\"y\", \"x\"]", ""));
    w.put("a", "one");
    w.run(&["import", "corner_thing.a", "nonsense"]).failed().has("`nonsense` is not `name:content`.");
    w.run(&["import", "corner_thing.a", "a:one"]).ok();
    w.nothing_to_do();
}

fn an_upgrade() {
    let w = Workspace::new(&thing("content = \"one\""));
    w.apply().ok();
    let text = std::fs::read_to_string(w.path("terraform.tfstate")).expect("a state");
    let mut state: Json = serde_json::from_str(&text).expect("JSON");
    let instance = &mut state["resources"][0]["instances"][0];
    instance["schema_version"] = json!(0);
    instance["attributes"] = json!({ "old_name": "a" });
    std::fs::write(w.path("terraform.tfstate"), state.to_string()).expect("written");
    w.run(&["apply", "-refresh-only", "-auto-approve"]).ok();
    assert_eq!(w.state("corner_thing.a")["name"], "a");
}

fn a_bad_configuration() {
    let w = Workspace::new(&thing("lid {; colour = \"red\"; }"));
    w.run(&["validate"]).failed().has("An argument named \"colour\" is not expected here.");
    w.configure(&thing("lid {; color = \"green\"; secret_wo = \"CAN\"; }; timeouts {; create = \"soon\"; }"));
    w.run(&["validate"])
        .failed()
        .has("It must be one of `red`, `blue`, not `green`.")
        .has("`secret_wo_version` must be set with it.")
        .has("lid.secret_wo without secret_wo_version")
        .has("`soon` is not a duration")
        .has_not("\"CAN\"");
    let shelves =
        |inside: &str| format!("resource \"corner_everything\" \"e\" {{\n{}\n}}\n", inside.replace("; ", "\n"));
    w.configure(&shelves("shelf {; label = \"a\"; colour = \"red\"; }"));
    w.run(&["validate"]).failed().has("An argument named \"colour\" is not expected here.");
    w.configure(&shelves("shelf {; label = null; }; shelf {; label = \"b\"; drawer {; depth = null; }; }"));
    w.run(&["validate"]).failed().has("argument \"label\" is required").has("argument \"depth\" is required");
    w.configure(&shelves(&"shelf {; label = \"a\"; }; ".repeat(4)));
    w.run(&["validate"]).failed().has("Too many shelf blocks");
    w.configure("resource \"corner_thing\" \"a\" { name = \"a name that is much too long\" }");
    w.run(&["plan"]).failed().has("It has 28 characters, and may have at most 20.");
    w.configure(&thing("label = \"a\""));
    w.run(&["validate"]).ok().has("Warning: label is deprecated").has("Use `name` for it.");
    let schemas: Json = serde_json::from_str(&w.run(&["providers", "schema", "-json"]).ok().text).expect("JSON");
    let provider = schemas["provider_schemas"].as_object().and_then(|all| all.values().next()).expect("one provider");
    let things = &provider["resource_schemas"]["corner_thing"];
    assert_eq!(things["block"]["attributes"]["label"]["deprecated"], true);
    w.configure("resource \"corner_nothing\" \"a\" {}");
    w.run(&["plan"]).failed().has("does not support resource type");
}

fn values_known_later() {
    let w = Workspace::new(
        r#"
        resource "terraform_data" "later" { input = "$WORLD" }
        resource "terraform_data" "name" { input = "n" }
        provider "corner" { folder = terraform_data.later.output }
        resource "corner_thing" "a" {
          name = terraform_data.name.output
          lid {
            secret_wo         = terraform_data.name.output == "n" ? "CANARY" : null
            secret_wo_version = 1
          }
        }
        ephemeral "corner_token" "t" { scope = "s" }
        "#,
    );
    w.apply().ok().has("+ id = (known after apply)").has("+ name = (known after apply)");
    assert!(w.world("log").contains("create n secret=CANARY"));
    let log = w.world("log");
    let opened = log.find("open s").unwrap_or_else(|| panic!("{log}"));
    assert!(log[opened..].contains("close Some(Number(1))"), "{log}");
    w.nothing_to_do();
}

/// Applies, and interrupts that once the resource waits.
fn interrupted(w: &Workspace, listener: &UnixListener) -> String {
    let mut apply = w.command(&["apply", "-auto-approve"]);
    let apply = apply.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("terraform runs");
    let mut word = String::new();
    listener.accept().expect("the provider").0.read_to_string(&mut word).expect("a word");
    assert_eq!(word, "waiting");
    // As Ctrl-C in a terminal: the whole group gets it, the provider too.
    let group = format!("-{}", apply.id());
    assert!(Command::new("kill").args(["-INT", "--", &group]).status().expect("kill").success());
    let output = apply.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(1));
    [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat()
}

fn an_interrupt() {
    let other = "resource \"corner_thing\" \"b\" { name = \"b\" }\n";
    let w = Workspace::new(&format!(
        "{other}{}depends_on = [corner_thing.b]\n}}\n",
        thing("fail = \"wait\"").trim_end().trim_end_matches('}')
    ));
    let listener = UnixListener::bind(w.path("world/test.sock")).expect("a socket");
    let said = interrupted(&w, &listener);
    assert!(!said.contains("The time for create is over"), "the stop ended it: {said}");
    assert!(w.world("log").contains("cancelled"), "the call was told to stop");
    assert_eq!(w.resources(), ["corner_thing.b"], "what was finished is in state, what was cancelled is not");
    w.nothing_left();
}

fn a_timeout() {
    let w = Workspace::new(&thing("fail = \"wait\"; timeouts {; create = \"1ms\"; }"));
    w.apply().failed().has("The time for create is over").has("It was stopped after 1ms.").has("Cancelled");
    assert_eq!(w.resources(), Vec::<String>::new());
}

fn a_panic_and_a_crash() {
    let other = "resource \"corner_thing\" \"b\" { name = \"b\" }\n";
    let w = Workspace::new(&format!("{other}{}", thing("fail = \"panic\"")));
    w.apply().failed().has("The provider has a bug").has("as asked").has_not("crashed!");
    assert_eq!(w.resources(), ["corner_thing.b"], "the other resource was made");
    w.configure(&format!("{other}{}", thing("fail = \"crash\"")));
    w.apply().failed().has("plugin crashed!").has("panic: outside a request");
}

/// Killed when this is dropped: a test that fails leaves no process behind.
struct ByHand(Child);

impl Drop for ByHand {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn a_provider_started_by_hand() {
    let mut w = Workspace::new(&thing(""));
    let mut by_hand = Command::new(w.path("bin/terraform-provider-corner"));
    let by_hand = by_hand.arg("--debug").env("TMPDIR", w.path("tmp")).stdout(Stdio::piped()).spawn().expect("it runs");
    let mut by_hand = ByHand(by_hand);
    let mut line = String::new();
    let stdout = by_hand.0.stdout.take().expect("a pipe");
    std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line).expect("a line");
    let reattach = line.trim().strip_prefix("TF_REATTACH_PROVIDERS='").and_then(|rest| rest.strip_suffix('\''));
    w.environment.push(("TF_REATTACH_PROVIDERS".into(), reattach.expect("the line to copy").into()));
    let folder = std::fs::read_dir(w.path("tmp")).expect("a folder").flatten().next().expect("its own folder");
    assert_eq!(folder.metadata().expect("a folder").permissions().mode() & 0o777, 0o700);
    w.apply().ok();
    w.nothing_to_do();
    // A stop is over once what was under way is: the next client is served.
    let listener = UnixListener::bind(w.path("world/test.sock")).expect("a socket");
    w.configure(&thing("place = \"p\"; fail = \"wait\""));
    let said = interrupted(&w, &listener);
    assert!(!said.contains("The time for create is over"), "the stop ended it: {said}");
    w.configure(&thing(""));
    w.apply().ok();
    w.nothing_to_do();
    w.destroy().ok();
    assert!(by_hand.0.try_wait().expect("a process").is_none(), "it outlives the client");
    assert!(Command::new("kill").args(["-INT", &by_hand.0.id().to_string()]).status().expect("kill").success());
    assert_eq!(by_hand.0.wait().expect("it ends").code(), Some(0));
    assert_eq!(std::fs::read_dir(w.path("tmp")).expect("a folder").count(), 0, "its folder is gone");
}
