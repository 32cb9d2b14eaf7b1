//! The tests that an integration has to pass before anything is made, by the documents' names.

use super::found::{Found, World};
use super::made::Made;
use super::marker::Seen;
use super::nodes::Nodes;
use super::spec::{ActorKind, Spec};
use crate::engine::catalog::roles::SystemRights;
use crate::engine::catalog::snapshot::Login;
use crate::engine::session::Facts;
use crate::engine::session::validation::{CONNECTION, Status, TestResult, passed_with, skipped};
use crate::engine::sql::ident;

/// What the tests look at.
pub(super) struct Seat<'a> {
    pub(super) spec: &'a Spec,
    pub(super) found: &'a Found,
    pub(super) facts: &'a Facts,
    pub(super) system_rights: &'a SystemRights,
    /// What an interrupted run of ours made, if there was one.
    pub(super) leftover: Option<&'a Made>,
    /// What the integration is made of that is edited; none: it is being made.
    pub(super) edited: Option<&'a Made>,
    pub(super) nodes: &'a Nodes,
    /// How a database that is there already compares text; none: not asked, or not told.
    pub(super) collation: Option<String>,
}

/// All tests, in order.
pub(super) fn tests(seat: &Seat<'_>) -> Vec<TestResult> {
    let mut tests = vec![passed_with(CONNECTION, serde_json::json!([null]))];
    tests.push(seat.database());
    tests.push(seat.user());
    tests.push(seat.actors());
    tests.extend(seat.marker_owner());
    tests.extend(seat.external());
    tests.extend(seat.collation());
    tests.extend(seat.rights());
    tests.push(seat.nodes.test());
    tests.push(seat.case());
    tests
}

fn failed(name: String, message: String) -> TestResult {
    TestResult { name: name.into(), status: Status::Failed, message: Some(message), result: None }
}

fn warning(name: String, message: &str) -> TestResult {
    TestResult { name: name.into(), status: Status::Warning, message: Some(message.to_owned()), result: None }
}

/// A prefix as the documents' test names have it.
fn title(prefix: &str) -> String {
    let mut letters = prefix.chars();
    letters.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
}

