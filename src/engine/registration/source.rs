//! The tables that a registration offers, as their database shows them: owners, rights and columns, from its catalogue
//! alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::external::{self, External};
use super::wanted::{Source, is_pattern};
use crate::engine::catalog::At;
use crate::engine::catalog::acl::Acl;
use crate::engine::catalog::principals::Principals;
use crate::engine::catalog::roles::{RoleRights, UserScopes};
use crate::engine::catalog::snapshot::{Defaults, Schema, Snapshot};
use crate::engine::catalog::sync::Datasets;
use crate::engine::datastore::missing::some_of;
use crate::engine::datastore::refusal::{no_database, no_schema};
use crate::engine::error::Error;
use crate::engine::governance::{Column, column};

/// What was found of a source.
#[derive(Clone, Debug)]
pub struct SourceFound {
    /// The schema, as it is spelt.
    pub schema: String,
    /// User id of its owner.
    pub owner: i64,
    /// Rights on it; none: they could not be read.
    pub acl: Option<Acl>,
    /// The tables that are offered, by name.
    pub tables: BTreeMap<String, SourceTable>,
    /// Rights on each relation of the schema, whether it is offered or not; none: they could not be read.
    pub acls: BTreeMap<String, Option<Acl>>,
    /// Who made each of them.
    pub owners: BTreeMap<String, i64>,
    /// Relations that match a pattern and show no columns: views that bind late.
    pub without_columns: Vec<String>,
    /// What roles hold in the database.
    pub role_rights: Arc<RoleRights>,
    /// Rights of users on all tables of a schema.
    pub user_scopes: Arc<UserScopes>,
    /// What owners give with what they will make.
    pub defaults: Arc<Defaults>,
    /// Users and groups.
    pub principals: Arc<Principals>,
    /// Whether the session keeps the case of names.
    pub case_sensitive: bool,
    /// Of tables outside of the warehouse.
    pub external: Option<External>,
}

/// A table, or a view with columns.
#[derive(Clone, Debug)]
pub struct SourceTable {
    /// User id of its owner.
    pub owner: i64,
    /// Its columns, in their order.
    pub columns: Vec<Column>,
}

/// Looks at a source.
pub async fn look(at: At<'_>, source: &Source) -> Result<SourceFound, Error> {
    let catalog = at.warehouse.catalog();
    let snapshot = catalog.snapshot(at, None).await.map_err(|error| match error.sqlstate() {
        Some("3D000") => no_database(&source.database, &error).about("source.database"),
        _ => error,
    })?;
    let Some(schema) = snapshot.schema(&source.schema) else {
        return Err(no_schema(&source.schema, &source.database, &snapshot.login).about("source.schema"));
    };
    let mut found = rights(at, schema, &snapshot).await?;
    let case_sensitive = found.case_sensitive;
    let (wanted, except) =
        (patterns(&source.tables, case_sensitive)?, patterns(&source.except_tables, case_sensitive)?);
    let is_wanted = |name: &str| wanted.include(name) && (source.except_tables.is_empty() || !except.include(name));
    if let Some(external) = &found.external {
        external.refuse_unreadable(source, &snapshot.login)?;
        found.tables = external::tables(at, schema, is_wanted).await?;
        named_ones_exist(source, &found)?;
        return Ok(found);
    }
    let columns = catalog.columns(at, &schema.name).await?;
    for relation in schema.relations.iter().filter(|it| it.is_of_people() && is_wanted(&it.name)) {
        let Some(of) = columns.get(&relation.oid) else {
            found.without_columns.push(relation.name.clone());
            continue;
        };
        let read = |one: &crate::engine::catalog::sync::Column| {
            column(&one.name, &one.data_type).map_err(|_| cannot_be_offered(&relation.name, &one.name, &one.data_type))
        };
        let columns = of.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        found.tables.insert(relation.name.clone(), SourceTable { owner: relation.owner, columns });
    }
    named_ones_exist(source, &found)?;
    Ok(found)
}

/// Looks at what was given on a source, to take it back. What is gone gives nothing to anybody.
pub async fn look_at_rights(at: At<'_>, source: &Source) -> Result<Option<SourceFound>, Error> {
    let snapshot = match at.warehouse.catalog().snapshot(at, None).await {
        Err(error) if error.sqlstate() == Some("3D000") => return Ok(None),
        snapshot => snapshot?,
    };
    match snapshot.schema(&source.schema) {
        Some(schema) => rights(at, schema, &snapshot).await.map(Some),
        None => Ok(None),
    }
}

