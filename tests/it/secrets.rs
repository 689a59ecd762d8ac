//! Secrets by reference on simulated clusters: values reach the Secret and nothing else, are read only for what changed,
//! and stay where they are on a way back.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use escale::apply::OnSecrets;
use escale::cluster::Preconditions;
use escale::diff::ChangeKind;
use escale::engine::{self, Carried, Ending, Heard, Records, RollbackOrder, World};
use escale::manifest::ObjectRef;
use escale::record::Outcome;
use escale::rollout;
use escale::secret::Secrets;
use escale::sim::SimCluster;
use serde_json::Value;

use crate::scene::{Release, STRATEGY, Scene, files, outcome, simulated};

/// Found in the Secret and nowhere else.
const CANARY: &str = "canary-in-a-secret";

/// A folder with values, and a scene whose tenants refer to it.
struct Safe {
    scene: Scene,
    folder: tempfile::TempDir,
    /// Of the Secret, as a template spells them.
    annotations: String,
}

impl Safe {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut scene = Scene::of(0, ["east", "hub", "west"], "hub", files(STRATEGY));
        let environment = format!(
            "apiVersion: escale.dev/v1alpha1\nkind: Environment\nmetadata: {{name: test}}\n\
             spec: {{records: {{hub: hub}}, defaults: {{bundle: site}}, secrets: {{files: \"{}\"}}}}\n",
            folder.path().display()
        );
        let path = "environments/test/environment.yaml";
        scene.files.insert(path.to_owned(), environment);
        Self {
            scene,
            folder,
            annotations: String::new(),
        }
    }

    fn put(&self, name: &str, value: &str) {
        let text = format!("{{\"password\": \"{value}\"}}");
        fs::write(self.folder.path().join(name), text).expect("a file");
    }

    /// A release whose Secret takes its password from a file.
    fn release(&mut self, id: &str, image: &str, file: &str) -> Release {
        self.release_with(id, image, &format!("'file:{file}#password'"))
    }

    fn release_with(&mut self, id: &str, image: &str, reference: &str) -> Release {
        let annotations = &self.annotations;
        let text = format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{{annotations}name: db}}\n\
             stringData: {{user: app, password: \"{{{{ secret({reference}) }}}}\"}}\n"
        );
        let path = "templates/site/secret.yaml.j2";
        self.scene.files.insert(path.to_owned(), text);
        self.scene.release(id, image)
    }

    /// What a process reads with: it keeps what it read.
    fn secrets(&self, release: &Release) -> Secrets {
        let allowed = release.fleet.environment.spec.secrets.clone();
        Secrets::of(allowed, Box::new(|_| anyhow::bail!("there is no git here")))
    }

    async fn roll_out(&self, release: &Release) -> Carried {
        let mut deaf = |_: Heard<'_>| {};
        let world = World {
            secrets: self.secrets(release),
            ..self.scene.world(&mut deaf)
        };
        let carried = engine::roll_out(&release.order("job 1"), world).await;
        carried.expect("the clusters answer")
    }

    async fn roll_back(&self, release: &Release, tenant: &str, secrets: OnSecrets) {
        let order = self.scene.rollback_order(tenant, "ana").await;
        let order = RollbackOrder {
            secrets,
            hold_until: None,
            ..order.expect("it has a record, and where to go")
        };
        let mut deaf = |_: Heard<'_>| {};
        let world = World {
            secrets: self.secrets(release),
            ..self.scene.world(&mut deaf)
        };
        let ended = engine::roll_back(order, world)
            .await
            .expect("the clusters answer");
        assert!(matches!(
            ended.ending,
            Ending::Finished {
                outcome: rollout::Outcome::Succeeded,
                ..
            }
        ));
    }

    fn forget(&self, name: &str) {
        fs::remove_file(self.folder.path().join(name)).expect("it is there");
    }

    /// What the Secret of a tenant holds, if it is there.
    fn password(&self, tenant: &str) -> Option<String> {
        let mut sims = self.scene.sims.values();
        let secret = sims.find_map(|sim| sim.object("secrets", Some(tenant), "db"))?;
        let data = STANDARD.decode(secret["data"]["password"].as_str()?);
        Some(String::from_utf8(data.expect("base64")).expect("text"))
    }

    /// Everything that all clusters hold but for Secrets.
    fn everything_else(&self) -> String {
        let saved = self.scene.sims.values().map(SimCluster::save);
        let objects = saved.flat_map(|saved| saved["objects"].as_array().expect("a list").clone());
        let others = objects.filter(|saved| saved["object"]["kind"] != "Secret");
        others.map(|saved| saved.to_string()).collect()
    }

    fn edit_secret(&self, tenant: &str, change: impl FnOnce(&mut Value)) {
        let sim = &self.scene.sims[cluster_of(tenant)];
        sim.edit("secrets", (Some(tenant), "db"), change)
            .expect("it is there");
    }

    async fn lose_secret(&self, tenant: &str) {
        let object = ObjectRef {
            api_version: "v1".to_owned(),
            kind: "Secret".to_owned(),
            namespace: Some(tenant.to_owned()),
            name: "db".to_owned(),
        };
        let writer = self
            .scene
            .clusters
            .get(cluster_of(tenant))
            .expect("the clusters answer")
            .writer();
        let live = writer
            .get(&object)
            .await
            .expect("the clusters answer")
            .expect("it is there");
        let meant = Preconditions {
            uid: live.uid().to_owned(),
            resource_version: None,
        };
        writer
            .delete(&object, &meant, None)
            .await
            .expect("the clusters answer");
    }

    fn in_secrets(&self) -> usize {
        let tenants = (0..6).filter_map(|number| self.password(&format!("t{number}")));
        tenants.filter(|found| found == CANARY).count()
    }
}