impl Seat<'_> {
    /// What was made before, by the integration itself or by an interrupted run of it.
    fn made(&self) -> Option<&Made> {
        self.edited.or(self.leftover)
    }

    fn world(&self) -> &World {
        &self.found.world
    }

    fn database(&self) -> TestResult {
        let name = format!("Validate Automatic Bootstrap: {} Database Does Not Exist", title(&self.spec.prefix));
        let database = &self.spec.database;
        let there = self.found.database.is_some();
        let [_, functions, procedures, lock] = self.spec.all_schemas();
        let inside = self.found.inside.as_ref();
        let foreign: Vec<String> = [functions, procedures, lock]
            .into_iter()
            .filter(|schema| self.made().is_none() && inside.is_some_and(|inside| inside.schema(schema).is_some()))
            .map(|schema| format!("schema {schema}"))
            .collect();
        if !self.spec.create_database {
            if !foreign.is_empty() {
                let message = format!(
                    "Database {database} has this already, and it is not this integration's: {}. Choose another prefix.",
                    foreign.join(", ")
                );
                return failed(name, message);
            }
            return match (there, self.found.inside.as_ref().map(|inside| &inside.marker)) {
                (false, _) => {
                    failed(name, format!("Database {database} does not exist. Make it, or set create_database = true."))
                }
                (true, Some(Seen::Absent)) => passed_with(name, serde_json::json!([])),
                _ if self.made().is_some() => passed_with(name, serde_json::json!([])),
                _ => failed(name, self.taken()),
            };
        }
        let Some(inside) = &self.found.inside else { return passed_with(name, serde_json::json!([])) };
        let owner = self.found.database.as_ref().map(|database| database.owner);
        if let Some(owner) = owner.filter(|owner| self.made().is_none() && !self.found.trusts(*owner)) {
            let owner = self.world().principals.name_of(owner);
            return failed(
                name,
                format!(
                    "Database {database} exists already and belongs to user {owner}, who could drop it or put something into it at any time. Choose another name, or let a superuser drop it, or give it to the login first (ALTER DATABASE {database} OWNER TO ...)."
                ),
            );
        }
        if self.made().is_some() {
            return passed_with(name, serde_json::json!([]));
        }
        let mut others: Vec<String> = inside.others(self.spec).iter().map(ToString::to_string).collect();
        others.extend(foreign);
        if inside.marker == Seen::Foreign {
            others.push(format!("schema {} without this provider's marker", self.spec.system()));
        }
        match others.is_empty() && inside.marker == Seen::Absent {
            true => warning(
                name,
                &format!(
                    "Database {database} is there already and empty. It is the integration's from now on: closed to PUBLIC, and dropped by a destroy."
                ),
            ),
            false if inside.marker == Seen::Unseen => failed(name, self.taken()),
            false => failed(
                name,
                format!(
                    "database = \"{database}\" names a database that is there already and not empty: {}. An integration makes a database of its own: choose another name, such as database = \"{database}_governed\", or drop what is in it. To work on an existing database, write type = \"RedshiftSpectrum\", which leaves what is in it alone.",
                    super::few(&others)
                ),
            ),
        }
    }

    fn taken(&self) -> String {
        format!(
            "Database {} has a schema {} that is not this integration's: it may belong to a governance tool. Choose another prefix.",
            self.spec.database,
            self.spec.system()
        )
    }

    fn user(&self) -> TestResult {
        let name = format!("Validate Automatic Bootstrap: {} System User Does Not Exist", title(&self.spec.prefix));
        match self.world().principals.user(&self.spec.system_user) {
            Some(_) if self.made().is_none() => failed(
                name,
                format!(
                    "User {} exists already. Choose another name in system_user, or drop the user.",
                    self.spec.system_user
                ),
            ),
            _ => passed_with(name, serde_json::json!([])),
        }
    }

    fn actors(&self) -> TestResult {
        let name = "Validate Automatic: Impersonation Role Does Not Exist";
        let Some(actors) = &self.spec.impersonation else { return skipped(name, "Impersonation is off.") };
        let there = self.world().has_actors(actors);
        let ours = match self.edited {
            Some(made) => made.actors.as_ref() == Some(actors),
            None => self.leftover.is_some(),
        };
        if there && !ours {
            let what = actors.to_string();
            let message =
                format!("The {what} exists already. Choose another name in impersonation, or drop the {what}.");
            return failed(name.to_owned(), message);
        }
        passed_with(name, serde_json::json!([]))
    }

    /// The marker can only be given to somebody who is there.
    fn marker_owner(&self) -> Option<TestResult> {
        let owner = self.spec.marker_owner.as_ref()?;
        let name = "Marker Owner Exists".to_owned();
        Some(match self.world().principals.user(owner) {
            Some(_) => passed_with(name, serde_json::json!([])),
            None => failed(
                name,
                format!(
                    "User {} does not exist. Make it first, or leave marker_owner out: the marker then stays with the login.",
                    ident(owner)
                ),
            ),
        })
    }

    /// What somebody else made is not taken over: a removal would drop it.
    fn external(&self) -> Option<TestResult> {
        let wanted = self.spec.external_schemas.keys();
        let known = |name: &&String| self.made().is_some_and(|made| made.external_schemas.contains_key(*name));
        let taken: Vec<String> = wanted
            .filter(|name| !known(name))
            .filter(|name| self.found.inside.as_ref().is_some_and(|inside| inside.has_schema(name)))
            .cloned()
            .collect();
        let name = "External Schemas Do Not Exist".to_owned();
        (!self.spec.external_schemas.is_empty()).then(|| match taken.is_empty() {
            true => passed_with(name, serde_json::json!([])),
            false => failed(
                name,
                format!(
                    "Database {} has schemas of these names already: {}. They are somebody else's: leave them out of external_schemas, or drop them first.",
                    self.spec.database,
                    super::few(&taken)
                ),
            ),
        })
    }

    /// The view compares names of users: with case folded, they would see each other's rows.
    fn collation(&self) -> Option<TestResult> {
        let collation = self.collation.as_ref()?;
        let name = "Case-Sensitive Data".to_owned();
        Some(match collation.eq_ignore_ascii_case("case_insensitive") {
            false => passed_with(name, collation.clone()),
            true => failed(
                name,
                format!(
                    "Database {} compares text without regard to case (db_collation() is {collation}), so users whose names differ in case alone would see each other's rows. Use a database that was made with COLLATE CASE_SENSITIVE.",
                    self.spec.database
                ),
            ),
        })
    }

    fn rights(&self) -> Vec<TestResult> {
        const GRANTS: &str = "Validate Automatic Bootstrap User Grants";
        let login = Login {
            name: self.facts.user.clone(),
            superuser: self.facts.superuser,
            case_sensitive: self.facts.case_sensitive,
        };
        let user = ident(&self.facts.user);
        if self.facts.superuser {
            return vec![passed_with(format!("{GRANTS}: superuser"), format!("[{user}]"))];
        }
        let roles = &self.world().roles;
        let stays_owner = warning(
            "Owner of the managed objects".to_owned(),
            "The login is no superuser: it stays the owner of the database and of all that is made, the system user is given all rights, and PUBLIC may go on creating in schema public. The login must be kept for as long as the integration.",
        );
        if roles.has_all_permissions(&login) {
            return vec![passed_with(format!("{GRANTS}: sys:superuser"), format!("[{user}]")), stays_owner];
        }
        // What the roles of a session carry is not shown: then the warehouse says it.
        let lacks = |name: String, text: String| match roles.of_session.is_empty() {
            true => failed(name, text),
            false => warning(name, &format!("{text} A role of this session may carry it: then nothing is to be done.")),
        };
        let mut tests = Vec::new();
        if self.spec.create_database && self.made().is_none() {
            let name = format!("{GRANTS}: CREATE DATABASE");
            tests.push(match self.facts.createdb {
                true => passed_with(name, serde_json::json!([])),
                false => lacks(
                    name,
                    format!("User {user} may not create databases. A superuser must run: ALTER USER {user} CREATEDB;"),
                ),
            });
        } else if !self.spec.create_database {
            let name = format!("{GRANTS}: owner of the database");
            let owns = self.found.database.as_ref().is_some_and(|database| database.owner == self.facts.user_id);
            tests.push(match owns {
                true => passed_with(name, serde_json::json!([])),
                false => lacks(
                    name,
                    format!(
                        "User {user} does not own database {0}, so it cannot grant rights on it. A superuser must run: ALTER DATABASE {0} OWNER TO {user};",
                        self.spec.database
                    ),
                ),
            });
        }
        let mut permissions = vec!["CREATE USER", "DROP USER", "ALTER USER"];
        let by_role = self.spec.impersonation.as_ref().is_some_and(|actors| actors.kind == ActorKind::Role);
        permissions.extend(by_role.then_some("CREATE ROLE"));
        for permission in permissions {
            let name = format!("{GRANTS}: {permission}");
            tests.push(match roles.may(&login, self.system_rights, permission) {
                true => passed_with(name, serde_json::json!([])),
                false => lacks(
                    name,
                    format!(
                        "User {user} lacks the system permission {permission}. A superuser must run: CREATE ROLE installers; GRANT {permission} TO ROLE installers; GRANT ROLE installers TO {user};"
                    ),
                ),
            });
        }
        if self.spec.impersonation.as_ref().is_some_and(|actors| actors.kind == ActorKind::Group) {
            tests.push(lacks(
                format!("{GRANTS}: CREATE GROUP"),
                format!("Only superusers make groups, and {user} is none. Set type = \"role\" in impersonation, or sign in as a superuser."),
            ));
        }
        if let Some(owner) = &self.spec.marker_owner
            && *owner != self.facts.user
        {
            tests.push(lacks(
                format!("{GRANTS}: marker owner"),
                format!("Only a superuser can give the marker to {}, and {user} is none.", ident(owner)),
            ));
        }
        tests.push(stays_owner);
        tests
    }

    fn case(&self) -> TestResult {
        let name = "Case-Sensitive Identifiers";
        match self.facts.case_sensitive {
            false => passed_with(name, "off".to_owned()),
            true => warning(
                name.to_owned(),
                "enable_case_sensitive_identifier is on in this session. The managed names are all lower case; the governance tool must write them so.",
            ),
        }
    }
}
