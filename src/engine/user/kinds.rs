//! The one list of what can hang on a user, with where each kind of it is looked for. Everything of it is asked in every
//! local database but what all databases share.
//!
//! A view of the compute nodes passes over blanks at the end of a name when it compares, so each row's name is compared here.

use crate::engine::error::Error;
use crate::engine::session::Row;
use crate::engine::sql::{Sql, ident, literal, sql};
use crate::engine::user::holder::Holder;
use crate::engine::user::inventory::{Inventory, Objects, OnColumn, OnDatabase, Outside, Owned, Who};
use crate::engine::user::leader::{defaults, lists, owned};
use crate::engine::user::scoped::Scoped;
use crate::engine::user::table;

/// A kind of thing that hangs on a user.
pub struct Kind {
    pub name: &'static str,
    /// What GRANT calls the object, and the privileges on it that this kind covers (AWS: GRANT).
    pub grants: &'static [(&'static str, &'static [&'static str])],
    pub asked: Asked,
}

/// Where a kind is looked for.
pub enum Asked {
    /// Branches of the one query over the leader's catalogues, in each database: see [`super::inventory::query`].
    Leader(fn(&Who<'_>) -> Vec<Sql>),
    /// A view of each database.
    View(fn(&Who<'_>) -> Sql, fn(&mut Inventory, &Row, &Who<'_>) -> Result<(), Error>),
    /// The same, which not every login may read, nor every release has.
    ViewIfAny(fn(&Who<'_>) -> Sql, fn(&mut Inventory, &Row, &Who<'_>) -> Result<(), Error>),
    /// A view that all databases share.
    Once(fn(&Who<'_>) -> Sql, fn(&mut Outside, &Row, &Who<'_>) -> Result<(), Error>),
    /// No view shows it: DROP USER itself is tried, and taken back, before anything is changed.
    ByTrial,
}

const TABLE: &[&str] = &["SELECT", "INSERT", "UPDATE", "DELETE", "DROP", "REFERENCES", "ALTER", "TRUNCATE"];

/// All kinds.
pub const KINDS: &[Kind] = &[
    Kind { name: "owned objects", grants: &[], asked: Asked::Leader(owned) },
    Kind {
        name: "libraries",
        grants: &[],
        asked: Asked::ViewIfAny(
            |who| sql!("SELECT l.name::varchar FROM pg_library l WHERE l.owner = {}", who.id),
            |found, row, _| {
                let name = text(row, 0)?;
                found.owns.push(Owned { kind: "library".into(), schema: String::new(), name, routine: None });
                Ok(())
            },
        ),
    },
    Kind {
        name: "owned roles",
        grants: &[],
        asked: Asked::Once(
            |who| sql!("SELECT role_owner, role_name FROM svv_roles WHERE role_owner = {}", who.literal()),
            |outside, row, who| {
                if row.get(0) == Some(who.name) {
                    outside.owned_roles.push(text(row, 1)?);
                }
                Ok(())
            },
        ),
    },
    Kind {
        name: "owned datashares",
        grants: &[],
        asked: Asked::Once(
            |who| {
                sql!("SELECT share_name FROM svv_datashares WHERE share_type = 'OUTBOUND' AND share_owner = {}", who.id)
            },
            |outside, row, _| {
                outside.owned_shares.push(text(row, 0)?);
                Ok(())
            },
        ),
    },
    Kind {
        name: "rights on objects",
        grants: &[
            ("TABLE", TABLE),
            ("SCHEMA", &["CREATE", "USAGE", "ALTER", "DROP"]),
            ("DATABASE", &["CREATE", "TEMPORARY", "ALTER"]),
            ("FUNCTION", &["EXECUTE"]),
            ("PROCEDURE", &["EXECUTE"]),
            ("LANGUAGE", &["USAGE"]),
        ],
        asked: Asked::Leader(lists),
    },
    Kind {
        name: "rights on columns",
        grants: &[("COLUMN", &["SELECT", "UPDATE"])],
        asked: Asked::View(
            |who| {
                sql!(
                    "SELECT identity_name, identity_type, namespace_name, relation_name, column_name, privilege_type FROM svv_column_privileges WHERE identity_name = {}",
                    who.literal()
                )
            },
            |found, row, who| {
                if who.is_named(row) {
                    found.columns.push(OnColumn {
                        schema: text(row, 2)?,
                        relation: text(row, 3)?,
                        column: text(row, 4)?,
                        privilege: word(row, 5),
                    });
                }
                Ok(())
            },
        ),
    },
    Kind {
        name: "default privileges, but for roles",
        grants: &[("DEFAULT", &["TABLES", "FUNCTIONS", "PROCEDURES"])],
        asked: Asked::Leader(defaults),
    },
    Kind {
        // pg_default_acl does not show what is for roles.
        name: "default privileges for roles",
        grants: &[("DEFAULT", &["TABLES", "FUNCTIONS", "PROCEDURES"])],
        asked: Asked::View(
            |who| {
                sql!(
                    "SELECT owner_name, owner_type, schema_name, object_type, grantee_name, grantee_type FROM svv_default_privileges WHERE grantee_type = 'role' AND owner_name = {}",
                    who.literal()
                )
            },
            |found, row, who| {
                if who.is_named(row) {
                    let holder = Holder::of_type(row.get(5).unwrap_or_default(), &text(row, 4)?);
                    let objects = Objects::of_word(&word(row, 3));
                    found.defaults_by(objects, row.get(2).unwrap_or_default(), holder, who.name);
                }
                Ok(())
            },
        ),
    },
    Kind {
        name: "scoped rights in a schema",
        grants: &[
            ("TABLES IN SCHEMA", TABLE),
            ("FUNCTIONS IN SCHEMA", &["EXECUTE"]),
            ("PROCEDURES IN SCHEMA", &["EXECUTE"]),
            ("TEMPLATES IN SCHEMA", &["USAGE", "ALTER", "DROP"]),
        ],
        asked: Asked::View(
            |who| {
                sql!(
                    "SELECT identity_name, identity_type, namespace_name, privilege_type, privilege_scope FROM svv_schema_privileges WHERE identity_name = {}",
                    who.literal()
                )
            },
            |found, row, who| {
                let scope = word(row, 4);
                // Rights on the schema itself are in its list.
                if who.is_named(row) && !matches!(scope.as_str(), "" | "SCHEMA") {
                    found.scoped.push(Scoped { scope, schema: Some(text(row, 2)?), privilege: word(row, 3) });
                }
                Ok(())
            },
        ),
    },
    Kind {
        name: "scoped rights in a database",
        grants: &[
            ("TABLES IN DATABASE", TABLE),
            ("SCHEMAS IN DATABASE", &["CREATE", "USAGE", "ALTER", "DROP"]),
            ("FUNCTIONS IN DATABASE", &["EXECUTE"]),
            ("PROCEDURES IN DATABASE", &["EXECUTE"]),
            ("LANGUAGES IN DATABASE", &["USAGE"]),
            ("COPY JOBS IN DATABASE", &["CREATE", "ALTER", "DROP"]),
            ("TEMPLATES IN DATABASE", &["USAGE", "ALTER", "DROP"]),
        ],
        asked: Asked::ViewIfAny(databases, |found, row, who| {
            let right = on_database(row)?;
            if who.is_named(row) && right.is_scoped() && right.database == found.database {
                let OnDatabase { scope, privilege, .. } = right;
                found.scoped.push(Scoped { scope, schema: None, privilege });
            }
            Ok(())
        }),
    },
    Kind {
        name: "rights on shared databases",
        grants: &[("DATABASE", &["USAGE"])],
        // Those on local databases are in their lists, and those in them are asked for there.
        asked: Asked::Once(databases, |outside, row, who| {
            let right = on_database(row)?;
            if who.is_named(row) && !outside.local.contains(&right.database) {
                outside.databases.push(right);
            }
            Ok(())
        }),
    },
    Kind {
        name: "rights on datashares",
        grants: &[("DATASHARE", &["ALTER", "SHARE", "USAGE"])],
        asked: Asked::Once(
            |who| {
                sql!(
                    "SELECT identity_name, identity_type, datashare_name, privilege_type FROM svv_datashare_privileges WHERE identity_name = {}",
                    who.literal()
                )
            },
            |outside, row, who| {
                if who.is_named(row) {
                    outside.datashares.push((text(row, 2)?, word(row, 3)));
                }
                Ok(())
            },
        ),
    },
    Kind {
        name: "rights to assume an IAM role",
        grants: &[("ASSUMEROLE", &["ALL", "COPY", "UNLOAD", "EXTERNAL FUNCTION", "CREATE MODEL"])],
        asked: Asked::Once(
            |who| {
                sql!(
                    "SELECT identity_name, identity_type, iam_arn, command_type FROM svv_iam_privileges WHERE identity_name = {}",
                    who.literal()
                )
            },
            |outside, row, who| {
                if who.is_named(row) {
                    outside.iam.push((text(row, 2)?, word(row, 3)));
                }
                Ok(())
            },
        ),
    },
    Kind {
        name: "rights on models",
        grants: &[("MODEL", &["EXECUTE"])],
        asked: Asked::ViewIfAny(
            |who| {
                sql!(
                    "SELECT identity_name, identity_type, namespace_name, model_name, privilege_type FROM svv_ml_model_privileges WHERE identity_name = {}",
                    who.literal()
                )
            },
            |found, row, who| {
                if who.is_named(row) {
                    let on = table(&text(row, 2)?, &text(row, 3)?);
                    found.by_hand.push(format!("holds {} on model {on}", word(row, 4)));
                }
                Ok(())
            },
        ),
    },
    Kind {
        name: "rights on copy jobs, templates and external tables",
        grants: &[
            ("COPY JOB", &["ALTER", "DROP"]),
            ("TEMPLATE", &["USAGE", "ALTER", "DROP"]),
            ("EXTERNAL TABLE", TABLE),
        ],
        asked: Asked::ByTrial,
    },
    Kind {
        name: "row-level security policies",
        grants: &[("RLS POLICY", &["ATTACH"])],
        asked: Asked::ViewIfAny(
            |who| {
                sql!(
                    "SELECT grantee, granteekind, polname, relschema, relname FROM svv_rls_attached_policy WHERE grantee = {}",
                    who.literal()
                )
            },
            |found, row, who| policy(found, row, who, "row-level security policy"),
        ),
    },
    Kind {
        name: "masking policies",
        grants: &[("MASKING POLICY", &["ATTACH"])],
        asked: Asked::ViewIfAny(
            |who| {
                sql!(
                    "SELECT grantee, grantee_type, policy_name, schema_name, table_name FROM svv_attached_masking_policy WHERE grantee = {}",
                    who.literal()
                )
            },
            |found, row, who| policy(found, row, who, "masking policy"),
        ),
    },
    Kind {
        // AWS grants them to roles only; what a user had of them would have no statement here.
        name: "system permissions",
        grants: &[("SYSTEM", &["PERMISSION"])],
        asked: Asked::Once(
            |who| {
                sql!(
                    "SELECT identity_name, identity_type, system_privilege FROM svv_system_privileges WHERE identity_name = {}",
                    who.literal()
                )
            },
            |outside, row, who| {
                if who.is_named(row) {
                    outside.by_hand.push(format!("has the system permission {}", word(row, 2)));
                }
                Ok(())
            },
        ),
    },
    Kind {
        name: "roles that he holds",
        grants: &[("ROLE", &["MEMBER"])],
        asked: Asked::Once(
            |who| sql!("SELECT user_name, role_name FROM svv_user_grants WHERE user_name = {}", who.literal()),
            |outside, row, who| {
                if row.get(0) == Some(who.name) {
                    outside.roles.push(text(row, 1)?);
                }
                Ok(())
            },
        ),
    },
];

/// The rights that no view shows, in words.
pub fn unseen() -> String {
    let by_trial = KINDS.iter().filter(|kind| matches!(kind.asked, Asked::ByTrial));
    let on = |(on, all): &(&str, &[&str])| format!("{} on {}", all.join(", "), on.to_ascii_lowercase());
    let words = |kind: &Kind| format!("{} ({})", kind.name, kind.grants.iter().map(on).collect::<Vec<_>>().join("; "));
    by_trial.map(words).collect::<Vec<_>>().join("; ")
}

fn policy(found: &mut Inventory, row: &Row, who: &Who<'_>, kind: &str) -> Result<(), Error> {
    if who.is_named(row) {
        let on = table(&text(row, 3)?, &text(row, 4)?);
        found.by_hand.push(format!("has {kind} {} on {on} attached", ident(&text(row, 2)?)));
    }
    Ok(())
}

fn databases(who: &Who<'_>) -> Sql {
    sql!(
        "SELECT identity_name, identity_type, database_name, privilege_type, privilege_scope FROM svv_database_privileges WHERE identity_name = {}",
        who.literal()
    )
}

fn on_database(row: &Row) -> Result<OnDatabase, Error> {
    Ok(OnDatabase { database: text(row, 2)?, privilege: word(row, 3), scope: word(row, 4) })
}

fn text(row: &Row, column: usize) -> Result<String, Error> {
    Ok(row.text(column)?.to_owned())
}

/// A word of the warehouse's, such as a privilege.
fn word(row: &Row, column: usize) -> String {
    row.get(column).unwrap_or_default().trim().to_ascii_uppercase()
}

impl Who<'_> {
    fn literal(&self) -> Sql {
        sql!("{}", literal(self.name))
    }

    pub(super) fn like(&self) -> Sql {
        let escaped: String = self
            .name
            .replace('"', "\"\"")
            .chars()
            .flat_map(|letter| matches!(letter, '\\' | '%' | '_').then_some('\\').into_iter().chain([letter]))
            .collect();
        sql!("{}", literal(&format!("%{escaped}%")))
    }

    /// Whether a row of a view is about this user: its first column is a name, its second the kind of who has it.
    fn is_named(&self, row: &Row) -> bool {
        row.get(0) == Some(self.name) && row.get(1).is_none_or(|kind| kind.trim().eq_ignore_ascii_case("user"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// What AWS's page GRANT lists (July 2026), in its order: what rights can be on, and which there are.
    const AWS: &[(&str, &str)] = &[
        ("TABLE", "SELECT INSERT UPDATE DELETE DROP REFERENCES ALTER TRUNCATE"),
        ("DATABASE", "CREATE TEMPORARY ALTER USAGE"),
        ("SCHEMA", "CREATE USAGE ALTER DROP"),
        ("FUNCTION", "EXECUTE"),
        ("PROCEDURE", "EXECUTE"),
        ("LANGUAGE", "USAGE"),
        ("COPY JOB", "ALTER DROP"),
        ("TEMPLATE", "USAGE ALTER DROP"),
        ("COLUMN", "SELECT UPDATE"),
        ("EXTERNAL TABLE", "SELECT INSERT UPDATE DELETE DROP REFERENCES ALTER TRUNCATE"),
        ("ASSUMEROLE", "ALL COPY UNLOAD EXTERNAL-FUNCTION CREATE-MODEL"),
        ("MODEL", "EXECUTE"),
        ("DATASHARE", "ALTER SHARE USAGE"),
        ("ROLE", "MEMBER"),
        ("SYSTEM", "PERMISSION"),
        ("SCHEMAS IN DATABASE", "CREATE USAGE ALTER DROP"),
        ("TABLES IN SCHEMA", "SELECT INSERT UPDATE DELETE DROP REFERENCES ALTER TRUNCATE"),
        ("TABLES IN DATABASE", "SELECT INSERT UPDATE DELETE DROP REFERENCES ALTER TRUNCATE"),
        ("FUNCTIONS IN SCHEMA", "EXECUTE"),
        ("FUNCTIONS IN DATABASE", "EXECUTE"),
        ("PROCEDURES IN SCHEMA", "EXECUTE"),
        ("PROCEDURES IN DATABASE", "EXECUTE"),
        ("LANGUAGES IN DATABASE", "USAGE"),
        ("COPY JOBS IN DATABASE", "CREATE ALTER DROP"),
        ("TEMPLATES IN SCHEMA", "USAGE ALTER DROP"),
        ("TEMPLATES IN DATABASE", "USAGE ALTER DROP"),
        // ALTER DEFAULT PRIVILEGES, ATTACH RLS POLICY and ATTACH MASKING POLICY have pages of their own.
        ("DEFAULT", "TABLES FUNCTIONS PROCEDURES"),
        ("RLS POLICY", "ATTACH"),
        ("MASKING POLICY", "ATTACH"),
    ];

    #[test]
    fn every_privilege_of_aws_is_of_a_kind_and_no_other() {
        let aws: BTreeSet<(&str, String)> =
            AWS.iter().flat_map(|(on, all)| all.split(' ').map(|one| (*on, one.replace('-', " ")))).collect();
        let ours: BTreeSet<(&str, String)> = KINDS
            .iter()
            .flat_map(|kind| kind.grants)
            .flat_map(|(on, all)| all.iter().map(|one| (*on, (*one).to_owned())))
            .collect();
        assert_eq!(ours.difference(&aws).collect::<Vec<_>>(), [] as [&(&str, String); 0], "AWS does not list them");
        assert_eq!(aws.difference(&ours).collect::<Vec<_>>(), [] as [&(&str, String); 0], "nobody looks for them");
        let names: BTreeSet<&str> = KINDS.iter().map(|kind| kind.name).collect();
        assert_eq!(names.len(), KINDS.len());
    }

    #[test]
    fn names_are_quoted_for_lists_and_for_like_and_compared_with_their_blanks() {
        let who = Who { name: r#"o_d%d "x\'"#, id: 101 };
        // In a list `"` is doubled; LIKE's own signs are escaped; the literal doubles `\` and `'`.
        assert_eq!(who.like().to_string(), r#"'%o\\_d\\%d ""x\\\\''%'"#);
        let row = |name: &'static str, kind| Row::new([Some(name), kind]);
        let padded = Who { name: "x ", id: 102 };
        assert!(padded.is_named(&row("x ", Some("user"))) && padded.is_named(&row("x ", None)));
        assert!(!padded.is_named(&row("x", Some("user"))) && !padded.is_named(&row("x ", Some("role"))));
    }
}
