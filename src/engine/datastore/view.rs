//! Everything that was read of a warehouse, laid out for one datastore.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::engine::catalog::At;
use crate::engine::catalog::acl::{self, Acl};
use crate::engine::catalog::principals::{Principals, SYSTEM_USER_ID};
use crate::engine::catalog::roles::{RoleHeld, RoleRights, Roles, SystemRights, UserScopes};
use crate::engine::catalog::snapshot::{Defaults, ExternalSchemas, RelationKind, Schema, Snapshot};
use crate::engine::datastore::declared::{Before, Ids};
use crate::engine::datastore::found::{Elsewhere, Found, Held, MayCreate, RelationFound, SchemaFound, Seen};
use crate::engine::datastore::grantee::{Grantee, GranteeKind};
use crate::engine::datastore::role::{is_role_name, is_trusted};
use crate::engine::datastore::wanted::{FutureTables, Through, Wanted};
use crate::engine::error::Error;
use crate::engine::names::same_name;
use crate::engine::rights::{Privilege, Rights};
use crate::engine::session::warehouse::Warehouse;
use crate::engine::sql::{literal, sql};

/// Everything that was read, before it is laid out for one datastore.
pub(super) struct View {
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) defaults: Arc<Defaults>,
    pub(super) principals: Arc<Principals>,
    /// The external schemas; `None` where none of those that matter can be one.
    pub(super) external: Option<Arc<ExternalSchemas>>,
    /// Whether a schema that is not there by its name is looked for by its id.
    pub(super) by_id: bool,
    pub(super) roles: Option<Arc<Roles>>,
    pub(super) role_rights: Option<Arc<RoleRights>>,
    pub(super) system: Option<Arc<SystemRights>>,
    pub(super) scopes: Option<Arc<UserScopes>>,
    /// For external schemas only.
    pub(super) database: Option<DatabaseRights>,
}

/// Rights on the database itself.
pub(super) struct DatabaseRights {
    pub(super) acl: Option<Acl>,
    /// Who may make temporary tables, of roles.
    pub(super) temp: BTreeSet<String>,
}

impl View {
    /// Reads what the datastore needs, mostly from what the catalogue holds already.
    pub(super) async fn load(
        warehouse: &Warehouse,
        wanted: &Wanted,
        before: &Before,
        by_id: bool,
        cancel: &CancellationToken,
    ) -> Result<View, Error> {
        let at = At::new(warehouse, &wanted.database, cancel);
        let catalog = warehouse.catalog();
        let name = Some(wanted.schema.as_str());
        let snapshot = catalog.snapshot(at, name).await?;
        let principals = catalog.principals(at).await?;
        let defaults = catalog.defaults(at, name).await?;
        let is_role = |grantee: &Grantee| grantee.kind == GranteeKind::Role;
        let uses_roles = matches!(wanted.through, Through::Role(_))
            || before.holders().iter().any(is_role)
            || wanted.grantee.as_ref().is_some_and(is_role);
        // A regular user may see more by his roles. Only changes of this datastore's role make a read stale.
        let role = own_role(wanted, before);
        let (roles, system) = if uses_roles || !snapshot.login.superuser {
            (Some(catalog.roles(at, role.or(Some(""))).await?), Some(catalog.system_rights(at).await?))
        } else {
            (None, None)
        };
        let role_rights = if uses_roles { Some(catalog.role_rights(at, name).await?) } else { None };
        let of_user = |wanted: &Wanted| {
            wanted.future == FutureTables::Schema
                && wanted.holder().is_some_and(|holder| holder.kind == GranteeKind::User)
        };
        let scopes = if of_user(wanted) || before.declared.iter().any(of_user) {
            Some(catalog.user_scopes(at, name).await?)
        } else {
            None
        };
        let own = schema_of(&snapshot, wanted, before, by_id);
        let held = role.zip(role_rights.as_ref()).and_then(|(role, all)| all.of(role, snapshot.login.case_sensitive));
        let elsewhere = held.into_iter().flat_map(RoleHeld::in_schemas).filter_map(|name| snapshot.schema(name));
        // Local schemas have relations as a rule, external ones never have any.
        let external = match elsewhere.chain(own).any(|schema| schema.relations.is_empty()) {
            true => Some(catalog.external_schemas(at).await?),
            false => None,
        };
        let mut view = View {
            database: None,
            snapshot,
            defaults,
            principals,
            external,
            by_id,
            roles,
            role_rights,
            system,
            scopes,
        };
        if schema_of(&view.snapshot, wanted, before, by_id).is_some_and(|schema| view.is_external(&schema.name)) {
            view.database = Some(database_rights(at).await?);
        }
        Ok(view)
    }

