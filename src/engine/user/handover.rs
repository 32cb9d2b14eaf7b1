//! The statements that take everything from a user in one database: what he owns goes to the login, what he holds or
//! gave is revoked.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::catalog::At;
use crate::engine::catalog::acl;
use crate::engine::error::Error;
use crate::engine::rights::Privilege;
use crate::engine::sql::{Sql, ident, literal, sql};
use crate::engine::step::Step;
use crate::engine::user::inventory::{DefaultBy, Hold, Inventory, Objects, OnDatabase, Outside, Owned};
use crate::engine::user::table;

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

/// The steps in one database, as they come together.
struct Steps<'a> {
    database: &'a str,
    /// They stand alone.
    alone: bool,
    all: Vec<Step>,
}

impl Steps<'_> {
    fn push(&mut self, sql: Sql, comment: &str) {
        self.all.push(Step { alone: self.alone, ..Step::new(self.database, sql, comment) });
    }

    /// On what all databases share: rights on databases, and who owns them.
    fn push_shared(&mut self, sql: Sql, comment: &str) {
        self.all.push(Step { alone: self.alone, ..Step::shared(self.database, sql, comment) });
    }

    /// Only who granted can revoke; a superuser can be him for one statement.
    fn push_as(&mut self, who: &str, what: Revoke, comment: &str) {
        self.push(sql!("SET SESSION AUTHORIZATION {}", literal(who)), comment);
        what.push(self, comment);
        self.push(sql!("SET SESSION AUTHORIZATION DEFAULT"), comment);
    }
}

/// A statement that takes rights away.
#[derive(PartialEq)]
struct Revoke {
    sql: Sql,
    shared: bool,
}

impl Revoke {
    fn all(hold: &Hold) -> Revoke {
        Revoke {
            sql: sql!("REVOKE ALL ON {} FROM {}", object(hold), grantee(&hold.to)),
            shared: hold.kind == "database",
        }
    }

    /// There is only USAGE on an external schema.
    fn usage(hold: &Hold) -> Revoke {
        let sql = sql!("REVOKE USAGE ON SCHEMA {} FROM {}", ident(&hold.name), grantee(&hold.to));
        Revoke { sql, shared: false }
    }

    fn push(self, steps: &mut Steps<'_>, comment: &str) {
        match self.shared {
            true => steps.push_shared(self.sql, comment),
            false => steps.push(self.sql, comment),
        }
    }
}

/// Everything that is to be done in one database, in order: a right that he passed on goes before his own.
pub fn clearing_steps(inventory: &Inventory, name: &str, login: &str, owners: &Owners) -> Vec<Step> {
    let database = inventory.database.as_str();
    let user = ident(name);
    let mut steps = Steps { database, alone: false, all: Vec::new() };

    // First, while he may still create where he set them: Redshift asks for that.
    let mut plain = Vec::new();
    for row in &inventory.defaults_by {
        if !row.schema.is_empty() && !may_create(inventory, name, &row.schema) {
            let lent = sql!("GRANT CREATE ON SCHEMA {} TO {}", ident(&row.schema), user);
            steps.push(lent, "lent for the next statement");
            let sql = sql!("REVOKE ALL ON SCHEMA {} FROM {}", ident(&row.schema), user);
            plain.push(Revoke { sql, shared: false });
        }
        default_by(&mut steps, row, name);
    }
    for owned in &inventory.owns {
        let Some(what) = to_hand_over(owned) else { continue };
        let sql = sql!("ALTER {} OWNER TO {}", what, ident(login));
        match owned.kind.as_str() {
            "database" => steps.push_shared(sql, "handed over"),
            _ => steps.push(sql, "handed over"),
        }
    }

    let (on_external, holds): (Vec<&Hold>, Vec<&Hold>) =
        inventory.holds.iter().partition(|hold| owners.is_on_external(hold));
    for hold in holds.iter().filter(|hold| !hold.is_to(name)) {
        steps.push_as(name, Revoke::all(hold), "what he passed on");
    }
    for hold in holds.iter().filter(|hold| hold.is_to(name)) {
        match &hold.grantor {
            Some(grantor) if owners.is_foreign(hold) => {
                steps.push_as(grantor, Revoke::all(hold), "what others gave him");
            }
            _ => plain.push(Revoke::all(hold)),
        }
    }
    for (schema, relation, _, _) in &inventory.columns {
        let sql = sql!("REVOKE ALL ON TABLE {} FROM {}", table(schema, relation), user);
        plain.push(Revoke { sql, shared: false });
    }
    plain.sort_by_key(|revoke| revoke.sql.to_string());
    plain.dedup();
    for revoke in plain {
        revoke.push(&mut steps, "what he holds");
    }
    for (schema, rights) in &inventory.scoped {
        let sql =
            sql!("REVOKE {} FOR TABLES IN SCHEMA {} DATABASE {} FROM {}", rights, ident(schema), ident(database), user);
        steps.push(sql, "what he holds");
    }
    for row in &inventory.defaults_to {
        let revoke = sql!("REVOKE ALL ON {} FROM {}", row.objects.sql(), user);
        steps.push(default_privileges(&row.owner, &row.schema, &revoke), "what he would be given");
    }
    steps.alone = true;
    external_steps(&mut steps, name, &on_external, owners);
    steps.all
}

