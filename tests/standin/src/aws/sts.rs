//! Security Token Service.

use std::time::Duration;

use super::clock;
use super::failure::Failure;
use super::identity::Arn;
use super::server::{Context, unknown_here};
use super::wire::{Call, Protocol, Reply, element};
use super::{Account, identity};

/// Answers a signed call.
pub fn answer(context: &Context<'_>) -> Result<Reply, Failure> {
    let (account, call, caller) = (context.account, context.call, context.identity);
    if call.operation == "GetCallerIdentity" {
        return Ok(Reply::Xml(
            element("Arn", &caller.arn) + &element("UserId", &caller.id) + &element("Account", &caller.account),
        ));
    }
    let (role, name) = names(call)?;
    let external_id = call.parameters.get("ExternalId").map(String::as_str);
    if let Some(id) = external_id {
        pattern(call, "ExternalId", id, 2, 1224, "+=,.@:/-_")?;
    }
    let asked = duration(call)?;
    if !account.state().directory.may_assume(caller, role, external_id) {
        return Err(Failure::denied(Protocol::Query, caller, "sts:AssumeRole", role, ""));
    }
    if caller.session && asked > 3600 {
        let text = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining";
        return Err(call.fail("ValidationError", text));
    }
    open(account, call, role, name, asked).map(Reply::Xml)
}

/// AssumeRoleWithWebIdentity, which nobody signs.
pub fn with_web_identity(account: &Account, call: &Call) -> Result<Reply, Failure> {
    let (role, name) = names(call)?;
    let asked = duration(call)?;
    let Some(token) = call.get("WebIdentityToken") else {
        return Err(call.breaks("WebIdentityToken", None, "not be null"));
    };
    let Some(roles) = account.state().web_identities.get(token).cloned() else {
        let text = "No OpenIDConnect provider found in your account for the token's issuer";
        return Err(call.fail("InvalidIdentityToken", text));
    };
    if !roles.iter().any(|r| r == role) {
        return Err(call.fail("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity"));
    }
    let opened = open(account, call, role, name, asked)?;
    Ok(Reply::Xml(
        element("SubjectFromWebIdentityToken", "standin-subject")
            + &opened
            + &element("Provider", "standin-issuer")
            + &element("Audience", "sts.amazonaws.com"),
    ))
}

fn open(account: &Account, call: &Call, role: &str, name: &str, seconds: u32) -> Result<String, Failure> {
    let mut state = account.state();
    if state.directory.entity(role).is_some_and(|r| seconds > r.max_session) {
        let text = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.";
        return Err(call.fail("ValidationError", text));
    }
    let until = account.shared.logins.clock.after(Duration::from_secs(seconds.into()));
    let Some((id, secret, token, identity)) = state.directory.open_session(role, name, until) else {
        return Err(call.fail("InternalFailure", "a role that is gone"));
    };
    drop(state);
    account.keep_secret([secret.clone(), token.clone()]);
    let credentials = element("AccessKeyId", &id)
        + &element("SecretAccessKey", &secret)
        + &element("SessionToken", &token)
        + &element("Expiration", &clock::extended(until));
    let user = element("AssumedRoleId", &identity.id) + &element("Arn", &identity.arn);
    Ok(format!("<Credentials>{credentials}</Credentials><AssumedRoleUser>{user}</AssumedRoleUser>"))
}

/// RoleArn and RoleSessionName.
fn names(call: &Call) -> Result<(&str, &str), Failure> {
    for name in call.parameters.keys() {
        if ["Policy", "PolicyArns", "Tags", "TransitiveTagKeys", "SerialNumber", "TokenCode", "SourceIdentity"]
            .iter()
            .any(|known| name.split('.').next() == Some(known))
        {
            return Err(unknown_here(name));
        }
    }
    let Some(role) = call.get("RoleArn") else { return Err(call.breaks("RoleArn", None, "not be null")) };
    let Some(name) = call.get("RoleSessionName") else {
        return Err(call.breaks("RoleSessionName", None, "not be null"));
    };
    if role.len() < 20 {
        return Err(call.breaks("RoleArn", Some(role), "have length greater than or equal to 20"));
    }
    if role.len() > 2048 {
        return Err(call.breaks("RoleArn", Some(role), "have length less than or equal to 2048"));
    }
    pattern(call, "RoleSessionName", name, 2, 64, "+=,.@-_")?;
    let is_role = Arn::read(role).is_some_and(|a| a.service == "iam" && a.resource.starts_with("role/"));
    if !is_role {
        return Err(call.fail("ValidationError", format!("{role} is invalid")));
    }
    Ok((role, name))
}

fn pattern(call: &Call, name: &str, value: &str, least: usize, most: usize, others: &str) -> Result<(), Failure> {
    if value.len() < least {
        return Err(call.breaks(name, Some(value), &format!("have length greater than or equal to {least}")));
    }
    if value.len() > most {
        return Err(call.breaks(name, Some(value), &format!("have length less than or equal to {most}")));
    }
    if !value.chars().all(|c| c.is_ascii_alphanumeric() || others.contains(c)) {
        let signs = others.trim_end_matches('_').replace('/', "\\/");
        return Err(call.breaks(name, Some(value), &format!("satisfy regular expression pattern: [\\w{signs}]*")));
    }
    Ok(())
}

fn duration(call: &Call) -> Result<u32, Failure> {
    let Some(text) = call.get("DurationSeconds") else { return Ok(3600) };
    let Ok(seconds) = text.parse::<u32>() else {
        return Err(call.fail("MalformedInput", format!("{text} is not an integer")));
    };
    if seconds < 900 {
        return Err(call.breaks("DurationSeconds", Some(text), "have value greater than or equal to 900"));
    }
    if seconds > 43200 {
        return Err(call.breaks("DurationSeconds", Some(text), "have value less than or equal to 43200"));
    }
    Ok(seconds)
}

/// The name of the database user that stands for an identity: `IAM:user`, `IAMR:role`.
pub fn database_user(identity: &identity::Identity) -> String {
    format!("{}:{}", if identity.session { "IAMR" } else { "IAM" }, identity.name())
}
