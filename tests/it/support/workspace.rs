//! A folder with a configuration, and Terraform to run in it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::standin::Warehouse;
use super::text::{self, Problem};
use super::tools;

/// The provider that these tests are about.
pub const PROVIDER: &str = env!("CARGO_BIN_EXE_terraform-provider-redshift");

/// What every configuration begins with.
const REQUIRED: &str = "terraform {\n  required_providers {\n    redshift = {\n      source = \"terraform-redshift/redshift\"\n    }\n  }\n}\n";

/// A temporary folder of its own, with the provider just built and none of the caller's settings.
pub struct Workspace {
    folder: TempDir,
    terraform: PathBuf,
    environment: BTreeMap<String, String>,
}

/// What a command did.
#[derive(Debug)]
pub struct Outcome {
    /// The exit code; -1 after a signal.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Outcome {
    /// Everything it printed, on one line and without boxes.
    pub fn text(&self) -> String {
        text::plain(&format!("{}\n{}", self.stdout, self.stderr))
    }

    /// The diagnostics of a command that was run with `-json`.
    pub fn problems(&self) -> Vec<Problem> {
        text::problems(&self.stdout)
    }

    #[track_caller]
    pub fn succeeded(self) -> Self {
        assert_eq!(self.code, 0, "{}\n{}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    pub fn failed(self) -> Self {
        assert_ne!(self.code, 0, "it succeeded:\n{}", self.stdout);
        self
    }
}

/// A plan, as people see it and as JSON.
#[derive(Debug)]
pub struct Plan {
    pub outcome: Outcome,
    /// `terraform show -json` of a plan with changes.
    json: Option<Value>,
}

impl Plan {
    /// `terraform show -json` of the plan. One that is empty is not asked for: each command takes its time.
    #[track_caller]
    pub fn json(&self) -> &Value {
        self.json.as_ref().unwrap_or_else(|| panic!("no changes are planned:\n{}", self.outcome.stdout))
    }

    /// The actions by address, without those that do nothing: `{"redshift_user.a": ["update"]}`.
    pub fn changes(&self) -> BTreeMap<String, Vec<String>> {
        let changes = self.json.iter().flat_map(|json| json["resource_changes"].as_array()).flatten();
        let each = changes.map(|change| {
            let actions = change["change"]["actions"].as_array().into_iter().flatten();
            let actions = actions.filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>();
            (change["address"].as_str().unwrap_or_default().to_owned(), actions)
        });
        each.filter(|(_, actions)| actions != &["no-op"] && actions != &["read"]).collect()
    }

    /// The planned values of a resource, `after_unknown` beside them.
    #[track_caller]
    pub fn change(&self, address: &str) -> &Value {
        let mut changes = self.json()["resource_changes"].as_array().into_iter().flatten();
        changes.find(|change| change["address"] == address).map_or(&Value::Null, |change| &change["change"])
    }

    /// The plan exists and changes nothing, not even an output.
    #[track_caller]
    pub fn assert_empty(&self) {
        assert_eq!(self.outcome.code, 0, "not empty:\n{}\n{}", self.outcome.stdout, self.outcome.stderr);
    }
}

/// A command that runs beside the test, in a process group of its own.
pub struct Running(Child);

impl Running {
    /// Its process, and its process group.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// What Ctrl-C does: SIGINT for the whole group, the provider included.
    pub fn interrupt(&self) {
        let group = format!("kill -INT -{}", self.0.id());
        let status = Command::new("sh").args(["-c", &group]).status().expect("sh runs");
        assert!(status.success(), "{group}");
    }

    /// What the end of the machine does: SIGKILL for the whole group, the provider included.
    pub fn kill(self) -> Outcome {
        let group = format!("kill -KILL -{}", self.0.id());
        let status = Command::new("sh").args(["-c", &group]).status().expect("sh runs");
        assert!(status.success(), "{group}");
        self.wait()
    }

