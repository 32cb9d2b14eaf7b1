//! What Terraform is told before anything is done: the planning rules of all resources, in their order.
//!
//! The order is that of terraform-plugin-framework, with the classes of the schema in place of plan modifiers:
//! proposed value, defaults, write-only values taken out, constants, pinned, pure, replacements, the resource's own
//! hook, and then, if the plan changes anything, observed and drift.

use std::collections::BTreeSet;

use tokio_util::sync::CancellationToken;

use super::erased::AnyResource;
use super::outcome::save_local;
use super::plan::wrongly_set;
use super::private::Private;
use super::schema::{Class, Entry, Kind, Nesting, Replaces, Schema, TIMEOUTS};
use super::{Attribute, Diagnostic, Diagnostics, Path, Plan, Step, Type, Value};

/// What Terraform asks to plan.
pub(super) struct Proposal {
    pub(super) config: Value,
    pub(super) prior: Value,
    pub(super) proposed: Value,
    pub(super) private: Private,
    pub(super) cancelled: CancellationToken,
}

/// The answer.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) value: Value,
    pub(super) replaces: BTreeSet<Path>,
    pub(super) private: Private,
    pub(super) diagnostics: Diagnostics,
}

pub(super) async fn plan<D: Send + Sync>(resource: &dyn AnyResource<D>, data: &D, proposal: Proposal) -> Planned {
    let Proposal { config, prior, proposed, private, cancelled } = proposal;
    let nothing =
        |value, private| Planned { value, replaces: BTreeSet::new(), private, diagnostics: Diagnostics::new() };
    if proposed.is_null() {
        return nothing(Value::Null, private);
    }
    let form = resource.form();
    let (schema, ty) = (&form.schema, &form.ty);
    let mut planned = proposed;
    defaults(schema, &config, &mut planned);
    without_write_only(schema, &mut planned);
    let settings_changed = prior.is_null() || settings_differ(schema, &prior, &planned);
    let mut diagnostics = Diagnostics::new();
    known_classes(schema, &prior, &mut planned, &mut diagnostics);
    if settings_changed {
        derive(schema, data, &mut planned, &mut diagnostics, |_, _| true);
    }
    let mut replaces = BTreeSet::new();
    if !prior.is_null() {
        for entry in schema.entries.iter().filter(|entry| entry.class.is_setting()) {
            let path = Path::root().attribute(&entry.name);
            let (before, after) = (prior.attribute(&entry.name), planned.attribute(&entry.name));
            replacements(&entry.attribute, before, after, path, &mut replaces);
        }
    }

    let mut plan = Plan {
        ty,
        config,
        prior,
        planned,
        settings_changed,
        replaces,
        touched: BTreeSet::new(),
        derive_anew: false,
        private,
        diagnostics,
        cancelled,
    };
    if !plan.diagnostics.has_errors()
        && let Err(errors) = resource.plan(data, &mut plan).await
    {
        plan.diagnostics.extend(errors);
    }
    let Plan { prior, mut planned, replaces, touched, derive_anew, private, mut diagnostics, .. } = plan;
    if derive_anew || (settings_changed && !touched.is_empty()) {
        derive(schema, data, &mut planned, &mut diagnostics, |name, _| !touched.contains(name));
    }
    if changes(schema, ty, &touched, &prior, &planned) {
        let looks = changes(schema, ty, &touched, &prior, &without_local_changes(schema, &prior, &planned));
        for entry in schema.entries.iter().filter(|entry| !touched.contains(&entry.name)) {
            let value = match &entry.class {
                Class::Observed if looks => Value::Unknown,
                Class::Drift(value) => value.clone(),
                _ => continue,
            };
            put(&mut planned, &entry.name, &entry.attribute.ty(), value, &mut diagnostics);
        }
    }
    Planned { value: planned, replaces, private, diagnostics }
}

