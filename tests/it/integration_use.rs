//! `redshift_integration`: who sees and may what, who acts for whom, edits, and what somebody altered.

use serde_json::json;

use crate::campaign::sampled;
use crate::integration::{ACTS, USER, integration};
use crate::support::{Sitting, Warehouse, Workspace};

const PASSWORD: &str = "Person-secret-1";
const ROLE: &str = "  impersonation {\n    enabled = true\n    type    = \"role\"\n  }\n";
const CALL: &str = "CALL immuta_procedures.impersonate_user";
const VARIABLE: &str = "immuta_session.impersonation";
const TABLES: [&str; 4] = [
    "immuta_system.profile",
    "immuta_system.impersonation",
    "immuta_system.integration",
    "immuta_lock.integration_lock",
];

/// Ann, who may be made a member, Bob and Cat, each with a row in the profile.
fn people(warehouse: &Warehouse) {
    for name in ["ann", "bob", "cat"] {
        warehouse.sql("dev", &format!("CREATE USER {name} PASSWORD '{PASSWORD}'"));
    }
}

fn fill_profile(warehouse: &Warehouse) {
    for name in ["ann", "bob", "cat"] {
        let row = format!("INSERT INTO immuta_system.profile VALUES ('{name}', 'of {name}', NULL, NULL, NULL)");
        warehouse.sql("governed", &row);
    }
}

/// A warehouse with an integration and three people; Ann is a member.
fn acting(how: &str) -> (Warehouse, Workspace) {
    let warehouse = Warehouse::start();
    people(&warehouse);
    let workspace = Workspace::on(&warehouse);
    workspace.write(&integration(&format!("{USER}{how}")));
    workspace.apply();
    fill_profile(&warehouse);
    let member = match how == ROLE {
        true => "GRANT ROLE immuta_impersonator_role TO ann",
        false => "ALTER GROUP immuta_impersonator_role ADD USER ann",
    };
    warehouse.sql("dev", member);
    (warehouse, workspace)
}

fn sit(warehouse: &Warehouse, user: &str) -> Sitting {
    warehouse.sit(user, PASSWORD, "governed")
}

/// The users whose rows a session sees.
#[track_caller]
fn seen(session: &mut Sitting) -> Vec<String> {
    let rows = session.sql("SELECT immuta__userid FROM immuta_system.user_profile ORDER BY 1");
    rows.expect("the view can be read").into_iter().flatten().flatten().collect()
}

#[track_caller]
fn denied(result: Result<impl std::fmt::Debug, String>) {
    let error = result.expect_err("it was to be refused");
    assert!(error.contains("42501") || error.contains("permission denied"), "{error}");
}

fn token(session: &mut Sitting) -> String {
    session.value(&format!("SELECT current_setting('{VARIABLE}', FALSE)"))
}

fn set(session: &mut Sitting, token: &str) {
    session.sql(&format!("SET {VARIABLE} TO '{token}'")).expect("anybody may set a variable");
}

/// A token signed with the real key, as only the procedure can.
fn signed(warehouse: &Warehouse, claim: &str) -> String {
    let key = warehouse.sql("governed", "SELECT impersonation_key FROM immuta_system.impersonation");
    let key = key.into_iter().flatten().flatten().next().expect("there is a key");
    let sign = format!("SELECT sha2('{key}' || sha2('{key}' || '{claim}', 256), 256)");
    let signature = warehouse.sql("governed", &sign).into_iter().flatten().flatten().next().expect("a signature");
    format!("{signature}|{claim}")
}

