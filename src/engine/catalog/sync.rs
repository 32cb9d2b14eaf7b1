//! The catalogue of one schema: its tables and views with their columns, narrowed by glob patterns.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::sync::Arc;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use crate::engine::catalog::At;
use crate::engine::catalog::snapshot::{Relation, RelationKind};
use crate::engine::datastore::refusal::no_schema;
use crate::engine::error::Error;
use crate::engine::names::check_name;
use crate::engine::session::Session;
use crate::engine::session::row::Row;
use crate::engine::session::warehouse::Warehouse;
use crate::engine::sql::{Sql, literal, sql};

/// A table or view as the catalogue shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    pub name: String,
    /// `table`, `view`, `materialized view` or `external table`.
    pub kind: &'static str,
    pub owner: String,
    /// In the order of the table. A view that is broken, or reads another database, shows none.
    pub columns: Vec<Column>,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub data_type: String,
    pub nullable: bool,
}

/// What is kept of a catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    pub table_count: u64,
    pub column_count: u64,
    /// Changes when a table or column comes, goes, or changes its kind or type: 16 hexadecimal digits.
    pub fingerprint: String,
}

impl Summary {
    /// Counts the tables; their order does not matter.
    pub fn of(tables: &[Table]) -> Summary {
        let mut sorted: Vec<&Table> = tables.iter().collect();
        sorted.sort_by(|one, other| one.name.cmp(&other.name));
        let mut digest = Sha256::new();
        for table in &sorted {
            // No name holds a control character, so these separate.
            digest.update(format!("{}\u{1}{}\u{2}", table.name, table.kind));
            for column in &table.columns {
                digest.update(format!("{}\u{1}{}\u{1}{}\u{2}", column.name, column.data_type, column.nullable));
            }
            digest.update("\u{3}");
        }
        let mut fingerprint = String::with_capacity(16);
        for byte in digest.finalize().iter().take(8) {
            // Writing to a String cannot fail.
            let _ = write!(fingerprint, "{byte:02x}");
        }
        Summary {
            table_count: tables.len() as u64,
            column_count: tables.iter().map(|table| table.columns.len() as u64).sum(),
            fingerprint,
        }
    }
}

/// Which tables are wanted: those that match one of the patterns, or all if there is none.
#[derive(Clone, Debug)]
pub struct Datasets(Option<GlobSet>);

impl Datasets {
    /// Reads glob patterns (`*`, `?`, `[a-z]`, `{a,b}`). Errors: a pattern that does not parse, with its text.
    pub fn new(patterns: &[String], case_sensitive: bool) -> Result<Datasets, Error> {
        if patterns.is_empty() {
            return Ok(Datasets(None));
        }
        let mut set = GlobSetBuilder::new();
        for pattern in patterns {
            let glob = GlobBuilder::new(pattern).case_insensitive(!case_sensitive).build();
            set.add(glob.map_err(|error| {
                Error::setting("datasets", format!("\"{pattern}\" is no glob pattern: {}.", error.kind()))
            })?);
        }
        let set = set.build().map_err(|error| Error::setting("datasets", format!("{}.", error.kind())))?;
        Ok(Datasets(Some(set)))
    }

    /// Checks one pattern.
    pub fn check(pattern: &str) -> Result<(), Error> {
        Datasets::new(&[pattern.to_owned()], true).map(drop)
    }

    /// Whether the table is wanted.
    pub fn include(&self, table: &str) -> bool {
        self.0.as_ref().is_none_or(|set| set.is_match(table))
    }
}

/// Reads the tables of a schema that the patterns include, by name. Errors: a pattern that does not parse; no such
/// database or schema; for an external schema whatever lies behind it.
pub async fn sync(
    warehouse: &Warehouse,
    database: &str,
    schema: &str,
    datasets: &[String],
    cancel: &CancellationToken,
) -> Result<Vec<Table>, Error> {
    read(warehouse, database, schema, datasets, true, cancel).await
}

/// The same without their columns, which are not asked for where that can be.
pub async fn tables(
    warehouse: &Warehouse,
    database: &str,
    schema: &str,
    datasets: &[String],
    cancel: &CancellationToken,
) -> Result<Vec<Table>, Error> {
    read(warehouse, database, schema, datasets, false, cancel).await
}

