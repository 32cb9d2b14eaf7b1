//! Plans and applies of many datastores, by real Terraform on the stand-in.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::measure::{self, Cost};
use super::{Row, fastest};
use crate::quickstart::override_of;
use crate::tools;
use crate::warehouse::Warehouse;

/// As many datastores as the numbers speak of.
const MANY: usize = 1000;
/// Timed runs of each kind; the fastest counts.
const RUNS: usize = 5;
/// What is added to each round trip once.
const LATENCY: Duration = Duration::from_millis(20);
/// Sessions that a provider opens at most in one database, by default.
const MAX_SESSIONS: f64 = 4.0;

pub fn rows(release: &Path) -> Result<Vec<Row>, String> {
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let warehouse = Warehouse::start()?;
    let note = |text: &str| eprintln!("bench: {text}");
    note("making 1,000 schemas");
    let schema = |n: usize| [format!("CREATE SCHEMA s{n:04}"), format!("CREATE TABLE s{n:04}.t (id int)")];
    let statements: Vec<String> = (0..MANY).flat_map(schema).collect();
    warehouse.run("dev", &["CREATE USER bench_tool PASSWORD DISABLE"])?;
    warehouse.run("dev", &statements.iter().map(String::as_str).collect::<Vec<_>>())?;

    let real = provider_folder(folder.path(), "real", &release.join("terraform-provider-redshift"))?;
    let stub = provider_folder(folder.path(), "stub", &release.join("provider-stub"))?;
    let costs = folder.path().join("costs");
    let watched = watched_folder(folder.path(), "watched", &costs, &release.join("terraform-provider-redshift"))?;
    let mut bench = Bench {
        terraform: tools::terraform()?,
        environment: warehouse.environment(),
        folder: folder.path().join("work"),
        login: String::new(),
    };
    fs::create_dir_all(&bench.folder).map_err(|e| e.to_string())?;
    let mut rows = Vec::new();

    bench.datastores(1)?;
    bench.terraform(&watched, &["providers", "schema", "-json"])?;
    rows.push(Row::bar("resident memory, schema served", measure::take(&costs)?.megabytes, "MB", 18.0));

    note("applying 100 of them");
    bench.apply(&real, &warehouse)?;
    bench.datastores(2)?;
    let one = bench.apply(&real, &warehouse)?;
    bench.datastores(102)?;
    let hundred = bench.apply(&real, &warehouse)?;
    let each = (hundred.statements as f64 - one.statements as f64) / 99.0;
    rows.push(Row::bar("apply of 100 datastores, statements each", each, "", 6.0));
    rows.push(Row::bar("apply of 100 datastores, sessions", hundred.sessions as f64, "", MAX_SESSIONS));

    note("applying the other 900");
    bench.datastores(MANY)?;
    bench.apply(&real, &warehouse)?;
    rows.push(Row::bar("state of one datastore", bench.state_bytes()? / 1000.0, "kB", 2.0));

    note("planning");
    warehouse.reset_counters();
    bench.plan(&real)?;
    rows.push(Row::bar("SQL statements in an empty plan of 1,000", warehouse.counters().statements as f64, "", 10.0));
    // In turns, so that a busy minute of the machine meets all three.
    let (mut reals, mut stubs, mut slow) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        reals.push(bench.plan(&real)?);
        stubs.push(bench.plan(&stub)?);
        warehouse.latency(LATENCY);
        slow.push(bench.plan(&real)?);
        warehouse.latency(Duration::ZERO);
    }
    let real_cost = bench.cost(&watched, &costs)?;
    let watched_stub = watched_folder(folder.path(), "watched-stub", &costs, &release.join("provider-stub"))?;
    let stub_cost = bench.cost(&watched_stub, &costs)?;
    let builtin = bench.builtin(&real)?;

    note("planning by an assumed role");
    let mut environment = warehouse.environment();
    environment.extend(warehouse.aws_environment());
    let mut role = Bench {
        terraform: tools::terraform()?,
        environment,
        folder: folder.path().join("role"),
        login: by_role(&warehouse),
    };
    fs::create_dir_all(&role.folder).map_err(|e| e.to_string())?;
    role.datastores(MANY)?;
    role.apply(&real, &warehouse)?;
    warehouse.reset_counters();
    role.plan(&real)?;
    let asked: u64 = warehouse.counters().aws_calls.values().sum();
    rows.push(Row::bar("AWS calls in an empty plan of 1,000, by an assumed role", asked as f64, "", 2.0));

    rows.push(Row::bar("resident memory, peak in an empty plan of 1,000", real_cost.megabytes, "MB", 30.0));
    rows.push(Row::beside("processor time of the provider in it", real_cost.seconds, "s"));
    rows.push(Row::beside("the same of the stub provider", stub_cost.seconds, "s"));
    rows.push(Row::bar("processor time, times the stub's", real_cost.seconds / stub_cost.seconds, "", 1.3));
    rows.push(Row::beside("empty plan of 1,000 datastores", fastest(&reals), "s"));
    rows.push(Row::beside("the same by the stub provider", fastest(&stubs), "s"));
    rows.push(Row::beside("the same of 1,000 terraform_data", builtin, "s"));
    rows.push(Row::bar("empty plan, times the stub's", fastest(&reals) / fastest(&stubs), "", 1.08));
    rows.push(Row::bar("empty plan with 20 ms latency, more", fastest(&slow) - fastest(&reals), "s", 0.25));
    Ok(rows)
}