    fn is_external(&self, schema: &str) -> bool {
        self.external.as_ref().is_some_and(|external| external.has(schema, self.snapshot.login.case_sensitive))
    }

    /// Lays it out for one datastore.
    pub(super) fn found(&self, wanted: &Wanted, before: &Before) -> Found {
        let login = &self.snapshot.login;
        let schema = schema_of(&self.snapshot, wanted, before, self.by_id);
        let role = own_role(wanted, before);
        let mut names: Vec<Grantee> = wanted.holder().into_iter().collect();
        let mut earlier: Vec<(Grantee, Vec<Grantee>)> = Vec::new();
        for declared in before.holders() {
            let now = self.by_its_id(&declared, before);
            if wanted.holder().as_ref() == Some(&now) {
                if !names.contains(&declared) {
                    names.push(declared);
                }
                continue;
            }
            match earlier.iter_mut().find(|(holder, _)| *holder == now) {
                Some((_, names)) => names.push(declared),
                None if now == declared => earlier.push((now, vec![declared])),
                None => earlier.push((now.clone(), vec![now, declared])),
            }
        }
        let held = wanted.holder().map(|holder| self.held(&holder, names, schema, wanted));
        let earlier: Vec<Held> =
            earlier.into_iter().map(|(holder, names)| self.held(&holder, names, schema, wanted)).collect();
        let same = |name: &str| role.is_some_and(|role| same_name(name, role, login.case_sensitive));
        let holds = self.roles.iter().flat_map(|roles| &roles.of_roles).filter(|(holder, _)| same(holder));
        let system = self.system.iter().flat_map(|system| &system.0).filter(|(_, holder)| same(holder));
        let of_state = before.declared.iter().filter_map(|declared| declared.grantee.as_ref());
        Found {
            login: login.clone(),
            database: wanted.database.clone(),
            schema: schema.map(|schema| self.schema(schema, wanted, before)),
            grantee: wanted.grantee.as_ref().and_then(|grantee| self.exists(grantee)),
            other_kinds: wanted.grantee.as_ref().map(|grantee| self.other_kinds(grantee)).unwrap_or_default(),
            held,
            earlier,
            own_role: role.map(str::to_owned),
            role: role.and_then(|role| self.role_rights.as_ref()?.of(role, login.case_sensitive)).cloned(),
            elsewhere: role.map(|role| self.elsewhere(role, schema)).unwrap_or_default(),
            role_holds: holds.map(|(_, held)| held.clone()).collect(),
            role_system: system.map(|(permission, _)| permission.clone()).collect(),
            foreign_roles: self.foreign_roles(wanted, before),
            members: role.map(|role| self.members(role)).unwrap_or_default(),
            members_complete: self.sees_all(),
            admins: role.map(|role| self.admins(role)).unwrap_or_default(),
            gone: of_state.filter(|grantee| self.exists(grantee) == Some(false)).cloned().collect(),
            temp: None,
            narrow: Vec::new(),
            may_create_roles: self.may("CREATE ROLE"),
            sees_all: self.sees_all(),
            ids: self.ids(wanted, before),
        }
    }

