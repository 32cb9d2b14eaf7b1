//! The steps that lead from what was found to what is wanted: a pure function of the two and of what was made before.
//!
//! New rights come first and old ones go last, so that a change of the way they are given leaves no gap.

use std::collections::BTreeMap;

use super::found::{Found, Held, SchemaFound};
use super::grantee::{Grantee, GranteeKind};
use super::missing::{Lacks, lacks, plain_table_rights, rights_on, scoped_rights};
use super::rights::{Privilege, Rights};
use super::sql::{Sql, ident};
use super::wanted::{FutureTables, Given, Made, Through, Wanted, is_role_name};

/// More tables than this get one statement for all.
const SINGLY: usize = 3;

/// One statement of a plan.
#[derive(Clone, Debug)]
pub struct Step {
    pub database: String,
    pub sql: Sql,
    /// It cannot be in a transaction with others.
    pub alone: bool,
    /// It touches what all databases share: roles, memberships, users, rights on databases.
    pub shared: bool,
    /// What takes it back, where it ran alone.
    pub undo: Option<Sql>,
    /// What it is for, for people.
    pub comment: String,
}

impl Step {
    /// A step that shares a transaction with others.
    pub fn new(database: &str, sql: impl Into<Sql>, comment: impl Into<String>) -> Step {
        Step {
            database: database.to_owned(),
            sql: sql.into(),
            alone: false,
            shared: false,
            undo: None,
            comment: comment.into(),
        }
    }

    /// The same, on what all databases share.
    pub fn shared(database: &str, sql: impl Into<Sql>, comment: impl Into<String>) -> Step {
        Step { shared: true, ..Step::new(database, sql, comment) }
    }
}

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
    let mut work = Work { found, wanted, before: made, plan: Plan { steps: Vec::new(), made: made.clone() } };
    for held in found.held.iter().chain(&found.earlier) {
        work.take_back_all(held);
    }
    work.plan.steps
}

struct Work<'a> {
    found: &'a Found,
    wanted: &'a Wanted,
    before: &'a Made,
    plan: Plan,
}

