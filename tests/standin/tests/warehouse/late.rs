//! Late-binding views: names are bound when they are read.

use redshift_standin::{SUPERUSER, Standin};

use super::bootstrap::block_on;
use super::*;

/// A schema with a table, and a view on it in another, both of `owner`; `reader` may use the view's schema and read the
/// view, and nothing else.
fn governed(standin: &Standin, prefix: &str) -> (String, String) {
    let (owner, reader) = (format!("{prefix}_owner"), format!("{prefix}_reader"));
    user(standin, &owner);
    user(standin, &reader);
    for sql in [
        format!("CREATE SCHEMA {prefix}_source"),
        format!("CREATE TABLE {prefix}_source.people (id integer, name varchar(20))"),
        format!("INSERT INTO {prefix}_source.people VALUES (1, 'Ada'), (2, 'Grace')"),
        format!("CREATE SCHEMA {prefix}_views AUTHORIZATION {owner}"),
        format!("GRANT USAGE ON SCHEMA {prefix}_source TO {owner}"),
        format!("GRANT SELECT ON {prefix}_source.people TO {owner}"),
        format!("GRANT USAGE ON SCHEMA {prefix}_views TO {reader}"),
    ] {
        ok(standin, &sql);
    }
    for sql in [
        format!(
            "CREATE VIEW {prefix}_views.people AS SELECT t.id, t.name FROM {prefix}_source.people t WITH NO SCHEMA BINDING"
        ),
        format!("GRANT SELECT ON {prefix}_views.people TO {reader}"),
    ] {
        as_user(standin, &owner, &sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
    }
    (owner, reader)
}

#[test]
fn a_reader_needs_usage_on_each_schema_and_the_owner_needs_select() {
    let standin = shared();
    let (owner, reader) = governed(standin, "late_rights");
    let read = || as_user(standin, &reader, "SELECT name FROM late_rights_views.people ORDER BY id");
    let error = refused(read());
    assert_eq!(
        (error.sqlstate.as_str(), error.message.as_str()),
        ("42501", "permission denied for schema late_rights_source")
    );
    ok(standin, &format!("GRANT USAGE ON SCHEMA late_rights_source TO {reader}"));
    assert_eq!(cells(&read().expect("reads")), ["Ada", "Grace"]);
    let error = refused(as_user(standin, &reader, "SELECT name FROM late_rights_source.people"));
    assert_eq!(error.message, "permission denied for relation people");
    ok(standin, &format!("REVOKE SELECT ON late_rights_source.people FROM {owner}"));
    let error = refused(read());
    assert_eq!((error.sqlstate.as_str(), error.message.as_str()), ("42501", "permission denied for relation people"));
    ok(standin, &format!("GRANT SELECT ON late_rights_source.people TO {owner}"));
    ok(standin, &format!("REVOKE SELECT ON late_rights_views.people FROM {reader}"));
    assert_eq!(refused(read()).message, "permission denied for relation people");
    ok(standin, &format!("GRANT SELECT ON late_rights_views.people TO {reader}"));
    ok(standin, &format!("REVOKE USAGE ON SCHEMA late_rights_views FROM {reader}"));
    assert_eq!(refused(read()).message, "permission denied for schema late_rights_views");
}

#[test]
fn a_view_keeps_its_text_and_has_no_columns_of_its_own() {
    let standin = shared();
    ok(standin, "CREATE SCHEMA late_text");
    let text = "Create  View late_text.v\nAS select  name, 'it''s \\\\' as note -- as written\n from quality.checks with no schema binding";
    ok(standin, &format!("{text} ;"));
    let shown = format!("{text};");
    let defined = "SELECT pg_get_viewdef(c.oid), c.relnatts, c.relkind::varchar FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'late_text' AND c.relname = 'v'";
    assert_eq!(cells(&ok(standin, defined)), [format!("{shown}|0|v")]);
    let views = "SELECT definition, viewowner::varchar FROM pg_views WHERE schemaname = 'late_text' AND viewname = 'v'";
    assert_eq!(cells(&ok(standin, views)), [format!("{shown}|awsuser")]);
    assert_eq!(cells(&ok(standin, "SELECT v.note FROM late_text.v")), ["it's \\"]);
    assert_eq!(cells(&ok(standin, "SELECT a.n FROM (SELECT count(*) AS n FROM late_text.v AS x) a")), ["1"]);
    ok(standin, "ALTER TABLE late_text.v RENAME TO w");
    assert_eq!(ok(standin, "SELECT name FROM late_text.w").len(), 1);
    assert_eq!(err(standin, "SELECT name FROM late_text.v").sqlstate, "42P01");
    ok(standin, "DROP VIEW late_text.w");
}

#[test]
fn a_source_may_come_after_the_view_and_go_before_it() {
    let standin = shared();
    ok(standin, "CREATE SCHEMA late_source");
    ok(standin, "CREATE VIEW late_source.v AS SELECT a, b FROM late_source.t WITH NO SCHEMA BINDING");
    let read = "SELECT a, b FROM late_source.v";
    let gone = err(standin, read);
    assert_eq!((gone.sqlstate.as_str(), gone.message.as_str()), ("42P01", "relation \"late_source.t\" does not exist"));
    ok(standin, "CREATE TABLE late_source.t (a integer, b varchar(10))");
    ok(standin, "INSERT INTO late_source.t VALUES (1, 'x')");
    assert_eq!(cells(&ok(standin, read)), ["1|x"]);
    ok(standin, "ALTER TABLE late_source.t ADD COLUMN secret varchar(10)");
    assert_eq!(err(standin, "SELECT secret FROM late_source.v").sqlstate, "42703");
    assert_eq!(ok(standin, "SELECT * FROM late_source.v")[0].len(), 2);
    ok(standin, "ALTER TABLE late_source.t DROP COLUMN b");
    assert_eq!(err(standin, read).sqlstate, "42703");
    ok(standin, "DROP TABLE late_source.t");
    assert_eq!(err(standin, read).sqlstate, "42P01");
    ok(standin, "CREATE TABLE late_source.t (b date, a bigint)");
    assert!(ok(standin, read).is_empty(), "a table of the same name serves, whatever its types");
    let star = "CREATE VIEW late_source.star AS SELECT * FROM late_source.t WITH NO SCHEMA BINDING";
    ok(standin, star);
    ok(standin, "ALTER TABLE late_source.t ADD COLUMN more varchar(10)");
    assert!(ok(standin, "SELECT more FROM late_source.star").is_empty(), "a star is read when it is bound");
}

#[test]
fn names_in_a_view_are_qualified() {
    let standin = shared();
    for from in ["runs", "pg_class"] {
        let error = err(standin, &format!("CREATE VIEW quality.v AS SELECT 1 AS a FROM {from} WITH NO SCHEMA BINDING"));
        assert!(error.message.starts_with("All the relation names inside should be qualified"), "{error}");
    }
}

#[test]
fn functions_are_the_readers() {
    let standin = shared();
    let (owner, reader) = governed(standin, "late_shadow");
    for sql in [
        format!("GRANT USAGE ON SCHEMA late_shadow_source TO {reader}"),
        format!("CREATE SCHEMA late_shadow_mine AUTHORIZATION {reader}"),
    ] {
        ok(standin, &sql);
    }
    for sql in [
        "CREATE VIEW late_shadow_views.bare AS SELECT t.name FROM late_shadow_source.people t WHERE length(t.name) > 3 WITH NO SCHEMA BINDING",
        "CREATE VIEW late_shadow_views.written AS SELECT t.name FROM late_shadow_source.people t WHERE pg_catalog.length(t.name) > 3 WITH NO SCHEMA BINDING",
        "CREATE VIEW late_shadow_views.bound AS SELECT t.name FROM late_shadow_source.people t WHERE length(t.name) > 3",
        "GRANT SELECT ON ALL TABLES IN SCHEMA late_shadow_views TO PUBLIC",
    ] {
        as_user(standin, &owner, sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
    }
    let all = ["bare", "written", "bound"].map(|view| format!("SELECT name FROM late_shadow_views.{view}"));
    let own = "CREATE FUNCTION late_shadow_mine.length(varchar) RETURNS int IMMUTABLE AS $$ SELECT 9 $$ LANGUAGE sql";
    block_on(async {
        let mut session = standin.session(&reader, Some(PASSWORD), "dev").await.expect("opens");
        let steps = [
            (own, [1, 1, 1]),
            // pg_catalog comes first unless it is named.
            ("SET search_path TO late_shadow_mine", [1, 1, 1]),
            ("SET search_path TO late_shadow_mine, pg_catalog", [2, 1, 1]),
        ];
        for (step, expected) in steps {
            session.query(step).await.expect(step);
            for (sql, expected) in all.iter().zip(expected) {
                assert_eq!(session.query(sql).await.expect(sql).rows.len(), expected, "{step}: {sql}");
            }
        }
    });
}

#[test]
fn a_transaction_reads_what_it_made_itself() {
    let standin = shared();
    ok(standin, "CREATE SCHEMA late_work");
    block_on(async {
        let mut one = standin.session(SUPERUSER, None, "dev").await.expect("opens");
        for sql in [
            "BEGIN",
            "CREATE TABLE late_work.t (a integer)",
            "INSERT INTO late_work.t VALUES (7)",
            "CREATE VIEW late_work.v AS SELECT a FROM late_work.t WITH NO SCHEMA BINDING",
            "CREATE VIEW late_work.w AS SELECT v.a FROM late_work.v WITH NO SCHEMA BINDING",
        ] {
            one.query(sql).await.expect(sql);
        }
        let read = "SELECT x.a FROM late_work.w x JOIN late_work.w ON w.a = x.a";
        for _ in 0..2 {
            assert_eq!(cells(&one.query(read).await.expect(read).rows), ["7"]);
        }
        one.query("INSERT INTO late_work.t SELECT a + 1 FROM late_work.w").await.expect("inserts");
        one.query("CREATE TABLE late_work.copy AS SELECT a FROM late_work.w").await.expect("copies");
        one.query("DROP TABLE late_work.t").await.expect("nothing depends on it");
        assert_eq!(refused(one.query(read).await.map(|a| a.rows)).sqlstate, "42P01");
        assert_eq!(refused(one.query(read).await.map(|a| a.rows)).sqlstate, "25P02");
        one.query("ROLLBACK").await.expect("ends");
    });
}

#[test]
fn what_cannot_be_bound_is_refused_and_never_misread() {
    let standin = shared();
    ok(standin, "CREATE SCHEMA late_never");
    ok(standin, "CREATE VIEW late_never.v AS SELECT name FROM quality.checks WITH NO SCHEMA BINDING");
    for sql in [
        "CREATE VIEW late_never.bound AS SELECT name FROM late_never.v",
        "CREATE MATERIALIZED VIEW late_never.copied AS SELECT name FROM late_never.v",
        "SET search_path TO late_never; SELECT name FROM v",
    ] {
        let error = err(standin, sql);
        assert_eq!(error.sqlstate, "0A000", "{sql}: {error}");
    }
    ok(standin, "CREATE VIEW late_never.one AS SELECT a FROM late_never.other WITH NO SCHEMA BINDING");
    ok(standin, "CREATE VIEW late_never.other AS SELECT a FROM late_never.one WITH NO SCHEMA BINDING");
    assert_eq!(err(standin, "SELECT a FROM late_never.one").sqlstate, "42P17");
}

#[test]
fn columns_are_shown_to_who_could_bind_them() {
    let standin = shared();
    let (_, reader) = governed(standin, "late_columns");
    let sql = "SELECT column_name, data_type, character_maximum_length FROM svv_columns WHERE table_schema = 'late_columns_views' ORDER BY ordinal_position";
    assert_eq!(cells(&ok(standin, sql)), ["id|integer|-", "name|character varying|20"]);
    assert!(as_user(standin, &reader, sql).expect("reads").is_empty());
    ok(standin, "DROP TABLE late_columns_source.people");
    assert!(ok(standin, sql).is_empty());
}

#[test]
fn what_a_bound_view_reads_is_not_dropped() {
    let standin = shared();
    for sql in [
        "CREATE SCHEMA late_bound",
        "CREATE TABLE late_bound.t (a integer, b integer)",
        "CREATE VIEW late_bound.v AS SELECT a FROM late_bound.t",
        "CREATE VIEW late_bound.late AS SELECT a FROM late_bound.t WITH NO SCHEMA BINDING",
    ] {
        ok(standin, sql);
    }
    for sql in ["DROP TABLE late_bound.t", "DROP TABLE late_bound.t RESTRICT", "ALTER TABLE late_bound.t DROP COLUMN a"]
    {
        assert_eq!(err(standin, sql).sqlstate, "2BP01", "{sql}");
    }
    ok(standin, "ALTER TABLE late_bound.t DROP COLUMN b");
    ok(standin, "DROP TABLE late_bound.t CASCADE");
    assert_eq!(err(standin, "SELECT a FROM late_bound.v").message, "relation \"late_bound.v\" does not exist");
    assert_eq!(err(standin, "SELECT a FROM late_bound.late").message, "relation \"late_bound.t\" does not exist");
}

#[test]
fn functions_answer_as_their_pages_say() {
    let standin = shared();
    for (sql, expected) in [
        ("SELECT pg_catalog.strpos('dogfish', 'fish'), strpos('dogfish', 'b')", "4|0"),
        ("SELECT pg_catalog.substring('caterpillar', 6, 4), substring('caterpillar', 6)", "pill|pillar"),
        ("SELECT pg_catalog.rtrim('ab  ') || '.', rtrim('baseball', 'al')", "ab.|baseb"),
        ("SELECT pg_catalog.mod(-7, 2), mod(7.5, 2)", "-1|1.5"),
        ("SELECT pg_catalog.trunc(110.278, 1), trunc('2011-07-21 10:32:38'::timestamp)", "110.2|2011-07-21"),
        ("SELECT pg_catalog.abs(-10)", "10"),
        ("SELECT pg_catalog.date_trunc('month', '2008-09-17'::date)", "2008-09-01 00:00:00"),
        ("SELECT pg_catalog.strtol('0xf', 16), strtol('abcd1234', 16), strtol('-110', 2)", "15|2882343476|-6"),
        ("SELECT pg_catalog.strtol(substring(sha2('a', 256), 1, 15), 16)", "912392414677810140"),
        (
            "SELECT fnv_hash(1::smallint), pg_catalog.fnv_hash(1), fnv_hash(1::bigint)",
            "589727492704079044|-5968735742475085980|-8517097267634966620",
        ),
        (
            "SELECT fnv_hash('Amazon Redshift'), fnv_hash('Amazon Redshift', fnv_hash(1))",
            "7783490368944507294|-2202602717770968555",
        ),
        ("SELECT pg_catalog.regexp_replace('the fox', 'FOX', 'quick brown fox', 1, 'i')", "the quick brown fox"),
        (
            "SELECT regexp_replace('a-b-c', '-', '+', 3), regexp_replace('a-b-c', '-'), regexp_replace('a', 'a', '\\\\1')",
            "a-b+c|abc|\\1",
        ),
        (
            "SELECT regexp_replace('plain A1234 a1234', '(?=[^ ]*[a-z])(?=[^ ]*[0-9])[^ ]+', '[hidden]', 1, 'p')",
            "plain A1234 [hidden]",
        ),
        ("SELECT pg_catalog.regexp_count('abcdefghijklmnopqrstuvwxyz', '[a-z]{3}')", "8"),
        ("SELECT regexp_count('the fox', 'FOX', 1, 'i'), regexp_count('the fox', 'FOX')", "1|0"),
        ("SELECT count(*) FROM quality.runs WHERE passed IS TRUE", "1"),
    ] {
        assert_eq!(cells(&ok(standin, sql)), [expected], "{sql}");
    }
    assert_eq!(ok(standin, "SELECT 1 FROM quality.runs WHERE CURRENT_DATE > '2020-01-01'").len(), 2);
    for sql in
        ["SELECT strtol('xyz', 16)", "SELECT regexp_count('a', '(?=a)')", "SELECT regexp_count('a', 'a', 1, 'x')"]
    {
        assert!(standin.sql_blocking("dev", sql).is_err(), "{sql}");
    }
}

#[test]
fn a_truth_is_asked_in_conditions_only() {
    let standin = shared();
    for sql in [
        "SELECT passed IS TRUE FROM quality.runs",
        "SELECT count(CASE WHEN passed IS NOT FALSE THEN 1 END) FROM quality.runs",
    ] {
        assert_eq!(
            (err(standin, sql).sqlstate.as_str(), err(standin, sql).message.as_str()),
            ("0A000", "Not implemented")
        );
    }
    ok(standin, "SELECT run_id IS NULL, (SELECT count(*) FROM quality.runs WHERE passed IS TRUE) FROM quality.runs");
}

#[test]
fn explain_binds_and_does_not_run() {
    let standin = shared();
    let (owner, reader) = governed(standin, "late_explain");
    ok(standin, &format!("GRANT USAGE ON SCHEMA late_explain_source TO {reader}"));
    let explain = || as_user(standin, &reader, "EXPLAIN SELECT * FROM late_explain_views.people");
    assert!(!explain().expect("explains").is_empty());
    ok(standin, &format!("REVOKE SELECT ON late_explain_source.people FROM {owner}"));
    assert_eq!(refused(explain()).sqlstate, "42501");
    ok(standin, "DROP TABLE late_explain_source.people");
    assert_eq!(refused(explain()).sqlstate, "42P01");
    assert_eq!(err(standin, "EXPLAIN DELETE FROM quality.runs").sqlstate, "0A000");
}

#[test]
fn other_databases_are_read_with_the_owners_rights() {
    let standin = start();
    user(&standin, "keeper");
    user(&standin, "guest");
    let people = "SELECT name FROM \"sample\".\"tickit\".\"people\" WHERE person_id = 1";
    assert_eq!(cells(&ok(&standin, people)), ["Mira Olsen"]);
    assert_eq!(refused(as_user(&standin, "keeper", people)).message, "permission denied for schema tickit");
    ok(&standin, "CREATE SCHEMA kept AUTHORIZATION keeper");
    ok(&standin, "GRANT USAGE ON SCHEMA kept TO guest");
    ok_in(&standin, "sample", "GRANT USAGE ON SCHEMA tickit TO keeper");
    let view = "CREATE VIEW kept.sales AS SELECT s.sale_id, s.price, s.sold_at, p.name FROM sample.tickit.sales s JOIN sample.tickit.people p ON p.person_id = s.buyer_id WITH NO SCHEMA BINDING";
    as_user(&standin, "keeper", view).expect("made");
    as_user(&standin, "keeper", "GRANT SELECT ON kept.sales TO guest").expect("granted");
    let read = || as_user(&standin, "guest", "SELECT price, sold_at, name FROM kept.sales WHERE sale_id = 1");
    let error = refused(read());
    assert_eq!((error.sqlstate.as_str(), error.message.as_str()), ("42501", "permission denied for relation people"));
    ok_in(&standin, "sample", "GRANT SELECT ON ALL TABLES IN SCHEMA tickit TO keeper");
    assert_eq!(cells(&read().expect("reads")), ["49.00|2024-05-02 08:15:00|Mira Olsen"]);
    assert!(as_user(&standin, "guest", people).is_err());
    ok(&standin, "CREATE MATERIALIZED VIEW kept.copied AS SELECT name FROM sample.tickit.people");
    let columns = "SELECT column_name FROM svv_columns WHERE table_schema = 'kept' AND table_name = 'sales'";
    assert!(ok(&standin, columns).is_empty());
    assert_eq!(cells(&ok(&standin, "SELECT count(*) FROM dev.quality.runs")), ["2"], "its own database by name");
    ok_in(&standin, "sample", "DROP VIEW tickit.sales_by_event");
    ok_in(&standin, "sample", "DROP TABLE tickit.sales");
    assert_eq!(refused(read()).sqlstate, "42P01");
}

#[test]
fn old_nodes_read_no_other_database() {
    let standin = Standin::start(StandinOptions { old_nodes: true, ..StandinOptions::default() }).expect("starts");
    let refused = |sql: &str| {
        let error = err(&standin, sql);
        assert_eq!(error.sqlstate, "0A000", "{sql}");
        assert_eq!(error.message, "cross-database references are not implemented: \"sample.tickit.people\"");
    };
    ok(&standin, "CREATE VIEW quality.late AS SELECT p.name FROM sample.tickit.people p WITH NO SCHEMA BINDING");
    for sql in
        ["SELECT name FROM sample.tickit.people", "SELECT * FROM quality.late", "EXPLAIN SELECT * FROM quality.late"]
    {
        refused(sql);
    }
}

#[test]
fn not_everything_is_read_across_databases() {
    let standin = start();
    ok_in(&standin, "sample", "CREATE VIEW tickit.late AS SELECT name FROM tickit.people WITH NO SCHEMA BINDING");
    ok_in(&standin, "sample", "GRANT SELECT (name) ON tickit.venues TO analyst");
    for sql in [
        "SELECT * FROM sample.tickit.late",
        "SELECT * FROM sample.tickit.venues",
        "SELECT * FROM sample.pg_catalog.pg_class",
        "CREATE VIEW quality.bound AS SELECT name FROM sample.tickit.people",
        "INSERT INTO sample.tickit.people SELECT 1",
    ] {
        assert_eq!(err(&standin, sql).sqlstate, "0A000", "{sql}");
    }
    assert_eq!(err(&standin, "SELECT * FROM nowhere.tickit.people").sqlstate, "3D000");
    assert_eq!(ok(&standin, "SELECT title FROM sample.tickit.sales_by_event").len(), 2);
}
