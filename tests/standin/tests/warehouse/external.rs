//! External tables: rows in S3, one right on their schema, and what may be built on them.

use redshift_standin::{Fault, SUPERUSER, Switch};
use serde_json::json;

use super::bootstrap::block_on;
use super::stalls::outside;
use super::*;

const SCHEMA: &str = "FROM DATA CATALOG DATABASE 'raw' IAM_ROLE 'arn:aws:iam::123456789012:role/lake'";

/// The schema `lake` with the tables `people` and `sales`, of which the rows of `people` are there.
fn with_lake(standin: &Standin) {
    ok(standin, &format!("CREATE EXTERNAL SCHEMA lake {SCHEMA}"));
    ok(
        standin,
        "CREATE EXTERNAL TABLE lake.people (id integer, name varchar(5), born date) PARTITIONED BY (country char(2)) STORED AS PARQUET LOCATION 's3://bucket/people/'",
    );
    ok(
        standin,
        "CREATE EXTERNAL TABLE lake.sales (id bigint, price decimal(8,2)) ROW FORMAT DELIMITED FIELDS TERMINATED BY '|' STORED AS TEXTFILE LOCATION 's3://bucket/sales/'",
    );
    let rows = json!([
        {"id": 1, "name": "Ada", "born": "1815-12-10", "country": "GB"},
        {"id": 2, "name": "Charles", "country": "GB"},
    ]);
    standin.put_files("s3://bucket/people/", &rows).expect("is put");
}

fn lake() -> Standin {
    let standin = start();
    with_lake(&standin);
    standin
}

fn code(error: &ServerError) -> (&str, &str) {
    (&error.sqlstate, &error.message)
}

const READ: &str = "SELECT id, name, born, country FROM lake.people ORDER BY id";

#[test]
fn rows_are_read_from_where_they_are() {
    let standin = lake();
    assert_eq!(cells(&ok(&standin, READ)), ["1|Ada|1815-12-10|GB", "2|Charl|-|GB"], "and cut to size");
    assert!(ok(&standin, "SELECT id FROM lake.sales").is_empty(), "there is nothing yet");
    standin
        .put_files("s3://bucket/sales/2024/", &json!([{"id": 1, "price": "49.5"}, {"id": 2, "price": 7}]))
        .expect("put");
    let joined = "SELECT people.name, s.price FROM lake.people JOIN lake.sales s ON s.id = people.id ORDER BY s.price";
    assert_eq!(cells(&ok(&standin, joined)), ["Charl|7.00", "Ada|49.50"]);
    assert_eq!(cells(&ok(&standin, "SELECT count(*) FROM dev.lake.people p, lake.people q")), ["4"]);
    ok(&standin, "CREATE TABLE quality.copy AS SELECT id, name FROM lake.people");
    ok(&standin, "INSERT INTO quality.copy SELECT id + 10, name FROM lake.people");
    assert_eq!(cells(&ok(&standin, "SELECT count(*) FROM quality.copy")), ["4"]);
    assert!(!ok(&standin, "EXPLAIN SELECT * FROM lake.people").is_empty());
    standin.put_files("s3://bucket/people/", &json!([])).expect("put");
    assert!(ok(&standin, READ).is_empty());
    assert!(standin.put_files("people", &json!([])).is_err() && standin.put_files("s3://b/", &json!({})).is_err());
    // A search_path does not find them.
    assert_eq!(err(&standin, "SET search_path TO lake; SELECT id FROM people").sqlstate, "42P01");
    // Another schema of the same external database shows the same tables.
    ok(&standin, &format!("CREATE EXTERNAL SCHEMA lagoon {SCHEMA}"));
    assert!(ok(&standin, "SELECT a.id FROM lagoon.people a JOIN lake.people b ON b.id = a.id").is_empty());
    assert_eq!(err(&standin, "SELECT id FROM lake.nothing").sqlstate, "42P01");
    assert_eq!(refused(standin.sql_blocking("sample", "SELECT id FROM dev.lake.people")).sqlstate, "0A000");
    // So does one in another database, whoever makes a table.
    let in_sample = |sql: &str| standin.sql_blocking("sample", sql).expect("runs");
    in_sample(&format!("CREATE EXTERNAL SCHEMA bay {SCHEMA}"));
    assert!(in_sample("SELECT a.id FROM bay.people a").is_empty());
    in_sample("CREATE EXTERNAL TABLE bay.boats (id int) STORED AS PARQUET LOCATION 's3://bucket/boats/'");
    assert!(ok(&standin, "SELECT b.id FROM lake.boats b").is_empty());
    ok(&standin, "DROP TABLE lake.boats");
    assert_eq!(refused(standin.sql_blocking("sample", "SELECT b.id FROM bay.boats b")).sqlstate, "42P01");
}

