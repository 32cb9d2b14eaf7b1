//! The statements that take everything from a user in one database: what he owns goes to the login, what he holds or
//! gave is revoked.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::catalog::At;
use crate::engine::catalog::acl;
use crate::engine::datastore::steps::{scope, table};
use crate::engine::error::Error;
use crate::engine::rights::Privilege;
use crate::engine::sql::{ident, literal};
use crate::engine::step::Step;
use crate::engine::user::inventory::{DefaultBy, Hold, Inventory, Objects, Outside};

/// Who owns what in a database: a REVOKE by a superuser acts as the owner, and leaves what others granted.
#[derive(Clone, Debug, Default)]
pub struct Owners {
    /// By schema and relation; the schema itself has an empty relation.
    owners: BTreeMap<(String, String), String>,
    /// The schemas that are external: there is only USAGE on them, which cannot be revoked in a transaction.
    external: BTreeSet<String>,
}

impl Owners {
    /// From the catalogue.
    pub async fn load(at: At<'_>) -> Result<Owners, Error> {
        let snapshot = at.warehouse.catalog().snapshot(at, None).await?;
        let principals = at.warehouse.catalog().principals(at).await?;
        let mut owners = BTreeMap::new();
        for schema in &snapshot.schemas {
            owners.insert((schema.name.clone(), String::new()), principals.name_of(schema.owner));
            for relation in &schema.relations {
                owners.insert((schema.name.clone(), relation.name.clone()), principals.name_of(relation.owner));
            }
        }
        let external = at.warehouse.catalog().external_schemas(at).await?.0.iter().cloned().collect();
        Ok(Owners { owners, external })
    }

    fn is_on_external(&self, hold: &Hold) -> bool {
        hold.kind == "schema" && self.external.contains(&hold.name)
    }

    /// Whether the right was granted by somebody who is not the owner. Of other kinds of objects that is not looked at.
    fn is_foreign(&self, hold: &Hold) -> bool {
        let key = match hold.kind.as_str() {
            "relation" => (hold.schema.clone(), hold.name.clone()),
            "schema" => (hold.name.clone(), String::new()),
            _ => return false,
        };
        match (self.owners.get(&key), &hold.grantor) {
            (Some(owner), Some(grantor)) => owner != grantor,
            _ => false,
        }
    }
}

