//! A schema of a database: made, renamed, given to another owner, limited in space, dropped.
//!
//! A schema is known again by its number (`pg_namespace.oid`): one that somebody made anew under the name is not ours, and
//! one that somebody renamed still is.

use std::fmt;

use tokio_util::sync::CancellationToken;

use crate::engine::catalog::At;
use crate::engine::catalog::snapshot::Login;
use crate::engine::datastore::missing::some_of;
use crate::engine::error::Error;
use crate::engine::names::{check_name, same_name};
use crate::engine::object::{self, NotCreated, Object};
use crate::engine::session::warehouse::Warehouse;
use crate::engine::sql::{Sql, ident, sql};
use crate::engine::step::Step;

/// What a schema is to be.
#[derive(Clone, Debug)]
pub struct SchemaWanted {
    pub database: String,
    pub name: String,
    /// `None`: not managed; a new one is the login's.
    pub owner: Option<String>,
    /// `None`: not managed.
    pub quota: Option<Quota>,
}

/// A schema as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaFound {
    pub oid: u64,
    pub name: String,
    pub owner: String,
    /// `None` if it was not asked for, or is not shown to the login.
    pub quota: Option<Quota>,
    /// Tables and views in it, by name.
    pub relations: Vec<String>,
    /// Whether the session keeps the case of names.
    pub case_sensitive: bool,
}

/// How much space a schema may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quota {
    Unlimited,
    /// At most so many megabytes, in which the warehouse counts (AWS: CREATE SCHEMA).
    Megabytes(u32),
}

impl Quota {
    /// Reads `50 GB`, `512 MB`, `1 TB` or `unlimited`. Errors: a sentence that says what can be written.
    pub fn parse(text: &str) -> Result<Quota, String> {
        let trimmed = text.trim();
        if trimmed.eq_ignore_ascii_case("unlimited") {
            return Ok(Quota::Unlimited);
        }
        let digits = trimmed.len() - trimmed.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, unit) = trimmed.split_at(digits);
        let factor = match unit.trim().to_ascii_uppercase().as_str() {
            "MB" => 1,
            "GB" => 1024,
            "TB" => 1024 * 1024,
            "" if digits > 0 => {
                return Err(format!(
                    "\"{text}\" has no unit: Redshift takes a bare number for GB, and other tools for MB. Write \"{number} GB\" or \"{number} MB\"."
                ));
            }
            _ => {
                return Err(format!(
                    "\"{text}\" is no quota. Write a whole number with MB, GB or TB (\"50 GB\"), or \"unlimited\"."
                ));
            }
        };
        let megabytes = number.parse::<u32>().ok().and_then(|number| number.checked_mul(factor));
        // The catalogue keeps it in a signed number of 32 bits.
        match megabytes.filter(|megabytes| (1..=i32::MAX as u32).contains(megabytes)) {
            Some(megabytes) => Ok(Quota::Megabytes(megabytes)),
            None => Err(format!("\"{text}\" is no quota that can be kept: it has to be from 1 MB to 2047 TB.")),
        }
    }

    fn sql(self) -> Sql {
        match self {
            Quota::Unlimited => sql!("QUOTA UNLIMITED"),
            Quota::Megabytes(megabytes) => sql!("QUOTA {} MB", megabytes),
        }
    }
}

/// In the largest unit in which it is a whole number.
impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Quota::Unlimited => f.write_str("unlimited"),
            Quota::Megabytes(mb) if mb % (1024 * 1024) == 0 => write!(f, "{} TB", mb / (1024 * 1024)),
            Quota::Megabytes(mb) if mb % 1024 == 0 => write!(f, "{} GB", mb / 1024),
            Quota::Megabytes(mb) => write!(f, "{mb} MB"),
        }
    }
}

