//! What an integration is made of: for each part, whether it is there and the SQL that makes it so.
//!
//! The same list makes, repairs and changes an integration, says what is missing of it, and is printed as a script.

use secrecy::SecretString;

use super::found::{Found, Inside};
use super::made::{Made, Owners};
use super::spec::{ActorKind, Impersonation, Spec};
use super::text::{self, of_system};
use crate::engine::catalog::acl::{Acl, Grantee};
use crate::engine::catalog::snapshot::RelationKind;
use crate::engine::password;
use crate::engine::rights::{Privilege, Rights};
use crate::engine::sql::{Sql, bare, ident, secret, sql};

/// Where the statements of a part run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the database that the managed one is made from; alone.
    Initial,
    /// In the managed database, in the transaction of all.
    Inside,
    /// The same, as the system user, who then owns what is made.
    AsSystem,
    /// By the session that holds the lock, before the transaction: it is about what is locked.
    WithLock,
    /// In the managed database after the transaction; alone.
    Alone,
}

/// One part.
#[derive(Clone, Debug)]
pub struct Part {
    /// In words, as it is listed when it is missing; or when it is there and should not be.
    pub what: String,
    /// Whether it is something that should not be there: the statements take it away.
    pub excess: bool,
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

/// What happens to the key that signs claims.
#[derive(Clone, Debug, Default)]
pub enum NewKey {
    #[default]
    Keep,
    /// A new one, from what sessions have drawn and this half.
    Drawn(SecretString),
    /// A new one in a script.
    ByHand,
}

/// What the parts depend on beside the configuration and what was found.
#[derive(Clone, Debug, Default)]
pub struct How {
    pub owners: Owners,
    /// What was made before, and with it what a changed configuration no longer wants.
    pub made: Made,
    pub password: UserPassword,
    pub key: NewKey,
    /// A person runs the statements, so there is no secret in them.
    pub by_hand: bool,
    /// Whether what is there is an interrupted run's: made anew, and not believed.
    pub adopts: bool,
    /// The digest of the view's query as it was last made, where that is known.
    pub view: Option<String>,
}

/// All parts, in the order in which they are made.
pub fn parts(spec: &Spec, found: &Found, how: &How) -> Vec<Part> {
    let mut list = List { spec, found, how, inside: found.inside.clone(), parts: Vec::new() };
    list.database();
    list.principals();
    list.owners_put_right();
    list.in_the_way();
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

impl Part {
    /// What is as it should be once the statements have run.
    pub fn in_words(&self) -> String {
        if self.excess { format!("no {}", self.what) } else { self.what.clone() }
    }
}

/// What is missing, in words.
pub fn missing(parts: &[Part]) -> Vec<String> {
    parts.iter().filter(|part| !part.done && !part.excess).map(|part| part.what.clone()).collect()
}

/// What is there and should not be, in words.
pub fn surplus(parts: &[Part]) -> Vec<String> {
    parts.iter().filter(|part| !part.done && part.excess).map(|part| part.what.clone()).collect()
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
    /// What was found in the managed database, but for what [`List::in_the_way`] drops.
    pub(super) inside: Option<Inside>,
    parts: Vec<Part>,
}

impl List<'_> {
    pub(super) fn push(&mut self, place: Place, what: impl Into<String>, done: bool, statements: Vec<Sql>) {
        self.parts.push(Part { what: what.into(), excess: false, done, place, statements, undo: None });
    }

    /// What is there, and is to go.
    pub(super) fn too_much(&mut self, place: Place, what: impl Into<String>, statement: Sql) {
        self.too_much_unless(false, place, what, statement);
    }

    fn too_much_unless(&mut self, gone: bool, place: Place, what: impl Into<String>, statement: Sql) {
        let (what, statements) = (what.into(), vec![statement]);
        self.parts.push(Part { what, excess: true, done: gone, place, statements, undo: None });
    }

    pub(super) fn one(&mut self, place: Place, what: impl Into<String>, done: bool, statement: Sql) {
        self.push(place, what, done, vec![statement]);
    }

    fn alone(&mut self, what: impl Into<String>, done: bool, statement: Sql, undo: Option<Sql>) {
        let (what, statements) = (what.into(), vec![statement]);
        self.parts.push(Part { what, excess: false, done, place: Place::Alone, statements, undo });
    }

    /// Where what the system user owns is made.
    pub(super) fn own(&self) -> Place {
        match self.how.owners {
            Owners::System => Place::AsSystem,
            Owners::Login => Place::Inside,
        }
    }

    pub(super) fn is_ours(&self) -> bool {
        self.spec.create_database && (self.how.made.database || self.found.database.is_none())
    }

    fn database(&mut self) {
        if self.spec.create_database {
            let done = self.found.database.is_some();
            self.one(Place::Initial, database_in_words(&self.spec.database), done, text::create_database(self.spec));
        }
    }

    fn principals(&mut self) {
        let (name, principals) = (&self.spec.system_user, &self.found.world.principals);
        let (user, found) = (bare(name), principals.user(name));
        let (there, mighty) = (found.is_some(), found.is_some_and(|found| found.superuser || found.createdb));
        let create = match &self.how.password {
            UserPassword::Set(text) if !self.how.by_hand => {
                sql!("CREATE USER {} PASSWORD {} NOCREATEDB NOCREATEUSER", user, secret(&password::md5(name, text)))
            }
            _ => sql!("CREATE USER {} {} NOCREATEDB NOCREATEUSER", user, self.no_password(name)),
        };
        self.one(Place::Inside, user_in_words(name), there, create);
        if mighty {
            let what = format!("user {name} without CREATEUSER and CREATEDB");
            self.one(Place::Inside, what, false, sql!("ALTER USER {} NOCREATEDB NOCREATEUSER", user));
        }
        if there && !self.how.by_hand {
            match &self.how.password {
                UserPassword::Set(text) => {
                    let set = sql!("ALTER USER {} PASSWORD {}", user, secret(&password::md5(name, text)));
                    self.one(Place::Inside, format!("the new password of user {name}"), false, set);
                }
                UserPassword::Disable => {
                    let disable = sql!("ALTER USER {} {}", user, self.no_password(name));
                    self.one(Place::Inside, format!("user {name} without a password"), false, disable);
                }
                UserPassword::Keep => {}
            }
        }
        if let Some(actors) = &self.spec.impersonation {
            let there = self.has_actors(actors);
            self.one(Place::Inside, actors.to_string(), there, sql!("CREATE {}", actors.sql()));
            self.members();
        }
    }

    /// Only superusers may disable a password (AWS: ALTER USER); others set one that nobody knows.
    fn no_password(&self, name: &str) -> Sql {
        match self.found.world.superuser || self.how.by_hand {
            true => sql!("PASSWORD DISABLE"),
            false => sql!("PASSWORD {}", secret(&password::md5(name, &password::nobodys()))),
        }
    }

    /// Whether the procedure is there as it was made; none: it is not there.
    fn procedure_as_made(&self) -> Option<bool> {
        let routine = self.inside.as_ref()?.procedure(self.spec)?;
        let as_made = text::procedure_body(self.spec).to_string();
        let path = routine.search_path.as_ref().is_none_or(|path| path.as_deref() == Some(text::SEARCH_PATH));
        Some(routine.source.trim() == as_made.trim() && routine.is_procedure && routine.definer && path)
    }

    pub(super) fn has_procedure_as_made(&self) -> bool {
        self.procedure_as_made() == Some(true)
    }

    fn has_actors(&self, actors: &Impersonation) -> bool {
        self.found.world.has_actors(actors) || (actors.kind == ActorKind::Role && self.may_be_unseen(actors))
    }

    /// A role is seen by superusers, by who made it and by who holds it; others take it to be there as it was made.
    fn may_be_unseen(&self, actors: &Impersonation) -> bool {
        !self.how.by_hand
            && !self.found.world.superuser
            && self.how.owners == Owners::System
            && self.how.made.actors.as_ref() == Some(actors)
    }

    fn database_rights(&mut self) {
        let (database, user) = (self.spec.database.clone(), self.spec.system_user.clone());
        let on = bare(&database);
        let acl = self.found.database.as_ref().and_then(|database| database.acl.clone());
        let owns = self.found.database.as_ref().is_some_and(|found| self.id(&user) == Some(found.owner));
        let both: Rights = [Privilege::Create, Privilege::Temp].into_iter().collect();
        let holds = acl.as_ref().is_some_and(|acl| acl.of(&Grantee::User(user.clone())).covers(both));
        let what = format!("CREATE and TEMP on database {database} for user {user}");
        let grant = sql!("GRANT CREATE, TEMP ON DATABASE {} TO {}", on, bare(&user));
        self.one(Place::Inside, what, owns || holds, grant);

        let public = acl.as_ref().map(|acl| acl.of(&Grantee::Public));
        let temp: Rights = [Privilege::Temp].into_iter().collect();
        if self.is_ours() {
            let statements = vec![
                sql!("REVOKE ALL ON DATABASE {} FROM PUBLIC", on),
                sql!("GRANT TEMP ON DATABASE {} TO PUBLIC", on),
            ];
            let what = format!("TEMP and nothing else on database {database} for PUBLIC");
            self.push(Place::Inside, what, public == Some(temp), statements);
            if self.how.owners == Owners::System {
                let schema = self.inside.as_ref().and_then(|inside| inside.schema("public"));
                let open = schema.and_then(|schema| schema.acl.as_ref());
                let closed = open.is_some_and(|acl| !acl.of(&Grantee::Public).has(Privilege::Create));
                let what = "CREATE on schema public for PUBLIC";
                let close = sql!("REVOKE CREATE ON SCHEMA public FROM PUBLIC");
                self.too_much_unless(closed, Place::Inside, what, close);
            }
        } else {
            // Where nothing was ever granted or revoked, PUBLIC has it.
            let there = self.found.database.is_some() && public.is_none_or(|rights| rights.covers(temp));
            let grant = sql!("GRANT TEMP ON DATABASE {} TO PUBLIC", on);
            self.one(Place::Inside, temp_to_public(self.spec), there, grant);
        }
    }

    fn schemas(&mut self) {
        let [system, functions, procedures] = self.spec.schemas();
        let user = self.spec.system_user.clone();
        let all: Rights = [Privilege::Usage, Privilege::Create].into_iter().collect();
        let grant_all = |name: &str| sql!("GRANT ALL ON SCHEMA {} TO {}", bare(name), bare(&user));
        let done = self.holds_on_schema(&system, &Grantee::User(user.clone()), all);
        let what = format!("USAGE and CREATE on schema {system} for user {user}");
        self.one(Place::Inside, what, done, grant_all(&system));
        for name in [functions, procedures] {
            let there = self.schema_owner(&name).is_some();
            self.one(self.own(), format!("schema {name}"), there, sql!("CREATE SCHEMA {}", bare(&name)));
            if self.how.owners == Owners::Login {
                let done = self.holds_on_schema(&name, &Grantee::User(user.clone()), all);
                let what = format!("USAGE and CREATE on schema {name} for user {user}");
                self.one(Place::Inside, what, done, grant_all(&name));
            }
        }
    }

    fn profile(&mut self) {
        let there = self.relation(text::PROFILE).is_some();
        let table = of_system(self.spec, text::PROFILE);
        self.one(self.own(), format!("table {table}"), there, text::profile_table(self.spec));
        self.for_system_user(text::PROFILE);
    }

    /// What the system user has as its owner, or else is given.
    fn for_system_user(&mut self, name: &'static str) {
        if self.how.owners == Owners::System {
            return;
        }
        let (user, table) = (self.spec.system_user.clone(), of_system(self.spec, name));
        let needed = Rights::READ_WRITE;
        let done = self.relation(name).is_some_and(|(_, acl)| acl.of(&Grantee::User(user.clone())).covers(needed));
        let what = format!("all rights on {table} for user {user}");
        self.one(Place::Inside, what, done, sql!("GRANT ALL ON TABLE {} TO {}", table, bare(&user)));
    }

    /// The view, and with impersonation the key and the procedure.
    fn acting(&mut self) {
        let (key, view) = (of_system(self.spec, text::KEY), of_system(self.spec, text::VIEW));
        let has_key_table = self.relation(text::KEY).is_some();
        let procedure = self.procedure_as_made();
        if self.spec.impersonation.is_some() {
            self.one(self.own(), format!("table {key}"), has_key_table, text::key_table(self.spec));
            self.for_system_user(text::KEY);
            match &self.how.key {
                NewKey::Drawn(half) => {
                    self.push(Place::Inside, "a new impersonation key", false, text::new_key(self.spec, half));
                }
                NewKey::ByHand => {
                    self.push(Place::Inside, "a new impersonation key", false, text::new_key_by_hand(self.spec));
                }
                NewKey::Keep => {}
            }
            let what = match procedure {
                Some(false) => format!("procedure {} as it was made", self.spec.procedure()),
                _ => format!("procedure {}", self.spec.procedure()),
            };
            self.one(self.own(), what, procedure == Some(true), text::procedure(self.spec));
        }
        self.no_overloads();
        let there = self.relation(text::VIEW).is_some();
        let what = if there { format!("view {view} as it was made") } else { format!("view {view}") };
        let mut statements = vec![text::view(self.spec)];
        if self.view_has_other_columns() {
            statements.insert(0, sql!("DROP VIEW {}", view));
        }
        self.push(self.own(), what, there && self.view_is_right(), statements);
        if self.spec.impersonation.is_none() {
            if procedure.is_some() {
                let drop = sql!("DROP PROCEDURE {}", self.spec.procedure());
                self.too_much(self.own(), format!("procedure {}", self.spec.procedure()), drop);
            }
            if has_key_table {
                self.too_much(self.own(), format!("table {key}"), sql!("DROP TABLE {}", key));
            }
        }
        self.former_actors();
    }

    /// The server prints a view's query in words of its own, so it is known again by the digest of those words.
    fn view_is_right(&self) -> bool {
        let Some(query) = self.inside.as_ref().and_then(|inside| inside.view.as_deref()) else { return true };
        match &self.how.view {
            Some(known) if *known != digest(query) => false,
            _ => shows_own_rows(query, self.spec),
        }
    }

    /// A view is replaced in place only by one of the same columns (AWS: CREATE VIEW).
    pub(super) fn view_has_other_columns(&self) -> bool {
        let Some(query) = self.inside.as_ref().and_then(|inside| inside.view.as_deref()) else { return false };
        !self.view_is_right() && text::profile_columns(self.spec).iter().any(|column| !query.contains(column.as_str()))
    }

    /// The group or role of an earlier configuration.
    fn former_actors(&mut self) {
        let Some(former) = self.how.made.actors.clone() else { return };
        if self.spec.impersonation.as_ref() == Some(&former) || !self.has_actors(&former) {
            return;
        }
        if self.spec.impersonation.is_some() {
            let revoke = sql!("REVOKE EXECUTE ON PROCEDURE {} FROM {}", self.spec.procedure(), former.sql());
            self.too_much(self.own(), format!("EXECUTE on the procedure for {former}"), revoke);
        }
        self.too_much(Place::Inside, format!("{former}"), former.drop_sql());
    }

    fn grants(&mut self) {
        let [system, functions, procedures] = self.spec.schemas();
        let usage: Rights = [Privilege::Usage].into_iter().collect();
        for (place, schema) in [(self.own(), functions), (self.own(), procedures), (Place::Inside, system)] {
            let done = self.holds_on_schema(&schema, &Grantee::Public, usage);
            let grant = sql!("GRANT USAGE ON SCHEMA {} TO PUBLIC", bare(&schema));
            self.one(place, format!("USAGE on schema {schema} for PUBLIC"), done, grant);
        }
        let view = of_system(self.spec, text::VIEW);
        let reads = !self.view_has_other_columns()
            && self.relation(text::VIEW).is_some_and(|(_, acl)| acl.of(&Grantee::Public).covers(Rights::READ));
        let grant = sql!("GRANT SELECT ON {} TO PUBLIC", view);
        self.one(self.own(), format!("SELECT on {view} for PUBLIC"), reads, grant);
        if let Some(actors) = &self.spec.impersonation {
            let routine = self.inside.as_ref().and_then(|inside| inside.procedure(self.spec));
            let done = match actors.kind {
                ActorKind::Group => routine
                    .is_some_and(|routine| routine.gives(&Grantee::Group(actors.name.clone()), Privilege::Execute)),
                // What roles hold on procedures is in no view that every login can read.
                ActorKind::Role => {
                    routine.is_some() && self.how.made.actors.as_ref() == Some(actors) && self.has_actors(actors)
                }
            };
            let procedure = self.spec.procedure();
            let what = format!("EXECUTE on procedure {procedure} for {actors}");
            let grant = sql!("GRANT EXECUTE ON PROCEDURE {} TO {}", procedure, actors.sql());
            self.one(self.own(), what, done, grant);
        }
    }

    fn external(&mut self) {
        let user = self.spec.system_user.clone();
        let usage: Rights = [Privilege::Usage].into_iter().collect();
        for (name, before) in &self.how.made.external_schemas {
            let changed = self.spec.external_schemas.get(name).is_none_or(|wanted| wanted != before);
            if changed && self.inside.as_ref().is_some_and(|inside| inside.has_external(name)) {
                let again = text::external_schema(name, before);
                let drop = sql!("DROP SCHEMA {}", ident(name));
                let (what, statements) = (format!("external schema {name} as it was"), vec![drop]);
                let place = Place::Alone;
                self.parts.push(Part { what, excess: true, done: false, place, statements, undo: Some(again) });
            }
        }
        for (name, wanted) in &self.spec.external_schemas {
            let there = self.inside.as_ref().is_some_and(|inside| inside.has_external(name));
            let same = self.how.made.external_schemas.get(name) == Some(wanted);
            let done = there && same;
            let drop = sql!("DROP SCHEMA {}", ident(name));
            let create = text::external_schema(name, wanted);
            self.alone(format!("external schema {name}"), done, create, Some(drop));
            let granted = done && self.holds_on_schema(name, &Grantee::User(user.clone()), usage);
            let grant = sql!("GRANT USAGE ON SCHEMA {} TO {}", ident(name), bare(&user));
            let revoke = sql!("REVOKE USAGE ON SCHEMA {} FROM {}", ident(name), bare(&user));
            self.alone(format!("USAGE on external schema {name} for user {user}"), granted, grant, Some(revoke));
        }
    }

    pub(super) fn id(&self, user: &str) -> Option<i64> {
        self.found.world.principals.user(user).map(|user| user.id)
    }

    pub(super) fn schema_owner(&self, name: &str) -> Option<i64> {
        self.inside.as_ref()?.schema(name).map(|schema| schema.owner)
    }

    /// Owner and rights of a relation in `<prefix>_system`.
    pub(super) fn relation(&self, name: &str) -> Option<(i64, Acl)> {
        let relation = self.inside.as_ref()?.relation(&self.spec.system(), name)?;
        Some((relation.owner, relation.acl.clone().unwrap_or_default()))
    }

    /// Whether somebody holds these rights on a schema, or owns it.
    fn holds_on_schema(&self, name: &str, grantee: &Grantee, rights: Rights) -> bool {
        let Some(schema) = self.inside.as_ref().and_then(|inside| inside.schema(name)) else { return false };
        let owns = matches!(grantee, Grantee::User(user) if self.id(user) == Some(schema.owner));
        owns || schema.acl.as_ref().is_some_and(|acl| acl.of(grantee).covers(rights))
    }
}

/// What drops a relation, by what it is.
pub(super) fn drop_relation(kind: RelationKind, relation: &Sql, cascade: bool) -> Sql {
    // Of several that go so, one may have gone with another.
    let relation = if cascade { sql!("IF EXISTS {} CASCADE", relation) } else { sql!("{}", relation) };
    match kind {
        RelationKind::Table => sql!("DROP TABLE {}", relation),
        RelationKind::View => sql!("DROP VIEW {}", relation),
        RelationKind::MaterializedView => sql!("DROP MATERIALIZED VIEW {}", relation),
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