/// Everything that is to be done in one database, in order: a right that he passed on goes before his own.
pub fn clearing_steps(inventory: &Inventory, name: &str, login: &str, owners: &Owners) -> Vec<Step> {
    let database = inventory.database.as_str();
    let user = ident(name);
    let mut steps = Vec::new();
    let mut push = |sql: String, comment: &str| {
        // Rights on databases, and who owns them, are the warehouse's.
        let shared = ["ALTER DATABASE ", "REVOKE ALL ON DATABASE "].iter().any(|start| sql.starts_with(start));
        steps.push(Step { shared, ..Step::new(database, sql, comment) });
    };

    // First, while he may still create where he set them: Redshift asks for that.
    let mut plain = BTreeSet::new();
    for row in &inventory.defaults_by {
        if !row.schema.is_empty() && !may_create(inventory, name, &row.schema) {
            push(format!("GRANT CREATE ON SCHEMA {} TO {user}", ident(&row.schema)), "lent for the next statement");
            plain.insert(format!("REVOKE ALL ON SCHEMA {} FROM {user}", ident(&row.schema)));
        }
        default_by(&mut push, row, &user);
    }
    for owned in &inventory.owns {
        let to = ident(login);
        match owned.kind.as_str() {
            "database" => push(format!("ALTER DATABASE {} OWNER TO {to}", ident(&owned.name)), "handed over"),
            "schema" => push(format!("ALTER SCHEMA {} OWNER TO {to}", ident(&owned.name)), "handed over"),
            "table" | "view" | "mview" => {
                push(format!("ALTER TABLE {} OWNER TO {to}", table(&owned.schema, &owned.name)), "handed over");
            }
            // The server's own text of a routine: quoted names are not taken everywhere.
            "function" => push(format!("ALTER FUNCTION {} OWNER TO {to}", owned.name), "handed over"),
            "procedure" => push(format!("ALTER PROCEDURE {} OWNER TO {to}", owned.name), "handed over"),
            _ => {}
        }
    }

    let (on_external, holds): (Vec<&Hold>, Vec<&Hold>) =
        inventory.holds.iter().partition(|hold| owners.is_on_external(hold));
    for hold in holds.iter().filter(|hold| !hold.is_to(name)) {
        let revoke = format!("REVOKE ALL ON {} FROM {}", object(hold), grantee(&hold.to));
        as_somebody(&mut push, name, revoke, "what he passed on");
    }
    for hold in holds.iter().filter(|hold| hold.is_to(name)) {
        let revoke = format!("REVOKE ALL ON {} FROM {user}", object(hold));
        match &hold.grantor {
            Some(grantor) if owners.is_foreign(hold) => as_somebody(&mut push, grantor, revoke, "what others gave him"),
            _ => {
                plain.insert(revoke);
            }
        }
    }
    for (schema, relation, _, _) in &inventory.columns {
        plain.insert(format!("REVOKE ALL ON TABLE {} FROM {user}", table(schema, relation)));
    }
    for revoke in plain {
        push(revoke, "what he holds");
    }
    for (schema, rights) in &inventory.scoped {
        push(format!("REVOKE {rights} FOR TABLES IN {} FROM {user}", scope(schema, database)), "what he holds");
    }
    for row in &inventory.defaults_to {
        let revoke = format!("REVOKE ALL ON {} FROM {user}", row.objects.sql());
        push(default_privileges(&ident(&row.owner), &row.schema, &revoke), "what he would be given");
    }
    steps.extend(external_steps(database, name, &on_external, owners));
    steps
}

/// What stands alone, after the transaction: rights on external schemas, those that he passed on before his own.
fn external_steps(database: &str, name: &str, holds: &[&Hold], owners: &Owners) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut push = |sql: String, comment: &str| {
        steps.push(Step { alone: true, ..Step::new(database, sql, comment) });
    };
    let revoke = |hold: &Hold| format!("REVOKE USAGE ON SCHEMA {} FROM {}", ident(&hold.name), grantee(&hold.to));
    for hold in holds.iter().filter(|hold| !hold.is_to(name)) {
        as_somebody(&mut push, name, revoke(hold), "what he passed on");
    }
    for hold in holds.iter().filter(|hold| hold.is_to(name)) {
        match &hold.grantor {
            Some(grantor) if owners.is_foreign(hold) => {
                as_somebody(&mut push, grantor, revoke(hold), "what others gave him");
            }
            _ => push(revoke(hold), "what he holds"),
        }
    }
    steps
}

/// Whether it is seen that he may create in the schema: it is his, or he was given the right.
fn may_create(inventory: &Inventory, name: &str, schema: &str) -> bool {
    inventory.owns.iter().any(|owned| owned.kind == "schema" && owned.name == schema)
        || inventory.holds.iter().any(|hold| {
            hold.kind == "schema" && hold.name == schema && hold.is_to(name) && hold.rights.has(Privilege::Create)
        })
}

/// Only who granted can revoke; a superuser can be him for one statement.
fn as_somebody(push: &mut impl FnMut(String, &str), who: &str, sql: String, comment: &str) {
    push(format!("SET SESSION AUTHORIZATION {}", literal(who)), comment);
    push(sql, comment);
    push("SET SESSION AUTHORIZATION DEFAULT".to_owned(), comment);
}

