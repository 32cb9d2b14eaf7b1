//! Profiles and protected tables in numbers, by real Terraform on the stand-in.

use std::path::Path;
use std::time::Duration;

use redshift_standin::Counters;

use super::work::{Work, provider_folder, watched_folder};
use super::{Row, fastest};
use crate::warehouse::Warehouse;

/// The integration in which all of it is registered.
const INTEGRATION: &str = r#"
    resource "redshift_integration" "gov" {
      auto_bootstrap   = true
      database         = "governed"
      initial_database = "dev"
      prefix           = "gov"
    }
"#;

/// Tables of a schema.
const TABLES: usize = 300;
/// Schemas, each with a registration.
const SCHEMAS: usize = 10;
/// Users with a profile.
const PROFILES: usize = 2000;
/// Timed runs of each kind; the fastest counts.
const RUNS: usize = 3;
/// What is added to each round trip once.
const LATENCY: Duration = Duration::from_millis(20);

pub fn rows(release: &Path) -> Result<Vec<Row>, String> {
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let warehouse = Warehouse::start()?;
    let note = |text: &str| eprintln!("bench: {text}");
    note("making 3,000 tables to protect");
    warehouse.run("dev", &["CREATE DATABASE prod", "CREATE GROUP readers"])?;
    make_tables(&warehouse)?;
    let real = provider_folder(folder.path(), "real", &release.join("terraform-provider-redshift"))?;
    let costs = folder.path().join("costs");
    let watched = watched_folder(folder.path(), "watched", &costs, &release.join("terraform-provider-redshift"))?;
    let work = Work::new(folder.path().join("work"), warehouse.environment(), String::new())?;
    let mut rows = Vec::new();

    note("making the integration");
    // Somebody else's configuration, so that what it asks is not counted.
    let integration = Work::new(folder.path().join("integration"), warehouse.environment(), String::new())?;
    integration.write(INTEGRATION)?;
    integration.apply(&real, &warehouse)?;
    let mut wanted = Wanted::default();
    let apply = |wanted: &Wanted| -> Result<Counters, String> {
        work.write(&wanted.text())?;
        work.apply(&real, &warehouse)
    };
    note("profiles");
    wanted.profiles = PROFILES;
    let all = apply(&wanted)?;
    rows.push(Row::bar("2,000 profiles made, statements", all.statements as f64, "", 20.0));
    wanted.changed = 10;
    let some = apply(&wanted)?;
    // Twelve, and three for signing in to each of two databases.
    rows.push(Row::bar("10 of them changed, statements", some.statements as f64, "", 18.0));

    note("protecting tables");
    wanted.schemas = 1;
    wanted.tables = "t000";
    let one = apply(&wanted)?;
    wanted.tables = "*";
    let many = apply(&wanted)?;
    let each = (many.statements as f64 - one.statements as f64) / (TABLES as f64 - 1.0);
    rows.push(Row::bar("300 tables registered, statements each", each, "", 3.0));
    let commits = many.kinds.get("COMMIT").copied().unwrap_or_default();
    rows.push(Row::bar("300 tables registered, commits", commits as f64, "", 20.0));
    wanted.group = "auditors";
    let changed = apply(&wanted)?;
    // However many the tables: two catalogues are read, one of them again in the turn, and five sessions sign in.
    rows.push(Row::bar("another group in a rule of 300 tables, statements", changed.statements as f64, "", 48.0));
    wanted.schemas = SCHEMAS;
    apply(&wanted)?;
    let bytes = |of: &str, count: usize| Ok::<f64, String>(work.state_bytes(of)? / 1000.0 / count as f64);
    rows.push(Row::bar("state of one view", bytes("redshift_protected_tables", TABLES)?, "kB", 0.3));
    rows.push(Row::bar("state of one profile", bytes("redshift_user_profiles", PROFILES)?, "kB", 0.4));

    note("planning 3,000 views and 2,000 profiles");
    warehouse.reset_counters();
    work.plan(&real)?;
    let counters = warehouse.counters();
    let most = counters.databases.values().copied().max().unwrap_or_default();
    // Fourteen, and three for a second session, where profiles and tables are asked at the same time.
    rows.push(Row::bar("empty plan of 3,000 views and 2,000 profiles, statements a database", most as f64, "", 17.0));
    let (mut quick, mut slow) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        quick.push(work.plan(&real)?);
        warehouse.latency(LATENCY);
        slow.push(work.plan(&real)?);
        warehouse.latency(Duration::ZERO);
    }
    let cost = work.cost(&watched, &costs)?;
    rows.push(Row::beside("the same, time", fastest(&quick), "s"));
    rows.push(Row::bar("the same, processor time of the provider", cost.seconds, "s", 0.8));
    rows.push(Row::bar("the same, resident memory at its peak", cost.megabytes, "MB", 80.0));
    rows.push(Row::bar("the same with 20 ms latency, more", fastest(&slow) - fastest(&quick), "s", 0.5));
    rows.push(Row::bar("view of 100 columns, 20 masked, filtered", widest_view(&warehouse)? / 1000.0, "kB", 20.0));
    Ok(rows)
}

