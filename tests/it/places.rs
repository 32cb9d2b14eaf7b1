//! Where a thing was made is remembered: other warehouses, other names of the same one, tunnels, other people.

use serde_json::json;

use crate::integration::{USER, integration};
use crate::support::{CLUSTER_HOST, Warehouse, Workspace};

const DATASTORE: &str = r#"
resource "redshift_user" "tool" {
  name = "tool"
}
resource "redshift_datastore" "sales" {
  name     = "Sales"
  database = "dev"
  schema   = "sales"
  service_user {
    name          = redshift_user.tool.name
    future_tables = "none"
  }
}
"#;

fn warehouse() -> Warehouse {
    let warehouse = Warehouse::start();
    warehouse.sql("dev", "CREATE SCHEMA sales");
    warehouse
}

fn update(address: &str) -> (String, Vec<String>) {
    (address.to_owned(), vec!["update".to_owned()])
}

/// Nothing is sent to the new warehouse on behalf of the old, and the old is reached to destroy, or nothing is changed.
#[test]
fn another_host_in_the_provider_block_replaces() {
    let (old, new) = (warehouse(), warehouse());
    let mut workspace = Workspace::on(&old);
    workspace.write(&format!("provider \"redshift\" {{}}\n{DATASTORE}"));
    workspace.apply();
    let port = old.port();
    for (name, value) in new.environment() {
        workspace.env(&name, &value);
    }
    new.reset_counters();
    old.reset_counters();
    let plan = workspace.plan();
    for address in ["redshift_user.tool", "redshift_datastore.sales"] {
        assert_eq!(
            plan.changes().get(address).map(Vec::as_slice),
            Some(&["delete".to_owned(), "create".to_owned()][..]),
            "{address}"
        );
    }
    assert_eq!(new.writes(), 0);

    // No login for the old one: it fails before anything is changed, in either warehouse.
    let failure = workspace.try_apply().failed().text();
    assert!(failure.contains(&format!(":{port}")) && failure.contains("credentials"), "{failure}");
    assert_eq!((new.writes(), old.writes()), (0, 0));
    assert_eq!(workspace.values("redshift_datastore.sales")["endpoint"], json!(format!("{}:{port}", old.host())));

    workspace.write(&format!(
        "provider \"redshift\" {{\n  credentials = {{\n    \"{}:{port}\" = {{ username = \"{}\", password = \"{}\" }}\n  }}\n}}\n{DATASTORE}",
        old.host(),
        old.superuser(),
        old.password(),
    ));
    workspace.env("REDSHIFT_SSLROOTCERT", &old.roots_of_both(&new));
    workspace.apply();
    assert_eq!(old.sql("dev", "SELECT usename FROM pg_user WHERE usename = 'tool'").len(), 0, "gone from the old");
    assert_eq!(new.sql("dev", "SELECT usename FROM pg_user WHERE usename = 'tool'").len(), 1, "made on the new");
    workspace.plan().assert_empty();
}

/// The same warehouse answers under another name: pinned anew, in place.
#[test]
fn another_name_of_the_same_warehouse_is_pinned_in_place() {
    let warehouse = warehouse();
    let mut workspace = Workspace::on(&warehouse);
    workspace.write(&format!("provider \"redshift\" {{}}\n{DATASTORE}"));
    workspace.apply();
    workspace.env("REDSHIFT_HOST", "127.0.0.1");
    warehouse.reset_counters();
    let plan = workspace.plan();
    assert_eq!(plan.changes(), [update("redshift_datastore.sales"), update("redshift_user.tool")].into());
    workspace.apply();
    assert_eq!(warehouse.writes(), 0, "{:?}", warehouse.statements());
    assert_eq!(workspace.values("redshift_user.tool")["endpoint"], json!(format!("127.0.0.1:{}", warehouse.port())));
    workspace.plan().assert_empty();
    workspace.destroy();
}

