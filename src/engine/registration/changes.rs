//! The way from what is there of a registration of tables to what is wanted: one list, which says what is missing, is
//! planned, and is run.

pub(super) mod given;
mod views;

use std::collections::{BTreeMap, BTreeSet};

use super::by_hand;
use super::found::{Detail, Given, Inside, TablesFound};
use super::kept::Kept;
use super::wanted::{Desired, DesiredView, TablesWanted};
use crate::engine::catalog::snapshot::{Relation, RelationKind};
use crate::engine::error::{Error, shown};
use crate::engine::names::same_name;
use crate::engine::rights::Rights;
use crate::engine::sql::{Sql, ident, sql};

/// Where and when a change is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// In the database of the tables, as the login, before there are views on them.
    Before,
    /// In the managed database, as who owns what is there: copies of external tables, which may take long.
    Copies,
    /// The same, once they are there.
    Inside,
    /// In the database of the tables, once no view needs it.
    After,
}

/// Something that is not as it is wanted.
#[derive(Clone, Debug)]
pub struct Change {
    /// In words: what is missing, or what is there and should not be.
    pub what: Vec<String>,
    /// Whether it is something that should not be there.
    pub excess: bool,
    /// When it is put right.
    pub stage: Stage,
    /// How.
    pub statements: Vec<Sql>,
}

/// All changes, in their order, and what will have been given then that nobody else had given.
#[derive(Clone, Debug, Default)]
pub struct Way {
    /// The changes.
    pub changes: Vec<Change>,
    /// What was given.
    pub made: BTreeSet<Given>,
    /// The views that were made before, whether they stay or not.
    pub views_before: BTreeSet<String>,
    /// What is given, whoever gave it.
    wanted: BTreeSet<Given>,
}

impl Way {
    /// Whether it is needed.
    pub fn needs(&self, given: &Given) -> bool {
        *given == Given::Schema || self.wanted.contains(given)
    }

    /// What is missing, in words.
    pub fn missing(&self) -> Vec<String> {
        self.changes.iter().filter(|change| !change.excess).flat_map(|change| change.what.clone()).collect()
    }

    /// What is there and should not be, in words.
    pub fn surplus(&self) -> Vec<String> {
        self.changes.iter().filter(|change| change.excess).flat_map(|change| change.what.clone()).collect()
    }

    /// The statements of a stage.
    pub fn statements(&self, stage: Stage) -> Vec<Sql> {
        let of_stage = self.changes.iter().filter(|change| change.stage == stage);
        of_stage.flat_map(|change| change.statements.clone()).collect()
    }
}

/// How many names go into one GRANT.
const TOGETHER: usize = 100;

/// Finds the way. Errors: something of somebody else's is where a view is to be.
pub fn way(wanted: &TablesWanted, desired: &Desired, found: &TablesFound, kept: &Kept) -> Result<Way, Error> {
    let mut finder = Finder::new(wanted, desired, found, kept);
    finder.refuse_what_is_in_the_way()?;
    finder.way.views_before = finder.made_before();
    finder.given();
    finder.entitlements();
    finder.copies();
    finder.views();
    finder.readers();
    finder.gone();
    finder.taken_back();
    Ok(finder.way)
}

struct Finder<'a> {
    wanted: &'a TablesWanted,
    desired: &'a Desired,
    found: &'a TablesFound,
    kept: &'a Kept,
    others: Vec<(String, Detail)>,
    /// What roles hold on what is in the schema of the views, by name.
    of_roles: BTreeMap<&'a str, Vec<(&'a str, Rights)>>,
    way: Way,
    /// Whether nothing of it is wanted any more.
    removes: bool,
}

/// What a removal takes away: views, entitlements, rights, and the schema of the views if nothing else is in it.
pub fn undoing(wanted: &TablesWanted, found: &TablesFound, kept: &Kept) -> Way {
    let desired = Desired::default();
    let mut finder = Finder { removes: true, ..Finder::new(wanted, &desired, found, kept) };
    finder.gone();
    finder.taken_back();
    finder.schema_gone();
    finder.way
}

