//! What people see while something is made stricter, at each statement of it.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use redshift_standin::{Action, Fault};

use super::{READERS, Where, in_groups, integration, mask, nobody, policy, set, trial, uri, wanted};
use crate::engine::governance::{FilterRule, MaskRule, Policy, Profile};
use crate::engine::registration::kept::Kept;
use crate::engine::registration::profiles::{self, ProfilesWanted};
use crate::engine::registration::tables;
use crate::engine::trial::{PASSWORD, Trial, is_campaign};

/// The rules, and who has a profile.
struct State {
    policy: Policy,
    users: Vec<Profile>,
}

/// Something that is made stricter, and who sees less of it then.
struct Tightening {
    what: &'static str,
    before: State,
    after: State,
    hidden_from: [&'static str; 2],
}

fn known(user: &str, tenant: &str, groups: &[&str]) -> Profile {
    Profile { groups: set(groups), attributes: [("tenant".to_owned(), set(&[tenant]))].into(), ..nobody(user) }
}

fn tightenings() -> [Tightening; 4] {
    let rules = |unless: &[&str], more: Option<FilterRule>| {
        let hashed = MaskRule { unless: in_groups(unless), ..mask("hash", "email") };
        let list = Some("attribute.tenant".into());
        let of_the_tenant = FilterRule { column: Some("tenant".into()), list, ..FilterRule::default() };
        Policy::new(None, [hashed], [of_the_tenant].into_iter().chain(more))
    };
    let strangers = || vec![known("ann", "one", &[]), known("bob", "two", &[])];
    let everybody =
        || vec![known("ann", "one", &["privacy"]), known("bob", "two", &["support"]), known("cyd", "o", &["support"])];
    let all_exempt =
        vec![known("ann", "one", &["privacy"]), known("bob", "two", &["privacy"]), known("cyd", "o", &["privacy"])];
    let positive =
        FilterRule { tables: set(&["people"]), condition: Some("visits > 0".into()), ..FilterRule::default() };
    [
        Tightening {
            what: "more masks",
            before: State { policy: policy(false), users: strangers() },
            after: State { policy: policy(true), users: strangers() },
            hidden_from: ["ann", "bob"],
        },
        Tightening {
            what: "a further row filter",
            before: State { policy: rules(&["privacy"], None), users: everybody() },
            after: State { policy: rules(&["privacy"], Some(positive)), users: everybody() },
            hidden_from: ["ann", "bob"],
        },
        Tightening {
            what: "a group that is exempt no more",
            before: State { policy: rules(&["privacy", "support"], None), users: everybody() },
            after: State { policy: rules(&["privacy"], None), users: everybody() },
            hidden_from: ["bob", "cyd"],
        },
        Tightening {
            what: "a group taken out of a profile, and a profile taken away",
            before: State { policy: rules(&["privacy"], None), users: all_exempt },
            after: State {
                policy: rules(&["privacy"], None),
                users: vec![known("ann", "one", &[]), known("bob", "two", &["privacy"])],
            },
            hidden_from: ["ann", "cyd"],
        },
    ]
}

/// What was applied last.
#[derive(Default)]
struct Last {
    kept: Option<Kept>,
    users: Option<BTreeSet<String>>,
}

impl Last {
    async fn apply(&mut self, trial: &Trial, place: Where, state: &State) {
        let users: BTreeMap<String, Profile> =
            state.users.iter().map(|profile| (profile.user.clone(), profile.clone())).collect();
        let names: BTreeSet<String> = users.keys().cloned().collect();
        let people = ProfilesWanted { uri: uri(place), name: "people".into(), users, exclusive: true };
        profiles::apply(&trial.warehouse(), &people, self.users.as_ref(), &trial.never).await.expect("profiles");
        self.users = Some(names);
        let wanted = wanted(place, state.policy.clone(), &READERS);
        let applied = tables::apply(&trial.warehouse(), &wanted, self.kept.as_ref(), None, &trial.never).await;
        self.kept = Some(applied.expect("tables").kept);
    }
}

/// How many sessions wait for a lock.
async fn waiting(trial: &Trial) -> usize {
    let rows = trial.admin("dev", "SELECT count(*) FROM svv_transactions WHERE granted = false").await;
    rows[0][0].as_deref().and_then(|count| count.parse().ok()).expect("a number")
}

/// Three people ask all the time, and each statement that does work is held until each of them was answered a question
/// that was begun meanwhile, or waits for a lock: each answer is the old one or the new one.
async fn answers_while_it_tightens(place: Where) {
    let trial = trial(place).await;
    integration(&trial, place).await;
    let database = uri(place).database;
    let query = "SELECT id, email, visits, born FROM gov_sales.people ORDER BY id";
    let mut last = Last::default();
    for Tightening { what, before, after, hidden_from } in tightenings() {
        let what = format!("{place:?}, {what}");
        let ask = async |user: &str| {
            let answer = trial.standin.sql_as(user, PASSWORD, &database, query).await;
            answer.unwrap_or_else(|error| panic!("{what}, {user}: {error}"))
        };
        let all = async || [ask("ann").await, ask("bob").await, ask("cyd").await];
        last.apply(&trial, place, &before).await;
        let old = all().await;
        let done = Cell::new(false);
        let answered = READERS.map(|_| Cell::new(0_usize));
        let counts = || answered.each_ref().map(Cell::get);
        trial.standin.reset_counters();
        trial.standin.fault(Fault::work(1, Action::Stall).times(u64::MAX));
        let tighten = async {
            Box::pin(last.apply(&trial, place, &after)).await;
            done.set(true);
        };
        let hold_each = async {
            let mut held = 0;
            // The statement that is held, by its number, and the answers until it was seen.
            let mut since: Option<(u64, [usize; 3])> = None;
            while !done.get() {
                let counters = trial.standin.counters();
                let waiting = waiting(&trial).await;
                if counters.stalled == 0 {
                    continue;
                }
                let (_, then) = match since.filter(|(number, _)| *number == counters.work) {
                    Some(same) => same,
                    None => *since.insert((counters.work, counts())),
                };
                // The first answer may be to a question that was asked before.
                let anew = counts().into_iter().zip(then).filter(|(now, then)| *now > *then + 1).count();
                if anew + waiting >= READERS.len() {
                    trial.standin.release();
                    (held, since) = (held + 1, None);
                }
            }
            held
        };
        let poll = async |at: usize| {
            let mut answers = Vec::new();
            while !done.get() {
                answers.push(ask(READERS[at]).await);
                answered[at].set(answered[at].get() + 1);
            }
            answers
        };
        let together = async { futures::join!(tighten, hold_each, poll(0), poll(1), poll(2)) };
        let ended = tokio::time::timeout(Duration::from_secs(180), together).await;
        let ((), held, ann, bob, cyd) = ended.unwrap_or_else(|_| panic!("{what}: it does not end"));
        trial.standin.clear_faults();
        // BEGIN, what is changed, COMMIT.
        assert!(held > 2, "{what}: {held} statements were held");
        let new = all().await;
        for (at, answers) in [ann, bob, cyd].into_iter().enumerate() {
            let user = READERS[at];
            assert_eq!(old[at] != new[at], hidden_from.contains(&user), "{what}, {user}: {:?}", new[at]);
            assert!(!answers.is_empty(), "{what}, {user}");
            for answer in &answers {
                assert!(*answer == old[at] || *answer == new[at], "{what}, {user}: {answer:?}");
            }
            let are_new = answers.iter().map(|answer| *answer == new[at]);
            assert!(are_new.is_sorted(), "{what}, {user}: the old answer after the new one");
        }
    }
}

/// Proves: G14
#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_while_something_is_made_stricter_sees_the_old_or_the_new() {
    let places = [Where::Beside, Where::Elsewhere];
    let one = rand::random_range(0..places.len());
    for place in if is_campaign() { &places[..] } else { &places[one..=one] } {
        answers_while_it_tightens(*place).await;
    }
}
