//! What goes wrong between a client and the cluster, by seed.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use jiff::Timestamp;

use super::behaviour::Rule;
use super::random;

/// What [`SimCluster::tell`](super::SimCluster::tell) understands.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// Requests fail by chance; replaces what was told before.
    Requests(RequestFaults),
    /// Nothing gets through from a time on, until another.
    Unreachable {
        from: Timestamp,
        until: Option<Timestamp>,
    },
    /// The credentials are no longer accepted.
    Unauthorized,
    /// No controller looks at anything, as while another process of theirs becomes the leader. Kubelets go on.
    NoController { until: Timestamp },
    /// Nobody answers for pages; the API server does.
    NoIngress { until: Timestamp },
    /// Pods behave otherwise than they say.
    Behaviour(Rule),
    /// All is well again; pods go on as they are.
    Nothing,
}

/// Chances from 0 to 1, tried in this order for each request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RequestFaults {
    /// How long a request takes to arrive.
    pub latency: Range<Duration>,
    /// Not heard at all: the connection ends before anything happens.
    pub cut: f64,
    /// `429` with `Retry-After: 1`.
    pub too_many: f64,
    /// `500`.
    pub internal: f64,
    /// `503`.
    pub unavailable: f64,
    /// Done, but the answer is lost.
    pub lost: f64,
}

/// What is told to go wrong now.
#[derive(Debug, Default)]
pub struct Faults {
    requests: Option<RequestFaults>,
    unreachable: Vec<(Timestamp, Option<Timestamp>)>,
    unauthorized: bool,
    no_controller: Option<Timestamp>,
    no_ingress: Option<Timestamp>,
    /// How often each request was tried: chance depends on it, not on what others ask meanwhile.
    tries: BTreeMap<u64, u32>,
}

/// What happens to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Answered,
    Cut,
    TooMany,
    Internal,
    Unavailable,
    Lost,
}

impl Faults {
    pub fn told(&mut self, faults: RequestFaults) {
        self.requests = Some(faults);
    }

    pub fn unreachable(&mut self, from: Timestamp, until: Option<Timestamp>) {
        self.unreachable.push((from, until));
    }

    pub fn unauthorized(&mut self) {
        self.unauthorized = true;
    }

    pub fn is_unauthorized(&self) -> bool {
        self.unauthorized
    }

    pub fn no_controller(&mut self, until: Timestamp) {
        self.no_controller = self.no_controller.max(Some(until));
    }

    pub fn no_ingress(&mut self, until: Timestamp) {
        self.no_ingress = self.no_ingress.max(Some(until));
    }

    pub fn has_ingress(&self, now: Timestamp) -> bool {
        !self.is_unreachable(now) && self.no_ingress.is_none_or(|until| until <= now)
    }

    /// When controllers look at what they would look at by `time`, if not then.
    pub fn controllers_back(&self, time: Timestamp) -> Option<Timestamp> {
        self.no_controller.filter(|until| time < *until)
    }

    pub fn is_unreachable(&self, now: Timestamp) -> bool {
        let holds = |(from, until): &(Timestamp, Option<Timestamp>)| {
            *from <= now && until.is_none_or(|until| now < until)
        };
        self.unreachable.iter().any(holds)
    }

    /// How long this try of a request takes, and how it ends.
    pub fn fate(&mut self, seed: u64, request: &str) -> (Duration, Fate) {
        let Some(faults) = &self.requests else {
            return (Duration::ZERO, Fate::Answered);
        };
        let tries = self
            .tries
            .entry(random::number(seed, &[request]))
            .or_default();
        *tries += 1;
        let tries = tries.to_string();
        let words = |what: &'static str| [what, request, tries.as_str()];
        let chance = random::fraction(seed, &words("fate"));
        let spread = faults.latency.end.saturating_sub(faults.latency.start);
        let latency =
            faults.latency.start + spread.mul_f64(random::fraction(seed, &words("latency")));
        (latency, faults.fate(chance))
    }
}

impl RequestFaults {
    fn fate(&self, chance: f64) -> Fate {
        let fates = [
            (self.cut, Fate::Cut),
            (self.too_many, Fate::TooMany),
            (self.internal, Fate::Internal),
            (self.unavailable, Fate::Unavailable),
            (self.lost, Fate::Lost),
        ];
        let mut reached = 0.0;
        for (share, fate) in fates {
            reached += share;
            if chance < reached {
                return fate;
            }
        }
        Fate::Answered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fates_follow_from_the_seed_and_the_request_alone() {
        let fates = || {
            let mut faults = Faults::default();
            faults.told(RequestFaults {
                too_many: 0.3,
                lost: 0.3,
                ..RequestFaults::default()
            });
            faults
        };
        let mut one = fates();
        let mut other = fates();
        other.fate(7, "GET /b");
        let seen: Vec<_> = (0..50).map(|_| one.fate(7, "GET /a").1).collect();
        let again: Vec<_> = (0..50).map(|_| other.fate(7, "GET /a").1).collect();
        assert_eq!(seen, again);
        assert!(
            seen.contains(&Fate::TooMany)
                && seen.contains(&Fate::Lost)
                && seen.contains(&Fate::Answered)
        );
    }
}
