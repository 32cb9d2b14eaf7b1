//! The process itself, without Terraform: its handshake, its socket, its end, its words.

use std::collections::BTreeSet;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;

use crate::support::{PROVIDER, Warehouse, Workspace, tools};

/// What Terraform sets for a plugin that it starts.
const COOKIE: (&str, &str) =
    ("TF_PLUGIN_MAGIC_COOKIE", "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2");

/// A client's certificate and key.
struct Identity {
    certificate: CertificateDer<'static>,
    pem: String,
    key: Vec<u8>,
}

impl Identity {
    fn new() -> Self {
        let key = rcgen::KeyPair::generate().expect("a key");
        let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        let certificate = params.self_signed(&key).expect("a certificate");
        let text = STANDARD.encode(certificate.der());
        let pem = format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n");
        Identity { certificate: certificate.der().clone(), pem, key: key.serialize_der() }
    }
}

/// A plugin that was started as Terraform does it. It is killed when this is dropped.
struct Plugin {
    child: Child,
    /// The fields of its first line.
    line: Vec<String>,
}

impl Plugin {
    fn start(folder: &Path, client: Option<&Identity>) -> Self {
        let mut command = tools::clean(Path::new(PROVIDER));
        command.env(COOKIE.0, COOKIE.1).env("PLUGIN_PROTOCOL_VERSIONS", "5,6").env("PLUGIN_UNIX_SOCKET_DIR", folder);
        if let Some(client) = client {
            command.env("PLUGIN_CLIENT_CERT", &client.pem);
        }
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it runs");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
        Plugin { child, line: line.trim_end().split('|').map(str::to_owned).collect() }
    }

    fn signal(&self, name: &str) {
        let done = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(done.expect("kill runs").success());
    }

    /// Begins to speak HTTP/2 in clear.
    fn greet_within(&self, limit: Duration) -> io::Result<()> {
        let stream = UnixStream::connect(&self.line[3])?;
        stream.set_read_timeout(Some(limit))?;
        hear_settings(stream)
    }

    /// Begins to speak HTTP/2 and hears the server's first frame.
    fn greet(&self, client: Option<&Identity>) -> io::Result<()> {
        let stream = UnixStream::connect(&self.line[3])?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let certificate = STANDARD_NO_PAD.decode(&self.line[5]).expect("base64");
        if certificate.is_empty() {
            return hear_settings(stream);
        }
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(certificate)).expect("the server's certificate is one");
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring knows them")
            .with_root_certificates(roots);
        let mut config = match client {
            Some(client) => builder
                .with_client_auth_cert(
                    vec![client.certificate.clone()],
                    PrivatePkcs8KeyDer::from(client.key.clone()).into(),
                )
                .expect("a certificate with its key"),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        let name = ServerName::try_from("localhost").expect("a name");
        let connection = ClientConnection::new(Arc::new(config), name).expect("a client");
        hear_settings(StreamOwned::new(connection, stream))
    }
}

impl Drop for Plugin {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A provider that serves whoever comes. It is killed when this is dropped.
pub struct ByHand(Child);

impl ByHand {
    /// With what to set in `TF_REATTACH_PROVIDERS`.
    fn start(warehouse: &Warehouse, log_level: &str) -> (Self, String) {
        Self::in_environment(warehouse.environment(), log_level)
    }

    /// The same with other variables.
    pub fn in_environment(environment: Vec<(String, String)>, log_level: &str) -> (Self, String) {
        let mut command = tools::clean(Path::new(PROVIDER));
        command.arg("--debug").envs(environment).env("TF_LOG_PROVIDER", log_level);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
        let reattach = line.trim().strip_prefix("TF_REATTACH_PROVIDERS='").and_then(|rest| rest.strip_suffix('\''));
        (ByHand(child), reattach.expect("the line to copy").to_owned())
    }

    pub fn id(&self) -> u32 {
        self.0.id()
    }

