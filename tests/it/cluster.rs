//! The room that talks to API servers, against simulated ones: what it asks, how often, and what it makes of answers.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use escale::cluster::{
    Apply, CallError, Cluster, Connection, Deletion, FieldConflict, Kind, Limits, Preconditions,
    Within,
};
use escale::engine::sweep::sweep;
use escale::engine::{Clock, Clusters, store, survey};
use escale::manifest::{Bundle, Digest, Live, Manifest, ObjectRef};
use escale::record::{
    ClusterRecord, Inventory, Outcome, PackedBundle, TenantRecord, encode_cluster, encode_tenant,
};
use escale::sim::{Fault, Options, RequestFaults, SimCluster};
use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::Instant;

/// The cluster is gone, for good.
const AWAY: Fault = Fault::Unreachable {
    from: Timestamp::UNIX_EPOCH,
    until: None,
};

/// Runs on a clock that jumps to the next timer whenever all wait.
fn simulated<F: Future>(test: impl FnOnce(SimCluster, Cluster) -> F) -> F::Output {
    simulated_with(Limits::default(), 7, test)
}

fn simulated_with<F: Future>(
    limits: Limits,
    seed: u64,
    test: impl FnOnce(SimCluster, Cluster) -> F,
) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let clock = Clock::starting_at("2026-11-22T01:00:00Z".parse().unwrap());
        let sim = SimCluster::new(Options {
            name: "gra".to_owned(),
            seed,
            clock: Arc::new(move || clock.now()),
            nodes: 3,
        });
        let cluster = Cluster::from_client("gra", sim.client(), limits);
        let namespace =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "jp"}});
        cluster
            .writer()
            .apply(&namespace, &Apply::default())
            .await
            .unwrap();
        cluster
            .writer()
            .ensure_namespace("escale-system")
            .await
            .unwrap();
        test(sim, cluster).await
    })
}

fn config(name: &str, text: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "jp", "labels": {"of": "test"}}, "data": {"text": text}})
}

fn object(value: &Value) -> ObjectRef {
    Live::from_value(value.clone()).unwrap().object().clone()
}

fn forced() -> Apply {
    Apply {
        force: true,
        ..Apply::default()
    }
}

fn as_kubectl() -> Apply {
    Apply {
        manager: "kubectl",
        ..forced()
    }
}

#[test]
fn an_applied_object_is_answered_as_stored_and_reads_back() {
    simulated(async |_, cluster| {
        let writer = cluster.writer();
        let wanted = config("a", "x");
        let before = cluster.requests();
        let live = writer.apply(&wanted, &Apply::default()).await.unwrap();
        assert!(!live.uid().is_empty());
        assert_eq!(
            live.value()["metadata"]["managedFields"][0]["manager"],
            "escale"
        );
        assert_eq!(writer.get(live.object()).await.unwrap(), Some(live.clone()));
        let missing = object(&config("b", ""));
        assert_eq!(writer.get(&missing).await.unwrap(), None);
        let after = cluster.requests();
        assert_eq!(after.writes - before.writes, 1);
        assert_eq!(after.reads - before.reads, 2, "the kinds are known already");
    });
}

#[test]
fn a_dry_run_changes_nothing() {
    simulated(async |sim, cluster| {
        sim.forget_requests();
        let wanted = config("a", "x");
        let reader = cluster.reader();
        let live = reader.dry_run(&wanted, &Apply::default()).await.unwrap();
        assert_eq!(live.value()["data"]["text"], "x");
        assert_eq!(reader.get(live.object()).await.unwrap(), None);
        assert_eq!(sim.requests().mutating().count(), 0);
        assert_eq!(cluster.requests().dry_runs, 1);
    });
}

