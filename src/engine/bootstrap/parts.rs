//! What an integration is made of: for each part, whether it is there and the SQL that makes it so.
//!
//! The same list makes, repairs and changes an integration, says what is missing of it, and is printed as a script.

use secrecy::SecretString;

use super::found::{Found, Inside};
use super::made::{Made, Owners};
use super::spec::{ActorKind, Impersonation, Spec};
use super::text;
use crate::engine::catalog::acl::{Acl, Grantee};
use crate::engine::password;
use crate::engine::rights::{Privilege, Rights};
use crate::engine::sql::{Sql, ident};

/// Where the statements of a part run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the database that the managed one is made from; alone.
    Initial,
    /// In the managed database, in the transaction of all.
    Inside,
    /// The same, as the system user, who then owns what is made.
    AsSystem,
    /// By the session that holds the lock, before the transaction: it is about the table that is locked.
    WithLock,
    /// In the managed database after the transaction; alone.
    Alone,
}

/// One part.
#[derive(Clone, Debug)]
pub struct Part {
    /// In words, as it is listed when it is missing.
    pub what: String,
    /// Whether it is as it should be; what cannot be seen counts as done.
    pub done: bool,
    pub place: Place,
    pub statements: Vec<Sql>,
    /// What takes it back, where it ran alone.
    pub undo: Option<Sql>,
}

/// What happens to the system user's password.
#[derive(Clone, Debug, Default)]
pub enum UserPassword {
    /// It stays as it is; a new user gets none.
    #[default]
    Keep,
    Set(SecretString),
    Disable,
}

/// What the parts depend on beside the configuration and what was found.
#[derive(Clone, Debug, Default)]
pub struct How {
    pub owners: Owners,
    /// What was made before, and with it what a changed configuration no longer wants.
    pub made: Made,
    pub password: UserPassword,
    /// The key that signs claims, where one has to be put in.
    pub key: Option<SecretString>,
    /// A person runs the statements, so there is no secret in them.
    pub by_hand: bool,
    /// The digest of the view's query as it was last made, where that is known.
    pub view: Option<String>,
}

/// All parts, in the order in which they are made.
pub fn parts(spec: &Spec, found: &Found, how: &How) -> Vec<Part> {
    let mut list = List { spec, found, how, inside: found.inside.as_ref(), parts: Vec::new() };
    list.database();
    list.principals();
    list.owned_by_system_user();
    list.database_rights();
    list.schemas();
    list.profile();
    list.acting();
    list.grants();
    list.nobody_else();
    list.owners();
    list.external();
    list.parts
}

/// How a managed database is called where it is missing.
pub fn database_in_words(name: &str) -> String {
    format!("database {name}")
}

/// How a system user is called where it is missing.
pub fn user_in_words(name: &str) -> String {
    format!("user {name}")
}

/// What is missing, in words.
pub fn missing(parts: &[Part]) -> Vec<String> {
    parts.iter().filter(|part| !part.done).map(|part| part.what.clone()).collect()
}

/// What will have been made once all parts are there.
pub fn made(spec: &Spec, found: &Found, how: &How) -> Made {
    let parts = parts(spec, found, how);
    let gives_temp = |part: &Part| !part.done && part.what == temp_to_public(spec);
    Made {
        database: how.made.database || (spec.create_database && found.database.is_none()),
        user: true,
        system_user: spec.system_user.clone(),
        actors: spec.impersonation.clone(),
        temp_to_public: how.made.temp_to_public || (!spec.create_database && parts.iter().any(gives_temp)),
        owners: how.owners,
        external_schemas: spec.external_schemas.clone(),
    }
}

fn temp_to_public(spec: &Spec) -> String {
    format!("TEMP on database {} for PUBLIC", spec.database)
}

pub(super) struct List<'a> {
    pub(super) spec: &'a Spec,
    pub(super) found: &'a Found,
    pub(super) how: &'a How,
    pub(super) inside: Option<&'a Inside>,
    parts: Vec<Part>,
}

