//! Tenants that leave: when they go, and what of them stays.

use escale::engine::Carried;
use escale::rollout::Outcome;
use serde_json::json;

use super::{
    LEFT, by_hand, carry_out, departed, grown, leaves, objects, reason, record, token,
    with_template,
};
use crate::scene::{left_out, outcome, simulated};

#[test]
fn a_leaving_tenant_stays_as_it_is_until_its_last_day_is_over() {
    simulated(|mut scene| async move {
        grown(&mut scene).await;
        leaves(&mut scene, "t5", "deleteAfter: \"2026-11-23\", ");
        let carried = carry_out(&scene, &scene.release("bbbb", "2"), None).await;
        assert_eq!(outcome(&carried), Some(Outcome::Succeeded));
        assert_eq!(left_out(&carried), Vec::<String>::new());
        assert_eq!(
            reason(&carried, "t5"),
            "leaving: it stays as it is until 2026-11-23, its last day"
        );
        assert_eq!(scene.images()["t5"], "1");
        assert_eq!(scene.images()["t4"], "2");
    });
}

#[test]
fn a_tenant_that_leaves_without_a_day_is_never_deleted() {
    simulated(|mut scene| async move {
        grown(&mut scene).await;
        leaves(&mut scene, "t5", "");
        scene.pass(60 * 24 * 40).await;
        let carried = carry_out(&scene, &scene.release("bbbb", "2"), None).await;
        assert_eq!(
            reason(&carried, "t5"),
            "leaving: it stays as it is; no `deleteAfter` says until when"
        );
        assert_eq!(scene.images()["t5"], "1");
    });
}

#[test]
fn after_its_last_day_a_tenant_goes_with_the_token_and_not_without() {
    simulated(|mut scene| async move {
        grown(&mut scene).await;
        leaves(&mut scene, "t5", "deleteAfter: \"2026-11-22\", ");
        let next = scene.release("bbbb", "2");
        let carried = carry_out(&scene, &next, None).await;
        // The release goes out all the same: a day that comes by itself must not stop a fix.
        assert_eq!(outcome(&carried), Some(Outcome::SucceededWithExceptions));
        let words = reason(&carried, "t5");
        let token = token(&words);
        assert_eq!(
            words,
            format!(
                "leaving, not removed: its last day was 2026-11-22; 3 of its 3 objects go: \
                 `escale rollout --allow-deletes {token}`"
            )
        );
        let all = ["configmaps/platforms", "deployments.apps/web", "namespace"];
        assert_eq!(objects(&scene, "west", "t5"), all);
        assert_eq!(scene.images()["t5"], "1");

        let carried = carry_out(&scene, &next, Some("3-0000")).await;
        assert!(reason(&carried, "t5").contains("not removed"));
        assert_eq!(objects(&scene, "west", "t5"), all);

        scene.forget_requests();
        let carried = carry_out(&scene, &next, Some(&token)).await;
        assert!(matches!(carried, Carried::NothingToDo { .. }));
        assert_eq!(
            reason(&carried, "t5"),
            "left and removed: 3 objects deleted"
        );
        assert_eq!(objects(&scene, "west", "t5"), Vec::<String>::new());
        assert!(record(&scene, "t5").await.is_none());
        // The claim comes before the first delete, the reverse order of applying, the record last.
        let deletes: Vec<String> = scene
            .writes()
            .into_iter()
            .filter(|write| !write.contains("lease") && !write.contains("rollout"))
            .collect();
        assert_eq!(
            deletes,
            [
                "Update configmaps Some(\"t5\")",
                "Delete deployments.apps Some(\"web\")",
                "Delete configmaps Some(\"platforms\")",
                "Delete namespaces Some(\"t5\")",
                "Delete configmaps Some(\"t5\")",
            ]
        );

        let carried = carry_out(&scene, &next, None).await;
        assert_eq!(
            reason(&carried, "t5"),
            "leaving: nothing of it is on record"
        );
        assert_eq!(left_out(&carried), Vec::<String>::new());
    });
}

#[test]
fn data_and_whatever_is_marked_to_be_kept_stay_and_so_does_the_namespace() {
    simulated(|mut scene| async move {
        with_template(
            &mut scene,
            "
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: kept, annotations: {escale.dev/prune: disabled}}
",
        );
        grown(&mut scene).await;
        leaves(&mut scene, "t5", LEFT);
        assert_eq!(
            departed(&scene, &scene.release("bbbb", "2")).await,
            "left and removed: 2 objects deleted; kept: \
             PersistentVolumeClaim/data: its kind is deleted only on request, \
             ConfigMap/kept: its annotation `escale.dev/prune` keeps it, \
             Namespace/t5: ConfigMap/kept is still in it"
        );
        let left = [
            "configmaps/kept",
            "persistentvolumeclaims/data",
            "namespace",
        ];
        assert_eq!(objects(&scene, "west", "t5"), left);
        assert!(record(&scene, "t5").await.is_none());
    });
}

#[test]
fn a_namespace_that_somebody_else_made_stays() {
    simulated(|mut scene| async move {
        let space = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "t5", "labels": {"team": "a"}}});
        by_hand(&scene, "west", space).await;
        grown(&mut scene).await;
        leaves(&mut scene, "t5", LEFT);
        assert_eq!(
            departed(&scene, &scene.release("bbbb", "2")).await,
            "left and removed: 2 objects deleted; kept: Namespace/t5: no record says that escale made it"
        );
        assert_eq!(objects(&scene, "west", "t5"), ["namespace"]);
    });
}

#[test]
fn a_namespace_in_which_somebody_else_put_something_stays() {
    simulated(|mut scene| async move {
        grown(&mut scene).await;
        let claim = json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data-db-0", "namespace": "t5"},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
        });
        by_hand(&scene, "west", claim).await;
        leaves(&mut scene, "t5", LEFT);
        assert_eq!(
            departed(&scene, &scene.release("bbbb", "2")).await,
            "left and removed: 2 objects deleted; kept: Namespace/t5: PersistentVolumeClaim/data-db-0 is still in it"
        );
        let left = ["persistentvolumeclaims/data-db-0", "namespace"];
        assert_eq!(objects(&scene, "west", "t5"), left);
    });
}

#[test]
fn what_somebody_made_anew_or_marked_for_another_is_not_deleted() {
    simulated(|mut scene| async move {
        grown(&mut scene).await;
        let about = ("configmaps", (Some("t5"), "platforms"));
        scene.sims["west"]
            .edit(about.0, about.1, |object| {
                object["metadata"]["annotations"]["escale.dev/owner"] =
                    "test/t9//ConfigMap/t5/platforms".into();
            })
            .unwrap();
        leaves(&mut scene, "t5", LEFT);
        let words = departed(&scene, &scene.release("bbbb", "2")).await;
        assert_eq!(
            words,
            "left and removed: 1 object deleted; kept: ConfigMap/platforms: it carries no mark of this tenant, \
             Namespace/t5: ConfigMap/platforms is still in it"
        );
    });
}
