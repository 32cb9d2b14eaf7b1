//! Lives of datastores in a small warehouse in memory.

use proptest::prelude::*;

use crate::engine::datastore::declared::Before;
use crate::engine::datastore::grantee::{Grantee, GranteeKind};
use crate::engine::datastore::missing::missing;
use crate::engine::datastore::owners::{renamed_away, there_before};
use crate::engine::datastore::refusal::check;
use crate::engine::datastore::steps::*;
use crate::engine::datastore::surplus::surplus;
use crate::engine::datastore::wanted::{FutureTables, Through, Wanted};
use crate::engine::datastore::world::{World, by_role, direct, golden};
use crate::engine::rights::{Privilege, Rights};
use crate::engine::step::Step;

fn text(steps: &[Step]) -> String {
    steps.iter().map(|step| format!("{};\n", step.sql)).collect()
}

/// Applies, and says what was sent.
pub(super) fn apply(world: &mut World, wanted: &Wanted, state: &mut Before) -> String {
    apply_beside(world, wanted, state, &[])
}

pub(super) fn apply_beside(world: &mut World, wanted: &Wanted, state: &mut Before, others: &[Wanted]) -> String {
    let steps = steps(&world.found(wanted, state), wanted, state, others);
    world.run(&steps);
    *state = Before::of(wanted);
    state.ids = world.found(wanted, state).ids;
    text(&steps)
}

pub(super) fn remove(world: &mut World, declared: &Wanted, state: &Before) -> String {
    remove_beside(world, declared, state, &[])
}

pub(super) fn remove_beside(world: &mut World, declared: &Wanted, state: &Before, others: &[Wanted]) -> String {
    let steps = removal(&world.found_by_id(declared, state), declared, state, others);
    world.run(&steps);
    text(&steps)
}