#[test]
fn conflicts_name_the_fields_and_who_owns_them() {
    simulated(async |_, cluster| {
        let writer = cluster.writer();
        writer
            .apply(&config("a", "by hand"), &as_kubectl())
            .await
            .unwrap();
        let error = writer.apply(&config("a", "x"), &Apply::default()).await;
        assert_eq!(
            error.unwrap_err(),
            CallError::Conflicts(vec![FieldConflict {
                field: ".data.text".to_owned(),
                manager: "kubectl".to_owned(),
            }])
        );
        let live = writer.apply(&config("a", "x"), &forced()).await.unwrap();
        assert_eq!(live.value()["data"]["text"], "x");
    });
}

#[test]
fn a_stale_version_and_a_wrong_uid_are_refused_even_when_forced() {
    simulated(async |_, cluster| {
        let writer = cluster.writer();
        let first = writer.apply(&config("a", "1"), &forced()).await.unwrap();
        writer.apply(&config("a", "2"), &forced()).await.unwrap();
        let stale = Apply {
            resource_version: Some(first.resource_version().to_owned()),
            ..forced()
        };
        let error = writer.apply(&config("a", "3"), &stale).await.unwrap_err();
        assert!(matches!(error, CallError::Stale(_)), "{error:?}");
        let other = Apply {
            uid: Some("00000000-0000-0000-0000-000000000000".to_owned()),
            ..forced()
        };
        let error = writer.apply(&config("a", "3"), &other).await.unwrap_err();
        assert!(matches!(error, CallError::Stale(_)), "{error:?}");
    });
}

fn deployment(app: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "jp"},
        "spec": {"selector": {"matchLabels": {"app": app}},
            "template": {"metadata": {"labels": {"app": app}},
                "spec": {"containers": [{"name": "web", "image": "registry.example.com/web:1"}]}}}})
}

#[test]
fn mistakes_are_sorted_by_what_can_be_done_about_them_and_never_sent_twice() {
    simulated(async |sim, cluster| {
        let writer = cluster.writer();
        writer.apply(&deployment("a"), &forced()).await.unwrap();
        sim.forget_requests();
        let immutable = writer.apply(&deployment("b"), &forced()).await.unwrap_err();
        assert!(
            matches!(immutable, CallError::Immutable(_)),
            "{immutable:?}"
        );
        let mut unknown = config("a", "x");
        unknown["dota"] = json!({});
        let invalid = writer.apply(&unknown, &forced()).await.unwrap_err();
        assert!(matches!(invalid, CallError::Invalid(_)), "{invalid:?}");
        let mut nowhere = config("a", "x");
        nowhere["metadata"]["namespace"] = "nowhere".into();
        let gone = writer.apply(&nowhere, &forced()).await.unwrap_err();
        assert!(matches!(gone, CallError::Gone(_)), "{gone:?}");
        assert_eq!(sim.requests().mutating().count(), 3);
    });
}

#[test]
fn a_kind_that_is_not_served_is_told_after_asking_once_more() {
    simulated(async |_, cluster| {
        let kafka = json!({"apiVersion": "kafka.example.com/v1", "kind": "Kafka",
            "metadata": {"name": "k", "namespace": "jp"}});
        let error = cluster.writer().apply(&kafka, &forced()).await.unwrap_err();
        assert_eq!(
            error,
            CallError::NotServed("kafka.example.com/v1 Kafka".to_owned())
        );
    });
}

#[test]
fn a_list_of_many_pages_is_whole() {
    simulated(async |_, cluster| {
        let writer = cluster.writer();
        for index in 0..1_201 {
            let value = config(&format!("c-{index}"), "x");
            writer.apply(&value, &Apply::default()).await.unwrap();
        }
        let before = cluster.requests().reads;
        let kind = Kind::config_map();
        let all = writer
            .list(&kind, Within::Namespace("jp"), Some("of=test"))
            .await
            .unwrap();
        assert_eq!(all.len(), 1_201);
        assert_eq!(all[0].object().kind, "ConfigMap", "items know their kind");
        assert_eq!(cluster.requests().reads - before, 3);
        let none = writer
            .list(&kind, Within::Cluster, Some("of=other"))
            .await
            .unwrap();
        assert_eq!(none, []);
    });
}

