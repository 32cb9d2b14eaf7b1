//! What is recorded as given, and what is taken back by it.

use crate::engine::datastore::grantee::Grantee;
use crate::engine::datastore::steps::*;
use crate::engine::datastore::steps_tests::{apply, remove};
use crate::engine::datastore::wanted::{FutureTables, Made, Wanted, Which};
use crate::engine::datastore::world::{World, by_role, direct};
use crate::engine::rights::{Privilege, Rights};
use crate::engine::step::Step;

const USAGE: &str = "GRANT USAGE ON SCHEMA \"sales\" TO";
const SELECT: &str = "GRANT SELECT ON ALL TABLES IN SCHEMA \"sales\" TO";
const SELECT_ORDERS: &str = "GRANT SELECT ON TABLE \"sales\".\"orders\" TO";
const FUTURE: &str =
    "ALTER DEFAULT PRIVILEGES FOR USER \"etl\", \"owner\" IN SCHEMA \"sales\" GRANT SELECT ON TABLES TO";

fn without_future() -> Wanted {
    Wanted { future: FutureTables::None, ..direct() }
}

/// `sales` is external: its tables are elsewhere.
fn outside() -> World {
    let mut world = World::sample();
    world.tables.clear();
    world.external.insert("sales".into());
    world
}

#[test]
fn tables_that_came_later_are_ours_where_our_default_privileges_gave_the_right() {
    let svc = Grantee::user("svc");
    for (wanted, ours) in [(direct(), true), (without_future(), false)] {
        let (mut world, mut made) = (World::sample(), Made::default());
        world.execute(&format!("{SELECT_ORDERS} \"svc\""));
        apply(&mut world, &wanted, &mut made);
        world.add_table("later", "owner");
        world.execute("GRANT SELECT ON TABLE \"sales\".\"later\" TO \"svc\"");
        remove(&mut world, &wanted, &made);
        let has = |table: &str| world.tables[&("sales".to_owned(), table.to_owned())].2.contains_key(&svc);
        assert!(has("orders") && !has("lines"));
        assert_eq!(has("later"), !ours, "{wanted:?}");
    }
}

#[test]
fn rights_that_one_table_lacked_are_recorded_for_it_alone() {
    let wanted = Wanted { write: true, ..without_future() };
    let mut before = World::sample();
    before.execute(&format!("{SELECT} \"svc\""));
    before.execute("GRANT INSERT, UPDATE, DELETE ON TABLE \"sales\".\"orders\" TO \"svc\"");
    let (mut world, mut made) = (before.clone(), Made::default());
    let sent = apply(&mut world, &wanted, &mut made);
    assert!(sent.ends_with("GRANT INSERT, UPDATE, DELETE ON TABLE \"sales\".\"lines\" TO \"svc\";\n"), "{sent}");
    let writing = Rights::READ_WRITE.without(Rights::READ);
    let recorded = writing.iter().map(|privilege| (privilege, Which::Only(vec!["lines".into()])));
    assert_eq!(made.given_to(&Grantee::user("svc")).expect("a record").tables, recorded.collect());
    remove(&mut world, &wanted, &made);
    assert_eq!(world, before);
}

#[test]
fn who_has_less_than_the_one_who_is_gone_is_not_taken_for_him() {
    let scoped = Wanted { future: FutureTables::Schema, ..direct() };
    let cases: [(&str, Wanted, &[&str], &[&str]); 5] = [
        ("nothing on the schema", direct(), &[], &[SELECT, FUTURE]),
        ("nothing on tables", without_future(), &[], &[USAGE]),
        ("a right on a table that was not given", without_future(), &[SELECT_ORDERS], &[USAGE, SELECT_ORDERS]),
        ("nothing on future tables", direct(), &[], &[USAGE, SELECT]),
        ("no scoped right", scoped, &[], &[USAGE]),
    ];
    for (name, wanted, to_svc, to_other) in cases {
        let (mut world, mut made) = (World::sample(), Made::default());
        to_svc.iter().for_each(|grant| world.execute(&format!("{grant} \"svc\"")));
        apply(&mut world, &wanted, &mut made);
        world.users.retain(|user| user.name != "svc");
        to_other.iter().for_each(|grant| world.execute(&format!("{grant} \"other\"")));
        let before = world.clone();
        let other = Wanted { grantee: Some(Grantee::user("other")), ..wanted };
        apply(&mut world, &other, &mut made);
        remove(&mut world, &other, &made);
        assert_eq!(world, before, "{name}: what somebody else gave stays");
    }
}

