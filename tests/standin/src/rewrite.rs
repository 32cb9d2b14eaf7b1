//! From a statement of Redshift's to statements of PostgreSQL's, by the list.

use std::cell::RefCell;
use std::collections::BTreeSet;

use crate::WarehouseKind;
use crate::allowed::Allowed;
use crate::front::auth::md5_stored;
use crate::late::{Binding, Name, Reads};
use crate::names::{GROUP, Names, ROLE};
use crate::pattern::{Captures, Value, fill};
use crate::refusal::Refusal;
use crate::token::Token;

/// What a statement is read with.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The list.
    pub allowed: &'a Allowed,
    /// Long names.
    pub names: &'a Names,
    /// `enable_case_sensitive_identifier` of the session.
    pub case_sensitive: bool,
    /// What `current_namespace` answers; `None`: the column does not exist.
    pub namespace: Option<&'a str>,
    /// Whether a transaction block is open.
    pub in_transaction: bool,
    /// Which kind of warehouse it is.
    pub kind: WarehouseKind,
    /// What names stand for.
    pub binding: &'a Binding,
    /// What is read, found on the way.
    pub reads: &'a RefCell<Reads>,
    /// The statement as it was sent.
    pub text: &'a str,
}

/// What PostgreSQL is sent for one statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The form's id.
    pub id: &'static str,
    /// PostgreSQL's statements; only the last one's answer is shown.
    pub sql: Vec<String>,
    /// PostgreSQL's statements behind these, of which nothing is shown.
    pub after: Vec<String>,
    /// The command tag to answer, and no rows; empty: PostgreSQL's answer.
    pub tag: &'static str,
    /// What it reads by name.
    pub reads: Reads,
    /// What is to be copied from other databases, by who reads it.
    pub copies: BTreeSet<(String, Name)>,
}

impl Plan {
    /// What PostgreSQL is sent for a statement that is refused.
    pub fn refused(refusal: &Refusal) -> Self {
        Plan {
            id: "refused",
            sql: vec![refusal.to_sql()],
            after: Vec::new(),
            tag: "",
            reads: Reads::default(),
            copies: BTreeSet::new(),
        }
    }
}

/// Finds the form of a statement and rewrites it.
pub fn plan(tokens: &[Token], context: &Context<'_>) -> Result<Plan, Refusal> {
    for (form, pattern) in &context.allowed.forms {
        context.reads.take();
        if let Some(mut captures) = pattern.match_all(tokens, context)? {
            hash_clear_password(&mut captures, context.names);
            check_grant_option(&captures)?;
            captures.insert("in_transaction", Value::Sql(context.in_transaction.to_string()));
            if let Some(source) = tokens.iter().find_map(|t| if let Token::Body(body) = t { Some(body) } else { None })
            {
                captures.insert("source", Value::Text(source.clone()));
            }
            captures.insert("statement", Value::Text(context.text.to_owned()));
            let mut reads = context.reads.take();
            refuse_lasting(form.id, &reads, context.binding)?;
            refuse_auto_refresh(&captures, &reads, context.binding)?;
            if form.id == "refresh-materialized-view" {
                reads.refreshed = reads.targets.clone();
            }
            return Ok(Plan {
                id: form.id,
                sql: fill(form.rewrite, &captures),
                after: Vec::new(),
                tag: form.tag,
                reads,
                copies: BTreeSet::new(),
            });
        }
    }
    Err(Refusal::unlisted(format!("this form of {}", opening(tokens))))
}

/// What outlives its statement and reads a late-binding view would have to bind it by itself, which this cannot. No public
/// text shows a bound view on one; late-binding references are among the limitations of materialized ones.
pub fn refuse_lasting(id: &str, reads: &Reads, binding: &Binding) -> Result<(), Refusal> {
    const LASTING: [&str; 4] = ["create-view", "create-materialized-view", "create-function", "create-procedure"];
    // AWS, cross-database queries: of views only late-binding and materialized ones reach into other databases.
    let other = reads.relations.iter().find(|name| name.len() == 3 && id != "create-materialized-view");
    if let Some(name) = other.filter(|_| LASTING.contains(&id)) {
        return Err(Refusal::unlisted(format!("{id} that reads another database ({})", name.join("."))));
    }
    let mut read = reads.relations.iter().filter(|name| binding.views.contains_key(*name));
    let kept = |name: &&Name| !(id == "create-materialized-view" && binding.external.contains(*name));
    match read.find(kept).filter(|_| LASTING.contains(&id)) {
        // GoogleCloudPlatform/professional-services-data-validator#1650.
        Some(name) if id == "create-view" && binding.external.contains(name) => {
            let mut refusal = Refusal::new("0A000", "External tables are not supported in views");
            refusal.hint =
                Some("Please use late binding view and add 'with no schema binding' at the query end.".to_owned());
            Err(refusal)
        }
        Some(name) => {
            let kind = if binding.external.contains(name) { "an external table" } else { "a late-binding view" };
            Err(Refusal::unlisted(format!("{id} that reads {kind} ({})", name.join("."))))
        }
        None => Ok(()),
    }
}

/// AWS, CREATE MATERIALIZED VIEW: AUTO REFRESH YES is not for external schemas; with which words is not said.
fn refuse_auto_refresh(captures: &Captures, reads: &Reads, binding: &Binding) -> Result<(), Refusal> {
    let auto = matches!(captures.get("auto"), Some(Value::Sql(auto)) if auto == "AUTO REFRESH YES");
    if auto && reads.relations.iter().any(|name| binding.external.contains(name)) {
        return Err(Refusal::new("0A000", "Auto-refresh is not supported for materialized views on external tables."));
    }
    Ok(())
}

/// AWS, GRANT: WITH GRANT OPTION is for users, not for groups, roles or PUBLIC.
fn check_grant_option(captures: &Captures) -> Result<(), Refusal> {
    let granted = matches!(captures.get("option"), Some(Value::Sql(option)) if option == "WITH GRANT OPTION");
    let Some(Value::Names(to)) = captures.get("to").filter(|_| granted) else { return Ok(()) };
    if to.iter().all(|name| !name.is_empty() && !name.starts_with([GROUP, ROLE])) {
        return Ok(());
    }
    Err(Refusal::new("0LP01", "grant options can only be granted to individual users"))
}

/// MD5 is salted by the user's name, which the options do not know (AWS: "md5" of password and user name).
fn hash_clear_password(captures: &mut Captures, names: &Names) {
    let (Some(Value::Name(user)), Some(Value::Text(options))) = (captures.get("user"), captures.get("options")) else {
        return;
    };
    let Ok(mut options) = serde_json::from_str::<serde_json::Value>(options) else { return };
    if let Some(clear) = options["password"]["clear"].as_str() {
        let user = names.restore(user).unwrap_or_else(|| user.clone());
        options["password"] = md5_stored(&user, clear).into();
        captures.insert("options", Value::Text(options.to_string()));
    }
}

/// The first words of a statement, for messages and counters; never a name or a literal.
pub fn opening(tokens: &[Token]) -> String {
    const OPENERS: [&str; 20] = [
        "user",
        "group",
        "role",
        "schema",
        "database",
        "table",
        "view",
        "default",
        "privileges",
        "all",
        "external",
        "session",
        "materialized",
        "function",
        "procedure",
        "into",
        "from",
        "or",
        "replace",
        "datashare",
    ];
    let mut words = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Token::Word(word) if at == 0 || OPENERS.contains(&word.as_str()) => words.push(word.to_uppercase()),
            _ => break,
        }
    }
    if words.is_empty() { "statement".to_owned() } else { words.join(" ") }
}

#[cfg(test)]
mod tests;
