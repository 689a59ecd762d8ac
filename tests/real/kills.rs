//! A process that is killed without warning, at any point of a rollout: the same command again brings it to its end.

use std::hash::{BuildHasher as _, RandomState};
use std::thread;
use std::time::Duration;

use proptest::prelude::Rng as _;
use proptest::test_runner::{RngAlgorithm, TestRng};

use crate::audit::Audit;
use crate::binary::{Running, rollout};
use crate::clusters::{CLUSTERS, forget};
use crate::fleet::Fleet;
use crate::records::takeovers;
use crate::sites::{SITES, Sites};
use crate::turns::alone;

/// Fleets side by side: whoever comes after a process that was killed waits for most of a minute, for its lease and
/// its claims to run out. Each is killed twice.
const FLEETS: u64 = 10;
/// Pods of a tenant.
const REPLICAS: usize = 2;
/// Whoever comes after a process that was killed waits for so long before it does anything.
const LEASE: Duration = Duration::from_secs(15);
/// A process that ends before it is killed, is killed earlier next time.
const TRIES: usize = 5;

/// `ESCALE_KILLS=SEED` kills at the same times again; what has happened by then depends on the machine.
#[test]
fn a_rollout_that_is_killed_at_any_time_is_finished_by_the_same_command() {
    let _turn = alone();
    forget();
    let seed = std::env::var("ESCALE_KILLS").map_or_else(
        |_| RandomState::new().hash_one(0) % 10_000,
        |seed| seed.parse().expect("ESCALE_KILLS is a number"),
    );
    println!("ESCALE_KILLS={seed}");
    thread::scope(|scope| {
        for number in 0..FLEETS {
            scope.spawn(move || Victim::of(seed, number, &format!("kills{number}")).dies());
        }
    });
    assert!(
        takeovers() > 0,
        "all were killed before or after their work"
    );
}

/// A fleet whose rollouts are killed.
struct Victim<'a> {
    sites: Sites<'a>,
    fleet: Fleet,
    dice: TestRng,
    number: u64,
    audits: [Audit; 3],
}

impl<'a> Victim<'a> {
    /// After its first release, which nobody kills.
    fn of(seed: u64, number: u64, environment: &'a str) -> Self {
        let sites = Sites {
            environment,
            ..SITES
        };
        let fleet = sites.begun();
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        bytes[8..16].copy_from_slice(&number.to_le_bytes());
        Self {
            dice: TestRng::from_seed(RngAlgorithm::ChaCha, &bytes),
            audits: CLUSTERS.map(Audit::from_now),
            fleet,
            sites,
            number,
        }
    }

    /// Half of them are killed in two releases, the others twice in one: who takes over dies as well.
    fn dies(mut self) {
        let mut releases = self.release_until_killed(0);
        if self.number.is_multiple_of(2) {
            self.finish();
            releases += self.release_until_killed(releases);
        } else {
            let heir = Running::rollout(&self.fleet);
            if !heir.killed_after(LEASE + self.some_time()) {
                releases += self.release_until_killed(releases);
            }
        }
        self.finish();
        self.is_well(&format!("2.0.{}", releases - 1), releases);
    }

    /// Releases until a rollout is killed before it ends; how many releases that took.
    fn release_until_killed(&mut self, before: usize) -> usize {
        for number in 0..TRIES {
            self.fleet
                .release("site", &format!("2.0.{}", before + number));
            if Running::rollout(&self.fleet).killed_after(self.some_time()) {
                return number + 1;
            }
        }
        panic!("{TRIES} rollouts ended before they were killed");
    }

    fn some_time(&mut self) -> Duration {
        Duration::from_millis(self.dice.next_u64() % 12_000)
    }

    /// Somebody who holds the lease, or is taken for alive, may come in between.
    fn finish(&self) {
        for _ in 0..TRIES {
            let told = rollout(&self.fleet);
            match told.code {
                Some(0) => return,
                Some(4 | 5) => {}
                _ => panic!("{told}"),
            }
        }
        panic!("it comes to no end");
    }

    fn is_well(&self, tag: &str, releases: usize) {
        self.sites.end_at(tag);
        for (number, audit) in self.audits.iter().enumerate() {
            let tenant = self.sites.tenant(number);
            let pods = audit.pods_made_in(&tenant);
            assert_eq!(
                pods,
                releases * REPLICAS,
                "{tenant} restarted more than once a release"
            );
            let epochs = audit.epochs_in(&tenant);
            assert!(epochs.len() >= releases, "{tenant}: {epochs:?}");
            assert!(
                epochs.is_sorted(),
                "two at once wrote to {tenant}: {epochs:?}"
            );
        }
    }
}
