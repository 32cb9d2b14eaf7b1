//! The Terraform room, driven by real Terraform: a provider of corner cases, served by this very program.
//!
//! There is no test harness, for Terraform starts this program as the provider. Arguments choose tests by part of their
//! name.

mod provider;
mod scenarios;
// Shared with the commands of make.
#[allow(dead_code)]
#[path = "../../xtask/src/tools.rs"]
mod tools;
mod workspace;

use std::panic::catch_unwind;
use std::process::ExitCode;

use terraform_provider_redshift::terraform::serve;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if std::env::var_os("TF_PLUGIN_MAGIC_COOKIE").is_some() || arguments == ["--debug"] {
        return serve::<provider::Corner>();
    }
    if arguments.iter().any(|argument| argument == "--list") {
        return ExitCode::SUCCESS;
    }
    let chosen: Vec<_> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let (mut passed, mut failed) = (0, 0);
    for (name, test) in scenarios::ALL {
        if !chosen.is_empty() && !chosen.iter().any(|part| name.contains(part.as_str())) {
            continue;
        }
        let is_passed = catch_unwind(test).is_ok();
        println!("test {name} ... {}", if is_passed { "ok" } else { "FAILED" });
        *(if is_passed { &mut passed } else { &mut failed }) += 1;
    }
    println!("{passed} passed, {failed} failed");
    if failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
