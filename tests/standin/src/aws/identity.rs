//! Who calls, and what he may: users, roles, their sessions and policies.

use std::collections::HashMap;

use serde_json::Value as Json;
use time::OffsetDateTime;

use super::failure::Failure;
use super::policy::{Document, Kind, Question, Verdict, decide};
use super::wire::Call;

/// The parts of an ARN.
#[derive(Debug, Clone, Copy)]
pub struct Arn<'a> {
    /// `aws`, `aws-cn`, `aws-us-gov`.
    pub partition: &'a str,
    /// Such as `iam`.
    pub service: &'a str,
    /// Empty where there is none.
    pub region: &'a str,
    /// Twelve digits.
    pub account: &'a str,
    /// What follows.
    pub resource: &'a str,
}

impl<'a> Arn<'a> {
    /// Reads one.
    pub fn read(text: &'a str) -> Option<Self> {
        let parts: Vec<_> = text.splitn(6, ':').collect();
        let ["arn", partition, service, region, account, resource] = parts[..] else { return None };
        (!partition.is_empty() && !resource.is_empty()).then_some(Arn { partition, service, region, account, resource })
    }

    /// The account in an ARN.
    pub fn account_of(text: &'a str) -> Option<&'a str> {
        Arn::read(text).map(|arn| arn.account)
    }

    /// The last name in the resource: of `role/path/NAME`, NAME.
    pub fn name(&self) -> &'a str {
        self.resource.rsplit('/').next().unwrap_or_default()
    }
}

/// The partition that a region is in.
pub fn partition(region: &str) -> &'static str {
    match region {
        r if r.starts_with("cn-") => "aws-cn",
        r if r.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// As GetCallerIdentity and error messages have it.
    pub arn: String,
    /// The user's or role's own ARN.
    pub principal: String,
    /// The account.
    pub account: String,
    /// `AIDA...`, or `AROA...:session`.
    pub id: String,
    /// Whether it is a role's session.
    pub session: bool,
}

impl Identity {
    /// The partition.
    pub fn partition(&self) -> &str {
        Arn::read(&self.principal).map_or("aws", |arn| arn.partition)
    }

    /// The name of the user or role, without its path.
    pub fn name(&self) -> &str {
        Arn::read(&self.principal).map_or("", |arn| arn.name())
    }
}

/// What an access key stands for.
#[derive(Debug, Clone)]
pub struct Key {
    /// The secret access key.
    pub secret: String,
    /// Of a session: its token and end.
    pub session: Option<(String, OffsetDateTime)>,
    /// Whose it is.
    pub identity: Identity,
}

/// A user or role.
#[derive(Debug, Clone)]
pub struct Entity {
    id: String,
    policies: Vec<Document>,
    trust: Option<Document>,
    /// Seconds; of a role.
    pub max_session: u32,
}

/// All users, roles and keys.
#[derive(Debug, Default)]
pub struct Directory {
    entities: HashMap<String, Entity>,
    /// By access key id.
    pub keys: HashMap<String, Key>,
}

/// AWS's default of a role's MaxSessionDuration.
const MAX_SESSION: u32 = 3600;

/// An id such as AWS's: a prefix and 16 letters or digits.
pub fn unique(prefix: &str) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let random: [u8; 16] = rand::random();
    prefix.chars().chain(random.iter().map(|b| char::from(LETTERS[usize::from(b % 32)]))).collect()
}

fn is_entity(arn: &str, kind: &str) -> bool {
    Arn::read(arn).is_some_and(|a| {
        a.service == "iam"
            && a.region.is_empty()
            && a.account.len() == 12
            && a.account.bytes().all(|b| b.is_ascii_digit())
            && a.resource.strip_prefix(kind).is_some_and(|name| name.len() > 1 && name.starts_with('/'))
            && !a.name().is_empty()
            && arn.bytes().all(|b| b.is_ascii_alphanumeric() || b"+=,.@_/:-".contains(&b))
    })
}

impl Directory {
    /// Adds a user without rights, or another key of his.
    pub fn add_user(&mut self, arn: &str) -> Result<(String, String), String> {
        if !is_entity(arn, "user") {
            return Err(format!("no ARN of a user: {arn}"));
        }
        let user = self.entities.entry(arn.to_owned()).or_insert_with(|| Entity::new("AIDA"));
        let identity = Identity {
            arn: arn.to_owned(),
            principal: arn.to_owned(),
            account: Arn::account_of(arn).unwrap_or_default().to_owned(),
            id: user.id.clone(),
            session: false,
        };
        let (id, secret) = (unique("AKIA"), super::random_text(30));
        self.keys.insert(id.clone(), Key { secret: secret.clone(), session: None, identity });
        Ok((id, secret))
    }

    /// The user or role with this ARN.
    pub fn entity(&self, arn: &str) -> Option<&Entity> {
        self.entities.get(arn)
    }

    /// Adds a role that nobody may assume, unless it is there.
    pub fn add_role(&mut self, arn: &str) -> Result<(), String> {
        if !is_entity(arn, "role") {
            return Err(format!("no ARN of a role: {arn}"));
        }
        self.entities.entry(arn.to_owned()).or_insert_with(|| Entity::new("AROA"));
        Ok(())
    }

