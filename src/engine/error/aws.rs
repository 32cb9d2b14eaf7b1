//! What AWS answers, and what to do about it.

use std::fmt;

use super::{Foreign, shown};

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
    pub code: Foreign,
    /// AWS's words.
    pub message: Foreign,
    /// The setting that led there.
    pub about: Option<&'static str>,
    /// Whether only a missing password led there.
    pub for_want_of_password: bool,
    /// The profile whose credentials these are, where one is named.
    pub profile: Option<String>,
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
    /// The answer was longer than any of AWS.
    TooMuch,
    /// No credentials were found anywhere.
    NoCredentials,
    /// Credentials are there, but cannot be used.
    BadCredentials,
}

impl AwsError {
    /// Whether the cluster or workgroup that was named does not exist in the account and region that were asked. A custom
    /// domain name, or a host that was taken for one, names none.
    pub(super) fn is_no_warehouse(&self) -> bool {
        self.about != Some("host")
            && match self.code.raw() {
                "ClusterNotFound" | "ClusterNotFoundFault" => true,
                "ResourceNotFoundException" => self.call.starts_with("redshift"),
                _ => false,
            }
    }

    pub(super) fn is_denied(&self) -> bool {
        ["AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"]
            .contains(&self.code.raw())
    }

    fn is_clock(&self) -> bool {
        ["RequestExpired", "RequestTimeTooSkewed", "RequestInTheFuture"].contains(&self.code.raw())
            || ["Signature expired", "Signature not yet current"].iter().any(|text| self.message.contains(text))
    }

    pub(super) fn summary(&self) -> String {
        match self.problem {
            AwsProblem::NoCredentials => "No AWS credentials".to_owned(),
            AwsProblem::BadCredentials => "AWS credentials cannot be used".to_owned(),
            AwsProblem::Throttled => format!("AWS is asked too often ({})", self.call),
            AwsProblem::Unreachable => format!("AWS does not answer ({})", self.call),
            AwsProblem::TooMuch => format!("Too much came from AWS ({})", self.call),
            AwsProblem::Refused if self.is_denied() => format!("AWS does not allow {}", self.call),
            AwsProblem::Refused => format!("AWS refused {}", self.call),
        }
    }

    /// The word behind a label in AWS's sentence `User: ARN is not authorized to perform: ACTION on resource: ARN`.
    fn told(&self, label: &str) -> Option<&str> {
        self.message.raw().split_once(label)?.1.split_whitespace().next()
    }

    /// Who asked, as exactly as it is known.
    fn caller(&self) -> &str {
        match self.told("User: ") {
            Some(arn) if arn.starts_with("arn:") && !self.identity.starts_with("role ") => arn,
            _ => &self.identity,
        }
    }

    /// What a policy must name: whole ARNs, where AWS's sentence tells their beginning.
    fn needed(&self) -> String {
        let told = self.told("on resource: ").filter(|arn| arn.starts_with("arn:"));
        let whole = |resource: &String| match told {
            Some(arn) if resource.contains("<id>") => arn.to_owned(),
            Some(arn) if !resource.starts_with("arn:") => {
                let parts: Vec<&str> = arn.splitn(6, ':').take(5).chain([resource.as_str()]).collect();
                parts.join(":")
            }
            _ => resource.clone(),
        };
        self.resources.iter().map(whole).collect::<Vec<_>>().join(" and ")
    }

    pub(super) fn detail(&self) -> String {
        let message = self.message.to_string();
        let message = message.trim_end_matches('.');
        let mut text = match self.problem {
            AwsProblem::NoCredentials | AwsProblem::BadCredentials => {
                let why = match (self.problem, &self.profile) {
                    (AwsProblem::BadCredentials, _) => format!("{} cannot be used: {message}", self.identity),
                    (_, Some(_)) => format!("{} gives no credentials", self.identity),
                    (_, None) => "there are no credentials in the environment, in a profile, or from a web identity, container or instance role".to_owned(),
                };
                if self.target.is_empty() {
                    format!("{}.", capital(&why))
                } else {
                    format!("AWS was to be asked for {}, but {why}.", self.target)
                }
            }
            _ => {
                let code = if self.code.is_empty() { String::new() } else { format!("{}: ", self.code) };
                let who = capital(&self.identity);
                format!("{who} asked for {}, and AWS said: {code}{}", self.target, self.message)
            }
        };
        text = shown(&text).into_owned();
        if self.for_want_of_password {
            text.push_str("\nNo password is known for this login, so AWS was asked for temporary credentials.");
        }
        text
    }

