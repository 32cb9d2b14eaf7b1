//! Policy documents: what the stand-in understands of them, and what they decide. It refuses what it does not understand,
//! so that nobody believes in a condition that is not looked at.

use serde_json::{Map, Value as Json};

use super::identity::Arn;

/// What a statement matches with `*` and `?`.
pub fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        if p < pattern.len() && (pattern[p] == '?' || (pattern[p] != '*' && pattern[p] == text[t])) {
            (p, t) = (p + 1, t + 1);
        } else if p < pattern.len() && pattern[p] == '*' {
            star = Some((p, t));
            p += 1;
        } else if let Some((at, from)) = star {
            star = Some((at, from + 1));
            (p, t) = (at + 1, from + 1);
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// ARNs: the six parts one by one.
fn arn_matches(pattern: &str, arn: &str) -> bool {
    let (pattern, arn): (Vec<_>, Vec<_>) = (pattern.splitn(6, ':').collect(), arn.splitn(6, ':').collect());
    pattern.len() == arn.len() && pattern.iter().zip(&arn).all(|(p, a)| matches(p, a))
}

/// A resource: as ARNs, and `*` at the end reaches beyond colons.
fn resource_matches(pattern: &str, resource: &str) -> bool {
    if pattern.matches(':').count() < 5 { matches(pattern, resource) } else { arn_matches(pattern, resource) }
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Such as `sts:AssumeRole`.
    pub action: &'a str,
    /// The ARN.
    pub resource: &'a str,
    /// The user's or role's ARN: `aws:PrincipalArn`.
    pub principal: &'a str,
    /// The ARN of the session, or the user's again.
    pub caller: &'a str,
    /// `sts:ExternalId`.
    pub external_id: Option<&'a str>,
}

/// What documents say to a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Nothing.
    Silent,
    /// The account may; its own policies have to say so too.
    AllowedToAccount,
    /// Yes.
    Allowed,
    /// No, whatever the others say.
    Denied,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Principal {
    Anyone,
    Account(String),
    Exactly(String),
    /// A service or an identity provider: never an AWS principal.
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    ExternalId,
    PrincipalArn,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    StringEquals,
    StringLike,
    Arn,
}

#[derive(Debug, Clone)]
struct Condition {
    operator: Operator,
    key: Key,
    values: Vec<String>,
}

#[derive(Debug, Clone)]
struct Statement {
    deny: bool,
    actions: Vec<String>,
    /// Identity policies.
    resources: Vec<String>,
    /// Trust policies.
    principals: Vec<Principal>,
    conditions: Vec<Condition>,
}

/// Which kind a document is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Attached to a user or role: resources, no principals.
    Identity,
    /// A role's: principals, no resources.
    Trust,
}

/// One document.
#[derive(Debug, Clone)]
pub struct Document(Vec<Statement>);

impl Document {
    /// Reads one: an object, or the same as text.
    pub fn read(json: &Json, kind: Kind) -> Result<Self, String> {
        let parsed;
        let json = match json {
            Json::String(text) => {
                parsed = serde_json::from_str(text).map_err(|e| format!("a policy that is no JSON: {e}"))?;
                &parsed
            }
            other => other,
        };
        if json.to_string().contains("${") {
            return Err("the stand-in knows no policy variables (${...})".into());
        }
        let fields = known(json, "a policy", &["Version", "Id", "Statement"])?;
        match fields.get("Version").and_then(Json::as_str) {
            Some("2012-10-17" | "2008-10-17") => {}
            None if !fields.contains_key("Version") => {}
            _ => return Err("a policy's Version is 2012-10-17 or 2008-10-17".into()),
        }
        let statements = match fields.get("Statement") {
            Some(Json::Array(all)) if !all.is_empty() => all.iter().collect(),
            Some(one @ Json::Object(_)) => vec![one],
            _ => return Err("a policy needs a Statement, one or several".into()),
        };
        let mut sids = Vec::new();
        for sid in statements.iter().filter_map(|s| s.get("Sid")) {
            let text = sid.as_str().unwrap_or("-");
            if !text.bytes().all(|b| b.is_ascii_alphanumeric()) {
                return Err(format!("a Sid has letters and digits only, not {sid}"));
            }
            if !text.is_empty() && sids.contains(&text) {
                return Err(format!("Statement IDs (SID) in a single policy must be unique: {text}"));
            }
            sids.push(text);
        }
        statements.into_iter().map(|s| Statement::read(s, kind)).collect::<Result<_, _>>().map(Document)
    }

