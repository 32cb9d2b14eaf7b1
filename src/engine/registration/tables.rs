//! Registrations of tables: made, changed, removed. Everything is looked at anew in the turn in which it is changed, and an
//! apply that was cut short is found again by its entry in the registry.

mod removal;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use tokio_util::sync::CancellationToken;

use super::by_hand::ENTRY;
use super::changes::{Stage, Way, way};
use super::external;
use super::found::{self, Detail, Given, Inside, TablesFound};
use super::kept::{Kept, KeptText, KeptView};
use super::mask_key;
use super::registry::{self, Entry, Registry, What};
use super::seat::{Seat, not_there};
use super::source::{Named, SourceFound};
use super::uri::IntegrationUri;
use super::wanted::{Desired, DesiredView, External, Offer, TablesWanted};
use crate::engine::catalog::At;
use crate::engine::cell::lock;
use crate::engine::error::Error;
use crate::engine::governance::Problem;
use crate::engine::object;
use crate::engine::session::warehouse::Warehouse;
use crate::engine::sql::Sql;
use crate::engine::step::Step;

pub use removal::{left, remains, remove};

/// Why tables are not offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotOffered {
    /// The rules are wrong, for these tables.
    Rules(Vec<Problem>),
    /// A person has still to run the scripts: what is lacking, in words.
    NotYet(Vec<String>),
    /// Something else.
    Failed(Error),
}

impl From<Error> for NotOffered {
    fn from(error: Error) -> NotOffered {
        NotOffered::Failed(error)
    }
}

impl From<Vec<Problem>> for NotOffered {
    fn from(problems: Vec<Problem>) -> NotOffered {
        NotOffered::Rules(problems)
    }
}

/// What was seen of a registration.
#[derive(Clone, Debug)]
pub struct Looked {
    /// What is there.
    pub found: TablesFound,
    /// What is wanted.
    pub desired: Desired,
    /// The way from one to the other.
    pub way: Way,
    /// The registration's name.
    pub name: String,
    /// The schema of the views.
    pub schema: String,
    /// The user who owns them.
    pub system_user: String,
    /// Whether the integration is there. One that is made by hand may be to come.
    pub is_there: bool,
}

/// Looks at a registration. None: the integration is not there, and no person is to make it. With `named`, nothing is
/// offered that it does not name.
pub async fn look(
    warehouse: &Warehouse,
    wanted: &TablesWanted,
    kept: &Kept,
    named: Option<&Named>,
    cancel: &CancellationToken,
) -> Result<Option<Looked>, NotOffered> {
    wanted.offer.check()?;
    let at = At::new(warehouse, &wanted.uri.database, cancel);
    let (mut found, is_there) = match Box::pin(found::look(at, wanted)).await? {
        Some(found) => (found, true),
        None if wanted.uri.by_hand => (found::to_come(at, wanted).await?, false),
        None => return Ok(None),
    };
    if let Some(named) = named {
        found.source = found.source.only(named);
    }
    let is_settled = |table: &str, view: &str, of: &str| {
        let kept = kept.views.get(table).filter(|kept| kept.name == view && kept.of == of);
        kept.is_some_and(|kept| kept.seen.is_some() && kept.seen == found.inside.text(&wanted.offer.view_schema, view))
    };
    wanted.refuse_another_kind(&found.source)?;
    let entered = found.inside.detail(&wanted.name).is_some_and(|detail| !detail.views.is_empty());
    let was_more = !kept.views.is_empty() || entered || !found.inside.copies(&wanted.name).is_empty();
    if found.source.external.is_some() && found.source.tables.is_empty() && was_more {
        return Err(NotOffered::Failed(external::shows_nothing(&wanted.offer.source)));
    }
    let desired = wanted.offer.desired(&wanted.uri, &wanted.name, &found.source, is_settled)?;
    let way = way(wanted, &desired, &found, kept)?;
    let (name, schema) = (wanted.name.clone(), wanted.offer.view_schema.clone());
    Ok(Some(Looked { found, desired, way, name, schema, system_user: wanted.uri.system_user.clone(), is_there }))
}

/// The same before a change of it: what is read here need not be read again by [`apply`].
pub async fn look_ahead(
    warehouse: &Warehouse,
    wanted: &TablesWanted,
    kept: &Kept,
    cancel: &CancellationToken,
) -> Result<Option<Looked>, NotOffered> {
    warehouse.catalog().looks_ahead(&what(wanted));
    look(warehouse, wanted, kept, None, cancel).await
}

