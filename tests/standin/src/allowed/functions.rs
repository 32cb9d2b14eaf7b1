//! Functions, types, settings and words that may stand in a query.

/// A function by its unqualified name.
#[derive(Debug)]
pub struct Function {
    /// As written on Redshift.
    pub name: &'static str,
    /// What runs instead, if not the same.
    pub backing: Option<&'static str>,
    /// Whether it runs on the leader node only.
    pub leader: bool,
    /// What shows it on Redshift.
    pub evidence: &'static str,
}

const fn same(name: &'static str, evidence: &'static str) -> Function {
    Function { name, backing: None, leader: false, evidence }
}

const fn leader(name: &'static str, evidence: &'static str) -> Function {
    Function { name, backing: None, leader: true, evidence }
}

const fn other(name: &'static str, backing: &'static str, leader: bool, evidence: &'static str) -> Function {
    Function { name, backing: Some(backing), leader, evidence }
}

/// Functions.
pub const FUNCTIONS: &[Function] = &[
    same("count", "r_COUNT"),
    same("sum", "r_SUM"),
    same("min", "r_MIN"),
    same("max", "r_MAX"),
    same("avg", "r_AVG"),
    same("lower", "r_LOWER"),
    same("upper", "r_UPPER"),
    same("length", "r_LEN"),
    same("replace", "r_REPLACE"),
    same("chr", "r_CHR"),
    same("btrim", "r_BTRIM"),
    same("md5", "r_MD5"),
    same("round", "r_ROUND"),
    same("random", "r_RANDOM"),
    same("current_database", "r_CURRENT_DATABASE"),
    other("db_collation", "rs_db_collation", false, "r_DB_COLLATION"),
    other("current_setting", "rs_current_setting", false, "r_CURRENT_SETTING"),
    same("set_config", "r_SET_CONFIG"),
    same("split_part", "SPLIT_PART"),
    same("strpos", "r_STRPOS"),
    same("substring", "r_SUBSTRING"),
    same("rtrim", "r_RTRIM"),
    same("mod", "r_MOD"),
    same("trunc", "r_TRUNC"),
    same("abs", "r_ABS"),
    same("date_trunc", "r_DATE_TRUNC"),
    other("strtol", "rs_strtol", false, "r_STRTOL"),
    other("regexp_replace", "rs_regexp_replace", false, "REGEXP_REPLACE"),
    other("regexp_count", "rs_regexp_count", false, "REGEXP_COUNT"),
    other("fnv_hash", "rs_fnv_hash", false, "r_FNV_HASH"),
    same("to_char", "r_TO_CHAR"),
    other("sha2", "rs_sha2", false, "SHA2"),
    same("pg_backend_pid", "PG_BACKEND_PID"),
    other("version", "rs_version", false, "r_VERSION"),
    other("getdate", "rs_getdate", false, "r_GETDATE"),
    leader("array_to_string", "r_PG_DEFAULT_ACL (its example)"),
    other("has_table_privilege", "rs_has_table_privilege", true, "r_HAS_TABLE_PRIVILEGE"),
    other("has_schema_privilege", "rs_has_schema_privilege", true, "r_HAS_SCHEMA_PRIVILEGE"),
    leader("has_database_privilege", "r_HAS_DATABASE_PRIVILEGE"),
    other("pg_get_userbyid", "rs_userbyid", true, "r_PG_DEFAULT_ACL (its example)"),
    leader("pg_terminate_backend", "PG_TERMINATE_BACKEND"),
    leader("format_type", "awslabs/amazon-redshift-utils v_generate_tbl_ddl.sql"),
    other("pg_get_viewdef", "rs_viewdef", true, "awslabs/amazon-redshift-utils v_generate_view_ddl.sql"),
    leader("textin", "awslabs/amazon-redshift-utils v_generate_user_grant_revoke_ddl.sql"),
    other("pg_get_session_roles", "rs_session_roles", true, "PG_GET_SESSION_ROLES"),
    leader("regprocedureout", "awslabs/amazon-redshift-utils v_generate_user_grant_revoke_ddl.sql"),
];

/// A data type.
#[derive(Debug)]
pub struct Type {
    /// As written on Redshift.
    pub name: &'static str,
    /// PostgreSQL's.
    pub backing: &'static str,
    /// Whether a length or precision may follow.
    pub sized: bool,
    /// Whether the leader node alone knows it.
    pub leader: bool,
    /// What shows it on Redshift.
    pub evidence: &'static str,
}

const fn plain(name: &'static str, backing: &'static str) -> Type {
    Type { name, backing, sized: false, leader: false, evidence: "c_Supported_data_types" }
}

const fn sized(name: &'static str, backing: &'static str) -> Type {
    Type { name, backing, sized: true, leader: false, evidence: "c_Supported_data_types" }
}

/// Types.
pub const TYPES: &[Type] = &[
    plain("smallint", "int2"),
    plain("int2", "int2"),
    plain("integer", "int4"),
    plain("int", "int4"),
    plain("int4", "int4"),
    plain("bigint", "int8"),
    plain("int8", "int8"),
    sized("decimal", "numeric"),
    sized("numeric", "numeric"),
    plain("real", "float4"),
    plain("float4", "float4"),
    plain("double precision", "float8"),
    plain("float8", "float8"),
    plain("float", "float8"),
    plain("boolean", "bool"),
    plain("bool", "bool"),
    sized("char", "char"),
    sized("character", "char"),
    sized("varchar", "varchar"),
    sized("character varying", "varchar"),
    plain("text", "varchar(256)"),
    plain("date", "date"),
    plain("time", "time"),
    plain("timestamp", "timestamp"),
    plain("timestamptz", "timestamptz"),
    Type {
        name: "regprocedure",
        backing: "regprocedure",
        sized: false,
        leader: true,
        evidence: "awslabs/amazon-redshift-utils v_generate_user_grant_revoke_ddl.sql",
    },
];

/// Settings, and what they are called in PostgreSQL.
pub const SETTINGS: &[(&str, &str)] = &[
    ("statement_timeout", "statement_timeout"),
    ("application_name", "application_name"),
    ("search_path", "search_path"),
    ("datestyle", "DateStyle"),
    ("enable_case_sensitive_identifier", "standin.enable_case_sensitive_identifier"),
];

/// Words that a query may hold although PostgreSQL reserves them.
pub const WORDS: &str = "all and as asc between case cast coalesce cross current_date current_user default desc distinct else end \
    except exists false from full group having in inner intersect interval is join left like limit not null nullif offset on or \
    order outer right select session_user substring then true union user using values when where";

/// What PostgreSQL (14 to 18) reserves, wholly or as names of functions, types and columns.
pub const RESERVED: &str = "all analyse analyze and any array as asc asymmetric authorization between bigint binary bit \
    boolean both case cast char character check coalesce collate collation column concurrently constraint create cross \
    current_catalog current_date current_role current_schema current_time current_timestamp current_user dec decimal \
    default deferrable desc distinct do else end except exists extract false fetch float for foreign freeze from full \
    grant greatest group grouping having ilike in initially inner inout int integer intersect interval into is isnull \
    join json json_array json_arrayagg json_exists json_object json_objectagg json_query json_scalar json_serialize \
    json_table json_value lateral leading least left like limit localtime localtimestamp merge_action national natural \
    nchar none normalize not notnull null nullif numeric offset on only or order out outer overlaps overlay placing \
    position precision primary real references returning right row select session_user setof similar smallint some \
    substring symmetric system_user table tablesample then time timestamp to trailing treat trim true union unique \
    user using values varchar variadic verbose when where window with xmlattributes xmlconcat xmlelement xmlexists \
    xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable";
