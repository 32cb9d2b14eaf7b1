//! For tests: a small warehouse in memory, which shows itself as the catalogue does and understands the statements
//! that steps are made of.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::engine::catalog::acl::{self, Acl, Entry};
use crate::engine::catalog::principals::{Group, Principals, User};
use crate::engine::catalog::roles::{RoleRights, Roles, SystemRights, UserScopes};
use crate::engine::catalog::snapshot::{
    DefaultAcl, Defaults, ExternalSchemas, Login, Relation, RelationKind, Schema, Snapshot,
};
use crate::engine::datastore::declared::Before;
use crate::engine::datastore::found::Found;
use crate::engine::datastore::grantee::{Grantee, GranteeKind};
use crate::engine::datastore::view::{DatabaseRights, View};
use crate::engine::datastore::wanted::{FutureTables, Through, Wanted};
use crate::engine::rights::Rights;
use crate::engine::step::Step;

type Held = BTreeMap<Grantee, Rights>;

/// Everything there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct World {
    pub login: Login,
    pub users: Vec<User>,
    pub groups: Vec<Group>,
    pub roles: BTreeSet<String>,
    pub members: BTreeSet<(String, Grantee)>,
    /// Owner and rights.
    pub schemas: BTreeMap<String, (String, Held)>,
    /// Kind, owner and rights, by schema and name.
    pub tables: BTreeMap<(String, String), (RelationKind, String, Held)>,
    pub defaults: BTreeMap<(String, String), Held>,
    pub scoped: BTreeMap<(Grantee, String), Rights>,
    pub temp: BTreeSet<Grantee>,
    pub external: BTreeSet<String>,
    /// System permissions of roles.
    pub system: Vec<(String, String)>,
    /// Roles that a regular login made or holds, so that it sees them.
    pub visible_roles: BTreeSet<String>,
    /// Owners of roles, where it is not who is signed in.
    pub role_owners: BTreeMap<String, String>,
    /// Ids of schemas.
    pub oids: BTreeMap<String, u64>,
}

impl World {
    /// Schema `sales` of `owner`, with two tables and a view, one table being `etl`'s; users `svc` and `other`, group
    /// `readers`; `admin` is signed in.
    pub fn sample() -> World {
        let names = ["admin", "owner", "etl", "svc", "other"];
        let users = names.iter().zip(100..).map(|(name, id)| User {
            name: (*name).to_owned(),
            id,
            superuser: *name == "admin",
            createdb: false,
            valid_until: None,
        });
        let mut world = World {
            login: Login { name: "admin".into(), superuser: true, case_sensitive: false },
            users: users.collect(),
            groups: vec![Group { name: "readers".into(), id: 7, members: vec![104] }],
            roles: BTreeSet::new(),
            members: BTreeSet::new(),
            schemas: BTreeMap::new(),
            tables: BTreeMap::new(),
            defaults: BTreeMap::new(),
            scoped: BTreeMap::new(),
            temp: BTreeSet::new(),
            external: BTreeSet::new(),
            system: Vec::new(),
            visible_roles: BTreeSet::new(),
            role_owners: BTreeMap::new(),
            oids: [("sales".to_owned(), 5001)].into(),
        };
        let etl_creates = [(Grantee::user("etl"), "USAGE, CREATE".parse().expect("rights"))].into();
        world.schemas.insert("sales".into(), ("owner".into(), etl_creates));
        world.add_table("orders", "owner");
        world.add_table("lines", "etl");
        world.add_table("mv_tbl__totals__0", "owner");
        world.tables.insert(("sales".into(), "totals".into()), (RelationKind::View, "owner".into(), Held::new()));
        world
    }

    /// Somebody makes a table in `sales`: default privileges apply.
    pub fn add_table(&mut self, name: &str, owner: &str) {
        let held = self.defaults.get(&(owner.to_owned(), "sales".to_owned())).cloned().unwrap_or_default();
        self.tables.insert(("sales".into(), name.into()), (RelationKind::Table, owner.into(), held));
    }

    /// Signs in somebody who is no superuser, with these system permissions.
    pub fn sign_in(&mut self, name: &str, permissions: &[&str]) {
        self.login = Login { name: name.into(), superuser: false, case_sensitive: false };
        self.members.insert(("team".into(), Grantee::user(name)));
        self.system = permissions.iter().map(|permission| ((*permission).to_owned(), "team".to_owned())).collect();
    }

