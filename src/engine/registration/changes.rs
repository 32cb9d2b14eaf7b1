//! The way from what is there of a registration of tables to what is wanted: one list, which says what is missing, is
//! planned, and is run.

use std::collections::{BTreeMap, BTreeSet};

use super::found::{Detail, Given, Inside, Kept, KeptView, TablesFound};
use super::wanted::{Desired, DesiredView, Reader, TablesWanted};
use crate::engine::catalog::acl::{Acl, Grantee};
use crate::engine::catalog::roles::RoleRights;
use crate::engine::catalog::snapshot::{Relation, RelationKind};
use crate::engine::error::{Error, shown};
use crate::engine::rights::{Privilege, Rights};
use crate::engine::sql::{Sql, bare, ident, sql};

/// Where and when a change is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// In the database of the tables, as the login, before there are views on them.
    Before,
    /// In the managed database, as who owns what is there.
    Inside,
    /// In the database of the tables, once no view needs it.
    After,
}

/// Something that is not as it is wanted.
#[derive(Clone, Debug)]
pub struct Change {
    /// In words: what is missing, or what is there and should not be.
    pub what: Vec<String>,
    /// Whether it is something that should not be there.
    pub excess: bool,
    /// When it is put right.
    pub stage: Stage,
    /// How.
    pub statements: Vec<Sql>,
}

/// All changes, in their order, and what will have been given then that nobody else had given.
#[derive(Clone, Debug, Default)]
pub struct Way {
    /// The changes.
    pub changes: Vec<Change>,
    /// What was given.
    pub made: BTreeSet<Given>,
    /// What is given, whoever gave it.
    wanted: BTreeSet<Given>,
}

impl Way {
    /// Whether it is needed.
    pub fn needs(&self, given: &Given) -> bool {
        *given == Given::Schema || self.wanted.contains(given)
    }

    /// What is missing, in words.
    pub fn missing(&self) -> Vec<String> {
        self.changes.iter().filter(|change| !change.excess).flat_map(|change| change.what.clone()).collect()
    }

    /// What is there and should not be, in words.
    pub fn surplus(&self) -> Vec<String> {
        self.changes.iter().filter(|change| change.excess).flat_map(|change| change.what.clone()).collect()
    }

    /// The statements of a stage.
    pub fn statements(&self, stage: Stage) -> Vec<Sql> {
        let of_stage = self.changes.iter().filter(|change| change.stage == stage);
        of_stage.flat_map(|change| change.statements.clone()).collect()
    }
}

/// How many names go into one GRANT.
const TOGETHER: usize = 100;

/// Finds the way. Errors: something of somebody else's is where a view is to be.
pub fn way(wanted: &TablesWanted, desired: &Desired, found: &TablesFound, kept: &Kept) -> Result<Way, Error> {
    let others = found.inside.others(&wanted.name);
    let mut finder = Finder { wanted, desired, found, kept, others, way: Way::default(), removes: false };
    finder.refuse_what_is_in_the_way()?;
    finder.given();
    finder.entitlements();
    finder.views();
    finder.readers();
    finder.gone();
    finder.taken_back();
    Ok(finder.way)
}

struct Finder<'a> {
    wanted: &'a TablesWanted,
    desired: &'a Desired,
    found: &'a TablesFound,
    kept: &'a Kept,
    others: Vec<(String, Detail)>,
    way: Way,
    /// Whether nothing of it is wanted any more.
    removes: bool,
}

/// What is to be done about a view.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Making {
    Nothing,
    Make,
    /// Another text for the same columns, which takes the place of the old one at once.
    Replace,
    /// Other columns: it is dropped and made in one transaction.
    MakeAnew,
}

