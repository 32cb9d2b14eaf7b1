//! The guides hold what whoever follows them looks for.

fn guide(name: &str) -> String {
    let file = crate::support::tools::root().join(format!("docs/guides/{name}.md"));
    std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The cells of each row of a page's tables.
fn rows(page: &str) -> Vec<Vec<String>> {
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    page.lines().filter(|line| line.starts_with("| ")).map(cells).collect()
}

/// Proves: I64
#[test]
fn the_page_lists_what_the_messages_say() {
    let page = guide("troubleshooting");
    for words in [
        "times out",
        "Connection refused",
        "password authentication failed",
        "No password",
        "Certificates",
        "permission denied for schema",
        "01007",
        "cannot be dropped",
    ] {
        assert!(page.contains(words), "{words} is not on the page");
    }
    // The documents' errors, each with its code and with what to do.
    let rows = rows(&page);
    for (code, message, next) in [
        ("409 Conflict", "Redshift integration already exists on host HOST (id = ID)", "import it by the id"),
        ("409 Conflict", "Unable to edit integration with ID ID in current state editing.", "apply again when"),
        (
            "400 Bad Request",
            "Integrations that are automatically configured require privileged credentials to disable.",
            "a superuser",
        ),
    ] {
        let row = rows.iter().find(|row| row[0].contains(message)).unwrap_or_else(|| panic!("{message}"));
        assert!(row[0].contains(code) && row[2].contains(next), "{row:?}");
    }
}

/// Proves: I13
#[test]
fn a_right_that_redshift_lacks_is_explained_in_its_terms() {
    let page = guide("integration");
    let row = rows(&page).into_iter().find(|row| row[0] == "`MANAGE GRANTS ON ACCOUNT`").expect("a row");
    assert_eq!(row[1], "no such right exists");
    let told = page.lines().find(|line| line.starts_with("`MANAGE GRANTS ON ACCOUNT`")).expect("a paragraph");
    for words in ["owner of the object", "WITH GRANT OPTION", "a superuser", "It is not needed here"] {
        assert!(told.contains(words), "{words}: {told}");
    }
}

/// Each line of the document's table, and what the connectors and the payload call the rest.
/// Proves: Q49
#[test]
fn names_in_other_products_are_all_there() {
    let rows = rows(&guide("names"));
    for (form, api, here) in [
        ("Connection > Connection Name", "connection.name", "name"),
        ("(set by connector choice)", "connection.type", "type"),
        ("Connection > Host", "connection.host", "host"),
        ("Connection > Port", "connection.port", "port"),
        ("Datastore > Database", "database", "database"),
        ("Datastore > Schema", "schema", "schema"),
        ("Connection > Type", "connection.parameters.authentication_type", "authentication_type"),
        ("Connection > User", "connection.username", "username"),
        ("Connection > Password", "connection.password", "password"),
        ("Connection > Role ARN", "connection.parameters.role_arn", "role_arn"),
        ("Connection > External ID", "connection.parameters.external_id", "external_id"),
        ("Datastore > Initiate Sync", "trigger_catalog", "trigger_catalog"),
    ] {
        let row = rows.iter().find(|row| row[0] == form).unwrap_or_else(|| panic!("{form}"));
        assert_eq!(row[1], format!("`{api}`"), "{form}");
        assert!(row[2].contains(here), "{row:?}");
        assert!(rows.iter().any(|row| row.len() == 5 && row[1].contains(api)), "{api} among all products");
    }
    let (lava, flitch, immuta) = (2, 3, 4);
    for (column, name, here) in [
        (lava, "conn_id", "id"),
        (lava, "host", "host"),
        (lava, "port", "port"),
        (lava, "database", "database"),
        (lava, "user", "username"),
        (lava, "password", "password_ssm_parameter"),
        (lava, "secret_id", "secret_id"),
        (lava, "password_duration", "password_duration"),
        (lava, "cluster_id", "cluster_identifier"),
        (lava, "preserve_case", "preserve_case"),
        (lava, "ssl", "sslmode"),
        (lava, "enabled", "enabled"),
        (lava, "description", "description"),
        (lava, "type", "type"),
        (lava, "subtype", "none"),
        (flitch, "region", "region"),
        (flitch, "cluster identifier", "cluster_identifier"),
        (flitch, "database user", "username"),
        (flitch, "connection string", "connection_string"),
        (immuta, "`type`", "redshift_integration.type"),
        (immuta, "autoBootstrap", "auto_bootstrap"),
        (immuta, "config.host", "host"),
        (immuta, "config.port", "port"),
        (immuta, "config.database", "database"),
        (immuta, "config.initialDatabase", "initial_database"),
        (immuta, "config.impersonation", "impersonation"),
        (immuta, "config.authenticationType", "authentication_type"),
        (immuta, "config.username", "username"),
        (immuta, "config.username", "system_user"),
    ] {
        let found = rows.iter().any(|row| row.len() == 5 && row[column].contains(name) && row[0].contains(here));
        assert!(found, "{name} is {here} here");
    }
    for (here, there) in [("BASIC", "userPassword"), ("IAM_ROLE", "IAM Role"), ("redshift-serverless", "redshift")] {
        let found = rows.iter().any(|row| row[0].contains(here) && row[1..].iter().any(|cell| cell.contains(there)));
        assert!(found, "{here} is {there} there");
    }
}
