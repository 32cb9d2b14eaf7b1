//! The steps that lead from what was found to what is wanted: a pure function of the two and of what was made before.
//!
//! New rights come first and old ones go last, so that a change of the way they are given leaves no gap.

use std::collections::BTreeMap;

use crate::engine::datastore::found::{Found, Held, RelationFound, SchemaFound};
use crate::engine::datastore::grantee::{Grantee, GranteeKind};
use crate::engine::datastore::missing::{Lacks, lacks, rights_on};
use crate::engine::datastore::taking::as_it_is_now;
use crate::engine::datastore::wanted::{Given, Made, Through, Wanted, is_role_name};
use crate::engine::rights::Rights;
use crate::engine::sql::{Sql, ident};
use crate::engine::step::Step;

/// More tables than this get one statement for all.
const SINGLY: usize = 3;

/// Steps, and what will have been made when they are done.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    pub steps: Vec<Step>,
    pub made: Made,
}

/// From what was found to what is wanted. `made` is what was recorded so far.
///
/// What cannot be seen is granted once, and not again once it is recorded; what is certainly there is left alone and
/// not claimed. A right that the old value of a setting gave and the new one does not is taken back: from the
/// datastore's own role whoever gave it, from others only as recorded.
pub fn steps(found: &Found, wanted: &Wanted, made: &Made) -> Plan {
    let made = &as_it_is_now(found, wanted, made);
    let mut work = Work { found, wanted, before: made, plan: Plan { steps: Vec::new(), made: made.clone() } };
    let lacks = lacks(found, wanted);
    if let (Some(held), Some(schema)) = (&found.held, &found.schema) {
        work.give(held, schema, &lacks, made);
        work.take_back_extras(held, schema);
    }
    for held in &found.earlier {
        work.take_back_all(held);
    }
    work.plan.made.given.retain(|given| !given.is_empty());
    work.plan
}

/// From what was found to nothing: takes back what was made, and the datastore's own role with all it holds.
pub fn removal(found: &Found, wanted: &Wanted, made: &Made) -> Vec<Step> {
    let made = &as_it_is_now(found, wanted, made);
    let mut work = Work { found, wanted, before: made, plan: Plan { steps: Vec::new(), made: made.clone() } };
    for held in found.held.iter().chain(&found.earlier) {
        work.take_back_all(held);
    }
    work.plan.steps
}

pub(super) struct Work<'a> {
    pub(super) found: &'a Found,
    pub(super) wanted: &'a Wanted,
    pub(super) before: &'a Made,
    pub(super) plan: Plan,
}

