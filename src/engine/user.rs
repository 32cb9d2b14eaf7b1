//! A database user's life: found in `pg_user`, made, altered, renamed. [`crate::engine::user::dropping`] ends it.
//!
//! Passwords are sent as the hash that Redshift stores, never in clear: it logs the text of CREATE USER.

pub(in crate::engine) mod blockers;
pub(in crate::engine) mod chain;
pub mod dropping;
pub mod handover;
pub mod holder;
#[cfg(test)]
mod holdings_tests;
pub mod inventory;
pub(in crate::engine) mod kinds;
mod leader;
#[cfg(test)]
mod life_tests;
pub(in crate::engine) mod looking;
pub(in crate::engine) mod options;
mod proving;
pub(in crate::engine) mod routine;
pub(in crate::engine) mod scoped;

use std::collections::HashMap;

use futures::future::BoxFuture;
use secrecy::{ExposeSecret, SecretString};
use tokio_util::sync::CancellationToken;

use crate::engine::catalog::At;
use crate::engine::datastore::owners::Warning;
use crate::engine::error::Error;
use crate::engine::names::check_name;
pub use crate::engine::object::NotCreated;
use crate::engine::object::{self, Object};
use crate::engine::password;
use crate::engine::session::Session;
use crate::engine::session::warehouse::Warehouse;
use crate::engine::sql::{Sql, ident, secret, sql};
use crate::engine::step::Step;
pub use crate::engine::user::dropping::{Dropped, drop_user};
pub use crate::engine::user::options::{ConnectionLimit, ValidUntil};

/// What a user is to be.
#[derive(Clone, Debug)]
pub struct UserWanted {
    pub name: String,
    pub password: Password,
    /// `None`: not managed.
    pub connection_limit: Option<ConnectionLimit>,
    /// `None`: not managed.
    pub valid_until: Option<ValidUntil>,
}

/// What happens to the password.
#[derive(Clone, Debug)]
pub enum Password {
    /// It stays as it is. A new user gets none, and a rename takes it away.
    Keep,
    /// It is set, as the hash of this.
    Set(SecretString, PasswordHash),
    /// Nobody can sign in with a password.
    Disable,
}

/// The form in which a password is sent and stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PasswordHash {
    /// `md5`: every client can sign in.
    #[default]
    Md5,
    /// `sha256`: clients that know it can sign in, as this one does; those made with libpq cannot.
    Sha256,
}

/// A user as he was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserFound {
    pub name: String,
    pub id: i64,
    pub superuser: bool,
    pub createdb: bool,
    /// Infinity where nothing was ever set; `None` if the warehouse's text could not be read.
    pub valid_until: Option<ValidUntil>,
    /// `None` if it was not asked for, or the login does not see it.
    pub connection_limit: Option<ConnectionLimit>,
}

/// The connection limits that the login sees, by user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits(HashMap<String, ConnectionLimit>);

/// Reads the connection limits. Who may not see them (AWS, PG_USER_INFO: superusers) knows of none.
pub fn load_limits(session: &mut Session) -> BoxFuture<'_, Result<Limits, Error>> {
    Box::pin(async move {
        let rows = match session.query(&sql!("SELECT usename, useconnlimit FROM pg_user_info")).await {
            Err(error) if error.sqlstate() == Some("42501") => {
                tracing::debug!(%error, "connection limits are not shown to this login");
                Vec::new()
            }
            other => other?,
        };
        let mut limits = HashMap::new();
        for row in &rows {
            if let Some(limit) = row.get(1).and_then(ConnectionLimit::parse) {
                limits.insert(row.text(0)?.to_owned(), limit);
            }
        }
        Ok(Limits(limits))
    })
}

/// The user of exactly this name, if there is one. `with_limit`: his connection limit too, which is another question.
pub async fn find(
    warehouse: &Warehouse,
    name: &str,
    with_limit: bool,
    cancel: &CancellationToken,
) -> Result<Option<UserFound>, Error> {
    let at = At::new(warehouse, &warehouse.access().database, cancel);
    let principals = warehouse.catalog().principals(at).await?;
    let Some(user) = principals.user(name) else { return Ok(None) };
    let connection_limit = if with_limit { warehouse.catalog().limits(at).await?.0.get(name).copied() } else { None };
    Ok(Some(UserFound {
        name: user.name.clone(),
        id: user.id,
        superuser: user.superuser,
        createdb: user.createdb,
        valid_until: match &user.valid_until {
            None => Some(ValidUntil::Infinity),
            Some(text) => ValidUntil::from_server(text),
        },
        connection_limit,
    }))
}