    fn end(&mut self) {
        let done = Command::new("kill").args(["-INT", &self.0.id().to_string()]).status();
        assert!(done.expect("kill runs").success());
        assert_eq!(self.0.wait().expect("it ends").code(), Some(0));
    }
}

impl Drop for ByHand {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Nine bytes: length, the type (4 is SETTINGS), flags, the stream.
fn hear_settings(mut stream: impl io::Read + io::Write) -> io::Result<()> {
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")?;
    stream.flush()?;
    let mut head = [0; 9];
    stream.read_exact(&mut head)?;
    assert_eq!(head[3], 4, "{head:?}");
    Ok(())
}

#[test]
fn started_by_hand_it_says_what_it_is() {
    let run = |arguments: &[&str]| {
        let mut command = tools::clean(Path::new(PROVIDER));
        command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it runs");
        let begun = Instant::now();
        while child.try_wait().expect("a process").is_none() {
            if begun.elapsed() > Duration::from_secs(10) {
                child.kill().expect("it serves, and is stopped");
            }
            std::thread::park_timeout(Duration::from_millis(5));
        }
        let output = child.wait_with_output().expect("its words");
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        (output.status.code(), text[0].clone(), text[1].clone())
    };
    let (code, stdout, stderr) = run(&[]);
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    assert!(stderr.starts_with("This binary is a plugin. These are not meant to be executed directly."), "{stderr}");
    let version = format!("terraform-provider-redshift {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(run(&["--version"]), (Some(0), version, String::new()));
    let (code, help, _) = run(&["--help"]);
    assert!(code == Some(0) && help.contains("TF_REATTACH_PROVIDERS"), "{help}");
    assert_eq!(run(&["--nonsense"]).0, Some(2));
}

#[test]
fn the_socket_answers_to_the_client_that_was_announced_and_to_nobody_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let (terraform, other) = (Identity::new(), Identity::new());
    let plugin = Plugin::start(folder.path(), Some(&terraform));
    assert_eq!([&plugin.line[0], &plugin.line[1], &plugin.line[2], &plugin.line[4]], ["1", "6", "unix", "grpc"]);
    assert!(Path::new(&plugin.line[3]).starts_with(folder.path()), "{:?}", plugin.line);
    plugin.greet(Some(&terraform)).expect("served");
    assert!(plugin.greet(Some(&other)).is_err(), "another certificate");
    assert!(plugin.greet(None).is_err(), "no certificate");
    let mut plain = UnixStream::connect(&plugin.line[3]).expect("connects");
    plain.set_read_timeout(Some(Duration::from_secs(10))).expect("a limit");
    assert!(hear_settings(&mut plain).is_err(), "in clear");
    plugin.greet(Some(&terraform)).expect("the others change nothing for it");
}

/// Started by a shell that narrows or widens what it may do.
fn start_in_shell(setting: &str, folder: &Path) -> Plugin {
    let mut command = tools::clean(Path::new("/bin/sh"));
    command.args(["-c", &format!("{setting}; exec \"$0\""), PROVIDER]);
    command.env(COOKIE.0, COOKIE.1).env("PLUGIN_UNIX_SOCKET_DIR", folder);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("it runs");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
    Plugin { child, line: line.trim_end().split('|').map(str::to_owned).collect() }
}

#[test]
fn only_its_owner_may_open_the_socket_whatever_the_umask_is() {
    use std::os::unix::fs::PermissionsExt as _;
    for umask in ["umask 000", "umask 077", "umask 022"] {
        let folder = tempfile::tempdir().expect("a folder");
        let plugin = start_in_shell(umask, folder.path());
        let mode = std::fs::metadata(&plugin.line[3]).expect("a socket").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{umask}: {mode:o}");
        plugin.greet(None).expect("served");
    }
}

/// More clients that say nothing than there are file descriptors are no end.
#[test]
fn a_listener_out_of_descriptors_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let plugin = start_in_shell("ulimit -n 40", folder.path());
    let silent: Vec<_> = (0..60).map(|_| UnixStream::connect(&plugin.line[3]).expect("connects")).collect();
    assert!(plugin.greet_within(Duration::from_millis(500)).is_err(), "there are no descriptors left");
    drop(silent);
    plugin.greet(None).expect("served again");
}

/// What a killed one left is removed by the next, what lives or is another's is not.
#[test]
fn the_next_one_removes_what_killed_ones_left() {
    let folder = tempfile::tempdir().expect("a folder");
    let names = || {
        let entries =
            std::fs::read_dir(folder.path()).expect("reads").map(|entry| entry.expect("an entry").file_name());
        entries.map(|name| name.to_string_lossy().into_owned()).collect::<BTreeSet<_>>()
    };
    let left_alone = ["plugin123456", "notes"];
    left_alone.iter().for_each(|name| std::fs::write(folder.path().join(name), "").expect("writes"));
    let alive = Plugin::start(folder.path(), None);
    let mut killed = Plugin::start(folder.path(), None);
    killed.signal("-KILL");
    killed.child.wait().expect("it ends");
    assert!(Path::new(&killed.line[3]).exists(), "it leaves its socket");
    let mut by_hand = tools::clean(Path::new(PROVIDER));
    by_hand.arg("--debug").env("TMPDIR", folder.path()).stdout(Stdio::piped());
    let mut by_hand = by_hand.spawn().expect("it runs");
    let mut line = String::new();
    BufReader::new(by_hand.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
    by_hand.kill().expect("killed");
    by_hand.wait().expect("it ends");
    assert!(names().len() >= 4, "it leaves its folder: {:?}", names());
    let next = Plugin::start(folder.path(), None);
    let of = |plugin: &Plugin| Path::new(&plugin.line[3]).file_name().expect("a name").to_string_lossy().into_owned();
    let expected: BTreeSet<_> = left_alone.map(str::to_owned).into_iter().chain([of(&alive), of(&next)]).collect();
    let begun = Instant::now();
    while names() != expected {
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?} is not {expected:?}", names());
        std::thread::park_timeout(Duration::from_millis(10));
    }
    alive.greet(None).expect("the living one is served");
    next.greet(None).expect("served");
}

/// Ctrl-C is for Terraform, which tells its plugins; SIGTERM is for whoever gets it.
#[test]
fn an_interrupt_is_no_end_and_a_termination_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut plugin = Plugin::start(folder.path(), None);
    plugin.greet(None).expect("served");
    plugin.signal("-INT");
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(500) {
        assert!(plugin.child.try_wait().expect("a process").is_none(), "it ended");
        plugin.greet(None).expect("still served");
    }
    plugin.signal("-TERM");
    assert_eq!(plugin.child.wait().expect("it ends").code(), Some(143));
    assert_eq!(std::fs::read_dir(folder.path()).expect("reads").count(), 0, "the socket is gone");
}

