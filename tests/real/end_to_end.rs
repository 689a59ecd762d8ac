//! The life of a fleet on three real clusters and a hub, told with the real binary, and believed only as far as
//! kubectl and the audit logs say the same.

use std::collections::{BTreeMap, BTreeSet};

use crate::audit::Audit;
use crate::binary::{escale, rollback, rollout};
use crate::clusters::{CLUSTERS, HUB, clean, forget, kubectl, now};
use crate::fleet::Fleet;
use crate::seen::{different_tags, pods, tags};
use crate::turns::alone;

/// Namespaces of the canaries, one on each cluster.
const CANARIES: [&str; 3] = [
    "jp-shared-ams-0",
    "jp-shared-par-0",
    "jp-vault-pilote-sante",
];
const PAR_1: &str = "jp-shared-par-1";
const HELD: &str = "jp-vault-opale";

#[test]
fn the_life_of_a_fleet() {
    let _turn = alone();
    clean();
    let fleet = Fleet::production();
    first_release_reaches_all(&fleet);
    nothing_new_writes_nothing(&fleet);
    good_release_goes_wave_by_wave(&fleet);
    platform_is_added_without_a_restart(&fleet);
    removed_object_is_pruned(&fleet);
    let broken = broken_release_stops_at_the_canary(&fleet);
    fixed_release_passes_the_quarantine(&fleet, &broken);
}

#[test]
fn the_way_back() {
    let _turn = alone();
    forget();
    let fleet = Fleet::in_a_hurry();
    for tag in ["1.1.0", "1.2.1"] {
        fleet.release("web", tag);
        rollout(&fleet).ends_with(0);
    }
    typed_rollback_is_quick_and_kept(&fleet);
}

fn first_release_reaches_all(fleet: &Fleet) {
    add_note(fleet);
    fleet.release("web", "1.0.0");
    rollout(fleet).ends_with(0);
    assert_eq!(tags().len(), 17);
    assert_eq!(different_tags(), BTreeSet::from(["1.0.0".to_owned()]));
}

fn nothing_new_writes_nothing(fleet: &Fleet) {
    let hub = Audit::from_now(HUB);
    let others = CLUSTERS.map(Audit::from_now);
    rollout(fleet).ends_with(0);
    let on_the_hub = hub.changes();
    assert!(
        on_the_hub.keys().all(|change| change.ends_with(" leases")),
        "{on_the_hub:?}"
    );
    for (cluster, audit) in CLUSTERS.iter().zip(others) {
        assert_eq!(audit.changes(), BTreeMap::new(), "on {cluster}");
    }
}

fn good_release_goes_wave_by_wave(fleet: &Fleet) {
    fleet.release("web", "1.1.0");
    let before = first_change_by_namespace_marks();
    rollout(fleet).ends_with(0);
    assert_eq!(different_tags(), BTreeSet::from(["1.1.0".to_owned()]));
    let changed = before.first_changes();
    let last_canary = CANARIES.iter().map(|canary| changed[*canary]).max();
    let first_other = changed
        .iter()
        .filter(|(namespace, _)| !CANARIES.contains(&namespace.as_str()));
    assert!(
        last_canary < first_other.map(|(_, at)| *at).min(),
        "{changed:?}"
    );
}

fn platform_is_added_without_a_restart(fleet: &Fleet) {
    let before = pods("metal-par", PAR_1);
    fleet.write(
        "environments/production/tenants/shared-par-1/hautbois.yaml",
        "apiVersion: escale.dev/v1alpha1\nkind: Platform\nmetadata: {name: hautbois}\n\
         spec: {client: hautbois, domain: hautbois.sites.example.com}\n",
    );
    fleet.commit("A client more");
    rollout(fleet).ends_with(0);
    let ingresses = kubectl(
        "metal-par",
        &["-n", PAR_1, "get", "ingresses", "-o", "name"],
    );
    assert!(ingresses.contains("hautbois"), "{ingresses}");
    assert_eq!(pods("metal-par", PAR_1), before);
}

