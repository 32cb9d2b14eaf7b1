//! Tests of planning, and of what calls leave behind, as tables.

use futures::FutureExt as _;
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use super::change::{Action, Change};
use super::erased::{AnyResource, OfResource};
use super::outcome::outcome;
use super::planning::{Planned, Proposal, plan};
use super::private::Private;
use super::*;

/// A resource with an attribute of every class. Its hook does what the `hook` setting says.
struct Sample;

#[derive(Deserialize)]
struct Inputs {
    name: String,
    /// A pure function may take part of its inputs as they are.
    #[serde(default)]
    size: Attr<u64>,
}

#[derive(Deserialize)]
struct AboutSerial {
    serial: String,
}

#[derive(Deserialize)]
struct Model {}

impl Resource for Sample {
    type Data = u32;
    type Model = Model;
    const NAME: &'static str = "sample";

    fn schema() -> Schema<u32> {
        Schema::new("")
            .setting("name", string().required())
            .setting("hook", string())
            .setting("size", number().default(5))
            .setting("place", string().replaces())
            .setting("mode", string().replaces_if(|before, after| !before.is_null() && !after.is_null()))
            .setting("note", string().local())
            .setting("tags", set(string()))
            .setting("secret", string().write_only())
            .setting(
                "many",
                list_of([("a", string().replaces()), ("b", string().default("x")), ("wo", string().write_only())]),
            )
            .setting(
                "named",
                map_of([("a", string().replaces()), ("b", string().default("y")), ("wo", string().write_only())]),
            )
            .setting("some", set_of([("a", string().replaces())]))
            .block(
                "inner",
                "",
                [
                    ("x", string().default("ix")),
                    ("y", string().replaces()),
                    ("wo", string().write_only()),
                    ("keep", string().local()),
                ],
            )
            .block(
                "shelf",
                "",
                Block::new([
                    ("label", string().required().replaces()),
                    ("color", string().default("red")),
                    ("wo", string().write_only()),
                ])
                .repeated()
                .block("drawer", "", Block::new([("depth", number().default(3))]).repeated()),
            )
            .constant("kind", string(), "sample")
            .pinned("serial", string())
            .pure("id", string(), |data, inputs: Inputs| {
                let size = inputs.size.known().map_or_else(|| "?".to_owned(), |size| size.to_string());
                format!("{data}/{}/{size}", inputs.name).into()
            })
            .pure("label", string(), |_, about: AboutSerial| format!("<{}>", about.serial).into())
            .pure("found", string(), |_, inputs: Inputs| match inputs.name.as_str() {
                "look it up" => Value::Unknown,
                "of another type" => 1.into(),
                name => name.into(),
            })
            .observed("seen", number())
            .drift("missing", list(string()), Vec::<Value>::new())
            .timeouts(&[("create", "20m")])
    }

    async fn plan(_: &u32, plan: &mut Plan<'_>) -> Result<(), Diagnostics> {
        match plan.planned().at("hook").as_str() {
            Some("serial") => plan.set("serial", "known"),
            Some("seen") => plan.set("seen", 7),
            Some("unknown") => plan.set("serial", Value::Unknown),
            Some("replace") => plan.replace("name"),
            Some("fail") => return Err(Diagnostic::error("no", "").into()),
            Some("wrong") => plan.set("kind", 1),
            Some("missing") => plan.set("serial", format!("{:?}", plan.planned().at("missing"))),
            _ => {}
        }
        Ok(())
    }

    async fn create(_: &u32, _: Model, _: &mut Change<'_>) -> Result<(), Diagnostics> {
        Ok(())
    }

    async fn read(_: &u32, _: Model, _: &mut Change<'_>) -> Result<Found, Diagnostics> {
        Ok(Found::Here)
    }

    async fn update(_: &u32, _: Model, _: Model, _: &mut Change<'_>) -> Result<(), Diagnostics> {
        Ok(())
    }

    async fn delete(_: &u32, _: Model, _: &mut Change<'_>) -> Result<(), Diagnostics> {
        Ok(())
    }

    async fn import(_: &u32, _: &str, _: &mut Change<'_>) -> Result<(), Diagnostics> {
        Ok(())
    }
}

fn sample() -> OfResource<Sample> {
    OfResource::new()
}

