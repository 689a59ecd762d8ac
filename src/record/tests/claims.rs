//! Claims and holds: who may write to a tenant, and what that leaves in its record.

use super::*;

#[test]
fn a_claim_counts_the_epoch_and_stores_the_union_before_any_write() {
    let taken = take_claim(&record(), taking("C"), at(20)).unwrap();
    assert_eq!(taken.took_over, None);
    assert_eq!(taken.record.epoch, 3);
    let names: Vec<String> = taken
        .record
        .inventory
        .lines()
        .map(|line| line.object.to_string())
        .collect();
    assert_eq!(names, ["ConfigMap/sites", "Service/web"]);
    assert_eq!(taken.record.digest, Some(digest("B")), "nothing moved yet");
}

#[test]
fn the_next_claim_folds_in_what_has_proved_good() {
    let by_clock = take_claim(&record(), taking("C"), at(20)).unwrap().record;
    assert_eq!(
        by_clock.goods,
        [
            Good {
                at: at(10),
                ..good("B", 0)
            },
            good("A", 0)
        ]
    );
    let early = take_claim(&record(), taking("C"), at(14)).unwrap().record;
    assert_eq!(early.goods, [good("A", 0)], "its soak was not over");
    let breached = Taking {
        soak: Soak::NotPassed,
        ..taking("C")
    };
    let breached = take_claim(&record(), breached, at(20)).unwrap().record;
    assert_eq!(breached.goods, [good("A", 0)]);
    let failed = TenantRecord {
        state: Outcome::Failed,
        ..record()
    };
    let failed = take_claim(&failed, taking("C"), at(20)).unwrap().record;
    assert_eq!(failed.goods, [good("A", 0)]);
}

#[test]
fn a_live_claim_and_a_hold_refuse() {
    let claimed = take_claim(&record(), taking("C"), at(20)).unwrap().record;
    let refused = take_claim(&claimed, taking("D"), at(60)).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "`ci-4711` is writing to it until 2026-11-22T02:00:00Z (rollout, Ada)"
    );
    let kept = hold(&record(), held());
    let refused = take_claim(&kept, taking("C"), at(20)).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "it is held: audit week (Grace) until 2026-11-22 02:40 UTC"
    );
    let passing = Taking {
        pass_hold: PassHold::Yes,
        ..taking("C")
    };
    assert!(take_claim(&kept, passing, at(20)).is_ok());
    assert!(
        take_claim(&kept, taking("C"), at(100)).is_ok(),
        "it expired"
    );
}

#[test]
fn a_claim_that_was_left_open_is_taken_over_after_its_deadline_and_a_margin() {
    let claimed = take_claim(&record(), taking("C"), at(20)).unwrap().record;
    let just_before = at(60) + CLAIM_MARGIN;
    assert!(take_claim(&claimed, taking("D"), just_before).is_err());
    let later = just_before + SignedDuration::from_secs(1);
    let taken = take_claim(&claimed, taking("D"), later).unwrap();
    assert_eq!(taken.took_over, claimed.claim);
    let after = taken.record;
    assert_eq!(after.epoch, 4);
    assert_eq!(after.state, Outcome::Interrupted);
    assert_eq!(after.history[0].action, Action::TakeOver);
    assert_eq!(
        after.previous_good().map(|good| &good.digest),
        Some(&digest("B")),
        "a typed rollback goes back to what ran before the interrupted claim"
    );
}

#[test]
fn a_typed_rollback_of_a_tenant_that_is_being_moved_goes_back_to_what_it_is_moved_from() {
    let claimed = take_claim(&record(), taking("C"), at(20)).unwrap().record;
    assert_eq!(claimed.running().digest, Some(&digest("C")));
    assert_eq!(claimed.running().release, Some("commit-C"));
    assert_eq!(claimed.previous_good().unwrap().digest, digest("B"));
    let put_back = Claim {
        action: Action::Rollback,
        digest: Some(digest("B")),
        ..claimed.claim.clone().unwrap()
    };
    let put_back = TenantRecord {
        claim: Some(put_back),
        ..claimed
    };
    assert_eq!(put_back.running().digest, None);
    assert_eq!(put_back.previous_good().unwrap().digest, digest("B"));
}

