//! A datastore's life on a stand-in.

use redshift_standin::{Fault, SUPERUSER, StandinOptions, Switch};
use tokio_util::sync::CancellationToken;

use crate::engine::datastore::*;
use crate::engine::error::Error;
use crate::engine::session::warehouse::Warehouse;
use crate::engine::trial::{PASSWORD, Trial};

pub(super) fn source(grantee: &str) -> Wanted {
    Wanted {
        database: "dev".into(),
        schema: "finance".into(),
        write: false,
        grantee: Some(Grantee::user(grantee)),
        through: Through::Direct,
        future: FutureTables::Owners(Vec::new()),
        extra: crate::engine::rights::Rights::NONE,
        tables: None,
    }
}

pub(super) fn by_role(wanted: Wanted) -> Wanted {
    Wanted { through: Through::Role(role_name(&wanted, false)), ..wanted }
}

/// Another role than the one that follows from what is declared.
fn by_another_role(wanted: Wanted) -> Wanted {
    Wanted { through: Through::Role("tfds_0000000001".into()), ..wanted }
}

/// What state says after an apply.
pub(super) fn state(applied: &Applied) -> Before {
    Before { declared: vec![applied.wanted.clone()], ids: applied.ids.clone(), elsewhere: false }
}

async fn is_missing(warehouse: &Warehouse, wanted: &Wanted, before: &Before) -> Vec<String> {
    missing(&found(warehouse, wanted, before, &CancellationToken::new()).await.expect("looks"), wanted)
}

/// Proves: Q34, F6, F7, F8
#[tokio::test(flavor = "multi_thread")]
async fn a_source_lets_its_user_read_and_leaves_no_trace() {
    let trial = Trial::start();
    trial.make_user("svc").await;
    for wanted in [source("svc"), by_role(source("svc"))] {
        let before = trial.dump("dev").await;
        let warehouse = trial.warehouse();
        let applied =
            apply(&warehouse, &wanted, &Before::default(), Others::default(), &trial.never).await.expect("applies");
        assert_eq!(applied.wanted.owners(), ["etl", "finance_owner"]);
        assert!(applied.changes >= 3 && applied.warnings.is_empty(), "{applied:?}");
        for table in ["accounts", "payments", "open_invoices"] {
            assert!(trial.can("svc", "dev", &format!("SELECT count(*) FROM finance.{table}")).await, "{table}");
        }
        assert!(!trial.can("svc", "dev", "DELETE FROM finance.accounts").await);
        assert!(!trial.can("svc", "dev", "CREATE TABLE finance.x (a integer)").await);
        // A table that an owner makes afterwards, and one that somebody else makes.
        let mut etl = trial.standin.session("etl", None, "dev").await.expect("opens");
        etl.query("CREATE TABLE finance.later (a integer)").await.expect("is made");
        assert!(trial.can("svc", "dev", "SELECT * FROM finance.later").await);
        let fixed = Wanted { future: applied.wanted.future.clone(), ..wanted.clone() };
        let warehouse = trial.warehouse();
        assert_eq!(is_missing(&warehouse, &fixed, &state(&applied)).await, [] as [&str; 0]);

        trial.standin.reset_counters();
        let again = apply(&trial.warehouse(), &fixed, &state(&applied), Others::default(), &trial.never)
            .await
            .expect("applies");
        assert_eq!((again.changes, trial.changes()), (0, vec![]));
        assert_eq!(again.ids, applied.ids);

        trial.admin("dev", "CREATE TABLE finance.by_admin (a integer)").await;
        let warehouse = trial.warehouse();
        assert_eq!(is_missing(&warehouse, &fixed, &state(&applied)).await, ["SELECT on 1 of 6 tables (by_admin)"]);
        let looked = found(&warehouse, &fixed, &state(&applied), &trial.never).await.expect("looks");
        assert!(warnings(&looked, &fixed).iter().any(|warning| warning.summary.contains(SUPERUSER)));
        let repaired =
            apply(&warehouse, &fixed, &state(&applied), Others::default(), &trial.never).await.expect("applies");
        assert_eq!(repaired.changes, 1);

        trial.admin("dev", "DROP TABLE finance.by_admin").await;
        trial.admin("dev", "DROP TABLE finance.later").await;
        remove(&trial.warehouse(), &fixed, &state(&repaired), Others::default(), &trial.never).await.expect("removes");
        assert_eq!(trial.dump("dev").await, before);
        trial.standin.reset_counters();
        remove(&trial.warehouse(), &fixed, &state(&repaired), Others::default(), &trial.never)
            .await
            .expect("removes what is gone");
        assert_eq!(trial.changes(), [] as [&str; 0]);
    }
}

