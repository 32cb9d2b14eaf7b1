//! What lies outside of the warehouse, in S3, and external tables, which read it there.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Deserialize;
use serde_json::Value as Json;

use crate::names::{Names, ident, literal};
use crate::pattern::{Cursor, Value};
use crate::refusal::Refusal;
use crate::rewrite::Context;
use crate::slots::{name, string};
use crate::table;
use crate::token::Token;

/// Types of the list that AWS's page of external tables does not name.
const LOCAL_TYPES: [&str; 5] = ["text", "float", "time", "timestamptz", "regprocedure"];
/// AWS, CREATE EXTERNAL TABLE: names that a column cannot have.
const PSEUDO_COLUMNS: [&str; 3] = ["$path", "$size", "$spectrum_oid"];

/// Rows by where they are.
#[derive(Debug, Default)]
pub struct Lake {
    files: Mutex<BTreeMap<String, Vec<Json>>>,
}

impl Lake {
    fn files(&self) -> MutexGuard<'_, BTreeMap<String, Vec<Json>>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts rows, JSON arrays of objects, in the place of those that are at exactly these locations; all or none.
    pub fn put<'a>(&self, files: impl IntoIterator<Item = (&'a str, &'a Json)>) -> Result<(), String> {
        let checked = |(location, rows): (&'a str, &'a Json)| {
            if !is_in_s3(location) {
                return Err(format!("{location}: a location is s3://bucket/folder/"));
            }
            match rows.as_array().filter(|rows| rows.iter().all(Json::is_object)) {
                Some(rows) => Ok((folder(location).to_owned(), rows.clone())),
                None => Err(format!("{location}: rows are an array of objects")),
            }
        };
        let checked: Vec<_> = files.into_iter().map(checked).collect::<Result<_, _>>()?;
        self.files().extend(checked);
        Ok(())
    }

    /// The rows in a folder and those below it.
    fn rows(&self, location: &str) -> Json {
        let wanted = folder(location);
        let within = |key: &str| key.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let files = self.files();
        files.iter().filter(|(key, _)| within(key)).flat_map(|(_, rows)| rows.iter().cloned()).collect()
    }
}

fn folder(location: &str) -> &str {
    location.trim_end_matches('/')
}

fn is_in_s3(location: &str) -> bool {
    location.strip_prefix("s3://").is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
}

/// An external table.
#[derive(Debug, Clone, Deserialize)]
pub struct External {
    /// What is read in its place.
    pub place: String,
    /// Where its rows are.
    location: String,
    columns: Vec<Column>,
}

/// One of its columns.
#[derive(Debug, Clone, Deserialize)]
struct Column {
    name: String,
    /// PostgreSQL's type.
    #[serde(rename = "type")]
    backing: String,
}

impl External {
    /// Its rows as they are there now, for PostgreSQL. AWS, CREATE EXTERNAL TABLE: what is too long is "truncated to fit
    /// the defined column size without returning an error", as PostgreSQL does where it is told to cast.
    pub fn query(&self, lake: &Lake, names: &Names) -> String {
        let column = |column: &Column| {
            let key = names.restore(&column.name).unwrap_or_else(|| column.name.clone());
            format!("(r->>{})::{} AS {}", literal(&key), column.backing, ident(&column.name))
        };
        let columns: Vec<_> = self.columns.iter().map(column).collect();
        let rows = literal(&lake.rows(&self.location).to_string());
        format!("SELECT {} FROM pg_catalog.jsonb_array_elements({rows}::jsonb) r", columns.join(", "))
    }
}

/// `( name type, … )` of an external table, as JSON: name, PostgreSQL's type, and the type as the catalogue shows it.
pub fn columns(at: &mut Cursor<'_>, context: &Context<'_>) -> Result<Option<Value>, Refusal> {
    if !at.mark("(") {
        return Ok(None);
    }
    let mut all = Vec::new();
    loop {
        let Some(column) = name(at, context, crate::names::Kind::Object)? else { return Ok(None) };
        if PSEUDO_COLUMNS.contains(&column.as_str()) {
            return Err(Refusal::unlisted(format!("the column {column} of an external table")));
        }
        let (backing, shown) = data_type(at, context)?;
        all.push(serde_json::json!({"name": column, "type": backing, "shown": shown}));
        if at.mark(")") {
            return Ok(Some(Value::Text(Json::from(all).to_string())));
        }
        if !at.mark(",") {
            return Ok(None);
        }
    }
}

