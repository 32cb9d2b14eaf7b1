//! In which order rights on one object are taken back, where they were passed on: REVOKE refuses to take a right from
//! somebody whose gifts hang on it (AWS documents RESTRICT only), so the far end of a chain goes first.

use std::collections::BTreeSet;

use crate::engine::rights::{Privilege, Rights};
use crate::engine::user::holder::Holder;

/// One entry of an object's list of rights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// Who gave them.
    pub by: String,
    pub to: Holder,
    /// None where all of them are of kinds that have no word here.
    pub rights: Rights,
    /// Which of them may be passed on.
    pub options: Rights,
}

/// Rights that are to be taken from somebody, by who gave them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taking {
    pub by: String,
    pub from: Holder,
    pub rights: Rights,
    /// It is all that he was given by that one, with what has no word here.
    pub is_all: bool,
}

/// What has to be taken so that the user neither holds nor gave anything on an object of somebody else's: his own entries,
/// and what others passed on only because of them. `roles` hold rights that somebody may have passed on to them, which no
/// list shows: whoever could have is asked to take them back first.
pub fn takings(owner: &str, given: &[Given], user: &str, roles: &[(String, Rights)]) -> Vec<Taking> {
    let is_his = |one: &Given| one.by == user || one.to == Holder::User(user.to_owned());
    let before = supported(owner, given, |_| true);
    let after = supported(owner, given, |one| !is_his(one));
    // Of each entry: what is to go, and whether that is all of it.
    let mut left: Vec<(&Given, Rights, bool)> = Vec::new();
    for (index, one) in given.iter().enumerate() {
        let lost = before[index].without(after[index]);
        if is_his(one) {
            left.push((one, one.rights, true));
        } else if !lost.is_empty() {
            left.push((one, lost, lost == one.rights));
        }
    }
    let mut all = Vec::new();
    while !left.is_empty() {
        // What was passed on of an entry hangs on it.
        let hanging = |index: usize| {
            let one = left[index].0;
            let by_him = left
                .iter()
                .enumerate()
                .filter(|(at, (other, ..))| *at != index && one.to == Holder::User(other.by.clone()));
            let may_hang = |rights: Rights| {
                let nameless = one.rights.is_empty() || (rights.is_empty() && !one.options.is_empty());
                nameless || !rights.common(one.options).is_empty()
            };
            let rights = by_him.map(|(_, (_, rights, _))| *rights).filter(|rights| may_hang(*rights));
            rights.collect::<Vec<Rights>>()
        };
        let passed_on = |index: usize| hanging(index).into_iter().fold(Rights::NONE, Rights::and);
        let free = (0..left.len()).find(|index| hanging(*index).is_empty());
        let partly = (0..left.len()).find(|index| !left[*index].1.without(passed_on(*index)).is_empty());
        match (free, partly) {
            (None, Some(index)) => {
                let (one, rights, _) = left[index];
                let held = passed_on(index);
                push(&mut all, owner, one, rights.without(held), false, roles);
                left[index].1 = rights.common(held);
            }
            (index, _) => {
                let (one, rights, whole) = left.remove(index.unwrap_or(0));
                push(&mut all, owner, one, rights, whole, roles);
            }
        }
    }
    all
}

fn push(all: &mut Vec<Taking>, owner: &str, one: &Given, rights: Rights, is_all: bool, roles: &[(String, Rights)]) {
    if let Holder::User(user) = &one.to
        && user != owner
    {
        for (role, held) in roles {
            let passed_on = held.common(one.options).common(rights);
            if !passed_on.is_empty() {
                let from = Holder::Role(role.clone());
                all.push(Taking { by: user.clone(), from, rights: passed_on, is_all: false });
            }
        }
    }
    all.push(Taking { by: one.by.clone(), from: one.to.clone(), rights, is_all });
}

