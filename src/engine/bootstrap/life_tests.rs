//! A fault at every step: whatever fails, is lost or dies, the next run converges or cleans up.

use redshift_standin::Fault;
use secrecy::SecretString;

use super::life::{Known, Left};
use super::*;
use crate::engine::trial::trouble::{Trouble, side_by_side, stride, under};
use crate::engine::trial::{Trial, is_campaign};

/// No act of an integration has fewer steps.
const FEWEST_STEPS: u64 = 10;

fn spec(kind: Kind) -> Spec {
    let of_spectrum = kind == Kind::RedshiftSpectrum;
    let external = ExternalSchema {
        database: "lake".into(),
        iam_role: "arn:aws:iam::111122223333:role/lake".into(),
        region: None,
    };
    Spec {
        kind,
        database: if of_spectrum { "sample".into() } else { "governed".into() },
        initial_database: (!of_spectrum).then(|| "dev".into()),
        create_database: !of_spectrum,
        prefix: "immuta".into(),
        system_user: "immuta_system_user".into(),
        impersonation: Some(Impersonation { name: "immuta_actors".into(), kind: ActorKind::Group }),
        marker_owner: None,
        external_schemas: if of_spectrum { [("lake".to_owned(), external)].into() } else { Default::default() },
        members: None,
        key_version: None,
        allowed_readers: Default::default(),
    }
}

fn request(spec: Spec) -> Request {
    Request {
        spec,
        password: UserPassword::Set(SecretString::from("System-secret-1")),
        serverless: false,
        new_key: false,
    }
}

fn removal(spec: &Spec, made: &Made, id: &str) -> Removal {
    Removal::of_run(spec, made, id)
}

async fn make(trial: &Trial, spec: &Spec, trouble: Trouble) -> Option<Result<Applied, Box<NotApplied>>> {
    let (warehouse, request) = (trial.warehouse(), request(spec.clone()));
    under(trial, trouble, |cancel| async move { create(&warehouse, &request, &cancel).await }).await
}

async fn is_whole(trial: &Trial, warehouse: &Warehouse, spec: &Spec, applied: &Applied) {
    let known = Known {
        id: applied.id.clone(),
        made: Some(applied.made.clone()),
        prior: None,
        keepsake: applied.keepsake.clone(),
    };
    let looked = verify::verify(warehouse, spec, Some(&known), false, &trial.never).await.expect("looks");
    assert!(looked.missing.is_empty() && looked.surplus.is_empty(), "{looked:?}");
    assert_eq!(looked.marker().here().map(|marker| marker.status), Some(Status::Enabled));
}

async fn clean(trial: &Trial) -> String {
    trial.standin.dump_all().await.expect("dumps")
}

