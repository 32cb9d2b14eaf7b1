//! The statements that take everything from a user in one database: what he owns goes to the login, what he holds or
//! gave is revoked.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::catalog::At;
use crate::engine::catalog::acl::{Acl, Grantee};
use crate::engine::error::Error;
use crate::engine::rights::{Privilege, Rights};
use crate::engine::sql::{Sql, ident, literal, sql};
use crate::engine::step::Step;
use crate::engine::user::chain::{Taking, takings};
use crate::engine::user::holder::Holder;
use crate::engine::user::inventory::{DefaultBy, Inventory, Objects, OnColumn, OnDatabase, OnObject, Outside, Owned};
use crate::engine::user::{scoped, table};

/// The schemas of a database: who owns them and who may do what with them, and which are external.
#[derive(Clone, Debug, Default)]
pub struct Schemas {
    /// By name: the owner, and the list; none where it could not be read.
    pub all: BTreeMap<String, (String, Option<Acl>)>,
    /// There is only USAGE on them, which cannot be revoked in a transaction.
    pub external: BTreeSet<String>,
}

impl Schemas {
    /// From the catalogue.
    pub async fn load(at: At<'_>) -> Result<Schemas, Error> {
        let snapshot = at.warehouse.catalog().snapshot(at, None).await?;
        let principals = at.warehouse.catalog().principals(at).await?;
        let schema = |schema: &crate::engine::catalog::snapshot::Schema| {
            (schema.name.clone(), (principals.name_of(schema.owner), schema.acl.clone()))
        };
        let all = snapshot.schemas.iter().map(schema).collect();
        let external =
            at.warehouse.catalog().external_schemas(at).await?.0.iter().map(|schema| schema.name.clone()).collect();
        Ok(Schemas { all, external })
    }

    /// Whether the user is lent the right on the schema for a statement that needs it: he is not seen to have it himself.
    /// By a group, a role or PUBLIC he may have it too: then lending and taking back changes nothing.
    fn lends(&self, schema: &str, privilege: Privilege, user: &str) -> bool {
        match self.all.get(schema) {
            Some((owner, Some(acl))) => owner != user && !acl.of(&Grantee::User(user.to_owned())).has(privilege),
            // What is not known is not touched.
            _ => false,
        }
    }
}

/// Rights that roles hold on an object, by its kind, schema and name: no list shows who gave them.
pub type OfRoles = BTreeMap<(String, String, String), Vec<(String, Rights)>>;

/// The steps in one database, as they come together.
struct Steps<'a> {
    database: &'a str,
    schemas: &'a Schemas,
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

    /// A statement that asks for a right of the user on a schema, which he is lent if he lacks it.
    fn lending(&mut self, schema: &str, privilege: Privilege, user: &str, run: impl FnOnce(&mut Self)) {
        let lends = !schema.is_empty() && self.schemas.lends(schema, privilege, user);
        let (on, to) = (ident(schema), ident(user));
        if lends {
            self.push(sql!("GRANT {} ON SCHEMA {} TO {}", privilege, on, to), "lent for the next statement");
        }
        run(self);
        if lends {
            self.push(sql!("REVOKE {} ON SCHEMA {} FROM {}", privilege, on, to), "what was lent");
        }
    }

    /// Takes rights on an object from whoever holds them.
    fn take(&mut self, object: &OnObject, taking: &Taking, is_external: bool) {
        let Some(from) = taking.from.sql() else { return };
        let on = on_object(object);
        let is_owners = taking.by == object.owner;
        // ALL on a database is more than what somebody else may have given, and then the warehouse warns.
        let is_all = taking.is_all && (is_owners || object.kind != "database" || taking.rights.is_empty());
        let what = match is_all {
            // There is only USAGE on an external schema.
            _ if is_external => sql!("USAGE"),
            true => sql!("ALL"),
            false => sql!("{}", taking.rights),
        };
        let revoke = sql!("REVOKE {} ON {} FROM {}", what, on, from);
        let push = |steps: &mut Self, comment: &str| match object.kind.as_str() {
            "database" => steps.push_shared(revoke, comment),
            _ => steps.push(revoke, comment),
        };
        // A superuser's REVOKE acts as the owner.
        if is_owners {
            push(self, "what he holds");
            return;
        }
        // Only who granted can revoke; a superuser can be him for one statement. He names the object by its schema.
        let schema =
            if matches!(object.kind.as_str(), "relation" | "function" | "procedure") { &*object.schema } else { "" };
        self.lending(schema, Privilege::Usage, &taking.by, |steps| {
            let comment = "what was passed on";
            steps.push(sql!("SET SESSION AUTHORIZATION {}", literal(&taking.by)), comment);
            push(steps, comment);
            steps.push(sql!("SET SESSION AUTHORIZATION DEFAULT"), comment);
        });
    }
}

