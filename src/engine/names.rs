//! Rules for names of databases, schemas, tables, users, groups and roles.

/// The longest name, in bytes. Redshift cuts longer ones without a word (AWS: Names and identifiers, ALTER TABLE).
pub const NAME_BYTES: usize = 127;

/// Why a name cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The name has no characters.
    #[error("a name must not be empty")]
    Empty,
    /// The name is longer than [`NAME_BYTES`]; Redshift would cut it.
    #[error("a name may have at most {NAME_BYTES} bytes of UTF-8, this one has {bytes}; Redshift would cut it")]
    TooLong {
        /// The length of the name in bytes.
        bytes: usize,
    },
    /// The name holds a control character; it would break out of a comment in a script.
    #[error("a name must not contain control characters, this one has U+{code:04X}", code = *.found as u32)]
    Control {
        /// The first such character.
        found: char,
    },
}

/// Checks a name before any SQL is built from it: not empty, no control characters, at most 127 bytes.
pub fn check_name(name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if let Some(found) = name.chars().find(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')) {
        return Err(NameError::Control { found });
    }
    if name.len() > NAME_BYTES {
        return Err(NameError::TooLong { bytes: name.len() });
    }
    Ok(())
}

/// `name` in the case that Redshift stores: ASCII letters only are folded (AWS: Names and identifiers).
pub fn fold_ascii(name: &str) -> String {
    name.to_ascii_lowercase()
}

/// Whether two names mean the same object. `case_sensitive` is what the session said of
/// `enable_case_sensitive_identifier`; for user names it is always true, as quoted ones keep their case.
pub fn same_name(a: &str, b: &str, case_sensitive: bool) -> bool {
    if case_sensitive { a == b } else { a.eq_ignore_ascii_case(b) }
}

/// Whether `name`, written without quotes, means just itself: lower-case ASCII letters, digits, `_` and `$`, no digit
/// or `$` first, no reserved word. GRANT on routines takes such names only.
pub fn is_plain_identifier(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_lowercase() || first == b'_')
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'$'))
        && name.len() <= NAME_BYTES
        && RESERVED.binary_search(&name).is_err()
}

/// Redshift's reserved words (AWS: Reserved words), in order.
const RESERVED: &[&str] = &[
    "aes128",
    "aes256",
    "all",
    "allowoverwrite",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "authorization",
    "az64",
    "backup",
    "between",
    "binary",
    "blanksasnull",
    "both",
    "bytedict",
    "bzip2",
    "case",
    "cast",
    "check",
    "collate",
    "column",
    "connect",
    "constraint",
    "create",
    "credentials",
    "cross",
    "current_date",
    "current_time",
    "current_timestamp",
    "current_user",
    "current_user_id",
    "default",
    "deferrable",
    "deflate",
    "defrag",
    "delta",
    "delta32k",
    "desc",
    "disable",
    "distinct",
    "do",
    "else",
    "emptyasnull",
    "enable",
    "encode",
    "encrypt",
    "encryption",
    "end",
    "except",
    "explicit",
    "false",
    "for",
    "foreign",
    "freeze",
    "from",
    "full",
    "globaldict256",
    "globaldict64k",
    "grant",
    "group",
    "gzip",
    "having",
    "identity",
    "ignore",
    "ilike",
    "in",
    "initially",
    "inner",
    "intersect",
    "interval",
    "into",
    "is",
    "isnull",
    "join",
    "leading",
    "left",
    "like",
    "limit",
    "localtime",
    "localtimestamp",
    "lun",
    "luns",
    "lzo",
    "lzop",
    "minus",
    "mostly16",
    "mostly32",
    "mostly8",
    "natural",
    "new",
    "not",
    "notnull",
    "null",
    "nulls",
    "off",
    "offline",
    "offset",
    "oid",
    "old",
    "on",
    "only",
    "open",
    "or",
    "order",
    "outer",
    "overlaps",
    "parallel",
    "partition",
    "percent",
    "permissions",
    "pivot",
    "placing",
    "primary",
    "qualify",
    "raw",
    "readratio",
    "recover",
    "references",
    "rejectlog",
    "resort",
    "respect",
    "restore",
    "right",
    "select",
    "session_user",
    "similar",
    "snapshot",
    "some",
    "sysdate",
    "system",
    "table",
    "tag",
    "tdes",
    "text255",
    "text32k",
    "then",
    "timestamp",
    "to",
    "top",
    "trailing",
    "true",
    "truncatecolumns",
    "union",
    "unique",
    "unnest",
    "unpivot",
    "user",
    "using",
    "verbose",
    "wallet",
    "when",
    "where",
    "with",
    "without",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_measured_in_bytes_and_may_hold_anything_printable() {
        assert_eq!(check_name(""), Err(NameError::Empty));
        assert_eq!(check_name(&"a".repeat(127)), Ok(()));
        assert_eq!(check_name(&"ä".repeat(63)), Ok(()));
        assert_eq!(check_name(&"ä".repeat(64)), Err(NameError::TooLong { bytes: 128 }));
        assert_eq!(check_name(r#""; DROP TABLE t; --\'"#), Ok(()));
        for bad in ["a\nb", "a\0", "\u{85}", "a\u{2028}b", "tab\t"] {
            assert!(matches!(check_name(bad), Err(NameError::Control { .. })), "{bad:?}");
        }
        assert_eq!(
            check_name("a\nb").expect_err("a newline").to_string(),
            "a name must not contain control characters, this one has U+000A"
        );
    }

    #[test]
    fn folding_touches_ascii_letters_only() {
        assert_eq!(fold_ascii("ÄBC"), "Äbc");
        assert!(same_name("Sales", "sALES", false));
        assert!(!same_name("Sales", "sales", true));
        assert!(!same_name("Ä", "ä", false));
    }

    #[test]
    fn plain_identifiers() {
        for good in ["a", "_x", "immuta_system", "a$1"] {
            assert!(is_plain_identifier(good), "{good}");
        }
        for bad in ["", "1a", "$a", "Sales", "ä", "a-b", "a b", "select", "user", "tag", &"a".repeat(128)] {
            assert!(!is_plain_identifier(bad), "{bad}");
        }
    }

    #[test]
    fn the_reserved_words_are_in_order() {
        assert!(RESERVED.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