#[test]
fn they_are_made_and_dropped_alone_by_the_schemas_owner() {
    let standin = lake();
    user(&standin, "keeper");
    let create = "CREATE EXTERNAL TABLE lake.more (a int) STORED AS PARQUET LOCATION 's3://bucket/more/'";
    let before = block_on(standin.dump("dev")).expect("dumps");
    block_on(async {
        let mut admin = standin.session(SUPERUSER, None, "dev").await.expect("opens");
        for sql in [create, "DROP TABLE lake.people", "DROP TABLE IF EXISTS lake.nothing"] {
            admin.query("BEGIN").await.expect("begins");
            let error = refused(admin.query(sql).await.map(|a| a.rows));
            assert_eq!(error.sqlstate, "25001", "{sql}: {error}");
            admin.query("ROLLBACK").await.expect("ends");
        }
        assert_eq!(refused(admin.query(&format!("SELECT 1; {create}")).await.map(|a| a.rows)).sqlstate, "25001");
    });
    ok(&standin, "GRANT USAGE ON SCHEMA lake TO keeper");
    for sql in [create, "DROP TABLE lake.people"] {
        assert_eq!(code(&refused(as_user(&standin, "keeper", sql))), ("42501", "permission denied for schema lake"));
    }
    ok(&standin, "ALTER SCHEMA lake OWNER TO keeper");
    as_user(&standin, "keeper", create).expect("as its owner");
    assert_eq!(err(&standin, create).sqlstate, "42P07");
    assert!(block_on(standin.dump("dev")).expect("dumps").contains("external table lake.more at s3://bucket/more/"));
    as_user(&standin, "keeper", "DROP TABLE lake.more").expect("as its owner");
    assert_eq!(err(&standin, "DROP TABLE lake.more").sqlstate, "42P01");
    ok(&standin, "DROP TABLE IF EXISTS lake.more");
    ok(&standin, "ALTER SCHEMA lake OWNER TO awsuser");
    ok(&standin, "REVOKE USAGE ON SCHEMA lake FROM keeper");
    assert_eq!(block_on(standin.dump("dev")).expect("dumps"), before);
    for (sql, state) in [
        ("CREATE EXTERNAL TABLE quality.t (a int) STORED AS PARQUET LOCATION 's3://bucket/t/'", "0A000"),
        ("CREATE EXTERNAL TABLE nowhere.t (a int) STORED AS PARQUET LOCATION 's3://bucket/t/'", "3F000"),
        ("CREATE EXTERNAL TABLE t (a int) STORED AS PARQUET LOCATION 's3://bucket/t/'", "0A000"),
        (
            "CREATE EXTERNAL TABLE lake.t (a int) PARTITIONED BY (a int) STORED AS ORC LOCATION 's3://bucket/t/'",
            "42701",
        ),
        ("DROP TABLE lake.people, quality.runs", "0A000"),
    ] {
        assert_eq!(err(&standin, sql).sqlstate, state, "{sql}");
    }
}

