//! Messages on their way back: PostgreSQL's words become Redshift's.

use bytes::{BufMut as _, Bytes, BytesMut};

use crate::allowed;
use crate::client::{Frame, fields};
use crate::names::{GROUP, Names, ROLE, SCOPE};
use crate::refusal::Refusal;
use crate::slots::VARIABLE;

/// Severity of an error that ends the session.
pub const FATAL: &str = "FATAL";
/// Severity of an ordinary error.
pub const ERROR: &str = "ERROR";

fn frame(tag: u8, parts: &[(u8, &str)]) -> Frame {
    let mut body = BytesMut::new();
    for (kind, text) in parts {
        body.put_u8(*kind);
        body.put_slice(text.as_bytes());
        body.put_u8(0);
    }
    body.put_u8(0);
    Frame { tag, body: body.freeze() }
}

/// An error of the front's own.
pub fn error(severity: &str, refusal: &Refusal) -> Frame {
    let mut parts = vec![(b'S', severity), (b'C', refusal.sqlstate.as_str()), (b'M', refusal.message.as_str())];
    if let Some(detail) = &refusal.detail {
        parts.push((b'D', detail));
    }
    if let Some(hint) = &refusal.hint {
        parts.push((b'H', hint));
    }
    frame(b'E', &parts)
}

/// An error or notice of PostgreSQL's, in Redshift's words, without what points into the rewritten text.
pub fn translate(from: &Frame, names: &Names) -> Frame {
    let mut found: Vec<(u8, String)> =
        fields(&from.body).into_iter().filter(|(kind, _)| b"SCMDH".contains(kind)).collect();
    lost_race(&mut found);
    let session_authorization = found.iter().any(|(k, t)| *k == b'C' && t == "22023")
        && found.iter().any(|(k, t)| *k == b'M' && t.starts_with("role \""));
    for (kind, text) in &mut found {
        if *kind == b'C' && session_authorization {
            *text = "42704".into();
        } else if *kind != b'C' && *kind != b'S' {
            *text = words(text);
            if let Some(restored) = names.restore(text) {
                *text = restored;
            }
        }
    }
    let parts: Vec<_> = found.iter().map(|(kind, text)| (*kind, text.as_str())).collect();
    frame(from.tag, &parts)
}

/// Whoever makes a user or a database at the same moment as somebody else meets an index of PostgreSQL's; Redshift says
/// that it exists, as it says to whoever comes later.
fn lost_race(found: &mut Vec<(u8, String)>) {
    let of = |found: &[(u8, String)], kind| found.iter().find(|(k, _)| *k == kind).map(|(_, text)| text.clone());
    if of(found, b'C').as_deref() != Some("23505") {
        return;
    }
    let message = of(found, b'M').unwrap_or_default();
    let indexes = [("pg_authid_rolname_index", "42710", "role"), ("pg_database_datname_index", "42P04", "database")];
    let Some((_, code, kind)) = indexes.into_iter().find(|(index, ..)| message.contains(index)) else { return };
    let detail = of(found, b'D').unwrap_or_default();
    let name = detail.split_once(")=(").and_then(|(_, rest)| rest.strip_suffix(") already exists."));
    // Without it, somebody asked for an answer of just these words.
    let Some(name) = name else { return };
    let text = format!("{kind} \"{name}\" already exists");
    found.retain(|(kind, _)| *kind != b'D' && *kind != b'H');
    for (kind, value) in found {
        match kind {
            b'C' => *value = code.to_owned(),
            b'M' => *value = text.clone(),
            _ => {}
        }
    }
}

/// PostgreSQL warns for each column that REVOKE reached in passing; Redshift's line of PostgreSQL has no rights on
/// columns there.
pub fn is_noise(frame: &Frame) -> bool {
    let fields = fields(&frame.body);
    let has = |kind, test: &dyn Fn(&str) -> bool| fields.iter().any(|(k, text)| *k == kind && test(text));
    has(b'C', &|code| code == "01006" || code == "01007") && has(b'M', &|text| text.contains(" for column \""))
}

/// A row description with its names put back: long ones, and those of functions that another one stands in for.
pub fn description(from: &Frame, names: &Names) -> Frame {
    let mut out = BytesMut::new();
    let mut rest = &from.body[..];
    out.put_slice(rest.split_off(..2.min(rest.len())).unwrap_or_default());
    while let Some(end) = rest.iter().position(|b| *b == 0) {
        let name = String::from_utf8_lossy(&rest[..end]).into_owned();
        let shown = allowed::function_shown(&name).map(str::to_owned).or_else(|| names.restore(&name)).unwrap_or(name);
        out.put_slice(shown.as_bytes());
        // The terminator and 18 bytes of table, column, type and format.
        let fixed = (end + 19).min(rest.len());
        out.put_slice(&rest[end..fixed]);
        rest = &rest[fixed..];
    }
    Frame { tag: from.tag, body: out.freeze() }
}