fn lives(name: &str, wanted: &Wanted, before: &World) {
    let (mut world, mut state) = (before.clone(), Before::default());
    let created = apply(&mut world, wanted, &mut state);
    assert!(missing(&world.found(wanted, &state), wanted).is_empty(), "{name}");
    assert_eq!(apply(&mut world, wanted, &mut state), "", "{name}: a second apply has nothing to do");
    let removed = remove(&mut world, wanted, &state);
    assert_eq!(&world, before, "{name}: what was made is gone, and nothing else");
    assert_eq!(remove(&mut world, wanted, &state), "", "{name}: a second removal has nothing to do");
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
fn what_is_declared_goes_whoever_gave_it_and_nothing_else() {
    let svc = Grantee::user("svc");
    let mut world = World::sample();
    for grant in [
        "GRANT USAGE ON SCHEMA \"sales\" TO \"svc\"",
        "GRANT SELECT, UPDATE ON TABLE \"sales\".\"orders\" TO \"svc\"",
        "ALTER DEFAULT PRIVILEGES FOR USER \"etl\" IN SCHEMA \"sales\" GRANT SELECT ON TABLES TO \"svc\"",
    ] {
        world.execute(grant);
    }
    let wanted = Wanted { future: FutureTables::Owners(vec!["owner".into()]), ..direct() };
    let mut state = Before::default();
    let found = world.found(&wanted, &state);
    let told = there_before(&found, &wanted, &state, &[]).expect("says which were there");
    assert!(told.detail.contains("- USAGE on schema sales\n- SELECT on orders\n"), "{told:?}");
    assert!(told.detail.contains("destroy will revoke") && !told.detail.contains("UPDATE"), "{told:?}");
    apply(&mut world, &wanted, &mut state);
    assert_eq!(there_before(&world.found(&wanted, &state), &wanted, &state, &[]), None, "it is declared now");
    remove(&mut world, &wanted, &state);
    let orders = &world.tables[&("sales".to_owned(), "orders".to_owned())].2;
    assert_eq!(orders[&svc], Privilege::Update.into(), "what is not declared stays");
    assert!(world.defaults.contains_key(&("etl".to_owned(), "sales".to_owned())), "and for whom nothing is declared");
    assert!(!world.schemas["sales"].1.contains_key(&svc));
}

#[test]
fn a_kill_after_the_commit_is_made_good_by_the_next_apply_and_destroy() {
    let store = |wanted: Wanted| Wanted { write: true, ..wanted };
    let group = Wanted { grantee: Some(Grantee::group("readers")), ..direct() };
    for wanted in [direct(), by_role(), store(direct()), group, Wanted { future: FutureTables::Schema, ..by_role() }] {
        let nothing = Before::default();
        let whole = steps(&World::sample().found(&wanted, &nothing), &wanted, &nothing, &[]);
        // After any number of statements, though they share a transaction.
        for done in 0..=whole.len() {
            let mut world = World::sample();
            world.run(&whole[..done]);
            let mut state = Before::default();
            apply(&mut world, &wanted, &mut state);
            let mut twice = world.clone();
            assert_eq!(apply(&mut twice, &wanted, &mut Before::default()), "", "a second kill changes nothing");
            assert!(missing(&world.found(&wanted, &state), &wanted).is_empty());
            remove(&mut world, &wanted, &state);
            assert_eq!(world, World::sample(), "{wanted:?} after {done}");
        }
    }
}

/// A process is killed in the midst of any change: the state still says what was, and the next apply goes on from there.
#[test]
fn a_kill_in_the_midst_of_a_change_is_made_good() {
    let other = |wanted: Wanted| Wanted { grantee: Some(Grantee::user("other")), ..wanted };
    let store = |wanted: Wanted| Wanted { write: true, ..wanted };
    let scoped = |wanted: Wanted| Wanted { future: FutureTables::Schema, ..wanted };
    for (one, two) in [
        (direct(), by_role()),
        (by_role(), direct()),
        (direct(), other(direct())),
        (by_role(), other(by_role())),
        (store(direct()), direct()),
        (store(by_role()), scoped(by_role())),
        (scoped(direct()), direct()),
    ] {
        let (mut settled, mut state) = (World::sample(), Before::default());
        apply(&mut settled, &one, &mut state);
        let whole = steps(&settled.found(&two, &state), &two, &state, &[]);
        for done in 0..=whole.len() {
            let (mut world, mut state) = (settled.clone(), state.clone());
            world.run(&whole[..done]);
            apply(&mut world, &two, &mut state);
            let (mut fresh, mut fresh_state) = (World::sample(), Before::default());
            apply(&mut fresh, &two, &mut fresh_state);
            assert_eq!(world, fresh, "{one:?} to {two:?} after {done}");
            remove(&mut world, &two, &state);
            assert_eq!(world, World::sample());
        }
    }
}

#[test]
fn what_another_object_of_the_process_declares_is_left() {
    let group = Wanted { grantee: Some(Grantee::group("readers")), ..direct() };
    for wanted in [direct(), by_role(), group] {
        // Made before the old one goes.
        let (mut world, mut state) = (World::sample(), Before::default());
        apply(&mut world, &wanted, &mut state);
        let (whole, old) = (world.clone(), state.clone());
        let mut new = Before::default();
        apply_beside(&mut world, &wanted, &mut new, std::slice::from_ref(&wanted));
        assert_eq!(remove_beside(&mut world, &wanted, &old, std::slice::from_ref(&wanted)), "");
        assert_eq!(world, whole);
        // Another mode, schema or grantee is no reason to keep anything.
        let mut elsewhere = Wanted { schema: "hr".into(), ..wanted.clone() };
        if wanted.role().is_some() {
            elsewhere.through = Through::Role("tfds_0000000001".into());
        }
        remove_beside(&mut world, &wanted, &old, &[elsewhere]);
        assert_eq!(world, World::sample());
    }
    // Of what the other one does not declare, nothing stays.
    let store = Wanted { write: true, ..direct() };
    let (mut world, mut state) = (World::sample(), Before::default());
    apply(&mut world, &store, &mut state);
    let sent = remove_beside(&mut world, &store, &state, &[direct()]);
    assert!(sent.contains("REVOKE CREATE ON SCHEMA \"sales\" FROM \"svc\""), "{sent}");
    let (mut source, mut state) = (World::sample(), Before::default());
    apply(&mut source, &direct(), &mut state);
    assert_eq!(world, source);
}

#[test]
fn a_schema_or_user_that_was_renamed_keeps_nothing() {
    let scoped = Wanted { future: FutureTables::Schema, ..by_role() };
    for wanted in [direct(), by_role(), scoped, Wanted { write: true, ..direct() }] {
        let (mut world, mut state) = (World::sample(), Before::default());
        apply(&mut world, &wanted, &mut state);
        let nothing_else = |world: &World| {
            let mut expected = World::sample();
            if world.schemas.contains_key("revenue") {
                expected.rename_schema("sales", "revenue");
            }
            if world.users.iter().any(|user| user.name == "new") {
                expected.rename("svc", "new");
            }
            expected
        };
        for (schema, user) in [(true, false), (false, true), (true, true)] {
            // A scoped right stays with the schema's name in this world.
            if schema && wanted.future == FutureTables::Schema {
                continue;
            }
            let mut world = world.clone();
            if schema {
                world.rename_schema("sales", "revenue");
            }
            if user {
                world.rename("svc", "new");
            }
            let before = nothing_else(&world);
            remove(&mut world, &wanted, &state);
            assert_eq!(world, before, "{wanted:?} {schema} {user}");
        }
    }
    // Without an id there is no telling, and so it is told.
    let mut world = World::sample();
    apply(&mut world, &direct(), &mut Before::default());
    world.rename_schema("sales", "revenue");
    world.rename("svc", "new");
    let state = Before::of(&direct());
    assert_eq!(remove(&mut world.clone(), &direct(), &state), "");
    let told = renamed_away(&world.found_by_id(&direct(), &state), &direct(), &state);
    assert!(told.iter().any(|warning| warning.summary.contains("Schema \"sales\"")), "{told:?}");
    assert!(told.iter().any(|warning| warning.summary.contains("no user svc")), "{told:?}");
}

#[test]
fn a_role_that_somebody_made_anew_is_neither_filled_nor_dropped() {
    let (mut world, mut state) = (World::sample(), Before::default());
    apply(&mut world, &by_role(), &mut state);
    assert_eq!(state.ids.role_owner.as_deref(), Some("admin"));
    let mut planted = World::sample();
    planted.execute("CREATE ROLE \"tfds_0123456789\"");
    planted.role_owners.insert("tfds_0123456789".into(), "other".into());
    let found = planted.found(&by_role(), &state);
    let refused = check(&found, &by_role(), &state).expect_err("is refused").to_string();
    assert!(refused.contains("user \"other\" owns it"), "{refused}");
    let before = planted.clone();
    assert_eq!(remove(&mut planted, &by_role(), &state), "");
    assert_eq!(planted, before);
    let told = renamed_away(&planted.found_by_id(&by_role(), &state), &by_role(), &state);
    assert!(told[0].summary.contains("was left as it is"), "{told:?}");
    // A state of an earlier release does not know the owner.
    assert!(check(&planted.found(&by_role(), &Before::of(&by_role())), &by_role(), &Before::of(&by_role())).is_ok());
}

#[test]
fn what_others_did_to_our_role_is_surplus_and_is_taken_back() {
    let (mut world, mut state) = (World::sample(), Before::default());
    apply(&mut world, &by_role(), &mut state);
    let whole = world.clone();
    assert_eq!(surplus(&world.found(&by_role(), &state), &by_role()), [] as [&str; 0]);
    world
        .schemas
        .insert("hr".into(), ("owner".into(), [(Grantee::role("tfds_0123456789"), Privilege::Usage.into())].into()));
    for grant in [
        "GRANT CREATE ON SCHEMA \"sales\" TO ROLE \"tfds_0123456789\"",
        "GRANT INSERT ON TABLE \"sales\".\"orders\" TO ROLE \"tfds_0123456789\"",
        "GRANT ROLE \"tfds_0123456789\" TO \"other\"",
        "ALTER DEFAULT PRIVILEGES FOR USER \"owner\" IN SCHEMA \"sales\" GRANT INSERT ON TABLES TO ROLE \"tfds_0123456789\"",
    ] {
        world.execute(grant);
    }
    assert_eq!(
        surplus(&world.found(&by_role(), &state), &by_role()),
        [
            "USAGE on schema hr",
            "CREATE on schema sales",
            "INSERT on 1 table of schema sales (orders)",
            "INSERT on future tables of owner in schema sales",
            "role tfds_0123456789 for user other",
        ]
    );
    assert_eq!(missing(&world.found(&by_role(), &state), &by_role()), [] as [&str; 0]);
    apply(&mut world, &by_role(), &mut state);
    world.schemas.remove("hr");
    assert_eq!(world, whole);
    assert_eq!(surplus(&World::sample().found(&direct(), &state), &direct()), [] as [&str; 0]);
}

#[test]
fn drift_is_put_right_by_one_statement() {
    for (name, wanted) in [("direct", direct()), ("role", by_role())] {
        let holder = wanted.holder().expect("holder");
        let (mut world, mut state) = (World::sample(), Before::default());
        apply(&mut world, &wanted, &mut state);
        world.tables.get_mut(&("sales".into(), "lines".into())).expect("table").2.remove(&holder);
        let found = world.found(&wanted, &state);
        assert_eq!(missing(&found, &wanted), ["SELECT on 1 of 3 tables (lines)"]);
        let sent = apply(&mut world, &wanted, &mut state);
        assert_eq!(sent, format!("GRANT SELECT ON TABLE \"sales\".\"lines\" TO {};\n", holder.sql()), "{name}");
        for (_, _, held) in world.tables.values_mut() {
            held.remove(&holder);
        }
        let sent = apply(&mut world, &wanted, &mut state);
        assert_eq!(sent, format!("GRANT SELECT ON ALL TABLES IN SCHEMA \"sales\" TO {};\n", holder.sql()));
        remove(&mut world, &wanted, &state);
        assert_eq!(world, World::sample());
    }
}

#[test]
fn a_role_that_was_dropped_by_hand_is_made_again() {
    let (mut world, mut state) = (World::sample(), Before::default());
    let created = apply(&mut world, &by_role(), &mut state);
    world = World::sample();
    let found = world.found(&by_role(), &state);
    assert_eq!(missing(&found, &by_role())[0], "role tfds_0123456789");
    assert_eq!(apply(&mut world, &by_role(), &mut state), created);
    remove(&mut world, &by_role(), &state);
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
        let (mut world, mut state) = (World::sample(), Before::default());
        apply(&mut world, &one, &mut state);
        let sent = apply(&mut world, &two, &mut state);
        assert!(missing(&world.found(&two, &state), &two).is_empty(), "{name}");
        assert_eq!(apply(&mut world, &two, &mut state), "", "{name}: a second apply has nothing to do");
        let is_grant = |line: &str| line.starts_with("GRANT") || line.starts_with("CREATE") || line.contains(" GRANT ");
        let last_grant =
            sent.lines().enumerate().filter(|(_, line)| is_grant(line)).map(|(at, _)| at).last().unwrap_or(0);
        let first_revoke = sent.lines().position(|line| !is_grant(line)).unwrap_or(usize::MAX);
        assert!(last_grant <= first_revoke, "{name}: {sent}");
        // What is there is what a fresh datastore would have made.
        let (mut fresh, mut fresh_state) = (World::sample(), Before::default());
        apply(&mut fresh, &two, &mut fresh_state);
        assert_eq!(world, fresh, "{name}");
        golden(&format!("{name}.sql"), &sent);
        remove(&mut world, &two, &state);
        assert_eq!(world, World::sample(), "{name}");
    }
}

