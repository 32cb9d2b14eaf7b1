//! Finds what Terraform, or common sense, would not accept in a provider's schemas; for a test of the provider.

use std::collections::BTreeSet;

use super::super::tables;
use super::super::{Path, Provider, Type};
use super::attribute::{Attribute, Check, Kind, Nesting, Replaces};
use super::{Class, Schema, models};

/// Names that Terraform keeps for itself in resources and data sources, and in the provider block.
const RESERVED: [&str; 7] = ["connection", "count", "depends_on", "for_each", "lifecycle", "provider", "provisioner"];
const RESERVED_IN_PROVIDER: [&str; 2] = ["alias", "version"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Provider,
    Resource,
    /// A data source or an ephemeral resource.
    Reading,
}

/// What is wrong with the provider's schemas, one line each: Terraform's own rules (the internal validation of its
/// core), the names it reserves, and the rules of terraform-plugin-framework for defaults, dynamic and write-only
/// values. Nothing is the answer that a test wants.
pub fn schema_problems<P: Provider>() -> Vec<String> {
    let mut problems = Vec::new();
    let (provider, types) = tables::<P>();
    look(&provider, What::Provider, "provider", &mut problems);
    for (name, resource) in &types.resources {
        let schema = &resource.form().schema;
        look(schema, What::Resource, &format!("resource {name}"), &mut problems);
        let unread = models::unread(schema, |value| resource.reads(value));
        problems.extend(unread.iter().map(|problem| format!("resource {name}: {problem}")));
    }
    for (name, source) in &types.data_sources {
        let schema = &source.form().schema;
        look(schema, What::Reading, &format!("data source {name}"), &mut problems);
        let unread = models::unread(schema, |value| source.reads(value));
        problems.extend(unread.iter().map(|problem| format!("data source {name}: {problem}")));
    }
    for (name, ephemeral) in &types.ephemerals {
        look(&ephemeral.form().schema, What::Reading, &format!("ephemeral resource {name}"), &mut problems);
    }
    let names = types.resources.keys().chain(types.data_sources.keys()).chain(types.ephemerals.keys());
    for name in names.chain(types.functions.keys()).filter(|name| !is_name(name)) {
        problems.push(format!("`{name}` is not a possible name"));
    }
    for (name, function) in &types.functions {
        let signature = function.signature();
        let mut seen = BTreeSet::new();
        for parameter in signature.parameters.iter().chain(&signature.variadic) {
            if !is_name(&parameter.name) || !seen.insert(&parameter.name) {
                problems.push(format!("function {name}: parameter `{}` needs another name", parameter.name));
            }
        }
    }
    problems
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

fn look<D>(schema: &Schema<D>, what: What, place: &str, problems: &mut Vec<String>) {
    let mut say = |name: &str, problem: &str| problems.push(format!("{place}: `{name}` {problem}"));
    let mut seen = BTreeSet::new();
    for entry in &schema.entries {
        let name = &*entry.name;
        if !seen.insert(name) {
            say(name, "is there twice");
        }
        let reserved = if what == What::Provider { &RESERVED_IN_PROVIDER[..] } else { &RESERVED };
        if reserved.contains(&name) {
            say(name, "is a name that Terraform keeps for itself");
        }
        let allowed = match (&entry.class, what) {
            (Class::Setting, _) => true,
            (Class::Computed, what) => what == What::Reading,
            (_, what) => what == What::Resource,
        };
        if !allowed {
            say(name, &format!("cannot be {} here", entry.class.word()));
        }
        let stands = match &entry.class {
            Class::Constant(value) | Class::Drift(value) => entry.attribute.ty().fit(value.clone()).is_ok(),
            _ => true,
        };
        if !stands {
            say(name, "is planned as a value of another type");
        }
        let computed = !entry.class.is_setting();
        Walk { what, computed, in_set: false, say: &mut say }.attribute(name, &entry.attribute);
    }
    let all: Vec<_> = schema.entries.iter().map(|entry| (&entry.name, &entry.attribute)).collect();
    Walk { what, computed: false, in_set: false, say: &mut say }.references(&all, &schema.ty(), "");
    for (operation, default) in &schema.timeouts {
        let known = ["create", "read", "update", "delete"].contains(operation);
        if !known || humantime::parse_duration(default).is_err() || what != What::Resource {
            say(operation, "is not a possible timeout");
        }
    }
    for version in schema.first_version..schema.version {
        if !schema.upgrades.iter().any(|(from, _)| *from == version) {
            say("version", &format!("is {}, but nothing upgrades version {version}", schema.version));
        }
    }
    if schema.upgrades.iter().any(|(from, _)| *from >= schema.version) {
        say("version", "is not above all that are upgraded");
    }
}

struct Walk<'a> {
    what: What,
    computed: bool,
    in_set: bool,
    say: &'a mut dyn FnMut(&str, &str),
}