impl SchemaWanted {
    /// What is wrong with it before anybody is asked.
    fn check(&self) -> Result<(), Error> {
        let of_names = [("database", Some(&self.database)), ("name", Some(&self.name)), ("owner", self.owner.as_ref())];
        for (setting, name) in of_names {
            if let Some(problem) = name.and_then(|name| check_name(name).err()) {
                return Err(Error::setting(setting, format!("In {setting}: {problem}.")));
            }
        }
        check_own(&self.name).map_err(|problem| Error::setting("name", problem))
    }
}

impl Object for SchemaWanted {
    type Found = SchemaFound;

    fn title(&self) -> String {
        title(&self.name)
    }

    fn database(&self) -> &str {
        &self.database
    }

    fn forget(&self, warehouse: &Warehouse) {
        warehouse.catalog().forget(&self.database);
    }

    async fn find(&self, at: At<'_>) -> Result<Option<SchemaFound>, Error> {
        find(at, &Which::Named(&self.name), self.quota.is_some()).await
    }

    fn create(&self) -> Vec<Step> {
        let owner = self.owner.as_ref().map(|owner| sql!("AUTHORIZATION {}", ident(owner)));
        // Who is no superuser may set none; a new schema has none anyway (AWS: CREATE SCHEMA).
        let quota = self.quota.filter(|quota| *quota != Quota::Unlimited).map(Quota::sql);
        let made = std::iter::once(sql!("CREATE SCHEMA {}", ident(&self.name)));
        vec![Step::new(&self.database, Sql::join(" ", made.chain(owner).chain(quota)), "a schema")]
    }
}

/// Which schema is looked for.
#[derive(Clone, Debug)]
pub enum Which<'a> {
    Named(&'a str),
    /// Whatever its name is now.
    Numbered(u64),
}

/// The schema, if there is one. `with_quota`: its quota too, which is another question.
pub async fn find(at: At<'_>, which: &Which<'_>, with_quota: bool) -> Result<Option<SchemaFound>, Error> {
    let snapshot = at.warehouse.catalog().snapshot(at, None).await?;
    let found = match which {
        Which::Named(name) => snapshot.schema(name),
        Which::Numbered(oid) => snapshot.schemas.iter().find(|schema| schema.oid == *oid),
    };
    let Some(schema) = found else { return Ok(None) };
    let principals = at.warehouse.catalog().principals(at).await?;
    let quota = if with_quota { quota(at, &schema.name, &snapshot.login).await? } else { None };
    Ok(Some(SchemaFound {
        oid: schema.oid,
        name: schema.name.clone(),
        owner: principals.name_of(schema.owner),
        quota,
        relations: schema.relations.iter().filter(|it| it.is_of_people()).map(|it| it.name.clone()).collect(),
        case_sensitive: snapshot.login.case_sensitive,
    }))
}

/// Whether the schema is external: then it is another statement's, with other settings.
pub async fn is_external(at: At<'_>, name: &str) -> Result<bool, Error> {
    let external = at.warehouse.catalog().external_schemas(at).await?;
    Ok(external.has(name, false))
}

/// The quota of a schema. One that is not shown says something to a superuser alone, who sees all of them.
async fn quota(at: At<'_>, schema: &str, login: &Login) -> Result<Option<Quota>, Error> {
    let quotas = at.warehouse.catalog().quotas(at).await?;
    Ok(match quotas.megabytes(schema) {
        Some(0) => Some(Quota::Unlimited),
        Some(megabytes) => Some(Quota::Megabytes(megabytes)),
        None => login.superuser.then_some(Quota::Unlimited),
    })
}

/// Makes the schema. One that is there is refused, and left as it is.
pub async fn create(
    warehouse: &Warehouse,
    wanted: &SchemaWanted,
    cancel: &CancellationToken,
) -> Result<SchemaFound, NotCreated> {
    wanted.check()?;
    object::create(warehouse, wanted, cancel).await
}

