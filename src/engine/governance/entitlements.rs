//! The view that says, in one row, what the caller is exempt from and which lists the own profile holds. It is bound to
//! its relations and functions, so that no reader's `search_path` has a say in it.
//!
//! An aggregate gives one row always: rows are not multiplied, and conditions are computed once for each query. Redshift
//! enforces no uniqueness, so none or two profiles make every flag 0.

use super::condition::{Concerns, ProfileWords, any_of};
use super::expression::List;
use super::rules::Rules;
use crate::engine::sql::{Quoted, Sql, bare, sql};

/// Which entitlements are meant.
#[derive(Debug, Clone)]
pub struct Entitlements<'r> {
    rules: &'r Rules<'r>,
    prefix: &'r str,
    registration: &'r str,
}

impl<'r> Entitlements<'r> {
    /// Of the integration with this prefix, for the views of this registration. Both are plain identifiers.
    pub fn new(rules: &'r Rules<'r>, prefix: &'r str, registration: &'r str) -> Self {
        Entitlements { rules, prefix, registration }
    }

    /// The view's name: of another shape it is another view, beside this one.
    pub fn name(&self) -> String {
        format!("entitlements_{}_{}", self.registration, self.rules.shape())
    }

    /// The view with its schema.
    pub fn relation(&self) -> Sql {
        sql!("{}.{}", self.system(), bare(&self.name()))
    }

    fn system(&self) -> Quoted {
        bare(&format!("{}_system", self.prefix))
    }

    /// The statement that makes the view, or puts another in its place.
    pub fn sql(&self) -> Sql {
        let words = ProfileWords { prefix: self.prefix };
        let (mut outer, mut inner) = (Vec::new(), Vec::new());
        outer.push(sql!("CASE WHEN q.n = 1 THEN 1 ELSE 0 END AS known"));
        inner.push(sql!("pg_catalog.count(*) AS n"));
        inner.push(sql!("pg_catalog.max({}) AS userid", words.userid()));
        for (index, concerns) in self.rules.flags().iter().enumerate() {
            let number = index + 1;
            let (exempt, blocks) = match concerns {
                Concerns::OnlyFor(blocks) => (sql!("1 - q.c{}", number), *blocks),
                Concerns::Unless(blocks) => (sql!("q.c{}", number), *blocks),
                Concerns::Everybody => continue,
            };
            outer.push(sql!("CASE WHEN q.n = 1 THEN {} ELSE 0 END AS e{}", exempt, number));
            inner.push(sql!("pg_catalog.max(CASE WHEN {} THEN 1 ELSE 0 END) AS c{}", any_of(blocks, &words), number));
        }
        for (index, list) in self.rules.lists.iter().enumerate() {
            let number = index + 1;
            outer.push(sql!("CASE WHEN q.n = 1 THEN q.a{0} END AS a{0}", number));
            inner.push(sql!("pg_catalog.max({}) AS a{}", list_sql(list, &words), number));
        }
        outer.push(sql!("CASE WHEN q.n = 1 THEN q.userid END AS userid"));
        outer.push(sql!("pg_catalog.chr(31) AS sep"));
        let key = if self.rules.hashes {
            outer.push(sql!("k.mask_key AS mask_key"));
            sql!("\nCROSS JOIN (SELECT pg_catalog.max(m.mask_key) AS mask_key FROM {}.mask_key m) k", self.system())
        } else {
            sql!("")
        };
        sql!(
            "CREATE OR REPLACE VIEW {} AS\nSELECT {}\nFROM (SELECT {}\n      FROM {}.user_profile u) q{}",
            self.relation(),
            Sql::join(",\n       ", outer),
            Sql::join(",\n             ", inner),
            self.system(),
            key
        )
    }
}

/// A list of the profile with a separator on both sides of each value.
fn list_sql(list: &List, words: &ProfileWords<'_>) -> Sql {
    match list {
        List::Groups => words.groups(),
        // Who chose two purposes with a separator between them has chosen none.
        List::Purposes => {
            let (chosen, separator) = (words.chosen_purpose(), sql!("pg_catalog.chr(31)"));
            sql!(
                "CASE WHEN {0} <> '' AND pg_catalog.strpos({0}, {2}) = 0 AND pg_catalog.strpos({1}, {2} || {0} || {2}) > 0 THEN {2} || {0} || {2} END",
                chosen,
                words.purposes(),
                separator
            )
        }
        List::Attribute(key) => words.attribute(key),
    }
}
