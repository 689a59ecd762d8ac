//! What people do in a script: they roll back, hold, say a word, approve, edit objects.

use std::time::Duration;

use escale::engine::{Ending, Heard, holds, store};
use escale::record::{Hold, Scope, Verb, WaveRecord, WaveState, Word, decode_rollout};
use escale::rollout::Outcome;
use jiff::{SignedDuration, Timestamp};

use super::play::{BOUND, Stage, commit};
use super::script::{BY_HAND, Edit, Saying};

impl Stage {
    pub(super) async fn rollback(&self, name: &str, tenant: &str, killed: Option<Duration>) {
        let mut hear = |heard: Heard<'_>| self.hear(name, &heard);
        let work = self.scene.roll_back_by(tenant, name, &mut hear);
        let began = self.scene.clock.now();
        self.rules().let_go(began, tenant);
        // As the scene says.
        let hold_until = began + SignedDuration::from_hours(1);
        match tokio::time::timeout(killed.unwrap_or(BOUND), work).await {
            Ok(Ok(ended)) => {
                self.say(&format!("{name}: ended: {:?}", ended.ending));
                self.rules().sample(self.scene.clock.now());
                let succeeded = matches!(
                    ended.ending,
                    Ending::Finished {
                        outcome: Outcome::Succeeded,
                        ..
                    }
                );
                // It is held from the claim on, so that somebody can let it go before the rollback is over.
                if succeeded && !self.rules().was_let_go_after(began, tenant) {
                    self.rules().hold(tenant, hold_until);
                }
            }
            Ok(Err(error)) => self.say(&format!("{name}: error: {error:#}")),
            Err(_) if killed.is_some() => self.say(&format!("{name}: KILLED")),
            Err(_) => self.breaks("I35", &format!("{name} takes longer than {BOUND:?}")),
        }
    }

    pub(super) async fn hold(&self, tenant: &str) {
        let cluster = self.cluster_of(tenant);
        let now = self.scene.clock.now();
        let hold = Hold {
            reason: "a demonstration".to_owned(),
            owner: "ben".to_owned(),
            since: now,
            expires: None,
            digest: None,
        };
        let stored = holds::hold(&cluster, tenant, &hold).await;
        match stored {
            Ok(stored) if stored.value.claim.is_none() => {
                self.rules().hold(tenant, Timestamp::MAX);
            }
            Ok(_) => self.say("held while somebody writes"),
            Err(error) => self.say(&format!("not held: {error}")),
        }
    }

    pub(super) async fn let_go(&self, tenant: &str) {
        self.rules().let_go(self.scene.clock.now(), tenant);
        let cluster = self.cluster_of(tenant);
        let released = holds::release(
            &cluster,
            tenant,
            ("ben", "it is over"),
            self.scene.clock.now(),
        )
        .await;
        if let Err(error) = released {
            self.say(&format!("not let go: {error}"));
        }
    }

    pub(super) async fn speak(&self, saying: Saying) {
        let over = |cluster: Option<&str>| match cluster {
            Some(name) => Scope::Cluster(name.to_owned()),
            None => Scope::Environment,
        };
        let (verb, scope) = match saying {
            Saying::Pause => (Verb::Pause, Scope::Environment),
            Saying::Resume => (Verb::Resume, Scope::Environment),
            Saying::Abort => (Verb::Abort, Scope::Environment),
            Saying::Clear(release) => (Verb::Clear, Scope::Release(commit(release))),
            Saying::Freeze(cluster, _) => (Verb::Freeze, over(cluster)),
            Saying::Thaw(cluster) => (Verb::Thaw, over(cluster)),
        };
        let expires = match saying {
            Saying::Freeze(_, seconds) => {
                Some(self.scene.clock.now() + SignedDuration::from_secs(seconds))
            }
            Saying::Thaw(cluster) => {
                self.rules().gates.thaw(cluster);
                None
            }
            Saying::Pause | Saying::Resume | Saying::Abort | Saying::Clear(_) => None,
        };
        let is_heard = self.utter(verb, scope, expires).await;
        if let (true, Saying::Freeze(cluster, _), Some(until)) = (is_heard, saying, expires) {
            let now = self.scene.clock.now();
            self.rules().gates.freeze(cluster, now, until);
        }
    }

    /// Somebody who approves of everything, and looks every now and then.
    pub(super) async fn keep_approving(&self) {
        if !self.script.knobs.gates.approval {
            std::future::pending::<()>().await;
        }
        loop {
            tokio::time::sleep(Duration::from_secs(40)).await;
            let hub = self.scene.sims["hub"].objects("configmaps").into_iter();
            let rollouts = hub.filter_map(|object| decode_rollout(&object).ok());
            let open = rollouts.map(|stored| stored.value).find(|rollout| {
                let waits =
                    |wave: &WaveRecord| wave.name == "rest" && wave.state == WaveState::Waiting;
                rollout.state.is_open() && rollout.waves.iter().any(waits)
            });
            if let Some(rollout) = open {
                self.rules().gates.approve(&rollout.id);
                let scope = Scope::Wave {
                    rollout: rollout.id,
                    wave: "rest".to_owned(),
                };
                self.utter(Verb::Approve, scope, None).await;
            }
        }
    }

    /// Whether the hub has it.
    async fn utter(&self, verb: Verb, scope: Scope, expires: Option<Timestamp>) -> bool {
        let word = Word {
            verb,
            environment: "test".to_owned(),
            scope,
            author: "ben".to_owned(),
            reason: "a simulation".to_owned(),
            at: self.scene.clock.now(),
            expires,
        };
        let hub = self.scene.clusters.hub().expect("there is a hub").writer();
        let said = store::say(&hub, &word).await;
        if let Err(error) = &said {
            self.say(&format!("not heard: {error}"));
        }
        said.is_ok()
    }

    pub(super) fn edit(&self, tenant: &str, what: Edit) {
        let sim = &self.scene.sims[self.cluster_of(tenant).name()];
        let edited = sim.edit(
            "deployments.apps",
            (Some(tenant), "web"),
            |object| match what {
                Edit::Label => object["metadata"]["labels"] = serde_json::json!({"team": "blue"}),
                Edit::Scale => object["spec"]["replicas"] = 3.into(),
                Edit::Image => {
                    let image = format!("registry.example.com/web:{BY_HAND}");
                    object["spec"]["template"]["spec"]["containers"][0]["image"] = image.into();
                }
            },
        );
        if edited.is_err() {
            self.say("there is nothing to edit");
        }
    }
}