#[test]
fn a_list_of_one_object_has_it_or_nothing() {
    simulated(async |_, cluster| {
        let writer = cluster.writer();
        for name in ["one", "other"] {
            let value = config(name, "x");
            writer.apply(&value, &Apply::default()).await.unwrap();
        }
        for (name, count) in [("other", 1), ("third", 0)] {
            let within = Within::Object {
                namespace: "jp",
                name,
            };
            let found = writer.list(&Kind::config_map(), within, None).await;
            let found = found.unwrap();
            assert_eq!(found.len(), count);
            assert!(found.iter().all(|live| live.object().name == name));
        }
    });
}

fn rough() -> RequestFaults {
    RequestFaults {
        latency: Duration::from_millis(5)..Duration::from_millis(50),
        cut: 0.06,
        too_many: 0.06,
        internal: 0.06,
        unavailable: 0.06,
        lost: 0.06,
    }
}

/// What a rough day leads to: requests as the cluster logged them, and what is stored.
fn rough_day(seed: u64) -> (String, Vec<String>) {
    let limits = Limits {
        seed,
        ..Limits::default()
    };
    simulated_with(limits, seed, async |sim, cluster| {
        sim.tell(Fault::Requests(rough()));
        let writer = cluster.writer();
        let thirty = (0..30).map(|index| {
            let writer = writer.clone();
            async move {
                let mut record = config(&format!("c-{index}"), "1");
                let created = writer.create(&record).await.unwrap();
                record["metadata"]["resourceVersion"] =
                    created["metadata"]["resourceVersion"].clone();
                record["data"]["text"] = "2".into();
                writer.replace(&record).await.unwrap();
                let applied = json!({"apiVersion": "v1", "kind": "ConfigMap",
                    "metadata": {"name": format!("c-{index}"), "namespace": "jp"}, "data": {"more": "3"}});
                writer.apply(&applied, &Apply::default()).await.unwrap();
            }
        });
        futures::future::join_all(thirty).await;
        let stored = sim.objects("configmaps");
        let texts = stored
            .iter()
            .filter(|value| value["metadata"]["labels"]["of"] == "test");
        let texts = texts.map(|value| value["data"].to_string()).collect();
        (format!("{:?}", sim.requests()), texts)
    })
}

#[test]
fn writes_get_through_on_a_rough_day_each_exactly_once() {
    let (_, stored) = rough_day(11);
    let expected = r#"{"more":"3","text":"2"}"#;
    let other: Vec<&String> = stored.iter().filter(|data| *data != expected).collect();
    assert_eq!((stored.len(), other), (30, Vec::new()));
}

#[test]
fn the_same_seed_asks_the_same_at_the_same_times() {
    assert_eq!(rough_day(3), rough_day(3));
    assert_ne!(rough_day(3).0, rough_day(4).0);
}

/// How a read ends on a cluster that is always so, and after how long.
fn read_when(faults: RequestFaults, limits: Limits) -> (CallError, Duration, u64) {
    simulated_with(limits, 1, async |sim, cluster| {
        sim.tell(Fault::Requests(faults));
        let begun = Instant::now();
        let before = cluster.requests().reads;
        let error = cluster.reader().config_map("jp", "a").await.unwrap_err();
        (error, begun.elapsed(), cluster.requests().reads - before)
    })
}

#[test]
fn nobody_is_waited_for_longer_than_the_limits_say() {
    let limits = Limits {
        attempt: Duration::from_secs(2),
        call: Duration::from_secs(10),
        ..Limits::default()
    };
    let busy = RequestFaults {
        too_many: 1.0,
        ..RequestFaults::default()
    };
    let (error, elapsed, attempts) = read_when(busy, limits);
    assert!(matches!(error, CallError::Unreachable(_)), "{error:?}");
    assert!(elapsed <= limits.call, "{elapsed:?}");
    assert!(
        (8..=10).contains(&attempts),
        "`Retry-After: 1` is obeyed: {attempts}"
    );
    let slow = RequestFaults {
        latency: Duration::from_mins(1)..Duration::from_mins(2),
        ..RequestFaults::default()
    };
    let (error, elapsed, _) = read_when(slow, limits);
    let said = error.to_string();
    assert!(
        said.starts_with("it cannot be reached: no answer within "),
        "{said}"
    );
    assert!(elapsed <= limits.call, "{elapsed:?}");
}

