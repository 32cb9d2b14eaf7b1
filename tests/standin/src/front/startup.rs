//! From the first byte to the first ReadyForQuery: TLS, cancel requests, passwords, the way to PostgreSQL.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::{BufMut as _, Bytes, BytesMut};
use postgres_protocol::message::frontend;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use super::auth::{Challenge, md5_stored};
use super::relay::{self, FATAL};
use super::session::Session;
use super::{Shared, Tls};
use crate::aws::logins::Login;
use crate::client::{Frame, Stream, read_frame};
use crate::faults::{Action, On};
use crate::names::{Kind, literal};
use crate::refusal::Refusal;

/// Who is at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// A client on the network.
    Outside,
    /// The stand-in's own `sql_as`.
    Inside,
    /// The stand-in's own `sql`: needs no password.
    Owner,
}

const SSL: u32 = 80_877_103;
const GSS: u32 = 80_877_104;
const CANCEL: u32 = 80_877_102;
const VERSION_3: u32 = 196_608;

/// What a client says first.
#[derive(Debug)]
pub struct Opening {
    /// `user`.
    pub user: String,
    /// `database`; the user's name where it is left out.
    pub database: String,
    /// `application_name`.
    pub application: String,
    /// `DateStyle`: what is said here goes before what the user has as his own.
    date_style: Option<String>,
    /// `-c name=value` of `options`.
    settings: Vec<(String, String)>,
}

/// Serves one connection to its end.
pub async fn serve(shared: Arc<Shared>, mut stream: Box<dyn Stream>, trust: Trust) -> std::io::Result<()> {
    let mut encrypted = false;
    let parameters = loop {
        let (code, body) = packet(&mut stream).await?;
        match code {
            SSL => match (&shared.acceptor, encrypted || trust != Trust::Outside) {
                (Some(acceptor), false) => {
                    stream.write_all(b"S").await?;
                    stream = Box::new(acceptor.accept(stream).await?);
                    encrypted = true;
                }
                _ => stream.write_all(b"N").await?,
            },
            GSS => stream.write_all(b"N").await?,
            CANCEL => return cancel(&shared, &body).await,
            VERSION_3 => break body,
            _ => return fatal(&mut stream, &Refusal::new("0A000", "unsupported frontend protocol")).await,
        }
    };
    let mut opening = match Opening::read(&parameters) {
        Ok(opening) => opening,
        Err(refusal) => return fatal(&mut stream, &refusal).await,
    };
    if trust == Trust::Outside {
        tokio::time::sleep(shared.record.latency()).await;
        match shared.record.strike(On::Login, &format!("{}@{}", opening.user, opening.database)) {
            Some(Action::CutBefore | Action::CutAfter) => return Ok(()),
            Some(Action::Delay { milliseconds }) => {
                tokio::time::sleep(std::time::Duration::from_millis(milliseconds)).await;
            }
            Some(action) => {
                if let Some(refusal) = action.refusal() {
                    return fatal(&mut stream, &refusal).await;
                }
            }
            None => {}
        }
        if shared.tls == Tls::Required && !encrypted {
            let text = format!(
                "no pg_hba.conf entry for host \"::ffff:127.0.0.1\", user \"{}\", database \"{}\", SSL off",
                opening.user, opening.database
            );
            return fatal(&mut stream, &Refusal::new("28000", text)).await;
        }
    }
    let mut buffer = BytesMut::new();
    if trust != Trust::Owner
        && let Err(refusal) =
            authenticate(&shared, &mut stream, &mut buffer, &mut opening, encrypted || trust == Trust::Inside).await?
    {
        return fatal(&mut stream, &refusal).await;
    }
    let guard = (trust == Trust::Outside).then(|| shared.record.session());
    let result = match connect(&shared, &mut stream, &opening).await? {
        Ok((backend, backend_buffer)) => {
            let case_sensitive = shared.case_sensitive;
            Session {
                shared,
                opening,
                trust,
                stream,
                buffer,
                backend,
                backend_buffer,
                case_sensitive,
                in_transaction: false,
                failed: false,
                own_path: false,
            }
            .run()
            .await
        }
        Err(frames) => {
            stream.write_all(&frames).await?;
            stream.shutdown().await
        }
    };
    drop(guard);
    result
}

async fn packet(stream: &mut Box<dyn Stream>) -> std::io::Result<(u32, Bytes)> {
    let length = stream.read_u32().await? as usize;
    if !(8..=64 << 10).contains(&length) {
        return Err(std::io::Error::other("not a start-up packet"));
    }
    let code = stream.read_u32().await?;
    let mut body = vec![0; length - 8];
    stream.read_exact(&mut body).await?;
    Ok((code, body.into()))
}

