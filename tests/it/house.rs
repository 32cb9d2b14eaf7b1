//! Papers that are printed from code are the ones the code would print. (The pages under docs/ are compared in xtask.)

use std::fs;

use crate::support::tools;

#[test]
fn the_list_of_what_the_stand_in_accepts_is_printed_from_its_table() {
    let committed = fs::read_to_string(tools::root().join("tests/standin/ALLOWED.md")).expect("ALLOWED.md");
    assert_eq!(
        committed,
        redshift_standin::allowed::document(),
        "cargo run -p redshift-standin -- --allowed > tests/standin/ALLOWED.md"
    );
}
