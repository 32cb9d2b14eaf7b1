//! Between the protocol's messages and this room's own types.

use super::super::erased::Form;
use super::super::schema::{Rules, Schema};
use super::super::wire::tfplugin6 as pb;
use super::super::{Attribute, Diagnostic, Diagnostics, Path, Severity, Step, Type, TypeError, Value, json, msgpack};

/// Reads a value that Terraform sent; one that is missing is null.
pub(super) fn value(message: Option<&pb::DynamicValue>, ty: &Type) -> Result<Value, Diagnostics> {
    let read = match message {
        None => Ok(Value::Null),
        Some(message) if !message.msgpack.is_empty() => msgpack::decode(&message.msgpack, ty),
        Some(message) if !message.json.is_empty() => json::decode(&message.json, ty, json::Extra::Refused),
        Some(_) => Ok(Value::Null),
    };
    read.map_err(|error| not_understood(&error))
}

fn not_understood(error: &TypeError) -> Diagnostics {
    let detail = format!("Terraform sent a value that does not fit the schema: {error}.");
    Diagnostic::error("The plugin protocol was not followed", detail).into()
}

/// A value to send.
pub(super) fn message(value: Value, ty: &Type) -> Result<Option<pb::DynamicValue>, Diagnostics> {
    match msgpack::encode(value, ty) {
        Ok(msgpack) => Ok(Some(pb::DynamicValue { msgpack, json: Vec::new() })),
        Err(error) => Err(super::super::plan::wrongly_set(&error).into()),
    }
}

pub(super) fn null() -> Option<pb::DynamicValue> {
    Some(pb::DynamicValue { msgpack: vec![0xc0], json: Vec::new() })
}

/// Diagnostics about a value of a schema, of which these are at hand. Those about an attribute that may hold a secret, or
/// does by mistake, lose their path.
pub(super) fn diagnostics<D>(d: Diagnostics, form: &Form<D>, rules: Rules, values: &[&Value]) -> Vec<pb::Diagnostic> {
    let hides = |path: &Path| {
        let name = path.steps().iter().rev().find_map(|step| match step {
            Step::Attribute(name) => Some(name.as_str()),
            _ => None,
        });
        !path.is_root() && values.iter().any(|value| rules.hide(name.unwrap_or_default(), value.at_path(path)))
    };
    let guarded = |diagnostic: Diagnostic| {
        let secret = leads_to_secret(&form.schema, diagnostic.path()) || hides(diagnostic.path());
        if secret { diagnostic.without_path() } else { diagnostic }
    };
    let place = |path: &Path| written_place(&form.schema, &path.in_terms_of(&form.ty));
    d.into_iter().map(|diagnostic| wire(guarded(diagnostic), place)).collect()
}

/// The path as far as Terraform finds its line: through blocks to an attribute, and to an element of that. Of a longer one
/// it shows no line at all (Terraform's `tfdiags`, `ElaborateFromConfigBody`).
fn written_place<D>(schema: &Schema<D>, path: &Path) -> Path {
    let mut place = Path::root();
    let mut block: Option<&Attribute> = None;
    let mut steps = path.steps().iter().peekable();
    while let Some(step) = steps.next() {
        place.push(step.clone());
        let Step::Attribute(name) = step else { continue };
        let found = match block {
            None => schema.entries.iter().find(|entry| entry.name == *name).map(|entry| &entry.attribute),
            Some(block) => block.children().iter().find(|(child, _)| child == name).map(|(_, child)| child),
        };
        match found {
            Some(attribute) if attribute.block.is_some() => block = Some(attribute),
            _ => {
                if let Some(element) = steps.next_if(|next| !matches!(next, Step::Attribute(_))) {
                    place.push(element.clone());
                }
                break;
            }
        }
    }
    place
}

/// Diagnostics that are not about any attribute.
pub(super) fn plain(d: Diagnostics) -> Vec<pb::Diagnostic> {
    d.into_iter().map(|diagnostic| wire(diagnostic, Path::clone)).collect()
}

fn wire(diagnostic: Diagnostic, path: impl FnOnce(&Path) -> Path) -> pb::Diagnostic {
    use pb::diagnostic::Severity as Wire;
    let severity = match diagnostic.severity() {
        Severity::Error => Wire::Error,
        Severity::Warning => Wire::Warning,
    };
    let path = path(diagnostic.path());
    pb::Diagnostic {
        severity: severity.into(),
        summary: diagnostic.summary().to_owned(),
        detail: diagnostic.detail().to_owned(),
        attribute: (!path.is_root()).then(|| self::path(&path)),
    }
}

pub(super) fn path(path: &Path) -> pb::AttributePath {
    use pb::attribute_path::step::Selector;
    let step = |step: &Step| {
        let selector = match step {
            Step::Attribute(name) => Selector::AttributeName(name.clone()),
            Step::Key(key) => Selector::ElementKeyString(key.clone()),
            Step::Index(index) => Selector::ElementKeyInt(*index as i64),
        };
        pb::attribute_path::Step { selector: Some(selector) }
    };
    pb::AttributePath { steps: path.steps().iter().map(step).collect() }
}

fn leads_to_secret<D>(schema: &Schema<D>, path: &Path) -> bool {
    let mut names = path.steps().iter().filter_map(|step| match step {
        Step::Attribute(name) => Some(name),
        _ => None,
    });
    let Some(first) = names.next() else { return false };
    let entry = schema.entries.iter().find(|entry| entry.name == *first);
    let mut attribute: Option<&Attribute> = entry.map(|entry| &entry.attribute);
    while let Some(here) = attribute {
        if here.is_secret() {
            return true;
        }
        let Some(name) = names.next() else { return false };
        // A key of a map may be written like an attribute; it is then not found, and the next name is tried.
        attribute = here.children().iter().find(|(child, _)| child == name).map(|(_, child)| child).or(Some(here));
    }
    false
}

#[cfg(test)]
mod tests {
    use super::super::super::{Block, list_of, map, string};
    use super::*;

    #[test]
    fn a_place_is_an_attribute_in_its_blocks_or_an_element_of_it() {
        let inner = Block::new([("groups", string())]);
        let block = Block::new([("columns", string())]).block("unless", "", inner.repeated());
        let schema = Schema::<()>::new("")
            .setting("users", map(string()))
            .setting("scripts", list_of([("sql", string())]))
            .block("mask", "", block.repeated());
        for (path, place) in [
            ("users[\"ann\"].attributes.tenant", "users[\"ann\"]"),
            ("scripts[2].sql", "scripts[2]"),
            ("users.groups", "users"),
            ("mask[1].unless[0].groups[3].x", "mask[1].unless[0].groups[3]"),
            ("mask[1]", "mask[1]"),
            ("nothing.at.all", "nothing"),
            ("", ""),
        ] {
            assert_eq!(written_place(&schema, &Path::from(path)).to_string(), place, "{path}");
        }
    }
}
