//! What a database holds: schemas and relations with owners and access control lists, default privileges, and which
//! schemas are external. Only catalogues of the leader node are read.

use std::collections::{BTreeSet, HashMap};

use futures::future::BoxFuture;

use crate::engine::catalog::acl::Acl;
use crate::engine::error::Error;
use crate::engine::names::{fold_ascii, same_name};
use crate::engine::rights::Rights;
use crate::engine::session::{Row, Session};
use crate::engine::sql::{Sql, literal, sql};

/// The schemas that are the warehouse's own, beside those whose names begin with `pg_`: nobody's data is in them, though
/// some hold tables and views.
pub const SYSTEM_SCHEMAS: [&str; 2] = ["information_schema", "catalog_history"];

/// Who is signed in, as far as what he can see depends on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Login {
    pub name: String,
    pub superuser: bool,
    /// Whether the session keeps the case of names in double quotes.
    pub case_sensitive: bool,
}

/// What the database holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    pub login: Login,
    pub schemas: Vec<Schema>,
}

/// A schema that is no system schema.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schema {
    pub oid: u64,
    pub name: String,
    /// User id of the owner.
    pub owner: i64,
    /// `None` if the text could not be read: then nothing is known of it.
    pub acl: Option<Acl>,
    pub relations: Vec<Relation>,
}

/// A table or view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relation {
    pub oid: u64,
    pub name: String,
    pub kind: RelationKind,
    pub owner: i64,
    pub acl: Option<Acl>,
}

/// `relkind`, in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelationKind {
    Table,
    View,
    MaterializedView,
}

impl RelationKind {
    /// As data sources show it.
    pub fn name(self) -> &'static str {
        match self {
            RelationKind::Table => "table",
            RelationKind::View => "view",
            RelationKind::MaterializedView => "materialized view",
        }
    }
}

impl Snapshot {
    /// The schema of that name.
    pub fn schema(&self, name: &str) -> Option<&Schema> {
        // As a rule it is spelt as it is here, in order of the names: a thousand datastores ask.
        match self.schemas.binary_search_by(|schema| schema.name.as_str().cmp(name)) {
            Ok(place) => self.schemas.get(place),
            Err(_) => self.schemas.iter().find(|schema| same_name(&schema.name, name, self.login.case_sensitive)),
        }
    }
}

impl Relation {
    /// Whether a person made it: the tables behind materialized views, and those of automatic ones, are the
    /// warehouse's own and no GRANT reaches them.
    pub fn is_of_people(&self) -> bool {
        !self.name.starts_with("mv_tbl__") && !self.name.starts_with("auto_mv_")
    }
}

/// The default privileges of a database that the login sees: a regular user sees only his own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Defaults {
    /// For tables and views of one schema, by its name in lower case.
    on_tables: HashMap<String, Vec<DefaultAcl>>,
    /// For tables and views of every schema.
    everywhere: Vec<DefaultAcl>,
    owners: BTreeSet<i64>,
}

/// What objects that a user will make give to others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultAcl {
    /// User id of who will make them.
    pub owner: i64,
    /// `None`: in every schema.
    pub schema: Option<String>,
    /// `r` for tables and views, `f` for functions, `p` for procedures.
    pub objects: char,
    pub acl: Option<Acl>,
}

impl Defaults {
    /// Lays them out once, as a thousand datastores ask.
    pub fn new(rows: impl IntoIterator<Item = DefaultAcl>) -> Defaults {
        let mut defaults = Defaults::default();
        for row in rows {
            defaults.owners.insert(row.owner);
            match (row.objects, &row.schema) {
                ('r', Some(schema)) => defaults.on_tables.entry(fold_ascii(schema)).or_default().push(row),
                ('r', None) => defaults.everywhere.push(row),
                _ => {}
            }
        }
        defaults
    }

    /// User ids of all who give something to others with what they will make.
    pub fn owners(&self) -> impl Iterator<Item = i64> {
        self.owners.iter().copied()
    }

    /// What tables that the owner makes give to the grantee, whatever the schema.
    pub fn on_tables_everywhere(&self, owner: i64, grantee: &crate::engine::catalog::acl::Grantee) -> Rights {
        let rows = self.everywhere.iter().filter(|row| row.owner == owner).filter_map(|row| row.acl.as_ref());
        rows.fold(Rights::NONE, |rights, acl| rights.and(acl.of(grantee)))
    }

    /// What tables that the owner makes in the schema give to the grantee.
    pub fn on_tables(
        &self,
        owner: i64,
        schema: &str,
        grantee: &crate::engine::catalog::acl::Grantee,
        case_sensitive: bool,
    ) -> Rights {
        let rows = self.on_tables.get(&fold_ascii(schema));
        rows.into_iter()
            .flatten()
            .filter(|row| row.owner == owner)
            .filter(|row| row.schema.as_deref().is_some_and(|name| same_name(name, schema, case_sensitive)))
            .filter_map(|row| row.acl.as_ref())
            .fold(Rights::NONE, |rights, acl| rights.and(acl.of(grantee)))
    }
}