/// As Terraform has it, for whom a repeated block that nobody wrote is an empty list.
fn value<const N: usize>(attributes: [(&str, Value); N]) -> Value {
    let mut value = sample().form().ty.fit(Value::object(attributes)).expect("it fits");
    if value.at("shelf").is_null() {
        value.set("shelf", Value::List(vec![]));
    }
    value
}

/// What Terraform proposes: the configuration, and for what is computed and not written the prior value.
fn proposed(config: &Value, prior: &Value) -> Value {
    let mut proposed = config.clone();
    for name in ["size", "kind", "serial", "id", "label", "found", "seen", "missing"] {
        if config.at(name).is_null() {
            proposed.set(name, prior.at(name).clone());
        }
    }
    proposed
}

fn planned(prior: &Value, config: &Value) -> Planned {
    let proposed = proposed(config, prior);
    let proposal = Proposal {
        config: config.clone(),
        prior: prior.clone(),
        proposed,
        private: Private::default(),
        cancelled: CancellationToken::new(),
    };
    plan(&sample(), &1, proposal).now_or_never().expect("nothing to wait for")
}

/// State as it is after a create with the name `n` and the default size.
fn state() -> Value {
    value([
        ("name", "n".into()),
        ("size", 5.into()),
        ("kind", "sample".into()),
        ("serial", "s1".into()),
        ("id", "old wording".into()),
        ("label", "old label".into()),
        ("found", "old".into()),
        ("seen", 3.into()),
        ("missing", Value::List(vec![])),
    ])
}

fn with<const N: usize>(base: &Value, changes: [(&str, Value); N]) -> Value {
    let mut value = base.clone();
    for (path, change) in changes {
        value.set(path, change);
    }
    sample().form().ty.fit(value).expect("it fits")
}

#[test]
fn a_new_resource() {
    let plan = planned(&Value::Null, &value([("name", "n".into()), ("secret", "CANARY".into())]));
    assert!(plan.diagnostics.is_empty(), "{}", plan.diagnostics);
    let expected = value([
        ("name", "n".into()),
        ("size", 5.into()),
        ("kind", "sample".into()),
        ("serial", Value::Unknown),
        ("id", "1/n/5".into()),
        ("label", Value::Unknown),
        ("found", "n".into()),
        ("seen", Value::Unknown),
        ("missing", Value::List(vec![])),
    ]);
    assert_eq!(plan.value, expected);
    assert!(plan.replaces.is_empty());
}

#[test]
fn a_new_resource_with_unknown_settings() {
    let plan = planned(&Value::Null, &value([("name", Value::Unknown)]));
    assert_eq!(plan.value.at("id"), &Value::Unknown, "an input is unknown");
    let plan = planned(&Value::Null, &value([("name", "n".into()), ("size", Value::Unknown)]));
    assert_eq!(plan.value.at("size"), &Value::Unknown, "an unknown setting is not left out");
    assert_eq!(plan.value.at("id"), &"1/n/?".into(), "a function that can do without an input does");
}

#[test]
fn nothing_changes() {
    let config = value([("name", "n".into())]);
    let plan = planned(&state(), &config);
    assert_eq!(plan.value, state(), "another wording of a pure attribute is no change");
    assert!(plan.replaces.is_empty());
    let unordered = |tags: Vec<&str>| with(&state(), [("tags", tags.into())]);
    let config = value([("name", "n".into()), ("tags", vec!["b", "a"].into())]);
    let plan = planned(&unordered(vec!["a", "b"]), &config);
    assert_eq!(plan.value.at("seen"), &3.into(), "the order in a set is no change");
    assert_eq!(plan.value.at("id"), &"old wording".into());
}

