//! What falls due when: the cluster's only sense of a future.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::object::ObjectId;

/// One thing that will happen to an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Task {
    pub what: What,
    pub object: ObjectId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// Its controller looks at it.
    Sync,
    /// The kubelet (for a pod) goes on with it.
    Advance,
    /// It is looked at because an owner of it has gone.
    Collect,
    /// It is removed because its time is over.
    Expire,
}

/// Tasks by time, then by the order in which they were set. A task stands at most once, at its earliest time.
#[derive(Debug, Default)]
pub struct Timers {
    due: BTreeMap<(Timestamp, u64), Task>,
    times: BTreeMap<Task, (Timestamp, u64)>,
    set: u64,
}

impl Timers {
    pub fn at(&mut self, time: Timestamp, task: Task) {
        if let Some(standing) = self.times.get(&task) {
            if standing.0 <= time {
                return;
            }
            self.due.remove(standing);
        }
        self.set += 1;
        self.times.insert(task.clone(), (time, self.set));
        self.due.insert((time, self.set), task);
    }

    /// Takes the first task that is due by `now`, with the time for which it was set.
    pub fn next(&mut self, now: Timestamp) -> Option<(Timestamp, Task)> {
        let first = self.due.first_entry()?;
        let (time, _) = *first.key();
        if now < time {
            return None;
        }
        let task = first.remove();
        self.times.remove(&task);
        Some((time, task))
    }

    pub fn iter(&self) -> impl Iterator<Item = (Timestamp, &Task)> {
        self.due.iter().map(|((time, _), task)| (*time, task))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::kinds::KindId;

    #[test]
    fn a_task_stands_once_at_its_earliest_time() {
        let at = |second| Timestamp::from_second(second).expect("a time");
        let task = |name: &str| Task {
            what: What::Sync,
            object: ObjectId::new(KindId(0), None, name),
        };
        let mut timers = Timers::default();
        timers.at(at(9), task("a"));
        timers.at(at(5), task("a"));
        timers.at(at(7), task("a"));
        timers.at(at(5), task("b"));
        let mut seen = Vec::new();
        while let Some(next) = timers.next(at(8)) {
            seen.push(next);
        }
        assert_eq!(seen, [(at(5), task("a")), (at(5), task("b"))]);
    }
}
