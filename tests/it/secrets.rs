//! A canary in every place that takes a secret, looked for in everything that is written.

use std::fs;

use redshift_standin::Fault;

use crate::support::{Warehouse, Workspace};

const CANARY: &str = "Canary-9f3b7c";

/// Every file of the workspace and everything that was printed.
fn assert_nowhere(workspace: &Workspace, outputs: &[String], except: &[&str]) {
    let mut open = vec![workspace.path().to_path_buf()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).expect("reads").flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
            if except.contains(&name.as_str()) {
                continue;
            }
            let bytes = fs::read(&path).expect("reads");
            assert!(!contains(&bytes, CANARY.as_bytes()), "{}", path.display());
        }
    }
    for output in outputs {
        assert!(!output.contains(CANARY), "{output}");
    }
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

/// The md5 form that the warehouse stores opens it as well.
fn md5_hex(text: &str) -> String {
    use md5::{Digest, Md5};
    Md5::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Given by the environment or by ephemeral variables, it is nowhere: not even in the plan file.
/// Proves: Q50
#[test]
fn a_canary_is_nowhere() {
    let warehouse = Warehouse::start();
    warehouse.sql("dev", "CREATE SCHEMA sales");
    warehouse.sql("dev", &format!("CREATE USER ann PASSWORD '{CANARY}-ann' CREATEUSER"));
    let mut workspace = Workspace::on(&warehouse);
    let log = workspace.log("TRACE");
    workspace.env("REDSHIFT_USER", "ann").env("REDSHIFT_PASSWORD", &format!("{CANARY}-ann"));
    workspace.env("TF_VAR_tool", &format!("{CANARY}-tool")).env("TF_VAR_other", &format!("{CANARY}-other"));
    let endpoint = format!("{}:{}", warehouse.host(), warehouse.port());
    workspace.write(&format!(
        r#"
variable "tool" {{
  type      = string
  ephemeral = true
}}
variable "other" {{
  type      = string
  ephemeral = true
}}
provider "redshift" {{
  credentials = {{
    "nobody@{endpoint}" = {{ password = var.other }}
  }}
}}
resource "redshift_connection" "c" {{
  name = "c"
}}
resource "redshift_user" "tool" {{
  name                = "tool"
  connection_id       = redshift_connection.c.id
  password_wo         = var.tool
  password_wo_version = 1
}}
resource "redshift_datastore" "sales" {{
  name     = "Sales"
  database = "dev"
  schema   = "sales"
  service_user {{
    name          = redshift_user.tool.name
    future_tables = "none"
  }}
}}
output "all" {{
  value = [redshift_connection.c.resolved, redshift_datastore.sales.script]
}}
"#
    ));
    let plan = workspace.plan();
    let mut outputs = vec![plan.outcome.stdout.clone(), plan.outcome.stderr.clone(), plan.json().to_string()];
    let applied = workspace.run(&["apply", "-no-color", "-input=false", "-auto-approve"]).succeeded();
    outputs.extend([applied.stdout, applied.stderr, workspace.state().to_string()]);
    warehouse
        .sql_as("tool", &format!("{CANARY}-tool"), "dev", "SELECT 1")
        .expect("the password is the one that was given");
    // A refused sign-in, too.
    workspace.env("REDSHIFT_PASSWORD", &format!("{CANARY}-wrong"));
    let refused = workspace.try_destroy();
    outputs.extend([refused.stdout, refused.stderr]);
    assert!(fs::metadata(&log).is_ok_and(|file| file.len() > 10_000), "the log was written");
    assert_nowhere(&workspace, &outputs, &[]);
    let hash = md5_hex(&format!("{CANARY}-tooltool"));
    let written = fs::read(&log).expect("reads");
    assert!(!contains(&written, hash.as_bytes()), "the hash is a secret as well");
    assert!(!workspace.state().to_string().contains(&hash));
}

/// Terraform itself writes what stands in the configuration as text into the plan file; nothing else may hold it.
/// Proves: Q50
#[test]
fn a_literal_in_the_provider_block_reaches_no_state_and_no_log() {
    let warehouse = Warehouse::start();
    warehouse.sql("dev", &format!("CREATE USER ann PASSWORD '{CANARY}-ann' CREATEUSER"));
    for login in [
        format!("username = \"ann\"\n  password = \"{CANARY}-ann\""),
        format!("connection_string = \"postgresql://ann:{CANARY}-ann@{}:{}/dev\"", warehouse.host(), warehouse.port()),
        format!(
            "username = \"ann\"\n  credentials = {{ \"{}\" = {{ username = \"ann\", password = \"{CANARY}-ann\" }} }}",
            warehouse.host()
        ),
    ] {
        let mut workspace = Workspace::on(&warehouse);
        workspace.log("TRACE");
        workspace.without("REDSHIFT_USER").without("REDSHIFT_PASSWORD");
        if login.contains("connection_string") {
            workspace.without("REDSHIFT_HOST").without("REDSHIFT_PORT");
        }
        workspace.write(&format!(
            "provider \"redshift\" {{\n  {login}\n}}\nresource \"redshift_connection\" \"c\" {{\n  name = \"c\"\n}}\n"
        ));
        let plan = workspace.plan();
        let applied = workspace.apply();
        let outputs =
            [plan.outcome.stdout, plan.outcome.stderr, applied.stdout, applied.stderr, workspace.state().to_string()];
        assert_nowhere(&workspace, &outputs, &["main.tf", "plan.bin"]);
    }
}

/// A warehouse that refuses a statement quotes parts of it.
#[test]
fn a_secret_that_the_warehouse_quotes_is_taken_out_of_its_words() {
    let warehouse = Warehouse::start();
    let mut workspace = Workspace::on(&warehouse);
    workspace.log("TRACE");
    workspace.write(&format!(
        "provider \"redshift\" {{}}\nresource \"redshift_user\" \"tool\" {{\n  name = \"tool\"\n  password_wo = \"{CANARY}-A\"\n  password_wo_version = 1\n}}\n"
    ));
    let hash = md5_hex(&format!("{CANARY}-Atool"));
    let words = format!("syntax error at or near \"'md5{hash}'\"");
    warehouse.fault(Fault::error("CREATE USER", "42601", &words));
    let failure = workspace.try_apply().failed();
    assert!(failure.text().contains("syntax error at or near \"'<REDACTED>'\""), "{}", failure.text());
    let log = fs::read(workspace.path().join("terraform.log")).expect("the log");
    for written in [failure.text().as_bytes(), &log] {
        assert!(!contains(written, hash.as_bytes()), "{}", failure.text());
    }
}
