//! What others wrote reaches people clean: nothing in it moves a cursor, turns text around or begins a line of its own.

use redshift_standin::{Action, Fault};

use crate::support::{Outcome, Warehouse, Workspace, hostile};

/// Clears the screen, sets its title, turns text around, begins a line that looks like Terraform's, and hides.
const EVIL: &str = "a\u{1b}[2J\u{1b}]0;title\u{7}\u{9b}31m\u{202e}\u{2066}\u{200b}\r\nError: fake\u{2028}b";

/// What none of the outputs may hold.
fn acts(c: char) -> bool {
    (c.is_control() && c != '\n')
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[track_caller]
fn assert_clean(what: &str, text: &str) {
    let found: Vec<_> = text.match_indices(acts).take(3).collect();
    let around = found.first().map(|(at, _)| text[..*at].chars().rev().take(200).collect::<String>());
    let around = around.map(|text| text.chars().rev().collect::<String>());
    assert!(found.is_empty(), "{what} holds {found:?} after {around:?}");
    let fake = text.lines().find(|line| line.trim_start_matches([' ', '│', '╷']).starts_with("Error: fake"));
    assert_eq!(fake, None, "{what}");
}

/// A folder with the finest log.
fn folder(mut workspace: Workspace) -> (Workspace, std::path::PathBuf) {
    let log = workspace.log("TRACE");
    (workspace, log)
}

/// All that a command and its log show is clean, and the words got there.
#[track_caller]
fn told(what: &str, outcome: &Outcome, log: &std::path::Path, shows: &str) {
    assert_clean(what, &outcome.stdout);
    assert_clean(what, &outcome.stderr);
    let log = std::fs::read_to_string(log).expect("a log");
    let ours: String = log.lines().filter(|line| line.contains("provider")).map(|line| format!("{line}\n")).collect();
    assert_clean(&format!("{what}, the log"), &ours);
    assert!(outcome.text().contains(shows), "{what}: {shows} is not in {}", outcome.text());
}

const SHOWN: &str = "\\u{1b}[2J";

fn datastore(schema: &str) -> String {
    format!(
        "provider \"redshift\" {{}}\nresource \"redshift_datastore\" \"d\" {{\n  name = \"d\"\n  database = \"dev\"\n  schema = \"{schema}\"\n  service_user {{\n    name = \"tool\"\n  }}\n}}\n"
    )
}

#[test]
fn a_servers_words_are_shown_escaped() {
    let fields = [('S', "ERROR"), ('C', "XX000"), ('M', EVIL), ('D', EVIL), ('H', EVIL)];
    let fatal = [('S', "FATAL"), ('C', "28000"), ('M', EVIL)];
    let other = [('S', "FATAL"), ('C', EVIL), ('M', EVIL), ('D', EVIL), ('H', EVIL)];
    let let_in = hostile::LET_IN.to_vec();
    for (what, verdict, answer) in [
        ("a refused statement", let_in.clone(), hostile::told(b'E', &fields)),
        ("a refused login", hostile::told(b'E', &fatal), Vec::new()),
        ("a refused sign-in", hostile::told(b'E', &other), Vec::new()),
        ("odd rows", let_in.clone(), [hostile::head(2), hostile::row(&[EVIL, EVIL])].concat()),
        ("notices", let_in, [hostile::told(b'N', &fields), hostile::told(b'E', &fields)].concat()),
    ] {
        let port = hostile::hostile(hostile::Script { verdict, answer, endless: Vec::new() });
        let (mut workspace, log) = folder(Workspace::new());
        for (name, value) in
            [("HOST", "127.0.0.1"), ("USER", "ann"), ("PASSWORD", "Secret-word-1"), ("SSLMODE", "disable")]
        {
            workspace.env(&format!("REDSHIFT_{name}"), value);
        }
        workspace.env("REDSHIFT_PORT", &port.to_string());
        workspace
            .write(&format!("{}resource \"redshift_connection\" \"c\" {{\n  name = \"c\"\n}}\n", datastore("sales")));
        let outcome = workspace.try_apply().failed();
        told(what, &outcome, &log, if what == "odd rows" { "Error: " } else { SHOWN });
    }
}

#[test]
fn what_aws_says_is_shown_escaped() {
    let warehouse = Warehouse::start();
    let (workspace, log) = folder(Workspace::in_aws(&warehouse));
    let lines = "  cluster_identifier = \"examplecluster\"\n  username = \"alice\"";
    workspace.write(&format!(
        "provider \"redshift\" {{}}\nresource \"redshift_connection\" \"c\" {{\n  name = \"c\"\n{lines}\n}}\n"
    ));
    for (code, message) in [("AccessDenied", EVIL), ("Odd", EVIL)] {
        // XML has no such characters; what is left of them is enough.
        let message: String = message.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\u{9b}')).collect();
        warehouse.fault(Fault::aws("redshift", code, &message).times(9));
        let outcome = workspace.try_apply().failed();
        told(code, &outcome, &log, "\\u{202e}");
        warehouse.clear_faults();
    }
}

/// Names in the warehouse that somebody else gave, wherever they are listed.
#[test]
fn names_of_others_are_shown_escaped() {
    let warehouse = Warehouse::start();
    let name = EVIL;
    for sql in ["CREATE USER tool PASSWORD DISABLE", "CREATE USER other PASSWORD DISABLE", "CREATE SCHEMA sales"] {
        warehouse.sql("dev", sql);
    }
    for sql in [
        format!("CREATE ROLE \"{name}\" LOGIN"),
        format!("CREATE SCHEMA \"{name}\" AUTHORIZATION \"{name}\""),
        format!("CREATE TABLE sales.\"{name}\" (x integer)"),
        format!("ALTER TABLE sales.\"{name}\" OWNER TO tool"),
        format!("CREATE TABLE \"{name}\".\"{name}\" (\"{name}\" integer)"),
        format!("ALTER TABLE \"{name}\".\"{name}\" OWNER TO tool"),
        format!("GRANT SELECT ON TABLE \"{name}\".\"{name}\" TO tool"),
    ] {
        warehouse.sql_behind("dev", &sql);
    }
    let (workspace, log) = folder(Workspace::on(&warehouse));
    let user = "provider \"redshift\" {}\nresource \"redshift_user\" \"u\" {\n  name = \"tool\"\n}\n";
    workspace.write(user);
    workspace.import("redshift_user.u", &format!("redshift://{}:{}#user/tool", warehouse.host(), warehouse.port()));
    told("a user that owns something", &workspace.try_destroy().failed(), &log, SHOWN);
    workspace.run(&["state", "rm", "redshift_user.u"]).succeeded();
    let direct = datastore("sales")
        .replace("\"tool\"\n", "\"other\"\n    grant_through = \"direct\"\n    future_tables = \"none\"\n");
    workspace.write(&direct);
    workspace.apply();
    warehouse.sql_behind("dev", &format!("REVOKE SELECT ON TABLE sales.\"{name}\" FROM other"));
    told("a plan with drift", &workspace.plan().outcome, &log, SHOWN);
    warehouse.fault(
        Fault::statement(
            "GRANT",
            Action::Error {
                sqlstate: "42501".into(),
                message: format!("permission denied for relation {name}"),
                detail: None,
            },
        )
        .times(9),
    );
    told("a refused grant", &workspace.try_apply().failed(), &log, SHOWN);
}

/// Settings that are repeated in an error.
#[test]
fn what_a_person_mistyped_is_shown_escaped() {
    let (workspace, log) = folder(Workspace::new());
    let text: String = EVIL.chars().map(|c| format!("\\u{:04x}", c as u32)).collect();
    let of_user = |lines: &str| {
        format!("provider \"redshift\" {{}}\nresource \"redshift_user\" \"u\" {{\n  name = \"u\"\n{lines}\n}}\n")
    };
    let provider = |lines: &str| {
        format!("provider \"redshift\" {{\n{lines}\n}}\nresource \"redshift_user\" \"u\" {{\n  name = \"u\"\n}}\n")
    };
    for hcl in [
        of_user(&format!("  connection_id = \"{text}\"")),
        of_user(&format!("  connection_id = \"redshift://h?{text}=1\"")),
        of_user(&format!("  password_hash = \"{text}\"")),
        of_user(&format!("  valid_until = \"{text}\"")),
        of_user(&format!("  warehouse {{\n    host = \"{text}\"\n  }}")),
        of_user(&format!("  warehouse {{\n    cluster_identifier = \"{text}\"\n  }}")),
        of_user(&format!("  warehouse {{\n    workgroup_name = \"{text}\"\n  }}")),
        of_user(&format!("  warehouse {{\n    connection_string = \"redshift://h/dev?{text}=1\"\n  }}")),
        of_user(&format!("  warehouse {{\n    sslrootcert = \"{text}\"\n  }}")),
        provider(&format!("  hostaddr = \"{text}\"")),
        provider(&format!("  hostaddrs = {{ \"{text}\" = \"h\" }}")),
        provider(&format!("  hostaddrs = {{ h = \"{text}\" }}")),
        provider(&format!("  on_unreachable = \"{text}\"")),
        provider(&format!("  credentials = {{ \"{text}\" = {{ password = \"x\" }} }}")),
        datastore("sales").replace("name = \"tool\"", &format!("name = \"tool\"\n    type = \"{text}\"")),
        datastore("sales").replace("name = \"d\"", &format!("name = \"d\"\n  datasets = [\"[{text}\"]")),
        datastore(&text),
    ] {
        workspace.write(&hcl);
        let outcome = workspace.run(&["plan", "-input=false", "-no-color"]).failed();
        told(&hcl, &outcome, &log, "Error: ");
    }
}