/// PostgreSQL's wording in Redshift's (which is PostgreSQL 8.0's).
pub fn words(text: &str) -> String {
    let mut text = text.to_owned();
    for kind in ["table", "view", "materialized view", "foreign table", "sequence"] {
        for before in ["permission denied for ", "must be owner of "] {
            if let Some(name) = text.strip_prefix(&format!("{before}{kind} ")) {
                text = format!("{before}relation {name}");
            }
        }
    }
    text = text.replace(VARIABLE, "").replace(&format!("role \"{GROUP}"), "group \"");
    let marked = format!("role \"{ROLE}");
    let mut out = String::new();
    let mut rest = text.as_str();
    while let Some(at) = rest.find("role \"") {
        out.push_str(&rest[..at]);
        let is_role = rest[at..].starts_with(&marked);
        out.push_str(if is_role { "role \"" } else { "user \"" });
        rest = &rest[at + if is_role { marked.len() } else { 6 }..];
    }
    out.push_str(rest);
    out.retain(|c| !(GROUP..=SCOPE).contains(&c));
    out
}

/// What a client learns of the server: Redshift's few parameters.
pub fn parameter(from: &Frame) -> Option<Frame> {
    let mut parts = from.body.split(|b| *b == 0);
    let name = std::str::from_utf8(parts.next()?).ok()?;
    let body = match name {
        "server_version" => Bytes::from_static(b"server_version\08.0.2\0"),
        "client_encoding"
        | "DateStyle"
        | "integer_datetimes"
        | "is_superuser"
        | "server_encoding"
        | "session_authorization"
        | "TimeZone"
        | "application_name" => from.body.clone(),
        _ => return None,
    };
    Some(Frame { tag: b'S', body })
}

/// A row with its long names put back.
pub fn row(from: Frame, names: &Names) -> Frame {
    let mut out = BytesMut::new();
    let body = &from.body;
    let mut changed = false;
    let mut at = 2;
    out.put_slice(&body[..2.min(body.len())]);
    while let Some(head) = body.get(at..at + 4) {
        let length = i32::from_be_bytes([head[0], head[1], head[2], head[3]]);
        at += 4;
        let Some(value) = usize::try_from(length).ok().and_then(|l| body.get(at..at + l)) else {
            out.put_i32(-1);
            continue;
        };
        at += value.len();
        let restored = std::str::from_utf8(value).ok().and_then(|text| names.restore(text));
        changed |= restored.is_some();
        let value = restored.as_deref().map_or(value, str::as_bytes);
        out.put_i32(value.len() as i32);
        out.put_slice(value);
    }
    if changed { Frame { tag: from.tag, body: out.freeze() } } else { from }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_redshifts() {
        for (postgres, redshift) in [
            ("permission denied for table t", "permission denied for relation t"),
            ("permission denied for schema s", "permission denied for schema s"),
            ("must be owner of view v", "must be owner of relation v"),
            ("role \"u\" does not exist", "user \"u\" does not exist"),
            ("role \"\u{1}g\" does not exist", "group \"g\" does not exist"),
            ("role \"\u{2}r\" is a member of role \"\u{2}s\"", "role \"r\" is a member of role \"s\""),
        ] {
            assert_eq!(words(postgres), redshift);
        }
    }

    #[test]
    fn the_loser_of_a_race_reads_that_it_exists() {
        let lost = |index: &str, key: &str| {
            let message = format!("duplicate key value violates unique constraint \"{index}\"");
            let detail = format!("Key ({key}) already exists.");
            let parts = [(b'S', "ERROR"), (b'C', "23505"), (b'M', message.as_str()), (b'D', detail.as_str())];
            let told = translate(&frame(b'E', &parts), &Names::default());
            fields(&told.body).into_iter().map(|(_, text)| text).collect::<Vec<_>>()
        };
        assert_eq!(lost("pg_authid_rolname_index", "rolname)=(ann"), ["ERROR", "42710", "user \"ann\" already exists"]);
        let group = lost("pg_authid_rolname_index", "rolname)=(\u{1}tools");
        assert_eq!(group, ["ERROR", "42710", "group \"tools\" already exists"]);
        let database = lost("pg_database_datname_index", "datname)=(d");
        assert_eq!(database, ["ERROR", "42P04", "database \"d\" already exists"]);
        assert_eq!(lost("t_pkey", "id)=(1")[1], "23505");
    }

    #[test]
    fn rows_carry_long_names() {
        let names = Names::default();
        let long = "a".repeat(100);
        let short = names.postgres(crate::names::Kind::Object, &long).expect("fits");
        let mut body = BytesMut::new();
        body.put_i16(2);
        body.put_i32(-1);
        body.put_i32(short.len() as i32);
        body.put_slice(short.as_bytes());
        let out = row(Frame { tag: b'D', body: body.freeze() }, &names);
        assert_eq!(&out.body[..10], [0, 2, 255, 255, 255, 255, 0, 0, 0, 100]);
        assert_eq!(&out.body[10..], long.as_bytes());
    }
}
