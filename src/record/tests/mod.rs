//! Records, through their `ConfigMap`s and back; what is refused; what a claim changes.

mod bundles;
mod claims;
mod forget;
mod hooks;
mod rollouts;
mod roster;

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::manifest::{Bundle, Digest, Manifest, ObjectRef, canonical_json};

use super::*;

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_795_309_200 + minute * 60).unwrap()
}

fn digest(name: &str) -> Digest {
    Digest::of_bundle(&[canonical_json(&json!({ "metadata": { "name": name } }))])
}

fn object(kind: &str, name: &str) -> ObjectRef {
    ObjectRef {
        api_version: "v1".to_owned(),
        kind: kind.to_owned(),
        namespace: Some("jp-carbone".to_owned()),
        name: name.to_owned(),
    }
}

fn written(uid: &str) -> Written {
    Written {
        created: false,
        uid: uid.to_owned(),
        digest: Digest::of_object(&json!({"metadata": {"name": uid}})),
        resource_version: "41".to_owned(),
        generation: Some(3),
        written_at: at(0),
        managed_fields_hash: "00112233445566778899".to_owned(),
        template_hash: None,
    }
}

fn good(name: &str, minute: i64) -> Good {
    Good {
        digest: digest(name),
        release: Some(format!("commit-{name}")),
        at: at(minute),
    }
}

/// A tenant that runs B since minute 10, soaked at 15, and ran A before.
fn record() -> TenantRecord {
    TenantRecord {
        environment: "production".to_owned(),
        tenant: "vault-carbone".to_owned(),
        cluster: "outscale-hds".to_owned(),
        namespace: "jp-carbone".to_owned(),
        class: "vault".to_owned(),
        state: Outcome::Succeeded,
        digest: Some(digest("B")),
        release: Some("commit-B".to_owned()),
        rollout: Some("r-2".to_owned()),
        since: at(10),
        good_from: Some(at(15)),
        hold: None,
        goods: vec![good("A", 0)],
        epoch: 2,
        claim: None,
        inventory: Inventory::new([Line {
            object: object("ConfigMap", "sites"),
            written: Some(written("u-1")),
        }]),
        hooks: std::collections::BTreeMap::new(),
        history: Vec::new(),
    }
}

fn taking(name: &str) -> Taking {
    Taking {
        holder: "ci-4711".to_owned(),
        who: "Ada".to_owned(),
        why: "merge of !42".to_owned(),
        because: None,
        action: Action::Rollout,
        rollout: Some("r-3".to_owned()),
        digest: Some(digest(name)),
        release: Some(format!("commit-{name}")),
        steps: vec![Intent {
            act: IntentAct::Apply,
            object: object("Service", "web"),
        }],
        deadline: at(60),
        pass_hold: PassHold::No,
        soak: Soak::ByClock,
        keep: Keep::default(),
    }
}

fn held() -> Hold {
    Hold {
        reason: "audit week".to_owned(),
        owner: "Grace".to_owned(),
        since: at(12),
        expires: Some(at(100)),
        digest: Some(digest("B")),
    }
}

fn closing(record: &TenantRecord, outcome: Outcome) -> Closing {
    let claim = record.claim.as_ref().unwrap();
    Closing {
        epoch: claim.epoch,
        holder: claim.holder.clone(),
        outcome,
        because: None,
        digest: claim.digest.clone(),
        release: claim.release.clone(),
        inventory: Inventory::default(),
        at: at(30),
        good_from: Some(at(35)),
    }
}

#[test]
fn a_full_record_reads_back_as_it_was_written() {
    let mut full = take_claim(&record(), taking("C"), at(20)).unwrap().record;
    full = hold(&full, held());
    let mut value = encode_tenant(&full, Some("77"));
    value["metadata"]["uid"] = "u-record".into();
    let stored = decode_tenant(&value).unwrap();
    assert_eq!(
        stored,
        Stored {
            value: full,
            uid: "u-record".to_owned(),
            resource_version: "77".to_owned(),
        }
    );
}

#[test]
fn a_record_is_the_parent_of_its_apply_set_and_can_be_filtered() {
    let value = encode_tenant(&record(), None);
    let metadata = &value["metadata"];
    assert_eq!(metadata["name"], "jp-carbone");
    assert_eq!(metadata["namespace"], NAMESPACE);
    assert_eq!(
        metadata["labels"],
        json!({
            "applyset.kubernetes.io/id": applyset_id("jp-carbone"),
            "escale.dev/class": "vault",
            "escale.dev/environment": "production",
            "escale.dev/record": "tenant",
            "escale.dev/state": "succeeded",
            "escale.dev/tenant": "vault-carbone",
        })
    );
    let annotations = &metadata["annotations"];
    assert_eq!(
        annotations["applyset.kubernetes.io/contains-group-kinds"],
        "ConfigMap"
    );
    assert_eq!(
        annotations["applyset.kubernetes.io/additional-namespaces"],
        "jp-carbone"
    );
}