#[test]
fn what_cannot_be_seen_is_granted_once_and_taken_back_as_declared() {
    for wanted in [direct(), by_role(), Wanted { future: FutureTables::Schema, ..by_role() }] {
        let mut before = World::sample();
        before.sign_in("owner", &["CREATE ROLE", "ALTER DEFAULT PRIVILEGES"]);
        let (mut world, mut state) = (before.clone(), Before::default());
        let sent = apply(&mut world, &wanted, &mut state);
        let covers_future = sent.contains("DEFAULT PRIVILEGES") || sent.contains("FOR TABLES IN SCHEMA");
        assert!(covers_future && sent.contains("USAGE"), "{sent}");
        assert!(missing(&world.found(&wanted, &state), &wanted).is_empty());
        assert_eq!(apply(&mut world, &wanted, &mut state), "", "no standing diff");
        remove(&mut world, &wanted, &state);
        assert_eq!(world, before);
    }
}

#[test]
fn a_role_that_is_not_ours_is_not_dropped() {
    let wanted = Wanted { through: Through::Role("analysts".into()), ..direct() };
    let mut before = World::sample();
    before.roles.insert("analysts".into());
    before.schemas.get_mut("sales").expect("schema").1.insert(Grantee::role("analysts"), Privilege::Create.into());
    let (mut world, mut state) = (before.clone(), Before::of(&wanted));
    apply(&mut world, &wanted, &mut state);
    assert!(missing(&world.found(&wanted, &state), &wanted).is_empty());
    assert_eq!(surplus(&world.found(&wanted, &state), &wanted), [] as [&str; 0]);
    remove(&mut world, &wanted, &state);
    assert_eq!(world, before);
}

