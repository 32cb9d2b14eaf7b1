//! What is there of a registration of tables: in the managed database the registry, the schema of the views and the views
//! themselves; in the database of the tables what [`super::source`] reads.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::registry::{Entry, Registry, What};
use super::seat::Seat;
use super::source::{self, SourceFound};
use super::uri::IntegrationUri;
use super::wanted::{Offer, Reader, TablesWanted, copies_begin_with};
use crate::engine::catalog::At;
use crate::engine::catalog::roles::RoleRights;
use crate::engine::catalog::snapshot::{Relation, RelationKind, Schema, Snapshot};
use crate::engine::error::Error;
use crate::engine::names::same_name;
use crate::engine::sql::sql;

/// A right or a schema that a registration gives, beside the views.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Given {
    /// USAGE on the schema of the tables, for the system user.
    Source,
    /// SELECT on a table, for the system user.
    Table(String),
    /// SELECT on what a user will make in the schema of the tables, for the system user.
    Future(String),
    /// USAGE on the schema of the tables, for a reader: a view that binds late asks it of whoever reads it.
    SourceFor(Reader),
    /// The schema of the views.
    Schema,
    /// USAGE on it, for a reader.
    SchemaFor(Reader),
}

/// What the registry's entry says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Detail {
    /// What is offered.
    pub offer: Offer,
    /// The names of the views.
    pub views: BTreeSet<String>,
    /// What was given for it that nobody had given before.
    pub made: BTreeSet<Given>,
}

/// What is in the managed database.
#[derive(Clone, Debug)]
pub struct Inside {
    /// As whom to work there.
    pub seat: Seat,
    /// What is registered.
    pub registry: Arc<Registry>,
    /// Its schemas.
    pub snapshot: Arc<Snapshot>,
    /// What roles hold there.
    pub role_rights: Arc<RoleRights>,
    texts: Arc<Texts>,
}

/// All of it.
#[derive(Clone, Debug)]
pub struct TablesFound {
    /// In the managed database.
    pub inside: Inside,
    /// In the database of the tables.
    pub source: SourceFound,
}

/// Looks at all of it. None: the integration is not there.
pub async fn look(at: At<'_>, wanted: &TablesWanted) -> Result<Option<TablesFound>, Error> {
    let elsewhere = At { database: &wanted.offer.source.database, ..at };
    let both = at.warehouse.side_by_side(inside(at, wanted), source::look(elsewhere, &wanted.offer.source));
    let (inside, source) = both.await;
    match inside? {
        Some(inside) => Ok(Some(TablesFound { inside, source: source? })),
        None => Ok(None),
    }
}

/// Looks at the tables of an integration that a person has still to make.
pub async fn to_come(at: At<'_>, wanted: &TablesWanted) -> Result<TablesFound, Error> {
    let elsewhere = At { database: &wanted.offer.source.database, ..at };
    let source = source::look(elsewhere, &wanted.offer.source).await?;
    Ok(TablesFound { inside: Inside::to_come(&wanted.uri), source })
}

/// Looks at the managed database. None: the integration is not there.
pub async fn inside(at: At<'_>, wanted: &TablesWanted) -> Result<Option<Inside>, Error> {
    let Some(seat) = Seat::find(at, &wanted.uri).await? else { return Ok(None) };
    let by_hand = wanted.uri.by_hand;
    let catalog = at.warehouse.catalog();
    let snapshot = catalog.snapshot(at, None).await?;
    let role_rights = catalog.role_rights(at, None).await?;
    let registry = match seat.reads_all {
        true => Registry::shared(at, &seat).await?,
        false => Arc::default(),
    };
    let texts = shared_texts(at, seat.owner, by_hand).await?;
    Ok(Some(Inside { seat, registry, snapshot, role_rights, texts }))
}

/// The text of each view that a user owns, by schema and name.
type Texts = BTreeMap<(String, String), Text>;

/// A view's text, as the warehouse has it.
#[derive(Clone, Debug, Default)]
struct Text {
    digest: String,
    /// Itself; none, unless it was asked for.
    whole: Option<String>,
}

async fn shared_texts(at: At<'_>, owner: i64, whole: bool) -> Result<Arc<Texts>, Error> {
    let key = format!("{} of {owner}", if whole { "texts of views" } else { "views" });
    at.warehouse.catalog().shared(at, &key, || texts(at, owner, whole)).await
}

