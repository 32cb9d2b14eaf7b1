//! Queries and expressions: every relation, function, type, operator and reserved word in them is looked up in the
//! list; catalogue names are put in place of Redshift's.

use crate::allowed::{self, Node};
use crate::names::{Kind, fold, ident, literal};
use crate::pattern::{Cursor, Value};
use crate::refusal::Refusal;
use crate::rewrite::Context;
use crate::slots;
use crate::table;
use crate::token::{Token, body_statements};

const OPERATORS: [&str; 21] =
    ["=", "<>", "!=", "<", ">", "<=", ">=", "+", "-", "*", "/", "%", "||", "~", "!~", "~~", "!~~", "(", ")", ",", "::"];
/// Words that may stand before a parenthesis without being a function.
const BEFORE_PARENTHESIS: &str = "in and or not exists on using as from where when then else select union all except \
    intersect by having between like limit distinct case join coalesce nullif substring cast";
/// Prefixes of system relations: one that is not on the list is refused, not looked for among users' tables.
const SYSTEM: [&str; 8] = ["pg_", "svv_", "stv_", "stl_", "svl_", "svcs_", "sys_", "rs_"];

/// Values of which there is no text, by type: columns of the catalogue, words, and what was cast before.
const NO_TEXT: [(&str, &str); 4] = [
    ("aclitem[]", "relacl nspacl proacl datacl lanacl defaclacl"),
    (
        "boolean",
        "true false usesuper usecreatedb usecatupd attnotnull attisdropped prosecdef datistemplate datallowconn",
    ),
    ("abstime", "valuntil"),
    ("regprocedure", "regprocedure"),
];

/// Redshift's answer to leader-only things beside compute relations (AWS: c_join_PG, c_SQL_functions_leader_node).
const MIXED: &str = "Specified types or functions (one per INFO message) not supported on Redshift tables.";