#[test]
fn who_never_answered_or_was_given_up_is_not_waited_for_long() {
    simulated(async |sim, known| {
        let limits = Limits::default();
        let unknown = Cluster::from_client("gra", sim.client(), limits);
        let waited = async |cluster: &Cluster| {
            let begun = Instant::now();
            cluster.identity().await.unwrap_err();
            begun.elapsed()
        };
        sim.tell(AWAY);
        assert!(waited(&unknown).await <= limits.first_answer);
        let until_given_up = waited(&known).await;
        assert!(
            limits.first_answer * 2 < until_given_up,
            "{until_given_up:?}"
        );
        assert!(waited(&known).await <= limits.first_answer);

        sim.tell(Fault::Nothing);
        unknown.identity().await.unwrap();
        sim.tell(AWAY);
        assert!(limits.first_answer * 2 < waited(&unknown).await);
    });
}

#[test]
fn a_write_does_not_outlive_its_claim() {
    simulated(async |sim, cluster| {
        sim.tell(Fault::Requests(RequestFaults {
            cut: 1.0,
            ..RequestFaults::default()
        }));
        let begun = Instant::now();
        let apply = Apply {
            timeout: Some(Duration::from_secs(3)),
            ..forced()
        };
        let error = cluster.writer().apply(&config("a", "x"), &apply).await;
        assert!(matches!(error, Err(CallError::Unreachable(_))), "{error:?}");
        assert!(begun.elapsed() <= Duration::from_secs(3));
    });
}

#[test]
fn a_cluster_that_is_away_is_told_with_a_hint() {
    simulated(async |sim, cluster| {
        sim.tell(AWAY);
        let error = cluster.identity().await.unwrap_err();
        assert!(error.is_of_the_cluster());
        let advice = error.advise("gra");
        assert!(
            advice
                .to_string()
                .starts_with("cluster `gra`: it cannot be reached: "),
            "{advice}"
        );
        assert_eq!(advice.hints().len(), 1);
    });
}

#[test]
fn expired_credentials_are_told_at_once() {
    simulated(async |sim, cluster| {
        sim.tell(Fault::Unauthorized);
        let begun = Instant::now();
        let before = cluster.requests().reads;
        let error = cluster.identity().await.unwrap_err();
        assert_eq!(
            error.advise("gra").to_string(),
            "cluster `gra`: it does not accept our credentials: Unauthorized"
        );
        assert_eq!(cluster.requests().reads - before, 1);
        assert_eq!(begun.elapsed(), Duration::ZERO);
    });
}

#[test]
fn no_more_requests_are_in_flight_than_the_limit() {
    let limits = Limits {
        max_requests: 4,
        ..Limits::default()
    };
    simulated_with(limits, 1, async |sim, cluster| {
        let each = Duration::from_millis(100);
        sim.tell(Fault::Requests(RequestFaults {
            latency: each..each,
            ..RequestFaults::default()
        }));
        let begun = Instant::now();
        let reader = cluster.reader();
        let reads = (0..40).map(|_| reader.config_map("jp", "a"));
        futures::future::join_all(reads).await;
        assert!(each * 10 <= begun.elapsed(), "{:?}", begun.elapsed());
    });
}