fn what(wanted: &TablesWanted) -> String {
    format!("tables {} of {}", wanted.name, wanted.uri)
}

/// Whether a registration that a person makes is as it is wanted. The error lists what is not.
pub async fn verify(
    warehouse: &Warehouse,
    wanted: &TablesWanted,
    kept: &Kept,
    cancel: &CancellationToken,
) -> Result<Applied, NotOffered> {
    let looked = look(warehouse, wanted, kept, None, cancel).await?;
    let mut looked =
        looked.filter(|looked| looked.is_there).ok_or_else(|| NotOffered::Failed(not_there(&wanted.uri)))?;
    wanted.refuse_strangers(&looked.found.source)?;
    refuse_another(wanted, &looked, kept)?;
    let mut lacks = looked.lacks(wanted);
    if !lacks.is_empty() && kept.entitlements.is_some() {
        // The same, which the warehouse may have begun to show in other words.
        let unseen = kept.entitlements.clone().map(|kept| KeptText { seen: None, ..kept });
        let is_same = looked.desired.entitlements.as_ref().map(|it| &it.of) == unseen.as_ref().map(|it| &it.of);
        if is_same {
            looked.way = way(wanted, &looked.desired, &looked.found, &Kept { entitlements: unseen, ..kept.clone() })?;
            lacks = looked.lacks(wanted);
        }
    }
    if !lacks.is_empty() {
        return Err(NotOffered::NotYet(lacks));
    }
    let made = match looked.found.inside.detail(&wanted.name) {
        Some(detail) => detail.made,
        None => looked.way.made.clone(),
    };
    Ok(Applied { kept: kept_of(wanted, &looked, kept, made), views: views_of(wanted, &looked.desired), looked })
}

/// Refuses to take the place of a registration that somebody else has made. Where nothing is kept, it is new.
pub fn refuse_another(wanted: &TablesWanted, looked: &Looked, kept: &Kept) -> Result<(), Error> {
    let is_other = |detail: Detail| detail.offer != wanted.offer;
    let inside = &looked.found.inside;
    match inside.entry(&wanted.name) {
        // A run began it that did not end, or whose answer was lost.
        Some(entry)
            if entry.is_done && *kept == Kept::default() && inside.detail(&wanted.name).is_none_or(is_other) =>
        {
            Err(super::exists("tables", &wanted.name))
        }
        _ => Ok(()),
    }
}

impl Looked {
    /// What is not as it is wanted, in words.
    pub(super) fn lacks(&self, wanted: &TablesWanted) -> Vec<String> {
        let surplus = self.way.surplus().into_iter().map(|what| format!("{what} (which should not be there)"));
        let inside = &self.found.inside;
        let is_entered = inside.detail(&self.name).is_some_and(|detail| {
            let now = Detail::of(wanted, self);
            let is_done = inside.entry(&self.name).is_some_and(|entry| entry.is_done);
            is_done && detail.offer == now.offer && detail.views == now.views
        });
        let entry = (inside.seat.reads_all && !is_entered).then(|| ENTRY.to_owned());
        let key = (self.desired.hashes && !inside.seat.has_mask_key).then(|| "key of hashes".to_owned());
        self.way.missing().into_iter().chain(surplus).chain(key).chain(entry).collect()
    }
}

/// Makes the registration what is wanted. `kept` is what the last apply remembers; none: it is new, and one of its name that
/// a run has made is refused.
pub async fn apply(
    warehouse: &Warehouse,
    wanted: &TablesWanted,
    kept: Option<&Kept>,
    named: Option<&Named>,
    cancel: &CancellationToken,
) -> Result<Applied, NotOffered> {
    let known = kept.cloned().unwrap_or_default();
    // Of the tables, what is seen now counts, and not what another resource of this run has seen.
    warehouse.catalog().forget_before_look_ahead(&wanted.offer.source.database, &what(wanted));
    let looked = look(warehouse, wanted, &known, named, cancel).await?;
    let looked = looked.ok_or_else(|| NotOffered::Failed(not_there(&wanted.uri)))?;
    wanted.refuse_strangers(&looked.found.source)?;
    let claimed = std::sync::atomic::AtomicBool::new(false);
    let run = Run { warehouse, wanted, kept, known: &known, named, claimed: &claimed, last: Mutex::default(), cancel };
    if looked.desired.hashes {
        mask_key::ensure(warehouse, &looked.found.inside.seat, cancel).await?;
    }
    match Box::pin(run.all(&looked)).await {
        Ok(()) => {}
        Err(error) => {
            if kept.is_none() && claimed.load(std::sync::atomic::Ordering::Relaxed) {
                run.take_back(&looked).await;
            }
            return Err(wanted.explained(error).into());
        }
    }
    // What was looked at in the turn is as it was wanted now; only what the warehouse makes of the texts is new.
    let mut looked = lock(&run.last).take().unwrap_or(looked);
    let made = run.made(&looked, true);
    let never = CancellationToken::new();
    let at = At::new(warehouse, &wanted.uri.database, &never);
    looked.found.inside = looked.found.inside.with_new_texts(at).await?;
    Ok(Applied { kept: kept_of(wanted, &looked, &known, made), views: views_of(wanted, &looked.desired), looked })
}

