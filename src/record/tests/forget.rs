//! What the hub may forget: nothing that anybody looks up, and no word whose going would change what stands.

use std::collections::BTreeMap;

use super::rollouts::{rollout, word};
use super::*;

const DAY: i64 = 24 * 60;

/// So many rollouts, one a day, all of them failed; the first began at minute 0.
fn rollouts(count: i64) -> Vec<RolloutRecord> {
    let one = |day: i64| RolloutRecord {
        id: format!("r{day}"),
        release: Some(format!("c{day}")),
        created: at(day * DAY),
        since: at(day * DAY),
        state: RolloutState::Failed,
        ..rollout()
    };
    (0..count).map(one).collect()
}

fn forgettable(
    rollouts: &[RolloutRecord],
    tenants: &[TenantRecord],
    words: &[Word],
    now: Timestamp,
) -> Forgettable {
    let memory = Memory {
        rollouts: rollouts.iter().collect(),
        words: &named(words),
        last_words: &last_words(words),
        tenants: tenants.iter().collect(),
        keep: Keep::default(),
    };
    memory.forgettable(now)
}

fn named(words: &[Word]) -> BTreeMap<String, Word> {
    let name = |word: &Word| {
        let value = encode_word(word);
        value["metadata"]["name"].as_str().unwrap().to_owned()
    };
    words
        .iter()
        .map(|word| (name(word), word.clone()))
        .collect()
}

#[test]
fn old_rollouts_go_and_those_that_somebody_looks_up_stay() {
    let mut all = rollouts(70);
    all[3].state = RolloutState::Succeeded;
    all[3].whole = true;
    all[4].release = Some("c3".to_owned());
    all[6].state = RolloutState::SucceededWithExceptions;
    all[6].whole = false;
    all[9].state = RolloutState::Paused;
    all[12].since = at(69 * DAY);
    let runs = TenantRecord {
        rollout: Some("r1".to_owned()),
        ..record()
    };
    let taking = Taking {
        rollout: Some("r2".to_owned()),
        ..taking("C")
    };
    let moved = take_claim(&record(), taking, at(20)).unwrap().record;
    let bad = word(Verb::Quarantine, Scope::Release("c8".to_owned()), 1);
    let gone = forgettable(&all, &[runs, moved], &[bad], at(70 * DAY));
    let of = |days: &[i64]| days.iter().map(|day| format!("r{day}")).collect::<Vec<_>>();
    let expected = of(&[0, 5, 7, 10, 11, 13, 14, 15, 16, 17, 18, 19]);
    assert_eq!(gone.rollouts, expected);
    assert_eq!(gone.words, Vec::<String>::new());
}

#[test]
fn what_is_young_stays_however_much_of_it_there_is() {
    let all = rollouts(70);
    assert_eq!(
        forgettable(&all, &[], &[], at(7 * DAY)),
        Forgettable::default()
    );
}

#[test]
fn words_of_rollouts_that_are_over_go_and_what_still_stands_stays() {
    let of = |id: &str| Scope::Rollout(id.to_owned());
    let mut all = rollouts(2);
    all[1].state = RolloutState::Paused;
    let freeze = |expires| Word {
        expires: Some(at(expires)),
        ..word(Verb::Freeze, Scope::Environment, 4)
    };
    let tenant = || Scope::Tenant("a".to_owned());
    let words = [
        word(Verb::Pause, of("r0"), 1),
        word(Verb::Pause, of("r1"), 2),
        word(Verb::Freeze, Scope::Cluster("gra".to_owned()), 3),
        freeze(5),
        word(Verb::Hold, tenant(), 6),
        word(Verb::ReleaseHold, tenant(), 7),
        word(Verb::ReleaseHold, tenant(), 29 * DAY),
    ];
    let gone = forgettable(&all, &[], &words, at(30 * DAY));
    let names = named(&words);
    let gone: Vec<&Word> = gone.words.iter().map(|name| &names[name]).collect();
    assert_eq!(gone, [&words[0], &words[3], &words[4], &words[5]]);
}

/// Any word about the whole environment, one cluster or one tenant's bundles.
fn any_word() -> impl Strategy<Value = Word> {
    let verbs = prop::sample::select(vec![
        Verb::Freeze,
        Verb::Thaw,
        Verb::Hold,
        Verb::ReleaseHold,
        Verb::Quarantine,
        Verb::Clear,
        Verb::Approve,
        Verb::Reject,
        Verb::Pause,
        Verb::Resume,
    ]);
    let scopes = prop::sample::select(vec![
        Scope::Environment,
        Scope::Tenant("a".to_owned()),
        Scope::Bundle {
            tenant: "a".to_owned(),
            digest: digest("A"),
        },
    ]);
    let expires = prop::option::of(0..40 * DAY);
    (verbs, scopes, 0..30 * DAY, expires).prop_map(|(verb, scope, minute, expires)| Word {
        expires: expires.map(at),
        ..word(verb, scope, minute)
    })
}

proptest! {
    #[test]
    fn killed_at_any_time_nothing_stands_that_did_not_and_nothing_falls(
        words in prop::collection::vec(any_word(), 0..12),
        killed in 0_usize..12,
        later in 0..30 * DAY,
    ) {
        let now = at(30 * DAY);
        let gone = forgettable(&[], &[], &words, now).words;
        let mut left = named(&words);
        for name in gone.iter().take(killed) {
            left.remove(name);
        }
        let all: Vec<Word> = named(&words).into_values().collect();
        let left: Vec<Word> = left.into_values().collect();
        let then = now + SignedDuration::from_mins(later);
        prop_assert_eq!(standing(&left, then), standing(&all, then));
    }
}