#[test]
fn what_makes_an_update() {
    let base = value([("name", "n".into())]);
    for (what, prior, config, updates, derives) in [
        ("a setting", state(), with(&base, [("name", "m".into())]), true, true),
        ("a default that is left", state(), with(&base, [("size", 6.into())]), true, true),
        ("an element of a set", state(), with(&base, [("tags", vec!["a"].into())]), true, true),
        ("a block that is added", state(), with(&base, [("inner.x", "1".into())]), true, true),
        ("an unknown setting", state(), with(&base, [("place", Value::Unknown)]), true, true),
        ("a write-only value", state(), with(&base, [("secret", "new".into())]), false, false),
        ("drift", with(&state(), [("missing", vec!["x"].into())]), base.clone(), true, false),
        ("nothing seen", with(&state(), [("missing", Value::Null)]), base.clone(), false, false),
        ("an observed value", with(&state(), [("seen", 9.into())]), base.clone(), false, false),
        ("a constant of another release", with(&state(), [("kind", "old".into())]), base.clone(), true, false),
    ] {
        let plan = planned(&prior, &config);
        assert!(plan.diagnostics.is_empty(), "{what}: {}", plan.diagnostics);
        assert_eq!(plan.value.at("seen").is_unknown(), updates, "{what}");
        let wording: Value = "old wording".into();
        assert_eq!(plan.value.at("id") != &wording, derives, "{what}");
        if updates {
            assert_eq!(plan.value.at("missing"), &Value::List(vec![]), "{what}");
            assert_eq!(plan.value.at("serial"), &"s1".into(), "{what}: pinned stays");
        } else {
            assert_eq!(plan.value, prior, "{what}");
        }
    }
}

#[test]
fn what_touches_only_state_keeps_what_was_seen() {
    let config = with(&value([("name", "n".into())]), [("timeouts.create", "1m".into())]);
    let plan = planned(&state(), &config);
    assert_eq!(plan.value.at("timeouts.create"), &"1m".into());
    assert_eq!(plan.value.at("seen"), state().at("seen"));
    assert!(!plan.value.at("seen").is_unknown());
    let drifted = planned(&with(&state(), [("missing", vec!["x"].into())]), &config);
    assert!(drifted.value.at("seen").is_unknown(), "drift is put right too");
}

#[test]
fn defaults_and_write_only_values_inside() {
    let config = value([
        ("name", "n".into()),
        ("inner", Value::object([("wo", "CANARY".into())])),
        ("many", Value::List(vec![Value::object([("wo", "CANARY".into())]), Value::object([("b", "own".into())])])),
        ("named", Value::object([("k", Value::object([("a", "1".into()), ("wo", "CANARY".into())]))])),
    ]);
    let plan = planned(&Value::Null, &config);
    assert_eq!(plan.value.at("inner.x"), &"ix".into());
    assert_eq!(plan.value.at("inner.wo"), &Value::Null);
    assert_eq!(plan.value.at("many[0].b"), &"x".into());
    assert_eq!(plan.value.at("many[0].wo"), &Value::Null);
    assert_eq!(plan.value.at("many[1].b"), &"own".into());
    assert_eq!(plan.value.at("named.k.b"), &"y".into());
    assert_eq!(plan.value.at("named.k.wo"), &Value::Null);
    let absent = planned(&Value::Null, &value([("name", "n".into()), ("shelf", Value::List(vec![]))]));
    assert_eq!(absent.value.at("shelf"), &Value::List(vec![]));
    assert_eq!(absent.value.at("inner"), &Value::Null, "a block that is not written has no defaults");
}

fn shelf(label: &str, drawers: usize) -> Value {
    let drawers: Value = (0..drawers).map(|_| Value::object([("depth", Value::Null)])).collect();
    Value::object([("label", label.into()), ("wo", "CANARY".into()), ("drawer", drawers)])
}

