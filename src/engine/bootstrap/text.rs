//! The SQL texts of an integration. Names in them are plain identifiers ([`super::spec::check_plain`]), since GRANT on
//! procedures takes no quoted names. Functions are named with `pg_catalog`: in a database that others may create in, a
//! function of theirs that fits its arguments better would be given the key.

use secrecy::SecretString;

use super::spec::{ActorKind, ExternalSchema, Spec};
use crate::engine::sql::{Sql, bare, ident, literal, secret, sql};

/// The tables of `<prefix>_system` and `<prefix>_lock`, and the view.
pub(super) const MARKER: &str = "integration";
pub(super) const LOCK: &str = "integration_lock";
pub(super) const PROFILE: &str = "profile";
pub(super) const KEY: &str = "impersonation";
pub(super) const VIEW: &str = "user_profile";
/// Of registrations ([`crate::engine::registration`]), made by the first that needs them.
pub(in crate::engine) const REGISTRATION: &str = "registration";
pub(in crate::engine) const MASK_KEY: &str = "mask_key";
/// Where sessions put in what a new key is made of, for as long as that takes.
pub(super) const DRAWS: &str = "key_draws";

/// A relation of `<prefix>_system`.
pub(super) fn of_system(spec: &Spec, name: &str) -> Sql {
    sql!("{}.{}", bare(&spec.system()), bare(name))
}

/// A relation of `<prefix>_lock`.
pub(super) fn of_lock(spec: &Spec, name: &str) -> Sql {
    sql!("{}.{}", bare(&spec.lock()), bare(name))
}

/// `CREATE DATABASE`, alone and outside a transaction.
pub(super) fn create_database(spec: &Spec) -> Sql {
    sql!("CREATE DATABASE {} WITH ISOLATION LEVEL SNAPSHOT", bare(&spec.database))
}

/// The table whose lock tells a live writer from a dead one. Nobody reads it.
pub(super) fn lock_table(spec: &Spec) -> Sql {
    sql!("CREATE TABLE {} (unused integer) DISTSTYLE ALL", of_lock(spec, LOCK))
}

/// The marker: one row that says what is here and who is at it.
pub(super) fn marker_table(spec: &Spec) -> Sql {
    sql!(
        "CREATE TABLE {} (id varchar(64) NOT NULL, type varchar(32) NOT NULL, mode varchar(16) NOT NULL, status varchar(32) NOT NULL, format integer NOT NULL, generation bigint NOT NULL, run_id varchar(64), config_digest varchar(64) NOT NULL, made varchar(4096) NOT NULL, message varchar(4096), created_at timestamp NOT NULL, updated_at timestamp NOT NULL) DISTSTYLE ALL",
        of_system(spec, MARKER)
    )
}

/// What the governance tool knows of each user. It holds entitlements, never secrets.
pub(super) fn profile_table(spec: &Spec) -> Sql {
    let [userid, groups, attributes, projects, tables] = profile_columns(spec).map(|column| bare(&column));
    sql!(
        "CREATE TABLE {0} ({1} varchar(256) NOT NULL, {2} varchar(65535), {3} varchar(65535), {4} varchar(65535), {5} varchar(65535)) DISTSTYLE ALL SORTKEY ({1})",
        of_system(spec, PROFILE),
        userid,
        groups,
        attributes,
        projects,
        tables
    )
}

/// The columns of the profile, and of the view on it.
pub(super) fn profile_columns(spec: &Spec) -> [String; 5] {
    ["userid", "groups", "attributes", "projects", "tables"].map(|column| format!("{}__{column}", spec.prefix))
}

/// The table of the key that signs claims: one row, which only its owner reads.
pub(super) fn key_table(spec: &Spec) -> Sql {
    sql!("CREATE TABLE {} (impersonation_key varchar(64) NOT NULL) DISTSTYLE ALL", of_system(spec, KEY))
}

/// Some 240 bits of `random()` and the time, as a text. Who reads the statement learns that it was drawn, not what.
pub(in crate::engine) fn draws() -> Sql {
    let draw = sql!("(pg_catalog.random() * 1000000000)::bigint::varchar");
    let all = Sql::join(" || '.' || ", [&draw; 8]);
    sql!("{} || '.' || pg_catalog.to_char(pg_catalog.getdate(), 'YYYYMMDDHH24MISS')", all)
}

/// Makes the table into which several sessions put their draws, each of which the warehouse seeds anew.
pub(super) fn draws_table(spec: &Spec) -> [Sql; 3] {
    let table = of_lock(spec, DRAWS);
    [
        sql!("DROP TABLE IF EXISTS {}", table),
        sql!("CREATE TABLE {} (draw varchar(64) NOT NULL) DISTSTYLE ALL", table),
        sql!("INSERT INTO {} SELECT pg_catalog.sha2({}, 256)", table, draws()),
    ]
}