fn impersonation_holds(how: &str) {
    let (warehouse, workspace) = acting(how);
    let mut ann = sit(&warehouse, "ann");
    let mut bob = sit(&warehouse, "bob");

    // A member acts for another, is told of who is not known, and ends it.
    assert_eq!(seen(&mut ann), ["ann"]);
    ann.sql(&format!("{CALL}('cat')")).expect("a member may");
    assert_eq!(seen(&mut ann), ["cat"]);
    let unknown = ann.sql(&format!("{CALL}('nobody')")).expect_err("there is no such row");
    assert!(unknown.contains("user nobody is not known here"), "{unknown}");
    ann.sql(&format!("{CALL}(NULL)")).expect("ends it");
    assert_eq!(seen(&mut ann), ["ann"]);

    // Two sessions of one member do not touch each other.
    let mut other = sit(&warehouse, "ann");
    ann.sql(&format!("{CALL}('bob')")).expect("a member may");
    other.sql(&format!("{CALL}('cat')")).expect("a member may");
    assert_eq!((seen(&mut ann), seen(&mut other)), (vec!["bob".to_owned()], vec!["cat".to_owned()]));
    let of_ann = token(&mut ann);
    assert!(of_ann.ends_with("|bob"), "{of_ann}");

    // Who is no member may not call; what he sets by hand, tampered or stolen, is not believed.
    denied(bob.sql(&format!("{CALL}('cat')")));
    denied(bob.sql(&format!("{CALL}(NULL)")));
    for forged in ["cat", "", "||||cat", &of_ann, &of_ann.replace("|bob", "|cat")] {
        set(&mut bob, forged);
        assert_eq!(seen(&mut bob), ["bob"], "{forged}");
    }

    // The member cannot change the own token, nor take it along to a new session.
    for (from, to) in [("|bob", "|cat"), ("|20", "|30")] {
        set(&mut ann, &of_ann.replacen(from, to, 1));
        assert_eq!(seen(&mut ann), ["ann"], "{from} as {to}");
    }
    set(&mut ann, &of_ann);
    assert_eq!(seen(&mut ann), ["bob"]);
    let mut fresh = sit(&warehouse, "ann");
    assert_eq!(seen(&mut fresh), ["ann"]);
    set(&mut fresh, &of_ann);
    assert_eq!(seen(&mut fresh), ["ann"]);

    // Time: the same claim, truly signed, is believed until it ends.
    let pid = ann.value("SELECT pg_backend_pid()");
    let caller = ann.value("SELECT sha2('ann', 256)");
    let in_an_hour = warehouse.sql("dev", "SELECT to_char(getdate() + interval '1 hour', 'YYYYMMDDHH24MISS')");
    let in_an_hour = in_an_hour[0][0].clone().unwrap_or_default();
    for (end, whom) in [("20200101000000", "ann"), ("20990101000000", "ann"), (in_an_hour.as_str(), "cat")] {
        set(&mut ann, &signed(&warehouse, &format!("{pid}|{end}|{caller}|cat")));
        assert_eq!(seen(&mut ann), [whom], "{end}");
    }
    let now = warehouse.sql("dev", "SELECT to_char(getdate() + interval '4 hours 1 minute', 'YYYYMMDDHH24MISS')");
    let latest = now[0][0].clone().unwrap_or_default();
    let end = of_ann.split('|').nth(2).unwrap_or_default().to_owned();
    assert!(end.len() == 14 && end < latest, "it ends within four hours: {of_ann}");

    // Whoever becomes another leaves the claim behind.
    let mut root = warehouse.sit(warehouse.superuser(), warehouse.password(), "governed");
    root.sql("SET SESSION AUTHORIZATION 'ann'").expect("a superuser may");
    root.sql(&format!("{CALL}('bob')")).expect("as ann");
    assert_eq!(seen(&mut root), ["bob"]);
    root.sql("SET SESSION AUTHORIZATION 'cat'").expect("a superuser may");
    assert_eq!(seen(&mut root), ["cat"]);

    // Who is no member any more cannot begin again.
    let leave = match how == ROLE {
        true => "REVOKE ROLE immuta_impersonator_role FROM ann",
        false => "ALTER GROUP immuta_impersonator_role DROP USER ann",
    };
    warehouse.sql("dev", leave);
    denied(sit(&warehouse, "ann").sql(&format!("{CALL}('cat')")));
    workspace.plan().assert_empty();
}

/// Proves: I24
#[test]
fn members_of_the_group_act_for_others_and_nobody_else_does() {
    impersonation_holds(ACTS);
}