/// What takes a registration away that is as it is wanted, for a person to run.
pub struct Removal {
    /// The views, as who owns them. A statement does nothing where there is none.
    pub views: Vec<Sql>,
    /// What was given in the managed database.
    pub rights: Vec<Sql>,
    /// The schema of the views, if it was made for them: others may have put something there since.
    pub schema: Option<Sql>,
    /// In the database of the tables.
    pub after: Vec<Sql>,
}

/// Finds it. `made` is what will have been given.
pub fn removal(
    wanted: &TablesWanted,
    desired: &Desired,
    found: &TablesFound,
    kept: &Kept,
    made: &BTreeSet<Given>,
) -> Removal {
    let finder = Finder::new(wanted, desired, found, kept);
    let views = desired.views.values().map(|view| view.name.as_str());
    let views: BTreeSet<&str> = views.chain(kept.views.values().map(|view| view.name.as_str())).collect();
    let copies = desired.views.values().filter_map(|view| Some(view.copy.as_ref()?.name.as_str()));
    let found_copies = found.inside.copies(&wanted.name).into_iter().map(|copy| copy.name.as_str());
    let copies: BTreeSet<&str> = copies.chain(found_copies).collect();
    let mut drops: Vec<Sql> =
        views.into_iter().map(|view| sql!("DROP VIEW IF EXISTS {}", finder.view_name(view))).collect();
    let of_copy = |copy: &str| sql!("DROP MATERIALIZED VIEW IF EXISTS {}", wanted.uri.relation(copy));
    drops.extend(copies.into_iter().map(of_copy));
    let entitlements = desired.entitlements.iter().map(|view| &view.name);
    let entitlements: BTreeSet<&String> = entitlements.chain(kept.entitlements.iter().map(|view| &view.name)).collect();
    drops.extend(entitlements.into_iter().map(|view| sql!("DROP VIEW IF EXISTS {}", wanted.uri.relation(view))));
    let needed = finder.needed_by_others();
    let back = |given: &&Given| !needed.contains(*given) && **given != Given::Schema;
    let is_inside = |given: &Given| given::stage_of(given) == Stage::Inside;
    let (within, after): (Vec<&Given>, Vec<&Given>) = made.iter().filter(back).partition(|given| is_inside(given));
    Removal {
        views: drops,
        rights: within.into_iter().map(|given| finder.revoke(given)).collect(),
        schema: made.contains(&Given::Schema).then(|| finder.revoke(&Given::Schema)),
        after: after.into_iter().map(|given| finder.revoke(given)).collect(),
    }
}

impl<'a> Finder<'a> {
    fn new(wanted: &'a TablesWanted, desired: &'a Desired, found: &'a TablesFound, kept: &'a Kept) -> Finder<'a> {
        let (others, inside) = (found.inside.others(&wanted.name), &found.inside);
        let mut of_roles: BTreeMap<&str, Vec<(&str, Rights)>> = BTreeMap::new();
        if let Some(schema) = inside.schema(&wanted.offer.view_schema) {
            for held in inside.role_rights.all() {
                for ((_, name), rights) in held.relations.iter().filter(|((of, _), _)| *of == schema.name) {
                    of_roles.entry(name.as_str()).or_default().push((held.role.as_str(), *rights));
                }
            }
        }
        Finder { wanted, desired, found, kept, others, of_roles, way: Way::default(), removes: false }
    }
}

