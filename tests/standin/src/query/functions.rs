//! Functions: who finds which, and what is written for it.

use super::checker::Checker;
use crate::names::{Kind, ident, literal};
use crate::refusal::Refusal;
use crate::slots;
use crate::token::Token;

impl Checker<'_, '_> {
    /// A function without its schema, which the search_path finds: a user's own may stand before pg_catalog's.
    pub(super) fn function(&mut self, name: &str) -> Result<(), Refusal> {
        let binding = self.context.binding;
        let listed = self.context.allowed.function(name).is_some();
        {
            let mut reads = self.context.reads.borrow_mut();
            reads.functions.insert(name.to_owned());
            reads.unlisted |= !listed;
        }
        match binding.first.get(name).or_else(|| binding.known.get(name).filter(|_| !listed)) {
            Some(schema) => {
                self.out.push(format!("{}.{}", ident(schema), ident(name)));
                Ok(())
            }
            None if !listed && binding.open => {
                self.out.push(ident(name));
                Ok(())
            }
            None => self.function_of_catalog(name),
        }
    }

    pub(super) fn function_of_user(&mut self, schema: &str, name: &str) -> Result<(), Refusal> {
        let schema = self.context.names.postgres(Kind::Object, schema)?;
        let name = self.context.names.postgres(Kind::Object, name)?;
        self.out.push(format!("{}.{}", ident(&schema), ident(&name)));
        self.context.reads.borrow_mut().schemas.insert(schema);
        Ok(())
    }

    pub(super) fn function_of_catalog(&mut self, name: &str) -> Result<(), Refusal> {
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

    /// `pg_get_session_roles() AS name(name name, roleid integer)`, as its page has it; the columns' types are given there.
    pub(super) fn session_roles(&mut self) -> Result<(), Refusal> {
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
}
