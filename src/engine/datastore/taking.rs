//! The steps that take rights back: those beyond what is wanted, or all.

use std::collections::BTreeMap;

use crate::engine::datastore::declared::Declared;
use crate::engine::datastore::found::{Held, MayCreate, RelationFound, SchemaFound, Seen};
use crate::engine::datastore::grantee::{Grantee, GranteeKind};
use crate::engine::datastore::missing::rights_on;
use crate::engine::datastore::steps::{
    TABLES, Work, by_rights, default_privileges, future_tables_of, idents, scope, tables,
};
use crate::engine::datastore::surplus::{Beyond, beyond, system_permission};
use crate::engine::datastore::tables::TableRights;
use crate::engine::datastore::wanted::Through;
use crate::engine::rights::{Privilege, Rights};
use crate::engine::sql::{Sql, ident, sql};

impl Work<'_> {
    /// Takes back what the holder of the rights has beyond what is wanted.
    pub(super) fn take_back_extras(&mut self, held: &Held, schema: &SchemaFound) {
        // A role that is made just now has nothing more than it was given.
        if held.exists == Some(false) {
            return;
        }
        let keep = Declared::of(self.wanted, schema.external);
        if self.is_ours(&held.holder) && held.exists == Some(true) {
            // What it holds in its own schema is seen best in the schema's own lists.
            let mut extras = beyond(self.found, Some(self.wanted));
            extras.schemas.remove(&schema.name);
            extras.tables.remove(&schema.name);
            extras.scoped.remove(&schema.name);
            extras.defaults.remove(&Some(schema.name.clone()));
            self.take_back(held, schema, &keep);
            self.take_back_from_role(held, &extras, false);
            self.take_back_memberships(&held.holder.name, &extras);
            self.take_back_narrow(&held.holder.name, Some(self.wanted));
        } else {
            self.take_back(held, schema, &keep);
        }
        if let Through::Role(role) = &self.wanted.through {
            self.revoke_former_memberships(role);
        }
    }

    /// Takes back everything from a holder who is to have nothing any more, and drops him if he is our role.
    pub(super) fn take_back_all(&mut self, held: &Held) {
        if self.is_ours(&held.holder) {
            if !self.is_of_others(&held.holder.name) && !self.found.foreign_roles.contains_key(&held.holder.name) {
                self.drop_role(held);
            }
            return;
        }
        if let (Some(schema), true) = (&self.found.schema, held.exists != Some(false)) {
            self.take_back(held, schema, &Declared::default());
        }
        if self.is_through(&held.holder) && held.exists != Some(false) {
            // Somebody else's role, which was named at import: only the memberships that are declared.
            for member in self.declared_members(&held.holder.name) {
                if !self.is_of_others(&held.holder.name) && self.may_hold(&held.holder.name, &member) {
                    self.revoke_membership(&held.holder.name, &member);
                }
            }
        }
    }

    fn declared_members(&self, role: &str) -> Vec<Grantee> {
        let of_role = self.before.declared.iter().filter(|declared| declared.role() == Some(role));
        let mut members: Vec<Grantee> = of_role.filter_map(|declared| declared.grantee.clone()).collect();
        members.dedup();
        members
    }

    /// Whether somebody holds a role of ours, or may hold it unseen.
    fn may_hold(&self, role: &str, member: &Grantee) -> bool {
        let is_looked_at = self.found.own_role.as_deref() == Some(role);
        is_looked_at && (self.found.holds_role(member) || !self.found.members_complete)
    }

    /// Who was declared to hold the role, and is not any more. Those who are seen to hold it are taken with the rest.
    fn revoke_former_memberships(&mut self, role: &str) {
        let former: Vec<Grantee> = self
            .declared_members(role)
            .into_iter()
            .filter(|member| Some(member) != self.wanted.grantee.as_ref())
            .filter(|member| self.may_hold(role, member) && !self.found.gone.contains(member))
            .filter(|member| !self.found.members.contains(member) || !self.is_ours(&Grantee::role(role)))
            .collect();
        for member in former {
            self.revoke_membership(role, &member);
        }
    }

    /// Takes back what is held beyond `keep`: from a role of ours whatever it holds, from others what is declared, as far
    /// as it is still there and no other datastore declares it.
    fn take_back(&mut self, held: &Held, schema: &SchemaFound, keep: &Declared) {
        let from = held.holder.sql();
        let is_ours = self.is_ours(&held.holder);
        let (declared, kept) = (self.declared(held), self.kept(held));
        // Of what is seen: ours. Of what is not seen: as declared.
        let ours = |seen: Seen, declared: Rights, kept: Rights, kinds: Rights| {
            let there = if seen.complete { seen.rights } else { seen.rights.and(declared) };
            if is_ours { there.common(kinds) } else { there.common(declared).without(kept) }
        };
        let on_schema = Rights::from(Privilege::Usage).and(Privilege::Create.into());
        let beyond = ours(held.schema, declared.schema, kept.schema, on_schema).without(keep.schema);
        if !beyond.is_empty() {
            let on = ident(&schema.name);
            let revoke = sql!("REVOKE {} ON SCHEMA {} FROM {}", beyond, on, from);
            let undo = sql!("GRANT {} ON SCHEMA {} TO {}", beyond, on, from);
            self.push_on_schema(schema.external, revoke, undo, "the schema itself");
        }

        self.take_back_tables(held, schema, [&declared.tables, &kept.tables, &keep.tables], is_ours);

        let mut defaults: BTreeMap<String, Seen> = held.defaults.clone();
        for owner in &declared.owners {
            // No row of this owner is seen. Superusers would see it.
            defaults.entry(owner.clone()).or_insert(Seen { rights: Rights::NONE, complete: self.found.sees_all });
        }
        let mut beyond: BTreeMap<String, Rights> = BTreeMap::new();
        for (owner, seen) in defaults {
            let (declared, kept) = (declared.on_future_of(&owner), kept.on_future_of(&owner));
            let ours = ours(seen, declared, kept, Rights::all());
            beyond.insert(owner.clone(), ours.without(keep.on_future_of(&owner)));
        }
        self.take_back_defaults(&schema.name, &beyond, &from);

        let beyond = ours(held.scoped, declared.scoped, kept.scoped, Rights::all()).without(keep.scoped);
        if !beyond.is_empty() {
            let scope = scope(&schema.name, &self.wanted.database);
            self.push(
                sql!("REVOKE {} FOR TABLES IN {} FROM {}", beyond, scope, from),
                "all tables of the schema, present and future",
            );
        }
        if (declared.temp || is_ours) && !keep.temp && !kept.temp && held.temp == Some(true) {
            let on = ident(&self.wanted.database);
            self.push_shared(sql!("REVOKE TEMP ON DATABASE {} FROM {}", on, from), "temporary tables");
        }
    }

    /// Redshift takes default privileges only for users who may create in the schema, and nothing says that it revokes
    /// them from others. So an owner who may not any more is lent the right, in the same transaction.
    fn take_back_defaults(&mut self, schema: &str, owners: &BTreeMap<String, Rights>, from: &Sql) {
        let here = self.found.schema.as_ref().filter(|found| found.name == schema).map(|here| &here.may_create);
        let may_create = here.or_else(|| self.found.elsewhere.get(schema).map(|schema| &schema.may_create));
        let mut owners = owners.clone();
        // Who is no user any more has no default privileges that a statement could name.
        if let Some(may_create) = may_create {
            owners.retain(|owner, _| may_create.contains_key(owner));
        }
        // By a role he may have it too: lending and taking back what he has not himself changes nothing.
        let is_lent = |owner: &String| {
            let known = may_create.and_then(|may_create| may_create.get(owner));
            matches!(known, Some(MayCreate::No | MayCreate::PerhapsByRole))
        };
        let lent: Vec<_> = owners
            .iter()
            .filter(|(owner, rights)| !rights.is_empty() && is_lent(owner))
            .map(|(owner, _)| ident(owner))
            .collect();
        let on = ident(schema);
        for owner in &lent {
            self.push(sql!("GRANT CREATE ON SCHEMA {} TO {}", on, *owner), "lent for the next statement");
        }
        for (rights, owners) in by_rights(&owners) {
            let revoke = sql!("REVOKE {} ON TABLES FROM {}", rights, *from);
            self.push(default_privileges(&owners, schema, &revoke), future_tables_of(&owners));
        }
        for owner in &lent {
            self.push(sql!("REVOKE CREATE ON SCHEMA {} FROM {}", on, *owner), "what was lent");
        }
    }

    fn take_back_tables(
        &mut self,
        held: &Held,
        schema: &SchemaFound,
        [declared, kept, keep]: [&TableRights; 3],
        is_ours: bool,
    ) {
        let from = held.holder.sql();
        let case_sensitive = self.found.login.case_sensitive;
        let is_own = |owner: &str| held.holder == Grantee::user(owner);
        // What he has on each table, and what of it is beyond what he is to keep.
        let on_tables: Vec<(&RelationFound, Rights, Rights)> = schema
            .relations
            .iter()
            .enumerate()
            .map(|(index, relation)| {
                let of = |rights: &TableRights| rights.on(&relation.name, case_sensitive);
                let seen = held.relations.get(index).copied().flatten();
                let there = seen.unwrap_or_else(|| rights_on(relation, of(declared)));
                let ours = if is_ours { there } else { there.common(of(declared)).without(of(kept)) };
                (relation, there, ours.without(of(keep)))
            })
            .collect();
        // What he has on a table of his own is not ours.
        let is_taken = |relation: &RelationFound| is_ours || !is_own(&relation.owner);
        let (mut everywhere, mut singly) = (Rights::NONE, Vec::new());
        for privilege in on_tables.iter().fold(Rights::NONE, |all, (_, _, beyond)| all.and(*beyond)).iter() {
            // One statement for all tables would take what stays, too.
            let stays = on_tables.iter().any(|(relation, there, beyond)| {
                there.has(privilege) && !(beyond.has(privilege) && is_taken(relation)) || !is_taken(relation)
            });
            if !stays {
                everywhere.insert(privilege);
                continue;
            }
            let beyond = on_tables.iter().filter(|(it, _, beyond)| beyond.has(privilege) && is_taken(it));
            singly.extend(beyond.map(|(relation, ..)| (relation.name.as_str(), privilege)));
        }
        if !everywhere.is_empty() {
            let on = ident(&schema.name);
            self.push(
                sql!("REVOKE {} ON ALL TABLES IN SCHEMA {} FROM {}", everywhere, on, from),
                "the tables that are there",
            );
        }
        let mut by_table: BTreeMap<&str, Rights> = BTreeMap::new();
        for (name, privilege) in singly {
            by_table.entry(name).or_default().insert(privilege);
        }
        let mut alike: BTreeMap<Rights, Vec<&str>> = BTreeMap::new();
        for (name, rights) in by_table {
            alike.entry(rights).or_default().push(name);
        }
        for (rights, names) in alike {
            for names in names.chunks(TABLES) {
                let on = tables(&schema.name, names);
                self.push(sql!("REVOKE {} ON TABLE {} FROM {}", rights, on, from), "some of the tables");
            }
        }
    }

    /// Takes back everything that our role holds, wherever in this database, and drops it.
    fn drop_role(&mut self, held: &Held) {
        let role = held.holder.name.as_str();
        if held.exists == Some(false) {
            return;
        }
        let is_looked_at = self.found.own_role.as_deref() == Some(role);
        let mut all = if is_looked_at { beyond(self.found, None) } else { Beyond::default() };
        // What cannot be seen goes by what is declared.
        if let Some(schema) = &self.found.schema {
            let declared = self.declared(held);
            if held.exists.is_none() {
                let on_tables = [(String::new(), declared.tables.any())];
                all.tables.insert(schema.name.clone(), on_tables.into());
                all.schemas.insert(schema.name.clone(), declared.schema);
                all.scoped.insert(schema.name.clone(), declared.scoped);
            }
            if !self.found.sees_all {
                let owners = all.defaults.entry(Some(schema.name.clone())).or_default();
                for owner in &declared.owners {
                    owners.insert(owner.clone(), declared.on_future_of(owner));
                }
            }
        }
        self.take_back_from_role(held, &all, true);
        if is_looked_at {
            self.take_back_narrow(role, None);
        }
        if held.temp == Some(true) {
            let on = ident(&self.wanted.database);
            let from = held.holder.sql();
            self.push_shared(sql!("REVOKE TEMP ON DATABASE {} FROM {}", on, from), "temporary tables");
        }
        // FORCE takes the role from all who hold it; a regular login could not even list them.
        self.push_shared(sql!("DROP ROLE {} FORCE", ident(role)), "the role itself, and who holds it");
    }

    /// Takes these rights from our role.
    fn take_back_from_role(&mut self, held: &Held, all: &Beyond, is_dropped: bool) {
        let from = held.holder.sql();
        for (schema, owners) in &all.defaults {
            match schema {
                Some(schema) => self.take_back_defaults(schema, owners, &from),
                None => {
                    for (rights, owners) in by_rights(owners) {
                        let sql = sql!(
                            "ALTER DEFAULT PRIVILEGES FOR USER {} REVOKE {} ON TABLES FROM {}",
                            idents(&owners),
                            rights,
                            from
                        );
                        self.push(sql, future_tables_of(&owners));
                    }
                }
            }
        }
        for (schema, rights) in all.scoped.iter().filter(|(_, rights)| !rights.is_empty()) {
            let scope = scope(schema, &self.wanted.database);
            self.push(sql!("REVOKE {} FOR TABLES IN {} FROM {}", *rights, scope, from), "tables, present and future");
        }
        for (schema, tables) in &all.tables {
            let rights = tables.values().fold(Rights::NONE, |all, rights| all.and(*rights));
            if !rights.is_empty() {
                let what = listed_or_all(rights, Rights::READ_WRITE, is_dropped);
                self.push(sql!("REVOKE {} ON ALL TABLES IN SCHEMA {} FROM {}", what, ident(schema), from), "tables");
            }
        }
        for (schema, rights) in all.schemas.iter().filter(|(_, rights)| !rights.is_empty()) {
            let own = self.found.schema.as_ref().is_some_and(|found| found.name == *schema && found.external);
            let external = own || self.found.elsewhere.get(schema).is_some_and(|schema| schema.external);
            let kinds = Rights::from(Privilege::Usage).and(Privilege::Create.into());
            let (on, what) = (ident(schema), listed_or_all(*rights, kinds, is_dropped));
            let undo = sql!("GRANT {} ON SCHEMA {} TO {}", what, on, from);
            self.push_on_schema(external, sql!("REVOKE {} ON SCHEMA {} FROM {}", what, on, from), undo, "a schema");
        }
    }

    /// Takes our role from all but the grantee, and from it what it holds itself.
    fn take_back_memberships(&mut self, role: &str, extras: &Beyond) {
        for member in &extras.holders {
            self.revoke_membership(role, member);
        }
        if let Some(member) = &extras.admin {
            let sql = sql!("REVOKE ADMIN OPTION FOR ROLE {} FROM {}", ident(role), member_sql(member));
            self.push_shared(sql, format!("{member} may not pass the role on"));
        }
        for held in &extras.holds {
            let sql = sql!("REVOKE ROLE {} FROM ROLE {}", ident(held), ident(role));
            self.push_shared(sql, "a role that this one holds");
        }
        for permission in extras.system.iter().filter_map(|name| system_permission(name)) {
            self.push_shared(sql!("REVOKE {} FROM ROLE {}", permission, ident(role)), "a system permission");
        }
    }

    fn revoke_membership(&mut self, role: &str, member: &Grantee) {
        let sql = sql!("REVOKE ROLE {} FROM {}", ident(role), member_sql(member));
        self.push_shared(sql, format!("the role of {member}"));
    }
}

fn member_sql(member: &Grantee) -> Sql {
    match member.kind {
        GranteeKind::Role => member.sql(),
        GranteeKind::User | GranteeKind::Group => sql!("{}", ident(&member.name)),
    }
}

/// The rights by name; or ALL if there are some of another kind and none is to stay: newer kinds may not be revoked one
/// by one.
fn listed_or_all(rights: Rights, kinds: Rights, all: bool) -> Sql {
    if !all || kinds.covers(rights) { sql!("{}", rights) } else { sql!("ALL") }
}