/// `"s"."t"`.
pub(in crate::engine) fn table(schema: &str, table: &str) -> Sql {
    sql!("{}.{}", ident(schema), ident(table))
}

/// A user, and the database in which its statements run.
struct InDatabase<'a> {
    user: &'a UserWanted,
    database: &'a str,
}

impl Object for InDatabase<'_> {
    type Found = UserFound;

    fn title(&self) -> String {
        format!("User {}", ident(&self.user.name))
    }

    fn database(&self) -> &str {
        self.database
    }

    fn forget(&self, warehouse: &Warehouse) {
        warehouse.catalog().forget_principals();
    }

    async fn find(&self, at: At<'_>) -> Result<Option<UserFound>, Error> {
        find(at.warehouse, &self.user.name, false, at.cancel).await
    }

    fn create(&self) -> Vec<Step> {
        vec![Step::shared(self.database, create_sql(self.user), "a user")]
    }
}

/// Makes the user. One who exists already is refused, and nothing is changed about him.
pub async fn create(
    warehouse: &Warehouse,
    wanted: &UserWanted,
    cancel: &CancellationToken,
) -> Result<UserFound, NotCreated> {
    check(wanted)?;
    let user = &no_password(warehouse, wanted, true, cancel).await?;
    object::create(warehouse, &InDatabase { user, database: &warehouse.access().database }, cancel).await
}

/// Alters the user from what was found to what is wanted. Nothing is sent if nothing differs; a password is always
/// sent if one is given. A new name is a rename, after which the password is set again.
pub async fn alter(
    warehouse: &Warehouse,
    found: &UserFound,
    wanted: &UserWanted,
    cancel: &CancellationToken,
) -> Result<Vec<Warning>, Error> {
    check(wanted)?;
    let wanted = &no_password(warehouse, wanted, false, cancel).await?;
    let database = &warehouse.access().database;
    let of = InDatabase { user: wanted, database };
    let (steps, warnings) = alter_steps(database, found, wanted);
    if steps.is_empty() {
        return Ok(warnings);
    }
    let other = |cancel| async move {
        let other = find(warehouse, &wanted.name, false, cancel).await?;
        Ok::<_, Error>(other.filter(|_| found.name != wanted.name))
    };
    let still_to_do = || async {
        let there = find(warehouse, &found.name, false, cancel).await?.is_some();
        match other(cancel).await? {
            // After a lost answer the rename may be done: the rest follows under the new name.
            Some(renamed) if !there && renamed.id == found.id => {
                let renamed = UserFound { name: wanted.name.clone(), ..found.clone() };
                Ok(alter_steps(database, &renamed, wanted).0)
            }
            Some(_) => Err(Error::Exists { title: of.title() }),
            None if there => Ok(steps.clone()),
            None => Err(Error::refused(
                format!("User {} does not exist", ident(&found.name)),
                "Somebody dropped or renamed the user. User names keep their case.",
            )),
        }
    };
    match object::change(warehouse, &of, still_to_do, cancel).await {
        Err(error) if found.name != wanted.name && object::may_be_taken(&error) => {
            let is_taken = object::lost_race(&error)
                || other(&CancellationToken::new()).await?.is_some_and(|other| other.id != found.id);
            Err(if is_taken { Error::Exists { title: of.title() } } else { error })
        }
        changed => changed.map(|()| warnings),
    }
}

/// Name, and the rules of a clear password, which the server does not check when it is sent a hash.
fn check(wanted: &UserWanted) -> Result<(), Error> {
    check_name(&wanted.name).map_err(|problem| Error::setting("name", format!("In name: {problem}.")))?;
    if wanted.name.eq_ignore_ascii_case("public") {
        return Err(Error::setting("name", "No user can be called PUBLIC: that word means everybody."));
    }
    if let Password::Set(secret, _) = &wanted.password {
        let problems = password::problems(secret.expose_secret());
        if !problems.is_empty() {
            return Err(Error::setting("password_wo", problems.join(" ")));
        }
    }
    Ok(())
}

