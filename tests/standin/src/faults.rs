//! What tests count, read and break.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::refusal::Refusal;

/// What a fault waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum On {
    /// A statement, before it is looked at.
    #[default]
    Statement,
    /// A statement that does work: any but SELECT, EXPLAIN, SET, RESET and SHOW; BEGIN and COMMIT are work.
    Work,
    /// A sign-in, before the password is asked for.
    Login,
    /// A call of AWS's API, once it is known whose.
    Aws,
}

/// What happens then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// The server's error; nothing is run. At a sign-in it is FATAL. Of a call of AWS's API: `sqlstate` is the code,
    /// such as `Throttling`.
    Error {
        /// Such as `XX000`.
        sqlstate: String,
        /// The message.
        message: String,
        /// DETAIL.
        #[serde(default)]
        detail: Option<String>,
    },
    /// The line breaks; nothing is run.
    CutBefore,
    /// It is run, and the line breaks before the answer.
    CutAfter,
    /// It takes longer by this much.
    Delay {
        /// Milliseconds.
        milliseconds: u64,
    },
    /// A statement waits, not yet run, until it is released ([`crate::Standin::release`]) or its client is gone, when it
    /// is never run.
    Stall,
    /// A statement is run, and its answer waits until it is released or its client is gone.
    StallAfter,
}

/// One thing that goes wrong, a number of times.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Statement, one that does work, sign-in or call of AWS's API.
    #[serde(default)]
    pub on: On,
    /// Only statements that hold this text (letter case ignored); for a sign-in, this user; only
    /// calls whose name (`sts:AssumeRole`) holds it. `None`: every one.
    #[serde(default)]
    pub contains: Option<String>,
    /// How many of those pass first.
    #[serde(default)]
    pub skip: u64,
    /// How often it happens.
    #[serde(default = "once")]
    pub times: u64,
    /// What happens.
    pub action: Action,
}

fn once() -> u64 {
    1
}

impl Fault {
    /// The next statement that holds `contains` does this.
    pub fn statement(contains: &str, action: Action) -> Self {
        Fault { on: On::Statement, contains: Some(contains.to_owned()), skip: 0, times: 1, action }
    }

    /// The next statement that holds `contains` fails.
    pub fn error(contains: &str, sqlstate: &str, message: &str) -> Self {
        let action = Action::Error { sqlstate: sqlstate.to_owned(), message: message.to_owned(), detail: None };
        Fault::statement(contains, action)
    }

    /// The line breaks at the `k`-th statement from now, counted from 1: before it is run, or after.
    pub fn cut(k: u64, after: bool) -> Self {
        let action = if after { Action::CutAfter } else { Action::CutBefore };
        Fault { on: On::Statement, contains: None, skip: k.saturating_sub(1), times: 1, action }
    }

    /// The `k`-th statement from now that does work ([`On::Work`]), counted from 1, does this.
    pub fn work(k: u64, action: Action) -> Self {
        Fault { on: On::Work, contains: None, skip: k.saturating_sub(1), times: 1, action }
    }

    /// The next sign-in is refused.
    pub fn login(sqlstate: &str, message: &str) -> Self {
        let action = Action::Error { sqlstate: sqlstate.to_owned(), message: message.to_owned(), detail: None };
        Fault { on: On::Login, contains: None, skip: 0, times: 1, action }
    }

    /// The next sign-in to this database is refused.
    pub fn sign_in_to(database: &str, sqlstate: &str, message: &str) -> Self {
        Fault { contains: Some(database.to_owned()), ..Fault::login(sqlstate, message) }
    }

    /// The next call of AWS's API whose name (such as `sts:AssumeRole`) holds `contains` is answered with this error.
    pub fn aws(contains: &str, code: &str, message: &str) -> Self {
        Fault { on: On::Aws, ..Fault::error(contains, code, message) }
    }

    /// As often as this.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = times;
        self
    }

    /// At the `n`-th of the statements it fits, counted from 1.
    #[must_use]
    pub fn occurrence(self, n: u64) -> Self {
        self.skip(n.saturating_sub(1))
    }

    /// After letting so many pass.
    #[must_use]
    pub fn skip(mut self, skip: u64) -> Self {
        self.skip = skip;
        self
    }
}

/// What was asked, by sessions from outside; those of `Standin::sql` do not count.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Statements in all.
    pub statements: u64,
    /// Statements that do work: see [`On::Work`].
    pub work: u64,
    /// Statements by first word: `SELECT`, `GRANT`, `ALTER`, `SET`, …
    pub kinds: BTreeMap<String, u64>,
    /// Statements by database.
    pub databases: BTreeMap<String, u64>,
    /// Sessions opened.
    pub sessions: u64,
    /// Sessions open now.
    pub open_sessions: u64,
    /// The most that were open at once.
    pub max_sessions: u64,
    /// Statements held now by a fault that stalls.
    pub stalled: u64,
    /// Calls of AWS's API by name.
    pub aws_calls: BTreeMap<String, u64>,
}

impl Counters {
    /// GRANT, REVOKE, ALTER, CREATE and DROP together.
    pub fn changes(&self) -> u64 {
        ["GRANT", "REVOKE", "ALTER", "CREATE", "DROP"].iter().filter_map(|kind| self.kinds.get(*kind)).sum()
    }
}

/// A statement from outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Logged {
    /// The text, as it came.
    pub sql: String,
    /// The user who signed in.
    pub user: String,
    /// The database.
    pub database: String,
    /// `application_name` of the start-up message.
    pub application: String,
}

