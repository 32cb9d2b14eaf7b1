//! The slots of the patterns: what may stand where, and how it is written for PostgreSQL.

use crate::lake;
use crate::names::{self, Kind, fold, ident, literal};
use crate::pattern::{Cursor, Value};
use crate::plpgsql;
use crate::query;
use crate::refusal::Refusal;
use crate::rewrite::Context;
use crate::table;
use crate::token::Token;
use crate::user_options;

type Slot = Result<Option<Value>, Refusal>;

/// Reads one slot. `None`: something else stands here. An error: this stands here, and Redshift refuses it.
pub fn read(kind: &str, at: &mut Cursor<'_>, context: &Context<'_>) -> Slot {
    match kind {
        "query" => query::read(at, context),
        "late_query" => query::read_late(at, context),
        "rows" => query::read_rows(at, context),
        "sql_body" => query::read_body(at, context),
        "procedure_body" => plpgsql::read(at, context),
        "arguments" => query::read_arguments(at, context),
        "variable" => Ok(variable(at).map(Value::Sql)),
        "columns" => table::columns(at, context),
        "column" => table::column(at, context).map(|c| c.map(Value::Sql)),
        "table_attributes" => table::attributes(at),
        "external_columns" => lake::columns(at, context),
        "location" => lake::location(at),
        "properties" => lake::properties(at),
        "type" => Ok(table::data_type(at, context)?.map(Value::Sql)),
        "user_options" => user_options::read(at, context),
        "user" => one(at, context, Kind::User),
        "group" => one(at, context, Kind::Group),
        "role" => role(at, context).map(|n| n.map(Value::Name)),
        "new_role" => new_role(at, context),
        "name" => one(at, context, Kind::Object),
        "user_database" => user_database(at, context),
        "users" => many(at, |at| name(at, context, Kind::User)),
        "roles" => many(at, |at| role(at, context)),
        "names" => many(at, |at| name(at, context, Kind::Object)),
        "user_or_string" => user_or_string(at, context),
        "grantees" => many(at, |at| grantee(at, context)),
        "members" => many(at, |at| member(at, context)),
        "role_list" => many(at, |at| if at.word("role") { role(at, context) } else { Ok(None) }),
        "scoped_grantees" => many(at, |at| scoped_grantee(at, context)),
        "relation" => Ok(target(at, context)?.map(|q| Value::Qualified(vec![q]))),
        "relations" => relations(at, context),
        "routine" => routine(at, context, true),
        "bare_routine" => routine(at, context, false),
        "string" => Ok(string(at).map(Value::Text)),
        "number" => Ok(number(at).map(Value::Sql)),
        "boolean" => Ok(boolean(at).map(|b| Value::Sql(b.to_owned()))),
        "search_path" => search_path(at, context),
        "table_rights" => table_rights(at),
        "default_rights" => default_rights(at),
        "schema_rights" => rights(at, &["create", "usage"], "ALL"),
        "database_rights" => rights(at, &["create", "temp", "temporary"], "CREATE, TEMPORARY"),
        "routine_rights" => rights(at, &["execute"], "ALL"),
        "scope_rights" => rights(at, &["create", "usage", "alter", "drop", "execute"], "ALL"),
        "datashare_rights" => datashare_rights(at),
        "language_rights" => rights(at, &["usage"], "ALL"),
        "column_rights" => column_rights(at, context),
        "system_rights" => system_rights(at),
        other => Err(Refusal::new("XX000", format!("the list has no slot {other}"))),
    }
}

/// A name of this kind, as PostgreSQL has it.
pub fn name(at: &mut Cursor<'_>, context: &Context<'_>, kind: Kind) -> Result<Option<String>, Refusal> {
    let written = match at.peek() {
        Some(Token::Word(word)) if !crate::allowed::is_reserved(word) => word.clone(),
        Some(Token::Quoted(name)) if kind == Kind::User || context.case_sensitive => name.clone(),
        Some(Token::Quoted(name)) => names::fold(name),
        _ => return Ok(None),
    };
    at.take();
    context.names.postgres(kind, &written).map(Some)
}

fn one(at: &mut Cursor<'_>, context: &Context<'_>, kind: Kind) -> Slot {
    Ok(name(at, context, kind)?.map(Value::Name))
}