#[test]
fn holders_of_the_role_act_for_others_and_nobody_else_does() {
    impersonation_holds(ROLE);
}

/// What a person may: the own row and nothing else.
#[track_caller]
fn sees_only_own_rows(warehouse: &Warehouse) {
    let root = (warehouse.superuser(), warehouse.password());
    let system_user = warehouse.sql("governed", "SELECT nspname FROM pg_namespace WHERE nspname = 'immuta_system'");
    assert_eq!(system_user.len(), 1);
    assert!(warehouse.sql_as(root.0, root.1, "governed", "SELECT * FROM immuta_system.profile").is_ok());
    for name in ["ann", "bob"] {
        assert_eq!(seen(&mut sit(warehouse, name)), [name]);
        for table in TABLES {
            for statement in [
                format!("SELECT * FROM {table}"),
                format!("SELECT count(*) FROM {table}"),
                format!("DELETE FROM {table}"),
            ] {
                let result = warehouse.sql_as(name, PASSWORD, "governed", &statement);
                let error = result.expect_err("an ordinary user is refused");
                let absent = table.ends_with(".impersonation") && error.contains("does not exist");
                assert!(absent || error.contains("permission denied"), "{name}: {statement}: {error}");
            }
        }
        for statement in [
            "DELETE FROM immuta_system.user_profile",
            "CREATE TABLE immuta_system.mine (a integer)",
            "CREATE TABLE immuta_functions.mine (a integer)",
            "CREATE TABLE immuta_procedures.mine (a integer)",
            "CREATE TABLE public.mine (a integer)",
            "CREATE SCHEMA mine",
            "DROP VIEW immuta_system.user_profile",
        ] {
            let result = warehouse.sql_as(name, PASSWORD, "governed", statement);
            let error = result.expect_err(statement);
            assert!(
                ["permission denied", "must be owner", "cannot delete from view"]
                    .iter()
                    .any(|text| error.contains(text)),
                "{statement}: {error}"
            );
        }
    }
}

/// The lines of a dump that name a grantee or owner, less the marker's.
fn rights_of(warehouse: &Warehouse, who: &str) -> Vec<String> {
    let relevant = |line: &String| {
        ["database governed", "schema ", "relation immuta_", "routine immuta_", "default "]
            .iter()
            .any(|start| line.starts_with(start))
    };
    let held = |line: String| {
        let place: String = line.split(" source=").next().unwrap_or_default().to_owned();
        let (head, acl) = place.split_once("owner=").unwrap_or((&place, ""));
        let (owner, rights) = acl.split_once(' ').unwrap_or((acl, ""));
        let mut rights: Vec<String> = rights
            .split(", ")
            .filter_map(|right| {
                right
                    .strip_prefix(&format!("{who}: "))
                    .or_else(|| right.rsplit_once(&format!(" {who}: ")).map(|(_, right)| right))
            })
            .map(|right| right.split(" by ").next().unwrap_or_default().to_owned())
            .collect();
        rights.sort();
        if who == format!("user {owner}") {
            rights.push("owner".to_owned());
        }
        (!rights.is_empty()).then(|| format!("{}{}", head, rights.join(" ")))
    };
    warehouse.dump("governed").into_iter().filter(relevant).filter_map(held).collect()
}

#[test]
fn public_and_the_system_user_have_exactly_their_rights() {
    let (warehouse, _workspace) = acting(ACTS);
    sees_only_own_rows(&warehouse);
    let usage = |schema: &str| format!("schema {schema} USAGE");
    let schemas = ["immuta_functions", "immuta_procedures", "immuta_system", "public"].map(usage);
    let mut public =
        vec!["database governed TEMPORARY".to_owned(), "relation immuta_system.user_profile v SELECT".to_owned()];
    public.extend(schemas);
    assert_eq!(rights_of(&warehouse, "public "), public);
    let owns = [
        "database governed owner",
        "relation immuta_system.impersonation r owner",
        "relation immuta_system.profile r owner",
        "relation immuta_system.user_profile v owner",
        "routine immuta_procedures.immuta_procedures.impersonate_user(character varying) owner",
        "schema immuta_functions owner",
        "schema immuta_procedures owner",
        "schema immuta_system CREATE USAGE",
    ];
    assert_eq!(rights_of(&warehouse, "user immuta_system_user"), owns);
}

