//! Queries and expressions: every relation, function, type, operator and reserved word in them is looked up in the
//! list; catalogue names are put in place of Redshift's.

mod checker;
mod functions;

use std::collections::HashMap;

use crate::late::{Binding, WITHOUT};
use crate::pattern::{Cursor, Value};
use crate::refusal::Refusal;
use crate::rewrite::Context;
use crate::token::{Token, body_statements};
use checker::check;

/// A whole SELECT.
pub fn read(at: &mut Cursor<'_>, context: &Context<'_>) -> Result<Option<Value>, Refusal> {
    if !at.peek().is_some_and(|t| t.is_word("select")) {
        return Ok(None);
    }
    Ok(Some(Value::Sql(check(at.take_many(usize::MAX), context, false)?)))
}

/// The SELECT before `WITH NO SCHEMA BINDING`: what it reads need not be there.
pub fn read_late(at: &mut Cursor<'_>, context: &Context<'_>) -> Result<Option<Value>, Refusal> {
    let rest = at.rest();
    let length = rest.len().saturating_sub(WITHOUT.len());
    let late = rest[length..].iter().zip(WITHOUT).filter(|(token, word)| token.is_word(word)).count() == WITHOUT.len();
    if !late || !at.peek().is_some_and(|t| t.is_word("select")) {
        return Ok(None);
    }
    let binding = Binding { late: true, views: HashMap::new(), ..context.binding.clone() };
    let context = Context { binding: &binding, ..*context };
    Ok(Some(Value::Sql(check(at.take_many(length), &context, false)?)))
}

/// A whole SELECT for PostgreSQL.
pub fn checked(tokens: &[Token], context: &Context<'_>) -> Result<String, Refusal> {
    check(tokens, context, false)
}

/// Expressions over a user's table: rows of INSERT, SET of UPDATE, a condition.
pub fn read_rows(at: &mut Cursor<'_>, context: &Context<'_>) -> Result<Option<Value>, Refusal> {
    let tokens = at.take_many(usize::MAX);
    if tokens.is_empty() { Ok(None) } else { Ok(Some(Value::Sql(check(tokens, context, true)?))) }
}

/// What stands between the parentheses of CALL, up to the last one.
pub fn read_arguments(at: &mut Cursor<'_>, context: &Context<'_>) -> Result<Option<Value>, Refusal> {
    let tokens = at.take_many(at.rest().len().saturating_sub(1));
    Ok(Some(Value::Sql(check(tokens, context, false)?)))
}

/// One expression, or what follows SELECT, of a procedure.
pub fn expression(tokens: &[Token], context: &Context<'_>) -> Result<String, Refusal> {
    match tokens {
        [] => Err(Refusal::syntax("syntax error: an expression is missing")),
        tokens => check(tokens, context, false),
    }
}

/// The body of a SQL function: one SELECT.
pub fn read_body(at: &mut Cursor<'_>, context: &Context<'_>) -> Result<Option<Value>, Refusal> {
    let Some(Token::Body(body)) = at.take() else { return Ok(None) };
    match &body_statements(body)?[..] {
        [one] if one[0].is_word("select") => Ok(Some(Value::Text(check(one, context, true)?))),
        _ => Err(Refusal::unlisted("a function's body that is not one SELECT")),
    }
}
