//! Records, through their `ConfigMap`s and back; what is refused; what a claim changes.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::manifest::{Bundle, Digest, Manifest, ObjectRef};

use super::*;

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_795_309_200 + minute * 60).unwrap()
}

fn digest(name: &str) -> Digest {
    Digest::of_bundle([json!({ "metadata": { "name": name } })].iter())
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
        uid: uid.to_owned(),
        digest: Digest::of_object(&json!({"metadata": {"name": uid}})),
        resource_version: "41".to_owned(),
        generation: Some(3),
        written_at: at(0),
        managed_fields_hash: "00112233445566778899".to_owned(),
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
        history: Vec::new(),
    }
}

fn taking(name: &str) -> Taking {
    Taking {
        holder: "ci-4711".to_owned(),
        who: "Ada".to_owned(),
        why: "merge of !42".to_owned(),
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
    assert!(renew_claim(&taken, &claim, Vec::new(), at(120)).is_err());
    let closed = close_claim(&mine, closing(&mine, Outcome::Failed)).unwrap();
    let lost = renew_claim(&closed, &claim, Vec::new(), at(120)).unwrap_err();
    assert_eq!(lost.to_string(), "the claim is closed");
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

fn bundle(objects: usize, filling: &str) -> Bundle {
    let manifests = (0..objects).map(|index| {
        let value = json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": format!("c-{index}"), "namespace": "jp-carbone"},
            "data": {"text": format!("{filling}{index}")}});
        Manifest::from_value(value).unwrap()
    });
    Bundle::new(manifests.collect()).unwrap()
}

#[test]
fn a_bundle_is_one_immutable_part_named_by_its_digest() {
    let bundle = bundle(3, "x");
    let packed = PackedBundle::of(&bundle);
    assert_eq!(*packed.digest(), bundle.digest());
    assert!(packed.objects().iter().eq(bundle.objects()));
    let parts = packed.parts();
    assert_eq!(parts.len(), 1);
    let name = format!("{}.0", bundle.digest().as_name());
    assert_eq!(parts[0]["metadata"]["name"], name);
    assert_eq!(parts[0]["immutable"], true);
    let read = decode_bundle(packed.digest(), &parts).unwrap();
    assert_eq!(read, packed);
    assert_eq!(read.unpack(), bundle);
}

/// Text that does not pack well.
fn noise(bytes: usize) -> String {
    let mut reader = blake3::Hasher::new().finalize_xof();
    let mut noise = vec![0; bytes / 2];
    reader.fill(&mut noise);
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap();
    noise
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

#[test]
fn an_enormous_bundle_is_cut_into_parts_and_put_together_in_any_order() {
    let bundle = bundle(1, &noise(3_200_000));
    let packed = PackedBundle::of(&bundle);
    let mut parts = packed.parts();
    assert!(1 < parts.len(), "{}", parts.len());
    for part in &parts {
        let size = part["binaryData"]["bundle"].as_str().unwrap().len();
        assert!(size < 1024 * 1024, "{size}");
    }
    parts.reverse();
    assert_eq!(decode_bundle(packed.digest(), &parts).unwrap(), packed);
    parts.pop();
    let missing = decode_bundle(packed.digest(), &parts).unwrap_err();
    assert!(missing.to_string().ends_with(".0` is missing"), "{missing}");
}

#[test]
fn a_bundle_that_is_not_what_its_name_says_is_refused() {
    let other = PackedBundle::of(&bundle(2, "evil"));
    let wanted = bundle(2, "x").digest();
    let mut parts = other.parts();
    parts[0]["metadata"]["name"] = format!("{}.0", wanted.as_name()).into();
    let error = decode_bundle(&wanted, &parts).unwrap_err().to_string();
    assert_eq!(
        error,
        format!(
            "bundle `{wanted}` cannot be used: its content has the digest `{}`",
            other.digest()
        )
    );
    parts[0]["binaryData"]["bundle"] = "AAAA".into();
    let error = decode_bundle(&wanted, &parts).unwrap_err().to_string();
    assert!(error.contains("does not unpack"), "{error}");
}

#[test]
fn parts_are_collected_only_when_old_and_named_by_no_record() {
    let part = |name: &str, minute: i64| StoredPart {
        name: format!("{}.0", digest(name).as_name()),
        bundle: digest(name),
        created: at(minute),
    };
    let mut claimed = take_claim(&record(), taking("C"), at(20)).unwrap().record;
    claimed.hold = Some(Hold {
        digest: Some(digest("H")),
        ..held()
    });
    let parts = ["A", "B", "C", "H", "old"].map(|name| part(name, 0));
    let now = at(24 * 60 + 1);
    let unreferenced = unreferenced_parts(&parts, [&claimed], now);
    assert_eq!(unreferenced, [part("old", 0).name]);
    assert!(unreferenced_parts(&[part("young", 2)], [&claimed], now).is_empty());
    assert_eq!(
        bundles_to_keep(&claimed),
        BTreeSet::from(["A", "B", "C", "H"].map(digest))
    );
}

#[test]
fn a_part_tells_its_bundle_by_its_name() {
    let name = &part_names(&digest("A"), 2)[1];
    assert_eq!(bundle_of_part(name), Some(digest("A")));
    assert_eq!(bundle_of_part("b1-4f2a.0"), None);
    assert_eq!(bundle_of_part("kube-root-ca.crt"), None);
}

fn rollout() -> RolloutRecord {
    RolloutRecord {
        id: "2026-11-22-0142".to_owned(),
        environment: "production".to_owned(),
        release: Some("4f2a".to_owned()),
        strategy: "normal".to_owned(),
        created: at(0),
        by: "Ada".to_owned(),
        why: "merge of !42".to_owned(),
        state: RolloutState::Running,
        reason: None,
        since: at(1),
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
            from: Some(digest("B")),
            back_to: Some(digest("A")),
            outcome: None,
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

fn word(verb: Verb, scope: Scope, minute: i64) -> Word {
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