    /// Renames a user: what he holds follows by his id.
    pub fn rename(&mut self, from: &str, to: &str) {
        let (old, new) = (Grantee::user(from), Grantee::user(to));
        for user in self.users.iter_mut().filter(|user| user.name == from) {
            user.name = to.to_owned();
        }
        let lists = self.schemas.values_mut().map(|(_, held)| held);
        let lists = lists.chain(self.tables.values_mut().map(|(_, _, held)| held)).chain(self.defaults.values_mut());
        for held in lists {
            if let Some(rights) = held.remove(&old) {
                held.insert(new.clone(), rights);
            }
        }
        for key in self.scoped.keys().filter(|(holder, _)| *holder == old).cloned().collect::<Vec<_>>() {
            let rights = self.scoped.remove(&key).expect("is there");
            self.scoped.insert((new.clone(), key.1), rights);
        }
        for (role, _) in self.members.iter().filter(|(_, member)| *member == old).cloned().collect::<Vec<_>>() {
            self.members.remove(&(role.clone(), old.clone()));
            self.members.insert((role, new.clone()));
        }
        if self.temp.remove(&old) {
            self.temp.insert(new);
        }
    }

    /// Renames a schema: what it holds stays in it.
    pub fn rename_schema(&mut self, from: &str, to: &str) {
        let schema = self.schemas.remove(from).expect("is there");
        self.schemas.insert(to.into(), schema);
        let oid = self.oids.remove(from).expect("has an id");
        self.oids.insert(to.into(), oid);
        let in_schema = self.tables.keys().filter(|(schema, _)| schema == from).cloned().collect::<Vec<_>>();
        for key in in_schema {
            let table = self.tables.remove(&key).expect("is there");
            self.tables.insert((to.into(), key.1), table);
        }
        let defaults = self.defaults.keys().filter(|(_, schema)| schema == from).cloned().collect::<Vec<_>>();
        for key in defaults {
            let held = self.defaults.remove(&key).expect("is there");
            self.defaults.insert((key.0, to.into()), held);
        }
    }

    /// Whoever a statement names must be there.
    fn check_there(&self, grantee: &Grantee, sql: &str) {
        let is_there = match grantee.kind {
            GranteeKind::User => self.users.iter().any(|user| user.name == grantee.name),
            GranteeKind::Group => self.groups.iter().any(|group| group.name == grantee.name),
            GranteeKind::Role => self.roles.contains(&grantee.name),
        };
        assert!(is_there, "no {grantee}: {sql}");
    }

    fn id(&self, name: &str) -> i64 {
        self.users.iter().find(|user| user.name == name).map_or(9, |user| user.id)
    }

    /// What a session would read for this datastore.
    pub fn found(&self, wanted: &Wanted, before: &Before) -> Found {
        self.look(wanted, before, false)
    }

    /// The same for what is to be removed.
    pub fn found_by_id(&self, wanted: &Wanted, before: &Before) -> Found {
        self.look(wanted, before, true)
    }

