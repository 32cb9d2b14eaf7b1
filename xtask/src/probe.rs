//! `make probe`: asks the warehouse that `REDSHIFT_*` names about everything that the engine takes for granted.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use terraform_provider_redshift::engine::aws::AwsOptions;
use terraform_provider_redshift::engine::error::Error;
use terraform_provider_redshift::engine::probe::{self, Assumption, Needs, Verdict};
use terraform_provider_redshift::engine::session::warehouse::{Engine, Options};
use terraform_provider_redshift::engine::settings::Settings;
use terraform_provider_redshift::engine::settings::defaults::{Defaults, Written};
use terraform_provider_redshift::engine::settings::env::Environment;
use tokio_util::sync::CancellationToken;

const USAGE: &str = "usage: xtask probe [--read-only|--all]\n\n\
    Asks the warehouse of REDSHIFT_HOST, REDSHIFT_USER, REDSHIFT_PASSWORD, REDSHIFT_DATABASE, ... Whatever a question needs\n\
    is made in a transaction that is rolled back.\n\
    --read-only  makes nothing at all\n\
    --all        makes users, groups and roles too, without asking first";

const ABOUT: &str = "Questions may make a schema with tables, views and procedures. Some make a user, a group or a role too. All of it is \
    rolled back, and none of it is ever committed.";

/// Asks, and prints the table. An error if the provider would not work there.
pub fn run(arguments: &[&str]) -> Result<(), String> {
    let may = match arguments {
        [] => ask(),
        ["--read-only"] => Needs::Reading,
        ["--all"] => Needs::Principal,
        _ => return Err(USAGE.to_owned()),
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| error.to_string())?;
    let (place, all) =
        runtime.block_on(verdicts(may)).map_err(|error| format!("{}: {}", error.summary(), error.detail()))?;
    print!("{}", table(&place, &all));
    let broken = all.iter().filter(|(_, verdict)| matches!(verdict, Verdict::Broken(_))).count();
    if broken > 0 {
        Err(format!("{broken} assumptions do not hold there: please report the table above"))
    } else {
        Ok(())
    }
}

/// Whether a user, a group and a role may be made for as long as a transaction. Nobody there to ask: no.
fn ask() -> Needs {
    if !std::io::stdin().is_terminal() {
        return Needs::Schema;
    }
    eprint!("{ABOUT}\nMay users, groups and roles be made? [y/N] ");
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    let said = std::io::stdin().lock().read_line(&mut answer).is_ok();
    if said && answer.trim().eq_ignore_ascii_case("y") { Needs::Principal } else { Needs::Schema }
}

async fn verdicts(may: Needs) -> Result<(String, Vec<(&'static Assumption, Verdict)>), Error> {
    let defaults = Defaults::new(Written::default(), &Environment::of_process()?, "the environment")?;
    let engine = Engine::new(Options::default(), AwsOptions::default());
    let settled = defaults.access(&Settings::default(), engine.aws().found())?;
    let access = settled.known().ok_or_else(|| {
        Error::refused(
            "The environment names no host and password",
            "A probe signs in by a password: set REDSHIFT_HOST, REDSHIFT_USER and REDSHIFT_PASSWORD.",
        )
    })?;
    let warehouse = engine.warehouse(access);
    let never = CancellationToken::new();
    let facts = warehouse.facts(&never).await?;
    let kind = if facts.superuser { "a superuser" } else { "no superuser" };
    let place = format!("{}, signed in as {kind}", facts.server_version);
    Ok((place, probe::run(&warehouse, may, &never).await?))
}

/// The table, as Markdown: it names no host, no user and no database.
fn table(place: &str, all: &[(&'static Assumption, Verdict)]) -> String {
    let cell = |text: &str| text.replace(['\n', '\r'], " ").replace('|', "\\|");
    let mut out =
        format!("{place}\n\n| assumption | evidence | this warehouse | what hangs on it |\n|---|---|---|---|\n");
    for (assumption, verdict) in all {
        let said = format!("**{}**: {}", verdict.word(), verdict.words());
        let row = [assumption.name, assumption.evidence, &said, assumption.hangs].map(cell);
        out.push_str(&format!("| {} |\n", row.join(" | ")));
    }
    out
}