/// The plan without what touches nothing but state.
fn without_local_changes<D>(schema: &Schema<D>, prior: &Value, planned: &Value) -> Value {
    let mut rest = planned.clone();
    for entry in schema.entries.iter().filter(|entry| entry.class.is_setting()) {
        save_local(&entry.name, &entry.attribute, &mut rest, prior);
    }
    rest
}

/// Whether the plan is not the prior state, or state has drifted; of what the hook planned, its word counts.
fn changes<D>(schema: &Schema<D>, ty: &Type, touched: &BTreeSet<String>, prior: &Value, planned: &Value) -> bool {
    let drifted = schema.entries.iter().any(|entry| match &entry.class {
        Class::Drift(wanted) if !touched.contains(&entry.name) => {
            let seen = prior.attribute(&entry.name);
            !seen.is_null() && seen != wanted && !entry.attribute.ty().same(seen, wanted)
        }
        _ => false,
    });
    prior.is_null() || drifted || !ty.same(prior, planned)
}

/// Whether anything that a person writes differs; the `timeouts` block does not count.
pub(super) fn settings_differ<D>(schema: &Schema<D>, prior: &Value, planned: &Value) -> bool {
    let mut settings = schema.entries.iter().filter(|entry| entry.class.is_setting() && entry.name != TIMEOUTS);
    settings.any(|Entry { name, attribute, .. }| {
        let (before, after) = (prior.attribute(name), planned.attribute(name));
        before != after && !attribute.ty().same(before, after)
    })
}

fn put(object: &mut Value, name: &str, ty: &Type, value: Value, d: &mut Diagnostics) {
    let Value::Map(map) = object else { return };
    match ty.fit(value) {
        Ok(value) => drop(map.insert(name.to_owned(), value)),
        Err(error) => {
            let path = Path::root().attribute(name).join(&error.path);
            d.push(wrongly_set(&super::TypeError { path, ..error }));
        }
    }
}

/// Settings that are left out become what their schema says. `planned` is what the configuration amounts to.
pub(super) fn defaults<D>(schema: &Schema<D>, config: &Value, planned: &mut Value) {
    for entry in schema.entries.iter().filter(|entry| entry.class.is_setting()) {
        default_one(&entry.name, &entry.attribute, config, planned);
    }
}

fn default_one(name: &str, attribute: &Attribute, config: &Value, planned: &mut Value) {
    let Value::Map(map) = planned else { return };
    let (written, value) = (config.attribute(name), map.entry(name.to_owned()).or_default());
    if let Some(default) = &attribute.default
        && written.is_null()
    {
        *value = attribute.ty().fit(default.clone()).unwrap_or_default();
        return;
    }
    let Kind::Nested(nesting, children) = &attribute.kind else { return };
    let inside = |written: &Value, value: &mut Value| {
        for (name, child) in children {
            default_one(name, child, written, value);
        }
    };
    match (nesting, written, value) {
        (Nesting::Single, written @ Value::Map(_), value) => inside(written, value),
        (Nesting::List, Value::List(written), Value::List(values)) => {
            written.iter().zip(values).for_each(|(written, value)| inside(written, value));
        }
        (Nesting::Map, Value::Map(written), Value::Map(values)) => {
            for (key, value) in values {
                inside(written.get(key).unwrap_or(&Value::Null), value);
            }
        }
        // The elements of a set cannot be told apart, so nothing in them has a default.
        _ => {}
    }
}

/// Write-only values become null, however deep they are.
pub(super) fn without_write_only<D>(schema: &Schema<D>, value: &mut Value) {
    for entry in &schema.entries {
        null_write_only(&entry.name, &entry.attribute, value);
    }
}

