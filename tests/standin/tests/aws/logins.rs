//! Minted credentials at the warehouse's door.

use std::sync::Arc;
use std::time::Duration;

use redshift_standin::{Auth, Client, Error, SUPERUSER, Tls};
use rustls::pki_types::pem::PemObject as _;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

/// Signs in over TLS; the error is the message.
async fn sign_in(standin: &Standin, user: &str, password: &str, database: &str) -> Result<Client, String> {
    let mut line = tokio::net::TcpStream::connect((standin.host(), standin.port())).await.expect("connects");
    line.write_all(&[0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]).await.expect("asks for TLS");
    assert_eq!(line.read_u8().await.expect("an answer"), b'S');
    let mut roots = rustls::RootCertStore::empty();
    let pem = rustls::pki_types::CertificateDer::from_pem_file(standin.ca_file()).expect("a certificate");
    roots.add(pem).expect("an authority");
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = standin.aws().fixtures().cluster_host.clone().try_into().expect("a name");
    let line = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, line).await.expect("TLS");
    refusal(Client::connect(line, user, database, password).await)
}

fn refusal<T>(result: Result<T, Error>) -> Result<T, String> {
    result.map_err(|e| match e {
        Error::Server(e) => {
            assert_eq!((e.severity.as_str(), e.sqlstate.as_str()), ("FATAL", "28000"));
            e.message
        }
        other => panic!("{other}"),
    })
}

async fn whoami(client: &mut Client) -> String {
    let answer = client.query("SELECT current_user, session_user").await.expect("answers");
    answer.rows[0].iter().flatten().cloned().collect::<Vec<_>>().join(" ")
}

fn credentials(standin: &Standin, user: &str, database: Option<&str>) -> (String, String) {
    let mut parameters = vec![("DbUser", user), ("ClusterIdentifier", "examplecluster")];
    parameters.extend(database.map(|d| ("DbName", d)));
    let answer = query(standin, &Keys::of(standin), "redshift:GetClusterCredentials", &parameters).ok();
    (answer.xml("DbUser"), answer.xml("DbPassword"))
}

#[test]
fn a_named_user() {
    let standin = start();
    let (name, password) = credentials(&standin, "analyst", Some("dev"));
    assert_eq!(name, "IAM:analyst");
    let failed = Some("password authentication failed for user \"IAM:analyst\"".to_owned());
    block_on(async {
        let mut session = sign_in(&standin, &name, &password, "dev").await.expect("signs in");
        assert_eq!(whoami(&mut session).await, "analyst analyst");
        // Not another database, not another password, not under the bare name, not without TLS.
        assert_eq!(sign_in(&standin, &name, &password, "sample").await.err(), failed);
        assert_eq!(sign_in(&standin, &name, "Wrong0000", "dev").await.err(), failed);
        assert!(sign_in(&standin, "analyst", &password, "dev").await.is_err());
        let line = tokio::net::TcpStream::connect((standin.host(), standin.port())).await.expect("connects");
        assert_eq!(refusal(Client::connect(line, &name, "dev", &password).await).err(), failed);
        // Several sets are good at once, and one without a database opens all.
        let (_, everywhere) = credentials(&standin, "analyst", None);
        for database in ["dev", "sample"] {
            sign_in(&standin, &name, &everywhere, database).await.expect("signs in");
        }
        sign_in(&standin, &name, &password, "dev").await.expect("signs in");
        // Past their time they open nothing, and an open session goes on.
        standin.aws().skew_clock(901);
        assert_eq!(sign_in(&standin, &name, &password, "dev").await.err(), failed);
        assert_eq!(whoami(&mut session).await, "analyst analyst");
    });
}

#[test]
fn a_user_who_is_not_there() {
    let standin = start();
    let (name, password) = credentials(&standin, "nobody", Some("dev"));
    block_on(async {
        let refused = sign_in(&standin, &name, &password, "dev").await;
        assert_eq!(refused.err(), Some("password authentication failed for user \"IAM:nobody\"".to_owned()));
        standin.sql("dev", "CREATE USER nobody PASSWORD DISABLE").await.expect("a user");
        sign_in(&standin, &name, &password, "dev").await.expect("signs in");
    });
}

