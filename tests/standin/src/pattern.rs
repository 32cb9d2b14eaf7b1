//! The little language in which the list of allowed statements is written.
//!
//! `WORD` a keyword · `<kind>` or `<kind:name>` a slot (see `slots.rs`) · `[A|B]` optional · `{A|B}` one of · a group
//! may be named, `[mode:FORCE|RESTRICT]`, and then stands for the words that were there.
//!
//! In a rewrite `{x}` is the slot as SQL, `{x!}` as a string or array literal of bare names, `{x'}` its SQL as a
//! string literal; `{x?A}` is `A` and the slot, `{x?=A}` just `A`, `{x?()}` the slot in parentheses, each only where the
//! slot was there; ` ;; ` separates PostgreSQL's statements, of which only the last one's answer is shown.

use std::collections::HashMap;

use crate::names::{ident, literal};
use crate::refusal::Refusal;
use crate::rewrite::Context;
use crate::slots;
use crate::token::Token;

/// A parsed pattern.
#[derive(Debug)]
pub struct Pattern(Vec<Part>);

#[derive(Debug)]
enum Part {
    Word(String),
    Mark(String),
    Slot { kind: &'static str, name: &'static str },
    Group { name: Option<&'static str>, optional: bool, choices: Vec<Vec<Part>> },
}

/// What a slot held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// SQL, ready for PostgreSQL.
    Sql(String),
    /// A string.
    Text(String),
    /// Names as PostgreSQL has them; an empty one is PUBLIC.
    Names(Vec<String>),
    /// One name.
    Name(String),
    /// Names with their schemas.
    Qualified(Vec<Vec<String>>),
}

impl Value {
    fn sql(&self) -> String {
        match self {
            Value::Sql(sql) => sql.clone(),
            Value::Text(text) => literal(text),
            Value::Name(name) => ident(name),
            Value::Names(names) => {
                join(names.iter().map(|n| if n.is_empty() { "PUBLIC".to_owned() } else { ident(n) }))
            }
            Value::Qualified(all) => join(all.iter().map(|q| dotted(q))),
        }
    }

    fn literal(&self) -> String {
        match self {
            Value::Sql(text) | Value::Text(text) | Value::Name(text) => literal(text),
            Value::Names(names) => format!("ARRAY[{}]::text[]", join(names.iter().map(|n| literal(n)))),
            Value::Qualified(all) => format!("ARRAY[{}]::text[]", join(all.iter().map(|q| literal(&dotted(q))))),
        }
    }
}

fn dotted(parts: &[String]) -> String {
    parts.iter().map(|p| ident(p)).collect::<Vec<_>>().join(".")
}

fn join(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}

/// What the slots of a matched pattern held.
pub type Captures = HashMap<&'static str, Value>;

/// A place in a statement.
#[derive(Debug, Clone, Copy)]
pub struct Cursor<'a> {
    rest: &'a [Token],
}

impl<'a> Cursor<'a> {
    /// At the beginning.
    pub fn new(tokens: &'a [Token]) -> Self {
        Cursor { rest: tokens }
    }

    /// What is left.
    pub fn rest(&self) -> &'a [Token] {
        self.rest
    }

    /// The next token.
    pub fn peek(&self) -> Option<&'a Token> {
        self.rest.first()
    }

    /// Takes the next token.
    pub fn take(&mut self) -> Option<&'a Token> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    /// Takes `count` tokens.
    pub fn take_many(&mut self, count: usize) -> &'a [Token] {
        let (head, rest) = self.rest.split_at(count.min(self.rest.len()));
        self.rest = rest;
        head
    }

    /// Takes the next token if it is this word.
    pub fn word(&mut self, word: &str) -> bool {
        let found = self.peek().is_some_and(|t| t.is_word(word));
        self.rest = if found { &self.rest[1..] } else { self.rest };
        found
    }

    /// Takes the next token if it is this mark.
    pub fn mark(&mut self, mark: &str) -> bool {
        let found = self.peek().is_some_and(|t| t.is_op(mark));
        self.rest = if found { &self.rest[1..] } else { self.rest };
        found
    }
}

impl Pattern {
    /// Parses a pattern of the table. The table is code: a broken pattern is a broken build, found by its test.
    pub fn parse(source: &'static str) -> Result<Self, String> {
        let mut rest = source;
        let parts = parse_sequence(&mut rest)?;
        if rest.is_empty() { Ok(Pattern(parts)) } else { Err(format!("{source}: cannot read from {rest:?}")) }
    }