    fn look(&self, wanted: &Wanted, before: &Before, by_id: bool) -> Found {
        let all = self.login.superuser || self.system.iter().any(|(permission, _)| permission == "ACCESS SYSTEM TABLE");
        let sees = |role: &str| all || self.visible_roles.contains(role);
        let schemas = self.schemas.iter().map(|(name, (owner, held))| Schema {
            oid: self.oids.get(name).copied().unwrap_or_default(),
            name: name.clone(),
            owner: self.id(owner),
            acl: Some(acl(held, owner)),
            relations: self
                .tables
                .iter()
                .filter(|((schema, _), _)| schema == name)
                .zip(1..)
                .map(|(((_, table), (kind, owner, held)), oid)| Relation {
                    oid,
                    name: table.clone(),
                    kind: *kind,
                    owner: self.id(owner),
                    acl: Some(acl(held, owner)),
                })
                .collect(),
        });
        let defaults = self.defaults.iter().filter(|((owner, _), _)| all || *owner == self.login.name);
        let defaults = defaults.map(|((owner, schema), held)| DefaultAcl {
            owner: self.id(owner),
            schema: Some(schema.clone()),
            objects: 'r',
            acl: Some(acl(held, owner)),
        });
        let mut rights = RoleRights::default();
        for (schema, (_, held)) in &self.schemas {
            for (role, given) in roles_of(held).filter(|(role, _)| sees(role)) {
                rights.entry(role).schemas.insert(schema.clone(), given);
            }
        }
        for (key, (_, _, held)) in &self.tables {
            for (role, given) in roles_of(held).filter(|(role, _)| sees(role)) {
                rights.entry(role).relations.insert(key.clone(), given);
            }
        }
        for ((owner, schema), held) in &self.defaults {
            for (role, given) in roles_of(held).filter(|_| all) {
                rights.entry(role).defaults.insert((Some(schema.clone()), owner.clone()), given);
            }
        }
        for ((grantee, schema), given) in &self.scoped {
            if grantee.kind == GranteeKind::Role && sees(&grantee.name) {
                rights.entry(&grantee.name).scoped.insert(schema.clone(), *given);
            }
        }
        let mut roles =
            Roles { names: self.roles.iter().filter(|role| sees(role)).cloned().collect(), ..Roles::default() };
        for (role, id) in self.roles.iter().zip(900..).filter(|(role, _)| sees(role)) {
            let owner = self.role_owners.get(role).unwrap_or(&self.login.name).clone();
            roles.owners.insert(role.clone(), (owner, id));
        }
        for (role, member) in &self.members {
            let pair = (member.name.clone(), role.clone());
            match member.kind {
                GranteeKind::User if all || member.name == self.login.name => roles.of_users.push(pair),
                GranteeKind::Role if all => roles.of_roles.push(pair),
                _ => {}
            }
        }
        let user_scopes = self
            .scoped
            .iter()
            .filter(|((grantee, _), _)| grantee.kind == GranteeKind::User && (all || grantee.name == self.login.name));
        let user_scopes = user_scopes.map(|((user, schema), given)| ((user.name.clone(), schema.clone()), *given));
        let view = View {
            snapshot: Arc::new(Snapshot { login: self.login.clone(), schemas: schemas.collect() }),
            defaults: Arc::new(Defaults::new(defaults)),
            principals: Arc::new(Principals {
                users: self.users.iter().map(|user| (user.id, user.clone())).collect(),
                groups: self.groups.clone(),
            }),
            external: Some(Arc::new(ExternalSchemas::named(self.external.iter().cloned()))),
            roles: Some(Arc::new(roles)),
            role_rights: Some(Arc::new(rights)),
            system: Some(Arc::new(SystemRights(self.system.clone()))),
            scopes: Some(Arc::new(UserScopes(user_scopes.collect()))),
            by_id,
            database: self.external.contains(&wanted.schema).then(|| {
                let entry = |grantee: &Grantee| (grantee.clone(), Rights::from(crate::engine::rights::Privilege::Temp));
                let of_roles = self.temp.iter().filter(|grantee| grantee.kind == GranteeKind::Role);
                DatabaseRights {
                    acl: Some(acl(&self.temp.iter().map(entry).collect(), "admin")),
                    temp: of_roles.map(|role| role.name.clone()).collect(),
                }
            }),
        };
        let mut found = view.found(wanted, before);
        if let (true, Some(grantee)) = (self.external.contains(&wanted.schema), &wanted.grantee) {
            let by_role = wanted.holder().is_some_and(|holder| self.temp.contains(&holder));
            found.temp = Some(by_role || self.temp.contains(grantee));
        }
        found
    }

    /// Runs the steps.
    pub fn run(&mut self, steps: &[Step]) {
        for step in steps {
            self.execute(&step.sql.to_string());
        }
    }

