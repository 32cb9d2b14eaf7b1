//! What a change of who may read, or of the barrier, shows and hides, in words. What one of rules does is told by
//! [`crate::engine::governance::effects`].

use super::wanted::{Offer, Reader};
use crate::engine::error::shown;

/// What more is seen, and what less.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// Lines that begin with `shows more`.
    pub more: Vec<String>,
    /// Lines that begin with `hides more`.
    pub less: Vec<String>,
}

impl Offer {
    /// From this to the other.
    pub fn effects(&self, after: &Offer) -> Effects {
        let mut effects = Effects::default();
        let (come, gone) = (after.readers.difference(&self.readers), self.readers.difference(&after.readers));
        effects.more.extend(readers(come).map(|who| format!("shows more: the views to {who}")));
        effects.less.extend(readers(gone).map(|who| format!("hides more: the views from {who}")));
        match (self.barrier, after.barrier) {
            (true, false) => effects.more.push(inferred("shows more")),
            (false, true) => effects.less.push(inferred("hides more")),
            _ => {}
        }
        if self.barrier && after.barrier {
            let (before, after) = (&self.barrier_except, &after.barrier_except);
            let of = |direction: &str, columns: String| format!("{}, in columns like {columns}", inferred(direction));
            effects.more.extend(columns(after.difference(before)).map(|names| of("shows more", names)));
            effects.less.extend(columns(before.difference(after)).map(|names| of("hides more", names)));
        }
        effects
    }
}

fn inferred(direction: &str) -> String {
    format!("{direction}: what hidden rows hold, as far as a reader's own expressions can tell it")
}

/// All of them, if there are any.
fn readers<'a>(some: impl Iterator<Item = &'a Reader>) -> Option<String> {
    together(some.map(ToString::to_string).collect())
}

fn columns<'a>(some: impl Iterator<Item = &'a String>) -> Option<String> {
    together(some.map(|name| shown(name).into_owned()).collect())
}

fn together(names: Vec<String>) -> Option<String> {
    (!names.is_empty()).then(|| names.join(", "))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::wanted::{Source, VIEW_NAME};
    use super::*;
    use crate::engine::governance::Policy;

    fn offer<const N: usize>(readers: [&Reader; N], barrier: bool, except: &[&str]) -> Offer {
        let source = Source {
            database: "prod".into(),
            schema: "sales".into(),
            tables: BTreeSet::new(),
            except_tables: BTreeSet::new(),
            future_tables: true,
        };
        Offer {
            source,
            view_schema: "sales".into(),
            view_name: VIEW_NAME.into(),
            policy: Policy::default(),
            barrier,
            barrier_except: except.iter().map(|name| (*name).to_owned()).collect(),
            readers: readers.into_iter().cloned().collect(),
            external: None,
        }
    }

    #[test]
    fn who_reads_and_what_can_be_inferred_is_told_in_its_direction() {
        let (ann, all) = (Reader::User("ann".into()), Reader::Public);
        let effects = offer([&ann], true, &["sold_at"]).effects(&offer([&all], true, &["id"]));
        assert_eq!(
            effects.more,
            [
                "shows more: the views to PUBLIC",
                "shows more: what hidden rows hold, as far as a reader's own expressions can tell it, in columns like id"
            ]
        );
        assert_eq!(
            effects.less,
            [
                "hides more: the views from user ann",
                "hides more: what hidden rows hold, as far as a reader's own expressions can tell it, in columns like sold_at"
            ]
        );
        let off = offer([&ann], true, &["id"]).effects(&offer([&ann], false, &[]));
        assert_eq!((off.more.len(), off.less.len()), (1, 0), "{off:?}");
        let on = offer([&ann], false, &[]).effects(&offer([&ann], true, &["id"]));
        assert_eq!((on.more.len(), on.less.len()), (0, 1), "{on:?}");
        let same = offer([&ann], true, &["id"]);
        assert_eq!(same.effects(&same), Effects::default());
    }
}
