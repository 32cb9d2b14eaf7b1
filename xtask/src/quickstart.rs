//! `make quickstart`: a whole life of examples/quickstart, by real Terraform, on a local stand-in for a warehouse.
//!
//! The provider is built already. Everything this makes is in one temporary folder and in the stand-in, and both are gone
//! afterwards, also after Ctrl-C.

use std::fs;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::tools;
use crate::warehouse::Warehouse;

/// Set by the first Ctrl-C. Terraform gets it too and ends by itself; what it made is then destroyed.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// The password of the users that it makes.
const PASSWORD: &str = "Quickstart-2024";

/// What each of two people asks of a protected table.
const WHO: &str = "SELECT person_id, name, city, joined FROM tickit.people ORDER BY person_id";

/// The whole of it.
pub fn run() -> Result<(), String> {
    watch_for_interrupts()?;
    let terraform = tools::terraform()?;
    say("Starting a local stand-in for a Redshift warehouse");
    let warehouse = Warehouse::start()?;
    let before = dump(&warehouse)?;

    let folder = tempfile::Builder::new().prefix("redshift-quickstart-").tempdir().map_err(|e| e.to_string())?;
    copy(&tools::root().join("examples/quickstart"), folder.path())?;
    let environment = environment(&warehouse, folder.path())?;
    let run = Run { terraform, warehouse: &warehouse, folder: folder.path(), environment };

    let shown = run.show();
    // Also when something failed or was interrupted half-way: what was made is in the state.
    let destroyed = match folder.path().join("terraform.tfstate").exists() {
        true => run.step("terraform destroy", &["destroy", "-auto-approve"]),
        false => Ok(()),
    };
    if INTERRUPTED.load(Ordering::SeqCst) && destroyed.is_ok() {
        return Err("interrupted; what was made is destroyed".to_owned());
    }
    shown?;
    destroyed?;
    same(&before, &dump(&warehouse)?)?;
    drop(warehouse);
    folder.close().map_err(|e| format!("the temporary folder: {e}"))?;
    say("Done: nothing remains, no user, no role, no grant, no process, no file");
    Ok(())
}

/// One Terraform working folder.
struct Run<'a> {
    terraform: PathBuf,
    warehouse: &'a Warehouse,
    folder: &'a Path,
    environment: Vec<(String, String)>,
}

impl Run<'_> {
    /// Apply, outputs, what two people see of one table, and a second plan that has to be empty.
    fn show(&self) -> Result<(), String> {
        self.step("terraform apply", &["apply", "-auto-approve"])?;
        self.step("terraform output", &["output"])?;
        for user in ["auditor", "bergen_desk"] {
            say(&format!("{user} asks: {WHO}"));
            for row in self.warehouse.rows_as(user, PASSWORD, "governed", WHO)? {
                let cells: Vec<String> = row.into_iter().map(|cell| cell.unwrap_or_else(|| "NULL".into())).collect();
                println!("  {}", cells.join(" | "));
            }
        }
        say("terraform plan: a second one finds nothing to do");
        match self.run(&["plan", "-detailed-exitcode", "-input=false"])?.code() {
            Some(0) => Ok(()),
            Some(2) => Err("the second plan is not empty".to_owned()),
            _ => Err("the second plan failed".to_owned()),
        }
    }

    /// A command that has to succeed.
    fn step(&self, title: &str, arguments: &[&str]) -> Result<(), String> {
        if INTERRUPTED.load(Ordering::SeqCst) && arguments[0] != "destroy" {
            return Err("interrupted".to_owned());
        }
        say(title);
        let status = self.run(arguments)?;
        if status.success() { Ok(()) } else { Err(format!("{title} failed: {status}")) }
    }

    fn run(&self, arguments: &[&str]) -> Result<ExitStatus, String> {
        let mut command: Command = tools::clean(&self.terraform);
        command.args(arguments).args(if io::stdout().is_terminal() { None } else { Some("-no-color") });
        command.current_dir(self.folder).envs(self.environment.iter().map(|(k, v)| (k, v)));
        command.status().map_err(|e| format!("{}: {e}", self.terraform.display()))
    }
}

/// The stand-in's login, the provider that was just built, and a password for the tool's user.
fn environment(warehouse: &Warehouse, folder: &Path) -> Result<Vec<(String, String)>, String> {
    let settings = folder.join(".terraformrc");
    fs::write(&settings, override_of(&tools::target().join("debug"))).map_err(|e| e.to_string())?;
    let mut environment = warehouse.environment();
    environment.push(("TF_CLI_CONFIG_FILE".to_owned(), settings.display().to_string()));
    environment.push(("TF_IN_AUTOMATION".to_owned(), "1".to_owned()));
    environment.push(("TF_VAR_tool_password".to_owned(), PASSWORD.to_owned()));
    Ok(environment)
}

/// Settings of the command line that make it run the provider in `folder` as it is, without `terraform init`.
pub fn override_of(folder: &Path) -> String {
    use terraform_provider_redshift::provider::Redshift;
    use terraform_provider_redshift::terraform::Provider;
    let address = Redshift::ADDRESS;
    format!(
        "provider_installation {{\n  dev_overrides {{\n    \"{address}\" = \"{}\"\n  }}\n  direct {{}}\n}}\n",
        folder.display()
    )
}

/// Catches Ctrl-C and SIGTERM for the rest of the program. Terraform is told by the terminal itself.
fn watch_for_interrupts() -> Result<(), String> {
    use tokio::signal::unix::{SignalKind, signal};
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
    let (mut interrupt, mut terminate) = {
        let _inside = runtime.enter();
        let open = |kind| signal(kind).map_err(|e| e.to_string());
        (open(SignalKind::interrupt())?, open(SignalKind::terminate())?)
    };
    thread::spawn(move || {
        runtime.block_on(async move {
            loop {
                tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
                INTERRUPTED.store(true, Ordering::SeqCst);
            }
        });
    });
    Ok(())
}

/// The warehouse holds what it held before: no user, role, right or default privilege more or less.
fn same(before: &[String], after: &[String]) -> Result<(), String> {
    let lines = |sign: &str, these: &[String], those: &[String]| -> Vec<String> {
        these.iter().filter(|line| !those.contains(line)).map(|line| format!("{sign} {line}")).collect()
    };
    let changed = [lines("+", after, before), lines("-", before, after)].concat();
    if changed.is_empty() { Ok(()) } else { Err(format!("the warehouse is not as before:\n{}", changed.join("\n"))) }
}

/// What is in the databases that it touches.
fn dump(warehouse: &Warehouse) -> Result<Vec<String>, String> {
    Ok([warehouse.dump("dev")?, warehouse.dump("sample")?].concat())
}

/// Copies the files of a folder; examples have no folders inside.
fn copy(from: &Path, to: &Path) -> Result<(), String> {
    for entry in fs::read_dir(from).map_err(|e| format!("{}: {e}", from.display()))? {
        let entry = entry.map_err(|e| e.to_string())?;
        fs::copy(entry.path(), to.join(entry.file_name())).map_err(|e| format!("{}: {e}", entry.path().display()))?;
    }
    Ok(())
}

fn say(text: &str) {
    println!("\n==> {text}\n");
}
