//! More than is taken from a warehouse at once.

use std::fmt;

/// What was too much, and the limit for it in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Excess {
    /// One message, such as a row.
    Message {
        /// The length that it was announced with.
        announced: u64,
        /// The most that is taken.
        limit: u64,
    },
    /// All that came in answer to one statement.
    Answer {
        /// The most that is taken.
        limit: u64,
    },
    /// What the warehouse remarked meanwhile.
    Remarks {
        /// The most that is taken.
        limit: u64,
    },
}

impl fmt::Display for Excess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message { announced, limit } => {
                write!(f, "a message of {announced} bytes was announced, and at most {} are taken", size(*limit))
            }
            Self::Answer { limit } => write!(f, "more than {} came, and that is the most that is taken", size(*limit)),
            Self::Remarks { limit } => {
                write!(f, "more than {} of notices came, and that is the most that is taken", size(*limit))
            }
        }
    }
}

impl std::error::Error for Excess {}

fn size(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}
