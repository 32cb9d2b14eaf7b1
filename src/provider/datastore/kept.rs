//! What is kept of a datastore in private state.

use crate::engine::datastore::{Before, Ids, Wanted};
use crate::terraform::Change;

/// By what other datastores of this process tell this one from themselves.
pub(super) const MARK: &str = "mark";

/// The warning about a role that the plan gave already.
pub(super) const TOLD: &str = "told";

/// That the schema was seen to be external, for the script.
pub(super) const EXTERNAL: &str = "external";

/// That the login was refused where no connection says so.
pub(super) const REFUSED: &str = "refused";

/// The ids of schema and grantee, and the role's first owner.
const IDS: &str = "ids";

/// What an update that failed may have left beside what state declares.
const HALF_DONE: &str = "half_done";

/// Where earlier releases kept a record of what they granted. What is declared is owned now.
const MADE: &str = "made";

/// A mark that nothing else has.
pub(super) fn new_mark() -> String {
    format!("{:016x}", rand::random::<u64>())
}

/// The datastore's mark, if it has one.
pub(super) fn known_mark(cx: &Change<'_>) -> Option<String> {
    cx.private(MARK)?.as_str().map(str::to_owned)
}

/// The datastore's mark, made if it has none.
pub(super) fn mark(cx: &mut Change<'_>) -> String {
    known_mark(cx).unwrap_or_else(|| {
        let mark = new_mark();
        cx.set_private(MARK, mark.clone());
        mark
    })
}

/// What state declares, with what is kept beside it.
pub(super) fn before(declared: Wanted, cx: &Change<'_>) -> Before {
    let mut all = vec![declared];
    all.extend(half_done(cx));
    Before { declared: all, ids: ids(cx), elsewhere: false }
}

fn ids(cx: &Change<'_>) -> Ids {
    cx.private(IDS).and_then(|ids| serde_json::from_value(ids).ok()).unwrap_or_default()
}

/// Keeps the ids of what was found. One that is not there by its name keeps its id.
pub(super) fn keep_ids(found: &Ids, cx: &mut Change<'_>) {
    let known = ids(cx);
    let ids = Ids {
        schema: found.schema.or(known.schema),
        grantee: found.grantee.or(known.grantee),
        role_owner: found.role_owner.clone(),
    };
    if ids != known {
        cx.set_private(IDS, serde_json::json!(ids));
    }
}

/// What an update that failed may have left.
pub(super) fn half_done(cx: &Change<'_>) -> Option<Wanted> {
    cx.private(HALF_DONE).and_then(|wanted| serde_json::from_value(wanted).ok())
}

pub(super) fn keep_half_done(wanted: Option<&Wanted>, cx: &mut Change<'_>) {
    cx.set_private(HALF_DONE, wanted.map_or(serde_json::Value::Null, |wanted| serde_json::json!(wanted)));
    cx.set_private(MADE, serde_json::Value::Null);
}

/// The summary of the warning that the plan gave already; it is forgotten then.
pub(super) fn take_told(cx: &mut Change<'_>) -> Option<String> {
    let told = cx.private(TOLD)?.as_str().map(str::to_owned);
    cx.set_private(TOLD, serde_json::Value::Null);
    told
}
