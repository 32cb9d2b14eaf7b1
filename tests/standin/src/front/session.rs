//! A session after sign-in: one query string at a time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use postgres_protocol::message::frontend;
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;

use super::Shared;
use super::across;
use super::relay::{self, ERROR};
use super::startup::{Opening, Trust};
use crate::Switch;
use crate::client::{Frame, Stream, read_frame};
use crate::faults::{Action, Logged};
use crate::refusal::Refusal;
use crate::rewrite::Plan;

/// An open session and the one behind it.
pub struct Session {
    pub shared: Arc<Shared>,
    pub opening: Opening,
    pub trust: Trust,
    pub stream: Box<dyn Stream>,
    pub buffer: BytesMut,
    pub backend: UnixStream,
    pub backend_buffer: BytesMut,
    pub case_sensitive: bool,
    pub in_transaction: bool,
    /// Whether that transaction failed.
    pub failed: bool,
    /// Whether the session has chosen a search_path.
    pub own_path: bool,
}

/// What to do with the answer to one statement of PostgreSQL's.
struct Expected {
    shown: bool,
    tag: &'static str,
    /// Rows are counted twice.
    twice: bool,
    /// The setting of letter case once this is done.
    case_sensitive: Option<bool>,
}

/// What becomes of the answers to a query string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pass {
    On,
    /// When they are released.
    Stalled,
    Never,
}

impl Session {
    /// Serves until the client leaves, or a fault cuts the line.
    pub async fn run(mut self) -> std::io::Result<()> {
        let mut skipping = false;
        loop {
            let frame = tokio::select! {
                frame = read_frame(&mut self.stream, &mut self.buffer) => frame?,
                unasked = read_frame(&mut self.backend, &mut self.backend_buffer) => match unasked? {
                    Some(frame) => {
                        if !self.unasked(frame).await? {
                            return Ok(());
                        }
                        continue;
                    }
                    None => return Ok(()),
                },
            };
            let Some(frame) = frame else { return Ok(()) };
            match frame.tag {
                b'Q' => {
                    let sql =
                        String::from_utf8_lossy(frame.body.strip_suffix(&[0]).unwrap_or(&frame.body)).into_owned();
                    if !self.query(&sql).await? {
                        return Ok(());
                    }
                }
                b'X' => {
                    let mut out = BytesMut::new();
                    frontend::terminate(&mut out);
                    return self.backend.write_all(&out).await;
                }
                b'S' => {
                    skipping = false;
                    let status = if self.in_transaction { b"T" } else { b"I" };
                    self.send(&[Frame { tag: b'Z', body: Bytes::from_static(status) }]).await?;
                }
                _ if skipping => {}
                _ => {
                    skipping = true;
                    let refusal = Refusal::unlisted("the extended query protocol");
                    self.send(&[relay::error(ERROR, &refusal)]).await?;
                }
            }
        }
    }

    /// What PostgreSQL says between two statements: a notice, or why the session is over (then `false`).
    async fn unasked(&mut self, frame: Frame) -> std::io::Result<bool> {
        let names = &self.shared.names;
        match frame.tag {
            b'E' => {
                let why = relay::translate(&frame, names);
                self.send(&[why]).await?;
                self.stream.shutdown().await?;
                return Ok(false);
            }
            b'N' => {
                let notice = relay::translate(&frame, names);
                self.send(&[notice]).await?;
            }
            b'S' => self.send(relay::parameter(&frame).as_slice()).await?,
            _ => {}
        }
        Ok(true)
    }

    async fn send(&mut self, frames: &[Frame]) -> std::io::Result<()> {
        let mut out = BytesMut::new();
        frames.iter().for_each(|f| f.write(&mut out));
        self.stream.write_all(&out).await?;
        self.stream.flush().await
    }

