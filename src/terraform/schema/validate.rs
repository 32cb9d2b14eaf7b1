//! Checks a configuration against its schema: what Terraform itself cannot check.

use super::super::{Diagnostic, Diagnostics, Path, Step, Type, Value, on_one_line};
use super::attribute::{Attribute, Kind, Nesting};
use super::{Entry, Schema};

/// What the client can do.
#[derive(Clone, Copy, Debug)]
pub(in crate::terraform) struct Rules {
    /// Whether it knows write-only attributes (Terraform 1.11, OpenTofu 1.11).
    pub(in crate::terraform) write_only: bool,
    /// Whether an attribute of this name may hold a secret in this text.
    pub(in crate::terraform) may_hold_secret: fn(&str, &str) -> bool,
}

impl Rules {
    /// Whether a secret may be in any text of a value.
    pub(in crate::terraform) fn hide(self, attribute: &str, value: &Value) -> bool {
        match value {
            Value::String(text) => (self.may_hold_secret)(attribute, text),
            Value::List(items) => items.iter().any(|item| self.hide(attribute, item)),
            Value::Map(map) => {
                map.iter().any(|(name, item)| (self.may_hold_secret)(attribute, name) || self.hide(attribute, item))
            }
            Value::Dynamic(inner) => self.hide(attribute, &inner.1),
            _ => false,
        }
    }
}

/// Adds what is wrong with the configuration. What is unknown is not looked at, except that a write-only attribute is
/// refused, unknown or not, where the client would store it.
pub(in crate::terraform) fn validate<D>(schema: &Schema<D>, config: &Value, rules: Rules, d: &mut Diagnostics) {
    // Terraform takes it, and the plan would go on as if nobody had written it.
    for Entry { name, .. } in schema.entries.iter().filter(|entry| !entry.class.is_setting()) {
        if !config.attribute(name).is_null() {
            let detail = format!("`{name}` is what the provider finds out; it cannot be written. Leave it out.");
            d.push(Diagnostic::error(format!("{name} is read-only"), detail).at(name.as_str()));
        }
    }
    let mut walk = Walk { rules, path: Path::root(), secret: false, d };
    let settings = schema.entries.iter().filter(|entry| entry.class.is_setting());
    walk.object(settings.map(|Entry { name, attribute, .. }| (name.as_str(), attribute)), config);
}

/// Terraform's own words for an argument that is not there, and why it looks as if it were.
fn missing(name: &str) -> String {
    format!(
        "The argument \"{name}\" is required, but no definition was found. What is written for it comes to null, as a variable, \
         an optional attribute of an object or an output without a value does, and generated configuration for what cannot be \
         read back: give `{name}` a value."
    )
}

struct Walk<'a> {
    rules: Rules,
    path: Path,
    secret: bool,
    d: &'a mut Diagnostics,
}