/// Each edit in place, each followed by an empty plan, and an ordinary user sees no more after any of them.
/// Proves: I54
#[test]
fn every_edit_in_place_keeps_the_tables_shut() {
    let warehouse = Warehouse::start();
    people(&warehouse);
    warehouse.sql("dev", "CREATE USER keeper PASSWORD DISABLE");
    warehouse.sql("dev", &format!("CREATE USER second PASSWORD '{PASSWORD}' CREATEUSER"));
    let before = warehouse.dump_all();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&integration(USER));
    workspace.apply();
    fill_profile(&warehouse);
    sees_only_own_rows(&warehouse);
    let off = warehouse.dump_all();
    let id = workspace.values("redshift_integration.i")["id"].clone();

    let acts = |more: &str| format!("  impersonation {{\n    enabled = true\n{more}\n  }}\n");
    let version_2 = USER.replace("secret-1", "secret-2").replace("= 1", "= 2");
    let keeper = "  marker_owner = \"keeper\"\n";
    let named = acts("    name = \"stewards\"");
    let role = acts("    name = \"stewards\"\n    type = \"role\"");
    let role_2 = acts("    name = \"deputies\"\n    type = \"role\"");
    let edits = [
        ("on", format!("{USER}{ACTS}"), "group immuta_impersonator_role"),
        ("renamed", format!("{USER}{named}"), "group stewards"),
        ("a role", format!("{USER}{role}"), "role stewards"),
        ("role renamed", format!("{USER}{role_2}"), "role deputies"),
        ("rotated", format!("{version_2}{role_2}"), "role deputies"),
        ("marker owner", format!("{version_2}{role_2}{keeper}"), "role deputies"),
        ("a group again", format!("{version_2}{ACTS}{keeper}"), "group immuta_impersonator_role"),
        ("off", version_2.clone(), ""),
        ("on again", format!("{version_2}{ACTS}"), "group immuta_impersonator_role"),
        ("off again", version_2.clone(), ""),
    ];
    let mut lines_before = String::new();
    for (what, lines, actors) in sampled(edits, 5) {
        // In a sample one edit may come to what the one before came to.
        if lines == lines_before {
            continue;
        }
        lines_before.clone_from(&lines);
        workspace.write(&integration(&lines));
        let plan = workspace.plan();
        assert_eq!(plan.changes().get("redshift_integration.i"), Some(&vec!["update".to_owned()]), "{what}");
        workspace.apply();
        workspace.plan().assert_empty();
        let values = workspace.values("redshift_integration.i");
        assert_eq!(
            (&values["status"], &values["missing"], &values["id"]),
            (&json!("enabled"), &json!([]), &id),
            "{what}"
        );
        sees_only_own_rows(&warehouse);
        let shared = warehouse.dump("dev");
        for name in ["group immuta_impersonator_role", "group stewards", "role stewards", "role deputies"] {
            let there = shared.iter().any(|line| line.starts_with(&format!("{name} ")));
            assert_eq!(there, name == actors, "{what}: {name}");
        }
        if let Some((kind, name)) = actors.split_once(' ') {
            let join = if kind == "role" {
                format!("GRANT ROLE {name} TO bob")
            } else {
                format!("ALTER GROUP {name} ADD USER bob")
            };
            warehouse.sql("dev", &join);
            let mut bob = sit(&warehouse, "bob");
            bob.sql(&format!("{CALL}('cat')")).expect("a member may");
            assert_eq!(seen(&mut bob), ["cat"], "{what}");
            denied(sit(&warehouse, "ann").sql(&format!("{CALL}('cat')")));
        }
        let signs_in =
            |password: &str| warehouse.sql_as("immuta_system_user", password, "governed", "SELECT 1").is_ok();
        let second = lines.contains("secret-2");
        assert_eq!((signs_in("System-secret-1"), signs_in("System-secret-2")), (!second, second), "{what}");
    }
    // Without a source of a password, and with one again.
    let signs_in = || warehouse.sql_as("immuta_system_user", "System-secret-2", "governed", "SELECT 1").is_ok();
    for (lines, may) in [("", false), (version_2.as_str(), true)] {
        workspace.write(&integration(lines));
        workspace.apply();
        workspace.plan().assert_empty();
        assert_eq!(signs_in(), may);
    }
    let marker_of_keeper = |line: &String| line.contains("owner=keeper") || line.contains(" by keeper");
    let same = |lines: Vec<String>| -> Vec<String> {
        lines
            .into_iter()
            .filter(|line| !marker_of_keeper(line) && !line.starts_with("user immuta_system_user"))
            .collect()
    };
    let now = warehouse.dump_all();
    assert!(now.iter().filter(|line| marker_of_keeper(line)).count() <= 4, "{now:#?}");
    let differs: Vec<String> = same(now).into_iter().filter(|line| !off.contains(line)).collect();
    assert_eq!(differs, Vec::<String>::new());
    workspace.destroy();
    assert_eq!(warehouse.dump_all(), before);
}

