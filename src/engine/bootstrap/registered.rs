//! What is registered in an integration that is to go. It stands against that; where everything is to go by force, its
//! views go too, in a database that stays. The registry's table is the system user's to write, so that its entries only
//! choose among what the catalogue shows to be his.

use std::collections::{BTreeMap, BTreeSet};

use tokio_util::sync::CancellationToken;

use super::few;
use super::found::{Found, Inside};
use super::made::Made;
use super::parts::drop_relation;
use super::removal::Removal;
use super::spec::Spec;
use super::text::{self, of_system};
use crate::engine::catalog::snapshot::{Relation, RelationKind, Schema};
use crate::engine::datastore::owners::Warning;
use crate::engine::error::{Error, shown};
use crate::engine::registration::found::{Detail, Given};
use crate::engine::registration::registry::What;
use crate::engine::session::warehouse::Warehouse;
use crate::engine::sql::{Sql, ident, sql};

/// The registrations of an integration, as far as the login may read them.
#[derive(Debug, Default)]
pub(super) struct Registered {
    /// Of tables: what each says.
    tables: Vec<Detail>,
    /// All of them, in words.
    names: Vec<String>,
}

/// The views of registrations that are there and the system user's, and their schemas.
#[derive(Debug, Default)]
pub(super) struct Views<'a> {
    views: Vec<(&'a Schema, &'a Relation)>,
    /// Those that were made for them, and in which nothing else is.
    schemas: Vec<&'a Schema>,
}

impl Registered {
    /// Reads them. Of anybody else's table nothing is even selected.
    pub(super) async fn read(
        warehouse: &Warehouse,
        spec: &Spec,
        found: &Found,
        cancel: &CancellationToken,
    ) -> Result<Registered, Error> {
        let Some(inside) = &found.inside else { return Ok(Registered::default()) };
        let system = system_user(spec, found);
        let registry = inside.relation(&spec.system(), text::REGISTRATION);
        let is_ours =
            |it: &Relation| it.kind == RelationKind::Table && (Some(it.owner) == system || found.trusts(it.owner));
        if !registry.is_some_and(is_ours) {
            return Ok(Registered::default());
        }
        let query =
            sql!("SELECT kind, name, detail FROM {} ORDER BY kind, name, part", of_system(spec, text::REGISTRATION));
        let rows = match warehouse.session(&spec.database, cancel).await?.query(&query).await {
            Err(Error::Server(error)) => {
                tracing::debug!(sqlstate = error.sqlstate, "what is registered is not shown");
                return Ok(Registered::default());
            }
            rows => rows?,
        };
        let mut entries: BTreeMap<(String, String), String> = BTreeMap::new();
        for row in &rows {
            let entry = entries.entry((row.text(0)?.to_owned(), row.text(1)?.to_owned())).or_default();
            entry.push_str(row.get(2).unwrap_or_default());
        }
        let of_tables = entries.iter().filter(|((kind, _), _)| kind == What::Tables.word());
        Ok(Registered {
            tables: of_tables.filter_map(|(_, detail)| serde_json::from_str(detail).ok()).collect(),
            names: entries.keys().map(|(kind, name)| format!("{} {}", shown(kind), shown(name))).collect(),
        })
    }

    /// Refuses to drop what is registered, whose views and profiles would go with it.
    pub(super) fn refuse(&self) -> Result<(), Error> {
        if self.names.is_empty() {
            return Ok(());
        }
        Err(Error::refused(
            "Something is registered in the integration",
            format!(
                "It has {}. Nothing was dropped. Destroy what is registered first (redshift_protected_tables, redshift_user_profiles): \
                 where they name the integration by `redshift_integration.NAME.uri`, Terraform does so by itself. With \
                 force_destroy = true the views and profiles are dropped too.",
                few(&self.names)
            ),
        ))
    }