impl Walk<'_> {
    fn attribute(&mut self, name: &str, attribute: &Attribute) {
        let last = name.rsplit('.').next().unwrap_or(name);
        let mut say = |wrong: bool, problem: &str| {
            if wrong {
                (self.say)(name, problem);
            }
        };
        say(!is_name(last), "is not a possible name");
        let default = attribute.default.is_some();
        say(attribute.required && default, "is required and has a default");
        say(default && self.what == What::Provider, "has a default, which a provider block cannot have");
        say(default && self.in_set, "has a default, and stands in a set, whose elements cannot be told apart");
        say(
            attribute.default.as_ref().is_some_and(|value| attribute.ty().fit(value.clone()).is_err()),
            "has a default of another type",
        );
        let set_by_person = attribute.required || default || attribute.write_only || !attribute.checks.is_empty();
        let replaces = !matches!(attribute.replaces, Replaces::No);
        say(self.computed && (set_by_person || replaces), "is computed, but has rules for what a person writes");
        say(replaces && self.what != What::Resource, "cannot replace anything");
        say(attribute.local && self.what != What::Resource, "is local, which means nothing here");
        say(attribute.write_only && self.what != What::Resource, "is write-only, which only a resource can have");
        say(attribute.write_only && self.in_set, "is write-only and stands in a set");
        say(attribute.write_only && !attribute.sensitive && !attribute.decoy, "is write-only and not sensitive");
        say(attribute.write_only && default, "is write-only and has a default");
        say(holds_dynamic(&attribute.ty(), false), "has values of any type in a collection");
        say(
            attribute.shape.is_some() && attribute.ty() != Type::Dynamic,
            "has a shape, which is for a value of any type",
        );
        let crossed = attribute.block.is_some_and(|items| items.most.is_some_and(|most| most < items.least.max(1)));
        say(crossed, "can never be written");
        for check in &attribute.checks {
            let fits = match (check, &element(&attribute.ty())) {
                (Check::OneOf(_) | Check::MaxLength(_), ty) => *ty == Type::String,
                (Check::Between(..), ty) => *ty == Type::Number,
                (Check::Own(_), _) => true,
            };
            say(!fits, "has a rule that is not for its type");
        }
        let Kind::Nested(nesting, children) = &attribute.kind else { return };
        let is_block = attribute.block.is_some();
        say(children.is_empty(), "has nothing in it");
        let mut seen = BTreeSet::new();
        let in_set = self.in_set || *nesting == Nesting::Set;
        for (child, attribute) in children {
            let name = format!("{name}.{child}");
            if !seen.insert(child) {
                (self.say)(&name, "is there twice");
            }
            if attribute.block.is_some() && !is_block {
                (self.say)(&name, "is a block and stands in an attribute, which cannot hold one");
            }
            Walk { what: self.what, computed: self.computed, in_set, say: &mut *self.say }.attribute(&name, attribute);
        }
    }

    /// The names in `conflicts_with` and `required_with` exist.
    fn references(&mut self, attributes: &[(&String, &Attribute)], beside: &Type, above: &str) {
        for (name, attribute) in attributes {
            let name = format!("{above}{name}");
            for other in attribute.conflicts_with.iter().chain(&attribute.required_with) {
                let path = Path::from(other);
                let found = path.steps().iter().try_fold(beside, |ty, step| ty.step(step));
                if found.is_none() {
                    (self.say)(&name, &format!("refers to `{other}`, which is not beside it"));
                }
                let repeated = |(name, attribute): &(&String, &Attribute)| {
                    path.first() == Some(name) && attribute.block.is_some_and(|items| items.repeated)
                };
                if attributes.iter().any(repeated) {
                    (self.say)(&name, &format!("refers to `{other}`, a repeated block, which is never null"));
                }
            }
            let object = match attribute.ty() {
                Type::List(element) | Type::Set(element) | Type::Map(element) => *element,
                ty => ty,
            };
            let children: Vec<_> = attribute.children().iter().map(|(name, child)| (name, child)).collect();
            self.references(&children, &object, &format!("{name}."));
        }
    }
}

fn element(ty: &Type) -> Type {
    match ty {
        Type::List(element) | Type::Set(element) | Type::Map(element) => self::element(element),
        ty => ty.clone(),
    }
}

