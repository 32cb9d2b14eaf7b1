//! The schemas that are served, by the rules that Terraform and its framework hold them to.

use terraform_provider_redshift::provider::Redshift;
use terraform_provider_redshift::terraform::schema_problems;

use crate::support::Workspace;

#[test]
fn the_schemas_keep_the_rules_of_the_core_and_of_the_framework() {
    assert_eq!(schema_problems::<Redshift>(), Vec::<String>::new());
}

/// What Terraform hides, keeps out of state, fills in and shows as Markdown goes by these.
#[test]
fn terraform_sees_what_is_secret_what_is_computed_and_what_is_text() {
    let workspace = Workspace::new();
    workspace.write("provider \"redshift\" {}\n");
    let schemas = workspace.json(&["providers", "schema", "-json"]);
    let provider = schemas["provider_schemas"].as_object().and_then(|all| all.values().next()).expect("one provider");
    let block = |name: &str| provider["resource_schemas"][name]["block"].clone();
    let (user, datastore, connection) =
        (block("redshift_user"), block("redshift_datastore"), block("redshift_connection"));
    for secret in ["password", "credentials"] {
        assert_eq!(provider["provider"]["block"]["attributes"][secret]["sensitive"], true, "{secret}");
    }
    // It is declared to be refused, and would hide the whole connection in outputs.
    let refused = &connection["attributes"]["password"];
    assert!(refused["write_only"] == true && refused["sensitive"].is_null(), "{refused}");
    let password = &user["attributes"]["password_wo"];
    assert!(password["write_only"] == true && password["sensitive"] == true, "{password}");
    let (id, name) = (&datastore["attributes"]["id"], &datastore["attributes"]["name"]);
    assert!(id["computed"] == true && id["optional"].is_null() && name["required"] == true, "{id} {name}");
    assert_eq!(datastore["attributes"]["enrichment_only"]["optional"], true);
    let inline = &datastore["block_types"]["warehouse"];
    assert!(inline["nesting_mode"] == "single" && inline["block"]["attributes"]["host"].is_object(), "{inline}");
    let text = &datastore["attributes"]["missing"];
    assert!(text["description_kind"] == "markdown" && text["description"].is_string(), "{text}");
}

/// The names of resource types that other providers called `redshift` have, whose states come with small versions.
const OF_OTHERS: &str = "assumerole_grant column_grant comment database datashare datashare_grant datashare_privilege \
    datashare_schema datashare_table default_privileges external_function external_partition external_schema \
    external_table function grant group group_membership identity_provider language_grant masking_policy \
    masking_policy_attachment materialized_view object_grant policy_grant procedure rls_policy rls_policy_attachment role \
    role_grant schema system_grant table table_security user view";

#[test]
fn types_whose_name_others_have_count_their_versions_from_100() {
    let workspace = Workspace::new();
    workspace.write("provider \"redshift\" {}\n");
    let schemas = workspace.json(&["providers", "schema", "-json"]);
    let provider = schemas["provider_schemas"].as_object().and_then(|all| all.values().next()).expect("one provider");
    let types = provider["resource_schemas"].as_object().expect("types");
    let mut seen = 0;
    for (name, schema) in types {
        let is_shared = OF_OTHERS.split_whitespace().any(|other| name.strip_prefix("redshift_") == Some(other));
        let version = schema["version"].as_u64().unwrap_or_default();
        assert_eq!(is_shared, version >= 100, "{name} has version {version}");
        seen += usize::from(is_shared);
    }
    assert!(seen > 0, "redshift_user is one of them");
}
