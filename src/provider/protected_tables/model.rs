//! Protected tables once everything about them is known, and as the engine takes them.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::super::errors;
use crate::engine::datastore::missing::some_of;
use crate::engine::error::shown;
use crate::engine::governance::{FilterRule, MaskRule, Policy, Problem};
use crate::engine::registration::uri::IntegrationUri;
use crate::engine::registration::wanted::{External, Offer, Reader, Source, TablesWanted, VIEW_NAME};
use crate::terraform::{Change, Diagnostic, Diagnostics, Value};

/// What is written.
#[derive(Deserialize)]
pub struct Model {
    integration_uri: String,
    name: String,
    source: WrittenSource,
    view_schema: Option<String>,
    view_name: Option<String>,
    tags: Option<BTreeMap<String, BTreeSet<String>>>,
    policies: Option<Vec<String>>,
    mask: Vec<MaskRule>,
    row_filter: Vec<FilterRule>,
    clear_columns: Option<BTreeSet<String>>,
    readers: Option<WrittenReaders>,
    security_barrier: Option<WrittenBarrier>,
    allowed_direct_readers: Option<BTreeSet<String>>,
    external_tables: Option<External>,
    force_destroy: bool,
}

#[derive(Clone, Default, PartialEq, Deserialize)]
struct WrittenSource {
    database: Option<String>,
    schema: String,
    tables: Option<BTreeSet<String>>,
    except_tables: Option<BTreeSet<String>>,
    future_tables: Option<String>,
}

#[derive(Default, Deserialize)]
struct WrittenReaders {
    public: Option<bool>,
    users: Option<BTreeSet<String>>,
    groups: Option<BTreeSet<String>>,
    roles: Option<BTreeSet<String>>,
}

#[derive(Default, Deserialize)]
struct WrittenBarrier {
    enabled: Option<bool>,
    except_columns: Option<BTreeSet<String>>,
}

/// The rules that are written, of which a problem tells the place.
pub(super) struct Rules {
    policy: Policy,
    masks: Vec<MaskRule>,
    filters: Vec<FilterRule>,
}

impl Rules {
    /// The problem on the rule as it is written.
    pub(super) fn place(&self, problem: Problem) -> Problem {
        self.policy.as_written(problem, &self.masks, &self.filters)
    }
}

impl Model {
    /// As the engine takes it.
    pub(super) fn tables(&self) -> Result<TablesWanted, Diagnostics> {
        let uri: IntegrationUri = self.integration_uri.parse().map_err(|error| errors::of_setting(&error, ""))?;
        let database = self.source.database.clone().unwrap_or_else(|| uri.database.clone());
        let view_schema = self.view_schema.clone().unwrap_or_else(|| view_schema(&uri, &database, &self.source.schema));
        let offer = Offer {
            source: Source {
                database,
                schema: self.source.schema.clone(),
                tables: self.source.tables.clone().unwrap_or_else(|| BTreeSet::from(["*".to_owned()])),
                except_tables: self.source.except_tables.clone().unwrap_or_default(),
                future_tables: self.source.future_tables.as_deref() != Some("none"),
            },
            view_schema,
            view_name: self.view_name.clone().unwrap_or_else(|| VIEW_NAME.to_owned()),
            policy: self.policy()?,
            barrier: self.security_barrier.as_ref().and_then(|barrier| barrier.enabled).unwrap_or(true),
            barrier_except: self
                .security_barrier
                .as_ref()
                .and_then(|barrier| barrier.except_columns.clone())
                .unwrap_or_default(),
            readers: self.readers.as_ref().map(WrittenReaders::all).unwrap_or_default(),
            external: self.external_tables,
        };
        let allowed_readers = self.allowed_direct_readers.clone();
        Ok(TablesWanted { uri, name: self.name.clone(), offer, allowed_readers, force: self.force_destroy })
    }

    /// All rules as one.
    pub(super) fn policy(&self) -> Result<Policy, Diagnostics> {
        let mut documents = Vec::new();
        for json in self.policies.iter().flatten() {
            let read = Policy::read(json);
            documents
                .push(read.map_err(|problem| errors::of_rule(&Problem { at: String::new(), ..problem }, "policies"))?);
        }
        documents.push(Policy::new(None, self.mask.clone(), self.row_filter.clone()));
        Ok(Policy::together(documents).tagged(self.tags.clone().unwrap_or_default()).clear(self.clear_columns.clone()))
    }

    pub(super) fn written(&self) -> Rules {
        Rules { policy: self.policy().unwrap_or_default(), masks: self.mask.clone(), filters: self.row_filter.clone() }
    }

    /// Whether the other one is about tables by other patterns.
    pub(super) fn chooses_other_tables(&self, other: &Model) -> bool {
        self.source != other.source
    }
}