async fn texts(at: At<'_>, owner: i64, whole: bool) -> Result<Texts, Error> {
    let whole = if whole { sql!("pg_get_viewdef(c.oid)") } else { sql!("NULL::varchar") };
    let query = sql!(
        "SELECT n.nspname::varchar, c.relname::varchar, pg_catalog.md5(pg_get_viewdef(c.oid)), {} FROM pg_class c \
         JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'v' AND c.relowner = {}",
        whole,
        owner
    );
    let mut session = at.warehouse.session(at.database, at.cancel).await?;
    let rows = session.query(&query).await?;
    let one = |row: &crate::engine::session::Row| {
        let text = Text { digest: row.get(2).unwrap_or_default().to_owned(), whole: row.get(3).map(ToOwned::to_owned) };
        Ok(((row.text(0)?.to_owned(), row.text(1)?.to_owned()), text))
    };
    rows.iter().map(one).collect()
}

impl Inside {
    /// Of an integration that is gone.
    pub fn nothing(uri: &IntegrationUri) -> Inside {
        Inside::of_nothing(Seat::nobody(uri))
    }

    /// Of an integration that a person has still to make.
    pub fn to_come(uri: &IntegrationUri) -> Inside {
        Inside::of_nothing(Seat::to_come(uri))
    }

    fn of_nothing(seat: Seat) -> Inside {
        Inside {
            seat,
            registry: Arc::default(),
            snapshot: Arc::default(),
            role_rights: Arc::default(),
            texts: Arc::default(),
        }
    }

    /// A relation of a schema.
    pub fn relation(&self, schema: &str, name: &str) -> Option<&Relation> {
        let case_sensitive = self.snapshot.login.case_sensitive;
        let relations = &self.snapshot.schema(schema)?.relations;
        // As a rule it is spelt as it is here, in order of the names.
        match relations.binary_search_by(|relation| relation.name.as_str().cmp(name)) {
            Ok(place) => relations.get(place),
            Err(_) => relations.iter().find(|relation| same_name(&relation.name, name, case_sensitive)),
        }
    }

    /// The copies that a registration has, of whatever columns.
    pub fn copies(&self, registration: &str) -> Vec<&Relation> {
        let begin = copies_begin_with(registration);
        let is_digest = |rest: &str| rest.len() == 32 && rest.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_one = |relation: &&Relation| {
            let is_ours = relation.owner == self.seat.owner && relation.kind == RelationKind::MaterializedView;
            is_ours && relation.name.strip_prefix(&begin).is_some_and(is_digest)
        };
        self.schema(&self.seat.uri.system()).into_iter().flat_map(|schema| &schema.relations).filter(is_one).collect()
    }

    /// The schema of that name.
    pub fn schema(&self, name: &str) -> Option<&Schema> {
        self.snapshot.schema(name)
    }

    /// The digest of a view's text, cut to what is kept of it.
    pub fn text(&self, schema: &str, name: &str) -> Option<String> {
        Some(self.text_of(schema, name)?.digest.chars().take(16).collect())
    }

    /// A view's text itself, where a person made it.
    pub fn whole_text(&self, schema: &str, name: &str) -> Option<&str> {
        self.text_of(schema, name)?.whole.as_deref()
    }

    fn text_of(&self, schema: &str, name: &str) -> Option<&Text> {
        let as_written = self.texts.get(&(schema.to_owned(), name.to_owned()));
        let folded = || self.texts.get(&(schema.to_ascii_lowercase(), name.to_ascii_lowercase()));
        as_written.or_else(|| if self.snapshot.login.case_sensitive { None } else { folded() })
    }

    /// With the texts as they are now.
    pub async fn with_new_texts(self, at: At<'_>) -> Result<Inside, Error> {
        let texts = shared_texts(at, self.seat.owner, self.seat.uri.by_hand).await?;
        Ok(Inside { texts, ..self })
    }

    /// The registration's own entry.
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        self.registry.entry(What::Tables, name)
    }

    /// Whether there is an entry of this name.
    pub fn is_entered(&self, name: &str) -> bool {
        self.entry(name).is_some()
    }

    /// What the entry of this name says, as far as it can be read.
    pub fn detail(&self, name: &str) -> Option<Detail> {
        self.entry(name).and_then(|entry| serde_json::from_str(&entry.detail).ok())
    }

    /// What the other registrations say.
    pub fn others(&self, name: &str) -> Vec<(String, Detail)> {
        let others = self.registry.others(What::Tables, name);
        others.filter_map(|(name, entry)| Some((name.to_owned(), serde_json::from_str(&entry.detail).ok()?))).collect()
    }
}
