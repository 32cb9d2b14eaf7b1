//! Columns and attributes of CREATE TABLE (AWS: r_CREATE_TABLE_NEW). What only places or compresses rows is dropped,
//! and so are the constraints that Redshift does not enforce.

use crate::names::{Kind, ident, literal};
use crate::pattern::{Cursor, Value};
use crate::refusal::Refusal;
use crate::rewrite::Context;
use crate::slots::{name, number};
use crate::token::Token;

/// `( column, … )`.
pub fn columns(at: &mut Cursor<'_>, context: &Context<'_>) -> Result<Option<Value>, Refusal> {
    if !at.mark("(") {
        return Ok(None);
    }
    let mut all = Vec::new();
    loop {
        if at.word("primary") || at.word("unique") || at.word("foreign") {
            at.word("key");
            skip_reference(at);
        } else {
            match column(at, context)? {
                Some(column) => all.push(column),
                None => return Ok(None),
            }
        }
        if at.mark(")") {
            return Ok(Some(Value::Sql(format!("({})", all.join(", ")))));
        }
        if !at.mark(",") {
            return Ok(None);
        }
    }
}

/// One column.
pub fn column(at: &mut Cursor<'_>, context: &Context<'_>) -> Result<Option<String>, Refusal> {
    let Some(column) = name(at, context, Kind::Object)? else { return Ok(None) };
    let Some(data_type) = data_type(at, context)? else {
        return match at.peek() {
            Some(Token::Word(word)) => Err(Refusal::unlisted(format!("the type {word}"))),
            _ => Ok(None),
        };
    };
    let mut sql = format!("{} {data_type}", ident(&column));
    // AWS, character types: a length is of bytes. PostgreSQL counts characters.
    if let Some(bytes) = data_type.strip_prefix("varchar(").and_then(|rest| rest.strip_suffix(')')) {
        sql.push_str(&format!(" CHECK (pg_catalog.rs_fits({}, {bytes}))", ident(&column)));
    }
    loop {
        if at.word("not") {
            if !at.word("null") {
                return Ok(None);
            }
            sql.push_str(" NOT NULL");
        } else if at.word("primary") {
            at.word("key");
            sql.push_str(" NOT NULL");
        } else if at.word("default") {
            match at.take() {
                Some(Token::Text(text)) => sql.push_str(&format!(" DEFAULT {}", literal(text))),
                Some(Token::Number(number)) => sql.push_str(&format!(" DEFAULT {number}")),
                Some(Token::Word(word)) if ["true", "false", "null"].contains(&word.as_str()) => {
                    sql.push_str(&format!(" DEFAULT {word}"));
                }
                Some(token) if token.is_word("getdate") && at.mark("(") && at.mark(")") => {
                    sql.push_str(" DEFAULT pg_catalog.rs_getdate()");
                }
                _ => return Err(Refusal::unlisted("a default that is no constant")),
            }
        } else if at.word("encode") {
            at.take();
        } else if at.word("references") {
            skip_reference(at);
        } else if !["null", "unique", "distkey", "sortkey"].iter().any(|word| at.word(word)) {
            return Ok(Some(sql));
        }
    }
}

fn skip_reference(at: &mut Cursor<'_>) {
    let mut depth = 0usize;
    while let Some(token) = at.peek() {
        match token {
            Token::Op(op) if op == "(" => depth += 1,
            Token::Op(op) if op == ")" && depth == 0 => return,
            Token::Op(op) if op == ")" => depth -= 1,
            Token::Op(op) if op == "," && depth == 0 => return,
            _ => {}
        }
        at.take();
    }
}

/// What stands behind a table's columns; dropped.
pub fn attributes(at: &mut Cursor<'_>) -> Result<Option<Value>, Refusal> {
    loop {
        if at.word("diststyle") {
            at.take();
        } else if at.word("distkey") {
            parenthesis(at);
        } else if at.word("compound") || at.word("interleaved") {
        } else if at.word("sortkey") {
            if !at.word("auto") {
                parenthesis(at);
            }
        } else if at.word("encode") {
            at.word("auto");
        } else if at.word("backup") {
            at.take();
        } else {
            return Ok(Some(Value::Sql(String::new())));
        }
    }
}

fn parenthesis(at: &mut Cursor<'_>) {
    if at.mark("(") {
        while at.take().is_some_and(|t| !t.is_op(")")) {}
    }
}

/// A type of the list, as PostgreSQL writes it.
pub fn data_type(at: &mut Cursor<'_>, context: &Context<'_>) -> Result<Option<String>, Refusal> {
    let mut after = *at;
    let Some(Token::Word(first)) = after.take() else { return Ok(None) };
    let mut found = context.allowed.data_type(first);
    if let Some(Token::Word(second)) = after.peek()
        && let Some(long) = context.allowed.data_type(&format!("{first} {second}"))
    {
        after.take();
        found = Some(long);
    }
    let Some(data_type) = found else { return Ok(None) };
    let mut sql = data_type.backing.to_owned();
    if data_type.sized && after.mark("(") {
        if after.word("max") {
            sql.push_str("(65535)");
        } else {
            let Some(size) = number(&mut after) else { return Ok(None) };
            sql.push_str(&format!("({size}"));
            while after.mark(",") {
                let Some(scale) = number(&mut after) else { return Ok(None) };
                sql.push_str(&format!(", {scale}"));
            }
            sql.push(')');
        }
        if !after.mark(")") {
            return Ok(None);
        }
    }
    *at = after;
    Ok(Some(sql))
}
