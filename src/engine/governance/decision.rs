//! Several masks on a column: which one shows. Of those that hold for this reader and this row it is the strictest; where
//! two cannot be compared it is none of them, and NULL shows.

use std::collections::BTreeMap;

use super::mask::Shown;
use super::profile::Profile;
use super::table::{HeldMask, ProtectedColumn};
use crate::engine::sql::{Sql, ident, sql};

/// What shows of a column, asked from the outside in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Decision {
    /// The value, or what a mask leaves of it: none is the value itself.
    Shows(Option<Shown>, Sql),
    /// One thing where none of these masks holds, else another.
    Passes(Sql, Box<Decision>, Box<Decision>),
}

/// Equal masks as one.
struct Group<'m, 'p> {
    shown: &'m Shown,
    sql: &'m Sql,
    masks: Vec<&'m HeldMask<'p>>,
}

/// Puts the masks of a column in the order in which they are asked: NULL, then what shows always the same, then what is
/// partial, the finer first. Where several are partial they come before what shows always the same: two that cannot be
/// compared are NULL, whatever else holds.
pub(super) fn decide(column: &ProtectedColumn<'_>) -> Decision {
    let mut by_shown: BTreeMap<&Shown, Vec<&HeldMask<'_>>> = BTreeMap::new();
    for mask in &column.masks {
        by_shown.entry(&mask.shown).or_default().push(mask);
    }
    let partial = by_shown.keys().filter(|shown| shown.is_partial()).count();
    let rank = |shown: &Shown| match shown {
        Shown::Null => 0,
        Shown::Constant(_) if partial > 1 => 2,
        _ => 1,
    };
    let mut groups = Vec::new();
    for (shown, masks) in by_shown {
        if let Some(first) = masks.first() {
            groups.push(Group { shown, sql: &first.sql, masks });
        }
    }
    groups.sort_by_key(|group| rank(group.shown));
    let tree = Tree {
        clear: sql!("t.{}", ident(&column.column.name)),
        null: sql!("CAST(NULL AS {})", column.column.ty.sql()),
    };
    tree.choose(&groups, None)
}

struct Tree {
    clear: Sql,
    null: Sql,
}

impl Tree {
    /// What shows of the rest of the masks where `held` holds already.
    fn choose(&self, rest: &[Group<'_, '_>], held: Option<(&Shown, &Sql)>) -> Decision {
        if let Some((Shown::Null, _)) = held {
            return Decision::Shows(Some(Shown::Null), self.null.clone());
        }
        let [first, rest @ ..] = rest else {
            return match held {
                None => Decision::Shows(None, self.clear.clone()),
                Some((shown, sql)) => Decision::Shows(Some(shown.clone()), sql.clone()),
            };
        };
        let met = held.map_or_else(|| first.shown.clone(), |(held, _)| held.meet(first.shown));
        if held.is_some_and(|(held, _)| *held == met) {
            return self.choose(rest, held);
        }
        let with = if met == *first.shown { first.sql } else { &self.null };
        let masked = self.choose(rest, Some((&met, with)));
        match passes(&first.masks) {
            None => masked,
            Some(passes) => match self.choose(rest, held) {
                unmasked if unmasked == masked => masked,
                unmasked => Decision::Passes(passes, Box::new(unmasked), Box::new(masked)),
            },
        }
    }
}

/// When none of the equal masks holds; none if one always does. A predicate that is NULL masks.
fn passes(masks: &[&HeldMask<'_>]) -> Option<Sql> {
    let one = |mask: &&HeldMask<'_>| match (mask.flag, &mask.condition) {
        (Some(flag), None) => Some(sql!("p.e{} = 1", flag)),
        (Some(flag), Some((condition, _))) => Some(sql!("(p.e{} = 1 OR NOT ({}))", flag, condition)),
        (None, Some((condition, _))) => Some(sql!("NOT ({})", condition)),
        (None, None) => None,
    };
    let each: Option<Vec<Sql>> = masks.iter().map(one).collect();
    each.map(|each| Sql::join(" AND ", each))
}

impl Decision {
    /// As an expression over the row `t` and the entitlements `p`.
    pub(super) fn sql(&self) -> Sql {
        match self {
            Decision::Shows(_, sql) => sql.clone(),
            Decision::Passes(passes, unmasked, masked) => {
                sql!("CASE WHEN {} THEN {} ELSE {} END", passes, unmasked.sql(), masked.sql())
            }
        }
    }
}

/// What shows, as it is defined: the masks that hold for a reader (none: one without a profile) in a row in which
/// `holds` says whether a predicate is true, false or NULL. None is the value itself.
pub(super) fn shows(
    masks: &[HeldMask<'_>],
    reader: Option<&Profile>,
    holds: &dyn Fn(&str) -> Option<bool>,
) -> Option<Shown> {
    let in_row = |mask: &&HeldMask<'_>| mask.condition.as_ref().is_none_or(|(_, text)| holds(text) != Some(false));
    let held: Vec<&Shown> =
        masks.iter().filter(|mask| !mask.concerns.exempts(reader)).filter(in_row).map(|mask| &mask.shown).collect();
    let apart = |(index, one): (usize, &&Shown)| held[index + 1..].iter().any(|two| one.meet(two) == Shown::Null);
    if held.iter().enumerate().any(apart) {
        return Some(Shown::Null);
    }
    held.into_iter().cloned().reduce(|one, two| one.meet(&two))
}
