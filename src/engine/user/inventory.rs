//! What one user owns and holds in one database, and in the warehouse as a whole: what [`KINDS`] finds.

use crate::engine::catalog::acl::{Acl, Entry, Grantee};
use crate::engine::catalog::principals::Principals;
use crate::engine::catalog::snapshot::is_behind;
use crate::engine::error::Error;
use crate::engine::rights::Rights;
use crate::engine::session::{Row, Session};
use crate::engine::sql::{Sql, sql};
use crate::engine::user::chain::Given;
use crate::engine::user::holder::{Holder, is_user};
use crate::engine::user::kinds::{Asked, KINDS};
use crate::engine::user::routine::Routine;
use crate::engine::user::scoped::Scoped;

/// The user who is looked for.
#[derive(Clone, Copy, Debug)]
pub struct Who<'a> {
    pub name: &'a str,
    pub id: i64,
}

/// Everything about a user in one database that a DROP USER there would stumble over, or leave dangling elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    pub database: String,
    pub owns: Vec<Owned>,
    /// Objects of others on which he holds or gave something.
    pub objects: Vec<OnObject>,
    /// Default privileges of his own making.
    pub defaults_by: Vec<DefaultBy>,
    /// Default privileges of others that name him.
    pub defaults_to: Vec<DefaultTo>,
    pub columns: Vec<OnColumn>,
    pub scoped: Vec<Scoped>,
    /// What only a person can take away, in words.
    pub by_hand: Vec<String>,
}

/// An object that he owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owned {
    /// `database`, `schema`, `table`, `view`, `mview`, `function`, `procedure`, `definer` (a routine that runs with its
    /// owner's rights), `library`.
    pub kind: String,
    pub schema: String,
    /// Of a routine: with its argument types, as the server writes it.
    pub name: String,
    /// What a statement can name it by. None: it is no routine, or one with arguments of types that are not known.
    pub routine: Option<Routine>,
}

/// An object of somebody else's whose list of rights names the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnObject {
    /// `database`, `schema`, `relation`, `function`, `procedure`, `language`.
    pub kind: String,
    pub schema: String,
    pub name: String,
    pub routine: Option<Routine>,
    pub owner: String,
    /// The whole list: what he passed on may have been passed on again.
    pub given: Vec<Given>,
    /// The names in it as givers that are no user's.
    pub gone: Vec<String>,
}

impl OnObject {
    /// The entries that are his, as holder or as giver.
    pub fn of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Given> {
        self.given.iter().filter(move |one| concerns(one, name))
    }

    /// Whether an entry cannot be taken away by any statement: it names somebody who is gone.
    pub fn is_stuck(&self, one: &Given) -> bool {
        matches!(one.to, Holder::Gone(_)) || self.gone.contains(&one.by)
    }
}

/// A right on a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnColumn {
    pub schema: String,
    pub relation: String,
    pub column: String,
    pub privilege: String,
}

/// What a user holds outside of single databases.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outside {
    /// The warehouse's own databases.
    pub local: Vec<String>,
    /// ARN and command.
    pub iam: Vec<(String, String)>,
    /// Rights on other databases than the local ones.
    pub databases: Vec<OnDatabase>,
    /// Datashare and privilege.
    pub datashares: Vec<(String, String)>,
    pub owned_shares: Vec<String>,
    pub owned_roles: Vec<String>,
    pub roles: Vec<String>,
    pub groups: Vec<String>,
    /// What only a person can take away, in words.
    pub by_hand: Vec<String>,
}

/// A right on a database, or on all objects of a kind in it, in the warehouse's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnDatabase {
    pub database: String,
    pub privilege: String,
    /// Empty or `DATABASE`: of the database itself.
    pub scope: String,
}

impl OnDatabase {
    /// Whether it is a right on the objects in it.
    pub fn is_scoped(&self) -> bool {
        !matches!(self.scope.as_str(), "" | "DATABASE")
    }
}

