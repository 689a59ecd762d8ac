//! A rollback that is typed while a rollout is in the middle of a tenant.

use escale::engine::{self, Heard};
use escale::rollout::{Outcome, What};
use tokio::sync::Notify;

use crate::scene::{outcome, simulated};

#[test]
fn it_goes_back_by_one_release_not_by_two_and_wins_the_tenant() {
    simulated(|scene| async move {
        for (id, version) in [("aaaa", "1"), ("bbbb", "2")] {
            scene.roll_out(&scene.release(id, version)).await;
            scene.pass(5).await;
        }
        let written = Notify::new();
        let release = scene.release("cccc", "3");
        let mut hear = |heard: Heard<'_>| {
            if let Heard::Event { event, .. } = heard
                && matches!(&event.what, What::TenantWritten { tenant, .. } if tenant == "t1")
            {
                written.notify_one();
            }
        };
        let order = release.order("job 1");
        let (carried, ended) =
            tokio::join!(engine::roll_out(&order, scene.world(&mut hear)), async {
                written.notified().await;
                scene.roll_back("t1").await
            });
        ended.expect("there is something to go back to");
        let ended = outcome(&carried.expect("the clusters are well"));
        assert_eq!(ended, Some(Outcome::SucceededWithExceptions));
        let images = scene.images();
        assert_eq!((images["t1"].as_str(), images["t2"].as_str()), ("2", "3"));
    });
}