/// A governance tool keeps its profile in it: it is never moved, nor lost to a changed host. Its destroy goes to the old.
#[test]
fn an_integration_is_never_replaced_because_of_another_warehouse() {
    let (old, new) = (Warehouse::start(), Warehouse::start());
    let before = old.dump_all();
    let mut workspace = Workspace::on(&old);
    let address = "redshift_integration.i";
    workspace.write(&integration(USER));
    workspace.apply();
    let made = workspace.values(address);

    // Another name of the same one, with or without a namespace: in place, without SQL.
    workspace.env("REDSHIFT_HOST", "127.0.0.1");
    old.reset_counters();
    assert_eq!(workspace.plan().changes(), [update(address)].into());
    workspace.apply();
    assert_eq!(old.writes(), 0, "{:?}", old.statements());
    assert_eq!(workspace.values(address)["endpoint"], json!(format!("127.0.0.1:{}", old.port())));
    workspace.plan().assert_empty();

    for (name, value) in new.environment() {
        workspace.env(&name, &value);
    }
    workspace.env("REDSHIFT_SSLROOTCERT", &old.roots_of_both(&new));
    let provider = format!(
        "provider \"redshift\" {{\n  credentials = {{\n    \"127.0.0.1:{}\" = {{ username = \"{}\", password = \"{}\" }}\n  }}\n}}\n",
        old.port(),
        old.superuser(),
        old.password(),
    );
    workspace.write(&integration(USER).replace("provider \"redshift\" {}\n", &provider));
    let full = old.dump_all();
    for counted in [&old, &new] {
        counted.reset_counters();
    }
    let plan = workspace.plan();
    assert_eq!(plan.changes(), [update(address)].into());
    assert!(plan.outcome.stdout.contains("leads to another warehouse"), "{}", plan.outcome.stdout);
    workspace.try_apply().failed();
    assert_eq!((new.writes(), old.writes()), (0, 0));
    assert_eq!(old.dump_all(), full);
    assert_eq!(workspace.values(address)["id"], made["id"]);
    assert_eq!(workspace.values(address)["endpoint"], json!(format!("127.0.0.1:{}", old.port())));
    workspace.destroy();
    assert_eq!((new.writes(), old.dump_all()), (0, before));
}

#[test]
fn a_second_person_plans_nothing_through_a_tunnel_or_from_another_environment() {
    let warehouse = warehouse();
    let host = CLUSTER_HOST;
    let configuration = format!(
        "variable \"login\" {{\n  type = string\n}}\nprovider \"redshift\" {{\n  host = \"{host}\"\n}}\nresource \"redshift_connection\" \"c\" {{\n  name = \"c\"\n}}\n{DATASTORE}"
    );
    let mut workspace = Workspace::on(&warehouse);
    workspace.write(&configuration);
    workspace.env("TF_VAR_login", "x");
    workspace.without("REDSHIFT_HOST").without("REDSHIFT_PORT");
    workspace.env("REDSHIFT_HOSTADDR", &format!("127.0.0.1:{}", warehouse.port()));
    workspace.apply();
    workspace.plan().assert_empty();
    // Another person: another login, another tunnel.
    warehouse.sql("dev", "CREATE USER ann PASSWORD 'Ann-secret-1' CREATEUSER");
    let tunnel = warehouse.tunnel();
    workspace.env("REDSHIFT_HOSTADDR", &tunnel.address());
    workspace.env("REDSHIFT_USER", "ann").env("REDSHIFT_PASSWORD", "Ann-secret-1");
    let plan = workspace.plan();
    plan.assert_empty();
    assert!(tunnel.was_used(), "it went through the tunnel");
}