    /// The schemas beside the datastore's own in which the role holds something.
    fn elsewhere(&self, role: &str, own: Option<&Schema>) -> BTreeMap<String, Elsewhere> {
        let held = self.role_rights.as_ref().and_then(|all| all.of(role, self.snapshot.login.case_sensitive));
        let schemas = held.into_iter().flat_map(RoleHeld::in_schemas).filter_map(|name| self.snapshot.schema(name));
        schemas
            .filter(|schema| own.is_none_or(|own| own.name != schema.name))
            .map(|schema| {
                let owners = held.into_iter().flat_map(|held| held.owners_in(&schema.name));
                let may_create = owners
                    .filter(|name| self.principals.user(name).is_some())
                    .map(|name| (name.to_owned(), self.may_create_in(name, schema)))
                    .collect();
                (schema.name.clone(), Elsewhere { external: self.is_external(&schema.name), may_create })
            })
            .collect()
    }

    /// The roles of state or plan that somebody else made: not the login, nor for a superuser another one, nor who owned
    /// it when the datastore was made.
    fn foreign_roles(&self, wanted: &Wanted, before: &Before) -> BTreeMap<String, String> {
        let login = &self.snapshot.login;
        let Some(roles) = &self.roles else { return BTreeMap::new() };
        let names = wanted.role().into_iter().chain(before.roles()).filter(|name| is_role_name(name));
        names
            .filter_map(|name| Some((name, &roles.owner(name, login.case_sensitive)?.0)))
            .filter(|(_, owner)| !is_trusted(owner, login, &self.principals))
            // A state of an earlier release says nothing of the owner.
            .filter(|(name, owner)| match &before.ids.role_owner {
                Some(known) => known != *owner,
                None => !before.has_role(name),
            })
            .map(|(name, owner)| (name.to_owned(), owner.clone()))
            .collect()
    }

    fn ids(&self, wanted: &Wanted, before: &Before) -> Ids {
        let login = &self.snapshot.login;
        let owner = || self.roles.as_ref()?.owner(wanted.role()?, login.case_sensitive);
        Ids {
            schema: self.snapshot.schema(&wanted.schema).map(|schema| schema.oid).filter(|oid| *oid > 0),
            grantee: wanted.grantee.as_ref().and_then(|grantee| self.id_of(grantee)),
            role_owner: before.ids.role_owner.clone().or_else(|| owner().map(|(owner, _)| owner.clone())),
        }
    }

    fn id_of(&self, grantee: &Grantee) -> Option<i64> {
        let case_sensitive = self.snapshot.login.case_sensitive;
        match grantee.kind {
            GranteeKind::User => self.principals.user(&grantee.name).map(|user| user.id),
            GranteeKind::Group => self.principals.group(&grantee.name, case_sensitive).map(|group| group.id),
            GranteeKind::Role => self.roles.as_ref()?.owner(&grantee.name, case_sensitive).map(|(_, id)| *id),
        }
    }

    /// The same holder under the name that he has now, if he was renamed.
    fn by_its_id(&self, holder: &Grantee, before: &Before) -> Grantee {
        let is_grantee = before.declared.first().is_some_and(|declared| declared.grantee.as_ref() == Some(holder));
        let (true, Some(id), Some(false)) = (is_grantee, before.ids.grantee, self.exists(holder)) else {
            return holder.clone();
        };
        let name = match holder.kind {
            GranteeKind::User => self.principals.users.get(&id).map(|user| user.name.clone()),
            GranteeKind::Group => {
                self.principals.groups.iter().find(|group| group.id == id).map(|group| group.name.clone())
            }
            GranteeKind::Role => self.roles.as_ref().and_then(|roles| {
                roles.owners.iter().find(|(_, (_, other))| *other == id).map(|(name, _)| name.clone())
            }),
        };
        name.map_or_else(|| holder.clone(), |name| Grantee { name, kind: holder.kind })
    }

