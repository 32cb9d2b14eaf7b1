//! Sign-in, sessions and the pool, against a server in the test process.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::engine::aws::AwsOptions;
use crate::engine::error::{Error, Hints, Reach, Stage, TlsProblem};
use crate::engine::session::warehouse::{Engine, Options, Warehouse};
use crate::engine::settings::access::{Access, SslMode, sample};
use crate::engine::settings::endpoint::Endpoint;
use crate::engine::sql::{ident, raw, secret, sql};

mod handshake;
mod limits;
mod proxy;
mod server;
use server::{Door, Reply, Server};

fn access(server: &Server) -> Access {
    Access {
        endpoint: Endpoint { host: "127.0.0.1".into(), port: server.port },
        sslmode: SslMode::Disable,
        connect_timeout: Duration::from_secs(20),
        ..sample()
    }
}

fn warehouse(access: Access) -> Arc<Warehouse> {
    Engine::new(Options::default(), AwsOptions::default()).warehouse(access)
}

async fn open(door: Door) -> (Server, Arc<Warehouse>) {
    let server = Server::start(door, |_| Reply::Tag("OK")).await;
    let warehouse = warehouse(access(&server));
    (server, warehouse)
}

fn never() -> CancellationToken {
    CancellationToken::new()
}

async fn refusal(door: Door) -> (Server, Error) {
    let (server, warehouse) = open(door).await;
    let error = warehouse.session("dev", &never()).await.map(drop).expect_err("no session");
    (server, error)
}

#[tokio::test]
async fn every_way_to_ask_for_a_password_is_answered() {
    for door in [Door::Open, Door::Clear, Door::Md5, Door::Sha256] {
        let (server, warehouse) = open(door).await;
        let facts = warehouse.facts(&never()).await.expect("facts");
        assert_eq!((facts.user.as_str(), facts.superuser, &facts.namespace), ("alice", true, &None));
        let startup = server.seen(|seen| seen.startup.clone());
        let name = startup.iter().skip_while(|text| *text != "application_name").nth(1).expect("a name");
        assert!(name.starts_with("terraform-provider-redshift/"), "{startup:?}");
    }
}

#[tokio::test]
async fn a_wrong_password_is_tried_once_however_many_ask() {
    let (server, warehouse) = open(Door::Refuse("28P01", "password authentication failed for user \"alice\"")).await;
    let cancel = never();
    let asking = (0..20).map(|number| {
        let (warehouse, cancel) = (warehouse.clone(), cancel.clone());
        async move { warehouse.session(&format!("db{}", number % 3), &cancel).await.map(drop) }
    });
    for outcome in futures::future::join_all(asking).await {
        let error = outcome.expect_err("refused");
        assert_eq!(error.sqlstate(), Some("28P01"));
        let shown = format!("{error} {error:?} {:?}", error.advice(&Hints::default()));
        assert!(shown.contains("from REDSHIFT_USER") && !shown.contains("CANARY"), "{shown}");
    }
    assert_eq!(server.seen(|seen| seen.sign_ins), 1);
}

