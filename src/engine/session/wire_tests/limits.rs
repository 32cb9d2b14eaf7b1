//! Servers that send and send: each is cut off, by an error that says what was too much.

use super::server::framed;
use super::*;
use crate::engine::error::Excess;

/// What sockets, TLS and buffers may hold beside what is counted.
const SLACK: usize = 16 << 20;

fn notice() -> Vec<u8> {
    framed(b'N', b"SWARNING\0C01000\0Msomething that nobody asked for\0\0")
}

fn row(value: &str) -> Vec<u8> {
    let length = u32::try_from(value.len()).expect("short").to_be_bytes();
    framed(b'D', &[&[0, 1], &length[..], value.as_bytes()].concat())
}

fn one_column() -> Vec<u8> {
    framed(b'T', &[&[0, 1], &b"c\0"[..], &[0, 0, 0, 0, 0, 0, 0, 0, 0, 25, 255, 255, 255, 255, 255, 255, 0, 0]].concat())
}

/// What came of a statement, and how much the server could send.
async fn flooded(first: Vec<u8>, others: Vec<u8>) -> (Error, usize) {
    let script = move |sql: &str| match sql {
        "FLOOD" => Reply::Endless(first.clone(), others.repeat(1000)),
        _ => Reply::Tag("OK"),
    };
    let server = Server::start(Door::Clear, script).await;
    let warehouse = warehouse(access(&server));
    let mut session = warehouse.session("dev", &never()).await.expect("a session");
    let error = session.query(&raw("FLOOD")).await.expect_err("too much");
    assert_eq!(session.query(&raw("SELECT 1")).await, Err(error.clone()), "the session is closed");
    assert!(warehouse.session("dev", &never()).await.is_ok(), "another one may be opened");
    (error, server.seen(|seen| seen.flooded))
}

fn excess_of(error: &Error) -> Excess {
    match error {
        Error::Lost { excess: Some(excess), .. } => *excess,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn an_endless_answer_is_cut_off() {
    let (error, read) = flooded(one_column(), row(&"x".repeat(1000))).await;
    let Excess::Answer { limit } = excess_of(&error) else { panic!("{error}") };
    assert!(read < usize::try_from(limit).expect("fits") + SLACK, "{read}");
    let text = error.to_string();
    for words in ["Too much came from the warehouse", "\"dev\"", "more than 256 MiB", "in answer to: FLOOD"] {
        assert!(text.contains(words), "{words} is not in {text}");
    }
    assert!(error.advice(&Hints::default()).is_some_and(|advice| advice.contains("datasets")));
    assert!(!error.is_lost() && !error.is_unreachable(), "it is not asked again");
}

#[tokio::test]
async fn endless_notices_are_cut_off() {
    let (error, read) = flooded(Vec::new(), notice()).await;
    let Excess::Remarks { limit } = excess_of(&error) else { panic!("{error}") };
    assert!(read < usize::try_from(limit).expect("fits") + SLACK, "{read}");
    assert!(error.to_string().contains("16 MiB of notices"), "{error}");
}

#[tokio::test]
async fn endless_notices_at_a_sign_in_are_cut_off() {
    const NOTICE: &[u8] = b"N\0\0\0\x26SWARNING\0C01000\0Mwords of nobody\0\0";
    const SETTING: &[u8] = b"S\0\0\0\x09a\0bc\0";
    for flood in [NOTICE, SETTING] {
        let (server, error) = refusal(Door::Endless(flood)).await;
        let Excess::Remarks { limit } = excess_of(&error) else { panic!("{error}") };
        let read = server.seen(|seen| seen.flooded);
        assert!(read < usize::try_from(limit).expect("fits") + SLACK, "{read}");
        assert!(error.to_string().contains("(signing in)"), "{error}");
    }
}

/// Nothing is set aside for it, and nothing of it is read.
#[tokio::test]
async fn a_row_of_two_gigabytes_is_refused_as_it_is_announced() {
    let announced = [&one_column()[..], &b"D\x80\0\0\0\0\x01\x7f\xff\xff\xf0"[..]].concat();
    let (error, read) = flooded(announced, vec![b'x'; 1 << 10]).await;
    assert!(matches!(excess_of(&error), Excess::Message { announced: 0x8000_0000, .. }), "{error}");
    assert!(read < SLACK, "{read}");
    assert!(error.to_string().contains("2147483648 bytes was announced"), "{error}");
}

/// A large catalogue is no excess: 5,000 tables with 40 columns each.
#[tokio::test]
async fn two_hundred_thousand_rows_are_read() {
    let rows = |_: &str| {
        Reply::Rows((0..200_000).map(|_| vec!["sales", "orders", "order_id", "character varying(256)"]).collect())
    };
    let server = Server::start(Door::Clear, rows).await;
    let mut session = warehouse(access(&server)).session("dev", &never()).await.expect("a session");
    assert_eq!(session.query(&raw("SELECT")).await.expect("rows").len(), 200_000);
}