/// The rights in a schema, without its tables.
async fn rights(at: At<'_>, schema: &Schema, snapshot: &Snapshot) -> Result<SourceFound, Error> {
    let catalog = at.warehouse.catalog();
    let people = schema.relations.iter().filter(|relation| relation.is_of_people());
    Ok(SourceFound {
        schema: schema.name.clone(),
        owner: schema.owner,
        acl: schema.acl.clone(),
        tables: BTreeMap::new(),
        owners: people.clone().map(|relation| (relation.name.clone(), relation.owner)).collect(),
        acls: people.map(|relation| (relation.name.clone(), relation.acl.clone())).collect(),
        without_columns: Vec::new(),
        role_rights: catalog.role_rights(at, None).await?,
        user_scopes: catalog.user_scopes(at, None).await?,
        defaults: catalog.defaults(at, None).await?,
        principals: catalog.principals(at).await?,
        case_sensitive: snapshot.login.case_sensitive,
        external: External::find(at, schema, snapshot).await?,
    })
}

/// What a plan has named: nothing else is shown by the apply of that plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// The columns of each table.
    pub columns: BTreeMap<String, BTreeSet<String>>,
    /// Whether tables that are not among them may be offered too, as the configuration asks for others than before.
    #[serde(default)]
    pub other_tables: bool,
}

impl SourceFound {
    /// Without the tables and columns that no plan has named.
    #[must_use]
    pub fn only(mut self, named: &Named) -> SourceFound {
        self.tables.retain(|name, table| {
            let Some(columns) = named.columns.get(name) else { return named.other_tables };
            table.columns.retain(|column| columns.contains(&column.name));
            true
        });
        self
    }

    /// The columns of each table.
    pub fn named(&self) -> Named {
        let columns = |table: &SourceTable| table.columns.iter().map(|column| column.name.clone()).collect();
        let columns = self.tables.iter().map(|(name, table)| (name.clone(), columns(table))).collect();
        Named { columns, other_tables: false }
    }

    /// One that is gone.
    pub fn nothing(schema: &str, principals: Arc<Principals>) -> SourceFound {
        SourceFound {
            schema: schema.to_owned(),
            owner: 0,
            acl: None,
            tables: BTreeMap::new(),
            acls: BTreeMap::new(),
            owners: BTreeMap::new(),
            without_columns: Vec::new(),
            role_rights: Arc::default(),
            user_scopes: Arc::default(),
            defaults: Arc::default(),
            principals,
            case_sensitive: false,
            external: None,
        }
    }
}

fn patterns(texts: &BTreeSet<String>, case_sensitive: bool) -> Result<Datasets, Error> {
    let texts: Vec<String> = texts.iter().cloned().collect();
    Datasets::new(&texts, case_sensitive).map_err(|error| Error::setting("source.tables", error.detail()))
}

/// A table that is named, and not by a pattern, has to be there.
fn named_ones_exist(source: &Source, found: &SourceFound) -> Result<(), Error> {
    let same = |a: &str, b: &str| crate::engine::names::same_name(a, b, found.case_sensitive);
    let tables = &found.tables;
    for name in source.tables.iter().filter(|name| !is_pattern(name)) {
        if found.without_columns.iter().any(|other| same(other, name)) {
            let why = format!(
                "\"{name}\" is a view that binds late, which shows no columns, so nothing in it could be masked. Name the tables that it reads."
            );
            return Err(Error::setting("source.tables", why));
        }
        if !tables.keys().any(|table| same(table, name)) {
            let there: Vec<&str> = tables.keys().map(String::as_str).collect();
            let there =
                if there.is_empty() { String::new() } else { format!(" Among those that match: {}.", some_of(&there)) };
            let why = format!(
                "Schema \"{}\" in database \"{}\" has no table \"{name}\".{there}",
                source.schema, source.database
            );
            return Err(Error::setting("source.tables", why));
        }
    }
    Ok(())
}

pub(super) fn cannot_be_offered(table: &str, column: &str, ty: &str) -> Error {
    let why = format!(
        "Column \"{column}\" of table \"{table}\" has the type {ty}, which cannot be offered by a view of an integration. Leave the table out: \
         except_tables = [\"{table}\"]."
    );
    Error::setting("source.tables", why)
}