impl Walk<'_> {
    fn object<'s>(&mut self, attributes: impl Iterator<Item = (&'s str, &'s Attribute)>, object: &Value) {
        let Value::Map(_) = object else { return };
        for (name, attribute) in attributes {
            let value = object.attribute(name);
            if value.is_null() {
                // Terraform counts blocks itself, and takes a null that is written for an argument that is there.
                if attribute.required && attribute.block.is_none() {
                    self.path.push(Step::Attribute(name.to_owned()));
                    self.error("Missing required argument", missing(name));
                    self.path.pop();
                }
                continue;
            }
            self.path.push(Step::Attribute(name.to_owned()));
            let outside = self.secret;
            self.secret |= attribute.is_secret() || (attribute.children().is_empty() && self.rules.hide(name, value));
            self.attribute(attribute, value, object);
            self.secret = outside;
            self.path.pop();
        }
    }

    /// The value is not null.
    fn attribute(&mut self, attribute: &Attribute, value: &Value, beside: &Value) {
        if attribute.write_only && !self.rules.write_only {
            let detail = "It is write-only, which needs Terraform 1.11 or OpenTofu 1.11; this version would store it. \
                          Leave it out, or use a newer version.";
            return self.error("A write-only attribute is not possible here", detail.to_owned());
        }
        if let Some(message) = &attribute.deprecated {
            let warning = Diagnostic::warning(format!("{} is deprecated", self.named()), message.clone());
            self.push(warning);
        }
        if value.is_unknown() {
            return;
        }
        let title = self.named();
        for other in &attribute.conflicts_with {
            let there = beside.at(other);
            if !there.is_null() && !there.is_unknown() {
                let detail = format!("`{title}` cannot be set together with `{other}`: leave one of them out.");
                self.error(&format!("{title} and {other} exclude each other"), detail);
            }
        }
        for other in &attribute.required_with {
            if beside.at(other).is_null() {
                self.error(&format!("{title} without {other}"), format!("`{other}` must be set with it."));
            }
        }
        if self.null_inside(attribute, value, &title) || self.misshapen(attribute, value) {
            return;
        }
        if value.is_wholly_known() {
            for check in &attribute.checks {
                if let Some(message) = check.broken_by(value, !self.secret) {
                    self.error(&format!("Bad {title}"), on_one_line(message));
                }
            }
        }
        let Kind::Nested(nesting, children) = &attribute.kind else { return };
        let children = || children.iter().map(|(name, child)| (name.as_str(), child));
        match (nesting, value) {
            (Nesting::Single, object) => self.object(children(), object),
            (Nesting::List | Nesting::Set, Value::List(items)) => {
                for (index, item) in items.iter().enumerate() {
                    self.path.push(Step::Index(index));
                    self.object(children(), item);
                    self.path.pop();
                }
            }
            (Nesting::Map, Value::Map(map)) => {
                for (key, item) in map {
                    self.path.push(Step::Key(key.clone()));
                    self.object(children(), item);
                    self.path.pop();
                }
            }
            _ => {}
        }
    }

    /// Says so where an element of a collection is null, which no setting has a meaning for.
    fn null_inside(&mut self, attribute: &Attribute, value: &Value, title: &str) -> bool {
        let Kind::Plain(Type::List(_) | Type::Set(_) | Type::Map(_)) = &attribute.kind else { return false };
        let is_null = match value {
            Value::List(items) => items.iter().any(Value::is_null),
            Value::Map(map) => map.values().any(Value::is_null),
            _ => false,
        };
        if is_null {
            let detail = format!(
                "An element of `{title}` is null: an optional value that nobody set. Leave such elements out, as in \
                 `{title} = [for value in … : value if value != null]` or `compact(…)`."
            );
            self.error(&format!("Bad {title}"), detail);
        }
        is_null
    }

    /// Says what is wrong inside a value of any type.
    fn misshapen(&mut self, attribute: &Attribute, value: &Value) -> bool {
        let found = attribute.shape.as_ref().map_or_else(Vec::new, |shape| shape.broken_by(value, &self.path));
        for (path, detail) in &found {
            let diagnostic = Diagnostic::error(format!("Bad {}", self.named()), detail.clone()).at(path);
            self.d.push(if self.secret { diagnostic.without_path() } else { diagnostic });
        }
        !found.is_empty()
    }

    /// The attribute at hand as a title names it: without keys, which somebody wrote.
    fn named(&self) -> String {
        let names = self.path.steps().iter().filter_map(|step| match step {
            Step::Attribute(name) => Some(name.as_str()),
            Step::Key(_) | Step::Index(_) => None,
        });
        names.collect::<Vec<_>>().join(".")
    }

    fn error(&mut self, summary: &str, detail: String) {
        self.push(Diagnostic::error(summary, detail));
    }

    fn push(&mut self, diagnostic: Diagnostic) {
        let diagnostic = diagnostic.at(&self.path);
        self.d.push(if self.secret { diagnostic.without_path() } else { diagnostic });
    }
}

#[cfg(test)]
mod tests {
    use super::super::*;
    use super::*;

    fn schema() -> Schema<()> {
        Schema::new("")
            .setting("name", string().max_length(5))
            .setting("kind", string().one_of(&["a", "b"]).deprecated("use `name`"))
            .setting("port", number().between(1, 65535))
            .setting("left", string().conflicts_with(&["right", "block.x"]))
            .setting("right", string())
            .setting("tags", list(string()).one_of(&["t"]))
            .setting("token", string().sensitive().one_of(&["good"]))
            .setting("url", string().holds_secret().check(|_| Err("it has a password in it".into())))
            .setting("entries", map_of([("password", string().write_only()), ("n", number().between(0, 1))]))
            .block("block", "", [("x", string()), ("y", string().required_with(&["x"])), ("wo", string().write_only())])
            .timeouts(&[("create", "20m")])
    }

    fn problems(config: Value, write_only: bool) -> Vec<String> {
        let mut d = Diagnostics::new();
        let may_hold_secret = |attribute: &str, text: &str| attribute == "kind" && text.contains('@');
        validate(&schema(), &config, Rules { write_only, may_hold_secret }, &mut d);
        d.iter().map(|d| d.to_string().replace('\n', " | ")).collect()
    }