#[derive(Debug, Default)]
struct Inner {
    counters: Counters,
    faults: Vec<Fault>,
    log: Vec<Logged>,
    latency: Duration,
}

/// Counters, faults and the log of one stand-in.
#[derive(Debug, Default)]
pub struct Record {
    inner: Mutex<Inner>,
    released: Notify,
}

/// Whether a statement of this first word does work: see [`On::Work`].
fn is_work(kind: &str) -> bool {
    !["SELECT", "EXPLAIN", "SET", "RESET", "SHOW"].contains(&kind)
}

impl Record {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts and logs a statement.
    pub fn statement(&self, kind: &str, logged: Logged) {
        let mut inner = self.inner();
        inner.counters.statements += 1;
        inner.counters.work += u64::from(is_work(kind));
        *inner.counters.kinds.entry(kind.to_owned()).or_default() += 1;
        *inner.counters.databases.entry(logged.database.clone()).or_default() += 1;
        inner.log.push(logged);
    }

    /// Counts a call of AWS's API.
    pub fn aws_call(&self, name: &str) {
        *self.inner().counters.aws_calls.entry(name.to_owned()).or_default() += 1;
    }

    /// Counts a session for as long as the guard lives.
    pub fn session(self: &std::sync::Arc<Self>) -> SessionGuard {
        let mut inner = self.inner();
        inner.counters.sessions += 1;
        inner.counters.open_sessions += 1;
        inner.counters.max_sessions = inner.counters.max_sessions.max(inner.counters.open_sessions);
        SessionGuard(self.clone())
    }

    /// The fault that strikes a sign-in or a call of AWS's API now, if any.
    pub fn strike(&self, on: On, text: &str) -> Option<Action> {
        self.first(|fault| {
            let fits = |c: &String| match on {
                // `user@database`: one of the two, or both.
                On::Login => text.split('@').any(|part| part.eq_ignore_ascii_case(c)) || text.eq_ignore_ascii_case(c),
                _ => holds(text, c),
            };
            fault.on == on && fault.contains.as_ref().is_none_or(fits)
        })
    }

    /// The fault that strikes a statement now, if any. `kind`: its first word.
    pub fn strike_statement(&self, kind: &str, sql: &str) -> Option<Action> {
        self.first(|fault| {
            let here = fault.on == On::Statement || (fault.on == On::Work && is_work(kind));
            here && fault.contains.as_ref().is_none_or(|c| holds(sql, c))
        })
    }

    fn first(&self, fits: impl Fn(&Fault) -> bool) -> Option<Action> {
        let mut inner = self.inner();
        let mut struck = None;
        for fault in &mut inner.faults {
            if fault.times == 0 || struck.is_some() || !fits(fault) {
                continue;
            }
            if fault.skip > 0 {
                fault.skip -= 1;
            } else {
                fault.times -= 1;
                struck = Some(fault.action.clone());
            }
        }
        inner.faults.retain(|f| f.times > 0);
        struck
    }

    /// Waits until statements are released; counted as stalled meanwhile, also when the wait is given up.
    pub async fn stall(&self) {
        let released = self.released.notified();
        tokio::pin!(released);
        released.as_mut().enable();
        self.inner().counters.stalled += 1;
        let _guard = Stalled(self);
        released.await;
    }

    /// Lets go what is stalled now.
    pub fn release(&self) {
        self.released.notify_waiters();
    }

    /// Adds a fault.
    pub fn add_fault(&self, fault: Fault) {
        self.inner().faults.push(fault);
    }

    /// Removes all faults, and the latency; lets go what is stalled.
    pub fn clear_faults(&self) {
        let mut inner = self.inner();
        inner.faults.clear();
        inner.latency = Duration::ZERO;
        drop(inner);
        self.release();
    }

    /// Time added to each round trip.
    pub fn set_latency(&self, latency: Duration) {
        self.inner().latency = latency;
    }

    /// See [`Record::set_latency`].
    pub fn latency(&self) -> Duration {
        self.inner().latency
    }

    /// The counters now.
    pub fn counters(&self) -> Counters {
        self.inner().counters.clone()
    }

    /// Counters to zero and the log empty; open sessions and stalled statements stay counted.
    pub fn reset(&self) {
        let mut inner = self.inner();
        let Counters { open_sessions: open, stalled, .. } = inner.counters;
        inner.counters = Counters { open_sessions: open, max_sessions: open, stalled, ..Counters::default() };
        inner.log.clear();
    }

    /// What was sent since the last reset.
    pub fn log(&self) -> Vec<Logged> {
        self.inner().log.clone()
    }
}

fn holds(text: &str, part: &str) -> bool {
    text.to_ascii_lowercase().contains(&part.to_ascii_lowercase())
}

struct Stalled<'a>(&'a Record);

impl Drop for Stalled<'_> {
    fn drop(&mut self) {
        self.0.inner().counters.stalled -= 1;
    }
}

/// Counts a session as open.
#[derive(Debug)]
pub struct SessionGuard(std::sync::Arc<Record>);

impl Drop for SessionGuard {
    fn drop(&mut self) {
        self.0.inner().counters.open_sessions -= 1;
    }
}

impl Action {
    /// The error to answer, for an error.
    pub fn refusal(&self) -> Option<Refusal> {
        let Action::Error { sqlstate, message, detail } = self else { return None };
        let mut refusal = Refusal::new(sqlstate, message.clone());
        refusal.detail = detail.clone();
        Some(refusal)
    }
}
