//! The SQL texts of an integration. Every name in them is a plain identifier ([`super::spec::check_plain`]), since GRANT
//! on procedures takes no quoted names and `$rs_body$` must not be left.

use super::spec::{ExternalSchema, Spec};
use crate::engine::sql::{ident, literal};

/// `CREATE DATABASE`, alone and outside a transaction.
pub(super) fn create_database(spec: &Spec) -> String {
    format!("CREATE DATABASE {} WITH ISOLATION LEVEL SNAPSHOT", spec.database)
}

/// The table whose lock tells a live writer from a dead one. Nobody reads it.
pub(super) fn lock_table(spec: &Spec) -> String {
    format!("CREATE TABLE {}.integration_lock (unused integer) DISTSTYLE ALL", spec.system())
}

/// The marker: one row that says what is here and who is at it.
pub(super) fn marker_table(spec: &Spec) -> String {
    format!(
        "CREATE TABLE {}.integration (id varchar(64) NOT NULL, type varchar(32) NOT NULL, mode varchar(16) NOT NULL, \
         status varchar(32) NOT NULL, format integer NOT NULL, generation bigint NOT NULL, run_id varchar(64), \
         config_digest varchar(64) NOT NULL, made varchar(4096) NOT NULL, message varchar(4096), \
         created_at timestamp NOT NULL, updated_at timestamp NOT NULL) DISTSTYLE ALL",
        spec.system()
    )
}

/// What the governance tool knows of each user. It holds entitlements, never secrets.
pub(super) fn profile_table(spec: &Spec) -> String {
    let p = &spec.prefix;
    format!(
        "CREATE TABLE {}.profile ({p}__userid varchar(256) NOT NULL, {p}__groups varchar(65535), {p}__attributes varchar(65535), \
         {p}__projects varchar(65535), {p}__tables varchar(65535)) DISTSTYLE ALL SORTKEY ({p}__userid)",
        spec.system()
    )
}

/// The columns of the profile, and of the view on it.
pub(super) fn profile_columns(spec: &Spec) -> [String; 5] {
    ["userid", "groups", "attributes", "projects", "tables"].map(|column| format!("{}__{column}", spec.prefix))
}

/// The table of the key that signs claims: one row, which only its owner reads.
pub(super) fn key_table(spec: &Spec) -> String {
    format!("CREATE TABLE {}.impersonation (impersonation_key varchar(64) NOT NULL) DISTSTYLE ALL", spec.system())
}

/// The body of the procedure, as `pg_proc` shows it.
///
/// It signs backend, end, caller and target with a key that only its owner reads. `current_user` is the owner inside of
/// it and `session_user` the caller (AWS: CURRENT_USER, usage notes).
pub(super) fn procedure_body(spec: &Spec) -> String {
    let (p, system, variable) = (&spec.prefix, spec.system(), spec.variable());
    format!(
        "
DECLARE
  k varchar(64);
  claim varchar(1024);
  found_rows integer;
  ignored varchar(2048);
BEGIN
  IF target IS NULL THEN
    SELECT INTO ignored set_config('{variable}', '', false);
    RETURN;
  END IF;
  SELECT INTO found_rows count(*) FROM {system}.profile WHERE {p}__userid = target;
  IF found_rows <> 1 THEN
    RAISE EXCEPTION 'user % is not known here', target;
  END IF;
  SELECT INTO k impersonation_key FROM {system}.impersonation;
  claim := pg_backend_pid()::varchar || '|' || to_char(getdate() + interval '4 hours', 'YYYYMMDDHH24MISS') || '|' || sha2(session_user::varchar, 256) || '|' || target;
  SELECT INTO ignored set_config('{variable}', sha2(k || sha2(k || claim, 256), 256) || '|' || claim, false);
END;
"
    )
}

/// The procedure by which a member acts for another user, or with NULL no longer does.
pub(super) fn procedure(spec: &Spec) -> String {
    format!(
        "CREATE OR REPLACE PROCEDURE {}.impersonate_user(target IN varchar(256)) AS $rs_body${}$rs_body$ LANGUAGE plpgsql \
         SECURITY DEFINER SET search_path = {}",
        spec.procedures(),
        procedure_body(spec),
        spec.system()
    )
}

/// The view in which each user sees the own row, and with impersonation that of the user acted for: if signature,
/// backend, end and caller of the claim fit. `getdate()` keeps answers out of the result cache, which users share.
pub(super) fn view(spec: &Spec) -> String {
    let (p, system) = (&spec.prefix, spec.system());
    if spec.impersonation.is_none() {
        return format!(
            "CREATE OR REPLACE VIEW {system}.user_profile AS SELECT p.* FROM {system}.profile p WHERE p.{p}__userid = current_user \
             AND getdate() IS NOT NULL"
        );
    }
    let variable = spec.variable();
    format!(
        "CREATE OR REPLACE VIEW {system}.user_profile AS SELECT p.* FROM {system}.profile p CROSS JOIN (SELECT CASE \
         WHEN length(c.v) > 65 \
         AND substring(c.v, 1, 64) = sha2(i.impersonation_key || sha2(i.impersonation_key || substring(c.v, 66), 256), 256) \
         AND split_part(c.v, '|', 2) = pg_backend_pid()::varchar \
         AND split_part(c.v, '|', 3) > to_char(getdate(), 'YYYYMMDDHH24MISS') \
         AND split_part(c.v, '|', 4) = sha2(current_user::varchar, 256) \
         THEN substring(c.v, length(split_part(c.v, '|', 1)) + length(split_part(c.v, '|', 2)) + length(split_part(c.v, '|', 3)) \
         + length(split_part(c.v, '|', 4)) + 5) \
         ELSE current_user::varchar END AS acting_as \
         FROM (SELECT coalesce(current_setting('{variable}', FALSE), '') AS v) c \
         LEFT JOIN {system}.impersonation i ON 1 = 1) me WHERE p.{p}__userid = me.acting_as"
    )
}

/// An external schema, alone and outside a transaction.
pub(super) fn external_schema(name: &str, external: &ExternalSchema) -> String {
    let region = external.region.as_deref().map(|region| format!(" REGION {}", literal(region))).unwrap_or_default();
    let role = match external.iam_role.as_str() {
        "default" => "DEFAULT".to_owned(),
        arn => literal(arn).into(),
    };
    format!(
        "CREATE EXTERNAL SCHEMA {} FROM DATA CATALOG DATABASE {}{region} IAM_ROLE {role}",
        ident(name),
        literal(&external.database)
    )
}
