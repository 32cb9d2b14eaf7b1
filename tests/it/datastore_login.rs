//! Whose login a datastore is reached by: its connection's, its own, or the provider's.

use std::collections::BTreeSet;

use serde_json::json;

use crate::datastore::{SOURCE, USER, tool, warehouse};
use crate::support::Workspace;

/// Proves: Q4, Q32
#[test]
fn settings_come_from_a_connection_or_inline_or_from_the_provider_but_once() {
    let warehouse = warehouse();
    let workspace = Workspace::on(&warehouse);
    let datastore = |settings: &str| {
        format!(
            "{USER}\nresource \"redshift_connection\" \"c\" {{\n  name = \"c\"\n}}\n{}",
            SOURCE.replace("name     = \"Sales\"", &format!("name = \"Sales\"\n  {settings}"))
        )
    };
    let host = warehouse.host();
    let inline = format!(
        "warehouse {{\n    host = \"{host}\"\n    port = {}\n    username = \"{}\"\n  }}",
        warehouse.port(),
        warehouse.superuser()
    );
    let both = workspace.refused(&datastore(&format!("connection_id = redshift_connection.c.id\n  {inline}")));
    assert!(both.line.contains("connection_id") && both.text().contains("warehouse"), "{both:?}");

    workspace.write(&datastore("connection_id = redshift_connection.c.id"));
    workspace.apply();
    tool(&warehouse, "SELECT id FROM sales.orders").expect("the login came along");
    workspace.plan().assert_empty();
    // The same warehouse, said inline: in place, without SQL.
    workspace.write(&datastore(&inline));
    warehouse.reset_counters();
    let plan = workspace.plan();
    assert_eq!(plan.changes(), [("redshift_datastore.sales".to_owned(), vec!["update".to_owned()])].into());
    workspace.apply();
    assert_eq!(warehouse.writes(), 0, "{:?}", warehouse.statements());
    workspace.plan().assert_empty();
    // With an elsewhere for everything else: what stands in the block counts.
    workspace.destroy();
    let elsewhere = warehouse.silent_port().port();
    let mut workspace = Workspace::on(&warehouse);
    workspace.env("REDSHIFT_PORT", &elsewhere.to_string());
    let (superuser, password, port) = (warehouse.superuser(), warehouse.password(), warehouse.port());
    let credentials =
        format!("{{\n  credentials = {{ \"{superuser}@{host}:{port}\" = {{ password = \"{password}\" }} }}\n}}");
    warehouse.sql("dev", "CREATE USER tool PASSWORD DISABLE");
    let only =
        SOURCE.replace("redshift_user.tool.name", "\"tool\"").replace("name     =", &format!("{inline}\n  name ="));
    workspace.write(&format!("provider \"redshift\" {credentials}\n{only}"));
    workspace.apply();
    assert_eq!(workspace.values("redshift_datastore.sales")["endpoint"], json!(format!("{host}:{port}")));
    workspace.plan().assert_empty();
}

/// The provider's own login may do nothing, and the connection's user may.
/// Proves: Q31
#[test]
fn a_connection_brings_its_own_login_along() {
    let warehouse = warehouse();
    for statement in [
        "CREATE USER nobody_much PASSWORD 'Nobody-secret-1'",
        "CREATE USER keeper PASSWORD 'Keeper-secret-1' CREATEUSER",
        "CREATE USER tool PASSWORD 'Tool-secret-1'",
    ] {
        warehouse.sql("dev", statement);
    }
    let mut workspace = Workspace::on(&warehouse);
    workspace.env("REDSHIFT_USER", "nobody_much").env("REDSHIFT_PASSWORD", "Nobody-secret-1");
    let (host, port) = (warehouse.host(), warehouse.port());
    let datastore = |more: &str| {
        let source = SOURCE.replace("redshift_user.tool.name", "\"tool\"");
        source.replace("name     = \"Sales\"", &format!("name = \"Sales\"\n  {more}"))
    };
    let connection = format!(
        r#"
provider "redshift" {{
  credentials = {{ "keeper@{host}:{port}" = {{ password = "Keeper-secret-1" }} }}
}}
resource "redshift_connection" "c" {{
  name     = "c"
  host     = "{host}"
  port     = {port}
  username = "keeper"
}}
"#
    );
    workspace.write(&format!("{connection}{}", datastore("")));
    workspace.try_apply().failed();
    workspace.write(&format!("{connection}{}", datastore("connection_id = redshift_connection.c.id")));
    warehouse.reset_counters();
    workspace.apply();
    let users: BTreeSet<String> = warehouse.log().into_iter().map(|it| it.user).collect();
    assert_eq!(users, BTreeSet::from(["keeper".to_owned()]));
    tool(&warehouse, "SELECT id FROM sales.orders").expect("the login came along");
    workspace.plan().assert_empty();
    workspace.destroy();
}
