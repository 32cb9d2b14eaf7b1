//! The list.

use futures::FutureExt as _;

use super::judging::*;
use super::{Assumption, Judge, Names, Needs, Question};
use crate::engine::bootstrap::probing;
use crate::engine::catalog::{effective, narrow, principals, roles, snapshot};
use crate::engine::password;
use crate::engine::session::Session;
use crate::engine::sql::{Sql, ident, literal, secret, sql};
use crate::engine::user;
use crate::engine::user::inventory::{Who, query};

type Reader = fn(&mut Session) -> futures::future::BoxFuture<'_, Result<String, crate::engine::error::Error>>;

/// Read as by the engine itself.
const fn reading(name: &'static str, evidence: &'static str, hangs: &'static str, read: Reader) -> Assumption {
    Assumption { name, evidence, hangs, needs: Needs::Reading, question: Question::Reading(read), judge: works }
}

const fn asked(
    name: &'static str,
    evidence: &'static str,
    hangs: &'static str,
    needs: Needs,
    statements: fn(&Names) -> Vec<Sql>,
    judge: Judge,
) -> Assumption {
    Assumption { name, evidence, hangs, needs, question: Question::Statements(statements), judge }
}

/// Everything that the engine takes for granted and that no public text settles for this use of it.
pub const ASSUMPTIONS: &[Assumption] = &[
    // What is read in every plan.
    reading(
        "schemas, relations and their lists of rights are read",
        "pg_cast of PostgreSQL 8.0 (\"char\" to varchar); awslabs/amazon-redshift-utils (array_to_string of relacl)",
        "every plan of a datastore and of an integration",
        |session| snapshot::load(session).map(|it| it.map(|it| format!("{} schemas", it.schemas.len()))).boxed(),
    ),
    reading("default privileges are read", "AWS: PG_DEFAULT_ACL", "every plan of a datastore", |session| {
        snapshot::load_defaults(session).map(|it| it.map(|it| format!("{} owners", it.owners().count()))).boxed()
    }),
    reading("external schemas are listed", "AWS: SVV_EXTERNAL_SCHEMAS", "every plan of a datastore", |session| {
        snapshot::load_external(session).map(|it| it.map(|it| format!("{} external schemas", it.0.len()))).boxed()
    }),
    reading("users and groups are read", "AWS: PG_USER, PG_GROUP", "every plan", |session| {
        principals::load(session).map(|it| it.map(|it| format!("{} users", it.users.len()))).boxed()
    }),
    reading(
        "roles and who holds them are read",
        "AWS: SVV_ROLES, SVV_USER_GRANTS, SVV_ROLE_GRANTS (all three may be queried on serverless)",
        "datastores that grant through a role; the tests before an integration is made",
        |session| roles::load(session).map(|it| it.map(|it| format!("{} roles", it.names.len()))).boxed(),
    ),
    reading(
        "system permissions of roles are read",
        "AWS: SVV_SYSTEM_PRIVILEGES",
        "what a login that is no superuser is said to lack",
        |session| roles::load_system_rights(session).map(|it| it.map(|it| format!("{} of roles", it.0.len()))).boxed(),
    ),
    reading(
        "what roles hold is read",
        "AWS: SVV_RELATION_PRIVILEGES, SVV_SCHEMA_PRIVILEGES (privilege_scope), SVV_DEFAULT_PRIVILEGES",
        "missing and surplus of datastores",
        |session| {
            roles::load_rights(session)
                .map(|it| it.map(|it| format!("{} roles hold something", it.all().len())))
                .boxed()
        },
    ),
    reading(
        "narrow rights of roles are read",
        "AWS: SVV_COLUMN_PRIVILEGES, SVV_FUNCTION_PRIVILEGES, SVV_LANGUAGE_PRIVILEGES, SVV_DATABASE_PRIVILEGES",
        "surplus of datastores",
        |session| narrow::load(session).map(|it| it.map(|it| format!("{} rights", it.0.len()))).boxed(),
    ),
    reading(
        "the login's own rights are read",
        "AWS: HAS_TABLE_PRIVILEGE, HAS_SCHEMA_PRIVILEGE; PostgreSQL 8.0 has both by oid and by name",
        "datastores without service_user",
        |session| effective::load(session).map(|it| it.map(|_| "read".to_owned())).boxed(),
    ),
    reading(
        "connection limits are shown, or refused in a known way",
        "AWS: PG_USER_INFO (superusers only)",
        "connection_limit of redshift_user",
        |session| user::load_limits(session).map(|it| it.map(|_| "read".to_owned())).boxed(),
    ),
    asked(
        "all that a user holds is found by one query",
        "awslabs/amazon-redshift-utils v_find_dropuser_objs.sql has the same shape",
        "destroying a redshift_user or an integration",
        Needs::Reading,
        |names| vec![query(&Who { name: &names.login, id: 0 })],
        works,
    ),
    asked(
        "each list of rights is understood",
        "PostgreSQL 8.0 (putid, aclitemout); AWS: PG_DEFAULT_ACL (its example)",
        "every plan of a datastore; who is dropped",
        Needs::Reading,
        |_| vec![sql!("SELECT array_to_string(c.relacl, chr(9)) FROM pg_class c WHERE c.relacl IS NOT NULL")],
        are_acls,
    ),
    asked(
        "each end of a password is understood",
        "AWS: PG_USER_INFO (abstime)",
        "drift of valid_until",
        Needs::Reading,
        |_| vec![sql!("SELECT u.valuntil FROM pg_user u")],
        are_times,
    ),
    asked(
        "the sign-in settles how times are written",
        "AWS's JDBC driver sends DateStyle when it signs in",
        "drift of valid_until",
        Needs::Reading,
        |_| vec![sql!("SELECT current_setting('datestyle')")],
        is_iso,
    ),
    asked(
        "whether names keep their case can be asked",
        "AWS: enable_case_sensitive_identifier",
        "every comparison of names",
        Needs::Reading,
        |_| vec![sql!("SELECT current_setting('enable_case_sensitive_identifier')")],
        is_on_or_off,
    ),
    asked(
        "the warehouse has an id of its own",
        "AWS: CURRENT_NAMESPACE",
        "telling a moved warehouse from another one",
        Needs::Reading,
        |_| vec![sql!("SELECT current_namespace")],
        may_be_refused,
    ),
    asked(
        "a backslash in a literal is an escape",
        "comment in RedshiftDatabaseMetaData.java of AWS's JDBC driver; PostgreSQL 8.0",
        "every statement with a literal",
        Needs::Reading,
        |_| vec![sql!("SELECT length({})", literal("a\\b"))],
        is_one_backslash,
    ),
    asked(
        "sessions are listed",
        "AWS: serverless and Multi-AZ refuse STV relations (42501)",
        "DROP DATABASE of an integration, which has DROP DATABASE ... FORCE otherwise",
        Needs::Reading,
        |_| vec![sql!("SELECT process FROM stv_sessions")],
        may_be_refused,
    ),
    asked(
        "open transactions are listed",
        "AWS: SVV_TRANSACTIONS (may be queried on serverless)",
        "saying who else is at an integration",
        Needs::Reading,
        |_| vec![sql!("SELECT txn_owner, pid, txn_start, granted, lock_mode FROM svv_transactions")],
        may_be_refused,
    ),
    asked(
        "policies on rows and columns are listed, or refused in a known way",
        "AWS: SVV_RLS_ATTACHED_POLICY, SVV_ATTACHED_MASKING_POLICY (superusers and sys:secadmin)",
        "what blocks the drop of a user, in words",
        Needs::Reading,
        |_| vec![sql!("SELECT polname FROM svv_rls_attached_policy")],
        may_be_refused,
    ),
    asked(
        "the comparison of text is told",
        "AWS: DB_COLLATION",
        "the test that an integration's database keeps users apart whose names differ in case",
        Needs::Reading,
        |_| vec![sql!("SELECT db_collation()")],
        may_be_refused,
    ),
    asked(
        "the roles of a session are told",
        "AWS: PG_GET_SESSION_ROLES",
        "what a login by IAM or an identity provider is said to lack",
        Needs::Reading,
        |_| vec![sql!("SELECT name, roleid FROM pg_get_session_roles() AS sess_roles(name name, roleid integer)")],
        may_be_refused,
    ),
    // What takes a schema.
    asked(
        "an UPDATE says that it touched the marker",
        "not documented for DISTSTYLE ALL, which has a copy on each node",
        "which run owns an integration",
        Needs::Schema,
        |names| {
            let mut all = with_table(names);
            all.push(sql!("UPDATE {}.t SET a = 'y'", ident(&names.schema)));
            all
        },
        touched,
    ),
    asked(
        "a member acts for another user, and the view shows his row",
        "AWS: CURRENT_SETTING, SET_CONFIG, PG_BACKEND_PID, SHA2 each alone; together over user tables nowhere",
        "impersonation",
        Needs::Schema,
        |names| probing::impersonation(&names.schema, &names.login, &names.called("other")),
        shows_the_other,
    ),
    asked(
        "a length counts bytes",
        "AWS: character types",
        "nothing: names and messages are kept short",
        Needs::Schema,
        |names| {
            let mut all = with_table(names);
            all.push(sql!("INSERT INTO {}.t VALUES ({})", ident(&names.schema), literal(&"\u{e4}".repeat(40))));
            all
        },
        is_refused,
    ),
    asked(
        "a materialized view is a view to the catalogue, with a table behind it",
        "dbt-redshift catalog.sql, adapters.sql",
        "what kind data sources say; what blocks the drop of a user",
        Needs::Schema,
        |names| {
            let mut all = with_table(names);
            let schema = ident(&names.schema);
            all.push(sql!("CREATE MATERIALIZED VIEW {}.m AS SELECT a FROM {}.t", schema, schema));
            all.push(sql!(
                "SELECT count(*) = 2 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = {} AND (c.relname = 'm' AND c.relkind = 'v' OR c.relname LIKE {} AND c.relkind = 'r')",
                literal(&names.schema),
                literal("mv\\_tbl\\_\\_m\\_\\_%")
            ));
            all
        },
        may_be_true,
    ),
    // What takes a user, a group or a role.
    asked(
        "a group stands in a list of rights as a group",
        "PostgreSQL 8.0: group g=r/o; AWS's example has the entry in quotes",
        "datastores and impersonation that go by a group",
        Needs::Principal,
        |names| {
            let mut all = with_table(names);
            let (group, schema) = (names.called("group"), ident(&names.schema));
            all.push(sql!("CREATE GROUP {}", ident(&group)));
            all.push(sql!("GRANT SELECT ON TABLE {}.t TO GROUP {}", schema, ident(&group)));
            all.push(relacl(names));
            all
        },
        lists_the_group,
    ),
    asked(
        "the end of a password is kept",
        "AWS: CREATE USER",
        "valid_until",
        Needs::Principal,
        |names| valid_until(names, "2037-01-31 12:00:00+00"),
        is_that_time,
    ),
    asked(
        "the end of a password from 2038 on is lost",
        "AWS: PG_USER_INFO (abstime); run on PostgreSQL 8.0",
        "that such a valid_until is refused",
        Needs::Principal,
        |names| valid_until(names, "2050-01-01 00:00:00+00"),
        is_lost,
    ),
    asked(
        "one may act as a user who was made in the same transaction",
        "PostgreSQL 8.0; of Redshift not shown",
        "who owns what an integration makes, where the login is a superuser",
        Needs::Principal,
        |names| {
            let user = names.called("user");
            let sign_in = sql!("SET SESSION AUTHORIZATION {}", literal(&user));
            vec![make_user(names), sign_in, sql!("SELECT session_user")]
        },
        is_the_user,
    ),
    asked(
        "what a role is granted shows in the same transaction",
        "dbsystel/terraform-provider-redshift commits between",
        "datastores that grant through a role",
        Needs::Principal,
        |names| {
            let (role, schema) = (names.called("role"), ident(&names.schema));
            vec![
                sql!("CREATE SCHEMA {}", schema),
                sql!("CREATE ROLE {}", ident(&role)),
                sql!("GRANT USAGE ON SCHEMA {} TO ROLE {}", schema, ident(&role)),
                sql!(
                    "SELECT count(*) = 1 FROM svv_schema_privileges WHERE identity_type = 'role' AND identity_name = {}",
                    literal(&role)
                ),
            ]
        },
        may_be_true,
    ),
    asked(
        "a right on columns stands in the way of the same right on the table",
        "AWS: GRANT, usage notes (its SQLSTATE is not published)",
        "the words of a refused GRANT",
        Needs::Principal,
        |names| {
            let mut all = with_table(names);
            let (user, schema) = (names.called("user"), ident(&names.schema));
            all.push(make_user(names));
            all.push(sql!("GRANT SELECT (a) ON TABLE {}.t TO {}", schema, ident(&user)));
            all.push(sql!("GRANT SELECT ON ALL TABLES IN SCHEMA {} TO {}", schema, ident(&user)));
            all
        },
        is_refused,
    ),
    asked(
        "has_table_privilege knows of what comes by a role",
        "not published: the function is older than roles",
        "nothing: what roles hold is added to its answer",
        Needs::Principal,
        |names| {
            let mut all = with_table(names);
            let (user, role, schema) = (names.called("user"), names.called("role"), ident(&names.schema));
            all.extend([
                make_user(names),
                sql!("CREATE ROLE {}", ident(&role)),
                sql!("GRANT USAGE ON SCHEMA {} TO ROLE {}", schema, ident(&role)),
                sql!("GRANT SELECT ON TABLE {}.t TO ROLE {}", schema, ident(&role)),
                sql!("GRANT ROLE {} TO {}", ident(&role), ident(&user)),
                sql!("SET SESSION AUTHORIZATION {}", literal(&user)),
                sql!("SELECT has_table_privilege({}, 'select')", literal(&format!("{}.t", names.schema))),
            ]);
            all
        },
        may_be_true,
    ),
    asked(
        "a login without a password can be made",
        "AWS: CREATE USER; for others than superusers not shown",
        "users and system users without a password, which others than superusers give one that nobody knows",
        Needs::Principal,
        |names| {
            let user = names.called("user");
            vec![
                sql!("CREATE USER {} PASSWORD DISABLE", ident(&user)),
                sql!("SELECT usename FROM pg_user WHERE usename = {}", literal(&user)),
            ]
        },
        either,
    ),
];

fn with_table(names: &Names) -> Vec<Sql> {
    let schema = ident(&names.schema);
    vec![
        sql!("CREATE SCHEMA {}", schema),
        sql!("CREATE TABLE {}.t (a varchar(64)) DISTSTYLE ALL", schema),
        sql!("INSERT INTO {}.t VALUES ('x')", schema),
    ]
}

fn make_user(names: &Names) -> Sql {
    let user = names.called("user");
    sql!("CREATE USER {} PASSWORD {}", ident(&user), secret(&password::md5(&user, &password::nobodys())))
}

fn relacl(names: &Names) -> Sql {
    sql!(
        "SELECT array_to_string(c.relacl, chr(9)) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = {} AND c.relname = 't'",
        literal(&names.schema)
    )
}

fn valid_until(names: &Names, until: &str) -> Vec<Sql> {
    let user = names.called("user");
    vec![
        make_user(names),
        sql!("ALTER USER {} VALID UNTIL {}", ident(&user), literal(until)),
        sql!("SELECT valuntil FROM pg_user WHERE usename = {}", literal(&user)),
    ]
}
