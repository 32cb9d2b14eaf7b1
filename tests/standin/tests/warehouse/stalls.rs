//! Faults at the k-th statement that does work, and statements held until they are let go.

use std::io::{Read as _, Write as _};
use std::time::Duration;

use super::*;
use crate::bootstrap::block_on;
use redshift_standin::{Action, Client, Fault, SUPERUSER};

pub async fn outside(standin: &Standin) -> Client {
    let stream = tokio::net::TcpStream::connect((standin.host(), standin.port())).await.expect("connects");
    Client::connect(stream, SUPERUSER, "dev", standin.password()).await.expect("signs in")
}

const WORK: [&str; 8] = [
    "SELECT 1",
    "BEGIN",
    "SET statement_timeout TO 60000",
    "CREATE ROLE worked",
    "SELECT count(*) FROM svv_roles",
    "GRANT USAGE ON SCHEMA finance TO ROLE worked",
    "SET SESSION AUTHORIZATION DEFAULT",
    "COMMIT",
];

/// The statement that failed, and how.
async fn run(client: &mut Client) -> Option<(&'static str, Error)> {
    for sql in WORK {
        if let Err(e) = client.query(sql).await {
            return Some((sql, e));
        }
    }
    None
}

fn attempt(standin: &Standin) -> Option<(&'static str, Error)> {
    block_on(async { run(&mut outside(standin).await).await })
}

fn worked(standin: &Standin) -> bool {
    let done = ok(standin, "SELECT role_name FROM svv_roles WHERE role_name = 'worked'").len() == 1;
    if done {
        ok(standin, "REVOKE USAGE ON SCHEMA finance FROM ROLE worked");
        ok(standin, "DROP ROLE worked");
    }
    done
}

#[test]
fn the_kth_piece_of_work_fails_or_loses_its_line() {
    let standin = start();
    assert!(attempt(&standin).is_none());
    assert!(worked(&standin));
    assert_eq!((standin.counters().work, standin.counters().statements), (4, 8));
    let work = ["BEGIN", "CREATE ROLE worked", "GRANT USAGE ON SCHEMA finance TO ROLE worked", "COMMIT"];
    for (k, struck) in (1..).zip(work) {
        let error = Action::Error {
            sqlstate: "XX000".into(),
            message: "conflict with concurrent transaction".into(),
            detail: None,
        };
        for (action, done) in [(error, false), (Action::CutBefore, false), (Action::CutAfter, struck == "COMMIT")] {
            standin.fault(Fault::work(k, action.clone()));
            let (sql, error) = attempt(&standin).expect("it struck");
            assert_eq!(sql, struck);
            let as_told = match &error {
                Error::Server(e) => e.sqlstate == "XX000" && matches!(action, Action::Error { .. }),
                _ => !matches!(action, Action::Error { .. }),
            };
            assert!(as_told, "{action:?}: {error}");
            assert_eq!(worked(&standin), done, "{k}: {action:?}");
        }
    }
    standin.fault(Fault::error("role", "XX000", "second").occurrence(2));
    let (sql, _) = attempt(&standin).expect("it struck");
    assert_eq!(sql, "SELECT count(*) FROM svv_roles", "the second statement with this text, whatever it does");
    assert!(!worked(&standin));
}

#[test]
fn a_statement_is_held_until_it_is_let_go_or_its_client_dies() {
    let standin = start();
    for (action, done) in [(Action::Stall, false), (Action::StallAfter, true)] {
        // Killed there: before COMMIT nothing is done, after it everything.
        standin.fault(Fault::statement("commit", action.clone()));
        std::thread::scope(|scope| {
            let (gone, wait) = std::sync::mpsc::channel::<()>();
            let standin = &standin;
            scope.spawn(move || {
                block_on(async {
                    let mut client = outside(standin).await;
                    let killed = tokio::task::spawn_blocking(move || wait.recv());
                    tokio::select! {
                        _ = run(&mut client) => panic!("it was not held"),
                        _ = killed => {}
                    }
                });
            });
            assert!(standin.wait_for_stalled(1, Duration::from_secs(10)));
            drop(gone);
        });
        while standin.counters().stalled > 0 {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(worked(&standin), done, "{action:?}");
        // Let go: it goes on as if nothing had been.
        let stall = if done { "stall_after" } else { "stall" };
        control(&standin, "POST", "/faults", &format!(r#"{{"on": "work", "skip": 3, "action": "{stall}"}}"#));
        std::thread::scope(|scope| {
            let running = scope.spawn(|| attempt(&standin).is_none());
            assert!(standin.wait_for_stalled(1, Duration::from_secs(10)));
            assert!(control(&standin, "GET", "/counters", "").contains(r#""stalled":1"#));
            control(&standin, "POST", "/faults/release", "");
            assert!(running.join().expect("ends"), "no error");
        });
        assert!(worked(&standin));
    }
}

fn control(standin: &Standin, method: &str, path: &str, body: &str) -> String {
    let host = standin.control_url().trim_start_matches("http://").to_owned();
    let mut stream = std::net::TcpStream::connect(&host).expect("connects");
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).expect("asks");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answers");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    answer
}