#[test]
fn without_tls_it_serves_a_terraform_that_has_none() {
    let warehouse = Warehouse::start();
    let mut workspace = Workspace::on(&warehouse);
    workspace.env("TF_DISABLE_PLUGIN_TLS", "1");
    workspace.write("provider \"redshift\" {}\nresource \"redshift_connection\" \"c\" {\n  name = \"c\"\n}\n");
    workspace.apply();
    workspace.plan().assert_empty();
}

/// What it writes to stderr at each level: objects as Terraform reads them, and none below the level.
#[test]
fn its_log_is_as_fine_as_it_is_told_and_in_terraforms_form() {
    let warehouse = Warehouse::start();
    let log = |level: &str| {
        let (mut by_hand, reattach) = ByHand::start(&warehouse, level);
        let mut stderr = by_hand.0.stderr.take().expect("a pipe");
        let reader = std::thread::spawn(move || {
            let mut text = String::new();
            stderr.read_to_string(&mut text).expect("UTF-8");
            text
        });
        let mut workspace = Workspace::new();
        workspace.env("TF_REATTACH_PROVIDERS", &reattach);
        workspace.write("provider \"redshift\" {}\nresource \"redshift_connection\" \"c\" {\n  name = \"c\"\n}\n");
        workspace.apply();
        // Something to warn of.
        warehouse.pause();
        workspace.plan();
        warehouse.resume();
        by_hand.end();
        let text = reader.join().expect("it is read");
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")));
        lines.collect::<Vec<Value>>()
    };
    let levels = |lines: &[Value]| {
        lines.iter().map(|line| line["@level"].as_str().expect("a level").to_owned()).collect::<BTreeSet<_>>()
    };
    let fine = log("DEBUG");
    for line in &fine {
        for key in ["@message", "@module", "@timestamp"] {
            assert!(line[key].is_string(), "{line}");
        }
    }
    assert!(levels(&fine).contains("debug") && !levels(&fine).contains("trace"), "{:?}", levels(&fine));
    let statement = fine.iter().find(|line| line["@message"] == "statement").expect("statements are logged");
    assert!(statement["database"] == "dev" && statement["number"].is_number(), "{statement}");
    let coarse = levels(&log("WARN"));
    assert!(coarse.is_subset(&["warn", "error"].map(str::to_owned).into()), "{coarse:?}");
    assert_eq!(log("OFF"), Vec::<Value>::new());
}

/// gRPC's own limit is 4 MiB.
#[test]
fn messages_may_be_large() {
    let warehouse = Warehouse::start();
    warehouse.sql("dev", "CREATE SCHEMA sales");
    let workspace = Workspace::on(&warehouse);
    workspace.write(
        "provider \"redshift\" {}\nresource \"redshift_datastore\" \"d\" {\n  name = \"d\"\n  database = \"dev\"\n  schema = \"sales\"\n  teams = [for i in range(6) : format(\"%d%01000000d\", i, i)]\n}\n",
    );
    // In JSON, for Terraform takes its time to show a long text.
    assert!(workspace.apply_problems().iter().all(|problem| problem.severity != "error"));
    assert_eq!(workspace.values("redshift_datastore.d")["teams"].as_array().map(Vec::len), Some(6));
}

/// The calls that come after a stop are none of its business.
#[test]
fn a_stop_is_over_with_what_was_under_way() {
    let warehouse = crate::datastore::warehouse();
    let (mut by_hand, reattach) = ByHand::start(&warehouse, "OFF");
    let mut workspace = Workspace::new();
    workspace.env("TF_REATTACH_PROVIDERS", &reattach);
    workspace.write(&crate::datastore::source());
    let held = warehouse.open_transaction("dev", "GRANT SELECT ON TABLE sales.orders TO loader");
    let running = workspace.start(&["apply", "-auto-approve", "-input=false", "-no-color"]);
    warehouse.wait_for_statement("GRANT SELECT ON ALL TABLES", 1);
    running.interrupt();
    assert_eq!(running.wait().code, 1);
    drop(held);
    workspace.apply();
    workspace.plan().assert_empty();
    by_hand.end();
}
