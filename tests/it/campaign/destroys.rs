//! Ordinary destroys, with no fault set, while databases come and go.

use super::{Bench, Parts, count};
use crate::support::{Warehouse, Workspace};

/// The user's destroy looks into every database while the integration's drops one.
#[test]
fn a_destroy_of_users_datastores_and_an_integration_never_fails() {
    let bench = Bench::new(&Parts::all());
    bench.write(false);
    for round in 0..count(60, 2) {
        bench.workspace.apply();
        let destroyed = bench.workspace.try_destroy();
        assert_eq!(destroyed.code, 0, "round {round}: {}", destroyed.text());
    }
    bench.left_behind().expect("as it was");
}

/// Each folder is a process of its own, which knows nothing of the others' turns.
#[test]
fn three_integrations_from_three_folders_come_and_go_at_once() {
    let warehouse = Warehouse::start();
    let before = warehouse.dump_all();
    let folders: Vec<Workspace> = (0..3).map(|_| Workspace::on(&warehouse)).collect();
    for (number, folder) in folders.iter().enumerate() {
        folder.write(&format!(
            "provider \"redshift\" {{}}\nresource \"redshift_integration\" \"i\" {{\n  auto_bootstrap = true\n  database       = \"governed_{number}\"\n  prefix         = \"p{number}\"\n}}\nresource \"redshift_user\" \"u\" {{\n  count = 4\n  name  = \"tool_{number}_${{count.index}}\"\n}}\n"
        ));
    }
    for round in 0..count(60, 2) {
        for (command, together) in [("apply", false), ("destroy", true)] {
            let arguments = [command, "-auto-approve", "-input=false", "-no-color"];
            let start = |folder: &Workspace| folder.start(&arguments);
            let outcomes: Vec<_> = match together {
                true => folders.iter().map(start).collect::<Vec<_>>().into_iter().map(|it| it.wait()).collect(),
                false => folders.iter().map(|folder| start(folder).wait()).collect(),
            };
            for (folder, outcome) in outcomes.iter().enumerate() {
                assert_eq!(outcome.code, 0, "round {round}, {command} in folder {folder}: {}", outcome.text());
            }
        }
    }
    assert_eq!(warehouse.dump_all(), before);
}
