//! The steps that lead from what was found to what is wanted: a pure function of the two and of what state declares.
//!
//! New rights come first and old ones go last, so that a change of the way they are given leaves no gap.

use std::collections::BTreeMap;

use crate::engine::datastore::declared::{Before, Declared, kept_for_others};
use crate::engine::datastore::found::{Found, Held, RelationFound, SchemaFound};
use crate::engine::datastore::grantee::{Grantee, GranteeKind};
use crate::engine::datastore::missing::{Lacks, counts_for, lacks, rights_on};
use crate::engine::datastore::role::is_role_name;
use crate::engine::datastore::wanted::{Through, Wanted};
use crate::engine::names::same_name;
use crate::engine::rights::Rights;
use crate::engine::sql::{Sql, ident, sql};
use crate::engine::step::Step;

/// More tables than this get one statement for all.
const SINGLY: usize = 3;

/// At most this many tables are named in one statement.
pub(super) const TABLES: usize = 100;

/// From what was found to what is wanted. `before` is what state declares; `others` what other datastores do.
///
/// What cannot be seen is granted once, and not again once it is declared; what is there is left alone. A right that was
/// declared and is not any more is taken back, whoever gave it, unless another datastore declares it; from the
/// datastore's own role everything that is not wanted.
pub fn steps(found: &Found, wanted: &Wanted, before: &Before, others: &[Wanted]) -> Vec<Step> {
    let mut work = Work { found, wanted, before, others, steps: Vec::new() };
    let lacks = lacks(found, wanted);
    if let (Some(held), Some(schema)) = (&found.held, &found.schema) {
        work.give(held, schema, &lacks);
        work.take_back_extras(held, schema);
    }
    for held in &found.earlier {
        work.take_back_all(held);
    }
    work.steps
}

/// From what was found to nothing: takes back what is declared, and the datastore's own role with all it holds. What
/// others declare stays.
pub fn removal(found: &Found, declared: &Wanted, before: &Before, others: &[Wanted]) -> Vec<Step> {
    let mut work = Work { found, wanted: declared, before, others, steps: Vec::new() };
    for held in found.held.iter().chain(&found.earlier) {
        work.take_back_all(held);
    }
    work.steps
}

pub(super) struct Work<'a> {
    pub(super) found: &'a Found,
    pub(super) wanted: &'a Wanted,
    pub(super) before: &'a Before,
    pub(super) others: &'a [Wanted],
    pub(super) steps: Vec<Step>,
}

