//! What the leader's catalogues say of a user: the branches of one query, each of the columns
//! `what, kind, nsp, obj, acl, routine, owner`.

use crate::engine::sql::{Sql, sql};
use crate::engine::user::inventory::Who;

/// What he owns.
pub(super) fn owned(who: &Who<'_>) -> Vec<Sql> {
    let (routine, kind) = (routine(), routine_kind());
    let no_temporary = sql!(r"n.nspname NOT LIKE 'pg\\_temp\\_%'");
    vec![
        sql!(
            "SELECT 'owns' AS what, 'database' AS kind, '' AS nsp, d.datname::varchar AS obj, '' AS acl, '' AS routine, '' AS owner FROM pg_database d WHERE d.datdba = {}",
            who.id
        ),
        sql!(
            "SELECT 'owns','schema','', n.nspname::varchar, '', '', '' FROM pg_namespace n WHERE n.nspowner = {} AND {}",
            who.id,
            no_temporary
        ),
        sql!(
            "SELECT 'owns', CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'mview' ELSE 'table' END, n.nspname::varchar, c.relname::varchar, '', '', '' FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relowner = {} AND c.relkind IN ('r','v','m') AND {}",
            who.id,
            no_temporary
        ),
        sql!(
            "SELECT 'owns', CASE WHEN p.prosecdef THEN 'definer' ELSE {} END, n.nspname::varchar, {}, '', p.proname::varchar, '' FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.proowner = {}",
            kind,
            routine,
            who.id
        ),
    ]
}

/// Names in lists of rights are looked for by LIKE first; the lists that come back are read here.
pub(super) fn lists(who: &Who<'_>) -> Vec<Sql> {
    let (like, routine, kind) = (who.like(), routine(), routine_kind());
    let (databases, schemas) = (sql!("array_to_string(d.datacl, chr(9))"), sql!("array_to_string(n.nspacl, chr(9))"));
    let (relations, routines) = (sql!("array_to_string(c.relacl, chr(9))"), sql!("array_to_string(p.proacl, chr(9))"));
    let languages = sql!("array_to_string(l.lanacl, chr(9))");
    vec![
        sql!(
            "SELECT 'acl','database','', d.datname::varchar, {0}, '', pg_get_userbyid(d.datdba)::varchar FROM pg_database d WHERE {0} LIKE {1}",
            databases,
            like
        ),
        sql!(
            "SELECT 'acl','schema','', n.nspname::varchar, {0}, '', pg_get_userbyid(n.nspowner)::varchar FROM pg_namespace n WHERE {0} LIKE {1}",
            schemas,
            like
        ),
        sql!(
            "SELECT 'acl','relation', n.nspname::varchar, c.relname::varchar, {0}, '', pg_get_userbyid(c.relowner)::varchar FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {0} LIKE {1}",
            relations,
            like
        ),
        sql!(
            "SELECT 'acl', {0}, n.nspname::varchar, {1}, {2}, p.proname::varchar, pg_get_userbyid(p.proowner)::varchar FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE {2} LIKE {3}",
            kind,
            routine,
            routines,
            like
        ),
        // Languages are the warehouse's own; PostgreSQL 8.0 keeps no owner of them.
        sql!(
            "SELECT 'acl','language','', l.lanname::varchar, {0}, '', 'rdsdb' FROM pg_language l WHERE {0} LIKE {1}",
            languages,
            like
        ),
    ]
}

pub(super) fn defaults(who: &Who<'_>) -> Vec<Sql> {
    let list = sql!("array_to_string(d.defaclacl, chr(9))");
    vec![
        sql!(
            "SELECT 'default by', d.defaclobjtype::varchar, coalesce(n.nspname::varchar,''), '', {}, '', '' FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace WHERE d.defacluser = {}",
            list,
            who.id
        ),
        sql!(
            "SELECT 'default to', d.defaclobjtype::varchar, coalesce(n.nspname::varchar,''), pg_get_userbyid(d.defacluser)::varchar, {0}, '', '' FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace WHERE {0} LIKE {1}",
            list,
            who.like()
        ),
    ]
}

fn routine() -> Sql {
    sql!("textin(regprocedureout(p.oid::regprocedure))::varchar")
}

fn routine_kind() -> Sql {
    sql!("CASE WHEN p.prorettype = 0 THEN 'procedure' ELSE 'function' END")
}
