//! Roles of a datastore's name that are there before it, on a stand-in.

use redshift_standin::Fault;

use crate::engine::datastore::life_tests::{by_role, source, state};
use crate::engine::datastore::*;
use crate::engine::trial::{PASSWORD, Trial};

/// What a person or an attacker can do to a role of a datastore's name before the datastore is made.
#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_was_planted_is_never_filled() {
    let trial = Trial::start();
    trial.make_user("svc").await;
    trial.make_user("mallory").await;
    trial.admin("dev", "CREATE ROLE makers").await;
    trial.admin("dev", "GRANT CREATE ROLE TO ROLE makers").await;
    trial.admin("dev", "GRANT ROLE makers TO mallory").await;
    trial.admin("dev", "CREATE DATABASE extra").await;
    trial.admin("extra", "CREATE SCHEMA s").await;
    trial.admin("extra", "CREATE FUNCTION s.f() RETURNS integer STABLE AS $$ SELECT 1 $$ LANGUAGE SQL").await;
    let wanted = by_role(source("svc"));
    let Through::Role(role) = &wanted.through else { panic!("a role") };
    let create = format!("CREATE ROLE {role}");
    let cases: Vec<(&str, &str, String, &str)> = vec![
        ("mallory", "dev", String::new(), "\"mallory\" owns it"),
        ("", "dev", format!("GRANT ROLE {role} TO mallory"), "user mallory holds it"),
        ("", "dev", format!("GRANT ROLE {role} TO svc WITH ADMIN OPTION"), "ADMIN OPTION"),
        ("", "dev", format!("GRANT ROLE {role} TO ROLE makers"), "role makers holds it"),
        ("", "dev", format!("GRANT ROLE makers TO ROLE {role}"), "it holds role \"makers\""),
        ("", "dev", format!("GRANT CREATE ROLE TO ROLE {role}"), "system permission CREATE ROLE"),
        ("", "dev", format!("GRANT INSERT ON TABLE finance.accounts TO ROLE {role}"), "INSERT on finance.accounts"),
        ("", "dev", format!("GRANT USAGE ON SCHEMA quality TO ROLE {role}"), "USAGE on schema quality"),
        (
            "",
            "dev",
            format!("GRANT SELECT FOR TABLES IN SCHEMA finance DATABASE dev TO ROLE {role}"),
            "SELECT on schema finance",
        ),
        ("", "dev", format!("GRANT SELECT FOR TABLES IN DATABASE dev TO ROLE {role}"), "SELECT on database dev"),
        ("", "dev", format!("GRANT CREATE ON DATABASE dev TO ROLE {role}"), "CREATE on database dev"),
        (
            "",
            "dev",
            format!("GRANT SELECT (account_id) ON finance.accounts TO ROLE {role}"),
            "SELECT on accounts account_id",
        ),
        (
            "",
            "dev",
            format!("ALTER DEFAULT PRIVILEGES FOR USER etl IN SCHEMA finance GRANT INSERT ON TABLES TO ROLE {role}"),
            "INSERT on what etl makes in finance",
        ),
        ("", "extra", format!("GRANT USAGE ON SCHEMA s TO ROLE {role}"), "database \"extra\""),
        (
            "",
            "extra",
            format!("GRANT EXECUTE ON FUNCTION s.f() TO ROLE {role}"),
            "EXECUTE on s f in database \"extra\"",
        ),
        ("", "extra", format!("GRANT CREATE ON DATABASE extra TO ROLE {role}"), "CREATE on database extra"),
    ];
    for (maker, database, planted, words) in cases {
        if maker.is_empty() {
            trial.admin("dev", &create).await;
            trial.admin(database, &planted).await;
        } else {
            trial.standin.sql_as(maker, PASSWORD, "dev", &create).await.expect("may make roles");
        }
        let before = (trial.dump("dev").await, trial.dump("extra").await);
        // By the planned name: an error before anything is sent.
        trial.standin.reset_counters();
        let failed = apply(&trial.warehouse(), &wanted, &Before::default(), Others::default(), &trial.never)
            .await
            .expect_err(&planted);
        assert!(failed.nothing_done && failed.error.to_string().contains(words), "{planted}: {}", failed.error);
        assert_eq!(trial.changes(), [] as [&str; 0], "{planted}");
        // A plan takes another name.
        let chosen = choose_role(&trial.warehouse(), &wanted, &|_| false, &trial.never).await.expect("chooses");
        assert_eq!((chosen.name.as_str(), chosen.taken_over), (&*format!("{role}_2"), None), "{planted}");
        assert!(chosen.passed_over[0].detail.contains(words), "{:?}", chosen.passed_over);
        let other = Wanted { through: Through::Role(chosen.name), ..wanted.clone() };
        let applied = apply(&trial.warehouse(), &other, &Before::default(), Others::default(), &trial.never)
            .await
            .expect("applies");
        assert!(!trial.can("mallory", "dev", "SELECT * FROM finance.accounts").await, "{planted}");
        remove(&trial.warehouse(), &other, &state(&applied), Others::default(), &trial.never).await.expect("removes");
        assert_eq!((trial.dump("dev").await, trial.dump("extra").await), before, "{planted}: as it was planted");
        // A role that holds something cannot be dropped.
        let _ =
            trial.standin.sql(database, &planted.replace("GRANT ", "REVOKE ").replace(" TO ROLE", " FROM ROLE")).await;
        trial.admin("dev", &format!("DROP ROLE {role} FORCE")).await;
    }
    // Planted between the plan and the transaction that grants.
    let warehouse = trial.warehouse();
    trial.admin("dev", &create).await;
    found(&warehouse, &wanted, &Before::default(), &trial.never).await.expect("reads the roles");
    let test = role::Test::new(At::new(&warehouse, "dev", &trial.never), &wanted, role).await.expect("looks");
    trial.admin("dev", &format!("GRANT ROLE {role} TO mallory")).await;
    let step = Step::shared("dev", sql!("GRANT USAGE ON SCHEMA {} TO ROLE {}", ident("finance"), ident(role)), "");
    let stopped = run::run_guarded(&warehouse, "dev", &[step], Some(&test), &trial.never).await.expect_err("is seen");
    assert!(stopped.nothing_done && stopped.error.to_string().contains("mallory holds it"), "{stopped:?}");
    assert!(!trial.can("mallory", "dev", "SELECT * FROM finance.accounts").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_apply_left_is_taken_over() {
    let trial = Trial::start();
    trial.make_user("svc").await;
    let before = trial.dump("dev").await;
    let wanted = by_role(source("svc"));
    let nothing = Before::default();
    apply(&trial.warehouse(), &wanted, &nothing, Others::default(), &trial.never).await.expect("applies");
    let chosen = choose_role(&trial.warehouse(), &wanted, &|_| false, &trial.never).await.expect("chooses");
    assert_eq!(Some(chosen.name.as_str()), wanted.role());
    assert!(chosen.taken_over.is_some() && chosen.passed_over.is_empty(), "{chosen:?}");
    trial.standin.reset_counters();
    let again = apply(&trial.warehouse(), &wanted, &nothing, Others::default(), &trial.never).await.expect("applies");
    assert_eq!((again.changes, trial.changes()), (0, vec![]));
    assert!(again.warnings.iter().any(|warning| warning.summary.contains("is taken over")), "{again:?}");
    // Of another mode it is not this datastore's.
    let store = by_role(Wanted { write: true, ..source("svc") });
    assert_ne!(store.role(), wanted.role());
    remove(&trial.warehouse(), &wanted, &state(&again), Others::default(), &trial.never).await.expect("removes");
    assert_eq!(trial.dump("dev").await, before);
    // Nobody who does not see everything takes over anything.
    let owner = trial.let_in("finance_owner").await;
    trial.admin("dev", "CREATE ROLE team").await;
    trial.admin("dev", "GRANT CREATE ROLE TO ROLE team").await;
    trial.admin("dev", "GRANT ROLE team TO finance_owner").await;
    trial.standin.sql_as("finance_owner", PASSWORD, "dev", &format!("CREATE ROLE {}", chosen.name)).await.expect("may");
    let chosen = choose_role(&owner, &wanted, &|_| false, &trial.never).await.expect("chooses");
    assert!(chosen.name.ends_with("_2") && chosen.passed_over[0].detail.contains("ACCESS SYSTEM TABLE"), "{chosen:?}");
    let known = choose_role(&owner, &wanted, &|_| true, &trial.never).await.expect("chooses");
    assert_eq!(Some(known.name.as_str()), wanted.role(), "a state of this run knows it");
}

/// An owner lost CREATE on the schema since.
#[tokio::test(flavor = "multi_thread")]
async fn create_is_lent_for_every_way_of_granting() {
    let trial = Trial::start();
    trial.make_user("svc").await;
    let group = Wanted { grantee: Some(Grantee::group("analysts")), ..source("svc") };
    for wanted in [source("svc"), by_role(source("svc")), group] {
        trial.admin("dev", "GRANT CREATE ON SCHEMA finance TO etl").await;
        let applied = apply(&trial.warehouse(), &wanted, &Before::default(), Others::default(), &trial.never)
            .await
            .expect("applies");
        trial.admin("dev", "REVOKE CREATE ON SCHEMA finance FROM etl").await;
        let none = Wanted { future: FutureTables::None, ..wanted.clone() };
        let applied = apply(&trial.warehouse(), &none, &state(&applied), Others::default(), &trial.never)
            .await
            .expect("CREATE is lent");
        assert!(!trial.can("etl", "dev", "CREATE TABLE finance.x (a integer)").await);
        remove(&trial.warehouse(), &none, &state(&applied), Others::default(), &trial.never).await.expect("removes");
    }
}

/// Whoever does not see a role cannot know whose it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_the_login_does_not_see_is_an_error_that_says_so() {
    let trial = Trial::start();
    trial.make_user("svc").await;
    let owner = trial.let_in("finance_owner").await;
    trial.admin("dev", "ALTER TABLE finance.payments OWNER TO finance_owner").await;
    trial.admin("dev", "CREATE ROLE team").await;
    trial.admin("dev", "GRANT CREATE ROLE TO ROLE team").await;
    trial.admin("dev", "GRANT ROLE team TO finance_owner").await;
    let wanted = by_role(Wanted { future: FutureTables::None, ..source("svc") });
    let Through::Role(role) = &wanted.through else { panic!("a role") };
    trial.admin("dev", &format!("CREATE ROLE {role}")).await;
    let before = trial.dump("dev").await;
    let chosen = choose_role(&owner, &wanted, &|_| false, &trial.never).await.expect("chooses");
    assert_eq!(&chosen.name, role, "it is not seen");
    let failed =
        apply(&owner, &wanted, &Before::default(), Others::default(), &trial.never).await.expect_err("is there");
    assert!(failed.nothing_done && failed.error.to_string().contains("does not see"), "{}", failed.error);
    assert_eq!(trial.dump("dev").await, before);
    // Who sees it looks again, where it came since the roles were read.
    trial.admin("dev", &format!("DROP ROLE {role} FORCE")).await;
    let warehouse = trial.warehouse();
    found(&warehouse, &wanted, &Before::default(), &trial.never).await.expect("reads the roles");
    trial.admin("dev", &format!("CREATE ROLE {role}")).await;
    let applied =
        apply(&warehouse, &wanted, &Before::default(), Others::default(), &trial.never).await.expect("applies");
    assert!(applied.warnings.iter().any(|warning| warning.summary.contains("is taken over")), "{applied:?}");
}

/// What the warehouse does not let anybody read is no reason to believe that nothing is there.
#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_read_stands_against_taking_over() {
    let trial = Trial::start();
    trial.make_user("svc").await;
    let wanted = by_role(source("svc"));
    let Through::Role(role) = &wanted.through else { panic!("a role") };
    trial.admin("dev", &format!("CREATE ROLE {role}")).await;
    for (contains, sqlstate, words) in [
        ("FROM svv_iam_privileges", "42501", Some("ASSUMEROLE on anything could not be read")),
        ("FROM svv_iam_privileges", "42P01", None),
        ("FROM svv_roles WHERE", "XX000", Some("not now")),
    ] {
        trial.standin.fault(Fault::error(contains, sqlstate, "not now"));
        let tried = apply(&trial.warehouse(), &wanted, &Before::default(), Others::default(), &trial.never).await;
        match (tried, words) {
            (Err(failed), Some(words)) => {
                assert!(failed.nothing_done && failed.error.to_string().contains(words), "{}", failed.error);
            }
            (Ok(_), None) => {}
            (tried, _) => panic!("{contains} {sqlstate}: {tried:?}"),
        }
        trial.standin.clear_faults();
    }
}