async fn read(
    warehouse: &Warehouse,
    database: &str,
    schema: &str,
    datasets: &[String],
    with_columns: bool,
    cancel: &CancellationToken,
) -> Result<Vec<Table>, Error> {
    for (setting, name) in [("database", database), ("schema", schema)] {
        check_name(name).map_err(|problem| Error::setting(setting, format!("In {setting}: {problem}.")))?;
    }
    // Before anything is asked: a pattern that does not parse is wrong in either case.
    Datasets::new(datasets, true)?;
    let at = At::new(warehouse, database, cancel);
    let catalog = warehouse.catalog();
    let snapshot = catalog.snapshot(at, Some(schema)).await.map_err(|error| match error.sqlstate() {
        Some("3D000") => crate::engine::datastore::refusal::no_database(database, &error),
        _ => error,
    })?;
    let wanted = Datasets::new(datasets, snapshot.login.case_sensitive)?;
    let snapshot = if snapshot.schema(schema).is_some() {
        snapshot
    } else {
        // Somebody may have made it since the catalogue was read, in the same apply.
        catalog.forget(database);
        catalog.forget_principals();
        catalog.snapshot(at, Some(schema)).await?
    };
    let Some(found) = snapshot.schema(schema) else { return Err(no_schema(schema, database, &snapshot.login)) };
    let principals = catalog.principals(at).await?;
    if found.relations.is_empty() {
        let external = catalog.external_schemas(at).await?;
        if external.has(&found.name, snapshot.login.case_sensitive) {
            return external_tables(at, &found.name, &principals.name_of(found.owner), &wanted).await;
        }
        return Ok(Vec::new());
    }
    let relations: Vec<&Relation> =
        found.relations.iter().filter(|relation| relation.is_of_people() && wanted.include(&relation.name)).collect();
    let columns = if with_columns { catalog.columns(at, &found.name).await? } else { Columns::default() };
    let mut tables: Vec<Table> = relations
        .iter()
        .map(|relation| Table {
            name: relation.name.clone(),
            kind: relation.kind.name(),
            owner: principals.name_of(relation.owner),
            columns: columns.get(&relation.oid).cloned().unwrap_or_default(),
        })
        .collect();
    let bare: Vec<&str> = relations
        .iter()
        .filter(|relation| relation.kind == RelationKind::View && !columns.contains_key(&relation.oid))
        .map(|relation| relation.name.as_str())
        .collect();
    if with_columns && !bare.is_empty() {
        let mut late = late_binding_columns(at, &found.name, &bare).await?;
        for table in &mut tables {
            if let Some(columns) = late.remove(&table.name) {
                table.columns = columns;
            }
        }
    }
    Ok(tables)
}

/// The columns of tables and views, by the id of the relation.
pub type Columns = Arc<HashMap<u64, Vec<Column>>>;

/// Reads the columns of several schemas in one query: who waits for the same database shares it.
pub(super) async fn load_columns(session: &mut Session, schemas: &[String]) -> Result<Columns, Error> {
    let names = Sql::join(",", schemas.iter().map(|name| literal(name)));
    let query = sql!(
        "SELECT a.attrelid, a.attnum, a.attname::varchar, format_type(a.atttypid, a.atttypmod), a.attnotnull \
         FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname IN ({}) AND c.relkind IN ('r','v','m') AND a.attnum > 0 AND NOT a.attisdropped",
        names
    );
    columns(&session.query(&query).await?)
}

fn columns(rows: &[Row]) -> Result<Columns, Error> {
    let mut numbered: HashMap<u64, BTreeMap<i64, Column>> = HashMap::new();
    for row in rows {
        let column = Column {
            name: row.text(2)?.to_owned(),
            data_type: row.text(3)?.to_owned(),
            nullable: !crate::engine::catalog::principals::is_true(row.get(4)),
        };
        numbered.entry(row.parse(0)?).or_default().insert(row.parse(1)?, column);
    }
    Ok(Arc::new(numbered.into_iter().map(|(oid, columns)| (oid, columns.into_values().collect())).collect()))
}

fn columns_of_views(schema: &str) -> Sql {
    sql!(
        "SELECT table_name, ordinal_position, column_name, data_type, character_maximum_length, \
         numeric_precision, numeric_scale, is_nullable FROM svv_columns WHERE table_schema = {}",
        literal(schema)
    )
}

/// Late-binding views have no rows in `pg_attribute`.
async fn late_binding_columns(at: At<'_>, schema: &str, views: &[&str]) -> Result<HashMap<String, Vec<Column>>, Error> {
    let names = Sql::join(",", views.iter().map(|name| literal(name)));
    let query = sql!("{} AND table_name IN ({})", columns_of_views(schema), names);
    let mut session = at.warehouse.session(at.database, at.cancel).await?;
    described(&session.query(&query).await?)
}

/// The tables of an external schema. This asks whatever lies behind it, so it is asked for this schema alone.
async fn external_tables(at: At<'_>, schema: &str, owner: &str, wanted: &Datasets) -> Result<Vec<Table>, Error> {
    let mut session = at.warehouse.session(at.database, at.cancel).await?;
    let found = described(&session.query(&columns_of_views(schema)).await?)?;
    let mut tables: Vec<Table> = found
        .into_iter()
        .filter(|(name, _)| wanted.include(name))
        .map(|(name, columns)| Table { name, kind: "external table", owner: owner.to_owned(), columns })
        .collect();
    tables.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(tables)
}

