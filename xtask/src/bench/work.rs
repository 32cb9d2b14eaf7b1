//! A working folder, and real Terraform run in it with a build of the provider.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use redshift_standin::Counters;
use serde_json::Value;

use super::measure::{self, Cost};
use crate::quickstart::override_of;
use crate::tools;
use crate::warehouse::Warehouse;

/// A working folder and what Terraform is run with.
pub struct Work {
    terraform: PathBuf,
    environment: Vec<(String, String)>,
    folder: PathBuf,
    /// What the provider block writes.
    login: String,
}

impl Work {
    /// A new folder. With `login`, the provider block holds that.
    pub fn new(folder: PathBuf, environment: Vec<(String, String)>, login: String) -> Result<Work, String> {
        fs::create_dir_all(&folder).map_err(|e| e.to_string())?;
        Ok(Work { terraform: tools::terraform()?, environment, folder, login })
    }

    /// Writes a configuration of these blocks.
    pub fn write(&self, blocks: &str) -> Result<(), String> {
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
            {blocks}
            "#
        );
        fs::write(self.folder.join("main.tf"), text).map_err(|e| e.to_string())
    }

    /// Plans, then applies the plan: the counters are those of the apply alone.
    pub fn apply(&self, provider: &Path, warehouse: &Warehouse) -> Result<Counters, String> {
        self.terraform(provider, &["plan", "-out=plan.bin", "-input=false", "-no-color"])?;
        warehouse.reset_counters();
        self.terraform(provider, &["apply", "-input=false", "-no-color", "plan.bin"])?;
        Ok(warehouse.counters())
    }

    /// Seconds that an empty plan takes. Any other plan is an error.
    pub fn plan(&self, provider: &Path) -> Result<f64, String> {
        self.terraform(provider, &["plan", "-detailed-exitcode", "-input=false", "-no-color"])
    }

    /// What the provider's processes cost in an empty plan: the least time of three, since a busy machine only adds to it,
    /// and the most memory.
    pub fn cost(&self, watched: &Path, costs: &Path) -> Result<Cost, String> {
        let mut least = Cost { seconds: f64::INFINITY, megabytes: 0.0 };
        for _ in 0..3 {
            self.plan(watched)?;
            let cost = measure::take(costs)?;
            least.seconds = least.seconds.min(cost.seconds);
            least.megabytes = least.megabytes.max(cost.megabytes);
        }
        Ok(least)
    }

    /// The largest instance of a type in the state file, private state included.
    pub fn state_bytes(&self, of: &str) -> Result<f64, String> {
        let text = fs::read_to_string(self.folder.join("terraform.tfstate")).map_err(|e| e.to_string())?;
        let state: Value = serde_json::from_str(&text).map_err(|e| e.to_string())?;
        let resources = state["resources"].as_array().into_iter().flatten();
        let instances = resources.filter(|resource| resource["type"] == of);
        let instances = instances.flat_map(|resource| resource["instances"].as_array().into_iter().flatten());
        let largest = instances.map(|instance| instance.to_string().len()).max();
        largest.map(|bytes| bytes as f64).ok_or_else(|| format!("no {of} in state"))
    }

    /// Seconds that a command takes. It has to succeed.
    pub fn terraform(&self, provider: &Path, arguments: &[&str]) -> Result<f64, String> {
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
pub fn provider_folder(below: &Path, name: &str, binary: &Path) -> Result<PathBuf, String> {
    let folder = below.join(name);
    fs::create_dir_all(&folder).map_err(|e| e.to_string())?;
    fs::copy(binary, folder.join("terraform-provider-redshift")).map_err(|e| format!("{}: {e}", binary.display()))?;
    Ok(folder)
}

/// A folder whose provider is watched: what each of its processes costs is appended to `costs`.
pub fn watched_folder(below: &Path, name: &str, costs: &Path, binary: &Path) -> Result<PathBuf, String> {
    let folder = below.join(name);
    let own = std::env::current_exe().map_err(|e| e.to_string())?;
    let script =
        format!("#!/bin/sh\nexec '{}' measured '{}' '{}' \"$@\"\n", own.display(), costs.display(), binary.display());
    tools::write_script(&folder.join("terraform-provider-redshift"), &script).map_err(|e| e.to_string())?;
    Ok(folder)
}
