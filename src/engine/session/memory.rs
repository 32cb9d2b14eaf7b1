//! What a login remembers of its failures, so that a thousand callers do not fail a thousand times.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::engine::error::Error;

/// The shortest and the longest time for which a warehouse out of reach is not tried again.
const REST: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(60));

/// Failures to sign in.
#[derive(Default)]
pub(super) struct Memory(Mutex<Remembered>);

#[derive(Default)]
struct Remembered {
    /// A wrong user or password: for good, or the account might be locked.
    login: Option<Error>,
    /// A refusal for one database.
    databases: HashMap<String, Error>,
    /// A warehouse out of reach, and until when that is believed.
    unreachable: Option<(Instant, Error)>,
}

impl Memory {
    /// The failure that another attempt would meet.
    pub(super) fn recall(&self, database: &str, now: Instant) -> Option<Error> {
        let mut memory = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if memory.unreachable.as_ref().is_some_and(|(until, _)| *until <= now) {
            memory.unreachable = None;
        }
        let unreachable = memory.unreachable.as_ref().map(|(_, error)| error);
        memory.login.as_ref().or(memory.databases.get(database)).or(unreachable).cloned()
    }

    /// Notes a failure to sign in that showed at `now`, after `took`.
    pub(super) fn note(&self, database: &str, error: &Error, took: Duration, now: Instant) {
        let mut memory = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match error {
            Error::SignIn(refused) => {
                // 28000 may also be a rule for one database; Redshift uses it for wrong passwords, too.
                let password = refused.sqlstate.as_deref() != Some("28000") || refused.message.contains("password");
                if password {
                    memory.login = Some(error.clone());
                } else {
                    memory.databases.insert(database.to_owned(), error.clone());
                }
            }
            Error::Setting { .. } | Error::Tls { .. } => memory.login = Some(error.clone()),
            // Resting for as long as the failure took halves the time lost at most, whoever asks and how often.
            Error::Unreachable { .. } => {
                memory.unreachable = Some((now + took.clamp(REST.0, REST.1), error.clone()));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::error::{Reach, ServerError, SignInError};

    fn refused(sqlstate: &str, message: &str) -> Error {
        SignInError {
            sqlstate: Some(sqlstate.into()),
            message: message.into(),
            endpoint: "h:1".into(),
            database: "dev".into(),
            user: "u".into(),
            user_source: "username".into(),
            password_source: "password".into(),
            password_remark: None,
            encrypted: true,
        }
        .into()
    }

    #[test]
    fn a_wrong_password_is_remembered_for_every_database() {
        for error in [refused("28P01", "no"), refused("28000", "password authentication failed")] {
            let memory = Memory::default();
            assert_eq!(memory.recall("dev", Instant::now()), None);
            memory.note("dev", &error, Duration::ZERO, Instant::now());
            assert_eq!(memory.recall("other", Instant::now()), Some(error));
        }
    }

    #[test]
    fn a_rule_for_one_database_is_remembered_for_it() {
        let memory = Memory::default();
        let error = refused("28000", "no pg_hba.conf entry");
        memory.note("dev", &error, Duration::ZERO, Instant::now());
        assert_eq!(memory.recall("dev", Instant::now()), Some(error));
        assert_eq!(memory.recall("other", Instant::now()), None);
        let missing = Error::from(ServerError::new("3D000", "no database"));
        memory.note("other", &missing, Duration::ZERO, Instant::now());
        assert_eq!(memory.recall("other", Instant::now()), None);
    }

    #[test]
    fn a_warehouse_out_of_reach_is_tried_again_after_a_rest() {
        let memory = Memory::default();
        let error = Error::Unreachable { endpoint: "h:1".into(), hostaddr: None, reach: Reach::Refused };
        let start = Instant::now();
        for (took, rest) in [(0, 200), (5_000, 5_000), (900_000, 60_000)] {
            memory.note("dev", &error, Duration::from_millis(took), start);
            let after = |ms| start + Duration::from_millis(ms);
            assert_eq!(memory.recall("any", after(rest - 1)), Some(error.clone()));
            assert_eq!(memory.recall("any", after(rest)), None);
        }
    }
}
