//! What most people get wrong at their first try, with real Terraform: the whole text of each error is kept in
//! tests/golden/errors/first_*.txt, as they read it. Each says what was written, where it came from, and the line that is
//! right.

use crate::support::{Outcome, WORKGROUP_HOST, Warehouse, Workspace, golden, masked, shown};

const PROVIDER: &str = "provider \"redshift\" {}\n";

fn connection(lines: &str) -> String {
    format!("resource \"redshift_connection\" \"c\" {{\n  name = \"warehouse\"\n{lines}}}\n")
}

fn user(lines: &str) -> String {
    format!("resource \"redshift_user\" \"tool\" {{\n  name = \"tool\"\n{lines}}}\n")
}

/// What is said, with the port of this run's warehouse taken out.
#[track_caller]
fn expect(name: &str, warehouse: &Warehouse, outcome: &Outcome) {
    let text = shown(&outcome.stdout);
    assert!(text.contains("error: "), "{outcome:#?}");
    assert!(!text.contains(warehouse.password()) && !text.contains("CANARY"), "{text}");
    // As the text of a port, and as a number in a sentence.
    let (colon, bare) = (format!(":{}", warehouse.port()), format!("({})", warehouse.port()));
    golden(&format!("errors/first_{name}.txt"), &masked(&text, &[(colon, ":<port>"), (bare, "(<port>)")]));
}

struct Stage {
    warehouse: Warehouse,
    workspace: Workspace,
}

impl Stage {
    /// A superuser's login in the environment, and an AWS account beside it.
    fn new() -> Self {
        let warehouse = Warehouse::start();
        let mut workspace = Workspace::on(&warehouse);
        for (name, value) in warehouse.aws_environment() {
            workspace.env(&name, &value);
        }
        let home = workspace.path().display().to_string();
        workspace.env("HOME", &home);
        Stage { warehouse, workspace }
    }

    #[track_caller]
    fn plan(&self, name: &str, hcl: &str) {
        self.workspace.write(hcl);
        expect(name, &self.warehouse, &self.workspace.run(&["plan", "-json", "-input=false"]));
    }

    #[track_caller]
    fn apply(&self, name: &str, hcl: &str, more: &[&str]) {
        self.workspace.write(hcl);
        let arguments = [&["apply", "-auto-approve", "-json", "-input=false"], more].concat();
        expect(name, &self.warehouse, &self.workspace.run(&arguments));
    }
}

#[test]
fn what_is_written_in_the_wrong_place_or_not_at_all() {
    let stage = Stage::new();
    stage.plan("password_of_a_user", &format!("{PROVIDER}{}", user("  password = \"CANARY-Word-1\"\n")));
    let nothing = "variable \"name\" {\n  type    = string\n  default = null\n}\n";
    let null = "resource \"redshift_user\" \"tool\" {\n  name = var.name\n}\n";
    stage.plan("null", &format!("{PROVIDER}{nothing}{null}"));
    let by_name = user("  connection_id = redshift_connection.c.name\n");
    stage.plan("connection_by_name", &format!("{PROVIDER}{}{by_name}", connection("")));
}

#[test]
fn a_port_out_of_range_is_one_error() {
    let stage = Stage::new();
    stage.plan("port", &format!("{PROVIDER}{}", connection("  host = \"warehouse.example.com\"\n  port = 99999\n")));
    let provider = "provider \"redshift\" {\n  host = \"warehouse.example.com\"\n  port = 99999\n}\n";
    stage.plan("port_of_the_provider", &format!("{provider}{}", connection("")));
}

#[test]
fn a_host_that_is_a_url_comes_with_the_lines_to_write() {
    let mut stage = Stage::new();
    let host = "main.abc123xyz789.eu-west-1.redshift.amazonaws.com";
    let of = |url: &str| format!("{PROVIDER}{}", connection(&format!("  host = \"{url}\"\n")));
    stage.plan("host_is_a_url", &of(&format!("https://{host}:5439/dev")));
    stage.plan("host_is_a_jdbc_url", &of(&format!("jdbc:redshift://{host}:5439/dev")));
    stage.plan("host_with_a_port", &of(&format!("{host}:5439/dev")));
    stage.workspace.env("REDSHIFT_HOST", &format!("jdbc:redshift://{host}:5439/dev"));
    stage.plan("host_of_the_environment", &format!("{PROVIDER}{}", connection("")));
}

#[test]
fn what_the_environment_says_and_is_not_used() {
    let mut stage = Stage::new();
    let password = "provider \"redshift\" {\n  password = \"CANARY-Word-1\"\n}\n";
    stage.plan("password_beside_the_environment", &format!("{password}{}", connection("")));
    let serverless = "provider \"redshift\" {\n  workgroup_name = \"analytics\"\n}\n";
    let one = connection("  workgroup_name = \"analytics\"\n");
    // A login of the environment belongs to the provider's own endpoint.
    stage.workspace.write(&format!("{PROVIDER}{one}"));
    stage.workspace.run(&["plan", "-input=false", "-no-color"]).succeeded();
    stage.workspace.without("REDSHIFT_PASSWORD");
    stage.plan("serverless_beside_a_user_without_password", &format!("{serverless}{}", connection("")));
    let host = format!("provider \"redshift\" {{\n  host     = \"{WORKGROUP_HOST}\"\n  username = \"ann\"\n}}\n");
    stage.plan("serverless_and_a_written_user", &format!("{host}{}", connection("")));
    stage.workspace.without("REDSHIFT_HOST");
    stage.plan("port_without_a_host", &format!("{PROVIDER}{}", connection("")));
}

#[test]
fn an_import_by_a_plain_name() {
    let stage = Stage::new();
    let import = |to: &str, id: &str| format!("{PROVIDER}import {{\n  to = {to}\n  id = \"{id}\"\n}}\n");
    stage.plan("import_of_a_user", &format!("{}{}", import("redshift_user.tool", "tool"), user("")));
    let datastore = "resource \"redshift_datastore\" \"d\" {\n  name     = \"d\"\n  database = \"dev\"\n  schema   = \"finance\"\n}\n";
    stage.plan("import_of_a_datastore", &format!("{}{datastore}", import("redshift_datastore.d", "dev/finance")));
    let import = import("redshift_connection.c", "warehouse");
    stage.plan("import_of_a_connection", &format!("{import}{}", connection("")));
}

#[test]
fn an_integration_by_hand_that_is_applied_too_early_and_one_on_a_database_that_exists() {
    let stage = Stage::new();
    let integration = |database: &str, automatic: bool| {
        format!(
            "{PROVIDER}resource \"redshift_integration\" \"i\" {{\n  database       = \"{database}\"\n  auto_bootstrap = {automatic}\n}}\n"
        )
    };
    stage.apply("integration_too_early", &integration("governed", false), &[]);
    stage.warehouse.sql("dev", "CREATE DATABASE governed");
    stage.apply("integration_half_way", &integration("governed", false), &[]);
    stage.apply("integration_on_a_database_that_exists", &integration("sample", true), &[]);
    assert!(stage.workspace.addresses().is_empty());
}

#[test]
fn a_user_that_is_replaced_before_the_old_one_goes() {
    let stage = Stage::new();
    let hcl = format!("{PROVIDER}{}", user("  lifecycle {\n    create_before_destroy = true\n  }\n"));
    stage.workspace.write(&hcl).apply();
    stage.apply("user_replaced_too_early", &hcl, &["-replace=redshift_user.tool"]);
}
