//! Requests as AWS's SDKs send them, and answers as they expect them: Query/XML and JSON 1.1.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use bytes::Bytes;
use hyper::HeaderMap;
use percent_encoding::percent_decode;
use serde_json::{Value as Json, json};

use super::failure::Failure;

/// How a service speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// A form goes in, XML comes out.
    Query,
    /// JSON both ways.
    Json,
}

/// The services there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Security Token Service.
    Sts,
    /// Redshift, provisioned.
    Redshift,
    /// Redshift Serverless.
    Serverless,
    /// Secrets Manager.
    Secrets,
    /// Systems Manager: parameters.
    Ssm,
}

impl Service {
    /// The name in a signature's scope, in ARNs and before the colon of an action.
    pub fn name(self) -> &'static str {
        match self {
            Service::Sts => "sts",
            Service::Redshift => "redshift",
            Service::Serverless => "redshift-serverless",
            Service::Secrets => "secretsmanager",
            Service::Ssm => "ssm",
        }
    }

    /// How it speaks.
    pub fn protocol(self) -> Protocol {
        match self {
            Service::Sts | Service::Redshift => Protocol::Query,
            Service::Serverless | Service::Secrets | Service::Ssm => Protocol::Json,
        }
    }

    fn namespace(self) -> &'static str {
        match self {
            Service::Sts => "https://sts.amazonaws.com/doc/2011-06-15/",
            _ => "http://redshift.amazonaws.com/doc/2012-12-01/",
        }
    }
}

/// A call: which operation, with what.
#[derive(Debug, Clone)]
pub struct Call {
    /// The service.
    pub service: Service,
    /// Such as `AssumeRole`.
    pub operation: String,
    /// Parameters; of JSON the scalars on top.
    pub parameters: BTreeMap<String, String>,
}

impl Call {
    /// Reads one. The error comes with the service whose words it has to be told in, as far as that is known.
    pub fn read(headers: &HeaderMap, body: &Bytes) -> Result<Self, (Service, Failure)> {
        let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let content = text("content-type").split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match (content.as_str(), text("x-amz-target")) {
            ("application/x-www-form-urlencoded", "") => Self::query(body),
            ("application/x-amz-json-1.1", target) => Self::json(target, body),
            (other, _) => {
                let text = format!("the stand-in knows no request with the content type {other:?}");
                Err((Service::Redshift, Failure::new(Protocol::Query, "MalformedInput", text)))
            }
        }
    }

    fn query(body: &Bytes) -> Result<Self, (Service, Failure)> {
        let fail = |service: Service, code: &str, text: &str| Err((service, Failure::new(Protocol::Query, code, text)));
        let mut parameters = BTreeMap::new();
        for pair in body.split(|b| *b == b'&').filter(|pair| !pair.is_empty()) {
            let at = pair.iter().position(|b| *b == b'=').unwrap_or(pair.len());
            let (Some(name), Some(value)) = (decode(&pair[..at]), decode(pair.get(at + 1..).unwrap_or_default()))
            else {
                return fail(Service::Redshift, "MalformedQueryString", "The query string is not UTF-8");
            };
            if parameters.insert(name, value).is_some() {
                return fail(Service::Redshift, "MalformedQueryString", "The query string names a parameter twice");
            }
        }
        let version = parameters.remove("Version").unwrap_or_default();
        let service = match version.as_str() {
            "2011-06-15" => Service::Sts,
            "2012-12-01" => Service::Redshift,
            other => {
                let text = format!("The stand-in knows no service of version {other:?}");
                return fail(Service::Redshift, "NoSuchVersion", &text);
            }
        };
        match parameters.remove("Action") {
            Some(operation) if OPERATIONS.contains(&(service, &operation)) => {
                Ok(Call { service, operation, parameters })
            }
            Some(other) => {
                let text = format!("Could not find operation {other} for version {version}");
                fail(service, "InvalidAction", &text)
            }
            None => fail(service, "MissingAction", "One or more parameters are missing: Action"),
        }
    }

    fn json(target: &str, body: &Bytes) -> Result<Self, (Service, Failure)> {
        let (prefix, operation) = target.split_once('.').unwrap_or_default();
        let service = match prefix {
            "secretsmanager" => Service::Secrets,
            "AmazonSSM" => Service::Ssm,
            _ => Service::Serverless,
        };
        let fail = |code: &str| Err((service, Failure { code: code.to_owned(), message: None, status: 400 }));
        let known = OPERATIONS.contains(&(service, operation));
        if !known || (service == Service::Serverless && prefix != "RedshiftServerless") {
            return fail("UnknownOperationException");
        }
        let Ok(Json::Object(fields)) = serde_json::from_slice::<Json>(body) else {
            return fail("SerializationException");
        };
        let mut parameters = BTreeMap::new();
        for (name, value) in fields {
            match value {
                Json::String(text) => parameters.insert(name, text),
                Json::Bool(flag) => parameters.insert(name, flag.to_string()),
                Json::Number(number) => parameters.insert(name, number.to_string()),
                Json::Null => None,
                _ => return fail("SerializationException"),
            };
        }
        Ok(Call { service, operation: operation.to_owned(), parameters })
    }

