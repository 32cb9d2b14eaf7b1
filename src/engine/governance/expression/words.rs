//! What may stand in an expression besides columns and literals. Built-in functions are written with their schema: in a
//! late-binding view a reader's `search_path` resolves the others (AWS: search_path, Naming UDFs).

use crate::engine::sql::{Sql, sql};

/// A keyword, as it is written.
pub(super) enum Word {
    Plain(Sql),
    Case(Sql),
    End(Sql),
    As(Sql),
    Cast(Sql),
    Refused(&'static str),
}

macro_rules! words {
    ($folded:expr; $($word:literal),* $(,)?) => {
        match $folded {
            $($word => Some(sql!($word)),)*
            _ => None,
        }
    };
}

/// An operator or a comma.
pub(super) fn symbol(text: &str) -> Option<Sql> {
    if text == "!=" {
        return Some(sql!("<>"));
    }
    words!(text; ",", "=", "<>", "<", ">", "<=", ">=", "+", "-", "*", "/", "%", "||", "~", "!~", "~*", "!~*")
}

/// A type whose name can stand before a literal.
pub(super) fn typed_literal(name: &str) -> Option<Sql> {
    let folded = name.to_ascii_lowercase();
    words!(folded.as_str(); "date", "timestamp", "timestamptz", "time", "interval")
}

/// A keyword. Those that read like functions are a part of the language and cannot be another's.
pub(super) fn keyword(name: &str) -> Option<Word> {
    let folded = name.to_ascii_uppercase();
    let plain = words!(
        folded.as_str();
        "AND", "OR", "NOT", "IN", "IS", "NULL", "TRUE", "FALSE", "BETWEEN", "LIKE", "ILIKE", "SIMILAR", "TO", "ESCAPE",
        "WHEN", "THEN", "ELSE", "COALESCE", "NULLIF", "GREATEST", "LEAST", "CURRENT_DATE",
    );
    if let Some(plain) = plain {
        return Some(Word::Plain(plain));
    }
    Some(match folded.as_str() {
        "CASE" => Word::Case(sql!("CASE")),
        "END" => Word::End(sql!("END")),
        "AS" => Word::As(sql!("AS")),
        "CAST" => Word::Cast(sql!("CAST")),
        "SELECT" | "FROM" | "WITH" | "UNION" | "INTERSECT" | "EXCEPT" | "MINUS" | "VALUES" | "TABLE" | "EXISTS"
        | "ANY" | "ALL" | "SOME" | "WHERE" | "HAVING" | "GROUP" | "ORDER" | "LIMIT" | "OVER" | "PARTITION"
        | "DISTINCT" => Word::Refused("an expression looks at one row of the table, and holds no query."),
        "INSERT" | "UPDATE" | "DELETE" | "DROP" | "CREATE" | "ALTER" | "GRANT" | "REVOKE" | "SET" | "CALL"
        | "EXECUTE" | "INTO" | "COPY" | "UNLOAD" | "TRUNCATE" | "BEGIN" | "COMMIT" | "ROLLBACK" => {
            Word::Refused("an expression changes nothing.")
        }
        "CURRENT_USER" | "SESSION_USER" | "USER" => {
            Word::Refused("write `@username`, which is right also for who acts for another.")
        }
        _ => return None,
    })
}

/// A built-in function that gives the same for the same arguments, raises for none or few, and reads nothing.
pub(super) fn function(name: &str) -> Option<Sql> {
    let folded = name.to_ascii_lowercase();
    macro_rules! functions {
        ($($name:literal => $written:literal),* $(,)?) => {
            match folded.as_str() {
                $($name => Some(sql!($written)),)*
                _ => None,
            }
        };
    }
    functions!(
        "abs" => "pg_catalog.abs", "ascii" => "pg_catalog.ascii", "btrim" => "pg_catalog.btrim", "ceil" => "pg_catalog.ceil",
        "ceiling" => "pg_catalog.ceiling", "chr" => "pg_catalog.chr", "date_part" => "pg_catalog.date_part",
        "date_trunc" => "pg_catalog.date_trunc", "floor" => "pg_catalog.floor", "fnv_hash" => "pg_catalog.fnv_hash",
        "getdate" => "pg_catalog.getdate", "initcap" => "pg_catalog.initcap",
        "json_extract_path_text" => "pg_catalog.json_extract_path_text", "len" => "pg_catalog.len",
        "length" => "pg_catalog.length", "lower" => "pg_catalog.lower", "lpad" => "pg_catalog.lpad",
        "ltrim" => "pg_catalog.ltrim", "mod" => "pg_catalog.mod", "octet_length" => "pg_catalog.octet_length",
        "power" => "pg_catalog.power", "regexp_count" => "pg_catalog.regexp_count",
        "regexp_instr" => "pg_catalog.regexp_instr", "regexp_replace" => "pg_catalog.regexp_replace",
        "regexp_substr" => "pg_catalog.regexp_substr", "repeat" => "pg_catalog.repeat", "replace" => "pg_catalog.replace",
        "reverse" => "pg_catalog.reverse", "round" => "pg_catalog.round", "rpad" => "pg_catalog.rpad",
        "rtrim" => "pg_catalog.rtrim", "sha2" => "pg_catalog.sha2", "sign" => "pg_catalog.sign",
        "split_part" => "pg_catalog.split_part", "sqrt" => "pg_catalog.sqrt", "strpos" => "pg_catalog.strpos",
        "strtol" => "pg_catalog.strtol", "substring" => "pg_catalog.substring", "to_char" => "pg_catalog.to_char",
        "to_date" => "pg_catalog.to_date", "translate" => "pg_catalog.translate", "trunc" => "pg_catalog.trunc",
        "upper" => "pg_catalog.upper",
    )
}

/// Why a name before a bracket is refused.
pub(super) fn no_function(name: &str) -> String {
    let instead = match name.to_ascii_lowercase().as_str() {
        "left" => " Write `substring(x, 1, 3)`.",
        "right" => " Write `substring(x, length(x) - 2)`.",
        "trim" => " Write `btrim(x)`.",
        "nvl" => " Write `coalesce(x, y)`.",
        "md5" | "sha1" | "sha" => {
            " Write `sha2(x, 256)`, or a mask with `using = \"hash\"`, whose values cannot be guessed."
        }
        "random" => " What differs each time averages out.",
        "position" => " Write `strpos(text, part)`.",
        "extract" => " Write `date_part('year', x)`.",
        "substr" => " Write `substring(x, 1, 3)`.",
        _ => " Functions of others cannot be used: who may replace them would decide what is shown.",
    };
    format!("`{name}` is no built-in function on the list.{instead}")
}
