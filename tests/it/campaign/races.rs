//! Two who make the same thing at the same time.

use super::count;
use crate::support::{Warehouse, Workspace};

/// One makes the user; the other reads how to import it, and never the words of an index.
#[test]
fn the_loser_of_a_race_for_a_user_reads_how_to_import_it() {
    let warehouse = Warehouse::start();
    let folders: Vec<Workspace> = (0..3).map(|_| Workspace::on(&warehouse)).collect();
    for folder in &folders {
        folder.write("provider \"redshift\" {}\nresource \"redshift_user\" \"tool\" {\n  name = \"tool\"\n}\n");
    }
    for round in 0..count(40, 3) {
        let start = |folder: &Workspace| folder.start(&["apply", "-auto-approve", "-input=false", "-no-color"]);
        let running: Vec<_> = folders.iter().map(start).collect();
        let outcomes: Vec<_> = running.into_iter().map(|it| it.wait()).collect();
        let lost: Vec<_> = outcomes.iter().filter(|outcome| outcome.code != 0).collect();
        assert_eq!(lost.len(), 2, "round {round}: one of three is first");
        for outcome in lost {
            let text = outcome.text();
            assert!(
                text.contains("User \"tool\" exists already") && text.contains("import {"),
                "round {round}: {text}"
            );
            assert!(!text.contains("duplicate key"), "round {round}: {text}");
        }
        for folder in &folders {
            folder.destroy();
        }
        assert_eq!(warehouse.sql("dev", "SELECT usename FROM pg_user WHERE usename = 'tool'").len(), 0);
    }
}