/// The external schemas of a database that the login sees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExternalSchemas(pub Vec<ExternalSchema>);

/// An external schema.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExternalSchema {
    /// Its name.
    pub name: String,
    /// What lies behind it, by its number (AWS: SVV_EXTERNAL_SCHEMAS, `eskind`).
    pub kind: i64,
    /// The external database.
    pub database: String,
}

impl ExternalSchemas {
    /// Of a data catalogue, by their names.
    pub fn named(names: impl IntoIterator<Item = String>) -> ExternalSchemas {
        let one = |name| ExternalSchema { name, kind: 1, database: String::new() };
        ExternalSchemas(names.into_iter().map(one).collect())
    }

    /// Whether a schema of this name is one.
    pub fn has(&self, name: &str, case_sensitive: bool) -> bool {
        self.0.iter().any(|schema| same_name(&schema.name, name, case_sensitive))
    }
}

/// The condition on `n`, which is pg_namespace, that leaves the warehouse's own schemas out.
pub(super) fn no_system_schemas() -> Sql {
    let names = Sql::join(",", SYSTEM_SCHEMAS.map(literal));
    sql!(r"n.nspname NOT LIKE 'pg\\_%' AND n.nspname NOT IN ({})", names)
}

/// Reads schemas and relations.
pub fn load(session: &mut Session) -> BoxFuture<'_, Result<Snapshot, Error>> {
    Box::pin(async move {
        let facts = session.facts();
        let login =
            Login { name: facts.user.clone(), superuser: facts.superuser, case_sensitive: facts.case_sensitive };
        let query = sql!(
            "SELECT n.nspname::varchar, n.nspowner, array_to_string(n.nspacl, chr(9)) AS nspacl, \
             c.oid, c.relname::varchar, c.relkind::varchar, c.relowner, array_to_string(c.relacl, chr(9)) AS relacl, \
             n.oid AS nspoid \
             FROM pg_namespace n LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relkind IN ('r','v','m') \
             WHERE {}",
            no_system_schemas()
        );
        snapshot(login, &session.query(&query).await?)
    })
}

/// Reads the default privileges.
pub fn load_defaults(session: &mut Session) -> BoxFuture<'_, Result<Defaults, Error>> {
    Box::pin(async move {
        let query = sql!(
            "SELECT d.defacluser, n.nspname::varchar, d.defaclobjtype::varchar, array_to_string(d.defaclacl, chr(9)) \
             FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace"
        );
        let rows = session.query(&query).await?;
        rows.iter().map(default_acl).collect::<Result<Vec<_>, _>>().map(Defaults::new)
    })
}

/// Reads which schemas are external.
pub fn load_external(session: &mut Session) -> BoxFuture<'_, Result<ExternalSchemas, Error>> {
    Box::pin(async move {
        let rows = session.query(&sql!("SELECT schemaname, eskind, databasename FROM svv_external_schemas")).await?;
        let one = |row: &Row| {
            // Only what is offered as views asks for the kind: one that cannot be read is none of those that may be.
            let kind = row.get(1).and_then(|kind| kind.trim().parse().ok()).unwrap_or_default();
            let database = row.get(2).unwrap_or_default().to_owned();
            Ok(ExternalSchema { name: row.name(0)?.to_owned(), kind, database })
        };
        rows.iter().map(one).collect::<Result<_, Error>>().map(ExternalSchemas)
    })
}

fn snapshot(login: Login, rows: &[Row]) -> Result<Snapshot, Error> {
    let mut schemas: Vec<Schema> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for row in rows {
        let name = row.text(0)?;
        let place = match places.get(name) {
            Some(place) => *place,
            None => {
                schemas.push(Schema {
                    oid: row.get(8).and_then(|oid| oid.trim().parse().ok()).unwrap_or_default(),
                    name: name.into(),
                    owner: row.parse(1)?,
                    acl: acl(row.get(2)),
                    relations: vec![],
                });
                places.insert(name, schemas.len() - 1);
                schemas.len() - 1
            }
        };
        let kind = match row.get(5).map(str::trim) {
            None => continue,
            Some("v") => RelationKind::View,
            Some("m") => RelationKind::MaterializedView,
            Some(_) => RelationKind::Table,
        };
        schemas[place].relations.push(Relation {
            oid: row.parse(3)?,
            name: row.text(4)?.to_owned(),
            kind,
            owner: row.parse(6)?,
            acl: acl(row.get(7)),
        });
    }
    schemas.sort_by(|one, other| one.name.cmp(&other.name));
    for schema in &mut schemas {
        tell_materialized(&mut schema.relations);
        schema.relations.sort_by(|one, other| one.name.cmp(&other.name));
    }
    Ok(Snapshot { login, schemas })
}

