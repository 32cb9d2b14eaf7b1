//! Late binding: what a statement reads by name, and what its names stand for when it is run.
//!
//! A late-binding view is an empty view in PostgreSQL, with its statement as it was sent in the comment. Who reads it
//! reads a temporary view in its place, which the front makes of that text in the reader's session just before, and
//! drops just after: the reader's search_path finds the functions, the reader needs USAGE on the schemas, and the view's
//! owner SELECT on what is read. External tables, which PostgreSQL does not know at all, are read in the same way, and
//! so is the query of a materialized view when it is refreshed.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::lake::{External, Lake};
use crate::query;
use crate::refusal::Refusal;
use crate::rewrite::{Context, refuse_lasting};
use crate::token::{Token, statements};

/// What ends a late-binding view's statement.
pub const WITHOUT: [&str; 4] = ["with", "no", "schema", "binding"];

/// A relation's name: its parts, as PostgreSQL has them.
pub type Name = Vec<String>;

/// What a statement reads by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reads {
    /// Users' relations.
    pub relations: BTreeSet<Name>,
    /// Functions that are written without a schema.
    pub functions: BTreeSet<String>,
    /// Schemas of functions that are written with one.
    pub schemas: BTreeSet<String>,
    /// Whether one of the functions is on no list.
    pub unlisted: bool,
    /// Whether columns of all views are read.
    pub columns: bool,
    /// What the statement is about, beside what its query reads.
    pub targets: BTreeSet<Name>,
    /// The materialized views that are refreshed.
    pub refreshed: BTreeSet<Name>,
}

impl Reads {
    /// The schemas that are named.
    fn named_schemas(&self) -> BTreeSet<&str> {
        let of_relations = self.relations.iter().filter(|name| name.len() == 2).map(|name| name[0].as_str());
        of_relations.chain(self.schemas.iter().map(String::as_str)).collect()
    }
}

/// What names stand for.
#[derive(Debug, Clone, Default)]
pub struct Binding {
    /// Whether functions that nobody knows are let pass: before it is asked what a user made, and where PostgreSQL is to
    /// say that there is no such function.
    pub open: bool,
    /// Whether this is a late-binding view's own text, whose relations have to be qualified.
    pub late: bool,
    /// Late-binding views, and what is read in their place.
    pub views: HashMap<Name, String>,
    /// Those of them that are external tables.
    pub external: BTreeSet<Name>,
    /// The database of the session.
    pub database: String,
    /// Who reads relations of other databases; `None`: nobody may here.
    pub reader: Option<String>,
    /// Users' functions that the search_path finds before those of pg_catalog, with their schemas.
    pub first: HashMap<String, String>,
    /// Users' functions that it finds at all.
    pub known: HashMap<String, String>,
}

/// A late-binding view, or a materialized one, or an external table.
#[derive(Debug, Clone, Deserialize)]
pub struct View {
    /// As it was asked for.
    pub name: Name,
    /// Its id.
    pub view: u32,
    /// Its owner.
    pub owner: String,
    /// Its statement.
    pub text: String,
    /// Whether it is a materialized view.
    #[serde(default)]
    pub materialized: bool,
    /// What it is, of an external table.
    pub external: Option<External>,
}

/// What the warehouse says of names.
#[derive(Debug, Default, Deserialize)]
pub struct Told {
    /// Who asks.
    pub user: String,
    /// Which are late-binding views or external tables.
    pub views: Vec<View>,
    /// The materialized views that are refreshed.
    #[serde(default)]
    pub refreshed: Vec<View>,
    /// Which targets are external tables.
    #[serde(default)]
    pub external: BTreeSet<Name>,
    /// Which schemas of targets are external.
    #[serde(default)]
    pub outside: BTreeSet<String>,
    /// See [`Binding::first`].
    pub first: HashMap<String, String>,
    /// See [`Binding::known`].
    pub known: HashMap<String, String>,
}

/// All that has been asked.
#[derive(Debug, Default)]
pub struct Known {
    asked: BTreeSet<Name>,
    functions: BTreeSet<String>,
    views: BTreeMap<Name, View>,
    refreshed: BTreeMap<Name, View>,
    targets: BTreeSet<Name>,
    external: BTreeSet<Name>,
    outside: BTreeSet<String>,
    user: String,
    binding: Binding,
    lake: Arc<Lake>,
}

impl Known {
    /// Nothing yet, in a session of this database.
    pub fn of(database: &str, lake: Arc<Lake>) -> Self {
        let binding = Binding { database: database.to_owned(), ..Binding::default() };
        Known { binding, lake, ..Known::default() }
    }