/// What ALTER … OWNER TO names; none where there is no such statement.
pub(super) fn to_hand_over(owned: &Owned) -> Option<Sql> {
    match owned.kind.as_str() {
        "database" => Some(sql!("DATABASE {}", ident(&owned.name))),
        "schema" => Some(sql!("SCHEMA {}", ident(&owned.name))),
        // A view, and a procedure with its owner's rights, would go on with those of the login: whoever was let in by
        // their former owner would come in with more. They are nobody's to hand over.
        "table" => Some(sql!("TABLE {}", table(&owned.schema, &owned.name))),
        "function" => owned.routine.as_ref().map(|routine| sql!("FUNCTION {}", routine.sql())),
        "procedure" => owned.routine.as_ref().map(|routine| sql!("PROCEDURE {}", routine.sql())),
        _ => None,
    }
}

/// What stands alone, after the transaction: rights on external schemas, those that he passed on before his own.
fn external_steps(steps: &mut Steps<'_>, name: &str, holds: &[&Hold], owners: &Owners) {
    for hold in holds.iter().filter(|hold| !hold.is_to(name)) {
        steps.push_as(name, Revoke::usage(hold), "what he passed on");
    }
    for hold in holds.iter().filter(|hold| hold.is_to(name)) {
        match &hold.grantor {
            Some(grantor) if owners.is_foreign(hold) => {
                steps.push_as(grantor, Revoke::usage(hold), "what others gave him");
            }
            _ => Revoke::usage(hold).push(steps, "what he holds"),
        }
    }
}

/// Whether it is seen that he may create in the schema: it is his, or he was given the right.
fn may_create(inventory: &Inventory, name: &str, schema: &str) -> bool {
    inventory.owns.iter().any(|owned| owned.kind == "schema" && owned.name == schema)
        || inventory.holds.iter().any(|hold| {
            hold.kind == "schema" && hold.name == schema && hold.is_to(name) && hold.rights.has(Privilege::Create)
        })
}

fn default_by(steps: &mut Steps<'_>, row: &DefaultBy, name: &str) {
    let objects = row.objects.sql();
    for to in &row.to {
        let revoke = sql!("REVOKE ALL ON {} FROM {}", objects, grantee(to));
        steps.push(default_privileges(name, &row.schema, &revoke), "what his objects would give");
    }
    if row.to.is_empty() {
        // An empty row holds nothing and blocks a drop all the same. Putting the built-in default back removes it.
        let back = match (row.schema.as_str(), row.objects) {
            ("", Objects::Functions) => sql!("GRANT ALL ON {} TO {}, PUBLIC", objects, ident(name)),
            ("", _) => sql!("GRANT ALL ON {} TO {}", objects, ident(name)),
            _ => sql!("REVOKE ALL ON {} FROM {}", objects, ident(name)),
        };
        steps.push(default_privileges(name, &row.schema, &back), "an empty row");
    }
}

fn default_privileges(owner: &str, schema: &str, what: &Sql) -> Sql {
    if schema.is_empty() {
        sql!("ALTER DEFAULT PRIVILEGES FOR USER {} {}", ident(owner), what)
    } else {
        sql!("ALTER DEFAULT PRIVILEGES FOR USER {} IN SCHEMA {} {}", ident(owner), ident(schema), what)
    }
}

/// What holds outside of single databases, but for policies and memberships. A scoped right is revoked in its own database:
/// Redshift takes it nowhere else (AWS: considerations for scoped permissions).
pub fn outside_steps(home: &str, name: &str, outside: &Outside) -> Vec<Step> {
    let user = ident(name);
    let mut steps = Vec::new();
    let arns: BTreeSet<&String> = outside.iam.iter().map(|(arn, _)| arn).collect();
    for arn in arns {
        let on = if arn == "default-aws-iam-role" { sql!("DEFAULT") } else { sql!("{}", literal(arn)) };
        steps.push(Step::shared(home, sql!("REVOKE ASSUMEROLE ON {} FROM {} FOR ALL", on, user), "an IAM role"));
    }
    for right in &outside.databases {
        let Some(sql) = revoke_on_database(right, name) else { continue };
        let place = if right.is_scoped() && right.is_local { right.database.as_str() } else { home };
        steps.push(Step::shared(place, sql, "another database"));
    }
    for (share, privilege) in &outside.datashares {
        let Some(privilege) = on_datashare(privilege) else { continue };
        let sql = sql!("REVOKE {} ON DATASHARE {} FROM {}", privilege, ident(share), user);
        steps.push(Step::shared(home, sql, "a datashare"));
    }
    steps
}