/// Default privileges that he set for what he makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultBy {
    pub objects: Objects,
    /// Empty: in every schema.
    pub schema: String,
    /// To others. None: the row is empty, and blocks a drop all the same.
    pub to: Vec<Holder>,
}

/// Default privileges that give him rights on what somebody else makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultTo {
    pub objects: Objects,
    pub schema: String,
    /// A user, or somebody who is gone.
    pub owner: Holder,
    pub rights: Rights,
}

/// What default privileges are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Objects {
    Tables,
    Functions,
    Procedures,
}

impl Objects {
    /// The word in ALTER DEFAULT PRIVILEGES.
    pub fn sql(self) -> Sql {
        match self {
            Objects::Tables => sql!("TABLES"),
            Objects::Functions => sql!("FUNCTIONS"),
            Objects::Procedures => sql!("PROCEDURES"),
        }
    }

    /// `defaclobjtype`.
    fn of_letter(text: &str) -> Objects {
        match text.trim() {
            "f" => Objects::Functions,
            "p" => Objects::Procedures,
            _ => Objects::Tables,
        }
    }

    /// `object_type` of a view.
    pub fn of_word(word: &str) -> Objects {
        match word.trim() {
            "FUNCTION" | "FUNCTIONS" => Objects::Functions,
            "PROCEDURE" | "PROCEDURES" => Objects::Procedures,
            _ => Objects::Tables,
        }
    }
}

impl Inventory {
    /// Notes that default privileges of his give something to somebody.
    pub(super) fn defaults_by(&mut self, objects: Objects, schema: &str, to: Holder, name: &str) {
        let is_same = |row: &&mut DefaultBy| row.objects == objects && row.schema == schema;
        let place = match self.defaults_by.iter_mut().find(is_same) {
            Some(row) => row,
            None => {
                self.defaults_by.push(DefaultBy { objects, schema: schema.to_owned(), to: Vec::new() });
                let last = self.defaults_by.len() - 1;
                &mut self.defaults_by[last]
            }
        };
        if to != Holder::User(name.to_owned()) && !place.to.contains(&to) {
            place.to.push(to);
        }
    }

    /// Leaves out what every database lists: the databases themselves.
    pub(super) fn without_databases(mut self) -> Inventory {
        self.owns.retain(|owned| owned.kind != "database");
        self.objects.retain(|object| object.kind != "database");
        self
    }
}

/// Looks at one database.
pub async fn look(session: &mut Session, who: Who<'_>, principals: &Principals) -> Result<Inventory, Error> {
    let rows = session.query(&query(&who)).await?;
    let mut inventory = read(&session.facts().database, who.name, principals, &rows)?;
    for kind in KINDS {
        let (sql, take, may_lack) = match kind.asked {
            Asked::View(sql, take) => (sql, take, false),
            Asked::ViewIfAny(sql, take) => (sql, take, true),
            Asked::Leader(_) | Asked::Once(..) | Asked::ByTrial => continue,
        };
        let rows = if may_lack { if_any(session, &sql(&who)).await? } else { session.query(&sql(&who)).await? };
        for row in &rows {
            take(&mut inventory, row, &who)?;
        }
    }
    inventory.scoped.sort();
    inventory.scoped.dedup();
    Ok(inventory)
}

/// Looks at what all databases share.
pub async fn look_outside(session: &mut Session, who: Who<'_>, local: &[String]) -> Result<Outside, Error> {
    let mut outside = Outside { local: local.to_vec(), ..Outside::default() };
    for kind in KINDS {
        let Asked::Once(sql, take) = kind.asked else { continue };
        for row in &if_any(session, &sql(&who)).await? {
            take(&mut outside, row, &who)?;
        }
    }
    Ok(outside)
}

/// A view that not every login may read, nor every release has: what it does not show is not looked at.
async fn if_any(session: &mut Session, sql: &Sql) -> Result<Vec<Row>, Error> {
    match session.query(sql).await {
        Err(error) if matches!(error.sqlstate(), Some("42501" | "42P01")) => Ok(Vec::new()),
        other => other,
    }
}