#[test]
fn gone_is_fine() {
    for wanted in [direct(), by_role()] {
        let (mut world, mut state) = (World::sample(), Before::default());
        apply(&mut world, &wanted, &mut state);
        world.schemas.clear();
        world.tables.clear();
        world.defaults.clear();
        let sent = remove(&mut world, &wanted, &state);
        let expected = if wanted == direct() { "" } else { "DROP ROLE \"tfds_0123456789\" FORCE;\n" };
        assert_eq!(sent, expected);
        let mut userless = World::sample();
        apply(&mut userless, &wanted, &mut Before::default());
        userless.users.retain(|user| user.name != "svc");
        if wanted == direct() {
            assert_eq!(remove(&mut userless, &wanted, &state), "");
        }
    }
}

#[test]
fn who_was_renamed_keeps_what_he_had() {
    let renamed = |mut world: World| {
        world.rename("svc", "new");
        world
    };
    let scoped = Wanted { future: FutureTables::Schema, ..direct() };
    let store = Wanted { write: true, ..direct() };
    for wanted in [direct(), store.clone(), scoped, by_role()] {
        let (mut world, mut state) = (World::sample(), Before::default());
        apply(&mut world, &wanted, &mut state);
        world = renamed(world);
        let under_new_name = Wanted { grantee: Some(Grantee::user("new")), ..wanted.clone() };
        // Another grantee in the same apply: the renamed one loses it.
        let other = Wanted { grantee: Some(Grantee::user("other")), ..wanted.clone() };
        let (mut taken_over, mut state_then) = (world.clone(), state.clone());
        apply(&mut taken_over, &other, &mut state_then);
        let mut fresh = renamed(World::sample());
        apply(&mut fresh, &other, &mut Before::default());
        assert_eq!(taken_over, fresh, "{wanted:?}");
        let sent = apply(&mut world, &under_new_name, &mut state);
        assert_eq!(sent, "", "nothing is missing: {wanted:?}");
        assert_eq!(apply(&mut world, &under_new_name, &mut state), "");
        remove(&mut world, &under_new_name, &state);
        assert_eq!(world, renamed(World::sample()));
    }
    // Less is wanted in the same apply.
    let (mut world, mut state) = (World::sample(), Before::default());
    apply(&mut world, &store, &mut state);
    world = renamed(world);
    let sent = apply(&mut world, &Wanted { grantee: Some(Grantee::user("new")), ..direct() }, &mut state);
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
            let (mut world, mut state) = (before.clone(), Before::default());
            apply(&mut world, &wanted, &mut state);
            let other = Wanted { grantee: Some(Grantee::user("other")), ..wanted.clone() };
            // Dropped: his rights went first, as Redshift demands.
            let svc = Grantee::user("svc");
            world.schemas.values_mut().for_each(|(_, held)| held.retain(|holder, _| *holder != svc));
            world.tables.values_mut().for_each(|(_, _, held)| held.retain(|holder, _| *holder != svc));
            world.defaults.values_mut().for_each(|held| held.retain(|holder, _| *holder != svc));
            world.defaults.retain(|_, held| !held.is_empty());
            world.members.retain(|(_, member)| *member != svc);
            world.users.retain(|user| user.name != "svc");
            let sent = apply(&mut world, &other, &mut state);
            assert!(!sent.contains("REVOKE") && sent.contains("\"other\""), "{sent}");
            assert_eq!(apply(&mut world, &other, &mut state), "");
            remove(&mut world, &other, &state);
            before.users.retain(|user| user.name != "svc");
            assert_eq!(world, before);
        }
    }
}