impl Work<'_> {
    /// Whether the holder is a role that this provider made: by the record, or by the shape of its name.
    pub(super) fn is_ours(&self, holder: &Grantee) -> bool {
        holder.kind == GranteeKind::Role
            && (self.before.role.as_ref() == Some(&holder.name)
                || matches!(&self.wanted.through, Through::Role(role) if *role == holder.name && is_role_name(role)))
    }

    pub(super) fn push(&mut self, sql: String, comment: impl Into<String>) {
        self.plan.steps.push(Step::new(&self.wanted.database, sql, comment));
    }

    pub(super) fn push_shared(&mut self, sql: String, comment: impl Into<String>) {
        self.plan.steps.push(Step::shared(&self.wanted.database, sql, comment));
    }

    /// A statement on an external schema runs alone: AWS refuses grants on external resources in a transaction.
    pub(super) fn push_on_schema(&mut self, external: bool, sql: String, undo: String, comment: impl Into<String>) {
        let mut step = Step::new(&self.wanted.database, sql, comment);
        if external {
            step.alone = true;
            step.undo = Some(Sql::from(undo));
        }
        self.plan.steps.push(step);
    }

    fn give(&mut self, held: &Held, schema: &SchemaFound, lacks: &Lacks, made: &Made) {
        let holder = &held.holder;
        let to = holder.sql();
        let recorded = made.given_to(holder).cloned().unwrap_or_else(|| Given::none(holder.clone()));
        let is_new_role = match &self.wanted.through {
            // A role that cannot be seen is there if we made it.
            Through::Role(role) => lacks.role || (lacks.unseen.role && made.role.as_ref() != Some(role)),
            Through::Direct => false,
        };
        if let (true, Through::Role(role)) = (is_new_role, &self.wanted.through) {
            self.push_shared(create_role(role), "a role of this datastore's own");
            self.plan.made.role = Some(role.clone());
            self.plan.made.given.retain(|given| given.to != *holder);
        }
        let unseen = |rights: Rights, recorded: Rights| if is_new_role { rights } else { rights.without(recorded) };

        let on_schema = lacks.schema.and(unseen(lacks.unseen.schema, recorded.schema));
        if !on_schema.is_empty() {
            let on = ident(&schema.name);
            let grant = format!("GRANT {on_schema} ON SCHEMA {on} TO {to}");
            let undo = format!("REVOKE {on_schema} ON SCHEMA {on} FROM {to}");
            self.push_on_schema(schema.external, grant, undo, "the schema itself");
        }
        self.plan.made.record(holder).schema = recorded.schema.and(on_schema);

        self.give_tables(held, schema, lacks, is_new_role, &recorded);

        let recorded_default = |owner: &String| recorded.defaults.get(owner).copied().unwrap_or_default();
        let mut defaults: BTreeMap<String, Rights> = lacks.defaults.clone();
        for (owner, rights) in &lacks.unseen.defaults {
            let rights = unseen(*rights, recorded_default(owner));
            if !rights.is_empty() {
                let all = defaults.entry(owner.clone()).or_default();
                *all = all.and(rights);
            }
        }
        for (rights, owners) in by_rights(&defaults) {
            let grant = format!("GRANT {rights} ON TABLES TO {to}");
            self.push(default_privileges(&owners, &schema.name, &grant), future_tables_of(&owners));
        }
        for (owner, rights) in defaults {
            let all = self.plan.made.record(holder).defaults.entry(owner).or_default();
            *all = all.and(rights);
        }

        let scoped = lacks.scoped.and(unseen(lacks.unseen.scoped, recorded.scoped));
        if !scoped.is_empty() {
            self.push(
                format!("GRANT {scoped} FOR TABLES IN {} TO {to}", scope(&schema.name, &self.wanted.database)),
                "all tables of the schema, present and future",
            );
            self.plan.made.record(holder).scoped = recorded.scoped.and(scoped);
        }
        if lacks.temp {
            self.push_shared(
                format!("GRANT TEMP ON DATABASE {} TO {to}", ident(&self.wanted.database)),
                "queries on external tables make temporary ones",
            );
            self.plan.made.record(holder).temp = true;
        }
        if let (Through::Role(role), Some(grantee)) = (&self.wanted.through, &self.wanted.grantee) {
            let is_recorded = made.members.contains(grantee);
            if lacks.member || is_new_role || (lacks.unseen.member && !is_recorded) {
                self.push_shared(grant_role(role, grantee), format!("the role for {grantee}"));
                if !is_recorded {
                    self.plan.made.members.push(grantee.clone());
                }
            }
        }
    }

    fn give_tables(&mut self, held: &Held, schema: &SchemaFound, lacks: &Lacks, is_new_role: bool, recorded: &Given) {
        let holder = &held.holder;
        let to = holder.sql();
        let certain = lacks.on_tables();
        let recorded_on_tables: Rights = recorded.tables.keys().copied().collect();
        let unseen = if is_new_role { lacks.unseen.tables } else { lacks.unseen.tables.without(recorded_on_tables) };
        let all = certain.and(unseen);
        if all.is_empty() {
            return;
        }
        let concerned = |relation: &&RelationFound| relation.counts && !rights_on(relation, certain).is_empty();
        let counted = schema.relations.iter().filter(concerned).count();
        let singly = unseen.is_empty() && lacks.tables.len() <= SINGLY && lacks.tables.len() < counted;
        if singly {
            for (index, rights) in &lacks.tables {
                let table = table(&schema.name, &schema.relations[*index].name);
                self.push(format!("GRANT {rights} ON TABLE {table} TO {to}"), "a table that is not covered");
            }
        } else {
            let on = ident(&schema.name);
            self.push(format!("GRANT {all} ON ALL TABLES IN SCHEMA {on} TO {to}"), "the tables that are there");
        }
        let future_too = !self.wanted.owners().is_empty();
        for privilege in all.iter() {
            let (mut lacked, mut had) = (Vec::new(), Vec::new());
            for (index, relation) in schema.relations.iter().enumerate() {
                if held.relations.get(index).copied().flatten().is_some_and(|rights| rights.has(privilege)) {
                    had.push(relation.name.as_str());
                } else if !singly || lacks.tables.iter().any(|(at, rights)| *at == index && rights.has(privilege)) {
                    // A statement for all tables reaches more than what was counted.
                    lacked.push(relation.name.as_str());
                }
            }
            if matches!(self.wanted.through, Through::Role(_)) {
                had.clear();
            }
            self.plan.made.record(holder).add_tables(privilege, &lacked, &had, future_too);
        }
    }
}

/// `CREATE ROLE "r"`.
pub(super) fn create_role(role: &str) -> String {
    format!("CREATE ROLE {}", ident(role))
}

/// `GRANT ROLE "r" TO "u"`.
pub(super) fn grant_role(role: &str, grantee: &Grantee) -> String {
    format!("GRANT ROLE {} TO {}", ident(role), grantee.sql())
}

/// `ALTER DEFAULT PRIVILEGES FOR USER "o", "p" IN SCHEMA "s" ...`.
pub(super) fn default_privileges(owners: &[&str], schema: &str, what: &str) -> String {
    format!("ALTER DEFAULT PRIVILEGES FOR USER {} IN SCHEMA {} {what}", idents(owners), ident(schema))
}

/// The owners who share the same rights, so that one statement serves them; those without any are left out.
pub(super) fn by_rights(owners: &BTreeMap<String, Rights>) -> BTreeMap<Rights, Vec<&str>> {
    let mut shared: BTreeMap<Rights, Vec<&str>> = BTreeMap::new();
    for (owner, rights) in owners.iter().filter(|(_, rights)| !rights.is_empty()) {
        shared.entry(*rights).or_default().push(owner);
    }
    shared
}

pub(super) fn future_tables_of(owners: &[&str]) -> String {
    format!("tables that {} will make", owners.join(", "))
}

pub(super) fn idents(names: &[&str]) -> String {
    names.iter().map(|name| ident(name)).collect::<Vec<_>>().join(", ")
}

/// `SCHEMA "s" DATABASE "d"`, the scope of a scoped right.
pub(in crate::engine) fn scope(schema: &str, database: &str) -> String {
    format!("SCHEMA {} DATABASE {}", ident(schema), ident(database))
}

/// `"s"."t"`.
pub(in crate::engine) fn table(schema: &str, table: &str) -> String {
    format!("{}.{}", ident(schema), ident(table))
}