    fn schema(&self, schema: &Schema, wanted: &Wanted, before: &Before) -> SchemaFound {
        let login = &self.snapshot.login;
        let me = acl::Grantee::User(login.name.clone());
        let may_grant = |owner: i64, acl: &Option<Acl>, rights: Rights| {
            self.has_all_permissions()
                || self.principals.user(&login.name).is_some_and(|user| user.id == owner)
                || acl.as_ref().is_some_and(|acl| acl.grantable_by(&me).covers(rights))
        };
        let grantee_id = match &wanted.grantee {
            Some(grantee) if grantee.kind == GranteeKind::User => {
                self.principals.user(&grantee.name).map(|user| user.id)
            }
            _ => None,
        };
        let relations: Vec<RelationFound> = schema
            .relations
            .iter()
            .map(|relation| {
                let writable = relation.kind == RelationKind::Table;
                let rights = if writable { wanted.table_rights() } else { wanted.table_rights().common(Rights::READ) };
                RelationFound {
                    name: relation.name.clone(),
                    owner: self.principals.name_of(relation.owner),
                    writable,
                    counts: relation.is_of_people() && grantee_id != Some(relation.owner),
                    may_grant: may_grant(relation.owner, &relation.acl, rights),
                }
            })
            .collect();
        let of_people =
            schema.relations.iter().filter(|relation| relation.is_of_people()).map(|relation| relation.owner);
        let owners: BTreeSet<String> = of_people
            .chain([schema.owner])
            .filter(|id| *id != SYSTEM_USER_ID && grantee_id != Some(*id))
            // Dropped owners are known by their id only, and make no tables.
            .filter_map(|id| self.principals.users.get(&id))
            .map(|user| user.name.clone())
            .collect();
        let mut concerned: BTreeSet<String> = owners.iter().chain(wanted.owners()).cloned().collect();
        concerned.extend(before.declared.iter().flat_map(|declared| declared.owners().iter().cloned()));
        concerned.extend(self.defaults.owners().map(|owner| self.principals.name_of(owner)));
        if let Some(held) =
            own_role(wanted, before).and_then(|role| self.role_rights.as_ref()?.of(role, login.case_sensitive))
        {
            concerned.extend(held.defaults.keys().map(|(_, owner)| owner.clone()));
        }
        let may_create = concerned
            .into_iter()
            .filter(|name| self.principals.user(name).is_some())
            .map(|name| {
                let may_create = self.may_create_in(&name, schema);
                (name, may_create)
            })
            .collect();
        SchemaFound {
            name: schema.name.clone(),
            owner: self.principals.name_of(schema.owner),
            external: self.is_external(&schema.name),
            public_creates: schema.acl.as_ref().is_some_and(|acl| acl.of(&acl::Grantee::Public).has(Privilege::Create)),
            may_grant: may_grant(schema.owner, &schema.acl, wanted.schema_rights()),
            relations,
            owners,
            may_create,
        }
    }

    /// Whether a user may create in the schema: as its owner, a superuser, by a right of his own, of his groups, of
    /// PUBLIC or of a role.
    fn may_create_in(&self, name: &str, schema: &Schema) -> MayCreate {
        let Some(user) = self.principals.user(name) else { return MayCreate::Unknown };
        if user.superuser || user.id == schema.owner {
            return MayCreate::Yes;
        }
        let Some(acl) = &schema.acl else { return MayCreate::Unknown };
        let case_sensitive = self.snapshot.login.case_sensitive;
        let groups = self.principals.groups_of(user.id).map(|group| acl::Grantee::Group(group.name.clone()));
        let own = [acl::Grantee::Public, acl::Grantee::User(user.name.clone())].into_iter();
        if own.chain(groups).any(|grantee| acl.of(&grantee).has(Privilege::Create)) {
            return MayCreate::Yes;
        }
        // Roles are not looked at for direct grants.
        let (Some(roles), Some(rights)) = (&self.roles, &self.role_rights) else { return MayCreate::PerhapsByRole };
        let by_role = roles.held_by(name).into_iter().filter_map(|role| rights.of(role, case_sensitive)).any(|held| {
            held.schemas
                .iter()
                .any(|(name, rights)| same_name(name, &schema.name, case_sensitive) && rights.has(Privilege::Create))
        });
        if by_role || roles.held_by(name).contains("sys:superuser") {
            MayCreate::Yes
        } else if self.sees_all() {
            MayCreate::No
        } else {
            MayCreate::PerhapsByRole
        }
    }

