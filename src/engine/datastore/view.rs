//! Everything that was read of a warehouse, laid out for one datastore.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::engine::catalog::At;
use crate::engine::catalog::acl::{self, Acl};
use crate::engine::catalog::principals::{Principals, SYSTEM_USER_ID};
use crate::engine::catalog::roles::{RoleRights, Roles, SystemRights, UserScopes};
use crate::engine::catalog::snapshot::{Defaults, RelationKind, Schema, Snapshot};
use crate::engine::datastore::found::{Found, Held, RelationFound, SchemaFound, Seen};
use crate::engine::datastore::grantee::{Grantee, GranteeKind};
use crate::engine::datastore::wanted::{FutureTables, Made, Through, Wanted};
use crate::engine::error::Error;
use crate::engine::names::same_name;
use crate::engine::rights::{Privilege, Rights};
use crate::engine::session::warehouse::Warehouse;

/// Everything that was read, before it is laid out for one datastore.
pub(super) struct View {
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) defaults: Arc<Defaults>,
    pub(super) principals: Arc<Principals>,
    pub(super) external: bool,
    pub(super) roles: Option<Arc<Roles>>,
    pub(super) role_rights: Option<Arc<RoleRights>>,
    pub(super) system: Option<Arc<SystemRights>>,
    pub(super) scopes: Option<Arc<UserScopes>>,
}

impl View {
    /// Reads what the datastore needs, mostly from what the catalogue holds already.
    pub(super) async fn load(
        warehouse: &Warehouse,
        wanted: &Wanted,
        made: &Made,
        cancel: &CancellationToken,
    ) -> Result<View, Error> {
        let at = At::new(warehouse, &wanted.database, cancel);
        let catalog = warehouse.catalog();
        let name = Some(wanted.schema.as_str());
        let snapshot = catalog.snapshot(at, name).await?;
        let principals = catalog.principals(at).await?;
        let defaults = catalog.defaults(at, name).await?;
        // Local schemas have relations as a rule, external ones never have any.
        let external = match snapshot.schema(&wanted.schema) {
            Some(schema) if schema.relations.is_empty() => {
                let all = catalog.external_schemas(at).await?;
                all.0.iter().any(|name| same_name(name, &schema.name, snapshot.login.case_sensitive))
            }
            _ => false,
        };
        let uses_roles = matches!(wanted.through, Through::Role(_))
            || made.role.is_some()
            || made.given.iter().any(|given| given.to.kind == GranteeKind::Role)
            || wanted.grantee.as_ref().is_some_and(|grantee| grantee.kind == GranteeKind::Role);
        let role = own_role(wanted, made);
        // A regular user may see more by his roles. Only changes of this datastore's role make a read stale.
        let (roles, system) = if uses_roles || !snapshot.login.superuser {
            (Some(catalog.roles(at, role.or(Some(""))).await?), Some(catalog.system_rights(at).await?))
        } else {
            (None, None)
        };
        let role_rights = if uses_roles { Some(catalog.role_rights(at, name).await?) } else { None };
        let needs_scopes = |given: Rights| !given.is_empty();
        let scopes = if wanted.holder().is_some_and(|holder| holder.kind == GranteeKind::User)
            && wanted.future == FutureTables::Schema
            || made.given.iter().any(|given| given.to.kind == GranteeKind::User && needs_scopes(given.scoped))
        {
            Some(catalog.user_scopes(at, name).await?)
        } else {
            None
        };
        Ok(View { snapshot, defaults, principals, external, roles, role_rights, system, scopes })
    }

    /// Lays it out for one datastore.
    pub(super) fn found(&self, wanted: &Wanted, made: &Made) -> Found {
        let login = &self.snapshot.login;
        let schema = self.snapshot.schema(&wanted.schema);
        let held = wanted.holder().map(|holder| self.held(&holder, schema, wanted));
        let role = own_role(wanted, made);
        // What an earlier role was given is taken back with the role.
        let mut earlier_holders: Vec<Grantee> = Vec::new();
        let recorded = made.given.iter().map(|given| given.to.clone());
        for earlier in made.role.iter().map(Grantee::role).chain(recorded) {
            if wanted.holder().as_ref() != Some(&earlier) && !earlier_holders.contains(&earlier) {
                earlier_holders.push(earlier);
            }
        }
        Found {
            login: login.clone(),
            database: wanted.database.clone(),
            schema: schema.map(|schema| self.schema(schema, wanted, made)),
            grantee: wanted.grantee.as_ref().and_then(|grantee| self.exists(grantee)),
            other_kinds: wanted.grantee.as_ref().map(|grantee| self.other_kinds(grantee)).unwrap_or_default(),
            held,
            earlier: earlier_holders.iter().map(|holder| self.held(holder, schema, wanted)).collect(),
            role: role.and_then(|role| self.role_rights.as_ref()?.of(role, login.case_sensitive)).cloned(),
            members: role.map(|role| self.members(role)).unwrap_or_default(),
            members_complete: self.sees_all(),
            members_gone: made.members.iter().filter(|member| self.exists(member) == Some(false)).cloned().collect(),
            temp: None,
            may_create_roles: self.may("CREATE ROLE"),
            sees_all: self.sees_all(),
        }
    }

