//! Catalogue relations that a query may read.

/// Which nodes hold a relation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Node {
    /// PostgreSQL's own catalogue.
    Leader,
    /// SVV and STV views, and users' tables.
    Compute,
}

/// A relation of `pg_catalog`.
#[derive(Debug)]
pub struct Relation {
    /// As written on Redshift.
    pub name: &'static str,
    /// The relation of the shims that answers.
    pub backing: &'static str,
    /// Where it lives.
    pub node: Node,
    /// What shows it on Redshift.
    pub evidence: &'static str,
}

const fn pg(name: &'static str, backing: &'static str, evidence: &'static str) -> Relation {
    Relation { name, backing, node: Node::Leader, evidence }
}

const fn svv(name: &'static str, evidence: &'static str) -> Relation {
    Relation { name, backing: name, node: Node::Compute, evidence }
}

const UTILS: &str = "awslabs/amazon-redshift-utils v_get_obj_priv_by_user.sql, v_find_dropuser_objs.sql";

/// Relations.
pub const RELATIONS: &[Relation] = &[
    pg("pg_user", "rs_user", "r_PG_USER_INFO, r_CREATE_USER (its query of PG_USER)"),
    pg("pg_user_info", "rs_user_info", "r_PG_USER_INFO"),
    pg("pg_group", "rs_group", "r_ALTER_GROUP, r_CREATE_GROUP (PG_GROUP)"),
    pg("pg_default_acl", "rs_default_acl", "r_PG_DEFAULT_ACL"),
    pg("pg_class", "rs_class", UTILS),
    pg("pg_namespace", "rs_namespace", UTILS),
    pg("pg_database", "rs_database", UTILS),
    pg("pg_proc", "rs_proc", UTILS),
    pg("pg_proc_info", "rs_proc_info", "r_PG_PROC_INFO (which does not list its columns)"),
    pg("pg_language", "rs_language", UTILS),
    pg("pg_attribute", "rs_attribute", "awslabs/amazon-redshift-utils v_generate_tbl_ddl.sql"),
    pg("pg_views", "rs_views", "netcheck-de/terraform-provider-redshift (its reading of views)"),
    pg("pg_library", "rs_library", "r_PG_LIBRARY"),
    svv("svv_redshift_databases", "r_SVV_REDSHIFT_DATABASES"),
    svv("svv_roles", "r_SVV_ROLES"),
    svv("svv_user_grants", "r_SVV_USER_GRANTS"),
    svv("svv_role_grants", "r_SVV_ROLE_GRANTS"),
    svv("svv_relation_privileges", "r_SVV_RELATION_PRIVILEGES"),
    svv("svv_schema_privileges", "r_SVV_SCHEMA_PRIVILEGES"),
    svv("svv_function_privileges", "r_SVV_FUNCTION_PRIVILEGES"),
    svv("svv_language_privileges", "r_SVV_LANGUAGE_PRIVILEGES"),
    svv("svv_database_privileges", "r_SVV_DATABASE_PRIVILEGES"),
    svv("svv_default_privileges", "r_SVV_DEFAULT_PRIVILEGES"),
    svv("svv_system_privileges", "r_SVV_SYSTEM_PRIVILEGES"),
    svv("svv_column_privileges", "r_SVV_COLUMN_PRIVILEGES"),
    svv("svv_iam_privileges", "r_SVV_IAM_PRIVILEGES"),
    svv("svv_datashare_privileges", "r_SVV_DATASHARE_PRIVILEGES"),
    svv("svv_datashares", "r_SVV_DATASHARES"),
    svv("svv_ml_model_privileges", "r_SVV_ML_MODEL_PRIVILEGES"),
    svv("svv_rls_attached_policy", "r_SVV_RLS_ATTACHED_POLICY"),
    svv("svv_attached_masking_policy", "r_SVV_ATTACHED_MASKING_POLICY"),
    svv("svv_external_schemas", "r_SVV_EXTERNAL_SCHEMAS"),
    svv("svv_external_tables", "r_SVV_EXTERNAL_TABLES"),
    svv("svv_external_columns", "r_SVV_EXTERNAL_COLUMNS"),
    svv("svv_redshift_schemas", "r_SVV_REDSHIFT_SCHEMAS"),
    svv("svv_redshift_schema_quota", "r_SVV_REDSHIFT_SCHEMA_QUOTA"),
    svv("svv_columns", "r_SVV_COLUMNS"),
    svv("svv_tables", "r_SVV_TABLES"),
    svv("stv_sessions", "r_STV_SESSIONS"),
    svv("svv_transactions", "r_SVV_TRANSACTIONS"),
];