/// Creates with a fault at step k; then what Terraform does next. False: there is no step k.
async fn create_with(trial: &Trial, spec: &Spec, k: u64, trouble: Trouble, before: &str) -> bool {
    let what = format!("{:?}, step {k}, {trouble:?}", spec.kind);
    let later = trial.warehouse();
    trial.standin.reset_counters();
    trial.standin.fault(Fault::work(k, trouble.action()));
    let made = make(trial, spec, trouble).await;
    let struck = trial.standin.counters().work >= k;
    trial.standin.clear_faults();
    let applied = match made {
        Some(Ok(applied)) => {
            assert!(!struck || trouble != Trouble::Fails, "{what}: succeeded though a statement failed");
            applied
        }
        Some(Err(failed)) => {
            if let Some(Left { id, made, .. }) = failed.left {
                let removed = remove(&later, &removal(spec, &made, &id), &trial.never).await;
                removed.unwrap_or_else(|error| panic!("{what}: {error}"));
            }
            assert_eq!(clean(trial).await, before, "{what}: {:?}", failed.errors);
            create(&later, &request(spec.clone()), &trial.never)
                .await
                .unwrap_or_else(|again| panic!("{what}: {:?}, then {:?}", failed.errors, again.errors))
        }
        None => match create(&later, &request(spec.clone()), &trial.never).await {
            Ok(applied) => applied,
            // It died after the last COMMIT: all is there, and the error says how to get it into state.
            Err(again) => {
                let error = again.errors[0].to_string();
                let all = list(&later, &trial.never).await.expect("lists");
                let marker = all[0].marker.clone().expect("a marker");
                assert_eq!((trouble, marker.status), (Trouble::KilledAfter, Status::Enabled), "{what}: then {error}");
                assert!(error.contains(&format!("(id = {})", marker.id)) && error.contains("import it"), "{error}");
                Applied { id: marker.id, made: marker.made, keepsake: Keepsake::default(), tests: Vec::new() }
            }
        },
    };
    is_whole(trial, &later, spec, &applied).await;
    let removed = remove(&later, &removal(spec, &applied.made, &applied.id), &trial.never).await;
    removed.unwrap_or_else(|error| panic!("{what}: {error}"));
    let mut after = clean(trial).await;
    if after != before && trouble.kills() && !applied.made.database && spec.create_database {
        // It died between CREATE DATABASE and the marker: an empty database that nobody can say is ours is adopted, and
        // stays.
        later.close_idle(&spec.database);
        trial.admin("dev", &format!("DROP DATABASE {}", spec.database)).await;
        after = clean(trial).await;
    }
    assert_eq!(after, before, "{what}");
    struck
}