/// A whole SELECT, up to the end or `WITH NO SCHEMA BINDING`.
pub fn read(at: &mut Cursor<'_>, context: &Context<'_>) -> Result<Option<Value>, Refusal> {
    if !at.peek().is_some_and(|t| t.is_word("select")) {
        return Ok(None);
    }
    let rest = at.rest();
    let binding = ["with", "no", "schema", "binding"];
    let late = rest.len() > 4 && rest[rest.len() - 4..].iter().zip(binding).all(|(t, word)| t.is_word(word));
    let tokens = at.take_many(if late { rest.len() - 4 } else { rest.len() });
    Ok(Some(Value::Sql(check(tokens, context, false)?)))
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

#[derive(Default)]
struct Frame {
    select: bool,
    /// Whether the list after FROM is being read; then whether a relation must come next.
    from: Option<bool>,
    cast: bool,
}

struct Checker<'a, 'c> {
    context: &'c Context<'c>,
    at: Cursor<'a>,
    out: Vec<String>,
    frames: Vec<Frame>,
    leader_relation: bool,
    compute_relation: bool,
    leader_only: Vec<String>,
}

fn check(tokens: &[Token], context: &Context<'_>, compute: bool) -> Result<String, Refusal> {
    let mut checker = Checker {
        context,
        at: Cursor::new(tokens),
        out: Vec::new(),
        frames: vec![Frame { select: true, ..Frame::default() }],
        leader_relation: false,
        compute_relation: compute,
        leader_only: Vec::new(),
    };
    while let Some(token) = checker.at.peek() {
        checker.step(token)?;
    }
    if checker.frames.len() != 1 {
        return Err(Refusal::syntax("syntax error at end of input"));
    }
    if checker.compute_relation && (checker.leader_relation || !checker.leader_only.is_empty()) {
        let mut refusal = Refusal::new("0A000", MIXED);
        refusal.info = checker.leader_only;
        return Err(refusal);
    }
    Ok(checker.out.join(" "))
}

impl<'a> Checker<'a, '_> {
    fn frame(&mut self) -> &mut Frame {
        if self.frames.is_empty() {
            self.frames.push(Frame::default());
        }
        let last = self.frames.len() - 1;
        &mut self.frames[last]
    }

    fn step(&mut self, token: &'a Token) -> Result<(), Refusal> {
        match token {
            Token::Word(_) | Token::Quoted(_) if self.frame().from == Some(true) => self.relation(),
            Token::Word(word) => self.word(word),
            Token::Quoted(_) => self.column(),
            Token::Text(text) => {
                self.at.take();
                self.out.push(literal(&self.context.names.in_literal(text)));
                Ok(())
            }
            Token::Number(number) => {
                self.at.take();
                self.out.push(number.clone());
                Ok(())
            }
            // Read in the bodies of functions only.
            Token::Argument(argument) => {
                self.at.take();
                self.out.push(argument.clone());
                Ok(())
            }
            Token::Body(_) => Err(Refusal::unlisted("a dollar-quoted string in a query")),
            Token::Op(op) => self.op(op),
        }
    }

    fn op(&mut self, op: &str) -> Result<(), Refusal> {
        if !OPERATORS.contains(&op) {
            return Err(Refusal::unlisted(format!("the operator {op}")));
        }
        self.at.take();
        self.out.push(op.to_owned());
        match op {
            "(" => {
                let joins = self.frame().from == Some(true);
                if joins {
                    self.frame().from = Some(false);
                }
                let select = joins && !self.at.peek().is_some_and(|t| t.is_word("select"));
                self.frames.push(Frame { select, from: select.then_some(true), cast: false });
            }
            ")" => {
                self.frames.pop();
                if self.frames.is_empty() {
                    return Err(Refusal::syntax("syntax error at or near \")\""));
                }
            }
            "," if self.frame().from == Some(false) => self.frame().from = Some(true),
            "::" => self.data_type()?,
            _ => {}
        }
        Ok(())
    }

    fn data_type(&mut self) -> Result<(), Refusal> {
        let name = match self.at.peek() {
            Some(Token::Word(word)) => word.clone(),
            _ => return Err(Refusal::syntax("a type is missing")),
        };
        let Some(backing) = table::data_type(&mut self.at, self.context)? else {
            return Err(Refusal::unlisted(format!("the type {name}")));
        };
        if self.context.allowed.data_type(&name).is_some_and(|t| t.leader) {
            self.leader_only.push(format!("Type \"{name}\" not supported."));
        }
        self.refuse_cast(&backing)?;
        self.out.push(backing);
        Ok(())
    }

    /// PostgreSQL 8.0 makes no text of what it has no cast for: later ones go by the text that a type is printed as.
    fn refuse_cast(&self, backing: &str) -> Result<(), Refusal> {
        let [.., value, mark] = &self.out[..] else { return Ok(()) };
        let column = value.rsplit('.').next().unwrap_or_default().trim_matches('"').to_lowercase();
        let uncast = NO_TEXT.iter().find(|(_, names)| names.split(' ').any(|name| name == column));
        match uncast {
            Some((from, _)) if mark == "::" && (backing.starts_with("varchar") || backing.starts_with("char")) => {
                Err(Refusal::new("42846", format!("cannot cast type {from} to character varying")))
            }
            _ => Ok(()),
        }
    }

    fn word(&mut self, word: &str) -> Result<(), Refusal> {
        let open = self.at.rest().get(1).is_some_and(|t| t.is_op("("));
        match word {
            "select" => *self.frame() = Frame { select: true, from: None, cast: false },
            "from" if self.frame().select => self.frame().from = Some(true),
            "join" => self.frame().from = Some(true),
            "where" | "group" | "order" | "having" | "union" | "except" | "intersect" | "limit" | "offset" => {
                self.frame().from = None;
            }
            _ => {}
        }
        if allowed::is_reserved(word) {
            if !self.context.allowed.word(word) {
                return Err(Refusal::unlisted(format!("the word {} in a query", word.to_uppercase())));
            }
            self.at.take();
            self.out.push(word.to_uppercase());
            return match word {
                // No public source shows a bare truth value there.
                "on" if self.at.peek().is_some_and(|t| t.is_word("true") || t.is_word("false")) => {
                    Err(Refusal::unlisted("ON TRUE"))
                }
                "as" => self.alias(),
                "cast" if self.at.mark("(") => {
                    self.out.push("(".into());
                    self.frames.push(Frame { cast: true, ..Frame::default() });
                    Ok(())
                }
                _ if open && !BEFORE_PARENTHESIS.split_whitespace().any(|w| w == word) => {
                    Err(Refusal::unlisted(format!("the function {word}")))
                }
                _ => Ok(()),
            };
        }
        if word == "by" || word == "escape" {
            self.at.take();
            self.out.push(word.to_uppercase());
            return Ok(());
        }
        if word == "current_namespace" && !open {
            self.at.take();
            let Some(namespace) = self.context.namespace else {
                return Err(Refusal::new("42703", "column \"current_namespace\" does not exist"));
            };
            self.out.push(format!("{}::varchar AS current_namespace", literal(namespace)));
            return Ok(());
        }
        if open {
            self.at.take();
            return self.function(word);
        }
        self.column()
    }

    /// What follows AS: a type inside CAST, else a name.
    fn alias(&mut self) -> Result<(), Refusal> {
        if self.frame().cast {
            self.frame().cast = false;
            return self.data_type();
        }
        match self.at.take() {
            Some(Token::Word(word)) => self.name(word),
            Some(Token::Quoted(name)) => self.name(&self.cased(name)),
            _ => Err(Refusal::syntax("syntax error at or near \"AS\"")),
        }
    }

    fn cased(&self, name: &str) -> String {
        if self.context.case_sensitive { name.to_owned() } else { fold(name) }
    }

    fn name(&mut self, name: &str) -> Result<(), Refusal> {
        self.out.push(ident(&self.context.names.postgres(Kind::Object, name)?));
        Ok(())
    }

    /// `a`, `a.b`, `a.*`: parts as they were written.
    fn chain(&mut self) -> Result<Vec<String>, Refusal> {
        let mut parts = Vec::new();
        loop {
            match self.at.peek() {
                Some(Token::Word(word)) => parts.push(word.clone()),
                Some(Token::Quoted(name)) => parts.push(self.cased(name)),
                Some(Token::Op(star)) if star == "*" && !parts.is_empty() => parts.push("*".into()),
                _ => return Err(Refusal::syntax("syntax error at or near \".\"")),
            }
            self.at.take();
            if !self.at.mark(".") {
                return Ok(parts);
            }
        }
    }

    fn column(&mut self) -> Result<(), Refusal> {
        let bare = matches!(self.at.peek(), Some(Token::Word(_)));
        let parts = self.chain()?;
        if self.at.peek().is_some_and(|t| t.is_op("(")) {
            return match &parts[..] {
                [schema, function] if schema == "pg_catalog" => self.function(function),
                _ => Err(Refusal::unlisted(format!("the function {}", parts.join(".")))),
            };
        }
        if matches!(self.at.peek(), Some(Token::Text(_))) {
            let data_type = self.context.allowed.data_type(&parts[0]).filter(|_| parts.len() == 1);
            let data_type = data_type.ok_or_else(|| Refusal::syntax(format!("syntax error after \"{}\"", parts[0])))?;
            self.out.push(data_type.backing.to_owned());
            return Ok(());
        }
        let mut written = Vec::new();
        for part in &parts {
            let name = self.context.names.postgres(Kind::Object, part)?;
            // A bare word stays bare: it may be a word of the grammar such as `first`.
            written.push(if part == "*" || (bare && parts.len() == 1 && name == *part) { name } else { ident(&name) });
        }
        self.out.push(written.join("."));
        Ok(())
    }

    fn function(&mut self, name: &str) -> Result<(), Refusal> {
        let Some(function) = self.context.allowed.function(name) else {
            return Err(Refusal::unlisted(format!("the function {name}")));
        };
        if function.leader {
            self.leader_only.push(format!("Function \"{name}\" not supported."));
        }
        self.out.push(format!("pg_catalog.{}", function.backing.unwrap_or(name)));
        if name == "current_setting" || name == "set_config" {
            let [open, Token::Text(setting), next, ..] = self.at.rest() else {
                return Err(Refusal::unlisted("a computed name of a setting"));
            };
            let variable = slots::variable_name(setting);
            // AWS, CURRENT_SETTING: error_if_undefined is for session context variables only.
            if variable.is_none() && name == "current_setting" && next.is_op(",") {
                return Err(Refusal::syntax("error_if_undefined is supported for session context variables only"));
            }
            let backing = variable.or_else(|| self.context.allowed.setting(setting).map(str::to_owned));
            let backing = backing.ok_or_else(|| Refusal::unlisted(format!("the setting {setting}")))?;
            self.op(if open.is_op("(") { "(" } else { "" })?;
            self.at.take();
            self.out.push(literal(&backing));
        }
        Ok(())
    }

    fn relation(&mut self) -> Result<(), Refusal> {
        if let Some(Token::Word(word)) = self.at.peek()
            && allowed::is_reserved(word)
        {
            return Err(Refusal::unlisted(format!("the word {} in a query", word.to_uppercase())));
        }
        let parts = self.chain()?;
        self.frame().from = Some(false);
        if parts == ["pg_get_session_roles"] && self.context.allowed.function(&parts[0]).is_some() {
            return self.session_roles();
        }
        if self.at.peek().is_some_and(|t| t.is_op("(")) {
            return Err(Refusal::unlisted(format!("the function {} in FROM", parts.join("."))));
        }
        let (schema, name) = match &parts[..] {
            [name] => (None, name),
            [schema, name] => (Some(schema.as_str()), name),
            _ => return Err(Refusal::unlisted("a name of three parts (another database)")),
        };
        let system = matches!(schema, Some("pg_catalog" | "information_schema" | "pg_internal"));
        if system || (schema.is_none() && SYSTEM.iter().any(|p| name.starts_with(p))) {
            let Some(relation) = self.context.allowed.relation(name).filter(|_| schema != Some("information_schema"))
            else {
                return Err(Refusal::unlisted(format!("the relation {}", parts.join("."))));
            };
            if !self.context.kind.shows(relation.name) {
                return Err(Refusal::new("42501", format!("permission denied for relation {}", relation.name)));
            }
            match relation.node {
                Node::Leader => self.leader_relation = true,
                Node::Compute => self.compute_relation = true,
            }
            self.out.push(format!("pg_catalog.{}", relation.backing));
            let aliased = match self.at.peek() {
                Some(Token::Word(word)) => word == "as" || !allowed::is_reserved(word),
                Some(Token::Quoted(_)) => true,
                _ => false,
            };
            if !aliased {
                self.out.push(format!("AS {}", ident(name)));
            }
            return Ok(());
        }
        self.compute_relation = true;
        self.user_relation(&parts)
    }

    /// `pg_get_session_roles() AS name(name name, roleid integer)`, as its page has it; the columns' types are given there.
    fn session_roles(&mut self) -> Result<(), Refusal> {
        const REST: [&str; 10] = ["(", ")", "as", "sess_roles", "(", "name", "name", ",", "roleid", "integer"];
        let is = |token: &Token, text: &str| token.is_word(text) || token.is_op(text);
        let rest = self.at.take_many(REST.len() + 1);
        let fits = rest.len() == REST.len() + 1 && rest.iter().zip(REST).all(|(token, text)| is(token, text));
        if !fits || !rest[REST.len()].is_op(")") {
            return Err(Refusal::unlisted("another form of pg_get_session_roles"));
        }
        self.leader_relation = true;
        self.out.push("pg_catalog.rs_session_roles() AS sess_roles".into());
        Ok(())
    }

    fn user_relation(&mut self, parts: &[String]) -> Result<(), Refusal> {
        let mut written = Vec::new();
        for part in parts {
            written.push(ident(&self.context.names.postgres(Kind::Object, part)?));
        }
        self.out.push(written.join("."));
        Ok(())
    }
}