/// Proves: I54
#[test]
fn what_cannot_change_in_place_is_planned_as_a_replacement() {
    let warehouse = Warehouse::start();
    let before = warehouse.dump_all();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&integration(USER));
    workspace.apply();
    // The defaults, written out, are no change.
    let named = USER.replace("system_user {\n", "system_user {\n    name = \"immuta_system_user\"\n");
    let written = format!("{named}  type = \"Redshift\"\n  prefix = \"immuta\"\n  create_database = true\n");
    let off = "  impersonation {\n    enabled = false\n  }\n  force_destroy = false\n";
    workspace.write(&integration(&format!("{written}{off}")));
    let changes = workspace.plan().changes();
    assert!(changes.values().all(|actions| actions == &["update"]), "{changes:?}");
    warehouse.reset_counters();
    workspace.apply();
    assert_eq!(warehouse.writes(), 0, "{:?}", warehouse.statements());
    workspace.plan().assert_empty();

    let replaced = |config: &str| {
        workspace.write(config);
        let plan = workspace.plan();
        assert_eq!(
            plan.changes().get("redshift_integration.i"),
            Some(&vec!["delete".to_owned(), "create".to_owned()]),
            "{config}"
        );
    };
    replaced(&integration(&format!("{USER}  type = \"RedshiftSpectrum\"\n  create_database = true\n")));
    replaced(&integration(USER).replace("\"governed\"", "\"other\""));
    replaced(&integration(&format!("{USER}  prefix = \"gov\"\n")));
    replaced(&integration(&format!("{USER}  create_database = false\n")).replace("\"governed\"", "\"sample\""));
    replaced(&integration(&USER.replace("system_user {\n", "system_user {\n    name = \"somebody\"\n")));
    workspace.apply();
    let user = "SELECT usename FROM pg_user WHERE usename IN ('somebody', 'immuta_system_user')";
    assert_eq!(warehouse.sql("dev", user), vec![vec![Some("somebody".to_owned())]]);
    workspace.plan().assert_empty();
    workspace.destroy();
    assert_eq!(warehouse.dump_all(), before);
}

/// What somebody alters is seen, named, repaired, and then all is as it was made.
#[track_caller]
fn repaired(warehouse: &Warehouse, workspace: &Workspace, statements: &[&str], named: &[&str]) {
    let whole = warehouse.dump_all();
    for statement in statements {
        warehouse.sql("governed", statement);
    }
    assert_ne!(warehouse.dump_all(), whole, "{statements:?} changes something");
    let plan = workspace.plan();
    assert_eq!(plan.changes().get("redshift_integration.i"), Some(&vec!["update".to_owned()]), "{statements:?}");
    let before = &plan.change("redshift_integration.i")["before"];
    assert_eq!(before["status"], json!("recurringValidationError"), "{statements:?}");
    let told = format!("{} {}", before["missing"], before["surplus"]);
    for name in named {
        assert!(told.contains(name) && !told.contains("\"no "), "{statements:?}: {told}");
    }
    let applied = workspace.try_apply();
    assert_eq!(applied.code, 0, "{statements:?}: {}", applied.text());
    workspace.plan().assert_empty();
    assert_eq!(warehouse.dump_all(), whole, "{statements:?}");
    let values = workspace.values("redshift_integration.i");
    assert_eq!((&values["status"], &values["missing"]), (&json!("enabled"), &json!([])), "{statements:?}");
    assert_eq!(values["surplus"], json!([]), "{statements:?}");
}