/// Statements and sessions of one apply.
struct Asked {
    statements: u64,
    sessions: u64,
}

/// A working folder and what Terraform is run with.
struct Bench {
    terraform: PathBuf,
    environment: Vec<(String, String)>,
    folder: PathBuf,
    /// What the provider block writes.
    login: String,
}

/// A provider block that signs in to the same warehouse by an assumed role.
fn by_role(warehouse: &Warehouse) -> String {
    let (standin, at) = (warehouse.standin(), warehouse.standin().aws().fixtures());
    format!(
        "host = \"{}\"\n  port = {}\n  cluster_identifier = \"{}\"\n  username = \"{}\"\n  role_arn = \"{}\"\n  external_id = \"{}\"\n",
        standin.host(),
        standin.port(),
        at.cluster,
        at.db_user,
        at.role_arn,
        at.external_id
    )
}

impl Bench {
    /// Writes a configuration of so many datastores.
    fn datastores(&self, count: usize) -> Result<(), String> {
        let login = &self.login;
        let text = format!(
            r#"
            terraform {{
              required_providers {{
                redshift = {{ source = "terraform-redshift/redshift" }}
              }}
            }}
            provider "redshift" {{
              {login}
            }}
            resource "redshift_datastore" "many" {{
              count           = {count}
              name            = "Datastore ${{count.index}}"
              database        = "dev"
              schema          = format("s%04d", count.index)
              trigger_catalog = false
              service_user {{
                name          = "bench_tool"
                grant_through = "direct"
              }}
            }}
            "#
        );
        fs::write(self.folder.join("main.tf"), text).map_err(|e| e.to_string())
    }

    /// Plans, then applies the plan: the counters are those of the apply alone.
    fn apply(&mut self, provider: &Path, warehouse: &Warehouse) -> Result<Asked, String> {
        self.terraform(provider, &["plan", "-out=plan.bin", "-input=false", "-no-color"])?;
        warehouse.reset_counters();
        self.terraform(provider, &["apply", "-input=false", "-no-color", "plan.bin"])?;
        let counters = warehouse.counters();
        Ok(Asked { statements: counters.statements, sessions: counters.sessions })
    }

    /// Seconds that an empty plan takes. Any other plan is an error.
    fn plan(&self, provider: &Path) -> Result<f64, String> {
        self.terraform(provider, &["plan", "-detailed-exitcode", "-input=false", "-no-color"])
    }