    /// Replaces the policies of those who are named, all or none. Roles that are new are made.
    pub fn put(&mut self, json: &Json) -> Result<(), String> {
        let Json::Object(all) = json else { return Err("the body is an object of principals' ARNs".into()) };
        let mut changed = Vec::new();
        for (arn, given) in all {
            let place = |e: String| format!("{arn}: {e}");
            let mut entity = match self.entities.get(arn) {
                Some(entity) => entity.clone(),
                None if is_entity(arn, "role") => Entity::new("AROA"),
                None => return Err(place("no such user, and no ARN of a role".into())),
            };
            entity.put(given, is_entity(arn, "role")).map_err(place)?;
            changed.push((arn.clone(), entity));
        }
        for (arn, entity) in &changed {
            // AWS looks whether the principals of a trust policy exist, at the time it is written.
            for principal in entity.trust.iter().flat_map(Document::named_principals) {
                let session = Arn::read(principal).is_some_and(|a| a.service == "sts");
                let there = self.entities.contains_key(principal) || all.contains_key(principal) || session;
                if !there {
                    return Err(format!("{arn}: Invalid principal in policy: \"AWS\":\"{principal}\""));
                }
            }
        }
        self.entities.extend(changed);
        Ok(())
    }

    fn policies(&self, identity: &Identity) -> &[Document] {
        self.entities.get(&identity.principal).map_or(&[], |e| &e.policies)
    }

    /// Whether the identity's policies allow an action on every one of these resources; the denial names the first that
    /// they do not.
    pub fn allow(&self, identity: &Identity, call: &Call, action: &str, resources: &[String]) -> Result<(), Failure> {
        self.allow_as(identity, call, action, resources, None)
    }

    /// The same, where the denial names the resource otherwise.
    pub fn allow_as(
        &self,
        identity: &Identity,
        call: &Call,
        action: &str,
        resources: &[String],
        shown: Option<&str>,
    ) -> Result<(), Failure> {
        let protocol = call.service.protocol();
        for resource in resources {
            let question =
                Question { action, resource, principal: &identity.principal, caller: &identity.arn, external_id: None };
            let why = match decide(self.policies(identity), &question) {
                Verdict::Allowed => continue,
                Verdict::Denied => " with an explicit deny in an identity-based policy".to_owned(),
                _ => format!(" because no identity-based policy allows the {action} action"),
            };
            return Err(Failure::denied(protocol, identity, action, shown.unwrap_or(resource), &why));
        }
        Ok(())
    }

    /// Whether the identity may assume a role: what the role's trust policy and the identity's own policies say.
    pub fn may_assume(&self, identity: &Identity, role: &str, external_id: Option<&str>) -> bool {
        let Some(entity) = self.entities.get(role) else { return false };
        let question = Question {
            action: "sts:AssumeRole",
            resource: role,
            principal: &identity.principal,
            caller: &identity.arn,
            external_id,
        };
        let trust = decide(&entity.trust, &question);
        let own = decide(self.policies(identity), &question);
        let same_account = Arn::account_of(role) == Some(&identity.account);
        match (trust, own) {
            (Verdict::Denied, _) | (_, Verdict::Denied) | (Verdict::Silent, _) => false,
            (Verdict::Allowed, _) if same_account => true,
            (_, own) => own == Verdict::Allowed,
        }
    }

    /// A new session of a role: access key id, secret, token, and the identity.
    pub fn open_session(
        &mut self,
        role: &str,
        name: &str,
        until: OffsetDateTime,
    ) -> Option<(String, String, String, Identity)> {
        let (entity, arn) = (self.entities.get(role)?, Arn::read(role)?);
        let identity = Identity {
            arn: format!("arn:{}:sts::{}:assumed-role/{}/{name}", arn.partition, arn.account, arn.name()),
            principal: role.to_owned(),
            account: arn.account.to_owned(),
            id: format!("{}:{name}", entity.id),
            session: true,
        };
        let (id, secret) = (unique("ASIA"), super::random_text(30));
        let token = format!("IQoJb3JpZ2luX2Vj{}", super::random_text(240));
        let key = Key { secret: secret.clone(), session: Some((token.clone(), until)), identity: identity.clone() };
        self.keys.insert(id.clone(), key);
        Some((id, secret, token, identity))
    }
}

impl Entity {
    fn new(prefix: &str) -> Self {
        Entity { id: unique(prefix), policies: Vec::new(), trust: None, max_session: MAX_SESSION }
    }

    fn put(&mut self, given: &Json, role: bool) -> Result<(), String> {
        let Json::Object(fields) = given else { return Err("an object with \"policies\" and \"trust\"".into()) };
        for (name, value) in fields {
            match (name.as_str(), value) {
                ("policies", Json::Array(all)) => {
                    self.policies = all.iter().map(|d| Document::read(d, Kind::Identity)).collect::<Result<_, _>>()?;
                }
                ("policies", _) => return Err("\"policies\" is a list of documents".into()),
                ("trust", document) if role => self.trust = Some(Document::read(document, Kind::Trust)?),
                ("max_session_duration", Json::Number(seconds)) if role => {
                    let seconds = seconds.as_u64().and_then(|s| u32::try_from(s).ok());
                    self.max_session = seconds
                        .filter(|s| (3600..=43200).contains(s))
                        .ok_or("\"max_session_duration\" is 3600 to 43200 seconds")?;
                }
                (other, _) => return Err(format!("nothing like {other:?} can be put here")),
            }
        }
        Ok(())
    }
}
