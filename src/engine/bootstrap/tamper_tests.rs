//! Somebody with rights writes anything into the marker, gives things away, puts others beside them: afterwards nobody
//! else has gained or lost anything, and the integration is as declared or an error says what to do.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::life::Known;
use super::*;
use crate::engine::trial::{Trial, is_campaign};

/// How many integrations are tampered with; `make campaign` tries more, and `CAMPAIGN_CASES` as many as it says.
const CASES: u64 = 3;
const ALL_CASES: u64 = 60;

/// What somebody would like to see dropped, believed or run.
const TEXTS: [&str; 12] = [
    "finance_admins",
    "bystander",
    "bystander_role",
    "victim",
    "x; SET SESSION AUTHORIZATION DEFAULT; ALTER USER mallory CREATEUSER; --",
    "x'); ALTER USER mallory CREATEUSER; --",
    "\\'); DROP DATABASE victim; --",
    "$rs_body$; DROP USER bystander; --",
    "",
    "enabled",
    "deleting",
    "rdsdb",
];

const COLUMNS: [&str; 9] = ["id", "type", "mode", "status", "run_id", "config_digest", "made", "message", "generation"];

fn pick<'a, T: ?Sized>(random: &mut StdRng, all: &[&'a T]) -> &'a T {
    all[random.random_range(0..all.len())]
}

/// A value for `made` that names what is others'.
fn forged(random: &mut StdRng) -> String {
    let name = pick(random, &TEXTS);
    let kind = pick(random, &["group", "role"]);
    serde_json::json!({
        "database": random.random::<bool>(),
        "user": random.random::<bool>(),
        "system_user": pick(random, &TEXTS),
        "actors": { "name": name, "type": kind },
        "temp_to_public": random.random::<bool>(),
        "owners": pick(random, &["system", "login"]),
        "external_schemas": { "theirs": { "database": "x", "iam_role": "default" } },
    })
    .to_string()
}

/// One thing that somebody does, in the managed database and as a superuser.
fn tampering(random: &mut StdRng, p: &str) -> String {
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('\'', "''");
    let marker = format!("{p}_system.integration");
    let managed = [
        format!("{p}_system.profile"),
        format!("{p}_system.user_profile"),
        format!("{p}_system.impersonation"),
        marker.clone(),
        format!("{p}_lock.integration_lock"),
    ];
    let table = &managed[random.random_range(0..managed.len())];
    let schema = format!("{p}_{}", pick(random, &["system", "functions", "procedures", "lock"]));
    let who = pick(random, &["mallory", "bystander", "awsuser"]);
    match random.random_range(0..14) {
        0 | 1 => format!("UPDATE {marker} SET made = '{}'", quoted(&forged(random))),
        2..=4 => {
            let column = pick(random, &COLUMNS);
            let value = if column == "generation" {
                random.random::<u8>().to_string()
            } else {
                pick(random, &TEXTS).to_owned()
            };
            format!("UPDATE {marker} SET {column} = '{}'", quoted(&value))
        }
        5 => format!("INSERT INTO {marker} SELECT * FROM {marker}"),
        6 => format!("DELETE FROM {marker}"),
        7 => format!("ALTER TABLE {table} OWNER TO {who}"),
        8 => format!("ALTER SCHEMA {schema} OWNER TO {who}"),
        9 => format!("DROP TABLE {table}"),
        10 => format!("GRANT ALL ON SCHEMA {schema} TO {who}"),
        11 => format!("GRANT ALL ON TABLE {table} TO {who}"),
        12 => format!("CREATE TABLE {schema}.extra (a integer)"),
        _ => format!("DROP VIEW {p}_system.user_profile CASCADE"),
    }
}

/// What is not this integration's, of everything that is shared or in the database.
async fn others(trial: &Trial, spec: &Spec) -> Vec<String> {
    let ours = [format!("{}_", spec.prefix), spec.database.clone()];
    let mut lines = Vec::new();
    for database in ["dev", "victim"] {
        let dump = trial.dump(database).await;
        lines
            .extend(dump.lines().filter(|line| ours.iter().all(|own| !line.contains(own.as_str()))).map(str::to_owned));
    }
    lines.sort();
    lines
}

