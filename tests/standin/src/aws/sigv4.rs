//! Signature Version 4, checked as AWS checks it: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html

use hmac::{Hmac, KeyInit as _, Mac as _};
use hyper::HeaderMap;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest as _, Sha256};
use time::{Duration, OffsetDateTime};

use super::clock;
use super::failure::Failure;
use super::wire::{Protocol, Service};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// What an Authorization header says.
#[derive(Debug)]
pub struct Authorization {
    /// The access key's id.
    pub key: String,
    date: String,
    /// The region of the scope.
    pub region: String,
    service: String,
    signed: Vec<String>,
    signature: String,
    /// `x-amz-date`.
    stamp: String,
}

/// A request, as far as it is signed.
#[derive(Debug)]
pub struct Signed<'a> {
    /// `POST`.
    pub method: &'a str,
    /// The path.
    pub path: &'a str,
    /// The query string.
    pub query: &'a str,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The body.
    pub body: &'a [u8],
}

/// One header, as it goes into the canonical request.
fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    let values: Vec<_> = headers.get_all(name).iter().filter_map(|v| v.to_str().ok()).collect();
    let tidy = |v: &&str| v.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    (!values.is_empty()).then(|| values.iter().map(tidy).collect::<Vec<_>>().join(","))
}

impl Authorization {
    /// Reads the headers. `Ok(None)`: the request is not signed at all.
    pub fn read(service: Service, headers: &HeaderMap) -> Result<Option<Self>, Failure> {
        let Some(text) = header(headers, "authorization") else { return Ok(None) };
        let fail = |what: &str| {
            let protocol = service.protocol();
            let text = format!("{what} Authorization={}", text.split(' ').next().unwrap_or_default());
            Failure::either(protocol, "IncompleteSignature", "IncompleteSignatureException", text)
        };
        let Some(rest) = text.strip_prefix(ALGORITHM) else { return Err(fail("Unsupported AWS 'algorithm'.")) };
        let part = |name: &str| {
            let found = rest.split(',').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='));
            found.ok_or_else(|| fail(&format!("Authorization header requires '{name}' parameter.")))
        };
        let (credential, signed, signature) = (part("Credential")?, part("SignedHeaders")?, part("Signature")?);
        let [key, date, region, named, "aws4_request"] = credential.split('/').collect::<Vec<_>>()[..] else {
            return Err(fail("Credential must have exactly 5 slash-delimited elements."));
        };
        let Some(stamp) = header(headers, "x-amz-date") else {
            return Err(fail("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."));
        };
        Ok(Some(Authorization {
            key: key.to_owned(),
            date: date.to_owned(),
            region: region.to_owned(),
            service: named.to_owned(),
            signed: signed.split(';').map(str::to_owned).collect(),
            signature: signature.to_owned(),
            stamp,
        }))
    }

    /// Checks everything but who the key belongs to.
    pub fn check(
        &self,
        service: Service,
        request: &Signed<'_>,
        secret: &str,
        now: OffsetDateTime,
    ) -> Result<(), Failure> {
        let fail = |text: &str| {
            Err(Failure::either(service.protocol(), "SignatureDoesNotMatch", "InvalidSignatureException", text))
        };
        if self.service != service.name() {
            return fail(&format!("Credential should be scoped to correct service: '{}'. ", service.name()));
        }
        if !is_region(&self.region) {
            return fail("Credential should be scoped to a valid region. ");
        }
        let Some(stamp) = clock::read_basic(&self.stamp) else {
            let text = format!("Date must be in ISO-8601 'basic format'. Got '{}'.", self.stamp);
            return Err(Failure::either(
                service.protocol(),
                "IncompleteSignature",
                "IncompleteSignatureException",
                text,
            ));
        };
        if self.date != self.stamp[..8] {
            return fail(&format!(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{}' != \
                 '{}', from '{}'.",
                self.date,
                &self.stamp[..8],
                self.stamp
            ));
        }
        let limit = Duration::minutes(5);
        let (earliest, latest, said) = (now - limit, now + limit, clock::basic(now));
        if stamp < earliest {
            let text = format!(
                "Signature expired: {} is now earlier than {} ({said} - 5 min.)",
                self.stamp,
                clock::basic(earliest)
            );
            return fail(&text);
        }
        if stamp > latest {
            let text = format!(
                "Signature not yet current: {} is still later than {} ({said} + 5 min.)",
                self.stamp,
                clock::basic(latest)
            );
            return fail(&text);
        }
        self.check_headers(service, request)?;
        if self.signature != self.signature(request, secret) {
            return fail(
                "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
                 Access Key and signing method. Consult the service documentation for details.",
            );
        }
        Ok(())
    }

