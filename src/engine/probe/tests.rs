use redshift_standin::{StandinOptions, Switch, WarehouseKind};

use super::*;
use crate::engine::trial::Trial;

async fn verdicts(options: StandinOptions, may: Needs) -> Vec<(&'static Assumption, Verdict)> {
    let trial = Trial::with(options);
    let before = trial.dump("dev").await;
    let all = run(&trial.warehouse(), may, &trial.never).await.expect("asks");
    assert_eq!(trial.dump("dev").await, before, "everything was taken back");
    all
}

/// The names of the assumptions with this verdict.
fn named(all: &[(&'static Assumption, Verdict)], word: &str) -> Vec<&'static str> {
    all.iter().filter(|(_, verdict)| verdict.word() == word).map(|(assumption, _)| assumption.name).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_assumption_is_answered_by_each_kind_of_warehouse() {
    for (name, kind) in WarehouseKind::ALL {
        let all = verdicts(StandinOptions { kind, ..StandinOptions::default() }, Needs::Principal).await;
        assert_eq!(all.len(), ASSUMPTIONS.len());
        assert_eq!(named(&all, "BROKEN"), [] as [&str; 0], "{name}: {:?}", words(&all));
        let otherwise: &[&str] = match kind {
            WarehouseKind::Provisioned => &[],
            _ => &["sessions are listed"],
        };
        assert_eq!(named(&all, "otherwise"), otherwise, "{name}: {:?}", words(&all));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_knows_may_be_either_way_and_what_is_broken_is_shown() {
    let options = StandinOptions {
        switches: Switch::ALL.to_vec(),
        without: vec!["function:sha2".into(), "relation:svv_external_schemas".into()],
        ..StandinOptions::default()
    };
    let all = verdicts(options, Needs::Principal).await;
    assert_eq!(
        named(&all, "BROKEN"),
        [
            "external schemas are listed",
            "a member acts for another user, and the view shows his row",
            "one may act as a user who was made in the same transaction",
        ]
    );
    assert_eq!(
        named(&all, "otherwise"),
        ["an UPDATE says that it touched the marker", "has_table_privilege knows of what comes by a role"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_may_only_read_changes_nothing() {
    let trial = Trial::start();
    let warehouse = trial.warehouse();
    trial.standin.reset_counters();
    let all = run(&warehouse, Needs::Reading, &trial.never).await.expect("asks");
    assert_eq!(trial.changes(), [] as [&str; 0]);
    let asked = ASSUMPTIONS.iter().filter(|assumption| assumption.needs == Needs::Reading).count();
    assert_eq!(all.len() - named(&all, "not asked").len(), asked);
}

fn words(all: &[(&'static Assumption, Verdict)]) -> Vec<String> {
    let told = all.iter().filter(|(_, verdict)| verdict.word() != "holds");
    told.map(|(assumption, verdict)| format!("{}: {}", assumption.name, verdict.words())).collect()
}
