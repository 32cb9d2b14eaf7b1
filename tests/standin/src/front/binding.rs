//! Binding what a statement names, in the session that asks: see `late.rs`.

use std::cell::RefCell;

use bytes::BytesMut;
use postgres_protocol::message::frontend;
use tokio::io::AsyncWriteExt as _;

use super::across;
use super::relay;
use super::session::Session;
use crate::client::{fields, read_frame};
use crate::late::{Binding, Known, Reads, Steps, Told};
use crate::names::literal;
use crate::refusal::Refusal;
use crate::rewrite::{Context, Plan, plan};
use crate::token::{statements, texts};

/// The search_path of whoever asks, as PostgreSQL resolved it.
const PATH: &str = "pg_catalog.current_schemas(true)::text[]";
/// What stands for the query of a materialized view at the end of what refreshes it.
const REFRESHED: &str = "NULL::text)";
/// Statements after which names may stand for something else.
const MOVING: [&str; 10] = [
    "create-late-view",
    "create-view",
    "drop-view",
    "drop-schema",
    "rename-table",
    "rename-schema",
    "set-search-path",
    "set-session-authorization",
    "default-session-authorization",
    "call",
];

impl Session {
    /// The plans of a query string, before anything is known of what it names.
    pub fn first_plans(&self, sql: &str) -> (Vec<Result<Plan, Refusal>>, Vec<String>) {
        let database = self.opening.database.clone();
        let binding = Binding { open: true, database, ..Binding::default() };
        match statements(sql) {
            Ok(all) => {
                let openings = all.iter().map(|one| crate::rewrite::opening(one)).collect();
                (self.with_context(sql, all.len(), &binding, |contexts| plans(&all, contexts)), openings)
            }
            Err(refusal) => (vec![Err(refusal)], vec!["INVALID".into()]),
        }
    }

    /// Plans again what names something of a user's, now that PostgreSQL said what that is; or why it did not.
    pub async fn bind(&mut self, sql: &str, first: &mut [Result<Plan, Refusal>]) -> std::io::Result<Option<Refusal>> {
        let mut reads = Reads::default();
        for found in first.iter().flatten().map(|plan| &plan.reads) {
            reads.relations.extend(found.relations.clone());
            reads.functions.extend(found.functions.clone());
            reads.unlisted |= found.unlisted;
            reads.columns |= found.columns;
            reads.targets.extend(found.targets.clone());
            reads.refreshed.extend(found.refreshed.clone());
        }
        self.own_path |= first.iter().flatten().any(|plan| plan.id == "set-search-path");
        let own_functions = reads.unlisted || (self.has_own_path() && !reads.functions.is_empty());
        let outside = self.shared.outside.load(std::sync::atomic::Ordering::Relaxed) && !reads.targets.is_empty();
        if reads.relations.is_empty() && !own_functions && !reads.columns && reads.refreshed.is_empty() && !outside {
            return Ok(None);
        }
        let mut known = Known::of(&self.opening.database, self.shared.lake.clone());
        // In a transaction that failed PostgreSQL answers nothing but that.
        while !self.failed {
            let question = self.with_context(sql, 1, &Binding::default(), |contexts| {
                known.question(&reads, &contexts.first().copied()?)
            });
            let Some(question) = question else { break };
            let ask = format!("SELECT pg_catalog.rs_late({PATH}, {})", literal(&question));
            match self.ask(&ask).await? {
                Ok(told) => known.learn(told),
                Err(refusal) => return Ok(Some(refusal)),
            }
        }
        let Ok(all) = statements(sql) else { return Ok(None) };
        let binding = known.binding();
        let bound = self.with_context(sql, all.len(), &binding, |contexts| {
            let mut moved = false;
            let one = |(planned, context): (Result<Plan, Refusal>, &Context<'_>)| {
                let bound = planned.and_then(|plan| with_views(plan, &known, context, moved));
                moved |= bound.as_ref().is_ok_and(|plan| MOVING.contains(&plan.id));
                bound
            };
            plans(&all, contexts).into_iter().zip(contexts).map(one).collect::<Vec<_>>()
        });
        for (plan, bound) in first.iter_mut().zip(bound) {
            // A refusal that a fault put there stays.
            if plan.is_ok() {
                *plan = bound;
            }
            if let Ok(bound) = plan
                && let Err(refusal) = across::copy(bound, &self.shared).await
            {
                *plan = Err(refusal);
            }
        }
        Ok(None)
    }