/// PASSWORD DISABLE is for superusers (AWS: ALTER USER; of CREATE USER it is not said). Others give a user who is to have no
/// password one that nobody knows.
async fn no_password(
    warehouse: &Warehouse,
    wanted: &UserWanted,
    is_new: bool,
    cancel: &CancellationToken,
) -> Result<UserWanted, Error> {
    let mut wanted = wanted.clone();
    let has_none = matches!(wanted.password, Password::Disable) || is_new && matches!(wanted.password, Password::Keep);
    if has_none && !warehouse.facts(cancel).await?.superuser {
        wanted.password = Password::Set(password::nobodys(), PasswordHash::Md5);
    }
    Ok(wanted)
}

fn create_sql(wanted: &UserWanted) -> Sql {
    let user = ident(&wanted.name);
    let made = match hashed(&wanted.name, &wanted.password) {
        Some(hash) => sql!("CREATE USER {} PASSWORD {}", user, secret(&hash)),
        None => sql!("CREATE USER {} PASSWORD DISABLE", user),
    };
    let options = [wanted.connection_limit.map(ConnectionLimit::sql), wanted.valid_until.map(ValidUntil::sql)];
    Sql::join(" ", std::iter::once(made).chain(options.into_iter().flatten()))
}

/// The statements of [`alter`], and what a person should know about them.
pub fn alter_steps(database: &str, found: &UserFound, wanted: &UserWanted) -> (Vec<Step>, Vec<Warning>) {
    let mut steps = Vec::new();
    let mut warnings = Vec::new();
    let is_rename = found.name != wanted.name;
    if is_rename {
        let sql = sql!("ALTER USER {} RENAME TO {}", ident(&found.name), ident(&wanted.name));
        steps.push(Step::shared(database, sql, "a new name"));
        if matches!(wanted.password, Password::Keep) {
            warnings.push(Warning {
                summary: format!("User {} has no password after the new name", ident(&wanted.name)),
                detail: "Redshift drops an MD5 password with the old name, and none was given to be set again."
                    .to_owned(),
            });
        }
    }
    let user = ident(&wanted.name);
    match (&wanted.password, hashed(&wanted.name, &wanted.password)) {
        (_, Some(hash)) => {
            let sql = sql!("ALTER USER {} PASSWORD {}", user, secret(&hash));
            steps.push(Step::shared(database, sql, "a new password"));
        }
        (Password::Disable, None) => {
            steps.push(Step::shared(database, sql!("ALTER USER {} PASSWORD DISABLE", user), "no password"));
        }
        _ => {}
    }
    if let Some(limit) = wanted.connection_limit.filter(|limit| found.connection_limit != Some(*limit)) {
        steps.push(Step::shared(database, sql!("ALTER USER {} {}", user, limit.sql()), "how many sessions"));
    }
    if let Some(until) = wanted.valid_until.filter(|until| found.valid_until != Some(*until)) {
        steps.push(Step::shared(database, sql!("ALTER USER {} {}", user, until.sql()), "until when"));
    }
    (steps, warnings)
}

