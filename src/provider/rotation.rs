//! Passwords that AWS keeps: which version was sent, and whether there is a newer one.

use super::configured::Configured;
use super::link;
use crate::engine::settings::defaults::StoredAt;
use crate::terraform::{Change, Diagnostics, Plan};

/// What read saw of a password's version, for the next plan to compare.
const SEEN: &str = "seen_password_version";

/// Where AWS keeps a password, of the two settings that may say it.
pub(super) fn stored_at(parameter: Option<&String>, secret: Option<&String>) -> Option<StoredAt> {
    parameter.cloned().map(StoredAt::Parameter).or_else(|| secret.cloned().map(StoredAt::Secret))
}

/// Whether read saw another version than the one that was sent.
pub(super) fn is_newer(plan: &Plan<'_>, sent: Option<&str>) -> bool {
    plan.private(SEEN).is_some_and(|seen| seen.as_str() != sent)
}

/// Keeps the version that AWS has now, for the plan. What cannot be read is said, and nothing is planned for it.
pub(super) async fn look(data: &Configured, store: &StoredAt, cx: &mut Change<'_>) -> Result<(), Diagnostics> {
    let link = link::known(cx.prior())?;
    match data.stored_password(&link, store, cx.cancelled()).await {
        Ok(stored) => cx.set_private(SEEN, stored.version),
        Err(error) => {
            let warning = data.unread(&error)?;
            cx.warn(warning);
        }
    }
    Ok(())
}

/// Forgets what was seen: it was sent.
pub(super) fn sent(cx: &mut Change<'_>) {
    cx.set_private(SEEN, serde_json::Value::Null);
}