async fn every_create(kind: Kind, troubles: &[Trouble]) {
    let trial = Trial::start();
    let spec = spec(kind);
    let before = clean(&trial).await;
    let mut last = 0;
    for trouble in troubles {
        let mut k = trouble.first(last, FEWEST_STEPS);
        while create_with(&trial, &spec, k, *trouble, &before).await {
            last = k;
            k += stride(25..=60);
        }
        assert!(last >= if is_campaign() { FEWEST_STEPS } else { 1 }, "{last} steps");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn making_a_database_survives_a_fault_at_every_step() {
    side_by_side(|troubles| every_create(Kind::Redshift, troubles)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn making_schemas_survives_a_fault_at_every_step() {
    side_by_side(|troubles| every_create(Kind::RedshiftSpectrum, troubles)).await;
}

/// Other settings for all that changes in place.
fn edited(spec: &Spec) -> Spec {
    let mut edited = spec.clone();
    edited.impersonation = Some(Impersonation { name: "immuta_deputies".into(), kind: ActorKind::Role });
    for external in edited.external_schemas.values_mut() {
        external.database = "lake_two".into();
    }
    edited
}

fn known(applied: &Applied) -> Known {
    Known { id: applied.id.clone(), made: Some(applied.made.clone()), prior: None, keepsake: applied.keepsake.clone() }
}

/// Edits with a fault at step k, sees that it shows, and edits again; then back. False: there is no step k.
async fn edit_with(trial: &Trial, spec: &Spec, applied: &mut Applied, k: u64, trouble: Trouble) -> bool {
    let what = format!("{:?}, step {k}, {trouble:?}", spec.kind);
    let wanted = edited(spec);
    let later = trial.warehouse();
    trial.standin.reset_counters();
    trial.standin.fault(Fault::work(k, trouble.action()));
    let (warehouse, request_two, before) = (trial.warehouse(), request(wanted.clone()), known(applied));
    let work = |cancel| async move { update(&warehouse, &request_two, &before, &cancel).await };
    let changed = under(trial, trouble, work).await;
    let struck = trial.standin.counters().work >= k;
    trial.standin.clear_faults();
    let ended = match changed {
        Some(Ok(applied)) => applied,
        failed => {
            let looked = verify::verify(&later, &wanted, Some(&known(applied)), false, &trial.never).await;
            let looked = looked.expect("looks");
            let status = looked.marker().here().map(|marker| marker.status);
            let is_done = looked.missing.is_empty() && looked.surplus.is_empty() && status == Some(Status::Enabled);
            assert!(!is_done || trouble == Trouble::KilledAfter, "{what}: nothing of it shows");
            let again = update(&later, &request(wanted.clone()), &known(applied), &trial.never).await;
            again.unwrap_or_else(|again| {
                let failed = failed.map(|failed| failed.err().map(|failed| failed.errors));
                panic!("{what}: {failed:?}, then {:?}", again.errors)
            })
        }
    };
    is_whole(trial, &later, &wanted, &ended).await;
    let back = update(&later, &request(spec.clone()), &known(&ended), &trial.never).await;
    *applied = back.unwrap_or_else(|back| panic!("{what}: {:?}", back.errors));
    is_whole(trial, &later, spec, applied).await;
    struck
}

async fn every_edit(kind: Kind, troubles: &[Trouble]) {
    let trial = Trial::start();
    let spec = spec(kind);
    let before = clean(&trial).await;
    let mut applied = create(&trial.warehouse(), &request(spec.clone()), &trial.never).await.expect("is made");
    let mut last = 0;
    for trouble in troubles {
        let mut k = trouble.first(last, FEWEST_STEPS);
        while edit_with(&trial, &spec, &mut applied, k, *trouble).await {
            last = k;
            k += stride(25..=60);
        }
        assert!(last >= if is_campaign() { FEWEST_STEPS } else { 1 }, "{last} steps");
    }
    remove(&trial.warehouse(), &removal(&spec, &applied.made, &applied.id), &trial.never).await.expect("is removed");
    assert_eq!(clean(&trial).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn editing_a_database_survives_a_fault_at_every_step() {
    side_by_side(|troubles| every_edit(Kind::Redshift, troubles)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn editing_schemas_survives_a_fault_at_every_step() {
    side_by_side(|troubles| every_edit(Kind::RedshiftSpectrum, troubles)).await;
}

/// Removes with a fault at step k, and again until all is gone. False: there is no step k.
async fn remove_with(trial: &Trial, spec: &Spec, k: u64, trouble: Trouble, before: &str) -> bool {
    let what = format!("{:?}, step {k}, {trouble:?}", spec.kind);
    let later = trial.warehouse();
    let applied = create(&later, &request(spec.clone()), &trial.never).await.expect("is made");
    let removal = removal(spec, &applied.made, &applied.id);
    trial.standin.reset_counters();
    trial.standin.fault(Fault::work(k, trouble.action()));
    let (warehouse, first) = (trial.warehouse(), removal.clone());
    let work = |cancel| async move { remove(&warehouse, &first, &cancel).await };
    let removed = under(trial, trouble, work).await;
    let struck = trial.standin.counters().work >= k;
    trial.standin.clear_faults();
    if !matches!(removed, Some(Ok(_))) {
        let again = remove(&later, &removal, &trial.never).await;
        again.unwrap_or_else(|again| panic!("{what}: {removed:?}, then {again}"));
    }
    assert_eq!(clean(trial).await, before, "{what}: {removed:?}");
    struck
}

async fn every_removal(kind: Kind, troubles: &[Trouble]) {
    let trial = Trial::start();
    let spec = spec(kind);
    let before = clean(&trial).await;
    let mut last = 0;
    for trouble in troubles {
        let mut k = trouble.first(last, FEWEST_STEPS);
        while remove_with(&trial, &spec, k, *trouble, &before).await {
            last = k;
            k += stride(25..=60);
        }
        assert!(last >= if is_campaign() { FEWEST_STEPS } else { 1 }, "{last} steps");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn removing_a_database_survives_a_fault_at_every_step() {
    side_by_side(|troubles| every_removal(Kind::Redshift, troubles)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn removing_schemas_survives_a_fault_at_every_step() {
    side_by_side(|troubles| every_removal(Kind::RedshiftSpectrum, troubles)).await;
}
