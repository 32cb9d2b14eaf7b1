//! How much is taken from AWS at once: all answers that are asked for here are short.

use std::fmt;

use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;

/// The longest answer. A secret has at most 64 KB (AWS: Quotas of Secrets Manager), and one cluster described less.
const ANSWER: usize = 4 << 20;

/// An answer is longer than that. Asking again would not help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLong;

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "The answer has more than {} MiB, and that is the most that is taken.", ANSWER >> 20)
    }
}

impl std::error::Error for TooLong {}

/// A client whose answers are read here, up to the limit.
#[derive(Debug)]
pub(super) struct Bounded<T>(pub(super) T);

impl HttpClient for Bounded<SharedHttpClient> {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(Bounded(self.0.http_connector(settings, components)))
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.0.connector_metadata()
    }
}

impl HttpConnector for Bounded<SharedHttpConnector> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let answer = self.0.call(request);
        HttpConnectorFuture::new(async move { whole(answer.await?).await })
    }
}

/// The answer with its body read.
async fn whole(mut answer: HttpResponse) -> Result<HttpResponse, ConnectorError> {
    let too_long = || ConnectorError::other(TooLong.into(), None);
    let mut body = ByteStream::new(answer.take_body());
    if body.size_hint().0 > ANSWER as u64 {
        return Err(too_long());
    }
    let mut read = Vec::new();
    while let Some(part) = body.next().await {
        let part = part.map_err(|error| ConnectorError::io(error.into()))?;
        if read.len() + part.len() > ANSWER {
            return Err(too_long());
        }
        read.extend_from_slice(&part);
    }
    *answer.body_mut() = SdkBody::from(read);
    Ok(answer)
}
