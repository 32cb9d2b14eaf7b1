//! A client of AWS's services with a signer of its own: nothing is shared with what checks the signatures.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::SystemTime;

use hmac::{Hmac, KeyInit as _, Mac as _};
use redshift_standin::Standin;
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};

/// Credentials of AWS.
#[derive(Clone)]
pub struct Keys {
    pub id: String,
    pub secret: String,
    pub token: Option<String>,
}

impl Keys {
    /// Those of the fixture's user.
    pub fn of(standin: &Standin) -> Self {
        let (id, secret) = standin.aws().access_key();
        Keys::from((id.to_owned(), secret.to_owned()))
    }
}

impl From<(String, String)> for Keys {
    fn from((id, secret): (String, String)) -> Self {
        Keys { id, secret, token: None }
    }
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: String,
    pub body: String,
}

impl Answer {
    /// The text of the first element with this name.
    pub fn xml(&self, name: &str) -> String {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        let from = self.body.find(&open).unwrap_or_else(|| panic!("no {name} in {self:?}")) + open.len();
        let to = self.body[from..].find(&close).unwrap_or_else(|| panic!("no end of {name}")) + from;
        self.body[from..to].replace("&quot;", "\"").replace("&amp;", "&")
    }

    /// The body as JSON.
    pub fn json(&self) -> Json {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// Status, code and message of an error, in either protocol.
    pub fn error(&self) -> (u16, String, String) {
        if self.body.starts_with('<') {
            assert!(self.body.contains("<ErrorResponse xmlns="), "{self:?}");
            return (self.status, self.xml("Code"), self.xml("Message"));
        }
        let json = self.json();
        let text = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
        let header = format!("x-amzn-errortype: {}\r\n", text("__type"));
        assert!(self.headers.contains(&header), "{self:?}");
        (self.status, text("__type"), text("message"))
    }

    /// The answer's, if it is one.
    pub fn ok(self) -> Self {
        assert_eq!(self.status, 200, "{self:?}");
        self
    }
}

/// One request, to be bent before it is sent.
pub struct Request {
    pub keys: Option<Keys>,
    pub region: String,
    /// The service in the scope.
    pub service: String,
    pub at: i64,
    pub headers: BTreeMap<String, String>,
    pub body: String,
    /// What is really sent, if not what was signed.
    pub sent_body: Option<String>,
    /// Headers that are sent and not signed.
    pub unsigned: Vec<String>,
}

fn now() -> i64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs() as i64
}

