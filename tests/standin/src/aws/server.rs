//! The port: reads calls, asks who calls, strikes with faults, answers.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue, USER_AGENT};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::failure::Failure;
use super::identity::{Identity, partition};
use super::sigv4::{Authorization, Signed, missing};
use super::wire::{Call, Protocol, Reply, Service, write};
use super::{Account, AwsCall, clock, redshift, secrets, serverless, sts};
use crate::Error;
use crate::faults::{Action, On};

/// A call with its caller.
pub struct Context<'a> {
    /// The account.
    pub account: &'a Account,
    /// The call.
    pub call: &'a Call,
    /// Who calls.
    pub identity: &'a Identity,
    /// The region of the signature.
    pub region: &'a str,
}

impl Context<'_> {
    /// `arn:partition:service:region:account:resource`, in the caller's account.
    pub fn arn(&self, resource: &str) -> String {
        let (region, account) = (self.region, &self.identity.account);
        format!("arn:{}:{}:{region}:{account}:{resource}", partition(region), self.call.service.name())
    }

    /// Whether something of this account and region, if it says, is before the caller's eyes.
    pub fn sees(&self, account: Option<&str>, region: Option<&str>) -> bool {
        account.is_none_or(|a| a == self.identity.account) && region.is_none_or(|r| r == self.region)
    }

    /// Whether the caller's policies allow this operation on all of these.
    pub fn allow(&self, resources: &[String]) -> Result<(), Failure> {
        self.account.state().directory.allow(self.identity, self.call, &self.call.name(), resources)
    }
}

/// Serves the account on a free loopback port of the current runtime.
pub async fn serve(account: Arc<Account>) -> Result<SocketAddr, Error> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let _ = stream.set_nodelay(true);
            let account = account.clone();
            tokio::spawn(async move {
                let service = service_fn(move |request| {
                    let account = account.clone();
                    async move { answer(&account, request).await }
                });
                // An error is a line that broke, or that a fault cut.
                let _ =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    Ok(address)
}

/// Answers one request; the error cuts the line.
async fn answer(account: &Account, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, std::io::Error> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, 1 << 20).collect().await.map_err(std::io::Error::other)?.to_bytes();
    let call = match Call::read(&head.headers, &body) {
        Ok(call) => call,
        Err((service, failure)) => return Ok(respond(account, service, "Unknown", &Err(failure))),
    };
    let signed = Signed {
        method: head.method.as_str(),
        path: head.uri.path(),
        query: head.uri.query().unwrap_or_default(),
        headers: &head.headers,
        body: &body,
    };
    let caller = authenticate(account, &call, &signed);
    let user_agent = head.headers.get(USER_AGENT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    account.log(&call, caller.as_ref().ok(), user_agent);

    let record = &account.shared.record;
    let mut cut_after = false;
    let mut struck = None;
    match record.strike(On::Aws, &call.name()) {
        Some(Action::CutBefore) => return Err(std::io::ErrorKind::ConnectionReset.into()),
        Some(Action::CutAfter) => cut_after = true,
        Some(Action::Delay { milliseconds }) => tokio::time::sleep(Duration::from_millis(milliseconds)).await,
        Some(Action::Error { sqlstate, message, .. }) => {
            struck = Some(Failure::new(call.service.protocol(), &sqlstate, message));
        }
        // Only statements stall.
        Some(Action::Stall | Action::StallAfter) | None => {}
    }
    let outcome = match (struck, caller) {
        (Some(failure), _) | (None, Err(failure)) => Err(failure),
        (None, Ok((identity, region))) => dispatch(account, &call, identity.as_ref(), &region).await,
    };
    if cut_after {
        return Err(std::io::ErrorKind::ConnectionReset.into());
    }
    Ok(respond(account, call.service, &call.operation, &outcome))
}

type Caller = (Option<Identity>, String);

/// Who calls, and in which region. Nobody, only where nobody has to.
fn authenticate(account: &Account, call: &Call, request: &Signed<'_>) -> Result<Caller, Failure> {
    let protocol = call.service.protocol();
    if call.operation == "AssumeRoleWithWebIdentity" {
        return Ok((None, account.options.region.clone()));
    }
    let Some(authorization) = Authorization::read(call.service, request.headers)? else {
        return Err(missing(protocol));
    };
    let unknown = || {
        let text = "The security token included in the request is invalid.";
        Failure::either(protocol, "InvalidClientTokenId", "UnrecognizedClientException", text)
    };
    let key = account.state().directory.keys.get(&authorization.key).cloned().ok_or_else(unknown)?;
    let token = request.headers.get("x-amz-security-token").and_then(|v| v.to_str().ok());
    if token != key.session.as_ref().map(|(token, _)| token.as_str())
        || key.identity.partition() != partition(&authorization.region)
    {
        return Err(unknown());
    }
    let now = account.shared.logins.clock.now();
    authorization.check(call.service, request, &key.secret, now)?;
    if key.session.is_some_and(|(_, until)| until <= now) {
        let text = "The security token included in the request is expired";
        return Err(Failure::either(protocol, "ExpiredToken", "ExpiredTokenException", text));
    }
    Ok((Some(key.identity), authorization.region))
}

async fn dispatch(account: &Account, call: &Call, identity: Option<&Identity>, region: &str) -> Result<Reply, Failure> {
    let Some(identity) = identity else { return sts::with_web_identity(account, call) };
    let context = Context { account, call, identity, region };
    match call.service {
        Service::Sts => sts::answer(&context),
        Service::Redshift => redshift::answer(&context).await,
        Service::Serverless => serverless::answer(&context).await,
        Service::Secrets => secrets::secret(&context),
        Service::Ssm => secrets::parameter(&context),
    }
}

fn respond(
    account: &Account,
    service: Service,
    operation: &str,
    outcome: &Result<Reply, Failure>,
) -> Response<Full<Bytes>> {
    let request_id = crate::guid();
    let written = write(service, operation, outcome, &request_id);
    let mut response = Response::new(Full::new(Bytes::from(written.body)));
    *response.status_mut() = hyper::StatusCode::from_u16(written.status).unwrap_or_default();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(written.content_type));
    // SDKs set their clocks by the Date header.
    let date = clock::header(account.shared.logins.clock.now());
    for (name, value) in
        [("x-amzn-requestid", Some(request_id)), ("x-amzn-errortype", written.error_type), ("date", Some(date))]
    {
        if let Some(value) = value.and_then(|v| HeaderValue::from_str(&v).ok()) {
            headers.insert(name, value);
        }
    }
    response
}

impl Account {
    fn log(&self, call: &Call, caller: Option<&Caller>, user_agent: &str) {
        let mut parameters = call.parameters.clone();
        if let Some(token) = parameters.get_mut("WebIdentityToken") {
            *token = "(secret)".into();
        }
        self.shared.record.aws_call(&call.name());
        let (identity, region) = match caller {
            Some((identity, region)) => (identity.as_ref(), region.clone()),
            None => (None, String::new()),
        };
        self.state().calls.push(AwsCall {
            name: call.name(),
            identity_arn: identity.map(|i| i.arn.clone()).unwrap_or_default(),
            region,
            parameters,
            user_agent: user_agent.to_owned(),
        });
    }

    /// Takes note of what may be found nowhere else.
    pub(super) fn keep_secret(&self, secrets: impl IntoIterator<Item = String>) {
        self.state().minted.extend(secrets);
    }
}

/// The error of a call that this stand-in, not AWS, has nothing for.
pub fn unknown_here(what: &str) -> Failure {
    Failure::new(Protocol::Query, "NotImplemented", format!("the stand-in knows no {what}"))
}