fn default_by(push: &mut impl FnMut(String, &str), row: &DefaultBy, user: &str) {
    let objects = row.objects.sql();
    for to in &row.to {
        let revoke = format!("REVOKE ALL ON {objects} FROM {}", grantee(to));
        push(default_privileges(user, &row.schema, &revoke), "what his objects would give");
    }
    if row.to.is_empty() {
        // An empty row holds nothing and blocks a drop all the same. Putting the built-in default back removes it.
        let sql = match (row.schema.as_str(), row.objects) {
            ("", Objects::Functions) => {
                default_privileges(user, "", &format!("GRANT ALL ON {objects} TO {user}, PUBLIC"))
            }
            ("", _) => default_privileges(user, "", &format!("GRANT ALL ON {objects} TO {user}")),
            (schema, _) => default_privileges(user, schema, &format!("REVOKE ALL ON {objects} FROM {user}")),
        };
        push(sql, "an empty row");
    }
}

fn default_privileges(owner: &str, schema: &str, what: &str) -> String {
    let place = if schema.is_empty() { String::new() } else { format!(" IN SCHEMA {}", ident(schema)) };
    format!("ALTER DEFAULT PRIVILEGES FOR USER {owner}{place} {what}")
}

/// What holds outside of single databases, but for policies and memberships.
pub fn outside_steps(database: &str, name: &str, outside: &Outside) -> Vec<Step> {
    let user = ident(name);
    let mut steps = Vec::new();
    let arns: BTreeSet<&String> = outside.iam.iter().map(|(arn, _)| arn).collect();
    for arn in arns {
        let on = if arn == "default-aws-iam-role" { "DEFAULT".to_owned() } else { literal(arn).into() };
        steps.push(Step::shared(database, format!("REVOKE ASSUMEROLE ON {on} FROM {user} FOR ALL"), "an IAM role"));
    }
    for (other, privilege, scope) in &outside.databases {
        let sql = match scope.to_ascii_uppercase().as_str() {
            "" | "DATABASE" => format!("REVOKE {privilege} ON DATABASE {} FROM {user}", ident(other)),
            scope => format!("REVOKE {privilege} FOR {scope} IN DATABASE {} FROM {user}", ident(other)),
        };
        steps.push(Step::shared(database, sql, "another database"));
    }
    for (share, privilege) in &outside.datashares {
        let sql = format!("REVOKE {privilege} ON DATASHARE {} FROM {user}", ident(share));
        steps.push(Step::shared(database, sql, "a datashare"));
    }
    steps
}

fn object(hold: &Hold) -> String {
    match hold.kind.as_str() {
        "relation" => format!("TABLE {}", table(&hold.schema, &hold.name)),
        "schema" => format!("SCHEMA {}", ident(&hold.name)),
        "database" => format!("DATABASE {}", ident(&hold.name)),
        "language" => format!("LANGUAGE {}", ident(&hold.name)),
        "procedure" => format!("ALL PROCEDURES IN SCHEMA {}", ident(&hold.schema)),
        _ => format!("ALL FUNCTIONS IN SCHEMA {}", ident(&hold.schema)),
    }
}