#[test]
fn nothing_else_is_done_to_them_or_in_their_schema() {
    let standin = lake();
    for sql in [
        "INSERT INTO lake.people VALUES (3, 'x', NULL, 'DE')",
        "INSERT INTO lake.people SELECT * FROM lake.people",
        "UPDATE lake.people SET id = 3",
        "DELETE FROM lake.people",
        "GRANT SELECT ON TABLE lake.people TO analyst",
        "GRANT SELECT ON quality.runs, lake.people TO analyst",
        "GRANT SELECT (id) ON lake.people TO analyst",
        "REVOKE ALL ON lake.people FROM analyst",
        "ALTER TABLE lake.people RENAME TO persons",
        "ALTER TABLE lake.people OWNER TO analyst",
        "ALTER TABLE lake.people ADD COLUMN a int",
        "LOCK lake.people",
    ] {
        assert_eq!(code(&err(&standin, sql)), ("0A000", "Operation not supported on external tables"), "{sql}");
    }
    for sql in [
        "CREATE TABLE lake.t (a int)",
        "CREATE TABLE lake.t AS SELECT 1 AS a",
        "CREATE VIEW lake.v AS SELECT 1 AS a",
        "CREATE VIEW lake.v AS SELECT id FROM lake.people WITH NO SCHEMA BINDING",
        "CREATE MATERIALIZED VIEW lake.m AS SELECT id FROM lake.people",
    ] {
        let expected = ("0A000", "Operations on local objects in external schema are not enabled.");
        assert_eq!(code(&err(&standin, sql)), expected, "{sql}");
    }
    assert_eq!(err(&standin, "GRANT SELECT ON ALL TABLES IN SCHEMA lake TO analyst").sqlstate, "0A000");
    assert!(standin.sql_blocking("dev", "SELECT has_table_privilege('lake.people', 'select')").is_err());
    ok(&standin, "CREATE TABLE quality.still (a int)");
    ok(&standin, "GRANT SELECT ON quality.still TO analyst");
}

#[test]
fn usage_is_the_right_and_temp_is_needed() {
    let standin = lake();
    user(&standin, "ann");
    let read = || as_user(&standin, "ann", READ);
    let listed = || {
        let views =
            "SELECT count(*) FROM svv_external_tables t JOIN svv_external_columns c ON c.tablename = t.tablename";
        cells(&as_user(&standin, "ann", views).expect("reads")).concat()
    };
    assert_eq!(code(&refused(read())), ("42501", "permission denied for schema lake"));
    assert_eq!(listed(), "0");
    ok(&standin, "GRANT USAGE ON SCHEMA lake TO ann");
    assert_eq!(read().expect("reads").len(), 2);
    assert_eq!(listed(), "6");
    ok(&standin, "REVOKE TEMP ON DATABASE dev FROM PUBLIC");
    let denied = ("42501", "permission denied to create temporary tables in database \"dev\"");
    assert_eq!(code(&refused(read())), denied);
    assert_eq!(ok(&standin, READ).len(), 2, "a superuser needs nothing");
    ok(&standin, "GRANT TEMP ON DATABASE dev TO ann");
    assert_eq!(read().expect("reads").len(), 2);
}

