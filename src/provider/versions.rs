//! Schema versions of types whose name another provider has as well.
//!
//! `terraform state replace-provider` hands over the other provider's state as it is, with its schema version. Where that
//! is ours, Terraform drops all attributes that our schema lacks before we see any. The others count from 0, so these types
//! count from 100; whatever comes with a smaller version is shown to us whole.

use crate::terraform::{Diagnostic, Schema};

/// The first version of these types.
const FIRST: i64 = 100;

/// The version of such a type. The builds before the first release wrote 0, and the same form.
pub(super) fn of_a_shared_name<D>(schema: Schema<D>, name: &'static str) -> Schema<D> {
    schema.versions_from(FIRST).same_form_as(0, move |stored| foreign(stored, name))
}

/// State without `endpoint` is not ours. It may hold a password, so that nothing of it is shown.
fn foreign(stored: &serde_json::Value, name: &str) -> Option<Diagnostic> {
    let is_ours = stored.as_object().is_some_and(|attributes| attributes.contains_key("endpoint"));
    let detail = format!(
        "Another provider wrote the state of this redshift_{name}, and its attributes are not those of this one. Take it out \
         of state, which leaves the {name} in the warehouse as it is (`terraform state rm ADDRESS`), and import it (its page \
         shows the id)."
    );
    (!is_ours).then(|| Diagnostic::error("The state is another provider's", detail))
}
