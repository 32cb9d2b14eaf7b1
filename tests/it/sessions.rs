//! Sessions as the warehouse sees them: how many there are, what each begins with, what limits and stops a statement.

use std::time::{Duration, Instant};

use redshift_standin::Fault;

use crate::campaign::count;
use crate::datastore::{source, warehouse};
use crate::support::{Warehouse, Workspace};

/// Datastores for as many schemas, on a provider block with these settings.
fn many(count: usize, provider: &str) -> String {
    format!(
        r#"
provider "redshift" {{
{provider}
}}
resource "redshift_datastore" "mart" {{
  count    = {count}
  name     = "Mart ${{count.index}}"
  database = "dev"
  schema   = "mart_${{count.index}}"
  service_user {{
    name          = "tool"
    future_tables = "none"
  }}
}}
"#
    )
}

fn with_marts(count: usize) -> Warehouse {
    let warehouse = Warehouse::start();
    warehouse.sql("dev", "CREATE USER tool PASSWORD DISABLE");
    for number in 0..count {
        warehouse.sql("dev", &format!("CREATE SCHEMA mart_{number}"));
        warehouse.sql("dev", &format!("CREATE TABLE mart_{number}.orders (id integer)"));
    }
    warehouse
}

/// A plan and an apply are processes of their own: each opens so many at most, and uses them again.
#[test]
fn sessions_are_few_and_used_again() {
    let warehouse = with_marts(8);
    warehouse.latency_ms(10);
    for (most, settings) in [(4, ""), (2, "max_sessions = 2"), (1, "max_sessions = 1")] {
        let workspace = Workspace::on(&warehouse);
        workspace.write(&many(8, settings));
        warehouse.reset_counters();
        workspace.apply();
        let counters = warehouse.counters();
        assert!(counters.max_sessions <= most, "{settings}: {counters:?}");
        assert!(counters.sessions <= 2 * most, "{settings}: {counters:?}");
        workspace.destroy();
    }
}

/// What a database holds is read once for everything in it.
#[test]
fn a_plan_reads_the_catalogue_once_for_all_datastores() {
    let warehouse = with_marts(6);
    let workspace = Workspace::on(&warehouse);
    let mut asked = Vec::new();
    for count in [1, 6] {
        workspace.write(&many(count, ""));
        workspace.apply();
        warehouse.reset_counters();
        workspace.plan().assert_empty();
        let questions = warehouse.statements().into_iter().filter(|sql| sql.contains("LEFT JOIN pg_class"));
        asked.push(questions.count());
    }
    assert!(asked[0] > 0 && asked[0] == asked[1], "{asked:?}");
}

/// Redshift refuses changes of one thing by two transactions at once, so those of one database come one after another.
#[test]
fn one_transaction_at_a_time_changes_a_database() {
    let warehouse = with_marts(6);
    let workspace = Workspace::on(&warehouse);
    // By direct grants: making roles is one after another in all databases.
    workspace.write(&many(6, "").replace("future_tables", "grant_through = \"direct\"\n    future_tables"));
    warehouse.latency_ms(10);
    workspace.apply();
    let ends: Vec<String> =
        warehouse.statements().into_iter().filter(|sql| sql == "BEGIN" || sql == "COMMIT").collect();
    assert_eq!(ends, ["BEGIN", "COMMIT"].repeat(6));
}

/// A statement that waits for somebody else's lock is ended by the warehouse itself.
#[test]
fn a_statement_runs_no_longer_than_it_may() {
    let warehouse = warehouse();
    let workspace = Workspace::on(&warehouse);
    workspace.write(
        &source().replace("provider \"redshift\" {}", "provider \"redshift\" {\n  statement_timeout = \"1500ms\"\n}"),
    );
    let held = warehouse.open_transaction("dev", "GRANT SELECT ON TABLE sales.orders TO loader");
    let failure = workspace.try_apply().failed().text();
    assert!(failure.contains("57014") && failure.contains("raise statement_timeout"), "{failure}");
    assert!(warehouse.statements().contains(&"SET statement_timeout TO 1500".to_owned()));
    drop(held);
    workspace.apply();
    workspace.plan().assert_empty();
}

/// Ctrl-C ends what the warehouse is doing; nobody waits for it until its time is over.
#[test]
fn an_interrupt_cancels_the_statement_in_the_warehouse() {
    let warehouse = warehouse();
    let before = warehouse.dump("dev");
    let workspace = Workspace::on(&warehouse);
    workspace.write(&source());
    let held = warehouse.open_transaction("dev", "GRANT SELECT ON TABLE sales.orders TO loader");
    let running = workspace.start(&["apply", "-auto-approve", "-input=false", "-no-color"]);
    warehouse.wait_for_statement("GRANT SELECT ON ALL TABLES", 1);
    // It has begun to wait.
    std::thread::park_timeout(Duration::from_millis(300));
    let asked = Instant::now();
    running.interrupt();
    let outcome = running.wait();
    let took = asked.elapsed();
    assert_eq!(outcome.code, 1, "{}", outcome.text());
    assert!(took < Duration::from_secs(6), "it took {took:?}: {}", outcome.text());
    drop(held);
    workspace.destroy();
    assert_eq!(warehouse.dump("dev"), before, "what was cancelled was rolled back");
}