/// Nothing is written of who may.
pub(super) fn read_past_the_rules(right: &str, readers: &[String]) -> Diagnostic {
    let readers: Vec<&str> = readers.iter().map(String::as_str).collect();
    Diagnostic::warning(
        "The tables themselves can be read",
        format!(
            "These hold {right}, and so see what the rules hide: {}. Revoke it, or name those who may in `allowed_direct_readers`: \
             then others are an error.",
            some_of(&readers)
        ),
    )
}

/// Of tables that are not offered.
pub(super) fn opens_others(schema: &str, tables: &[String]) -> Diagnostic {
    let schema = shown(schema);
    let tables: Vec<&str> = tables.iter().map(String::as_str).collect();
    Diagnostic::warning(
        "Readers will read more than the views",
        format!(
            "A view that binds late asks USAGE on the schema of its tables of whoever reads it, so the readers are given it on schema \
             {schema}. With it they, or everybody who has it, can read what is not offered and what they hold SELECT on already: {}. \
             Revoke that, or offer these too.",
            some_of(&tables)
        ),
    )
    .at("readers")
}

/// Of external tables.
pub(super) fn readers_may_be_refused(schema: &str) -> Diagnostic {
    let schema = shown(schema);
    Diagnostic::warning(
        "Readers may be refused",
        format!(
            "Schema {schema} is external. USAGE on it is the right to read all of its tables, so no reader is given it, and a view that binds \
             late may need it of whoever reads: then the answer is \"permission denied for schema {schema}\". With \
             external_tables = \"materialized\" the views read copies, for which no reader needs it."
        ),
    )
    .at("external_tables")
}

/// The schema of the views where none is written: in another database that of the tables, beside them one of the
/// integration's.
pub(super) fn view_schema(uri: &IntegrationUri, database: &str, schema: &str) -> String {
    if database == uri.database { format!("{}_{schema}", uri.prefix) } else { schema.to_owned() }
}

impl WrittenReaders {
    fn all(&self) -> BTreeSet<Reader> {
        let public = self.public.unwrap_or_default().then_some(Reader::Public);
        let users = self.users.iter().flatten().cloned().map(Reader::User);
        let groups = self.groups.iter().flatten().cloned().map(Reader::Group);
        let roles = self.roles.iter().flatten().cloned().map(Reader::Role);
        public.into_iter().chain(users).chain(groups).chain(roles).collect()
    }
}

/// Shows what an entry of the registry says, for an import. Its rules were written somewhere; here they are one document.
pub(super) fn show(offer: &Offer, uri: &IntegrationUri, cx: &mut Change<'_>) {
    let texts = |texts: &BTreeSet<String>| Value::from(texts.iter().cloned().collect::<Vec<_>>());
    let or_null = |texts_of: &BTreeSet<String>| if texts_of.is_empty() { Value::Null } else { texts(texts_of) };
    let source = &offer.source;
    cx.set(
        "source",
        Value::object([
            ("database", if source.database == uri.database { Value::Null } else { source.database.as_str().into() }),
            ("schema", source.schema.as_str().into()),
            ("tables", texts(&source.tables)),
            ("except_tables", or_null(&source.except_tables)),
            ("future_tables", if source.future_tables { "owners" } else { "none" }.into()),
        ]),
    );
    if offer.view_schema != view_schema(uri, &source.database, &source.schema) {
        cx.set("view_schema", offer.view_schema.as_str());
    }
    if offer.view_name != VIEW_NAME {
        cx.set("view_name", offer.view_name.as_str());
    }
    if !offer.policy.is_empty() {
        cx.set("policies", Value::from(vec![offer.policy.json()]));
    }
    let named = |kind: fn(&Reader) -> Option<&String>| {
        let names: BTreeSet<String> = offer.readers.iter().filter_map(kind).cloned().collect();
        or_null(&names)
    };
    if !offer.readers.is_empty() {
        cx.set(
            "readers",
            Value::object([
                ("public", if offer.readers.contains(&Reader::Public) { true.into() } else { Value::Null }),
                ("users", named(|reader| if let Reader::User(name) = reader { Some(name) } else { None })),
                ("groups", named(|reader| if let Reader::Group(name) = reader { Some(name) } else { None })),
                ("roles", named(|reader| if let Reader::Role(name) = reader { Some(name) } else { None })),
            ]),
        );
    }
    if let Some(external) = offer.external {
        let how = match external {
            External::View => "view",
            External::Materialized => "materialized",
        };
        cx.set("external_tables", how);
    }
    if !offer.barrier || !offer.barrier_except.is_empty() {
        cx.set(
            "security_barrier",
            Value::object([("enabled", offer.barrier.into()), ("except_columns", or_null(&offer.barrier_except))]),
        );
    }
}