/// Another session's part.
pub(super) fn draw_again(spec: &Spec) -> Sql {
    sql!("UPDATE {} SET draw = pg_catalog.sha2(draw || {}, 256)", of_lock(spec, DRAWS), draws())
}

/// The new key from all draws and a half of the provider's, which alone is in a text: whoever reads the warehouse's log
/// of statements knows one half, and whoever could guess the warehouse's draws does not know the other.
pub(super) fn new_key(spec: &Spec, half: &SecretString) -> Vec<Sql> {
    let (key, table) = (of_system(spec, KEY), of_lock(spec, DRAWS));
    vec![
        sql!("DELETE FROM {}", key),
        sql!(
            "INSERT INTO {} SELECT pg_catalog.sha2(pg_catalog.max(d.draw) || {} || {}, 256) FROM {} d",
            key,
            secret(half),
            draws(),
            table
        ),
        sql!("DROP TABLE {}", table),
    ]
}

/// The same in a script, which one person runs in one session and which is no secret.
pub(super) fn new_key_by_hand(spec: &Spec) -> Vec<Sql> {
    let key = of_system(spec, KEY);
    vec![
        sql!("DELETE FROM {}", key),
        sql!("INSERT INTO {} SELECT pg_catalog.sha2({} || {}, 256)", key, draws(), draws()),
    ]
}

/// Another key of hashes, which whoever reads the text does not know, as it is drawn on from the one before.
pub(super) fn new_mask_key_by_hand(spec: &Spec) -> Sql {
    sql!("UPDATE {} SET mask_key = pg_catalog.sha2(mask_key || {}, 256)", of_system(spec, MASK_KEY), draws())
}

/// The body of the procedure, as `pg_proc` shows it.
///
/// It signs backend, end, caller and target with a key that only its owner reads. `current_user` is the owner inside of
/// it and `session_user` the caller (AWS: CURRENT_USER, usage notes). A procedure of a member's that runs with its
/// owner's rights would let everybody in, so whoever signed in has to be a member too, or a superuser.
pub(super) fn procedure_body(spec: &Spec) -> Sql {
    let (system, variable, userid) = (of_system(spec, PROFILE), literal(&spec.variable()), profile_columns(spec));
    let member = caller_is_member(spec).map_or_else(
        || sql!(""),
        |caller_is_member| {
            sql!(
                "{}
  IF found_rows = 0 THEN
    SELECT INTO found_rows pg_catalog.count(*) FROM pg_catalog.pg_user u WHERE u.usename = session_user AND (u.usesuper OR u.usename = current_user);
  END IF;
  IF found_rows = 0 THEN
    RAISE EXCEPTION 'user % may not act for others', caller;
  END IF;",
                caller_is_member
            )
        },
    );
    sql!(
        "
DECLARE
  k varchar(64);
  pid varchar(32);
  caller varchar(256);
  claim varchar(1024);
  found_rows integer;
  ignored varchar(2048);
BEGIN
  IF target IS NULL THEN
    SELECT INTO ignored pg_catalog.set_config({0}, '', false);
    RETURN;
  END IF;
  caller := session_user::varchar;{1}
  SELECT INTO found_rows pg_catalog.count(*) FROM {2} WHERE {3} = target;
  IF found_rows <> 1 THEN
    RAISE EXCEPTION 'user % is not known here', target;
  END IF;
  SELECT INTO k impersonation_key FROM {4};
  pid := pg_catalog.pg_backend_pid()::varchar;
  claim := pid || '|' || pg_catalog.to_char(pg_catalog.getdate() + interval '4 hours', 'YYYYMMDDHH24MISS') || '|' || pg_catalog.sha2(caller, 256) || '|' || target;
  SELECT INTO ignored pg_catalog.set_config({0}, pg_catalog.sha2(k || pg_catalog.sha2(k || claim, 256), 256) || '|' || claim, false);
END;
",
        variable,
        member,
        system,
        bare(&userid[0]),
        of_system(spec, KEY)
    )
}

