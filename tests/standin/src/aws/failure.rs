//! The errors of AWS's services: code, message and status, each protocol in its own words.

use super::identity::Identity;
use super::wire::Protocol;

/// An error that a call is answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Such as `ClusterNotFound`.
    pub code: String,
    /// The message; `None` where AWS sends none.
    pub message: Option<String>,
    /// The HTTP status.
    pub status: u16,
}

impl Failure {
    /// Any code, with the status that the protocol has for it.
    pub fn new(protocol: Protocol, code: &str, message: impl Into<String>) -> Self {
        Failure { code: code.to_owned(), message: Some(message.into()), status: status(protocol, code) }
    }

    /// One of two codes, by protocol.
    pub fn either(protocol: Protocol, query: &str, json: &str, message: impl Into<String>) -> Self {
        Failure::new(protocol, if protocol == Protocol::Query { query } else { json }, message)
    }

    /// AccessDenied as AWS writes it. `why` is the end of the sentence, with its blank.
    pub fn denied(protocol: Protocol, identity: &Identity, action: &str, resource: &str, why: &str) -> Self {
        let text =
            format!("User: {} is not authorized to perform: {action} on resource: {resource}{why}", identity.arn);
        Failure::either(protocol, "AccessDenied", "AccessDeniedException", text)
    }

    /// A parameter breaks a constraint of the service's model.
    pub fn constraint(protocol: Protocol, parameter: &str, value: Option<&str>, constraint: &str) -> Self {
        let value = value.map_or("null".to_owned(), |v| format!("'{v}'"));
        let text = format!(
            "1 validation error detected: Value {value} at '{parameter}' failed to satisfy constraint: Member must \
             {constraint}"
        );
        Failure::either(protocol, "ValidationError", "ValidationException", text)
    }
}

/// The status that goes with a code: in JSON protocols all that the caller is to blame for is 400.
fn status(protocol: Protocol, code: &str) -> u16 {
    match code {
        "ServiceUnavailable" | "ServiceUnavailableException" | "Unavailable" => 503,
        _ if code.starts_with("Internal") => 500,
        "RequestTimeout" => 408,
        _ if protocol == Protocol::Json => 400,
        "AccessDenied"
        | "ExpiredToken"
        | "InvalidClientTokenId"
        | "SignatureDoesNotMatch"
        | "OptInRequired"
        | "MissingAuthenticationToken"
        | "IDPRejectedClaim"
        | "RegionDisabledException" => 403,
        _ if code.contains("NotFound") => 404,
        _ => 400,
    }
}