    /// What the provider's processes cost in an empty plan: the least time of three, since a busy machine only adds to it,
    /// and the most memory.
    fn cost(&self, watched: &Path, costs: &Path) -> Result<Cost, String> {
        let mut least = Cost { seconds: f64::INFINITY, megabytes: 0.0 };
        for _ in 0..3 {
            self.plan(watched)?;
            let cost = measure::take(costs)?;
            least.seconds = least.seconds.min(cost.seconds);
            least.megabytes = least.megabytes.max(cost.megabytes);
        }
        Ok(least)
    }

    /// Seconds that an empty plan of as many terraform_data takes: Terraform itself, without a provider's process.
    fn builtin(&mut self, provider: &Path) -> Result<f64, String> {
        self.folder = self.folder.with_file_name("builtin");
        fs::create_dir_all(&self.folder).map_err(|e| e.to_string())?;
        let text = format!("resource \"terraform_data\" \"many\" {{\n  count = {MANY}\n  input = count.index\n}}\n");
        fs::write(self.folder.join("main.tf"), text).map_err(|e| e.to_string())?;
        self.terraform(provider, &["init", "-input=false", "-no-color"])?;
        self.terraform(provider, &["apply", "-auto-approve", "-input=false", "-no-color"])?;
        let times: Vec<f64> = (0..RUNS).map(|_| self.plan(provider)).collect::<Result<_, _>>()?;
        Ok(fastest(&times))
    }

    /// The largest instance in the state file, private state included.
    fn state_bytes(&self) -> Result<f64, String> {
        let text = fs::read_to_string(self.folder.join("terraform.tfstate")).map_err(|e| e.to_string())?;
        let state: Value = serde_json::from_str(&text).map_err(|e| e.to_string())?;
        let instances = state["resources"].as_array().into_iter().flatten();
        let instances = instances.flat_map(|resource| resource["instances"].as_array().into_iter().flatten());
        let largest = instances.map(|instance| instance.to_string().len()).max();
        largest.map(|bytes| bytes as f64).ok_or_else(|| "nothing in state".to_owned())
    }

    /// Seconds that a command takes. It has to succeed.
    fn terraform(&self, provider: &Path, arguments: &[&str]) -> Result<f64, String> {
        let settings = self.folder.join("cli.tfrc");
        fs::write(&settings, override_of(provider)).map_err(|e| e.to_string())?;
        let mut command = tools::clean(&self.terraform);
        command.args(arguments).current_dir(&self.folder).env("TF_CLI_CONFIG_FILE", &settings);
        command
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let begin = Instant::now();
        let output = command.output().map_err(|e| format!("{}: {e}", self.terraform.display()))?;
        let seconds = begin.elapsed().as_secs_f64();
        if output.status.success() {
            return Ok(seconds);
        }
        let text = |bytes: &[u8]| String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(4000)..]).into_owned();
        Err(format!(
            "terraform {}: {}\n{}\n{}",
            arguments[0],
            output.status,
            text(&output.stdout),
            text(&output.stderr)
        ))
    }
}

/// A folder in which a binary has the provider's name.
fn provider_folder(below: &Path, name: &str, binary: &Path) -> Result<PathBuf, String> {
    let folder = below.join(name);
    fs::create_dir_all(&folder).map_err(|e| e.to_string())?;
    fs::copy(binary, folder.join("terraform-provider-redshift")).map_err(|e| format!("{}: {e}", binary.display()))?;
    Ok(folder)
}

/// A folder whose provider is watched: what each of its processes costs is appended to `costs`.
fn watched_folder(below: &Path, name: &str, costs: &Path, binary: &Path) -> Result<PathBuf, String> {
    let folder = below.join(name);
    let own = std::env::current_exe().map_err(|e| e.to_string())?;
    let script =
        format!("#!/bin/sh\nexec '{}' measured '{}' '{}' \"$@\"\n", own.display(), costs.display(), binary.display());
    tools::write_script(&folder.join("terraform-provider-redshift"), &script).map_err(|e| e.to_string())?;
    Ok(folder)
}
