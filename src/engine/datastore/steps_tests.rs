//! Lives of datastores in a small warehouse in memory.

use proptest::prelude::*;

use crate::engine::datastore::grantee::{Grantee, GranteeKind};
use crate::engine::datastore::missing::missing;
use crate::engine::datastore::steps::*;
use crate::engine::datastore::wanted::{FutureTables, Made, Through, Wanted, Which};
use crate::engine::datastore::world::{World, by_role, direct, golden};
use crate::engine::rights::{Privilege, Rights};
use crate::engine::step::Step;

fn text(steps: &[Step]) -> String {
    steps.iter().map(|step| format!("{};\n", step.sql)).collect()
}

/// Applies, and says what was sent.
pub(super) fn apply(world: &mut World, wanted: &Wanted, made: &mut Made) -> String {
    let plan = steps(&world.found(wanted, made), wanted, made);
    world.run(&plan.steps);
    *made = plan.made;
    text(&plan.steps)
}

pub(super) fn remove(world: &mut World, wanted: &Wanted, made: &Made) -> String {
    let steps = removal(&world.found(wanted, made), wanted, made);
    world.run(&steps);
    text(&steps)
}

fn lives(name: &str, wanted: &Wanted, before: &World) {
    let (mut world, mut made) = (before.clone(), Made::default());
    let created = apply(&mut world, wanted, &mut made);
    assert!(missing(&world.found(wanted, &made), wanted).is_empty(), "{name}");
    assert_eq!(apply(&mut world, wanted, &mut made), "", "{name}: a second apply has nothing to do");
    let removed = remove(&mut world, wanted, &made);
    assert_eq!(&world, before, "{name}: what was made is gone, and nothing else");
    assert_eq!(remove(&mut world, wanted, &made), "", "{name}: a second removal has nothing to do");
    golden(&format!("{name}.sql"), &format!("-- create\n{created}-- destroy\n{removed}"));
}

#[test]
fn a_datastore_is_made_once_and_removed_without_a_trace() {
    let world = World::sample();
    let group = |wanted: Wanted| Wanted { grantee: Some(Grantee::group("readers")), ..wanted };
    let store = |wanted: Wanted| Wanted { write: true, ..wanted };
    let scoped = |wanted: Wanted| Wanted { future: FutureTables::Schema, ..wanted };
    lives("source_direct", &direct(), &world);
    lives("source_role", &by_role(), &world);
    lives("source_group", &group(direct()), &world);
    lives("source_scoped_direct", &scoped(direct()), &world);
    lives("source_scoped_role", &scoped(by_role()), &world);
    lives("source_no_future_tables", &Wanted { future: FutureTables::None, ..direct() }, &world);
    lives("store_direct", &store(direct()), &world);
    lives("store_role", &store(by_role()), &world);
    let mut outside = World::sample();
    outside.tables.clear();
    outside.external.insert("sales".into());
    lives("source_external_direct", &direct(), &outside);
    lives("source_external_role", &by_role(), &outside);
}

#[test]
fn hostile_names_stay_names() {
    let mut world = World::sample();
    let name = "x\"; DROP SCHEMA sales; --\\'";
    world.users[3].name = name.into();
    world.add_table("t\"; DROP", "owner");
    let wanted = Wanted { grantee: Some(Grantee::user(name)), ..direct() };
    lives("hostile_names", &wanted, &world);
}

#[test]
fn what_was_there_before_is_neither_claimed_nor_taken_away() {
    let svc = Grantee::user("svc");
    let mut world = World::sample();
    world.schemas.get_mut("sales").expect("schema").1.insert(svc.clone(), Privilege::Usage.into());
    world.tables.get_mut(&("sales".into(), "orders".into())).expect("table").2.insert(svc, Rights::READ);
    lives("source_direct_beside_other_grants", &Wanted { future: FutureTables::None, ..direct() }, &world);
    lives("source_direct_beside_other_grants_future", &direct(), &world);
}