/// One query over the leader's catalogues.
pub fn query(who: &Who<'_>) -> Sql {
    let branches = KINDS.iter().filter_map(|kind| match kind.asked {
        Asked::Leader(branches) => Some(branches(who)),
        _ => None,
    });
    Sql::join(" UNION ALL ", branches.flatten())
}

fn read(database: &str, name: &str, principals: &Principals, rows: &[Row]) -> Result<Inventory, Error> {
    let mut inventory = Inventory { database: database.to_owned(), ..Inventory::default() };
    for row in rows {
        let (kind, schema, object) = (row.text(1)?.trim_end(), row.text(2)?, row.text(3)?);
        let acl = || {
            Acl::parse(row.get(4).unwrap_or(""))
                .map_err(|error| Error::refused("Unexpected answer from the warehouse", error.to_string()))
        };
        let routine = row.get(5).and_then(|name| Routine::parse(schema, name, object));
        match row.text(0)?.trim_end() {
            "owns" => {
                inventory.owns.push(Owned { kind: kind.into(), schema: schema.into(), name: object.into(), routine });
            }
            "default by" => {
                let objects = Objects::of_letter(kind);
                // An empty row counts too.
                inventory.defaults_by(objects, schema, Holder::User(name.to_owned()), name);
                for entry in acl()?.0.iter().filter(|entry| !entry.rights.is_empty()) {
                    inventory.defaults_by(objects, schema, Holder::of(&entry.grantee, principals), name);
                }
            }
            "default to" => {
                let rights = acl()?.of(&Grantee::User(name.to_owned()));
                // His own rows come as "default by".
                if !rights.is_empty() && object != name {
                    let objects = Objects::of_letter(kind);
                    let owner = Holder::of(&Grantee::User(object.to_owned()), principals);
                    inventory.defaults_to.push(DefaultTo { objects, schema: schema.into(), owner, rights });
                }
            }
            _ => {
                let owner = row.get(6).unwrap_or_default();
                let given: Vec<Given> = acl()?.0.into_iter().map(|entry| as_given(entry, owner, principals)).collect();
                if given.iter().any(|one| concerns(one, name)) {
                    let is_gone = |by: &&String| !is_user(by, principals);
                    inventory.objects.push(OnObject {
                        kind: kind.into(),
                        schema: schema.into(),
                        name: object.into(),
                        routine,
                        owner: owner.to_owned(),
                        gone: given.iter().map(|one| &one.by).filter(is_gone).cloned().collect(),
                        given,
                    });
                }
            }
        }
    }
    // What he has on his own objects goes with them; backing tables go with their view.
    inventory.objects.retain(|object| object.owner != name);
    let behind = |owned: &Owned, other: &Owned| other.schema == owned.schema && is_behind(&other.name, &owned.name);
    let tables: Vec<Owned> = inventory.owns.iter().filter(|owned| owned.kind == "table").cloned().collect();
    for owned in inventory.owns.iter_mut().filter(|owned| owned.kind == "view") {
        if tables.iter().any(|table| behind(owned, table)) {
            owned.kind = "mview".to_owned();
        }
    }
    inventory.owns.retain(|owned| !owned.name.starts_with("mv_tbl__"));
    Ok(inventory)
}

fn as_given(entry: Entry, owner: &str, principals: &Principals) -> Given {
    Given {
        by: entry.grantor.unwrap_or_else(|| owner.to_owned()),
        to: Holder::of(&entry.grantee, principals),
        rights: entry.rights,
        options: entry.grant_options,
    }
}