impl Finder<'_> {
    fn inside(&self) -> &Inside {
        &self.found.inside
    }

    fn schema(&self) -> &str {
        &self.wanted.offer.view_schema
    }

    fn relation(&self, view: &str) -> Option<&Relation> {
        self.inside().relation(self.schema(), view)
    }

    fn view_name(&self, view: &str) -> Sql {
        sql!("{}.{}", ident(self.schema()), ident(view))
    }

    fn view_words(&self, view: &str) -> String {
        format!("view {}.{}", shown(self.schema()), shown(view))
    }

    /// Whether the warehouse takes one name for the other.
    fn is_same(&self, one: &str, other: &str) -> bool {
        same_name(one, other, self.inside().snapshot.login.case_sensitive)
    }

    /// The names of the views that were made for it: what an apply has kept, and what its own entry says, which after an
    /// import, or an apply whose answer was lost, is more. They are names in a schema that is ours.
    fn made_before(&self) -> BTreeSet<String> {
        let kept = self.kept.views.values().map(|kept| kept.name.clone());
        let entered = self.inside().detail(&self.wanted.name);
        let entered = entered.filter(|detail| self.is_same(&detail.offer.view_schema, self.schema()));
        kept.chain(entered.into_iter().flat_map(|detail| detail.views)).collect()
    }

    fn push(&mut self, stage: Stage, what: impl Into<String>, statements: Vec<Sql>) {
        self.way.changes.push(Change { what: vec![what.into()], excess: false, stage, statements });
    }

    fn too_much(&mut self, stage: Stage, what: impl Into<String>, statement: Sql) {
        self.way.changes.push(Change { what: vec![what.into()], excess: true, stage, statements: vec![statement] });
    }

    fn is_ours(&self, relation: &Relation) -> bool {
        relation.owner == self.inside().seat.owner && relation.kind == RelationKind::View
    }

    /// A schema or view of somebody else's, and a view of another registration, are left as they are.
    fn refuse_what_is_in_the_way(&self) -> Result<(), Error> {
        let schema = self.inside().schema(self.schema());
        if let Some(schema) = schema.filter(|schema| schema.owner != self.inside().seat.owner) {
            let owner = self.found.source.principals.name_of(schema.owner);
            return Err(Error::refused(
                format!("Schema {} is somebody else's", ident(self.schema())),
                format!(
                    "The views go into schema {} of database {}, which belongs to {}, who could put something else in their place. \
                     Write another view_schema, or leave it out: one that is not there is made.",
                    ident(self.schema()),
                    ident(&self.wanted.uri.database),
                    shown(&owner)
                ),
            )
            .about("view_schema"));
        }
        for (table, view) in &self.desired.views {
            let Some(relation) = self.relation(&view.name) else { continue };
            let is_its = |detail: &Detail| {
                self.is_same(&detail.offer.view_schema, self.schema())
                    && detail.views.iter().any(|name| self.is_same(name, &view.name))
            };
            let other = self.others.iter().find(|(_, detail)| is_its(detail));
            let why = match other {
                Some((other, _)) => format!("it is a view of the registration \"{}\"", shown(other)),
                None if !self.is_ours(relation) => {
                    let owner = self.found.source.principals.name_of(relation.owner);
                    format!("there is a {} of {}", relation.kind.name(), shown(&owner))
                }
                // Of which registration it is, only its entry says.
                None if self.is_of_unseen(table, view) => {
                    "there is a view already, and this login cannot see whose".to_owned()
                }
                None => continue,
            };
            return Err(Error::refused(
                format!("The name of a view is taken: {}", ident(&view.name)),
                format!(
                    "The view on {} would be {}, but {why}. Nothing was changed. Leave the table out (except_tables), or write \
                     another view_name or view_schema.",
                    ident(table),
                    self.view_name(&view.name)
                ),
            )
            .about("view_name"));
        }
        Ok(())
    }

    fn is_of_unseen(&self, table: &str, view: &DesiredView) -> bool {
        let (inside, kept) = (self.inside(), self.kept.views.get(table).is_some_and(|kept| kept.name == view.name));
        let text = inside.whole_text(self.schema(), &view.name).zip(view.made_by.as_ref());
        let is_as_written = text.is_some_and(|(text, made_by)| by_hand::is_as_written(text, &made_by.sql));
        !inside.seat.reads_all && !kept && !is_as_written && view.made_by.is_some()
    }

    /// The schema of the views, if it was made for them and they were all that is in it.
    fn schema_gone(&mut self) {
        let Some(schema) = self.inside().schema(self.schema()) else { return };
        let going = self.made_before();
        let goes = |relation: &Relation| going.iter().any(|name| self.is_same(name, &relation.name));
        let others = schema.relations.iter().any(|relation| !goes(relation) || !self.is_ours(relation));
        let is_shared = self.others.iter().any(|(_, other)| self.is_same(&other.offer.view_schema, self.schema()));
        let is_ours = schema.owner == self.inside().seat.owner && self.kept.made.contains(&Given::Schema);
        if is_ours && !others && !is_shared {
            let (words, drop) =
                (format!("schema {}", shown(self.schema())), sql!("DROP SCHEMA {}", ident(self.schema())));
            self.too_much(Stage::Inside, words, drop);
        }
    }
}