fn spec(number: u64, creates: bool) -> Spec {
    Spec {
        kind: if creates { Kind::Redshift } else { Kind::RedshiftSpectrum },
        database: format!("managed{number}"),
        initial_database: creates.then(|| "dev".into()),
        create_database: creates,
        prefix: format!("g{number}"),
        system_user: format!("g{number}_system_user"),
        impersonation: Some(Impersonation { name: format!("g{number}_actors"), kind: ActorKind::Group }),
        marker_owner: None,
        external_schemas: Default::default(),
        members: None,
        key_version: None,
        allowed_readers: Default::default(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_written_into_an_integration_nobody_else_gains_or_loses_by_it() {
    let asked = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seed = asked("CAMPAIGN_SEED").unwrap_or_else(rand::random);
    let mut random = StdRng::seed_from_u64(seed);
    let trial = Trial::start();
    for statement in [
        "CREATE DATABASE victim",
        "CREATE USER mallory PASSWORD DISABLE",
        "CREATE USER bystander PASSWORD DISABLE",
        "CREATE GROUP finance_admins WITH USER bystander",
        "CREATE ROLE bystander_role",
        "GRANT ROLE bystander_role TO bystander",
    ] {
        trial.admin("dev", statement).await;
    }
    for number in 0..asked("CAMPAIGN_CASES").unwrap_or(if is_campaign() { ALL_CASES } else { CASES }) {
        let what = format!("CAMPAIGN_SEED={seed}, case {number}");
        let creates = random.random::<bool>();
        let spec = spec(number, creates);
        if !creates {
            trial.admin("dev", &format!("CREATE DATABASE {}", spec.database)).await;
        }
        let request = Request { spec: spec.clone(), password: UserPassword::Keep, serverless: false, new_key: false };
        let warehouse = trial.warehouse();
        let applied = create(&warehouse, &request, &trial.never).await.unwrap_or_else(|e| panic!("{what}: {e:?}"));
        let before = others(&trial, &spec).await;
        let mut done = Vec::new();
        for _ in 0..random.random_range(1..5) {
            let statement = tampering(&mut random, &spec.prefix);
            if trial.standin.sql(&spec.database, &statement).await.is_ok() {
                done.push(statement);
            }
        }
        let what = format!("{what}: {done:#?}");
        let after = others(&trial, &spec).await;
        assert_eq!(after, before, "the tampering itself is about what is managed: {what}");

        let known = Known {
            id: applied.id.clone(),
            made: Some(applied.made.clone()),
            prior: None,
            keepsake: applied.keepsake.clone(),
        };
        let edited = update(&trial.warehouse(), &request, &known, &trial.never).await;
        assert_eq!(others(&trial, &spec).await, before, "edited: {what}");
        let known = match edited {
            Ok(applied) => {
                let known = Known { keepsake: applied.keepsake, made: Some(applied.made), ..known };
                let looked = verify::verify(&trial.warehouse(), &spec, Some(&known), false, &trial.never).await;
                let looked = looked.expect("looks");
                assert!(looked.missing.is_empty() && looked.surplus.is_empty(), "{what}: {looked:?}");
                known
            }
            Err(failed) => {
                let error = &failed.errors[0];
                assert!(!error.summary().is_empty() && error.detail().len() > 20, "{what}: {error}");
                known
            }
        };
        let removal = Removal {
            spec: spec.clone(),
            made: known.made,
            id: Some(known.id),
            keepsake: known.keepsake,
            imported: false,
            force: true,
        };
        let removed = remove(&trial.warehouse(), &removal, &trial.never).await;
        assert_eq!(others(&trial, &spec).await, before, "removed: {what}");
        match removed {
            Ok(_) => {
                let found = look(&trial.warehouse(), &spec, None, &trial.never).await.expect("looks");
                let left = gone(&found, &spec);
                assert_eq!(left, [] as [&str; 0], "{what}");
            }
            Err(error) => panic!("it is jammed: {error}: {what}"),
        }
    }
}