#[test]
fn repeated_blocks_have_defaults_and_no_secrets_and_replace_each_on_its_own() {
    let config = |shelves: Vec<Value>| value([("name", "n".into()), ("shelf", Value::List(shelves))]);
    let new = planned(&Value::Null, &config(vec![shelf("a", 2), shelf("b", 0)])).value;
    assert_eq!(new.at("shelf[1].color"), &"red".into());
    assert_eq!(new.at("shelf[0].wo"), &Value::Null);
    assert_eq!(new.at("shelf[0].drawer[1].depth"), &3.into());
    let prior = with(&state(), [("shelf", new.at("shelf").clone())]);
    let same = planned(&prior, &config(vec![shelf("a", 2), shelf("b", 0)]));
    assert_eq!(same.value, prior);
    for (shelves, expected) in [
        (vec![shelf("a", 2), shelf("c", 0)], vec!["shelf[1].label"]),
        (vec![shelf("a", 1), shelf("b", 0)], vec![]),
        (vec![shelf("a", 2)], vec!["shelf[1].label"]),
    ] {
        let plan = planned(&prior, &config(shelves));
        assert_eq!(plan.replaces.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
        assert!(plan.value.at("seen").is_unknown(), "it is an update");
    }
    let later = planned(&prior, &value([("name", "n".into()), ("shelf", Value::Unknown)]));
    assert!(later.value.at("shelf").is_unknown() && later.value.at("seen").is_unknown());
}

#[test]
fn what_replaces() {
    let base = value([("name", "n".into())]);
    let some = |names: &[&str]| names.iter().map(|name| Value::object([("a", (*name).into())])).collect::<Value>();
    let prior = with(
        &state(),
        [
            ("place", "p".into()),
            ("mode", "m".into()),
            ("inner", Value::object([("x", "ix".into()), ("y", "1".into())])),
            ("many", Value::List(vec![Value::object([("a", "1".into()), ("b", "x".into())])])),
            ("named", Value::object([("k", Value::object([("a", "1".into()), ("b", "y".into())]))])),
            ("some", some(&["1", "2"])),
        ],
    );
    let same = with(
        &base,
        [
            ("place", "p".into()),
            ("mode", "m".into()),
            ("inner", Value::object([("y", "1".into())])),
            ("many", Value::List(vec![Value::object([("a", "1".into())])])),
            ("named", Value::object([("k", Value::object([("a", "1".into())]))])),
            ("some", some(&["1", "2"])),
        ],
    );
    for (changes, expected) in [
        (vec![], vec![]),
        (vec![("name", "other".into())], vec![]),
        (vec![("place", "q".into())], vec!["place"]),
        (vec![("place", Value::Null)], vec!["place"]),
        (vec![("place", Value::Unknown)], vec!["place"]),
        (vec![("mode", "q".into())], vec!["mode"]),
        (vec![("mode", Value::Null)], vec![]),
        (vec![("inner.x", "2".into())], vec![]),
        (vec![("inner.y", "2".into())], vec!["inner.y"]),
        (vec![("inner", Value::Null)], vec!["inner.y"]),
        (vec![("many", Value::List(vec![Value::object([("a", "2".into())])]))], vec!["many[0].a"]),
        (vec![("many", Value::List(vec![]))], vec!["many[0].a"]),
        (vec![("named", Value::object([("k", Value::object([("a", "2".into())]))]))], vec!["named[\"k\"].a"]),
        (vec![("named", Value::object([]))], vec!["named[\"k\"].a"]),
        (vec![("some", some(&["2", "1"]))], vec![]),
        (vec![("some", some(&["1", "3"]))], vec!["some"]),
        (vec![("hook", "replace".into())], vec!["name"]),
    ] {
        let mut config = same.clone();
        for (path, change) in changes.clone() {
            config.set(path, change);
        }
        let config = sample().form().ty.fit(config).expect("it fits");
        let plan = planned(&prior, &config);
        let found: Vec<String> = plan.replaces.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected, "{changes:?}");
        assert!(
            planned(&Value::Null, &config).replaces.iter().all(|path| path.to_string() == "name"),
            "new: {changes:?}"
        );
    }
}

#[test]
fn the_hook_has_the_last_word() {
    let config = |hook: &str| value([("name", "n".into()), ("hook", hook.into())]);
    let state = |hook: &str| with(&state(), [("hook", hook.into())]);
    let plan = planned(&Value::Null, &config("serial"));
    assert_eq!(plan.value.at("serial"), &"known".into());
    assert_eq!(plan.value.at("label"), &"<known>".into(), "what depends on it is derived again");
    let plan = planned(&Value::Null, &config("missing"));
    assert_eq!(plan.value.at("serial"), &"[]".into(), "it sees that a new resource will lack nothing");
    let plan = planned(&state("seen"), &config("seen"));
    assert_eq!(plan.value.at("seen"), &7.into(), "what the hook sets stands");
    assert_eq!(plan.value.at("label"), &"old label".into());
    let plan = planned(&state("unknown"), &config("unknown"));
    assert_eq!((plan.value.at("serial"), plan.value.at("seen")), (&Value::Unknown, &Value::Unknown), "it is an update");
    assert!(planned(&state("fail"), &config("fail")).diagnostics.has_errors());
    let wrong = planned(&state("wrong"), &config("wrong")).diagnostics.to_string();
    assert!(wrong.contains("kind: a string is needed, but it is a number"), "{wrong}");
    let wrong = planned(&Value::Null, &value([("name", "of another type".into())])).diagnostics.to_string();
    assert!(wrong.contains("found: a string is needed, but it is a number"), "{wrong}");
}

