//! Redshift Serverless: workgroups, and credentials for their databases.

use std::time::Duration;

use serde_json::json;

use super::clock;
use super::failure::Failure;
use super::redshift::mint;
use super::server::Context;
use super::sts::database_user;
use super::things::Workgroup;
use super::wire::Reply;

/// Answers a call.
pub async fn answer(context: &Context<'_>) -> Result<Reply, Failure> {
    match context.call.operation.as_str() {
        "GetWorkgroup" => workgroup(context),
        _ => credentials(context).await,
    }
}

fn find(context: &Context<'_>, fits: impl Fn(&Workgroup) -> bool) -> Option<Workgroup> {
    let state = context.account.state();
    let seen = |w: &&Workgroup| context.sees(w.account.as_deref(), w.region.as_deref()) && fits(w);
    state.workgroups.iter().find(seen).cloned()
}

/// The workgroup, if the caller may do this with it. One that is not there has no ARN: whoever may see all is told so.
fn allowed(context: &Context<'_>, found: Option<Workgroup>, name: &str) -> Result<Workgroup, Failure> {
    let id = found.as_ref().map_or("*", |w| &w.id);
    context.allow(&[context.arn(&format!("workgroup/{id}"))])?;
    found.ok_or_else(|| {
        context.call.fail("ResourceNotFoundException", format!("Serverless workgroup {name} not found."))
    })
}

fn check_name(context: &Context<'_>, name: &str) -> Result<(), Failure> {
    let call = context.call;
    if name.len() < 3 {
        return Err(call.breaks("workgroupName", Some(name), "have length greater than or equal to 3"));
    }
    if name.len() > 64 {
        return Err(call.breaks("workgroupName", Some(name), "have length less than or equal to 64"));
    }
    if !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
        return Err(call.breaks("workgroupName", Some(name), "satisfy regular expression pattern: ^[a-z0-9-]+$"));
    }
    Ok(())
}

fn workgroup(context: &Context<'_>) -> Result<Reply, Failure> {
    let Some(name) = context.call.get("workgroupName") else {
        return Err(context.call.breaks("workgroupName", None, "not be null"));
    };
    check_name(context, name)?;
    let found = find(context, |w| w.name == name);
    let workgroup = allowed(context, found, name)?;
    let mut answer = json!({
        "workgroupName": workgroup.name,
        "workgroupId": workgroup.id,
        "workgroupArn": context.arn(&format!("workgroup/{}", workgroup.id)),
        "namespaceName": workgroup.name,
        "status": workgroup.status,
        "baseCapacity": 8,
        "publiclyAccessible": false,
        "securityGroupIds": ["sg-4e5f6a7b"],
        "enhancedVpcRouting": false,
        "creationDate": clock::extended(context.account.shared.logins.clock.now()),
    });
    if workgroup.status != "CREATING" {
        let port = workgroup.port.unwrap_or(context.account.port);
        let address = workgroup.address.as_deref().unwrap_or("localhost");
        answer["endpoint"] = json!({ "address": address, "port": port, "vpcEndpoints": [] });
        answer["port"] = json!(port);
    }
    if let Some(domain) = workgroup.custom_domains.first() {
        answer["customDomainName"] = json!(domain);
    }
    Ok(Reply::Json(json!({ "workgroup": answer })))
}

async fn credentials(context: &Context<'_>) -> Result<Reply, Failure> {
    let call = context.call;
    let span = match call.get("durationSeconds").unwrap_or("900") {
        text if text.parse::<u64>().is_ok_and(|s| s > 3600) => {
            return Err(call.breaks("durationSeconds", Some(text), "have value less than or equal to 3600"));
        }
        text => match text.parse::<u64>() {
            Ok(seconds) if seconds >= 900 => Duration::from_secs(seconds),
            _ => return Err(call.breaks("durationSeconds", Some(text), "have value greater than or equal to 900")),
        },
    };
    let workgroup = match (call.get("workgroupName"), call.get("customDomainName")) {
        (Some(name), None) => {
            check_name(context, name)?;
            allowed(context, find(context, |w| w.name == name), name)?
        }
        (None, Some(domain)) => {
            let has = |w: &Workgroup| w.custom_domains.iter().any(|d| d.eq_ignore_ascii_case(domain));
            allowed(context, find(context, has), domain)?
        }
        (Some(_), Some(_)) => {
            let text = "workgroupName and customDomainName cannot be given together.";
            return Err(call.fail("ValidationException", text));
        }
        (None, None) => {
            return Err(call.fail("ValidationException", "workgroupName or customDomainName must be given."));
        }
    };
    if workgroup.status == "CREATING" {
        let text = format!("Workgroup {} is not available.", workgroup.name);
        return Err(call.fail("ValidationException", text));
    }
    let user = database_user(context.identity);
    let login = mint(context, &user, &user, call.get("dbName"), span, true).await?;
    Ok(Reply::Json(json!({
        "dbUser": login.name,
        "dbPassword": login.password,
        "expiration": clock::epoch(login.until),
        "nextRefreshTime": clock::epoch(login.until),
    })))
}