    /// The principals that have to exist, as ARNs of users and roles.
    pub fn named_principals(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flat_map(|s| &s.principals).filter_map(|p| match p {
            Principal::Exactly(arn) => Some(arn.as_str()),
            _ => None,
        })
    }

    /// What it says.
    pub fn decide(&self, question: &Question<'_>) -> Verdict {
        self.0.iter().map(|s| s.decide(question)).max().unwrap_or(Verdict::Silent)
    }
}

/// What several documents say together.
pub fn decide<'a>(documents: impl IntoIterator<Item = &'a Document>, question: &Question<'_>) -> Verdict {
    documents.into_iter().map(|d| d.decide(question)).max().unwrap_or(Verdict::Silent)
}

impl Statement {
    fn read(json: &Json, kind: Kind) -> Result<Self, String> {
        let object = match kind {
            Kind::Identity => "Resource",
            Kind::Trust => "Principal",
        };
        let fields = known(json, "a statement", &["Sid", "Effect", "Action", object, "Condition"])?;
        let deny = match fields.get("Effect").and_then(Json::as_str) {
            Some("Allow") => false,
            Some("Deny") => true,
            _ => return Err("a statement's Effect is Allow or Deny".into()),
        };
        let actions = strings(fields.get("Action"), "Action")?;
        for action in &actions {
            let halves =
                action.split_once(':').is_some_and(|(s, a)| !s.is_empty() && !s.contains('*') && !a.is_empty());
            if action != "*" && !halves {
                return Err(format!("an action is service:name or *, not {action:?}"));
            }
            if kind == Kind::Trust && !action.to_ascii_lowercase().starts_with("sts:") {
                return Err(format!("a trust policy is about sts: actions only, not {action:?}"));
            }
        }
        let mut statement =
            Statement { deny, actions, resources: Vec::new(), principals: Vec::new(), conditions: Vec::new() };
        match kind {
            Kind::Identity => {
                statement.resources = strings(fields.get("Resource"), "Resource")?;
                for resource in &statement.resources {
                    let whole = resource.starts_with("arn:") && resource.matches(':').count() >= 5;
                    if resource != "*" && !whole && !(resource.starts_with("arn:") && resource.ends_with('*')) {
                        return Err(format!("Resource {resource:?} must be in ARN format or \"*\"."));
                    }
                }
            }
            Kind::Trust => statement.principals = principals(fields.get("Principal"))?,
        }
        let conditions = match fields.get("Condition") {
            None => return Ok(statement),
            Some(Json::Object(operators)) => operators,
            Some(_) => return Err("a Condition is an object".into()),
        };
        for (operator, keys) in conditions {
            let read = match operator.as_str() {
                "StringEquals" => Operator::StringEquals,
                "StringLike" => Operator::StringLike,
                "ArnLike" | "ArnEquals" => Operator::Arn,
                other => return Err(format!("the stand-in knows no condition {other:?}")),
            };
            let Json::Object(keys) = keys else { return Err(format!("{operator} needs an object of keys")) };
            for (key, values) in keys {
                let known = match key.to_ascii_lowercase().as_str() {
                    "sts:externalid" => Key::ExternalId,
                    "aws:principalarn" => Key::PrincipalArn,
                    _ => return Err(format!("the stand-in knows no condition key {key:?}")),
                };
                let values = strings(Some(values), key)?;
                if read == Operator::Arn && values.iter().any(|v| v.matches(':').count() < 5) {
                    return Err(format!("{operator} compares ARNs, and a value of {key} is none"));
                }
                statement.conditions.push(Condition { operator: read, key: known, values });
            }
        }
        Ok(statement)
    }

    fn decide(&self, question: &Question<'_>) -> Verdict {
        let action = question.action.to_ascii_lowercase();
        let about = self.actions.iter().any(|a| matches(&a.to_ascii_lowercase(), &action))
            && (self.resources.is_empty() || self.resources.iter().any(|r| resource_matches(r, question.resource)))
            && self.conditions.iter().all(|c| c.holds(question));
        let reached = match self.principals.is_empty() {
            true => Verdict::Allowed,
            false => self.principals.iter().map(|p| p.reaches(question)).max().unwrap_or(Verdict::Silent),
        };
        match (about, reached) {
            (false, _) | (true, Verdict::Silent) => Verdict::Silent,
            (true, _) if self.deny => Verdict::Denied,
            (true, reached) => reached,
        }
    }
}

