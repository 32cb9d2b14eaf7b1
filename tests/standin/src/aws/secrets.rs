//! Secrets Manager and Systems Manager's parameters.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::clock;
use super::failure::Failure;
use super::identity::Arn;
use super::server::Context;
use super::things::SecretValue;
use super::wire::Reply;

/// GetSecretValue.
pub fn secret(context: &Context<'_>) -> Result<Reply, Failure> {
    let (account, call) = (context.account, context.call);
    let Some(id) = call.get("SecretId") else { return Err(call.breaks("SecretId", None, "not be null")) };
    let here = context.sees(Some(&account.options.account), Some(&account.options.region));
    // By name, by ARN, or by ARN without its last six characters.
    let names = |arn: &str, name: &str| {
        id == name || id == arn || (id.starts_with("arn:") && arn.len() - 7 == id.len() && arn.starts_with(id))
    };
    let found = account.state().secrets.iter().find(|s| here && names(&s.arn, &s.name)).cloned();
    let resource = match &found {
        Some(secret) => secret.arn.clone(),
        None if id.starts_with("arn:") => id.to_owned(),
        // Nobody knows the six characters of a secret that is not there.
        None => context.arn(&format!("secret:{id}-??????")),
    };
    if Arn::account_of(&resource) != Some(&context.identity.account) {
        let why = format!(" because no resource-based policy allows the {} action", call.name());
        return Err(Failure::denied(call.service.protocol(), context.identity, &call.name(), id, &why));
    }
    // A denial names the secret as the request did.
    account.state().directory.allow_as(context.identity, call, &call.name(), &[resource], Some(id))?;
    let Some(secret) = found else {
        let text = "Secrets Manager can't find the specified secret.";
        return Err(call.fail("ResourceNotFoundException", text));
    };
    if let Some(version) = call.get("VersionId").filter(|v| *v != secret.version) {
        let text = format!("Secrets Manager can't find the specified secret value for VersionId: {version}");
        return Err(call.fail("ResourceNotFoundException", text));
    }
    if let Some(stage) = call.get("VersionStage").filter(|s| *s != "AWSCURRENT") {
        let text = format!("Secrets Manager can't find the specified secret value for staging label: {stage}");
        return Err(call.fail("ResourceNotFoundException", text));
    }
    let mut answer = json!({
        "ARN": secret.arn,
        "Name": secret.name,
        "VersionId": secret.version,
        "VersionStages": ["AWSCURRENT"],
        "CreatedDate": clock::epoch(secret.created),
    });
    match secret.value {
        SecretValue::Text(text) => answer["SecretString"] = json!(text),
        SecretValue::Binary(bytes) => answer["SecretBinary"] = json!(STANDARD.encode(bytes)),
    }
    Ok(Reply::Json(answer))
}

/// GetParameter.
pub fn parameter(context: &Context<'_>) -> Result<Reply, Failure> {
    let (account, call) = (context.account, context.call);
    let Some(asked) = call.get("Name") else { return Err(call.breaks("Name", None, "not be null")) };
    let named = |name: &str| context.arn(&format!("parameter/{}", name.trim_start_matches('/')));
    let resource = if asked.starts_with("arn:") { asked.to_owned() } else { named(asked) };
    if Arn::account_of(&resource) != Some(&context.identity.account) {
        let why = format!(" because no resource-based policy allows the {} action", call.name());
        return Err(Failure::denied(call.service.protocol(), context.identity, &call.name(), &resource, &why));
    }
    context.allow(std::slice::from_ref(&resource))?;
    let here = context.sees(Some(&account.options.account), Some(&account.options.region));
    let fits = |name: &str| if asked.starts_with("arn:") { named(name) == asked } else { name == asked };
    let found = account.state().parameters.iter().find(|p| here && fits(&p.name)).cloned();
    let Some(parameter) = found else {
        // AWS sends no message with this one.
        return Err(Failure { code: "ParameterNotFound".into(), message: None, status: 400 });
    };
    let decrypted = call.get("WithDecryption") == Some("true");
    let value = match parameter.secure && !decrypted {
        true => format!("AQICA{}", super::random_text(90)),
        false => parameter.value,
    };
    Ok(Reply::Json(json!({ "Parameter": {
        "Name": parameter.name,
        "Type": if parameter.secure { "SecureString" } else { "String" },
        "Value": value,
        "Version": parameter.version,
        "LastModifiedDate": clock::epoch(parameter.modified),
        "ARN": named(&parameter.name),
        "DataType": "text",
    } })))
}
