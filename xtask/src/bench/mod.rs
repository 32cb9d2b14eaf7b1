//! `make bench`: the release build against the numbers to hold, with the machine's own floor measured in the same run.
//!
//! Linux only: memory and processor time are read from /proc.

mod governed;
mod handshake;
mod measure;
mod walk;
mod work;

use std::fs;

use serde::Serialize;

use crate::tools;

pub use measure::measured;

/// A line of the table.
#[derive(Debug, Serialize)]
struct Row {
    what: String,
    value: f64,
    unit: &'static str,
    /// The most it may be. None: a floor or something shown beside.
    bar: Option<f64>,
    holds: bool,
}

impl Row {
    /// A number that has a bar.
    fn bar(what: &str, value: f64, unit: &'static str, bar: f64) -> Self {
        Row {
            what: what.to_owned(),
            value: rounded(value),
            unit,
            bar: Some(rounded(bar)),
            holds: rounded(value) <= rounded(bar),
        }
    }

    /// A number that tells how fast the machine is, or that something is compared with.
    fn beside(what: &str, value: f64, unit: &'static str) -> Self {
        Row { what: what.to_owned(), value: rounded(value), unit, bar: None, holds: true }
    }
}

fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

#[derive(Serialize)]
struct Report {
    rows: Vec<Row>,
}

/// What can be measured alone.
const PARTS: [&str; 3] = ["start", "datastores", "governed"];

/// Measures, prints and writes `bench.json` into the target folder. With `only`, one part alone.
/// Fails when a bar does not hold.
pub fn run(only: Option<&str>) -> Result<(), String> {
    if let Some(other) = only.filter(|only| !PARTS.contains(only)) {
        return Err(format!("there is no part {other}: {}", PARTS.join(", ")));
    }
    let release = tools::target().join("release");
    let provider = release.join("terraform-provider-redshift");
    let mut rows = vec![Row::beside("floor: load average before", load()?, "")];
    let size = fs::metadata(&provider).map_err(|e| format!("{}: {e}", provider.display()))?.len();
    rows.push(Row::bar("stripped release binary", size as f64 / 1e6, "MB", 25.0));
    for part in PARTS.into_iter().filter(|part| only.is_none_or(|only| only == *part)) {
        rows.extend(match part {
            "start" => handshake::rows(&provider)?,
            "datastores" => walk::rows(&release)?,
            _ => governed::rows(&release)?,
        });
    }

    print(&rows);
    let failing = rows.iter().filter(|row| !row.holds).count();
    let file = tools::target().join("bench.json");
    let text = serde_json::to_string_pretty(&Report { rows }).map_err(|e| e.to_string())?;
    fs::write(&file, text + "\n").map_err(|e| format!("{}: {e}", file.display()))?;
    println!("\nwritten to {}", file.display());
    if failing == 0 { Ok(()) } else { Err(format!("{failing} numbers are over their bar")) }
}

fn print(rows: &[Row]) {
    let width = rows.iter().map(|row| row.what.chars().count()).max().unwrap_or(0);
    println!("\n{:width$}  {:>12}  {:>12}", "what", "value", "bar");
    for row in rows {
        let value = format!("{} {}", row.value, row.unit);
        let bar = row.bar.map_or(String::new(), |bar| format!("{bar} {}", row.unit));
        let mark = if row.holds { "" } else { "  OVER" };
        println!("{:width$}  {:>12}  {:>12}{mark}", row.what, value.trim_end(), bar.trim_end());
    }
}

/// How busy the machine is: processes that want to run, averaged over a minute.
fn load() -> Result<f64, String> {
    let text = fs::read_to_string("/proc/loadavg").map_err(|e| format!("/proc/loadavg: {e}"))?;
    text.split(' ').next().and_then(|first| first.parse().ok()).ok_or_else(|| format!("/proc/loadavg: {text}"))
}

fn fastest(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