const SHOWS_ALL: &str = "CREATE OR REPLACE VIEW immuta_system.user_profile AS SELECT p.* FROM immuta_system.profile p";
const ANYBODY: &str = "CREATE OR REPLACE PROCEDURE immuta_procedures.impersonate_user(target IN varchar(256)) AS $rs_body$\nBEGIN\n  RETURN;\nEND;\n$rs_body$ LANGUAGE plpgsql SECURITY DEFINER SET search_path = immuta_system";

#[test]
fn what_somebody_alters_is_seen_and_repaired() {
    let (warehouse, workspace) = acting(ACTS);
    let whole = |statements: &[&str], named: &[&str]| repaired(&warehouse, &workspace, statements, named);
    whole(&[SHOWS_ALL], &["view immuta_system.user_profile as it was made"]);
    assert_eq!(seen(&mut sit(&warehouse, "ann")), ["ann"]);
    warehouse.sql("dev", "CREATE ROLE readers");
    let altered: Vec<(&[&str], &[&str])> = vec![
        (&[ANYBODY], &["procedure immuta_procedures.impersonate_user(varchar) as it was made"]),
        (&["GRANT SELECT ON immuta_system.profile TO bob"], &["SELECT on immuta_system.profile for user bob"]),
        (
            &[
                "DROP VIEW immuta_system.user_profile",
                "CREATE VIEW immuta_system.user_profile AS SELECT 1 AS a",
                "GRANT SELECT ON immuta_system.user_profile TO bob",
            ],
            &["view immuta_system.user_profile as it was made"],
        ),
        (
            &["GRANT SELECT ON immuta_system.impersonation TO PUBLIC"],
            &["SELECT on immuta_system.impersonation for PUBLIC"],
        ),
        (
            &["GRANT SELECT ON immuta_system.profile TO ROLE readers"],
            &["SELECT on immuta_system.profile for role readers"],
        ),
        (
            &["GRANT UPDATE ON immuta_system.integration TO GROUP analysts"],
            &["UPDATE on immuta_system.integration for group analysts"],
        ),
        (&["REVOKE USAGE ON SCHEMA immuta_functions FROM PUBLIC"], &["USAGE on schema immuta_functions for PUBLIC"]),
        (&["REVOKE USAGE ON SCHEMA immuta_system FROM PUBLIC"], &["USAGE on schema immuta_system for PUBLIC"]),
        (
            &["REVOKE SELECT ON immuta_system.user_profile FROM PUBLIC"],
            &["SELECT on immuta_system.user_profile for PUBLIC"],
        ),
        (&["ALTER TABLE immuta_system.profile OWNER TO cat"], &["immuta_system.profile owned by immuta_system_user"]),
        (&["DROP SCHEMA immuta_functions"], &["schema immuta_functions"]),
        (&["DROP VIEW immuta_system.user_profile"], &["view immuta_system.user_profile"]),
        (
            &["DROP PROCEDURE immuta_procedures.impersonate_user(varchar)"],
            &["procedure immuta_procedures.impersonate_user(varchar)"],
        ),
        (&["GRANT EXECUTE ON PROCEDURE immuta_procedures.impersonate_user(varchar) TO bob"], &["EXECUTE", "bob"]),
        (&["GRANT CREATE ON SCHEMA immuta_system TO PUBLIC"], &["CREATE on schema immuta_system for PUBLIC"]),
        (&["GRANT CREATE ON SCHEMA immuta_functions TO bob"], &["CREATE on schema immuta_functions for user bob"]),
        (
            &["GRANT CREATE ON SCHEMA immuta_procedures TO ROLE readers"],
            &["CREATE on schema immuta_procedures for role readers"],
        ),
        (
            &["GRANT SELECT FOR TABLES IN SCHEMA immuta_system DATABASE governed TO ROLE readers"],
            &["SELECT for tables in schema immuta_system for role readers"],
        ),
        (&["GRANT CREATE ON SCHEMA public TO PUBLIC"], &["CREATE on schema public for PUBLIC"]),
        (&["GRANT CREATE ON DATABASE governed TO PUBLIC"], &["database governed for PUBLIC"]),
        (&["ALTER DATABASE governed OWNER TO cat"], &["database governed owned by immuta_system_user"]),
        (
            &["REVOKE ALL ON SCHEMA immuta_system FROM immuta_system_user"],
            &["USAGE and CREATE on schema immuta_system for user immuta_system_user"],
        ),
    ];
    for (statements, named) in sampled(altered, 6) {
        whole(statements, named);
    }
    // Several at once, also where one is in the way of repairing the other.
    whole(
        &[
            SHOWS_ALL,
            "ALTER TABLE immuta_system.user_profile OWNER TO cat",
            "ALTER PROCEDURE immuta_procedures.impersonate_user(varchar) OWNER TO cat",
            "GRANT SELECT ON immuta_system.profile TO bob",
        ],
        &[
            "immuta_system.user_profile owned by immuta_system_user",
            "procedure immuta_procedures.impersonate_user(varchar) owned by immuta_system_user",
        ],
    );
    // The group goes with its members.
    warehouse.sql("dev", "ALTER GROUP immuta_impersonator_role DROP USER ann");
    whole(
        &[
            "REVOKE EXECUTE ON PROCEDURE immuta_procedures.impersonate_user(varchar) FROM GROUP immuta_impersonator_role",
            "DROP GROUP immuta_impersonator_role",
        ],
        &["group immuta_impersonator_role", "EXECUTE on procedure"],
    );
}