impl Detail {
    /// Of what was seen.
    pub(super) fn of(wanted: &TablesWanted, looked: &Looked) -> Detail {
        Detail {
            offer: wanted.offer.clone(),
            views: looked.desired.views.values().map(|view| view.name.clone()).collect(),
            made: looked.way.made.clone(),
        }
    }

    /// As it is entered.
    pub(super) fn text(&self) -> Result<String, Error> {
        let text = serde_json::to_string(self);
        text.map_err(|error| Error::refused("The registration cannot be written", error.to_string()))
    }
}

/// What an apply came to.
#[derive(Clone, Debug)]
pub struct Applied {
    /// What is to be remembered.
    pub kept: Kept,
    /// The view of each table, with its schema.
    pub views: BTreeMap<String, String>,
    /// What was seen afterwards.
    pub looked: Looked,
}

/// The copy that each view reads, with its schema, by table.
pub fn copies_of(wanted: &TablesWanted, desired: &Desired) -> BTreeMap<String, String> {
    let name = |view: &DesiredView| Some(wanted.uri.relation(&view.copy.as_ref()?.name).to_string());
    desired.views.iter().filter_map(|(table, view)| Some((table.clone(), name(view)?))).collect()
}

/// The view of each table, with its schema.
pub fn views_of(wanted: &TablesWanted, desired: &Desired) -> BTreeMap<String, String> {
    let name = |view: &str| format!("{}.{view}", wanted.offer.view_schema);
    desired.views.iter().map(|(table, view)| (table.clone(), name(&view.name))).collect()
}

/// What is remembered once all is as wanted.
fn kept_of(wanted: &TablesWanted, looked: &Looked, before: &Kept, made: BTreeSet<Given>) -> Kept {
    let inside = &looked.found.inside;
    let seen = |schema: &str, name: &str| inside.text(schema, name);
    let text_before = |table: &str| before.views.get(table).map(|kept| kept.text.clone()).unwrap_or_default();
    Kept {
        views: looked
            .desired
            .views
            .iter()
            .map(|(table, view)| {
                let kept = KeptView {
                    name: view.name.clone(),
                    of: view.of.clone(),
                    text: view.made_by.as_ref().map_or_else(|| text_before(table), |made| made.text.clone()),
                    seen: seen(&wanted.offer.view_schema, &view.name),
                    form: view.form.clone(),
                    columns: view.columns.clone(),
                };
                (table.clone(), kept)
            })
            .collect(),
        entitlements: looked.desired.entitlements.as_ref().map(|text| KeptText {
            name: text.name.clone(),
            of: text.of.clone(),
            text: text.text.clone(),
            seen: seen(&wanted.uri.system(), &text.name),
        }),
        made,
    }
}

/// One apply.
struct Run<'a> {
    warehouse: &'a Warehouse,
    wanted: &'a TablesWanted,
    kept: Option<&'a Kept>,
    known: &'a Kept,
    named: Option<&'a Named>,
    claimed: &'a std::sync::atomic::AtomicBool,
    /// What was seen in the turn of the views.
    last: Mutex<Option<Looked>>,
    cancel: &'a CancellationToken,
}

