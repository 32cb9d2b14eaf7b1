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
use aws_config::{AppName, BehaviorVersion, ConfigLoader, Region};
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

/// How long an answer is waited for, all tries together: who has said nothing for so long is not asked again.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

impl Aws {
    /// The configuration that all clients share, loaded when it is first needed. `hint`: a region that is known.
    pub(super) async fn config(&self, hint: Option<&str>) -> Result<&SdkConfig, Error> {
        let load = || async {
            let http = http_client()?;
            let region = self.region_chain().or_else(hint.map(|name| Region::new(name.to_owned())));
            let instance = ProviderConfig::without_region().with_http_client(http.clone());
            let instance = ImdsRegionProvider::builder().configure(&instance).build();
            let region = region.or_else(instance).region().await;
            let mut loader = loader(http.clone(), PATIENCE);
            if let Some(name) = &self.options.profile {
                loader = loader.profile_name(name);
            }
            let config = loader.region(region).load().await;
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

/// What all clients have in common.
fn loader(http: SharedHttpClient, patience: Duration) -> ConfigLoader {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(10))
        .operation_attempt_timeout(patience)
        .operation_timeout(patience)
        .build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest());
    if let Ok(name) = AppName::new(concat!("terraform-provider-redshift-", env!("CARGO_PKG_VERSION"))) {
        loader = loader.app_name(name);
    }
    loader.http_client(http).retry_config(retries()).timeout_config(timeouts)
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::time::Instant;

    use super::super::problem::{Asked, failed};
    use super::*;
    use crate::engine::error::AwsProblem;

    /// Asks a server that answers each call with `head`, and then with `part` for as long as somebody reads: what comes
    /// of it, how often it was asked and how many bytes it could send.
    async fn ask(patience: Duration, head: &'static str, part: &'static [u8]) -> (Error, usize, usize) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (calls, sent) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (asked, told) = (calls.clone(), sent.clone());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                asked.fetch_add(1, Ordering::SeqCst);
                let told = told.clone();
                tokio::spawn(async move {
                    let mut request = [0; 4096];
                    let _ = stream.read(&mut request).await;
                    let mut sent = stream.write_all(head.as_bytes()).await;
                    while sent.is_ok() && !part.is_empty() {
                        told.fetch_add(part.len(), Ordering::SeqCst);
                        sent = stream.write_all(part).await;
                    }
                    let _ = stream.read_exact(&mut request).await;
                });
            }
        });
        let credentials = Credentials::new("id", "key", None, None, "a test");
        let config = loader(http_client().expect("a client"), patience)
            .region(Region::new("eu-west-1"))
            .endpoint_url(url)
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .load()
            .await;
        let outcome = aws_sdk_sts::Client::new(&config).get_caller_identity().send().await;
        let error = failed(&Asked::default(), &outcome.expect_err("no answer"));
        (error, calls.load(Ordering::SeqCst), sent.load(Ordering::SeqCst))
    }

    fn problem(error: &Error) -> AwsProblem {
        match error {
            Error::Aws(error) => error.problem,
            other => panic!("{other}"),
        }
    }

    #[tokio::test]
    async fn who_says_nothing_costs_one_wait() {
        let (begun, patience) = (Instant::now(), Duration::from_millis(500));
        let (error, _, _) = ask(patience, "", b"").await;
        assert!(begun.elapsed() < patience * 3, "{:?}", begun.elapsed());
        assert_eq!(problem(&error), AwsProblem::Unreachable);
        assert!(error.detail().contains("No answer came within 30s"), "{error}");
    }

    #[tokio::test]
    async fn an_endless_answer_is_cut_off_and_not_asked_for_again() {
        for head in [
            "HTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n",
            "HTTP/1.1 400 Bad Request\r\n\r\n",
        ] {
            let (error, calls, sent) = ask(PATIENCE, head, &[b'x'; 1 << 16]).await;
            assert_eq!((problem(&error), calls), (AwsProblem::TooMuch, 1), "{error}");
            assert!(sent < 16 << 20, "{sent}");
            assert!(error.to_string().contains("4 MiB"), "{error}");
        }
    }
}