    pub(super) fn advice(&self) -> Option<String> {
        let with_profile = self.profile.as_ref().map(|name| format!(" --profile {name}")).unwrap_or_default();
        Some(match self.problem {
            AwsProblem::NoCredentials if self.profile.is_some() => format!(
                "Check the profile's name, and the files that AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE name, else ~/.aws/config and ~/.aws/credentials: `aws sts get-caller-identity{with_profile}` must work."
            ),
            AwsProblem::NoCredentials => "Set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, write profile in the provider block, or run `aws sso login`. To sign in with a password instead, give one: see the guide \"Choosing how to sign in\".".into(),
            AwsProblem::BadCredentials => {
                let text = self.message.raw().to_ascii_lowercase();
                if text.contains("sso") {
                    format!("The login of AWS SSO has expired, or was never made on this machine: run `aws sso login{with_profile}`, and try again.")
                } else {
                    format!("Check the profile and the source of its credentials: `aws sts get-caller-identity{with_profile}` must work with the same settings. A job's web identity token may have expired: a long job has to get a new one.")
                }
            }
            AwsProblem::Throttled => "It was tried several times. Run it again later, or with a smaller -parallelism; others in the same account count too.".into(),
            AwsProblem::Unreachable => "Check the network, HTTPS_PROXY and NO_PROXY, and AWS_CA_BUNDLE where a proxy opens TLS. In a private network without a way out, the service needs a VPC endpoint (then set it in the provider's endpoints).".into(),
            AwsProblem::TooMuch => "No answer of AWS is so long: is what answers there AWS? Check the provider's endpoints, AWS_ENDPOINT_URL and HTTPS_PROXY.".into(),
            AwsProblem::Refused if self.is_clock() => "This machine's clock is too far off: AWS takes requests within five minutes of its own. Set the clock, and try again.".into(),
            AwsProblem::Refused if self.is_denied() => self.denied(),
            AwsProblem::Refused => self.advice_by_code()?.into(),
        })
    }

    fn denied(&self) -> String {
        let (caller, call, needed) = (self.caller(), self.call, self.needed());
        if self.message.contains("explicit deny") {
            return format!(
                "A policy forbids {call} to {caller}, and no other policy that allows it helps against that. Look into the policies of the identity, its permissions boundary and the organization's service control policies."
            );
        }
        if call == "sts:AssumeRole" {
            return format!(
                "AWS gives this one answer to four causes: the role does not exist (check role_arn); its trust policy does not admit {caller}; its trust policy asks for an external id (sts:ExternalId), and external_id is not exactly that; no policy of {caller} allows sts:AssumeRole on {needed}. The data source redshift_iam_policy_document writes both policies (trust_json, caller_json)."
            );
        }
        let mut text = format!(
            "A policy of {caller} must allow {call} on {needed}. The data source redshift_iam_policy_document writes it."
        );
        if self.message.contains("kms:") {
            text.push_str(" The key that encrypts it must be allowed too (kms:Decrypt).");
        }
        if ["redshift:DescribeClusters", "redshift-serverless:GetWorkgroup"].contains(&call) {
            text.push_str(" Or write host and port: then they need not be looked up.");
        }
        text
    }