/// Everything that is to be done in one database, in order: what was passed on goes before what it hangs on, rights on
/// objects before those on the schemas that they are named by, and ownership last, since an owner may do what others may not.
pub fn clearing_steps(
    inventory: &Inventory,
    name: &str,
    login: &str,
    schemas: &Schemas,
    of_roles: &OfRoles,
) -> Vec<Step> {
    let database = inventory.database.as_str();
    let user = ident(name);
    let mut steps = Steps { database, schemas, alone: false, all: Vec::new() };
    for row in &inventory.defaults_by {
        steps.lending(&row.schema, Privilege::Create, name, |steps| default_by(steps, row, name));
    }
    for row in &inventory.defaults_to {
        let Holder::User(owner) = &row.owner else { continue };
        let revoke = sql!("REVOKE ALL ON {} FROM {}", row.objects.sql(), user);
        steps.lending(&row.schema, Privilege::Create, owner, |steps| {
            steps.push(default_privileges(owner, &row.schema, &revoke), "what he would be given");
        });
    }
    column_steps(&mut steps, &inventory.columns, name);
    steps.all.extend(scoped::revokes(&inventory.scoped, database, name));
    let is_external = |object: &&OnObject| object.kind == "schema" && schemas.external.contains(&object.name);
    let (external, mut objects): (Vec<&OnObject>, Vec<&OnObject>) = inventory.objects.iter().partition(is_external);
    objects.sort_by_key(|object| object.kind == "schema");
    object_steps(&mut steps, &objects, name, of_roles, false);
    for owned in &inventory.owns {
        let Some(what) = to_hand_over(owned) else { continue };
        let sql = sql!("ALTER {} OWNER TO {}", what, ident(login));
        match owned.kind.as_str() {
            "database" => steps.push_shared(sql, "handed over"),
            _ => steps.push(sql, "handed over"),
        }
    }
    steps.alone = true;
    object_steps(&mut steps, &external, name, of_roles, true);
    steps.all
}

fn object_steps(steps: &mut Steps<'_>, objects: &[&OnObject], name: &str, of_roles: &OfRoles, is_external: bool) {
    let mut sent: BTreeSet<String> = BTreeSet::new();
    for object in objects {
        let key = (object.kind.clone(), object.schema.clone(), object.name.clone());
        let roles = of_roles.get(&key).map_or(&[][..], Vec::as_slice);
        // What names somebody who is gone can be said of no statement.
        let given: Vec<_> = object.given.iter().filter(|one| !object.is_stuck(one)).cloned().collect();
        for taking in takings(&object.owner, &given, name, roles) {
            let before = steps.all.len();
            steps.take(object, &taking, is_external);
            // Routines of one schema are named together.
            let text: String = steps.all[before..].iter().map(|step| format!("{};", step.sql)).collect();
            if !sent.insert(text) {
                steps.all.truncate(before);
            }
        }
    }
}