/// Ten schemas of small tables; the last table has 100 columns.
fn make_tables(warehouse: &Warehouse) -> Result<(), String> {
    let wide: Vec<String> = (0..98).map(|n| format!("column_{n:02} varchar(100)")).collect();
    let wide = wide.join(", ");
    let table = |schema: usize, n: usize| match n + 1 == TABLES {
        true => format!("CREATE TABLE s{schema}.t{n:03} (id integer, tenant_id integer, {wide})"),
        false => {
            format!("CREATE TABLE s{schema}.t{n:03} (id integer, tenant_id integer, email varchar(100), sold_at date)")
        }
    };
    for schema in 0..SCHEMAS {
        let mut statements = vec![format!("CREATE SCHEMA s{schema}")];
        statements.extend((0..TABLES).map(|n| table(schema, n)));
        warehouse.run("prod", &statements.iter().map(String::as_str).collect::<Vec<_>>())?;
    }
    Ok(())
}

/// The longest text of a view.
fn widest_view(warehouse: &Warehouse) -> Result<f64, String> {
    let query = "SELECT pg_get_viewdef(c.oid) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                 WHERE c.relkind = 'v' AND n.nspname = 's0'";
    let rows = warehouse.rows("governed", query)?;
    let longest = rows.into_iter().flatten().flatten().map(|text| text.len()).max();
    longest.map(|bytes| bytes as f64).ok_or_else(|| "no view".to_owned())
}

/// What is configured.
struct Wanted {
    profiles: usize,
    /// How many of the profiles are in another group.
    changed: usize,
    schemas: usize,
    tables: &'static str,
    /// Who sees what is masked.
    group: &'static str,
}

impl Default for Wanted {
    fn default() -> Wanted {
        Wanted { profiles: 0, changed: 0, schemas: 0, tables: "*", group: "privacy" }
    }
}

impl Wanted {
    fn text(&self) -> String {
        let Wanted { profiles, changed, schemas, tables, group } = self;
        let user = |n: usize| {
            let group = if n < *changed { "operators" } else { "support" };
            format!("user_{n:04} = {{ groups = [\"{group}\", \"everybody\"], attributes = {{ tenant = \"{n}\" }} }}")
        };
        // A `for` over a `range` ends at 1,024.
        let users = (0..*profiles).map(user).collect::<Vec<_>>().join("\n");
        format!(
            r#"
            resource "redshift_user_profiles" "okta" {{
              name            = "okta"
              integration_uri = "redshift-integration://governed/gov"
              users = {{
                {users}
              }}
            }}
            resource "redshift_protected_tables" "many" {{
              count           = {schemas}
              name            = "s${{count.index}}"
              integration_uri = "redshift-integration://governed/gov"
              source {{
                database = "prod"
                schema   = "s${{count.index}}"
                tables   = ["{tables}"]
              }}
              mask {{
                columns = ["id"]
                using   = "hash"
                salt    = "id"
                unless {{ groups = ["{group}"] }}
              }}
              mask {{
                columns = ["*email*", "column_0*", "column_1*"]
                tables  = ["*"]
                using   = "null"
                unless {{ groups = ["{group}"] }}
              }}
              row_filter {{
                column = "tenant_id"
                in     = "attribute.tenant"
              }}
              readers {{ groups = ["readers"] }}
            }}
            "#
        )
    }
}
