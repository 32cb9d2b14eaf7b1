//! Somebody gives a user anything that can hang on a user, in three databases: without force nothing is changed while
//! something hangs on him, with force he goes and nobody else has lost anything.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::engine::sql::ident;
use crate::engine::trial::{Trial, is_campaign};
use crate::engine::user::*;

/// How many users are dropped; `make campaign` tries more, and `CAMPAIGN_CASES` as many as it says.
const CASES: u64 = 6;
const ALL_CASES: u64 = 100;

const DATABASES: [&str; 3] = ["dev", "sample", "mart"];

/// Names as people give them, and as nobody should.
const NAMES: [&str; 5] = ["svc", "Svc 2", "o'b\"x", "x ", "o_d%d\\"];

fn pick<'a>(random: &mut StdRng, all: &[&'a str]) -> &'a str {
    all[random.random_range(0..all.len())]
}

/// Something that hangs on the user, and what made it.
struct Holding {
    /// Who runs which statement.
    made: Vec<(String, String)>,
    /// Statements that put the place in order once he is gone.
    cleared: Vec<String>,
    /// It keeps him from being dropped, if nothing is forced.
    blocks: bool,
    /// What only a person takes away: how.
    by_hand: Option<String>,
}

impl Holding {
    fn of(made: Vec<(String, String)>) -> Holding {
        Holding { made, cleared: Vec::new(), blocks: true, by_hand: None }
    }

    fn by_admin<const N: usize>(made: [String; N]) -> Holding {
        Holding::of(made.into_iter().map(|sql| ("awsuser".to_owned(), sql)).collect())
    }

    fn then(self, cleared: String) -> Holding {
        Holding { cleared: vec![cleared], ..self }
    }
}