#[tokio::test]
async fn what_stands_in_the_way_of_a_sign_in_is_told_apart() {
    let (_, error) = refusal(Door::Refuse("3D000", "database \"dev\" does not exist")).await;
    assert_eq!((error.sqlstate(), error.summary().as_str()), (Some("3D000"), "Database does not exist"));
    let (_, error) = refusal(Door::HangUp).await;
    assert!(matches!(error, Error::Unreachable { reach: Reach::HungUp, .. }), "{error}");
    let secure = |server: &Server| warehouse(Access { sslmode: SslMode::VerifyFull, ..access(server) });
    for (byte, expected) in [(b'N', TlsProblem::PlainServer), (b'H', TlsProblem::NotAWarehouse)] {
        let server = Server::start(Door::Answer(byte), |_| Reply::HangUp).await;
        match secure(&server).session("dev", &never()).await.map(drop) {
            Err(Error::Tls { problem, sslmode, .. }) => assert_eq!((problem, sslmode), (expected, "verify-full")),
            other => panic!("{other:?}"),
        }
    }
    for byte in [b'S', 0] {
        let door = if byte == 0 { Door::HangUp } else { Door::Answer(byte) };
        let server = Server::start(door, |_| Reply::HangUp).await;
        let error = secure(&server).session("dev", &never()).await.map(drop).expect_err("no session");
        assert!(matches!(error, Error::Unreachable { reach: Reach::HungUp, .. }), "{error}");
    }
    let free = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a port").local_addr().expect("an address");
    let endpoint = Endpoint { host: "127.0.0.1".into(), port: free.port() };
    let error =
        warehouse(Access { endpoint, ..sample() }).session("dev", &never()).await.map(drop).expect_err("no one");
    assert!(matches!(error, Error::Unreachable { reach: Reach::Refused, .. }) && error.is_unreachable(), "{error}");
    let endpoint = Endpoint { host: "a..b".into(), port: 5439 };
    let error =
        warehouse(Access { endpoint, ..sample() }).session("dev", &never()).await.map(drop).expect_err("no name");
    assert!(matches!(error, Error::Unreachable { reach: Reach::NoSuchHost(_), .. }), "{error}");
}

#[tokio::test]
async fn a_tunnel_is_connected_to_in_place_of_the_host() {
    let server = Server::start(Door::Clear, |_| Reply::Tag("OK")).await;
    let endpoint = Endpoint { host: "warehouse.invalid".into(), port: 5439 };
    let hostaddr = Some(format!("127.0.0.1:{}", server.port).parse().expect("an address"));
    let warehouse = warehouse(Access { endpoint, hostaddr, ..access(&server) });
    assert!(warehouse.session("dev", &never()).await.is_ok());
}

#[tokio::test]
async fn a_crowded_warehouse_is_asked_again() {
    let (server, warehouse) = open(Door::Crowded(2)).await;
    assert!(warehouse.session("dev", &never()).await.is_ok());
    assert_eq!(server.seen(|seen| seen.sign_ins), 3);
}

#[tokio::test]
async fn a_setting_that_contradicts_the_session_is_an_error() {
    let server = Server::start(Door::Clear, |_| Reply::Tag("OK")).await;
    let wrong = warehouse(Access { preserve_case: Some(true), ..access(&server) });
    let error = wrong.session("dev", &never()).await.map(drop).expect_err("no session");
    assert!(matches!(error, Error::Setting { setting: "preserve_case", .. }), "{error}");
    let right = warehouse(Access { preserve_case: Some(false), ..access(&server) });
    assert!(right.session("dev", &never()).await.is_ok());
}

#[tokio::test]
async fn sessions_are_used_again_and_there_are_only_so_many() {
    let server = Server::start(Door::Clear, |_| Reply::Rows(vec![vec!["1"]])).await;
    let warehouse = warehouse(Access { max_sessions: 2, ..access(&server) });
    let cancel = never();
    let mut one = warehouse.session("dev", &cancel).await.expect("a session");
    let two = warehouse.session("dev", &cancel).await.expect("a session");
    let mut third = Box::pin(warehouse.session("dev", &cancel));
    assert!(futures::poll!(third.as_mut()).is_pending());
    let rows = one.query(&raw("SELECT 1")).await.expect("rows");
    assert_eq!((rows.len(), rows[0].get(0)), (1, Some("1")));
    drop(one);
    drop(third.await.expect("a session"));
    drop(two);
    assert_eq!(server.seen(|seen| seen.sign_ins), 2);
    let stopped = CancellationToken::new();
    stopped.cancel();
    assert_eq!(warehouse.session("dev", &stopped).await.map(drop), Err(Error::Cancelled));
}