/// Whether a table is the one behind the materialized view of this name: `mv_tbl__<name>__<number>`.
pub fn is_behind(table: &str, view: &str) -> bool {
    let rest = table.strip_prefix("mv_tbl__").and_then(|rest| rest.strip_prefix(view)?.strip_prefix("__"));
    rest.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// On Redshift a materialized view is a view to the catalogue, and its rows are in a table beside it (dbt-redshift,
/// `catalog.sql`).
fn tell_materialized(relations: &mut [Relation]) {
    let tables: Vec<String> =
        relations.iter().map(|relation| &relation.name).filter(|name| name.starts_with("mv_tbl__")).cloned().collect();
    for relation in relations.iter_mut().filter(|relation| relation.kind == RelationKind::View) {
        if tables.iter().any(|table| is_behind(table, &relation.name)) {
            relation.kind = RelationKind::MaterializedView;
        }
    }
}

fn default_acl(row: &Row) -> Result<DefaultAcl, Error> {
    Ok(DefaultAcl {
        owner: row.parse(0)?,
        schema: row.get(1).map(str::to_owned),
        objects: row.text(2)?.chars().next().unwrap_or(' '),
        acl: acl(row.get(3)),
    })
}

fn acl(text: Option<&str>) -> Option<Acl> {
    match Acl::parse(text.unwrap_or("")) {
        Ok(acl) => Some(acl),
        Err(error) => {
            tracing::warn!("{error}");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::catalog::acl::Grantee;

    fn rows(rows: &[[Option<&str>; 8]]) -> Vec<Row> {
        rows.iter().map(|cells| Row::new(cells.iter().copied())).collect()
    }

    #[test]
    fn rows_become_schemas_with_their_relations() {
        let found = snapshot(
            Login::default(),
            &rows(&[
                [Some("sales"), Some("101"), Some("svc=U/o"), Some("9"), Some("b"), Some("r"), Some("102"), None],
                [Some("empty"), Some("1"), None, None, None, None, None, None],
                [Some("sales"), Some("101"), None, Some("8"), Some("a"), Some("v"), Some("101"), Some("svc=r/o")],
                [Some("sales"), Some("101"), None, Some("7"), Some("mv_tbl__m__0"), Some("r"), Some("101"), Some("?")],
            ]),
        )
        .expect("reads");
        assert_eq!(found.schemas.iter().map(|schema| schema.name.as_str()).collect::<Vec<_>>(), ["empty", "sales"]);
        let sales = found.schema("SALES").expect("is there, whatever the case");
        assert_eq!(sales.acl.as_ref().expect("reads").of(&Grantee::User("svc".into())).to_string(), "USAGE");
        assert_eq!(
            sales.relations.iter().map(|table| table.name.as_str()).collect::<Vec<_>>(),
            ["a", "b", "mv_tbl__m__0"]
        );
        assert_eq!(sales.relations[0].kind, RelationKind::View);
        assert_eq!(sales.relations[2].acl, None, "what cannot be read is unknown, not empty");
        assert_eq!(sales.relations[1].acl, Some(Acl::default()));
        assert!(!sales.relations[2].is_of_people() && sales.relations[1].is_of_people());
        assert!(found.schema("empty").expect("is there").relations.is_empty());
        let keeps_case = Snapshot { login: Login { case_sensitive: true, ..Login::default() }, ..found };
        assert!(keeps_case.schema("SALES").is_none());
    }

    #[test]
    fn a_table_is_behind_the_materialized_view_of_its_own_name() {
        for (table, view, is) in [
            ("mv_tbl__people__0", "people", true),
            ("mv_tbl__people__data__0", "people__data", true),
            ("mv_tbl__people__data__0", "people", false),
            ("mv_tbl__people__", "people", false),
            ("mv_tbl__people2__0", "people", false),
            ("people__0", "people", false),
        ] {
            assert_eq!(is_behind(table, view), is, "{table} {view}");
        }
    }

    #[test]
    fn default_privileges_are_asked_by_owner_schema_and_kind() {
        let row = |owner: &str, schema: Option<&str>, kind: &str, acl: &str| {
            default_acl(&Row::new([Some(owner), schema, Some(kind), Some(acl)])).expect("reads")
        };
        let defaults = Defaults::new(vec![
            row("101", Some("sales"), "r", "svc=r/o"),
            row("101", None, "r", "svc=w/o"),
            row("101", Some("sales"), "f", "svc=X/o"),
            row("102", Some("sales"), "r", "svc=d/p"),
        ]);
        let svc = Grantee::User("svc".into());
        assert_eq!(defaults.on_tables(101, "Sales", &svc, false).to_string(), "SELECT");
        assert_eq!(defaults.on_tables(101, "Sales", &svc, true), Rights::NONE);
        assert_eq!(defaults.on_tables(102, "sales", &svc, false).to_string(), "DELETE");
        assert_eq!(defaults.on_tables(101, "sales", &Grantee::Group("svc".into()), false), Rights::NONE);
        assert_eq!(defaults.on_tables_everywhere(101, &svc).to_string(), "UPDATE");
        assert_eq!(defaults.on_tables_everywhere(102, &svc), Rights::NONE);
        assert_eq!(defaults.owners().collect::<Vec<_>>(), [101, 102]);
    }
}
