//! Scripts as attributes.

use crate::engine::script::Script;
use crate::terraform::{Attribute, Value, boolean, list, string};

/// What a script says of itself.
pub(super) fn fields() -> [(&'static str, Attribute); 5] {
    [
        ("run_in_database", string().doc("Database in which to run it.")),
        ("run_as", string().doc("Who has to run it.")),
        ("autocommit", boolean().doc("Whether the client has to commit each statement by itself.")),
        ("statements", list(string()).doc("The statements in order, for clients that cannot split a text.")),
        ("sql", string().doc("The same as one text, with comments.")),
    ]
}

/// A script as such an object.
pub(super) fn value(script: &Script) -> Value {
    Value::object([
        ("run_in_database", script.run_in_database.clone().into()),
        ("run_as", script.run_as.into()),
        ("autocommit", script.autocommit.into()),
        ("statements", script.statements.clone().into()),
        ("sql", script.sql.clone().into()),
    ])
}