/// `max_sessions` counts the sessions with all databases; an idle one of another makes room.
#[tokio::test]
async fn idle_sessions_of_other_databases_make_room() {
    let server = Server::start(Door::Clear, |_| Reply::Tag("OK")).await;
    let warehouse = warehouse(Access { max_sessions: 2, ..access(&server) });
    let cancel = never();
    for database in ["one", "two", "three", "three", "two"] {
        drop(warehouse.session(database, &cancel).await.expect("a session"));
    }
    // "one" made room for "three", and the others are still there.
    assert_eq!(server.seen(|seen| seen.sign_ins), 3);
    let one = warehouse.session("one", &cancel).await.expect("a session");
    let _two = warehouse.session("two", &cancel).await.expect("a session");
    let mut three = Box::pin(warehouse.session("three", &cancel));
    assert!(futures::poll!(three.as_mut()).is_pending());
    drop(one);
    three.await.expect("a session");
}

/// Whoever has a session and wants another does not wait for it: everybody else might wait for the same.
#[tokio::test]
async fn a_second_session_of_one_task_is_not_waited_for() {
    let server = Server::start(Door::Clear, |_| Reply::Tag("OK")).await;
    let warehouse = warehouse(Access { max_sessions: 2, ..access(&server) });
    let both_have_one = Arc::new(tokio::sync::Barrier::new(2));
    let tasks = ["one", "two"].map(|database| {
        let (warehouse, both_have_one) = (warehouse.clone(), both_have_one.clone());
        tokio::spawn(async move {
            let first = warehouse.session(database, &never()).await?;
            both_have_one.wait().await;
            let second = warehouse.session("three", &never()).await?;
            drop((first, second));
            // With none, it waits for its turn like everybody.
            warehouse.session(database, &never()).await.map(drop)
        })
    });
    for task in tasks {
        assert_eq!(task.await.expect("no panic"), Ok(()));
    }
}

#[tokio::test]
async fn a_session_that_failed_or_changed_itself_is_not_used_again() {
    let script = |sql: &str| match sql {
        "BAD" => Reply::Error("ERROR", "42601", "syntax error".into()),
        "GRANT" => Reply::Remark("01007", "no privileges were granted"),
        _ => Reply::Tag("OK"),
    };
    let server = Server::start(Door::Clear, script).await;
    let warehouse = warehouse(access(&server));
    let cancel = never();
    for (statements, sign_ins) in [
        (&["GRANT"][..], 1),
        (&["BEGIN", "COMMIT"], 1),
        (&["SET SESSION AUTHORIZATION 'bob'"], 1),
        (&["BEGIN"], 2),
        (&["BAD"], 3),
        (&["SELECT"], 4),
        (&["SELECT"], 4),
    ] {
        let mut session = warehouse.session("dev", &cancel).await.expect("a session");
        for statement in statements {
            let done = session.execute(&raw(statement)).await;
            assert_eq!(done.is_err(), *statement == "BAD");
            if *statement == "GRANT" {
                let notice = &done.expect("done").notices[0];
                assert_eq!((notice.sqlstate.as_str(), notice.message.raw()), ("01007", "no privileges were granted"));
            }
        }
        assert_eq!(server.seen(|seen| seen.sign_ins), sign_ins, "{statements:?}");
    }
    warehouse.session("dev", &cancel).await.expect("a session").discard();
    drop(warehouse.session("dev", &cancel).await.expect("a session"));
    assert_eq!(server.seen(|seen| seen.sign_ins), 5);
}

#[tokio::test]
async fn a_failed_transaction_answers_with_what_failed_it() {
    let script = |sql: &str| match sql {
        "BAD" => Reply::Error("ERROR", "40001", "conflict".into()),
        _ => Reply::Tag("OK"),
    };
    let server = Server::start(Door::Clear, script).await;
    let mut session = warehouse(access(&server)).session("dev", &never()).await.expect("a session");
    let run =
        async |session: &mut crate::engine::session::Session, sql: &str| session.execute(&raw(sql)).await.map(drop);
    assert!(run(&mut session, "BEGIN").await.is_ok());
    let error = run(&mut session, "BAD").await.expect_err("a conflict");
    assert!(error.is_retryable());
    assert_eq!(run(&mut session, "SELECT 1").await, Err(error.clone()));
    assert_eq!(run(&mut session, "COMMIT").await, Err(error));
    assert!(run(&mut session, "ROLLBACK").await.is_ok());
    assert!(run(&mut session, "SELECT 1").await.is_ok());
    assert_eq!(server.statements(), ["BEGIN", "BAD", "ROLLBACK", "SELECT 1"]);
}