fn many(at: &mut Cursor<'_>, mut one: impl FnMut(&mut Cursor<'_>) -> Result<Option<String>, Refusal>) -> Slot {
    let mut all = Vec::new();
    loop {
        match one(at)? {
            Some(name) => all.push(name),
            None => return Ok(None),
        }
        if !at.mark(",") {
            return Ok(Some(Value::Names(all)));
        }
    }
}

/// A role that may be granted, revoked or dropped: the roles of datashares (`ds:`) may not (dbt-labs/dbt-adapters#1808).
fn role(at: &mut Cursor<'_>, context: &Context<'_>) -> Result<Option<String>, Refusal> {
    let found = name(at, context, Kind::Role)?;
    match found.as_deref().and_then(|f| f.get(1..)) {
        Some(bare) if bare.starts_with("ds:") => {
            Err(Refusal::new("42501", format!("permission denied for role \"{}{bare}\"", names::ROLE)))
        }
        _ => Ok(found),
    }
}

/// AWS, CREATE ROLE: names starting `sys:` are reserved; GRANT: a role's name holds none of `: / \ .`
fn new_role(at: &mut Cursor<'_>, context: &Context<'_>) -> Slot {
    let found = role(at, context)?;
    if let Some(bare) = found.as_deref().and_then(|f| f.get(1..)) {
        if bare.contains([':', '/', '\\', '.']) {
            return Err(Refusal::new("42602", format!("invalid role name \"{bare}\"")));
        }
        if bare == "public" {
            return Err(Refusal::new("42939", "role name \"public\" is reserved"));
        }
    }
    Ok(found.map(Value::Name))
}

fn user_database(at: &mut Cursor<'_>, context: &Context<'_>) -> Slot {
    let found = name(at, context, Kind::Object)?;
    if let Some(name) = &found
        && ["dev", "padb_harvest", "template0", "template1"].contains(&name.as_str())
    {
        return Err(Refusal::new("42501", format!("permission denied for database {name}")));
    }
    Ok(found.map(Value::Name))
}

fn user_or_string(at: &mut Cursor<'_>, context: &Context<'_>) -> Slot {
    match at.peek() {
        Some(Token::Text(user)) => {
            at.take();
            Ok(Some(Value::Name(context.names.postgres(Kind::User, user)?)))
        }
        _ => one(at, context, Kind::User),
    }
}

fn grantee(at: &mut Cursor<'_>, context: &Context<'_>) -> Result<Option<String>, Refusal> {
    if at.word("public") {
        Ok(Some(String::new()))
    } else if at.word("group") {
        name(at, context, Kind::Group)
    } else {
        member(at, context)
    }
}

fn member(at: &mut Cursor<'_>, context: &Context<'_>) -> Result<Option<String>, Refusal> {
    let mut after = *at;
    if after.word("role")
        && let Some(role) = role(&mut after, context)?
    {
        *at = after;
        return Ok(Some(role));
    }
    name(at, context, Kind::User)
}

/// AWS, scoped permissions: "You can't grant scoped permissions to user groups."
fn scoped_grantee(at: &mut Cursor<'_>, context: &Context<'_>) -> Result<Option<String>, Refusal> {
    let mut after = *at;
    if after.word("group") && matches!(after.peek(), Some(Token::Word(_) | Token::Quoted(_))) {
        return Err(Refusal::new("0A000", "scoped permissions cannot be granted to groups"));
    }
    member(at, context)
}

/// `schema.name` or `name`.
pub fn qualified(at: &mut Cursor<'_>, context: &Context<'_>) -> Result<Option<Vec<String>>, Refusal> {
    let Some(first) = name(at, context, Kind::Object)? else { return Ok(None) };
    if !at.mark(".") {
        return Ok(Some(vec![first]));
    }
    Ok(name(at, context, Kind::Object)?.map(|second| vec![first, second]))
}

/// The same, of what a statement is about: it may be an external table.
fn target(at: &mut Cursor<'_>, context: &Context<'_>) -> Result<Option<Vec<String>>, Refusal> {
    let found = qualified(at, context)?;
    context.reads.borrow_mut().targets.extend(found.clone());
    Ok(found)
}