#[test]
fn a_membership_that_was_taken_away_by_hand_is_not_revoked_again() {
    let (mut world, mut state) = (World::sample(), Before::default());
    apply(&mut world, &by_role(), &mut state);
    world.members.clear();
    let other = Wanted { grantee: Some(Grantee::user("other")), ..by_role() };
    let sent = apply(&mut world, &other, &mut state);
    assert_eq!(sent, "GRANT ROLE \"tfds_0123456789\" TO \"other\";\n");
}

#[test]
fn default_privileges_of_an_owner_who_may_not_create_any_more_are_taken_back() {
    for wanted in [direct(), by_role()] {
        let (mut world, mut state) = (World::sample(), Before::default());
        apply(&mut world, &wanted, &mut state);
        world.execute("REVOKE CREATE ON SCHEMA \"sales\" FROM \"etl\"");
        let sent = remove(&mut world, &wanted, &state);
        assert!(sent.contains("GRANT CREATE ON SCHEMA \"sales\" TO \"etl\""), "{sent}");
        let mut before = World::sample();
        before.execute("REVOKE CREATE ON SCHEMA \"sales\" FROM \"etl\"");
        assert_eq!(world, before, "what was lent is taken back");

        // One who was dropped.
        let (mut world, mut state) = (World::sample(), Before::default());
        apply(&mut world, &wanted, &mut state);
        world.users.retain(|user| user.name != "etl");
        assert!(!remove(&mut world.clone(), &wanted, &state).contains("etl"));
    }
}

