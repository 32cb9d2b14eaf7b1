//! What create, read, update, delete and import of a resource see, and how they say what came of it.

use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use super::private::Private;
use super::{Diagnostic, Diagnostics, Path, Value};

/// The call a [`Change`] belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Create,
    Read,
    Update,
    Delete,
    Import,
}

impl Action {
    /// The name of the operation, as the `timeouts` block has it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Action::Create => "create",
            Action::Read => "read",
            Action::Update => "update",
            Action::Delete => "delete",
            Action::Import => "import",
        }
    }
}

/// One call of a resource. Its result is a patch: what was planned (or was in state) returns unchanged except for what
/// the call [`set`](Change::set)s.
///
/// What becomes of it: a create or update that succeeds leaves the planned value with the patch, and null for what is
/// still unknown. A create that fails leaves no state, or after [`created`](Change::created) the same as if it had
/// succeeded, for Terraform to replace. An update that succeeds leaves what is observed as it was planned, or where that
/// is unknown and not set, as it was. An update that fails leaves the prior state with the patch, what was
/// [`keep`](Change::keep)t, and attributes that are [`local`](super::Attribute::local). A delete that fails leaves the
/// prior state with the patch. A read leaves the state with the patch.
#[derive(Debug)]
pub struct Change<'a> {
    pub(super) action: Action,
    pub(super) config: &'a Value,
    pub(super) prior: Value,
    pub(super) planned: Value,
    pub(super) patch: Vec<(Path, Value)>,
    pub(super) created: bool,
    pub(super) kept: Vec<Path>,
    pub(super) private: Private,
    pub(super) diagnostics: Diagnostics,
    pub(super) cancelled: CancellationToken,
}

impl Change<'_> {
    /// Sets a computed attribute, or in read and import any attribute, of the resulting state.
    pub fn set(&mut self, path: &str, value: impl Into<Value>) {
        self.patch.push((Path::from(path), value.into()));
    }

    /// From here on the resource exists: if create fails later, it is in state, and the next apply replaces it.
    pub fn created(&mut self) {
        self.created = true;
    }

    /// The planned value of this setting has been put into effect: it is saved even if the update fails later.
    pub fn keep(&mut self, path: &str) {
        self.kept.push(Path::from(path));
    }

    /// A write-only value: none if it is not written. Terraform gives it to create and update only.
    pub fn secret(&self, path: &str) -> Result<Option<SecretString>, Diagnostic> {
        if !matches!(self.action, Action::Create | Action::Update) {
            let detail = format!("It asked for `{path}`, which is given to create and update only. Please report it.");
            return Err(Diagnostic::error("The provider has a bug", detail));
        }
        match self.config.at(path) {
            value if value.is_null() => Ok(None),
            value => match value.as_str() {
                Some(text) => Ok(Some(SecretString::from(text))),
                None => {
                    let detail = format!("`{path}` must be a string whose value is known during apply.");
                    Err(Diagnostic::error("A write-only value is missing", detail))
                }
            },
        }
    }

    /// What a person wrote; null in read, delete and import.
    pub fn config(&self) -> &Value {
        self.config
    }

    /// What is planned; null in read, delete and import.
    pub fn planned(&self) -> &Value {
        &self.planned
    }

    /// The state before; null in create and import.
    pub fn prior(&self) -> &Value {
        &self.prior
    }

    /// What is kept in private state under this key.
    pub fn private(&self, key: &str) -> Option<serde_json::Value> {
        self.private.get(key)
    }

    /// Keeps a value in private state, whether the call succeeds or not; null removes it. Terraform stores it in clear
    /// text: no secrets.
    pub fn set_private(&mut self, key: &str, value: impl Into<serde_json::Value>) {
        self.private.set(key, value.into());
    }

    /// Adds a warning to the result.
    pub fn warn(&mut self, warning: Diagnostic) {
        self.diagnostics.push(warning);
    }

    /// Cancelled when Terraform is interrupted, or the time of the `timeouts` block is over.
    pub fn cancelled(&self) -> &CancellationToken {
        &self.cancelled
    }
}
