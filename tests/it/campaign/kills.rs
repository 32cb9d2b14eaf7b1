//! Killed with -9 at a random moment: the provider, Terraform, or both. Afterwards one plain apply and one destroy leave the
//! warehouse as it was before.
//!
//! What is complete in the warehouse and was not saved to state is named by the next apply with the id to import; then that
//! is done, as it says.

use std::fs;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use redshift_standin::{Action, Fault, On};

use super::{Bench, Parts, Random, count};
use crate::support::{Outcome, Workspace};

/// What is killed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Act {
    Apply,
    Update,
    Destroy,
}

#[derive(Clone, Copy, Debug)]
enum Victim {
    Provider,
    Terraform,
    Both,
}

/// When.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// While a statement waits, not yet run.
    Before(u64),
    /// When a statement was run and not answered.
    After(u64),
    /// The same of those that do work.
    AfterWork(u64),
    Elapsed(Duration),
}

/// What an act takes when nobody is killed.
#[derive(Clone, Copy, Debug)]
struct Undisturbed {
    statements: u64,
    work: u64,
    time: Duration,
}

/// How long the orphans of what was killed may take to end.
const ORPHANS: Duration = Duration::from_secs(60);

impl Act {
    /// Brings the folder to where the act begins.
    fn prepare(self, bench: &Bench) -> Result<(), String> {
        bench.write(false);
        if self != Act::Apply {
            done(bench.workspace.try_apply(), "the apply before it")?;
        }
        bench.write(self == Act::Update);
        Ok(())
    }

    fn arguments(self) -> [&'static str; 4] {
        [if self == Act::Destroy { "destroy" } else { "apply" }, "-auto-approve", "-input=false", "-no-color"]
    }

    fn measure(self, bench: &Bench) -> Result<Undisturbed, String> {
        self.prepare(bench)?;
        bench.warehouse.reset_counters();
        let begun = Instant::now();
        done(bench.workspace.run(&self.arguments()), "undisturbed")?;
        let time = begun.elapsed();
        let counters = bench.warehouse.counters();
        done(bench.workspace.try_destroy(), "the destroy after it")?;
        bench.left_behind()?;
        Ok(Undisturbed { statements: counters.statements, work: counters.work, time })
    }
}

impl Moment {
    fn draw(random: &mut Random, undisturbed: &Undisturbed) -> Moment {
        match random.up_to(4) {
            1 => Moment::Before(random.up_to(undisturbed.statements)),
            2 => Moment::After(random.up_to(undisturbed.statements)),
            3 => Moment::AfterWork(random.up_to(undisturbed.work)),
            _ => Moment::Elapsed(Duration::from_micros(random.up_to(undisturbed.time.as_micros() as u64))),
        }
    }

    /// Lets the stand-in hold that statement.
    fn fault(self) -> Option<Fault> {
        match self {
            Moment::Before(k) => Some(Fault { on: On::Statement, contains: None, ..Fault::work(k, Action::Stall) }),
            Moment::After(k) => Some(Fault { on: On::Statement, contains: None, ..Fault::work(k, Action::StallAfter) }),
            Moment::AfterWork(k) => Some(Fault::work(k, Action::StallAfter)),
            Moment::Elapsed(_) => None,
        }
    }
}

/// One kill, and what comes after it. None: it ended before its moment came.
fn kill_once(bench: &Bench, act: Act, moment: Moment, victim: Victim) -> Result<Option<usize>, String> {
    act.prepare(bench)?;
    bench.warehouse.reset_counters();
    if let Some(fault) = moment.fault() {
        bench.warehouse.fault(fault);
    }
    let killed = run_and_kill(bench, act, moment, victim);
    bench.warehouse.clear_faults();
    settle(bench)?;
    if !killed {
        done(bench.workspace.try_destroy(), "the destroy of what nobody killed")?;
        bench.left_behind()?;
        return Ok(None);
    }
    // Terraform empties its local file before it writes it. Whoever finds it so puts its backup there, as its manual says;
    // where there is none, all of the state is lost, and is found again too.
    let state = bench.workspace.path().join("terraform.tfstate");
    let is_state = |path: &std::path::Path| {
        fs::read_to_string(path).is_ok_and(|text| serde_json::from_str::<serde_json::Value>(&text).is_ok())
    };
    if state.exists() && !is_state(&state) {
        eprintln!("Terraform had emptied its state file");
        let backup = bench.workspace.path().join("terraform.tfstate.backup");
        match is_state(&backup) {
            true => drop(fs::copy(&backup, &state)),
            false => drop(fs::remove_file(&state)),
        }
    }
    let imports = apply(&bench.workspace)?;
    done(bench.workspace.try_destroy(), "the destroy")?;
    bench.left_behind()?;
    Ok(Some(imports))
}