#[test]
fn of_two_who_create_or_change_a_record_one_wins() {
    simulated(async |_, cluster| {
        let writer = cluster.writer();
        let mut mine = config("record", "mine");
        let stored = writer.create(&mine).await.unwrap();
        let theirs = config("record", "theirs");
        let error = writer.create(&theirs).await.unwrap_err();
        assert!(matches!(error, CallError::Exists(_)), "{error:?}");
        mine["metadata"]["resourceVersion"] = stored["metadata"]["resourceVersion"].clone();
        let mut other = mine.clone();
        other["data"]["text"] = "changed by another".into();
        writer.replace(&other).await.unwrap();
        mine["data"]["text"] = "changed by me".into();
        let error = writer.replace(&mine).await.unwrap_err();
        assert!(matches!(error, CallError::Stale(_)), "{error:?}");
    });
}

#[test]
fn only_the_object_that_was_meant_is_deleted() {
    simulated(async |_, cluster| {
        let writer = cluster.writer();
        let live = writer.apply(&config("a", "x"), &forced()).await.unwrap();
        let meant = |uid: &str, version: &str| Preconditions {
            uid: uid.to_owned(),
            resource_version: Some(version.to_owned()),
        };
        for wrong in [
            meant("another", live.resource_version()),
            meant(live.uid(), "1"),
        ] {
            let error = writer
                .delete(live.object(), &wrong, None)
                .await
                .unwrap_err();
            assert!(matches!(error, CallError::Stale(_)), "{error:?}");
        }
        let right = meant(live.uid(), live.resource_version());
        let deleted = writer.delete(live.object(), &right, None).await;
        assert_eq!(deleted, Ok(Deletion::Gone));
        let again = writer.delete(live.object(), &right, None).await;
        assert!(matches!(again, Err(CallError::Gone(_))), "{again:?}");
    });
}

#[test]
fn a_delete_that_finalizers_hold_up_is_not_done() {
    simulated(async |_, cluster| {
        let writer = cluster.writer();
        let mut wanted = config("a", "x");
        wanted["metadata"]["finalizers"] = json!(["example.com/wait"]);
        let live = writer.apply(&wanted, &forced()).await.unwrap();
        let meant = Preconditions {
            uid: live.uid().to_owned(),
            resource_version: None,
        };
        let deleted = writer.delete(live.object(), &meant, None).await;
        assert_eq!(deleted, Ok(Deletion::Waiting));
        assert!(
            writer
                .get(live.object())
                .await
                .unwrap()
                .unwrap()
                .is_terminating()
        );
    });
}

#[test]
fn a_context_that_answers_as_another_cluster_is_refused() {
    simulated(async |_, cluster| {
        let clusters = Clusters::new(
            Some("gra".to_owned()),
            [("gra".to_owned(), cluster.clone())].into(),
        );
        let now: Timestamp = "2026-11-22T01:00:00Z".parse().unwrap();
        let identity = cluster.identity().await.unwrap();
        let surveyed = survey(&clusters, "production", now).await.unwrap();
        assert_eq!(
            surveyed.newcomers,
            [("gra".to_owned(), identity.clone())].into()
        );
        let noted = ClusterRecord {
            cluster: "gra".to_owned(),
            uid: "another".to_owned(),
            since: now,
        };
        let writer = cluster.writer();
        writer.create(&encode_cluster(&noted, None)).await.unwrap();
        let error = survey(&clusters, "production", now).await.err().unwrap();
        assert_eq!(
            error.to_string(),
            format!(
                "the context of cluster `gra` answers as another cluster: its `kube-system` has uid {identity}, recorded on 2026-11-22T01:00:00Z is another"
            )
        );
    });
}

fn stored_bundle(text: &str) -> Bundle {
    let manifest = Manifest::from_value(config("a", text)).unwrap();
    Bundle::new(vec![manifest]).unwrap()
}

fn record_of(digest: &Digest) -> TenantRecord {
    TenantRecord {
        environment: "production".to_owned(),
        tenant: "jp".to_owned(),
        cluster: "gra".to_owned(),
        namespace: "jp".to_owned(),
        class: "shared".to_owned(),
        state: Outcome::Succeeded,
        digest: Some(digest.clone()),
        release: None,
        rollout: None,
        since: Timestamp::UNIX_EPOCH,
        good_from: None,
        hold: None,
        goods: Vec::new(),
        epoch: 1,
        claim: None,
        inventory: Inventory::default(),
        hooks: std::collections::BTreeMap::new(),
        history: Vec::new(),
    }
}