#[test]
fn unchanged_rights_after_import_send_nothing() {
    for wanted in [direct(), by_role(), Wanted { write: true, ..by_role() }] {
        let (mut world, mut made) = (World::sample(), Made::default());
        apply(&mut world, &wanted, &mut made);
        let mut imported = Made::default();
        if let Through::Role(role) = &wanted.through {
            imported = Made { role: Some(role.clone()), members: vec![Grantee::user("svc")], given: vec![] };
        }
        assert_eq!(apply(&mut world, &wanted, &mut imported), "");
        if wanted.through == Through::Direct {
            assert!(imported.is_empty(), "what was found is not claimed");
            assert_eq!(remove(&mut world, &wanted, &imported), "", "and not taken away");
        } else {
            remove(&mut world, &wanted, &imported);
            assert_eq!(world, World::sample());
        }
    }
}

#[test]
fn drift_is_put_right_by_one_statement() {
    for (name, wanted) in [("direct", direct()), ("role", by_role())] {
        let holder = wanted.holder().expect("holder");
        let (mut world, mut made) = (World::sample(), Made::default());
        apply(&mut world, &wanted, &mut made);
        let before = made.clone();
        world.tables.get_mut(&("sales".into(), "lines".into())).expect("table").2.remove(&holder);
        let found = world.found(&wanted, &made);
        assert_eq!(missing(&found, &wanted), ["SELECT on 1 of 3 tables (lines)"]);
        let sent = apply(&mut world, &wanted, &mut made);
        assert_eq!(sent, format!("GRANT SELECT ON TABLE \"sales\".\"lines\" TO {};\n", holder.sql()), "{name}");
        assert_eq!(made, before, "a repair claims what it claimed");
        for (_, _, held) in world.tables.values_mut() {
            held.remove(&holder);
        }
        let sent = apply(&mut world, &wanted, &mut made);
        assert_eq!(sent, format!("GRANT SELECT ON ALL TABLES IN SCHEMA \"sales\" TO {};\n", holder.sql()));
        remove(&mut world, &wanted, &made);
        assert_eq!(world, World::sample());
    }
}

#[test]
fn a_role_that_was_dropped_by_hand_is_made_again() {
    let (mut world, mut made) = (World::sample(), Made::default());
    let created = apply(&mut world, &by_role(), &mut made);
    world = World::sample();
    let found = world.found(&by_role(), &made);
    assert_eq!(missing(&found, &by_role())[0], "role tfds_0123456789");
    assert_eq!(apply(&mut world, &by_role(), &mut made), created);
    remove(&mut world, &by_role(), &made);
    assert_eq!(world, World::sample());
}

#[test]
fn changes_give_before_they_take() {
    let store = |wanted: Wanted| Wanted { write: true, ..wanted };
    let other = |wanted: Wanted| Wanted { grantee: Some(Grantee::user("other")), ..wanted };
    let owner_only = |wanted: Wanted| Wanted { future: FutureTables::Owners(vec!["owner".into()]), ..wanted };
    let scoped = |wanted: Wanted| Wanted { future: FutureTables::Schema, ..wanted };
    let nobody = |wanted: Wanted| Wanted { grantee: None, through: Through::Direct, ..wanted };
    for (name, one, two) in [
        ("change_direct_to_role", direct(), by_role()),
        ("change_role_to_direct", by_role(), direct()),
        ("change_store_to_source_direct", store(direct()), direct()),
        ("change_store_to_source_role", store(by_role()), by_role()),
        ("change_source_to_store_role", by_role(), store(by_role())),
        ("change_grantee_direct", direct(), other(direct())),
        ("change_grantee_role", by_role(), other(by_role())),
        ("change_owners_direct", direct(), owner_only(direct())),
        ("change_owners_role", by_role(), owner_only(by_role())),
        ("change_owners_to_schema_role", by_role(), scoped(by_role())),
        ("change_schema_to_owners_direct", scoped(direct()), direct()),
        ("change_role_to_nobody", by_role(), nobody(by_role())),
        ("change_direct_to_nobody", direct(), nobody(direct())),
    ] {
        let (mut world, mut made) = (World::sample(), Made::default());
        apply(&mut world, &one, &mut made);
        let sent = apply(&mut world, &two, &mut made);
        assert!(missing(&world.found(&two, &made), &two).is_empty(), "{name}");
        assert_eq!(apply(&mut world, &two, &mut made), "", "{name}: a second apply has nothing to do");
        let is_grant = |line: &str| line.starts_with("GRANT") || line.starts_with("CREATE") || line.contains(" GRANT ");
        let last_grant =
            sent.lines().enumerate().filter(|(_, line)| is_grant(line)).map(|(at, _)| at).last().unwrap_or(0);
        let first_revoke = sent.lines().position(|line| !is_grant(line)).unwrap_or(usize::MAX);
        assert!(last_grant <= first_revoke, "{name}: {sent}");
        // What is there is what a fresh datastore would have made.
        let (mut fresh, mut fresh_made) = (World::sample(), Made::default());
        apply(&mut fresh, &two, &mut fresh_made);
        assert_eq!(world, fresh, "{name}");
        assert_eq!(made, fresh_made, "{name}");
        golden(&format!("{name}.sql"), &sent);
        remove(&mut world, &two, &made);
        assert_eq!(world, World::sample(), "{name}");
    }
}

