//! The options of CREATE USER and ALTER USER (AWS: r_CREATE_USER, r_ALTER_USER), as JSON for the shims.

use serde_json::{Map, Value as Json, json};
use sha2::{Digest, Sha256};

use crate::names::Kind;
use crate::pattern::{Cursor, Value};
use crate::refusal::Refusal;
use crate::rewrite::Context;
use crate::slots::{name, number, string};
use crate::token::Token;

/// Reads the options; at least one must be there.
pub fn read(at: &mut Cursor<'_>, context: &Context<'_>) -> Result<Option<Value>, Refusal> {
    let mut options = Map::new();
    while at.peek().is_some() {
        if at.word("password") {
            options.insert("password".into(), password(at)?);
        } else if at.word("nologin") {
            options.insert("locked".into(), json!(true));
        } else if at.word("login") {
            if !at.word("password") {
                return Ok(None);
            }
            options.insert("locked".into(), Json::Null);
            options.insert("password".into(), password(at)?);
        } else if at.word("createdb") {
            options.insert("createdb".into(), json!(true));
        } else if at.word("nocreatedb") {
            options.insert("createdb".into(), json!(false));
        } else if at.word("createuser") {
            options.insert("superuser".into(), json!(true));
        } else if at.word("nocreateuser") {
            options.insert("superuser".into(), json!(false));
        } else if at.word("valid") {
            let Some(until) = at.word("until").then(|| string(at)).flatten() else { return Ok(None) };
            options.insert("valid_until".into(), json!(until));
        } else if at.word("connection") {
            if !at.word("limit") {
                return Ok(None);
            }
            let limit = if at.word("unlimited") { Some("-1".to_owned()) } else { number(at) };
            let Some(limit) = limit.and_then(|l| l.parse::<i32>().ok()) else { return Ok(None) };
            options.insert("connection_limit".into(), json!(limit));
        } else if at.word("session") {
            let timeout = (at.word("timeout")).then(|| number(at)).flatten().and_then(|n| n.parse::<i64>().ok());
            let Some(timeout) = timeout else { return Ok(None) };
            options.insert("session_timeout".into(), json!(timeout));
        } else if at.word("syslog") {
            let unrestricted = at.word("access") && at.word("unrestricted");
            if !unrestricted && !at.word("restricted") {
                return Ok(None);
            }
            options.insert("syslog_unrestricted".into(), json!(unrestricted));
        } else if at.word("in") {
            if !at.word("group") {
                return Ok(None);
            }
            let mut groups = Vec::new();
            loop {
                let Some(group) = name(at, context, Kind::Group)? else { return Ok(None) };
                groups.push(group);
                if !at.mark(",") {
                    break;
                }
            }
            options.insert("groups".into(), json!(groups));
        } else {
            return Ok(None);
        }
    }
    Ok((!options.is_empty()).then(|| Value::Text(Json::Object(options).to_string())))
}

/// What is stored: `md5<digest>`, `sha256|<digest>|<salt>`, null for DISABLE, or `clear` for the shims to hash, since
/// MD5 is salted by the name the user then has.
fn password(at: &mut Cursor<'_>) -> Result<Json, Refusal> {
    if at.word("disable") {
        return Ok(Json::Null);
    }
    let Some(Token::Text(text)) = at.take() else {
        return Err(Refusal::syntax("syntax error at or near \"PASSWORD\""));
    };
    let hex = |s: &str, length: usize| s.len() == length && s.bytes().all(|b| b.is_ascii_hexdigit());
    if let Some(digest) = text.strip_prefix("md5")
        && hex(digest, 32)
    {
        return Ok(json!(text));
    }
    if let Some(rest) = text.strip_prefix("sha256|") {
        return match rest.split('|').collect::<Vec<_>>()[..] {
            [clear] => {
                check(clear)?;
                let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
                let salt = rand::random::<[u8; 32]>();
                let digest = Sha256::new().chain_update(clear).chain_update(salt).finalize();
                Ok(json!(format!("sha256|{}|{}", hex(&digest), hex(&salt))))
            }
            [digest, salt] if hex(digest, 64) && hex(salt, 64) => Ok(json!(text)),
            _ => Err(Refusal::new("22023", "invalid SHA256 password")),
        };
    }
    check(text)?;
    Ok(json!({ "clear": text }))
}

/// AWS, CREATE USER, PASSWORD: 8 to 64 characters, an upper case letter, a lower case letter and a number; ASCII 33 to
/// 126 except `'`, `"`, `\`, `/` and `@`.
fn check(clear: &str) -> Result<(), Refusal> {
    let refuse = |text: &str| Err(Refusal::new("22023", text));
    if !(8..=64).contains(&clear.chars().count()) {
        return refuse("The password must be between 8 and 64 characters in length.");
    }
    if !clear.bytes().any(|b| b.is_ascii_uppercase())
        || !clear.bytes().any(|b| b.is_ascii_lowercase())
        || !clear.bytes().any(|b| b.is_ascii_digit())
    {
        return refuse("Password must contain at least one uppercase letter, one lowercase letter, and one number.");
    }
    if !clear.bytes().all(|b| (33..=126).contains(&b)) || clear.contains(['\'', '"', '\\', '/', '@']) {
        return refuse("Password contains invalid characters.");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn password_rules() {
        assert!(check("Abcdefg1").is_ok());
        for bad in ["Abcdef1", "abcdefg1", "ABCDEFG1", "Abcdefgh", "Abcdefg1@", "Abcdefg1 ", "Abcdefg1Ä"] {
            assert!(check(bad).is_err(), "{bad}");
        }
        assert!(check(&format!("Aa1{}", "x".repeat(61))).is_ok());
        assert!(check(&format!("Aa1{}", "x".repeat(62))).is_err());
    }
}
