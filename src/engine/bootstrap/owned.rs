//! Who owns what is managed, and what stands in its place: the owner of a schema may drop what is in it, and the owner of
//! the procedure is whom it signs as.

use super::made::Owners;
use super::parts::{List, Place, drop_relation};
use super::spec::Spec;
use super::text::{self, of_lock, of_system};
use crate::engine::catalog::snapshot::RelationKind;
use crate::engine::sql::{Sql, bare, ident, sql};

/// What each relation of `<prefix>_system` has to be, in an order in which they can be dropped.
pub(super) const KINDS: [(&str, RelationKind); 5] = [
    (text::VIEW, RelationKind::View),
    (text::KEY, RelationKind::Table),
    (text::PROFILE, RelationKind::Table),
    (text::REGISTRATION, RelationKind::Table),
    (text::MASK_KEY, RelationKind::Table),
];

impl List<'_> {
    /// What somebody gave to another owner goes back, before anything is done with it in its owner's name.
    pub(super) fn owners_put_right(&mut self) {
        let mut wrong = self.wrong_owners_of_the_marker();
        if self.how.owners == Owners::System {
            wrong.extend(self.wrong_owners_of_the_rest());
        }
        for (what, owner, statement) in wrong {
            self.one(Place::Inside, format!("{what} owned by {owner}"), false, statement);
        }
    }

    /// Only whom everybody else is to believe: see [`super::trust`]. With `marker_owner`, [`List::owners`] does it.
    fn wrong_owners_of_the_marker(&self) -> Vec<(String, String, Sql)> {
        if self.spec.marker_owner.is_some() {
            return Vec::new();
        }
        let login = &self.found.world.login_name;
        let mut wrong = Vec::new();
        for name in [self.spec.system(), self.spec.lock()] {
            if self.schema_owner(&name).is_some_and(|owner| !self.found.trusts(owner)) {
                let statement = sql!("ALTER SCHEMA {} OWNER TO {}", bare(&name), ident(login));
                wrong.push((format!("schema {name}"), login.clone(), statement));
            }
        }
        wrong
    }

    fn wrong_owners_of_the_rest(&self) -> Vec<(String, String, Sql)> {
        let (Some(inside), user) = (&self.inside, &self.spec.system_user) else { return Vec::new() };
        // A user who is made again is another than the one who owned it.
        let id = self.id(user);
        let to = bare(user);
        let [system, functions, procedures] = self.spec.schemas();
        let mut wrong = Vec::new();
        for name in [functions, procedures] {
            if inside.schema(&name).is_some_and(|schema| Some(schema.owner) != id) {
                let statement = sql!("ALTER SCHEMA {} OWNER TO {}", bare(&name), to);
                wrong.push((format!("schema {name}"), user.clone(), statement));
            }
        }
        for (name, kind) in KINDS.into_iter().rev() {
            let stays = !self.how.adopts;
            let found = inside.relation(&system, name).filter(|relation| stays && relation.kind == kind);
            if found.is_some_and(|relation| Some(relation.owner) != id) {
                let relation = of_system(self.spec, name);
                let statement = sql!("ALTER TABLE {} OWNER TO {}", relation, to);
                wrong.push((relation.to_string(), user.clone(), statement));
            }
        }
        let stays = !self.how.adopts;
        if inside.procedure(self.spec).is_some_and(|routine| stays && routine.is_procedure && Some(routine.owner) != id)
        {
            let procedure = self.spec.procedure();
            let statement = sql!("ALTER PROCEDURE {} OWNER TO {}", procedure, to);
            wrong.push((format!("procedure {procedure}"), user.clone(), statement));
        }
        wrong
    }

    /// What stands where something else is to be; and after an interrupted run all that it left, since nobody vouches for
    /// what became of it.
    pub(super) fn in_the_way(&mut self) {
        let Some(mut inside) = self.inside.take() else { return };
        let system = self.spec.system();
        let mut drops = Vec::new();
        for (name, wanted) in KINDS {
            let Some(relation) = inside.relation(&system, name) else { continue };
            if relation.kind != wanted || self.how.adopts {
                let relation_name = of_system(self.spec, name);
                let what = format!("{} {relation_name} of somebody else's making", relation.kind.name());
                drops.push((what, drop_relation(relation.kind, &relation_name, false)));
                if name == text::VIEW {
                    inside.view = None;
                }
                inside.without_relation(&system, name);
            }
        }
        let is_function = inside.procedure(self.spec).is_some_and(|routine| !routine.is_procedure);
        if is_function || (self.how.adopts && inside.procedure(self.spec).is_some()) {
            let procedure = self.spec.procedure();
            let drop = match inside.procedure(self.spec).is_some_and(|routine| routine.is_procedure) {
                true => sql!("DROP PROCEDURE {}", procedure),
                false => sql!("DROP FUNCTION {}", procedure),
            };
            drops.push((format!("procedure {procedure} of somebody else's making"), drop));
            inside.without_procedure(self.spec);
        }
        self.inside = Some(inside);
        for (what, drop) in drops {
            self.too_much(Place::Inside, what, drop);
        }
    }

    /// Nothing else has the name of the procedure: who calls it with another type of argument would be taken in.
    pub(super) fn no_overloads(&mut self) {
        let Some(inside) = &self.inside else { return };
        let mut drops = Vec::new();
        for routine in inside.overloads(self.spec) {
            let Some(types) = routine.argument_types() else { continue };
            let name = sql!("{}.impersonate_user({})", bare(&self.spec.procedures()), types);
            let drop =
                if routine.is_procedure { sql!("DROP PROCEDURE {}", name) } else { sql!("DROP FUNCTION {}", name) };
            drops.push((format!("procedure {name}"), drop));
        }
        for (what, drop) in drops {
            self.too_much(Place::Inside, what, drop);
        }
    }

    /// The lock, the marker's owner, and the owner of the database.
    pub(super) fn owners(&mut self) {
        self.lock();
        if let Some(owner) = self.spec.marker_owner.clone() {
            let (id, name) = (self.id(&owner), ident(&owner));
            for schema in [self.spec.system(), self.spec.lock()] {
                let done = id.is_some() && self.schema_owner(&schema) == id;
                let statement = sql!("ALTER SCHEMA {} OWNER TO {}", bare(&schema), name);
                let place = if schema == self.spec.lock() { Place::WithLock } else { Place::Inside };
                self.one(place, format!("schema {schema} owned by {owner}"), done, statement);
            }
            let marker = of_system(self.spec, text::MARKER);
            let done = id.is_some() && self.relation(text::MARKER).map(|(owner, _)| owner) == id;
            let statement = sql!("ALTER TABLE {} OWNER TO {}", marker, name);
            self.one(Place::Inside, format!("table {marker} owned by {owner}"), done, statement);
            let lock = of_lock(self.spec, text::LOCK);
            let done = id.is_some() && self.lock_table_owner() == id;
            let statement = sql!("ALTER TABLE {} OWNER TO {}", lock, name);
            self.one(Place::WithLock, format!("table {lock} owned by {owner}"), done, statement);
        }
        if self.is_ours() && self.how.owners == Owners::System {
            let (database, user) = (self.spec.database.clone(), self.spec.system_user.clone());
            let done = self.found.database.as_ref().is_some_and(|found| self.id(&user) == Some(found.owner));
            let statement = sql!("ALTER DATABASE {} OWNER TO {}", bare(&database), bare(&user));
            self.one(Place::Inside, format!("database {database} owned by {user}"), done, statement);
        }
    }

    fn lock_table_owner(&self) -> Option<i64> {
        let relation = self.inside.as_ref()?.relation(&self.spec.lock(), text::LOCK)?;
        (relation.kind == RelationKind::Table).then_some(relation.owner)
    }

    /// The lock in its own schema. An integration of an earlier version has it in `<prefix>_system`, where everybody can
    /// name it and so wait in front of it.
    fn lock(&mut self) {
        let Some(inside) = &self.inside else { return };
        let there = self.lock_table_owner().is_some_and(|owner| self.found.trusts(owner));
        let old = inside.relation(&self.spec.system(), text::LOCK).map(|relation| relation.kind);
        let what = format!("table {}", of_lock(self.spec, text::LOCK));
        let make = make_lock(self.spec, self.found);
        self.push(Place::WithLock, what, there, make);
        if let Some(kind) = old {
            let relation = of_system(self.spec, text::LOCK);
            let drop = drop_relation(kind, &relation, false);
            self.too_much(Place::WithLock, format!("{} {relation}", kind.name()), drop);
        }
    }
}

/// What makes the lock, and drops what stands in its place.
pub(super) fn make_lock(spec: &Spec, found: &super::Found) -> Vec<Sql> {
    let inside = found.inside.as_ref();
    let mut statements = Vec::new();
    match inside.and_then(|inside| inside.schema(&spec.lock())) {
        None => statements.push(sql!("CREATE SCHEMA {}", bare(&spec.lock()))),
        Some(schema) if !found.trusts(schema.owner) => {
            let to = ident(&found.world.login_name);
            statements.push(sql!("ALTER SCHEMA {} OWNER TO {}", bare(&spec.lock()), to));
        }
        Some(_) => {}
    }
    if let Some(relation) = inside.and_then(|inside| inside.relation(&spec.lock(), text::LOCK)) {
        statements.push(drop_relation(relation.kind, &of_lock(spec, text::LOCK), false));
    }
    statements.push(text::lock_table(spec));
    statements
}