/// `20260102T030405Z`: days to civil, by the algorithm of Howard Hinnant.
fn stamp(at: i64) -> String {
    let (days, rest) = (at.div_euclid(86400), at.rem_euclid(86400));
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let (day, month) = (doy - (153 * mp + 2) / 5 + 1, if mp < 10 { mp + 3 } else { mp - 9 });
    let year = yoe + era * 400 + i64::from(month <= 2);
    format!("{year:04}{month:02}{day:02}T{:02}{:02}{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

fn encode(text: &str) -> String {
    text.bytes()
        .map(|b| match b {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(b).to_string(),
            _ => format!("%{b:02X}"),
        })
        .collect()
}

fn tidy(value: &str) -> String {
    value.split(' ').filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|b| format!("{b:02x}")).collect()
}

fn hmac(key: impl AsRef<[u8]>, text: &str) -> Vec<u8> {
    let mac = Hmac::<Sha256>::new_from_slice(key.as_ref()).expect("a key");
    mac.chain_update(text).finalize().into_bytes().to_vec()
}

impl Request {
    /// A call such as `sts:AssumeRole` of `sts` or `redshift`.
    pub fn query(keys: &Keys, name: &str, parameters: &[(&str, &str)]) -> Self {
        let (service, action) = name.split_once(':').expect("service:Action");
        let version = if service == "sts" { "2011-06-15" } else { "2012-12-01" };
        let all = [("Action", action), ("Version", version)];
        let pairs = all.iter().chain(parameters).map(|(n, v)| format!("{}={}", encode(n), encode(v)));
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        Request::new(keys, service, &headers, pairs.collect::<Vec<_>>().join("&"))
    }

    /// A call such as `ssm:GetParameter` of the JSON services.
    pub fn json(keys: &Keys, name: &str, parameters: &Json) -> Self {
        let (service, operation) = name.split_once(':').expect("service:Operation");
        let prefix = match service {
            "redshift-serverless" => "RedshiftServerless",
            "ssm" => "AmazonSSM",
            other => other,
        };
        let target = format!("{prefix}.{operation}");
        let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target.as_str())];
        Request::new(keys, service, &headers, parameters.to_string())
    }

    fn new(keys: &Keys, service: &str, headers: &[(&str, &str)], body: String) -> Self {
        let mut headers: BTreeMap<_, _> = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        if let Some(token) = &keys.token {
            headers.insert("x-amz-security-token".into(), token.clone());
        }
        headers.insert("user-agent".into(), "standin  test".into());
        Request {
            keys: Some(keys.clone()),
            region: "eu-west-1".into(),
            service: service.into(),
            at: now(),
            headers,
            body,
            sent_body: None,
            unsigned: vec!["user-agent".into()],
        }
    }

    /// The same once more.
    pub fn copy(other: &Request) -> Self {
        Request {
            keys: other.keys.clone(),
            region: other.region.clone(),
            service: other.service.clone(),
            at: other.at,
            headers: other.headers.clone(),
            body: other.body.clone(),
            sent_body: other.sent_body.clone(),
            unsigned: other.unsigned.clone(),
        }
    }

    /// In another region.
    pub fn region(mut self, region: &str) -> Self {
        self.region = region.into();
        self
    }

    /// Signed this many seconds from now.
    pub fn later(mut self, seconds: i64) -> Self {
        self.at += seconds;
        self
    }

    /// Signs and sends it; `None`: the line was cut.
    pub fn try_send(mut self, standin: &Standin) -> Option<Answer> {
        let url = standin.aws_url();
        let host = url.strip_prefix("http://").expect("http").to_owned();
        self.headers.insert("host".into(), host.clone());
        if let Some(keys) = self.keys.take() {
            let stamp = stamp(self.at);
            self.headers.insert("x-amz-date".into(), stamp.clone());
            let signed: Vec<_> = self.headers.iter().filter(|(name, _)| !self.unsigned.contains(name)).collect();
            let names = signed.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(";");
            let lines: String = signed.iter().map(|(name, value)| format!("{name}:{}\n", tidy(value))).collect();
            let canonical = format!("POST\n/\n\n{lines}\n{names}\n{}", hex(Sha256::digest(&self.body)));
            let scope = format!("{}/{}/{}/aws4_request", &stamp[..8], self.region, self.service);
            let text = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{}", hex(Sha256::digest(canonical)));
            let key = hmac(format!("AWS4{}", keys.secret), &stamp[..8]);
            let key = hmac(hmac(hmac(key, &self.region), &self.service), "aws4_request");
            let signature = hex(hmac(key, &text));
            let value = format!(
                "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
                keys.id
            );
            self.headers.insert("authorization".into(), value);
        }
        let body = self.sent_body.unwrap_or(self.body);
        self.headers.insert("content-length".into(), body.len().to_string());
        self.headers.insert("connection".into(), "close".into());
        let head: String = self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let mut line = TcpStream::connect(&host).expect("connects");
        line.write_all(format!("POST / HTTP/1.1\r\n{head}\r\n{body}").as_bytes()).expect("is sent");
        let mut text = String::new();
        // A line that is cut may be reset, too.
        let _ = line.read_to_string(&mut text);
        let (head, body) = text.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).expect("a status");
        Some(Answer { status, headers: format!("{head}\r\n"), body: body.to_owned() })
    }

    /// Signs and sends it.
    pub fn send(self, standin: &Standin) -> Answer {
        self.try_send(standin).expect("an answer")
    }
}

/// A call of STS or Redshift.
pub fn query(standin: &Standin, keys: &Keys, name: &str, parameters: &[(&str, &str)]) -> Answer {
    Request::query(keys, name, parameters).send(standin)
}

/// A call of a JSON service.
pub fn json(standin: &Standin, keys: &Keys, name: &str, parameters: &Json) -> Answer {
    Request::json(keys, name, parameters).send(standin)
}