#[test]
fn they_are_in_views_of_their_own_and_not_in_the_catalogue() {
    let standin = lake();
    for sql in [
        "SELECT relname FROM pg_class WHERE relname IN ('people', 'sales')",
        "SELECT a.attname FROM pg_attribute a WHERE a.attname = 'country'",
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'lake'",
        "SELECT relation_name FROM svv_relation_privileges WHERE namespace_name = 'lake'",
    ] {
        assert!(ok(&standin, sql).is_empty(), "{sql}");
    }
    let tables = "SELECT redshift_database_name, schemaname, tablename, location, compressed FROM svv_external_tables ORDER BY tablename";
    assert_eq!(
        cells(&ok(&standin, tables)),
        ["dev|lake|people|s3://bucket/people/|0", "dev|lake|sales|s3://bucket/sales/|0"]
    );
    let columns = "SELECT tablename, columnname, external_type, columnnum, part_key FROM svv_external_columns WHERE schemaname = 'lake' ORDER BY tablename, columnnum";
    assert_eq!(
        cells(&ok(&standin, columns)),
        [
            "people|id|int|1|0",
            "people|name|varchar(5)|2|0",
            "people|born|date|3|0",
            "people|country|char(2)|4|1",
            "sales|id|bigint|1|0",
            "sales|price|decimal(8,2)|2|0",
        ]
    );
    let both = "SELECT t.table_type, c.column_name, c.data_type FROM svv_tables t JOIN svv_columns c ON c.table_schema = t.table_schema AND c.table_name = t.table_name WHERE t.table_schema = 'lake' AND c.ordinal_position = 2 ORDER BY t.table_name";
    assert_eq!(cells(&ok(&standin, both)), ["EXTERNAL TABLE|name|varchar(5)", "EXTERNAL TABLE|price|decimal(8,2)"]);
    ok(
        &standin,
        "CREATE EXTERNAL TABLE lake.hive (a string, b tinyint, c array<int>) STORED AS PARQUET LOCATION 's3://bucket/hive/'",
    );
    let hive = "SELECT external_type FROM svv_external_columns WHERE tablename = 'hive' ORDER BY columnnum";
    assert_eq!(cells(&ok(&standin, hive)), ["string", "tinyint", "array<int>"]);
    ok(&standin, "DROP TABLE lake.hive");
    // What lies behind an external schema breaks by itself: a fault on the text of what asks for it.
    standin.fault(Fault::error("schemaname = 'lake'", "XX000", "the external catalog cannot be reached"));
    block_on(async {
        let mut client = outside(&standin).await;
        assert_eq!(client.query(tables).await.expect("asks of no schema").rows.len(), 2);
        assert_eq!(refused(client.query(columns).await.map(|a| a.rows)).sqlstate, "XX000");
        assert_eq!(client.query(columns).await.expect("is back").rows.len(), 6);
    });
    ok(&standin, "DROP SCHEMA lake");
    assert!(ok(&standin, tables).is_empty());
}

#[test]
fn views_bind_late_and_their_readers_need_usage() {
    let read = "SELECT name FROM quality.people";
    let made = |standin: &Standin| {
        with_lake(standin);
        for name in ["owner_of_views", "reader"] {
            user(standin, name);
        }
        ok(standin, "GRANT CREATE, USAGE ON SCHEMA quality TO owner_of_views");
        ok(standin, "GRANT USAGE ON SCHEMA quality TO reader");
        let bound = "CREATE VIEW quality.people AS SELECT p.name FROM lake.people p WHERE p.id = 1";
        let error = err(standin, bound);
        assert_eq!(code(&error), ("0A000", "External tables are not supported in views"));
        as_user(standin, "owner_of_views", &format!("{bound} WITH NO SCHEMA BINDING"))
            .expect("before there is a right");
        as_user(standin, "owner_of_views", "GRANT SELECT ON quality.people TO reader").expect("grants");
    };
    let denied = ("42501", "permission denied for schema lake");

    let standin = start();
    made(&standin);
    ok(&standin, "GRANT USAGE ON SCHEMA lake TO reader");
    assert_eq!(code(&refused(as_user(&standin, "reader", read))), denied, "its owner has none");
    ok(&standin, "GRANT USAGE ON SCHEMA lake TO owner_of_views");
    assert_eq!(cells(&as_user(&standin, "reader", read).expect("reads")), ["Ada"]);
    let columns =
        "SELECT column_name, data_type FROM svv_columns WHERE table_schema = 'quality' AND table_name = 'people'";
    assert_eq!(cells(&as_user(&standin, "reader", columns).expect("reads")), ["name|character varying"]);
    ok(&standin, "REVOKE USAGE ON SCHEMA lake FROM reader");
    assert_eq!(code(&refused(as_user(&standin, "reader", read))), denied);
    assert_eq!(cells(&as_user(&standin, "owner_of_views", read).expect("reads")), ["Ada"]);
    ok(&standin, "DROP TABLE lake.people");
    assert_eq!(refused(as_user(&standin, "owner_of_views", read)).sqlstate, "42P01");

    let options = StandinOptions { switches: vec![Switch::ExternalViewsByOwner], ..StandinOptions::default() };
    let other = Standin::start(options).expect("a stand-in starts");
    made(&other);
    assert_eq!(code(&refused(as_user(&other, "reader", read))), denied, "its owner has none");
    ok(&other, "GRANT USAGE ON SCHEMA lake TO owner_of_views");
    assert_eq!(cells(&as_user(&other, "reader", read).expect("reads")), ["Ada"]);
    assert_eq!(code(&refused(as_user(&other, "reader", READ))), denied);
}

