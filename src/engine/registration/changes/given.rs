//! What is given beside the views: rights on the tables for the system user, on both schemas for the readers, and the schema of
//! the views.

use std::collections::BTreeSet;

use super::super::found::{Detail, Given};
use super::super::wanted::Reader;
use super::{Change, Finder, Stage, TOGETHER};
use crate::engine::catalog::acl::{Acl, Grantee};
use crate::engine::catalog::roles::RoleRights;
use crate::engine::error::shown;
use crate::engine::rights::{Privilege, Rights};
use crate::engine::sql::{Sql, bare, ident, sql};

impl Finder<'_> {
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
        for (name, table) in source.tables.iter().filter(|_| source.external.is_none()) {
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
            if offer.source.database == self.wanted.uri.database && source.external.is_none() {
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
            Given::Future(_) if self.is_unseen(given) => true,
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
    pub(super) fn given(&mut self) {
        let wanted = self.wanted_given();
        let lacking: Vec<&Given> = wanted.iter().filter(|given| !self.is_held(given)).collect();
        let of_others = self.needed_by_others();
        // What another registration gave is this one's too: whichever goes last takes it back.
        let by_hand = self.given_by_hand(&wanted);
        let ours =
            |given: &Given| self.kept.made.contains(given) || of_others.contains(given) || by_hand.contains(given);
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

    /// What a script has given, as its entry in the registry says. For a login that cannot read that, it is what was
    /// remembered, and else what nobody had before: USAGE on the schema of the tables a reader may have had.
    fn given_by_hand(&self, wanted: &BTreeSet<Given>) -> BTreeSet<Given> {
        if !self.wanted.uri.by_hand {
            return BTreeSet::new();
        }
        match self.inside().detail(&self.wanted.name) {
            Some(detail) => detail.made,
            None if self.inside().seat.reads_all || !self.kept.made.is_empty() => BTreeSet::new(),
            None => {
                let of_nobody = wanted.iter().filter(|given| !matches!(given, Given::SourceFor(_)));
                of_nobody.cloned().chain([Given::Schema]).collect()
            }
        }
    }

    /// What other registrations were given for the same schemas.
    pub(super) fn needed_by_others(&self) -> BTreeSet<&Given> {
        let of = |other: &'_ Detail, given: &Given| match given {
            Given::Schema | Given::SchemaFor(_) => self.is_same(&other.offer.view_schema, self.schema()),
            Given::Source | Given::Table(_) | Given::Future(_) | Given::SourceFor(_) => self.shares(other),
        };
        let all = self.others.iter().flat_map(|(_, other)| other.made.iter().map(move |given| (other, given)));
        all.filter(|(other, given)| of(other, given)).map(|(_, given)| given).collect()
    }

    /// Whether another registration is about the same tables, so that what was given for it serves this one.
    fn shares(&self, other: &Detail) -> bool {
        let (ours, theirs) = (&self.wanted.offer.source, &other.offer.source);
        self.is_same(&ours.database, &theirs.database) && self.is_same(&ours.schema, &theirs.schema)
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

    pub(super) fn revoke(&self, given: &Given) -> Sql {
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

    /// What was given, and nothing needs any more.
    pub(super) fn taken_back(&mut self) {
        let wanted = self.wanted_given();
        let needed = self.needed_by_others();
        let goes = |given: &&Given| {
            **given != Given::Schema
                && !self.is_unseen(given)
                && !wanted.contains(*given)
                && !needed.contains(*given)
                && self.is_held(given)
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
        // Whether these are held cannot be seen, so that nobody is told that they are there.
        let unseen = self.kept.made.iter().filter(|given| self.is_unseen(given) && !wanted.contains(*given));
        let statements: Vec<Sql> = unseen.map(|given| self.revoke(given)).collect();
        if !statements.is_empty() {
            self.way.changes.push(Change { what: Vec::new(), excess: true, stage: Stage::After, statements });
        }
    }

    /// AWS, PG_DEFAULT_ACL: "regular users can see only their own data".
    fn is_unseen(&self, given: &Given) -> bool {
        matches!(given, Given::Future(_)) && !self.inside().seat.reads_all
    }
}

pub(super) fn stage_of(given: &Given) -> Stage {
    match given {
        Given::Schema | Given::SchemaFor(_) => Stage::Inside,
        Given::Source | Given::Table(_) | Given::Future(_) | Given::SourceFor(_) => Stage::Before,
    }
}

/// What a reader holds on a schema himself.
pub(in super::super) fn on_schema(
    reader: &Reader,
    acl: Option<&Acl>,
    roles: &RoleRights,
    schema: &str,
    case_sensitive: bool,
) -> Rights {
    match reader {
        Reader::Role(name) => {
            let held = roles.of(name, case_sensitive);
            held.and_then(|held| held.schemas.get(schema).copied()).unwrap_or_default()
        }
        _ => listed(reader, acl),
    }
}

/// What a list of rights gives a reader; no list names a role.
pub(in super::super) fn listed(reader: &Reader, acl: Option<&Acl>) -> Rights {
    let grantee = match reader {
        Reader::Public => Grantee::Public,
        Reader::User(name) => Grantee::User(name.clone()),
        Reader::Group(name) => Grantee::Group(name.clone()),
        Reader::Role(_) => return Rights::NONE,
    };
    acl.map_or(Rights::NONE, |acl| acl.of(&grantee))
}
