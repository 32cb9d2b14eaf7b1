//! Who a request is from.

use serde_json::json;

use super::*;

const MISMATCH: &str = "The request signature we calculated does not match the signature you provided. Check your AWS \
                        Secret Access Key and signing method. Consult the service documentation for details.";
const UNKNOWN: &str = "The security token included in the request is invalid.";

/// The same call of each protocol.
fn both(keys: &Keys) -> [Request; 2] {
    let name = json!({ "Name": "/standin/warehouse/password" });
    [Request::query(keys, "sts:GetCallerIdentity", &[]), Request::json(keys, "ssm:GetParameter", &name)]
}

/// Sends both, bent alike; the errors.
fn bent(standin: &Standin, keys: &Keys, bend: impl Fn(&mut Request)) -> [(u16, String, String); 2] {
    both(keys).map(|mut request| {
        bend(&mut request);
        request.send(standin).error()
    })
}

#[test]
fn a_good_one_says_who_calls() {
    let standin = start();
    let keys = Keys::of(&standin);
    for request in both(&keys) {
        request.send(&standin).ok();
    }
    let who = query(&standin, &keys, "sts:GetCallerIdentity", &[]).ok();
    assert_eq!(who.xml("Arn"), standin.aws().caller_arn());
    assert_eq!(who.xml("Account"), "111122223333");
    assert!(who.xml("UserId").starts_with("AIDA"));
    let request_id = format!("x-amzn-requestid: {}\r\n", who.xml("RequestId"));
    assert!(who.headers.contains(&request_id), "{who:?}");

    let role = other_account(&standin);
    let who = query(&standin, &role, "sts:GetCallerIdentity", &[]).ok();
    assert_eq!(who.xml("Arn"), "arn:aws:sts::444455556666:assumed-role/warehouse-access/tests");
    assert!(who.xml("UserId").starts_with("AROA") && who.xml("UserId").ends_with(":tests"));
    let calls = standin.aws().calls();
    assert_eq!(calls[0].user_agent, "standin  test");
    assert_eq!(calls[0].region, "eu-west-1");
    assert_eq!(calls.last().expect("calls").identity_arn, who.xml("Arn"));
}

#[test]
fn a_bent_one_is_refused() {
    let standin = shared();
    let keys = Keys::of(standin);
    let mismatch = [error(403, "SignatureDoesNotMatch", MISMATCH), error(400, "InvalidSignatureException", MISMATCH)];
    // A body that is not the one that was signed.
    let other = bent(standin, &keys, |r| {
        r.sent_body = Some(r.body.clone() + if r.body.starts_with('{') { " " } else { "&x=y" });
    });
    assert_eq!(other, mismatch);
    // Another secret.
    let wrong = Keys { secret: "wrong".into(), ..keys.clone() };
    assert_eq!(bent(standin, &wrong, |_| {}), mismatch);
    // A header that has to be signed and is not.
    let unsigned = bent(standin, &keys, |r| r.unsigned.push("host".into()));
    let text = "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.";
    assert_eq!(unsigned, [error(403, "SignatureDoesNotMatch", text), error(400, "InvalidSignatureException", text),]);
    let request = Request { unsigned: vec!["x-amz-target".into()], ..both(&keys).into_iter().nth(1).expect("two") };
    assert!(request.send(standin).error().2.starts_with("'x-amz-target' must be a 'SignedHeader'"));
    // A wrong hash of the body.
    let hashed = bent(standin, &keys, |r| {
        r.headers.insert("x-amz-content-sha256".into(), "00".repeat(32));
    });
    assert!(hashed.iter().all(|(_, _, text)| text.contains("x-amz-content-sha256")), "{hashed:?}");
    // Blanks in a row count as one.
    let mut request = Request::query(&keys, "sts:GetCallerIdentity", &[]);
    request.headers.insert("x-amz-note".into(), "  a   b ".into());
    request.send(standin).ok();
}