#[test]
fn materialized_views_copy_them_when_they_are_made_and_refreshed() {
    let standin = lake();
    for name in ["maker", "reader"] {
        user(&standin, name);
    }
    ok(&standin, "GRANT CREATE, USAGE ON SCHEMA quality TO maker");
    ok(&standin, "GRANT USAGE ON SCHEMA quality TO reader");
    let as_maker = |sql: &str| as_user(&standin, "maker", sql);
    let create = |more: &str| {
        format!("CREATE MATERIALIZED VIEW quality.people {more} AS SELECT p.id, p.name FROM lake.people p")
    };
    let no = create("BACKUP NO DISTSTYLE KEY DISTKEY (id) SORTKEY (id) AUTO REFRESH NO");
    assert_eq!(code(&refused(as_maker(&no))), ("42501", "permission denied for schema lake"));
    ok(&standin, "GRANT USAGE ON SCHEMA lake TO maker");
    assert_eq!(refused(as_maker(&create("AUTO REFRESH YES"))).sqlstate, "0A000");
    as_maker(&no).expect("is made");
    as_maker("CREATE VIEW quality.late AS SELECT m.name FROM quality.people m WITH NO SCHEMA BINDING")
        .expect("is made");
    as_maker("CREATE VIEW quality.bound AS SELECT m.name FROM quality.people m").expect("is made");
    as_maker("GRANT SELECT ON quality.late, quality.bound TO reader").expect("grants");
    let seen = || {
        ["late", "bound"].map(|view| {
            let sql = format!("SELECT count(*) FROM quality.{view}");
            cells(&as_user(&standin, "reader", &sql).expect("reads")).concat()
        })
    };
    assert_eq!(seen(), ["2", "2"], "who reads needs nothing of the external schema");
    standin.put_files("s3://bucket/people/", &json!([{"id": 7, "name": "Mary"}])).expect("put");
    assert_eq!(seen(), ["2", "2"]);
    let refresh = "REFRESH MATERIALIZED VIEW quality.people";
    for name in ["reader", SUPERUSER] {
        let error = match name {
            SUPERUSER => err(&standin, refresh),
            _ => refused(as_user(&standin, name, refresh)),
        };
        assert_eq!(code(&error), ("42501", "must be owner of relation people"), "{name}");
    }
    as_maker(refresh).expect("is refreshed");
    assert_eq!(seen(), ["1", "1"]);
    ok(&standin, "REVOKE USAGE ON SCHEMA lake FROM maker");
    assert_eq!(code(&refused(as_maker(refresh))), ("42501", "permission denied for schema lake"));
    assert_eq!(seen(), ["1", "1"]);
    assert_eq!(err(&standin, "REFRESH MATERIALIZED VIEW quality.runs").sqlstate, "42809");
    assert_eq!(err(&standin, "REFRESH MATERIALIZED VIEW quality.nothing").sqlstate, "42P01");
    let text =
        cells(&ok(&standin, "SELECT definition FROM pg_views WHERE schemaname = 'quality' AND viewname = 'people'"));
    assert_eq!(text, [format!("{no};")]);

    // Of local tables, and of those of another database.
    ok(
        &standin,
        "CREATE MATERIALIZED VIEW quality.checked AS SELECT name, length(name) AS letters FROM quality.checks",
    );
    ok(&standin, "CREATE MATERIALIZED VIEW quality.abroad AS SELECT name FROM sample.tickit.people");
    ok(&standin, "INSERT INTO quality.checks (check_id, name) VALUES (9, 'new')");
    ok(&standin, "DELETE FROM quality.checks WHERE check_id = 1");
    standin.sql_blocking("sample", "INSERT INTO tickit.people VALUES (9, 'Nina', 'Oslo', NULL)").expect("inserts");
    ok(&standin, "REFRESH MATERIALIZED VIEW quality.checked; REFRESH MATERIALIZED VIEW quality.abroad");
    assert_eq!(cells(&ok(&standin, "SELECT name, letters FROM quality.checked")), ["new|3"]);
    assert_eq!(cells(&ok(&standin, "SELECT count(*) FROM quality.abroad")), ["4"]);
}

