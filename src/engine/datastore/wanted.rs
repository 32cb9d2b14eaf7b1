//! What a datastore is to have.

use serde::{Deserialize, Serialize};

pub use crate::engine::datastore::grantee::{Grantee, GranteeKind};
use crate::engine::datastore::tables::Selection;
use crate::engine::error::Error;
use crate::engine::names::check_name;
use crate::engine::rights::{Privilege, Rights};

/// The rights of one datastore, as a configuration says them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    pub database: String,
    pub schema: String,
    /// An enrichment store, which is written to; else a source, which is only read.
    pub write: bool,
    /// Who gets the rights; `None`: nobody, the effective rights of the login are only looked at.
    pub grantee: Option<Grantee>,
    pub through: Through,
    pub future: FutureTables,
    /// Rights on tables beside the usual ones.
    #[serde(default, skip_serializing_if = "Rights::is_none")]
    pub extra: Rights,
    /// The tables that the rights are about; `None`: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tables: Option<Selection>,
}

/// How the rights reach the grantee.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Through {
    /// By a role of the datastore's own, of this name.
    Role(String),
    /// By plain grants.
    Direct,
}

/// How tables that are made later are covered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FutureTables {
    /// By default privileges for these users. None of them named: the schema's owner and the present owners of its
    /// tables, as [`crate::engine::datastore::apply`] finds them.
    Owners(Vec<String>),
    /// The same for users who were found earlier, when none was named. Who of them is no user any more is left out.
    Pinned(Vec<String>),
    /// By one right on all tables of the schema, present and future.
    Schema,
    /// Not at all.
    None,
}

impl Wanted {
    /// What is to be held on the schema itself.
    pub fn schema_rights(&self) -> Rights {
        let usage = Rights::from(Privilege::Usage);
        if self.write { usage.and(Privilege::Create.into()) } else { usage }
    }

    /// What is to be held on tables, however it is given.
    pub fn table_rights(&self) -> Rights {
        let usual = if self.write { Rights::READ_WRITE } else { Rights::READ };
        usual.and(self.extra)
    }

    /// Whether the rights are about this table.
    pub fn includes(&self, table: &str, case_sensitive: bool) -> bool {
        self.tables.as_ref().is_none_or(|selection| selection.includes(table, case_sensitive))
    }

    /// What default privileges can give of it: not ALTER, which the statement has no word for (AWS: ALTER DEFAULT
    /// PRIVILEGES). A table that comes lacks it until the next apply.
    pub fn future_rights(&self) -> Rights {
        self.table_rights().without(Privilege::Alter.into())
    }

    /// Who is named in the grants: the datastore's role, or the grantee himself.
    pub fn holder(&self) -> Option<Grantee> {
        match (&self.grantee, &self.through) {
            (Some(_), Through::Role(role)) => Some(Grantee::role(role)),
            (grantee, Through::Direct) => grantee.clone(),
            (None, Through::Role(_)) => None,
        }
    }

    /// The owners whose future tables are covered by default privileges.
    pub fn owners(&self) -> &[String] {
        match &self.future {
            FutureTables::Owners(owners) | FutureTables::Pinned(owners) => owners,
            FutureTables::Schema | FutureTables::None => &[],
        }
    }

    /// Checks every name before any SQL is built from it, and what no warehouse can do.
    pub fn check(&self) -> Result<(), Error> {
        let name = |setting, name: &str| {
            check_name(name).map_err(|problem| Error::setting(setting, format!("In {setting}: {problem}.")))
        };
        name("database", &self.database)?;
        name("schema", &self.schema)?;
        if let Some(grantee) = &self.grantee {
            name("service_user.name", &grantee.name)?;
            if grantee.kind == GranteeKind::Group && self.through != Through::Direct {
                return Err(Error::setting(
                    "service_user.grant_through",
                    "Redshift cannot grant a role to a group: use grant_through = \"direct\".",
                ));
            }
            if grantee.kind == GranteeKind::Group && self.future == FutureTables::Schema {
                return Err(Error::setting(
                    "service_user.future_tables",
                    "Redshift cannot give a group scoped rights: use future_tables = \"owners\" or \"none\".",
                ));
            }
        }
        if let Through::Role(role) = &self.through {
            name("grant_role", role)?;
        }
        if let Some(selection) = &self.tables {
            selection.check()?;
            // A right on what is to come would be one on tables that are not named.
            if self.future != FutureTables::None {
                return Err(Error::setting(
                    "service_user.future_tables",
                    "With `tables` write future_tables = \"none\": a table that comes and matches is granted by the next apply.",
                ));
            }
        }
        self.owners().iter().try_for_each(|owner| name("service_user.default_privileges_for", owner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> Wanted {
        Wanted {
            database: "dev".into(),
            schema: "sales".into(),
            write: false,
            grantee: Some(Grantee::user("svc")),
            through: Through::Direct,
            future: FutureTables::None,
            extra: Rights::NONE,
            tables: None,
        }
    }

    #[test]
    fn rights_follow_the_mode() {
        let source = wanted();
        assert_eq!((source.schema_rights().to_string(), source.table_rights()), ("USAGE".into(), Rights::READ));
        let store = Wanted { write: true, ..source };
        assert_eq!(store.schema_rights().to_string(), "USAGE, CREATE");
        assert_eq!(store.table_rights(), Rights::READ_WRITE);
        let extra = [Privilege::Alter, Privilege::Drop].into_iter().collect();
        let more = Wanted { extra, ..store };
        assert_eq!(more.table_rights().to_string(), "SELECT, INSERT, UPDATE, DELETE, ALTER, DROP");
        assert_eq!(more.future_rights().to_string(), "SELECT, INSERT, UPDATE, DELETE, DROP");
    }

    #[test]
    fn the_holder_is_the_role_or_the_grantee() {
        let direct = wanted();
        assert_eq!(direct.holder(), Some(Grantee::user("svc")));
        let by_role = Wanted { through: Through::Role("tfds_1".into()), ..direct };
        assert_eq!(by_role.holder(), Some(Grantee::role("tfds_1")));
        assert_eq!(Wanted { grantee: None, ..by_role }.holder(), None);
    }

    #[test]
    fn what_cannot_be_is_refused_by_the_setting_that_says_it() {
        let group = Wanted { grantee: Some(Grantee::group("g")), ..wanted() };
        let cases = [
            (Wanted { database: "a\nb".into(), ..wanted() }, Some("database")),
            (Wanted { schema: String::new(), ..wanted() }, Some("schema")),
            (Wanted { grantee: Some(Grantee::user("x".repeat(128))), ..wanted() }, Some("service_user.name")),
            (Wanted { through: Through::Role("r".into()), ..group.clone() }, Some("service_user.grant_through")),
            (Wanted { future: FutureTables::Schema, ..group.clone() }, Some("service_user.future_tables")),
            (
                Wanted { future: FutureTables::Owners(vec!["\t".into()]), ..wanted() },
                Some("service_user.default_privileges_for"),
            ),
            (Wanted { through: Through::Role("a\0".into()), ..wanted() }, Some("grant_role")),
            (group, None),
            (Wanted { schema: r#""; DROP SCHEMA x; --\'"#.into(), ..wanted() }, None),
        ];
        for (wanted, setting) in cases {
            let found = match wanted.check() {
                Ok(()) => None,
                Err(Error::Setting { setting, .. }) => Some(setting),
                Err(other) => panic!("{other}"),
            };
            assert_eq!(found, setting, "{wanted:?}");
        }
    }
}