/// Alters the schema of this number to what is wanted. One that is so already is left alone.
pub async fn alter(
    warehouse: &Warehouse,
    oid: u64,
    wanted: &SchemaWanted,
    cancel: &CancellationToken,
) -> Result<(), Error> {
    wanted.check()?;
    let at = At::new(warehouse, &wanted.database, cancel);
    let steps = || async move {
        let ours = find(at, &Which::Numbered(oid), wanted.quota.is_some()).await?;
        let ours = ours.ok_or_else(|| not_there(&wanted.database))?;
        let taken = find(at, &Which::Named(&wanted.name), false).await?.is_some_and(|other| other.oid != oid);
        if taken {
            return Err(Error::Exists { title: wanted.title() });
        }
        Ok(alter_steps(&ours, wanted))
    };
    object::change(warehouse, wanted, steps, cancel).await
}

/// The statements from what was found to what is wanted: the owner last, since the login may be the one that loses it.
pub fn alter_steps(found: &SchemaFound, wanted: &SchemaWanted) -> Vec<Step> {
    let step = |sql: Sql, what: &'static str| Step::new(&wanted.database, sql, what);
    let mut steps = Vec::new();
    if !same_name(&found.name, &wanted.name, found.case_sensitive) {
        let sql = sql!("ALTER SCHEMA {} RENAME TO {}", ident(&found.name), ident(&wanted.name));
        steps.push(step(sql, "a new name"));
    }
    if let Some(quota) = wanted.quota.filter(|quota| found.quota != Some(*quota)) {
        steps.push(step(sql!("ALTER SCHEMA {} {}", ident(&wanted.name), quota.sql()), "its quota"));
    }
    if let Some(owner) = wanted.owner.as_ref().filter(|owner| **owner != found.owner) {
        steps.push(step(sql!("ALTER SCHEMA {} OWNER TO {}", ident(&wanted.name), ident(owner)), "its owner"));
    }
    steps
}

/// Drops the schema of this number, if it is there. What is in it stops that, and is named; with `force` it goes too, and
/// comes back by name.
pub async fn drop_schema(
    warehouse: &Warehouse,
    gone: &SchemaWanted,
    oid: u64,
    force: bool,
    cancel: &CancellationToken,
) -> Result<Vec<String>, Error> {
    let at = At::new(warehouse, &gone.database, cancel);
    let went = std::sync::Mutex::new(Vec::new());
    let steps = || async {
        let Some(found) = find(at, &Which::Numbered(oid), false).await? else { return Ok(Vec::new()) };
        if !force && !found.relations.is_empty() {
            return Err(not_empty(&found, None));
        }
        let name = ident(&found.name);
        let sql = if force { sql!("DROP SCHEMA {} CASCADE", name) } else { sql!("DROP SCHEMA {}", name) };
        *crate::engine::cell::lock(&went) = found.relations;
        Ok(vec![Step::new(&gone.database, sql, "the schema")])
    };
    match object::change(warehouse, gone, steps, cancel).await {
        // Routines, and whatever else the catalogue was not asked for.
        Err(error) if error.sqlstate() == Some("2BP01") => {
            let found = find(at, &Which::Numbered(oid), false).await?;
            Err(found.map_or_else(|| error.clone(), |found| not_empty(&found, Some(&error))))
        }
        ended => ended.map(|()| went.into_inner().unwrap_or_default()),
    }
}

/// The first names in a schema, and that there are more, as people are shown what others wrote.
pub fn first_of(names: &[String]) -> String {
    some_of(&names.iter().map(String::as_str).collect::<Vec<_>>())
}

/// What is wrong with a name that is the warehouse's own.
pub fn check_own(name: &str) -> Result<(), String> {
    let lower = name.to_ascii_lowercase();
    if lower == "public" || lower == "information_schema" || lower.starts_with("pg_") {
        return Err(format!("\"{name}\" is a name of the warehouse's own: no schema can be made or dropped under it."));
    }
    Ok(())
}

fn title(name: &str) -> String {
    format!("Schema {}", ident(name))
}