#[test]
fn what_cannot_be_seen_is_granted_once_and_taken_back_by_the_record() {
    for wanted in [direct(), by_role(), Wanted { future: FutureTables::Schema, ..by_role() }] {
        let mut before = World::sample();
        before.sign_in("owner", &["CREATE ROLE", "ALTER DEFAULT PRIVILEGES"]);
        let (mut world, mut made) = (before.clone(), Made::default());
        let sent = apply(&mut world, &wanted, &mut made);
        let covers_future = sent.contains("DEFAULT PRIVILEGES") || sent.contains("FOR TABLES IN SCHEMA");
        assert!(covers_future && sent.contains("USAGE"), "{sent}");
        assert!(missing(&world.found(&wanted, &made), &wanted).is_empty());
        assert_eq!(apply(&mut world, &wanted, &mut made), "", "no standing diff");
        remove(&mut world, &wanted, &made);
        assert_eq!(world, before);
    }
}

#[test]
fn a_role_that_is_not_ours_is_not_dropped() {
    let wanted = Wanted { through: Through::Role("analysts".into()), ..direct() };
    let mut before = World::sample();
    before.roles.insert("analysts".into());
    before.schemas.get_mut("sales").expect("schema").1.insert(Grantee::role("analysts"), Privilege::Create.into());
    let mut with_member = before.clone();
    with_member.members.insert(("analysts".into(), Grantee::user("svc")));
    for before in [before, with_member] {
        let (mut world, mut made) = (before.clone(), Made::default());
        apply(&mut world, &wanted, &mut made);
        assert!(missing(&world.found(&wanted, &made), &wanted).is_empty());
        remove(&mut world, &wanted, &made);
        assert_eq!(world, before, "nor is a membership ended that others gave");
    }
}

#[test]
fn gone_is_fine() {
    for wanted in [direct(), by_role()] {
        let (mut world, mut made) = (World::sample(), Made::default());
        apply(&mut world, &wanted, &mut made);
        world.schemas.clear();
        world.tables.clear();
        world.defaults.clear();
        let sent = remove(&mut world, &wanted, &made);
        let expected = if wanted == direct() { "" } else { "DROP ROLE \"tfds_0123456789\" FORCE;\n" };
        assert_eq!(sent, expected);
        let mut userless = World::sample();
        apply(&mut userless, &wanted, &mut Made::default());
        userless.users.retain(|user| user.name != "svc");
        if wanted == direct() {
            assert_eq!(remove(&mut userless, &wanted, &made), "");
        }
    }
}

