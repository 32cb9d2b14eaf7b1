//! Who asks: the credentials of whoever runs this, and the roles that are assumed with them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_credential_types::provider::error::CredentialsError;
use tokio::time::timeout;

use super::client::PATIENCE;
use super::problem::{Asked, failed, words};
use super::{Aws, Service, one_of};
use crate::engine::error::{AwsError, AwsProblem, Error};
use crate::engine::settings::needs::Role;

/// How long an assumed role's credentials are asked for: chaining allows an hour at most, one call needs less.
const ROLE_SECONDS: i32 = 900;

/// An identity's credentials, and its name in messages.
pub(super) struct Identity {
    pub(super) credentials: Credentials,
    pub(super) name: String,
}

impl Aws {
    /// The credentials of the last of `roles`, each assumed with those before it; without roles those of the caller.
    pub(super) async fn identity(&self, roles: &[Role], region: &str) -> Result<Identity, Error> {
        let Some((last, before)) = roles.split_last() else {
            let kept = self.caller.get(|| self.caller_credentials(region)).await?;
            return Ok(Identity { credentials: kept.value.clone(), name: self.caller_name() });
        };
        let cell = one_of(&self.roles, roles.to_vec());
        let kept = cell.get(|| self.assume(before, last, region)).await?;
        Ok(Identity { credentials: kept.value.clone(), name: format!("role {}", last.arn) })
    }

    /// How messages call whoever runs this.
    pub(super) fn caller_name(&self) -> String {
        match self.profile() {
            Some(profile) => format!("the AWS profile \"{profile}\""),
            None => "the AWS credentials of this machine".to_owned(),
        }
    }

    /// The profile that is asked for; keys in the environment come before that of the environment.
    fn profile(&self) -> Option<String> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let of_environment = || variable("AWS_PROFILE").filter(|_| variable("AWS_ACCESS_KEY_ID").is_none());
        self.options.profile.clone().or_else(of_environment)
    }

    async fn caller_credentials(&self, region: &str) -> Result<(Credentials, Option<SystemTime>), Error> {
        let problem = |problem: AwsProblem, message: String| {
            let (identity, profile) = (self.caller_name(), self.profile());
            let error = AwsError { problem, message: message.into(), identity, profile, ..AwsError::default() };
            Error::Aws(Box::new(error))
        };
        let Some(provider) = self.config(Some(region)).await?.credentials_provider() else {
            return Err(problem(AwsProblem::NoCredentials, String::new()));
        };
        let asked = timeout(PATIENCE, provider.provide_credentials())
            .await
            .unwrap_or_else(|_| Err(CredentialsError::provider_timed_out(PATIENCE)));
        match asked {
            Ok(credentials) => {
                let end = credentials.expiry();
                Ok((credentials, end))
            }
            Err(error @ CredentialsError::CredentialsNotLoaded(_)) => {
                Err(problem(AwsProblem::NoCredentials, words(&error)))
            }
            Err(error) => {
                let (message, profile) = (causes(&error), self.profile().unwrap_or_default());
                // The library's error for a profile that no file has is not public.
                let kind = if message.contains(&format!("profile `{profile}` was not defined")) {
                    AwsProblem::NoCredentials
                } else {
                    AwsProblem::BadCredentials
                };
                Err(problem(kind, message))
            }
        }
    }

    async fn assume(
        &self,
        before: &[Role],
        role: &Role,
        region: &str,
    ) -> Result<(Credentials, Option<SystemTime>), Error> {
        // Boxed: roles assume roles.
        let identity: Identity = Box::pin(self.identity(before, region)).await?;
        let config = self.service(Service::Sts, region, identity.credentials).await?;
        let client = aws_sdk_sts::Client::new(&config);
        let session = role.session_name.clone().unwrap_or_else(|| "terraform-provider-redshift".to_owned());
        tracing::debug!(role = role.arn, region, external_id = role.external_id.is_some(), "sts:AssumeRole");
        let asked = Asked {
            call: "sts:AssumeRole",
            identity: identity.name,
            target: match &role.external_id {
                Some(id) => format!("role {} with the external id \"{id}\"", role.arn),
                None => format!("role {} without an external id", role.arn),
            },
            resources: vec![role.arn.clone()],
            about: "role_arn",
            ..Asked::default()
        };
        let answer = client
            .assume_role()
            .role_arn(&role.arn)
            .role_session_name(session)
            .set_external_id(role.external_id.clone())
            .duration_seconds(ROLE_SECONDS)
            .send()
            .await
            .map_err(|error| failed(&asked, &error))?;
        let Some(given) = answer.credentials() else { return Err(asked.no_answer("credentials")) };
        let end = u64::try_from(given.expiration().secs()).ok().map(|secs| UNIX_EPOCH + Duration::from_secs(secs));
        let credentials = Credentials::new(
            given.access_key_id(),
            given.secret_access_key(),
            Some(given.session_token().to_owned()),
            end,
            "assumed role",
        );
        Ok((credentials, end))
    }
}

/// What went wrong, without the library's sentences that only say that something did.
fn causes(error: &CredentialsError) -> String {
    let text = words(error);
    let mut rest = text.as_str();
    while let Some((_, more)) = rest.split_once(": ").filter(|(first, _)| first.starts_with("an error occurred while"))
    {
        rest = more;
    }
    rest.to_owned()
}