/// The schema that is to be altered is gone.
fn not_there(database: &str) -> Error {
    Error::refused(
        "The schema is not there any more",
        format!(
            "Database {} has no schema with the number that was remembered: somebody dropped it, or the database is another one. \
             A schema is never moved to another database, as what is in it would be lost. Plan again; to make a new one in its \
             place, `terraform apply -replace=ADDRESS`.",
            ident(database)
        ),
    )
}

fn not_empty(found: &SchemaFound, said: Option<&Error>) -> Error {
    let held = match found.relations.is_empty() {
        true => String::new(),
        false => format!("It holds {}. ", first_of(&found.relations)),
    };
    let said = said.map_or_else(String::new, |error| format!("The warehouse says: {} ", error.detail()));
    Error::refused(
        format!("{} is not empty", title(&found.name)),
        format!(
            "{held}{said}Nothing was changed. Move or drop what is in it, or write force_destroy = true and apply that first: \
             then a destroy drops the schema with all that is in it, and with the views that hang on it."
        ),
    )
    .about("force_destroy")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_is_written_with_its_unit_and_kept_in_megabytes() {
        for (text, wanted, shown) in [
            ("50 GB", Quota::Megabytes(51_200), "50 GB"),
            ("51200MB", Quota::Megabytes(51_200), "50 GB"),
            ("1 tb", Quota::Megabytes(1_048_576), "1 TB"),
            ("1500 MB", Quota::Megabytes(1500), "1500 MB"),
            (" Unlimited ", Quota::Unlimited, "unlimited"),
            ("2047 TB", Quota::Megabytes(2_146_435_072), "2047 TB"),
        ] {
            let read = Quota::parse(text).expect(text);
            assert_eq!((read, read.to_string().as_str()), (wanted, shown), "{text}");
            assert_eq!(Quota::parse(shown), Ok(wanted));
        }
        for (text, words) in [
            ("50", "no unit"),
            ("50 PB", "no quota"),
            ("GB", "no quota"),
            ("", "no quota"),
            ("-1 GB", "no quota"),
            ("1.5 GB", "no quota"),
            ("0 MB", "from 1 MB"),
            ("2048 TB", "from 1 MB"),
            ("99999999999 GB", "from 1 MB"),
        ] {
            assert!(Quota::parse(text).is_err_and(|why| why.contains(words)), "{text}");
        }
    }

    #[test]
    fn only_what_differs_is_sent_and_the_owner_comes_last() {
        let found = SchemaFound {
            oid: 1,
            name: "sales".into(),
            owner: "ann".into(),
            quota: Some(Quota::Unlimited),
            relations: vec![],
            case_sensitive: false,
        };
        let wanted = |name: &str, owner: Option<&str>, quota| SchemaWanted {
            database: "dev".into(),
            name: name.into(),
            owner: owner.map(str::to_owned),
            quota,
        };
        let sent = |wanted: &SchemaWanted| -> Vec<String> {
            alter_steps(&found, wanted).iter().map(|step| step.sql.to_string()).collect()
        };
        assert_eq!(sent(&wanted("SALES", Some("ann"), Some(Quota::Unlimited))), [""; 0]);
        assert_eq!(sent(&wanted("sales", None, None)), [""; 0]);
        assert_eq!(
            sent(&wanted("mar\"ts", Some("o'x"), Some(Quota::Megabytes(5)))),
            [
                "ALTER SCHEMA \"sales\" RENAME TO \"mar\"\"ts\"",
                "ALTER SCHEMA \"mar\"\"ts\" QUOTA 5 MB",
                "ALTER SCHEMA \"mar\"\"ts\" OWNER TO \"o'x\"",
            ]
        );
        let made = |wanted: SchemaWanted| wanted.create()[0].sql.to_string();
        assert_eq!(made(wanted("s", None, Some(Quota::Unlimited))), "CREATE SCHEMA \"s\"");
        assert_eq!(
            made(wanted("s", Some("o"), Some(Quota::Megabytes(2048)))),
            "CREATE SCHEMA \"s\" AUTHORIZATION \"o\" QUOTA 2048 MB"
        );
    }
}