impl List<'_> {
    fn push(&mut self, place: Place, what: impl Into<String>, done: bool, statements: Vec<Sql>) {
        self.parts.push(Part { what: what.into(), done, place, statements, undo: None });
    }

    pub(super) fn one(&mut self, place: Place, what: impl Into<String>, done: bool, statement: impl Into<Sql>) {
        self.push(place, what, done, vec![statement.into()]);
    }

    fn alone(&mut self, what: impl Into<String>, done: bool, statement: impl Into<Sql>, undo: Option<String>) {
        let undo = undo.map(Sql::from);
        self.parts.push(Part {
            what: what.into(),
            done,
            place: Place::Alone,
            statements: vec![statement.into()],
            undo,
        });
    }

    /// Where what the system user owns is made.
    pub(super) fn own(&self) -> Place {
        match self.how.owners {
            Owners::System => Place::AsSystem,
            Owners::Login => Place::Inside,
        }
    }

    fn is_ours(&self) -> bool {
        self.spec.create_database && (self.how.made.database || self.found.database.is_none())
    }

    fn database(&mut self) {
        if self.spec.create_database {
            let done = self.found.database.is_some();
            self.one(Place::Initial, database_in_words(&self.spec.database), done, text::create_database(self.spec));
        }
    }

    fn principals(&mut self) {
        let (user, principals) = (&self.spec.system_user, &self.found.world.principals);
        let there = principals.user(user).is_some();
        let what = user_in_words(user);
        let rest = " NOCREATEDB NOCREATEUSER";
        let create = match &self.how.password {
            UserPassword::Set(secret) if !self.how.by_hand => {
                Sql::with_secret(&format!("CREATE USER {user} PASSWORD "), &password::md5(user, secret), rest)
            }
            _ => Sql::from(format!("CREATE USER {user} PASSWORD DISABLE{rest}")),
        };
        self.one(Place::Inside, what, there, create);
        if principals.user(user).is_some_and(|found| found.superuser || found.createdb) {
            let what = format!("user {user} without CREATEUSER and CREATEDB");
            self.one(Place::Inside, what, false, format!("ALTER USER {user}{rest}"));
        }
        if there && !self.how.by_hand {
            match &self.how.password {
                UserPassword::Set(secret) => {
                    let set =
                        Sql::with_secret(&format!("ALTER USER {user} PASSWORD "), &password::md5(user, secret), "");
                    self.one(Place::Inside, format!("the new password of user {user}"), false, set);
                }
                UserPassword::Disable => {
                    let disable = format!("ALTER USER {user} PASSWORD DISABLE");
                    self.one(Place::Inside, format!("user {user} without a password"), false, disable);
                }
                UserPassword::Keep => {}
            }
        }
        if let Some(actors) = &self.spec.impersonation {
            let there = self.has_actors(actors);
            let name = actors.sql();
            self.one(Place::Inside, name.to_lowercase(), there, format!("CREATE {name}"));
        }
    }

    fn has_actors(&self, actors: &Impersonation) -> bool {
        self.found.world.has_actors(actors) || (actors.kind == ActorKind::Role && self.may_be_unseen(actors))
    }

    /// A role is seen by superusers, by who made it and by who holds it; others take it to be there as it was made.
    fn may_be_unseen(&self, actors: &Impersonation) -> bool {
        let superuser = self.inside.is_some_and(|inside| inside.snapshot.login.superuser);
        !self.how.by_hand
            && !superuser
            && self.how.owners == Owners::System
            && self.how.made.actors.as_ref() == Some(actors)
    }

    fn database_rights(&mut self) {
        let (database, user) = (self.spec.database.clone(), self.spec.system_user.clone());
        let acl = self.found.database.as_ref().and_then(|database| database.acl.clone());
        let owns = self.found.database.as_ref().is_some_and(|found| self.id(&user) == Some(found.owner));
        let both: Rights = [Privilege::Create, Privilege::Temp].into_iter().collect();
        let holds = acl.as_ref().is_some_and(|acl| acl.of(&Grantee::User(user.clone())).covers(both));
        let what = format!("CREATE and TEMP on database {database} for user {user}");
        self.one(Place::Inside, what, owns || holds, format!("GRANT CREATE, TEMP ON DATABASE {database} TO {user}"));

        let public = acl.as_ref().map(|acl| acl.of(&Grantee::Public));
        let temp: Rights = [Privilege::Temp].into_iter().collect();
        if self.is_ours() {
            let statements = vec![
                Sql::from(format!("REVOKE ALL ON DATABASE {database} FROM PUBLIC")),
                Sql::from(format!("GRANT TEMP ON DATABASE {database} TO PUBLIC")),
            ];
            let what = format!("TEMP and nothing else on database {database} for PUBLIC");
            self.push(Place::Inside, what, public == Some(temp), statements);
            if self.how.owners == Owners::System {
                let open =
                    self.inside.and_then(|inside| inside.schema("public")).and_then(|schema| schema.acl.as_ref());
                let closed = open.is_some_and(|acl| !acl.of(&Grantee::Public).has(Privilege::Create));
                let what = "no CREATE on schema public for PUBLIC";
                self.one(Place::Inside, what, closed, "REVOKE CREATE ON SCHEMA public FROM PUBLIC");
            }
        } else {
            // Where nothing was ever granted or revoked, PUBLIC has it.
            let there = self.found.database.is_some() && public.is_none_or(|rights| rights.covers(temp));
            let grant = format!("GRANT TEMP ON DATABASE {database} TO PUBLIC");
            self.one(Place::Inside, temp_to_public(self.spec), there, grant);
        }
    }

    fn schemas(&mut self) {
        let [system, functions, procedures] = self.spec.schemas();
        let user = self.spec.system_user.clone();
        let all: Rights = [Privilege::Usage, Privilege::Create].into_iter().collect();
        let done = self.holds_on_schema(&system, &Grantee::User(user.clone()), all);
        let what = format!("USAGE and CREATE on schema {system} for user {user}");
        self.one(Place::Inside, what, done, format!("GRANT ALL ON SCHEMA {system} TO {user}"));
        for name in [functions, procedures] {
            let there = self.inside.is_some_and(|inside| inside.schema(&name).is_some());
            self.one(self.own(), format!("schema {name}"), there, format!("CREATE SCHEMA {name}"));
            if self.how.owners == Owners::Login {
                let done = self.holds_on_schema(&name, &Grantee::User(user.clone()), all);
                let what = format!("USAGE and CREATE on schema {name} for user {user}");
                self.one(Place::Inside, what, done, format!("GRANT ALL ON SCHEMA {name} TO {user}"));
            }
        }
    }

    fn profile(&mut self) {
        let table = format!("{}.profile", self.spec.system());
        let there = self.relation("profile").is_some();
        self.one(self.own(), format!("table {table}"), there, text::profile_table(self.spec));
        self.for_system_user("profile", &table);
    }

    /// What the system user has as its owner, or else is given.
    fn for_system_user(&mut self, name: &str, table: &str) {
        if self.how.owners == Owners::System {
            return;
        }
        let user = self.spec.system_user.clone();
        let needed = Rights::READ_WRITE;
        let done = self.relation(name).is_some_and(|(_, acl)| acl.of(&Grantee::User(user.clone())).covers(needed));
        let what = format!("all rights on {table} for user {user}");
        self.one(Place::Inside, what, done, format!("GRANT ALL ON TABLE {table} TO {user}"));
    }

    /// The view, and with impersonation the key and the procedure.
    fn acting(&mut self) {
        let system = self.spec.system();
        let (key, view) = (format!("{system}.impersonation"), format!("{system}.user_profile"));
        let has_key_table = self.relation("impersonation").is_some();
        let body = text::procedure_body(self.spec);
        let found = self.inside.and_then(|inside| inside.procedure(self.spec));
        let procedure = found.map(|routine| routine.source.trim() == body.trim() && routine.is_procedure);
        if self.spec.impersonation.is_some() {
            self.one(self.own(), format!("table {key}"), has_key_table, text::key_table(self.spec));
            self.for_system_user("impersonation", &key);
            if let (Some(secret), false) = (&self.how.key, self.how.by_hand) {
                let statements = vec![
                    Sql::from(format!("DELETE FROM {key}")),
                    Sql::with_secret(&format!("INSERT INTO {key} VALUES ("), secret, ")"),
                ];
                self.push(self.own(), "a new impersonation key", false, statements);
            }
            let what = match procedure {
                Some(false) => format!("procedure {} as it was made", self.spec.procedure()),
                _ => format!("procedure {}", self.spec.procedure()),
            };
            self.one(self.own(), what, procedure == Some(true), text::procedure(self.spec));
        }
        let there = self.relation("user_profile").is_some();
        let what = if there { format!("view {view} as it was made") } else { format!("view {view}") };
        let mut statements = vec![Sql::from(text::view(self.spec))];
        if self.view_has_other_columns() {
            statements.insert(0, Sql::from(format!("DROP VIEW {view}")));
        }
        self.push(self.own(), what, there && self.view_is_right(), statements);
        if self.spec.impersonation.is_none() {
            if procedure.is_some() {
                let drop = format!("DROP PROCEDURE {}", self.spec.procedure());
                self.one(self.own(), format!("no procedure {}", self.spec.procedure()), false, drop);
            }
            if has_key_table {
                self.one(self.own(), format!("no table {key}"), false, format!("DROP TABLE {key}"));
            }
        }
        self.former_actors();
    }

    /// The server prints a view's query in words of its own, so it is known again by the digest of those words.
    fn view_is_right(&self) -> bool {
        let Some(query) = self.inside.and_then(|inside| inside.view.as_deref()) else { return true };
        match &self.how.view {
            Some(known) if *known != digest(query) => false,
            _ => shows_own_rows(query, self.spec),
        }
    }

    /// A view is replaced in place only by one of the same columns (AWS: CREATE VIEW).
    pub(super) fn view_has_other_columns(&self) -> bool {
        let Some(query) = self.inside.and_then(|inside| inside.view.as_deref()) else { return false };
        !self.view_is_right() && text::profile_columns(self.spec).iter().any(|column| !query.contains(column.as_str()))
    }

    /// The group or role of an earlier configuration.
    fn former_actors(&mut self) {
        let Some(former) = self.how.made.actors.clone() else { return };
        if self.spec.impersonation.as_ref() == Some(&former) {
            return;
        }
        let name = former.sql();
        let mut statements = Vec::new();
        if self.spec.impersonation.is_some() {
            let revoke = format!("REVOKE EXECUTE ON PROCEDURE {} FROM {name}", self.spec.procedure());
            self.one(self.own(), format!("no EXECUTE on the procedure for {}", name.to_lowercase()), false, revoke);
        }
        statements.push(Sql::from(former.drop_sql()));
        self.push(Place::Inside, format!("no {}", name.to_lowercase()), false, statements);
    }

    fn grants(&mut self) {
        let [system, functions, procedures] = self.spec.schemas();
        let usage: Rights = [Privilege::Usage].into_iter().collect();
        for (place, schema) in [(self.own(), functions), (self.own(), procedures), (Place::Inside, system.clone())] {
            let done = self.holds_on_schema(&schema, &Grantee::Public, usage);
            let grant = format!("GRANT USAGE ON SCHEMA {schema} TO PUBLIC");
            self.one(place, format!("USAGE on schema {schema} for PUBLIC"), done, grant);
        }
        let reads = !self.view_has_other_columns()
            && self.relation("user_profile").is_some_and(|(_, acl)| acl.of(&Grantee::Public).covers(Rights::READ));
        let grant = format!("GRANT SELECT ON {system}.user_profile TO PUBLIC");
        self.one(self.own(), format!("SELECT on {system}.user_profile for PUBLIC"), reads, grant);
        if let Some(actors) = &self.spec.impersonation {
            let routine = self.inside.and_then(|inside| inside.procedure(self.spec));
            let done = match actors.kind {
                ActorKind::Group => routine.is_some_and(|routine| {
                    routine.acl.of(&Grantee::Group(actors.name.clone())).has(Privilege::Execute)
                }),
                // What roles hold on procedures is in no view that every login can read.
                ActorKind::Role => {
                    routine.is_some() && self.how.made.actors.as_ref() == Some(actors) && self.has_actors(actors)
                }
            };
            let (procedure, name) = (self.spec.procedure(), actors.sql());
            let what = format!("EXECUTE on procedure {procedure} for {}", name.to_lowercase());
            self.one(self.own(), what, done, format!("GRANT EXECUTE ON PROCEDURE {procedure} TO {name}"));
        }
    }

    fn owners(&mut self) {
        let system = self.spec.system();
        if let Some(owner) = self.spec.marker_owner.clone() {
            let id = self.id(&owner);
            let name = ident(&owner);
            let schema = self.inside.and_then(|inside| inside.schema(&system)).map(|schema| schema.owner);
            let done = id.is_some() && schema == id;
            let statement = format!("ALTER SCHEMA {system} OWNER TO {name}");
            self.one(Place::Inside, format!("schema {system} owned by {owner}"), done, statement);
            for table in ["integration", "integration_lock"] {
                let done = id.is_some() && self.relation(table).map(|(owner, _)| owner) == id;
                let statement = format!("ALTER TABLE {system}.{table} OWNER TO {name}");
                let place = if table == "integration_lock" { Place::WithLock } else { Place::Inside };
                self.one(place, format!("table {system}.{table} owned by {owner}"), done, statement);
            }
        }
        if self.is_ours() && self.how.owners == Owners::System {
            let (database, user) = (self.spec.database.clone(), self.spec.system_user.clone());
            let done = self.found.database.as_ref().is_some_and(|found| self.id(&user) == Some(found.owner));
            let statement = format!("ALTER DATABASE {database} OWNER TO {user}");
            self.one(Place::Inside, format!("database {database} owned by {user}"), done, statement);
        }
    }

    /// What somebody gave to another owner goes back, before anything is done with it in its owner's name.
    fn owned_by_system_user(&mut self) {
        if self.how.owners != Owners::System {
            return;
        }
        let (Some(inside), user) = (self.inside, self.spec.system_user.clone()) else { return };
        // A user who is made again is another than the one who owned it.
        let id = self.id(&user);
        let [system, functions, procedures] = self.spec.schemas();
        let mut wrong = Vec::new();
        for name in [functions, procedures] {
            if inside.schema(&name).is_some_and(|schema| Some(schema.owner) != id) {
                wrong.push((format!("schema {name}"), format!("ALTER SCHEMA {name} OWNER TO {user}")));
            }
        }
        for name in ["profile", "impersonation", "user_profile"] {
            if inside.relation(&system, name).is_some_and(|relation| Some(relation.owner) != id) {
                wrong.push((format!("{system}.{name}"), format!("ALTER TABLE {system}.{name} OWNER TO {user}")));
            }
        }
        if inside.procedure(self.spec).is_some_and(|routine| Some(routine.owner) != id) {
            let procedure = self.spec.procedure();
            wrong.push((format!("procedure {procedure}"), format!("ALTER PROCEDURE {procedure} OWNER TO {user}")));
        }
        for (what, statement) in wrong {
            self.one(Place::Inside, format!("{what} owned by {user}"), false, statement);
        }
    }

    fn external(&mut self) {
        let user = self.spec.system_user.clone();
        let usage: Rights = [Privilege::Usage].into_iter().collect();
        for (name, before) in &self.how.made.external_schemas {
            let changed = self.spec.external_schemas.get(name).is_none_or(|wanted| wanted != before);
            if changed && self.inside.is_some_and(|inside| inside.has_external(name)) {
                let again = text::external_schema(name, before);
                self.alone(
                    format!("no external schema {name} as it was"),
                    false,
                    format!("DROP SCHEMA {}", ident(name)),
                    Some(again),
                );
            }
        }
        for (name, wanted) in &self.spec.external_schemas {
            let there = self.inside.is_some_and(|inside| inside.has_external(name));
            let same = self.how.made.external_schemas.get(name) == Some(wanted);
            let done = there && same;
            let drop = format!("DROP SCHEMA {}", ident(name));
            let create = text::external_schema(name, wanted);
            self.alone(format!("external schema {name}"), done, create, Some(drop));
            let granted = done && self.holds_on_schema(name, &Grantee::User(user.clone()), usage);
            let grant = format!("GRANT USAGE ON SCHEMA {} TO {user}", ident(name));
            let revoke = format!("REVOKE USAGE ON SCHEMA {} FROM {user}", ident(name));
            self.alone(format!("USAGE on external schema {name} for user {user}"), granted, grant, Some(revoke));
        }
    }

    fn id(&self, user: &str) -> Option<i64> {
        self.found.world.principals.user(user).map(|user| user.id)
    }

    /// Owner and rights of a relation in `<prefix>_system`.
    fn relation(&self, name: &str) -> Option<(i64, Acl)> {
        let relation = self.inside?.relation(&self.spec.system(), name)?;
        Some((relation.owner, relation.acl.clone().unwrap_or_default()))
    }

    /// Whether somebody holds these rights on a schema, or owns it.
    fn holds_on_schema(&self, name: &str, grantee: &Grantee, rights: Rights) -> bool {
        let Some(schema) = self.inside.and_then(|inside| inside.schema(name)) else { return false };
        let owns = matches!(grantee, Grantee::User(user) if self.id(user) == Some(schema.owner));
        owns || schema.acl.as_ref().is_some_and(|acl| acl.of(grantee).covers(rights))
    }
}

/// Whether a view's query, in the server's words, can be ours: it asks who the user is, and of whoever acts for another a
/// signature; and nothing is an alternative to that. A view that was never seen before is judged by this alone.
fn shows_own_rows(query: &str, spec: &Spec) -> bool {
    let words = query.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    let acts = words.contains(&spec.variable());
    let signed = ["sha2", "pg_backend_pid"].iter().all(|part| words.contains(part));
    acts == spec.impersonation.is_some()
        && (signed || !acts)
        && words.contains("current_user")
        && words.contains(&format!("{}__userid", spec.prefix))
        && !words.contains(" or ")
}

/// A digest of the view's query in the server's words.
pub fn digest(query: &str) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(query.trim().as_bytes()).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