/// Which rights of each entry lead back to the owner, by entries that count.
fn supported(owner: &str, given: &[Given], counts: impl Fn(&Given) -> bool) -> Vec<Rights> {
    let mut all = vec![Rights::NONE; given.len()];
    for privilege in Privilege::ALL {
        let mut may_give: BTreeSet<&str> = BTreeSet::from([owner]);
        loop {
            let known = may_give.len();
            for (index, one) in given.iter().enumerate() {
                if counts(one) && one.rights.has(privilege) && may_give.contains(one.by.as_str()) {
                    all[index].insert(privilege);
                    if let (true, Holder::User(user)) = (one.options.has(privilege), &one.to) {
                        may_give.insert(user);
                    }
                }
            }
            if may_give.len() == known {
                break;
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn user(name: &str) -> Holder {
        Holder::User(name.into())
    }

    fn given(by: &str, to: &str, rights: &str, options: &str) -> Given {
        let (rights, options) = (rights.parse().expect("rights"), options.parse().expect("rights"));
        Given { by: by.into(), to: user(to), rights, options }
    }

    fn words(takings: &[Taking]) -> Vec<String> {
        let what = |taking: &Taking| if taking.is_all { "all".to_owned() } else { taking.rights.to_string() };
        takings.iter().map(|taking| format!("{} from {} by {}", what(taking), taking.from.words(), taking.by)).collect()
    }

    #[test]
    fn the_far_end_of_a_chain_goes_first() {
        let list = [
            given("o", "a", "SELECT, INSERT", "SELECT"),
            given("a", "b", "SELECT", "SELECT"),
            given("b", "c", "SELECT", ""),
            given("o", "d", "SELECT", "SELECT"),
            given("d", "e", "SELECT", ""),
        ];
        assert_eq!(
            words(&takings("o", &list, "a", &[])),
            ["all from user c by b", "all from user b by a", "all from user a by o"]
        );
        // Who has the right from another one too keeps what he passed on.
        let twice = [&list[..], &[given("d", "b", "SELECT", "SELECT")]].concat();
        assert_eq!(words(&takings("o", &twice, "a", &[])), ["all from user b by a", "all from user a by o"]);
    }

    #[test]
    fn what_may_have_been_passed_on_to_roles_is_taken_by_who_could_have() {
        let list = [given("o", "a", "SELECT, INSERT", "SELECT"), given("a", "b", "SELECT", "")];
        let roles =
            [("readers".to_owned(), Rights::READ_WRITE), ("others".to_owned(), Rights::from(Privilege::Insert))];
        assert_eq!(
            words(&takings("o", &list, "a", &roles)),
            ["all from user b by a", "SELECT from role readers by a", "all from user a by o"]
        );
    }

    #[test]
    fn a_list_that_nobody_of_the_owners_made_is_left_alone() {
        let list = [given("gone", "b", "SELECT", ""), given("o", "a", "SELECT", "")];
        assert_eq!(words(&takings("o", &list, "a", &[])), ["all from user a by o"]);
        // Only rights without a word.
        let list = [given("o", "a", "", ""), given("a", "b", "", "")];
        assert_eq!(words(&takings("o", &list, "a", &[])), ["all from user b by a", "all from user a by o"]);
    }

    const NAMES: [&str; 5] = ["o", "a", "b", "c", "d"];

    /// A warehouse of one object: who holds which right of whom, and whether he may pass it on.
    #[derive(Clone, Debug, Default)]
    struct Model(Vec<(usize, usize, Privilege, bool)>);

    impl Model {
        fn may_give(&self, who: usize, privilege: Privilege, counts: impl Fn(usize, usize) -> bool) -> bool {
            let mut known = BTreeSet::from([0]);
            loop {
                let before = known.len();
                for (index, (by, to, right, option)) in self.0.iter().enumerate() {
                    if *option && *right == privilege && counts(index, *by) && known.contains(by) {
                        known.insert(*to);
                    }
                }
                if known.len() == before {
                    return known.contains(&who);
                }
            }
        }

        fn give(&mut self, (by, to, privilege, option): (usize, usize, Privilege, bool)) {
            // Nobody gives the option back to whom he has it from.
            let is_circular = to == 0 || by == to || (option && !self.may_give(by, privilege, |_, giver| giver != to));
            if is_circular || !self.may_give(by, privilege, |_, _| true) {
                return;
            }
            match self.0.iter_mut().find(|(b, t, right, _)| (*b, *t, *right) == (by, to, privilege)) {
                Some(there) => there.3 |= option,
                None => self.0.push((by, to, privilege, option)),
            }
        }

        /// REVOKE … RESTRICT.
        fn take(&mut self, by: usize, to: usize, privilege: Privilege) -> Result<(), String> {
            let Some(index) = self.0.iter().position(|(b, t, right, _)| (*b, *t, *right) == (by, to, privilege)) else {
                return Ok(());
            };
            let still = self.may_give(to, privilege, |at, _| at != index);
            if !still && self.0.iter().any(|(b, _, right, _)| *b == to && *right == privilege) {
                return Err(format!(
                    "dependent privileges exist: {} from {} by {}",
                    privilege.name(),
                    NAMES[to],
                    NAMES[by]
                ));
            }
            self.0.remove(index);
            Ok(())
        }

        fn list(&self) -> Vec<Given> {
            let mut list: Vec<Given> = Vec::new();
            for (by, to, privilege, option) in &self.0 {
                let (by, to) = (NAMES[*by].to_owned(), user(NAMES[*to]));
                let place = list.iter().position(|one| one.by == by && one.to == to).unwrap_or_else(|| {
                    list.push(Given { by, to, rights: Rights::NONE, options: Rights::NONE });
                    list.len() - 1
                });
                list[place].rights.insert(*privilege);
                if *option {
                    list[place].options.insert(*privilege);
                }
            }
            list
        }
    }

    proptest! {
        #[test]
        fn whatever_was_passed_on_each_step_is_allowed_and_nobody_else_loses_anything(
            gifts in proptest::collection::vec((0..5usize, 0..5usize, 0..3usize, any::<bool>()), 0..24),
        ) {
            let mut model = Model::default();
            for (by, to, right, option) in gifts {
                model.give((by, to, [Privilege::Select, Privilege::Insert, Privilege::Update][right], option));
            }
            let list = model.list();
            let kept = supported("o", &list, |one| one.by != "a" && one.to != user("a"));
            for taking in takings("o", &list, "a", &[]) {
                let place = |name: &str| NAMES.iter().position(|one| *one == name).expect("a name");
                let Holder::User(from) = &taking.from else { panic!("{taking:?}") };
                let rights = if taking.is_all { Rights::all() } else { taking.rights };
                for privilege in rights.iter() {
                    let taken = model.take(place(&taking.by), place(from), privilege);
                    prop_assert!(taken.is_ok(), "{taken:?} {list:?}");
                }
            }
            prop_assert!(model.0.iter().all(|(by, to, ..)| NAMES[*by] != "a" && NAMES[*to] != "a"));
            let left = model.list();
            for (one, rights) in list.iter().zip(kept) {
                let found = left.iter().find(|it| it.by == one.by && it.to == one.to);
                prop_assert_eq!(found.map_or(Rights::NONE, |it| it.rights), rights);
            }
        }
    }
}