/// Every word of the warehouse's comes with what to do next.
#[test]
fn errors_of_the_warehouse_come_with_the_next_step() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    workspace.write("provider \"redshift\" {}\nresource \"redshift_user\" \"tool\" {\n  name = \"tool\"\n}\n");
    for (sqlstate, message, advice) in [
        ("42501", "permission denied for relation orders", "GRANT SELECT ON TABLE \"orders\" TO \"awsuser\";"),
        ("42501", "permission denied to create user", "GRANT CREATE USER TO ROLE"),
        ("42704", "user \"x\" does not exist", "Names of users keep their case"),
        ("53300", "too many connections", "Lower max_sessions"),
        ("57014", "Query cancelled because the cluster is being resized", "when the resize is done"),
        ("57P03", "the database system is starting up", "when its status is Available"),
        ("0A000", "CREATE USER not supported on Redshift tables", "a defect of this program"),
    ] {
        warehouse.fault(Fault::error("CREATE USER", sqlstate, message));
        let failure = workspace.try_apply().failed().text();
        assert!(failure.contains(message) && failure.contains(advice), "{sqlstate}: {failure}");
        assert_eq!(workspace.addresses(), Vec::<String>::new());
    }
    // What only another session's work stood in the way of is tried again, a few times.
    warehouse.fault(Fault::error("CREATE USER", "40001", "could not serialize access").times(2));
    workspace.apply();
    workspace.plan().assert_empty();
}

/// Datastores in as many databases, for a login that may have few sessions.
fn in_databases(count: usize, provider: &str) -> (Warehouse, String) {
    let warehouse = Warehouse::start();
    warehouse.sql("dev", "CREATE USER small PASSWORD 'Small-secret-1' CONNECTION LIMIT 2");
    warehouse.sql("dev", "CREATE USER reader PASSWORD DISABLE");
    for number in 0..count {
        warehouse.sql("dev", &format!("CREATE DATABASE shop_{number}"));
        warehouse.sql(&format!("shop_{number}"), "CREATE SCHEMA s1 AUTHORIZATION small");
    }
    let hcl = format!(
        r#"
provider "redshift" {{
{provider}
}}
resource "redshift_datastore" "d" {{
  count    = {count}
  name     = "d${{count.index}}"
  database = "shop_${{count.index}}"
  schema   = "s1"
  service_user {{
    name          = "reader"
    grant_through = "direct"
  }}
}}
"#
    );
    (warehouse, hcl)
}

/// `max_sessions` counts the sessions with all databases, and a login that may have fewer is satisfied with those.
#[test]
fn sessions_with_all_databases_are_few_together() {
    let (warehouse, hcl) = in_databases(count(50, 15), "");
    let mut workspace = Workspace::on(&warehouse);
    workspace.env("REDSHIFT_USER", "small").env("REDSHIFT_PASSWORD", "Small-secret-1");
    workspace.write(&hcl);
    warehouse.reset_counters();
    workspace.apply();
    assert!(warehouse.counters().max_sessions <= 4, "{:?}", warehouse.counters());
    let plan = workspace.plan();
    plan.assert_empty();
    assert!(!plan.outcome.text().contains("was not read"), "{}", plan.outcome.text());
    workspace.destroy();
}

#[test]
fn one_session_serves_many_databases() {
    let (warehouse, hcl) = in_databases(5, "  max_sessions = 1");
    let workspace = Workspace::on(&warehouse);
    workspace.write(&hcl);
    warehouse.reset_counters();
    workspace.apply();
    workspace.plan().assert_empty();
    workspace.destroy();
    // One that is closed may still be counted for a moment.
    assert!(warehouse.counters().max_sessions <= 2, "{:?}", warehouse.counters());
}

/// An integration holds its lock in one session and works in several databases with others.
#[test]
fn an_integration_needs_no_more_than_its_lock_and_one_session() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    let hcl = crate::integration::integration(crate::integration::USER);
    workspace.write(&hcl.replace("\"redshift\" {}", "\"redshift\" {\n  max_sessions = 1\n}"));
    let before = warehouse.dump_all();
    warehouse.reset_counters();
    workspace.apply();
    workspace.plan().assert_empty();
    workspace.destroy();
    assert!(warehouse.counters().max_sessions <= 3, "{:?}", warehouse.counters());
    assert_eq!(warehouse.dump_all(), before);
}
