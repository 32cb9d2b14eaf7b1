//! Names: long, folded, odd and hostile.

use super::*;

#[test]
fn names_of_127_bytes_live_and_come_back() {
    let standin = start();
    let plain = format!("n{}", "x".repeat(126));
    let odd = format!("Ö\"{}", "y".repeat(124));
    assert_eq!((plain.len(), odd.len()), (127, 127));
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    for name in [&plain, &odd] {
        let q = quoted(name);
        ok(&standin, &format!("CREATE USER {q} PASSWORD '{PASSWORD}'"));
        ok(
            &standin,
            &format!(
                "CREATE ROLE {}",
                quoted(&format!("r{}", &name[..name.len() - 1]).to_lowercase().replace('"', ""))
            ),
        );
        ok(&standin, &format!("CREATE SCHEMA {q}"));
        ok(&standin, &format!("CREATE TABLE {q}.{q} ({q} int)"));
        ok(&standin, &format!("GRANT SELECT ON {q}.{q} TO {q}"));
        ok(&standin, &format!("GRANT USAGE ON SCHEMA {q} TO {q}"));
        as_user(&standin, name, &format!("SELECT {q} FROM {q}.{q}")).expect("reads");
        assert_eq!(
            as_user(&standin, name, "SELECT current_user").expect("knows himself")[0][0].as_deref(),
            Some(name.as_str())
        );
        // Schemas, tables and columns fold their ASCII letters, users do not.
        let object = name.to_ascii_lowercase();
        let text = object.replace('\'', "''");
        let rows = ok(
            &standin,
            &format!(
                "SELECT n.nspname, c.relname, array_to_string(c.relacl, chr(9)) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = '{text}'"
            ),
        );
        assert_eq!(rows[0][0].as_deref(), Some(object.as_str()));
        assert_eq!(rows[0][1].as_deref(), Some(object.as_str()));
        let shown = if name == &plain { name.clone() } else { q.clone() };
        assert!(rows[0][2].as_deref().is_some_and(|acl| acl.contains(&format!("{shown}=r/awsuser"))), "{rows:?}");
        let missing = err(&standin, &format!("SELECT * FROM {q}.missing"));
        assert!(missing.message.contains(&object), "{}", missing.message);
        assert_eq!(super::catalog::blockers(&standin, "dev", name).len(), 2);
        ok(&standin, &format!("DROP SCHEMA {q} CASCADE"));
        ok(&standin, &format!("DROP USER {q}"));
    }
    assert_eq!(err(&standin, &format!("CREATE SCHEMA \"{}\"", "z".repeat(128))).sqlstate, "42622");
}

#[test]
fn quoted_names_fold_users_do_not() {
    let standin = start();
    ok(&standin, "CREATE SCHEMA \"MiXed\"");
    ok(&standin, "CREATE TABLE \"MIXED\".\"T\" (\"A\" int)");
    ok(&standin, "SELECT a FROM mixed.t");
    assert_eq!(cells(&ok(&standin, "SELECT nspname FROM pg_namespace WHERE nspname = 'mixed'")), ["mixed"]);
    ok(&standin, &format!("CREATE USER \"Ann\" PASSWORD '{PASSWORD}'"));
    ok(&standin, "CREATE USER ann PASSWORD DISABLE");
    as_user(&standin, "Ann", "SELECT 1").expect("the one with a password");
    assert_eq!(refused(as_user(&standin, "ann", "SELECT 1")).sqlstate, "28000");
    ok(&standin, "CREATE SCHEMA \"ÄÖ\"");
    assert_eq!(cells(&ok(&standin, "SELECT nspname FROM pg_namespace WHERE nspname = 'ÄÖ'")), ["ÄÖ"], "ASCII only");
    let both = "SET enable_case_sensitive_identifier TO true; CREATE SCHEMA \"Kept\"";
    assert_eq!(err(&standin, "SELECT \"Kept\".a FROM b").sqlstate, "42P01");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut session = standin.session("awsuser", None, "dev").await.expect("opens");
        for one in both.split("; ") {
            session.query(one).await.expect(one);
        }
        let rows =
            session.query("SELECT current_setting('enable_case_sensitive_identifier')").await.expect("tells").rows;
        assert_eq!(cells(&rows), ["on"]);
    });
    assert_eq!(cells(&ok(&standin, "SELECT nspname FROM pg_namespace WHERE nspname = 'Kept'")), ["Kept"]);
    let sensitive = Standin::start(StandinOptions { case_sensitive: true, ..Default::default() }).expect("starts");
    ok(&sensitive, "CREATE SCHEMA \"Kept\"");
    assert_eq!(err(&sensitive, "DROP SCHEMA kept").message, "schema \"kept\" does not exist");
}

#[test]
fn hostile_names_and_literals_stay_names_and_literals() {
    let standin = start();
    for name in [
        "a'; DROP USER etl; --",
        "b\\'; DROP USER etl; --",
        "c\"; DROP USER etl; --",
        "d\\",
        "e''f",
        "{user}",
        "$$",
        "[x]",
    ] {
        let q = format!("\"{}\"", name.replace('"', "\"\""));
        let text = name.replace('\\', "\\\\").replace('\'', "''");
        ok(&standin, &format!("CREATE USER {q} PASSWORD '{PASSWORD}'"));
        ok(&standin, &format!("CREATE SCHEMA {q}"));
        assert_eq!(cells(&ok(&standin, &format!("SELECT usename FROM pg_user WHERE usename = '{text}'"))), [name]);
        as_user(&standin, name, "SELECT 1").expect(name);
        ok(&standin, &format!("DROP SCHEMA {q}"));
        ok(&standin, &format!("DROP USER {q}"));
    }
    assert_eq!(cells(&ok(&standin, "SELECT usename FROM pg_user WHERE usename = 'etl'")), ["etl"]);
    // A client that doubles only the quote is caught: the backslash eats it.
    assert_eq!(err(&standin, "SELECT 'a\\'").sqlstate, "42601");
    assert_eq!(cells(&ok(&standin, "SELECT length('\\\\')")), ["1"]);
}