fn concerns(one: &Given, name: &str) -> bool {
    one.by == name || matches!(&one.to, Holder::User(user) if user == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::catalog::principals::{Group, User};

    fn principals() -> Principals {
        let names = ["bob", "eve", "ann", "bobby", "o"];
        let user = |(id, name): (i64, &str)| {
            (id, User { name: name.into(), id, superuser: false, createdb: false, valid_until: None })
        };
        let groups = vec![Group { name: "g".into(), id: 9, members: Vec::new() }];
        Principals { users: (100..).zip(names).map(user).collect(), groups }
    }

    #[test]
    fn one_query_asks_the_leader_for_all_of_it() {
        let sql = query(&Who { name: "bob", id: 101 }).to_string();
        assert_eq!(sql.matches("= 101").count(), 5);
        assert_eq!(sql.matches("UNION ALL").count(), 10);
    }

    #[test]
    fn rows_become_an_inventory() {
        let row = |cells: [&str; 5], owner: &str| {
            let cells: Vec<String> = cells.into_iter().chain(["f", owner]).map(str::to_owned).collect();
            Row::new(cells.iter().map(|cell| Some(cell.as_str())))
        };
        let rows = [
            row(["owns", "table", "s", "t", ""], ""),
            row(["owns", "table", "s", "mv_tbl__m__0", ""], ""),
            row(["owns", "function", "s", "s.f(integer)", ""], ""),
            row(["acl", "relation", "s", "t", "bob=arwd/bob\teve=r/bob"], "bob"),
            row(["acl", "relation", "s", "other", "bobby=r/o\tbob=r*/o\teve=r/bob\tann=r/o\t155=r/bob"], "o"),
            row(["acl", "schema", "", "s", "\"bob\"=U/\"unknown (UID=9)\""], "o"),
            row(["acl", "schema", "", "looks_like_bob", "bobby=U/o"], "o"),
            row(["default by", "r", "s", "", "eve=r/bob\tbob=r/bob\tgroup g=r/bob"], ""),
            row(["default by", "f", "", "", ""], ""),
            row(["default to", "r", "s", "o", "bob=r/o"], ""),
            row(["default to", "r", "s", "bob", "bob=r/bob"], ""),
            row(["default to", "r", "s", "unknown (UID=9)", "bob=r/9"], ""),
            row(["default to", "r", "s", "o", "bobby=r/o"], ""),
        ];
        let found = read("dev", "bob", &principals(), &rows).expect("reads");
        let owned: Vec<&str> = found.owns.iter().map(|owned| owned.name.as_str()).collect();
        assert_eq!(owned, ["t", "s.f(integer)"]);
        let words = |object: &OnObject| {
            let of = |one: &Given| format!("{} {} {} by {}", object.name, one.rights, one.to.words(), one.by);
            object.of("bob").map(|one| (of(one), object.is_stuck(one))).collect::<Vec<_>>()
        };
        let objects: Vec<(String, bool)> = found.objects.iter().flat_map(words).collect();
        assert_eq!(
            objects,
            [
                ("other SELECT user bob by o".to_owned(), false),
                ("other SELECT user eve by bob".to_owned(), false),
                ("other SELECT a user who no longer exists (155) by bob".to_owned(), true),
                ("s USAGE user bob by unknown (UID=9)".to_owned(), true),
            ]
        );
        assert_eq!(found.defaults_by[0].to, [Holder::User("eve".into()), Holder::Group("g".into())]);
        assert_eq!((found.defaults_by[1].objects, found.defaults_by[1].to.len()), (Objects::Functions, 0));
        let owners: Vec<&Holder> = found.defaults_to.iter().map(|row| &row.owner).collect();
        assert_eq!(owners, [&Holder::User("o".into()), &Holder::Gone("unknown (UID=9)".into())]);
        assert!(read("dev", "bob", &principals(), &[row(["acl", "schema", "", "s", "bob"], "o")]).is_err());
    }

    #[test]
    fn what_views_say_of_default_privileges_joins_what_the_catalogue_says() {
        let mut found = Inventory::default();
        let role = Holder::Role("r".into());
        for _ in 0..2 {
            found.defaults_by(Objects::of_word("RELATION"), "s", role.clone(), "bob");
        }
        found.defaults_by(Objects::Tables, "s", Holder::User("bob".into()), "bob");
        assert_eq!(found.defaults_by, [DefaultBy { objects: Objects::Tables, schema: "s".into(), to: vec![role] }]);
    }
}
