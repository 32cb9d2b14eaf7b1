//! SQL that a policy's author writes in `where` and `expression`: taken apart, each part held against a list, and put
//! together anew. Nothing of the text itself reaches the warehouse but names of the table's columns, and literals in new
//! quotes.

mod token;
mod words;

use std::collections::BTreeSet;

use super::columns::{Column, ColumnType, find};
use crate::engine::sql::{Sql, ident, literal, sql};
use token::{Token, tokens};
use words::{Word, function, keyword, typed_literal};

/// What an expression may refer to.
#[derive(Clone, Copy)]
pub(super) struct Scope<'s> {
    /// The table's columns; none while they are not known, and then any name passes.
    pub(super) columns: Option<&'s [Column]>,
    /// The columns that hold a tag.
    pub(super) tagged: &'s dyn Fn(&str) -> Vec<String>,
    /// The masked column, as `@column` gives it; none in a row filter.
    pub(super) column: Option<&'s Sql>,
}

/// A checked expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Expression {
    pub(super) sql: Sql,
    pub(super) lists: BTreeSet<List>,
    /// Whether the reader's name is in it.
    pub(super) names_reader: bool,
}

/// A list of the reader's profile that a view asks for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum List {
    /// Groups.
    Groups,
    /// The purpose that was chosen.
    Purposes,
    /// The values of an attribute.
    Attribute(String),
}

/// The longest text that is looked at.
const LONGEST: usize = 10_000;

/// Checks a text, and gives it as SQL over the row `t` and the reader's entitlements `p`. `list` gives the column of `p`
/// that holds a list. The error says what is wrong and what can be written instead.
pub(super) fn check(text: &str, scope: Scope<'_>, list: &dyn Fn(&List) -> Sql) -> Result<Expression, String> {
    if text.len() > LONGEST {
        return Err(format!("It has more than {LONGEST} bytes."));
    }
    let tokens = tokens(text)?;
    if tokens.is_empty() {
        return Err("It is empty.".to_owned());
    }
    let mut check =
        Check { tokens: &tokens, at: 0, scope, list, open: Vec::new(), parts: Vec::new(), uses: Uses::default() };
    while check.at < tokens.len() {
        check.one()?;
    }
    if let Some(open) = check.open.last() {
        return Err(format!("A `{}` is not closed.", open.word()));
    }
    let Uses { lists, names_reader } = check.uses;
    Ok(Expression { sql: Sql::join(" ", check.parts), lists, names_reader })
}

#[derive(Default)]
struct Uses {
    lists: BTreeSet<List>,
    names_reader: bool,
}

/// What has to be closed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Bracket,
    Cast,
    Case,
}

impl Open {
    fn word(self) -> &'static str {
        match self {
            Open::Bracket | Open::Cast => "(",
            Open::Case => "CASE",
        }
    }
}

struct Check<'c> {
    tokens: &'c [Token],
    at: usize,
    scope: Scope<'c>,
    list: &'c dyn Fn(&List) -> Sql,
    open: Vec<Open>,
    parts: Vec<Sql>,
    uses: Uses,
}