    fn has_own_path(&self) -> bool {
        self.own_path || self.shared.own_paths.load(std::sync::atomic::Ordering::Relaxed)
    }

    fn with_context<T>(&self, sql: &str, count: usize, binding: &Binding, run: impl FnOnce(&[Context<'_>]) -> T) -> T {
        let reads = RefCell::default();
        let context = Context {
            allowed: &self.shared.allowed,
            names: &self.shared.names,
            case_sensitive: self.case_sensitive,
            namespace: self.shared.namespace.as_deref(),
            // Several statements in one string are one transaction.
            in_transaction: self.in_transaction || count > 1,
            kind: self.shared.kind,
            binding,
            reads: &reads,
            text: "",
        };
        let written = texts(sql).unwrap_or_default();
        let contexts: Vec<_> = written.iter().map(|text| Context { text, ..context }).collect();
        run(&contexts)
    }

    /// Asks PostgreSQL, past the client, for one cell of JSON.
    async fn ask(&mut self, sql: &str) -> std::io::Result<Result<Told, Refusal>> {
        let mut out = BytesMut::new();
        frontend::query(sql, &mut out)?;
        self.backend.write_all(&out).await?;
        let mut answer = Ok(Told::default());
        loop {
            let Some(frame) = read_frame(&mut self.backend, &mut self.backend_buffer).await? else {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            };
            match frame.tag {
                b'D' => {
                    let cell = frame.body.get(6..).unwrap_or_default();
                    answer = serde_json::from_slice(cell).map_err(|e| Refusal::new("XX000", e.to_string()));
                }
                b'E' => {
                    let said = fields(&relay::translate(&frame, &self.shared.names).body);
                    let of = |kind| said.iter().find(|(k, _)| *k == kind).map(|(_, text)| text.clone());
                    answer = Err(Refusal::new(&of(b'C').unwrap_or_default(), of(b'M').unwrap_or_default()));
                }
                b'Z' => {
                    let status = frame.body.first().copied();
                    self.in_transaction = status != Some(b'I');
                    self.failed = status == Some(b'E');
                    return Ok(answer);
                }
                _ => {}
            }
        }
    }
}

fn plans(all: &[Vec<crate::token::Token>], contexts: &[Context<'_>]) -> Vec<Result<Plan, Refusal>> {
    all.iter().zip(contexts).map(|(one, context)| plan(one, context)).collect()
}

/// The plan, with what it reads made before it and dropped after it. `moved`: a statement before it in its query string
/// may have changed what names stand for.
fn with_views(mut plan: Plan, known: &Known, context: &Context<'_>, moved: bool) -> Result<Plan, Refusal> {
    known.refuse_targets(plan.id, &plan.reads)?;
    // What it reads need not be there.
    if plan.id == "create-late-view" {
        return Ok(plan);
    }
    let refreshes = !plan.reads.refreshed.is_empty();
    if let Some((query, reads)) = known.refreshed(&plan.reads, context)? {
        if let Some(last) = plan.sql.last_mut() {
            *last = format!("{}{})", last.trim_end_matches(REFRESHED), literal(&query));
        }
        plan.reads = reads;
    }
    let steps = known.steps(&plan.reads, context)?;
    let mut before = Vec::new();
    if moved && !plan.reads.relations.is_empty() {
        before.push(format!("SELECT pg_catalog.rs_late_same({PATH}, {})", literal(&known.found(&plan.reads))));
    }
    if plan.reads.columns {
        let all: Vec<_> = known.all_steps(context).iter().map(Steps::json).collect();
        let all = literal(&serde_json::Value::from(all).to_string());
        let columns = format!("pg_catalog.rs_late_columns({PATH}, {all})");
        before.push(format!("SELECT pg_catalog.set_config('standin.late_columns', {columns}, true)"));
    }
    if !steps.is_empty() {
        let steps = literal(&steps.json().to_string());
        before.push(format!("SELECT pg_catalog.rs_late_bind({PATH}, {steps})"));
        plan.after.push(format!("SELECT pg_catalog.rs_late_drop({steps})"));
    }
    plan.copies = steps.copies;
    // Whether somebody may refresh is asked first.
    let first = usize::from(refreshes);
    plan.sql.splice(first..first, before);
    Ok(plan)
}
