//! Where in a value something is.

use std::fmt;

use super::Type;

/// One step down into a value.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// An attribute of an object or block.
    Attribute(String),
    /// An element of a map.
    Key(String),
    /// An element of a list or tuple.
    Index(usize),
}

/// A place in a value: `service_user.name`, `tables[2].owner`, `credentials["a@b"].password`.
///
/// Reading one from text never fails; a part that makes no sense is taken as an attribute's name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Path(Vec<Step>);

impl Path {
    /// The whole value.
    pub fn root() -> Self {
        Path::default()
    }

    /// Whether this is the whole value.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The steps from the top down.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// The path of an attribute below this one.
    pub fn attribute(&self, name: impl Into<String>) -> Self {
        let mut path = self.clone();
        path.push(Step::Attribute(name.into()));
        path
    }

    /// The path one step below this one.
    #[must_use]
    pub fn below(mut self, step: Step) -> Self {
        self.push(step);
        self
    }

    pub(crate) fn push(&mut self, step: Step) {
        self.0.push(step);
    }

    pub(crate) fn pop(&mut self) {
        self.0.pop();
    }

    /// The name of the attribute at the top, if the path goes below it.
    pub(crate) fn first(&self) -> Option<&str> {
        match self.0.first() {
            Some(Step::Attribute(name) | Step::Key(name)) => Some(name),
            _ => None,
        }
    }

    /// The path with `below` appended.
    pub(crate) fn join(&self, below: &Path) -> Self {
        Path(self.0.iter().chain(&below.0).cloned().collect())
    }

    /// The path in the words of `ty`: map elements are keys, and it ends at a set, whose elements have no address.
    pub(crate) fn in_terms_of(&self, ty: &Type) -> Path {
        let (mut path, mut ty) = (Path::root(), Some(ty));
        for step in &self.0 {
            let step = match (ty, step) {
                (Some(Type::Set(_)), _) => break,
                (Some(Type::Map(_)), Step::Attribute(name)) => Step::Key(name.clone()),
                (Some(Type::Object { .. }), Step::Key(name)) => Step::Attribute(name.clone()),
                (_, step) => step.clone(),
            };
            ty = ty.and_then(|ty| ty.step(&step));
            path.push(step);
        }
        path
    }
}

impl From<&str> for Path {
    fn from(text: &str) -> Self {
        let mut steps = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            rest = rest.strip_prefix('.').unwrap_or(rest);
            if let Some((step, after)) = bracket(rest) {
                steps.push(step);
                rest = after;
                continue;
            }
            let end = rest.char_indices().skip(1).find(|(_, c)| matches!(c, '.' | '[')).map_or(rest.len(), |(i, _)| i);
            if end > 0 {
                steps.push(Step::Attribute(rest[..end].to_owned()));
            }
            rest = &rest[end..];
        }
        Path(steps)
    }
}

impl From<&String> for Path {
    fn from(text: &String) -> Self {
        Path::from(text.as_str())
    }
}

impl From<String> for Path {
    fn from(text: String) -> Self {
        Path::from(text.as_str())
    }
}

impl From<&Path> for Path {
    fn from(path: &Path) -> Self {
        path.clone()
    }
}

/// `[3]` or `["key"]` at the start of the text, and what follows it.
fn bracket(text: &str) -> Option<(Step, &str)> {
    let inner = text.strip_prefix('[')?;
    if let Some(quoted) = inner.strip_prefix('"') {
        let mut key = String::new();
        let mut chars = quoted.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' => key.push(chars.next()?.1),
                '"' => return Some((Step::Key(key), quoted[at + 1..].strip_prefix(']')?)),
                c => key.push(c),
            }
        }
        return None;
    }
    let (index, after) = inner.split_once(']')?;
    Some((Step::Index(index.parse().ok()?), after))
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, step) in self.0.iter().enumerate() {
            match step {
                Step::Attribute(name) if i == 0 => f.write_str(name)?,
                Step::Attribute(name) => write!(f, ".{name}")?,
                Step::Key(key) => write!(f, "[\"{}\"]", key.replace('\\', "\\\\").replace('"', "\\\""))?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_read_back() {
        for text in ["a", "a.b.c", "a[0].b", "a[\"k.e[y\"].b", "a[\"q\\\"\\\\\"]", "[\"x\"]", ""] {
            assert_eq!(Path::from(text).to_string(), text);
        }
        assert_eq!(Path::from("a[2]").steps(), [Step::Attribute("a".into()), Step::Index(2)]);
        assert_eq!(Path::from("a[oops").steps().len(), 2, "nonsense is a name, not a panic");
        assert_eq!(Path::from("é.[ü").steps().len(), 2);
    }

    #[test]
    fn paths_follow_the_type() {
        let entry = Type::object([("p", Type::String)]);
        let ty = Type::object([("m", Type::map(entry.clone())), ("s", Type::set(entry))]);
        assert_eq!(Path::from("m.k.p").in_terms_of(&ty).to_string(), "m[\"k\"].p");
        assert_eq!(Path::from("s[0].p").in_terms_of(&ty).to_string(), "s");
    }
}