    /// What AWS requires to be signed is signed, and the body's hash, where it is given, is the body's.
    fn check_headers(&self, service: Service, request: &Signed<'_>) -> Result<(), Failure> {
        let fail = |text: &str| {
            Err(Failure::either(service.protocol(), "SignatureDoesNotMatch", "InvalidSignatureException", text))
        };
        let is_signed = |name: &str| self.signed.iter().any(|s| s == name);
        if !is_signed("host") {
            return fail("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.");
        }
        for name in ["x-amz-date", "x-amz-security-token", "x-amz-target"] {
            if request.headers.contains_key(name) && !is_signed(name) {
                return fail(&format!("'{name}' must be a 'SignedHeader' in the AWS Authorization."));
            }
        }
        if let Some(hash) = header(request.headers, "x-amz-content-sha256")
            && hash != hex(&Sha256::digest(request.body))
        {
            return fail("The provided 'x-amz-content-sha256' header does not match what was computed.");
        }
        Ok(())
    }

    fn signature(&self, request: &Signed<'_>, secret: &str) -> String {
        let mut pairs: Vec<(String, String)> = request
            .query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(name, value)| (recode(name), recode(value)))
            .collect();
        pairs.sort();
        let query: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let path: Vec<_> = request.path.split('/').map(|p| utf8_percent_encode(p, UNRESERVED).to_string()).collect();
        let headers: String = self
            .signed
            .iter()
            .map(|name| format!("{name}:{}\n", header(request.headers, name).unwrap_or_default()))
            .collect();
        let canonical = format!(
            "{}\n{}\n{}\n{headers}\n{}\n{}",
            request.method,
            path.join("/"),
            query.join("&"),
            self.signed.join(";"),
            hex(&Sha256::digest(request.body))
        );
        let scope = format!("{}/{}/{}/aws4_request", self.date, self.region, self.service);
        let text = format!("{ALGORITHM}\n{}\n{scope}\n{}", self.stamp, hex(&Sha256::digest(canonical)));
        let mut key = hmac(format!("AWS4{secret}").as_bytes(), self.date.as_bytes());
        for part in [&self.region, &self.service, "aws4_request"] {
            key = hmac(&key, part.as_bytes());
        }
        hex(&hmac(&key, text.as_bytes()))
    }
}

fn recode(text: &str) -> String {
    let decoded = percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    utf8_percent_encode(&decoded, UNRESERVED).to_string()
}

fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    match Hmac::<Sha256>::new_from_slice(key) {
        Ok(mac) => mac.chain_update(text).finalize().into_bytes().to_vec(),
        Err(_) => unreachable!("HMAC takes keys of any length"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Whether this can be a region, such as `eu-west-1` or `us-gov-east-1`.
fn is_region(text: &str) -> bool {
    let parts: Vec<_> = text.split('-').collect();
    let letters = |part: &&str| part.len() >= 2 && part.bytes().all(|b| b.is_ascii_lowercase());
    match parts.split_last() {
        Some((number, words)) => {
            words.len() >= 2 && words.iter().all(letters) && number.len() == 1 && number.as_bytes()[0].is_ascii_digit()
        }
        None => false,
    }
}

/// For calls that nobody signs.
pub fn missing(protocol: Protocol) -> Failure {
    match protocol {
        Protocol::Query => {
            Failure::new(protocol, "MissingAuthenticationToken", "Request is missing Authentication Token")
        }
        Protocol::Json => Failure::new(protocol, "MissingAuthenticationTokenException", "Missing Authentication Token"),
    }
}