fn hashed(name: &str, password: &Password) -> Option<SecretString> {
    match password {
        Password::Set(secret, PasswordHash::Md5) => Some(password::md5(name, secret)),
        Password::Set(secret, PasswordHash::Sha256) => Some(password::sha256(secret)),
        Password::Keep | Password::Disable => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user() -> UserWanted {
        UserWanted { name: "svc \"x\"".into(), password: Password::Keep, connection_limit: None, valid_until: None }
    }

    fn found() -> UserFound {
        UserFound {
            name: "svc \"x\"".into(),
            id: 101,
            superuser: false,
            createdb: false,
            valid_until: Some(ValidUntil::Infinity),
            connection_limit: None,
        }
    }

    fn texts(steps: &[Step]) -> Vec<String> {
        steps.iter().map(|step| step.sql.to_string()).collect()
    }

    #[test]
    fn a_new_user_is_made_with_the_hash_of_the_password() {
        let secret = SecretString::from("Abcdefg1");
        let wanted = UserWanted {
            name: "joe".into(),
            password: Password::Set(secret.clone(), PasswordHash::Md5),
            connection_limit: Some(ConnectionLimit::AtMost(5)),
            valid_until: ValidUntil::parse("2027-01-31T12:00:00.5+02:00").ok(),
        };
        let sql = create_sql(&wanted);
        let rest = " CONNECTION LIMIT 5 VALID UNTIL '2027-01-31 10:00:00+00'";
        assert_eq!(sql.to_string(), format!("CREATE USER \"joe\" PASSWORD '<REDACTED>'{rest}"));
        let hash = password::md5("joe", &secret);
        assert_eq!(sql.open(), format!("CREATE USER \"joe\" PASSWORD '{}'{rest}", hash.expose_secret()));
        assert!(!sql.open().contains("Abcdefg1"));
        assert_eq!(create_sql(&user()).to_string(), "CREATE USER \"svc \"\"x\"\"\" PASSWORD DISABLE");
        let strong = UserWanted { password: Password::Set(secret, PasswordHash::Sha256), ..user() };
        assert!(create_sql(&strong).open().contains("PASSWORD 'sha256|"));
    }

    #[test]
    fn only_what_differs_is_altered() {
        assert!(alter_steps("dev", &found(), &user()).0.is_empty());
        let same = UserWanted { valid_until: Some(ValidUntil::Infinity), ..user() };
        assert!(alter_steps("dev", &found(), &same).0.is_empty());
        let other = UserWanted {
            connection_limit: Some(ConnectionLimit::Unlimited),
            valid_until: ValidUntil::parse("2027-01-31T12:00:00Z").ok(),
            password: Password::Disable,
            ..user()
        };
        let (steps, warnings) = alter_steps("dev", &found(), &other);
        assert_eq!(
            texts(&steps),
            [
                "ALTER USER \"svc \"\"x\"\"\" PASSWORD DISABLE",
                "ALTER USER \"svc \"\"x\"\"\" CONNECTION LIMIT UNLIMITED",
                "ALTER USER \"svc \"\"x\"\"\" VALID UNTIL '2027-01-31 12:00:00+00'",
            ]
        );
        assert!(warnings.is_empty() && steps.iter().all(|step| step.shared && !step.alone));
        let limited = UserFound { connection_limit: Some(ConnectionLimit::Unlimited), ..found() };
        let wanted = UserWanted { connection_limit: Some(ConnectionLimit::Unlimited), ..user() };
        assert!(alter_steps("dev", &limited, &wanted).0.is_empty());
    }

    #[test]
    fn a_rename_sends_the_password_again_hashed_for_the_new_name() {
        let secret = SecretString::from("Abcdefg1");
        let password = Password::Set(secret.clone(), PasswordHash::Md5);
        let wanted = UserWanted { name: "new".into(), password, ..user() };
        let (steps, warnings) = alter_steps("dev", &found(), &wanted);
        assert_eq!(
            texts(&steps),
            ["ALTER USER \"svc \"\"x\"\"\" RENAME TO \"new\"", "ALTER USER \"new\" PASSWORD '<REDACTED>'"]
        );
        assert!(steps[1].sql.open().contains(password::md5("new", &secret).expose_secret()));
        assert!(warnings.is_empty());
        let (_, warnings) = alter_steps("dev", &found(), &UserWanted { password: Password::Keep, ..wanted });
        assert!(warnings[0].summary.contains("has no password"));
    }

    #[test]
    fn names_and_passwords_are_checked_before_any_sql() {
        let secret = |text: &str| Password::Set(SecretString::from(text), PasswordHash::Md5);
        for (wanted, setting) in [
            (UserWanted { name: "a\nb".into(), ..user() }, "name"),
            (UserWanted { name: "Public".into(), ..user() }, "name"),
            (UserWanted { password: secret("short"), ..user() }, "password_wo"),
        ] {
            match check(&wanted) {
                Err(Error::Setting { setting: found, message }) => {
                    assert_eq!(found, setting);
                    assert!(!message.contains("short"));
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(check(&UserWanted { password: secret("Abcdefg1"), ..user() }).is_ok());
    }
}