#[test]
fn scope_and_time() {
    let standin = start();
    let keys = Keys::of(&standin);
    let service = bent(&standin, &keys, |r| r.service = "s3".into());
    assert_eq!(
        service[0],
        error(403, "SignatureDoesNotMatch", "Credential should be scoped to correct service: 'sts'. ")
    );
    assert_eq!(service[1].1, "InvalidSignatureException");
    let region = bent(&standin, &keys, |r| r.region = "europe".into());
    assert_eq!(region[0].2, "Credential should be scoped to a valid region. ");

    for request in both(&keys) {
        request.later(-290).send(&standin).ok();
    }
    for request in both(&keys) {
        request.later(290).send(&standin).ok();
    }
    let late = bent(&standin, &keys, |r| r.at -= 310);
    assert_eq!((late[0].0, late[0].1.as_str()), (403, "SignatureDoesNotMatch"));
    assert_eq!((late[1].0, late[1].1.as_str()), (400, "InvalidSignatureException"));
    assert!(late[0].2.starts_with("Signature expired: 2") && late[0].2.ends_with("Z - 5 min.)"), "{late:?}");
    assert!(late[0].2.contains("Z is now earlier than 2"), "{late:?}");
    let early = bent(&standin, &keys, |r| r.at += 310);
    assert!(early[0].2.starts_with("Signature not yet current: 2") && early[0].2.ends_with("Z + 5 min.)"), "{early:?}");

    // The account's clock, not the machine's; the Date header says which.
    standin.aws().skew_clock(3600);
    let refused = both(&keys).map(|r| r.send(&standin));
    assert!(refused[0].error().2.starts_with("Signature expired"));
    for request in both(&keys) {
        request.later(3600).send(&standin).ok();
    }
    let hour = |seconds: u64| {
        let at = time::OffsetDateTime::now_utc() + std::time::Duration::from_secs(seconds);
        format!(" {:02}:", at.hour())
    };
    let date = refused[0].headers.lines().find(|l| l.starts_with("date: ")).expect("a date").to_owned();
    assert!(date.contains(&hour(3600)) || date.contains(&hour(3590)), "{date}");
}

#[test]
fn keys() {
    let standin = start();
    let unknown = [error(403, "InvalidClientTokenId", UNKNOWN), error(400, "UnrecognizedClientException", UNKNOWN)];
    let nobody = Keys { id: "AKIAAAAAAAAAAAAAAAAA".into(), secret: "x".into(), token: None };
    assert_eq!(bent(&standin, &nobody, |_| {}), unknown);
    // A session's keys without its token, with another one, and a user's with one.
    let session = other_account(&standin);
    let user = Keys::of(&standin);
    for token in [None, Some("IQoJother".to_owned())] {
        assert_eq!(bent(&standin, &Keys { token, ..session.clone() }, |_| {}), unknown);
    }
    assert_eq!(bent(&standin, &Keys { token: session.token.clone(), ..user.clone() }, |_| {}), unknown);
    // Another partition.
    assert_eq!(bent(&standin, &user, |r| r.region = "cn-north-1".into()), unknown);
    let none = both(&user).map(|r| Request { keys: None, ..r }.send(&standin).error());
    assert_eq!(
        none,
        [
            error(403, "MissingAuthenticationToken", "Request is missing Authentication Token"),
            error(400, "MissingAuthenticationTokenException", "Missing Authentication Token"),
        ]
    );
    // A session ends.
    query(&standin, &session, "sts:GetCallerIdentity", &[]).ok();
    standin.aws().skew_clock(901);
    let ended = both(&session).map(|r| r.later(901).send(&standin).error());
    let text = "The security token included in the request is expired";
    assert_eq!(ended, [error(403, "ExpiredToken", text), error(400, "ExpiredTokenException", text)]);
}

#[test]
fn incomplete_ones() {
    let standin = shared();
    let keys = Keys::of(standin);
    for (header, starts) in [
        ("AWS4-HMAC-SHA256 Credential=a/b", "Authorization header requires 'SignedHeaders' parameter."),
        ("AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=0", "Credential must have exactly 5"),
        ("Basic abc", "Unsupported AWS 'algorithm'."),
    ] {
        let refused = both(&keys).map(|mut r| {
            r.keys = None;
            r.headers.insert("authorization".into(), header.into());
            r.headers.insert("x-amz-date".into(), "20260102T030405Z".into());
            r.send(standin).error()
        });
        assert_eq!((refused[0].0, refused[0].1.as_str()), (400, "IncompleteSignature"));
        assert_eq!((refused[1].0, refused[1].1.as_str()), (400, "IncompleteSignatureException"));
        assert!(refused.iter().all(|r| r.2.starts_with(starts)), "{refused:?}");
    }
}