    fn held(&self, holder: &Grantee, names: Vec<Grantee>, schema: Option<&Schema>, wanted: &Wanted) -> Held {
        Held { names, temp: self.temp(holder), ..self.held_in(holder, schema, wanted) }
    }

    /// Whether TEMP on the database was given to the holder himself.
    fn temp(&self, holder: &Grantee) -> Option<bool> {
        let database = self.database.as_ref()?;
        match holder.kind {
            GranteeKind::Role => {
                Some(database.temp.iter().any(|role| same_name(role, &holder.name, self.snapshot.login.case_sensitive)))
            }
            GranteeKind::User | GranteeKind::Group => {
                let rights =
                    of_grantee(database.acl.as_ref()?, &self.in_acl(holder), self.snapshot.login.case_sensitive);
                Some(rights.has(Privilege::Temp))
            }
        }
    }

    fn held_in(&self, holder: &Grantee, schema: Option<&Schema>, wanted: &Wanted) -> Held {
        let exists = self.exists(holder);
        let case_sensitive = self.snapshot.login.case_sensitive;
        let Some(schema) = schema else {
            let nothing = Seen::all(Rights::NONE);
            return Held {
                holder: holder.clone(),
                names: Vec::new(),
                exists,
                schema: nothing,
                relations: Vec::new(),
                defaults: BTreeMap::new(),
                everywhere: BTreeMap::new(),
                scoped: nothing,
                temp: None,
            };
        };
        match holder.kind {
            GranteeKind::Role => self.held_by_role(holder, exists, schema, wanted),
            GranteeKind::User | GranteeKind::Group => {
                let in_acl = self.in_acl(holder);
                let of = |acl: &Option<Acl>| acl.as_ref().map(|acl| of_grantee(acl, &in_acl, case_sensitive));
                let on_schema = of(&schema.acl);
                Held {
                    holder: holder.clone(),
                    names: Vec::new(),
                    exists,
                    schema: Seen { rights: on_schema.unwrap_or_default(), complete: on_schema.is_some() },
                    relations: schema.relations.iter().map(|relation| of(&relation.acl)).collect(),
                    defaults: self.defaults_of(&in_acl, schema, wanted),
                    everywhere: self.defaults_everywhere(&in_acl),
                    scoped: self.scoped(holder, schema),
                    temp: None,
                }
            }
        }
    }

    fn held_by_role(&self, holder: &Grantee, exists: Option<bool>, schema: &Schema, wanted: &Wanted) -> Held {
        let case_sensitive = self.snapshot.login.case_sensitive;
        let rights = self.role_rights.as_ref().and_then(|all| all.of(&holder.name, case_sensitive));
        // The rights of a role are shown to who sees the role; of its default privileges only to who holds it.
        let complete = exists.is_some();
        let is_here = |name: &str| same_name(name, &schema.name, case_sensitive);
        let of_schema = |rights: &BTreeMap<String, Rights>| {
            rights.iter().filter(|(name, _)| is_here(name)).fold(Rights::NONE, |all, (_, rights)| all.and(*rights))
        };
        let mut on_relations: BTreeMap<String, Rights> = BTreeMap::new();
        for ((name, relation), rights) in rights.iter().flat_map(|held| &held.relations) {
            if is_here(name) {
                on_relations.insert(relation.clone(), *rights);
            }
        }
        let mut defaults: BTreeMap<String, Seen> = wanted
            .owners()
            .iter()
            .cloned()
            .chain(self.owner_names(schema))
            .map(|owner| (owner, Seen { rights: Rights::NONE, complete: self.sees_all() || exists == Some(false) }))
            .collect();
        for ((name, owner), rights) in rights.iter().flat_map(|held| &held.defaults) {
            if name.as_deref().is_some_and(is_here) {
                let seen = defaults.entry(owner.clone()).or_insert(Seen::all(Rights::NONE));
                seen.rights = seen.rights.and(*rights);
            }
        }
        Held {
            holder: holder.clone(),
            names: Vec::new(),
            exists,
            schema: Seen { rights: rights.map(|held| of_schema(&held.schemas)).unwrap_or_default(), complete },
            relations: schema
                .relations
                .iter()
                .map(|relation| {
                    let rights = on_relations.get(&relation.name).copied();
                    rights.or(if complete { Some(Rights::NONE) } else { None })
                })
                .collect(),
            defaults,
            everywhere: BTreeMap::new(),
            scoped: Seen { rights: rights.map(|held| of_schema(&held.scoped)).unwrap_or_default(), complete },
            temp: None,
        }
    }