/// Runs the act until it ends or its moment has come. Whether it was killed.
fn run_and_kill(bench: &Bench, act: Act, moment: Moment, victim: Victim) -> bool {
    let running = bench.workspace.start(&act.arguments());
    let (group, begun, ended) = (running.id(), Instant::now(), AtomicBool::new(false));
    let is_due = || match moment {
        Moment::Elapsed(after) => begun.elapsed() >= after,
        _ => bench.warehouse.counters().stalled > 0,
    };
    thread::scope(|scope| {
        let killer = scope.spawn(|| {
            while !is_due() {
                if ended.load(Ordering::SeqCst) {
                    return false;
                }
                thread::park_timeout(Duration::from_millis(1));
            }
            let all = processes(group);
            let victims = all.iter().filter(|process| match victim {
                Victim::Provider => **process != group,
                Victim::Terraform => **process == group,
                Victim::Both => true,
            });
            let victims: Vec<String> = victims.map(u32::to_string).collect();
            if !victims.is_empty() {
                // One may have ended meanwhile.
                let _ = Command::new("kill").arg("-KILL").args(&victims).status();
            }
            // With its client gone or not, the statement is answered.
            bench.warehouse.clear_faults();
            !victims.is_empty()
        });
        let _: Outcome = running.wait();
        ended.store(true, Ordering::SeqCst);
        killer.join().expect("the killer ends")
    })
}

/// The processes of a group.
fn processes(group: u32) -> Vec<u32> {
    let folders = fs::read_dir("/proc").into_iter().flatten().flatten();
    let of_group = |process: &u32| {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        // Name in brackets, state, parent, group.
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
        let state = fields.next()?;
        (state != "Z" && fields.nth(1)?.parse() == Ok(group)).then_some(())
    };
    let numbers = folders.filter_map(|folder| folder.file_name().to_str()?.parse::<u32>().ok());
    numbers.filter(|process| of_group(process).is_some()).collect()
}

/// Waits until nobody is signed in any more: a provider whose Terraform is gone ends, and so do its sessions.
fn settle(bench: &Bench) -> Result<(), String> {
    let end = Instant::now() + ORPHANS;
    while bench.warehouse.counters().open_sessions > 0 {
        if Instant::now() > end {
            return Err("sessions stay open though nobody is there any more".to_owned());
        }
        thread::park_timeout(Duration::from_millis(5));
    }
    Ok(())
}

/// One plain apply; what it says is to be imported is imported. How many were.
fn apply(workspace: &Workspace) -> Result<usize, String> {
    for imported in 0..4 {
        let outcome = workspace.try_apply();
        if outcome.code == 0 {
            return Ok(imported);
        }
        let text = outcome.text();
        let user = text.split_once("import {").and_then(|(_, block)| between(block, "id = \"", "\""));
        let user = user.map(|id| ("redshift_user.tool", id.to_owned()));
        let integration = between(&text, "already exists on host", "import it by that id")
            .and_then(|text| between(text, "(id = ", ")"))
            .map(|id| ("redshift_integration.i", id.to_owned()));
        let Some((address, id)) = user.or(integration) else { return Err(format!("the apply: {text}")) };
        done(workspace.import(address, &id), "the import that the apply asked for")?;
    }
    Err("one import after the other".to_owned())
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    Some(text.split_once(start)?.1.split_once(end)?.0)
}

fn done(outcome: Outcome, what: &str) -> Result<(), String> {
    if outcome.code == 0 { Ok(()) } else { Err(format!("{what}: {}", outcome.text())) }
}

/// So many kills. Each that leaves something behind is told, with what repeats it.
fn kills(act: Act, all: usize, sample: usize) {
    let parts = Parts::all();
    let mut random = Random::start(&format!("kills of {act:?}"));
    let mut bench = Bench::new(&parts);
    let undisturbed = act.measure(&bench).unwrap_or_else(|error| panic!("{act:?}: {error}"));
    let wanted = count(all, sample);
    let (mut killed, mut late, mut imports, mut failures) = (0, 0, 0, Vec::new());
    while killed < wanted {
        let moment = Moment::draw(&mut random, &undisturbed);
        let victim = [Victim::Provider, Victim::Terraform, Victim::Both][(random.next() % 3) as usize];
        let told = match kill_once(&bench, act, moment, victim) {
            Ok(Some(imported)) => {
                killed += 1;
                imports += imported;
                format!("clean, {imported} imports")
            }
            Ok(None) => {
                late += 1;
                assert!(late < 2 * wanted + 10, "nothing is ever killed");
                "it had ended".to_owned()
            }
            Err(error) if error == "Terraform's state was cut" => {
                bench = Bench::new(&parts);
                error
            }
            Err(error) => {
                killed += 1;
                failures.push(format!("{moment:?} of {undisturbed:?}, {victim:?}: {error}"));
                bench = Bench::new(&parts);
                error
            }
        };
        eprintln!("{act:?} {killed}/{wanted}, {victim:?}, {moment:?}: {told}");
    }
    let told = failures.join("\n");
    assert!(
        failures.is_empty(),
        "{} of {wanted} kills of {act:?} left something, {imports} imports:\n{told}",
        failures.len()
    );
    eprintln!("{act:?}: {wanted} kills, {imports} imports, {late} had ended");
}

#[test]
fn a_killed_apply_leaves_nothing_that_the_next_does_not_find() {
    kills(Act::Apply, 80, 8);
}

#[test]
fn a_killed_update_leaves_nothing_that_the_next_does_not_find() {
    kills(Act::Update, 60, 6);
}

#[test]
fn a_killed_destroy_leaves_nothing_that_the_next_does_not_find() {
    kills(Act::Destroy, 60, 6);
}
