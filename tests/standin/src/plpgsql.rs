//! Bodies of procedures: one block, whose constructs are on the list one by one (`allowed/constructs.rs`). Every
//! expression in them is looked up as in a query.

use crate::names::{Kind, ident, literal};
use crate::pattern::{Cursor, Value};
use crate::query;
use crate::refusal::Refusal;
use crate::rewrite::Context;
use crate::slots;
use crate::table;
use crate::token::{Token, statements};

/// A procedure's dollar-quoted body, as PostgreSQL is given it.
pub fn read(at: &mut Cursor<'_>, context: &Context<'_>) -> Result<Option<Value>, Refusal> {
    let Some(Token::Body(body)) = at.take() else { return Ok(None) };
    let end = Token::Op(";".into());
    let tokens: Vec<Token> =
        statements(body)?.into_iter().flat_map(|one| one.into_iter().chain([end.clone()])).collect();
    let mut reader = Reader { at: Cursor::new(&tokens), context, out: String::new() };
    if reader.at.word("declare") {
        reader.listed("declare", "DECLARE")?;
        reader.declarations()?;
    }
    if !reader.at.word("begin") {
        return Err(Refusal::unlisted("a procedure's body that is no block"));
    }
    reader.out.push_str("BEGIN\n");
    reader.block(&["end"])?;
    reader.at.word("end");
    reader.at.mark(";");
    if reader.at.peek().is_some() {
        return Err(Refusal::syntax("syntax error after the procedure's last END"));
    }
    reader.out.push_str("END;");
    Ok(Some(Value::Text(reader.out)))
}

struct Reader<'a, 'c> {
    at: Cursor<'a>,
    context: &'c Context<'c>,
    out: String,
}

impl<'a> Reader<'a, '_> {
    fn declarations(&mut self) -> Result<(), Refusal> {
        self.out.push_str("DECLARE\n");
        while !self.at.peek().is_some_and(|t| t.is_word("begin")) {
            let name = self.variable()?;
            let Some(data_type) = table::data_type(&mut self.at, self.context)? else {
                return Err(Refusal::unlisted(format!("this declaration of {name} in a procedure")));
            };
            self.out.push_str(&format!("  {name} {data_type}"));
            if self.at.mark(":=") {
                let value = self.until(&[])?;
                self.out.push_str(&format!(" := {}", query::expression(value, self.context)?));
            }
            self.end()?;
            self.out.push_str(";\n");
        }
        Ok(())
    }

    /// Statements up to one of these words, which stays.
    fn block(&mut self, closers: &[&str]) -> Result<(), Refusal> {
        while !closers.iter().any(|word| self.at.peek().is_some_and(|t| t.is_word(word))) {
            self.statement()?;
        }
        Ok(())
    }

    fn statement(&mut self) -> Result<(), Refusal> {
        let Some(first) = self.at.peek() else {
            return Err(Refusal::syntax("syntax error at end of the procedure's body"));
        };
        let word = match first {
            Token::Word(word) => word.as_str(),
            _ => "",
        };
        match word {
            "null" | "return" => {
                self.listed(word, word)?;
                self.at.take();
                self.out.push_str(&format!("{};\n", word.to_uppercase()));
                return self.end();
            }
            "select" => {
                self.listed("select-into", word)?;
                self.at.take();
                if !self.at.word("into") {
                    return Err(Refusal::unlisted("a SELECT in a procedure that does not begin SELECT INTO"));
                }
                let name = self.variable()?;
                let rest = self.until(&[])?;
                self.out.push_str(&format!("SELECT INTO {name} {};\n", query::expression(rest, self.context)?));
            }
            "call" => {
                self.listed("call", word)?;
                self.at.take();
                let mut name = self.variable()?;
                while self.at.mark(".") {
                    name = format!("{name}.{}", self.variable()?);
                }
                let arguments = self.until(&[])?;
                self.out.push_str(&format!("CALL {name}{};\n", query::expression(arguments, self.context)?));
            }
            "if" => {
                self.listed("if", word)?;
                return self.condition();
            }
            "raise" => {
                self.listed("raise-exception", word)?;
                self.at.take();
                return self.raise();
            }
            _ if self.at.rest().get(1).is_some_and(|t| t.is_op(":=")) => {
                self.listed("assignment", "an assignment")?;
                let name = self.variable()?;
                self.at.take();
                let value = self.until(&[])?;
                self.out.push_str(&format!("{name} := {};\n", query::expression(value, self.context)?));
            }
            _ => {
                return self.listed("", if word.is_empty() { "this" } else { word });
            }
        }
        self.end()
    }

    /// Refuses what is not on the list.
    fn listed(&self, id: &str, shown: &str) -> Result<(), Refusal> {
        if self.context.allowed.construct(id) {
            return Ok(());
        }
        Err(Refusal::unlisted(format!("{} in a procedure's body", shown.to_uppercase())))
    }

    fn condition(&mut self) -> Result<(), Refusal> {
        self.at.take();
        let test = self.until(&["then"])?;
        self.out.push_str(&format!("IF {} THEN\n", query::expression(test, self.context)?));
        self.at.word("then");
        self.block(&["else", "end"])?;
        if self.at.word("else") {
            self.out.push_str("ELSE\n");
            self.block(&["end"])?;
        }
        self.at.word("end");
        if !self.at.word("if") {
            return Err(Refusal::syntax("syntax error: END IF is missing"));
        }
        self.out.push_str("END IF;\n");
        self.end()
    }

    /// AWS, RAISE: `%` stands for a variable, not for any expression.
    fn raise(&mut self) -> Result<(), Refusal> {
        if !self.at.word("exception") {
            return Err(Refusal::unlisted("RAISE of another level than EXCEPTION"));
        }
        let Some(format) = slots::string(&mut self.at) else {
            return Err(Refusal::syntax("syntax error: RAISE needs a format"));
        };
        self.out.push_str(&format!("RAISE EXCEPTION {}", literal(&format)));
        while self.at.mark(",") {
            let name = self.variable()?;
            self.out.push_str(&format!(", {name}"));
        }
        self.out.push_str(";\n");
        self.end()
    }

    fn variable(&mut self) -> Result<String, Refusal> {
        match slots::name(&mut self.at, self.context, Kind::Object)? {
            Some(name) => Ok(ident(&name)),
            None => Err(Refusal::syntax("syntax error: the name of a variable is missing")),
        }
    }

    fn end(&mut self) -> Result<(), Refusal> {
        if self.at.mark(";") {
            Ok(())
        } else {
            Err(Refusal::syntax("syntax error: ; is missing in a procedure's body"))
        }
    }

    /// Tokens up to `;` or, outside CASE, one of these words; neither is taken.
    fn until(&mut self, words: &[&str]) -> Result<&'a [Token], Refusal> {
        let rest = self.at.rest();
        let mut cases = 0usize;
        for (at, token) in rest.iter().enumerate() {
            if token.is_word("case") {
                cases += 1;
            } else if cases > 0 && token.is_word("end") {
                cases -= 1;
            } else if token.is_op(";") || (cases == 0 && words.iter().any(|word| token.is_word(word))) {
                return Ok(self.at.take_many(at));
            }
        }
        Err(Refusal::syntax("syntax error at end of the procedure's body"))
    }
}