#[test]
fn who_was_renamed_keeps_what_he_had_and_the_record_follows() {
    let renamed = |mut world: World| {
        world.rename("svc", "new");
        world
    };
    let foreign = Wanted { through: Through::Role("analysts".into()), ..direct() };
    let scoped = Wanted { future: FutureTables::Schema, ..direct() };
    let store = Wanted { write: true, ..direct() };
    for wanted in [direct(), store.clone(), scoped, by_role(), foreign.clone()] {
        let mut before = World::sample();
        before.roles.insert("analysts".into());
        let (mut world, mut made) = (before.clone(), Made::default());
        apply(&mut world, &wanted, &mut made);
        if wanted == foreign {
            // The role is somebody else's, and has what it has.
            before = world.clone();
            before.members.clear();
        }
        world = renamed(world);
        let under_new_name = Wanted { grantee: Some(Grantee::user("new")), ..wanted.clone() };
        let sent = apply(&mut world, &under_new_name, &mut made);
        assert_eq!(sent, "", "nothing is missing: {wanted:?}");
        let recorded = serde_json::to_string(&made).expect("serialises");
        assert!(!recorded.contains("svc") && (recorded.contains("new") || wanted == foreign), "{recorded}");
        let settled = made.clone();
        assert_eq!(apply(&mut world, &under_new_name, &mut made), "");
        assert_eq!(made, settled);
        // Another grantee takes over, and the renamed one loses it.
        let other = Wanted { grantee: Some(Grantee::user("other")), ..wanted.clone() };
        let (mut taken_over, mut made_then) = (world.clone(), made.clone());
        apply(&mut taken_over, &other, &mut made_then);
        let mut fresh = renamed(World::sample());
        fresh.roles.insert("analysts".into());
        apply(&mut fresh, &other, &mut Made::default());
        assert_eq!(taken_over, fresh, "{wanted:?}");
        if wanted != foreign {
            remove(&mut world, &under_new_name, &made);
            assert_eq!(world, renamed(before));
        }
    }
    // Less is wanted in the same apply.
    let (mut world, mut made) = (World::sample(), Made::default());
    apply(&mut world, &store, &mut made);
    world = renamed(world);
    let sent = apply(&mut world, &Wanted { grantee: Some(Grantee::user("new")), ..direct() }, &mut made);
    assert!(sent.contains("REVOKE CREATE ON SCHEMA \"sales\" FROM \"new\""), "{sent}");
    assert!(!sent.contains("GRANT "), "{sent}");
}

#[test]
fn of_who_was_dropped_by_hand_nothing_is_taken_back() {
    for wanted in [direct(), by_role()] {
        for sees_all in [true, false] {
            let mut before = World::sample();
            if !sees_all {
                before.sign_in("owner", &["CREATE ROLE", "ALTER DEFAULT PRIVILEGES"]);
            }
            let (mut world, mut made) = (before.clone(), Made::default());
            apply(&mut world, &wanted, &mut made);
            let other = Wanted { grantee: Some(Grantee::user("other")), ..wanted.clone() };
            // Dropped: his rights went first, as Redshift demands.
            let svc = Grantee::user("svc");
            world.schemas.values_mut().for_each(|(_, held)| held.retain(|holder, _| *holder != svc));
            world.tables.values_mut().for_each(|(_, _, held)| held.retain(|holder, _| *holder != svc));
            world.defaults.values_mut().for_each(|held| held.retain(|holder, _| *holder != svc));
            world.defaults.retain(|_, held| !held.is_empty());
            world.members.retain(|(_, member)| *member != svc);
            world.users.retain(|user| user.name != "svc");
            let sent = apply(&mut world, &other, &mut made);
            assert!(!sent.contains("REVOKE") && sent.contains("\"other\""), "{sent}");
            assert!(!made.members.contains(&svc) && made.given_to(&svc).is_none(), "{made:?}");
            assert_eq!(apply(&mut world, &other, &mut made), "");
            remove(&mut world, &other, &made);
            before.users.retain(|user| user.name != "svc");
            assert_eq!(world, before);
        }
    }
}

#[test]
fn a_membership_that_was_taken_away_by_hand_is_not_revoked_again() {
    let (mut world, mut made) = (World::sample(), Made::default());
    apply(&mut world, &by_role(), &mut made);
    world.members.clear();
    let other = Wanted { grantee: Some(Grantee::user("other")), ..by_role() };
    let sent = apply(&mut world, &other, &mut made);
    assert_eq!(sent, "GRANT ROLE \"tfds_0123456789\" TO \"other\";\n");
    assert_eq!(made.members, [Grantee::user("other")]);
}

#[test]
fn default_privileges_of_an_owner_who_may_not_create_any_more_are_taken_back() {
    for wanted in [direct(), by_role()] {
        let (mut world, mut made) = (World::sample(), Made::default());
        apply(&mut world, &wanted, &mut made);
        world.execute("REVOKE CREATE ON SCHEMA \"sales\" FROM \"etl\"");
        let sent = remove(&mut world, &wanted, &made);
        assert!(sent.contains("GRANT CREATE ON SCHEMA \"sales\" TO \"etl\""), "{sent}");
        let mut before = World::sample();
        before.execute("REVOKE CREATE ON SCHEMA \"sales\" FROM \"etl\"");
        assert_eq!(world, before, "what was lent is taken back");

        // One who was dropped.
        let (mut world, mut made) = (World::sample(), Made::default());
        apply(&mut world, &wanted, &mut made);
        world.users.retain(|user| user.name != "etl");
        assert!(!remove(&mut world.clone(), &wanted, &made).contains("etl"));
    }
}