/// Renames, hosts that are unknown and come to the same, to another, and hosts that are another: three dependents each.
#[test]
fn dependents_follow_their_connection() {
    let (here, there) = (warehouse(), warehouse());
    let configuration = |host: &str, port: &str, name: &str| {
        let dependents: String = (0..3)
            .map(|number| {
                format!("resource \"redshift_user\" \"u{number}\" {{\n  name = \"u{number}\"\n  connection_id = redshift_connection.c.id\n}}\n")
            })
            .collect();
        format!(
            "provider \"redshift\" {{\n  credentials = {{\n    \"{}:{}\" = {{ username = \"{}\", password = \"{}\" }}\n    \"{}:{}\" = {{ username = \"{}\", password = \"{}\" }}\n  }}\n}}\nvariable \"again\" {{\n  default = 1\n}}\nresource \"terraform_data\" \"port\" {{\n  input = {port}\n  triggers_replace = var.again\n}}\nresource \"redshift_connection\" \"c\" {{\n  name = \"{name}\"\n  host = \"{host}\"\n  port = {port_of}\n}}\n{dependents}",
            here.host(),
            here.port(),
            here.superuser(),
            here.password(),
            there.host(),
            there.port(),
            there.superuser(),
            there.password(),
            port_of = "terraform_data.port.output",
        )
    };
    let mut workspace = Workspace::on(&here);
    workspace.env("REDSHIFT_SSLROOTCERT", &here.roots_of_both(&there));
    let (port, other) = (here.port().to_string(), there.port().to_string());
    workspace.write(&configuration(&here.host(), &port, "c"));
    workspace.apply();
    let users = || (0..3).map(|number| update(&format!("redshift_user.u{number}")));

    // A rename is the connection's own affair.
    workspace.write(&configuration(&here.host(), &port, "renamed"));
    assert_eq!(workspace.plan().changes(), [update("redshift_connection.c")].into());
    workspace.apply();

    // Unknown, and then the same: dependents are planned as updates, and nothing is sent.
    workspace.env("TF_VAR_again", "2");
    here.reset_counters();
    let plan = workspace.plan();
    let mut expected: std::collections::BTreeMap<_, _> = users().collect();
    expected.insert("terraform_data.port".to_owned(), vec!["delete".to_owned(), "create".to_owned()]);
    expected.insert("redshift_connection.c".to_owned(), vec!["delete".to_owned(), "create".to_owned()]);
    assert_eq!(plan.changes(), expected);
    workspace.apply();
    assert_eq!(here.writes(), 0, "{:?}", here.statements());
    workspace.plan().assert_empty();

    // Unknown, and then another: nothing is changed, and the message says to apply again.
    workspace.write(&configuration(&here.host(), &other, "renamed"));
    let failure = workspace.try_apply().failed().text();
    assert!(failure.contains("apply again"), "{failure}");
    assert_eq!((here.writes(), there.writes()), (0, 0));
    // Known now, and another: replaced.
    let plan = workspace.plan();
    for number in 0..3 {
        assert_eq!(
            plan.changes().get(&format!("redshift_user.u{number}")).map(Vec::len),
            Some(2),
            "{:?}",
            plan.changes()
        );
    }
    workspace.apply();
    assert_eq!(here.sql("dev", "SELECT usename FROM pg_user WHERE usename LIKE 'u_'").len(), 0);
    assert_eq!(there.sql("dev", "SELECT usename FROM pg_user WHERE usename LIKE 'u_'").len(), 3);
    workspace.plan().assert_empty();
}

/// A change that was planned for one warehouse is not made in another.
#[test]
fn an_update_that_comes_to_another_warehouse_changes_nothing() {
    let (here, there) = (warehouse(), warehouse());
    there.sql("dev", "CREATE USER u PASSWORD DISABLE");
    let login = |w: &Warehouse| {
        let (host, port, user, password) = (w.host(), w.port(), w.superuser(), w.password());
        format!("    \"{host}:{port}\" = {{ username = \"{user}\", password = \"{password}\" }}\n")
    };
    let configuration = |to: &Warehouse, limit: u32| {
        format!(
            "provider \"redshift\" {{\n  credentials = {{\n{}{}  }}\n}}\nresource \"terraform_data\" \"port\" {{\n  input = {port}\n  triggers_replace = {port}\n}}\nresource \"redshift_connection\" \"c\" {{\n  name = \"c\"\n  host = \"{}\"\n  port = terraform_data.port.output\n}}\nresource \"redshift_user\" \"u\" {{\n  name = \"u\"\n  connection_id = redshift_connection.c.id\n  connection_limit = {limit}\n}}\n",
            login(&here),
            login(&there),
            to.host(),
            port = to.port(),
        )
    };
    let mut workspace = Workspace::on(&here);
    workspace.env("REDSHIFT_SSLROOTCERT", &here.roots_of_both(&there));
    workspace.write(&configuration(&here, 1));
    workspace.apply();
    workspace.write(&configuration(&there, 2));
    here.reset_counters();
    there.reset_counters();
    let failure = workspace.try_apply().failed().text();
    assert!(failure.contains("apply again"), "{failure}");
    assert_eq!((here.writes(), there.writes()), (0, 0), "{:?}", there.statements());
    assert_eq!(workspace.values("redshift_user.u")["connection_limit"], json!(1));
}