fn column_steps(steps: &mut Steps<'_>, columns: &[OnColumn], name: &str) {
    let mut together: BTreeMap<(&str, &str, Privilege), BTreeSet<&str>> = BTreeMap::new();
    for right in columns {
        let Some(privilege) = Privilege::from_name(&right.privilege) else { continue };
        together.entry((&right.schema, &right.relation, privilege)).or_default().insert(&right.column);
    }
    for ((schema, relation, privilege), columns) in together {
        let columns = Sql::join(", ", columns.into_iter().map(ident));
        let sql = sql!("REVOKE {} ({}) ON TABLE {} FROM {}", privilege, columns, table(schema, relation), ident(name));
        steps.push(sql, "what he holds");
    }
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

fn default_by(steps: &mut Steps<'_>, row: &DefaultBy, name: &str) {
    let objects = row.objects.sql();
    for to in row.to.iter().filter_map(Holder::sql) {
        let revoke = sql!("REVOKE ALL ON {} FROM {}", objects, to);
        steps.push(default_privileges(name, &row.schema, &revoke), "what his objects would give");
    }
    // A row that holds nothing blocks a drop all the same. Putting the built-in default back removes it.
    let back = match (row.schema.as_str(), row.objects) {
        ("", Objects::Functions) => sql!("GRANT ALL ON {} TO {}, PUBLIC", objects, ident(name)),
        ("", _) => sql!("GRANT ALL ON {} TO {}", objects, ident(name)),
        _ => sql!("REVOKE ALL ON {} FROM {}", objects, ident(name)),
    };
    steps.push(default_privileges(name, &row.schema, &back), "an empty row");
}

fn default_privileges(owner: &str, schema: &str, what: &Sql) -> Sql {
    if schema.is_empty() {
        sql!("ALTER DEFAULT PRIVILEGES FOR USER {} {}", ident(owner), what)
    } else {
        sql!("ALTER DEFAULT PRIVILEGES FOR USER {} IN SCHEMA {} {}", ident(owner), ident(schema), what)
    }
}

/// What holds outside of single databases, but for what only a person can take away.
pub fn outside_steps(home: &str, name: &str, login: &str, outside: &Outside) -> Vec<Step> {
    let user = ident(name);
    let mut steps = Vec::new();
    let mut push = |sql: Sql, comment: &str| steps.push(Step::shared(home, sql, comment));
    for role in &outside.owned_roles {
        push(sql!("ALTER ROLE {} OWNER TO {}", ident(role), ident(login)), "handed over");
    }
    for sql in outside.iam.iter().filter_map(|right| revoke_assumerole(right, name)) {
        push(sql, "an IAM role");
    }
    for sql in outside.databases.iter().filter_map(|right| revoke_on_database(right, name)) {
        push(sql, "another database");
    }
    for (share, privilege) in &outside.datashares {
        let Some(privilege) = on_datashare(privilege) else { continue };
        push(sql!("REVOKE {} ON DATASHARE {} FROM {}", privilege, ident(share), user), "a datashare");
    }
    steps
}

/// Of the command that it was granted for: nothing says that ALL covers each of them. None for a command that is not known.
pub(super) fn revoke_assumerole((arn, command): &(String, String), name: &str) -> Option<Sql> {
    let on = match arn.as_str() {
        "default-aws-iam-role" | "DEFAULT" => sql!("DEFAULT"),
        "ALL" => sql!("ALL"),
        arn => sql!("{}", literal(arn)),
    };
    let command = match command.trim().to_ascii_uppercase().as_str() {
        "ALL" => sql!("ALL"),
        "COPY" => sql!("COPY"),
        "UNLOAD" => sql!("UNLOAD"),
        "EXTERNAL FUNCTION" => sql!("EXTERNAL FUNCTION"),
        "CREATE MODEL" => sql!("CREATE MODEL"),
        _ => return None,
    };
    Some(sql!("REVOKE ASSUMEROLE ON {} FROM {} FOR {}", on, ident(name), command))
}

/// None where the warehouse shows a privilege that has no statement here, or a scoped one: those on objects of a shared
/// database can be revoked nowhere but in one, and no session can be in one.
pub(super) fn revoke_on_database(right: &OnDatabase, name: &str) -> Option<Sql> {
    let privilege = Privilege::from_name(&right.privilege).filter(|_| !right.is_scoped())?;
    Some(sql!("REVOKE {} ON DATABASE {} FROM {}", privilege, ident(&right.database), ident(name)))
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

fn on_object(object: &OnObject) -> Sql {
    match object.kind.as_str() {
        "relation" => sql!("TABLE {}", table(&object.schema, &object.name)),
        "schema" => sql!("SCHEMA {}", ident(&object.name)),
        "database" => sql!("DATABASE {}", ident(&object.name)),
        "language" => sql!("LANGUAGE {}", ident(&object.name)),
        // Names in quotes are not taken in a GRANT on a single routine.
        kind => match (object.routine.as_ref().and_then(|routine| routine.plain_sql()), kind) {
            (Some(routine), "procedure") => sql!("PROCEDURE {}", routine),
            (Some(routine), _) => sql!("FUNCTION {}", routine),
            (None, "procedure") => sql!("ALL PROCEDURES IN SCHEMA {}", ident(&object.schema)),
            (None, _) => sql!("ALL FUNCTIONS IN SCHEMA {}", ident(&object.schema)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::datastore::world::golden;
    use crate::engine::user::chain::Given;
    use crate::engine::user::inventory::DefaultTo;
    use crate::engine::user::routine::Routine;
    use crate::engine::user::scoped::Scoped;

    fn user(name: &str) -> Holder {
        Holder::User(name.into())
    }

    fn given(by: &str, to: Holder, rights: &str, options: &str) -> Given {
        let (rights, options) = (rights.parse().expect("rights"), options.parse().expect("rights"));
        Given { by: by.into(), to, rights, options }
    }

    fn object(kind: &str, schema: &str, name: &str, given: Vec<Given>) -> OnObject {
        let routine = Routine::parse(schema, name.split('(').next().unwrap_or_default(), name);
        let owner = if matches!(kind, "database" | "language") { "rdsdb" } else { "owner" };
        let (kind, schema, name) = (kind.into(), schema.into(), name.into());
        OnObject { kind, schema, name, routine, owner: owner.into(), given, gone: vec!["157".into()] }
    }

    fn text(steps: &[Step]) -> String {
        steps.iter().map(|step| format!("{};\n", step.sql)).collect()
    }

    #[test]
    fn everything_is_revoked_or_handed_over_in_an_order_that_works() {
        let owned = |kind: &str, schema: &str, name: &str| Owned {
            kind: kind.into(),
            schema: schema.into(),
            name: name.into(),
            routine: Routine::parse(schema, &name.replace("(integer)", "").replace("his.", ""), name),
        };
        let by = |objects, schema: &str, to: Vec<Holder>| DefaultBy { objects, schema: schema.into(), to };
        let column = |column: &str, privilege: &str| OnColumn {
            schema: "s".into(),
            relation: "c".into(),
            column: column.into(),
            privilege: privilege.into(),
        };
        let plain = |right: &str| vec![given("owner", user("bob"), right, "")];
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
            objects: vec![
                object("schema", "", "s", plain("USAGE, CREATE")),
                object("relation", "s", "plain", plain("SELECT")),
                object(
                    "relation",
                    "s",
                    "passed on",
                    vec![
                        given("hr", user("bob"), "SELECT, INSERT", "SELECT"),
                        given("bob", user("eve"), "SELECT", "SELECT"),
                        given("eve", Holder::Group("g".into()), "SELECT", ""),
                        given("owner", user("hr"), "SELECT, INSERT", "SELECT, INSERT"),
                        given("bob", Holder::Gone("155".into()), "SELECT", ""),
                        given("157", user("bob"), "SELECT", ""),
                    ],
                ),
                object(
                    "schema",
                    "",
                    "lake",
                    vec![
                        given("owner", user("bob"), "USAGE", "USAGE"),
                        given("bob", user("eve"), "USAGE", ""),
                        given("hr", user("bob"), "USAGE", ""),
                        given("owner", user("hr"), "USAGE", "USAGE"),
                    ],
                ),
                object("database", "", "dev", vec![given("rdsdb", user("bob"), "CREATE", "")]),
                object("language", "", "plpythonu", vec![given("rdsdb", user("bob"), "USAGE", "")]),
                object("function", "s", "f(integer)", plain("EXECUTE")),
                object("function", "s", "Odd F(integer)", plain("EXECUTE")),
                object("function", "s", "Odd G(integer)", plain("EXECUTE")),
                object("procedure", "s", "p(integer)", plain("EXECUTE")),
            ],
            defaults_by: vec![
                by(Objects::Tables, "his", vec![Holder::Public, Holder::Group("g".into())]),
                by(Objects::Tables, "s", vec![user("eve"), Holder::Role("readers".into())]),
                by(Objects::Procedures, "", vec![user("eve")]),
                by(Objects::Functions, "", vec![]),
            ],
            defaults_to: vec![
                DefaultTo { objects: Objects::Tables, schema: "s".into(), owner: user("o"), rights: Rights::READ },
                DefaultTo {
                    objects: Objects::Tables,
                    schema: "s".into(),
                    owner: Holder::Gone("9".into()),
                    rights: Rights::READ,
                },
            ],
            columns: vec![column("x", "SELECT"), column("y", "SELECT"), column("y", "UPDATE"), column("y", "FLY")],
            scoped: vec![Scoped { scope: "TABLES".into(), schema: Some("s".into()), privilege: "SELECT".into() }],
            by_hand: Vec::new(),
        };
        let acl = |text: &str| Some(Acl::parse(text).expect("a list"));
        let schemas = Schemas {
            all: [
                ("s".to_owned(), ("owner".to_owned(), acl("hr=U/owner\tbob=U/owner"))),
                ("his".to_owned(), ("bob".to_owned(), acl(""))),
            ]
            .into(),
            external: BTreeSet::from(["lake".to_owned()]),
        };
        let readers = vec![("readers".to_owned(), Rights::READ)];
        let of_roles = OfRoles::from([(("relation".into(), "s".into(), "passed on".into()), readers)]);
        let steps = clearing_steps(&inventory, "bob", "admin", &schemas, &of_roles);
        golden("user_cleared_out.sql", &text(&steps));
        let shared: Vec<String> = steps.iter().filter(|step| step.shared).map(|step| step.sql.to_string()).collect();
        assert_eq!(
            shared,
            [
                "REVOKE SELECT FOR TABLES IN SCHEMA \"s\" DATABASE \"dev\" FROM \"bob\"",
                "REVOKE ALL ON DATABASE \"dev\" FROM \"bob\"",
                "ALTER DATABASE \"his db\" OWNER TO \"admin\""
            ]
        );
        let first_alone = steps.iter().position(|step| step.alone).expect("external schemas");
        assert!(steps[first_alone..].iter().all(|step| step.alone));
        let nothing = Inventory { database: "dev".into(), ..Inventory::default() };
        assert!(clearing_steps(&nothing, "bob", "admin", &schemas, &OfRoles::new()).is_empty());
    }

    #[test]
    fn what_lies_outside_of_databases_is_revoked() {
        let right = |database: &str, privilege: &str, scope: &str| OnDatabase {
            database: database.into(),
            privilege: privilege.into(),
            scope: scope.into(),
        };
        let outside = Outside {
            owned_roles: vec!["his".into()],
            iam: vec![
                ("arn:aws:iam::1:role/x".into(), "COPY".into()),
                ("arn:aws:iam::1:role/x".into(), "UNLOAD".into()),
                ("arn:aws:iam::1:role/x".into(), "FLY; --".into()),
                ("default-aws-iam-role".into(), "CREATE MODEL".into()),
            ],
            databases: vec![
                right("shared", "USAGE", "DATABASE"),
                // What has no statement here is a blocker, and never one made of the warehouse's words.
                right("shared", "USAGE", "SCHEMAS"),
                right("shared", "SELECT ON TABLE x FROM eve; --", ""),
            ],
            datashares: vec![("share".into(), "ALTER".into()), ("share".into(), "OWN".into())],
            ..Outside::default()
        };
        let steps = outside_steps("dev", "bob", "admin", &outside);
        golden("user_outside.sql", &text(&steps));
        assert!(steps.iter().all(|step| step.shared && step.database == "dev"));
    }
}