/// Tenants are on two clusters in turn.
fn cluster_of(tenant: &str) -> &'static str {
    let number: usize = tenant[1..].parse().expect("a number");
    ["east", "west"][number % 2]
}

fn simulated_safe<F: Future<Output = ()>>(test: impl FnOnce(Safe) -> F) {
    simulated(|_| test(Safe::new()));
}

/// All tenants run a first release with the first value, a second value waits to be rolled out, and the soak is over.
async fn before_a_rotation(safe: &mut Safe) {
    safe.put("one", "first");
    safe.put("two", "second");
    let first = safe.release("aaaa", "1", "one");
    safe.roll_out(&first).await;
    safe.scene.pass(30).await;
}

#[test]
fn a_value_reaches_the_secret_and_nothing_else() {
    simulated_safe(|mut safe| async move {
        safe.put("one", CANARY);
        let release = safe.release("aaaa", "1", "one");
        let mut heard: Vec<String> = Vec::new();
        let mut hear = |told: Heard<'_>| {
            if let Heard::Event {
                event, progress, ..
            } = told
            {
                heard.push(format!("{event:?} {progress:?}"));
            }
        };
        let world = World {
            secrets: safe.secrets(&release),
            ..safe.scene.world(&mut hear)
        };
        let carried = engine::roll_out(&release.order("job 1"), world).await;
        assert_eq!(
            outcome(&carried.unwrap()),
            Some(rollout::Outcome::Succeeded)
        );
        assert_eq!(safe.in_secrets(), 6);

        let encoded = STANDARD.encode(CANARY);
        let bundles = release.bundles.values().flatten();
        let bundles: String = bundles
            .flat_map(|bundle| bundle.unpack().canonical())
            .map(|bytes| String::from_utf8(bytes).expect("JSON"))
            .collect();
        assert!(bundles.contains("escale-secret:v1:unversioned:file:one#password"));
        let else_where = safe.everything_else();
        assert!(
            else_where.contains("escale.dev"),
            "records are looked through"
        );
        for text in [&heard.concat(), &bundles, &else_where] {
            assert!(!text.contains(CANARY) && !text.contains(&encoded));
        }
    });
}

