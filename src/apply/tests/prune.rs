//! What is deleted, what is kept, and the brake.

use super::*;
use crate::fleet::config::{Brake, Limit};

/// What prune decides about one object that the bundle no longer has.
fn prune_of(live: Option<Live>, recorded: &Live, ask: &Ask) -> PruneDecision {
    let inventory = inventory_of(&[recorded], &[recorded.value()]);
    let kept = bundle([config("kept", "a")]).manifests()[0]
        .object()
        .clone();
    let prune = Prune {
        owner: &owner(),
        inventory: &inventory,
        wanted: &[kept],
        wanted_elsewhere: &BTreeSet::new(),
        live: &lives(live),
        ask,
    };
    let mut decisions = decide_prune(&prune);
    assert_eq!(decisions.len(), 1);
    decisions.remove(0)
}

fn kept(change: impl Fn(&mut Value)) -> KeepReason {
    let recorded = applied(&config("old", "a"));
    let mut value = recorded.value().clone();
    change(&mut value);
    let live = Live::from_value(value).unwrap();
    match prune_of(Some(live), &recorded, &Ask::default()) {
        PruneDecision::Keep { why, .. } => why,
        PruneDecision::Delete { .. } => panic!("it would be deleted"),
    }
}

#[test]
fn what_is_ours_and_unwanted_is_deleted_with_its_uid_and_version() {
    let live = applied(&config("old", "a"));
    assert_eq!(
        prune_of(Some(live.clone()), &live, &Ask::default()),
        PruneDecision::Delete {
            object: live.object().clone(),
            uid: live.uid().to_owned(),
            resource_version: "7".to_owned(),
        }
    );
}

#[test]
fn nothing_is_deleted_that_is_not_certainly_ours() {
    assert_eq!(
        kept(|value| {
            value["metadata"]["annotations"][OWNER].take();
        }),
        KeepReason::NotOurs
    );
    let copy = "production/vault-carbone//ConfigMap/jp-carbone/original";
    assert_eq!(
        kept(|value| value["metadata"]["annotations"][OWNER] = copy.into()),
        KeepReason::NotOurs,
        "a copy carries the mark of what it was copied from"
    );
    let staging = "staging/vault-carbone//ConfigMap/jp-carbone/old";
    assert_eq!(
        kept(|value| value["metadata"]["annotations"][OWNER] = staging.into()),
        KeepReason::NotOurs
    );
    assert_eq!(
        kept(|value| value["metadata"]["uid"] = "another".into()),
        KeepReason::Recreated
    );
    assert_eq!(
        kept(|value| value["metadata"]["ownerReferences"] = json!([{"kind": "Kafka"}])),
        KeepReason::HasOwner
    );
    assert_eq!(
        kept(|value| value["metadata"]["deletionTimestamp"] = "2026-11-22T01:00:00Z".into()),
        KeepReason::Terminating
    );
}

#[test]
fn annotations_of_other_tools_keep_an_object_too() {
    for (key, value) in [
        ("helm.sh/resource-policy", "keep"),
        (
            "argocd.argoproj.io/sync-options",
            "Validate=false,Prune=false",
        ),
        ("kustomize.toolkit.fluxcd.io/prune", "disabled"),
    ] {
        assert_eq!(
            kept(|live| live["metadata"]["annotations"][key] = value.into()),
            KeepReason::Annotated(key.to_owned())
        );
    }
}

#[test]
fn volume_claims_and_namespaces_go_only_if_a_person_names_them() {
    let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "namespace": NAMESPACE}});
    let live = applied(&claim);
    assert_eq!(
        prune_of(Some(live.clone()), &live, &Ask::default()),
        PruneDecision::Keep {
            object: live.object().clone(),
            why: KeepReason::MustBeAsked,
        }
    );
    let ask = Ask {
        allowed: BTreeSet::from(["PersistentVolumeClaim/data".to_owned()]),
    };
    let decision = prune_of(Some(live.clone()), &live, &ask);
    assert!(matches!(decision, PruneDecision::Delete { .. }));
    assert!(matches!(
        prune_of(None, &live, &ask),
        PruneDecision::Keep {
            why: KeepReason::Gone,
            ..
        }
    ));
}

#[test]
fn our_own_records_can_never_be_pruned() {
    let mut own = config("record", "a");
    own["metadata"]["namespace"] = "escale-system".into();
    let owner = Owner {
        namespace: "escale-system".to_owned(),
        ..owner()
    };
    let dressed = owner.dress(&manifest(own.clone()), Some("1")).into_value();
    let live = stored(apply_as(MANAGER, None, &dressed));
    let prune = Prune {
        owner: &owner,
        inventory: &inventory_of(&[&live], &[&own]),
        wanted: &[],
        wanted_elsewhere: &BTreeSet::new(),
        live: &lives([live.clone()]),
        ask: &Ask::default(),
    };
    assert_eq!(
        decide_prune(&prune),
        [PruneDecision::Keep {
            object: live.object().clone(),
            why: KeepReason::OutsideFence,
        }]
    );
}

#[test]
fn deletes_run_in_the_reverse_order_of_applying() {
    let namespace =
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
    let values = [
        namespace,
        config("a", ""),
        deployment("php:1"),
        autoscaler(),
    ];
    let lines = values.iter().map(|value| Line {
        object: manifest(value.clone()).object().clone(),
        written: None,
    });
    let names: Vec<String> = candidates(&Inventory::new(lines), [])
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        names,
        [
            "HorizontalPodAutoscaler/web",
            "Deployment/web",
            "ConfigMap/a",
            "Namespace/jp-carbone"
        ]
    );
}