fn null_write_only(name: &str, attribute: &Attribute, object: &mut Value) {
    let Value::Map(map) = object else { return };
    let Some(value) = map.get_mut(name) else { return };
    if attribute.write_only {
        *value = Value::Null;
        return;
    }
    let inside = |object: &mut Value| {
        for (name, child) in attribute.children() {
            null_write_only(name, child, object);
        }
    };
    match (&attribute.kind, value) {
        (Kind::Nested(Nesting::Single, _), value) => inside(value),
        (Kind::Nested(Nesting::List | Nesting::Set, _), Value::List(items)) => items.iter_mut().for_each(inside),
        (Kind::Nested(Nesting::Map, _), Value::Map(map)) => map.values_mut().for_each(inside),
        _ => {}
    }
}

/// Constants are what they are. Everything else that is computed is unknown for a new resource, until a rule or the
/// hook knows better, and as in state for one that exists.
fn known_classes<D>(schema: &Schema<D>, prior: &Value, planned: &mut Value, d: &mut Diagnostics) {
    for entry in &schema.entries {
        let value = match &entry.class {
            Class::Setting => continue,
            Class::Constant(value) => value.clone(),
            Class::Drift(value) if prior.is_null() => value.clone(),
            _ if prior.is_null() => Value::Unknown,
            _ => prior.attribute(&entry.name).clone(),
        };
        put(planned, &entry.name, &entry.attribute.ty(), value, d);
    }
}

/// Derives pure attributes from the value, in the schema's order; `which` is asked with the name and the value so far.
pub(super) fn derive<D>(
    schema: &Schema<D>,
    data: &D,
    value: &mut Value,
    d: &mut Diagnostics,
    which: impl Fn(&str, &Value) -> bool,
) {
    for entry in &schema.entries {
        let Class::Pure(function) = &entry.class else { continue };
        if !which(&entry.name, value.attribute(&entry.name)) {
            continue;
        }
        match function(data, value) {
            Ok(derived) => put(value, &entry.name, &entry.attribute.ty(), derived, d),
            Err(error) => d.push(Diagnostic::from(error)),
        }
    }
}

/// Adds the paths of attributes whose change replaces the resource.
fn replacements(attribute: &Attribute, before: &Value, after: &Value, path: Path, found: &mut BTreeSet<Path>) {
    if before == after || attribute.ty().same(before, after) {
        return;
    }
    let replaces = match &attribute.replaces {
        Replaces::No => false,
        Replaces::Always => true,
        Replaces::If(decide) => decide(before, after),
    };
    if replaces {
        found.insert(path);
        return;
    }
    let Kind::Nested(nesting, children) = &attribute.kind else { return };
    let inside = |before: &Value, after: &Value, path: &Path, found: &mut BTreeSet<Path>| {
        for (name, child) in children {
            replacements(child, before.attribute(name), after.attribute(name), path.attribute(name), found);
        }
    };
    let empty = (Vec::new(), std::collections::BTreeMap::new());
    let below = |step: Step| {
        let mut path = path.clone();
        path.push(step);
        path
    };
    match nesting {
        Nesting::Single => inside(before, after, &path, found),
        Nesting::List => {
            let items = |value: &Value| if let Value::List(items) = value { items.clone() } else { empty.0.clone() };
            let (before, after) = (items(before), items(after));
            for index in 0..before.len().max(after.len()) {
                let get = |items: &[Value]| items.get(index).cloned().unwrap_or_default();
                inside(&get(&before), &get(&after), &below(Step::Index(index)), found);
            }
        }
        Nesting::Map => {
            let map = |value: &Value| if let Value::Map(map) = value { map.clone() } else { empty.1.clone() };
            let (before, after) = (map(before), map(after));
            for key in before.keys().chain(after.keys()).collect::<BTreeSet<_>>() {
                let get = |map: &std::collections::BTreeMap<_, Value>| map.get(key).cloned().unwrap_or_default();
                inside(&get(&before), &get(&after), &below(Step::Key(key.clone())), found);
            }
        }
        // A changed element of a set is another element; only the set has an address.
        Nesting::Set => {
            if children.iter().any(|(_, child)| !matches!(child.replaces, Replaces::No)) {
                found.insert(path);
            }
        }
    }
}