fn removed_object_is_pruned(fleet: &Fleet) {
    assert_eq!(notes(), 17);
    fleet.remove(NOTE);
    fleet.commit("No note any more");
    rollout(fleet).ends_with(0);
    assert_eq!(notes(), 0);
}

/// Returns the broken commit.
fn broken_release_stops_at_the_canary(fleet: &Fleet) -> String {
    let broken = fleet.release("web", "1.2.0-crash");
    let before = first_change_by_namespace_marks();
    rollout(fleet).ends_with(3);
    assert_eq!(different_tags(), BTreeSet::from(["1.1.0".to_owned()]));
    let touched: BTreeSet<String> = before.first_changes().into_keys().collect();
    assert!(
        touched
            .iter()
            .all(|namespace| CANARIES.contains(&namespace.as_str())),
        "{touched:?}"
    );
    broken
}

fn fixed_release_passes_the_quarantine(fleet: &Fleet, broken: &str) {
    // Built upon the broken one, and not said to mend it.
    fleet.write("environments/README.md", "Another commit.\n");
    fleet.commit("Something else");
    let refused = rollout(fleet);
    assert!(refused.code != Some(0), "{refused}");
    assert_eq!(different_tags(), BTreeSet::from(["1.1.0".to_owned()]));
    fleet.release_that(
        "web",
        "1.2.1",
        &format!("Mend the crash\n\nEscale-Fixes: {broken}"),
    );
    rollout(fleet).ends_with(0);
    assert_eq!(different_tags(), BTreeSet::from(["1.2.1".to_owned()]));
}

fn typed_rollback_is_quick_and_kept(fleet: &Fleet) {
    let audit = Audit::from_now("medic-rbx");
    let typed = now().as_microsecond();
    rollback(fleet.folder(), &["-e", "production", "vault-opale"]).ends_with(0);
    let last = audit.last_change_in(HELD).expect("a rollback writes");
    // Of a debug build, on a machine that runs four clusters.
    assert!(
        last - typed <= 2_000_000,
        "the last write came {} ms after the command",
        (last - typed) / 1000
    );
    assert_eq!(tags()[HELD], "1.1.0");

    fleet.release("web", "1.3.0");
    let told = rollout(fleet).ends_with(6);
    told.says("vault-opale");
    assert_eq!(tags()[HELD], "1.1.0");
    assert_eq!(
        different_tags(),
        BTreeSet::from(["1.1.0".to_owned(), "1.3.0".to_owned()])
    );

    escale(
        fleet.folder(),
        &["release-hold", "-e", "production", "vault-opale"],
    )
    .ends_with(0);
}

const NOTE: &str = "templates/platform/note.yaml.j2";

/// An object that can be taken out of the templates again.
fn add_note(fleet: &Fleet) {
    fleet.write(
        NOTE,
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: note, namespace: {{ tenant.namespace }}}\ndata: {text: hello}\n",
    );
}

fn notes() -> usize {
    let all = CLUSTERS.map(|cluster| {
        kubectl(
            cluster,
            &[
                "get",
                "configmaps",
                "-A",
                "--field-selector",
                "metadata.name=note",
                "-o",
                "name",
            ],
        )
    });
    all.iter().map(|names| names.lines().count()).sum()
}

/// The audit logs of all clusters with tenants, from now on.
struct Marks([Audit; 3]);

fn first_change_by_namespace_marks() -> Marks {
    Marks(CLUSTERS.map(Audit::from_now))
}

impl Marks {
    /// When the deployer first changed an object of each tenant's namespace.
    fn first_changes(&self) -> BTreeMap<String, i64> {
        let mut first = BTreeMap::new();
        for audit in &self.0 {
            first.extend(audit.first_changes());
        }
        first.remove("escale-system");
        first
    }
}