/// A broken warehouse makes no configuration undestroyable, and is never taken for an empty one.
#[test]
fn a_paused_warehouse_is_a_warning_at_plan_and_one_error_each_at_destroy() {
    let warehouse = warehouse();
    let mut workspace = Workspace::on(&warehouse);
    workspace.write(&format!("provider \"redshift\" {{\n  connect_timeout = \"5s\"\n}}\n{DATASTORE}"));
    workspace.apply();
    let before = workspace.addresses();
    warehouse.pause();
    let plan = workspace.plan();
    assert_eq!(plan.changes(), [].into());
    assert!(plan.outcome.text().contains("Warning"), "{}", plan.outcome.text());
    let errors: Vec<_> =
        workspace.destroy_problems().into_iter().filter(|problem| problem.severity == "error").collect();
    assert!(!errors.is_empty() && errors.len() <= 2, "{errors:#?}");
    assert_eq!(workspace.addresses(), before, "state is kept");
    warehouse.resume();
    workspace.without("REDSHIFT_PASSWORD");
    let plan = workspace.plan();
    assert_eq!(plan.changes(), [].into());
    assert!(plan.outcome.text().contains("Warning"), "{}", plan.outcome.text());
    warehouse.reset_counters();
    workspace.try_destroy().failed();
    assert_eq!(workspace.addresses(), before);
    assert_eq!(warehouse.writes(), 0, "nothing half done");
    workspace.env("REDSHIFT_PASSWORD", warehouse.password());
    workspace.destroy();
}

#[test]
fn on_unreachable_error_makes_a_drift_job_red() {
    let warehouse = warehouse();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&format!(
        "provider \"redshift\" {{\n  connect_timeout = \"5s\"\n  on_unreachable = \"error\"\n}}\n{DATASTORE}"
    ));
    workspace.apply();
    warehouse.pause();
    assert_eq!(workspace.try_plan().outcome.code, 1);
}

/// A regular user who is no superuser runs the same plan: a clear answer, never a standing difference.
/// Proves: Q5
#[test]
fn a_login_that_sees_less_gets_an_empty_plan_or_a_clear_error() {
    let warehouse = warehouse();
    warehouse.sql("dev", "CREATE USER owner PASSWORD 'Owner-secret-1'");
    warehouse.sql("dev", "ALTER SCHEMA sales OWNER TO owner");
    let mut workspace = Workspace::on(&warehouse);
    workspace.write(&format!("provider \"redshift\" {{}}\n{DATASTORE}"));
    workspace.apply();
    workspace.env("REDSHIFT_USER", "owner").env("REDSHIFT_PASSWORD", "Owner-secret-1");
    workspace.plan().assert_empty();
    // On his own: he may not make users or roles, and is told what would let him.
    let mut fresh = Workspace::on(&warehouse);
    fresh.env("REDSHIFT_USER", "owner").env("REDSHIFT_PASSWORD", "Owner-secret-1");
    fresh.write(
        "provider \"redshift\" {}\nresource \"redshift_datastore\" \"sales\" {\n  name = \"Sales\"\n  database = \"dev\"\n  schema = \"sales\"\n  service_user {\n    name = \"tool\"\n    future_tables = \"none\"\n  }\n}\n",
    );
    let failure = fresh.try_apply().failed().text();
    assert!(failure.contains("direct"), "{failure}");
    assert_eq!(fresh.addresses(), Vec::<String>::new());
    // With direct grants he may: the schema is his.
    fresh.file(
        "main.tf",
        &std::fs::read_to_string(fresh.path().join("main.tf"))
            .unwrap_or_default()
            .replace("future_tables", "grant_through = \"direct\"\n    future_tables"),
    );
    fresh.apply();
    fresh.plan().assert_empty();
}