async fn cancel(shared: &Shared, body: &Bytes) -> std::io::Result<()> {
    let mut out = BytesMut::new();
    out.put_u32(8 + body.len() as u32);
    out.put_u32(CANCEL);
    out.put_slice(body);
    let mut backend = UnixStream::connect(&shared.socket).await?;
    backend.write_all(&out).await?;
    let mut rest = Vec::new();
    backend.read_to_end(&mut rest).await.map(drop)
}

async fn fatal(stream: &mut Box<dyn Stream>, refusal: &Refusal) -> std::io::Result<()> {
    let mut out = BytesMut::new();
    relay::error(FATAL, refusal).write(&mut out);
    stream.write_all(&out).await?;
    stream.shutdown().await
}

impl Opening {
    fn read(body: &Bytes) -> Result<Self, Refusal> {
        let mut parts = body.split(|b| *b == 0).map(|p| String::from_utf8_lossy(p).into_owned());
        let mut found = HashMap::new();
        while let (Some(name), Some(value)) = (parts.next().filter(|n| !n.is_empty()), parts.next()) {
            found.insert(name, value);
        }
        let mut settings = Vec::new();
        let options = found.remove("options").unwrap_or_default();
        let mut words = options.split_whitespace();
        while let Some(word) = words.next() {
            let pair = if word == "-c" { words.next().unwrap_or_default() } else { word.trim_start_matches("-c") };
            let (name, value) = pair.trim_start_matches("--").split_once('=').unwrap_or((pair, ""));
            settings.push((name.to_owned(), value.to_owned()));
        }
        let user = found.remove("user").filter(|u| !u.is_empty());
        let user = user.ok_or_else(|| Refusal::new("28000", "no PostgreSQL user name specified in startup packet"))?;
        let database = found.remove("database").filter(|d| !d.is_empty()).unwrap_or_else(|| user.clone());
        let application = found.remove("application_name").unwrap_or_default();
        let date_style = found.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("datestyle")).map(|(_, v)| v);
        Ok(Opening { user, database, application, date_style, settings })
    }
}

/// Asks for the password; afterwards the opening's user is the one that the session is of. The inner error is the
/// refusal. `private`: nobody listens on the line.
async fn authenticate(
    shared: &Shared,
    stream: &mut Box<dyn Stream>,
    buffer: &mut BytesMut,
    opening: &mut Opening,
    private: bool,
) -> std::io::Result<Result<(), Refusal>> {
    let user = opening.user.clone();
    let minted = shared.logins.of(&user);
    let stored = match minted.is_empty() {
        true => match stored_password(shared, &user).await {
            Ok(stored) => stored,
            Err(refusal) => return Ok(Err(refusal)),
        },
        false => None,
    };
    let challenge = Challenge::new(shared.auth, stored.as_deref());
    let mut out = BytesMut::new();
    Frame { tag: b'R', body: challenge.request() }.write(&mut out);
    stream.write_all(&out).await?;
    let Some(answer) = read_frame(stream, buffer).await? else {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    };
    let by_password = stored.is_some();
    if stored.is_some_and(|stored| challenge.verify(&user, &stored, answer.tag, &answer.body)) {
        lock(&shared.failed_sign_ins).remove(&user);
        return Ok(Ok(()));
    }
    if by_password && let Err(refusal) = count_failure(shared, &user).await {
        return Ok(Err(refusal));
    }
    let fits = |login: &Login| challenge.verify(&user, &md5_stored(&user, &login.password), answer.tag, &answer.body);
    // Redshift says the same of a wrong password, of another database, of credentials past their time, of a line without
    // TLS, and of a user who is not there.
    if let Some(login) = minted.into_iter().find(fits)
        && private
        && login.until > shared.logins.clock.now()
        && login.database.is_none_or(|database| database == opening.database)
    {
        match user_exists(shared, &login.user).await {
            Ok(true) => {
                opening.user = login.user;
                return Ok(Ok(()));
            }
            Ok(false) => {}
            Err(refusal) => return Ok(Err(refusal)),
        }
    }
    Ok(Err(Refusal::new("28000", format!("password authentication failed for user \"{user}\""))))
}

/// AWS, max_failed_login_attempts: after so many wrong passwords in a row the user is locked, until somebody unlocks him
/// (ALTER USER, LOGIN PASSWORD). The administrator never is (AWS: user lockout for database users).
const MAX_FAILED: u32 = 5;

