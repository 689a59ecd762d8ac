//! What is done next about a hook, by the record and by what was seen.

use super::*;
use crate::manifest::{HOOK, HOOK_KEY, Hook};
use crate::record::{HookEnd, HookRecord, HookRun, HookSuccess};

fn job(key: &str) -> Manifest {
    manifest(
        json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {
        "name": "migrate", "namespace": NAMESPACE, "annotations": {HOOK: "pre-rollout", HOOK_KEY: key}}}),
    )
}

fn hook(key: &str) -> Hook {
    Hook::of(&job(key)).unwrap().unwrap()
}

fn run(key: &str, number: u32, end: Option<HookEnd>) -> HookRun {
    let hook = hook(key);
    HookRun {
        job: ObjectRef {
            name: hook.job_name(number),
            ..hook.object
        },
        key: key.to_owned(),
        rollout: Some("r-1".to_owned()),
        uid: Some("u-1".to_owned()),
        since: now(),
        is_irreversible: false,
        end,
    }
}

fn known(runs: Vec<HookRun>, succeeded: Option<&str>) -> HookRecord {
    HookRecord {
        succeeded: succeeded.map(|key| HookSuccess {
            key: key.to_owned(),
            uid: "u-1".to_owned(),
            at: now(),
        }),
        irreversible: None,
        count: u32::try_from(runs.len()).unwrap(),
        runs,
    }
}

fn step(key: &str, known: &HookRecord, rollout: &str) -> HookStep {
    let terms = HookTerms {
        rollout: Some(rollout),
        now: now(),
    };
    hook_step(&hook(key), Some(known), terms)
}

fn failed() -> HookEnd {
    HookEnd::Failed {
        why: "it exited".to_owned(),
    }
}

#[test]
fn a_hook_runs_where_another_key_succeeded_last_and_nowhere_else() {
    let ran = known(vec![run("1", 1, Some(HookEnd::Succeeded))], Some("1"));
    assert_eq!(step("1", &ran, "r-2"), HookStep::Done);
    let HookStep::Begin(next) = step("2", &ran, "r-2") else {
        panic!("it runs")
    };
    assert_eq!(next.job.name, hook("2").job_name(2));
    assert_eq!(next.rollout.as_deref(), Some("r-2"));
}

#[test]
fn a_run_that_nobody_saw_end_comes_first_whatever_it_ran_for() {
    let open = run("1", 1, None);
    let both = known(vec![open.clone()], Some("2"));
    assert_eq!(step("1", &both, "r-2"), HookStep::Follow(open.clone()));
    assert_eq!(step("2", &both, "r-2"), HookStep::Follow(open.clone()));
    assert!(!is_done(&hook("2"), Some(&both)));
    let unmade = HookRun { uid: None, ..open };
    let noted = known(vec![unmade.clone()], None);
    assert_eq!(step("1", &noted, "r-2"), HookStep::Find(unmade));
}

#[test]
fn what_failed_is_tried_again_by_the_next_rollout_only() {
    let once = known(vec![run("1", 1, Some(failed()))], None);
    let why = "it exited".to_owned();
    assert_eq!(step("1", &once, "r-1"), HookStep::Failed { why });
    assert!(
        matches!(step("1", &once, "r-2"), HookStep::Begin(next) if next.job.name == hook("1").job_name(2))
    );
    // What was lost may be tried again at once: whether it failed nobody knows.
    let lost = known(vec![run("1", 1, Some(HookEnd::Lost))], None);
    assert!(matches!(step("1", &lost, "r-1"), HookStep::Begin(_)));
}

#[test]
fn a_job_is_ours_only_with_our_mark_and_the_key_of_the_run() {
    let run = run("1", 1, None);
    let made = hook_job(&job("1"), &run, &owner(), 7).into_value();
    let sight = |change: &dyn Fn(&mut Value)| {
        let mut value = made.clone();
        value["metadata"]["uid"] = "u-9".into();
        change(&mut value);
        job_sight(&run, Some(&Live::from_value(value).unwrap()), &owner())
    };
    let uid = "u-9".to_owned();
    assert_eq!(sight(&|_| {}), JobSight::Ours { uid });
    assert_eq!(job_sight(&run, None, &owner()), JobSight::NotThere);
    let is_foreign = |sight| matches!(sight, JobSight::NotOurs(_));
    assert!(is_foreign(sight(&|job| {
        job["metadata"]["annotations"][OWNER].take();
    })));
    assert!(is_foreign(sight(&|job| {
        job["metadata"]["annotations"][HOOK_KEY] = "2".into();
    })));
    assert!(is_foreign(sight(&|job| {
        let other = "production/other/batch/Job/jp-carbone/x";
        job["metadata"]["annotations"][OWNER] = other.into();
    })));
}

#[test]
fn hooks_are_no_objects_of_the_tenant() {
    let with_hook = bundle([config("a", "1"), job("1").into_value()]);
    let names: Vec<String> = with_hook.objects().map(ToString::to_string).collect();
    assert_eq!(names, ["ConfigMap/a"]);
    let wanted = Wanted {
        bundle: &with_hook,
        owner: &owner(),
        epoch: 1,
        secrets: OnSecrets::Apply,
    };
    let steps = plan_tenant(&wanted, None, &LiveObjects::new()).unwrap();
    assert_eq!(steps.steps.len(), 1);
    assert_eq!(with_hook.hooks(), [hook("1")]);
}