/// Counts whether the caller is a member. What roles a user holds is shown to the user and superusers alone (AWS:
/// SVV_USER_GRANTS), so of a role only the members that are declared can be told.
fn caller_is_member(spec: &Spec) -> Option<Sql> {
    let actors = spec.impersonation.as_ref()?;
    match actors.kind {
        ActorKind::Group => Some(sql!(
            "
  SELECT INTO found_rows pg_catalog.count(*) FROM pg_catalog.pg_user u, pg_catalog.pg_group g WHERE u.usename = session_user AND g.groname = {} AND ',' || pg_catalog.array_to_string(g.grolist, ',') || ',' LIKE '%,' || u.usesysid::varchar || ',%';",
            literal(&actors.name)
        )),
        ActorKind::Role => {
            let members = spec.members.as_ref()?;
            let is_one = members.iter().map(|name| sql!(" OR u.usename = {}", literal(name)));
            Some(sql!(
                "
  SELECT INTO found_rows pg_catalog.count(*) FROM pg_catalog.pg_user u WHERE u.usename = session_user AND (1 = 0{});",
                Sql::join("", is_one)
            ))
        }
    }
}

/// What the procedure's search_path is set to: nothing of anybody's.
pub(super) const SEARCH_PATH: &str = "pg_catalog";

/// The procedure by which a member acts for another user, or with NULL no longer does.
pub(super) fn procedure(spec: &Spec) -> Sql {
    sql!(
        "CREATE OR REPLACE PROCEDURE {}.impersonate_user(target IN varchar(256)) AS {} LANGUAGE plpgsql SECURITY DEFINER SET search_path = {}",
        bare(&spec.procedures()),
        Sql::dollar_quoted(&procedure_body(spec)),
        bare(SEARCH_PATH)
    )
}

/// The view in which each user sees the own row, and with impersonation that of the user acted for: if signature,
/// backend, end and caller of the claim fit. Blanks at the end count (AWS: a comparison of varchar passes over them). `getdate()` keeps answers out of the result cache, which users share.
pub(super) fn view(spec: &Spec) -> Sql {
    let (view, profile) = (of_system(spec, VIEW), of_system(spec, PROFILE));
    let userid = bare(&profile_columns(spec)[0]);
    if spec.impersonation.is_none() {
        return sql!(
            "CREATE OR REPLACE VIEW {0} AS SELECT p.* FROM {1} p WHERE p.{2} = current_user::varchar AND pg_catalog.length(p.{2}) = pg_catalog.length(current_user::varchar) AND pg_catalog.getdate() IS NOT NULL",
            view,
            profile,
            userid
        );
    }
    sql!(
        "CREATE OR REPLACE VIEW {0} AS SELECT p.* FROM {1} p CROSS JOIN (SELECT CASE WHEN pg_catalog.length(c.v) > 65 AND substring(c.v, 1, 64) = pg_catalog.sha2(i.impersonation_key || pg_catalog.sha2(i.impersonation_key || substring(c.v, 66), 256), 256) AND pg_catalog.split_part(c.v, '|', 2) = pg_catalog.pg_backend_pid()::varchar AND pg_catalog.split_part(c.v, '|', 3) > pg_catalog.to_char(pg_catalog.getdate(), 'YYYYMMDDHH24MISS') AND pg_catalog.split_part(c.v, '|', 3) < pg_catalog.to_char(pg_catalog.getdate() + interval '5 hours', 'YYYYMMDDHH24MISS') AND pg_catalog.split_part(c.v, '|', 4) = pg_catalog.sha2(current_user::varchar, 256) THEN substring(c.v, pg_catalog.length(pg_catalog.split_part(c.v, '|', 1)) + pg_catalog.length(pg_catalog.split_part(c.v, '|', 2)) + pg_catalog.length(pg_catalog.split_part(c.v, '|', 3)) + pg_catalog.length(pg_catalog.split_part(c.v, '|', 4)) + 5) ELSE current_user::varchar END AS acting_as FROM (SELECT coalesce(pg_catalog.current_setting({2}, FALSE), '') AS v) c LEFT JOIN {3} i ON 1 = 1) me WHERE p.{4} = me.acting_as AND pg_catalog.length(p.{4}) = pg_catalog.length(me.acting_as)",
        view,
        profile,
        literal(&spec.variable()),
        of_system(spec, KEY),
        userid
    )
}

/// An external schema, alone and outside a transaction.
pub(super) fn external_schema(name: &str, external: &ExternalSchema) -> Sql {
    let region = external.region.as_deref().map_or_else(|| sql!(""), |region| sql!(" REGION {}", literal(region)));
    let role = match external.iam_role.as_str() {
        "default" => sql!("DEFAULT"),
        arn => sql!("{}", literal(arn)),
    };
    sql!(
        "CREATE EXTERNAL SCHEMA {} FROM DATA CATALOG DATABASE {}{} IAM_ROLE {}",
        ident(name),
        literal(&external.database),
        region,
        role
    )
}
