//! What happens, and when: made from a seed, shown in words.

use std::fmt;
use std::time::Duration;

use super::dice::Dice;
use super::gates::Gates;

pub const TENANTS: [&str; 6] = ["t0", "t1", "t2", "t3", "t4", "t5"];
const CLUSTERS: [&str; 3] = ["east", "hub", "west"];
/// Everything is told to happen within this time.
const WITHIN: u64 = 900;

#[derive(Clone, Debug)]
pub struct Script {
    pub seed: u64,
    pub knobs: Knobs,
    /// The first is good, and runs everywhere before anything happens.
    pub releases: Vec<Quality>,
    /// By time.
    pub acts: Vec<(Duration, Act)>,
    pub life: Life,
}

/// Tenants that come and go, by the first release that says so.
#[derive(Clone, Copy, Debug, Default)]
pub struct Life {
    /// `t5` is not in the fleet before.
    pub joins: usize,
    /// `t4` is leaving from then on.
    pub leaves: Option<usize>,
}

/// What the strategy says.
#[derive(Clone, Debug)]
pub struct Knobs {
    pub concurrency: usize,
    pub failures: usize,
    pub canary_soak: u64,
    pub soak: u64,
    pub on_breach: &'static str,
    pub scope: &'static str,
    pub mode: &'static str,
    pub on_newer: &'static str,
    /// Seconds, and what then.
    pub unreachable: (u64, &'static str),
    pub gates: Gates,
}

/// How the pods of a release behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quality {
    Good,
    /// Ready after a minute.
    Slow,
    /// Bad from the first second, everywhere.
    Bad(&'static str),
    /// Bad for one tenant.
    BadFor(&'static str, &'static str),
    /// Well for so many seconds, then crashes.
    Dies(u64),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// A CI job; killed after a while, or cancelled (SIGTERM).
    RollOut {
        release: usize,
        killed: Option<Duration>,
        cancelled: Option<Duration>,
        machine: Machine,
    },
    RollBack {
        tenant: &'static str,
        killed: Option<Duration>,
    },
    Hold(&'static str),
    LetGo(&'static str),
    Say(Saying),
    Unreachable {
        cluster: &'static str,
        seconds: u64,
    },
    Storm {
        cluster: &'static str,
        lost: bool,
    },
    Calm(&'static str),
    Edit {
        tenant: &'static str,
        what: Edit,
    },
    /// Every pod of a cluster crashes, whatever it runs.
    Unwell {
        cluster: &'static str,
        seconds: u64,
    },
    /// No controller of a cluster looks at anything.
    NoController {
        cluster: &'static str,
        seconds: u64,
    },
}

/// What a job runs on.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Machine {
    /// Its clock is so many seconds ahead.
    pub ahead: i64,
    /// After so long its clock is set, and so many seconds ahead from then on.
    pub set: Option<(Duration, i64)>,
    /// After so long the process gets no time to run, for so long; what it has under way goes on.
    pub starved: Option<(Duration, Duration)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saying {
    Pause,
    Resume,
    Abort,
    Clear(usize),
    /// Of a cluster or everything, for so many seconds.
    Freeze(Option<&'static str>, i64),
    Thaw(Option<&'static str>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit {
    Label,
    Scale,
    Image,
}

/// The tag of an image that somebody sets by hand: of no release, and well.
pub const BY_HAND: &str = "hand";

impl Script {
    pub fn of(seed: u64) -> Self {
        let mut dice = Dice::of(seed);
        let knobs = Knobs::roll(&mut dice);
        let later = 1 + usize::from(dice.percent(70)) + usize::from(dice.percent(40));
        let mut releases = vec![Quality::Good];
        releases.extend((0..later).map(|_| Quality::roll(&mut dice)));
        let mut acts = Vec::new();
        for release in 1..releases.len() {
            for _ in 0..=usize::from(dice.percent(50)) {
                acts.push((dice.within(WITHIN), Act::roll_out(&mut dice, release)));
            }
        }
        for _ in 0..dice.one_of(&[0, 1, 2, 3, 5, 8]) {
            acts.push((dice.within(WITHIN), Act::roll(&mut dice, releases.len())));
        }
        // With dice of their own, so that the rest of a seed is what it was before there were gates.
        let mut dice = Dice::of(!seed);
        let knobs = Knobs {
            gates: Gates::roll(&mut dice),
            ..knobs
        };
        for _ in 0..dice.one_of(&[0, 0, 1, 2]) {
            acts.push((dice.within(WITHIN), Act::Say(Saying::of_freezes(&mut dice))));
        }
        for (_, act) in &mut acts {
            act.set_clock(&mut dice);
        }
        let mut dice = Dice::of(seed.rotate_left(32));
        let life = Life::roll(&mut dice, releases.len());
        for _ in 0..dice.one_of(&[0, 0, 1]) {
            acts.push((dice.within(WITHIN), Act::roll_rare(&mut dice)));
        }
        for (_, act) in &mut acts {
            act.disturb_machine(&mut dice);
        }
        let mut dice = Dice::of(seed.rotate_left(16));
        if dice.percent(15) {
            coincide(&mut dice, &mut releases, &mut acts);
        }
        let mut dice = Dice::of(seed.rotate_left(48));
        if dice.percent(15) {
            lose_controllers(&mut dice, &mut acts);
        }
        acts.sort_by_key(|(at, _)| *at);
        Self {
            seed,
            knobs,
            releases,
            acts,
            life,
        }
    }

    /// Whether tenants have hooks: those of every third seed.
    pub fn has_hooks(&self) -> bool {
        self.seed % 3 == 2
    }

    /// The `--wait-limit` of the jobs of every fifth seed.
    pub fn wait_limit(&self) -> Option<Duration> {
        const LIMITS: [u64; 3] = [0, 10, 45];
        let at = usize::try_from(self.seed / 5 % 3).expect("less than three");
        (self.seed % 5 == 3).then(|| Duration::from_secs(LIMITS[at]))
    }

    pub fn without(&self, act: usize) -> Self {
        let mut fewer = self.clone();
        fewer.acts.remove(act);
        fewer
    }

    pub fn tag(&self, release: usize) -> String {
        match self.releases.get(release) {
            Some(Quality::Slow) => format!("{release}-slow"),
            Some(Quality::Bad(how)) => format!("{release}-{how}"),
            Some(Quality::Good | Quality::BadFor(..) | Quality::Dies(_)) | None => {
                release.to_string()
            }
        }
    }

    /// The release that a tag is of.
    pub fn release_of(&self, tag: &str) -> Option<usize> {
        tag.split('-').next()?.parse().ok()
    }

    /// Whether this release can never be good for this tenant.
    pub fn is_bad_for(&self, release: usize, tenant: &str) -> bool {
        // Looks at those that do well are up to 20 s apart.
        let seen = self
            .knobs
            .soak
            .min(self.knobs.canary_soak)
            .saturating_sub(30);
        match self.releases.get(release) {
            Some(Quality::Bad(_)) => true,
            Some(Quality::BadFor(whom, _)) => *whom == tenant,
            Some(Quality::Dies(after)) => *after < seen,
            Some(Quality::Good | Quality::Slow) | None => false,
        }
    }

    /// Whether the hub may not answer at some time, so that words are heard late.
    pub fn has_faults_of_the_hub(&self) -> bool {
        self.acts.iter().any(|(_, act)| match act {
            Act::Unreachable { cluster, .. } | Act::Storm { cluster, .. } => *cluster == "hub",
            _ => false,
        })
    }

    /// Whether anything stands between us and the clusters at some time.
    pub fn has_faults(&self) -> bool {
        let is_fault = |act: &Act| matches!(act, Act::Unreachable { .. } | Act::Storm { .. });
        self.acts.iter().any(|(_, act)| is_fault(act))
    }

    pub fn strategy(&self) -> String {
        let Knobs {
            concurrency,
            failures,
            canary_soak,
            soak,
            on_breach,
            scope,
            mode,
            on_newer,
            unreachable: (patience, then),
            gates,
        } = &self.knobs;
        let (windows, approval) = (gates.windows(), gates.approval);
        format!(
            "
apiVersion: escale.dev/v1alpha1
kind: Strategy
metadata: {{name: normal}}
spec:
  tenant: {{minHealthyTime: 5s, progressDeadline: 2m}}
  limits:
    maxConcurrency: {{all: {concurrency}}}
    maxUnavailable: {{all: 100%, cluster: 100%}}
    maxFailures: {{all: {failures}, cluster: 100%, mode: {mode}}}
  waves:
    - {{name: canary, role: canary, select: {{ring: canary}}, soak: {canary_soak}s, onBreach: rollback}}
    - {{name: rest, approval: {approval}, soak: {soak}s, onBreach: {on_breach}}}
  rollback: {{maxConcurrency: {{all: 100%}}, scope: {scope}}}
  onNewer: {on_newer}
  onUnreachable: {{deadline: {patience}s, then: {then}}}
  {windows}
  brake: {{deletes: 50, ofTenant: 90%, ofTenants: 100%}}
"
        )
    }
}

/// What is rare by itself comes together: the first release dies after a while, and before that a cluster goes away.
fn coincide(dice: &mut Dice, releases: &mut [Quality], acts: &mut Vec<(Duration, Act)>) {
    releases[1] = Quality::Dies(dice.one_of(&[100, 150, 250]));
    let is_it = |act: &Act| matches!(act, Act::RollOut { release: 1, .. });
    let times = acts.iter().filter(|(_, act)| is_it(act)).map(|(at, _)| *at);
    let Some(began) = times.min() else {
        return;
    };
    let outage = Act::Unreachable {
        cluster: dice.one_of(&["east", "west", "west"]),
        seconds: dice.one_of(&[200, 400, 900]),
    };
    acts.push((began + dice.within(120), outage));
}

/// While a release goes out, the controllers of a cluster stand still: what is written there is seen late.
fn lose_controllers(dice: &mut Dice, acts: &mut Vec<(Duration, Act)>) {
    let jobs = acts
        .iter()
        .filter(|(_, act)| matches!(act, Act::RollOut { .. }));
    let times: Vec<Duration> = jobs.map(|(at, _)| *at).collect();
    let absence = Act::NoController {
        cluster: dice.one_of(&["east", "west", "west"]),
        seconds: dice.one_of(&[10, 20, 40]),
    };
    acts.push((dice.one_of(&times) + dice.within(30), absence));
}

impl Knobs {
    fn roll(dice: &mut Dice) -> Self {
        Self {
            concurrency: dice.one_of(&[1, 2, 3, 6]),
            failures: dice.one_of(&[0, 0, 1, 2]),
            canary_soak: dice.one_of(&[0, 30, 90]),
            soak: dice.one_of(&[0, 30, 90, 180]),
            on_breach: dice.one_of(&["rollback", "rollback", "pause", "continue"]),
            scope: dice.one_of(&["wave", "rollout"]),
            mode: dice.one_of(&["soft", "soft", "strict"]),
            on_newer: dice.one_of(&["queueLatest", "queueLatest", "supersede", "refuse"]),
            unreachable: (
                dice.one_of(&[20, 90, 300, 900]),
                dice.one_of(&["defer", "defer", "fail"]),
            ),
            gates: Gates::default(),
        }
    }
}

impl Life {
    fn roll(dice: &mut Dice, releases: usize) -> Self {
        let mut some = |chance| {
            dice.percent(chance)
                .then(|| 1 + usize::from(dice.percent(50)))
        };
        let (joins, leaves) = (some(15), some(10));
        let last = releases - 1;
        Self {
            joins: joins.map_or(0, |release| release.min(last)),
            leaves: leaves.map(|release| release.min(last)),
        }
    }
}

impl Quality {
    fn roll(dice: &mut Dice) -> Self {
        let bad = dice.one_of(&["crash", "never-ready", "pull-error"]);
        match dice.one_of(&[0, 0, 0, 0, 0, 1, 2, 2, 3, 3, 4]) {
            0 => Self::Good,
            1 => Self::Slow,
            2 => Self::Bad(bad),
            3 => Self::BadFor(dice.one_of(&TENANTS), bad),
            _ => Self::Dies(dice.one_of(&[3, 10, 20, 45, 100])),
        }
    }
}

impl Saying {
    fn of_freezes(dice: &mut Dice) -> Self {
        let scope = dice.one_of(&[None, Some("east"), Some("west")]);
        if dice.percent(75) {
            Self::Freeze(scope, dice.one_of(&[10, 60, 300]))
        } else {
            Self::Thaw(scope)
        }
    }
}

impl Act {
    /// What came to the seeds last.
    fn roll_rare(dice: &mut Dice) -> Self {
        if dice.percent(50) {
            let (tenant, what) = (dice.one_of(&TENANTS), Edit::Image);
            return Self::Edit { tenant, what };
        }
        Self::Unwell {
            cluster: dice.one_of(&["east", "west"]),
            seconds: dice.one_of(&[30, 100, 400, 1200]),
        }
    }

    fn roll_out(dice: &mut Dice, release: usize) -> Self {
        let killed = dice.percent(35).then(|| dice.within(240));
        let cancelled = (killed.is_none() && dice.percent(15)).then(|| dice.within(240));
        Self::RollOut {
            release,
            killed,
            cancelled,
            machine: Machine::default(),
        }
    }

    /// Some machines' clocks are wrong, by less than what a claim allows for.
    fn set_clock(&mut self, dice: &mut Dice) {
        if let Self::RollOut { machine, .. } = self {
            machine.ahead = dice.one_of(&[0, 0, 0, 0, -12, -4, 4, 12]);
        }
    }

    /// Clocks are set while a process runs, and machines have too much to do.
    fn disturb_machine(&mut self, dice: &mut Dice) {
        let Self::RollOut { machine, .. } = self else {
            return;
        };
        if dice.percent(10) {
            machine.set = Some((dice.within(240), dice.one_of(&[-12, 0, 12])));
        }
        if dice.percent(10) {
            let for_so_long = Duration::from_secs(dice.one_of(&[3, 20, 60, 300]));
            machine.starved = Some((dice.within(240), for_so_long));
        }
    }

    fn roll(dice: &mut Dice, releases: usize) -> Self {
        let tenant = dice.one_of(&TENANTS);
        let cluster = dice.one_of(&CLUSTERS);
        match dice.one_of(&[0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 7, 8, 8, 8, 9, 10]) {
            0 => {
                let release = 1 + usize::from(dice.percent(50)) % (releases - 1).max(1);
                Self::roll_out(dice, release.min(releases - 1))
            }
            1 => Self::RollBack {
                tenant,
                killed: dice.percent(25).then(|| dice.within(40)),
            },
            2 => Self::Hold(tenant),
            3 => Self::LetGo(tenant),
            4 => Self::Say(Saying::Pause),
            5 => Self::Say(Saying::Resume),
            6 => Self::Say(dice.one_of(&[Saying::Abort, Saying::Clear(1)])),
            7 => Self::Unreachable {
                cluster,
                seconds: dice.one_of(&[5, 30, 100, 400]),
            },
            8 => Self::Storm {
                cluster,
                lost: dice.percent(50),
            },
            9 => Self::Calm(cluster),
            _ => Self::Edit {
                tenant,
                what: dice.one_of(&[Edit::Label, Edit::Scale]),
            },
        }
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "strategy: {:?}", self.knobs)?;
        for (release, quality) in self.releases.iter().enumerate() {
            writeln!(f, "release {release}: {quality:?}")?;
        }
        writeln!(f, "{:?}", self.life)?;
        for (at, act) in &self.acts {
            writeln!(f, "after {:.1} s: {act:?}", at.as_secs_f64())?;
        }
        Ok(())
    }
}
