//! `cargo run -p xtask -- COMMAND`: what the Makefile calls for anything longer than a line.

mod bench;
mod docs;
mod house;
mod install;
mod mutants;
mod probe;
mod quickstart;
mod release;
mod tools;
// The end-to-end tests include this file too; some of it is theirs.
#[allow(dead_code)]
mod warehouse;

use std::process::ExitCode;

const USAGE: &str = "\
usage: xtask COMMAND
  terraform         prints the path of a terraform command, fetching one if the machine has none
  quickstart        applies and destroys examples/quickstart on a local stand-in
  docs [--check]    writes docs/ from the schemas, templates/ and examples/ (or only compares)
  lint              the house rules that rustfmt and clippy do not know
  bench [PART]      measures the release build against the numbers to hold: all, or start, datastores or governed
  probe             asks the warehouse of REDSHIFT_* about what is taken for granted
  mutants           mutation test of the pure rules
  install BINARY    copies a built provider to where Terraform finds it
  release BINARY    writes what a registry and a filesystem mirror take";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["terraform"] => tools::terraform().map(|path| println!("{}", path.display())),
        ["quickstart"] => quickstart::run(),
        ["docs"] => docs::write(),
        ["docs", "--check"] => docs::check(),
        ["lint"] => house::check(),
        ["bench"] => bench::run(None),
        ["bench", part] => bench::run(Some(part)),
        ["mutants", rest @ ..] => mutants::run(rest),
        ["probe", rest @ ..] => probe::run(rest),
        ["install", binary] => install::run(binary.as_ref()),
        ["release", binary] => install::release(binary.as_ref()),
        // Called by the benchmark in place of the provider.
        ["measured", report, program, rest @ ..] => return bench::measured(report.as_ref(), program.as_ref(), rest),
        _ => Err(USAGE.to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}
