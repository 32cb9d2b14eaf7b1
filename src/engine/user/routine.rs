//! Functions and procedures, as a statement names them.

use crate::engine::names::is_plain_identifier;
use crate::engine::sql::{Sql, bare, sql};

/// A function or procedure by schema, name and the types of its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routine {
    schema: String,
    name: String,
    /// Only those of [`type_sql`].
    arguments: Vec<String>,
}

impl Routine {
    /// Reads the server's own text of one, such as `s.f(integer, character varying)`. None where an argument is of a type
    /// that is not known here: a text that somebody wrote is no part of a statement.
    pub fn parse(schema: &str, name: &str, text: &str) -> Option<Routine> {
        let (_, arguments) = text.trim_end().strip_suffix(')')?.rsplit_once('(')?;
        let arguments: Vec<String> =
            arguments.split(',').map(|kind| kind.trim().to_owned()).filter(|kind| !kind.is_empty()).collect();
        arguments.iter().all(|kind| type_sql(kind).is_some()).then(|| Routine {
            schema: schema.to_owned(),
            name: name.to_owned(),
            arguments,
        })
    }

    /// Its name, without schema and arguments.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The types of its arguments, as a list.
    pub fn arguments(&self) -> Sql {
        Sql::join(", ", self.arguments.iter().filter_map(|kind| type_sql(kind)))
    }

    /// Without any quotes; none where a name needs them.
    pub fn plain_sql(&self) -> Option<Sql> {
        (is_plain_identifier(&self.schema) && is_plain_identifier(&self.name)).then(|| self.sql())
    }

    /// Names are in quotes only where they must be: quoted ones are not taken everywhere.
    pub fn sql(&self) -> Sql {
        sql!("{}.{}({})", bare(&self.schema), bare(&self.name), self.arguments())
    }
}

/// The types that an argument can have (AWS: Data types; CREATE PROCEDURE for `refcursor`, CREATE FUNCTION for
/// `anyelement`), as the server writes them.
fn type_sql(kind: &str) -> Option<Sql> {
    Some(match kind {
        "smallint" => sql!("smallint"),
        "integer" => sql!("integer"),
        "bigint" => sql!("bigint"),
        "numeric" => sql!("numeric"),
        "real" => sql!("real"),
        "double precision" => sql!("double precision"),
        "boolean" => sql!("boolean"),
        "character" => sql!("character"),
        "character varying" | "varchar" => sql!("character varying"),
        "text" => sql!("text"),
        "date" => sql!("date"),
        "time" | "time without time zone" => sql!("time without time zone"),
        "time with time zone" => sql!("time with time zone"),
        "timestamp" | "timestamp without time zone" => sql!("timestamp without time zone"),
        "timestamp with time zone" => sql!("timestamp with time zone"),
        "interval year to month" => sql!("interval year to month"),
        "interval day to second" => sql!("interval day to second"),
        "super" => sql!("super"),
        "varbyte" | "binary varying" => sql!("varbyte"),
        "geometry" => sql!("geometry"),
        "geography" => sql!("geography"),
        "hllsketch" => sql!("hllsketch"),
        "refcursor" => sql!("refcursor"),
        "anyelement" => sql!("anyelement"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_routine_is_named_by_checked_parts() {
        for (schema, name, text, sql) in [
            ("s", "f", "s.f(integer)", Some("s.f(integer)")),
            ("s", "f", "f()", Some("s.f()")),
            (
                "S x",
                "f(",
                "\"S x\".\"f(\"(character varying,numeric)",
                Some("\"S x\".\"f(\"(character varying, numeric)"),
            ),
            ("s", "f", "s.f(timestamp without time zone, \"char\")", None),
            ("s", "f", "s.f(integer) OWNER TO eve; --", None),
            ("s", "f", "s.f(integer) OWNER TO eve; --)", None),
            ("s", "f", "s.f(x) OWNER TO eve; --(integer)", Some("s.f(integer)")),
            ("s", "f; DROP USER x", "(integer)", Some("s.\"f; DROP USER x\"(integer)")),
            ("s", "f", "", None),
        ] {
            let found = Routine::parse(schema, name, text).map(|routine| routine.sql().to_string());
            assert_eq!(found.as_deref(), sql, "{text}");
        }
    }
}