/// Proves: Q35
#[tokio::test(flavor = "multi_thread")]
async fn an_enrichment_store_lets_its_user_write() {
    let trial = Trial::start();
    trial.make_user("svc").await;
    let store = |wanted: Wanted| Wanted { schema: "quality".into(), write: true, ..wanted };
    let scoped = |wanted: Wanted| Wanted { future: FutureTables::Schema, ..wanted };
    for wanted in [store(source("svc")), store(by_role(source("svc"))), store(scoped(by_role(source("svc"))))] {
        let before = trial.dump("dev").await;
        let applied = apply(&trial.warehouse(), &wanted, &Before::default(), Others::default(), &trial.never)
            .await
            .expect("applies");
        assert!(trial.can("svc", "dev", "DELETE FROM quality.checks WHERE check_id = 77").await);
        assert!(trial.can("svc", "dev", "CREATE TABLE quality.made_by_svc (a integer)").await);
        // His own table does not count.
        let fixed = Wanted { future: own_owners(&wanted, &applied), ..wanted.clone() };
        assert_eq!(is_missing(&trial.warehouse(), &fixed, &state(&applied)).await, [] as [&str; 0]);
        assert!(trial.can("svc", "dev", "DROP TABLE quality.made_by_svc").await);
        remove(&trial.warehouse(), &fixed, &state(&applied), Others::default(), &trial.never).await.expect("removes");
        assert_eq!(trial.dump("dev").await, before);
        assert!(!trial.can("svc", "dev", "SELECT * FROM quality.checks").await);
    }
}

