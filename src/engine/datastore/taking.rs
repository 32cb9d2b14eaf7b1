//! The steps that take rights back: those beyond what is wanted, or all.

use std::collections::BTreeMap;

use crate::engine::datastore::found::{Found, Held, SchemaFound, Seen};
use crate::engine::datastore::grantee::{Grantee, GranteeKind};
use crate::engine::datastore::missing::{holds_role, is_member, plain_table_rights, rights_on, scoped_rights};
use crate::engine::datastore::steps::{Work, by_rights, default_privileges, future_tables_of, idents, scope, table};
use crate::engine::datastore::wanted::{Given, Made, Through, Wanted};
use crate::engine::rights::{Privilege, Rights};
use crate::engine::sql::ident;

/// What may stay.
#[derive(Default)]
struct Keep {
    schema: Rights,
    tables: Rights,
    defaults: BTreeMap<String, Rights>,
    scoped: Rights,
    temp: bool,
}

/// The record without those who are gone, whom no statement can name any more.
///
/// A user or group that was renamed kept what it had, so its record goes on under the wanted name if that one holds
/// the same and nothing is recorded for it.
pub(super) fn as_it_is_now(found: &Found, wanted: &Wanted, made: &Made) -> Made {
    let mut made = made.clone();
    if let (Through::Role(_), Some(grantee)) = (&wanted.through, &wanted.grantee) {
        let recorded = made.members.len();
        made.members.retain(|member| {
            holds_role(found, member) || !found.members_complete && !found.members_gone.contains(member)
        });
        let is_renamed = made.members.len() < recorded && is_member(found, wanted);
        if is_renamed && !made.members.contains(grantee) {
            made.members.push(grantee.clone());
        }
    }
    if let (Some(held), Some(schema)) = (&found.held, &found.schema)
        && held.holder.kind != GranteeKind::Role
        && made.given_to(&held.holder).is_none()
    {
        let is_gone = |given: &Given| {
            let is_earlier = |earlier: &Held| earlier.holder == given.to && earlier.exists == Some(false);
            given.to.kind == held.holder.kind && found.earlier.iter().any(is_earlier)
        };
        if let Some(given) = made.given.iter_mut().find(|given| is_gone(given) && holds_what(held, schema, given)) {
            given.to = held.holder.clone();
        }
    }
    made
}

/// Whether the holder has what somebody else was given: of tables, which come and go, only some.
fn holds_what(held: &Held, schema: &SchemaFound, given: &Given) -> bool {
    let on_tables = given.tables.iter().all(|(privilege, which)| {
        let concerned = schema.relations.iter().zip(&held.relations).filter(|(relation, _)| {
            relation.counts && which.has(&relation.name) && !rights_on(relation, (*privilege).into()).is_empty()
        });
        let mut seen = concerned.map(|(_, rights)| rights.is_none_or(|rights| rights.has(*privilege))).peekable();
        seen.peek().is_none() || seen.any(|has| has)
    });
    let on_future = given.defaults.iter().all(|(owner, rights)| {
        // No row of this owner is seen, or he is gone too.
        held.defaults.get(owner).is_none_or(|seen| seen.lacks(*rights).is_empty())
    });
    let on_all = held.scoped.lacks(given.scoped).is_empty();
    held.schema.lacks(given.schema).is_empty() && on_tables && on_future && on_all
}