    /// Runs one statement.
    pub fn execute(&mut self, sql: &str) {
        let mut words = Words { rest: sql };
        let verb = words.word();
        match verb.as_str() {
            "CREATE" => {
                words.expect("ROLE");
                let role = words.name();
                assert!(self.roles.insert(role.clone()), "role {role} exists: {sql}");
                self.visible_roles.insert(role);
            }
            "DROP" => {
                words.expect("ROLE");
                let role = words.name();
                words.expect("FORCE");
                self.members.retain(|(name, _)| *name != role);
                assert!(self.roles.remove(&role), "no role {role}: {sql}");
                // Default privileges of users who were dropped dangle, and nobody can revoke them.
                let names: Vec<&str> = self.users.iter().map(|user| user.name.as_str()).collect();
                self.defaults.retain(|(owner, _), _| names.contains(&owner.as_str()));
                assert!(!self.holds_anything(&Grantee::role(&role)), "role {role} still holds something");
                self.visible_roles.remove(&role);
                self.role_owners.remove(&role);
            }
            "ALTER" => self.alter_default_privileges(&mut words),
            "GRANT" | "REVOKE" => self.grant(verb == "GRANT", &mut words, sql),
            other => panic!("{other} is not understood: {sql}"),
        }
        assert!(words.rest.trim().is_empty(), "{:?} is left of {sql}", words.rest);
    }

    fn alter_default_privileges(&mut self, words: &mut Words<'_>) {
        words.expect("DEFAULT PRIVILEGES FOR USER");
        let mut owners = vec![words.name()];
        while words.skip(",") {
            owners.push(words.name());
        }
        words.expect("IN SCHEMA");
        let schema = words.name();
        let give = words.word() == "GRANT";
        let rights = words.rights();
        words.expect("ON TABLES");
        let grantee = words.grantee();
        for owner in owners {
            let may_create = self.schemas.get(&schema).is_some_and(|(schema_owner, held)| {
                *schema_owner == owner
                    || held
                        .get(&Grantee::user(&owner))
                        .is_some_and(|rights| rights.has(crate::engine::rights::Privilege::Create))
                    || self.users.iter().any(|user| user.name == owner && user.superuser)
            });
            assert!(may_create, "{owner} may not create in {schema}");
            let key = (owner, schema.clone());
            change(self.defaults.entry(key.clone()).or_default(), &grantee, rights, give);
            if self.defaults[&key].is_empty() {
                self.defaults.remove(&key);
            }
        }
    }

    fn grant(&mut self, give: bool, words: &mut Words<'_>, sql: &str) {
        if words.skip("ROLE ") {
            let role = words.name();
            let member = words.grantee();
            self.check_there(&member, sql);
            if give {
                assert!(self.roles.contains(&role), "no role {role}");
                self.members.insert((role, member));
            } else {
                self.members.remove(&(role, member));
            }
            return;
        }
        if let Some((_, to)) = sql.rsplit_once(if give { " TO " } else { " FROM " }) {
            self.check_there(&Words { rest: &format!("TO {to}") }.grantee(), sql);
        }
        let rights = words.rights();
        if words.skip("FOR TABLES IN SCHEMA ") {
            let schema = words.name();
            words.expect("DATABASE");
            words.name();
            let grantee = words.grantee();
            assert_ne!(grantee.kind, GranteeKind::Group, "groups get no scoped rights");
            let key = (grantee, schema);
            let held = self.scoped.entry(key.clone()).or_default();
            *held = if give { held.and(rights) } else { held.without(rights) };
            if held.is_empty() {
                self.scoped.remove(&key);
            }
            return;
        }
        words.expect("ON");
        if words.skip("SCHEMA ") {
            let schema = words.name();
            let grantee = words.grantee();
            let (_, held) = self.schemas.get_mut(&schema).unwrap_or_else(|| panic!("no schema: {sql}"));
            change(held, &grantee, rights, give);
        } else if words.skip("ALL TABLES IN SCHEMA ") {
            let schema = words.name();
            let grantee = words.grantee();
            assert!(self.schemas.contains_key(&schema), "no schema: {sql}");
            let of_people = |name: &str| !name.starts_with("mv_tbl__");
            for ((in_schema, name), (_, _, held)) in &mut self.tables {
                if *in_schema == schema && of_people(name) {
                    change(held, &grantee, rights, give);
                }
            }
        } else if words.skip("TABLE ") {
            let mut tables = Vec::new();
            loop {
                let schema = words.name();
                assert!(words.skip("."));
                tables.push((schema, words.name()));
                if !words.skip(",") {
                    break;
                }
            }
            let grantee = words.grantee();
            for key in tables {
                let (_, _, held) = self.tables.get_mut(&key).unwrap_or_else(|| panic!("no table: {sql}"));
                change(held, &grantee, rights, give);
            }
        } else {
            words.expect("DATABASE");
            words.name();
            let grantee = words.grantee();
            if give {
                self.temp.insert(grantee)
            } else {
                self.temp.remove(&grantee)
            };
        }
    }

