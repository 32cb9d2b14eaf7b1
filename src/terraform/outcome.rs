//! What a call of a resource leaves in state, whether it succeeded or failed: the rules of all resources.

use super::change::{Action, Change};
use super::erased::Form;
use super::panics::guard_sync;
use super::plan::wrongly_set;
use super::planning::{derive, settings_differ};
use super::private::Private;
use super::schema::{Class, Kind, Nesting};
use super::{Attribute, Diagnostics, Found, Path, Step, Value};

/// What Terraform is given back.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) state: Value,
    pub(super) private: Private,
    pub(super) diagnostics: Diagnostics,
}

/// Follows the table in the docs of [`Change`].
pub(super) fn outcome<D>(form: &Form<D>, data: &D, cx: Change<'_>, result: Result<Found, Diagnostics>) -> Outcome {
    let Change { action, config: _, prior, planned, patch, created, kept, private, mut diagnostics, .. } = cx;
    let found = result.as_ref().ok().copied();
    let updated = action == Action::Update && found.is_some();
    let before = updated.then(|| prior.clone());
    diagnostics.extend(result.err().unwrap_or_default());

    let mut state = match (action, found) {
        (_, Some(Found::Gone)) | (Action::Delete, Some(_)) => Value::Null,
        (Action::Create | Action::Update, Some(Found::Here)) => planned,
        (Action::Create, None) if created => planned,
        (Action::Update, None) => saved(form, data, prior, &planned, &kept, &mut diagnostics),
        (Action::Read | Action::Delete, _) => prior,
        (Action::Import, Some(Found::Here)) => Value::object([]),
        (Action::Create | Action::Import, None) => Value::Null,
    };
    if state.is_null() {
        return Outcome { state, private, diagnostics };
    }
    let applies = !(action == Action::Read && found.is_none());
    let fixed = if updated { planned_as_seen(form, &state) } else { Vec::new() };
    let stays = |path: &Path| path.steps().first().is_some_and(|first| fixed.contains(first));
    for (path, value) in patch.into_iter().filter(|(path, _)| applies && !stays(path)) {
        let value = if is_told(form, &path) { value.told() } else { value };
        if let Err(error) = state.set_typed(&form.ty, &path, value) {
            diagnostics.push(wrongly_set(&error));
        }
    }
    if let Some(before) = before {
        keep_observed(form, &mut state, &before);
    }
    // What could not be derived in the plan, because an input was not known yet, can be now.
    let underived: Vec<&str> = late(form, &state, action);
    state = state.unknown_to_null();
    if !underived.is_empty() && found.is_some() {
        let late = |name: &str, _: &Value| underived.contains(&name);
        // The resource exists: a panic must not lose it.
        let derived = guard_sync(|| derive(&form.schema, data, &mut state, &mut diagnostics, late));
        diagnostics.extend(derived.err().unwrap_or_default());
    }
    let mut state = form.ty.fit(state.unknown_to_null()).unwrap_or_else(|error| {
        diagnostics.push(wrongly_set(&error));
        Value::Null
    });
    for entry in &form.schema.entries {
        empty_blocks(&entry.name, &entry.attribute, &mut state);
    }
    Outcome { state, private, diagnostics }
}

/// The pure attributes that were not derived yet: of a create or update those that are unknown; of a read those that are null,
/// which the release that wrote the state may not have known of, so that others can use them before the next change.
fn late<'f, D>(form: &'f Form<D>, state: &Value, action: Action) -> Vec<&'f str> {
    let is_late = |value: &Value| match action {
        Action::Create | Action::Update => value.is_unknown(),
        Action::Read => value.is_null(),
        Action::Delete | Action::Import => false,
    };
    let pure = form.schema.entries.iter().filter(|entry| matches!(entry.class, Class::Pure(_)));
    pure.filter(|entry| is_late(state.attribute(&entry.name))).map(|entry| entry.name.as_str()).collect()
}

