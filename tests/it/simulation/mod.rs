//! The deterministic simulation: production code over simulated clusters, on one thread, in virtual time.
//!
//! A seed makes a script: a strategy, releases of which some are bad, and what people, networks and CI jobs do, and
//! when. The script is played, everything that is heard and everything that is true on the clusters is held against
//! the rules, and at the end all is repaired and must come to rest at the newest release.
//!
//! `ESCALE_SEEDS=4711 cargo test --release --test it simulation` replays one seed, `0..2000` a range.

mod dice;
mod ends;
mod gates;
mod hooks;
mod intents;
mod life;
mod machine;
mod once;
mod people;
mod play;
mod rest;
mod rules;
mod script;
mod starts;
mod truth;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use play::{Played, play};
use script::Script;

/// Seeds of an ordinary test run.
const USUAL: std::ops::Range<u64> = 0..12;

#[test]
fn every_rule_holds_whatever_happens() {
    let seeds = seeds();
    let next = AtomicU64::new(seeds.start);
    let failed = Mutex::new(Vec::new());
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                break;
            }
            let script = Script::of(seed);
            if let Some(broken) = play(&script).broken.first() {
                let mut failed = failed.lock().expect("no panic");
                failed.push((seed, broken.clone()));
            }
        }
    };
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| alone(work));
        }
    });
    let mut failed = failed.into_inner().expect("no panic");
    failed.sort_unstable();
    if let Some((first, _)) = failed.first() {
        let (script, played) = minimised(Script::of(*first));
        panic!(
            "{} of {} seeds break a rule: {failed:#?}\nthe first, minimised (ESCALE_SEEDS={first}):\n{script}\n{}\n{}",
            failed.len(),
            seeds.end - seeds.start,
            played.trace.join("\n"),
            played.broken.join("\n"),
        );
    }
}

#[test]
fn a_seed_replays_to_the_letter() {
    for seed in 0..2 {
        let script = Script::of(seed);
        assert_eq!(play(&script).trace, play(&script).trace, "seed {seed}");
    }
}

/// The seeds keep all cores busy: what the engine does in parallel would only wake threads for nothing.
fn alone(work: impl FnOnce() + Send) {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    pool.expect("a thread").install(work);
}

/// Leaves out whatever the first broken rule does not need.
fn minimised(mut script: Script) -> (Script, Played) {
    let mut played = play(&script);
    let rule = |played: &Played| played.broken.first().map(|line| line[..3].to_owned());
    let wanted = rule(&played);
    let mut at = 0;
    while at < script.acts.len() {
        let fewer = script.without(at);
        let tried = play(&fewer);
        if rule(&tried) == wanted {
            (script, played) = (fewer, tried);
        } else {
            at += 1;
        }
    }
    (script, played)
}

fn seeds() -> std::ops::Range<u64> {
    let Ok(asked) = std::env::var("ESCALE_SEEDS") else {
        return USUAL;
    };
    let number = |text: &str| {
        text.trim()
            .parse::<u64>()
            .expect("ESCALE_SEEDS is a number or `0..2000`")
    };
    match asked.split_once("..") {
        Some((from, to)) => number(from)..number(to),
        None => number(&asked)..number(&asked) + 1,
    }
}