    /// What is still to be asked, as JSON; `None`: nothing.
    pub fn question(&mut self, reads: &Reads, context: &Context<'_>) -> Option<String> {
        let mut wanted = reads.clone();
        // Each text may name further views. One that cannot be read is refused where it is bound.
        let texts = self.views.values().chain(self.refreshed.values()).filter(|view| view.external.is_none());
        for (_, more) in texts.filter_map(|view| self.translated(view, context).ok()) {
            wanted.relations.extend(more.relations);
            wanted.functions.extend(more.functions);
        }
        let relations: Vec<Name> = wanted.relations.difference(&self.asked).cloned().collect();
        let functions: Vec<String> = wanted.functions.difference(&self.functions).cloned().collect();
        let all = reads.columns && self.asked.insert(Vec::new());
        let targets: Vec<Name> = wanted.targets.difference(&self.targets).cloned().collect();
        if relations.is_empty() && functions.is_empty() && !all && targets.is_empty() {
            return None;
        }
        let question = json!({
            "relations": relations, "functions": functions, "all": all, "targets": targets,
            "refreshed": wanted.refreshed,
        });
        let question = question.to_string();
        self.targets.extend(targets);
        self.asked.extend(relations);
        self.functions.extend(functions);
        Some(question)
    }

    /// Takes an answer.
    pub fn learn(&mut self, told: Told) {
        self.user = told.user;
        self.views.extend(told.views.into_iter().map(|view| (view.name.clone(), view)));
        self.refreshed.extend(told.refreshed.into_iter().map(|view| (view.name.clone(), view)));
        self.external.extend(told.external);
        self.outside.extend(told.outside);
        self.binding.first.extend(told.first);
        self.binding.known.extend(told.known);
    }

    /// What the names of a statement stand for.
    pub fn binding(&self) -> Binding {
        let views = self.views.iter().map(|(name, view)| (name.clone(), view.place())).collect();
        let external =
            self.views.values().filter(|view| view.external.is_some()).map(|view| view.name.clone()).collect();
        Binding { views, external, reader: Some(self.user.clone()), ..self.binding.clone() }
    }

    /// The query of the materialized view that a statement refreshes, for PostgreSQL, and what it reads; `None`: it is
    /// none.
    pub fn refreshed(&self, reads: &Reads, context: &Context<'_>) -> Result<Option<(String, Reads)>, Refusal> {
        let Some(view) = reads.refreshed.first().and_then(|name| self.refreshed.get(name)) else { return Ok(None) };
        let (sql, reads) = self.translated(view, context)?;
        refuse_lasting("create-materialized-view", &reads, &self.binding())?;
        Ok(Some((sql, reads)))
    }

    /// Refuses what cannot be done to an external table, or in an external schema. Which statements Redshift refuses with
    /// which words is not published; these are words of its own (jakob/Postico#724).
    pub fn refuse_targets(&self, id: &str, reads: &Reads) -> Result<(), Refusal> {
        const MAKING: [&str; 5] =
            ["create-table", "create-table-as", "create-view", "create-late-view", "create-materialized-view"];
        let outside = |name: &Name| name.len() == 2 && self.outside.contains(&name[0]);
        if MAKING.contains(&id) && reads.targets.iter().any(outside) {
            let text = "Operations on local objects in external schema are not enabled.";
            return Err(Refusal::new("0A000", text));
        }
        let theirs = ["create-external-table", "drop-table"].contains(&id);
        if !theirs && reads.targets.iter().any(|name| self.external.contains(name)) {
            return Err(Refusal::new("0A000", "Operation not supported on external tables"));
        }
        Ok(())
    }

    /// The views that have to be made for what is read, the innermost first.
    pub fn steps(&self, reads: &Reads, context: &Context<'_>) -> Result<Steps, Refusal> {
        let mut steps = Steps::default();
        for name in &reads.relations {
            self.add(name, (0, &self.user), &mut Vec::new(), &mut steps, context)?;
        }
        Ok(steps)
    }

    /// The same for the columns of every view; one that cannot be read is left out.
    pub fn all_steps(&self, context: &Context<'_>) -> Vec<Steps> {
        let one = |name: &Name| self.steps(&Reads { relations: [name.clone()].into(), ..Reads::default() }, context);
        // Of a view that reads another database none are shown (redash#5473).
        let views = self.views.iter().filter(|(_, view)| view.external.is_none());
        views.filter_map(|(name, _)| one(name).ok()).filter(|steps| steps.copies.is_empty()).collect()
    }