/// Types that tables have in a data catalogue, and what PostgreSQL has for them.
const CATALOGUE_TYPES: [(&str, &str); 2] = [("string", "varchar(65535)"), ("tinyint", "int2")];

/// A type for PostgreSQL, and as Hive has it, which is what SVV_EXTERNAL_COLUMNS shows
/// (sqlalchemy-redshift/sqlalchemy-redshift, `dialect.py`).
fn data_type(at: &mut Cursor<'_>, context: &Context<'_>) -> Result<(String, String), Refusal> {
    let word = match at.peek() {
        Some(Token::Word(word)) => word.clone(),
        _ => return Err(Refusal::syntax("a type is missing")),
    };
    let unlisted = || Refusal::unlisted(format!("the type {word} in an external table"));
    if LOCAL_TYPES.contains(&word.as_str()) {
        return Err(unlisted());
    }
    if let Some((_, backing)) = CATALOGUE_TYPES.iter().find(|(name, _)| *name == word) {
        at.take();
        return Ok(((*backing).to_owned(), word));
    }
    if word == "array" {
        at.take();
        if !at.mark("<") {
            return Err(unlisted());
        }
        let (_, shown) = data_type(at, context)?;
        return if at.mark(">") { Ok(("text".to_owned(), format!("array<{shown}>"))) } else { Err(unlisted()) };
    }
    let backing = table::data_type(at, context)?.ok_or_else(unlisted)?;
    let (kind, size) = match backing.split_once('(') {
        Some((kind, size)) => (kind.to_owned(), Some(size.trim_end_matches(')').replace(' ', ""))),
        None => (backing, None),
    };
    let sized = |shown: &str, size: String| (format!("{kind}({size})"), format!("{shown}({size})"));
    Ok(match (kind.as_str(), size) {
        ("int2", _) => (kind, "smallint".into()),
        ("int4", _) => (kind, "int".into()),
        ("int8", _) => (kind, "bigint".into()),
        ("float4", _) => (kind, "float".into()),
        ("float8", _) => (kind, "double".into()),
        ("bool", _) => (kind, "boolean".into()),
        ("date" | "timestamp", _) => (kind.clone(), kind),
        ("numeric", Some(size)) if size.contains(',') => sized("decimal", size),
        ("numeric", size) => sized("decimal", format!("{},0", size.as_deref().unwrap_or("18"))),
        ("char", size) => sized("char", size.unwrap_or_else(|| "1".into())),
        ("varchar", size) => sized("varchar", size.unwrap_or_else(|| "256".into())),
        _ => return Err(unlisted()),
    })
}

/// A place in S3.
pub fn location(at: &mut Cursor<'_>) -> Result<Option<Value>, Refusal> {
    match string(at) {
        Some(location) if is_in_s3(&location) => Ok(Some(Value::Text(location))),
        Some(location) => Err(Refusal::unlisted(format!("the location {location}, which is not in S3"))),
        None => Ok(None),
    }
}

/// `( 'name' = 'value', … )`, as JSON.
pub fn properties(at: &mut Cursor<'_>) -> Result<Option<Value>, Refusal> {
    let mut all = serde_json::Map::new();
    let mut more = at.mark("(");
    while more {
        let (Some(name), true, Some(value)) = (string(at), at.mark("="), string(at)) else { return Ok(None) };
        all.insert(name, value.into());
        more = at.mark(",");
    }
    Ok(at.mark(")").then(|| Value::Text(Json::from(all).to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_those_of_a_folder_and_below() {
        let lake = Lake::default();
        for (location, id) in [("s3://b/people/", 1), ("s3://b/people/year=2024", 2), ("s3://b/people_old/", 3)] {
            lake.put([(location, &serde_json::json!([{"id": id}]))]).expect("is in S3");
        }
        assert_eq!(lake.rows("s3://b/people").to_string(), r#"[{"id":1},{"id":2}]"#);
        lake.put([("s3://b/people", &serde_json::json!([]))]).expect("replaces");
        assert_eq!(lake.rows("s3://b/people/").to_string(), r#"[{"id":2}]"#);
        for (location, rows) in [("s3:///x", "[]"), ("people", "[]"), ("s3://b/", "{}"), ("s3://b/", "[1]")] {
            let rows: Json = serde_json::from_str(rows).expect("JSON");
            let good = ("s3://b/good", &serde_json::json!([{}]));
            assert!(lake.put([good, (location, &rows)]).is_err(), "{location} {rows}");
            assert_eq!(lake.rows("s3://b/good").to_string(), "[]");
        }
    }
}