    fn schema(&self, schema: &Schema, wanted: &Wanted, made: &Made) -> SchemaFound {
        let login = &self.snapshot.login;
        let me = acl::Grantee::User(login.name.clone());
        let may_grant = |owner: i64, acl: &Option<Acl>, rights: Rights| {
            login.superuser
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
        concerned.extend(made.given.iter().flat_map(|given| given.defaults.keys().cloned()));
        concerned.extend(self.defaults.owners().map(|owner| self.principals.name_of(owner)));
        if let Some(held) =
            own_role(wanted, made).and_then(|role| self.role_rights.as_ref()?.of(role, login.case_sensitive))
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
            external: self.external,
            public_creates: schema.acl.as_ref().is_some_and(|acl| acl.of(&acl::Grantee::Public).has(Privilege::Create)),
            may_grant: may_grant(schema.owner, &schema.acl, wanted.schema_rights()),
            relations,
            owners,
            may_create,
        }
    }

    /// Whether a user may create in the schema: as its owner, a superuser, by a right of his own, of his groups, of
    /// PUBLIC or of a role.
    fn may_create_in(&self, name: &str, schema: &Schema) -> Option<bool> {
        let user = self.principals.user(name)?;
        if user.superuser || user.id == schema.owner {
            return Some(true);
        }
        let acl = schema.acl.as_ref()?;
        let case_sensitive = self.snapshot.login.case_sensitive;
        let groups = self.principals.groups_of(user.id).map(|group| acl::Grantee::Group(group.name.clone()));
        let own = [acl::Grantee::Public, acl::Grantee::User(user.name.clone())].into_iter();
        if own.chain(groups).any(|grantee| acl.of(&grantee).has(Privilege::Create)) {
            return Some(true);
        }
        let (Some(roles), Some(rights)) = (&self.roles, &self.role_rights) else {
            // Roles were not looked at. The warehouse decides.
            return None;
        };
        let by_role = roles.held_by(name).into_iter().filter_map(|role| rights.of(role, case_sensitive)).any(|held| {
            held.schemas
                .iter()
                .any(|(name, rights)| same_name(name, &schema.name, case_sensitive) && rights.has(Privilege::Create))
        });
        if by_role {
            Some(true)
        } else if self.sees_all() {
            Some(false)
        } else {
            None
        }
    }

    fn held(&self, holder: &Grantee, schema: Option<&Schema>, wanted: &Wanted) -> Held {
        let exists = self.exists(holder);
        let case_sensitive = self.snapshot.login.case_sensitive;
        let Some(schema) = schema else {
            let nothing = Seen::all(Rights::NONE);
            return Held {
                holder: holder.clone(),
                exists,
                schema: nothing,
                relations: Vec::new(),
                defaults: BTreeMap::new(),
                scoped: nothing,
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
                    exists,
                    schema: Seen { rights: on_schema.unwrap_or_default(), complete: on_schema.is_some() },
                    relations: schema.relations.iter().map(|relation| of(&relation.acl)).collect(),
                    defaults: self.defaults_of(&in_acl, schema, wanted),
                    scoped: self.scoped(holder, schema),
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
            scoped: Seen { rights: rights.map(|held| of_schema(&held.scoped)).unwrap_or_default(), complete },
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

    fn may(&self, permission: &str) -> bool {
        let login = &self.snapshot.login;
        match (&self.roles, &self.system) {
            (Some(roles), Some(system)) => roles.may(login, system, permission),
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
fn own_role<'a>(wanted: &'a Wanted, made: &'a Made) -> Option<&'a str> {
    match (&wanted.through, &wanted.grantee) {
        (Through::Role(role), Some(_)) => Some(role),
        _ => made.role.as_deref(),
    }
}
