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
    frame(b'E', &parts)
}

/// An error or notice of PostgreSQL's, in Redshift's words, without what points into the rewritten text.
pub fn translate(from: &Frame, names: &Names) -> Frame {
    let mut found: Vec<(u8, String)> =
        fields(&from.body).into_iter().filter(|(kind, _)| b"SCMDH".contains(kind)).collect();
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