#[tokio::test]
async fn a_stop_cancels_in_the_warehouse_and_rolls_back() {
    let script = |sql: &str| if sql == "SLOW" { Reply::Hang } else { Reply::Tag("OK") };
    let server = Server::start(Door::Clear, script).await;
    let cancel = never();
    let mut session = warehouse(access(&server)).session("dev", &cancel).await.expect("a session");
    session.execute(&raw("BEGIN")).await.expect("begun");
    let slow = raw("SLOW");
    let (outcome, ()) = tokio::join!(session.execute(&slow), async {
        server.hanging.notified().await;
        cancel.cancel();
    });
    assert_eq!(outcome.map(drop), Err(Error::Cancelled));
    assert_eq!(server.seen(|seen| seen.cancels), 1);
    assert_eq!(server.statements(), ["BEGIN", "SLOW", "ROLLBACK"]);
    assert_eq!(session.execute(&raw("SELECT 1")).await.map(drop), Err(Error::Cancelled));
    assert_eq!(server.statements().len(), 3);
}

#[tokio::test]
async fn after_a_stop_nothing_new_is_sent_but_a_commit_is_waited_for() {
    let server = Server::start(Door::Clear, |_| Reply::Tag("OK")).await;
    let warehouse = warehouse(access(&server));
    let cancel = never();
    let mut session = warehouse.session("dev", &cancel).await.expect("a session");
    session.execute(&raw("BEGIN")).await.expect("begun");
    cancel.cancel();
    assert_eq!(session.execute(&raw("COMMIT")).await.map(drop), Err(Error::Cancelled));
    assert_eq!(server.statements(), ["BEGIN", "ROLLBACK"]);
}

#[tokio::test]
async fn a_lost_line_says_what_is_not_known() {
    let script = |sql: &str| match sql {
        "DIE" => Reply::HangUp,
        "SHUTDOWN" => Reply::Error("FATAL", "57P01", "terminating connection due to administrator command".into()),
        _ => Reply::Tag("OK"),
    };
    let server = Server::start(Door::Clear, script).await;
    let warehouse = warehouse(Access { max_sessions: 1, ..access(&server) });
    let mut lost = warehouse.session("dev", &never()).await.expect("a session");
    let error = lost.execute(&raw("DIE")).await.expect_err("no line");
    assert!(error.is_lost() && error.to_string().contains("not known"), "{error}");
    assert_eq!(lost.execute(&raw("SELECT 1")).await.map(drop), Err(error));
    // The lost session is still held, but counts no more.
    let mut session = warehouse.session("dev", &never()).await.expect("a new session");
    let error = session.execute(&raw("SHUTDOWN")).await.expect_err("no line");
    assert!(error.is_unreachable() && error.sqlstate() == Some("57P01"), "{error}");
    assert_eq!(session.execute(&raw("SELECT 1")).await.map(drop), Err(error));
}

#[tokio::test]
async fn a_refused_statement_never_shows_its_secret() {
    let script = |sql: &str| Reply::Error("ERROR", "42601", format!("syntax error at or near \"{sql}\""));
    let server = Server::start(Door::Clear, script).await;
    let mut session = warehouse(access(&server)).session("dev", &never()).await.expect("a session");
    let sql = sql!("ALTER USER {} PASSWORD {};", ident("u"), secret(&"SECRET'1".into()));
    let error = session.execute(&sql).await.expect_err("refused");
    let shown = format!("{error} {error:?}");
    assert!(shown.contains("PASSWORD '<REDACTED>';") && !shown.contains("SECRET"), "{shown}");
    assert!(server.statements()[0].contains("'SECRET''1'"));
}