    /// What a forced removal drops beside the managed schemas. A database that is dropped takes all of it along.
    pub(super) fn views<'a>(&self, removal: &Removal, made: &Made, found: &'a Found) -> Views<'a> {
        let system = system_user(&removal.spec, found);
        let (Some(inside), Some(owner), true) = (&found.inside, system, removal.force && !made.database) else {
            return Views::default();
        };
        let managed = removal.spec.all_schemas();
        let named: BTreeSet<(&str, &str)> = self
            .tables
            .iter()
            .flat_map(|detail| detail.views.iter().map(|view| (detail.offer.view_schema.as_str(), view.as_str())))
            .filter(|(schema, _)| !managed.iter().any(|ours| ours == schema))
            .collect();
        let views: Vec<(&Schema, &Relation)> = named
            .iter()
            .filter_map(|(schema, view)| Some((inside.schema(schema)?, inside.relation(schema, view)?)))
            .filter(|(_, view)| view.owner == owner && view.kind == RelationKind::View)
            .collect();
        let made_for_them = self.tables.iter().filter(|detail| detail.made.contains(&Given::Schema));
        let schemas: BTreeSet<&str> = made_for_them.map(|detail| detail.offer.view_schema.as_str()).collect();
        let schemas = schemas.into_iter().filter(|name| !managed.iter().any(|ours| ours == name));
        let schemas = schemas
            .filter_map(|name| inside.schema(name))
            .filter(|schema| schema.owner == owner && holds_nothing_else(schema, &views, inside))
            .collect();
        Views { views, schemas }
    }

    /// Rights of readers on the schemas of the tables. Nobody but the registry says that they were given for it, so they are
    /// told and not taken.
    pub(super) fn left(&self, removal: &Removal, made: &Made) -> Option<Warning> {
        let in_it = |detail: &&Detail| detail.offer.source.database == removal.spec.database && !made.database;
        let lines: BTreeSet<String> = self
            .tables
            .iter()
            .filter(in_it)
            .flat_map(|detail| detail.made.iter().map(move |given| (&detail.offer.source.schema, given)))
            .filter_map(|(schema, given)| match given {
                Given::SourceFor(reader) => Some(format!("USAGE on schema {} for {reader}", shown(schema))),
                _ => None,
            })
            .collect();
        if lines.is_empty() {
            return None;
        }
        Some(Warning {
            summary: format!("Readers of database {} keep rights", removal.spec.database),
            detail: format!(
                "The entries of registrations say that these were given for them. What an entry says is not revoked: look at them, \
                 and revoke what nobody needs.\n{}",
                lines.into_iter().collect::<Vec<_>>().join("\n")
            ),
        })
    }
}

impl Views<'_> {
    /// The statements, which are to come first.
    pub(super) fn drops(&self) -> Vec<Sql> {
        let drop = |(schema, view): &(&Schema, &Relation)| {
            drop_relation(view.kind, &sql!("{}.{}", ident(&schema.name), ident(&view.name)), true)
        };
        let schemas = self.schemas.iter().map(|schema| sql!("DROP SCHEMA {}", ident(&schema.name)));
        self.views.iter().map(drop).chain(schemas).collect()
    }

    /// Whether it drops this relation.
    pub(super) fn has(&self, schema: &str, name: &str) -> bool {
        self.views.iter().any(|(of, view)| of.name == schema && view.name == name)
    }

    /// Whether it drops this schema.
    pub(super) fn has_schema(&self, name: &str) -> bool {
        self.schemas.iter().any(|schema| schema.name == name)
    }
}

fn holds_nothing_else(schema: &Schema, views: &[(&Schema, &Relation)], inside: &Inside) -> bool {
    let goes =
        |relation: &Relation| views.iter().any(|(of, view)| of.name == schema.name && view.name == relation.name);
    schema.relations.iter().all(goes) && inside.routines.iter().all(|routine| routine.schema != schema.name)
}

fn system_user(spec: &Spec, found: &Found) -> Option<i64> {
    found.world.principals.user(&spec.system_user).map(|user| user.id)
}