    /// Default privileges for a user or group, of every owner who matters.
    fn defaults_of(&self, grantee: &acl::Grantee, schema: &Schema, wanted: &Wanted) -> BTreeMap<String, Seen> {
        let login = &self.snapshot.login;
        let mut ids: BTreeMap<i64, String> =
            self.defaults.owners().map(|owner| (owner, self.principals.name_of(owner))).collect();
        for name in wanted.owners().iter().cloned().chain(self.owner_names(schema)) {
            if let Some(user) = self.principals.user(&name) {
                ids.insert(user.id, name);
            }
        }
        ids.into_iter()
            .map(|(id, name)| {
                let rights = self.defaults.on_tables(id, &schema.name, grantee, login.case_sensitive);
                let complete = self.sees_all() || name == login.name;
                (name, Seen { rights, complete })
            })
            .collect()
    }

    /// Those that hold in every schema.
    fn defaults_everywhere(&self, grantee: &acl::Grantee) -> BTreeMap<String, Rights> {
        let of = |owner| (self.principals.name_of(owner), self.defaults.on_tables_everywhere(owner, grantee));
        self.defaults.owners().map(of).filter(|(_, rights)| !rights.is_empty()).collect()
    }

    fn owner_names(&self, schema: &Schema) -> impl Iterator<Item = String> {
        let ids = schema.relations.iter().map(|relation| relation.owner).chain([schema.owner]);
        ids.filter_map(|id| self.principals.users.get(&id)).map(|user| user.name.clone())
    }

    fn scoped(&self, holder: &Grantee, schema: &Schema) -> Seen {
        if holder.kind == GranteeKind::Group {
            return Seen::all(Rights::NONE);
        }
        let case_sensitive = self.snapshot.login.case_sensitive;
        let rights = self
            .scopes
            .iter()
            .flat_map(|scopes| &scopes.0)
            .filter(|((user, name), _)| *user == holder.name && same_name(name, &schema.name, case_sensitive));
        Seen {
            rights: rights.fold(Rights::NONE, |all, (_, rights)| all.and(*rights)),
            complete: self.scopes.is_some() && (self.sees_all() || holder.name == self.snapshot.login.name),
        }
    }

    fn members(&self, role: &str) -> Vec<Grantee> {
        let Some(roles) = &self.roles else { return Vec::new() };
        let same = |name: &String| same_name(name, role, self.snapshot.login.case_sensitive);
        let users = roles.of_users.iter().filter(|(_, held)| same(held)).map(|(user, _)| Grantee::user(user));
        let holders = roles.of_roles.iter().filter(|(_, held)| same(held)).map(|(holder, _)| Grantee::role(holder));
        users.chain(holders).collect()
    }

    fn admins(&self, role: &str) -> Vec<Grantee> {
        let Some(roles) = &self.roles else { return Vec::new() };
        let same = |name: &str| same_name(name, role, self.snapshot.login.case_sensitive);
        roles.admins.iter().filter(|(_, held)| same(held)).map(|(user, _)| Grantee::user(user)).collect()
    }