fn described(rows: &[Row]) -> Result<HashMap<String, Vec<Column>>, Error> {
    let mut numbered: HashMap<String, BTreeMap<i64, Column>> = HashMap::new();
    for row in rows {
        let column = Column {
            name: row.text(2)?.to_owned(),
            data_type: data_type(row),
            nullable: !row.get(7).is_some_and(|text| text.trim().eq_ignore_ascii_case("no")),
        };
        numbered.entry(row.text(0)?.to_owned()).or_default().insert(row.parse(1)?, column);
    }
    Ok(numbered.into_iter().map(|(name, columns)| (name, columns.into_values().collect())).collect())
}

/// `character varying(20)`, `numeric(10,2)`: as `format_type` writes it.
fn data_type(row: &Row) -> String {
    let name = row.get(3).unwrap_or("unknown").trim_end();
    let number = |column: usize| row.get(column).map(str::trim).filter(|text| !text.is_empty());
    if let (true, Some(length)) = (name.starts_with("character"), number(4)) {
        return format!("{name}({length})");
    }
    if let ("numeric" | "decimal", Some(precision), Some(scale)) = (name, number(5), number(6)) {
        return format!("{name}({precision},{scale})");
    }
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str, columns: &[(&str, &str)]) -> Table {
        Table {
            name: name.into(),
            kind: "table",
            owner: "o".into(),
            columns: columns
                .iter()
                .map(|(name, kind)| Column { name: (*name).into(), data_type: (*kind).into(), nullable: true })
                .collect(),
        }
    }

    #[test]
    fn the_fingerprint_follows_names_kinds_and_types_but_not_order_and_owners() {
        let one = [table("a", &[("x", "integer")]), table("b", &[])];
        let of = |tables: &[Table]| Summary::of(tables);
        let base = of(&one);
        assert_eq!((base.table_count, base.column_count, base.fingerprint.len()), (2, 1, 16));
        assert_eq!(of(&[one[1].clone(), one[0].clone()]), base);
        assert_eq!(of(&[Table { owner: "p".into(), ..one[0].clone() }, one[1].clone()]), base);
        let mut others = vec![
            of(&[table("a", &[("x", "bigint")]), table("b", &[])]),
            of(&[table("a", &[("y", "integer")]), table("b", &[])]),
            of(&[table("a", &[]), table("b", &[("x", "integer")])]),
            of(&[Table { kind: "view", ..one[0].clone() }, one[1].clone()]),
            of(&one[..1]),
            of(&[]),
        ];
        let mut not_null = one.to_vec();
        not_null[0].columns[0].nullable = false;
        others.push(of(&not_null));
        for other in others {
            assert_ne!(other.fingerprint, base.fingerprint);
        }
        // Kept in states: must not change from release to release.
        assert_eq!(base.fingerprint, "d312ed7fff1a615e");
    }

    #[test]
    fn globs_choose_tables() {
        let datasets = |patterns: &[&str], case_sensitive| {
            let patterns: Vec<String> = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
            Datasets::new(&patterns, case_sensitive)
        };
        let all = datasets(&[], false).expect("parses");
        assert!(all.include("anything"));
        let some = datasets(&["fact_*", "dim_{date,store}", "t?"], false).expect("parses");
        for (name, wanted) in [
            ("fact_sales", true),
            ("FACT_sales", true),
            ("dim_date", true),
            ("dim_x", false),
            ("t1", true),
            ("t12", false),
        ] {
            assert_eq!(some.include(name), wanted, "{name}");
        }
        assert!(!datasets(&["fact_*"], true).expect("parses").include("FACT_sales"));
        let error = datasets(&["ok", "[z"], false).expect_err("does not parse");
        assert!(
            matches!(&error, Error::Setting { setting: "datasets", .. }) && error.detail().contains("[z"),
            "{error}"
        );
    }

    #[test]
    fn columns_are_put_in_order() {
        let row = |cells: [&str; 5]| Row::new(cells.map(Some));
        let found = columns(&[
            row(["7", "2", "b", "character varying(10)", "f"]),
            row(["7", "1", "a", "integer", "t"]),
            row(["8", "1", "c", "date", "f"]),
        ])
        .expect("reads");
        let names: Vec<&str> = found[&7].iter().map(|column| column.name.as_str()).collect();
        assert_eq!(
            (names, found[&7][0].nullable, found[&7][1].nullable, found.len()),
            (vec!["a", "b"], false, true, 2)
        );
    }

    #[test]
    fn types_of_late_binding_views_read_as_those_of_tables() {
        let row = |cells: [Option<&str>; 8]| Row::new(cells);
        let found = described(&[
            row([Some("v"), Some("2"), Some("b"), Some("character varying"), Some("20"), None, None, Some("YES")]),
            row([Some("v"), Some("1"), Some("a"), Some("numeric"), None, Some("10"), Some("2"), Some("NO")]),
            row([Some("v"), Some("3"), Some("c"), Some("integer"), None, Some("32"), Some("0"), None]),
        ])
        .expect("reads");
        let types: Vec<(&str, bool)> =
            found["v"].iter().map(|column| (column.data_type.as_str(), column.nullable)).collect();
        assert_eq!(types, [("numeric(10,2)", false), ("character varying(20)", true), ("integer", true)]);
    }
}