#[test]
fn closing_a_claim_notes_who_went_where_and_how_it_ended() {
    let claimed = take_claim(&record(), taking("C"), at(20)).unwrap().record;
    let closed = close_claim(&claimed, closing(&claimed, Outcome::Succeeded)).unwrap();
    assert_eq!(closed.claim, None);
    assert_eq!(closed.digest, Some(digest("C")));
    assert_eq!(closed.rollout.as_deref(), Some("r-3"));
    assert_eq!(
        closed.history,
        [Entry {
            at: at(30),
            who: "Ada".to_owned(),
            why: "merge of !42".to_owned(),
            action: Action::Rollout,
            rollout: Some("r-3".to_owned()),
            from: Some(digest("B")),
            to: Some(digest("C")),
            release: Some("commit-C".to_owned()),
            outcome: Some(Outcome::Succeeded),
            because: None,
        }]
    );
    assert_eq!(closed.last_good().unwrap().digest, digest("B"));
    assert_eq!(closed.previous_good().unwrap().digest, digest("B"));
}

#[test]
fn who_lost_a_claim_can_neither_close_nor_renew_it() {
    let mine = take_claim(&record(), taking("C"), at(20)).unwrap().record;
    let claim = mine.claim.clone().unwrap();
    let theirs = Taking {
        holder: "laptop".to_owned(),
        ..taking("D")
    };
    let taken = take_claim(&mine, theirs, at(90)).unwrap().record;
    let lost = close_claim(&taken, closing(&mine, Outcome::Succeeded)).unwrap_err();
    assert_eq!(
        lost.to_string(),
        "the claim was taken over by `laptop` (epoch 4)"
    );
    assert!(renew_claim(&taken, &claim, (Vec::new(), at(120)), &failed(100)).is_err());
    let closed = close_claim(&mine, closing(&mine, Outcome::Failed)).unwrap();
    let lost = renew_claim(&closed, &claim, (Vec::new(), at(120)), &failed(100)).unwrap_err();
    assert_eq!(lost.to_string(), "the claim is closed");
}

fn failed(minute: i64) -> Turned {
    Turned {
        outcome: Outcome::Failed,
        at: at(minute),
    }
}

#[test]
fn a_claim_that_goes_back_notes_once_what_failed_and_what_it_came_back_from() {
    let claimed = take_claim(&record(), taking("C"), at(20)).unwrap().record;
    let back = Claim {
        action: Action::Rollback,
        digest: Some(digest("B")),
        release: Some("commit-B".to_owned()),
        because: Some("web crashes".to_owned()),
        ..claimed.claim.clone().unwrap()
    };
    let turn = |record: &TenantRecord, minute| {
        renew_claim(
            record,
            &back,
            (Vec::new(), at(minute + 40)),
            &failed(minute),
        )
        .unwrap()
    };
    let turned = turn(&claimed, 25);
    assert_eq!(
        turn(&turned, 26).history,
        turned.history,
        "the answer was lost"
    );
    let closed = close_claim(&turned, closing(&turned, Outcome::RolledBack)).unwrap();
    let told = |entry: &Entry| {
        let name = |digest: &Option<Digest>| digest.as_ref().map(ToString::to_string);
        (
            entry.action,
            entry.outcome,
            name(&entry.from),
            name(&entry.to),
            entry.reason(),
        )
    };
    let name = |letter: &str| Some(digest(letter).to_string());
    let why = "merge of !42: web crashes".to_owned();
    assert_eq!(
        closed.history.iter().map(told).collect::<Vec<_>>(),
        [
            (
                Action::Rollback,
                Some(Outcome::RolledBack),
                name("C"),
                name("B"),
                why.clone()
            ),
            (
                Action::Rollout,
                Some(Outcome::Failed),
                name("B"),
                name("C"),
                why
            ),
        ]
    );
    assert_eq!(closed.what_went_wrong(), Some("web crashes"));
    assert_eq!(hold(&closed, held()).what_went_wrong(), Some("web crashes"));
    let lengthy = Closing {
        because: Some("é".repeat(5_000)),
        ..closing(&turned, Outcome::RollbackFailed)
    };
    let lengthy = close_claim(&turned, lengthy).unwrap();
    assert_eq!(
        lengthy.what_went_wrong().map(str::len),
        Some(400 + "…".len())
    );

    let next = take_claim(&closed, taking("D"), at(90)).unwrap().record;
    assert_eq!(next.what_went_wrong(), None, "it is being mended");
    let next = close_claim(&next, closing(&next, Outcome::Succeeded)).unwrap();
    assert_eq!(next.what_went_wrong(), None);
    assert_eq!(next.history[0].from, Some(digest("B")));
}

