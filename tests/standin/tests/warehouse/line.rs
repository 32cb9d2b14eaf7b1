//! The line itself: sign-in from outside, TLS, faults, counters, pausing, the end.

use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use super::*;
use redshift_standin::{Auth, Client, Fault, Namespace, SUPERUSER, Tls};

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(work)
}

async fn outside(standin: &Standin, password: &str, database: &str) -> Result<Client, Error> {
    let stream = tokio::net::TcpStream::connect((standin.host(), standin.port())).await?;
    Client::connect(stream, SUPERUSER, database, password).await
}

async fn ask(client: &mut Client, sql: &str) -> Result<Rows, Error> {
    client.query(sql).await.map(|answer| answer.rows)
}

#[test]
fn sign_in_from_outside() {
    let standin = shared();
    block_on(async {
        let mut client = outside(standin, standin.password(), "dev").await.expect("signs in");
        assert_eq!(cells(&ask(&mut client, "SELECT 1").await.expect("answers")), ["1"]);
        let wrong = outside(standin, "Wrong0000", "dev").await;
        assert!(matches!(wrong, Err(Error::Server(e)) if e.severity == "FATAL" && e.sqlstate == "28000"));
        let nowhere = outside(standin, standin.password(), "nowhere").await;
        assert!(
            matches!(nowhere, Err(Error::Server(e)) if e.sqlstate == "3D000" && e.message == "database \"nowhere\" does not exist")
        );
    });
}

#[test]
fn clear_text_and_required_tls() {
    let standin = Standin::start(StandinOptions {
        auth: Auth::ClearText,
        password: Some("Chosen0123".into()),
        ..Default::default()
    })
    .expect("starts");
    assert_eq!(standin.password(), "Chosen0123");
    block_on(async {
        outside(&standin, "Chosen0123", "dev").await.expect("signs in");
        assert!(outside(&standin, "Chosen0124", "dev").await.is_err());
    });
    let strict = Standin::start(StandinOptions { tls: Tls::Required, ..Default::default() }).expect("starts");
    let refusal = block_on(outside(&strict, strict.password(), "dev"));
    assert!(matches!(refusal, Err(Error::Server(e)) if e.sqlstate == "28000" && e.message.ends_with("SSL off")));
    assert!(strict.ca_file().exists());
}