    /// The slots, if the whole statement has this form; `None` if it has another; an error if it has this form and
    /// Redshift would refuse what is in it.
    pub fn match_all(&self, tokens: &[Token], context: &Context<'_>) -> Result<Option<Captures>, Refusal> {
        let mut captures = Captures::new();
        let mut cursor = Cursor::new(tokens);
        let matched = match_parts(&self.0, &mut cursor, context, &mut captures)?;
        Ok((matched && cursor.peek().is_none()).then_some(captures))
    }
}

fn parse_sequence(rest: &mut &'static str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    loop {
        *rest = rest.trim_start();
        let Some(first) = rest.chars().next() else { return Ok(parts) };
        match first {
            '|' | ']' | '}' => return Ok(parts),
            '<' => {
                let end = rest.find('>').ok_or("a slot is open")?;
                let (kind, name) = rest[1..end].split_once(':').unwrap_or((&rest[1..end], &rest[1..end]));
                parts.push(Part::Slot { kind, name });
                *rest = &rest[end + 1..];
            }
            '[' | '{' => {
                let close = if first == '[' { ']' } else { '}' };
                *rest = &rest[1..];
                let name_length = rest.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(0);
                let name = (name_length > 0 && rest[name_length..].starts_with(':')).then(|| &rest[..name_length]);
                *rest = &rest[name.map_or(0, |n| n.len() + 1)..];
                let mut choices = vec![parse_sequence(rest)?];
                while let Some(more) = rest.strip_prefix('|') {
                    *rest = more;
                    choices.push(parse_sequence(rest)?);
                }
                *rest = rest.strip_prefix(close).ok_or_else(|| format!("a group is open before {rest:?}"))?;
                parts.push(Part::Group { name, optional: first == '[', choices });
            }
            c if c.is_ascii_alphabetic() => {
                let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
                parts.push(Part::Word(rest[..end].to_ascii_lowercase()));
                *rest = &rest[end..];
            }
            _ => {
                parts.push(Part::Mark(rest[..1].to_owned()));
                *rest = &rest[1..];
            }
        }
    }
}

fn match_parts(
    parts: &[Part],
    cursor: &mut Cursor<'_>,
    context: &Context<'_>,
    captures: &mut Captures,
) -> Result<bool, Refusal> {
    for part in parts {
        match part {
            Part::Word(word) => {
                if !cursor.word(word) {
                    return Ok(false);
                }
            }
            Part::Mark(mark) => {
                if !cursor.mark(mark) {
                    return Ok(false);
                }
            }
            Part::Slot { kind, name } => match slots::read(kind, cursor, context)? {
                Some(value) => drop(captures.insert(name, value)),
                None => return Ok(false),
            },
            Part::Group { name, optional, choices } => {
                let mut matched = false;
                for choice in choices {
                    let (mut attempt, mut found) = (*cursor, Captures::new());
                    if match_parts(choice, &mut attempt, context, &mut found)? {
                        if let Some(name) = name {
                            captures.insert(name, Value::Sql(words_of(choice)));
                        }
                        captures.extend(found);
                        *cursor = attempt;
                        matched = true;
                        break;
                    }
                }
                if !matched && !optional {
                    return Ok(false);
                }
            }
        }
    }
    Ok(true)
}

fn words_of(parts: &[Part]) -> String {
    let words: Vec<_> =
        parts.iter().filter_map(|p| if let Part::Word(w) = p { Some(w.to_uppercase()) } else { None }).collect();
    words.join(" ")
}

/// Fills a rewrite of the table: PostgreSQL's statements, in order.
pub fn fill(rewrite: &str, captures: &Captures) -> Vec<String> {
    rewrite.split(" ;; ").map(|one| fill_one(one, captures)).collect()
}

fn fill_one(rewrite: &str, captures: &Captures) -> String {
    let mut out = String::new();
    let mut rest = rewrite;
    while let Some(start) = rest.find('{') {
        out.push_str(&rest[..start]);
        let Some(length) = rest[start..].find('}') else { break };
        let slot = &rest[start + 1..start + length];
        let end = slot.find(['!', '\'', '?']).unwrap_or(slot.len());
        let value = captures.get(&slot[..end]);
        out.push_str(&match (slot[end..].chars().next(), value) {
            (Some('!'), value) => value.map_or_else(|| "NULL".to_owned(), Value::literal),
            (Some('\''), value) => literal(&value.map(Value::sql).unwrap_or_default()),
            (_, None) => String::new(),
            (None, Some(value)) => value.sql(),
            (Some(_), Some(value)) => match &slot[end + 1..] {
                "()" => format!("({})", value.sql()),
                before => before.strip_prefix('=').map_or_else(|| format!("{before} {}", value.sql()), str::to_owned),
            },
        });
        rest = &rest[start + length + 1..];
    }
    out.push_str(rest);
    out
}