    fn holds_anything(&self, grantee: &Grantee) -> bool {
        self.schemas.values().any(|(_, held)| held.contains_key(grantee))
            || self.tables.values().any(|(_, _, held)| held.contains_key(grantee))
            || self.defaults.values().any(|held| held.contains_key(grantee))
            || self.scoped.keys().any(|(holder, _)| holder == grantee)
            || self.temp.contains(grantee)
    }
}

fn change(held: &mut Held, grantee: &Grantee, rights: Rights, give: bool) {
    let own = held.entry(grantee.clone()).or_default();
    *own = if give { own.and(rights) } else { own.without(rights) };
    if own.is_empty() {
        held.remove(grantee);
    }
}

/// Roles are not in the lists of the catalogue.
fn acl(held: &Held, owner: &str) -> Acl {
    let entry = |(grantee, rights): (&Grantee, &Rights)| {
        let grantee = match grantee.kind {
            GranteeKind::User => acl::Grantee::User(grantee.name.clone()),
            GranteeKind::Group => acl::Grantee::Group(grantee.name.clone()),
            GranteeKind::Role => return None,
        };
        Some(Entry { grantee, rights: *rights, grant_options: Rights::NONE, grantor: Some(owner.to_owned()) })
    };
    Acl(held.iter().filter_map(entry).collect())
}

fn roles_of(held: &Held) -> impl Iterator<Item = (&str, Rights)> {
    let of_roles = held.iter().filter(|(grantee, _)| grantee.kind == GranteeKind::Role);
    of_roles.map(|(grantee, rights)| (grantee.name.as_str(), *rights))
}

/// Reads our own statements.
struct Words<'a> {
    rest: &'a str,
}

impl Words<'_> {
    fn skip(&mut self, text: &str) -> bool {
        match self.rest.trim_start().strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, text: &str) {
        assert!(self.skip(text), "{text} is wanted at {:?}", self.rest);
    }

    fn word(&mut self) -> String {
        let text = self.rest.trim_start();
        let end = text.find(' ').unwrap_or(text.len());
        self.rest = &text[end..];
        text[..end].to_owned()
    }

    fn name(&mut self) -> String {
        let text = self.rest.trim_start().strip_prefix('"').expect("a quoted name");
        let mut name = String::new();
        let mut letters = text.char_indices().peekable();
        while let Some((at, letter)) = letters.next() {
            match letter {
                '"' if letters.next_if(|(_, next)| *next == '"').is_some() => name.push('"'),
                '"' => {
                    self.rest = &text[at + 1..];
                    return name;
                }
                letter => name.push(letter),
            }
        }
        panic!("a name does not end: {text}");
    }

    fn rights(&mut self) -> Rights {
        let end = [" ON ", " FOR "].iter().filter_map(|word| self.rest.find(word)).min().expect("ON or FOR");
        let rights = self.rest[..end].parse().expect("rights");
        self.rest = &self.rest[end..];
        rights
    }

    fn grantee(&mut self) -> Grantee {
        assert!(self.skip("TO ") || self.skip("FROM "), "TO or FROM is wanted at {:?}", self.rest);
        if self.skip("GROUP ") {
            Grantee::group(self.name())
        } else if self.skip("ROLE ") {
            Grantee::role(self.name())
        } else {
            Grantee::user(self.name())
        }
    }
}

/// A source on `sales` for user `svc`, with direct grants and tables of `owner` and `etl` covered.
pub fn direct() -> Wanted {
    Wanted {
        database: "dev".into(),
        schema: "sales".into(),
        write: false,
        grantee: Some(Grantee::user("svc")),
        through: Through::Direct,
        future: FutureTables::Owners(vec!["etl".into(), "owner".into()]),
        extra: crate::engine::rights::Rights::NONE,
        tables: None,
    }
}

/// The same by a role.
pub fn by_role() -> Wanted {
    Wanted { through: Through::Role("tfds_0123456789".into()), ..direct() }
}

/// Compares a text with a golden file; with `UPDATE_GOLDEN=1` in the environment the file is written instead.
pub fn golden(name: &str, text: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).expect("the golden file is written");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, kept, "{} differs; UPDATE_GOLDEN=1 rewrites it", path.display());
}