#[test]
fn whatever_happens_every_object_that_may_exist_stays_known() {
    let name = |name: &str| manifest(config(name, "")).object().clone();
    let live = applied(&config("applied", "a"));
    let written = written(&live, &Digest::of_object(live.value()));
    let old = Line {
        object: name("refused"),
        written: written.clone(),
    };
    let before = Inventory::new(
        ["skipped", "deleted", "stuck", "gone", "asked", "untried"]
            .map(|it| Line {
                object: name(it),
                written: None,
            })
            .into_iter()
            .chain([old.clone()]),
    );
    let done = [
        (name("applied"), Done::Applied(written.clone())),
        (name("skipped"), Done::Skipped),
        (name("refused"), Done::NotApplied),
        (name("refused-new"), Done::NotApplied),
        (name("unheard-of"), Done::Unknown),
        (name("deleted"), Done::Deleted),
        (name("stuck"), Done::NotDeleted),
        (name("gone"), Done::Kept(KeepReason::Gone)),
        (name("asked"), Done::Kept(KeepReason::MustBeAsked)),
    ];
    let after = final_inventory(&before, &done);
    let names: Vec<&str> = after
        .lines()
        .map(|line| line.object.name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "applied",
            "asked",
            "refused",
            "skipped",
            "stuck",
            "unheard-of",
            "untried"
        ]
    );
    assert_eq!(after.find(&name("refused")), Some(&old));
    assert_eq!(after.find(&name("applied")).unwrap().written, written);
}

fn deletes(tenant: &str, objects: usize, has: usize) -> TenantDeletes {
    TenantDeletes {
        tenant: tenant.to_owned(),
        cluster: "gra".to_owned(),
        objects: (0..objects)
            .map(|index| manifest(config(&format!("c-{index}"), "")).object().clone())
            .collect(),
        has,
    }
}

fn brake(deletes: u32, of_tenant: u32, of_tenants: u32) -> Brake {
    Brake {
        deletes,
        of_tenant: Limit::percent(of_tenant),
        of_tenants: Limit::percent(of_tenants),
    }
}

/// What the brake says of these deletes in a fleet of a hundred.
fn stopped(brake: &Brake, deletes: &[TenantDeletes]) -> String {
    let error = check_brake(brake, 100, deletes, None).unwrap_err();
    error.to_string()
}

#[test]
fn the_brake_stops_mass_deletes_and_names_the_override_for_exactly_this_plan() {
    let brake = brake(5, 100, 100);
    let few = [deletes("a", 2, 15), deletes("b", 3, 15)];
    assert_eq!(check_brake(&brake, 100, &few, None), Ok(()));
    let many = [deletes("a", 2, 15), deletes("b", 4, 15)];
    let error = check_brake(&brake, 100, &many, None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the plan deletes 6 objects, more than the 5 of `brake.deletes`: nothing was written"
    );
    assert_eq!(error.hints()[0], "it deletes 4 of `b`, 2 of `a`");
    let token = error.hints()[1]
        .rsplit(' ')
        .next()
        .unwrap()
        .trim_end_matches('`');
    assert_eq!(check_brake(&brake, 100, &many, Some(token)), Ok(()));
    let others = [deletes("a", 2, 15), deletes("c", 4, 15)];
    assert!(check_brake(&brake, 100, &others, Some(token)).is_err());
}

#[test]
fn the_brake_stops_when_a_whole_tenant_would_go() {
    assert_eq!(
        stopped(&brake(50, 100, 100), &[deletes("a", 15, 15)]),
        "the plan deletes every object of tenant `a`: nothing was written"
    );
    assert_eq!(
        stopped(
            &brake(50, 100, 100),
            &[deletes("a", 1, 1), deletes("b", 1, 15), deletes("c", 2, 2)]
        ),
        "the plan deletes every object of 2 tenants, the first is `a`: nothing was written"
    );
}

#[test]
fn the_brake_stops_when_too_much_of_one_tenant_would_go() {
    let brake = brake(50, 30, 100);
    let fits = [deletes("a", 3, 10), deletes("b", 5, 15), deletes("c", 0, 0)];
    assert_eq!(check_brake(&brake, 100, &fits, None), Ok(()));
    assert_eq!(
        stopped(&brake, &[deletes("a", 3, 10), deletes("b", 6, 15)]),
        "the plan deletes more than the 30% of `brake.ofTenant` of the objects of tenant `b`: \
         nothing was written"
    );
}

#[test]
fn the_brake_stops_when_too_many_tenants_would_lose_something() {
    let brake = brake(50, 30, 2);
    let two = [
        deletes("a", 1, 15),
        deletes("b", 1, 15),
        deletes("c", 0, 15),
    ];
    assert_eq!(check_brake(&brake, 100, &two, None), Ok(()));
    let three = [
        deletes("a", 1, 15),
        deletes("b", 1, 15),
        deletes("c", 1, 15),
    ];
    assert_eq!(
        stopped(&brake, &three),
        "the plan deletes objects of 3 of 100 tenants, more than the 2% of `brake.ofTenants` (2): \
         nothing was written"
    );
}