#[test]
fn a_user_by_identity() {
    let standin = start();
    let (keys, role) = (Keys::of(&standin), other_account(&standin));
    let parameters = [("ClusterIdentifier", "examplecluster"), ("DbName", "dev")];
    let by_user = query(&standin, &keys, "redshift:GetClusterCredentialsWithIAM", &parameters).ok();
    let by_role = query(&standin, &role, "redshift:GetClusterCredentialsWithIAM", &parameters).ok();
    let asked = json!({ "workgroupName": "analytics", "dbName": "sample" });
    let serverless = json(&standin, &role, "redshift-serverless:GetCredentials", &asked).ok().json();
    let text = |name: &str| serverless[name].as_str().unwrap_or_default().to_owned();
    block_on(async {
        for (name, password, database, expected) in [
            (by_user.xml("DbUser"), by_user.xml("DbPassword"), "dev", "IAM:terraform"),
            (by_role.xml("DbUser"), by_role.xml("DbPassword"), "dev", "IAMR:warehouse-access"),
            (text("dbUser"), text("dbPassword"), "sample", "IAMR:warehouse-access"),
        ] {
            assert_eq!(name, expected);
            let mut session = sign_in(&standin, &name, &password, database).await.expect("signs in");
            assert_eq!(whoami(&mut session).await, format!("{expected} {expected}"));
            let other = if database == "dev" { "sample" } else { "dev" };
            assert!(sign_in(&standin, &name, &password, other).await.is_err());
            // No rights.
            assert!(session.query("CREATE USER x PASSWORD DISABLE").await.is_err());
        }
    });
}

#[test]
fn a_short_life() {
    let standin = start();
    standin.aws().credentials_live(Duration::from_secs(5));
    let parameters = [("DbUser", "tool_user"), ("ClusterIdentifier", "examplecluster"), ("DurationSeconds", "3600")];
    let answer = query(&standin, &Keys::of(&standin), "redshift:GetClusterCredentials", &parameters).ok();
    let said = answer.xml("Expiration");
    let until = |seconds: u64| {
        let at = time::OffsetDateTime::now_utc() + Duration::from_secs(seconds);
        format!("{:02}:{:02}:{:02}", at.hour(), at.minute(), at.second())
    };
    assert!((3..=5).any(|s| said.contains(&until(s))), "{said}");
    let password = answer.xml("DbPassword");
    block_on(async {
        let mut session = sign_in(&standin, "IAM:tool_user", &password, "sample").await.expect("signs in");
        standin.aws().skew_clock(6);
        assert!(sign_in(&standin, "IAM:tool_user", &password, "sample").await.is_err());
        assert_eq!(whoami(&mut session).await, "tool_user tool_user");
        // He is a superuser.
        session.query("CREATE USER made_by_tool PASSWORD DISABLE").await.expect("may");
    });
    assert!(standin.aws().secrets().contains(&password));
}

#[test]
fn the_secret_and_the_parameter_hold_the_superusers_password() {
    let standin = shared();
    let (keys, fixtures) = (Keys::of(standin), standin.aws().fixtures());
    let asked = json!({ "SecretId": fixtures.secret_id });
    let secret = json(standin, &keys, "secretsmanager:GetSecretValue", &asked).ok().json();
    let text = secret["SecretString"].as_str().expect("a string");
    let fields: serde_json::Value = serde_json::from_str(text).expect("JSON");
    assert_eq!(fields["username"], SUPERUSER);
    assert_eq!(fields["port"], standin.port());
    let asked = json!({ "Name": fixtures.ssm_parameter, "WithDecryption": true });
    let parameter = json(standin, &keys, "ssm:GetParameter", &asked).ok().json();
    for password in [&fields["password"], &parameter["Parameter"]["Value"]] {
        assert_eq!(password, standin.password());
    }
    block_on(sign_in(standin, SUPERUSER, standin.password(), "dev")).expect("signs in");
}

#[test]
fn many_at_once_make_one_user() {
    let standin = start();
    let role = other_account(&standin);
    let parameters = [("ClusterIdentifier", "examplecluster"), ("DbName", "dev")];
    let passwords: Vec<String> = std::thread::scope(|scope| {
        let ask =
            || query(&standin, &role, "redshift:GetClusterCredentialsWithIAM", &parameters).ok().xml("DbPassword");
        let threads: Vec<_> = (0..20).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().map(|thread| thread.join().expect("an answer")).collect()
    });
    let user = "SELECT count(*) FROM pg_user WHERE usename = 'IAMR:warehouse-access'";
    assert_eq!(standin.sql_blocking("dev", user).expect("runs")[0][0].as_deref(), Some("1"));
    block_on(async {
        for password in &passwords {
            sign_in(&standin, "IAMR:warehouse-access", password, "dev").await.expect("every one is good");
        }
    });
}

#[test]
fn however_passwords_are_asked_for() {
    let options = StandinOptions { auth: Auth::ClearText, tls: Tls::Required, ..Default::default() };
    let standin = Standin::start(options).expect("starts");
    let (name, password) = credentials(&standin, "analyst", Some("dev"));
    block_on(async {
        sign_in(&standin, &name, &password, "dev").await.expect("signs in");
        assert!(sign_in(&standin, &name, "Wrong0000", "dev").await.is_err());
    });
    // Inside the process there is no line that anybody could listen on.
    standin.sql_as_blocking(&name, &password, "dev", "SELECT 1").expect("runs");
    assert!(standin.sql_as_blocking(&name, &password, "sample", "SELECT 1").is_err());
}