#[test]
fn a_regular_user_sees_no_standing_difference_and_gets_one_clear_error() {
    let warehouse = warehouse();
    for statement in [
        "CREATE USER owner PASSWORD 'Owner-secret-1'",
        "ALTER SCHEMA sales OWNER TO owner",
        "CREATE TABLE sales.orders (id integer)",
        "ALTER TABLE sales.orders OWNER TO owner",
        "CREATE USER plain PASSWORD 'Plain-secret-1'",
    ] {
        warehouse.sql("dev", statement);
    }
    let mut workspace = Workspace::on(&warehouse);
    let hcl = format!("provider \"redshift\" {{}}\n{}", DATASTORE.replace("    future_tables = \"none\"\n", ""));
    workspace.write(&hcl);
    workspace.apply();
    workspace.env("REDSHIFT_USER", "plain").env("REDSHIFT_PASSWORD", "Plain-secret-1");
    workspace.plan().assert_empty();
    let rights = warehouse.dump("dev");
    workspace.write(&hcl.replace("schema   = \"sales\"", "schema = \"sales\"\n  enrichment_only = true"));
    let problems = workspace.apply_problems();
    let errors: Vec<_> = problems.into_iter().filter(|problem| problem.severity == "error").collect();
    assert_eq!(errors.len(), 1, "{errors:#?}");
    assert!(errors[0].text().contains("GRANT") || errors[0].text().contains("owner"), "{errors:#?}");
    assert_eq!(warehouse.dump("dev"), rights);
    workspace.write(&hcl);
    workspace.plan().assert_empty();
}

#[test]
fn what_cannot_be_reached_is_one_error_each() {
    let warehouse = warehouse();
    warehouse.sql("dev", "CREATE USER tool PASSWORD DISABLE");
    let mut workspace = Workspace::on(&warehouse);
    workspace.write(
        "provider \"redshift\" {\n  connect_timeout = \"5s\"\n}\nresource \"redshift_user\" \"alone\" {\n  name = \"alone\"\n}\nresource \"redshift_datastore\" \"sales\" {\n  name = \"Sales\"\n  database = \"dev\"\n  schema = \"sales\"\n  service_user {\n    name = \"tool\"\n    future_tables = \"none\"\n  }\n}\n",
    );
    workspace.apply();
    let errors =
        |workspace: &Workspace| workspace.destroy_problems().into_iter().filter(|p| p.severity == "error").count();
    warehouse.pause();
    assert_eq!(errors(&workspace), 2);
    workspace.run(&["apply", "-refresh-only", "-auto-approve", "-input=false"]).succeeded();
    assert_eq!(workspace.values("redshift_datastore.sales")["connected"], json!(false));
    warehouse.resume();
    workspace.without("REDSHIFT_PASSWORD");
    warehouse.reset_counters();
    assert_eq!(errors(&workspace), 2);
    assert_eq!((warehouse.writes(), workspace.addresses().len()), (0, 2));
    workspace.env("REDSHIFT_PASSWORD", warehouse.password());
    workspace.destroy();
}