/// One thing of any kind, in one database; `n` makes its name unique.
fn holding(random: &mut StdRng, name: &str, database: &str, n: usize) -> Holding {
    let user = ident(name).to_string();
    let by = |who: &str, sql: String| (who.to_owned(), sql);
    let option = if random.random::<bool>() { " WITH GRANT OPTION" } else { "" };
    let scope = pick(
        random,
        &[
            "SELECT FOR TABLES IN SCHEMA area DATABASE {}",
            "SELECT, INSERT FOR TABLES IN DATABASE {}",
            "EXECUTE FOR FUNCTIONS IN SCHEMA area DATABASE {}",
            "EXECUTE FOR PROCEDURES IN DATABASE {}",
            "USAGE, CREATE FOR SCHEMAS IN DATABASE {}",
            "USAGE FOR LANGUAGES IN DATABASE {}",
            "CREATE FOR COPY JOBS IN DATABASE {}",
            "USAGE, DROP FOR TEMPLATES IN SCHEMA area DATABASE {}",
        ],
    );
    match random.random_range(0..24) {
        0 => Holding::by_admin([format!("CREATE SCHEMA his_s{n} AUTHORIZATION {user}")])
            .then(format!("DROP SCHEMA his_s{n} CASCADE")),
        1 => Holding::by_admin([
            format!("CREATE TABLE area.his_t{n} (a integer)"),
            format!("ALTER TABLE area.his_t{n} OWNER TO {user}"),
        ])
        .then(format!("DROP TABLE area.his_t{n}")),
        2 => Holding::by_admin([
            format!("CREATE FUNCTION area.his_f{n}(integer) RETURNS integer IMMUTABLE AS $$ SELECT 1 $$ LANGUAGE sql"),
            format!("ALTER FUNCTION area.his_f{n}(integer) OWNER TO {user}"),
        ])
        .then(format!("DROP FUNCTION area.his_f{n}(integer)")),
        3 => Holding::by_admin([format!("CREATE ROLE his_r{n}"), format!("ALTER ROLE his_r{n} OWNER TO {user}")])
            .then(format!("DROP ROLE his_r{n}")),
        4 => Holding::by_admin([format!("GRANT SELECT, INSERT ON area.t TO {user}{option}")]),
        // Passed on, and on from there.
        5 => Holding::of(vec![
            by("awsuser", format!("GRANT SELECT ON area.t TO {user} WITH GRANT OPTION")),
            by("awsuser", format!("GRANT USAGE ON SCHEMA area TO {user}")),
            by(name, "GRANT SELECT ON area.t TO friend WITH GRANT OPTION".into()),
            by("friend", "GRANT SELECT ON area.t TO third".into()),
            by("friend", "GRANT SELECT ON area.t TO ROLE readers".into()),
        ]),
        6 => Holding::of(vec![
            by("awsuser", format!("GRANT ALL ON area.t TO {user} WITH GRANT OPTION")),
            by("awsuser", format!("GRANT USAGE ON SCHEMA area TO {user}")),
            by(name, "GRANT SELECT ON area.t TO ROLE readers".into()),
            by(name, "GRANT INSERT ON area.t TO GROUP analysts".into()),
        ]),
        // By somebody who may not even name the schema any more.
        7 => Holding::of(vec![
            by("awsuser", "GRANT USAGE ON SCHEMA area TO hr".into()),
            by("hr", format!("GRANT SELECT ON area.t TO {user}")),
            by("awsuser", "REVOKE USAGE ON SCHEMA area FROM hr".into()),
        ]),
        8 => Holding::by_admin([
            // Of a table of their own: rights on columns stand in the way of those on the table.
            format!("GRANT SELECT (a, b) ON area.columns TO {user}"),
        ]),
        9 => Holding::by_admin([format!("GRANT UPDATE (b) ON area.columns TO {user}")]),
        10 => Holding::of(vec![
            by("awsuser", format!("GRANT USAGE, CREATE ON SCHEMA area TO {user} WITH GRANT OPTION")),
            by(name, "GRANT USAGE ON SCHEMA area TO ROLE readers".into()),
            by(name, "GRANT CREATE ON SCHEMA area TO third".into()),
        ]),
        11 => Holding::by_admin([format!("GRANT TEMP, CREATE ON DATABASE {database} TO {user}{option}")]),
        12 => Holding::of(vec![
            by("awsuser", format!("GRANT CREATE ON DATABASE {database} TO {user} WITH GRANT OPTION")),
            by(name, format!("GRANT CREATE ON DATABASE {database} TO friend")),
        ]),
        13 => Holding::by_admin([format!("GRANT USAGE ON LANGUAGE plpgsql TO {user}")]),
        14 => Holding::of(vec![
            by("awsuser", format!("GRANT EXECUTE ON FUNCTION area.f(integer) TO {user} WITH GRANT OPTION")),
            by("awsuser", format!("GRANT USAGE ON SCHEMA area TO {user}")),
            by(name, "GRANT EXECUTE ON FUNCTION area.f(integer) TO ROLE readers".into()),
        ]),
        15 => Holding::by_admin([format!("GRANT EXECUTE ON PROCEDURE area.p(integer) TO {user}")]),
        16 | 17 => Holding::by_admin([format!("GRANT {} TO {user}", scope.replace("{}", database))]),
        18 => {
            let to = pick(random, &["ROLE readers", "GROUP analysts", "friend", "PUBLIC"]);
            let what = pick(random, &["SELECT ON TABLES", "EXECUTE ON FUNCTIONS", "EXECUTE ON PROCEDURES"]);
            if random.random::<bool>() {
                return Holding::by_admin([format!(
                    "ALTER DEFAULT PRIVILEGES FOR USER {user} GRANT {what} TO ROLE readers"
                )]);
            }
            Holding::by_admin([
                format!("GRANT CREATE ON SCHEMA area TO {user}"),
                format!("ALTER DEFAULT PRIVILEGES FOR USER {user} IN SCHEMA area GRANT {what} TO {to}"),
                format!("REVOKE CREATE ON SCHEMA area FROM {user}"),
            ])
        }
        // Of somebody who may not create there any more.
        19 => Holding::by_admin([
            "GRANT CREATE ON SCHEMA area TO maker".into(),
            format!("ALTER DEFAULT PRIVILEGES FOR USER maker IN SCHEMA area GRANT SELECT ON TABLES TO {user}"),
            "REVOKE CREATE ON SCHEMA area FROM maker".into(),
        ]),
        20 => {
            let command = pick(random, &["ALL", "COPY", "UNLOAD", "EXTERNAL FUNCTION", "CREATE MODEL"]);
            Holding::by_admin([format!("GRANT ASSUMEROLE ON 'arn:aws:iam::1:role/r{n}' TO {user} FOR {command}")])
        }
        21 => Holding::by_admin([format!("GRANT ALTER, SHARE ON DATASHARE pool TO {user}")]),
        22 => {
            let held = pick(random, &["GRANT ROLE readers TO {}", "ALTER GROUP analysts ADD USER {}"]);
            Holding { blocks: false, ..Holding::by_admin([held.replace("{}", &user)]) }
        }
        _ => {
            let (made, gone) =
                (format!("CREATE VIEW area.his_v{n} AS SELECT 1 AS a"), format!("DROP VIEW area.his_v{n}"));
            let owner = format!("ALTER TABLE area.his_v{n} OWNER TO {user}");
            Holding { by_hand: Some(gone), ..Holding::by_admin([made, owner]) }
        }
    }
}

