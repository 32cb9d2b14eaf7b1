//! Talking to AWS: the chain of credentials and regions, clients.

use std::time::Duration;

use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::imds::region::ImdsRegionProvider;
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::future::ProvideCredentials as ProvidedCredentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_types::SdkConfig;
use aws_types::origin::Origin;

use super::problem::words;
use super::way::http_client;
use super::{Aws, Service};
use crate::engine::error::Error;

/// How often a call is tried, and the first wait between: "Rate exceeded" passes within seconds.
const ATTEMPTS: (u32, Duration) = (5, Duration::from_millis(500));

impl Aws {
    /// The configuration that all clients share, loaded when it is first needed. `hint`: a region that is known.
    pub(super) async fn config(&self, hint: Option<&str>) -> Result<&SdkConfig, Error> {
        let load = || async {
            let http = http_client()?;
            let region = self.region_chain().or_else(hint.map(|name| Region::new(name.to_owned())));
            let instance = ProviderConfig::without_region().with_http_client(http.clone());
            let instance = ImdsRegionProvider::builder().configure(&instance).build();
            let region = region.or_else(instance).region().await;
            let mut loader = aws_config::defaults(BehaviorVersion::latest());
            if let Some(name) = &self.options.profile {
                loader = loader.profile_name(name);
            }
            if let Ok(name) = AppName::new(concat!("terraform-provider-redshift-", env!("CARGO_PKG_VERSION"))) {
                loader = loader.app_name(name);
            }
            let timeouts = TimeoutConfig::builder()
                .connect_timeout(Duration::from_secs(10))
                .operation_attempt_timeout(Duration::from_secs(30));
            let config = loader
                .http_client(http.clone())
                .region(region)
                .retry_config(retries())
                .timeout_config(timeouts.build())
                .load()
                .await;
            Ok(self.by_profile(config, http))
        };
        self.config.get_or_try_init(load).await
    }

    /// The same, with the credentials of the profile that is written before those of the environment, as the command line
    /// and the AWS provider have it: the default chain has it the other way around.
    fn by_profile(&self, config: SdkConfig, http: SharedHttpClient) -> SdkConfig {
        let (Some(name), Some(others)) = (&self.options.profile, config.credentials_provider()) else { return config };
        let own = ProviderConfig::without_region()
            .with_http_client(http)
            .with_region(config.region().cloned())
            .with_use_fips(config.use_fips())
            .with_use_dual_stack(config.use_dual_stack())
            .with_retry_config(retries());
        let profile = ProfileFileCredentialsProvider::builder().configure(&own).profile_name(name).build();
        let chain = CredentialsProviderChain::first_try("Profile", Written(profile)).or_else("Default", others);
        config.to_builder().credentials_provider(SharedCredentialsProvider::new(chain)).build()
    }

    fn region_chain(&self) -> RegionProviderChain {
        let mut profile = ProfileFileRegionProvider::builder();
        if let Some(name) = &self.options.profile {
            profile = profile.profile_name(name);
        }
        RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new()).or_else(profile.build())
    }

    /// The region to ask in: the one that settings say, else that of the AWS chain.
    pub(super) async fn region(&self, written: Option<&str>) -> Result<String, Error> {
        if let Some(region) = written {
            return Ok(region.to_owned());
        }
        let region = match self.region_chain().region().await {
            Some(region) => Some(region),
            None => self.config(None).await?.region().cloned(),
        };
        region.map(|region| region.to_string()).ok_or_else(|| {
            Error::refused(
                "No AWS region",
                "AWS has to be asked, and it is not known in which region. Write region, here or in the provider block, or set AWS_REGION, or a region in the profile.",
            )
            .about("region")
        })
    }

    /// The configuration of one service's clients.
    pub(super) async fn service(
        &self,
        service: Service,
        region: &str,
        credentials: Credentials,
    ) -> Result<SdkConfig, Error> {
        let config = self.config(Some(region)).await?;
        let mut builder = config
            .to_builder()
            .region(Region::new(region.to_owned()))
            .credentials_provider(SharedCredentialsProvider::new(credentials));
        if let Some(url) = self.options.endpoints.get(&service) {
            builder = builder.endpoint_url(url);
            // Else AWS_ENDPOINT_URL and the profile's endpoint_url would go before it.
            builder.insert_origin("endpoint_url", Origin::shared_config());
        }
        Ok(builder.build())
    }
}

fn retries() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(ATTEMPTS.0).with_initial_backoff(ATTEMPTS.1)
}

/// A profile that is written must be there: whoever mistypes its name wants no other identity in its place.
#[derive(Debug)]
struct Written(ProfileFileCredentialsProvider);

impl ProvideCredentials for Written {
    fn provide_credentials<'a>(&'a self) -> ProvidedCredentials<'a>
    where
        Self: 'a,
    {
        ProvidedCredentials::new(async {
            self.0.provide_credentials().await.map_err(|error| match error {
                CredentialsError::CredentialsNotLoaded(_) if words(&error).contains("was not defined") => {
                    CredentialsError::invalid_configuration(words(&error))
                }
                other => other,
            })
        })
    }
}