impl Work<'_> {
    /// Whether the holder is a role that this provider made: by the record, or by the shape of its name.
    fn is_ours(&self, holder: &Grantee) -> bool {
        holder.kind == GranteeKind::Role
            && (self.before.role.as_ref() == Some(&holder.name)
                || matches!(&self.wanted.through, Through::Role(role) if *role == holder.name && is_role_name(role)))
    }

    fn push(&mut self, sql: String, comment: impl Into<String>) {
        self.plan.steps.push(Step::new(&self.wanted.database, sql, comment));
    }

    fn push_shared(&mut self, sql: String, comment: impl Into<String>) {
        self.plan.steps.push(Step::shared(&self.wanted.database, sql, comment));
    }

    /// A statement on an external schema runs alone: AWS refuses grants on external resources in a transaction.
    fn push_on_schema(&mut self, external: bool, sql: String, undo: String, comment: impl Into<String>) {
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
        let counted = schema.relations.iter().filter(|relation| relation.counts).count();
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
        let future_too = holder.kind == GranteeKind::Role && matches!(self.wanted.through, Through::Role(_))
            || !self.wanted.owners().is_empty();
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

    /// Takes back what the holder of the rights has beyond what is wanted.
    fn take_back_extras(&mut self, held: &Held, schema: &SchemaFound) {
        let keep = Keep {
            schema: self.wanted.schema_rights(),
            tables: plain_table_rights(self.wanted, schema.external),
            defaults: match &self.wanted.future {
                FutureTables::Owners(owners) if !schema.external => {
                    owners.iter().map(|owner| (owner.clone(), self.wanted.table_rights())).collect()
                }
                _ => BTreeMap::new(),
            },
            scoped: scoped_rights(self.wanted, schema.external),
            temp: schema.external,
        };
        self.take_back(held, schema, &keep);
        if let (Through::Role(role), Some(grantee)) = (&self.wanted.through, &self.wanted.grantee) {
            let former: Vec<Grantee> =
                self.plan.made.members.iter().filter(|member| *member != grantee).cloned().collect();
            for member in former {
                self.revoke_membership(role, &member);
            }
            self.plan.made.members.retain(|member| member == grantee);
        }
    }

    /// Takes back everything from a holder who is to have nothing any more, and drops him if he is our role.
    fn take_back_all(&mut self, held: &Held) {
        if self.is_ours(&held.holder) {
            self.drop_role(held);
            return;
        }
        if let Some(schema) = &self.found.schema {
            self.take_back(held, schema, &Keep::default());
        }
        if let Through::Role(role) = &self.wanted.through {
            // Somebody else's role, which was named at import: only the memberships that we gave.
            if held.holder.name == *role {
                for member in std::mem::take(&mut self.plan.made.members) {
                    self.revoke_membership(role, &member);
                }
            }
        }
        self.plan.made.given.retain(|given| given.to != held.holder);
    }

    /// Takes back what is held beyond `keep`. What a role of ours holds is ours; from others only what was recorded
    /// goes, as far as it is still there.
    fn take_back(&mut self, held: &Held, schema: &SchemaFound, keep: &Keep) {
        let holder = &held.holder;
        let from = holder.sql();
        let is_ours = self.is_ours(holder);
        let recorded = self.plan.made.given_to(holder).cloned().unwrap_or_else(|| Given::none(holder.clone()));
        if held.exists == Some(false) {
            self.plan.made.given.retain(|given| given.to != *holder);
            return;
        }
        // Of what is seen: ours. Of what is not seen: as recorded.
        let ours = |seen: super::found::Seen, recorded: Rights, kinds: Rights| {
            let there = if seen.complete { seen.rights } else { seen.rights.and(recorded) };
            if is_ours { there.common(kinds) } else { there.common(recorded) }
        };
        let on_schema = Rights::from(Privilege::Usage).and(Privilege::Create.into());
        let beyond = ours(held.schema, recorded.schema, on_schema).without(keep.schema);
        if !beyond.is_empty() {
            let on = ident(&schema.name);
            let revoke = format!("REVOKE {beyond} ON SCHEMA {on} FROM {from}");
            let undo = format!("GRANT {beyond} ON SCHEMA {on} TO {from}");
            self.push_on_schema(schema.external, revoke, undo, "the schema itself");
        }

        self.take_back_tables(held, schema, &recorded, is_ours, keep.tables);

        let mut defaults: BTreeMap<String, super::found::Seen> = held.defaults.clone();
        for owner in recorded.defaults.keys() {
            // No row of this owner is seen. Superusers would see it.
            defaults
                .entry(owner.clone())
                .or_insert(super::found::Seen { rights: Rights::NONE, complete: self.found.sees_all });
        }
        let mut beyond: BTreeMap<String, Rights> = BTreeMap::new();
        for (owner, seen) in defaults {
            let recorded = recorded.defaults.get(&owner).copied().unwrap_or_default();
            let kept = keep.defaults.get(&owner).copied().unwrap_or_default();
            beyond.insert(owner, ours(seen, recorded, Rights::READ_WRITE).without(kept));
        }
        for (rights, owners) in by_rights(&beyond) {
            let revoke = format!("REVOKE {rights} ON TABLES FROM {from}");
            self.push(default_privileges(&owners, &schema.name, &revoke), future_tables_of(&owners));
        }

        let beyond = ours(held.scoped, recorded.scoped, Rights::READ_WRITE).without(keep.scoped);
        if !beyond.is_empty() {
            self.push(
                format!("REVOKE {beyond} FOR TABLES IN {} FROM {from}", scope(&schema.name, &self.wanted.database)),
                "all tables of the schema, present and future",
            );
        }
        let takes_temp = recorded.temp && !keep.temp;
        if takes_temp {
            let on = ident(&self.wanted.database);
            self.push_shared(format!("REVOKE TEMP ON DATABASE {on} FROM {from}"), "temporary tables");
        }

        let record = self.plan.made.record(holder);
        record.schema = record.schema.common(keep.schema);
        record.tables.retain(|privilege, _| keep.tables.has(*privilege));
        record.defaults.retain(|owner, rights| {
            *rights = rights.common(keep.defaults.get(owner).copied().unwrap_or_default());
            !rights.is_empty()
        });
        record.scoped = record.scoped.common(keep.scoped);
        record.temp &= keep.temp;
    }

    fn take_back_tables(&mut self, held: &Held, schema: &SchemaFound, recorded: &Given, is_ours: bool, keep: Rights) {
        let from = held.holder.sql();
        let (mut everywhere, mut singly) = (Rights::NONE, Vec::new());
        for privilege in Rights::READ_WRITE.without(keep).iter() {
            // One table after the other: does he hold the right there, and is it ours?
            let on: Vec<&str> = schema
                .relations
                .iter()
                .enumerate()
                .filter(|(index, relation)| {
                    let seen = held.relations.get(*index).copied().flatten();
                    let is_recorded = recorded.tables.get(&privilege).is_some_and(|which| which.has(&relation.name));
                    let is_there = match seen {
                        Some(rights) => rights.has(privilege),
                        None => is_recorded && !rights_on(relation, privilege.into()).is_empty(),
                    };
                    is_there && (is_ours || is_recorded)
                })
                .map(|(_, relation)| relation.name.as_str())
                .collect();
            let all_that_hold =
                held.relations.iter().filter(|rights| rights.is_none_or(|rights| rights.has(privilege))).count();
            if on.is_empty() {
                continue;
            }
            if is_ours || on.len() == all_that_hold {
                everywhere.insert(privilege);
            } else {
                singly.extend(on.into_iter().map(|name| (name, privilege)));
            }
        }
        if !everywhere.is_empty() {
            let on = ident(&schema.name);
            self.push(
                format!("REVOKE {everywhere} ON ALL TABLES IN SCHEMA {on} FROM {from}"),
                "the tables that are there",
            );
        }
        let mut by_table: BTreeMap<&str, Rights> = BTreeMap::new();
        for (name, privilege) in singly {
            by_table.entry(name).or_default().insert(privilege);
        }
        for (name, rights) in by_table {
            let table = table(&schema.name, name);
            self.push(format!("REVOKE {rights} ON TABLE {table} FROM {from}"), "a table that was granted by us");
        }
    }

    /// Takes back everything that our role holds, wherever in this database, and drops it.
    fn drop_role(&mut self, held: &Held) {
        let (role, from) = (held.holder.name.as_str(), held.holder.sql());
        if held.exists == Some(false) {
            self.forget_role(role);
            return;
        }
        let mut on_tables: BTreeMap<String, Rights> = BTreeMap::new();
        let (mut on_schemas, mut scoped, mut defaults) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        if let Some(all) = &self.found.role {
            for ((schema, _), rights) in &all.relations {
                let there = on_tables.entry(schema.clone()).or_default();
                *there = there.and(*rights);
            }
            on_schemas = all.schemas.clone();
            scoped = all.scoped.clone();
            defaults = all.defaults.clone();
        }
        // What cannot be seen goes by the record.
        if let (Some(schema), Some(given)) = (&self.found.schema, self.plan.made.given_to(&held.holder)) {
            if held.exists.is_none() {
                on_tables.insert(schema.name.clone(), given.tables.keys().copied().collect());
                on_schemas.insert(schema.name.clone(), given.schema);
                scoped.insert(schema.name.clone(), given.scoped);
            }
            if !self.found.sees_all {
                for (owner, rights) in &given.defaults {
                    defaults.insert((Some(schema.name.clone()), owner.clone()), *rights);
                }
            }
        }
        let mut by_schema: BTreeMap<Option<String>, BTreeMap<String, Rights>> = BTreeMap::new();
        for ((schema, owner), rights) in defaults {
            by_schema.entry(schema).or_default().insert(owner, rights);
        }
        for (schema, owners) in by_schema {
            for (rights, owners) in by_rights(&owners) {
                let revoke = format!("REVOKE {rights} ON TABLES FROM {from}");
                let sql = match &schema {
                    Some(schema) => default_privileges(&owners, schema, &revoke),
                    None => format!("ALTER DEFAULT PRIVILEGES FOR USER {} {revoke}", idents(&owners)),
                };
                self.push(sql, future_tables_of(&owners));
            }
        }
        for (schema, rights) in scoped.into_iter().filter(|(_, rights)| !rights.is_empty()) {
            let scope = scope(&schema, &self.wanted.database);
            self.push(format!("REVOKE {rights} FOR TABLES IN {scope} FROM {from}"), "tables, present and future");
        }
        for (schema, rights) in on_tables.into_iter().filter(|(_, rights)| !rights.is_empty()) {
            let what = listed_or_all(rights, Rights::READ_WRITE);
            self.push(format!("REVOKE {what} ON ALL TABLES IN SCHEMA {} FROM {from}", ident(&schema)), "tables");
        }
        for (schema, rights) in on_schemas.into_iter().filter(|(_, rights)| !rights.is_empty()) {
            let external = self.found.schema.as_ref().is_some_and(|found| found.name == schema && found.external);
            let kinds = Rights::from(Privilege::Usage).and(Privilege::Create.into());
            let on = ident(&schema);
            let what = listed_or_all(rights, kinds);
            let undo = format!("GRANT {what} ON SCHEMA {on} TO {from}");
            self.push_on_schema(external, format!("REVOKE {what} ON SCHEMA {on} FROM {from}"), undo, "a schema");
        }
        if self.plan.made.given_to(&held.holder).is_some_and(|given| given.temp) {
            let on = ident(&self.wanted.database);
            self.push_shared(format!("REVOKE TEMP ON DATABASE {on} FROM {from}"), "temporary tables");
        }
        // FORCE takes the role from all who hold it; a regular login could not even list them.
        self.push_shared(format!("DROP ROLE {} FORCE", ident(role)), "the role itself, and who holds it");
        self.forget_role(role);
    }

    fn forget_role(&mut self, role: &str) {
        let holder = Grantee::role(role);
        let made = &mut self.plan.made;
        made.given.retain(|given| given.to != holder);
        if made.role.as_deref() == Some(role) {
            made.role = None;
            made.members.clear();
        }
    }

    fn revoke_membership(&mut self, role: &str, member: &Grantee) {
        let from = match member.kind {
            GranteeKind::Role => member.sql(),
            GranteeKind::User | GranteeKind::Group => ident(&member.name),
        };
        self.push_shared(format!("REVOKE ROLE {} FROM {from}", ident(role)), format!("the role of {member}"));
    }
}

