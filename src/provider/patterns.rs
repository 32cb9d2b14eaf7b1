//! The settings by which a data source is asked for some names only, wherever it lists some.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::engine::catalog::schemas::Names;
use crate::terraform::{Diagnostics, Schema, Value, set, string};

#[derive(Deserialize)]
struct Patterns {
    like: Option<String>,
    like_any: Option<BTreeSet<String>>,
    not_like: Option<BTreeSet<String>>,
}

/// Adds them to a schema. `more`: what else is to be known of the names.
pub(super) fn attributes<D>(schema: Schema<D>, more: &str) -> Schema<D> {
    let like =
        "Pattern of names, as SQL's LIKE has it: `%` is any text, `_` any character, `\\` takes the next one as it is.";
    let separator = if more.is_empty() { "" } else { " " };
    schema
        .setting("like", string().doc(format!("{like}{separator}{more}")))
        .setting(
            "like_any",
            set(string()).conflicts_with(&["like"]).doc("Several such patterns: a name has to match one of them."),
        )
        .setting("not_like", set(string()).doc("Patterns of names that are left out."))
}

/// What was written.
pub(super) fn read(config: &Value) -> Result<Names, Diagnostics> {
    let Patterns { like, like_any, not_like } = config.decode()?;
    Ok(Names::new(like, like_any, not_like))
}