#[test]
fn a_role_that_was_dropped_is_made_again() {
    let (warehouse, workspace) = acting(ROLE);
    warehouse.sql("dev", "REVOKE ROLE immuta_impersonator_role FROM ann");
    let revoke =
        "REVOKE EXECUTE ON PROCEDURE immuta_procedures.impersonate_user(varchar) FROM ROLE immuta_impersonator_role";
    repaired(
        &warehouse,
        &workspace,
        &[revoke, "DROP ROLE immuta_impersonator_role FORCE"],
        &["role immuta_impersonator_role"],
    );
    warehouse.sql("dev", "GRANT ROLE immuta_impersonator_role TO ann");
    let mut ann = sit(&warehouse, "ann");
    ann.sql(&format!("{CALL}('cat')")).expect("a member may");
    assert_eq!(seen(&mut ann), ["cat"]);
}

fn key(warehouse: &Warehouse) -> String {
    let rows = warehouse.sql("governed", "SELECT impersonation_key FROM immuta_system.impersonation");
    assert_eq!(rows.len(), 1, "there is one key");
    rows[0][0].clone().unwrap_or_default()
}

/// Whoever could read the key could sign claims with it.
#[test]
fn a_key_that_somebody_may_have_read_is_replaced() {
    let (warehouse, workspace) = acting(ACTS);
    let mut ann = sit(&warehouse, "ann");
    ann.sql(&format!("{CALL}('cat')")).expect("a member may");
    let first = key(&warehouse);
    repaired(&warehouse, &workspace, &["REVOKE USAGE ON SCHEMA immuta_system FROM PUBLIC"], &[]);
    assert_eq!((key(&warehouse), seen(&mut ann)), (first.clone(), vec!["cat".to_owned()]));
    for statement in [
        "GRANT SELECT ON immuta_system.impersonation TO bob",
        "ALTER TABLE immuta_system.impersonation OWNER TO bob",
        ANYBODY,
        SHOWS_ALL,
    ] {
        let before = key(&warehouse);
        repaired(&warehouse, &workspace, &[statement], &["immuta_"]);
        assert_ne!(key(&warehouse), before, "{statement}");
        assert_eq!(seen(&mut ann), ["ann"], "{statement}");
    }
    // Without any key nobody acts for others, and an edit puts one in.
    warehouse.sql("governed", "DELETE FROM immuta_system.impersonation");
    assert_eq!(seen(&mut ann), ["ann"]);
    workspace.write(&integration(&format!("{USER}{ACTS}").replace("= 1", "= 2")));
    workspace.apply();
    assert_eq!(key(&warehouse).len(), 64);
    ann.sql(&format!("{CALL}('cat')")).expect("a member may");
    assert_eq!(seen(&mut ann), ["cat"]);
}