/// What may stay.
#[derive(Default)]
struct Keep {
    schema: Rights,
    tables: Rights,
    defaults: BTreeMap<String, Rights>,
    scoped: Rights,
    temp: bool,
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
fn by_rights(owners: &BTreeMap<String, Rights>) -> BTreeMap<Rights, Vec<&str>> {
    let mut shared: BTreeMap<Rights, Vec<&str>> = BTreeMap::new();
    for (owner, rights) in owners.iter().filter(|(_, rights)| !rights.is_empty()) {
        shared.entry(*rights).or_default().push(owner);
    }
    shared
}

fn future_tables_of(owners: &[&str]) -> String {
    format!("tables that {} will make", owners.join(", "))
}

fn idents(names: &[&str]) -> String {
    names.iter().map(|name| ident(name)).collect::<Vec<_>>().join(", ")
}

/// `SCHEMA "s" DATABASE "d"`, the scope of a scoped right.
pub(super) fn scope(schema: &str, database: &str) -> String {
    format!("SCHEMA {} DATABASE {}", ident(schema), ident(database))
}

/// `"s"."t"`.
pub(super) fn table(schema: &str, table: &str) -> String {
    format!("{}.{}", ident(schema), ident(table))
}

/// The rights by name, or ALL if there are some of another kind: newer kinds may not be revoked one by one.
fn listed_or_all(rights: Rights, kinds: Rights) -> String {
    if kinds.covers(rights) { rights.to_string() } else { "ALL".to_owned() }
}