impl Principal {
    fn reaches(&self, question: &Question<'_>) -> Verdict {
        match self {
            Principal::Anyone => Verdict::Allowed,
            Principal::Exactly(arn) if arn == question.principal || arn == question.caller => Verdict::Allowed,
            Principal::Account(account) if Arn::account_of(question.principal) == Some(account) => {
                Verdict::AllowedToAccount
            }
            _ => Verdict::Silent,
        }
    }
}

impl Condition {
    fn holds(&self, question: &Question<'_>) -> bool {
        let found = match self.key {
            Key::ExternalId => question.external_id,
            Key::PrincipalArn => Some(question.principal),
        };
        let Some(found) = found else { return false };
        self.values.iter().any(|value| match self.operator {
            Operator::StringEquals => value == found,
            Operator::StringLike => matches(value, found),
            Operator::Arn => arn_matches(value, found),
        })
    }
}

/// The fields of an object, if they are all known.
fn known<'a>(json: &'a Json, what: &str, names: &[&str]) -> Result<&'a Map<String, Json>, String> {
    let Json::Object(fields) = json else { return Err(format!("{what} is an object")) };
    match fields.keys().find(|name| !names.contains(&name.as_str())) {
        Some(other) => Err(format!("the stand-in knows no {other:?} in {what} of this kind")),
        None => Ok(fields),
    }
}

/// One string or several, at least one.
fn strings(json: Option<&Json>, what: &str) -> Result<Vec<String>, String> {
    let fail = || format!("{what} is a string or a list of strings");
    match json {
        Some(Json::String(one)) => Ok(vec![one.clone()]),
        Some(Json::Array(all)) if !all.is_empty() => {
            all.iter().map(|one| one.as_str().map(str::to_owned).ok_or_else(fail)).collect()
        }
        _ => Err(fail()),
    }
}

fn principals(json: Option<&Json>) -> Result<Vec<Principal>, String> {
    let fields = match json {
        Some(Json::String(all)) if all == "*" => return Ok(vec![Principal::Anyone]),
        Some(Json::Object(fields)) if !fields.is_empty() => fields,
        _ => return Err("a trust policy's statement needs a Principal".into()),
    };
    let mut found = Vec::new();
    for (kind, values) in fields {
        let values = strings(Some(values), "Principal")?;
        match kind.as_str() {
            "AWS" => {
                for value in values {
                    found.push(principal(&value).ok_or(format!("Invalid principal in policy: \"AWS\":\"{value}\""))?);
                }
            }
            "Service" | "Federated" => found.push(Principal::Other),
            other => return Err(format!("the stand-in knows no Principal of kind {other:?}")),
        }
    }
    Ok(found)
}

