//! Procedures: whose rights they have, and what their bodies may hold.

use super::*;

#[test]
fn a_definer_procedure_is_its_owner_for_a_caller() {
    let standin = start();
    user(&standin, "ann");
    for sql in [
        "CREATE SCHEMA who",
        "GRANT USAGE ON SCHEMA who TO PUBLIC",
        "CREATE PROCEDURE who.am_i() AS $$ DECLARE x varchar(99); BEGIN SELECT INTO x set_config('who.am_i', current_user::varchar || ' for ' || session_user::varchar, false); END $$ LANGUAGE plpgsql SECURITY DEFINER",
        "GRANT EXECUTE ON PROCEDURE who.am_i() TO ann",
    ] {
        ok(&standin, sql);
    }
    let both = as_user(&standin, "ann", "CALL who.am_i(); SELECT current_setting('who.am_i')").expect("calls");
    assert_eq!(cells(&both), ["awsuser for ann"]);
}

#[test]
fn procedures_hold_only_what_is_on_the_list() {
    let standin = shared();
    let with = |body: &str| format!("CREATE PROCEDURE public.sp_refused(a varchar) AS $$ {body} $$ LANGUAGE plpgsql");
    for (body, named) in [
        ("BEGIN EXECUTE 'x'; END", "EXECUTE in a procedure's body"),
        ("BEGIN INSERT INTO t VALUES (1); END", "INSERT in a procedure's body"),
        ("BEGIN PERFORM 1; END", "PERFORM in a procedure's body"),
        ("BEGIN RETURN 1; END", "; is missing"),
        ("BEGIN NULL; EXCEPTION WHEN OTHERS THEN NULL; END", "EXCEPTION in a procedure's body"),
        ("BEGIN COMMIT; END", "COMMIT in a procedure's body"),
        ("BEGIN FOR i IN 1..2 LOOP NULL; END LOOP; END", "FOR in a procedure's body"),
        ("BEGIN RAISE NOTICE 'x'; END", "RAISE of another level"),
        ("BEGIN RAISE EXCEPTION '%', upper(a); END", "; is missing"),
        ("DECLARE r record; BEGIN NULL; END", "this declaration"),
        ("BEGIN IF to_regclass(a) IS NULL THEN NULL; END IF; END", "function to_regclass"),
        ("DECLARE x int; BEGIN SELECT 1 INTO x; END", "does not begin SELECT INTO"),
        ("DECLARE x int; BEGIN x := (SELECT count(*) FROM pg_roles); END", "relation pg_roles"),
        ("SELECT 1", "no block"),
    ] {
        let error = err(standin, &with(body));
        assert!(
            error.message.contains(named) && ["0A000", "42601"].contains(&error.sqlstate.as_str()),
            "{body}: {error}"
        );
    }
    for (sql, code) in [
        ("CREATE PROCEDURE public.sp_refused(OUT a int) AS $$ BEGIN NULL; END $$ LANGUAGE plpgsql", "0A000"),
        (
            "CREATE PROCEDURE public.sp_refused() AS $$ BEGIN NULL; END $$ LANGUAGE plpgsql SET statement_timeout = 1",
            "0A000",
        ),
        ("SET a.b.c TO 'x'", "0A000"),
        ("SET plain TO 'x'", "0A000"),
        ("SELECT set_config('a.b.c', 'x', false)", "0A000"),
        ("SELECT set_config('work_mem', '1MB', false)", "0A000"),
        ("SELECT current_setting('search_path', FALSE)", "42601"),
        ("SELECT a.owner FROM finance.accounts a LEFT JOIN finance.invoices i ON TRUE", "0A000"),
        ("GRANT EXECUTE ON PROCEDURE \"public\".\"sp\"(varchar) TO GROUP analysts", "42601"),
        ("CALL pg_catalog.rs_lock()", "42883"),
    ] {
        assert_eq!(err(standin, sql).sqlstate, code, "{sql}");
    }
}

#[test]
fn a_construct_taken_out_is_missed() {
    let without = vec!["plpgsql:if".to_owned(), "plpgsql:return".to_owned()];
    let standin = Standin::start(StandinOptions { without, ..Default::default() }).expect("starts");
    for body in ["BEGIN IF true THEN NULL; END IF; END", "BEGIN RETURN; END"] {
        let error = err(&standin, &format!("CREATE PROCEDURE public.sp() AS $$ {body} $$ LANGUAGE plpgsql"));
        assert_eq!(error.sqlstate, "0A000", "{body}");
    }
}

#[test]
fn a_view_is_replaced_by_the_same_columns_only() {
    let standin = start();
    ok(&standin, "CREATE VIEW public.v AS SELECT run_id, passed FROM quality.runs");
    ok(&standin, "CREATE OR REPLACE VIEW public.v AS SELECT run_id, NOT passed AS passed FROM quality.runs");
    for columns in ["run_id, passed, measured", "run_id", "passed, run_id"] {
        let error = err(&standin, &format!("CREATE OR REPLACE VIEW public.v AS SELECT {columns} FROM quality.runs"));
        assert_eq!(error.sqlstate, "42P16", "{columns}");
    }
}

#[test]
fn a_function_names_its_arguments_by_their_place() {
    let standin = start();
    for body in ["$b$ SELECT $1 + $2 $b$", "$$ select $1 + $2 $$"] {
        ok(
            &standin,
            &format!(
                "CREATE OR REPLACE FUNCTION public.f_sum(integer, integer) RETURNS integer IMMUTABLE AS {body} LANGUAGE SQL"
            ),
        );
    }
    assert_eq!(err(&standin, "SELECT $1").sqlstate, "42601", "an argument has a meaning in a body only");
}