#[test]
fn values_are_read_only_for_what_changed() {
    simulated_safe(|mut safe| async move {
        safe.put("one", CANARY);
        let first = safe.release("aaaa", "1", "one");
        safe.roll_out(&first).await;
        safe.forget("one");
        let second = safe.release("bbbb", "2", "one");
        let carried = safe.roll_out(&second).await;
        assert_eq!(outcome(&carried), Some(rollout::Outcome::Succeeded));
        assert_eq!(safe.in_secrets(), 6);
    });
}

#[test]
fn a_tenant_whose_value_is_missing_is_not_begun_and_the_reference_is_named() {
    simulated_safe(|mut safe| async move {
        let release = safe.release_with("aaaa", "1", "'file:' ~ tenant.name ~ '#password'");
        let carried = safe.roll_out(&release).await;
        let Carried::Ended(ended) = &carried else {
            panic!("nothing was done")
        };
        let failed = ended.progress.tenants["t0"].failure.as_ref();
        let why = &failed.expect("the canary failed").why;
        assert!(
            why.starts_with("secret `file:t0#password` cannot be read: file `t0`"),
            "{why}"
        );
        let mut sims = safe.scene.sims.values();
        assert!(sims.all(|sim| sim.object("namespaces", None, "t0").is_none()));
    });
}

#[test]
fn a_way_back_leaves_secrets_as_they_are_unless_it_is_told_otherwise() {
    simulated_safe(|mut safe| async move {
        before_a_rotation(&mut safe).await;
        let second = safe.release("bbbb", "2", "two");
        safe.roll_out(&second).await;
        safe.scene.pass(30).await;
        assert_eq!(safe.password("t1").as_deref(), Some("second"));

        safe.roll_back(&second, "t1", OnSecrets::Leave).await;
        assert_eq!(safe.scene.images()["t1"], "1");
        assert_eq!(safe.password("t1").as_deref(), Some("second"));

        safe.roll_back(&second, "t2", OnSecrets::Apply).await;
        assert_eq!(safe.scene.images()["t2"], "1");
        assert_eq!(safe.password("t2").as_deref(), Some("first"));
    });
}

#[test]
fn a_tenant_that_fails_goes_back_with_the_secret_that_it_got() {
    simulated_safe(|mut safe| async move {
        before_a_rotation(&mut safe).await;
        safe.scene
            .break_image("registry.example.com/web:2", ("east", "t0"));
        let second = safe.release("bbbb", "2", "two");
        safe.roll_out(&second).await;
        assert_eq!(safe.scene.record("t0").await.state, Outcome::RolledBack);
        assert_eq!(safe.scene.images()["t0"], "1");
        assert_eq!(safe.password("t0").as_deref(), Some("second"));
    });
}

#[test]
fn a_rotation_reaches_a_held_tenant_if_its_secret_says_so() {
    simulated_safe(|mut safe| async move {
        safe.annotations = "annotations: {escale.dev/always: 'true'}, ".to_owned();
        before_a_rotation(&mut safe).await;
        let second = safe.release("bbbb", "2", "one");
        safe.roll_out(&second).await;
        safe.scene.pass(30).await;
        // A rollback holds its tenant.
        safe.roll_back(&second, "t1", OnSecrets::Leave).await;
        let third = safe.release("cccc", "3", "two");
        safe.roll_out(&third).await;
        assert_eq!(safe.scene.images()["t1"], "1");
        assert_eq!(safe.password("t1").as_deref(), Some("second"));
        assert_eq!(safe.password("t2").as_deref(), Some("second"));
    });
}

#[test]
fn a_way_back_passes_by_what_differs_in_secrets_alone() {
    simulated_safe(|mut safe| async move {
        before_a_rotation(&mut safe).await;
        let second = safe.release("bbbb", "2", "one");
        safe.roll_out(&second).await;
        safe.scene.pass(30).await;
        // Everybody gets a new password, and nothing else.
        let third = safe.release("cccc", "2", "two");
        safe.roll_out(&third).await;
        safe.scene.pass(30).await;
        safe.roll_back(&third, "t1", OnSecrets::Leave).await;
        assert_eq!(safe.scene.images()["t1"], "1");
        assert_eq!(safe.password("t1").as_deref(), Some("second"));
    });
}

