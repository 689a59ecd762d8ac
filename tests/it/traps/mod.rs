//! Ways in which other rollout engines have failed their users, one scenario each: `docs/traps.md` lists them all.

mod counting;
mod health;
mod plans;
mod table;
mod waits;
mod ways_back;

use std::time::Duration;

use escale::rollout::What;
use escale::sim::{Behaviour, Fault, Rule, SimCluster};

use crate::gates::Diary;
use crate::scene::{STRATEGY, Scene};

/// The usual scene, with a line of its strategy written otherwise.
fn scene_with<const N: usize>(changes: [(&str, &str); N]) -> Scene {
    let strategy = changes
        .iter()
        .fold(STRATEGY.to_owned(), |text, (old, new)| {
            assert!(text.contains(old), "`{old}` is in the strategy");
            text.replace(old, new)
        });
    Scene::with(0, &strategy)
}

/// Six tenants run version 1, and their soak is over.
async fn settled(scene: &Scene) {
    scene.roll_out(&scene.release("aaaa", "1")).await;
    scene.pass(5).await;
}

/// From now on, pods of a tenant behave so whatever their image says; `web:2` for those of one version.
fn behave(sim: &SimCluster, tenant: &str, image: &str, behaviour: Behaviour) {
    sim.tell(Fault::Behaviour(Rule {
        image: Some(image.to_owned()),
        namespace: Some(tenant.to_owned()),
        behaviour,
    }));
}

/// Two pods that come up one after the other, in 40 seconds each.
fn slow(image: &str) -> Fault {
    Fault::Behaviour(Rule {
        image: Some(image.to_owned()),
        namespace: None,
        behaviour: Behaviour::Ready {
            after: Duration::from_secs(40),
        },
    })
}

/// Well for so many seconds, then dead.
fn dies_after(seconds: u64) -> Behaviour {
    Behaviour::Crash {
        healthy: Duration::from_secs(seconds),
    }
}

/// When something happened for the first time, in seconds since the rollout began.
fn first(diary: &Diary, is_it: impl Fn(&What) -> bool) -> Option<i64> {
    let mut events = diary.events.iter();
    let (at, _) = events.find(|(_, what)| is_it(what))?;
    Some(*at)
}

fn count(diary: &Diary, is_it: impl Fn(&What) -> bool) -> usize {
    diary.events.iter().filter(|(_, what)| is_it(what)).count()
}

fn is_start(what: &What) -> bool {
    matches!(what, What::TenantStarted { .. })
}

fn is_failure(what: &What) -> bool {
    matches!(what, What::TenantFailed { .. })
}

fn succeeds(name: &str) -> impl Fn(&What) -> bool {
    move |what| matches!(what, What::TenantSucceeded { tenant } if tenant == name)
}

/// Who was started, in order.
fn names(diary: &Diary) -> Vec<String> {
    diary
        .starts()
        .into_iter()
        .map(|(_, tenant)| tenant)
        .collect()
}

/// Tenants whose image is this one.
fn running(scene: &Scene, tag: &str) -> Vec<String> {
    let images = scene.images().into_iter();
    images
        .filter(|(_, image)| image == tag)
        .map(|(tenant, _)| tenant)
        .collect()
}
