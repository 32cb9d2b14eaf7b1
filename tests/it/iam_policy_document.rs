//! `redshift_iam_policy_document`: the policies come without a warehouse, an AWS account or a provider block.

use serde_json::{Value, json};

use crate::support::{Problem, Workspace, tools};

/// A data source with these lines.
fn document(lines: &str) -> String {
    format!("data \"redshift_iam_policy_document\" \"d\" {{\n{lines}\n}}\n")
}

const CLUSTER: &str = "  cluster_identifier = \"examplecluster\"\n  region = \"eu-west-1\"\n";
const WORKGROUP: &str = "  workgroup_name = \"analytics\"\n  region = \"eu-west-1\"\n  account_id = \"111122223333\"\n";

const OUTPUTS: &str = r#"
output "json" {
  value = jsondecode(data.redshift_iam_policy_document.d.json)
}
output "is_null" {
  value = {
    json   = data.redshift_iam_policy_document.d.json == null
    caller = data.redshift_iam_policy_document.d.caller_json == null
    trust  = data.redshift_iam_policy_document.d.trust_json == null
  }
}
"#;

/// The statements of a policy.
fn statements(policy: &Value) -> Vec<Value> {
    assert_eq!(policy["Version"], "2012-10-17", "{policy}");
    policy["Statement"].as_array().cloned().unwrap_or_default()
}

fn allow(sid: &str, action: &str, resource: impl Into<Value>) -> Value {
    json!({ "Sid": sid, "Effect": "Allow", "Action": action, "Resource": resource.into() })
}

/// Proves: Q37, Q39, L29, F14
#[test]
fn all_three_policies_come_without_a_provider_block() {
    let workspace = Workspace::new();
    workspace.write(&format!(
        "{}{OUTPUTS}{}",
        document(&format!(
            r#"{CLUSTER}
  username      = "alice"
  databases     = ["sales", "dev"]
  role_arn      = "arn:aws:iam::444455556666:role/warehouse-access"
  principal_arn = "arn:aws:sts::111122223333:assumed-role/Deploy/job-7"
  external_id   = "tool:42"
  secret_id     = "warehouse/login"
"#
        )),
        r#"
output "caller" {
  value = jsondecode(data.redshift_iam_policy_document.d.caller_json)
}
output "trust" {
  value = jsondecode(data.redshift_iam_policy_document.d.trust_json)
}
"#
    ));
    workspace.apply();
    let arn = |resource: &str| format!("arn:aws:redshift:eu-west-1:444455556666:{resource}");
    assert_eq!(
        statements(&workspace.output("json")),
        [
            allow(
                "DatabaseCredentials",
                "redshift:GetClusterCredentials",
                vec![
                    arn("dbuser:examplecluster/alice"),
                    arn("dbname:examplecluster/dev"),
                    arn("dbname:examplecluster/sales")
                ]
            ),
            allow("FindEndpoint", "redshift:DescribeClusters", arn("cluster:examplecluster")),
        ]
    );
    let secret = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:warehouse/login-??????";
    assert_eq!(
        statements(&workspace.output("caller")),
        [
            allow("AssumeRole", "sts:AssumeRole", "arn:aws:iam::444455556666:role/warehouse-access"),
            allow("ReadSecret", "secretsmanager:GetSecretValue", secret),
        ]
    );
    assert_eq!(
        statements(&workspace.output("trust")),
        [json!({
            "Effect": "Allow",
            "Principal": { "AWS": "arn:aws:iam::111122223333:root" },
            "Action": "sts:AssumeRole",
            "Condition": {
                "ArnLike": { "aws:PrincipalArn": [
                    "arn:aws:iam::111122223333:role/Deploy",
                    "arn:aws:iam::111122223333:role/*/Deploy",
                ] },
                "StringEquals": { "sts:ExternalId": "tool:42" },
            },
        })]
    );
    workspace.plan().assert_empty();
}

#[test]
fn what_is_not_needed_is_null() {
    let workspace = Workspace::new();
    workspace.write(&format!("{}{OUTPUTS}", document(&format!("{CLUSTER}  account_id = \"111122223333\""))));
    workspace.apply();
    assert_eq!(workspace.output("is_null"), json!({ "json": false, "caller": true, "trust": true }));
    let dbname = "arn:aws:redshift:eu-west-1:111122223333:dbname:examplecluster/dev";
    let first = statements(&workspace.output("json")).remove(0);
    assert_eq!(first, allow("DatabaseCredentials", "redshift:GetClusterCredentialsWithIAM", dbname));

    let secret =
        "  region = \"eu-west-1\"\n  secret_id = \"arn:aws:secretsmanager:eu-west-1:111122223333:secret:login-AbC123\"";
    workspace.write(&format!("{}{}", document(secret), OUTPUTS.replace("jsondecode(", "tostring(")));
    workspace.apply();
    assert_eq!(workspace.output("is_null"), json!({ "json": true, "caller": false, "trust": true }));
}

