//! What AWS answers, and what to do about it.

use std::fmt;

/// A call that AWS did not answer as hoped.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AwsError {
    /// `service:Action`, as policies write it; empty where no call was made.
    pub call: &'static str,
    /// Who asked, in words.
    pub identity: String,
    /// About what.
    pub target: String,
    /// What a policy must name.
    pub resources: Vec<String>,
    /// What kind of failure it is.
    pub problem: AwsProblem,
    /// AWS's code, such as `AccessDenied`; empty where there was no answer.
    pub code: String,
    /// AWS's words.
    pub message: String,
    /// The setting that led there.
    pub about: Option<&'static str>,
    /// Whether only a missing password led there.
    pub for_want_of_password: bool,
}

/// Kinds of failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AwsProblem {
    /// AWS answered with an error.
    #[default]
    Refused,
    /// AWS wants to be asked less often.
    Throttled,
    /// There was no answer.
    Unreachable,
    /// No credentials were found anywhere.
    NoCredentials,
    /// Credentials are there, but cannot be used.
    BadCredentials,
}

impl AwsError {
    fn is_denied(&self) -> bool {
        ["AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"]
            .contains(&self.code.as_str())
    }

    fn is_clock(&self) -> bool {
        ["RequestExpired", "RequestTimeTooSkewed", "RequestInTheFuture"].contains(&self.code.as_str())
            || ["Signature expired", "Signature not yet current"].iter().any(|text| self.message.contains(text))
    }

    pub(super) fn summary(&self) -> String {
        match self.problem {
            AwsProblem::NoCredentials => "No AWS credentials".to_owned(),
            AwsProblem::BadCredentials => "AWS credentials cannot be used".to_owned(),
            AwsProblem::Throttled => format!("AWS is asked too often ({})", self.call),
            AwsProblem::Unreachable => format!("AWS does not answer ({})", self.call),
            AwsProblem::Refused if self.is_denied() => format!("AWS does not allow {}", self.call),
            AwsProblem::Refused => format!("AWS refused {}", self.call),
        }
    }

    pub(super) fn detail(&self) -> String {
        let mut text = match self.problem {
            AwsProblem::NoCredentials => {
                "Neither the environment, nor a profile, nor a web identity, container or instance role gave any."
                    .to_owned()
            }
            _ if self.call.is_empty() => format!("{}: {}.", self.identity, self.message.trim_end_matches('.')),
            _ => {
                let code = if self.code.is_empty() { String::new() } else { format!("{}: ", self.code) };
                format!("{} asked for {}, and AWS said: {code}{}", self.identity, self.target, self.message.trim())
            }
        };
        if self.for_want_of_password {
            text.push_str("\nNo password is known for this login, so AWS was asked for temporary credentials.");
        }
        text
    }

    pub(super) fn advice(&self) -> Option<String> {
        Some(match self.problem {
            AwsProblem::NoCredentials => "Set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, write profile in the provider block, or run `aws sso login`. To sign in with a password instead, give one: see the guide \"Choosing how to sign in\".".into(),
            AwsProblem::BadCredentials => {
                let text = self.message.to_ascii_lowercase();
                if text.contains("sso") || text.contains("token") {
                    "The login of AWS SSO has probably expired: run `aws sso login` with the same profile, and try again.".into()
                } else {
                    "Check the profile and the source of its credentials: `aws sts get-caller-identity` must work with the same settings.".into()
                }
            }
            AwsProblem::Throttled => "It was tried several times. Run it again later, or with a smaller -parallelism; others in the same account count too.".into(),
            AwsProblem::Unreachable => "Check the network, HTTPS_PROXY and NO_PROXY, and AWS_CA_BUNDLE where a proxy opens TLS. In a private network without a way out, the service needs a VPC endpoint (then set it in the provider's endpoints).".into(),
            AwsProblem::Refused => self.advice_by_code()?,
        })
    }

    fn advice_by_code(&self) -> Option<String> {
        if self.is_clock() {
            return Some("This machine's clock is too far off: AWS takes requests within five minutes of its own. Set the clock, and try again.".into());
        }
        if self.is_denied() && self.call == "sts:AssumeRole" {
            return Some(format!(
                "Two policies must agree: the role's trust policy must admit {}, and the caller's own policy must allow sts:AssumeRole on {}. AWS says the same for a wrong or missing external_id. The data source redshift_iam_policy_document writes both (trust_json, caller_json).",
                self.identity, self.target
            ));
        }
        if self.is_denied() {
            let kms = if self.message.contains("kms:") {
                " The key that encrypts it must be allowed too (kms:Decrypt)."
            } else {
                ""
            };
            return Some(format!(
                "The policy of {} must allow {} on {}. The data source redshift_iam_policy_document writes it.{kms}",
                self.identity,
                self.call,
                self.resources.join(" and ")
            ));
        }
        Some(match self.code.as_str() {
            "ClusterNotFound" | "ClusterNotFoundFault" => "Check cluster_identifier and region, and that the identity belongs to the cluster's account (with a role in that account, set role_arn). If it is a serverless workgroup, write workgroup_name.".into(),
            "ResourceNotFoundException" if self.call.starts_with("secretsmanager") => "Check secret_id and region; a secret of another account needs its full ARN.".into(),
            "ResourceNotFoundException" => "Check workgroup_name and region, and that the identity belongs to the workgroup's account (with a role in that account, set role_arn).".into(),
            "ParameterNotFound" => "Check password_ssm_parameter and region; names are case-sensitive, and those with a path begin with a slash.".into(),
            "ExpiredToken" | "ExpiredTokenException" => "The session's credentials have expired: renew them (`aws sso login`, or a new token), and try again.".into(),
            "InvalidClientTokenId" | "UnrecognizedClientException" | "SignatureDoesNotMatch" | "InvalidSignatureException"
            | "IncompleteSignature" => "The access key is unknown, or its secret is another one. Check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN and the profile.".into(),
            "RegionDisabledException" => "STS is not enabled in this region for the account: enable it, or write another region.".into(),
            "UnsupportedOperation" | "UnsupportedOperationFault" => "This cluster does not offer that. Write username, so that GetClusterCredentials is used.".into(),
            _ => return None,
        })
    }
}

impl fmt::Display for AwsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.summary(), self.detail())
    }
}
