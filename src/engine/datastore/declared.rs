//! What declarations come to: the rights that a datastore's settings give to one holder in one schema.
//!
//! What is declared is owned. A record of what was really granted would not survive a killed process, a taint or an
//! import, so there is none.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::engine::datastore::grantee::{Grantee, GranteeKind};
use crate::engine::datastore::missing::{plain_table_rights, scoped_rights};
use crate::engine::datastore::tables::TableRights;
use crate::engine::datastore::wanted::{FutureTables, Through, Wanted};
use crate::engine::names::same_name;
use crate::engine::rights::{Privilege, Rights};

/// What state says of a datastore.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Before {
    /// The rights that are declared. More than one where an update failed half-way: any of them may be there.
    pub declared: Vec<Wanted>,
    pub ids: Ids,
    /// It was made in a warehouse of another id: a role that is there by its name is tested as one that state does not
    /// know.
    pub elsewhere: bool,
}

/// What the warehouse knows things by whatever their names are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ids {
    /// Of the schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<u64>,
    /// Of the user, group or role that gets the rights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grantee: Option<i64>,
    /// Who owned the datastore's role when it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role_owner: Option<String>,
}

impl Before {
    /// A datastore whose rights are as these.
    pub fn of(wanted: &Wanted) -> Before {
        Before { declared: vec![wanted.clone()], ..Before::default() }
    }

    /// Whether the datastore had this role.
    pub fn has_role(&self, role: &str) -> bool {
        self.roles().any(|had| had == role)
    }

    /// The roles that it had.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.declared.iter().filter_map(Wanted::role)
    }

    /// Who held its rights.
    pub fn holders(&self) -> Vec<Grantee> {
        let mut holders: Vec<Grantee> = Vec::new();
        for holder in self.declared.iter().filter_map(Wanted::holder) {
            if !holders.contains(&holder) {
                holders.push(holder);
            }
        }
        holders
    }

    /// What is declared for a holder, by whatever of these names.
    pub fn declared_for(&self, names: &[Grantee], external: bool) -> Declared {
        let of_holder = self.declared.iter().filter(|wanted| wanted.holder().is_some_and(|it| names.contains(&it)));
        of_holder.fold(Declared::default(), |all, wanted| all.and(Declared::of(wanted, external)))
    }

    /// Whether somebody is declared to hold this role.
    pub fn gives_role(&self, role: &str, to: &Grantee) -> bool {
        self.declared.iter().any(|wanted| wanted.role() == Some(role) && wanted.grantee.as_ref() == Some(to))
    }
}

impl Wanted {
    /// The datastore's role, if its rights go through one.
    pub fn role(&self) -> Option<&str> {
        match (&self.grantee, &self.through) {
            (Some(_), Through::Role(role)) => Some(role),
            _ => None,
        }
    }

    /// Whether another declaration is about the same schema of the same database.
    pub fn same_schema(&self, other: &Wanted, case_sensitive: bool) -> bool {
        same_name(&self.database, &other.database, case_sensitive)
            && same_name(&self.schema, &other.schema, case_sensitive)
    }
}

/// Whether two names are of the same user, group or role: users keep their case.
pub fn same_grantee(one: &Grantee, other: &Grantee, case_sensitive: bool) -> bool {
    one.kind == other.kind
        && match one.kind {
            GranteeKind::User => one.name == other.name,
            GranteeKind::Group | GranteeKind::Role => same_name(&one.name, &other.name, case_sensitive),
        }
}

/// The rights of one holder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Declared {
    pub schema: Rights,
    /// On the tables that are there.
    pub tables: TableRights,
    /// On tables to come of these owners.
    pub owners: BTreeSet<String>,
    /// On tables to come of whomever: nobody was named or found yet.
    pub any_owner: bool,
    on_future: Rights,
    /// On all tables of the schema, present and future, in one right.
    pub scoped: Rights,
    /// TEMP on the database.
    pub temp: bool,
}

impl Declared {
    /// What a declaration gives to its holder.
    pub fn of(wanted: &Wanted, external: bool) -> Declared {
        if wanted.grantee.is_none() {
            return Declared::default();
        }
        let covers = !external && matches!(wanted.future, FutureTables::Owners(_) | FutureTables::Pinned(_));
        let owners: BTreeSet<String> =
            if covers { wanted.owners().iter().cloned().collect() } else { BTreeSet::default() };
        Declared {
            schema: if external { Privilege::Usage.into() } else { wanted.schema_rights() },
            tables: TableRights::new(plain_table_rights(wanted, external), wanted.tables.as_ref()),
            any_owner: covers && owners.is_empty(),
            owners,
            on_future: if covers { wanted.future_rights() } else { Rights::NONE },
            scoped: scoped_rights(wanted, external),
            temp: external,
        }
    }

    /// The rights on tables that the owner will make.
    pub fn on_future_of(&self, owner: &str) -> Rights {
        if self.any_owner || self.owners.contains(owner) { self.on_future } else { Rights::NONE }
    }

    /// Those of both.
    pub fn and(mut self, other: Declared) -> Declared {
        self.owners.extend(other.owners);
        Declared {
            schema: self.schema.and(other.schema),
            tables: self.tables.and(other.tables),
            owners: self.owners,
            any_owner: self.any_owner || other.any_owner,
            on_future: self.on_future.and(other.on_future),
            scoped: self.scoped.and(other.scoped),
            temp: self.temp || other.temp,
        }
    }
}

/// What others declare for a holder in the same schema: it stays.
pub fn kept_for_others(
    others: &[Wanted],
    wanted: &Wanted,
    names: &[Grantee],
    external: bool,
    case_sensitive: bool,
) -> Declared {
    let same = |other: &&Wanted| {
        let holder = other.holder();
        wanted.same_schema(other, case_sensitive)
            && holder.is_some_and(|holder| names.iter().any(|name| same_grantee(name, &holder, case_sensitive)))
    };
    others.iter().filter(same).fold(Declared::default(), |all, other| all.and(Declared::of(other, external)))
}