    /// Such as `sts:AssumeRole`.
    pub fn name(&self) -> String {
        format!("{}:{}", self.service.name(), self.operation)
    }

    /// A parameter, unless it is absent or empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str).filter(|v| !v.is_empty())
    }

    /// An error in this service's protocol.
    pub fn fail(&self, code: &str, message: impl Into<String>) -> Failure {
        Failure::new(self.service.protocol(), code, message)
    }

    /// A parameter breaks a constraint of the model.
    pub fn breaks(&self, parameter: &str, value: Option<&str>, constraint: &str) -> Failure {
        let mut lower = parameter.to_owned();
        if let Some(first) = lower.get_mut(..1) {
            first.make_ascii_lowercase();
        }
        Failure::constraint(self.service.protocol(), &lower, value, constraint)
    }
}

/// Everything that can be called.
const OPERATIONS: [(Service, &str); 11] = [
    (Service::Sts, "AssumeRole"),
    (Service::Sts, "AssumeRoleWithWebIdentity"),
    (Service::Sts, "GetCallerIdentity"),
    (Service::Redshift, "DescribeClusters"),
    (Service::Redshift, "DescribeCustomDomainAssociations"),
    (Service::Redshift, "GetClusterCredentials"),
    (Service::Redshift, "GetClusterCredentialsWithIAM"),
    (Service::Serverless, "GetCredentials"),
    (Service::Serverless, "GetWorkgroup"),
    (Service::Secrets, "GetSecretValue"),
    (Service::Ssm, "GetParameter"),
];

fn decode(text: &[u8]) -> Option<String> {
    let spaced: Vec<u8> = text.iter().map(|b| if *b == b'+' { b' ' } else { *b }).collect();
    percent_decode(&spaced).decode_utf8().ok().map(|t| t.into_owned())
}

/// What a call is answered with.
#[derive(Debug, Clone)]
pub enum Reply {
    /// What goes inside `<OperationResult>`.
    Xml(String),
    /// The whole body.
    Json(Json),
}

/// One answer on the wire.
#[derive(Debug)]
pub struct Written {
    /// The HTTP status.
    pub status: u16,
    /// `content-type`.
    pub content_type: &'static str,
    /// `x-amzn-errortype`, of a JSON error.
    pub error_type: Option<String>,
    /// The body.
    pub body: String,
}

/// Writes an answer, in the words of the service.
pub fn write(service: Service, operation: &str, outcome: &Result<Reply, Failure>, request_id: &str) -> Written {
    let namespace = service.namespace();
    match (service.protocol(), outcome) {
        (_, Ok(Reply::Xml(inner))) => Written {
            status: 200,
            content_type: "text/xml",
            error_type: None,
            body: format!(
                "<{operation}Response xmlns=\"{namespace}\">\n<{operation}Result>{inner}</{operation}Result>\n\
                 <ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>\n</{operation}Response>\n"
            ),
        },
        (_, Ok(Reply::Json(body))) => Written {
            status: 200,
            content_type: "application/x-amz-json-1.1",
            error_type: None,
            body: body.to_string(),
        },
        (Protocol::Query, Err(failure)) => {
            let blame = if failure.status < 500 { "Sender" } else { "Receiver" };
            let error = element("Type", blame)
                + &element("Code", &failure.code)
                + &element("Message", failure.message.as_deref().unwrap_or_default());
            let body = format!(
                "<ErrorResponse xmlns=\"{namespace}\">\n<Error>{error}</Error>\n<RequestId>{request_id}</RequestId>\n\
                 </ErrorResponse>\n"
            );
            Written { status: failure.status, content_type: "text/xml", error_type: None, body }
        }
        (Protocol::Json, Err(failure)) => {
            let mut body = json!({ "__type": failure.code });
            if let Some(message) = &failure.message {
                body["message"] = json!(message);
            }
            Written {
                status: failure.status,
                content_type: "application/x-amz-json-1.1",
                error_type: Some(failure.code.clone()),
                body: body.to_string(),
            }
        }
    }
}

/// `<name>text</name>`, the text escaped.
pub fn element(name: &str, text: &str) -> String {
    let mut out = format!("<{name}>");
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() => {
                let _ = write!(out, "&#{};", u32::from(c));
            }
            c => out.push(c),
        }
    }
    let _ = write!(out, "</{name}>");
    out
}
