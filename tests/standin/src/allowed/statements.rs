//! Statement forms. The language of the patterns and rewrites is in `pattern.rs`, the slots are in `slots.rs`.

/// One form of a statement.
#[derive(Debug)]
pub struct Form {
    /// Its name, for tests that take it out.
    pub id: &'static str,
    /// What is matched.
    pub form: &'static str,
    /// What PostgreSQL runs.
    pub rewrite: &'static str,
    /// The command tag to answer, hiding rows; empty: PostgreSQL's own answer.
    pub tag: &'static str,
    /// What shows it on Redshift.
    pub evidence: &'static str,
}

const fn form(
    id: &'static str,
    form: &'static str,
    rewrite: &'static str,
    tag: &'static str,
    evidence: &'static str,
) -> Form {
    Form { id, form, rewrite, tag, evidence }
}

/// The forms, tried from top to bottom.
#[rustfmt::skip]
pub const STATEMENTS: &[Form] = &[
    // Sessions and transactions.
    form("select", "<query>", "{query}", "", "r_SELECT_synopsis"),
    form("explain", "EXPLAIN [verbose:VERBOSE] <query>", "EXPLAIN {verbose} {query}", "", "r_EXPLAIN"),
    form("begin", "BEGIN [WORK|TRANSACTION]", "BEGIN", "", "r_BEGIN"),
    form("start-transaction", "START TRANSACTION", "START TRANSACTION", "", "r_BEGIN"),
    form("commit", "{COMMIT|END} [WORK|TRANSACTION]", "COMMIT", "", "r_COMMIT"),
    form("rollback", "{ROLLBACK|ABORT} [WORK|TRANSACTION]", "ROLLBACK", "", "r_ROLLBACK"),
    form("set-statement-timeout", "SET STATEMENT_TIMEOUT {TO|=} <number>", "SET statement_timeout TO {number}", "", "r_statement_timeout"),
    form("set-application-name", "SET APPLICATION_NAME {TO|=} <string>", "SET application_name TO {string}", "", "r_SET"),
    form("set-search-path", "SET SEARCH_PATH {TO|=} <search_path>", "SET search_path TO {search_path}", "", "r_search_path"),
    form("set-case-sensitive", "SET ENABLE_CASE_SENSITIVE_IDENTIFIER {TO|=} <boolean>", "SET standin.enable_case_sensitive_identifier TO {boolean}", "", "r_enable_case_sensitive_identifier"),
    form("set-variable", "SET <variable> {TO|=} <string>", "SET {variable} TO {string}", "", "r_SET (session context variables)"),
    form("reset-variable", "RESET <variable>", "RESET {variable}", "", "r_RESET, r_SET"),
    form("set-session-authorization", "SET SESSION AUTHORIZATION <user_or_string:user>", "SELECT pg_catalog.rs_may_authorize({user!}) ;; SET SESSION AUTHORIZATION {user}", "", "r_SET_SESSION_AUTHORIZATION"),
    form("default-session-authorization", "SET SESSION AUTHORIZATION DEFAULT", "SET SESSION AUTHORIZATION DEFAULT", "", "r_SET_SESSION_AUTHORIZATION"),

    // Users, groups, roles.
    form("create-user", "CREATE USER <user> [WITH] <user_options:options>", "SELECT pg_catalog.rs_create_user({user!}, {options!})", "CREATE USER", "r_CREATE_USER"),
    form("rename-user", "ALTER USER <user> RENAME TO <user:new>", "SELECT pg_catalog.rs_rename_user({user!}, {new!})", "ALTER USER", "r_ALTER_USER"),
    form("alter-user", "ALTER USER <user> [WITH] <user_options:options>", "SELECT pg_catalog.rs_alter_user({user!}, {options!})", "ALTER USER", "r_ALTER_USER"),
    form("set-user-datestyle", "ALTER USER <user> SET DATESTYLE {TO|=} <string>", "SELECT pg_catalog.rs_set_for_user({user!}, 'DateStyle', {string'})", "ALTER USER", "r_ALTER_USER, r_DateStyle"),
    form("set-user-search-path", "ALTER USER <user> SET SEARCH_PATH {TO|=} <search_path:path>", "SELECT pg_catalog.rs_set_for_user({user!}, 'search_path', {path'})", "ALTER USER", "r_ALTER_USER, r_search_path"),
    form("drop-user", "DROP USER [if:IF EXISTS] <users>", "SELECT pg_catalog.rs_drop_users({users!}, {if!})", "DROP USER", "r_DROP_USER"),
    form("create-group", "CREATE GROUP <group> [[WITH] USER <users>]", "SELECT pg_catalog.rs_create_group({group!}, {users!})", "CREATE GROUP", "r_CREATE_GROUP"),
    form("alter-group", "ALTER GROUP <group> {what:ADD|DROP} USER <users>", "SELECT pg_catalog.rs_alter_group({group!}, {what!}, {users!})", "ALTER GROUP", "r_ALTER_GROUP"),
    form("drop-group", "DROP GROUP <group>", "SELECT pg_catalog.rs_drop_group({group!})", "DROP GROUP", "r_DROP_GROUP"),
    form("create-role", "CREATE ROLE <new_role:role>", "SELECT pg_catalog.rs_create_role({role!})", "CREATE ROLE", "r_CREATE_ROLE"),
    form("drop-role", "DROP ROLE <role> [mode:FORCE|RESTRICT]", "SELECT pg_catalog.rs_drop_role({role!}, {mode!})", "DROP ROLE", "r_DROP_ROLE"),
    form("own-role", "ALTER ROLE <role> [WITH] OWNER TO <user>", "SELECT pg_catalog.rs_own_role({role!}, {user!})", "ALTER ROLE", "r_ALTER_ROLE"),
    form("grant-role", "GRANT ROLE <roles> TO <members> [admin:WITH ADMIN OPTION]", "SELECT pg_catalog.rs_grant_roles({roles!}, {members!}, {admin!})", "GRANT ROLE", "r_GRANT"),
    form("revoke-role", "REVOKE [admin:ADMIN OPTION FOR] ROLE <roles> FROM <members>", "SELECT pg_catalog.rs_revoke_roles({roles!}, {members!}, {admin!})", "REVOKE ROLE", "r_REVOKE"),
    form("grant-system", "GRANT <system_rights:rights> TO <role_list:roles>", "SELECT pg_catalog.rs_system_rights(true, {rights!}, {roles!})", "GRANT", "r_GRANT, r_roles-system-privileges"),
    form("revoke-system", "REVOKE <system_rights:rights> FROM <role_list:roles>", "SELECT pg_catalog.rs_system_rights(false, {rights!}, {roles!})", "REVOKE", "r_REVOKE"),
    form("grant-assumerole", "GRANT ASSUMEROLE ON [<string:arn>] [any:ALL|DEFAULT] TO <user> FOR {what:ALL|COPY|UNLOAD|EXTERNAL FUNCTION|CREATE MODEL}", "SELECT pg_catalog.rs_assumerole(true, coalesce({arn!}, {any!}), {user!}, {what!})", "GRANT", "r_GRANT"),
    form("revoke-assumerole", "REVOKE ASSUMEROLE ON [<string:arn>] [any:ALL|DEFAULT] FROM <user> FOR {what:ALL|COPY|UNLOAD|EXTERNAL FUNCTION|CREATE MODEL}", "SELECT pg_catalog.rs_assumerole(false, coalesce({arn!}, {any!}), {user!}, {what!})", "REVOKE", "r_REVOKE"),

    // Rights on objects.
    form("grant-scope", "GRANT <scope_rights:rights> FOR {scope:FUNCTIONS|PROCEDURES|TEMPLATES} IN SCHEMA <name:schema> DATABASE <name:database> TO <scoped_grantees:to>", "SELECT pg_catalog.rs_scope(true, {rights'}, {scope!}, {schema!}, {database!}, {to!})", "GRANT", "t_scoped-permissions, r_GRANT"),
    form("revoke-scope", "REVOKE <scope_rights:rights> FOR {scope:FUNCTIONS|PROCEDURES|TEMPLATES} IN SCHEMA <name:schema> DATABASE <name:database> FROM <scoped_grantees:to>", "SELECT pg_catalog.rs_scope(false, {rights'}, {scope!}, {schema!}, {database!}, {to!})", "REVOKE", "t_scoped-permissions, r_REVOKE"),
    form("grant-scope-database", "GRANT <scope_rights:rights> FOR {scope:SCHEMAS|FUNCTIONS|PROCEDURES|LANGUAGES|COPY JOBS|TEMPLATES} IN DATABASE <name:database> TO <scoped_grantees:to>", "SELECT pg_catalog.rs_scope(true, {rights'}, {scope!}, NULL, {database!}, {to!})", "GRANT", "t_scoped-permissions, r_GRANT"),
    form("revoke-scope-database", "REVOKE <scope_rights:rights> FOR {scope:SCHEMAS|FUNCTIONS|PROCEDURES|LANGUAGES|COPY JOBS|TEMPLATES} IN DATABASE <name:database> FROM <scoped_grantees:to>", "SELECT pg_catalog.rs_scope(false, {rights'}, {scope!}, NULL, {database!}, {to!})", "REVOKE", "t_scoped-permissions, r_REVOKE"),
    form("grant-datashare", "GRANT <datashare_rights:rights> ON DATASHARE <name:share> TO <grantees:to>", "SELECT pg_catalog.rs_on_datashare(true, {rights!}, {share!}, {to!})", "GRANT", "r_GRANT"),
    form("revoke-datashare", "REVOKE <datashare_rights:rights> ON DATASHARE <name:share> FROM <grantees:to>", "SELECT pg_catalog.rs_on_datashare(false, {rights!}, {share!}, {to!})", "REVOKE", "r_REVOKE"),
    form("grant-scoped", "GRANT <table_rights:rights> FOR TABLES IN SCHEMA <name:schema> DATABASE <name:database> TO <scoped_grantees:to>", "SELECT pg_catalog.rs_scoped(true, {rights'}, {schema!}, {database!}, {to!})", "GRANT", "t_scoped-permissions, r_GRANT"),
    form("revoke-scoped", "REVOKE <table_rights:rights> FOR TABLES IN SCHEMA <name:schema> DATABASE <name:database> FROM <scoped_grantees:to>", "SELECT pg_catalog.rs_scoped(false, {rights'}, {schema!}, {database!}, {to!})", "REVOKE", "t_scoped-permissions, r_REVOKE"),
    form("grant-scoped-database", "GRANT <table_rights:rights> FOR TABLES IN DATABASE <name:database> TO <scoped_grantees:to>", "SELECT pg_catalog.rs_scoped(true, {rights'}, NULL, {database!}, {to!})", "GRANT", "t_scoped-permissions, r_GRANT"),
    form("revoke-scoped-database", "REVOKE <table_rights:rights> FOR TABLES IN DATABASE <name:database> FROM <scoped_grantees:to>", "SELECT pg_catalog.rs_scoped(false, {rights'}, NULL, {database!}, {to!})", "REVOKE", "t_scoped-permissions, r_REVOKE"),
    form("create-datashare", "CREATE DATASHARE <name:share>", "SELECT pg_catalog.rs_datashare(true, {share!})", "CREATE DATASHARE", "r_CREATE_DATASHARE"),
    form("drop-datashare", "DROP DATASHARE <name:share>", "SELECT pg_catalog.rs_datashare(false, {share!})", "DROP DATASHARE", "r_DROP_DATASHARE"),
    form("grant-schema", "GRANT <schema_rights:rights> ON SCHEMA <names> TO <grantees:to> [option:WITH GRANT OPTION]", "SELECT pg_catalog.rs_check_schemas({names!}, {rights'}, {in_transaction}) ;; GRANT {rights} ON SCHEMA {names} TO {to} {option}", "GRANT", "r_GRANT"),
    form("revoke-schema", "REVOKE [option:GRANT OPTION FOR] <schema_rights:rights> ON SCHEMA <names> FROM <grantees:to> [RESTRICT]", "SELECT pg_catalog.rs_check_schemas({names!}, {rights'}, {in_transaction}) ;; REVOKE {option} {rights} ON SCHEMA {names} FROM {to}", "REVOKE", "r_REVOKE"),
    form("grant-all-tables", "GRANT <table_rights:rights> ON ALL TABLES IN SCHEMA <names> TO <grantees:to> [option:WITH GRANT OPTION]", "SELECT pg_catalog.rs_no_column_rights({names!}, NULL, {rights'}, {to!}) ;; SELECT pg_catalog.rs_on_all_tables('GRANT ', {rights'}, {names!}, ' TO ', {to'}, {option'})", "GRANT", "r_GRANT"),
    form("revoke-all-tables", "REVOKE [option:GRANT OPTION FOR] <table_rights:rights> ON ALL TABLES IN SCHEMA <names> FROM <grantees:to> [RESTRICT]", "SELECT pg_catalog.rs_on_all_tables('REVOKE {option} ', {rights'}, {names!}, ' FROM ', {to'}, '')", "REVOKE", "r_REVOKE"),
    form("grant-all-routines", "GRANT <routine_rights:rights> ON ALL {what:FUNCTIONS|PROCEDURES} IN SCHEMA <names> TO <grantees:to> [option:WITH GRANT OPTION]", "GRANT {rights} ON ALL {what} IN SCHEMA {names} TO {to} {option}", "GRANT", "r_GRANT"),
    form("revoke-all-routines", "REVOKE <routine_rights:rights> ON ALL {what:FUNCTIONS|PROCEDURES} IN SCHEMA <names> FROM <grantees:to> [RESTRICT]", "REVOKE {rights} ON ALL {what} IN SCHEMA {names} FROM {to}", "REVOKE", "r_REVOKE"),
    form("grant-routine", "GRANT <routine_rights:rights> ON {what:FUNCTION|PROCEDURE} <bare_routine:routine> TO <grantees:to> [option:WITH GRANT OPTION]", "GRANT {rights} ON {what} {routine} TO {to} {option}", "GRANT", "r_GRANT"),
    form("revoke-routine", "REVOKE <routine_rights:rights> ON {what:FUNCTION|PROCEDURE} <bare_routine:routine> FROM <grantees:to> [RESTRICT]", "REVOKE {rights} ON {what} {routine} FROM {to}", "REVOKE", "r_REVOKE"),
    form("grant-database", "GRANT <database_rights:rights> ON DATABASE <names> TO <grantees:to> [option:WITH GRANT OPTION]", "GRANT {rights} ON DATABASE {names} TO {to} {option}", "GRANT", "r_GRANT"),
    form("revoke-database", "REVOKE [option:GRANT OPTION FOR] <database_rights:rights> ON DATABASE <names> FROM <grantees:to> [RESTRICT]", "REVOKE {option} {rights} ON DATABASE {names} FROM {to}", "REVOKE", "r_REVOKE"),
    form("grant-language", "GRANT <language_rights:rights> ON LANGUAGE <names> TO <grantees:to> [option:WITH GRANT OPTION]", "GRANT {rights} ON LANGUAGE {names} TO {to} {option}", "GRANT", "r_GRANT"),
    form("revoke-language", "REVOKE <language_rights:rights> ON LANGUAGE <names> FROM <grantees:to> [RESTRICT]", "REVOKE {rights} ON LANGUAGE {names} FROM {to}", "REVOKE", "r_REVOKE"),
    form("grant-columns", "GRANT <column_rights:rights> ON [TABLE] <relation> TO <grantees:to>", "GRANT {rights} ON TABLE {relation} TO {to}", "GRANT", "r_GRANT"),
    form("revoke-columns", "REVOKE <column_rights:rights> ON [TABLE] <relation> FROM <grantees:to> [RESTRICT]", "REVOKE {rights} ON TABLE {relation} FROM {to}", "REVOKE", "r_REVOKE"),
    form("grant-table", "GRANT <table_rights:rights> ON [TABLE] <relations> TO <grantees:to> [option:WITH GRANT OPTION]", "SELECT pg_catalog.rs_no_column_rights(NULL, {relations!}, {rights'}, {to!}) ;; GRANT {rights} ON TABLE {relations} TO {to} {option}", "GRANT", "r_GRANT"),
    form("revoke-table", "REVOKE [option:GRANT OPTION FOR] <table_rights:rights> ON [TABLE] <relations> FROM <grantees:to> [RESTRICT]", "REVOKE {option} {rights} ON TABLE {relations} FROM {to}", "REVOKE", "r_REVOKE"),
    form("default-grant", "ALTER DEFAULT PRIVILEGES [FOR USER <users>] [IN SCHEMA <names>] GRANT <default_rights:rights> ON TABLES TO <grantees:to> [option:WITH GRANT OPTION]", "SELECT pg_catalog.rs_default_privileges({users!}, {names!}, 'GRANT ', {rights'}, 'TABLES TO ', {to'}, {option'})", "ALTER DEFAULT PRIVILEGES", "r_ALTER_DEFAULT_PRIVILEGES"),
    form("default-revoke", "ALTER DEFAULT PRIVILEGES [FOR USER <users>] [IN SCHEMA <names>] REVOKE [option:GRANT OPTION FOR] <default_rights:rights> ON TABLES FROM <grantees:to> [RESTRICT]", "SELECT pg_catalog.rs_default_privileges({users!}, {names!}, 'REVOKE {option} ', {rights'}, 'TABLES FROM ', {to'}, '')", "ALTER DEFAULT PRIVILEGES", "r_ALTER_DEFAULT_PRIVILEGES"),
    form("default-grant-routines", "ALTER DEFAULT PRIVILEGES [FOR USER <users>] [IN SCHEMA <names>] GRANT <routine_rights:rights> ON {FUNCTIONS|PROCEDURES} TO <grantees:to>", "SELECT pg_catalog.rs_default_privileges({users!}, {names!}, 'GRANT ', {rights'}, 'ROUTINES TO ', {to'}, '')", "ALTER DEFAULT PRIVILEGES", "r_ALTER_DEFAULT_PRIVILEGES"),
    form("default-revoke-routines", "ALTER DEFAULT PRIVILEGES [FOR USER <users>] [IN SCHEMA <names>] REVOKE <routine_rights:rights> ON {FUNCTIONS|PROCEDURES} FROM <grantees:to> [RESTRICT]", "SELECT pg_catalog.rs_default_privileges({users!}, {names!}, 'REVOKE ', {rights'}, 'ROUTINES FROM ', {to'}, '')", "ALTER DEFAULT PRIVILEGES", "r_ALTER_DEFAULT_PRIVILEGES"),

    // Databases and schemas.
    form("create-database", "CREATE DATABASE <name> [WITH] [OWNER [=] <user:owner>] [CONNECTION LIMIT {<number>|UNLIMITED}] [COLLATE {CASE_SENSITIVE|CS}] [ci:COLLATE {CASE_INSENSITIVE|CI}] [ISOLATION LEVEL {SERIALIZABLE|SNAPSHOT}]", "CREATE DATABASE {name} {owner?OWNER} {ci?=CONNECTION LIMIT 262142}", "CREATE DATABASE", "r_CREATE_DATABASE"),
    form("drop-database", "DROP DATABASE <user_database:name> [force:FORCE]", "DROP DATABASE {name} {force?=WITH (FORCE)}", "DROP DATABASE", "r_DROP_DATABASE"),
    form("own-database", "ALTER DATABASE <name> OWNER TO <user>", "SELECT pg_catalog.rs_superuser('change owner') ;; ALTER DATABASE {name} OWNER TO {user}", "ALTER DATABASE", "r_ALTER_DATABASE"),
    form("rename-database", "ALTER DATABASE <user_database:name> RENAME TO <name:new>", "ALTER DATABASE {name} RENAME TO {new}", "ALTER DATABASE", "r_ALTER_DATABASE"),
    form("create-schema", "CREATE SCHEMA [if:IF NOT EXISTS] <name> [AUTHORIZATION <user:owner>]", "CREATE SCHEMA {if} {name} {owner?AUTHORIZATION}", "CREATE SCHEMA", "r_CREATE_SCHEMA"),
    form("create-schema-quota", "CREATE SCHEMA <name> [AUTHORIZATION <user:owner>] QUOTA {<number:size> [unit:MB|GB|TB]|UNLIMITED}", "CREATE SCHEMA {name} {owner?AUTHORIZATION} ;; SELECT pg_catalog.rs_quota({name!}, {size!}, {unit!})", "CREATE SCHEMA", "r_CREATE_SCHEMA"),
    form("drop-schema", "DROP SCHEMA [if:IF EXISTS] <names> [mode:CASCADE|RESTRICT]", "DROP SCHEMA {if} {names} {mode}", "DROP SCHEMA", "r_DROP_SCHEMA"),
    form("own-schema", "ALTER SCHEMA <name> OWNER TO <user>", "SELECT pg_catalog.rs_superuser('change owner') ;; ALTER SCHEMA {name} OWNER TO {user}", "ALTER SCHEMA", "r_ALTER_SCHEMA"),
    form("quota-schema", "ALTER SCHEMA <name> QUOTA {<number:size> [unit:MB|GB|TB]|UNLIMITED}", "SELECT pg_catalog.rs_superuser('change a quota') ;; SELECT pg_catalog.rs_quota({name!}, {size!}, {unit!})", "ALTER SCHEMA", "r_ALTER_SCHEMA, r_CREATE_SCHEMA"),
    form("rename-schema", "ALTER SCHEMA <name> RENAME TO <name:new>", "ALTER SCHEMA {name} RENAME TO {new}", "ALTER SCHEMA", "r_ALTER_SCHEMA"),
    form("create-external-schema", "CREATE EXTERNAL SCHEMA <name> FROM DATA CATALOG DATABASE <string:database> [REGION <string:region>] IAM_ROLE {<string:arn>|DEFAULT}", "SELECT pg_catalog.rs_alone('CREATE EXTERNAL SCHEMA', {in_transaction}) ;; CREATE SCHEMA {name} ;; SELECT pg_catalog.rs_external({name!}, {database!}, {region!}, {arn!})", "CREATE SCHEMA", "r_CREATE_EXTERNAL_SCHEMA"),
    form("create-external-table", "CREATE EXTERNAL TABLE <relation> <external_columns:columns> [PARTITIONED BY <external_columns:keys>] [ROW FORMAT DELIMITED [FIELDS TERMINATED BY <string:fields>] [LINES TERMINATED BY <string:lines>]] STORED AS {format:PARQUET|ORC|TEXTFILE} LOCATION <location> [TABLE PROPERTIES <properties>]", "SELECT pg_catalog.rs_alone('CREATE EXTERNAL TABLE', {in_transaction}) ;; SELECT pg_catalog.rs_create_external({relation!}, {columns!}, {keys!}, {format!}, {location!}, {properties!})", "CREATE EXTERNAL TABLE", "r_CREATE_EXTERNAL_TABLE"),

    form("lock", "LOCK [TABLE] <relations>", "SELECT pg_catalog.rs_lock({relations!})", "LOCK TABLE", "r_LOCK"),

    // Relations and their rows: what fixtures and tests need.
    form("create-temp-table", "CREATE {TEMP|TEMPORARY} TABLE <relation> <columns> <table_attributes>", "CREATE TEMP TABLE {relation} {columns}", "CREATE TABLE", "r_CREATE_TABLE_NEW"),
    form("create-table-as", "CREATE TABLE <relation> <table_attributes> AS <query>", "CREATE TABLE {relation} AS {query}", "", "r_CREATE_TABLE_AS"),
    form("create-table", "CREATE TABLE [if:IF NOT EXISTS] <relation> <columns> <table_attributes>", "CREATE TABLE {if} {relation} {columns}", "CREATE TABLE", "r_CREATE_TABLE_NEW"),
    form("create-late-view", "CREATE [or:OR REPLACE] VIEW <relation> AS <late_query:query> WITH NO SCHEMA BINDING", "SELECT pg_catalog.rs_late_view({relation!}, {or!}, {statement!})", "CREATE VIEW", "r_CREATE_VIEW"),
    form("create-materialized-view", "CREATE MATERIALIZED VIEW <relation> [BACKUP {YES|NO}] <table_attributes> [auto:AUTO REFRESH YES|AUTO REFRESH NO] AS <query>", "SELECT pg_catalog.rs_materialize({relation!}, {query'}, {statement!})", "CREATE MATERIALIZED VIEW", "materialized-view-create-sql-command"),
    form("refresh-materialized-view", "REFRESH MATERIALIZED VIEW <relation> [RESTRICT]", "SELECT pg_catalog.rs_may_refresh({relation!}) ;; SELECT pg_catalog.rs_refresh({relation!}, NULL::text)", "REFRESH MATERIALIZED VIEW", "materialized-view-refresh-sql-command"),
    form("drop-materialized-view", "DROP MATERIALIZED VIEW [if:IF EXISTS] <relations> [mode:CASCADE|RESTRICT]", "SELECT pg_catalog.rs_drop_materialized({relations!}, {if!}, {mode'})", "DROP MATERIALIZED VIEW", "materialized-view-drop-sql-command"),
    form("create-view", "CREATE [or:OR REPLACE] VIEW <relation> AS <query>", "SELECT pg_catalog.rs_view_columns({relation!}, false) ;; CREATE {or} VIEW {relation} AS {query} ;; COMMENT ON VIEW {relation} IS NULL ;; SELECT pg_catalog.rs_view_columns({relation!}, true)", "CREATE VIEW", "r_CREATE_VIEW"),
    form("drop-table", "DROP TABLE [if:IF EXISTS] <relations> [mode:CASCADE|RESTRICT]", "SELECT pg_catalog.rs_drop_tables({relations!}, {if'}, {mode'}, {in_transaction})", "DROP TABLE", "r_DROP_TABLE"),
    form("drop-view", "DROP VIEW [if:IF EXISTS] <relations> [mode:CASCADE|RESTRICT]", "SELECT pg_catalog.rs_plain_views({relations!}) ;; DROP VIEW {if} {relations} {mode}", "DROP VIEW", "r_DROP_VIEW"),
    form("own-table", "ALTER TABLE <relation> OWNER TO <user>", "SELECT pg_catalog.rs_superuser('change owner') ;; SELECT pg_catalog.rs_own_materialized({relation!}) ;; ALTER TABLE {relation} OWNER TO {user}", "ALTER TABLE", "r_ALTER_TABLE"),
    form("rename-table", "ALTER TABLE <relation> RENAME TO <name>", "ALTER TABLE {relation} RENAME TO {name}", "ALTER TABLE", "r_ALTER_TABLE"),
    form("add-column", "ALTER TABLE <relation> ADD [COLUMN] <column>", "SELECT pg_catalog.rs_owning({relation!}, concat('ALTER TABLE ', {relation'}, ' ADD COLUMN ', {column'}))", "ALTER TABLE", "r_ALTER_TABLE"),
    form("drop-column", "ALTER TABLE <relation> DROP [COLUMN] <name>", "SELECT pg_catalog.rs_owning({relation!}, concat('ALTER TABLE ', {relation'}, ' DROP COLUMN ', {name'}))", "ALTER TABLE", "r_ALTER_TABLE"),
    form("insert-values", "INSERT INTO <relation> [( <names> )] VALUES <rows>", "INSERT INTO {relation} {names?()} VALUES {rows}", "", "r_INSERT_30"),
    form("insert-select", "INSERT INTO <relation> [( <names> )] <query>", "INSERT INTO {relation} {names?()} {query}", "", "r_INSERT_30"),
    form("update", "UPDATE <relation> SET <rows>", "UPDATE {relation} SET {rows}", "", "r_UPDATE"),
    form("delete", "DELETE FROM <relation> [WHERE <rows>]", "DELETE FROM {relation} {rows?WHERE}", "", "r_DELETE"),

    // Routines: enough to own one and to be granted one.
    form("create-function", "CREATE [or:OR REPLACE] FUNCTION <routine> RETURNS <type> {volatility:VOLATILE|STABLE|IMMUTABLE} AS <sql_body:body> LANGUAGE SQL", "CREATE {or} FUNCTION {routine} RETURNS {type} {volatility} LANGUAGE sql AS {body}", "CREATE FUNCTION", "r_CREATE_FUNCTION"),
    form("create-procedure", "CREATE [or:OR REPLACE] PROCEDURE <routine> AS <procedure_body:body> LANGUAGE PLPGSQL [security:SECURITY INVOKER|SECURITY DEFINER] [SET SEARCH_PATH {TO|=} <search_path:path>]", "CREATE {or} PROCEDURE {routine} LANGUAGE plpgsql {security} {path?SET search_path TO} AS {body} ;; COMMENT ON PROCEDURE {routine} IS {source!}", "CREATE PROCEDURE", "r_CREATE_PROCEDURE, stored-procedure-security-and-privileges"),
    form("call", "CALL <relation:procedure> ( <arguments> )", "CALL {procedure}({arguments})", "", "r_CALL_procedure"),
    form("own-routine", "ALTER {what:FUNCTION|PROCEDURE} <routine> OWNER TO <user>", "SELECT pg_catalog.rs_superuser('change owner') ;; ALTER {what} {routine} OWNER TO {user}", "", "r_ALTER_PROCEDURE, awslabs/amazon-redshift-utils v_find_dropuser_objs.sql"),
    form("drop-routine", "DROP {what:FUNCTION|PROCEDURE} <routine>", "DROP {what} {routine}", "", "r_DROP_FUNCTION, r_DROP_PROCEDURE"),
];
