//! What a resource's plan hook sees and may do.

use std::collections::BTreeSet;

use tokio_util::sync::CancellationToken;

use super::private::Private;
use super::{Diagnostic, Diagnostics, Path, Type, Value};

/// A plan to create or update a resource, for [`super::Resource::plan`] to look at and to change. Defaults, constants,
/// pinned and pure attributes and replacements are already in it; observed ones come after the hook.
#[derive(Debug)]
pub struct Plan<'a> {
    pub(super) ty: &'a Type,
    pub(super) config: Value,
    pub(super) prior: Value,
    pub(super) planned: Value,
    pub(super) settings_changed: bool,
    pub(super) replaces: BTreeSet<Path>,
    pub(super) touched: BTreeSet<String>,
    pub(super) derive_anew: bool,
    pub(super) private: Private,
    pub(super) diagnostics: Diagnostics,
    pub(super) cancelled: CancellationToken,
}

impl Plan<'_> {
    /// What a person wrote; write-only values are in it.
    pub fn config(&self) -> &Value {
        &self.config
    }

    /// The state before; null for a new resource.
    pub fn prior(&self) -> &Value {
        &self.prior
    }

    /// What is planned so far.
    pub fn planned(&self) -> &Value {
        &self.planned
    }

    /// Plans a value for a computed attribute, perhaps [`Value::Unknown`]. It stands: the attribute's class no longer
    /// counts. Planning another value than the prior one makes the plan an update.
    pub fn set(&mut self, path: &str, value: impl Into<Value>) {
        let path = Path::from(path);
        match self.planned.set_typed(self.ty, &path, value.into()) {
            Ok(()) => self.touched.extend(path.first().map(str::to_owned)),
            Err(error) => self.diagnostics.push(wrongly_set(&error)),
        }
    }

    /// Derives the pure attributes again after the hook, though no setting changed: what they are made of did.
    pub fn derive_anew(&mut self) {
        self.derive_anew = true;
    }

    /// Plans a replacement because of this attribute. Terraform drops it if the attribute's planned value is the prior
    /// one.
    pub fn replace(&mut self, path: &str) {
        self.replaces.insert(Path::from(path).in_terms_of(self.ty));
    }

    /// Whether the resource is new.
    pub fn is_create(&self) -> bool {
        self.prior.is_null()
    }

    /// Whether anything that a person writes differs from state; also true for a new resource. The `timeouts` block
    /// does not count.
    pub fn settings_changed(&self) -> bool {
        self.settings_changed
    }

    /// What was kept in private state under this key.
    pub fn private(&self, key: &str) -> Option<serde_json::Value> {
        self.private.get(key)
    }

    /// Keeps a value in private state, if the plan is applied; null removes it. Terraform stores it in clear text:
    /// no secrets.
    pub fn set_private(&mut self, key: &str, value: impl Into<serde_json::Value>) {
        self.private.set(key, value.into());
    }

    /// Adds a warning to the plan.
    pub fn warn(&mut self, warning: Diagnostic) {
        self.diagnostics.push(warning);
    }

    /// Cancelled when Terraform is interrupted.
    pub fn cancelled(&self) -> &CancellationToken {
        &self.cancelled
    }
}

/// The provider gave a value that its own schema does not allow.
pub(super) fn wrongly_set(error: &super::TypeError) -> Diagnostic {
    let detail = format!("It gave a result that its own schema does not allow: {error}. Please report it.");
    Diagnostic::error("The provider has a bug", detail)
}