    #[test]
    fn each_rule_names_its_attribute() {
        let wrong = "Error: Bad";
        let long: &str = "ääääää";
        for (config, expected) in [
            (vec![("name", "ääääé".into())], vec![]),
            (
                vec![("name", long.into())],
                vec![format!("{wrong} name @ name | It has 6 characters, and may have at most 5.")],
            ),
            (
                vec![("port", 0.into())],
                vec![format!("{wrong} port @ port | It must be a whole number between 1 and 65535, not 0.")],
            ),
            (
                vec![("port", 1.5.into())],
                vec![format!("{wrong} port @ port | It must be a whole number between 1 and 65535, not 1.5.")],
            ),
            (
                vec![("port", "65536".parse::<super::super::super::Number>().expect("n").into())],
                vec![format!("{wrong} port @ port | It must be a whole number between 1 and 65535, not 65536.")],
            ),
            (
                vec![("kind", "c".into())],
                vec![
                    "Warning: kind is deprecated @ kind | use `name`".to_owned(),
                    format!("{wrong} kind @ kind | It must be one of `a`, `b`, not `c`."),
                ],
            ),
            (vec![("tags", vec!["t", "u"].into())], vec![format!("{wrong} tags @ tags | It must be one of `t`, not `u`.")]),
            (
                vec![("left", "l".into()), ("right", "r".into())],
                vec![
                    "Error: left and right exclude each other @ left | `left` cannot be set together with `right`: leave one of them out."
                        .to_owned(),
                ],
            ),
            (
                vec![("left", "l".into()), ("block", Value::object([("x", "r".into())]))],
                vec![
                    "Error: left and block.x exclude each other @ left | `left` cannot be set together with `block.x`: leave one of them out."
                        .to_owned(),
                ],
            ),
            (vec![("left", "l".into()), ("right", Value::Unknown)], vec![]),
            (
                vec![("block", Value::object([("y", "1".into())]))],
                vec!["Error: block.y without x @ block.y | `x` must be set with it.".to_owned()],
            ),
            (vec![("block", Value::object([("y", "1".into()), ("x", Value::Unknown)]))], vec![]),
            (
                vec![("timeouts", Value::object([("create", "0s".into())]))],
                vec![format!("{wrong} timeouts.create @ timeouts.create | It must be longer than nothing.")],
            ),
            (
                vec![("entries", Value::object([("k", Value::object([("n", 2.into())]))]))],
                vec![format!("{wrong} entries.n @ entries[\"k\"].n | It must be a whole number between 0 and 1, not 2.")],
            ),
        ] {
            let config = Value::Map(config.into_iter().map(|(name, value)| (name.to_owned(), value)).collect());
            assert_eq!(problems(config.clone(), true), expected, "{config:?}");
        }
    }

    #[test]
    fn a_null_is_refused_where_something_is_needed() {
        let schema = Schema::<()>::new("")
            .setting("name", string().required())
            .setting("secret", string().required().write_only())
            .setting("tags", set(string()))
            .setting("hosts", map(string()))
            .setting("entries", map_of([("path", string().required())]))
            .block("block", "", [("x", string().required()), ("y", string())]);
        let problems = |config: Value| {
            let mut d = Diagnostics::new();
            validate(&schema, &config, Rules { write_only: true, may_hold_secret: |_, _| false }, &mut d);
            d.iter().map(|d| format!("{} @ {}", d.summary(), d.path())).collect::<Vec<_>>()
        };
        let null =
            |names: &[&str]| names.iter().map(|name| format!("Missing required argument @ {name}")).collect::<Vec<_>>();
        assert_eq!(problems(Value::object([])), null(&["name", "secret"]));
        let named =
            |name: &str, value: Value| Value::object([("name", "n".into()), ("secret", Value::Unknown), (name, value)]);
        assert!(problems(named("block", Value::Unknown)).is_empty());
        assert_eq!(problems(named("block", Value::object([("y", "1".into())]))), null(&["block.x"]));
        let entry = Value::object([("k", Value::object([("path", Value::Null)]))]);
        assert_eq!(problems(named("entries", entry)), null(&["entries[\"k\"].path"]));
        let tags = Value::List(vec!["t".into(), Value::Null]);
        assert_eq!(problems(named("tags", tags)), ["Bad tags @ tags"]);
        let hosts = Value::object([("h", Value::Null), ("i", Value::Unknown)]);
        assert_eq!(problems(named("hosts", hosts)), ["Bad hosts @ hosts"]);
    }