#[test]
fn a_large_inventory_is_packed_and_a_small_one_stays_readable() {
    let mut large = record();
    for index in 0..200 {
        large.inventory.insert(Line {
            object: object("ConfigMap", &format!("sites-{index}")),
            written: Some(written("u")),
        });
    }
    let value = encode_tenant(&large, None);
    assert!(value["binaryData"]["inventory.zst"].is_string());
    assert_eq!(decode_tenant(&value).unwrap().value, large);
    assert!(encode_tenant(&record(), None)["data"]["inventory"].is_string());
}

/// What is said of a record after something in it was changed.
fn complaint(change: impl Fn(&mut Value)) -> String {
    let mut value = encode_tenant(&record(), None);
    change(&mut value);
    decode_tenant(&value).unwrap_err().to_string()
}

#[test]
fn a_corrupt_record_is_an_error_that_names_the_object_and_what_is_wrong() {
    let cannot = "record `jp-carbone` in namespace `escale-system` cannot be used: ";
    let cases: [(&str, Value, &str); 6] = [
        (
            "/data/inventory",
            json!("[{"),
            "its entry `inventory` does not read: EOF while parsing an object at line 1 column 2",
        ),
        (
            "/metadata/annotations/escale.dev~1digest",
            json!("b1:zz"),
            "its annotation `escale.dev/digest` is \"b1:zz\", not a digest",
        ),
        (
            "/metadata/annotations/escale.dev~1since",
            json!("yesterday"),
            "its annotation `escale.dev/since` is \"yesterday\", not a time",
        ),
        (
            "/metadata/annotations/escale.dev~1epoch",
            json!("many"),
            "its epoch \"many\" is not a number",
        ),
        (
            "/metadata/labels/escale.dev~1state",
            json!("fine"),
            "its state \"fine\" is not known",
        ),
        (
            "/metadata/labels/escale.dev~1record",
            json!("bundle"),
            "it is a `bundle` record, not a `tenant`",
        ),
    ];
    for (pointer, wrong, expected) in cases {
        let said = complaint(|value| *value.pointer_mut(pointer).unwrap() = wrong.clone());
        assert_eq!(said, format!("{cannot}{expected}"));
    }
    let said = complaint(|value| {
        value["data"].as_object_mut().unwrap().remove("claim");
    });
    assert_eq!(said, format!("{cannot}its entry `claim` is missing"));
}

#[test]
fn a_record_of_a_newer_program_is_refused() {
    let said = complaint(|value| {
        value["metadata"]["annotations"]["escale.dev/format"] = "2".into();
    });
    assert_eq!(
        said,
        "record `jp-carbone` in namespace `escale-system` has format 2, this program reads up to format 1"
    );
}

#[test]
fn a_packed_entry_that_explodes_is_refused() {
    let bomb = zstd::encode_all(&vec![b' '; 40 * 1024 * 1024][..], 3).unwrap();
    let said = complaint(|value| {
        value["data"].as_object_mut().unwrap().remove("inventory");
        let packed = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &bomb);
        value["binaryData"]["inventory.zst"] = packed.into();
    });
    assert!(said.contains("unpacks to more than"), "{said}");
}

prop_compose! {
    fn any_line()(
        kind in "[A-Z][a-z]{1,8}",
        name in "[a-z]([a-z0-9.-]{0,20}[a-z0-9])?",
        is_written in any::<bool>(),
        generation in proptest::option::of(1_i64..1_000),
        version in 1_u64..1_000_000,
    ) -> Line {
        let object = object(&kind, &name);
        let written = is_written.then(|| Written { generation, resource_version: version.to_string(), ..written(&name) });
        Line { object, written }
    }
}

prop_compose! {
    fn any_record()(
        lines in proptest::collection::vec(any_line(), 0..40),
        state in proptest::sample::select(Outcome::ALL.to_vec()),
        words in proptest::collection::vec("\\PC{0,30}", 3),
        epoch in 0..i64::MAX as u64,
        is_held in any::<bool>(),
        is_claimed in any::<bool>(),
        nanos in 0_i32..999_999_999,
    ) -> TenantRecord {
        let mut any = record();
        any.inventory = Inventory::new(lines);
        any.state = state;
        any.since = Timestamp::new(1_795_309_200, nanos).unwrap();
        any.release = Some(words[0].clone());
        if is_claimed {
            any = take_claim(&any, Taking { why: words[1].clone(), ..taking("C") }, at(20)).unwrap().record;
        }
        if is_held {
            any = hold(&any, Hold { reason: words[2].clone(), ..held() });
        }
        any.epoch = epoch;
        any
    }
}

proptest! {
    #[test]
    fn every_record_reads_back(record in any_record()) {
        let value = encode_tenant(&record, None);
        let sent: Value = serde_json::from_str(&value.to_string()).unwrap();
        prop_assert_eq!(decode_tenant(&sent).unwrap().value, record);
    }

    #[test]
    fn a_damaged_record_never_panics(text in "\\PC{0,60}", key in 0..4_usize) {
        let mut value = encode_tenant(&record(), None);
        let key = ["claim", "inventory", "goods", "history"][key];
        value["data"][key] = text.into();
        let _ = decode_tenant(&value);
    }
}