/// A sign-in over TLS that trusts the stand-in's authority alone and expects this name.
async fn over_tls(standin: &Standin, name: &str) -> Result<Client, String> {
    use rustls::pki_types::pem::PemObject as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut roots = rustls::RootCertStore::empty();
    let authority = rustls::pki_types::CertificateDer::from_pem_file(standin.ca_file()).expect("a PEM file");
    roots.add(authority).expect("a certificate");
    let config =
        rustls::ClientConfig::builder_with_provider(std::sync::Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
    let mut stream = tokio::net::TcpStream::connect((standin.host(), standin.port())).await.expect("connects");
    stream.write_all(&[0, 0, 0, 8, 4, 210, 22, 47]).await.expect("asks for TLS");
    let answer = stream.read_u8().await.expect("one byte");
    if answer != b'S' {
        return Err(format!("answered {}", answer as char));
    }
    let server = rustls::pki_types::ServerName::try_from(name.to_owned()).expect("a name");
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
    let stream = connector.connect(server, stream).await.map_err(|e| e.to_string())?;
    Client::connect(stream, SUPERUSER, "dev", standin.password()).await.map_err(|e| e.to_string())
}

#[test]
fn tls_with_its_own_authority_and_names() {
    let host = "examplecluster.abc123xyz789.eu-west-1.redshift.amazonaws.com";
    let standin =
        Standin::start(StandinOptions { tls: Tls::Required, hosts: vec![host.to_owned()], ..Default::default() })
            .expect("starts");
    block_on(async {
        for name in ["localhost", "127.0.0.1", host] {
            let mut client = over_tls(&standin, name).await.expect(name);
            assert_eq!(cells(&ask(&mut client, "SELECT 1").await.expect("answers")), ["1"]);
        }
        assert!(over_tls(&standin, "another.example").await.is_err_and(|e| e.contains("not valid for name")));
        let other = start();
        let mixed = Standin::start(StandinOptions { tls: Tls::Off, ..Default::default() }).expect("starts");
        assert!(over_tls(&other, "localhost").await.is_ok());
        assert_eq!(asks_for_tls(&mixed).await, b'N', "plain text only");
        assert!(!mixed.ca_file().exists());
    });
}

async fn asks_for_tls(standin: &Standin) -> u8 {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect((standin.host(), standin.port())).await.expect("connects");
    stream.write_all(&[0, 0, 0, 8, 4, 210, 22, 47]).await.expect("asks for TLS");
    stream.read_u8().await.expect("one byte")
}

#[test]
fn a_commit_may_be_lost_after_it_was_done() {
    let standin = start();
    block_on(async {
        let mut client = outside(&standin, standin.password(), "dev").await.expect("signs in");
        standin.fault(Fault::statement("commit", redshift_standin::Action::CutAfter));
        for sql in ["BEGIN", "CREATE ROLE durable"] {
            ask(&mut client, sql).await.expect(sql);
        }
        assert!(matches!(ask(&mut client, "COMMIT").await, Err(Error::Io(_))));
    });
    assert_eq!(ok(&standin, "SELECT role_name FROM svv_roles WHERE role_name = 'durable'").len(), 1);
}

#[test]
fn authorization_changes_for_superusers_and_goes_back() {
    let standin = shared();
    block_on(async {
        let mut client = outside(standin, standin.password(), "dev").await.expect("signs in");
        ask(&mut client, "SET SESSION AUTHORIZATION 'etl'").await.expect("changes");
        assert_eq!(cells(&ask(&mut client, "SELECT session_user, current_user").await.expect("answers")), ["etl|etl"]);
        let denied = ask(&mut client, "SELECT count(*) FROM quality.runs").await;
        assert!(matches!(denied, Err(Error::Server(e)) if e.sqlstate == "42501"));
        ask(&mut client, "SET SESSION AUTHORIZATION DEFAULT").await.expect("goes back");
        assert_eq!(cells(&ask(&mut client, "SELECT session_user").await.expect("answers")), [SUPERUSER]);
        let missing = ask(&mut client, "SET SESSION AUTHORIZATION 'nobody'").await;
        assert!(
            matches!(missing, Err(Error::Server(e)) if e.sqlstate == "42704" && e.message == "user \"nobody\" does not exist")
        );
    });
}

#[test]
fn namespaces() {
    let first = start();
    let namespace = first.namespace().expect("random").to_owned();
    assert_eq!(cells(&ok(&first, "SELECT current_namespace")), [namespace.as_str()]);
    let copy = Standin::start(StandinOptions { namespace: Namespace::Set(namespace.clone()), ..Default::default() })
        .expect("starts");
    assert_eq!(cells(&ok(&copy, "SELECT current_namespace")), [namespace]);
    let old = Standin::start(StandinOptions { namespace: Namespace::None, ..Default::default() }).expect("starts");
    assert_eq!(err(&old, "SELECT current_namespace").sqlstate, "42703");
}

#[test]
fn counters_and_the_log_hold_what_came_from_outside() {
    let standin = start();
    ok(&standin, "CREATE ROLE not_counted");
    block_on(async {
        let mut one = outside(&standin, standin.password(), "dev").await.expect("signs in");
        let two = outside(&standin, standin.password(), "sample").await.expect("signs in");
        ask(&mut one, "SELECT 1").await.expect("runs");
        ask(&mut one, "GRANT SELECT ON finance.accounts TO analyst").await.expect("runs");
        drop(two);
    });
    let counters = standin.counters();
    assert_eq!((counters.statements, counters.sessions, counters.max_sessions, counters.changes()), (2, 2, 2, 1));
    assert_eq!((counters.kinds["GRANT"], counters.databases["dev"]), (1, 2));
    let log = standin.log();
    assert_eq!(log[1].sql, "GRANT SELECT ON finance.accounts TO analyst");
    assert_eq!(
        (log[1].user.as_str(), log[1].database.as_str(), log[1].application.as_str()),
        (SUPERUSER, "dev", "redshift-standin")
    );
    standin.reset_counters();
    assert_eq!(standin.counters().statements, 0);
    assert!(standin.log().is_empty());
}

#[test]
fn faults_strike_as_often_as_asked() {
    let standin = start();
    block_on(async {
        let mut client = outside(&standin, standin.password(), "dev").await.expect("signs in");
        standin.fault(Fault::error("create role", "XX000", "1023").times(2).skip(1));
        for (at, expected) in [(0, true), (1, false), (2, false), (3, true)] {
            let done = ask(&mut client, &format!("CREATE ROLE fault{at}")).await;
            assert_eq!(done.is_ok(), expected, "{at}: {done:?}");
        }
        standin.fault(Fault::cut(2, false));
        ask(&mut client, "CREATE ROLE kept").await.expect("the first passes");
        assert!(matches!(ask(&mut client, "CREATE ROLE lost").await, Err(Error::Io(_))));
        let mut client = outside(&standin, standin.password(), "dev").await.expect("signs in");
        standin.fault(Fault::cut(1, true));
        assert!(matches!(ask(&mut client, "CREATE ROLE done").await, Err(Error::Io(_))));
        standin.fault(Fault::login("57P03", "the database system is starting up"));
        let refusal = outside(&standin, standin.password(), "dev").await;
        assert!(matches!(refusal, Err(Error::Server(e)) if e.sqlstate == "57P03"));
        standin.set_latency(Duration::from_millis(60));
        let mut client = outside(&standin, standin.password(), "dev").await.expect("signs in");
        let begun = Instant::now();
        ask(&mut client, "SELECT 1").await.expect("runs");
        assert!(begun.elapsed() >= Duration::from_millis(60));
        standin.fault(Fault::error("select", "XX000", "never"));
        standin.clear_faults();
        ask(&mut client, "SELECT 1").await.expect("no fault left");
    });
    let roles = cells(&ok(
        &standin,
        "SELECT role_name FROM svv_roles WHERE role_name IN ('kept', 'lost', 'done') ORDER BY role_name",
    ));
    assert_eq!(roles, ["done", "kept"]);
}

#[test]
fn a_paused_warehouse_is_not_there_and_comes_back() {
    let standin = start();
    block_on(async {
        let mut before = outside(&standin, standin.password(), "dev").await.expect("signs in");
        standin.pause().expect("pauses");
        assert!(ask(&mut before, "SELECT 1").await.is_err(), "its session ended");
        let refused = outside(&standin, standin.password(), "dev").await;
        assert!(matches!(refused, Err(Error::Io(e)) if e.kind() == std::io::ErrorKind::ConnectionRefused));
        standin.resume().expect("resumes");
        outside(&standin, standin.password(), "dev").await.expect("at the same port");
    });
}

#[test]
fn a_query_is_cancelled_by_its_key() {
    let standin = start();
    block_on(async {
        let mut holder = standin.session(SUPERUSER, None, "dev").await.expect("opens");
        holder.query("BEGIN").await.expect("begins");
        holder.query("ALTER TABLE quality.runs ADD COLUMN extra int").await.expect("holds a lock");
        let mut waiter = outside(&standin, standin.password(), "dev").await.expect("signs in");
        let key = waiter.cancel_key().expect("a key");
        let canceller = async {
            let mut stream = tokio::net::TcpStream::connect((standin.host(), standin.port())).await.expect("connects");
            loop {
                let waiting = holder
                    .query("SELECT count(*) FROM svv_transactions WHERE granted = false")
                    .await
                    .expect("looks")
                    .rows;
                if cells(&waiting) != ["0"] {
                    break;
                }
            }
            Client::cancel(&mut stream, key).await.expect("asks");
        };
        let (answer, ()) = tokio::join!(ask(&mut waiter, "SELECT count(*) FROM quality.runs"), canceller);
        assert!(matches!(answer, Err(Error::Server(e)) if e.sqlstate == "57014"), "cancelled");
        ask(&mut waiter, "SET statement_timeout TO 50").await.expect("sets");
        let late = ask(&mut waiter, "SELECT count(*) FROM quality.runs").await;
        assert!(matches!(late, Err(Error::Server(e)) if e.sqlstate == "57014"), "timed out");
    });
}

#[test]
fn several_statements_in_one_string_are_one_transaction() {
    let standin = start();
    let error = err(&standin, "CREATE ROLE first; CREATE ROLE second; SELECT to_regclass('x'); CREATE ROLE third");
    assert_eq!(error.sqlstate, "0A000");
    assert_eq!(
        ok(&standin, "SELECT role_name FROM svv_roles WHERE role_name IN ('first', 'second', 'third')").len(),
        0
    );
    assert_eq!(err(&standin, "CREATE ROLE a_role; CREATE DATABASE a_database").sqlstate, "25001");
    block_on(async {
        let mut session = standin.session(SUPERUSER, None, "dev").await.expect("opens");
        let answer = session
            .query("CREATE ROLE r1; GRANT USAGE ON SCHEMA finance TO ROLE r1; SELECT 1; DROP DATABASE_IS_NOT_HERE")
            .await;
        assert!(answer.is_err());
        let answer =
            session.query("CREATE ROLE r1; GRANT USAGE ON SCHEMA finance TO ROLE r1; SELECT 1;").await.expect("runs");
        assert_eq!(answer.tags, ["CREATE ROLE", "GRANT", "SELECT 1"]);
        assert_eq!(cells(&answer.rows), ["1"], "what the rewrite asks is not shown");
        assert_eq!(session.query("").await.expect("nothing").rows.len(), 0);
    });
}

#[test]
fn databases_are_made_and_dropped_only_when_nobody_is_in_them() {
    let standin = start();
    ok(&standin, "CREATE DATABASE extra WITH ISOLATION LEVEL SNAPSHOT");
    assert_eq!(err(&standin, "CREATE DATABASE extra").sqlstate, "42P04");
    ok_in(&standin, "extra", "CREATE TABLE public.t (a int)");
    block_on(async {
        let session = standin.session(SUPERUSER, None, "extra").await.expect("opens");
        let busy = standin.sql("dev", "DROP DATABASE extra").await;
        assert!(matches!(busy, Err(Error::Server(e)) if e.sqlstate == "55006"));
        drop(session);
    });
    ok(&standin, "DROP DATABASE extra");
    assert_eq!(err(&standin, "DROP DATABASE extra").sqlstate, "3D000");
    assert_eq!(err(&standin, "DROP DATABASE dev").sqlstate, "42501");
}

#[test]
fn the_dump_shows_every_right_and_nothing_else() {
    let standin = start();
    let before = block_on(standin.dump("dev")).expect("dumps");
    for sql in [
        "CREATE ROLE dumped",
        "GRANT USAGE ON SCHEMA finance TO ROLE dumped",
        "GRANT SELECT FOR TABLES IN SCHEMA finance DATABASE dev TO ROLE dumped",
        "ALTER DEFAULT PRIVILEGES FOR USER etl IN SCHEMA finance GRANT SELECT ON TABLES TO ROLE dumped",
        "GRANT ROLE dumped TO analyst",
    ] {
        ok(&standin, sql);
        assert_ne!(block_on(standin.dump("dev")).expect("dumps"), before, "{sql}");
    }
    for sql in [
        "REVOKE ROLE dumped FROM analyst",
        "REVOKE USAGE ON SCHEMA finance FROM ROLE dumped",
        "REVOKE SELECT FOR TABLES IN SCHEMA finance DATABASE dev FROM ROLE dumped",
        "ALTER DEFAULT PRIVILEGES FOR USER etl IN SCHEMA finance REVOKE SELECT ON TABLES FROM ROLE dumped",
        "DROP ROLE dumped",
    ] {
        ok(&standin, sql);
    }
    assert_eq!(block_on(standin.dump("dev")).expect("dumps"), before);
    ok(&standin, "GRANT SELECT ON ALL TABLES IN SCHEMA finance TO analyst");
    ok(&standin, "REVOKE SELECT ON ALL TABLES IN SCHEMA finance FROM analyst");
    assert_eq!(block_on(standin.dump("dev")).expect("dumps"), before, "the owner's own entry is no difference");
}

#[test]
fn nothing_remains_after_drop_or_kill() {
    let folder = {
        let standin = start();
        let folder = standin.ca_file().parent().expect("a folder").to_owned();
        assert!(folder.exists());
        folder
    };
    assert!(!folder.exists());
    let mut child = Command::new(env!("CARGO_BIN_EXE_redshift-standin"))
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("starts");
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().expect("piped")));
    let mut seen = std::collections::HashMap::new();
    for line in lines.by_ref() {
        let line = line.expect("a line");
        match line.strip_prefix("export ").and_then(|l| l.split_once('=')) {
            Some((name, value)) => drop(seen.insert(name.to_owned(), value.to_owned())),
            None => {
                assert_eq!(line, "ready");
                break;
            }
        }
    }
    let address = format!("{}:{}", seen["REDSHIFT_HOST"], seen["REDSHIFT_PORT"]);
    TcpStream::connect(&address).expect("it listens");
    let folder = std::path::PathBuf::from(&seen["REDSHIFT_SSLROOTCERT"]).parent().expect("a folder").to_owned();
    child.kill().expect("kill -9");
    child.wait().expect("dies");
    let end = Instant::now() + Duration::from_secs(10);
    while folder.exists() && Instant::now() < end {
        std::thread::yield_now();
    }
    assert!(!folder.exists(), "the watcher removed it");
    assert!(TcpStream::connect(&address).is_err());
}

#[test]
fn the_control_url_counts_and_breaks() {
    let standin = start();
    let request = |method: &str, path: &str, body: &str| {
        use std::io::{Read as _, Write as _};
        let mut stream = TcpStream::connect(standin.control_url().trim_start_matches("http://")).expect("connects");
        write!(stream, "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len())
            .expect("asks");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answers");
        answer
    };
    let fault = r#"{"contains": "select 2", "action": {"error": {"sqlstate": "XX000", "message": "1018"}}}"#;
    assert!(request("POST", "/faults", fault).starts_with("HTTP/1.1 200"));
    block_on(async {
        let mut client = outside(&standin, standin.password(), "dev").await.expect("signs in");
        assert!(ask(&mut client, "SELECT 2").await.is_err());
    });
    assert!(request("GET", "/counters", "").contains("\"statements\":1"));
    request("POST", "/counters/reset", "");
    assert!(request("GET", "/counters", "").contains("\"statements\":0"));
    assert!(request("DELETE", "/faults", "").starts_with("HTTP/1.1 200"));
}