async fn dumps(trial: &Trial) -> Vec<String> {
    let mut all = Vec::new();
    for database in DATABASES {
        all.push(trial.dump(database).await);
    }
    all
}

fn differences(before: &[String], after: &[String]) -> Vec<String> {
    let lines = |dumps: &[String]| dumps.concat().lines().map(str::to_owned).collect::<std::collections::BTreeSet<_>>();
    let (before, after) = (lines(before), lines(after));
    let gone = before.difference(&after).map(|line| format!("- {line}"));
    gone.chain(after.difference(&before).map(|line| format!("+ {line}"))).collect()
}

async fn prepare(trial: &Trial) {
    for sql in [
        "CREATE DATABASE mart",
        "CREATE ROLE readers",
        "CREATE DATASHARE pool",
        "CREATE USER friend PASSWORD DISABLE",
        "CREATE USER third PASSWORD DISABLE",
        "CREATE USER hr PASSWORD DISABLE",
        "CREATE USER maker PASSWORD DISABLE",
    ] {
        trial.admin("dev", sql).await;
    }
    for database in DATABASES {
        for sql in [
            "CREATE SCHEMA area",
            "CREATE TABLE area.t (a integer, b integer)",
            "CREATE TABLE area.columns (a integer, b integer)",
            "CREATE FUNCTION area.f(integer) RETURNS integer IMMUTABLE AS $$ SELECT 1 $$ LANGUAGE sql",
            "CREATE PROCEDURE area.p(integer) AS $$ BEGIN END; $$ LANGUAGE plpgsql",
            "GRANT USAGE ON SCHEMA area TO friend",
            "GRANT SELECT ON area.t TO hr WITH GRANT OPTION",
            "GRANT SELECT ON area.t TO third",
            "GRANT SELECT ON area.t TO ROLE readers",
        ] {
            trial.admin(database, sql).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_hangs_on_a_user_he_is_dropped_wholly_or_not_at_all() {
    let asked = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seed = asked("CAMPAIGN_SEED").unwrap_or_else(rand::random);
    let mut random = StdRng::seed_from_u64(seed);
    let trial = Trial::start();
    prepare(&trial).await;
    let before = dumps(&trial).await;
    for case in 0..asked("CAMPAIGN_CASES").unwrap_or(if is_campaign() { ALL_CASES } else { CASES }) {
        let name = pick(&mut random, &NAMES);
        trial.make_user(name).await;
        let mut all = Vec::new();
        let mut done = Vec::new();
        for n in 0..random.random_range(0..9) {
            let database = pick(&mut random, &DATABASES);
            let one = holding(&mut random, name, database, n);
            for (who, sql) in &one.made {
                let mut session = trial.standin.session(who, None, database).await.expect("opens");
                let ran = session.query(sql).await.map_err(|error| error.to_string());
                match ran {
                    // He has passed the right on by another holding, and keeps it.
                    Err(error) if sql.starts_with("REVOKE CREATE") && error.contains("2BP01") => continue,
                    ran => {
                        drop(ran.unwrap_or_else(|error| panic!("CAMPAIGN_SEED={seed}, case {case}: {sql}: {error}")))
                    }
                }
                done.push(format!("{database}, {who}: {sql}"));
            }
            all.push((database, one));
        }
        let what = format!("CAMPAIGN_SEED={seed}, case {case}, {name:?}: {done:#?}");
        let held = dumps(&trial).await;
        trial.standin.reset_counters();
        let dropped = drop_user(&trial.warehouse(), name, false, &[], &trial.never).await;
        if all.iter().any(|(_, one)| one.blocks) {
            let error = dropped.expect_err(&what);
            assert!(error.summary().ends_with("still owns or holds something"), "{error}: {what}");
            assert_eq!(trial.changes(), [] as [&str; 0], "{what}");
            assert_eq!(differences(&held, &dumps(&trial).await), [] as [&str; 0], "{what}");
            let by_hand: Vec<(&str, &String)> =
                all.iter().filter_map(|(database, one)| Some((*database, one.by_hand.as_ref()?))).collect();
            if !by_hand.is_empty() {
                let error = drop_user(&trial.warehouse(), name, true, &[], &trial.never).await.expect_err(&what);
                assert!(error.detail().contains("remove them by hand"), "{error}: {what}");
                assert_eq!(differences(&held, &dumps(&trial).await), [] as [&str; 0], "{what}");
            }
            for (database, sql) in by_hand {
                trial.admin(database, sql).await;
            }
            let dropped = drop_user(&trial.warehouse(), name, true, &[], &trial.never).await;
            let dropped = dropped.unwrap_or_else(|error| panic!("{error}: {what}"));
            assert_eq!(dropped.warnings, [], "{what}");
        } else {
            dropped.unwrap_or_else(|error| panic!("{error}: {what}"));
        }
        for (database, one) in &all {
            for sql in &one.cleared {
                trial.admin(database, sql).await;
            }
        }
        assert_eq!(differences(&before, &dumps(&trial).await), [] as [&str; 0], "{what}");
    }
}

/// A fault of the proof's own: nothing is changed where the warehouse refuses what no view shows.
#[tokio::test(flavor = "multi_thread")]
async fn what_no_view_shows_is_told_by_the_warehouse_before_anything_is_changed() {
    use redshift_standin::Fault;
    let trial = Trial::start();
    trial.make_user("svc").await;
    for (database, sql) in
        [("dev", "GRANT USAGE ON SCHEMA quality TO svc"), ("sample", "GRANT USAGE ON SCHEMA tickit TO svc")]
    {
        trial.admin(database, sql).await;
    }
    let before = (trial.dump("dev").await, trial.dump("sample").await);
    let words = "user \"svc\" can't be dropped because the user has a privilege on some object";
    // In dev it is tried first, then in sample.
    trial.standin.fault(Fault::error("DROP USER", "55006", words).skip(1));
    let error = drop_user(&trial.warehouse(), "svc", true, &[], &trial.never).await.expect_err("is refused");
    assert_eq!(error.summary(), "User \"svc\" cannot be dropped");
    for part in [
        "in database \"sample\"",
        "nothing was changed",
        "has a privilege on some object",
        "No view shows rights on copy jobs",
    ] {
        assert!(error.detail().contains(part), "{part}: {error}");
    }
    assert_eq!((trial.dump("dev").await, trial.dump("sample").await), before);
    trial.standin.clear_faults();
    drop_user(&trial.warehouse(), "svc", true, &[], &trial.never).await.expect("is dropped");
}

/// A user who was dropped from another database stays behind as a number.
#[tokio::test(flavor = "multi_thread")]
async fn numbers_of_users_who_are_gone_are_no_names() {
    let trial = Trial::start();
    for name in ["svc", "gone", "carl"] {
        trial.make_user(name).await;
    }
    for (who, sql) in [
        ("awsuser", "GRANT USAGE ON SCHEMA tickit TO svc"),
        ("awsuser", "GRANT USAGE ON SCHEMA tickit TO gone"),
        ("awsuser", "GRANT SELECT ON tickit.sales TO svc WITH GRANT OPTION"),
        ("svc", "GRANT SELECT ON tickit.sales TO gone"),
        ("awsuser", "GRANT SELECT ON tickit.venues TO gone WITH GRANT OPTION"),
        ("gone", "GRANT SELECT ON tickit.venues TO carl"),
    ] {
        let mut session = trial.standin.session(who, None, "sample").await.expect("opens");
        session.query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
    // Redshift looks in the current database only.
    trial.admin("dev", "DROP USER gone").await;
    let before = (trial.dump("dev").await, trial.dump("sample").await);
    for (name, line) in [
        ("svc", "has granted SELECT on table \"tickit\".\"sales\" to a user who no longer exists ("),
        ("carl", "holds SELECT on table \"tickit\".\"venues\" (granted by a user who no longer exists ("),
    ] {
        for force in [false, true] {
            let error = drop_user(&trial.warehouse(), name, force, &[], &trial.never).await.expect_err("is refused");
            assert!(error.detail().contains(line), "{line} is not in {error}");
            assert_eq!((trial.dump("dev").await, trial.dump("sample").await), before, "{name}");
        }
    }
    // Where the object is made anew, they are gone.
    trial.admin("sample", "DROP TABLE tickit.venues").await;
    drop_user(&trial.warehouse(), "carl", true, &[], &trial.never).await.expect("is dropped");
}