#[test]
fn what_outlives_a_statement_does_not_read_them() {
    let standin = lake();
    for sql in [
        "CREATE FUNCTION quality.f() RETURNS bigint STABLE AS $$ SELECT count(*) FROM lake.people $$ LANGUAGE sql",
        "CREATE PROCEDURE quality.p() AS $$ DECLARE n int; BEGIN SELECT INTO n count(*) FROM lake.people; END $$ LANGUAGE plpgsql",
    ] {
        assert_eq!(err(&standin, sql).sqlstate, "0A000", "{sql}");
    }
    ok(&standin, "CREATE VIEW quality.one AS SELECT p.id FROM lake.people p WITH NO SCHEMA BINDING");
    ok(&standin, "CREATE VIEW quality.two AS SELECT o.id FROM quality.one o WITH NO SCHEMA BINDING");
    assert_eq!(cells(&ok(&standin, "SELECT count(*) FROM quality.two t JOIN lake.people p ON p.id = t.id")), ["2"]);
    assert_eq!(err(&standin, "CREATE MATERIALIZED VIEW quality.m AS SELECT id FROM quality.one").sqlstate, "0A000");
    block_on(async {
        let mut one = standin.session(SUPERUSER, None, "dev").await.expect("opens");
        one.query("BEGIN").await.expect("begins");
        for _ in 0..2 {
            assert_eq!(one.query("SELECT id FROM quality.two").await.expect("reads").rows.len(), 2);
            assert_eq!(one.query(READ).await.expect("reads").rows.len(), 2);
        }
        one.query("ROLLBACK").await.expect("ends");
    });
}

#[test]
fn names_and_values_may_be_odd_and_rows_many() {
    let standin = lake();
    let long = "a_name_that_is_longer_than_postgresql_keeps_".repeat(2);
    ok(
        &standin,
        &format!(
            "CREATE EXTERNAL TABLE lake.{long} (\"it's \"\"odd\"\"\" varchar(40), {long}_c integer) STORED AS ORC LOCATION 's3://bucket/odd'"
        ),
    );
    let value = "O'Hara \\ \"ß\" ; --";
    let rows: Vec<_> =
        (0..5000).map(|at| json!({"it's \"odd\"": value, format!("{long}_c"): at, "more": true})).collect();
    standin.put_files("s3://bucket/odd/", &json!(rows)).expect("is put");
    let view = format!(
        "CREATE VIEW quality.odd AS SELECT * FROM lake.{long} o WHERE o.{long}_c >= 4999 WITH NO SCHEMA BINDING"
    );
    ok(&standin, &view);
    assert_eq!(cells(&ok(&standin, "SELECT * FROM quality.odd")), [format!("{value}|4999")]);
    let columns =
        format!("SELECT tablename, columnname FROM svv_external_columns WHERE tablename = '{long}' AND columnnum = 2");
    assert_eq!(cells(&ok(&standin, &columns)), [format!("{long}|{long}_c")]);
    ok(&standin, &format!("UPDATE quality.runs SET check_id = (SELECT max(o.{long}_c) FROM lake.{long} o)"));
    assert_eq!(cells(&ok(&standin, "SELECT DISTINCT check_id FROM quality.runs")), ["4999"]);
    ok(&standin, &format!("DELETE FROM quality.runs WHERE check_id IN (SELECT o.{long}_c FROM lake.{long} o)"));
    assert!(ok(&standin, "SELECT check_id FROM quality.runs").is_empty());
    ok(&standin, &format!("DROP TABLE lake.{long}"));
}