impl Check<'_> {
    fn peek(&self, ahead: usize) -> Option<&Token> {
        self.tokens.get(self.at + ahead)
    }

    fn symbol(&self, ahead: usize, symbol: &str) -> bool {
        matches!(self.peek(ahead), Some(Token::Symbol(found)) if *found == symbol)
    }

    fn put(&mut self, part: Sql, taken: usize) {
        self.parts.push(part);
        self.at += taken;
    }

    /// The next part.
    fn one(&mut self) -> Result<(), String> {
        match &self.tokens[self.at] {
            Token::Text(text) => self.put(sql!("{}", literal(text)), 1),
            Token::Integer(number) => self.put(sql!("{}", *number), 1),
            Token::Decimal { text, precision, scale } => {
                let number = sql!("CAST({} AS decimal({}, {}))", literal(text), *precision, *scale);
                self.put(number, 1);
            }
            Token::Symbol("(") => {
                self.open.push(Open::Bracket);
                self.put(sql!("("), 1);
            }
            Token::Symbol(")") => {
                self.close(&[Open::Bracket, Open::Cast], ")")?;
                self.put(sql!(")"), 1);
            }
            Token::Symbol("::") => {
                let (ty, taken) = self.type_at(1)?;
                self.put(sql!(":: {}", ty.sql()), 1 + taken);
            }
            Token::Symbol(symbol) => {
                let part = words::symbol(symbol).ok_or_else(|| format!("`{symbol}` cannot be used here."))?;
                self.put(part, 1);
            }
            Token::Quoted(name) => {
                let part = self.column(name, true)?;
                self.put(part, 1);
            }
            Token::Macro(name) => return self.macro_call(&name.clone()),
            Token::Name(name) => return self.name(&name.clone()),
        }
        Ok(())
    }

    fn close(&mut self, what: &[Open], word: &str) -> Result<(), String> {
        match self.open.pop() {
            Some(open) if what.contains(&open) => Ok(()),
            Some(open) => Err(format!("`{word}` stands where a `{}` has to be closed first.", open.word())),
            None => Err(format!("A `{word}` closes nothing.")),
        }
    }

    /// A name without quotes: a function, a keyword, a type before a literal, or a column.
    fn name(&mut self, name: &str) -> Result<(), String> {
        if self.symbol(1, ".") {
            return Err(format!("`{name}.` names another table or schema: write the column's name alone."));
        }
        if let Some(ty) = typed_literal(name)
            && matches!(self.peek(1), Some(Token::Text(_)))
        {
            self.put(ty, 1);
            return Ok(());
        }
        match keyword(name) {
            Some(Word::Plain(part)) => self.put(part, 1),
            Some(Word::Case(part)) => {
                self.open.push(Open::Case);
                self.put(part, 1);
            }
            Some(Word::End(part)) => {
                self.close(&[Open::Case], "END")?;
                self.put(part, 1);
            }
            Some(Word::As(part)) => {
                if self.open.last() != Some(&Open::Cast) {
                    return Err("`AS` can stand in a CAST only.".to_owned());
                }
                let (ty, taken) = self.type_at(1)?;
                if !self.symbol(1 + taken, ")") {
                    return Err("After the type of a CAST its bracket has to be closed.".to_owned());
                }
                self.put(sql!("{} {}", part, ty.sql()), 1 + taken);
            }
            Some(Word::Cast(part)) => {
                if !self.symbol(1, "(") {
                    return Err("`CAST` needs a bracket: `CAST(x AS integer)`.".to_owned());
                }
                self.open.push(Open::Cast);
                self.put(sql!("{}(", part), 2);
            }
            Some(Word::Refused(why)) => return Err(format!("`{name}` cannot be used here: {why}")),
            None if self.symbol(1, "(") => {
                let part = function(name).ok_or_else(|| words::no_function(name))?;
                self.open.push(Open::Bracket);
                self.put(sql!("{}(", part), 2);
            }
            None => {
                let part = self.column(name, false)?;
                self.put(part, 1);
            }
        }
        Ok(())
    }

    fn column(&self, name: &str, quoted: bool) -> Result<Sql, String> {
        let Some(columns) = self.scope.columns else { return Ok(sql!("t.{}", ident(name))) };
        let exact = || columns.iter().find(|column| column.name == name);
        let found = if quoted { exact().or_else(|| find(columns, name)) } else { find(columns, name) };
        match found {
            Some(column) => Ok(sql!("t.{}", ident(&column.name))),
            None => Err(format!(
                "`{name}` is no column of the table (whose columns are {}), and no function or keyword that can be used here. A text \
                 stands in single quotes.",
                list_of(columns)
            )),
        }
    }

    /// The type that begins so far ahead, and how many tokens it has.
    fn type_at(&self, ahead: usize) -> Result<(ColumnType, usize), String> {
        let wrong = || {
            "It casts to a type that is not on the list: write one such as `varchar(100)`, `integer`, `decimal(18,2)` or `date`.".to_owned()
        };
        let mut taken = 0;
        let mut name = String::new();
        while let Some(Token::Name(word)) = self.peek(ahead + taken) {
            let longer = if name.is_empty() { word.clone() } else { format!("{name} {word}") };
            let longer = longer.to_ascii_lowercase();
            // `double` begins a type's name without being one.
            let begins = [
                "double",
                "character",
                "timestamp",
                "time",
                "timestamp without",
                "timestamp with",
                "timestamp without time",
                "timestamp with time",
            ];
            if ColumnType::of(&longer, None).is_none() && !begins.contains(&longer.as_str()) {
                break;
            }
            (name, taken) = (longer, taken + 1);
        }
        let sizes = self.sizes(ahead + taken);
        taken += sizes.as_ref().map_or(0, |(_, taken)| *taken);
        let ty = ColumnType::of(&name, sizes.as_ref().map(|(text, _)| text.as_str())).ok_or_else(wrong)?;
        match ty {
            ColumnType::Varbyte(_) | ColumnType::Geometry | ColumnType::Geography | ColumnType::Hllsketch => {
                Err(wrong())
            }
            _ => Ok((ty, taken)),
        }
    }

    /// `(18, 2)` so far ahead, and how many tokens that is.
    fn sizes(&self, ahead: usize) -> Option<(String, usize)> {
        let number = |ahead: usize| match self.peek(ahead) {
            Some(Token::Integer(number)) => Some(number.to_string()),
            _ => None,
        };
        if !self.symbol(ahead, "(") {
            return None;
        }
        let first = number(ahead + 1)?;
        if self.symbol(ahead + 2, ")") {
            return Some((first, 3));
        }
        let second = number(ahead + 3).filter(|_| self.symbol(ahead + 2, ","))?;
        self.symbol(ahead + 4, ")").then(|| (format!("{first},{second}"), 5))
    }

    /// `@name`, or `@name('a', 'b')`.
    fn macro_call(&mut self, name: &str) -> Result<(), String> {
        let (texts, taken) = self.arguments(name)?;
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let part = match (name, &texts[..]) {
            ("column", []) => match self.scope.column {
                Some(column) => column.clone(),
                None => return Err("`@column` is the column that is masked, and there is none here.".to_owned()),
            },
            ("username", []) => {
                self.uses.names_reader = true;
                sql!("p.userid")
            }
            ("columnTagged", [tag]) => self.tagged(tag)?,
            ("groupsContains", [column]) => self.contains(List::Groups, column)?,
            ("purposesContains", [column]) => self.contains(List::Purposes, column)?,
            ("attributeValuesContains", [key, column]) => {
                super::profile::check_value(key)?;
                self.contains(List::Attribute((*key).to_owned()), column)?
            }
            _ => return Err(format!("`@{name}` with {} texts is not known. {MACROS}", texts.len())),
        };
        self.put(part, taken);
        Ok(())
    }

    /// The texts in the brackets after a macro, and how many tokens all of it is.
    fn arguments(&self, name: &str) -> Result<(Vec<String>, usize), String> {
        if !self.symbol(1, "(") {
            return Ok((Vec::new(), 1));
        }
        let mut texts = Vec::new();
        let mut ahead = 2;
        loop {
            match (self.peek(ahead), self.peek(ahead + 1)) {
                (Some(Token::Text(text)), Some(Token::Symbol(","))) => texts.push(text.clone()),
                (Some(Token::Text(text)), Some(Token::Symbol(")"))) => {
                    texts.push(text.clone());
                    return Ok((texts, ahead + 2));
                }
                _ => return Err(format!("`@{name}` takes texts in single quotes. {MACROS}")),
            }
            ahead += 2;
        }
    }

    fn tagged(&self, tag: &str) -> Result<Sql, String> {
        let found = (self.scope.tagged)(tag);
        match (&found[..], self.scope.columns) {
            ([column], _) => Ok(sql!("t.{}", ident(column))),
            // While no columns are known, whether one is tagged is not known either.
            (_, None) => Ok(sql!("NULL")),
            ([], _) => Err(format!("No column of the table has the tag `{tag}`.")),
            (several, _) => Err(format!(
                "The tag `{tag}` is on several columns: {}. Name the one that is meant.",
                several.join(", ")
            )),
        }
    }

    fn contains(&mut self, list: List, column: &str) -> Result<Sql, String> {
        let value = match self.scope.columns {
            None => sql!("t.{}", ident(column)),
            Some(columns) => {
                let found = find(columns, column).ok_or_else(|| {
                    format!("`{column}` is no column of the table, whose columns are {}.", list_of(columns))
                })?;
                comparable(found).ok_or_else(|| {
                    format!("`{column}` is neither text nor a whole number nor a date, so it is in no list.")
                })?
            }
        };
        let part = in_list(&(self.list)(&list), &value);
        self.uses.lists.insert(list);
        Ok(part)
    }
}