/// Proves: Q37
#[test]
fn a_workgroup_without_its_id_means_all_of_them_and_is_warned_of() {
    let workspace = Workspace::new();
    let with = |lines: &str| format!("{}{OUTPUTS}", document(&format!("{WORKGROUP}{lines}")));
    for (lines, id, warned) in [
        ("", "*", true),
        ("  workgroup_id = \"*\"", "*", false),
        ("  workgroup_id = \"0123abcd-45ef-6789-abcd-0123456789ef\"", "0123abcd-45ef-6789-abcd-0123456789ef", false),
    ] {
        workspace.write(&with(lines));
        let problems: Vec<Problem> = workspace.apply_problems();
        let severities: Vec<&str> = problems.iter().map(|problem| problem.severity.as_str()).collect();
        assert_eq!(severities, if warned { vec!["warning"] } else { vec![] }, "{problems:#?}");
        assert!(problems.iter().all(|problem| problem.text().contains("workgroup_id")), "{problems:#?}");
        let arn = format!("arn:aws:redshift-serverless:eu-west-1:111122223333:workgroup/{id}");
        assert_eq!(
            statements(&workspace.output("json")),
            [
                allow("DatabaseCredentials", "redshift-serverless:GetCredentials", arn.clone()),
                allow("FindEndpoint", "redshift-serverless:GetWorkgroup", arn),
            ]
        );
    }
}

/// A role is often made in the same apply, and so is what the provider block is filled from.
#[test]
fn what_is_not_known_yet_is_waited_for() {
    let workspace = Workspace::new();
    workspace.write(&format!(
        "{}{}{OUTPUTS}",
        r#"
resource "terraform_data" "host" {
  input = "warehouse.example.com"
}
provider "redshift" {
  host     = terraform_data.host.output
  username = terraform_data.host.output
}
resource "terraform_data" "role" {
  input = "arn:aws:iam::444455556666:role/warehouse-access"
}
output "early" {
  value = data.redshift_iam_policy_document.early.json
}
data "redshift_iam_policy_document" "early" {
  cluster_identifier = "examplecluster"
  region             = "eu-west-1"
  account_id         = "111122223333"
}
"#,
        document(&format!("{CLUSTER}  role_arn = terraform_data.role.output")),
    ));
    let plan = workspace.plan();
    let early = &plan.json()["planned_values"]["outputs"]["early"]["value"];
    assert!(early.as_str().is_some_and(|text| text.contains("dbname:examplecluster/dev")), "{early}");
    workspace.apply();
    let json = workspace.output("json").to_string();
    assert!(json.contains("arn:aws:redshift:eu-west-1:444455556666:cluster:examplecluster"), "{json}");
    workspace.plan().assert_empty();
}

