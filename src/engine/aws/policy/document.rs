//! Policy documents as IAM reads them. Their order never changes, so that a plan shows only what did.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::engine::error::Error;

/// The only version of the policy language in use.
const VERSION: &str = "2012-10-17";

/// A policy.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Document {
    version: &'static str,
    statement: Vec<Statement>,
}

impl Document {
    pub(super) fn new(statements: impl IntoIterator<Item = Statement>) -> Self {
        Self { version: VERSION, statement: statements.into_iter().collect() }
    }

    /// Indented, as `aws_iam_policy_document` has it.
    pub(super) fn text(&self) -> Result<String, Error> {
        serde_json::to_string_pretty(self)
            .map_err(|error| Error::refused("The policy cannot be written", format!("{error}.")))
    }
}

/// One statement: all of them allow.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Statement {
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<&'static str>,
    effect: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<Aws>,
    action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<OneOrMore>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    condition: BTreeMap<&'static str, BTreeMap<&'static str, OneOrMore>>,
}

/// A principal of AWS.
#[derive(Debug, Serialize)]
struct Aws {
    #[serde(rename = "AWS")]
    arn: String,
}

/// IAM takes a single value without a list around it.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl From<Vec<String>> for OneOrMore {
    fn from(mut values: Vec<String>) -> Self {
        match values.pop() {
            Some(one) if values.is_empty() => Self::One(one),
            last => {
                values.extend(last);
                Self::More(values)
            }
        }
    }
}

/// Who may assume a role, and under which conditions.
pub(super) struct Trust {
    /// The principal.
    pub(super) arn: String,
    /// What the principal's own ARN is like; empty if `arn` says it.
    pub(super) like: Vec<String>,
    pub(super) external_id: Option<String>,
}

impl Statement {
    /// An action allowed on resources.
    pub(super) fn new(sid: &'static str, action: &'static str, resources: impl IntoIterator<Item = String>) -> Self {
        Self {
            sid: Some(sid),
            effect: "Allow",
            principal: None,
            action,
            resource: Some(resources.into_iter().collect::<Vec<_>>().into()),
            condition: BTreeMap::new(),
        }
    }

    /// That of a trust policy.
    pub(super) fn trust(Trust { arn, like, external_id }: Trust) -> Self {
        let mut condition = BTreeMap::new();
        if !like.is_empty() {
            condition.insert("ArnLike", BTreeMap::from([("aws:PrincipalArn", like.into())]));
        }
        if let Some(id) = external_id {
            condition.insert("StringEquals", BTreeMap::from([("sts:ExternalId", OneOrMore::One(id))]));
        }
        let principal = Some(Aws { arn });
        Self { sid: None, effect: "Allow", principal, action: "sts:AssumeRole", resource: None, condition }
    }
}