    fn exists(&self, grantee: &Grantee) -> Option<bool> {
        let case_sensitive = self.snapshot.login.case_sensitive;
        match grantee.kind {
            GranteeKind::User => Some(self.principals.user(&grantee.name).is_some()),
            GranteeKind::Group => Some(self.principals.group(&grantee.name, case_sensitive).is_some()),
            GranteeKind::Role => match &self.roles {
                Some(roles) if roles.has(&grantee.name, case_sensitive) => Some(true),
                Some(_) if self.sees_all() => Some(false),
                _ => None,
            },
        }
    }

    fn other_kinds(&self, grantee: &Grantee) -> Vec<GranteeKind> {
        [GranteeKind::User, GranteeKind::Group, GranteeKind::Role]
            .into_iter()
            .filter(|kind| *kind != grantee.kind)
            .filter(|kind| self.exists(&Grantee { kind: *kind, name: grantee.name.clone() }) == Some(true))
            .collect()
    }

    fn in_acl(&self, grantee: &Grantee) -> acl::Grantee {
        match grantee.kind {
            GranteeKind::Group => acl::Grantee::Group(grantee.name.clone()),
            GranteeKind::User | GranteeKind::Role => acl::Grantee::User(grantee.name.clone()),
        }
    }

    fn sees_all(&self) -> bool {
        let login = &self.snapshot.login;
        match (&self.roles, &self.system) {
            (Some(roles), Some(system)) => roles.sees_all(login, system),
            _ => login.superuser,
        }
    }

    fn has_all_permissions(&self) -> bool {
        let login = &self.snapshot.login;
        self.roles.as_ref().map_or(login.superuser, |roles| roles.has_all_permissions(login))
    }

    /// Whether the login has a system permission, for all that is known.
    fn may(&self, permission: &str) -> bool {
        let login = &self.snapshot.login;
        match (&self.roles, &self.system) {
            (Some(roles), Some(system)) => !roles.may_not(login, system, permission),
            _ => login.superuser,
        }
    }
}

/// What a list gives to the grantee: users by their exact name, groups by the warehouse's rule of case.
fn of_grantee(acl: &Acl, grantee: &acl::Grantee, case_sensitive: bool) -> Rights {
    match grantee {
        acl::Grantee::Group(name) => acl
            .0
            .iter()
            .filter(
                |entry| matches!(&entry.grantee, acl::Grantee::Group(other) if same_name(other, name, case_sensitive)),
            )
            .fold(Rights::NONE, |rights, entry| rights.and(entry.rights)),
        _ => acl.of(grantee),
    }
}

/// The role that the datastore has now, or had.
pub(super) fn own_role<'a>(wanted: &'a Wanted, before: &'a Before) -> Option<&'a str> {
    wanted.role().or_else(|| before.roles().next())
}

/// The datastore's schema; `by_id`: under another name, if it is not there by its own.
fn schema_of<'a>(snapshot: &'a Snapshot, wanted: &Wanted, before: &Before, by_id: bool) -> Option<&'a Schema> {
    let renamed = || {
        let id = before.ids.schema.filter(|_| by_id)?;
        snapshot.schemas.iter().find(|schema| schema.oid == id)
    };
    snapshot.schema(&wanted.schema).or_else(renamed)
}

async fn database_rights(at: At<'_>) -> Result<DatabaseRights, Error> {
    let mut session = at.warehouse.session(at.database, at.cancel).await?;
    let name = literal(&session.facts().database);
    let query = sql!("SELECT array_to_string(d.datacl, chr(9)) FROM pg_database d WHERE d.datname = {}", name);
    let acl = session.query(&query).await?.first().map(|row| Acl::parse(row.get(0).unwrap_or_default()));
    let query = sql!(
        "SELECT identity_name, privilege_type FROM svv_database_privileges \
         WHERE identity_type = 'role' AND database_name = {}",
        name
    );
    let rows = session.query(&query).await?;
    let is_temp =
        |row: &&crate::engine::session::Row| row.get(1).and_then(Privilege::from_name) == Some(Privilege::Temp);
    let temp = rows.iter().filter(is_temp).filter_map(|row| Some(row.name(0).ok()?.to_owned())).collect();
    Ok(DatabaseRights { acl: acl.and_then(Result::ok), temp })
}
