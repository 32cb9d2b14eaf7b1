//! The views and who may read them: made, put in the place of the old ones, made anew, dropped.

use std::collections::{BTreeMap, BTreeSet};

use super::super::by_hand;
use super::super::found::{Detail, Inside};
use super::super::kept::KeptView;
use super::super::wanted::{DesiredView, Reader};
use super::{Change, Finder, Stage, TOGETHER};
use crate::engine::catalog::acl::Grantee;
use crate::engine::catalog::snapshot::{Relation, RelationKind};
use crate::engine::error::shown;
use crate::engine::rights::{Privilege, Rights};
use crate::engine::sql::{Sql, sql};

/// What is to be done about a view.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Making {
    Nothing,
    Make,
    /// Another text for the same columns, which takes the place of the old one at once.
    Replace,
    /// Other columns: it is dropped and made in one transaction.
    MakeAnew,
}

impl Finder<'_> {
    pub(super) fn entitlements(&mut self) {
        let Some(wanted) = &self.desired.entitlements else { return };
        let system = self.wanted.uri.system();
        let kept = self.kept.entitlements.as_ref().filter(|kept| kept.name == wanted.name);
        let seen = self.inside().text(&system, &wanted.name);
        let is_made = seen.is_some() && kept.is_some_and(|kept| kept.seen == seen);
        let is_same = kept.is_some_and(|kept| kept.text == wanted.text || kept.of == wanted.of);
        let by_hand = self.wanted.uri.by_hand.then(|| self.inside().whole_text(&system, &wanted.name)).flatten();
        // What is as the last apply saw it was made for that one.
        let is_new = kept.is_none_or(|kept| kept.seen.is_none() || !is_same && kept.seen != seen);
        let is_by_hand = is_new && by_hand.is_some_and(|text| by_hand::says_the_same(text, &wanted.sql));
        if is_made && is_same || is_by_hand {
            return;
        }
        let what = format!("view {system}.{}", wanted.name);
        let what = if is_made || seen.is_none() { what } else { format!("{what}, as it was made") };
        let statements = vec![wanted.sql.clone()];
        self.push(Stage::Inside, what, statements);
    }

    fn making(&self, table: &str, view: &DesiredView) -> Making {
        let Some(made_by) = &view.made_by else { return Making::Nothing };
        if self.relation(&view.name).is_none() {
            return Making::Make;
        }
        let by_hand = self.wanted.uri.by_hand.then(|| self.inside().whole_text(self.schema(), &view.name)).flatten();
        if by_hand.is_some_and(|text| by_hand::is_as_written(text, &made_by.sql)) {
            return Making::Nothing;
        }
        let Some(kept) = self.kept.views.get(table).filter(|kept| self.is_same(&kept.name, &view.name)) else {
            return Making::MakeAnew;
        };
        let seen = self.inside().text(self.schema(), &view.name);
        if kept.seen != seen {
            return Making::MakeAnew;
        }
        match kept.text == made_by.text || kept.of == view.of {
            true => Making::Nothing,
            false if kept.form == view.form => Making::Replace,
            false => Making::MakeAnew,
        }
    }

    /// The copies of external tables. One that is there is of these columns, as its name says, and stays as it is: what is
    /// in it is refreshed by others.
    pub(super) fn copies(&mut self) {
        let there: BTreeSet<&str> =
            self.inside().copies(&self.wanted.name).into_iter().map(|copy| copy.name.as_str()).collect();
        let lacking = |(table, view): (&String, &DesiredView)| {
            let copy = view.copy.as_ref().filter(|copy| !there.contains(copy.name.as_str()))?;
            Some((format!("{}, of {}", self.copy_words(&copy.name), shown(table)), copy.sql.clone()))
        };
        let lacking: Vec<(String, Sql)> = self.desired.views.iter().filter_map(lacking).collect();
        for (what, make) in lacking {
            self.push(Stage::Copies, what, vec![make]);
        }
    }

    fn copy_words(&self, copy: &str) -> String {
        format!("materialized view {}", self.wanted.uri.relation(copy))
    }

    pub(super) fn views(&mut self) {
        let mut made = Vec::new();
        for (table, view) in &self.desired.views {
            let making = self.making(table, view);
            let Some(made_by) = view.made_by.as_ref().filter(|_| making != Making::Nothing) else { continue };
            let mut statements = vec![made_by.sql.clone()];
            if making == Making::MakeAnew {
                statements.insert(0, self.drop_view(&view.name));
            }
            let kept = self.kept.views.get(table);
            let what = self.view_in_words(table, view, kept, making);
            made.push((what, statements, sql!("EXPLAIN SELECT * FROM {}", self.view_name(&view.name))));
        }
        // The names, the types and the owner's rights in a text that binds late are looked at here, and not by the first
        // reader.
        let looks = made.iter().map(|(_, _, look)| look.clone()).collect();
        for (what, statements, _) in made {
            self.push(Stage::Inside, what, statements);
        }
        let look = Change { what: Vec::new(), excess: false, stage: Stage::Inside, statements: looks };
        self.way.changes.extend((!look.statements.is_empty()).then_some(look));
    }

    fn drop_view(&self, view: &str) -> Sql {
        let cascade = if self.wanted.force { sql!(" CASCADE") } else { sql!("") };
        sql!("DROP VIEW {}{}", self.view_name(view), cascade)
    }

    fn view_in_words(&self, table: &str, view: &DesiredView, kept: Option<&KeptView>, making: Making) -> String {
        let words = self.view_words(&view.name);
        let Some(kept) = kept.filter(|_| making != Making::Make) else { return words };
        let before: BTreeMap<&str, &str> = kept.columns.iter().map(|(name, ty)| (name.as_str(), ty.as_str())).collect();
        let after: BTreeMap<&str, &str> = view.columns.iter().map(|(name, ty)| (name.as_str(), ty.as_str())).collect();
        let how = |name: &str| if view.masked.contains(name) { "masked" } else { "in clear" };
        let mut differences = Vec::new();
        for (name, ty) in &after {
            match before.get(name) {
                None => differences.push(format!("{}.{}, new, {}", shown(table), shown(name), how(name))),
                Some(old) if old != ty => {
                    differences.push(format!("{}.{}, {ty} and no longer {old}", shown(table), shown(name)))
                }
                Some(_) => {}
            }
        }
        let gone = before.keys().filter(|name| !after.contains_key(*name));
        differences.extend(gone.map(|name| format!("{}.{}, gone", shown(table), shown(name))));
        if differences.is_empty() {
            format!("{words}, as it was made")
        } else {
            format!("{words}: {}", differences.join("; "))
        }
    }

    /// Who may read each view, and nobody else.
    pub(super) fn readers(&mut self) {
        let readers = self.wanted.offer.readers.clone();
        for reader in &readers {
            let lacks = |(table, view): &(&String, &DesiredView)| {
                let is_new = matches!(self.making(table, view), Making::Make | Making::MakeAnew);
                is_new || !self.on_view(reader, &view.name).has(Privilege::Select)
            };
            let lacking: Vec<String> =
                self.desired.views.iter().filter(lacks).map(|(_, view)| view.name.clone()).collect();
            for some in lacking.chunks(TOGETHER) {
                let names = Sql::join(", ", some.iter().map(|view| self.view_name(view)));
                // Of a view that is made now, that goes without saying.
                let was_taken = |view: &&String| {
                    self.relation(view).is_some() && !self.on_view(reader, view).has(Privilege::Select)
                };
                let what = some.iter().filter(was_taken);
                let what = what.map(|view| format!("SELECT on {}.{} for {reader}", shown(self.schema()), shown(view)));
                self.way.changes.push(Change {
                    what: what.collect(),
                    excess: false,
                    stage: Stage::Inside,
                    statements: vec![sql!("GRANT SELECT ON TABLE {} TO {}", names, reader.sql())],
                });
            }
        }
        let mut extra = Vec::new();
        for (table, view) in &self.desired.views {
            // With the view that is dropped, it goes by itself.
            let goes = self.making(table, view) == Making::MakeAnew;
            for (reader, rights) in self.holders(&view.name) {
                if !readers.contains(&reader) {
                    let words = format!("{rights} on {}.{} for {reader}", shown(self.schema()), shown(&view.name));
                    let revoke =
                        sql!("REVOKE {} ON TABLE {} FROM {}", rights, self.view_name(&view.name), reader.sql());
                    extra.push((words, (!goes).then_some(revoke)));
                }
            }
        }
        // A copy is nobody's but its owner's.
        for copy in self.inside().copies(&self.wanted.name) {
            let relation = self.wanted.uri.relation(&copy.name);
            for (reader, rights) in self.holders_of(copy, &self.roles_on(&self.wanted.uri.system(), &copy.name)) {
                let revoke = sql!("REVOKE {} ON TABLE {} FROM {}", rights, relation, reader.sql());
                extra.push((format!("{rights} on {relation} for {reader}"), Some(revoke)));
            }
        }
        for (words, revoke) in extra {
            let statements = revoke.into_iter().collect();
            self.way.changes.push(Change { what: vec![words], excess: true, stage: Stage::Inside, statements });
        }
    }

    fn on_view(&self, reader: &Reader, view: &str) -> Rights {
        self.holders(view).into_iter().find(|(holder, _)| holder == reader).map_or(Rights::NONE, |(_, rights)| rights)
    }

    /// Who but its owner holds rights on a view. A role's rights stand in no list of the view's.
    fn holders(&self, view: &str) -> Vec<(Reader, Rights)> {
        let Some(relation) = self.relation(view) else { return Vec::new() };
        let roles = self.of_roles.get(relation.name.as_str()).map(Vec::as_slice).unwrap_or_default();
        self.holders_of(relation, roles)
    }

    /// What roles hold on a relation that is not in the schema of the views.
    fn roles_on(&self, schema: &str, name: &str) -> Vec<(&str, Rights)> {
        let key = (schema.to_owned(), name.to_owned());
        let held = self.inside().role_rights.all().into_iter();
        held.filter_map(|held| Some((held.role.as_str(), *held.relations.get(&key)?))).collect()
    }

    fn holders_of(&self, relation: &Relation, roles: &[(&str, Rights)]) -> Vec<(Reader, Rights)> {
        let owner = self.found.source.principals.name_of(relation.owner);
        let mut holders: BTreeMap<Reader, Rights> = BTreeMap::new();
        for entry in relation.acl.iter().flat_map(|acl| &acl.0) {
            let reader = match &entry.grantee {
                Grantee::Public => Reader::Public,
                Grantee::User(name) if *name == owner => continue,
                Grantee::User(name) => Reader::User(name.clone()),
                Grantee::Group(name) => Reader::Group(name.clone()),
            };
            if !entry.rights.is_empty() && self.is_somebody(&reader) {
                let held = holders.entry(reader).or_default();
                *held = held.and(entry.rights);
            }
        }
        for (role, rights) in roles {
            if !rights.is_empty() {
                holders.insert(Reader::Role((*role).to_owned()), *rights);
            }
        }
        holders.into_iter().collect()
    }

    /// An entry that only keeps the number of somebody who is gone gives nothing to anybody.
    fn is_somebody(&self, reader: &Reader) -> bool {
        let principals = &self.found.source.principals;
        match reader {
            Reader::User(name) => principals.user(name).is_some(),
            Reader::Group(name) => principals.group(name, true).is_some(),
            Reader::Public | Reader::Role(_) => true,
        }
    }

    /// Views of tables that are not offered any more, and entitlements of another form.
    pub(super) fn gone(&mut self) {
        let still = |name: &str| self.desired.views.values().any(|view| self.is_same(&view.name, name));
        let of_others = |name: &str| {
            let in_schema = |detail: &Detail| self.is_same(&detail.offer.view_schema, self.schema());
            let has = |detail: &Detail| detail.views.iter().any(|view| self.is_same(view, name));
            self.others.iter().any(|(_, detail)| in_schema(detail) && has(detail))
        };
        let going = self.made_before().into_iter().filter(|name| !still(name) && !of_others(name));
        let going = going.filter_map(|name| self.relation(&name).filter(|it| self.is_ours(it)));
        let going: BTreeSet<&str> = going.map(|relation| relation.name.as_str()).collect();
        let mut drops: Vec<(String, Sql)> =
            going.into_iter().map(|name| (self.view_words(name), self.drop_view(name))).collect();
        let still_read: BTreeSet<&str> =
            self.desired.views.values().filter_map(|view| Some(view.copy.as_ref()?.name.as_str())).collect();
        let cascade = if self.wanted.force { sql!(" CASCADE") } else { sql!("") };
        let copies = self.inside().copies(&self.wanted.name).into_iter().map(|copy| copy.name.as_str());
        let copies = copies.filter(|copy| !still_read.contains(copy)).map(|copy| {
            let drop = sql!("DROP MATERIALIZED VIEW {}{}", self.wanted.uri.relation(copy), cascade);
            (self.copy_words(copy), drop)
        });
        drops.extend(copies);
        let wanted = self.desired.entitlements.as_ref().map(|entitlements| entitlements.name.clone());
        let old = entitlements(self.inside(), &self.wanted.uri.system(), &self.wanted.name);
        let old: Vec<String> = old.into_iter().filter(|name| Some(name) != wanted.as_ref()).collect();
        for (words, drop) in drops {
            self.too_much(Stage::Inside, words, drop);
        }
        for name in old {
            let view = self.wanted.uri.relation(&name);
            self.too_much(Stage::Inside, format!("view {view}"), sql!("DROP VIEW {}", view));
        }
    }
}

/// The entitlements of a registration that are there, whatever their form, by name.
fn entitlements(inside: &Inside, system: &str, registration: &str) -> Vec<String> {
    let before = format!("entitlements_{registration}_");
    let is_form = |rest: &str| rest.len() == 8 && rest.bytes().all(|byte| byte.is_ascii_hexdigit());
    let relations = inside.schema(system).into_iter().flat_map(|schema| &schema.relations);
    let ours = relations.filter(|it| it.kind == RelationKind::View && it.owner == inside.seat.owner);
    ours.filter(|it| it.name.strip_prefix(&before).is_some_and(is_form)).map(|it| it.name.clone()).collect()
}