fn holds_dynamic(ty: &Type, in_collection: bool) -> bool {
    match ty {
        Type::Dynamic => in_collection,
        Type::List(element) | Type::Set(element) | Type::Map(element) => holds_dynamic(element, true),
        Type::Tuple(elements) => elements.iter().any(|element| holds_dynamic(element, in_collection)),
        Type::Object { fields, .. } => fields.values().any(|field| holds_dynamic(field, in_collection)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::*;
    use super::*;

    fn problems(schema: Schema<()>, what: What) -> Vec<String> {
        let mut problems = Vec::new();
        look(&schema, what, "x", &mut problems);
        problems
    }

    fn one(what: What, schema: Schema<()>, part: &str) {
        let found = problems(schema, what);
        assert!(found.len() == 1 && found[0].contains(part), "{part}: {found:?}");
    }

    #[test]
    fn a_good_schema_has_no_problems() {
        let schema = Schema::new("")
            .version(1)
            .upgrade(0, |_| Ok(Value::Null))
            .setting("a", string().required().replaces().one_of(&["x"]))
            .setting("b", number().default(5).between(1, 9).conflicts_with(&["blk.c", "a"]))
            .setting("m", map_of([("p", string().write_only()), ("any", string().default("x"))]))
            .block("blk", "", [("c", string().required_with(&["wo"])), ("wo", string().write_only())])
            .block(
                "many",
                "",
                Block::new([("a", string().required()), ("b", string().default("x")), ("wo", string().write_only())])
                    .at_least(1)
                    .block(
                        "inner",
                        "",
                        Block::new([("c", string().conflicts_with(&["d"])), ("d", string())]).at_most(2),
                    ),
            )
            .setting("any", dynamic().shaped(Shape::map_of(Shape::Text)))
            .constant("k", string(), "k")
            .drift("d", list(string()), Vec::<Value>::new())
            .timeouts(&[("create", "20m")]);
        assert_eq!(problems(schema, What::Resource), Vec::<String>::new());
    }

    #[test]
    fn each_rule_speaks_up() {
        use What::{Provider, Reading, Resource};
        let s = || Schema::<()>::new("");
        one(Resource, s().setting("connection", string()), "keeps for itself");
        one(Resource, s().block("provisioner", "", [("a", string())]), "keeps for itself");
        one(Provider, s().setting("alias", string()), "keeps for itself");
        one(Resource, s().setting("a", string()).pinned("a", string()), "twice");
        one(Resource, s().setting("Name", string()), "not a possible name");
        one(Resource, s().setting("o", object([("x-y", string())])), "`o.x-y` is not a possible name");
        one(Resource, s().setting("a", string().required().default("x")), "required and has a default");
        one(Resource, s().setting("a", string().default(1)), "default of another type");
        one(Provider, s().setting("a", string().default("x")), "provider block cannot have");
        one(Resource, s().setting("a", set_of([("b", string().default("x"))])), "stands in a set");
        one(Resource, s().setting("a", set_of([("b", string().write_only())])), "write-only and stands in a set");
        one(Resource, s().observed("a", object([("b", string().write_only())])), "rules for what a person writes");
        one(Resource, s().observed("a", string().required()), "rules for what a person writes");
        one(Reading, s().setting("a", string().write_only()), "only a resource");
        one(Provider, s().setting("a", string().write_only()), "only a resource");
        one(Resource, s().setting("a", set(dynamic())), "any type in a collection");
        one(Resource, s().setting("a", list_of([("b", dynamic())])), "any type in a collection");
        one(Resource, s().constant("a", string(), 1), "another type");
        one(Resource, s().drift("a", list(string()), "x"), "another type");
        one(Resource, s().computed("a", string()), "cannot be computed here");
        one(Reading, s().observed("a", string()), "cannot be observed here");
        one(Resource, s().setting("a", number().one_of(&["x"])), "not for its type");
        one(Resource, s().setting("a", list(string()).between(1, 2)), "not for its type");
        one(Resource, s().setting("a", string().conflicts_with(&["b"])), "not beside it");
        one(Resource, s().block("a", "", [("b", string().required_with(&["a"]))]), "`a.b` refers to `a`");
        let many = || Block::new([("b", string())]);
        one(Resource, s().block("a", "", many().at_least(2).at_most(1)), "can never be written");
        one(Resource, s().block("a", "", Block::new([("b", dynamic())]).repeated()), "any type in a collection");
        one(Resource, s().block("a", "", Block::new([]).repeated()), "nothing in it");
        one(
            Resource,
            s().block("a", "", many().repeated()).setting("c", string().conflicts_with(&["a"])),
            "never null",
        );
        one(Resource, s().setting("a", object([("b", many().repeated().attribute())])), "cannot hold one");
        one(Resource, s().setting("a", string().shaped(Shape::Text)), "for a value of any type");
        one(Resource, s().timeouts(&[("destroy", "1m")]), "not a possible timeout");
        one(Resource, s().timeouts(&[("create", "soon")]), "not a possible timeout");
        one(Resource, s().setting("a", string()).version(1), "nothing upgrades version 0");
        one(Resource, s().setting("a", string()).upgrade(0, |_| Ok(Value::Null)), "not above");
        one(Reading, s().setting("a", string().replaces()), "cannot replace anything");
    }
}