#[test]
fn a_hold_survives_the_claim_that_runs_meanwhile() {
    let claimed = take_claim(&record(), taking("C"), at(20)).unwrap().record;
    let kept = hold(&claimed, held());
    let closed = close_claim(&kept, closing(&kept, Outcome::Succeeded)).unwrap();
    assert_eq!(closed.hold, Some(held()));
    let change = HoldChange {
        who: "Grace".to_owned(),
        why: "audit over".to_owned(),
        at: at(50),
    };
    let released = release_hold(&closed, change.clone()).unwrap();
    assert_eq!(released.hold, None);
    let actions: Vec<Action> = released.history.iter().map(|entry| entry.action).collect();
    assert_eq!(
        actions,
        [Action::ReleaseHold, Action::Rollout, Action::Hold]
    );
    assert_eq!(release_hold(&released, change), Err(Refused::NotHeld));
}

#[test]
fn history_and_goods_do_not_grow_without_end() {
    let mut record = record();
    for round in 0..200 {
        let minute = 100_000 * (round + 1);
        let taking = Taking {
            deadline: at(minute + 5),
            keep: Keep {
                releases: 3,
                days: 0,
            },
            soak: Soak::Passed,
            ..taking(&format!("v{round}"))
        };
        record = take_claim(&record, taking, at(minute)).unwrap().record;
        record = close_claim(&record, closing(&record, Outcome::Succeeded)).unwrap();
    }
    assert_eq!(record.history.len(), 60);
    assert_eq!(record.goods.len(), 3);
    let size = encode_tenant(&record, None).to_string().len();
    assert!(size < 64 * 1024, "{size}");
}

/// What only reaches held tenants moves nobody, however it ends.
fn refreshing() -> Taking {
    Taking {
        action: Action::Refresh,
        rollout: None,
        pass_hold: PassHold::Yes,
        digest: record().digest,
        ..taking("C")
    }
}

fn stands(record: &TenantRecord) -> (Outcome, Option<Digest>, Option<String>, Timestamp) {
    let TenantRecord {
        state,
        digest,
        release,
        since,
        ..
    } = record.clone();
    (state, digest, release, since)
}

#[test]
fn a_refresh_leaves_what_runs_as_it_is_when_it_ends_and_when_it_is_taken_over() {
    let held = hold(&record(), held());
    let taken = take_claim(&held, refreshing(), at(20)).unwrap().record;
    let claim = taken.claim.clone().unwrap();
    let refreshed = Refreshed {
        epoch: claim.epoch,
        holder: claim.holder,
        outcome: Outcome::Succeeded,
        because: None,
        inventory: taken.inventory.clone(),
        at: at(21),
    };
    let closed = close_refresh(&taken, refreshed.clone()).unwrap();
    assert_eq!(stands(&closed), stands(&held));
    assert_eq!(closed.claim, None);
    assert_eq!(closed.history[0].action, Action::Refresh);
    assert_eq!(close_refresh(&closed, refreshed).unwrap(), closed);

    let later = claim.deadline + CLAIM_MARGIN + SignedDuration::from_secs(1);
    let after = take_claim(&taken, refreshing(), later).unwrap();
    assert!(after.took_over.is_some());
    assert_eq!(stands(&after.record), stands(&held));
    assert_eq!(after.record.history[0].outcome, Some(Outcome::Interrupted));
    assert_eq!(after.record.last_move(), held.last_move());
}