    #[test]
    fn each_item_of_a_repeated_block_is_checked_at_its_place() {
        let schema = Schema::<()>::new("").block(
            "mask",
            "",
            Block::new([
                ("using", string().required().one_of(&["null", "hash"])),
                ("salt", string().conflicts_with(&["value"])),
                ("value", string()),
            ])
            .repeated()
            .block("unless", "", Block::new([("groups", set(string()))]).repeated()),
        );
        let problems = |masks: Value| {
            let mut d = Diagnostics::new();
            let config = Value::object([("mask", masks)]);
            validate(&schema, &config, Rules { write_only: true, may_hold_secret: |_, _| false }, &mut d);
            d.iter().map(|d| format!("{} @ {}", d.summary(), d.path())).collect::<Vec<_>>()
        };
        let using = |using: &str| ("using", Value::from(using));
        let good = || Value::object([using("null"), ("unless", Value::List(vec![]))]);
        assert!(problems(Value::List(vec![])).is_empty() && problems(Value::Unknown).is_empty());
        assert!(problems(Value::List(vec![good(), Value::Unknown])).is_empty());
        let null = Value::object([("unless", Value::List(vec![]))]);
        assert_eq!(problems(Value::List(vec![null])), ["Missing required argument @ mask[0].using"]);
        assert_eq!(
            problems(Value::List(vec![good(), Value::object([using("x")])])),
            ["Bad mask.using @ mask[1].using"]
        );
        let both = Value::object([using("hash"), ("salt", "s".into()), ("value", "v".into())]);
        assert_eq!(problems(Value::List(vec![both])), ["mask.salt and value exclude each other @ mask[0].salt"]);
        let group = Value::object([("groups", Value::List(vec![Value::Null]))]);
        let inside = Value::object([using("null"), ("unless", Value::List(vec![Value::object([]), group]))]);
        assert_eq!(problems(Value::List(vec![inside])), ["Bad mask.unless.groups @ mask[0].unless[1].groups"]);
    }

    #[test]
    fn names_inside_a_value_of_any_type_are_checked() {
        let shape = Shape::map_of(Shape::object([("groups", Shape::Texts)]));
        let schema =
            |attribute: Attribute| Schema::<()>::new("").setting("users", attribute.required().shaped(shape.clone()));
        let config = Value::object([("users", Value::object([("ann", Value::object([("group", "CANARY".into())]))]))]);
        let told = |schema: Schema<()>, config: &Value| {
            let config = schema.ty().fit(config.clone()).expect("it fits");
            let mut d = Diagnostics::new();
            validate(&schema, &config, Rules { write_only: true, may_hold_secret: |_, _| false }, &mut d);
            d.iter().map(|d| format!("{} @ {}", d.summary(), d.path())).collect::<Vec<_>>()
        };
        assert_eq!(told(schema(dynamic()), &config), ["Bad users @ users.ann.group"]);
        assert_eq!(told(schema(dynamic().holds_secret()), &config), ["Bad users @ "], "no line is shown");
        let fits = Value::object([("users", Value::object([("ann", Value::object([("groups", vec!["a"].into())]))]))]);
        assert!(told(schema(dynamic()), &fits).is_empty());
        assert_eq!(told(schema(dynamic()), &Value::object([])), ["Missing required argument @ users"]);
    }

    #[test]
    fn secrets_have_no_path_and_are_not_repeated() {
        let config =
            Value::object([("token", "CANARY".into()), ("url", "CANARY".into()), ("kind", "u:CANARY@h".into())]);
        let problems = problems(config, true);
        assert_eq!(
            problems,
            [
                "Warning: kind is deprecated | use `name`",
                "Error: Bad kind | It must be one of `a`, `b`.",
                "Error: Bad token | It must be one of `good`.",
                "Error: Bad url | it has a password in it",
            ]
        );
    }

    #[test]
    fn what_is_unknown_is_not_checked() {
        let names = ["name", "kind", "port", "left", "tags", "token", "url", "entries", "block"];
        let config = Value::Map(names.iter().map(|&name| (name.to_owned(), Value::Unknown)).collect());
        assert_eq!(problems(config, true), ["Warning: kind is deprecated @ kind | use `name`"]);
    }

    #[test]
    fn write_only_is_refused_without_the_capability_even_if_unknown() {
        for value in [Value::Unknown, "CANARY".into()] {
            let block = Value::object([("block", Value::object([("wo", value.clone())]))]);
            let entry = Value::object([("password", value)]);
            let entries = Value::object([("entries", Value::object([("k", entry)]))]);
            for (config, name) in [(block, "`block.wo`"), (entries, "`entries[\"k\"].password`")] {
                assert!(problems(config.clone(), true).is_empty());
                let refused = problems(config, false);
                assert_eq!(refused.len(), 1);
                assert!(refused[0].contains(name) && !refused[0].contains('@'), "{refused:?}");
                assert!(!refused[0].contains("CANARY"));
            }
        }
        assert!(problems(Value::object([("block", Value::object([("x", "1".into())]))]), false).is_empty());
    }
}
