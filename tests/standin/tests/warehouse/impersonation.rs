//! Impersonation by a signed claim: who may, and what does not pass for a claim.

use super::bootstrap::{block_on, bootstrapped, here, run, seen};
use super::*;
use redshift_standin::SUPERUSER;

#[test]
fn a_member_impersonates_and_ends_it() {
    for kind in ["GROUP", "ROLE"] {
        let standin = bootstrapped(kind);
        block_on(async {
            let mut ann = standin.session("ann", Some(PASSWORD), "governed").await.expect("opens");
            let mut other = standin.session("ann", Some(PASSWORD), "governed").await.expect("opens");
            assert_eq!(seen(&mut ann).await, ["of ann"]);
            let done = ann.query("CALL immuta_procedures.impersonate_user('bob')").await.expect("a member");
            assert_eq!(done.tags, ["CALL"]);
            assert_eq!(seen(&mut ann).await, ["of bob"]);
            assert_eq!(seen(&mut other).await, ["of ann"], "another session of the same member");
            let unknown = ann.query("CALL immuta_procedures.impersonate_user('zoe')").await;
            assert!(matches!(unknown, Err(Error::Server(e)) if e.message == "user zoe is not known here"));
            assert_eq!(seen(&mut ann).await, ["of bob"]);
            run(&mut ann, &["CALL immuta_procedures.impersonate_user(NULL)"]).await;
            assert_eq!(seen(&mut ann).await, ["of ann"]);
        });
        let leave = if kind == "GROUP" {
            "ALTER GROUP immuta_impersonators DROP USER ann"
        } else {
            "REVOKE ROLE immuta_impersonators FROM ann"
        };
        ok(&standin, leave);
        assert_eq!(refused(here(&standin, "ann", "CALL immuta_procedures.impersonate_user('bob')")).sqlstate, "42501");
    }
}

#[test]
fn a_claim_cannot_be_forged_or_carried_off() {
    let standin = bootstrapped("ROLE");
    let claim = "SELECT current_setting('immuta_session.impersonation', FALSE)";
    block_on(async {
        let mut ann = standin.session("ann", Some(PASSWORD), "governed").await.expect("opens");
        assert_eq!(cells(&ann.query(claim).await.expect("reads").rows), ["-"], "undefined is null");
        let error = ann.query("SELECT current_setting('immuta_session.impersonation', TRUE)").await;
        assert!(
            matches!(error, Err(Error::Server(e)) if e.sqlstate == "42704" && e.message.contains("\"immuta_session.impersonation\""))
        );
        run(&mut ann, &["CALL immuta_procedures.impersonate_user('bob')"]).await;
        let token = cells(&ann.query(claim).await.expect("reads").rows).concat();
        assert_eq!(token.split('|').count(), 5);
        let set = |value: &str| format!("SET immuta_session.impersonation TO '{value}'");
        for forged in
            ["bob".to_owned(), format!("{token}x"), token.replacen(&token[..1], "z", 1), format!("{:064}|1|9|x|bob", 0)]
        {
            run(&mut ann, &[set(&forged)]).await;
            assert_eq!(seen(&mut ann).await, ["of ann"], "{forged}");
        }
        run(&mut ann, &[set(&token)]).await;
        assert_eq!(seen(&mut ann).await, ["of bob"], "the very token, in its own session");
        run(&mut ann, &["RESET immuta_session.impersonation"]).await;
        assert_eq!(seen(&mut ann).await, ["of ann"]);
        let mut later = standin.session("ann", Some(PASSWORD), "governed").await.expect("opens");
        run(&mut later, &[set(&token)]).await;
        assert_eq!(seen(&mut later).await, ["of ann"], "another backend");
        let mut admin = standin.session(SUPERUSER, None, "governed").await.expect("opens");
        run(&mut admin, &["SET SESSION AUTHORIZATION ann", "CALL immuta_procedures.impersonate_user('bob')"]).await;
        assert_eq!(seen(&mut admin).await, ["of bob"]);
        run(&mut admin, &["SET SESSION AUTHORIZATION bob"]).await;
        assert_eq!(seen(&mut admin).await, ["of bob"], "his own");
        run(&mut admin, &["SET SESSION AUTHORIZATION DEFAULT", "SET SESSION AUTHORIZATION etl"]).await;
        assert_eq!(seen(&mut admin).await, Vec::<String>::new(), "the claim is ann's");
    });
    // A new key ends all; no key, and everybody is himself.
    block_on(async {
        let mut ann = standin.session("ann", Some(PASSWORD), "governed").await.expect("opens");
        run(&mut ann, &["CALL immuta_procedures.impersonate_user('bob')"]).await;
        let mut admin = standin.session(SUPERUSER, None, "governed").await.expect("opens");
        run(&mut admin, &["DELETE FROM immuta_system.impersonation"]).await;
        assert_eq!(seen(&mut ann).await, ["of ann"]);
        run(&mut ann, &["CALL immuta_procedures.impersonate_user('bob')"]).await;
        assert_eq!(seen(&mut ann).await, ["of ann"], "a claim signed with nothing is none");
    });
}
