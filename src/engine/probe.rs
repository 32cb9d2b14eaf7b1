//! What the engine takes for granted of a warehouse, in one list, and a way to ask a warehouse about each point of it.
//!
//! All that a question needs is made in a transaction that is taken back, so nothing stays behind, whatever happens. The
//! list is asked of a real warehouse by `make probe`, and of the stand-in by the tests: an assumption, the stand-in and the
//! question cannot drift apart.

mod assumptions;
mod judging;
#[cfg(test)]
mod tests;

use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use crate::engine::error::Error;
pub use crate::engine::probe::assumptions::ASSUMPTIONS;
use crate::engine::session::warehouse::Warehouse;
use crate::engine::session::{Done, Row, Session};
use crate::engine::sql::{Sql, sql};

/// Something that the engine takes for granted.
pub struct Assumption {
    /// What is taken for granted, in a few words.
    pub name: &'static str,
    /// What speaks for it: a page of AWS's, a public source, PostgreSQL 8.0.
    pub evidence: &'static str,
    /// What of the provider hangs on it.
    pub hangs: &'static str,
    /// What asking takes.
    pub needs: Needs,
    question: Question,
    judge: Judge,
}

/// What asking takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Needs {
    /// Nothing but reading.
    Reading,
    /// A schema with tables, views and procedures, for as long as a transaction that is taken back.
    Schema,
    /// The same with a user, a group or a role.
    Principal,
}

/// How a warehouse is asked.
enum Question {
    /// By statements: the answer is the last one's.
    Statements(fn(&Names) -> Vec<Sql>),
    /// By what the engine itself reads.
    Reading(fn(&mut Session) -> BoxFuture<'_, Result<String, Error>>),
}

type Judge = fn(&Names, &Result<Answer, Error>) -> Verdict;

/// What came back.
#[derive(Debug, Default)]
struct Answer {
    rows: Vec<Row>,
    touched: u64,
    /// What the engine read, in words.
    read: String,
}

/// What an answer means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is so.
    Holds(String),
    /// It is not, and the provider lives with it.
    Otherwise(String),
    /// It is not, and the provider does not work there.
    Broken(String),
    /// It was not asked.
    NotAsked(&'static str),
}

impl Verdict {
    /// One word for a table.
    pub fn word(&self) -> &'static str {
        match self {
            Verdict::Holds(_) => "holds",
            Verdict::Otherwise(_) => "otherwise",
            Verdict::Broken(_) => "BROKEN",
            Verdict::NotAsked(_) => "not asked",
        }
    }

    /// What the warehouse said.
    pub fn words(&self) -> &str {
        match self {
            Verdict::Holds(text) | Verdict::Otherwise(text) | Verdict::Broken(text) => text,
            Verdict::NotAsked(text) => text,
        }
    }
}

/// Names that are nobody's, for what a question makes.
pub(crate) struct Names {
    /// A schema; other names begin with it.
    schema: String,
    /// The login.
    login: String,
}

impl Names {
    fn new(login: &str) -> Names {
        Names { schema: format!("tfprobe{:08x}", rand::random::<u32>()), login: login.to_owned() }
    }

    fn called(&self, what: &str) -> String {
        format!("{}_{what}", self.schema)
    }
}

/// Asks a warehouse about every assumption, up to what may be made there.
pub async fn run(
    warehouse: &Warehouse,
    may: Needs,
    cancel: &CancellationToken,
) -> Result<Vec<(&'static Assumption, Verdict)>, Error> {
    let names = Names::new(&warehouse.facts(cancel).await?.user);
    let mut all = Vec::new();
    for assumption in ASSUMPTIONS {
        let verdict = match assumption.needs <= may {
            true => assumption.ask(warehouse, &names, cancel).await?,
            false => Verdict::NotAsked("it takes more than this run may make"),
        };
        all.push((assumption, verdict));
    }
    Ok(all)
}

impl Assumption {
    /// An error is of the line; what the warehouse refuses is an answer.
    async fn ask(&self, warehouse: &Warehouse, names: &Names, cancel: &CancellationToken) -> Result<Verdict, Error> {
        let database = &warehouse.access().database;
        let mut session = warehouse.session(database, cancel).await?;
        let answer = match &self.question {
            Question::Statements(statements) => taken_back(&mut session, &statements(names)).await,
            Question::Reading(read) => read(&mut session).await.map(|read| Answer { read, ..Answer::default() }),
        };
        // Whatever a question left behind in the session goes with it.
        session.discard();
        match answer {
            Err(error) if error.is_lost() || matches!(error, Error::Cancelled) => Err(error),
            answer => Ok((self.judge)(names, &answer)),
        }
    }
}

/// Runs statements in a transaction and takes them back.
async fn taken_back(session: &mut Session, statements: &[Sql]) -> Result<Answer, Error> {
    session.execute(&sql!("BEGIN")).await?;
    let answer = in_transaction(session, statements).await;
    if answer.as_ref().is_err_and(Error::is_lost) {
        return answer;
    }
    session.execute(&sql!("ROLLBACK")).await?;
    answer
}

async fn in_transaction(session: &mut Session, statements: &[Sql]) -> Result<Answer, Error> {
    let Some((question, before)) = statements.split_last() else { return Ok(Answer::default()) };
    for statement in before {
        session.execute(statement).await?;
    }
    if question.to_string().starts_with("SELECT") {
        return Ok(Answer { rows: session.query(question).await?, ..Answer::default() });
    }
    let Done { rows: touched, .. } = session.execute(question).await?;
    Ok(Answer { touched, ..Answer::default() })
}
