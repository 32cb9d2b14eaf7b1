//! What is inside a value of any type. In a nested attribute Terraform drops a name that is not there without a word, and a
//! map has one type for all its values; so where a misspelt name would do harm, the attribute is dynamic and its inside is
//! checked here.

use super::super::{Path, Step, Type, Value, on_one_line};

/// The form of a value, or of a part of one.
#[derive(Clone, Debug)]
pub enum Shape {
    /// A string.
    Text,
    /// A list or set of strings.
    Texts,
    /// Either.
    TextOrTexts,
    /// Any keys, each with a value of this form.
    MapOf(Box<Shape>),
    /// These names, each of which may be left out.
    Object(Vec<(&'static str, Shape)>),
}

impl Shape {
    /// Any keys, each with a value of this form.
    pub fn map_of(element: Shape) -> Self {
        Shape::MapOf(Box::new(element))
    }

    /// These names, each of which may be left out.
    pub fn object<const N: usize>(names: [(&'static str, Shape); N]) -> Self {
        Shape::Object(names.into())
    }

    /// What is wrong with the value, and where. What is unknown is let pass.
    pub(super) fn broken_by(&self, value: &Value, at: &Path) -> Vec<(Path, String)> {
        let mut found = Vec::new();
        self.look(&Type::Dynamic, value, at, &mut found);
        found
    }

    fn look(&self, ty: &Type, value: &Value, at: &Path, found: &mut Vec<(Path, String)>) {
        match (self, value) {
            (shape, Value::Dynamic(inner)) => shape.look(&inner.0, &inner.1, at, found),
            (_, Value::Unknown) | (Shape::Text | Shape::TextOrTexts, Value::String(_)) => {}
            (Shape::Texts | Shape::TextOrTexts, Value::List(items)) => {
                let wrong = |item: &Value| !item.is_unknown() && item.as_str().is_none();
                if let Some(index) = items.iter().position(wrong) {
                    let kind = if items[index].is_null() { "null" } else { Type::of(&items[index]).in_words() };
                    found.push((at.clone(), format!("Each element is a string, but one is {kind}.")));
                }
            }
            (Shape::MapOf(element), Value::Map(map)) => {
                for (key, item) in map {
                    let (below, of_item) = step(ty, key);
                    let at = at.clone().below(below);
                    element.look(of_item, item, &at, found);
                }
            }
            (Shape::Object(names), Value::Map(map)) => {
                for (name, item) in map {
                    let (below, of_item) = step(ty, name);
                    let at = at.clone().below(below);
                    match names.iter().find(|(known, _)| known == name) {
                        Some(_) if item.is_null() => {}
                        Some((_, shape)) => shape.look(of_item, item, &at, found),
                        None => found.push((at, unknown(name, names))),
                    }
                }
            }
            (shape, value) => {
                let kind = if value.is_null() { "null" } else { Type::of(value).in_words() };
                found.push((at.clone(), format!("{} is needed, but it is {kind}.", shape.in_words())));
            }
        }
    }

    fn in_words(&self) -> &'static str {
        match self {
            Shape::Text => "A string",
            Shape::Texts => "A list of strings",
            Shape::TextOrTexts => "A string or a list of strings",
            Shape::MapOf(_) => "A map",
            Shape::Object(_) => "An object",
        }
    }
}

/// One step down in a value of this type, and the type there: what Terraform calls a key, or an attribute.
fn step<'t>(ty: &'t Type, name: &str) -> (Step, &'t Type) {
    let step = match ty {
        Type::Map(_) => Step::Key(name.to_owned()),
        _ => Step::Attribute(name.to_owned()),
    };
    let below = ty.step(&step).unwrap_or(&Type::Dynamic);
    (step, below)
}

fn unknown(name: &str, names: &[(&'static str, Shape)]) -> String {
    let shown = on_one_line(name.to_owned());
    let near = names.iter().find(|(known, _)| distance(known, name) <= 2 || known.starts_with(name));
    match near {
        Some((near, _)) => format!("There is no `{shown}` here. Write `{near}` if that is meant."),
        None => {
            let all: Vec<String> = names.iter().map(|(name, _)| format!("`{name}`")).collect();
            format!("There is no `{shown}` here; what can be written is {}.", all.join(", "))
        }
    }
}

/// How many letters have to be put in, taken out or exchanged.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, right) in b.iter().enumerate() {
            let exchanged = diagonal + usize::from(left != *right);
            diagonal = row[j + 1];
            row[j + 1] = exchanged.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users() -> Shape {
        Shape::map_of(Shape::object([
            ("groups", Shape::Texts),
            ("attributes", Shape::map_of(Shape::TextOrTexts)),
            ("note", Shape::Text),
        ]))
    }

    fn problems(value: Value) -> Vec<String> {
        let value = Type::Dynamic.fit(value).expect("any value");
        let found = users().broken_by(&value, &Path::from("users"));
        found.into_iter().map(|(at, why)| format!("{at}: {why}")).collect()
    }

    #[test]
    fn what_has_the_form_passes() {
        let ann = Value::object([
            ("groups", vec!["hr", "pii"].into()),
            ("attributes", Value::object([("tenant", vec!["7", "9"].into()), ("region", "eu".into())])),
            ("note", Value::Null),
        ]);
        assert!(
            problems(Value::object([("ann", ann), ("bob", Value::object([])), ("eve", Value::Unknown)])).is_empty()
        );
        let later = Value::object([("groups", Value::List(vec![Value::Unknown, "a".into()]))]);
        assert!(problems(Value::object([("ann", later)])).is_empty());
    }

    #[test]
    fn each_misspelt_name_and_each_wrong_type_is_told_at_its_place() {
        let one = |name: &str, value: Value| problems(Value::object([("ann", Value::object([(name, value)]))]));
        for (name, value, expected) in [
            ("group", "hr".into(), "users.ann.group: There is no `group` here. Write `groups` if that is meant."),
            (
                "roles",
                "hr".into(),
                "users.ann.roles: There is no `roles` here; what can be written is `groups`, `attributes`, `note`.",
            ),
            ("groups", "hr".into(), "users.ann.groups: A list of strings is needed, but it is a string."),
            (
                "groups",
                Value::List(vec!["a".into(), 1.into()]),
                "users.ann.groups: Each element is a string, but one is a number.",
            ),
            ("groups", Value::List(vec![Value::Null]), "users.ann.groups: Each element is a string, but one is null."),
            (
                "attributes",
                Value::object([("tenant", true.into())]),
                "users.ann.attributes.tenant: A string or a list of strings is needed, but it is true or false.",
            ),
            ("note", 1.into(), "users.ann.note: A string is needed, but it is a number."),
        ] {
            assert_eq!(one(name, value), [expected]);
        }
        assert_eq!(
            problems(Value::object([("ann", "hr".into())])),
            ["users.ann: An object is needed, but it is a string."]
        );
        assert_eq!(problems("x".into()), ["users: A map is needed, but it is a string."]);
    }

    #[test]
    fn the_place_is_a_key_where_the_value_is_a_map() {
        let object = Type::object([("group", Type::String)]);
        let ann = Value::object([("a@b", Value::object([("group", "hr".into())]))]);
        let value = Value::Dynamic(std::sync::Arc::new((Type::map(object), ann)));
        let found = users().broken_by(&value, &Path::from("users"));
        assert_eq!(found[0].0.to_string(), "users[\"a@b\"].group");
    }

    #[test]
    fn names_are_near_by_letters() {
        assert_eq!(
            (distance("groups", "group"), distance("abc", "acb"), distance("", "ab"), distance("a", "b")),
            (1, 2, 2, 1)
        );
    }
}
