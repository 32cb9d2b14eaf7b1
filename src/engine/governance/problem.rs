//! What is wrong with a policy: where, what, and what to do.

use serde::{Deserialize, Deserializer};

use crate::engine::error::shown;

/// Something wrong in a rule, or in what it meets in a table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{summary}: {detail}")]
pub struct Problem {
    /// The setting, from the rule down (`unless[0].groups`); empty for the rule itself.
    pub at: String,
    /// One line.
    pub summary: String,
    /// What is wrong and what to do.
    pub detail: String,
}

impl Problem {
    /// A problem on a setting.
    pub(in crate::engine) fn of(at: impl Into<String>, summary: impl Into<String>, detail: impl Into<String>) -> Self {
        let (summary, detail) = (shown(&summary.into()).into_owned(), shown(&detail.into()).into_owned());
        Problem { at: at.into(), summary, detail }
    }

    /// The block of a rule, the rule's number, and the setting in it, if it is on a rule.
    pub(super) fn at_rule(&self) -> Option<(&'static str, usize, String)> {
        let (block, rest) = ["mask", "row_filter"]
            .into_iter()
            .find_map(|block| Some((block, self.at.strip_prefix(block)?.strip_prefix('[')?)))?;
        let (index, below) = rest.split_once(']')?;
        Some((block, index.parse().ok()?, below.trim_start_matches('.').to_owned()))
    }

    /// The same problem, seen from what the setting stands in.
    #[must_use]
    pub fn below(self, above: &str) -> Self {
        let at = match (above.is_empty(), self.at.is_empty()) {
            (true, _) => self.at,
            (false, true) => above.to_owned(),
            (false, false) => format!("{above}.{}", self.at),
        };
        Problem { at, ..self }
    }
}

/// Reads null as if nothing were written.
pub(super) fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}