#[test]
fn what_others_added_to_our_role_goes_with_it() {
    let (mut world, mut made) = (World::sample(), Made::default());
    apply(&mut world, &by_role(), &mut made);
    let role = Grantee::role("tfds_0123456789");
    world.schemas.insert("hr".into(), ("owner".into(), [(role.clone(), Privilege::Usage.into())].into()));
    let sent = remove(&mut world, &by_role(), &made);
    assert!(sent.contains("REVOKE USAGE ON SCHEMA \"hr\" FROM ROLE"), "{sent}");
}

#[test]
fn only_the_tables_that_were_granted_are_revoked() {
    let wanted = Wanted { future: FutureTables::None, ..direct() };
    let mut made = Made::default();
    made.record(&Grantee::user("svc")).tables.insert(Privilege::Select, Which::Only(vec!["orders".into()]));
    let mut world = World::sample();
    for table in ["orders", "lines"] {
        let held = &mut world.tables.get_mut(&("sales".into(), table.into())).expect("table").2;
        held.insert(Grantee::user("svc"), Rights::READ);
    }
    assert_eq!(remove(&mut world, &wanted, &made), "REVOKE SELECT ON TABLE \"sales\".\"orders\" FROM \"svc\";\n");
}

fn any_wanted() -> impl Strategy<Value = Wanted> {
    let future = prop_oneof![
        Just(FutureTables::None),
        Just(FutureTables::Schema),
        Just(FutureTables::Owners(vec!["owner".into()])),
        Just(FutureTables::Owners(vec!["etl".into(), "owner".into()])),
    ];
    let grantee =
        prop_oneof![Just(Grantee::user("svc")), Just(Grantee::user("other")), Just(Grantee::group("readers"))];
    (any::<bool>(), grantee, any::<bool>(), future).prop_map(|(write, grantee, role, future)| {
        let is_group = grantee.kind == GranteeKind::Group;
        let through = if role && !is_group { by_role().through } else { Through::Direct };
        let future = if is_group && future == FutureTables::Schema { FutureTables::None } else { future };
        Wanted { write, grantee: Some(grantee), through, future, ..direct() }
    })
}

/// Rights that somebody else gave, on tables, schema, future and scope.
fn any_grant() -> impl Strategy<Value = String> {
    let to = prop_oneof![Just("\"svc\""), Just("\"other\""), Just("GROUP \"readers\"")];
    let on = prop_oneof![
        Just("GRANT SELECT ON TABLE \"sales\".\"orders\" TO"),
        Just("GRANT SELECT, UPDATE ON TABLE \"sales\".\"lines\" TO"),
        Just("GRANT INSERT ON ALL TABLES IN SCHEMA \"sales\" TO"),
        Just("GRANT USAGE ON SCHEMA \"sales\" TO"),
        Just("GRANT CREATE ON SCHEMA \"sales\" TO"),
        Just("ALTER DEFAULT PRIVILEGES FOR USER \"owner\" IN SCHEMA \"sales\" GRANT SELECT ON TABLES TO"),
    ];
    (on, to).prop_map(|(on, to)| format!("{on} {to}"))
}

proptest! {
    /// Whatever others granted, and however settings change: each apply reaches what is wanted, a second has
    /// nothing to do, and removal leaves what others granted.
    #[test]
    fn every_life_ends_where_it_began(
        grants in proptest::collection::vec(any_grant(), 0..5),
        changes in proptest::collection::vec(any_wanted(), 1..4),
    ) {
        let mut before = World::sample();
        for grant in &grants {
            before.execute(grant);
        }
        let (mut world, mut made) = (before.clone(), Made::default());
        for wanted in &changes {
            apply(&mut world, wanted, &mut made);
            prop_assert_eq!(missing(&world.found(wanted, &made), wanted), Vec::<String>::new());
            prop_assert_eq!(apply(&mut world, wanted, &mut made), "");
        }
        remove(&mut world, changes.last().expect("one"), &made);
        prop_assert_eq!(world, before);
    }
}