#[test]
fn bundles_that_no_record_names_are_swept_after_a_day_unless_a_record_cannot_be_read() {
    simulated(async |sim, cluster| {
        let writer = cluster.writer();
        let (running, old) = (stored_bundle("running"), stored_bundle("old"));
        for bundle in [&running, &old] {
            store::put_bundle(&writer, &PackedBundle::of(bundle))
                .await
                .unwrap();
        }
        let record = encode_tenant(&record_of(&running.digest()), None);
        writer.create(&record).await.unwrap();
        let names = || {
            let parts = sim.objects("configmaps").into_iter();
            let parts = parts.filter(|part| part["immutable"] == true);
            parts
                .map(|part| part["metadata"]["name"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        let begun: Timestamp = "2026-11-22T01:00:00Z".parse().unwrap();
        let hours = |hours| begun + jiff::SignedDuration::from_hours(hours);
        assert_eq!(sweep(&cluster, hours(23)).await, Ok(0), "it is too young");
        let mut damaged = record.clone();
        damaged["metadata"]["name"] = "other".into();
        damaged["data"]["claim"] = "{".into();
        writer.create(&damaged).await.unwrap();
        assert_eq!(sweep(&cluster, hours(25)).await, Ok(0), "it may name any");
        assert_eq!(names().len(), 2);
        sim.edit("configmaps", (Some("escale-system"), "other"), |record| {
            record["data"]["claim"] = "null".into();
        })
        .unwrap();
        assert_eq!(sweep(&cluster, hours(25)).await, Ok(1));
        assert_eq!(names(), [format!("{}.0", running.digest().as_name())]);
    });
}

/// A kubeconfig with one context, `ovh-gra`, whose server nobody listens at.
fn kubeconfig(folder: &TempDir) -> Connection {
    let path = folder.path().join("kubeconfig");
    let content = json!({"apiVersion": "v1", "kind": "Config", "current-context": "ovh-gra",
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "ovh-gra", "context": {"cluster": "c", "user": "u"}}]});
    std::fs::write(&path, content.to_string()).unwrap();
    Connection {
        name: "gra".to_owned(),
        context: "ovh-gra".to_owned(),
        kubeconfig: Some(path),
        proxy: None,
        no_proxy: Some("*".to_owned()),
    }
}

fn in_real_time<F: Future>(test: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(test)
}

#[test]
fn a_context_must_be_named_and_be_there() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |connection: &Connection| {
        let connected = in_real_time(Cluster::connect(connection, Limits::default()));
        connected.err().expect("a refusal")
    };
    let mut connection = kubeconfig(&folder);
    connection.context = "ovh-gar".to_owned();
    let error = refused(&connection);
    assert_eq!(
        error.to_string(),
        "cluster `gra`: the kubeconfig has no context `ovh-gar`"
    );
    assert_eq!(error.hints(), ["did you mean `ovh-gra`?"]);
    connection.context = String::new();
    let error = refused(&connection);
    assert_eq!(
        error.hints(),
        ["it has: ovh-gra"],
        "the current one is not taken"
    );
    connection.kubeconfig = Some("/nowhere/kubeconfig".into());
    let error = refused(&connection).to_string();
    assert!(error.contains("the kubeconfig cannot be read"), "{error}");
}

#[test]
fn nobody_at_the_address_is_told_by_its_cause() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits {
        call: Duration::from_millis(300),
        ..Limits::default()
    };
    let error = in_real_time(async {
        let connection = kubeconfig(&folder);
        let cluster = Cluster::connect(&connection, limits).await.unwrap();
        cluster.identity().await.unwrap_err()
    });
    assert_eq!(
        error.to_string(),
        "it cannot be reached: Connection refused (os error 111)"
    );
}
