//! What a datastore is to have, and the record of what was made for it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use crate::engine::datastore::grantee::{Grantee, GranteeKind};
use crate::engine::error::Error;
use crate::engine::names::check_name;
use crate::engine::rights::{Privilege, Rights};

/// The rights of one datastore, as a configuration says them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub database: String,
    pub schema: String,
    /// An enrichment store, which is written to; else a source, which is only read.
    pub write: bool,
    /// Who gets the rights; `None`: nobody, the effective rights of the login are only looked at.
    pub grantee: Option<Grantee>,
    pub through: Through,
    pub future: FutureTables,
}

/// How the rights reach the grantee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Through {
    /// By a role of the datastore's own, of this name.
    Role(String),
    /// By plain grants.
    Direct,
}

/// How tables that are made later are covered.
#[derive(Clone, Debug, PartialEq, Eq)]
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
        if self.write { Rights::READ_WRITE } else { Rights::READ }
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
        self.owners().iter().try_for_each(|owner| name("service_user.default_privileges_for", owner))
    }
}

/// A fresh name for a datastore's role: `tfds_` and ten hexadecimal digits, at random.
pub fn new_role_name() -> String {
    format!("{ROLE_PREFIX}{:010x}", rand::random::<u64>() & 0xff_ffff_ffff)
}

/// Whether a name has the shape that [`new_role_name`] gives.
pub fn is_role_name(name: &str) -> bool {
    name.strip_prefix(ROLE_PREFIX).is_some_and(|digits| {
        digits.len() == 10 && digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
    })
}

const ROLE_PREFIX: &str = "tfds_";

/// What was really granted for a datastore: removal takes back this, and nothing that was there before. It is kept
/// with the datastore, as JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Made {
    /// The datastore's own role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// To whom that role was granted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<Grantee>,
    /// Rights, by who got them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub given: Vec<Given>,
}

/// What one holder was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Given {
    pub to: Grantee,
    /// On the schema.
    #[serde(default, skip_serializing_if = "Rights::is_none")]
    pub schema: Rights,
    /// On tables.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tables: BTreeMap<Privilege, Which>,
    /// On tables that these users will make.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub defaults: BTreeMap<String, Rights>,
    /// On all tables of the schema, present and future.
    #[serde(default, skip_serializing_if = "Rights::is_none")]
    pub scoped: Rights,
    /// TEMP on the database.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub temp: bool,
}

/// On which tables of the schema a right was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    /// On all but those that had it before.
    AllBut(Vec<String>),
    /// On these.
    Only(Vec<String>),
}

impl Which {
    /// Whether the right on this table was given for the datastore.
    pub fn has(&self, table: &str) -> bool {
        match self {
            Which::AllBut(names) => !names.iter().any(|name| name == table),
            Which::Only(names) => names.iter().any(|name| name == table),
        }
    }
}

impl Made {
    /// What the holder was given, if anything.
    pub fn given_to(&self, holder: &Grantee) -> Option<&Given> {
        self.given.iter().find(|given| given.to == *holder)
    }

    /// The record of the holder, made if there is none.
    pub fn record(&mut self, holder: &Grantee) -> &mut Given {
        let place = self.given.iter().position(|given| given.to == *holder).unwrap_or_else(|| {
            self.given.push(Given::none(holder.clone()));
            self.given.len() - 1
        });
        &mut self.given[place]
    }

    /// Adds what another record claims.
    pub fn merge(&mut self, other: &Made) {
        if other.role.is_some() {
            self.role.clone_from(&other.role);
        }
        for member in &other.members {
            if !self.members.contains(member) {
                self.members.push(member.clone());
            }
        }
        for given in &other.given {
            let own = self.record(&given.to);
            own.schema = own.schema.and(given.schema);
            own.scoped = own.scoped.and(given.scoped);
            own.temp |= given.temp;
            for (owner, rights) in &given.defaults {
                let all = own.defaults.entry(owner.clone()).or_default();
                *all = all.and(*rights);
            }
            for (privilege, which) in &given.tables {
                let merged = match (own.tables.remove(privilege), which) {
                    (Some(all @ Which::AllBut(_)), _) => all,
                    (Some(Which::Only(names)), Which::Only(more)) => {
                        let mut all: Vec<String> = names.into_iter().chain(more.iter().cloned()).collect();
                        all.sort();
                        all.dedup();
                        Which::Only(all)
                    }
                    (_, which) => which.clone(),
                };
                own.tables.insert(*privilege, merged);
            }
        }
    }