impl Finder<'_> {
    fn inside(&self) -> &Inside {
        &self.found.inside
    }

    fn schema(&self) -> &str {
        &self.wanted.offer.view_schema
    }

    fn relation(&self, view: &str) -> Option<&Relation> {
        self.inside().relation(self.schema(), view)
    }

    fn view_name(&self, view: &str) -> Sql {
        sql!("{}.{}", ident(self.schema()), ident(view))
    }

    fn view_words(&self, view: &str) -> String {
        format!("view {}.{}", shown(self.schema()), shown(view))
    }

    fn push(&mut self, stage: Stage, what: impl Into<String>, statements: Vec<Sql>) {
        self.way.changes.push(Change { what: vec![what.into()], excess: false, stage, statements });
    }

    fn too_much(&mut self, stage: Stage, what: impl Into<String>, statement: Sql) {
        self.way.changes.push(Change { what: vec![what.into()], excess: true, stage, statements: vec![statement] });
    }

    fn is_ours(&self, relation: &Relation) -> bool {
        relation.owner == self.inside().seat.owner && relation.kind == RelationKind::View
    }

    /// A schema or view of somebody else's, and a view of another registration, are left as they are.
    fn refuse_what_is_in_the_way(&self) -> Result<(), Error> {
        let schema = self.inside().schema(self.schema());
        if let Some(schema) = schema.filter(|schema| schema.owner != self.inside().seat.owner) {
            let owner = self.found.source.principals.name_of(schema.owner);
            return Err(Error::refused(
                format!("Schema {} is somebody else's", ident(self.schema())),
                format!(
                    "The views go into schema {} of database {}, which belongs to {}, who could put something else in their place. \
                     Write another view_schema, or leave it out: one that is not there is made.",
                    ident(self.schema()),
                    ident(&self.wanted.uri.database),
                    shown(&owner)
                ),
            )
            .about("view_schema"));
        }
        for (table, view) in &self.desired.views {
            let Some(relation) = self.relation(&view.name) else { continue };
            let other = self
                .others
                .iter()
                .find(|(_, detail)| detail.offer.view_schema == self.schema() && detail.views.contains(&view.name));
            let why = match other {
                Some((other, _)) => format!("it is a view of the registration \"{}\"", shown(other)),
                None if !self.is_ours(relation) => {
                    let owner = self.found.source.principals.name_of(relation.owner);
                    format!("there is a {} of {}", relation.kind.name(), shown(&owner))
                }
                None => continue,
            };
            return Err(Error::refused(
                format!("The name of a view is taken: {}", ident(&view.name)),
                format!(
                    "The view on {} would be {}, but {why}. Nothing was changed. Leave the table out (except_tables), or write \
                     another view_name or view_schema.",
                    ident(table),
                    self.view_name(&view.name)
                ),
            )
            .about("view_name"));
        }
        Ok(())
    }

    /// All that is given beside the views.
    fn wanted_given(&self) -> BTreeSet<Given> {
        let (offer, source) = (&self.wanted.offer, &self.found.source);
        let system = source.principals.user(&self.wanted.uri.system_user).map(|user| user.id);
        let mut wanted = BTreeSet::new();
        if self.removes {
            return wanted;
        }
        if Some(source.owner) != system {
            wanted.insert(Given::Source);
        }
        for (name, table) in &source.tables {
            if Some(table.owner) == system {
                continue;
            }
            wanted.insert(Given::Table(name.clone()));
            if offer.source.future_tables && source.principals.users.contains_key(&table.owner) {
                wanted.insert(Given::Future(source.principals.name_of(table.owner)));
            }
        }
        for reader in &offer.readers {
            wanted.insert(Given::SchemaFor(reader.clone()));
            if offer.source.database == self.wanted.uri.database {
                wanted.insert(Given::SourceFor(reader.clone()));
            }
        }
        wanted
    }

    /// Whether the warehouse shows it.
    fn is_held(&self, given: &Given) -> bool {
        let source = &self.found.source;
        let system = Grantee::User(self.wanted.uri.system_user.clone());
        let has = |acl: &Option<Acl>, right| acl.as_ref().is_some_and(|acl| acl.of(&system).has(right));
        match given {
            Given::Source => has(&source.acl, Privilege::Usage),
            Given::Table(table) => source.acls.get(table).is_some_and(|acl| has(acl, Privilege::Select)),
            Given::Future(owner) => source.principals.user(owner).is_some_and(|owner| {
                let rights = source.defaults.on_tables(owner.id, &source.schema, &system, source.case_sensitive);
                rights.has(Privilege::Select)
            }),
            Given::SourceFor(reader) => {
                let rights =
                    on_schema(reader, source.acl.as_ref(), &source.role_rights, &source.schema, source.case_sensitive);
                rights.has(Privilege::Usage)
            }
            Given::Schema => self.inside().schema(self.schema()).is_some(),
            Given::SchemaFor(reader) => {
                let inside = self.inside();
                let Some(schema) = inside.schema(self.schema()) else { return false };
                let case_sensitive = source.case_sensitive;
                on_schema(reader, schema.acl.as_ref(), &inside.role_rights, &schema.name, case_sensitive)
                    .has(Privilege::Usage)
            }
        }
    }

    /// The schema of the views, and the rights.
    fn given(&mut self) {
        let wanted = self.wanted_given();
        let lacking: Vec<&Given> = wanted.iter().filter(|given| !self.is_held(given)).collect();
        let of_others: BTreeSet<&Given> =
            self.others.iter().filter(|(_, other)| self.shares(other)).flat_map(|(_, other)| &other.made).collect();
        // What another registration gave is this one's too: whichever goes last takes it back.
        let ours = |given: &Given| self.kept.made.contains(given) || of_others.contains(given);
        let made = wanted.iter().filter(|given| ours(given) || !self.is_held(given)).cloned().collect();
        let schema_is_there = self.is_held(&Given::Schema);
        let makes_schema = !schema_is_there || ours(&Given::Schema);
        let changes = self.grants(&lacking);
        drop(lacking);
        self.way.made = made;
        self.way.wanted = wanted;
        if makes_schema {
            self.way.made.insert(Given::Schema);
        }
        if !schema_is_there {
            let schema = self.schema().to_owned();
            self.push(
                Stage::Inside,
                format!("schema {}", shown(&schema)),
                vec![sql!("CREATE SCHEMA {}", ident(&schema))],
            );
        }
        self.way.changes.extend(changes);
    }

    /// Whether another registration is about the same schemas, so that what was given for it serves this one.
    fn shares(&self, other: &Detail) -> bool {
        let (ours, theirs) = (&self.wanted.offer, &other.offer);
        ours.source.database == theirs.source.database
            && ours.source.schema == theirs.source.schema
            && ours.view_schema == theirs.view_schema
    }

    fn grants(&self, lacking: &[&Given]) -> Vec<Change> {
        let user = &self.wanted.uri.system_user;
        let tables: Vec<&str> = lacking
            .iter()
            .filter_map(|given| if let Given::Table(table) = given { Some(table.as_str()) } else { None })
            .collect();
        let mut changes = Vec::new();
        for given in lacking.iter().filter(|given| !matches!(given, Given::Table(_))) {
            changes.push(Change {
                what: vec![self.given_words(given)],
                excess: false,
                stage: stage_of(given),
                statements: self.grant(given),
            });
        }
        for some in tables.chunks(TOGETHER) {
            let names = Sql::join(", ", some.iter().map(|table| self.table_name(table)));
            changes.push(Change {
                what: some.iter().map(|table| self.given_words(&Given::Table((*table).to_owned()))).collect(),
                excess: false,
                stage: Stage::Before,
                statements: vec![sql!("GRANT SELECT ON TABLE {} TO {}", names, bare(user))],
            });
        }
        changes
    }

    fn table_name(&self, table: &str) -> Sql {
        sql!("{}.{}", ident(&self.found.source.schema), ident(table))
    }

    fn given_words(&self, given: &Given) -> String {
        let (user, schema) = (&self.wanted.uri.system_user, shown(&self.found.source.schema));
        match given {
            Given::Source => format!("USAGE on schema {schema} for user {user}"),
            Given::Table(table) => format!("SELECT on {schema}.{} for user {user}", shown(table)),
            Given::Future(owner) => {
                format!("SELECT on what {} will make in schema {schema} for user {user}", shown(owner))
            }
            Given::SourceFor(reader) => format!("USAGE on schema {schema} for {reader}"),
            Given::Schema => format!("schema {}", shown(self.schema())),
            Given::SchemaFor(reader) => format!("USAGE on schema {} for {reader}", shown(self.schema())),
        }
    }

    fn grant(&self, given: &Given) -> Vec<Sql> {
        let (user, schema) = (bare(&self.wanted.uri.system_user), ident(&self.found.source.schema));
        let statement = match given {
            Given::Source => sql!("GRANT USAGE ON SCHEMA {} TO {}", schema, user),
            Given::Table(table) => sql!("GRANT SELECT ON TABLE {} TO {}", self.table_name(table), user),
            Given::Future(owner) => sql!(
                "ALTER DEFAULT PRIVILEGES FOR USER {} IN SCHEMA {} GRANT SELECT ON TABLES TO {}",
                ident(owner),
                schema,
                user
            ),
            Given::SourceFor(reader) => sql!("GRANT USAGE ON SCHEMA {} TO {}", schema, reader.sql()),
            Given::Schema => sql!("CREATE SCHEMA {}", ident(self.schema())),
            Given::SchemaFor(reader) => sql!("GRANT USAGE ON SCHEMA {} TO {}", ident(self.schema()), reader.sql()),
        };
        vec![statement]
    }

    fn revoke(&self, given: &Given) -> Sql {
        let (user, schema) = (bare(&self.wanted.uri.system_user), ident(&self.found.source.schema));
        match given {
            Given::Source => sql!("REVOKE USAGE ON SCHEMA {} FROM {}", schema, user),
            Given::Table(table) => sql!("REVOKE SELECT ON TABLE {} FROM {}", self.table_name(table), user),
            Given::Future(owner) => sql!(
                "ALTER DEFAULT PRIVILEGES FOR USER {} IN SCHEMA {} REVOKE SELECT ON TABLES FROM {}",
                ident(owner),
                schema,
                user
            ),
            Given::SourceFor(reader) => sql!("REVOKE USAGE ON SCHEMA {} FROM {}", schema, reader.sql()),
            Given::Schema => sql!("DROP SCHEMA {}", ident(self.schema())),
            Given::SchemaFor(reader) => sql!("REVOKE USAGE ON SCHEMA {} FROM {}", ident(self.schema()), reader.sql()),
        }
    }

    fn entitlements(&mut self) {
        let Some(wanted) = &self.desired.entitlements else { return };
        let system = self.wanted.uri.system();
        let kept = self.kept.entitlements.as_ref().filter(|kept| kept.name == wanted.name);
        let seen = self.inside().text(&system, &wanted.name);
        let is_made = seen.is_some() && kept.is_some_and(|kept| kept.seen == seen);
        let is_same = kept.is_some_and(|kept| kept.text == wanted.text || kept.of == wanted.of);
        if is_made && is_same {
            return;
        }
        let what = format!("view {system}.{}", wanted.name);
        let what = if is_made || seen.is_none() { what } else { format!("{what}, as it was made") };
        let statements = vec![wanted.sql.clone()];
        self.push(Stage::Inside, what, statements);
    }

    fn making(&self, table: &str, view: &DesiredView) -> Making {
        if self.relation(&view.name).is_none() {
            return Making::Make;
        }
        let Some(kept) = self.kept.views.get(table).filter(|kept| kept.name == view.name) else {
            return Making::MakeAnew;
        };
        let seen = self.inside().text(self.schema(), &view.name);
        if kept.seen != seen {
            return Making::MakeAnew;
        }
        match kept.text == view.text || kept.of == view.of {
            true => Making::Nothing,
            false if kept.form == view.form => Making::Replace,
            false => Making::MakeAnew,
        }
    }

    fn views(&mut self) {
        let mut made = Vec::new();
        for (table, view) in &self.desired.views {
            let making = self.making(table, view);
            let statements = match making {
                Making::Nothing => continue,
                Making::Make | Making::Replace => vec![view.sql.clone()],
                Making::MakeAnew => vec![self.drop_view(&view.name), view.sql.clone()],
            };
            let kept = self.kept.views.get(table);
            let what = self.view_in_words(table, view, kept, making);
            made.push((what, statements, sql!("EXPLAIN SELECT * FROM {}", self.view_name(&view.name))));
        }
        // The names, the types and the owner's rights in a text that binds late are looked at here, and not by the first
        // reader.
        let looks = made.iter().map(|(_, _, look)| look.clone()).collect();
        for (what, statements, _) in made {
            self.push(Stage::Inside, what, statements);
        }
        let look = Change { what: Vec::new(), excess: false, stage: Stage::Inside, statements: looks };
        self.way.changes.extend((!look.statements.is_empty()).then_some(look));
    }

    fn drop_view(&self, view: &str) -> Sql {
        let cascade = if self.wanted.force { sql!(" CASCADE") } else { sql!("") };
        sql!("DROP VIEW {}{}", self.view_name(view), cascade)
    }

    fn view_in_words(&self, table: &str, view: &DesiredView, kept: Option<&KeptView>, making: Making) -> String {
        let words = self.view_words(&view.name);
        let Some(kept) = kept.filter(|_| making != Making::Make) else { return words };
        let before: BTreeMap<&str, &str> = kept.columns.iter().map(|(name, ty)| (name.as_str(), ty.as_str())).collect();
        let after: BTreeMap<&str, &str> = view.columns.iter().map(|(name, ty)| (name.as_str(), ty.as_str())).collect();
        let how = |name: &str| if view.masked.contains(name) { "masked" } else { "in clear" };
        let mut differences = Vec::new();
        for (name, ty) in &after {
            match before.get(name) {
                None => differences.push(format!("{}.{}, new, {}", shown(table), shown(name), how(name))),
                Some(old) if old != ty => {
                    differences.push(format!("{}.{}, {ty} and no longer {old}", shown(table), shown(name)))
                }
                Some(_) => {}
            }
        }
        let gone = before.keys().filter(|name| !after.contains_key(*name));
        differences.extend(gone.map(|name| format!("{}.{}, gone", shown(table), shown(name))));
        if differences.is_empty() {
            format!("{words}, as it was made")
        } else {
            format!("{words}: {}", differences.join("; "))
        }
    }

    /// Who may read each view, and nobody else.
    fn readers(&mut self) {
        let readers = self.wanted.offer.readers.clone();
        for reader in &readers {
            let lacks = |(table, view): &(&String, &DesiredView)| {
                let is_new = matches!(self.making(table, view), Making::Make | Making::MakeAnew);
                is_new || !self.on_view(reader, &view.name).has(Privilege::Select)
            };
            let lacking: Vec<String> =
                self.desired.views.iter().filter(lacks).map(|(_, view)| view.name.clone()).collect();
            for some in lacking.chunks(TOGETHER) {
                let names = Sql::join(", ", some.iter().map(|view| self.view_name(view)));
                // Of a view that is made now, that goes without saying.
                let was_taken = |view: &&String| {
                    self.relation(view).is_some() && !self.on_view(reader, view).has(Privilege::Select)
                };
                let what = some.iter().filter(was_taken);
                let what = what.map(|view| format!("SELECT on {}.{} for {reader}", shown(self.schema()), shown(view)));
                self.way.changes.push(Change {
                    what: what.collect(),
                    excess: false,
                    stage: Stage::Inside,
                    statements: vec![sql!("GRANT SELECT ON TABLE {} TO {}", names, reader.sql())],
                });
            }
        }
        let mut extra = Vec::new();
        for (table, view) in &self.desired.views {
            // With the view that is dropped, it goes by itself.
            let goes = self.making(table, view) == Making::MakeAnew;
            for (reader, rights) in self.holders(&view.name) {
                if !readers.contains(&reader) {
                    let words = format!("{rights} on {}.{} for {reader}", shown(self.schema()), shown(&view.name));
                    let revoke =
                        sql!("REVOKE {} ON TABLE {} FROM {}", rights, self.view_name(&view.name), reader.sql());
                    extra.push((words, (!goes).then_some(revoke)));
                }
            }
        }
        for (words, revoke) in extra {
            let statements = revoke.into_iter().collect();
            self.way.changes.push(Change { what: vec![words], excess: true, stage: Stage::Inside, statements });
        }
    }

    fn on_view(&self, reader: &Reader, view: &str) -> Rights {
        self.holders(view).into_iter().find(|(holder, _)| holder == reader).map_or(Rights::NONE, |(_, rights)| rights)
    }

    /// Who but its owner holds rights on a view. A role's rights stand in no list of the view's.
    fn holders(&self, view: &str) -> Vec<(Reader, Rights)> {
        let Some(relation) = self.relation(view) else { return Vec::new() };
        let owner = self.found.source.principals.name_of(relation.owner);
        let mut holders: BTreeMap<Reader, Rights> = BTreeMap::new();
        for entry in relation.acl.iter().flat_map(|acl| &acl.0) {
            let reader = match &entry.grantee {
                Grantee::Public => Reader::Public,
                Grantee::User(name) if *name == owner => continue,
                Grantee::User(name) => Reader::User(name.clone()),
                Grantee::Group(name) => Reader::Group(name.clone()),
            };
            if !entry.rights.is_empty() && self.is_somebody(&reader) {
                let held = holders.entry(reader).or_default();
                *held = held.and(entry.rights);
            }
        }
        let key = (
            self.inside().schema(self.schema()).map(|schema| schema.name.clone()).unwrap_or_default(),
            relation.name.clone(),
        );
        for held in self.inside().role_rights.all() {
            if let Some(rights) = held.relations.get(&key).filter(|rights| !rights.is_empty()) {
                holders.insert(Reader::Role(held.role.clone()), *rights);
            }
        }
        holders.into_iter().collect()
    }

    /// An entry that only keeps the number of somebody who is gone gives nothing to anybody.
    fn is_somebody(&self, reader: &Reader) -> bool {
        let principals = &self.found.source.principals;
        match reader {
            Reader::User(name) => principals.user(name).is_some(),
            Reader::Group(name) => principals.group(name, true).is_some(),
            Reader::Public | Reader::Role(_) => true,
        }
    }

    /// Views of tables that are not offered any more, and entitlements of another form.
    fn gone(&mut self) {
        let still = |name: &str| self.desired.views.values().any(|view| view.name == name);
        let going: Vec<&KeptView> = self.kept.views.values().filter(|kept| !still(&kept.name)).collect();
        let going = going.into_iter().filter(|kept| self.relation(&kept.name).is_some_and(|it| self.is_ours(it)));
        let drops: Vec<(String, Sql)> =
            going.map(|kept| (self.view_words(&kept.name), self.drop_view(&kept.name))).collect();
        let wanted = self.desired.entitlements.as_ref().map(|entitlements| entitlements.name.clone());
        let old = entitlements(self.inside(), &self.wanted.uri.system(), &self.wanted.name);
        let old: Vec<String> = old.into_iter().filter(|name| Some(name) != wanted.as_ref()).collect();
        for (words, drop) in drops {
            self.too_much(Stage::Inside, words, drop);
        }
        for name in old {
            let view = self.wanted.uri.relation(&name);
            self.too_much(Stage::Inside, format!("view {view}"), sql!("DROP VIEW {}", view));
        }
    }

    /// What was given, and nothing needs any more.
    fn taken_back(&mut self) {
        let wanted = self.wanted_given();
        let needed: BTreeSet<&Given> =
            self.others.iter().filter(|(_, other)| self.shares(other)).flat_map(|(_, other)| &other.made).collect();
        let goes = |given: &&Given| {
            **given != Given::Schema && !wanted.contains(*given) && !needed.contains(*given) && self.is_held(given)
        };
        let back: Vec<(String, Stage, Sql)> = self
            .kept
            .made
            .iter()
            .filter(goes)
            .map(|given| {
                let stage = if stage_of(given) == Stage::Before { Stage::After } else { Stage::Inside };
                (self.given_words(given), stage, self.revoke(given))
            })
            .collect();
        for (words, stage, revoke) in back {
            self.too_much(stage, words, revoke);
        }
    }
}

