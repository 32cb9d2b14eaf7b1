//! Reads a query token by token, and writes it for PostgreSQL.

use crate::allowed::{self, Node};
use crate::late;
use crate::names::{Kind, fold, ident, literal};
use crate::pattern::Cursor;
use crate::refusal::Refusal;
use crate::rewrite::Context;
use crate::table;
use crate::token::Token;

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

/// Redshift's words, as dbt-labs/redshift#55 has them; their SQLSTATE is not known.
const UNQUALIFIED: &str =
    "All the relation names inside should be qualified when creating VIEW WITH NO SCHEMA BINDING.";

fn is_system(schema: &str) -> bool {
    ["pg_catalog", "information_schema", "pg_internal"].contains(&schema)
}

#[derive(Default)]
pub(super) struct Frame {
    select: bool,
    /// Whether this stands in a SELECT's list.
    list: bool,
    /// Whether the list after FROM is being read; then whether a relation must come next.
    from: Option<bool>,
    cast: bool,
}

pub(super) struct Checker<'a, 'c> {
    pub(super) context: &'c Context<'c>,
    pub(super) at: Cursor<'a>,
    pub(super) out: Vec<String>,
    pub(super) frames: Vec<Frame>,
    pub(super) leader_relation: bool,
    pub(super) compute_relation: bool,
    pub(super) leader_only: Vec<String>,
}

/// The whole of `tokens` for PostgreSQL. `compute`: it stands beside a user's table.
pub fn check(tokens: &[Token], context: &Context<'_>, compute: bool) -> Result<String, Refusal> {
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

    pub(super) fn op(&mut self, op: &str) -> Result<(), Refusal> {
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
                let list = self.frame().list;
                self.frames.push(Frame { select, list, from: select.then_some(true), cast: false });
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
            "select" => *self.frame() = Frame { select: true, list: true, from: None, cast: false },
            "from" if self.frame().select => *self.frame() = Frame { list: false, from: Some(true), ..*self.frame() },
            "is" if self.frame().list => self.refuse_truth()?,
            "join" => self.frame().from = Some(true),
            "where" | "group" | "order" | "having" | "union" | "except" | "intersect" | "limit" | "offset" => {
                let frame = self.frame();
                (frame.from, frame.list) = (None, false);
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
                    let list = self.frame().list;
                    self.frames.push(Frame { cast: true, list, ..Frame::default() });
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

    /// AWS, Boolean type: IS TRUE and the like are predicates of WHERE; in a SELECT's list they are "Not implemented".
    fn refuse_truth(&self) -> Result<(), Refusal> {
        let mut after = self.at;
        after.take();
        after.word("not");
        match after.peek() {
            Some(Token::Word(word)) if ["true", "false", "unknown"].contains(&word.as_str()) => {
                Err(Refusal::new("0A000", "Not implemented"))
            }
            _ => Ok(()),
        }
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
                [schema, function] if schema == "pg_catalog" => self.function_of_catalog(function),
                [schema, function] if !is_system(schema) => self.function_of_user(schema, function),
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
            [_, schema, _] if !is_system(schema) => {
                self.compute_relation = true;
                return self.user_relation(&parts);
            }
            _ => return Err(Refusal::unlisted("a system relation of another database")),
        };
        if self.context.binding.late && schema.is_none() {
            return Err(Refusal::new("0A000", UNQUALIFIED));
        }
        if schema.is_some_and(is_system) || (schema.is_none() && SYSTEM.iter().any(|p| name.starts_with(p))) {
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
            self.context.reads.borrow_mut().columns |= relation.name == "svv_columns";
            self.out.push(format!("pg_catalog.{}", relation.backing));
            self.alias_as(name);
            return Ok(());
        }
        self.compute_relation = true;
        self.user_relation(&parts)
    }

    fn user_relation(&mut self, parts: &[String]) -> Result<(), Refusal> {
        let mut names = Vec::new();
        for part in parts {
            names.push(self.context.names.postgres(Kind::Object, part)?);
        }
        let binding = self.context.binding;
        if names.len() == 3 && names[0] == binding.database {
            names.remove(0);
        }
        let elsewhere = binding.reader.as_ref().filter(|_| names.len() == 3).map(|who| late::elsewhere(who, &names));
        if names.len() == 3 && elsewhere.is_none() && !binding.open {
            return Err(Refusal::unlisted("a name of three parts (another database) here"));
        }
        match elsewhere.or_else(|| binding.views.get(&names).cloned()) {
            Some(place) => {
                self.out.push(place);
                self.alias_as(names.last().map(String::as_str).unwrap_or_default());
            }
            None => self.out.push(names.iter().map(|name| ident(name)).collect::<Vec<_>>().join(".")),
        }
        self.context.reads.borrow_mut().relations.insert(names);
        Ok(())
    }

    /// The name by which columns are written, where what is read has another and the statement gives none.
    fn alias_as(&mut self, name: &str) {
        let aliased = match self.at.peek() {
            Some(Token::Word(word)) => word == "as" || !allowed::is_reserved(word),
            Some(Token::Quoted(_)) => true,
            _ => false,
        };
        if !aliased {
            self.out.push(format!("AS {}", ident(name)));
        }
    }
}