#[test]
fn who_has_only_had_other_secrets_is_told_that_a_way_back_would_change_nothing() {
    simulated_safe(|mut safe| async move {
        before_a_rotation(&mut safe).await;
        let second = safe.release("bbbb", "1", "two");
        safe.roll_out(&second).await;
        safe.scene.pass(30).await;
        let error = safe.scene.rollback_order("t1", "ana").await.err();
        let told = error.expect("there is nowhere to go").to_string();
        assert!(told.contains("in more than Secrets and hooks"), "{told}");
    });
}

#[test]
fn on_a_way_back_a_secret_of_the_newer_release_stays_and_one_that_is_gone_is_made() {
    simulated_safe(|mut safe| async move {
        safe.put("one", CANARY);
        let without = safe.scene.release("aaaa", "1");
        safe.roll_out(&without).await;
        safe.scene.pass(30).await;
        let with = safe.release("bbbb", "2", "one");
        safe.roll_out(&with).await;
        safe.scene.pass(30).await;
        safe.roll_back(&with, "t1", OnSecrets::Leave).await;
        assert_eq!(safe.scene.images()["t1"], "1");
        assert_eq!(safe.password("t1").as_deref(), Some(CANARY));

        let next = safe.release("cccc", "3", "one");
        safe.roll_out(&next).await;
        safe.scene.pass(30).await;
        safe.lose_secret("t2").await;
        safe.roll_back(&next, "t2", OnSecrets::Leave).await;
        assert_eq!(safe.password("t2").as_deref(), Some(CANARY));
    });
}

#[test]
fn a_diff_with_the_clusters_tells_what_changed_without_reading_a_value() {
    simulated_safe(|mut safe| async move {
        safe.put("one", CANARY);
        let first = safe.release("aaaa", "1", "one");
        safe.roll_out(&first).await;
        safe.forget("one");
        assert_eq!(shown(&safe, &first, "t1").await, [""; 0]);

        safe.edit_secret("t1", |secret| {
            secret["metadata"]["labels"]["team"] = "web".into();
        });
        assert_eq!(shown(&safe, &first, "t1").await, [""; 0]);

        safe.edit_secret("t1", |secret| {
            secret["data"]["password"] = "b3RoZXI=".into();
        });
        let by_hand = "Update Secret/db: .data.password (hidden) → (hidden, changed)";
        assert_eq!(shown(&safe, &first, "t1").await, [by_hand]);

        let second = safe.release("bbbb", "1", "two");
        assert_eq!(shown(&safe, &second, "t2").await, [by_hand]);
    });
}

/// What a diff with the clusters shows of a tenant, apart from what is unchanged.
async fn shown(safe: &Safe, release: &Release, tenant: &str) -> Vec<String> {
    let records = Records::read(&safe.scene.clusters, "test").await;
    let tenant = release.fleet.tenant(tenant).expect("it is in the fleet");
    let found = engine::live_changes(
        &safe.scene.clusters,
        "test",
        &[tenant],
        (&release.bundles, &records),
        safe.scene.clock.now(),
    )
    .await;
    assert!(found.incomplete.is_empty());
    let changes = found.changes.iter();
    let changes = changes.filter(|change| change.change != ChangeKind::Unchanged);
    let told = changes.map(|change| {
        let fields = change.fields.iter().map(|field| {
            let word = |side: &Option<Value>| match side {
                Some(Value::String(text)) => text.clone(),
                other => format!("{other:?}"),
            };
            format!(
                "{} {} → {}",
                field.path,
                word(&field.before),
                word(&field.after)
            )
        });
        let fields: Vec<String> = fields.collect();
        format!(
            "{:?} {}: {}",
            change.change,
            change.object,
            fields.join(", ")
        )
    });
    told.collect()
}
