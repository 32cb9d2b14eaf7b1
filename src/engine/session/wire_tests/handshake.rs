//! The first frames of a session, with servers that keep to the protocol and servers that do not.

use proptest::prelude::*;
use redshift_standin::{Auth, StandinOptions};
use secrecy::SecretString;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::*;
use crate::engine::session::connect::{Line, sign_in};
use crate::engine::session::handshake::{Begun, Hello, Stop, begin};
use crate::engine::trial::{PASSWORD, Trial};

const OK: [u8; 9] = *b"R\0\0\0\x08\0\0\0\0";
const CLEAR: [u8; 9] = *b"R\0\0\0\x08\0\0\0\x03";
const MD5: [u8; 13] = *b"R\0\0\0\x0c\0\0\0\x05\x01\x02\x03\x04";

/// Begins a session with a server that sends these bytes and no more; the server's end holds what it was sent.
async fn play(frames: &[u8], in_clear: bool) -> (Result<Begun<DuplexStream>, Stop>, DuplexStream) {
    let (ours, mut theirs) = duplex(1 << 20);
    theirs.write_all(frames).await.expect("room");
    theirs.shutdown().await.expect("no more");
    let hello = Hello { user: "alice", database: "dev", application: "a test" };
    (begin(ours, &hello, Some(&SecretString::from("CANARY")), in_clear).await, theirs)
}

async fn all(mut stream: DuplexStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.expect("the other side is closed");
    bytes
}

fn startup() -> Vec<u8> {
    let body =
        b"\0\x03\0\0client_encoding\0UTF8\0DateStyle\0ISO\0user\0alice\0database\0dev\0application_name\0a test\0\0";
    let length = u32::try_from(body.len() + 4).expect("short");
    [&length.to_be_bytes(), body.as_slice()].concat()
}

#[tokio::test]
async fn the_first_client_message_is_swallowed_and_the_rest_goes_through() {
    let (begun, mut server) = play(&[&OK[..], b"the rest"].concat(), false).await;
    let mut line = begun.expect("a session");
    let message = startup();
    // In pieces, as a socket may take them.
    for piece in [&message[..2], &message[2..5], &message[5..]] {
        line.write_all(piece).await.expect("swallowed");
    }
    line.write_all(b"Q").await.expect("written");
    let mut read = [0; 17];
    line.read_exact(&mut read[..4]).await.expect("a part of the verdict");
    line.read_exact(&mut read[4..]).await.expect("the rest");
    assert_eq!(read, *b"R\0\0\0\x08\0\0\0\0the rest");
    let mut sent = vec![0; message.len() + 1];
    server.read_exact(&mut sent).await.expect("what was sent");
    assert_eq!(sent, [message.as_slice(), b"Q"].concat());
}

#[tokio::test]
async fn a_password_goes_in_clear_only_where_it_may() {
    let (begun, server) = play(&[CLEAR, OK].concat(), true).await;
    drop(begun.expect("a session"));
    assert_eq!(all(server).await, [startup().as_slice(), b"p\0\0\0\x0bCANARY\0"].concat());
    let (begun, server) = play(&[CLEAR, OK].concat(), false).await;
    assert!(matches!(begun, Err(Stop::InClear)));
    assert_eq!(all(server).await, startup(), "nothing but the start is sent");
    // A digest may go anywhere.
    let (begun, server) = play(&[&MD5[..], &OK].concat(), false).await;
    drop(begun.expect("a session"));
    assert!(all(server).await[startup().len()..].starts_with(b"p\0\0\0\x28md5"));
}

#[tokio::test]
async fn a_line_without_tls_that_was_not_asked_for_gets_no_password() {
    for (sslmode, encrypted, sent) in [
        (SslMode::VerifyFull, false, false),
        (SslMode::Require, false, false),
        (SslMode::Disable, false, true),
        (SslMode::VerifyFull, true, true),
    ] {
        let (ours, mut theirs) = duplex(1 << 12);
        theirs.write_all(&[&CLEAR[..], &OK, b"Z\0\0\0\x05I"].concat()).await.expect("room");
        let line = Line { stream: Box::new(ours), encrypted };
        let access = Access { sslmode, ..sample() };
        let password = SecretString::from("CANARY");
        let outcome = sign_in(&access, "bob", Some(&password), "dev", line, "a test").await.map(drop);
        assert_eq!(outcome.is_ok(), sent, "{sslmode} {encrypted}");
        if let Err(error) = outcome {
            assert!(matches!(&error, Error::Tls { problem: TlsProblem::PasswordInClear, .. }), "{error}");
            assert!(error.to_string().contains("in clear") && error.advice(&Hints::default()).is_some());
            let got = all(theirs).await;
            assert!(!got.windows(6).any(|window| window == b"CANARY"));
        }
    }
}