fn grantee(grantee: &acl::Grantee) -> String {
    match grantee {
        acl::Grantee::Public => "PUBLIC".to_owned(),
        acl::Grantee::User(name) => ident(name).into(),
        acl::Grantee::Group(name) => format!("GROUP {}", ident(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::datastore::world::golden;
    use crate::engine::rights::Rights;
    use crate::engine::user::inventory::{DefaultTo, Owned};

    fn hold(kind: &str, schema: &str, name: &str, to: &str, grantor: &str) -> Hold {
        Hold {
            kind: kind.into(),
            schema: schema.into(),
            name: name.into(),
            to: acl::Grantee::User(to.into()),
            rights: Rights::READ,
            grantor: Some(grantor.into()),
        }
    }

    fn text(steps: &[Step]) -> String {
        steps.iter().map(|step| format!("{};\n", step.sql)).collect()
    }

    #[test]
    fn everything_is_handed_over_or_revoked_in_an_order_that_works() {
        let owned = |kind: &str, schema: &str, name: &str| Owned {
            kind: kind.into(),
            schema: schema.into(),
            name: name.into(),
        };
        let by = |objects, schema: &str, to: Vec<acl::Grantee>| DefaultBy { objects, schema: schema.into(), to };
        let inventory = Inventory {
            database: "dev".into(),
            owns: vec![
                owned("database", "", "his db"),
                owned("schema", "", "his"),
                owned("table", "his", "t"),
                owned("view", "his", "v"),
                owned("function", "his", "his.f(integer)"),
                owned("procedure", "his", "his.p(integer)"),
                owned("library", "", "lib"),
            ],
            holds: vec![
                hold("relation", "s", "plain", "bob", "owner"),
                hold("relation", "s", "passed on", "bob", "hr"),
                hold("relation", "s", "plain", "eve", "bob"),
                hold("schema", "", "s", "bob", "owner"),
                hold("schema", "", "lake", "bob", "owner"),
                hold("schema", "", "lake", "bob", "hr"),
                hold("schema", "", "lake", "eve", "bob"),
                hold("database", "", "dev", "bob", "rdsdb"),
                hold("language", "", "plpythonu", "bob", "rdsdb"),
                hold("function", "s", "s.f(integer)", "bob", "owner"),
                hold("function", "s", "s.g(integer)", "bob", "owner"),
                hold("procedure", "s", "s.p(integer)", "bob", "owner"),
            ],
            defaults_by: vec![
                by(Objects::Tables, "his", vec![acl::Grantee::Public, acl::Grantee::Group("g".into())]),
                by(Objects::Tables, "s", vec![acl::Grantee::User("eve".into())]),
                by(Objects::Procedures, "", vec![acl::Grantee::User("eve".into())]),
                by(Objects::Tables, "", vec![]),
                by(Objects::Functions, "", vec![]),
                by(Objects::Tables, "his", vec![]),
            ],
            defaults_to: vec![DefaultTo {
                objects: Objects::Tables,
                schema: "s".into(),
                owner: "o".into(),
                rights: Rights::READ,
            }],
            columns: vec![
                ("s".into(), "c".into(), "x".into(), "SELECT".into()),
                ("s".into(), "c".into(), "y".into(), "SELECT".into()),
            ],
            scoped: vec![("s".into(), Rights::READ)],
        };
        let mut owners = Owners { external: BTreeSet::from(["lake".to_owned()]), ..Owners::default() };
        for (schema, relation) in [("s", "plain"), ("s", "passed on"), ("s", ""), ("lake", "")] {
            owners.owners.insert((schema.into(), relation.into()), "owner".into());
        }
        let steps = clearing_steps(&inventory, "bob", "admin", &owners);
        golden("user_cleared_out.sql", &text(&steps));
        let shared: Vec<String> = steps.iter().filter(|step| step.shared).map(|step| step.sql.to_string()).collect();
        assert_eq!(
            shared,
            ["ALTER DATABASE \"his db\" OWNER TO \"admin\"", "REVOKE ALL ON DATABASE \"dev\" FROM \"bob\""]
        );
        let first_alone = steps.iter().position(|step| step.alone).expect("external schemas");
        assert!(steps[first_alone..].iter().all(|step| step.alone));
        assert_eq!(steps.len() - first_alone, 7);
        let nothing = Inventory { database: "dev".into(), ..Inventory::default() };
        assert!(clearing_steps(&nothing, "bob", "admin", &owners).is_empty());
    }

    #[test]
    fn what_lies_outside_of_databases_is_revoked() {
        let outside = Outside {
            iam: vec![
                ("arn:aws:iam::1:role/x".into(), "COPY".into()),
                ("arn:aws:iam::1:role/x".into(), "UNLOAD".into()),
                ("default-aws-iam-role".into(), "COPY".into()),
            ],
            databases: vec![
                ("shared".into(), "USAGE".into(), "DATABASE".into()),
                ("dev".into(), "SELECT".into(), "TABLES".into()),
            ],
            datashares: vec![("share".into(), "ALTER".into())],
            ..Outside::default()
        };
        golden("user_outside.sql", &text(&outside_steps("dev", "bob", &outside)));
    }
}
