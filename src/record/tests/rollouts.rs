//! Rollouts, their plans, and the words that people say to them.

use std::collections::BTreeSet;

use super::*;

pub(super) fn rollout() -> RolloutRecord {
    RolloutRecord {
        id: "2026-11-22-0142".to_owned(),
        environment: "production".to_owned(),
        release: Some("4f2a".to_owned()),
        rebuild: None,
        false_no_ops: 0,
        strategy: "normal".to_owned(),
        created: at(0),
        by: "Ada".to_owned(),
        why: "merge of !42".to_owned(),
        whole: true,
        state: RolloutState::Running,
        reason: None,
        since: at(1),
        superseded_by: None,
        excused: None,
        waves: vec![WaveRecord {
            name: "canary".to_owned(),
            role: Some("canary".to_owned()),
            tenants: 3,
            state: WaveState::Soaking,
            started: Some(at(1)),
            soak_since: Some(at(4)),
            ended: None,
        }],
        shards: 3,
        frozen: json!({"small": 3}),
    }
}

#[test]
fn a_rollout_and_its_plan_read_back_and_no_shard_grows_with_the_fleet() {
    let rollout = rollout();
    let value = encode_rollout(&rollout, None);
    assert_eq!(value["metadata"]["name"], "rollout.2026-11-22-0142");
    assert_eq!(decode_rollout(&value).unwrap().value, rollout);
    let lines: Vec<PlanLine> = (0..1_200)
        .map(|index| PlanLine {
            tenant: format!("t-{index}"),
            cluster: "gra".to_owned(),
            namespace: format!("jp-{index}"),
            place: match index % 2 {
                0 => Place::Wave("rest".to_owned()),
                _ => Place::Excluded("unchanged".to_owned()),
            },
            digest: Some(digest("C")),
            release: None,
            hold: None,
            from: Some(digest("B")),
            back_to: Some(digest("A")),
            unhealthy_before: None,
            unwell_pages: BTreeSet::new(),
            counts_in: None,
        })
        .collect();
    let mut shards = encode_plan(&rollout, &lines);
    assert_eq!(shards.len(), 3);
    for shard in &shards {
        let size = shard.to_string().len();
        assert!(size < 256 * 1024, "{size}");
    }
    shards.reverse();
    assert_eq!(decode_plan(&rollout, &shards).unwrap(), lines);
    shards.remove(1);
    let missing = decode_plan(&rollout, &shards).unwrap_err().to_string();
    assert_eq!(
        missing,
        "the plan of rollout `2026-11-22-0142` cannot be used: its shard `rollout.2026-11-22-0142.plan.1` is missing"
    );
}

pub(super) fn word(verb: Verb, scope: Scope, minute: i64) -> Word {
    Word {
        verb,
        environment: "production".to_owned(),
        scope,
        author: "Ada".to_owned(),
        reason: "because".to_owned(),
        at: at(minute),
        expires: None,
    }
}

#[test]
fn the_last_word_on_a_scope_stands_until_it_expires() {
    let release = || Scope::Release("4f2a".to_owned());
    let cluster = || Scope::Cluster("gra".to_owned());
    let freeze = Word {
        expires: Some(at(50)),
        ..word(Verb::Freeze, cluster(), 1)
    };
    let words = [
        word(Verb::Clear, release(), 5),
        word(Verb::Quarantine, release(), 3),
        freeze.clone(),
        word(Verb::Freeze, Scope::Environment, 2),
        word(Verb::Thaw, Scope::Environment, 9),
    ];
    let early = standing(&words, at(4));
    assert_eq!(early.quarantines, [words[1].clone()]);
    assert_eq!(early.freezes, [freeze.clone(), words[3].clone()]);
    let later = standing(&words, at(10));
    assert_eq!(later.quarantines, []);
    assert_eq!(later.freezes, [freeze]);
    assert_eq!(standing(&words, at(50)).freezes, []);
}

#[test]
fn a_word_is_an_immutable_object_of_its_own() {
    let word = word(Verb::Freeze, Scope::Environment, 1);
    let value = encode_word(&word);
    let name = value["metadata"]["name"].as_str().unwrap();
    assert!(name.starts_with("word.20261122t010100z.freeze."), "{name}");
    assert_eq!(value["immutable"], true);
    assert_eq!(decode_word(&value).unwrap(), word);
}

#[test]
fn of_a_tenant_one_bundle_is_approved_at_a_time_and_a_rejection_takes_it_back() {
    let bundle = |tenant: &str, text: &str| Scope::Bundle {
        tenant: tenant.to_owned(),
        digest: digest(text),
    };
    let wave = |rollout: &str| Scope::Wave {
        rollout: rollout.to_owned(),
        wave: "rest".to_owned(),
    };
    let words = [
        word(Verb::Approve, bundle("a", "one"), 1),
        word(Verb::Approve, bundle("b", "one"), 1),
        word(Verb::Approve, wave("r1"), 1),
        word(Verb::Approve, bundle("a", "two"), 2),
        word(Verb::Reject, Scope::Tenant("b".to_owned()), 3),
        word(Verb::Reject, wave("r2"), 3),
    ];
    let last = last_words(&words);
    assert_eq!(last.approvals, [words[2].clone(), words[3].clone()]);
    assert_eq!(last.rejections, [words[4].clone(), words[5].clone()]);
    let read = decode_word(&encode_word(&words[3])).unwrap();
    assert_eq!(read, words[3]);
}

/// Whoever says so on a clock that is fast is heard all the same.
#[test]
fn last_words_know_no_time() {
    let freeze = Word {
        expires: Some(at(50)),
        ..word(Verb::Freeze, Scope::Environment, 40)
    };
    assert_eq!(standing(std::slice::from_ref(&freeze), at(1)).freezes, []);
    let last = last_words(std::slice::from_ref(&freeze));
    assert_eq!(last.freezes, [freeze]);
}
