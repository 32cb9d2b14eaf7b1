//! What a call's failure means.

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::bounds::TooLong;
use super::client::PATIENCE;
use crate::engine::error::{AwsError, AwsProblem, Error};

/// What was asked of AWS, for whoever has to explain a failure.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked {
    /// `service:Action`, as policies write it.
    pub(super) call: &'static str,
    /// Who asked.
    pub(super) identity: String,
    /// About what.
    pub(super) target: String,
    /// What a policy must name.
    pub(super) resources: Vec<String>,
    /// The setting that led there.
    pub(super) about: &'static str,
    /// Whether only a missing password led there.
    pub(super) for_want_of_password: bool,
}

impl Asked {
    fn error(&self, problem: AwsProblem, code: &str, message: String) -> Error {
        Error::Aws(Box::new(AwsError {
            call: self.call,
            identity: self.identity.clone(),
            target: self.target.clone(),
            resources: self.resources.clone(),
            about: (!self.about.is_empty()).then_some(self.about),
            for_want_of_password: self.for_want_of_password,
            code: code.into(),
            problem,
            message: message.into(),
            profile: None,
        }))
    }

    /// An error on the way to credentials, when no call was made yet: what they were wanted for.
    pub(super) fn wanted(&self, error: Error) -> Error {
        match error {
            Error::Aws(error) if error.call.is_empty() => Error::Aws(Box::new(AwsError {
                target: self.target.clone(),
                about: (!self.about.is_empty()).then_some(self.about),
                for_want_of_password: self.for_want_of_password,
                ..*error
            })),
            other => other,
        }
    }

    /// An answer that lacks what was asked for.
    pub(super) fn no_answer(&self, what: &str) -> Error {
        self.error(AwsProblem::Refused, "", format!("The answer has no {what}."))
    }
}

/// What a failed call means.
pub(super) fn failed<E>(asked: &Asked, error: &SdkError<E, Response>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match error {
        SdkError::ServiceError(answer) if answer.raw().status().as_u16() == WANTS_A_LOGIN => {
            asked.error(AwsProblem::Unreachable, "", PROXY_WANTS_A_LOGIN.into())
        }
        SdkError::ServiceError(answer) => {
            let status = answer.raw().status().as_u16();
            let code = answer.err().code().unwrap_or_default();
            let message = match answer.err().message() {
                Some(text) => text.to_owned(),
                None => match words(answer.err()) {
                    text if text == code => format!("HTTP status {status}, without a message."),
                    text => format!("HTTP status {status}, without a message ({text})."),
                },
            };
            let problem = match code {
                "Throttling"
                | "ThrottlingException"
                | "TooManyRequestsException"
                | "RequestLimitExceeded"
                | "SlowDown" => AwsProblem::Throttled,
                _ if message.contains("Rate exceeded") => AwsProblem::Throttled,
                _ => AwsProblem::Refused,
            };
            asked.error(problem, code, message)
        }
        SdkError::TimeoutError(_) => {
            let limit = humantime::format_duration(PATIENCE);
            asked.error(AwsProblem::Unreachable, "", format!("No answer came within {limit}."))
        }
        SdkError::DispatchFailure(_) if is_too_long(error) => asked.error(AwsProblem::TooMuch, "", TooLong.to_string()),
        SdkError::DispatchFailure(failure) => {
            let message = failure.as_connector_error().map_or_else(|| words(error), |cause| words(cause));
            let message = proxy_said(&message).unwrap_or(message);
            asked.error(AwsProblem::Unreachable, "", message)
        }
        SdkError::ResponseError(answer) => {
            let status = answer.raw().status().as_u16();
            asked.error(AwsProblem::Refused, "", format!("The answer (HTTP status {status}) is not what AWS sends."))
        }
        other => asked.error(AwsProblem::Refused, "", words(other)),
    }
}

fn is_too_long(error: &(dyn std::error::Error + 'static)) -> bool {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.into_iter().any(|cause| cause.is::<TooLong>())
}

/// Only proxies answer this (RFC 9110, 15.5.8).
const WANTS_A_LOGIN: u16 = 407;

const PROXY_WANTS_A_LOGIN: &str = "The proxy on the way to AWS wants another login than the one in its URL, if any.";

/// What the client's words about a tunnel through a proxy mean. The client keeps the words alone.
fn proxy_said(message: &str) -> Option<String> {
    let (_, said) = message.split_once("tunnel error: ")?;
    Some(match said {
        "proxy authorization required" => PROXY_WANTS_A_LOGIN.to_owned(),
        "unsuccessful" => "The proxy on the way to AWS refuses to connect there.".to_owned(),
        "failed to create underlying connection" => "The proxy on the way to AWS cannot be reached.".to_owned(),
        other => format!("The proxy on the way to AWS does not answer as proxies do: {other}."),
    })
}

/// An error and its causes as one sentence, each cause once.
pub(super) fn words(error: &dyn std::error::Error) -> String {
    let mut all = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(next) = cause {
        let text = next.to_string();
        if !all.iter().any(|known| known.contains(&text)) {
            all.push(text);
        }
        cause = next.source();
    }
    all.join(": ")
}

/// Whether AWS knows nothing of that name.
pub(super) fn is_not_found(error: &Error) -> bool {
    matches!(error, Error::Aws(error) if error.code.contains("NotFound"))
}