async fn count_failure(shared: &Shared, user: &str) -> Result<(), Refusal> {
    let failed = {
        let mut all = lock(&shared.failed_sign_ins);
        let failed = all.entry(user.to_owned()).or_default();
        *failed += 1;
        *failed
    };
    if failed < MAX_FAILED || user == crate::SUPERUSER {
        return Ok(());
    }
    lock(&shared.failed_sign_ins).remove(user);
    let name = shared.names.postgres(Kind::User, user)?;
    // No shim is there where passwords are looked up.
    let sql = format!(
        "DO $lock$ BEGIN EXECUTE (SELECT format('COMMENT ON ROLE %I IS %L', rolname, \
         coalesce(shobj_description(oid, 'pg_authid'), '{{}}')::jsonb || '{{\"locked\": true}}') FROM pg_authid WHERE rolname = {}); \
         END $lock$",
        literal(&name)
    );
    look_up(shared, &sql).await.map(drop)
}

fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// What the warehouse keeps as this user's password; `None` for who is unknown, disabled, locked or past his time.
async fn stored_password(shared: &Shared, user: &str) -> Result<Option<String>, Refusal> {
    let name = shared.names.postgres(Kind::User, user)?;
    let sql = format!(
        "SELECT shobj_description(oid, 'pg_authid')::json->>'password' FROM pg_authid \
         WHERE rolname = {} AND rolcanlogin AND coalesce(rolvaliduntil > now(), true) \
         AND NOT coalesce(shobj_description(oid, 'pg_authid'), '{{}}')::jsonb ? 'locked'",
        literal(&name)
    );
    look_up(shared, &sql).await
}

async fn user_exists(shared: &Shared, user: &str) -> Result<bool, Refusal> {
    let name = shared.names.postgres(Kind::User, user)?;
    let sql = format!("SELECT 1 FROM pg_authid WHERE rolname = {} AND rolcanlogin", literal(&name));
    Ok(look_up(shared, &sql).await?.is_some())
}

/// The first cell of an answer.
async fn look_up(shared: &Shared, sql: &str) -> Result<Option<String>, Refusal> {
    let mut admin = shared.admin.lock().await;
    let failed = |e: String| Refusal::new("XX000", format!("the stand-in cannot look up passwords: {e}"));
    let Some(client) = admin.as_mut() else { return Err(failed("no server".into())) };
    let answer = client.query(sql).await.map_err(|e| failed(e.to_string()))?;
    Ok(answer.rows.into_iter().next().and_then(|row| row.into_iter().next().flatten()))
}

type Backend = (UnixStream, BytesMut);

/// Opens the session behind and passes on what it says. The inner error is what to answer instead.
async fn connect(
    shared: &Shared,
    stream: &mut Box<dyn Stream>,
    opening: &Opening,
) -> std::io::Result<Result<Backend, BytesMut>> {
    let mut out = BytesMut::new();
    let mut options =
        format!("-c standin.enable_case_sensitive_identifier={}", if shared.case_sensitive { "on" } else { "off" });
    for (name, value) in &opening.settings {
        let Some(setting) = shared.allowed.setting(name) else {
            let text = format!("unrecognized configuration parameter \"{name}\"");
            relay::error(FATAL, &Refusal::new("42704", text)).write(&mut out);
            return Ok(Err(out));
        };
        options.push_str(&format!(" -c {setting}={value}"));
    }
    let switches: Vec<&str> = shared.switches.iter().map(|switch| switch.name()).collect();
    options.push_str(&format!(" -c standin.switches={}", switches.join(",")));
    let names =
        (shared.names.postgres(Kind::User, &opening.user), shared.names.postgres(Kind::Object, &opening.database));
    let (user, database) = match names {
        (Ok(user), Ok(database)) => (user, database),
        (Err(refusal), _) | (_, Err(refusal)) => {
            relay::error(FATAL, &refusal).write(&mut out);
            return Ok(Err(out));
        }
    };
    let mut parameters = vec![
        ("user", user.as_str()),
        ("database", &database),
        ("client_encoding", "UTF8"),
        ("application_name", &opening.application),
        ("options", &options),
    ];
    parameters.extend(opening.date_style.as_deref().map(|style| ("DateStyle", style)));
    let mut hello = BytesMut::new();
    frontend::startup_message(parameters, &mut hello)?;
    let mut backend = UnixStream::connect(&shared.socket).await?;
    backend.write_all(&hello).await?;
    let mut buffer = BytesMut::new();
    while let Some(frame) = read_frame(&mut backend, &mut buffer).await? {
        match frame.tag {
            b'E' => {
                relay::translate(&frame, &shared.names).write(&mut out);
                return Ok(Err(out));
            }
            b'S' => {
                if let Some(frame) = relay::parameter(&frame) {
                    frame.write(&mut out);
                }
            }
            b'N' => {}
            _ => frame.write(&mut out),
        }
        if frame.tag == b'Z' {
            stream.write_all(&out).await?;
            return Ok(Ok((backend, buffer)));
        }
    }
    Err(std::io::ErrorKind::UnexpectedEof.into())
}