fn relations(at: &mut Cursor<'_>, context: &Context<'_>) -> Slot {
    let mut all = Vec::new();
    loop {
        match target(at, context)? {
            Some(relation) => all.push(relation),
            None => return Ok(None),
        }
        if !at.mark(",") {
            return Ok(Some(Value::Qualified(all)));
        }
    }
}

/// `name(type, …)`. GRANT and REVOKE on routines do not take quoted names (dbsystel/terraform-provider-redshift,
/// `helpers.go`: "Quoted identifiers somehow does not work for grants/revokes on functions and procedures").
fn routine(at: &mut Cursor<'_>, context: &Context<'_>, quoted: bool) -> Slot {
    let start = at.rest();
    let Some(parts) = qualified(at, context)? else { return Ok(None) };
    if !at.mark("(") {
        return Ok(None);
    }
    let used = &start[..start.len() - at.rest().len()];
    if !quoted && used.iter().any(|t| matches!(t, Token::Quoted(_))) {
        return Err(Refusal::syntax(format!("syntax error at or near \"{}\"", parts.join("."))));
    }
    let mut arguments = Vec::new();
    while !at.mark(")") {
        if !arguments.is_empty() && !at.mark(",") {
            return Ok(None);
        }
        let mut named = *at;
        let argument = match table::data_type(at, context)? {
            Some(data_type) => data_type,
            None => {
                let Some(argument) = name(&mut named, context, Kind::Object)? else { return Ok(None) };
                // AWS, CREATE PROCEDURE: `[ [ argname ] [ argmode ] argtype ]`; IN is the mode left out.
                named.word("in");
                let Some(data_type) = table::data_type(&mut named, context)? else { return Ok(None) };
                *at = named;
                format!("{} {data_type}", ident(&argument))
            }
        };
        arguments.push(argument);
    }
    let path: Vec<_> = parts.iter().map(|p| ident(p)).collect();
    Ok(Some(Value::Sql(format!("{}({})", path.join("."), arguments.join(", ")))))
}

/// A string literal.
pub fn string(at: &mut Cursor<'_>) -> Option<String> {
    let Some(Token::Text(text)) = at.peek() else { return None };
    at.take();
    Some(text.clone())
}

/// A number without a sign.
pub fn number(at: &mut Cursor<'_>) -> Option<String> {
    let Some(Token::Number(number)) = at.peek() else { return None };
    at.take();
    Some(number.clone())
}

fn boolean(at: &mut Cursor<'_>) -> Option<&'static str> {
    let written = match at.take()? {
        Token::Word(word) | Token::Text(word) => word.to_ascii_lowercase(),
        _ => return None,
    };
    match written.as_str() {
        "true" | "on" => Some("on"),
        "false" | "off" | "default" => Some("off"),
        _ => None,
    }
}

/// A session context variable, `class.name` with one dot (AWS: SET), as PostgreSQL has it: in a class of its own, so
/// that none meets a setting of PostgreSQL's.
fn variable(at: &mut Cursor<'_>) -> Option<String> {
    let (Token::Word(class), true, Token::Word(name)) = (at.take()?, at.mark("."), at.take()?) else { return None };
    Some(format!("{VARIABLE}{class}.{name}"))
}

/// What stands before a session context variable's name in PostgreSQL.
pub const VARIABLE: &str = "rs_variable.";

/// PostgreSQL's name of a session context variable that is written in a string.
pub fn variable_name(written: &str) -> Option<String> {
    let plain = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            && !part.starts_with(|c: char| c.is_ascii_digit())
    };
    let (class, name) = written.split_once('.')?;
    (plain(class) && plain(name)).then(|| format!("{VARIABLE}{}", fold(written)))
}

fn search_path(at: &mut Cursor<'_>, context: &Context<'_>) -> Slot {
    let mut all = Vec::new();
    loop {
        all.push(match string(at) {
            Some(text) => literal(&text),
            None => match name(at, context, Kind::Object)? {
                Some(name) => ident(&name),
                None => return Ok(None),
            },
        });
        if !at.mark(",") {
            return Ok(Some(Value::Sql(all.join(", "))));
        }
    }
}