#[test]
fn who_has_the_same_is_taken_for_renamed_only_after_one_of_his_kind_who_is_gone() {
    for (other, is_gone) in [(Grantee::user("other"), false), (Grantee::group("readers"), true)] {
        let (mut world, mut made) = (World::sample(), Made::default());
        apply(&mut world, &direct(), &mut made);
        for grant in [USAGE, SELECT, FUTURE] {
            world.execute(&format!("{grant} {}", other.sql()));
        }
        if is_gone {
            world.users.retain(|user| user.name != "svc");
        }
        let wanted = Wanted { grantee: Some(other), ..direct() };
        let sent = apply(&mut world, &wanted, &mut made);
        assert_eq!(sent.contains("REVOKE USAGE ON SCHEMA \"sales\" FROM \"svc\""), !is_gone, "{sent}");
        assert!(made.is_empty(), "what somebody else gave is not claimed: {made:?}");
    }
}

#[test]
fn temporary_tables_that_were_allowed_before_stay_allowed() {
    let mut before = outside();
    before.temp.insert(Grantee::user("svc"));
    for wanted in [direct(), by_role()] {
        let (mut world, mut made) = (before.clone(), Made::default());
        apply(&mut world, &wanted, &mut made);
        remove(&mut world, &wanted, &made);
        assert_eq!(world, before);
    }
}

#[test]
fn temporary_tables_go_with_the_grantee_they_were_allowed_for() {
    let before = outside();
    for other in [Wanted { grantee: Some(Grantee::user("other")), ..direct() }, by_role()] {
        let (mut world, mut made) = (before.clone(), Made::default());
        apply(&mut world, &direct(), &mut made);
        assert!(world.temp.contains(&Grantee::user("svc")));
        let sent = apply(&mut world, &other, &mut made);
        assert!(sent.contains("REVOKE TEMP ON DATABASE \"dev\" FROM \"svc\""), "{sent}");
        assert!(!world.temp.contains(&Grantee::user("svc")));
        remove(&mut world, &other, &made);
        assert_eq!(world, before);
    }
    // Taken away by hand: there is nothing to revoke.
    let (mut world, mut made) = (before.clone(), Made::default());
    apply(&mut world, &direct(), &mut made);
    world.temp.clear();
    let removal = removal(&world.found(&direct(), &made), &direct(), &made);
    assert!(removal.iter().all(|step| !step.sql.to_string().contains("TEMP")));
}

#[test]
fn from_a_role_of_ours_that_cannot_be_seen_goes_what_is_recorded_and_no_more() {
    let (mut world, mut made) = (World::sample(), Made::default());
    apply(&mut world, &by_role(), &mut made);
    world.sign_in("owner", &["CREATE ROLE", "ALTER DEFAULT PRIVILEGES"]);
    world.visible_roles.clear();
    assert_eq!(apply(&mut world, &by_role(), &mut made), "");
    let scoped = Wanted { future: FutureTables::Schema, ..by_role() };
    let sent = apply(&mut world, &scoped, &mut made);
    assert!(sent.contains("\nREVOKE SELECT ON ALL TABLES IN SCHEMA \"sales\" FROM ROLE"), "{sent}");
    assert_eq!(apply(&mut world, &scoped, &mut made), "");
}

#[test]
fn what_touches_an_external_schema_runs_alone_and_says_how_it_is_undone() {
    let grant = "GRANT USAGE ON SCHEMA \"sales\" TO ROLE \"tfds_0123456789\"";
    let revoke = "REVOKE USAGE ON SCHEMA \"sales\" FROM ROLE \"tfds_0123456789\"";
    for (before, alone) in [(outside(), vec![(grant, revoke), (revoke, grant)]), (World::sample(), vec![])] {
        let mut world = before;
        let plan = steps(&world.found(&by_role(), &Made::default()), &by_role(), &Made::default());
        world.run(&plan.steps);
        // A local schema beside it, in which the role got something, too.
        let rights = [(Grantee::role("tfds_0123456789"), Privilege::Usage.into())];
        world.schemas.insert("hr".into(), ("owner".into(), rights.into()));
        let removal = removal(&world.found(&by_role(), &plan.made), &by_role(), &plan.made);
        let all = plan.steps.iter().chain(&removal).filter(|step| step.alone);
        let undone = |step: &Step| step.undo.as_ref().map(ToString::to_string).unwrap_or_default();
        let found: Vec<(String, String)> = all.map(|step| (step.sql.to_string(), undone(step))).collect();
        let alone: Vec<(String, String)> = alone.iter().map(|(sql, undo)| ((*sql).into(), (*undo).into())).collect();
        assert_eq!(found, alone);
    }
}

#[test]
fn steps_say_what_they_are_for() {
    let mut world = World::sample();
    let plan = steps(&world.found(&direct(), &Made::default()), &direct(), &Made::default());
    let for_what = ["the schema itself", "the tables that are there", "tables that etl, owner will make"];
    assert_eq!(plan.steps.iter().map(|step| step.comment.as_str()).collect::<Vec<_>>(), for_what);
    world.run(&plan.steps);
    let removal = removal(&world.found(&direct(), &plan.made), &direct(), &plan.made);
    assert_eq!(removal.iter().map(|step| step.comment.as_str()).collect::<Vec<_>>(), for_what);
}
