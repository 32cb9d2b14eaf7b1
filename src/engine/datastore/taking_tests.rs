//! What is taken back.

use crate::engine::datastore::declared::Before;
use crate::engine::datastore::grantee::Grantee;
use crate::engine::datastore::steps::*;
use crate::engine::datastore::steps_tests::{apply, remove};
use crate::engine::datastore::wanted::{FutureTables, Wanted};
use crate::engine::datastore::world::{World, by_role, direct};
use crate::engine::rights::Privilege;
use crate::engine::step::Step;

/// `sales` is external: its tables are elsewhere.
fn outside() -> World {
    let mut world = World::sample();
    world.tables.clear();
    world.external.insert("sales".into());
    world
}

#[test]
fn temporary_tables_that_everybody_may_make_stay_allowed() {
    let (mut world, mut state) = (outside(), Before::default());
    let mut found = world.found(&direct(), &state);
    found.temp = Some(true);
    world.run(&steps(&found, &direct(), &state, &[]));
    state = Before::of(&direct());
    assert!(world.temp.is_empty(), "nothing was missing");
    remove(&mut world, &direct(), &state);
    assert_eq!(world, outside());
}

#[test]
fn temporary_tables_go_with_the_grantee_they_were_allowed_for() {
    let before = outside();
    for other in [Wanted { grantee: Some(Grantee::user("other")), ..direct() }, by_role()] {
        let (mut world, mut state) = (before.clone(), Before::default());
        apply(&mut world, &direct(), &mut state);
        assert!(world.temp.contains(&Grantee::user("svc")));
        let sent = apply(&mut world, &other, &mut state);
        assert!(sent.contains("REVOKE TEMP ON DATABASE \"dev\" FROM \"svc\""), "{sent}");
        assert!(!world.temp.contains(&Grantee::user("svc")));
        remove(&mut world, &other, &state);
        assert_eq!(world, before);
    }
    // Taken away by hand: there is nothing to revoke.
    let (mut world, mut state) = (before.clone(), Before::default());
    apply(&mut world, &direct(), &mut state);
    world.temp.clear();
    let removal = removal(&world.found(&direct(), &state), &direct(), &state, &[]);
    assert!(removal.iter().all(|step| !step.sql.to_string().contains("TEMP")));
}

#[test]
fn from_a_role_of_ours_that_cannot_be_seen_goes_what_is_declared_and_no_more() {
    let (mut world, mut state) = (World::sample(), Before::default());
    apply(&mut world, &by_role(), &mut state);
    world.sign_in("owner", &["CREATE ROLE", "ALTER DEFAULT PRIVILEGES"]);
    world.visible_roles.clear();
    assert_eq!(apply(&mut world, &by_role(), &mut state), "");
    let scoped = Wanted { future: FutureTables::Schema, ..by_role() };
    let sent = apply(&mut world, &scoped, &mut state);
    assert!(sent.contains("\nREVOKE SELECT ON ALL TABLES IN SCHEMA \"sales\" FROM ROLE"), "{sent}");
    assert_eq!(apply(&mut world, &scoped, &mut state), "");
}

#[test]
fn what_touches_an_external_schema_runs_alone_and_says_how_it_is_undone() {
    let grant = "GRANT USAGE ON SCHEMA \"sales\" TO ROLE \"tfds_0123456789\"";
    let revoke = "REVOKE USAGE ON SCHEMA \"sales\" FROM ROLE \"tfds_0123456789\"";
    for (before, alone) in [(outside(), vec![(grant, revoke), (revoke, grant)]), (World::sample(), vec![])] {
        let mut world = before;
        let made = steps(&world.found(&by_role(), &Before::default()), &by_role(), &Before::default(), &[]);
        world.run(&made);
        // A local schema beside it, in which the role got something, too.
        let rights = [(Grantee::role("tfds_0123456789"), Privilege::Usage.into())];
        world.schemas.insert("hr".into(), ("owner".into(), rights.into()));
        let state = Before::of(&by_role());
        let removal = removal(&world.found(&by_role(), &state), &by_role(), &state, &[]);
        let all = made.iter().chain(&removal).filter(|step| step.alone);
        let undone = |step: &Step| step.undo.as_ref().map(ToString::to_string).unwrap_or_default();
        let found: Vec<(String, String)> = all.map(|step| (step.sql.to_string(), undone(step))).collect();
        let alone: Vec<(String, String)> = alone.iter().map(|(sql, undo)| ((*sql).into(), (*undo).into())).collect();
        assert_eq!(found, alone);
    }
}

/// By hand somebody gave our role more: USAGE on an external schema, and what `etl` will make in one where it may not
/// create.
#[test]
fn what_our_role_got_in_other_schemas_goes_as_it_would_from_its_own() {
    let before = World::sample();
    let (mut world, mut state) = (before.clone(), Before::default());
    apply(&mut world, &by_role(), &mut state);
    let ours = Grantee::role("tfds_0123456789");
    world.schemas.insert("hr".into(), ("owner".into(), [].into()));
    world.defaults.insert(("etl".into(), "hr".into()), [(ours.clone(), Privilege::Select.into())].into());
    world.schemas.insert("lake".into(), ("owner".into(), [(ours, Privilege::Usage.into())].into()));
    world.external.insert("lake".into());

    let plans = [
        steps(&world.found(&by_role(), &state), &by_role(), &state, &[]),
        removal(&world.found(&by_role(), &state), &by_role(), &state, &[]),
    ];
    for steps in plans {
        let sent: Vec<String> = steps.iter().map(|step| step.sql.to_string()).collect();
        let place = |text: &str| sent.iter().position(|sql| sql.starts_with(text)).expect(text);
        let lent = place("GRANT CREATE ON SCHEMA \"hr\" TO \"etl\"");
        assert_eq!(place("ALTER DEFAULT PRIVILEGES FOR USER \"etl\" IN SCHEMA \"hr\""), lent + 1);
        assert_eq!(place("REVOKE CREATE ON SCHEMA \"hr\" FROM \"etl\""), lent + 2);
        let alone: Vec<&Step> = steps.iter().filter(|step| step.alone).collect();
        assert_eq!(alone.len(), 1, "{sent:?}");
        assert!(alone[0].sql.to_string().ends_with("ON SCHEMA \"lake\" FROM ROLE \"tfds_0123456789\""));
        let mut world = world.clone();
        world.run(&steps);
        assert!(world.defaults.keys().all(|(_, schema)| schema != "hr"));
        assert!(world.schemas["lake"].1.is_empty() && world.schemas["hr"].1.is_empty());
    }
}

#[test]
fn steps_say_what_they_are_for() {
    let mut world = World::sample();
    let made = steps(&world.found(&direct(), &Before::default()), &direct(), &Before::default(), &[]);
    let for_what = ["the schema itself", "the tables that are there", "tables that etl, owner will make"];
    assert_eq!(made.iter().map(|step| step.comment.as_str()).collect::<Vec<_>>(), for_what);
    world.run(&made);
    let state = Before::of(&direct());
    let removal = removal(&world.found(&direct(), &state), &direct(), &state, &[]);
    assert_eq!(removal.iter().map(|step| step.comment.as_str()).collect::<Vec<_>>(), for_what);
}