#[test]
fn what_others_added_to_our_role_goes_with_it() {
    let (mut world, mut state) = (World::sample(), Before::default());
    apply(&mut world, &by_role(), &mut state);
    let role = Grantee::role("tfds_0123456789");
    world.schemas.insert("hr".into(), ("owner".into(), [(role.clone(), Privilege::Usage.into())].into()));
    let sent = remove(&mut world, &by_role(), &state);
    assert!(sent.contains("REVOKE USAGE ON SCHEMA \"hr\" FROM ROLE"), "{sent}");
}

#[test]
fn what_he_has_on_tables_of_his_own_stays() {
    let wanted = Wanted { write: true, future: FutureTables::None, ..direct() };
    let (mut world, mut state) = (World::sample(), Before::default());
    apply(&mut world, &wanted, &mut state);
    world.add_table("own", "svc");
    let svc = Grantee::user("svc");
    world.tables.get_mut(&("sales".into(), "own".into())).expect("is there").2.insert(svc.clone(), Rights::READ_WRITE);
    let sent = remove(&mut world, &wanted, &state);
    assert!(
        sent.contains("REVOKE SELECT, INSERT, UPDATE, DELETE ON TABLE \"sales\".\"lines\", \"sales\".\"orders\", "),
        "{sent}"
    );
    let holds = |table: &str| world.tables[&("sales".to_owned(), table.to_owned())].2.contains_key(&svc);
    assert!(holds("own") && !holds("orders") && !holds("lines") && !holds("totals"));
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
    /// Whatever others granted, and however settings change: each apply reaches what is wanted, a second has nothing to
    /// do, and in the end what was declared is gone and all else is as it was.
    #[test]
    fn every_life_ends_where_it_began(
        grants in proptest::collection::vec(any_grant(), 0..5),
        changes in proptest::collection::vec(any_wanted(), 1..4),
    ) {
        let mut expected = World::sample();
        for grant in &grants {
            expected.execute(grant);
        }
        let (mut world, mut state) = (expected.clone(), Before::default());
        for wanted in &changes {
            apply(&mut world, wanted, &mut state);
            prop_assert_eq!(missing(&world.found(wanted, &state), wanted), Vec::<String>::new());
            prop_assert_eq!(apply(&mut world, wanted, &mut state), "");
            take(&mut expected, wanted);
        }
        remove(&mut world, changes.last().expect("one"), &state);
        prop_assert_eq!(world, expected);
    }
}

/// Takes from a world what a datastore declares for a user or group.
fn take(world: &mut World, wanted: &Wanted) {
    let Some(holder) = wanted.holder().filter(|holder| holder.kind != GranteeKind::Role) else { return };
    let less = |held: &mut std::collections::BTreeMap<Grantee, Rights>, rights: Rights| {
        if let Some(own) = held.get_mut(&holder) {
            *own = own.without(rights);
        }
        held.retain(|_, rights| !rights.is_empty());
    };
    less(&mut world.schemas.get_mut("sales").expect("schema").1, wanted.schema_rights());
    if wanted.future != FutureTables::Schema {
        for (_, _, held) in world.tables.values_mut() {
            less(held, wanted.table_rights());
        }
    }
    for ((owner, _), held) in &mut world.defaults {
        if wanted.owners().contains(owner) {
            less(held, wanted.table_rights());
        }
    }
    world.defaults.retain(|_, held| !held.is_empty());
}