impl Run<'_> {
    /// All stages. Where the tables are in the managed database, one transaction does all of it; else, and where a right
    /// cannot be given in a transaction, the registration is entered first, so that nothing that is given is ever nobody's.
    async fn all(&self, looked: &Looked) -> Result<(), Error> {
        let (managed, source) = (&self.wanted.uri.database, &self.wanted.offer.source.database);
        if managed == source && looked.found.source.external.is_none() {
            return self.turn(managed, &[Stage::Before, Stage::Inside, Stage::After]).await;
        }
        if self.is_within(looked) && self.inside_alone().await? {
            return Ok(());
        }
        self.claim().await?;
        self.turn(source, &[Stage::Before]).await?;
        while self.wanted.offer.external == Some(External::Materialized) && self.one_copy().await? {}
        self.turn(managed, &[Stage::Inside]).await?;
        self.turn(source, &[Stage::After]).await
    }

    /// Makes a copy that is lacking, which may take long: each is kept, whatever becomes of the next. False: none is.
    async fn one_copy(&self) -> Result<bool, Error> {
        let made = std::sync::atomic::AtomicBool::new(false);
        let steps = || async {
            let looked = self.look().await?;
            self.may(&looked)?;
            let first: Vec<Sql> = looked.way.statements(Stage::Copies).into_iter().take(1).collect();
            made.store(!first.is_empty(), std::sync::atomic::Ordering::Relaxed);
            Ok(looked.found.inside.seat.steps(first, "a copy"))
        };
        object::in_turn(self.warehouse, &self.wanted.uri.database, steps, self.cancel).await?;
        Ok(made.load(std::sync::atomic::Ordering::Relaxed))
    }

    /// Whether nothing has to be given or taken back in the database of the tables, nor remembered of it.
    fn is_within(&self, looked: &Looked) -> bool {
        let elsewhere = [Stage::Before, Stage::Copies, Stage::After].map(|stage| looked.way.statements(stage));
        self.kept.is_some() && elsewhere.iter().all(Vec::is_empty) && looked.way.made.is_subset(&self.known.made)
    }

    /// A change within the managed database alone. False: in its turn there turned out to be more to do.
    async fn inside_alone(&self) -> Result<bool, Error> {
        let alone = std::sync::atomic::AtomicBool::new(true);
        let steps = || async {
            let looked = self.look().await?;
            if !self.is_within(&looked) {
                alone.store(false, std::sync::atomic::Ordering::Relaxed);
                return Ok(Vec::new());
            }
            let steps = self.steps_of(&looked, Stage::Inside)?;
            *lock(&self.last) = Some(looked);
            Ok(steps)
        };
        object::in_turn(self.warehouse, &self.wanted.uri.database, steps, self.cancel).await?;
        Ok(alone.load(std::sync::atomic::Ordering::Relaxed))
    }

    async fn look(&self) -> Result<Looked, Error> {
        match Box::pin(look(self.warehouse, self.wanted, self.known, self.named, self.cancel)).await {
            Ok(Some(looked)) => {
                self.wanted.refuse_strangers(&looked.found.source)?;
                Ok(looked)
            }
            Ok(None) => Err(not_there(&self.wanted.uri)),
            Err(NotOffered::Failed(error)) => Err(error),
            // Nothing is verified here.
            Err(NotOffered::NotYet(_)) => Err(not_there(&self.wanted.uri)),
            Err(NotOffered::Rules(problems)) => {
                Err(changed_meanwhile(&problems.first().map(ToString::to_string).unwrap_or_default()))
            }
        }
    }

    /// Refuses a registration that somebody else has made.
    fn may(&self, looked: &Looked) -> Result<(), Error> {
        if self.kept.is_some() || self.claimed.load(std::sync::atomic::Ordering::Relaxed) {
            return Ok(());
        }
        refuse_another(self.wanted, looked, self.known)
    }

    async fn claim(&self) -> Result<(), Error> {
        let steps = || async {
            let looked = self.look().await?;
            self.may(&looked)?;
            self.claimed.store(true, std::sync::atomic::Ordering::Relaxed);
            let inside = &looked.found.inside;
            let entry = self.entry(&looked, false)?;
            let is_entered = inside.entry(&self.wanted.name).is_some_and(|there| there.detail == entry.detail);
            let is_done = looked.way.changes.is_empty();
            if is_entered && is_done {
                return Ok(Vec::new());
            }
            Ok(inside.seat.steps(self.entering(inside, &entry), "the registry"))
        };
        object::in_turn(self.warehouse, &self.wanted.uri.database, steps, self.cancel).await
    }

    fn entry(&self, looked: &Looked, is_done: bool) -> Result<Entry, Error> {
        let mut detail = Detail { made: self.made(looked, is_done), ..Detail::of(self.wanted, looked) };
        if !is_done {
            detail.views.extend(looked.way.views_before.iter().cloned());
        }
        Ok(Entry { is_done, detail: detail.text()? })
    }

    /// What was given for it, as far as that is known: by the entry, where a run was cut short. An entry can only say what
    /// the configuration might have asked for.
    fn made(&self, looked: &Looked, is_done: bool) -> BTreeSet<Given> {
        let entered = looked.found.inside.detail(&self.wanted.name).map(|detail| detail.made).unwrap_or_default();
        let mut made = looked.way.made.clone();
        made.extend(entered.iter().filter(|given| looked.way.needs(given)).cloned());
        if !is_done {
            made.extend(self.known.made.iter().cloned());
            made.extend(entered);
        }
        made
    }

    fn entering(&self, inside: &Inside, entry: &Entry) -> Vec<Sql> {
        let make = (!inside.seat.has_registry).then(|| registry::make(&self.wanted.uri));
        let write = registry::write(&self.wanted.uri, What::Tables, &self.wanted.name, entry);
        make.into_iter().chain(write).collect()
    }

    async fn turn(&self, database: &str, stages: &[Stage]) -> Result<(), Error> {
        let steps = || async {
            let looked = self.look().await?;
            self.may(&looked)?;
            let mut steps = Vec::new();
            for stage in stages {
                steps.extend(self.steps_of(&looked, *stage)?);
            }
            if stages.contains(&Stage::Inside) {
                *lock(&self.last) = Some(looked);
            }
            Ok(steps)
        };
        object::in_turn(self.warehouse, database, steps, self.cancel).await
    }

    fn steps_of(&self, looked: &Looked, stage: Stage) -> Result<Vec<Step>, Error> {
        let statements = looked.way.statements(stage);
        let inside = &looked.found.inside;
        match stage {
            Stage::Before | Stage::After => {
                return Ok(on_the_tables(&looked.found.source, &self.wanted.offer.source.database, statements));
            }
            // Each in a turn of its own.
            Stage::Copies => return Ok(Vec::new()),
            Stage::Inside if !looked.way.statements(Stage::Copies).is_empty() => return Err(changed_meanwhile("")),
            Stage::Inside => {}
        }
        let entry = self.entry(looked, true)?;
        let is_entered = inside.entry(&self.wanted.name) == Some(&entry);
        if statements.is_empty() && is_entered {
            return Ok(Vec::new());
        }
        let entering = if is_entered { Vec::new() } else { self.entering(inside, &entry) };
        Ok(inside.seat.steps(statements.into_iter().chain(entering), "the views"))
    }

    /// After a failure: what was made is taken back, as far as that goes. What is left is found again by its entry.
    async fn take_back(&self, looked: &Looked) {
        let never = CancellationToken::new();
        let kept = kept_of(self.wanted, looked, self.known, looked.way.made.clone());
        let taken = remove(self.warehouse, self.wanted, &kept, &never).await;
        if let Err(error) = taken {
            tracing::debug!(%error, "what was begun is left");
        }
    }
}