    pub fn wait(self) -> Outcome {
        let output = self.0.wait_with_output().expect("terraform ends");
        Outcome {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Workspace {
    /// A folder whose provider has no warehouse in its environment.
    pub fn new() -> Self {
        let terraform = tools::terraform().expect("a terraform command");
        let root = redshift_standin::memory().map_or_else(std::env::temp_dir, Path::to_owned);
        let folder = tempfile::Builder::new().prefix("redshift-it-").tempdir_in(root).expect("a temporary folder");
        let provider = Path::new(PROVIDER).parent().expect("the provider is in a folder");
        let settings = folder.path().join("cli.tfrc");
        let text = format!(
            "provider_installation {{\n  dev_overrides {{\n    \"terraform-redshift/redshift\" = \"{}\"\n  }}\n  direct {{}}\n}}\n",
            provider.display()
        );
        fs::write(&settings, text).expect("writes");
        fs::write(folder.path().join("required.tf"), REQUIRED).expect("writes");
        let mut workspace = Workspace { folder, terraform, environment: BTreeMap::new() };
        workspace.env("TF_CLI_CONFIG_FILE", &settings.display().to_string());
        workspace
    }

    /// A folder whose provider finds this warehouse, and its superuser, in its environment.
    pub fn on(warehouse: &Warehouse) -> Self {
        let mut workspace = Self::new();
        workspace.environment.extend(warehouse.environment());
        workspace
    }

    /// A folder whose provider finds the AWS account around this warehouse, and no login to the warehouse itself.
    pub fn in_aws(warehouse: &Warehouse) -> Self {
        let mut workspace = Self::new();
        workspace.environment.extend(warehouse.aws_environment());
        workspace
    }

    /// Sets a variable for every command from now on.
    pub fn env(&mut self, name: &str, value: &str) -> &mut Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The variables of every command.
    pub fn environment(&self) -> &BTreeMap<String, String> {
        &self.environment
    }

    /// Takes a variable away again.
    pub fn without(&mut self, name: &str) -> &mut Self {
        self.environment.remove(name);
        self
    }

    /// Writes Terraform's log, and the provider's, at this level into a file, and returns its path.
    pub fn log(&mut self, level: &str) -> PathBuf {
        let file = self.folder.path().join("terraform.log");
        self.env("TF_LOG", level).env("TF_LOG_PATH", &file.display().to_string());
        file
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The configuration, less `required_providers`, which is there already.
    pub fn write(&self, hcl: &str) -> &Self {
        self.file("main.tf", hcl)
    }

    pub fn file(&self, name: &str, text: &str) -> &Self {
        fs::write(self.folder.path().join(name), text).expect("writes");
        self
    }

    /// Any command.
    pub fn run(&self, arguments: &[&str]) -> Outcome {
        self.start(arguments).wait()
    }

    /// Any command, not waited for.
    pub fn start(&self, arguments: &[&str]) -> Running {
        let mut command = tools::clean(&self.terraform);
        command.args(arguments).current_dir(self.folder.path()).envs(&self.environment);
        // Terraform lives for a moment: it need not clean its memory as often.
        command.env("TF_IN_AUTOMATION", "1").env("GOGC", "400").process_group(0);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Running(command.spawn().expect("terraform starts"))
    }

    #[track_caller]
    pub fn apply(&self) -> Outcome {
        self.try_apply().succeeded()
    }

    pub fn try_apply(&self) -> Outcome {
        self.run(&["apply", "-auto-approve", "-input=false", "-no-color"])
    }

    #[track_caller]
    pub fn destroy(&self) -> Outcome {
        self.try_destroy().succeeded()
    }

    pub fn try_destroy(&self) -> Outcome {
        self.run(&["destroy", "-auto-approve", "-input=false", "-no-color"])
    }

    /// A plan that exists: exit code 0 (empty) or 2 (with changes).
    #[track_caller]
    pub fn plan(&self) -> Plan {
        let plan = self.try_plan();
        assert_ne!(plan.outcome.code, 1, "{}\n{}", plan.outcome.stdout, plan.outcome.stderr);
        plan
    }

    pub fn try_plan(&self) -> Plan {
        let outcome = self.run(&["plan", "-out=plan.bin", "-detailed-exitcode", "-input=false", "-no-color"]);
        let json = (outcome.code == 2).then(|| self.json(&["show", "-json", "plan.bin"]));
        Plan { outcome, json }
    }

    /// The errors and warnings of `terraform plan`, in order.
    pub fn plan_problems(&self) -> Vec<Problem> {
        self.run(&["plan", "-json", "-input=false"]).problems()
    }

    /// The errors and warnings of `terraform apply`, in order.
    pub fn apply_problems(&self) -> Vec<Problem> {
        self.run(&["apply", "-auto-approve", "-json", "-input=false"]).problems()
    }

    /// The errors and warnings of `terraform destroy`, in order.
    pub fn destroy_problems(&self) -> Vec<Problem> {
        self.run(&["destroy", "-auto-approve", "-json", "-input=false"]).problems()
    }

    /// The one error of a configuration that has to be refused, by `validate`, else by `plan`.
    #[track_caller]
    pub fn refused(&self, hcl: &str) -> Problem {
        self.write(hcl);
        let errors =
            |problems: Vec<Problem>| problems.into_iter().filter(|p| p.severity == "error").collect::<Vec<_>>();
        let mut found = errors(self.run(&["validate", "-json"]).problems());
        if found.is_empty() {
            found = errors(self.plan_problems());
        }
        assert_eq!(found.len(), 1, "one error is expected: {found:#?}");
        found.remove(0)
    }

    pub fn import(&self, address: &str, id: &str) -> Outcome {
        self.run(&["import", "-input=false", "-no-color", address, id])
    }

    /// The state file as it is, private state included. Null when there is none.
    pub fn state(&self) -> Value {
        match fs::read_to_string(self.folder.path().join("terraform.tfstate")) {
            Ok(text) => serde_json::from_str(&text).expect("the state is JSON"),
            Err(_) => Value::Null,
        }
    }

    /// The attributes of a resource in state: `values("redshift_user.a")`, `values("redshift_user.a[\"k\"]")`.
    #[track_caller]
    pub fn values(&self, address: &str) -> Value {
        let found = self.find(address);
        found.unwrap_or_else(|| panic!("{address} is not in state: {:?}", self.addresses()))
    }

    /// The addresses in state, sorted.
    pub fn addresses(&self) -> Vec<String> {
        let mut addresses: Vec<String> = self.resources().into_iter().map(|(address, _)| address).collect();
        addresses.sort();
        addresses
    }

    fn find(&self, address: &str) -> Option<Value> {
        self.resources().into_iter().find(|(found, _)| found == address).map(|(_, values)| values)
    }

    /// Managed resources of the root module with their attributes.
    fn resources(&self) -> Vec<(String, Value)> {
        let state = self.state();
        let mut found = Vec::new();
        for resource in state["resources"].as_array().into_iter().flatten() {
            let name = |key: &str| resource[key].as_str().unwrap_or_default();
            let prefix = if name("mode") == "data" { "data." } else { "" };
            for instance in resource["instances"].as_array().into_iter().flatten() {
                let key = match &instance["index_key"] {
                    Value::Null => String::new(),
                    key => format!("[{key}]"),
                };
                let address = format!("{prefix}{}.{}{key}", name("type"), name("name"));
                found.push((address, instance["attributes"].clone()));
            }
        }
        found
    }

    /// The value of an output, sensitive ones included.
    pub fn output(&self, name: &str) -> Value {
        self.json(&["output", "-json", name])
    }

    /// What a command that prints one JSON text prints.
    #[track_caller]
    pub fn json(&self, arguments: &[&str]) -> Value {
        let outcome = self.run(arguments).succeeded();
        serde_json::from_str(&outcome.stdout).expect("the command prints JSON")
    }
}