/// Each on the attribute that is to be changed, before anything is planned.
#[test]
fn bad_input_is_told_on_its_attribute() {
    let workspace = Workspace::new();
    let account = "  account_id = \"111122223333\"\n";
    let cluster = |lines: &str| document(&format!("{CLUSTER}{account}{lines}"));
    let serverless = |lines: &str| document(&format!("{WORKGROUP}{lines}"));
    let cases = [
        (cluster("").replace("examplecluster", "-x"), "cluster_identifier", "letter first"),
        (cluster("").replace("eu-west-1", "Ireland"), "region", "eu-west-1"),
        (cluster("").replace("111122223333", "1111-2222-3333"), "account_id", "twelve digits"),
        (cluster("  username = \"IAM:alice\""), "username", "letters, digits"),
        (cluster("  databases = []"), "databases", "at least one"),
        (cluster("  database = \"dev\""), "database", "Unsupported argument"),
        (cluster("  external_id = \"x\"\n  principal_arn = \"777788889999\""), "external_id", "1224"),
        (cluster("  external_id = \"tool:42\""), "external_id", "principal_arn"),
        (cluster("  principal_arn = \"arn:aws:iam::777788889999:group/ops\""), "principal_arn", "assumed-role"),
        (cluster("  principal_arn = \"arn:aws-cn:iam::777788889999:user/ci\""), "principal_arn", "aws-cn"),
        (cluster("  secret_id = \"a b\""), "secret_id", "Secrets Manager"),
        (cluster("  password_ssm_parameter = \"/a/*\""), "password_ssm_parameter", "SSM"),
        (cluster("  secret_id = \"s\"\n  kms_key_arn = \"alias/a\""), "kms_key_arn", "key"),
        (cluster("  kms_key_arn = \"arn:aws:kms:eu-west-1:111122223333:key/k\""), "kms_key_arn", "secret_id"),
        (cluster("  workgroup_name = \"analytics\""), "cluster_identifier", "serverless workgroup"),
        (cluster("  role_arn = \"warehouse-access\""), "role_arn", "arn:aws:iam"),
        (cluster("  role_arn = \"arn:aws:iam::444455556666:role/r\""), "account_id", "444455556666"),
        (document(CLUSTER), "", "account_id"),
        (document(account), "", "region"),
        (document(&format!("  region = \"eu-west-1\"\n{account}")), "", "cluster_identifier"),
        (serverless("  workgroup_id = \"analytics\""), "workgroup_id", "UUID"),
        (serverless("  username = \"alice\""), "username", "IAMR"),
        (serverless("  databases = [\"dev\"]"), "databases", "limit rights in the database"),
        (
            document(&format!("{CLUSTER}  role_arn = \"arn:aws:iam::444455556666:role/r\"\n  secret_id = \"s\"")),
            "secret_id",
            "principal_arn",
        ),
    ];
    for (hcl, attribute, words) in cases {
        let problem = workspace.refused(&hcl);
        assert!(problem.text().contains(words), "{words} is not in {problem:#?}\n{hcl}");
        assert!(problem.line.starts_with(attribute), "not on {attribute}: {problem:#?}\n{hcl}");
        assert_eq!(problem.line.is_empty(), attribute.is_empty(), "{problem:#?}\n{hcl}");
    }
}

/// What only the plan knows is refused by the plan, on the attribute too.
#[test]
fn bad_input_from_a_variable_is_told_by_the_plan() {
    let mut workspace = Workspace::new();
    let variable = "variable \"principal\" {\n  type = string\n}\n";
    let lines = format!("{CLUSTER}  account_id = \"111122223333\"\n  principal_arn = var.principal");
    workspace.write(&format!("{variable}{}", document(&lines)));
    workspace.run(&["validate"]).succeeded();
    workspace.env("TF_VAR_principal", "somebody");
    let problems = workspace.plan_problems();
    let errors: Vec<&Problem> = problems.iter().filter(|problem| problem.severity == "error").collect();
    assert_eq!(errors.len(), 1, "{problems:#?}");
    assert!(errors[0].line.starts_with("principal_arn") && errors[0].text().contains("twelve digits"), "{errors:#?}");
    workspace.env("TF_VAR_principal", "777788889999");
    workspace.plan();
}

/// What people copy gives policies, and says nothing that would have to be looked into.
#[test]
fn the_example_plans_without_a_warning() {
    let workspace = Workspace::new();
    let example = tools::root().join("examples/data-sources/redshift_iam_policy_document/data-source.tf");
    workspace.write(&std::fs::read_to_string(example).expect("the example"));
    assert_eq!(workspace.apply_problems(), []);
    let policy = workspace.output("role_policy");
    assert!(policy.as_str().is_some_and(|text| text.contains("dbuser:analytics/quality_tool")), "{policy}");
}

/// Proves: Q39
#[test]
fn the_guide_on_other_accounts_shows_the_policy_that_comes_out() {
    let page = std::fs::read_to_string(tools::root().join("docs/guides/cross-account.md")).expect("the guide");
    let (_, rest) = page.split_once("```json\n").expect("a policy in the guide");
    let (shown, _) = rest.split_once("\n```").expect("its end");
    let workspace = Workspace::new();
    let lines = r#"
  role_arn      = "arn:aws:iam::444455556666:role/redshift-quality-tool"
  principal_arn = "arn:aws:sts::111122223333:assumed-role/deploy/job-7"
  external_id   = "quality-tool-42"
"#;
    let output = "output \"trust\" {\n  value = data.redshift_iam_policy_document.d.trust_json\n}\n";
    workspace.write(&format!("{}{output}", document(&format!("{CLUSTER}{lines}"))));
    workspace.apply();
    assert_eq!(workspace.output("trust"), json!(shown));
}