    /// Whether nothing was made.
    pub fn is_empty(&self) -> bool {
        *self == Made::default()
    }
}

impl Given {
    /// Nothing.
    pub fn none(to: Grantee) -> Given {
        Given {
            to,
            schema: Rights::NONE,
            tables: BTreeMap::new(),
            defaults: BTreeMap::new(),
            scoped: Rights::NONE,
            temp: false,
        }
    }

    /// Whether nothing is recorded.
    pub fn is_empty(&self) -> bool {
        *self == Given::none(self.to.clone())
    }

    /// Records that a right was given on the tables that lacked it, of which the others had it already.
    pub fn add_tables(&mut self, privilege: Privilege, lacked: &[&str], had: &[&str], future_too: bool) {
        let merged = match self.tables.remove(&privilege) {
            // What was given on all tables was ours where it was lost, too.
            Some(all @ Which::AllBut(_)) => all,
            earlier => {
                let mut ours: Vec<String> = match earlier {
                    Some(Which::Only(names)) => names,
                    _ => Vec::new(),
                };
                ours.extend(lacked.iter().map(|name| (*name).to_owned()));
                ours.sort();
                ours.dedup();
                let others: Vec<String> = had
                    .iter()
                    .filter(|name| !ours.iter().any(|own| own == *name))
                    .map(|name| (*name).to_owned())
                    .collect();
                // Tables to come get the right from our default privileges: then all but the others is ours.
                if others.is_empty() || future_too { Which::AllBut(others) } else { Which::Only(ours) }
            }
        };
        self.tables.insert(privilege, merged);
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
        }
    }

    #[test]
    fn rights_follow_the_mode() {
        let source = wanted();
        assert_eq!((source.schema_rights().to_string(), source.table_rights()), ("USAGE".into(), Rights::READ));
        let store = Wanted { write: true, ..source };
        assert_eq!(store.schema_rights().to_string(), "USAGE, CREATE");
        assert_eq!(store.table_rights(), Rights::READ_WRITE);
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

    #[test]
    fn role_names_are_random_and_known_again() {
        let (one, other) = (new_role_name(), new_role_name());
        assert_ne!(one, other);
        assert!(is_role_name(&one) && is_role_name("tfds_0123456789") && one.len() == 15);
        for name in
            ["tfds_", "tfds_012345678", "tfds_01234567890", "tfds_ABCDEF0123", "TFDS_0123456789", "x_0123456789"]
        {
            assert!(!is_role_name(name), "{name}");
        }
    }

    #[test]
    fn a_record_is_small_json_that_is_read_back() {
        let mut made =
            Made { role: Some("tfds_0123456789".into()), members: vec![Grantee::user("svc")], given: vec![] };
        let given = made.record(&Grantee::role("tfds_0123456789"));
        given.schema = Privilege::Usage.into();
        given.add_tables(Privilege::Select, &["a"], &[], true);
        given.defaults.insert("owner".into(), Rights::READ);
        let json = serde_json::to_string(&made).expect("serialises");
        assert_eq!(
            json,
            r#"{"role":"tfds_0123456789","members":[{"name":"svc","kind":"user"}],"given":[{"to":{"name":"tfds_0123456789","kind":"role"},"schema":"USAGE","tables":{"SELECT":{"all_but":[]}},"defaults":{"owner":"SELECT"}}]}"#
        );
        assert_eq!(serde_json::from_str::<Made>(&json).expect("is read back"), made);
        assert!(serde_json::from_str::<Made>("{}").expect("is read").is_empty());
    }

    #[test]
    fn a_record_takes_up_all_that_another_claims_and_loses_nothing() {
        let only = |names: &[&str]| Which::Only(names.iter().map(|name| (*name).to_owned()).collect());
        let all_but = |name: &str| Which::AllBut(vec![name.to_owned()]);
        let (svc, other) = (Grantee::user("svc"), Grantee::user("other"));
        let one = Made {
            role: Some("tfds_1".into()),
            members: vec![svc.clone()],
            given: vec![Given {
                schema: Privilege::Usage.into(),
                tables: [
                    (Privilege::Select, only(&["b"])),
                    (Privilege::Insert, all_but("x")),
                    (Privilege::Update, only(&["a"])),
                ]
                .into(),
                defaults: [("etl".into(), Rights::READ)].into(),
                temp: true,
                ..Given::none(svc.clone())
            }],
        };
        let two = Made {
            role: None,
            members: vec![other.clone(), svc.clone()],
            given: vec![
                Given {
                    schema: Privilege::Create.into(),
                    tables: [
                        (Privilege::Select, only(&["a", "b"])),
                        (Privilege::Insert, only(&["x"])),
                        (Privilege::Update, all_but("y")),
                        (Privilege::Delete, only(&["d"])),
                    ]
                    .into(),
                    defaults: [("etl".into(), Privilege::Insert.into()), ("owner".into(), Rights::READ)].into(),
                    scoped: Rights::READ,
                    ..Given::none(svc.clone())
                },
                Given { temp: true, ..Given::none(other.clone()) },
            ],
        };
        let both = Made {
            role: Some("tfds_1".into()),
            members: vec![svc.clone(), other.clone()],
            given: vec![
                Given {
                    schema: Rights::from(Privilege::Usage).and(Privilege::Create.into()),
                    tables: [
                        (Privilege::Select, only(&["a", "b"])),
                        (Privilege::Insert, all_but("x")),
                        (Privilege::Update, all_but("y")),
                        (Privilege::Delete, only(&["d"])),
                    ]
                    .into(),
                    defaults: [
                        ("etl".into(), Rights::READ.and(Privilege::Insert.into())),
                        ("owner".into(), Rights::READ),
                    ]
                    .into(),
                    scoped: Rights::READ,
                    temp: true,
                    ..Given::none(svc)
                },
                Given { temp: true, ..Given::none(other) },
            ],
        };
        let mut merged = one;
        merged.merge(&two);
        assert_eq!(merged, both);
        let mut from_nothing = Made::default();
        from_nothing.merge(&both);
        assert_eq!(from_nothing, both);
        assert!(!both.is_empty() && Made::default().is_empty());
        assert!(!Made { role: Some("tfds_1".into()), ..Made::default() }.is_empty());
    }

    #[test]
    fn a_right_that_was_found_is_not_recorded_as_made() {
        let select = Privilege::Select;
        let record = |steps: &[(&[&str], &[&str], bool)]| {
            let mut given = Given::none(Grantee::user("svc"));
            for (lacked, had, future) in steps {
                given.add_tables(select, lacked, had, *future);
            }
            given.tables.remove(&select).expect("is recorded")
        };
        let all_but = |names: &[&str]| Which::AllBut(names.iter().map(|name| (*name).to_owned()).collect());
        let only = |names: &[&str]| Which::Only(names.iter().map(|name| (*name).to_owned()).collect());
        assert_eq!(record(&[(&["a", "b"], &[], false)]), all_but(&[]));
        assert_eq!(record(&[(&["a"], &["b"], false)]), only(&["a"]));
        assert_eq!(record(&[(&["a"], &["b"], true)]), all_but(&["b"]));
        assert_eq!(record(&[(&["a"], &["b"], false), (&["c"], &["a", "b"], false)]), only(&["a", "c"]));
        assert_eq!(record(&[(&["a"], &[], false), (&["a"], &["c"], false)]), all_but(&[]), "a repair claims no less");
        assert_eq!(record(&[(&["a"], &["b"], false), (&["b"], &["a"], false)]), all_but(&[]));
        assert!(
            only(&["a"]).has("a") && !only(&["a"]).has("b") && all_but(&["b"]).has("a") && !all_but(&["b"]).has("b")
        );
    }
}