    /// Runs one query string; `false` when the line is to be cut.
    async fn query(&mut self, sql: &str) -> std::io::Result<bool> {
        let (mut plans, openings) = self.first_plans(sql);
        let mut pass = Pass::On;
        if self.trust == Trust::Outside {
            tokio::time::sleep(self.shared.record.latency()).await;
            for (plan, opening) in plans.iter_mut().zip(&openings) {
                let kind = opening.split(' ').next().unwrap_or_default();
                self.shared.record.statement(kind, self.logged(sql));
                match self.shared.record.strike_statement(kind, sql) {
                    Some(Action::CutBefore) => return Ok(false),
                    Some(Action::CutAfter) => pass = Pass::Never,
                    Some(Action::Stall) => {
                        let released = self.stall().await;
                        if !released {
                            return Ok(false);
                        }
                    }
                    Some(Action::StallAfter) => pass = Pass::Stalled,
                    Some(Action::Delay { milliseconds }) => {
                        tokio::time::sleep(Duration::from_millis(milliseconds)).await
                    }
                    Some(error) => *plan = error.refusal().map_or_else(|| plan.clone(), Err),
                    None => {}
                }
            }
        }
        if plans.iter().flatten().any(|plan| plan.id == "set-user-search-path") {
            self.shared.own_paths.store(true, Ordering::Relaxed);
        }
        if plans.iter().flatten().any(|plan| plan.id == "create-external-schema") {
            self.shared.outside.store(true, Ordering::Relaxed);
        }
        if let Some(refusal) = self.bind(sql, &mut plans).await? {
            // PostgreSQL was asked in the client's transaction, which has failed by it.
            let status: &[u8] = if self.failed { b"E" } else { b"I" };
            let ready = Frame { tag: b'Z', body: Bytes::from_static(status) };
            self.send(&[relay::error(ERROR, &refusal), ready]).await?;
            return Ok(pass != Pass::Never);
        }
        across::provide(&mut plans, &self.shared).await;
        let mut expected = VecDeque::new();
        let mut texts = Vec::new();
        for plan in plans {
            let plan = plan.unwrap_or_else(|refusal| Plan::refused(&refusal));
            let last = plan.sql.len().saturating_sub(1);
            for (at, text) in plan.sql.into_iter().enumerate() {
                let case_sensitive = (plan.id == "set-case-sensitive").then(|| text.ends_with("on"));
                let twice = plan.id == "update" && self.shared.switches.contains(&Switch::CountsCopies);
                expected.push_back(Expected { shown: at == last, tag: plan.tag, twice, case_sensitive });
                texts.push(text);
            }
            for text in plan.after {
                expected.push_back(Expected { shown: false, tag: "", twice: false, case_sensitive: None });
                texts.push(text);
            }
        }
        let mut out = BytesMut::new();
        frontend::query(&texts.join(";\n"), &mut out)?;
        self.backend.write_all(&out).await?;
        self.relay(expected, pass).await
    }

    /// Holds a statement until it is released; `false` when its client is gone.
    async fn stall(&mut self) -> bool {
        tokio::select! {
            () = self.shared.record.stall() => true,
            // Whoever waits for an answer says nothing but that he leaves.
            _ = read_frame(&mut self.stream, &mut self.buffer) => false,
        }
    }

    fn logged(&self, sql: &str) -> Logged {
        Logged {
            sql: sql.to_owned(),
            user: self.opening.user.clone(),
            database: self.opening.database.clone(),
            application: self.opening.application.clone(),
        }
    }

    /// Passes answers on until PostgreSQL is ready again; `false` when the line is to be cut.
    async fn relay(&mut self, mut expected: VecDeque<Expected>, pass: Pass) -> std::io::Result<bool> {
        let mut out = BytesMut::new();
        loop {
            let Some(frame) = read_frame(&mut self.backend, &mut self.backend_buffer).await? else {
                self.stream.write_all(&out).await?;
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            };
            let names = &self.shared.names;
            let shown = expected.front().is_none_or(|e| e.shown);
            let own_rows = expected.front().is_none_or(|e| e.tag.is_empty());
            match frame.tag {
                b'T' if shown && own_rows => relay::description(&frame, names).write(&mut out),
                b'D' if shown && own_rows => relay::row(frame, names).write(&mut out),
                b'T' | b'D' => {}
                b'N' if relay::is_noise(&frame) => {}
                b'C' => {
                    if let Some(done) = expected.pop_front() {
                        self.case_sensitive = done.case_sensitive.unwrap_or(self.case_sensitive);
                        match (done.shown, done.tag) {
                            (false, _) => {}
                            (true, "") if done.twice => twice(&frame).write(&mut out),
                            (true, "") => frame.write(&mut out),
                            (true, tag) => complete(tag).write(&mut out),
                        }
                    }
                }
                b'E' | b'N' => relay::translate(&frame, names).write(&mut out),
                b'S' => {
                    if let Some(frame) = relay::parameter(&frame) {
                        frame.write(&mut out);
                    }
                }
                b'Z' => {
                    self.in_transaction = frame.body.first() != Some(&b'I');
                    self.failed = frame.body.first() == Some(&b'E');
                    frame.write(&mut out);
                    if pass == Pass::Never || (pass == Pass::Stalled && !self.stall().await) {
                        return Ok(false);
                    }
                    self.stream.write_all(&out).await?;
                    self.stream.flush().await?;
                    return Ok(true);
                }
                _ => frame.write(&mut out),
            }
            if pass == Pass::On && out.len() > 32 << 10 {
                self.stream.write_all(&out.split()).await?;
            }
        }
    }
}

fn twice(done: &Frame) -> Frame {
    let text = String::from_utf8_lossy(done.body.strip_suffix(&[0]).unwrap_or(&done.body)).into_owned();
    let (verb, count) = text.rsplit_once(' ').unwrap_or((&text, "0"));
    complete(&format!("{verb} {}", 2 * count.parse::<u64>().unwrap_or_default()))
}

fn complete(tag: &str) -> Frame {
    let mut body = BytesMut::new();
    body.put_slice(tag.as_bytes());
    body.put_u8(0);
    Frame { tag: b'C', body: body.freeze() }
}
