//! What go-plugin asks of a plugin beside its own service: control, output, health.

use futures::future;
use futures::stream::{self, BoxStream, StreamExt};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use super::super::wire::google::protobuf::Empty as Nothing;
use super::super::wire::grpc::health::v1::health_check_response::ServingStatus;
use super::super::wire::grpc::health::v1::health_server::Health;
use super::super::wire::grpc::health::v1::{HealthCheckRequest, HealthCheckResponse};
use super::super::wire::plugin::grpc_controller_server::GrpcController;
use super::super::wire::plugin::grpc_stdio_server::GrpcStdio;
use super::super::wire::plugin::{Empty, StdioData};

/// Ends the process when it is asked to.
pub(super) struct Controller(pub(super) CancellationToken);

#[tonic::async_trait]
impl GrpcController for Controller {
    async fn shutdown(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        self.0.cancel();
        Ok(Response::new(Empty {}))
    }
}

/// Nothing is printed after the handshake, so the stream is silent, and ends with the process.
pub(super) struct Stdio(pub(super) CancellationToken);

/// A stream without items that ends with the process.
fn silence<T: Send + 'static>(exit: &CancellationToken) -> BoxStream<'static, T> {
    stream::once(exit.clone().cancelled_owned()).filter_map(|()| future::ready(None)).boxed()
}

#[tonic::async_trait]
impl GrpcStdio for Stdio {
    type StreamStdioStream = BoxStream<'static, Result<StdioData, Status>>;

    async fn stream_stdio(&self, _: Request<Nothing>) -> Result<Response<Self::StreamStdioStream>, Status> {
        Ok(Response::new(silence(&self.0)))
    }
}

/// The plugin is well as long as it answers.
pub(super) struct Wellbeing(pub(super) CancellationToken);

impl Wellbeing {
    fn of(request: Request<HealthCheckRequest>) -> Result<HealthCheckResponse, Status> {
        match request.into_inner().service.as_str() {
            "" | "plugin" => Ok(HealthCheckResponse { status: ServingStatus::Serving.into() }),
            _ => Err(Status::not_found("there is no such service")),
        }
    }
}

#[tonic::async_trait]
impl Health for Wellbeing {
    type WatchStream = BoxStream<'static, Result<HealthCheckResponse, Status>>;

    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        Wellbeing::of(request).map(Response::new)
    }

    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let now = stream::iter([Wellbeing::of(request)]);
        Ok(Response::new(now.chain(silence(&self.0)).boxed()))
    }
}
