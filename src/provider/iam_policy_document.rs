//! The data source `redshift_iam_policy_document`: the IAM policies that signing in through AWS needs. It asks nobody, so
//! it works before there is a warehouse, a role or a provider block.

use super::configured::Configured;
use super::errors;
use crate::engine::aws::policy::{Wanted, names};
use crate::engine::error::{Error, Hints};
use crate::engine::settings::endpoint::{check_cluster, check_workgroup};
use crate::terraform::{Attribute, DataSource, Diagnostics, Read, Schema, Value, boolean, set, string};

/// The data source `redshift_iam_policy_document`.
pub struct IamPolicyDocument;

impl DataSource for IamPolicyDocument {
    type Data = Configured;
    type Model = Wanted;
    const NAME: &'static str = "iam_policy_document";

    fn schema() -> Schema<Configured> {
        let schema = Schema::new(
            "The IAM policies that signing in to a warehouse through AWS needs, no more and no less. Nothing is asked or made.",
        );
        let schema = settings().into_iter().fold(schema, |schema, (name, attribute)| schema.setting(name, attribute));
        schema
            .computed(
                "json",
                string().doc(
                    "Policy for the identity that asks for database credentials: the role in `role_arn`, else whoever runs \
                     Terraform. Null if no cluster or workgroup is named.",
                ),
            )
            .computed(
                "caller_json",
                string().doc(
                    "Policy for whoever runs Terraform: to assume the role, and to read the secret or the parameter. Null if \
                     nothing of that is needed.",
                ),
            )
            .computed(
                "trust_json",
                string().doc("Trust policy of the role. Null without `principal_arn`."),
            )
    }

    fn check(config: &Value, d: &mut Diagnostics) {
        // What is wrong by itself may well look like a contradiction.
        if d.has_errors() {
            return;
        }
        let mut known = config.clone();
        let names = settings().into_iter().map(|(name, _)| name);
        let pending: Vec<_> = names.filter(|name| !config.at(name).is_wholly_known()).collect();
        for name in &pending {
            known.set(name, Value::Null);
        }
        let mut wanted = match known.decode::<Wanted>() {
            Ok(wanted) => wanted,
            Err(error) => return d.push(error.into()),
        };
        wanted.pending.extend(pending);
        d.extend(wanted.contradictions().iter().map(|error| errors::of_setting(error, "")));
    }

    async fn read(_: &Configured, wanted: Wanted, cx: &mut Read<'_>) -> Result<(), Diagnostics> {
        let policies = wanted.policies().map_err(|error| errors::of_setting(&error, ""))?;
        for told in wanted.beyond() {
            let warning = errors::warning(&told, &Hints::default());
            cx.warn(match told.setting_name() {
                Some(setting) if !cx.config().at(setting).is_null() => warning.at(setting),
                _ => warning,
            });
        }
        cx.set("json", policies.json);
        cx.set("caller_json", policies.caller_json);
        cx.set("trust_json", policies.trust_json);
        Ok(())
    }
}

/// What is written, in the order of the documentation.
fn settings() -> [(&'static str, Attribute); 15] {
    [
        (
            "cluster_identifier",
            string().check(rule(check_cluster)).doc("The provisioned cluster that credentials are for."),
        ),
        (
            "workgroup_name",
            string().check(rule(check_workgroup)).doc(
                "The serverless workgroup that credentials are for. Its ARN holds its id: without `workgroup_id` the \
                 policy covers every workgroup of account and region, and a warning says so.",
            ),
        ),
        (
            "workgroup_id",
            string()
                .check(rule(names::workgroup_id))
                .doc("The workgroup's id, a UUID, as `workgroup_id` of an `aws_redshiftserverless_workgroup`; or `*`."),
        ),
        (
            "region",
            string().required().check(rule(names::region)).doc("Region of the warehouse. The partition follows from it."),
        ),
        (
            "account_id",
            string()
                .check(rule(names::account_id))
                .doc("Account of the warehouse, and of whoever asks for its credentials. Default: the account of `role_arn`."),
        ),
        (
            "username",
            string().check(rule(names::username)).doc(
                "The database user to sign in as, on a cluster. Left out: the user that belongs to the AWS identity, as \
                 in a connection without `username`.",
            ),
        ),
        (
            "databases",
            set(string()).check(databases).doc(
                "Databases of a cluster that credentials are asked for; `*` for every one, which is what dropping users \
                 and governance integrations take. Default: `dev`.",
            ),
        ),
        (
            "find_endpoint",
            boolean().doc(
                "Whether the host has to be looked up, because connections leave it out. Default: `true`, or `false` with \
                 `custom_domain`.",
            ),
        ),
        (
            "custom_domain",
            boolean().doc(
                "`true` if connections write a custom domain name as `host` and no `cluster_identifier`. Default: `false`. \
                 A workgroup needs nothing more for it.",
            ),
        ),
        ("role_arn", string().check(rule(names::role_arn)).doc("The role that whoever runs Terraform assumes.")),
        (
            "secret_id",
            string().check(rule(names::secret_id)).doc("Name or ARN of the secret in Secrets Manager that is read."),
        ),
        (
            "password_ssm_parameter",
            string().check(rule(names::parameter)).doc("Name or ARN of the SSM parameter that is read."),
        ),
        (
            "kms_key_arn",
            string()
                .check(rule(names::kms_key_arn))
                .doc("Key of the secret or parameter, if that is not the one that AWS manages."),
        ),
        (
            "principal_arn",
            string().check(rule(|text| names::principal(text).map(drop))).doc(
                "Who assumes the role: the ARN of a user or role, the `arn` of an `aws_caller_identity`, or an account id.",
            ),
        ),
        (
            "external_id",
            string()
                .check(rule(names::external_id))
                .doc("What the trust policy asks for beside: the `external_id` of connections."),
        ),
    ]
}

/// A rule of the engine as a validator.
fn rule(check: fn(&str) -> Result<(), Error>) -> impl Fn(&Value) -> Result<(), String> {
    move |value| check(value.as_str().unwrap_or_default()).map_err(|error| error.detail())
}

fn databases(value: &Value) -> Result<(), String> {
    let Value::List(items) = value else { return Ok(()) };
    let all = items.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    names::databases(&all).map_err(|error| error.detail())
}