#[tokio::test]
async fn what_is_no_request_for_a_password_is_named() {
    for (bytes, name) in [
        (&b"R\0\0\0\x08\0\0\0\x0e"[..], "authentication request 14 (an identity provider's token)"),
        (b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0", "authentication request 10 (SASL)"),
        (b"R\0\0\0\x08\0\0\0\x63", "authentication request 99 (unknown)"),
        (b"R\0\0\0\x08\xff\xff\xff\xff", "authentication request -1 (unknown)"),
        (b"R\0\0\0\x14\0\0\0\x0d\0\0\0\x01\0\0\0\0\0\0\0\0", "authentication request 13 (a digest other than SHA-256)"),
    ] {
        let (server, error) = refusal(Door::Bytes(bytes)).await;
        let Error::SignIn(refused) = &error else { panic!("{error}") };
        assert_eq!((refused.message.raw(), refused.sqlstate.as_deref()), (name, None));
        assert!(error.advice(&Hints::default()).is_some_and(|advice| advice.contains("not known here")), "{error}");
        assert_eq!(server.seen(|seen| seen.sign_ins), 1);
    }
    let server = Server::start(Door::Sha256, |_| Reply::Tag("OK")).await;
    let nobody = warehouse(Access { password: None, ..access(&server) });
    let error = nobody.session("dev", &never()).await.map(drop).expect_err("no password");
    assert!(matches!(&error, Error::SignIn(refused) if refused.message == "password missing"), "{error}");
}

#[tokio::test]
async fn an_error_is_the_same_before_and_after_the_answer() {
    for door in [Door::Clear, Door::Md5, Door::Sha256] {
        let server = Server::start(door, |_| Reply::Tag("OK")).await;
        let wrong = warehouse(Access { password: Some(SecretString::from("WRONG")), ..access(&server) });
        let error = wrong.session("dev", &never()).await.map(drop).expect_err("refused");
        let Error::SignIn(refused) = &error else { panic!("{error}") };
        assert_eq!(refused.message, "password authentication failed");
        assert!(matches!(refused.sqlstate.as_deref(), Some("28000" | "28P01")) && !error.to_string().contains("WRONG"));
    }
    let (_, error) = refusal(Door::Refuse("57P03", "the database system is starting up")).await;
    assert!(matches!(&error, Error::Server(error) if error.statement == "(signing in)"), "{error}");
    assert!(error.is_unreachable(), "{error}");
}

#[tokio::test]
async fn frames_that_are_cut_too_long_or_strange_end_the_attempt() {
    let garbled = |frames: Vec<u8>| async move {
        match play(&frames, true).await.0 {
            Err(Stop::Garbled(what)) => what,
            Err(other) => panic!("{frames:?}: {other:?}"),
            Ok(_) => panic!("{frames:?}: begun"),
        }
    };
    let request = |body: &[u8]| {
        let length = u32::try_from(body.len() + 4).expect("short").to_be_bytes();
        [b"R", length.as_slice(), body].concat()
    };
    let cut = "a request that is cut short";
    for body in [
        &b""[..],
        b"\0\0\x05",
        b"\0\0\0\x05\x01\x02\x03",
        b"\0\0\0\x0d",
        b"\0\0\0\x0d\0\0\0\0\0\0\0\x20short",
        b"\0\0\0\x0d\0\0\0\0\xff\xff\xff\xff",
        b"\0\0\0\x0d\0\0\0\0\0\0\0\x01s\0\0\0\x10short",
        b"\0\0\0\x0d\0\0\0\0\0\0\0\x01s",
    ] {
        assert_eq!(garbled(request(body)).await, cut, "{body:?}");
    }
    let long = "a frame of impossible length";
    for head in [*b"R\0\0\0\x03", *b"E\x7f\xff\xff\xff", *b"R\xff\xff\xff\xff", *b"E\0\x01\0\x01"] {
        assert_eq!(garbled(head.to_vec()).await, long, "{head:?}");
    }
    for strange in [&b"HTTP/1.1 400 Bad Request"[..], b"Z\0\0\0\x05I", b"N\0\0\0\x05\0", b"\0\0\0\0\0"] {
        assert_eq!(garbled(strange.to_vec()).await, "neither a request nor an error");
    }
    for second in [&CLEAR[..], &MD5] {
        assert_eq!(garbled([&MD5, second].concat()).await, "a second request for the password");
    }
}

#[tokio::test]
async fn a_server_that_hangs_up_is_silent_or_babbles_is_told_apart() {
    for cut in [&b""[..], b"R", b"R\0\0\0", &OK[..7], b"E\0\0\0\x20SFATAL\0"] {
        let (_, error) = refusal(Door::Bytes(cut)).await;
        assert!(matches!(error, Error::Unreachable { reach: Reach::HungUp, .. }), "{cut:?}: {error}");
    }
    let (_, error) = refusal(Door::Bytes(b"HTTP/1.1 400 Bad Request\r\n")).await;
    assert!(matches!(error, Error::Unreachable { reach: Reach::NotAWarehouse(_), .. }), "{error}");
    assert!(error.advice(&Hints::default()).is_some_and(|advice| advice.contains("something else listens")));
    // An error without its fields, and one that is longer than a frame may be.
    let (_, error) = refusal(Door::Bytes(b"E\0\0\0\x05\0")).await;
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
}

/// Proves: F15
#[tokio::test]
async fn whoever_answered_once_is_behind_no_security_group() {
    let limit = Duration::from_millis(200);
    for (door, sslmode, stage, words) in [
        (Door::Hold, SslMode::VerifyFull, Stage::Connected, "nothing answered on it within 200ms"),
        (Door::Silent, SslMode::Disable, Stage::Connected, "nothing answered on it within 200ms"),
        (Door::Mute, SslMode::Disable, Stage::SignedIn, "The login was accepted"),
    ] {
        let server = Server::start(door, |_| Reply::Tag("OK")).await;
        let patient = warehouse(Access { connect_timeout: limit, sslmode, ..access(&server) });
        let error = patient.session("dev", &never()).await.map(drop).expect_err("no session");
        let reach = Reach::Silent { after: limit, stage };
        assert!(matches!(&error, Error::Unreachable { reach: found, .. } if *found == reach), "{error}");
        assert!(error.is_unreachable() && error.detail().contains(words), "{error}");
        let advice = error.advice(&Hints::default()).expect("advice");
        assert!(!advice.contains("Most often a security group"), "{advice}");
        assert_eq!(advice.contains("security group"), stage == Stage::Connected, "{advice}");
    }
}

#[tokio::test]
async fn what_cannot_stand_in_a_frame_is_not_sent() {
    let (ours, theirs) = duplex(1 << 12);
    let hello = Hello { user: "ali\0ce", database: "dev", application: "a test" };
    assert!(matches!(begin(ours, &hello, None, true).await, Err(Stop::Line(_))));
    assert_eq!(all(theirs).await, Vec::<u8>::new());
    let (ours, mut theirs) = duplex(1 << 12);
    theirs.write_all(&CLEAR).await.expect("room");
    let hello = Hello { user: "alice", ..hello };
    let Err(stop) = begin(ours, &hello, Some(&SecretString::from("CAN\0ARY")), true).await else { panic!("begun") };
    assert!(matches!(stop, Stop::Line(_)) && !format!("{stop:?}").contains("CAN"), "{stop:?}");
    assert_eq!(all(theirs).await, startup());
}

proptest! {
    /// Whatever a server sends, it ends: with a session or without one.
    #[test]
    fn no_server_makes_it_panic(
        kind in 0..16i32,
        body in proptest::collection::vec(any::<u8>(), 0..80),
        length in proptest::option::of(any::<u32>()),
        rest in proptest::collection::vec(any::<u8>(), 0..80),
    ) {
        let length = length.unwrap_or(8 + u32::try_from(body.len()).expect("short"));
        let frames = [b"R", length.to_be_bytes().as_slice(), &kind.to_be_bytes(), &body, &rest].concat();
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        drop(runtime.block_on(play(&frames, true)));
    }
}

/// The stand-in asks as Redshift does, over TLS.
#[tokio::test(flavor = "multi_thread")]
async fn the_stand_in_is_answered_over_tls() {
    for auth in [Auth::Hashed, Auth::ClearText] {
        let trial = Trial::with(StandinOptions { auth, ..StandinOptions::default() });
        trial.admin("dev", &format!("CREATE USER modern PASSWORD 'sha256|{PASSWORD}'")).await;
        trial.admin("dev", &format!("CREATE USER ordinary PASSWORD '{PASSWORD}'")).await;
        for user in ["modern", "ordinary"] {
            let facts = trial.sign_in(user, PASSWORD).facts(&trial.never).await.expect("facts");
            assert_eq!(facts.user, user);
            let error = trial.sign_in(user, "Wrong1234").facts(&trial.never).await.map(drop).expect_err("refused");
            assert!(matches!(&error, Error::SignIn(refused) if refused.sqlstate.is_some()), "{error}");
        }
    }
}