/// The account of the set-up goes, and whoever has the marker reads on without any other right.
/// Proves: I16
#[test]
fn the_login_of_the_set_up_can_be_dropped() {
    let warehouse = Warehouse::start();
    let before = warehouse.dump_all();
    warehouse.sql("dev", &format!("CREATE USER once PASSWORD '{PASSWORD}' CREATEUSER"));
    warehouse.sql("dev", &format!("CREATE USER keeper PASSWORD '{PASSWORD}'"));
    let mut workspace = Workspace::on(&warehouse);
    workspace.env("REDSHIFT_USER", "once").env("REDSHIFT_PASSWORD", PASSWORD);
    workspace.write(&integration(&format!("{USER}{ROLE}  marker_owner = \"keeper\"\n")));
    workspace.apply();
    workspace.plan().assert_empty();
    // Who owns a role cannot be dropped.
    warehouse.sql("dev", "ALTER ROLE immuta_impersonator_role OWNER TO keeper");
    warehouse.sql("dev", "DROP USER once");
    workspace.env("REDSHIFT_USER", "keeper");
    let plan = workspace.plan();
    plan.assert_empty();
    assert!(!plan.outcome.text().contains("cannot be seen"), "{}", plan.outcome.text());
    warehouse.sql("governed", "REVOKE USAGE ON SCHEMA immuta_functions FROM PUBLIC");
    let missing = workspace.plan().change("redshift_integration.i")["before"]["missing"].clone();
    assert_eq!(missing, json!(["USAGE on schema immuta_functions for PUBLIC"]));
    workspace.env("REDSHIFT_USER", warehouse.superuser()).env("REDSHIFT_PASSWORD", warehouse.password());
    workspace.apply();
    workspace.plan().assert_empty();
    workspace.destroy();
    warehouse.sql("dev", "DROP USER keeper");
    assert_eq!(warehouse.dump_all(), before);
}

/// What cannot be repaired says what to do, and that works. Another schema of the name is somebody else's, also for a
/// destroy that is forced.
#[test]
fn without_its_schema_an_integration_can_only_be_removed() {
    let warehouse = Warehouse::start();
    let before = warehouse.dump_all();
    let workspace = Workspace::on(&warehouse);
    workspace.write(&integration(&format!("{USER}  force_destroy = true\n")));
    workspace.apply();
    warehouse.sql("governed", "DROP SCHEMA immuta_system CASCADE");
    warehouse.sql("governed", "CREATE SCHEMA immuta_system");
    let altered = warehouse.dump_all();
    let plan = workspace.plan();
    let was = &plan.change("redshift_integration.i")["before"];
    assert_eq!(was["status"], json!("recurringValidationError"));
    assert!(was["missing"].to_string().contains("the marker in immuta_system.integration"), "{was:#}");
    let told = workspace.try_apply().failed().text();
    assert!(told.contains("no marker in immuta_system.integration") && told.contains("terraform state rm"), "{told}");
    let told = workspace.try_destroy().failed().text();
    assert!(told.contains("Another schema is in its place"), "{told}");
    assert_eq!(warehouse.dump_all(), altered, "nothing was changed");
    warehouse.sql("governed", "DROP SCHEMA immuta_system");
    workspace.write(&integration(USER));
    assert!(workspace.try_apply().failed().text().contains("no marker"));
    workspace.destroy();
    assert_eq!(warehouse.dump_all(), before);
}