#[test]
fn a_destroy_plans_nothing() {
    let proposal = Proposal {
        config: Value::Null,
        prior: with(&state(), [("hook", "fail".into())]),
        proposed: Value::Null,
        private: Private::read(br#"{"provider":{"k":1}}"#),
        cancelled: CancellationToken::new(),
    };
    let plan = plan(&sample(), &1, proposal).now_or_never().expect("nothing to wait for");
    assert_eq!(plan.value, Value::Null);
    assert!(plan.diagnostics.is_empty(), "the hook is not asked");
    assert_eq!(plan.private.get("k"), Some(1.into()), "delete finds what was kept");
}

/// Runs the rules of the outcome on a call that did what `call` does.
fn left(
    action: Action,
    prior: &Value,
    planned: &Value,
    call: impl FnOnce(&mut Change<'_>) -> Result<Found, Diagnostics>,
) -> (Value, bool) {
    let resource = sample();
    let mut cx = Change {
        action,
        config: &Value::Null,
        prior: prior.clone(),
        planned: planned.clone(),
        patch: Vec::new(),
        created: false,
        kept: Vec::new(),
        private: Private::default(),
        diagnostics: Diagnostics::new(),
        cancelled: CancellationToken::new(),
    };
    let result = call(&mut cx);
    let outcome = outcome(resource.form(), &1, cx, result);
    (outcome.state, outcome.diagnostics.has_errors())
}

fn failed() -> Result<Found, Diagnostics> {
    Err(Diagnostic::error("it failed", "").into())
}

#[test]
fn a_repeated_block_that_nobody_wrote_is_an_empty_list() {
    let one = Value::List(vec![Value::object([("label", "a".into())])]);
    for (patch, expected) in [(None, Value::List(vec![])), (Some(one), Value::List(vec![]))] {
        let inside = patch.is_some();
        let (state, errors) = left(Action::Import, &Value::Null, &Value::Null, |cx| {
            cx.set("name", "n");
            if let Some(shelves) = patch {
                cx.set("shelf", shelves);
            }
            Ok(Found::Here)
        });
        assert!(!errors);
        assert_eq!(state.at(if inside { "shelf[0].drawer" } else { "shelf" }), &expected);
    }
}

#[test]
fn what_create_leaves() {
    let wanted = planned(&Value::Null, &value([("name", "n".into())])).value;
    let (state, errors) = left(Action::Create, &Value::Null, &wanted, |cx| {
        cx.set("serial", "s9");
        Ok(Found::Here)
    });
    assert!(!errors);
    let expected = with(&wanted, [("serial", "s9".into()), ("label", "<s9>".into()), ("seen", Value::Null)]);
    assert_eq!(state, expected, "the plan, the patch, what can be derived now, and null for the rest");
    let (state, errors) = left(Action::Create, &Value::Null, &wanted, |cx| {
        cx.set("serial", "s9");
        failed()
    });
    assert_eq!((state, errors), (Value::Null, true), "nothing was made");
    let (state, errors) = left(Action::Create, &Value::Null, &wanted, |cx| {
        cx.created();
        cx.set("serial", "s9");
        failed()
    });
    assert!(errors);
    assert_eq!(state, with(&wanted, [("serial", "s9".into()), ("label", Value::Null), ("seen", Value::Null)]));
}

#[test]
fn what_update_leaves() {
    let prior = with(&state(), [("inner", Value::object([("x", "ix".into()), ("keep", "k1".into())]))]);
    let config = value([
        ("name", "m".into()),
        ("size", 6.into()),
        ("note", "new".into()),
        ("inner", Value::object([("x", "other".into()), ("keep", "k2".into())])),
        ("timeouts", Value::object([("create", "1m".into())])),
    ]);
    let wanted = planned(&prior, &config).value;
    let (state, errors) = left(Action::Update, &prior, &wanted, |cx| {
        cx.set("seen", 8);
        Ok(Found::Here)
    });
    assert!(!errors);
    assert_eq!(state, with(&wanted, [("seen", 8.into())]));
    let (state, _) = left(Action::Update, &prior, &wanted, |_| Ok(Found::Here));
    assert_eq!(state, with(&wanted, [("seen", prior.at("seen").clone())]), "what nobody looked at stays");
    let as_seen = with(&wanted, [("seen", 5.into())]);
    let (state, _) = left(Action::Update, &prior, &as_seen, |cx| {
        cx.set("seen", 8);
        Ok(Found::Here)
    });
    assert_eq!(state, as_seen, "what was planned returns unchanged");
    let (state, errors) = left(Action::Update, &prior, &wanted, |cx| {
        cx.set("seen", 8);
        cx.keep("size");
        failed()
    });
    assert!(errors);
    let expected = with(
        &prior,
        [
            ("size", 6.into()),
            ("id", "1/n/6".into()),
            ("label", "<s1>".into()),
            ("found", "n".into()),
            ("seen", 8.into()),
            ("note", "new".into()),
            ("inner.keep", "k2".into()),
            ("timeouts.create", "1m".into()),
        ],
    );
    assert_eq!(state, expected, "the prior state, what was kept and derived from that, what is local, and the patch");
    assert!(planned(&state, &config).value.at("seen").is_unknown(), "the rest is planned again");
    let (state, _) = left(Action::Update, &prior, &with(&prior, [("name", "look it up".into())]), |cx| {
        cx.keep("name");
        failed()
    });
    assert_eq!(state.at("name"), &"look it up".into());
    assert_eq!(state.at("found"), &"old".into(), "what cannot be derived stays");
    let only_name = planned(&prior, &with(&config, [("note", Value::Null)])).value;
    let (state, _) =
        left(Action::Update, &prior, &with(&prior, [("name", only_name.at("name").clone())]), |_| failed());
    assert_eq!(state, prior, "nothing was done");
}

#[test]
fn what_delete_read_and_import_leave() {
    let prior = state();
    assert_eq!(left(Action::Delete, &prior, &Value::Null, |_| Ok(Found::Here)), (Value::Null, false));
    let (state, errors) = left(Action::Delete, &prior, &Value::Null, |cx| {
        cx.set("seen", 0);
        failed()
    });
    assert_eq!((state, errors), (with(&prior, [("seen", 0.into())]), true));
    let read = |cx: &mut Change<'_>| cx.set("missing", vec!["x"]);
    let (state, _) = left(Action::Read, &prior, &Value::Null, |cx| {
        read(cx);
        Ok(Found::Here)
    });
    assert_eq!(state, with(&prior, [("missing", vec!["x"].into())]));
    assert_eq!(left(Action::Read, &prior, &Value::Null, |_| Ok(Found::Gone)).0, Value::Null);
    let (state, _) = left(Action::Read, &prior, &Value::Null, |cx| {
        read(cx);
        failed()
    });
    assert_eq!(state, prior, "a read that failed says nothing");
    let (state, _) = left(Action::Import, &Value::Null, &Value::Null, |cx| {
        cx.set("name", "n");
        cx.set("inner.x", "1");
        Ok(Found::Here)
    });
    assert_eq!(state, value([("name", "n".into()), ("inner", Value::object([("x", "1".into())]))]));
    assert_eq!(left(Action::Import, &Value::Null, &Value::Null, |_| failed()).0, Value::Null);
}

#[test]
fn a_result_that_the_schema_does_not_allow_is_an_error_and_loses_nothing() {
    let wanted = planned(&Value::Null, &value([("name", "n".into())])).value;
    let (state, errors) = left(Action::Create, &Value::Null, &wanted, |cx| {
        cx.set("nowhere", 1);
        cx.set("seen", "text");
        cx.set("serial", "s");
        Ok(Found::Here)
    });
    assert!(errors);
    assert_eq!((state.at("name"), state.at("serial"), state.at("seen")), (&"n".into(), &"s".into(), &Value::Null));
}