    fn add(
        &self,
        name: &Name,
        (reader, who): (u32, &str),
        within: &mut Vec<u32>,
        steps: &mut Steps,
        context: &Context<'_>,
    ) -> Result<(), Refusal> {
        if name.len() == 3 {
            steps.copies.insert((who.to_owned(), name.clone()));
        }
        let Some(view) = self.views.get(name) else { return Ok(()) };
        if view.external.is_none() && within.contains(&view.view) {
            let name = name.last().map(String::as_str).unwrap_or_default();
            return Err(Refusal::new("42P17", format!("infinite recursion detected in rules for relation \"{name}\"")));
        }
        if let Some(made) = steps.views.iter_mut().find(|step| step.place == view.bare_place()) {
            made.readers.insert(reader);
            return Ok(());
        }
        within.push(view.view);
        let (sql, reads) = self.translated(view, context)?;
        for name in &reads.relations {
            self.add(name, (view.view, &view.owner), within, steps, context)?;
        }
        within.pop();
        let external = view.external.is_some();
        let schemas = if external { BTreeSet::from([name[0].as_str()]) } else { reads.named_schemas() };
        let schemas = schemas.into_iter().map(str::to_owned).collect();
        let place = view.bare_place();
        steps.views.push(Step { view: view.view, external, place, readers: [reader].into(), schemas, sql });
        Ok(())
    }

    /// A view's query for PostgreSQL, and what it reads.
    fn translated(&self, view: &View, context: &Context<'_>) -> Result<(String, Reads), Refusal> {
        if let Some(external) = &view.external {
            return Ok((external.query(&self.lake, context.names), Reads::default()));
        }
        let reader = Some(view.owner.clone());
        let late = !view.materialized;
        let binding = Binding { open: true, late, reader, ..self.binding() };
        let reads = RefCell::default();
        let inner = Context { binding: &binding, reads: &reads, ..*context };
        let tokens = statements(&view.text)?.into_iter().next().unwrap_or_default();
        let sql = query::checked(query_of(&tokens, late), &inner)?;
        Ok((sql, reads.into_inner()))
    }

    /// What the views among `reads` were, for a statement to make sure that they still are.
    pub fn found(&self, reads: &Reads) -> String {
        let one = |name: &Name| {
            let view = self.views.get(name).filter(|view| view.external.is_none());
            json!({"name": name, "view": view.map(|v| v.view), "text": view.map(|v| v.text.as_str())})
        };
        serde_json::Value::from_iter(reads.relations.iter().map(one)).to_string()
    }
}

impl View {
    fn place(&self) -> String {
        format!("pg_temp.{}", self.bare_place())
    }

    fn bare_place(&self) -> String {
        self.external.as_ref().map_or_else(|| format!("late_{}", self.view), |external| external.place.clone())
    }
}

/// Where the rows of a relation of another database are put for a reader.
pub fn elsewhere(who: &str, name: &Name) -> String {
    format!("pg_temp.{}", elsewhere_place(who, name))
}

/// The same without its schema.
pub fn elsewhere_place(who: &str, name: &Name) -> String {
    let digest = Sha256::digest(format!("{who}\0{}", name.join("\0")));
    format!("other_{}", digest.iter().take(8).map(|b| format!("{b:02x}")).collect::<String>())
}

/// What has to be made before a statement.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Steps {
    /// Relations of other databases, by who reads them.
    pub copies: BTreeSet<(String, Name)>,
    views: Vec<Step>,
}

#[derive(Debug, PartialEq, Eq)]
struct Step {
    view: u32,
    external: bool,
    place: String,
    /// Who reads it: 0 is whoever asks, else it is the owner of a view.
    readers: BTreeSet<u32>,
    /// Where the reader needs USAGE.
    schemas: Vec<String>,
    sql: String,
}

impl Steps {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.views.is_empty()
    }

    /// As the shims read them.
    pub fn json(&self) -> serde_json::Value {
        let one = |step: &Step| json!({"view": step.view, "external": step.external, "place": step.place, "readers": step.readers, "schemas": step.schemas, "sql": step.sql});
        serde_json::Value::from_iter(self.views.iter().map(one))
    }
}

/// The query of a view's statement.
fn query_of(tokens: &[Token], late: bool) -> &[Token] {
    let start = tokens.iter().position(|t| t.is_word("as")).map_or(tokens.len(), |at| at + 1);
    let behind = if late { WITHOUT.len() } else { 0 };
    &tokens[start..tokens.len().saturating_sub(behind).max(start)]
}
