//! Hooks on record: noted under a claim, tidied up at its end, and what they bar.

use super::*;

fn run(number: u32) -> HookRun {
    HookRun {
        job: ObjectRef {
            api_version: "batch/v1".to_owned(),
            ..object("Job", &format!("migrate-{number}"))
        },
        key: format!("key-{number}"),
        rollout: Some("r-3".to_owned()),
        uid: None,
        since: at(20),
        is_irreversible: false,
        end: None,
    }
}

fn claimed() -> TenantRecord {
    take_claim(&record(), taking("C"), at(20)).unwrap().record
}

fn note(record: &TenantRecord, note: HookNote) -> TenantRecord {
    note_hook(record, record.claim.as_ref().unwrap(), "migrate", note).unwrap()
}

fn ran(record: &TenantRecord, number: u32, is_irreversible: bool) -> TenantRecord {
    let run = HookRun {
        is_irreversible,
        ..run(number)
    };
    let begun = note(record, HookNote::Begun(run));
    let uid = format!("u-{number}");
    let made = note(&begun, HookNote::Made { uid });
    let end = HookEnd::Succeeded;
    note(&made, HookNote::Ended { end, at: at(25) })
}

#[test]
fn a_job_that_is_to_be_made_is_in_claim_and_inventory_before() {
    let begun = note(&claimed(), HookNote::Begun(run(1)));
    let steps = &begun.claim.as_ref().unwrap().steps;
    assert!(steps.iter().any(|intent| intent.object == run(1).job));
    assert!(begun.inventory.contains(&run(1).job));
    assert!(!begun.ordinary().contains(&run(1).job));
    assert_eq!(begun.open_hook_jobs().count(), 1);
    let twice = note(&begun, HookNote::Begun(run(1)));
    assert_eq!(twice.hooks, begun.hooks);
}

#[test]
fn nobody_notes_anything_under_a_claim_that_is_not_his() {
    let mine = claimed();
    let taken = take_claim(&mine, taking("D"), at(100)).unwrap().record;
    let lost = note_hook(
        &taken,
        mine.claim.as_ref().unwrap(),
        "migrate",
        HookNote::Begun(run(1)),
    );
    assert!(lost.is_err());
}

#[test]
fn what_succeeded_is_remembered_and_the_jobs_of_the_last_two_runs_are_kept() {
    let mut record = claimed();
    for number in 1..=3 {
        record = ran(&record, number, false);
    }
    let hook = &record.hooks["migrate"];
    let success = hook.succeeded.as_ref().unwrap();
    assert_eq!(
        (success.key.as_str(), success.uid.as_str()),
        ("key-3", "u-3")
    );
    assert_eq!(hook.count, 3);
    let kept = record.kept_hook_jobs(|_| false);
    assert_eq!(kept, [run(3).job, run(2).job]);
    assert_eq!(record.kept_hook_jobs(|_| true), []);
    let closing = Closing {
        inventory: Inventory::default().union(&kept),
        ..closing(&record, Outcome::Succeeded)
    };
    let closed = close_claim(&record, closing).unwrap();
    assert_eq!(closed.hooks["migrate"].runs.len(), 2);
    let read = decode_tenant(&encode_tenant(&closed, None)).unwrap().value;
    assert_eq!(read, closed);
}

#[test]
fn a_hook_that_cannot_be_undone_bars_the_way_to_what_was_good_before_it_and_to_nothing_else() {
    let plain = ran(&claimed(), 1, false);
    assert_eq!(plain.bar(&good("A", 0)), None);
    let barred = ran(&plain, 2, true);
    assert_eq!(barred.bar(&good("A", 0)), Some(("migrate", at(25))));
    assert_eq!(barred.bar(&good("C", 30)), None);
    // Later runs of it that can be undone change nothing about that.
    let later = ran(&barred, 3, false);
    assert_eq!(later.bar(&good("A", 0)), Some(("migrate", at(25))));
}