fn changed_meanwhile(how: &str) -> Error {
    Error::refused("The tables changed while this apply ran", format!("{how}\nPlease apply again.").trim_start())
}

/// The steps that give rights on the tables, or take them back. Those on an external schema run in no transaction (AWS: GRANT).
fn on_the_tables(source: &SourceFound, database: &str, statements: Vec<Sql>) -> Vec<Step> {
    let step = |sql| Step { alone: source.external.is_some(), ..Step::new(database, sql, "rights on the tables") };
    statements.into_iter().map(step).collect()
}

/// A registration as its entry tells it, for an import: what is offered, and what was given for it. None: there is none of
/// the name.
pub async fn entered(at: At<'_>, uri: &IntegrationUri, name: &str) -> Result<Option<(Offer, Kept)>, Error> {
    let Some(seat) = Seat::find(at, uri).await? else { return Ok(None) };
    let mut session = at.warehouse.session(at.database, at.cancel).await?;
    let registry = Registry::read(&mut session, &seat).await?;
    let Some(entry) = registry.entry(What::Tables, name) else { return Ok(None) };
    let detail: Detail = serde_json::from_str(&entry.detail).map_err(|error| {
        Error::refused(
            "The registration cannot be read",
            format!("Its entry in {} is none that this provider writes: {error}.", uri.relation(registry::TABLE)),
        )
    })?;
    Ok(Some((detail.offer, Kept { made: detail.made, ..Kept::default() })))
}