/// What is observed is for people to read, and others may have written a part of it; Terraform shows texts of several
/// lines as they are.
fn is_told<D>(form: &Form<D>, path: &Path) -> bool {
    let mut entries = form.schema.entries.iter();
    let entry = path.first().and_then(|first| entries.find(|entry| entry.name == first));
    entry.is_some_and(|entry| matches!(entry.class, Class::Observed | Class::Drift(_)))
}

/// What is observed and was planned as it was: an update that changes nothing in the warehouse shows no news.
fn planned_as_seen<D>(form: &Form<D>, state: &Value) -> Vec<Step> {
    let observed = form.schema.entries.iter().filter(|entry| matches!(entry.class, Class::Observed));
    let known = observed.filter(|entry| state.attribute(&entry.name).is_wholly_known());
    known.map(|entry| Step::Attribute(entry.name.clone())).collect()
}

/// What an update did not look at stays as it was last seen.
fn keep_observed<D>(form: &Form<D>, state: &mut Value, prior: &Value) {
    let Value::Map(map) = state else { return };
    for entry in form.schema.entries.iter().filter(|entry| matches!(entry.class, Class::Observed)) {
        if let Some(value) = map.get_mut(&entry.name).filter(|value| value.is_unknown()) {
            *value = prior.attribute(&entry.name).clone();
        }
    }
}

/// The prior state with what an update that failed has put into effect, and what is derived from that.
fn saved<D>(form: &Form<D>, data: &D, prior: Value, planned: &Value, kept: &[Path], d: &mut Diagnostics) -> Value {
    let mut state = prior.clone();
    for entry in form.schema.entries.iter().filter(|entry| entry.class.is_setting()) {
        save_local(&entry.name, &entry.attribute, &mut state, planned);
    }
    for path in kept {
        if let Err(error) = state.set_typed(&form.ty, path, planned.at_path(path).clone()) {
            d.push(wrongly_set(&error));
        }
    }
    if settings_differ(&form.schema, &prior, &state) {
        let derived = guard_sync(|| derive(&form.schema, data, &mut state, d, |_, _| true));
        d.extend(derived.err().unwrap_or_default());
        restore_unknown(&mut state, &prior);
    }
    state
}

/// What cannot be derived without the rest of the update stays as it was.
fn restore_unknown(state: &mut Value, prior: &Value) {
    let Value::Map(map) = state else { return };
    for (name, value) in map.iter_mut().filter(|(_, value)| !value.is_wholly_known()) {
        *value = prior.attribute(name).clone();
    }
}

pub(super) fn save_local(name: &str, attribute: &Attribute, state: &mut Value, planned: &Value) {
    let Value::Map(map) = state else { return };
    if is_local(attribute) {
        map.insert(name.to_owned(), planned.attribute(name).clone());
    } else if let (Kind::Nested(Nesting::Single, children), Some(state)) = (&attribute.kind, map.get_mut(name))
        && let planned @ Value::Map(_) = planned.attribute(name)
    {
        for (name, child) in children {
            save_local(name, child, state, planned);
        }
    }
}

/// A repeated block that nobody wrote, as after an import, is an empty list to Terraform and never null.
fn empty_blocks(name: &str, attribute: &Attribute, object: &mut Value) {
    let (Some(items), Value::Map(map)) = (attribute.block, object) else { return };
    let Some(value) = map.get_mut(name) else { return };
    if items.repeated && value.is_null() {
        *value = Value::List(Vec::new());
    }
    let inside = |object: &mut Value| {
        attribute.children().iter().for_each(|(name, child)| empty_blocks(name, child, object));
    };
    match value {
        Value::List(items) => items.iter_mut().for_each(inside),
        value => inside(value),
    }
}

/// A block is local if everything in it is, such as `timeouts`.
fn is_local(attribute: &Attribute) -> bool {
    let children = attribute.children();
    attribute.local || !children.is_empty() && children.iter().all(|(_, child)| is_local(child))
}
