//! Talking to AWS: the chain of credentials and regions, clients.

use std::time::Duration;

use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::imds::region::ImdsRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_types::SdkConfig;

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
                .http_client(http)
                .region(region)
                .retry_config(retries())
                .timeout_config(timeouts.build())
                .load()
                .await;
            Ok(config)
        };
        self.config.get_or_try_init(load).await
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
        }
        Ok(builder.build())
    }
}

fn retries() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(ATTEMPTS.0).with_initial_backoff(ATTEMPTS.1)
}
