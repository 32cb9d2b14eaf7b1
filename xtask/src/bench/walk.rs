//! Plans and applies of many datastores, by real Terraform on the stand-in.

use std::path::Path;
use std::time::Duration;

use super::work::{Work, provider_folder, watched_folder};
use super::{Row, fastest, measure};
use crate::warehouse::Warehouse;

/// As many datastores as the numbers speak of.
const MANY: usize = 1000;
/// Measured runs of each kind; the least counts.
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
    let bench = Work::new(folder.path().join("work"), warehouse.environment(), String::new())?;
    let mut rows = Vec::new();

    bench.write(&datastores(1))?;
    bench.terraform(&watched, &["providers", "schema", "-json"])?;
    rows.push(Row::bar("resident memory, schema served", measure::take(&costs)?.megabytes, "MB", 18.0));

    note("applying 100 of them");
    bench.apply(&real, &warehouse)?;
    bench.write(&datastores(2))?;
    let one = bench.apply(&real, &warehouse)?;
    bench.write(&datastores(102))?;
    let hundred = bench.apply(&real, &warehouse)?;
    let each = (hundred.statements as f64 - one.statements as f64) / 99.0;
    rows.push(Row::bar("apply of 100 datastores, statements each", each, "", 6.0));
    rows.push(Row::bar("apply of 100 datastores, sessions", hundred.sessions as f64, "", MAX_SESSIONS));

    note("applying the other 900");
    bench.write(&datastores(MANY))?;
    bench.apply(&real, &warehouse)?;
    rows.push(Row::bar("state of one datastore", bench.state_bytes("redshift_datastore")? / 1000.0, "kB", 2.0));

    note("planning");
    warehouse.reset_counters();
    bench.plan(&real)?;
    rows.push(Row::bar("SQL statements in an empty plan of 1,000", warehouse.counters().statements as f64, "", 10.0));
    let watched_stub = watched_folder(folder.path(), "watched-stub", &costs, &release.join("provider-stub"))?;
    // In turns, so that a busy minute of the machine meets all of them.
    let (mut reals, mut stubs, mut slow) = (Vec::new(), Vec::new(), Vec::new());
    let (mut real_costs, mut stub_costs) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        reals.push(bench.plan(&real)?);
        stubs.push(bench.plan(&stub)?);
        warehouse.latency(LATENCY);
        slow.push(bench.plan(&real)?);
        warehouse.latency(Duration::ZERO);
        real_costs.push(bench.cost(&watched, &costs)?);
        stub_costs.push(bench.cost(&watched_stub, &costs)?);
    }
    let least = |costs: &[measure::Cost]| fastest(&costs.iter().map(|cost| cost.seconds).collect::<Vec<_>>());
    let (seconds, stub_seconds) = (least(&real_costs), least(&stub_costs));
    let megabytes = real_costs.iter().map(|cost| cost.megabytes).fold(0.0, f64::max);
    let data = Work::new(folder.path().join("builtin"), warehouse.environment(), String::new())?;
    let builtin = builtin(&data, &real)?;

    note("planning by an assumed role");
    let mut environment = warehouse.environment();
    environment.extend(warehouse.aws_environment());
    let role = Work::new(folder.path().join("role"), environment, by_role(&warehouse))?;
    role.write(&datastores(MANY))?;
    role.apply(&real, &warehouse)?;
    warehouse.reset_counters();
    role.plan(&real)?;
    let asked: u64 = warehouse.counters().aws_calls.values().sum();
    rows.push(Row::bar("AWS calls in an empty plan of 1,000, by an assumed role", asked as f64, "", 2.0));

    rows.push(Row::bar("resident memory, peak in an empty plan of 1,000", megabytes, "MB", 30.0));
    rows.push(Row::beside("processor time of the provider in it", seconds, "s"));
    rows.push(Row::beside("the same of the stub provider", stub_seconds, "s"));
    rows.push(Row::bar("processor time, times the stub's", seconds / stub_seconds, "", 1.3));
    rows.push(Row::beside("empty plan of 1,000 datastores", fastest(&reals), "s"));
    rows.push(Row::beside("the same by the stub provider", fastest(&stubs), "s"));
    rows.push(Row::beside("the same of 1,000 terraform_data", builtin, "s"));
    rows.push(Row::bar("empty plan, times the stub's", fastest(&reals) / fastest(&stubs), "", 1.08));
    rows.push(Row::bar("empty plan with 20 ms latency, more", fastest(&slow) - fastest(&reals), "s", 0.25));
    Ok(rows)
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

/// So many datastores.
fn datastores(count: usize) -> String {
    format!(
        r#"
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
    )
}

/// Seconds that an empty plan of as many terraform_data takes: Terraform itself, without a provider's process.
fn builtin(work: &Work, provider: &Path) -> Result<f64, String> {
    work.write(&format!("resource \"terraform_data\" \"many\" {{\n  count = {MANY}\n  input = count.index\n}}\n"))?;
    work.terraform(provider, &["apply", "-auto-approve", "-input=false", "-no-color"])?;
    let times: Vec<f64> = (0..RUNS).map(|_| work.plan(provider)).collect::<Result<_, _>>()?;
    Ok(fastest(&times))
}