fn principal(text: &str) -> Option<Principal> {
    if text == "*" {
        return Some(Principal::Anyone);
    }
    let is_account = |a: &str| a.len() == 12 && a.bytes().all(|b| b.is_ascii_digit());
    if is_account(text) {
        return Some(Principal::Account(text.to_owned()));
    }
    let arn = Arn::read(text)?;
    match (arn.service, arn.resource.split_once('/').map_or("", |(kind, _)| kind)) {
        _ if !is_account(arn.account) || text.contains('*') => None,
        ("iam", "") if arn.resource == "root" => Some(Principal::Account(arn.account.to_owned())),
        ("iam", "user" | "role") | ("sts", "assumed-role") => Some(Principal::Exactly(text.to_owned())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn ask(document: Json, kind: Kind, action: &str, resource: &str, external_id: Option<&str>) -> Verdict {
        let question = Question {
            action,
            resource,
            principal: "arn:aws:iam::111122223333:role/team/Deploy",
            caller: "arn:aws:sts::111122223333:assumed-role/Deploy/ci",
            external_id,
        };
        Document::read(&document, kind).expect("a good document").decide(&question)
    }

    #[test]
    fn patterns() {
        for (pattern, text, fits) in [
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a?c", "abbc", false),
            ("*b*b*", "abb", true),
            ("secret:NAME-??????", "secret:NAME-aB3xYz", true),
            ("secret:NAME-??????", "secret:NAME-aB3xYz1", false),
            ("", "a", false),
        ] {
            assert_eq!(matches(pattern, text), fits, "{pattern} {text}");
        }
        assert!(arn_matches("arn:aws:iam::1:role/*/Deploy", "arn:aws:iam::1:role/team/Deploy"));
        assert!(!arn_matches("arn:aws:iam::*", "arn:aws:iam::1:role/Deploy"));
        assert!(resource_matches("arn:aws:ssm:*", "arn:aws:ssm:eu-west-1:1:parameter/a"));
        assert!(!resource_matches("arn:aws:redshift:*:1:dbuser:c/*", "arn:aws:redshift:r:2:dbuser:c/u"));
    }

    #[test]
    fn identity_policies() {
        let document = json!({ "Version": "2012-10-17", "Statement": [
            { "Effect": "Allow", "Action": ["REDSHIFT:get*"], "Resource": "arn:aws:redshift:*:*:dbuser:c/*" },
            { "Effect": "Deny", "Action": "redshift:GetClusterCredentials", "Resource": "arn:aws:redshift:*:*:dbuser:c/root" },
        ]});
        let ask = |user: &str| {
            let resource = format!("arn:aws:redshift:eu-west-1:111122223333:dbuser:c/{user}");
            ask(document.clone(), Kind::Identity, "redshift:GetClusterCredentials", &resource, None)
        };
        assert_eq!(ask("ann"), Verdict::Allowed);
        assert_eq!(ask("root"), Verdict::Denied);
    }

    #[test]
    fn trust() {
        let trust = |principal: &str, condition: Json| {
            let statement = json!({ "Effect": "Allow", "Principal": { "AWS": principal }, "Action": "sts:AssumeRole", "Condition": condition });
            ask(json!({ "Statement": statement }), Kind::Trust, "sts:AssumeRole", "arn:aws:iam::4:role/r", Some("abc"))
        };
        let role = "arn:aws:iam::111122223333:role/team/Deploy";
        assert_eq!(trust(role, json!({})), Verdict::Allowed);
        assert_eq!(trust("arn:aws:sts::111122223333:assumed-role/Deploy/ci", json!({})), Verdict::Allowed);
        assert_eq!(trust("arn:aws:sts::111122223333:assumed-role/Deploy/other", json!({})), Verdict::Silent);
        assert_eq!(trust("arn:aws:iam::111122223333:role/Deploy", json!({})), Verdict::Silent);
        assert_eq!(trust("111122223333", json!({})), Verdict::AllowedToAccount);
        assert_eq!(trust("arn:aws:iam::999999999999:root", json!({})), Verdict::Silent);
        assert_eq!(trust(role, json!({ "StringEquals": { "sts:ExternalId": "abc" } })), Verdict::Allowed);
        assert_eq!(trust(role, json!({ "StringEquals": { "sts:ExternalId": ["x", "ABC"] } })), Verdict::Silent);
        let like = |arn: &str| trust(role, json!({ "ArnLike": { "aws:PrincipalArn": arn } }));
        assert_eq!(like("arn:aws:iam::111122223333:role/*/Deploy"), Verdict::Allowed);
        assert_eq!(like("arn:aws:iam::111122223333:role/Deploy"), Verdict::Silent);
    }

    #[test]
    fn refused() {
        let good = json!({ "Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*" });
        let with = |name: &str, value: Json| {
            let mut statement = good.clone();
            statement[name] = value;
            Document::read(&json!({ "Statement": [statement] }), Kind::Identity)
        };
        assert!(with("Sid", json!("Good1")).is_ok());
        for (name, value) in [
            ("Sid", json!("not good")),
            ("Effect", json!("allow")),
            ("NotAction", json!("s3:*")),
            ("NotResource", json!("*")),
            ("Principal", json!("*")),
            ("Action", json!("AssumeRole")),
            ("Resource", json!("examplecluster")),
            ("Condition", json!({ "Bool": { "aws:SecureTransport": "true" } })),
            ("Condition", json!({ "StringEquals": { "aws:SourceIp": "127.0.0.1" } })),
            ("Condition", json!({ "ArnLike": { "aws:PrincipalArn": "me" } })),
            ("Resource", json!("arn:aws:iam::1:user/${aws:username}")),
        ] {
            assert!(with(name, value.clone()).is_err(), "{name} {value}");
        }
        assert!(Document::read(&json!("{"), Kind::Identity).is_err());
        let twice = json!({ "Statement": [{ "Sid": "A", "Effect": "Allow", "Action": "*", "Resource": "*" }, { "Sid": "A", "Effect": "Allow", "Action": "*", "Resource": "*" }] });
        assert!(Document::read(&twice, Kind::Identity).expect_err("refused").contains("unique"));
    }
}
