//! The clean-up script of `redshift_integration`, after a set-up by hand that stopped anywhere.

use serde_json::Value;

use crate::campaign::sampled;
use crate::integration::ACTS;
use crate::integration_manual::{ACTS_BY_ROLE, EXTERNAL, assert_alike, manual, planned_scripts};
use crate::support::{Warehouse, Workspace};

fn text<'a>(script: &'a Value, key: &str) -> &'a str {
    script[key].as_str().unwrap_or_else(|| panic!("{key} of {script}"))
}

/// Runs the clean-up as it is printed and as it says: what was never made is passed over, and there is no other error.
#[track_caller]
fn clean_up(warehouse: &Warehouse, script: &Value) {
    let told = warehouse.run_script_to_its_end(text(script, "run_in_database"), text(script, "sql"));
    assert!(told.iter().all(|error| error.contains("does not exist")), "{told:#?}");
}

/// Each statement fails once, and the set-up stops there: at all of them in the campaign, at some of them else.
/// Proves: I61, S21
#[test]
fn a_set_up_that_stopped_anywhere_is_cleaned_up() {
    let spectrum = format!("  type = \"RedshiftSpectrum\"\n{ACTS}{EXTERNAL}");
    for lines in [ACTS, ACTS_BY_ROLE, &spectrum] {
        let warehouse = Warehouse::start();
        let workspace = Workspace::on(&warehouse);
        if lines == spectrum {
            warehouse.sql("dev", "CREATE DATABASE governed");
        }
        let before = warehouse.dump_all();
        workspace.write(&manual(lines));
        let scripts = planned_scripts(&workspace);
        let (first, create, cleanup) = (&scripts["initial_create"], &scripts["create"], &scripts["cleanup"]);
        assert!(text(cleanup, "sql").contains("Go on after a statement that says that its object does not exist"));
        if !first.is_null() {
            clean_up(&warehouse, cleanup);
            assert_alike(&warehouse.dump_all(), &before, "nothing was made");
        }
        // Where the clean-up ends, and what all databases share.
        let here = text(cleanup, "run_in_database");
        let before_here = warehouse.dump(here);
        let count = create["statements"].as_array().expect("a list").len();
        for at in sampled(0..=count, 4) {
            if !first.is_null() {
                warehouse.run_script(text(first, "run_in_database"), text(first, "sql")).expect("the database is made");
            }
            let made = warehouse.run_script_until(text(create, "run_in_database"), text(create, "sql"), at);
            assert_eq!(made.is_ok(), at == count, "statement {at}: {made:?}");
            clean_up(&warehouse, cleanup);
            assert_alike(&warehouse.dump(here), &before_here, &format!("statement {at} of\n{}", text(create, "sql")));
        }
        assert_alike(&warehouse.dump_all(), &before, "in the end");
    }
}