impl Work<'_> {
    /// Takes back what the holder of the rights has beyond what is wanted.
    pub(super) fn take_back_extras(&mut self, held: &Held, schema: &SchemaFound) {
        let keep = Keep {
            schema: self.wanted.schema_rights(),
            tables: plain_table_rights(self.wanted, schema.external),
            defaults: if schema.external {
                BTreeMap::new()
            } else {
                self.wanted.owners().iter().map(|owner| (owner.clone(), self.wanted.table_rights())).collect()
            },
            scoped: scoped_rights(self.wanted, schema.external),
            temp: schema.external,
        };
        // A role that is made just now has nothing more than it was given.
        if held.exists != Some(false) {
            self.take_back(held, schema, &keep);
        }
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
    pub(super) fn take_back_all(&mut self, held: &Held) {
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
        let ours = |seen: Seen, recorded: Rights, kinds: Rights| {
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

        let mut defaults: BTreeMap<String, Seen> = held.defaults.clone();
        for owner in recorded.defaults.keys() {
            // No row of this owner is seen. Superusers would see it.
            defaults.entry(owner.clone()).or_insert(Seen { rights: Rights::NONE, complete: self.found.sees_all });
        }
        let mut beyond: BTreeMap<String, Rights> = BTreeMap::new();
        for (owner, seen) in defaults {
            let recorded = recorded.defaults.get(&owner).copied().unwrap_or_default();
            let kept = keep.defaults.get(&owner).copied().unwrap_or_default();
            beyond.insert(owner, ours(seen, recorded, Rights::READ_WRITE).without(kept));
        }
        self.take_back_defaults(&schema.name, &beyond, &from);

        let beyond = ours(held.scoped, recorded.scoped, Rights::READ_WRITE).without(keep.scoped);
        if !beyond.is_empty() {
            self.push(
                format!("REVOKE {beyond} FOR TABLES IN {} FROM {from}", scope(&schema.name, &self.wanted.database)),
                "all tables of the schema, present and future",
            );
        }
        // What was found is about the grantee who is wanted now, not about an earlier one.
        let is_gone = self.found.temp == Some(false) && self.wanted.grantee.as_ref() == Some(holder);
        let takes_temp = recorded.temp && !keep.temp && !is_gone;
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

    /// Redshift takes default privileges only for users who may create in the schema, and nothing says that it revokes
    /// them from others. So an owner who may not any more is lent the right, in the same transaction.
    fn take_back_defaults(&mut self, schema: &str, owners: &BTreeMap<String, Rights>, from: &str) {
        let here = self.found.schema.as_ref().filter(|found| found.name == schema);
        let mut owners = owners.clone();
        // Who is no user any more has no default privileges that a statement could name.
        if let Some(here) = here {
            owners.retain(|owner, _| here.may_create.contains_key(owner));
        }
        let lent: Vec<String> = owners
            .iter()
            .filter(|(owner, rights)| {
                !rights.is_empty() && here.is_some_and(|here| here.may_create.get(*owner) == Some(&Some(false)))
            })
            .map(|(owner, _)| ident(owner).into())
            .collect();
        let on = ident(schema);
        for owner in &lent {
            self.push(format!("GRANT CREATE ON SCHEMA {on} TO {owner}"), "lent for the next statement");
        }
        for (rights, owners) in by_rights(&owners) {
            let revoke = format!("REVOKE {rights} ON TABLES FROM {from}");
            self.push(default_privileges(&owners, schema, &revoke), future_tables_of(&owners));
        }
        for owner in &lent {
            self.push(format!("REVOKE CREATE ON SCHEMA {on} FROM {owner}"), "what was lent");
        }
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
            match &schema {
                Some(schema) => self.take_back_defaults(schema, &owners, &from),
                None => {
                    for (rights, owners) in by_rights(&owners) {
                        let sql = format!(
                            "ALTER DEFAULT PRIVILEGES FOR USER {} REVOKE {rights} ON TABLES FROM {from}",
                            idents(&owners)
                        );
                        self.push(sql, future_tables_of(&owners));
                    }
                }
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
            GranteeKind::User | GranteeKind::Group => ident(&member.name).into(),
        };
        self.push_shared(format!("REVOKE ROLE {} FROM {from}", ident(role)), format!("the role of {member}"));
    }
}
/// The rights by name, or ALL if there are some of another kind: newer kinds may not be revoked one by one.
fn listed_or_all(rights: Rights, kinds: Rights) -> String {
    if kinds.covers(rights) { rights.to_string() } else { "ALL".to_owned() }
}