fn rights(at: &mut Cursor<'_>, known: &[&str], all: &str) -> Slot {
    if at.word("all") {
        at.word("privileges");
        return Ok(Some(Value::Sql(all.to_owned())));
    }
    let mut found = Vec::new();
    loop {
        match known.iter().find(|right| at.word(right)) {
            Some(right) => found.push(right.to_uppercase()),
            None => return Ok(None),
        }
        if !at.mark(",") {
            return Ok(Some(Value::Sql(found.join(", "))));
        }
    }
}

/// AWS, GRANT and REVOKE: SELECT, INSERT, UPDATE, DELETE, DROP, REFERENCES, ALTER, TRUNCATE; not the RULE and TRIGGER that
/// an ACL shows after GRANT ALL. PostgreSQL has no right to drop or alter, and one that Redshift does not have: TRIGGER
/// stands for both here, so that whoever has one of the two has the other.
fn table_rights(at: &mut Cursor<'_>) -> Slot {
    const KNOWN: [&str; 8] = ["select", "insert", "update", "delete", "drop", "references", "alter", "truncate"];
    rights_on_tables(at, &KNOWN, &["rule", "trigger"])
}

/// AWS, ALTER DEFAULT PRIVILEGES: the same without ALTER.
fn default_rights(at: &mut Cursor<'_>) -> Slot {
    const KNOWN: [&str; 7] = ["select", "insert", "update", "delete", "drop", "references", "truncate"];
    rights_on_tables(at, &KNOWN, &["rule", "trigger", "alter"])
}

fn rights_on_tables(at: &mut Cursor<'_>, known: &[&str], refused: &[&str]) -> Slot {
    let mut listed = at.rest().iter().take_while(|token| !token.is_word("on") && !token.is_word("for"));
    let unknown = listed.find_map(|token| refused.iter().find(|right| token.is_word(right)));
    let Some(Value::Sql(found)) = rights(at, known, "ALL")? else {
        return match unknown {
            Some(right) => Err(Refusal::syntax(format!("syntax error at or near \"{right}\""))),
            None => Ok(None),
        };
    };
    let mut kept: Vec<&str> = Vec::new();
    for right in found.split(", ") {
        let right = if ["DROP", "ALTER"].contains(&right) { "TRIGGER" } else { right };
        if !kept.contains(&right) {
            kept.push(right);
        }
    }
    Ok(Some(Value::Sql(kept.join(", "))))
}

fn column_rights(at: &mut Cursor<'_>, context: &Context<'_>) -> Slot {
    let Some(right) = ["select", "update"].into_iter().find(|right| at.word(right)) else { return Ok(None) };
    if !at.mark("(") {
        return Ok(None);
    }
    let Some(Value::Names(columns)) = many(at, |at| name(at, context, Kind::Object))? else { return Ok(None) };
    let columns: Vec<_> = columns.iter().map(|c| ident(c)).collect();
    Ok(at.mark(")").then(|| Value::Sql(format!("{} ({})", right.to_uppercase(), columns.join(", ")))))
}

/// AWS, GRANT: ALTER and SHARE are what users hold on a datashare.
fn datashare_rights(at: &mut Cursor<'_>) -> Slot {
    let found = rights(at, &["alter", "share"], "ALTER, SHARE")?;
    Ok(found.map(|found| match found {
        Value::Sql(list) => Value::Names(list.split(", ").map(str::to_owned).collect()),
        other => other,
    }))
}

/// The system permissions of AWS's list that this stand-in enforces, and their neighbours.
const SYSTEM_RIGHTS: &[&[&str]] = &[
    &["create", "user"],
    &["drop", "user"],
    &["alter", "user"],
    &["create", "role"],
    &["create", "schema"],
    &["alter", "default", "privileges"],
    &["access", "catalog"],
    &["access", "system", "table"],
];

fn system_rights(at: &mut Cursor<'_>) -> Slot {
    let mut found = Vec::new();
    loop {
        let right = SYSTEM_RIGHTS.iter().find(|words| {
            at.rest().len() >= words.len() && words.iter().zip(at.rest()).all(|(word, token)| token.is_word(word))
        });
        let Some(words) = right else { return Ok(None) };
        at.take_many(words.len());
        found.push(words.join(" ").to_uppercase());
        if !at.mark(",") {
            return Ok(Some(Value::Names(found)));
        }
    }
}