fn own_owners(wanted: &Wanted, applied: &Applied) -> FutureTables {
    match &wanted.future {
        FutureTables::Owners(_) => applied.wanted.future.clone(),
        other => other.clone(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_change_in_place() {
    let trial = Trial::start();
    trial.make_user("svc").await;
    trial.make_user("other").await;
    let before = trial.dump("dev").await;
    let role = by_role(source("svc"));
    let steps = [
        source("svc"),
        role.clone(),
        Wanted { grantee: Some(Grantee::user("other")), ..role.clone() },
        Wanted { write: true, ..role.clone() },
        Wanted { future: FutureTables::Schema, ..role.clone() },
        Wanted { grantee: Some(Grantee::group("analysts")), ..source("svc") },
        Wanted { future: FutureTables::None, ..source("svc") },
        Wanted { future: FutureTables::Schema, ..source("svc") },
    ];
    let mut made = Before::default();
    for wanted in &steps {
        let applied = apply(&trial.warehouse(), wanted, &made, Others::default(), &trial.never).await.expect("applies");
        made = state(&applied);
        let fixed = Wanted { future: own_owners(wanted, &applied), ..wanted.clone() };
        assert_eq!(is_missing(&trial.warehouse(), &fixed, &made).await, [] as [&str; 0], "{wanted:?}");
        let again = apply(&trial.warehouse(), &fixed, &made, Others::default(), &trial.never).await.expect("applies");
        assert_eq!(again.changes, 0, "{wanted:?}");
    }
    let last = steps.last().expect("one");
    remove(&trial.warehouse(), last, &made, Others::default(), &trial.never).await.expect("removes");
    assert_eq!(trial.dump("dev").await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn import_finds_what_an_apply_made() {
    let trial = Trial::start();
    trial.make_user("svc").await;
    let warehouse = trial.warehouse();
    let look = async |role: Option<&str>| {
        import_lookup(&trial.warehouse(), "dev", "finance", Some(("svc", None)), role, &trial.never).await
    };
    let nothing = look(None).await.expect("finds");
    assert_eq!((nothing.through, nothing.write, nothing.future), (Through::Direct, false, FutureTables::None));

    let wanted = by_role(Wanted { write: true, ..source("svc") });
    let applied =
        apply(&warehouse, &wanted, &Before::default(), Others::default(), &trial.never).await.expect("applies");
    let imported = look(None).await.expect("finds");
    assert_eq!((&imported.through, imported.write), (&wanted.through, true));
    assert_eq!(imported.future, applied.wanted.future.clone());
    trial.standin.reset_counters();
    let same = Wanted { future: imported.future.clone(), ..wanted.clone() };
    let again =
        apply(&trial.warehouse(), &same, &Before::of(&same), Others::default(), &trial.never).await.expect("applies");
    assert_eq!((again.changes, trial.changes()), (0, vec![]));

    // A second role on the same schema.
    let second = by_role(source("svc"));
    let more =
        apply(&trial.warehouse(), &second, &Before::default(), Others::default(), &trial.never).await.expect("applies");
    let several = look(None).await.expect_err("several").to_string();
    for wanted in [&wanted, &second] {
        let Through::Role(role) = &wanted.through else { panic!("a role") };
        assert!(several.contains(role.as_str()) && several.contains("&grant_role="), "{several}");
    }
    let Through::Role(role) = &second.through else { panic!("a role") };
    assert_eq!(look(Some(role)).await.expect("finds").through, second.through);
    assert!(look(Some("tfds_0000000000")).await.expect_err("no role").to_string().contains("does not exist"));
    assert_eq!(grant_role_present(&trial.warehouse(), role, &trial.never).await, Ok(Some(true)));
    assert_eq!(grant_role_present(&trial.warehouse(), "tfds_0000000000", &trial.never).await, Ok(Some(false)));
    remove(&trial.warehouse(), &second, &state(&more), Others::default(), &trial.never).await.expect("removes");
    remove(&trial.warehouse(), &same, &Before::of(&same), Others::default(), &trial.never).await.expect("removes");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_gone_already_is_fine_at_removal_and_named_at_apply() {
    let trial = Trial::start();
    trial.make_user("svc").await;
    let Through::Role(role) = by_role(source("svc")).through else { panic!("a role") };
    let wanted =
        Wanted { through: Through::Role(role.clone()), database: "extra".into(), schema: "s".into(), ..source("svc") };
    trial.admin("dev", "CREATE DATABASE extra").await;
    trial.admin("extra", "CREATE SCHEMA s").await;
    let applied =
        apply(&trial.warehouse(), &wanted, &Before::default(), Others::default(), &trial.never).await.expect("applies");
    trial.admin("extra", "DROP SCHEMA s CASCADE").await;
    assert_eq!(is_missing(&trial.warehouse(), &wanted, &state(&applied)).await, ["schema s"]);
    let failed = apply(&trial.warehouse(), &wanted, &state(&applied), Others::default(), &trial.never)
        .await
        .expect_err("no schema");
    assert!(failed.nothing_done && failed.error.summary().contains("\"s\" does not exist"), "{failed:?}");
    trial.admin("dev", "DROP DATABASE extra FORCE").await;
    let failed = apply(&trial.warehouse(), &wanted, &state(&applied), Others::default(), &trial.never)
        .await
        .expect_err("no database");
    assert!(failed.error.summary().contains("Database \"extra\" does not exist"), "{failed:?}");
    remove(&trial.warehouse(), &wanted, &state(&applied), Others::default(), &trial.never)
        .await
        .expect("drops the role all the same");
    assert_eq!(grant_role_present(&trial.warehouse(), &role, &trial.never).await, Ok(Some(false)));
    remove(&trial.warehouse(), &wanted, &state(&applied), Others::default(), &trial.never).await.expect("is gone");

    // Role dropped and user dropped by hand.
    let wanted = by_role(source("svc"));
    let applied =
        apply(&trial.warehouse(), &wanted, &Before::default(), Others::default(), &trial.never).await.expect("applies");
    trial.admin("dev", "DROP USER svc").await;
    remove(&trial.warehouse(), &wanted, &state(&applied), Others::default(), &trial.never).await.expect("removes");
}

#[tokio::test(flavor = "multi_thread")]
async fn conflicts_are_planned_and_run_again() {
    let trial = Trial::start();
    trial.make_user("svc").await;
    let before = trial.dump("dev").await;
    let wanted = by_role(source("svc"));
    trial
        .standin
        .fault(Fault::error("GRANT SELECT", "XX000", "1023: Serializable isolation violation on table").times(2));
    let applied =
        apply(&trial.warehouse(), &wanted, &Before::default(), Others::default(), &trial.never).await.expect("applies");
    assert_eq!(is_missing(&trial.warehouse(), &wanted, &state(&applied)).await, [] as [&str; 0]);
    // The line breaks after COMMIT was run: nothing is made twice, and what was made is known.
    let other = by_another_role(source("svc"));
    trial.standin.fault(Fault::statement("COMMIT", redshift_standin::Action::CutAfter));
    let again =
        apply(&trial.warehouse(), &other, &Before::default(), Others::default(), &trial.never).await.expect("applies");
    assert!(again.ids.role_owner.is_some());
    let direct = source("svc");
    trial.standin.fault(Fault::statement("COMMIT", redshift_standin::Action::CutAfter));
    let plain =
        apply(&trial.warehouse(), &direct, &Before::default(), Others::default(), &trial.never).await.expect("applies");
    remove(&trial.warehouse(), &direct, &state(&plain), Others::default(), &trial.never).await.expect("removes");
    trial.standin.fault(Fault::statement("COMMIT", redshift_standin::Action::CutAfter));
    remove(&trial.warehouse(), &other, &state(&again), Others::default(), &trial.never).await.expect("removes");
    remove(&trial.warehouse(), &wanted, &state(&applied), Others::default(), &trial.never).await.expect("removes");
    assert_eq!(trial.dump("dev").await, before);
    // Another error ends it, and nothing is left.
    trial.standin.fault(Fault::error("GRANT ROLE", "XX000", "something else"));
    let failed = apply(&trial.warehouse(), &wanted, &Before::default(), Others::default(), &trial.never)
        .await
        .expect_err("fails");
    assert!(failed.nothing_done && failed.half_done.is_none());
    assert_eq!(trial.dump("dev").await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_apply_is_rolled_back() {
    let trial = Trial::start();
    trial.make_user("svc").await;
    let before = trial.dump("dev").await;
    let cancel = CancellationToken::new();
    trial.standin.fault(Fault::statement("GRANT SELECT", redshift_standin::Action::Delay { milliseconds: 1_000 }));
    let (warehouse, wanted, nothing) = (trial.warehouse(), by_role(source("svc")), Before::default());
    let applying = apply(&warehouse, &wanted, &nothing, Others::default(), &cancel);
    let stopping = async {
        while !trial.standin.log().iter().any(|logged| logged.sql.starts_with("GRANT SELECT")) {
            tokio::task::yield_now().await;
        }
        cancel.cancel();
    };
    let (applied, ()) = tokio::join!(applying, stopping);
    let failed = applied.expect_err("is cancelled");
    assert_eq!((failed.error, failed.nothing_done), (Error::Cancelled, true));
    assert_eq!(trial.dump("dev").await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn logins_without_all_rights_get_a_clear_answer_and_no_standing_diff() {
    let trial = Trial::start();
    trial.make_user("svc").await;
    let owner = trial.let_in("finance_owner").await;
    let before = trial.dump("dev").await;
    // The schema's owner, who is no superuser: not for roles, nor for the tables of others.
    let failed = apply(&owner, &by_role(source("svc")), &Before::default(), Others::default(), &trial.never)
        .await
        .expect_err("no roles");
    assert!(failed.error.to_string().contains("grant_through = \"direct\""), "{}", failed.error);
    let failed = apply(&owner, &source("svc"), &Before::default(), Others::default(), &trial.never)
        .await
        .expect_err("not his tables");
    assert!(
        failed.error.to_string().contains("etl: GRANT SELECT ON TABLE \"finance\".\"payments\""),
        "{}",
        failed.error
    );
    assert!(failed.nothing_done);
    assert_eq!(trial.dump("dev").await, before);
    // With what the answer asks for.
    trial.admin("dev", "ALTER TABLE finance.payments OWNER TO finance_owner").await;
    let wanted = Wanted { future: FutureTables::Owners(vec!["finance_owner".into()]), ..source("svc") };
    let prepared = trial.dump("dev").await;
    let owner = trial.sign_in("finance_owner", PASSWORD);
    let applied = apply(&owner, &wanted, &Before::default(), Others::default(), &trial.never).await.expect("applies");
    let owner = trial.sign_in("finance_owner", PASSWORD);
    assert_eq!(is_missing(&owner, &wanted, &state(&applied)).await, [] as [&str; 0]);
    trial.standin.reset_counters();
    assert_eq!(
        apply(&owner, &wanted, &state(&applied), Others::default(), &trial.never).await.expect("applies").changes,
        0
    );
    assert_eq!(trial.changes(), [] as [&str; 0]);
    remove(&owner, &wanted, &state(&applied), Others::default(), &trial.never).await.expect("removes");
    assert_eq!(trial.dump("dev").await, prepared);

    // With the right to make roles: what he cannot see is taken as it was set.
    trial.admin("dev", "CREATE ROLE team").await;
    trial.admin("dev", "GRANT CREATE ROLE TO ROLE team").await;
    trial.admin("dev", "GRANT ROLE team TO finance_owner").await;
    let prepared = trial.dump("dev").await;
    let wanted = by_role(wanted);
    let owner = trial.sign_in("finance_owner", PASSWORD);
    let applied = apply(&owner, &wanted, &Before::default(), Others::default(), &trial.never).await.expect("applies");
    assert!(applied.warnings.iter().any(|warning| warning.detail.contains("ACCESS SYSTEM TABLE")), "{applied:?}");
    assert!(trial.can("svc", "dev", "SELECT * FROM finance.payments").await);
    let owner = trial.sign_in("finance_owner", PASSWORD);
    assert_eq!(is_missing(&owner, &wanted, &state(&applied)).await, [] as [&str; 0]);
    assert_eq!(
        apply(&owner, &wanted, &state(&applied), Others::default(), &trial.never).await.expect("applies").changes,
        0
    );
    remove(&owner, &wanted, &state(&applied), Others::default(), &trial.never).await.expect("removes");
    assert_eq!(trial.dump("dev").await, prepared);
}

/// Proves: F23
#[tokio::test(flavor = "multi_thread")]
async fn without_a_service_user_the_login_itself_must_have_the_rights() {
    let trial = Trial::start();
    let analyst = trial.let_in("analyst").await;
    let wanted = Wanted { grantee: None, ..source("analyst") };
    let failed =
        apply(&analyst, &wanted, &Before::default(), Others::default(), &trial.never).await.expect_err("has none");
    let text = failed.error.to_string();
    assert!(text.contains("GRANT USAGE ON SCHEMA \"finance\" TO \"analyst\";"), "{text}");
    assert!(text.contains("GRANT SELECT ON ALL TABLES IN SCHEMA \"finance\" TO \"analyst\";"), "{text}");
    // By a group counts here.
    trial.admin("dev", "GRANT USAGE ON SCHEMA finance TO GROUP analysts").await;
    trial.admin("dev", "GRANT SELECT ON ALL TABLES IN SCHEMA finance TO GROUP analysts").await;
    let analyst = trial.sign_in("analyst", PASSWORD);
    apply(&analyst, &wanted, &Before::default(), Others::default(), &trial.never).await.expect("has them");
    let lacking = effective(&analyst, &Wanted { write: true, ..wanted.clone() }, &trial.never).await.expect("looks");
    assert_eq!(lacking.missing[0], "CREATE on schema finance");
    // Tables and schemas that somebody drops meanwhile are errors of the functions, as on PostgreSQL 8.0.
    let (gone, closed) = ("relation with OID 4711 does not exist", "schema \"gone\" does not exist");
    trial.standin.fault(Fault::error("has_table_privilege", "42P01", gone).times(4));
    trial.standin.fault(Fault::error("has_schema_privilege", "3F000", closed).times(4));
    let analyst = trial.sign_in("analyst", PASSWORD);
    assert_eq!(effective(&analyst, &wanted, &trial.never).await.expect("looks again").missing, [] as [&str; 0]);
    assert_eq!(effective(&trial.warehouse(), &wanted, &trial.never).await.expect("looks").missing, [] as [&str; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_of_the_login_are_looked_at_anew_and_before_anything_is_dropped() {
    let trial = Trial::start();
    trial.make_user("svc").await;
    let analyst = trial.let_in("analyst").await;
    let nobody = Wanted { grantee: None, ..source("svc") };
    apply(&analyst, &nobody, &Before::default(), Others::default(), &trial.never).await.expect_err("has none");
    // Given by another resource in the same apply.
    trial.admin("dev", "GRANT USAGE ON SCHEMA finance TO analyst").await;
    trial.admin("dev", "GRANT SELECT ON ALL TABLES IN SCHEMA finance TO analyst").await;
    apply(&analyst, &nobody, &Before::default(), Others::default(), &trial.never).await.expect("has them now");

    // A login that makes roles and reads nothing: the role stays when the datastore is to work without.
    trial.admin("dev", "CREATE ROLE makers").await;
    for sql in ["GRANT CREATE ROLE TO ROLE makers", "GRANT ROLE makers TO analyst"] {
        trial.admin("dev", sql).await;
    }
    trial.admin("dev", "REVOKE SELECT ON ALL TABLES IN SCHEMA finance FROM analyst").await;
    let wanted = by_role(source("svc"));
    let applied =
        apply(&trial.warehouse(), &wanted, &Before::default(), Others::default(), &trial.never).await.expect("applies");
    let before = trial.dump("dev").await;
    trial.standin.reset_counters();
    let analyst = trial.sign_in("analyst", PASSWORD);
    let failed =
        apply(&analyst, &nobody, &state(&applied), Others::default(), &trial.never).await.expect_err("has none");
    assert!(failed.error.summary().contains("lacks rights") && failed.nothing_done, "{failed:?}");
    assert_eq!((failed.half_done, trial.changes()), (None, vec![]));
    assert_eq!(trial.dump("dev").await, before);
    let applied = apply(&trial.warehouse(), &nobody, &state(&applied), Others::default(), &trial.never)
        .await
        .expect("a superuser may all");
    assert!(applied.wanted.grantee.is_none() && applied.changes > 0, "{applied:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_is_renamed_keeps_his_datastores() {
    let trial = Trial::start();
    for wanted in [by_role(source("svc")), source("svc")] {
        trial.make_user("svc").await;
        let applied = apply(&trial.warehouse(), &wanted, &Before::default(), Others::default(), &trial.never)
            .await
            .expect("applies");
        trial.admin("dev", "ALTER USER svc RENAME TO renamed").await;
        let renamed = Wanted { grantee: Some(Grantee::user("renamed")), ..wanted.clone() };
        let applied = apply(&trial.warehouse(), &renamed, &state(&applied), Others::default(), &trial.never)
            .await
            .expect("applies");
        assert_eq!(applied.changes, 0);
        remove(&trial.warehouse(), &renamed, &state(&applied), Others::default(), &trial.never).await.expect("removes");
        trial.admin("dev", "DROP USER renamed").await;
        // Dropped by hand, and another one named.
        trial.make_user("svc").await;
        trial.make_user("other").await;
        let role = by_role(source("svc"));
        let applied = apply(&trial.warehouse(), &role, &Before::default(), Others::default(), &trial.never)
            .await
            .expect("applies");
        trial.admin("dev", "DROP USER svc").await;
        let other = Wanted { grantee: Some(Grantee::user("other")), ..role };
        let applied = apply(&trial.warehouse(), &other, &state(&applied), Others::default(), &trial.never)
            .await
            .expect("applies");
        remove(&trial.warehouse(), &other, &state(&applied), Others::default(), &trial.never).await.expect("removes");
        trial.admin("dev", "DROP USER other").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_who_was_pinned_and_dropped_stops_nothing() {
    let trial = Trial::start();
    trial.make_user("svc").await;
    let applied = apply(&trial.warehouse(), &source("svc"), &Before::default(), Others::default(), &trial.never)
        .await
        .expect("applies");
    assert_eq!(applied.wanted.owners(), ["etl", "finance_owner"]);
    let pinned = |owners: &[String]| Wanted { future: FutureTables::Pinned(owners.to_vec()), ..source("svc") };
    let same =
        apply(&trial.warehouse(), &pinned(applied.wanted.owners()), &state(&applied), Others::default(), &trial.never)
            .await
            .expect("applies");
    assert_eq!(same.changes, 0);
    let gone = pinned(&["dropped".to_owned(), "finance_owner".to_owned()]);
    let applied =
        apply(&trial.warehouse(), &gone, &state(&applied), Others::default(), &trial.never).await.expect("applies");
    assert!(applied.warnings.iter().any(|warning| warning.summary.contains("is no user any more")), "{applied:?}");
    assert_eq!(is_missing(&trial.warehouse(), &gone, &state(&applied)).await, [] as [&str; 0]);
    assert_eq!(
        apply(&trial.warehouse(), &gone, &state(&applied), Others::default(), &trial.never)
            .await
            .expect("applies")
            .changes,
        0
    );
    remove(&trial.warehouse(), &gone, &state(&applied), Others::default(), &trial.never).await.expect("removes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_datastores_ask_little() {
    let trial = Trial::start();
    trial.make_user("svc").await;
    for number in 0..100 {
        trial.admin("dev", &format!("CREATE SCHEMA s{number}")).await;
        trial.admin("dev", &format!("CREATE TABLE s{number}.t (a integer)")).await;
    }
    let warehouse = trial.warehouse();
    trial.standin.reset_counters();
    let permits = tokio::sync::Semaphore::new(10);
    let one = async |number: usize| {
        // Terraform does ten at a time.
        let _permit = permits.acquire().await.expect("open");
        let wanted = Wanted { schema: format!("s{number}"), ..source("svc") };
        let applied =
            apply(&warehouse, &wanted, &Before::default(), Others::default(), &trial.never).await.expect("applies");
        crate::engine::catalog::sync::sync(&warehouse, "dev", &wanted.schema, &[], &trial.never).await.expect("syncs");
        (wanted, applied)
    };
    let all = futures::future::join_all((0..100).map(one)).await;
    let statements = trial.standin.counters().statements;
    eprintln!("{statements} statements for 100 datastores, {:?} sessions", trial.standin.counters().sessions);
    assert!(statements <= 620, "{statements}");
    assert!(trial.standin.counters().sessions <= 4);

    trial.standin.reset_counters();
    let fresh = trial.warehouse();
    let looks = all.iter().map(async |(wanted, applied)| is_missing(&fresh, wanted, &state(applied)).await);
    assert!(futures::future::join_all(looks).await.iter().all(Vec::is_empty));
    let statements = trial.standin.counters().statements;
    eprintln!("{statements} statements for a refresh");
    assert!(statements <= 20, "{statements}");
}

/// Proves: L18
#[tokio::test(flavor = "multi_thread")]
async fn names_keep_their_case_where_the_session_says_so() {
    let options = redshift_standin::StandinOptions { case_sensitive: true, ..Default::default() };
    let trial = Trial::with(options);
    trial.make_user("Svc").await;
    trial.admin("dev", "CREATE SCHEMA \"Mixed\"").await;
    trial.admin("dev", "CREATE TABLE \"Mixed\".\"Orders\" (a integer)").await;
    let before = trial.dump("dev").await;
    let wanted = Wanted { schema: "Mixed".into(), ..by_role(source("Svc")) };
    let applied =
        apply(&trial.warehouse(), &wanted, &Before::default(), Others::default(), &trial.never).await.expect("applies");
    assert_eq!(is_missing(&trial.warehouse(), &wanted, &state(&applied)).await, [] as [&str; 0]);
    let lower = Wanted { schema: "mixed".into(), ..wanted.clone() };
    let failed = apply(&trial.warehouse(), &lower, &Before::default(), Others::default(), &trial.never)
        .await
        .expect_err("another name");
    assert!(failed.error.to_string().contains("enable_case_sensitive_identifier"), "{}", failed.error);
    remove(&trial.warehouse(), &wanted, &state(&applied), Others::default(), &trial.never).await.expect("removes");
    assert_eq!(trial.dump("dev").await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_did_since_the_catalogue_was_read_is_noticed() {
    let trial = Trial::start();
    let warehouse = trial.warehouse();
    let quality = Wanted { schema: "quality".into(), grantee: Some(Grantee::group("analysts")), ..source("svc") };
    apply(&warehouse, &quality, &Before::default(), Others::default(), &trial.never).await.expect("applies");
    // Made by somebody else, after the first read.
    trial.make_user("svc").await;
    trial.admin("dev", "CREATE SCHEMA late").await;
    trial.admin("dev", "CREATE TABLE late.t (a integer)").await;
    let late = Wanted { schema: "late".into(), ..by_role(source("svc")) };
    let applied = apply(&warehouse, &late, &Before::default(), Others::default(), &trial.never).await.expect("applies");
    assert!(trial.can("svc", "dev", "SELECT * FROM late.t").await);
    let direct = Wanted { through: Through::Direct, ..late.clone() };
    let plain = apply(&warehouse, &direct, &Before::default(), Others::default(), &trial.never).await.expect("applies");
    // And dropped by somebody else.
    trial.admin("dev", "DROP SCHEMA late CASCADE").await;
    remove(&warehouse, &direct, &state(&plain), Others::default(), &trial.never).await.expect("removes");
    remove(&warehouse, &late, &state(&applied), Others::default(), &trial.never).await.expect("removes");
    let failed =
        apply(&warehouse, &late, &Before::default(), Others::default(), &trial.never).await.expect_err("no schema");
    assert!(failed.nothing_done && failed.error.summary().contains("does not exist"), "{failed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_knows_of_redshift_is_lived_with() {
    let options = StandinOptions { switches: Switch::ALL.to_vec(), ..StandinOptions::default() };
    let trial = Trial::with(options);
    // A group stands in quotes in the lists of rights.
    let before = trial.dump("dev").await;
    let wanted = Wanted { grantee: Some(Grantee::group("analysts")), ..source("analysts") };
    let applied =
        apply(&trial.warehouse(), &wanted, &Before::default(), Others::default(), &trial.never).await.expect("applies");
    let fixed = Wanted { future: applied.wanted.future.clone(), ..wanted.clone() };
    assert_eq!(is_missing(&trial.warehouse(), &fixed, &state(&applied)).await, [] as [&str; 0]);
    remove(&trial.warehouse(), &fixed, &state(&applied), Others::default(), &trial.never).await.expect("removes");
    assert_eq!(trial.dump("dev").await, before);

    // What comes by a role, and by a scoped right, is unknown to has_table_privilege.
    let analyst = trial.let_in("analyst").await;
    let nobody = Wanted { grantee: None, ..source("analyst") };
    apply(&analyst, &nobody, &Before::default(), Others::default(), &trial.never).await.expect_err("has none");
    for sql in [
        "CREATE ROLE reader",
        "GRANT USAGE ON SCHEMA finance TO ROLE reader",
        "GRANT SELECT FOR TABLES IN SCHEMA finance DATABASE dev TO ROLE reader",
        "GRANT ROLE reader TO analyst",
    ] {
        trial.admin("dev", sql).await;
    }
    let analyst = trial.sign_in("analyst", PASSWORD);
    apply(&analyst, &nobody, &Before::default(), Others::default(), &trial.never).await.expect("has them by a role");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_on_columns_is_named_where_it_stands_in_the_way() {
    let trial = Trial::start();
    trial.make_user("svc").await;
    trial.admin("dev", "GRANT SELECT (owner) ON TABLE finance.accounts TO svc").await;
    let before = trial.dump("dev").await;
    let failed = apply(&trial.warehouse(), &source("svc"), &Before::default(), Others::default(), &trial.never)
        .await
        .expect_err("the warehouse refuses");
    let text = failed.error.to_string();
    assert!(text.contains("svv_column_privileges") && text.contains("identity_name = 'svc'"), "{text}");
    assert_eq!((failed.nothing_done, trial.dump("dev").await), (true, before));
}

/// A login that an identity provider gave its roles, which are in no view.
#[tokio::test(flavor = "multi_thread")]
async fn roles_of_a_session_count_as_roles() {
    let trial = Trial::start();
    trial.make_user("idp:ann").await;
    trial.make_user("svc").await;
    for sql in
        ["CREATE ROLE makers", "GRANT CREATE ROLE TO ROLE makers", "CREATE SCHEMA annes AUTHORIZATION \"idp:ann\""]
    {
        trial.admin("dev", sql).await;
    }
    let wanted = Wanted { schema: "annes".into(), ..source("svc") };
    let wanted = by_role(wanted);
    let ann = trial.sign_in("idp:ann", PASSWORD);
    let refused = apply(&ann, &wanted, &Before::default(), Others::default(), &trial.never).await.expect_err("may not");
    assert!(refused.error.summary().contains("may not create roles"), "{refused:?}");
    let give = "SELECT pg_catalog.rs_session_role('idp:ann', 'makers')";
    tokio::task::block_in_place(|| trial.standin.behind_blocking("dev", give)).expect("gives");
    let ann = trial.sign_in("idp:ann", PASSWORD);
    apply(&ann, &wanted, &Before::default(), Others::default(), &trial.never).await.expect("may");
    assert_eq!(
        trial.admin("dev", "SELECT count(*) FROM svv_roles WHERE role_owner = 'idp:ann'").await[0][0].as_deref(),
        Some("1")
    );
}
