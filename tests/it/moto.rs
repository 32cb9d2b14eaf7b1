//! The same configurations against moto, an implementation of AWS's calls that is not ours: STS, GetClusterCredentials,
//! DescribeClusters, Secrets Manager, SSM. The warehouse is the stand-in's, which takes no password that moto minted.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Stdio};

use redshift_standin::StandinOptions;
use serde_json::{Value, json};

use crate::support::{Problem, Warehouse, Workspace, tools};

const REGION: &str = "eu-west-1";
/// The cluster and the role are in another account than whoever asks: moto's is 123456789012.
const ROLE: &str = "arn:aws:iam::444455556666:role/warehouse-access";

/// moto's server. It ends when this is dropped, or when this process ends in whatever way.
struct Moto {
    server: Child,
    port: u16,
}

impl Moto {
    fn start() -> Self {
        let package = tools::python_package("moto[server]==5.2.5").expect("moto can be installed");
        let mut server = tools::clean(Path::new("python3"))
            .arg(tools::root().join("tests/it/moto_calls.py"))
            .env("PYTHONPATH", package)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 is there");
        let output = server.stdout.take().expect("a pipe");
        let mut moto = Moto { server, port: 0 };
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).expect("reads");
        moto.port = line.trim().parse().expect("moto_calls.py prints its port");
        moto
    }

    fn ask(&self, request: &str, body: &str) -> Value {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("moto is there");
        let head = format!("{request} HTTP/1.0\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all(format!("{head}{body}").as_bytes()).expect("sends");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("UTF-8");
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer of HTTP");
        assert!(head.contains(" 200 "), "{answer}");
        serde_json::from_str(body).expect("JSON")
    }

    /// Makes secrets, parameters and clusters: the endpoints of the clusters.
    fn fill(&self, wanted: &Value) -> Value {
        self.ask("POST /test/fill", &wanted.to_string())
    }

    /// The calls since it was filled.
    fn calls(&self) -> Vec<Value> {
        self.ask("GET /test/calls", "").as_array().cloned().unwrap_or_default()
    }

    /// The calls since the first `known`, by their names, and the last one of a name.
    fn since(&self, known: usize) -> (Vec<String>, impl Fn(&str) -> Value + use<>) {
        let calls = self.calls().split_off(known);
        let mut names: Vec<String> = calls.iter().map(|call| text(&call["action"])).collect();
        names.dedup();
        (names, move |name: &str| calls.iter().rfind(|call| call["action"] == name).cloned().unwrap_or_default())
    }

    /// The variables by which AWS's clients find it.
    fn environment(&self, workspace: &mut Workspace) {
        for (name, value) in [
            ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", self.port).as_str()),
            ("AWS_REGION", REGION),
            ("AWS_ACCESS_KEY_ID", "testing"),
            ("AWS_SECRET_ACCESS_KEY", "testing"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ] {
            workspace.env(name, value);
        }
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn connection(lines: &str) -> String {
    format!("provider \"redshift\" {{}}\nresource \"redshift_connection\" \"c\" {{\n  name = \"c\"\n{lines}\n}}\n")
}

/// Without a login: that is what AWS is asked for.
fn without_login(workspace: &mut Workspace) {
    workspace.without("REDSHIFT_USER").without("REDSHIFT_PASSWORD");
}

/// A secret names everything, a parameter the password; both are read anew in each run.
#[test]
fn secrets_and_parameters_of_moto_sign_in() {
    let (moto, warehouse) = (Moto::start(), Warehouse::start());
    let (user, password) = (warehouse.superuser(), warehouse.password());
    let login = json!({
        "username": user, "password": password, "engine": "redshift", "host": warehouse.host(),
        "port": warehouse.port(), "dbname": "dev",
    });
    moto.fill(&json!({
        "region": REGION,
        "secrets": { "warehouse/login": login.to_string() },
        "parameters": { "/warehouse/password": password },
    }));
    let mut workspace = Workspace::on(&warehouse);
    moto.environment(&mut workspace);
    without_login(&mut workspace);
    let mut known = 0;
    for (lines, call) in [
        (format!("  username = \"{user}\"\n  password_ssm_parameter = \"/warehouse/password\""), "ssm:GetParameter"),
        ("  secret_id = \"warehouse/login\"".to_owned(), "secretsmanager:GetSecretValue"),
    ] {
        if call.starts_with("secrets") {
            workspace.without("REDSHIFT_HOST").without("REDSHIFT_PORT");
        }
        workspace.write(&connection(&lines));
        workspace.apply();
        assert_eq!(workspace.values("redshift_connection.c")["database_user"], user);
        workspace.plan().assert_empty();
        workspace.destroy();
        let (names, last) = moto.since(known);
        assert_eq!((names, last(call)["region"].as_str()), (vec![call.to_owned()], Some(REGION)));
        assert!(!workspace.state().to_string().contains(password));
        known = moto.calls().len();
    }
}

/// The role is assumed, the cluster is found in its account, and the user that moto names asks the warehouse to sign in.
#[test]
fn a_role_leads_to_the_cluster_and_to_credentials_of_moto() {
    let moto = Moto::start();
    let endpoint = text(&moto.fill(&json!({ "region": REGION, "clusters": { "main": ROLE } }))["main"]);
    let host = endpoint.strip_suffix(":5439").expect("the usual port").to_owned();
    let hosts = vec!["localhost".to_owned(), host.clone()];
    let warehouse = Warehouse::with(StandinOptions { hosts, ..StandinOptions::default() });
    warehouse.sql("dev", "CREATE USER alice PASSWORD DISABLE");
    let mut workspace = Workspace::on(&warehouse);
    moto.environment(&mut workspace);
    without_login(&mut workspace);
    let role = format!(
        "  cluster_identifier = \"main\"\n  username = \"alice\"\n  role_arn = \"{ROLE}\"\n  external_id = \"tool:42\""
    );
    let refused = "password authentication failed for user \"IAM:alice\"";
    let with_endpoint = format!("  host = \"{}\"\n  port = {}\n{role}", warehouse.host(), warehouse.port());
    workspace.write(&connection(&with_endpoint));
    let failure = workspace.try_apply().failed().text();
    assert!(failure.contains(refused), "{failure}");
    let (names, last) = moto.since(0);
    assert!(names.starts_with(&["sts:AssumeRole".to_owned()]), "{names:?}");
    assert!(!names.contains(&"redshift:DescribeClusters".to_owned()), "{names:?}");
    let assumed = last("sts:AssumeRole");
    assert_eq!((&assumed["parameters"]["RoleArn"], &assumed["key"]), (&json!(ROLE), &json!("testing")));
    assert_eq!(assumed["parameters"]["ExternalId"], "tool:42");
    let asked = last("redshift:GetClusterCredentials");
    let parameters = &asked["parameters"];
    assert_eq!((&parameters["ClusterIdentifier"], &parameters["DbUser"]), (&json!("main"), &json!("alice")));
    assert_eq!((&parameters["DbName"], &parameters["AutoCreate"]), (&json!("dev"), &json!("false")));
    assert_eq!(parameters["DurationSeconds"], "900");
    assert_ne!(asked["key"], "testing", "the role's key signs");

    // The endpoint is DescribeClusters' own, whose name the certificate has; a tunnel leads there.
    let known = moto.calls().len();
    workspace.without("REDSHIFT_HOST").without("REDSHIFT_PORT");
    let tunnel = format!("{{\n  hostaddrs = {{ \"{host}\" = \"127.0.0.1:{}\" }}\n}}", warehouse.port());
    workspace.write(&connection(&role).replacen("{}", &tunnel, 1));
    let failure = workspace.try_apply().failed().text();
    assert!(failure.contains(refused) && failure.contains(&host), "{failure}");
    let (names, last) = moto.since(known);
    for call in ["sts:AssumeRole", "redshift:DescribeClusters", "redshift:GetClusterCredentials"] {
        assert!(names.iter().any(|name| name == call), "{call}: {names:?}");
    }
    assert_eq!(last("redshift:DescribeClusters")["parameters"]["ClusterIdentifier"], "main");
    assert_ne!(last("redshift:DescribeClusters")["key"], "testing");

    // In the caller's own account there is no such cluster.
    workspace.write(&connection("  cluster_identifier = \"main\"\n  username = \"alice\""));
    let failure = workspace.try_apply().failed().text();
    assert!(failure.contains("ClusterNotFound: Cluster main not found"), "{failure}");
}

/// What moto does not know is explained as what our stand-in does not know.
#[test]
fn moto_and_our_stand_in_miss_things_alike() {
    let (moto, warehouse) = (Moto::start(), Warehouse::start());
    let mut workspaces = [Workspace::on(&warehouse), Workspace::on(&warehouse)];
    let [by_moto, by_ours] = &mut workspaces;
    moto.environment(by_moto);
    for (name, value) in warehouse.aws_environment() {
        by_ours.env(&name, &value);
    }
    workspaces.iter_mut().for_each(without_login);
    let cluster = "  cluster_identifier = \"nowhere\"\n  username = \"alice\"";
    let at = format!("  host = \"{}\"\n  port = {}\n{cluster}", warehouse.host(), warehouse.port());
    for (lines, summary, advice) in [
        (cluster, "AWS refused redshift:DescribeClusters", "Check cluster_identifier (or host) and region"),
        (&at, "AWS refused redshift:GetClusterCredentials", "Check cluster_identifier (or host) and region"),
        ("  secret_id = \"nowhere\"", "AWS refused secretsmanager:GetSecretValue", "Check secret_id and region"),
        (
            "  username = \"alice\"\n  password_ssm_parameter = \"/nowhere\"",
            "AWS refused ssm:GetParameter",
            "Check password_ssm_parameter and region",
        ),
    ] {
        let mut found: Vec<Problem> = workspaces
            .iter()
            .map(|workspace| {
                workspace.write(&connection(lines));
                let mut errors = workspace.apply_problems();
                errors.retain(|problem| problem.severity == "error");
                assert_eq!(errors.len(), 1, "{errors:#?}");
                errors.remove(0)
            })
            .collect();
        assert_eq!(found[0].summary, summary);
        assert!(found[0].detail.contains(advice), "{}", found[0].detail);
        // AWS gives this error no words, and neither does our stand-in.
        let without = "HTTP status 400, without a message.";
        found[0].detail = found[0].detail.replace("Parameter /nowhere not found.", without);
        assert_eq!(found[0], found[1]);
    }
}