#[test]
fn a_connection_that_leads_elsewhere_replaces_its_dependents() {
    let (here, there) = (warehouse(), warehouse());
    let mut workspace = Workspace::on(&here);
    workspace.env("REDSHIFT_SSLROOTCERT", &here.roots_of_both(&there));
    let entry = |w: &Warehouse| {
        format!(
            "    \"{}:{}\" = {{ username = \"{}\", password = \"{}\" }}\n",
            w.host(),
            w.port(),
            w.superuser(),
            w.password()
        )
    };
    let hcl = |to: &Warehouse| {
        format!(
            "provider \"redshift\" {{\n  credentials = {{\n{}{}  }}\n}}\nresource \"redshift_connection\" \"c\" {{\n  name = \"c\"\n  host = \"{}\"\n  port = {}\n}}\nresource \"redshift_user\" \"u\" {{\n  count = 3\n  name = \"u${{count.index}}\"\n  connection_id = redshift_connection.c.id\n}}\n",
            entry(&here),
            entry(&there),
            to.host(),
            to.port()
        )
    };
    workspace.write(&hcl(&here));
    workspace.apply();
    workspace.write(&hcl(&there));
    there.reset_counters();
    let replaced = |address: String| (address, vec!["delete".to_owned(), "create".to_owned()]);
    let mut expected: std::collections::BTreeMap<_, _> =
        (0..3).map(|n| replaced(format!("redshift_user.u[{n}]"))).collect();
    expected.extend([replaced("redshift_connection.c".to_owned())]);
    assert_eq!(workspace.plan().changes(), expected);
    assert_eq!(there.writes(), 0);
    workspace.apply();
    let users = "SELECT usename FROM pg_user WHERE usename LIKE 'u_'";
    assert_eq!((here.sql("dev", users).len(), there.sql("dev", users).len()), (0, 3));
    workspace.plan().assert_empty();
}

/// `hostaddrs` does for other hosts what `hostaddr` does for the provider's own.
#[test]
fn hostaddrs_lead_to_other_hosts_and_stand_in_no_id() {
    let warehouse = warehouse();
    let mut workspace = Workspace::on(&warehouse);
    workspace.without("REDSHIFT_HOST").without("REDSHIFT_PORT");
    workspace.write(&format!(
        "provider \"redshift\" {{\n  hostaddrs = {{\n    \"{CLUSTER_HOST}\" = \"127.0.0.1:{}\"\n  }}\n  credentials = {{\n    \"{CLUSTER_HOST}\" = {{ username = \"{}\", password = \"{}\" }}\n  }}\n}}\nresource \"redshift_connection\" \"c\" {{\n  name = \"c\"\n  host = \"{CLUSTER_HOST}\"\n}}\n",
        warehouse.port(),
        warehouse.superuser(),
        warehouse.password()
    ));
    workspace.apply();
    assert_eq!(workspace.values("redshift_connection.c")["id"], json!(format!("redshift://{CLUSTER_HOST}")));
    workspace.plan().assert_empty();
}

/// The tunnel that led to one warehouse leads to another today: nothing is read, changed or dropped there.
#[test]
fn another_warehouse_behind_the_same_address_is_left_alone() {
    let (ours, other) = (warehouse(), warehouse());
    other.sql("dev", "CREATE USER tool PASSWORD 'Their-secret-1'");
    let mut workspace = Workspace::on(&ours);
    workspace.env("REDSHIFT_SSLROOTCERT", &ours.roots_of_both(&other));
    workspace.env("REDSHIFT_HOST", CLUSTER_HOST).without("REDSHIFT_PORT");
    workspace.env("REDSHIFT_HOSTADDR", &format!("127.0.0.1:{}", ours.port()));
    workspace.write(&format!("provider \"redshift\" {{}}\n{DATASTORE}"));
    workspace.apply();
    let theirs = other.dump("dev");
    workspace.env("REDSHIFT_HOSTADDR", &format!("127.0.0.1:{}", other.port()));
    workspace.env("REDSHIFT_PASSWORD", other.password());
    let plan = workspace.plan();
    assert_eq!(plan.changes(), [].into());
    assert!(plan.outcome.text().contains("Another warehouse answers"), "{}", plan.outcome.text());
    workspace.try_destroy().failed();
    assert_eq!(other.dump("dev"), theirs);
    assert_eq!(workspace.addresses().len(), 2);
    workspace.env("REDSHIFT_HOSTADDR", &format!("127.0.0.1:{}", ours.port()));
    workspace.env("REDSHIFT_PASSWORD", ours.password());
    workspace.destroy();
}
