//! The database credentials that were handed out, as the warehouse looks them up at sign-in.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use time::OffsetDateTime;

use super::clock::Clock;

/// One set of credentials.
#[derive(Clone)]
pub struct Login {
    /// The name to sign in with, prefix and all.
    pub name: String,
    /// The password.
    pub password: String,
    /// The only database it opens; `None`: every one.
    pub database: Option<String>,
    /// The user that the session is of.
    pub user: String,
    /// No sign-in from then on.
    pub until: OffsetDateTime,
}

#[derive(Default)]
struct Inner {
    logins: Vec<Login>,
    live: Option<Duration>,
}

/// All of them.
#[derive(Default)]
pub struct Logins {
    /// The account's clock.
    pub clock: Clock,
    inner: Mutex<Inner>,
}

impl std::fmt::Debug for Logins {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Logins")
    }
}

impl Logins {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on credentials live this long, whatever was asked for.
    pub fn live(&self, span: Duration) {
        self.inner().live = Some(span);
    }

    /// Hands out credentials that were asked for `span`.
    pub fn mint(&self, name: &str, user: &str, database: Option<&str>, span: Duration) -> Login {
        let mut inner = self.inner();
        let login = Login {
            name: name.to_owned(),
            password: super::random_text(54),
            database: database.map(str::to_owned),
            user: user.to_owned(),
            until: self.clock.after(inner.live.unwrap_or(span)),
        };
        inner.logins.push(login.clone());
        login
    }

    /// Those for this name, old ones too.
    pub fn of(&self, name: &str) -> Vec<Login> {
        self.inner().logins.iter().filter(|l| l.name == name).cloned().collect()
    }
}
