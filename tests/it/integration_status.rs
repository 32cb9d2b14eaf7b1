//! What `redshift_integration` says of itself while something is going on, and to whoever comes meanwhile.

use redshift_standin::{Action, Fault};
use serde_json::json;

use crate::integration::{ACTS, USER, integration};
use crate::integration_checks::errors;
use crate::support::{Warehouse, Workspace};

const ADDRESS: &str = "redshift_integration.i";

/// The status in the marker.
fn marked(warehouse: &Warehouse) -> String {
    let rows = warehouse.sql("governed", "SELECT status FROM immuta_system.integration");
    rows[0][0].clone().unwrap_or_default()
}

/// Another folder knows the integration too, and comes while the first one's edit stands still.
/// Proves: I55, I56
#[test]
fn a_change_while_another_runs_is_refused_in_the_documents_words() {
    let warehouse = Warehouse::start();
    let (first, second) = (Workspace::on(&warehouse), Workspace::on(&warehouse));
    let (before, after) = (integration(USER), integration(&format!("{USER}{ACTS}")));
    first.write(&before);
    first.apply();
    let id = first.values(ADDRESS)["id"].as_str().expect("an id").to_owned();
    second.write(&before);
    second.import(ADDRESS, &id).succeeded();

    first.write(&after);
    warehouse.fault(Fault::statement("CREATE GROUP", Action::Stall));
    let running = first.start(&["apply", "-auto-approve", "-input=false", "-no-color"]);
    warehouse.wait_for_stalled(true);
    assert_eq!(marked(&warehouse), "editing");
    second.write(&after);
    assert_eq!(second.plan().change(ADDRESS)["before"]["status"], json!("editing"));
    let words = format!("Unable to edit integration with ID {id} in current state editing.");
    for told in [errors(second.apply_problems()), errors(second.destroy_problems())] {
        assert_eq!(told.len(), 1, "{told:#?}");
        assert_eq!(told[0].summary, "409 Conflict");
        assert!(told[0].detail.contains(&words), "{told:#?}");
    }
    assert_eq!(marked(&warehouse), "editing", "nobody was disturbed");

    warehouse.clear_faults();
    running.wait().succeeded();
    assert_eq!((marked(&warehouse), first.values(ADDRESS)["status"].clone()), ("enabled".to_owned(), json!("enabled")));
    first.plan().assert_empty();
    second.apply();
    assert_eq!(second.values(ADDRESS)["status"], json!("enabled"));
    second.plan().assert_empty();
    first.destroy();
}

/// Proves: I63
#[test]
fn while_it_is_deleted_it_says_so() {
    let warehouse = Warehouse::start();
    let workspace = Workspace::on(&warehouse);
    let before = warehouse.dump_all();
    workspace.write(&integration(&format!("{USER}{ACTS}")));
    workspace.apply();
    warehouse.fault(Fault::statement("DROP DATABASE", Action::Stall));
    let running = workspace.start(&["destroy", "-auto-approve", "-input=false", "-no-color"]);
    warehouse.wait_for_stalled(true);
    assert_eq!(marked(&warehouse), "deleting");
    warehouse.clear_faults();
    running.wait().succeeded();
    assert_eq!(workspace.addresses(), Vec::<String>::new());
    assert_eq!(warehouse.dump_all(), before);
}