impl Finder<'_> {
    /// The schema of the views, if it was made for them and they were all that is in it.
    fn schema_gone(&mut self) {
        let Some(schema) = self.inside().schema(self.schema()) else { return };
        let goes = |name: &str| self.kept.views.values().any(|kept| kept.name == name);
        let others = schema.relations.iter().any(|relation| !goes(&relation.name) || !self.is_ours(relation));
        let is_shared = self.others.iter().any(|(_, other)| other.offer.view_schema == self.schema());
        let is_ours = schema.owner == self.inside().seat.owner && self.kept.made.contains(&Given::Schema);
        if is_ours && !others && !is_shared {
            let (words, drop) =
                (format!("schema {}", shown(self.schema())), sql!("DROP SCHEMA {}", ident(self.schema())));
            self.too_much(Stage::Inside, words, drop);
        }
    }
}

fn stage_of(given: &Given) -> Stage {
    match given {
        Given::Schema | Given::SchemaFor(_) => Stage::Inside,
        Given::Source | Given::Table(_) | Given::Future(_) | Given::SourceFor(_) => Stage::Before,
    }
}

/// The entitlements of a registration that are there, whatever their form, by name.
pub fn entitlements(inside: &Inside, system: &str, registration: &str) -> Vec<String> {
    let before = format!("entitlements_{registration}_");
    let is_form = |rest: &str| rest.len() == 8 && rest.bytes().all(|byte| byte.is_ascii_hexdigit());
    let relations = inside.schema(system).into_iter().flat_map(|schema| &schema.relations);
    let ours = relations.filter(|it| it.kind == RelationKind::View && it.owner == inside.seat.owner);
    ours.filter(|it| it.name.strip_prefix(&before).is_some_and(is_form)).map(|it| it.name.clone()).collect()
}

fn on_schema(reader: &Reader, acl: Option<&Acl>, roles: &RoleRights, schema: &str, case_sensitive: bool) -> Rights {
    let of = |grantee: Grantee| acl.map_or(Rights::NONE, |acl| acl.of(&grantee));
    match reader {
        Reader::Public => of(Grantee::Public),
        Reader::User(name) => of(Grantee::User(name.clone())),
        Reader::Group(name) => of(Grantee::Group(name.clone())),
        Reader::Role(name) => {
            let held = roles.of(name, case_sensitive);
            held.and_then(|held| held.schemas.get(schema).copied()).unwrap_or_default()
        }
    }
}

/// What a removal takes away: views, entitlements, rights, and the schema of the views if nothing else is in it.
pub fn undoing(wanted: &TablesWanted, found: &TablesFound, kept: &Kept) -> Way {
    let desired = Desired::default();
    let others = found.inside.others(&wanted.name);
    let mut finder = Finder { wanted, desired: &desired, found, kept, others, way: Way::default(), removes: true };
    finder.gone();
    finder.taken_back();
    finder.schema_gone();
    finder.way
}