    fn advice_by_code(&self) -> Option<&'static str> {
        Some(match self.code.raw() {
            code if code.contains("NotFound") && self.about == Some("host") => {
                "The host has none of the usual shapes, so it was taken for a custom domain name of Redshift. If it is one, check region and the account of the identity. If it is another name for the warehouse (an alias, a balancer), write cluster_identifier or workgroup_name beside it."
            }
            "ClusterNotFound" | "ClusterNotFoundFault" => {
                "Check cluster_identifier (or host) and region, and that the identity belongs to the cluster's account (with a role in that account, set role_arn). If it is a serverless workgroup, write workgroup_name."
            }
            "ResourceNotFoundException" if self.call.starts_with("secretsmanager") => {
                "Check secret_id and region; a secret of another account needs its full ARN."
            }
            "ResourceNotFoundException" => {
                "Check workgroup_name (or host) and region, and that the identity belongs to the workgroup's account (with a role in that account, set role_arn)."
            }
            "ParameterNotFound" => {
                "Check password_ssm_parameter and region; names are case-sensitive, and those with a path begin with a slash."
            }
            "ExpiredToken" | "ExpiredTokenException" => {
                "The session's credentials have expired: renew them (`aws sso login`, or a new AWS_SESSION_TOKEN with its keys), and try again."
            }
            "InvalidClientTokenId" | "UnrecognizedClientException" => {
                "AWS does not know this access key: it was deleted, or is one of another partition (China, GovCloud), or AWS_SESSION_TOKEN belongs to other keys. Check AWS_ACCESS_KEY_ID, AWS_SESSION_TOKEN and the profile: `aws sts get-caller-identity` must work with the same settings."
            }
            "SignatureDoesNotMatch" | "InvalidSignatureException" | "IncompleteSignature" => {
                "The secret key is not the one of this access key. Check AWS_SECRET_ACCESS_KEY and the profile: `aws sts get-caller-identity` must work with the same settings."
            }
            "RegionDisabledException" => {
                "STS is not enabled in this region for the account: enable it, or write another region."
            }
            "UnsupportedOperation" | "UnsupportedOperationFault" => {
                "This cluster does not offer that. Write username, so that GetClusterCredentials is used."
            }
            _ => return None,
        })
    }
}

/// The beginning of a sentence.
fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_ascii_uppercase().to_string() + chars.as_str()).unwrap_or_default()
}

impl fmt::Display for AwsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.summary(), self.detail())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denied(identity: &str, who: &str, resource: &str) -> AwsError {
        AwsError {
            call: "redshift:GetClusterCredentials",
            identity: identity.into(),
            resources: vec!["dbuser:main/alice".into(), "dbname:main/dev".into()],
            code: "AccessDenied".into(),
            message: format!("User: {who} is not authorized to perform: redshift:X on resource: {resource} because")
                .into(),
            ..AwsError::default()
        }
    }

    #[test]
    fn whole_arns_are_shown_where_aws_tells_their_beginning() {
        let (user, role) = ("arn:aws:iam::111122223333:user/ann", "role arn:aws:iam::111122223333:role/r");
        let error = denied("somebody", user, "arn:aws:redshift:eu-west-1:111122223333:dbname:main/dev");
        assert_eq!(error.caller(), user);
        assert_eq!(
            error.needed(),
            "arn:aws:redshift:eu-west-1:111122223333:dbuser:main/alice and arn:aws:redshift:eu-west-1:111122223333:dbname:main/dev"
        );
        let session = denied(role, "arn:aws:sts::111122223333:assumed-role/r/s", "main");
        assert_eq!(session.caller(), role, "policies are the role's, not its session's");
        assert_eq!(session.needed(), "dbuser:main/alice and dbname:main/dev");
        let workgroup = "arn:aws:redshift-serverless:eu-west-1:111122223333:workgroup/0123";
        let error = AwsError { resources: vec!["workgroup/<id>".into()], ..denied("somebody", user, workgroup) };
        assert_eq!(error.needed(), workgroup);
        let error = AwsError { message: "no sentence of this kind".into(), ..error };
        assert_eq!((error.caller(), error.needed().as_str()), ("somebody", "workgroup/<id>"));
    }

    #[test]
    fn a_key_that_is_not_allowed_is_named_too() {
        let mut error = denied("somebody", "arn:aws:iam::111122223333:user/ann", "s");
        assert!(!error.denied().contains("kms:Decrypt"));
        error.message = "no identity-based policy allows the kms:Decrypt action".into();
        assert!(error.denied().contains("kms:Decrypt"));
    }
}
