//! What a provider process costs: it runs below `xtask measured`, which watches it in /proc.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::thread;
use std::time::Duration;

/// Processor time in /proc counts in hundredths of a second on every Linux.
const TICKS_A_SECOND: f64 = 100.0;

/// What all provider processes of one Terraform command cost.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// Seconds of processor time, user and system, of all processes together.
    pub seconds: f64,
    /// The most memory that one of them had resident, in MB.
    pub megabytes: f64,
}

/// Runs a program with this process's stdin, stdout and stderr, and appends one line about its cost to `report`.
pub fn measured(report: &Path, program: &Path, arguments: &[&str]) -> ExitCode {
    let run = || -> Result<u8, String> {
        let mut child =
            Command::new(program).args(arguments).spawn().map_err(|e| format!("{}: {e}", program.display()))?;
        let process = format!("/proc/{}", child.id());
        let (mut ticks, mut kilobytes) = (0, 0);
        // Until it has ended and waits for us to take notice: its times are complete then.
        loop {
            let stat = fs::read_to_string(format!("{process}/stat")).map_err(|e| format!("{process}/stat: {e}"))?;
            let (state, used) = times(&stat).ok_or_else(|| format!("{process}/stat: {stat}"))?;
            ticks = used.max(ticks);
            if let Ok(status) = fs::read_to_string(format!("{process}/status")) {
                kilobytes = peak(&status).unwrap_or(0).max(kilobytes);
            }
            if state == 'Z' {
                break;
            }
            thread::sleep(Duration::from_millis(5));
        }
        let status = child.wait().map_err(|e| e.to_string())?;
        let mut file = OpenOptions::new().create(true).append(true).open(report).map_err(|e| e.to_string())?;
        writeln!(file, "{ticks} {kilobytes}").map_err(|e| e.to_string())?;
        Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
    };
    match run() {
        Ok(code) => ExitCode::from(code),
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

/// Adds up a report, and removes it for the next command.
pub fn take(report: &Path) -> Result<Cost, String> {
    let text = fs::read_to_string(report).map_err(|e| format!("{}: {e}", report.display()))?;
    fs::remove_file(report).map_err(|e| e.to_string())?;
    sum(&text).ok_or_else(|| format!("not a report: {text}"))
}

fn sum(text: &str) -> Option<Cost> {
    let mut cost = Cost::default();
    let mut all = 0.0;
    for line in text.lines() {
        let (ticks, kilobytes) = line.split_once(' ')?;
        all += ticks.parse::<f64>().ok()?;
        cost.megabytes = cost.megabytes.max(kilobytes.parse::<f64>().ok()? * 1024.0 / 1e6);
    }
    cost.seconds = all / TICKS_A_SECOND;
    (cost.seconds > 0.0 || cost.megabytes > 0.0).then_some(cost)
}

/// State and used ticks from /proc/PID/stat. The name in it may hold anything, also parentheses.
fn times(stat: &str) -> Option<(char, u64)> {
    let mut fields = stat[stat.rfind(')')? + 1..].split_whitespace();
    let state = fields.next()?.chars().next()?;
    // utime and stime are the 14th and 15th field; the state is the third.
    let user: u64 = fields.nth(10)?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some((state, user + system))
}

/// The peak of resident memory from /proc/PID/status, in kB.
fn peak(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_is_read_also_with_an_odd_name() {
        let stat = "12 (a) (b c) Z 1 2 3 4 5 6 7 8 9 10 70 30 0 0 20";
        assert_eq!(times(stat), Some(('Z', 100)));
        assert_eq!(peak("Name:\tx\nVmHWM:\t   1234 kB\nVmRSS:\t 1 kB\n"), Some(1234));
    }

    #[test]
    fn processes_add_up_in_time_and_not_in_memory() {
        assert_eq!(sum("10 1000000\n5 2000000\n"), Some(Cost { seconds: 0.15, megabytes: 2048.0 }));
        assert_eq!(sum(""), None);
    }
}