impl Work<'_> {
    /// Whether the holder is a role of this datastore's own: by the shape of its name, which state or the plan says.
    pub(super) fn is_ours(&self, holder: &Grantee) -> bool {
        holder.kind == GranteeKind::Role && is_role_name(&holder.name) && self.is_through(holder)
    }

    /// Whether the rights of this datastore go, or went, through the holder.
    pub(super) fn is_through(&self, holder: &Grantee) -> bool {
        holder.kind == GranteeKind::Role
            && (self.wanted.role() == Some(&*holder.name) || self.before.has_role(&holder.name))
    }

    /// What state declares for a holder.
    pub(super) fn declared(&self, held: &Held) -> Declared {
        self.before.declared_for(&held.names, self.is_external())
    }

    /// What other datastores declare for a holder.
    pub(super) fn kept(&self, held: &Held) -> Declared {
        let case_sensitive = self.found.login.case_sensitive;
        let mut kept = kept_for_others(self.others, self.wanted, &held.names, self.is_external(), case_sensitive);
        // TEMP is on the database, whatever the schema; which of the others are external is not known.
        kept.temp = kept.temp
            || self.others.iter().any(|other| {
                same_name(&other.database, &self.wanted.database, case_sensitive)
                    && other.holder().is_some_and(|holder| held.names.contains(&holder))
            });
        kept
    }

    /// Whether another datastore goes through this role.
    pub(super) fn is_of_others(&self, role: &str) -> bool {
        let same = |other: &str| same_name(other, role, self.found.login.case_sensitive);
        self.others.iter().any(|other| other.role().is_some_and(same))
    }

    pub(super) fn is_external(&self) -> bool {
        self.found.schema.as_ref().is_some_and(|schema| schema.external)
    }

    pub(super) fn push(&mut self, sql: Sql, comment: impl Into<String>) {
        self.steps.push(Step::new(&self.wanted.database, sql, comment));
    }

    pub(super) fn push_shared(&mut self, sql: Sql, comment: impl Into<String>) {
        self.steps.push(Step::shared(&self.wanted.database, sql, comment));
    }

    /// A statement on an external schema runs alone: AWS refuses grants on external resources in a transaction.
    pub(super) fn push_on_schema(&mut self, external: bool, sql: Sql, undo: Sql, comment: impl Into<String>) {
        let mut step = Step::new(&self.wanted.database, sql, comment);
        if external {
            step.alone = true;
            step.undo = Some(undo);
        }
        self.steps.push(step);
    }

    fn give(&mut self, held: &Held, schema: &SchemaFound, lacks: &Lacks) {
        let to = held.holder.sql();
        let declared = self.declared(held);
        let is_new_role = match &self.wanted.through {
            // A role that cannot be seen is there if state says so.
            Through::Role(role) => lacks.role || (lacks.unseen.role && !self.before.has_role(role)),
            Through::Direct => false,
        };
        if let (true, Through::Role(role)) = (is_new_role, &self.wanted.through) {
            self.push_shared(create_role(role), "a role of this datastore's own");
        }
        let unseen = |rights: Rights, declared: Rights| if is_new_role { rights } else { rights.without(declared) };

        let on_schema = lacks.schema.and(unseen(lacks.unseen.schema, declared.schema));
        if !on_schema.is_empty() {
            let on = ident(&schema.name);
            let grant = sql!("GRANT {} ON SCHEMA {} TO {}", on_schema, on, to);
            let undo = sql!("REVOKE {} ON SCHEMA {} FROM {}", on_schema, on, to);
            self.push_on_schema(schema.external, grant, undo, "the schema itself");
        }
        self.give_tables(held, schema, lacks, is_new_role, &declared);

        let mut defaults: BTreeMap<String, Rights> = lacks.defaults.clone();
        for (owner, rights) in &lacks.unseen.defaults {
            let rights = unseen(*rights, declared.on_future_of(owner));
            if !rights.is_empty() {
                let all = defaults.entry(owner.clone()).or_default();
                *all = all.and(rights);
            }
        }
        for (rights, owners) in by_rights(&defaults) {
            let grant = sql!("GRANT {} ON TABLES TO {}", rights, to);
            self.push(default_privileges(&owners, &schema.name, &grant), future_tables_of(&owners));
        }
        let scoped = lacks.scoped.and(unseen(lacks.unseen.scoped, declared.scoped));
        if !scoped.is_empty() {
            let scope = scope(&schema.name, &self.wanted.database);
            self.push(
                sql!("GRANT {} FOR TABLES IN {} TO {}", scoped, scope, to),
                "all tables of the schema, present and future",
            );
        }
        if lacks.temp {
            self.push_shared(
                sql!("GRANT TEMP ON DATABASE {} TO {}", ident(&self.wanted.database), to),
                "queries on external tables make temporary ones",
            );
        }
        if let (Through::Role(role), Some(grantee)) = (&self.wanted.through, &self.wanted.grantee) {
            let is_declared = self.before.gives_role(role, grantee);
            if lacks.member || is_new_role || (lacks.unseen.member && !is_declared) {
                self.push_shared(grant_role(role, grantee), format!("the role for {grantee}"));
            }
        }
    }

    fn give_tables(&mut self, held: &Held, schema: &SchemaFound, lacks: &Lacks, is_new_role: bool, before: &Declared) {
        let to = held.holder.sql();
        let certain = lacks.on_tables();
        let unseen = if is_new_role { lacks.unseen.tables } else { lacks.unseen.tables.without(before.tables.any()) };
        let all = certain.and(unseen);
        if all.is_empty() {
            return;
        }
        if self.wanted.tables.is_some() {
            self.give_selected(schema, lacks, unseen, &to);
            return;
        }
        let concerned = |relation: &&RelationFound| relation.counts && !rights_on(relation, certain).is_empty();
        let counted = schema.relations.iter().filter(concerned).count();
        let singly = unseen.is_empty() && lacks.tables.len() <= SINGLY && lacks.tables.len() < counted;
        if singly {
            for (index, rights) in &lacks.tables {
                let table = table(&schema.name, &schema.relations[*index].name);
                self.push(sql!("GRANT {} ON TABLE {} TO {}", *rights, table, to), "a table that is not covered");
            }
        } else {
            let on = ident(&schema.name);
            self.push(sql!("GRANT {} ON ALL TABLES IN SCHEMA {} TO {}", all, on, to), "the tables that are there");
        }
    }

    /// Rights on the tables that are selected, and on no other. What cannot be seen is given to each of them.
    fn give_selected(&mut self, schema: &SchemaFound, lacks: &Lacks, unseen: Rights, to: &Sql) {
        let case_sensitive = self.found.login.case_sensitive;
        let mut alike: BTreeMap<Rights, Vec<&str>> = BTreeMap::new();
        for (index, relation) in schema.relations.iter().enumerate() {
            if !counts_for(relation, self.wanted, case_sensitive) {
                continue;
            }
            let certain = lacks.tables.iter().find(|(lacking, _)| *lacking == index).map(|(_, rights)| *rights);
            let rights = certain.unwrap_or_default().and(rights_on(relation, unseen));
            if !rights.is_empty() {
                alike.entry(rights).or_default().push(&relation.name);
            }
        }
        for (rights, names) in alike {
            for names in names.chunks(TABLES) {
                let on = tables(&schema.name, names);
                self.push(sql!("GRANT {} ON TABLE {} TO {}", rights, on, to.clone()), "tables that match");
            }
        }
    }
}

/// `CREATE ROLE "r"`.
pub(super) fn create_role(role: &str) -> Sql {
    sql!("CREATE ROLE {}", ident(role))
}

/// `GRANT ROLE "r" TO "u"`.
pub(super) fn grant_role(role: &str, grantee: &Grantee) -> Sql {
    sql!("GRANT ROLE {} TO {}", ident(role), grantee.sql())
}

/// `ALTER DEFAULT PRIVILEGES FOR USER "o", "p" IN SCHEMA "s" ...`.
pub(super) fn default_privileges(owners: &[&str], schema: &str, what: &Sql) -> Sql {
    sql!("ALTER DEFAULT PRIVILEGES FOR USER {} IN SCHEMA {} {}", idents(owners), ident(schema), what)
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

pub(super) fn idents(names: &[&str]) -> Sql {
    Sql::join(", ", names.iter().map(|name| ident(name)))
}

/// `SCHEMA "s" DATABASE "d"`, the scope of a scoped right.
pub(in crate::engine) fn scope(schema: &str, database: &str) -> Sql {
    sql!("SCHEMA {} DATABASE {}", ident(schema), ident(database))
}

/// `"s"."t", "s"."u"`.
pub(super) fn tables(schema: &str, names: &[&str]) -> Sql {
    Sql::join(", ", names.iter().map(|name| table(schema, name)))
}

/// `"s"."t"`.
pub(in crate::engine) fn table(schema: &str, table: &str) -> Sql {
    sql!("{}.{}", ident(schema), ident(table))
}