/// Whether a value is in a list of the profile.
pub(super) fn in_list(list: &Sql, value: &Sql) -> Sql {
    sql!("pg_catalog.strpos({}, p.sep || {} || p.sep) > 0", list, value)
}

/// A column's value as it stands in a profile; none for types that do not. A text that holds the separator, and would be
/// taken for two values of a list beside each other, is none of them: no value holds the other one.
pub(super) fn comparable(column: &Column) -> Option<Sql> {
    let value = sql!("t.{}", ident(&column.name));
    let as_one = |text: Sql| sql!("pg_catalog.replace({}, p.sep, pg_catalog.chr(30))", text);
    match column.ty {
        ColumnType::Varchar(_) => Some(as_one(value)),
        ColumnType::Char(_) => Some(as_one(sql!("pg_catalog.rtrim({})", value))),
        ColumnType::Integer(_) => Some(sql!("{}::varchar", value)),
        // A session may choose another form for dates that are cast.
        ColumnType::Date => Some(sql!("pg_catalog.to_char({}, 'YYYY-MM-DD')", value)),
        _ => None,
    }
}

/// The names of columns, a few of them.
pub(super) fn list_of(columns: &[Column]) -> String {
    const FEW: usize = 12;
    let mut names: Vec<String> = columns.iter().take(FEW).map(|column| format!("`{}`", column.name)).collect();
    if columns.len() > FEW {
        names.push("…".to_owned());
    }
    names.join(", ")
}

const MACROS: &str = "There are @column, @columnTagged('tag'), @username, @groupsContains('column'), @purposesContains('column') and \
                      @attributeValuesContains('key', 'column').";

#[cfg(test)]
mod tests;