/// None where the warehouse shows a privilege or a scope that has no statement here.
pub(super) fn revoke_on_database(right: &OnDatabase, name: &str) -> Option<Sql> {
    let privilege = Privilege::from_name(&right.privilege)?;
    let (database, user) = (ident(&right.database), ident(name));
    if !right.is_scoped() {
        return Some(sql!("REVOKE {} ON DATABASE {} FROM {}", privilege, database, user));
    }
    let scope = match right.scope.to_ascii_uppercase().as_str() {
        "TABLES" => sql!("TABLES"),
        "SCHEMAS" => sql!("SCHEMAS"),
        "FUNCTIONS" => sql!("FUNCTIONS"),
        "PROCEDURES" => sql!("PROCEDURES"),
        "LANGUAGES" => sql!("LANGUAGES"),
        "COPY JOBS" => sql!("COPY JOBS"),
        _ => return None,
    };
    Some(sql!("REVOKE {} FOR {} IN DATABASE {} FROM {}", privilege, scope, database, user))
}

/// None for a privilege that has no statement here.
pub(super) fn on_datashare(privilege: &str) -> Option<Sql> {
    match privilege.trim().to_ascii_uppercase().as_str() {
        "ALTER" => Some(sql!("ALTER")),
        "SHARE" => Some(sql!("SHARE")),
        "USAGE" => Some(sql!("USAGE")),
        _ => None,
    }
}

fn object(hold: &Hold) -> Sql {
    match hold.kind.as_str() {
        "relation" => sql!("TABLE {}", table(&hold.schema, &hold.name)),
        "schema" => sql!("SCHEMA {}", ident(&hold.name)),
        "database" => sql!("DATABASE {}", ident(&hold.name)),
        "language" => sql!("LANGUAGE {}", ident(&hold.name)),
        "procedure" => sql!("ALL PROCEDURES IN SCHEMA {}", ident(&hold.schema)),
        _ => sql!("ALL FUNCTIONS IN SCHEMA {}", ident(&hold.schema)),
    }
}

fn grantee(grantee: &acl::Grantee) -> Sql {
    match grantee {
        acl::Grantee::Public => sql!("PUBLIC"),
        acl::Grantee::User(name) => sql!("{}", ident(name)),
        acl::Grantee::Group(name) => sql!("GROUP {}", ident(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::datastore::world::golden;
    use crate::engine::rights::Rights;
    use crate::engine::user::inventory::DefaultTo;
    use crate::engine::user::routine::Routine;

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
            routine: Routine::parse(schema, &name.replace("(integer)", "").replace("his.", ""), name),
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
        let right = |database: &str, privilege: &str, scope: &str, is_local| OnDatabase {
            database: database.into(),
            privilege: privilege.into(),
            scope: scope.into(),
            is_local,
        };
        let outside = Outside {
            iam: vec![
                ("arn:aws:iam::1:role/x".into(), "COPY".into()),
                ("arn:aws:iam::1:role/x".into(), "UNLOAD".into()),
                ("default-aws-iam-role".into(), "COPY".into()),
            ],
            databases: vec![
                right("shared", "USAGE", "DATABASE", false),
                right("dev", "SELECT", "TABLES", true),
                right("mart", "SELECT", "TABLES", true),
                right("shared", "USAGE", "SCHEMAS", false),
                // What has no statement here is a blocker, and never one made of the warehouse's words.
                right("mart", "SELECT ON TABLE x FROM eve; --", "TABLES", true),
                right("mart", "SELECT", "TABLES IN DATABASE x FROM eve; --", true),
            ],
            datashares: vec![("share".into(), "ALTER".into()), ("share".into(), "OWN".into())],
            ..Outside::default()
        };
        let steps = outside_steps("dev", "bob", &outside);
        golden("user_outside.sql", &text(&steps));
        let places: Vec<&str> = steps.iter().map(|step| step.database.as_str()).collect();
        assert_eq!(places, ["dev", "dev", "dev", "dev", "mart", "dev", "dev"]);
    }
}
