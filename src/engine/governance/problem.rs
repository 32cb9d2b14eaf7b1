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
    pub(super) fn of(at: impl Into<String>, summary: impl Into<String>, detail: impl Into<String>) -> Self {
        let (summary, detail) = (shown(&summary.into()).into_owned(), shown(&detail.into()).into_owned());
        Problem { at: at.into(), summary, detail }
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
