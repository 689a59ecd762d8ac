//! Replays the recorded cases against `fields`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use escale::fields::{
    ApplyError, ApplyRequest, NoOp, Path, PathElement, compare, schema, server_apply,
    server_update, would_change,
};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::store::{self, Scenario, Step, Verb};

const US: &str = "escale";

/// One recorded request with the object before it.
struct Case<'a> {
    scenario: &'a Scenario,
    at: usize,
    step: &'a Step,
    before: Option<&'a Value>,
}

impl Case<'_> {
    fn name(&self) -> String {
        format!(
            "{} of seed {}, step {} ({:?} by {})",
            self.scenario.kind, self.scenario.seed, self.at, self.step.verb, self.step.manager
        )
    }

    fn is_accepted(&self) -> bool {
        self.step.status < 300
    }

    /// What a custom resource is made of stands in its definition only.
    fn is_custom(&self) -> bool {
        self.scenario.kind == "Widget"
    }

    /// The object after the request.
    fn after(&self) -> Option<&Value> {
        self.step.after.as_ref().or(self.before)
    }

    /// When the server wrote: what stands in the entry of the writer, if that is about now.
    fn now(&self) -> Timestamp {
        let at = Timestamp::from_second(self.step.at).expect("a time");
        let entries = self
            .after()
            .and_then(|after| after.pointer("/metadata/managedFields")?.as_array());
        let times = entries
            .into_iter()
            .flatten()
            .filter_map(|entry| entry["time"].as_str()?.parse::<Timestamp>().ok());
        times
            .filter(|time| (time.as_second() - at.as_second()).abs() <= 1)
            .max()
            .unwrap_or(at)
    }
}

fn each_case(scenarios: &[Scenario], mut check: impl FnMut(&Case)) {
    for scenario in scenarios {
        let mut before: Option<&Value> = None;
        for (at, step) in scenario.steps.iter().enumerate() {
            check(&Case {
                scenario,
                at,
                step,
                before,
            });
            if step.status < 300 && !step.dry_run {
                before = step.after.as_ref().or(before);
            }
        }
    }
}

#[derive(Default)]
struct Tally {
    right: usize,
    wrong: Vec<String>,
}

impl Tally {
    fn count(&mut self, is_right: bool, wrong: impl FnOnce() -> String) {
        if is_right {
            self.right += 1;
        } else {
            self.wrong.push(wrong());
        }
    }

    fn all_right(&self, what: &str) {
        let (right, wrong) = (self.right, self.wrong.len());
        let first: Vec<_> = self.wrong.iter().take(12).map(String::as_str).collect();
        assert!(
            wrong == 0,
            "{what}: {right} right, {wrong} wrong:\n{}",
            first.join("\n")
        );
    }
}

#[test]
fn no_apply_that_changed_anything_was_taken_for_a_no_op() {
    let scenarios = store::read();
    let (mut false_no_ops, mut suspects) = (Tally::default(), Tally::default());
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    each_case(scenarios, |case| {
        let step = case.step;
        let Some(before) = case.before.filter(|_| {
            step.verb == Verb::Apply && step.manager == US && step.subresource.is_none()
        }) else {
            return;
        };
        let verdict = would_change(&step.body, before, US);
        let did_change =
            !case.is_accepted() || step.after.as_ref().is_some_and(|after| after != before);
        if did_change {
            false_no_ops.count(verdict != NoOp::Unchanged, || case.name());
        } else {
            suspects.count(verdict == NoOp::Unchanged, || {
                format!("{}: {verdict:?}", case.name())
            });
            if let NoOp::Suspect(reason) = verdict {
                *reasons
                    .entry(format!("{}: {reason}", case.scenario.kind))
                    .or_default() += 1;
            }
        }
    });
    false_no_ops.all_right("changes");
    assert!(
        false_no_ops.right > 3000 && suspects.right > 2500,
        "the cases are there"
    );
    // Most of these send nulls or other spellings, and others applied in between: in real fleets they are rare.
    let (seen, suspected) = (suspects.right, suspects.wrong.len());
    assert!(
        suspected * 10 <= seen,
        "{seen} no-ops seen, {suspected} suspected: {reasons:#?}"
    );
}

#[test]
fn an_apply_leaves_object_and_owners_as_the_server_does() {
    let scenarios = store::read();
    let (mut refused, mut owners, mut objects) =
        (Tally::default(), Tally::default(), Tally::default());
    each_case(scenarios, |case| {
        let step = case.step;
        if step.verb != Verb::Apply || case.is_custom() {
            return;
        }
        let request = ApplyRequest {
            live: case.before,
            sent: &step.body,
            manager: &step.manager,
            force: step.force,
            now: case.now(),
            subresource: step.subresource.as_deref(),
        };
        match (
            server_apply(request),
            case.after().filter(|_| case.is_accepted()),
        ) {
            (Ok(applied), Some(after)) => {
                let (ours, theirs) = (owners_of(&applied.object), owners_of(after));
                owners.count(ours == theirs, || {
                    format!("{}\n{}", case.name(), differing(&ours, &theirs))
                });
                let lost = unexplained(&applied.object, after);
                objects.count(lost.is_empty(), || format!("{}: {lost:?}", case.name()));
            }
            (Err(ApplyError::Conflicts(conflicts)), None) => {
                let said = ApplyError::Conflicts(conflicts).to_string();
                let message = step.message.as_deref().unwrap_or_default();
                refused.count(sorted_lines(&said) == sorted_lines(message), || {
                    format!("{}\n  {said}\n  {message}", case.name())
                });
            }
            (Err(ApplyError::Invalid(said)), None) => {
                let message = step.message.as_deref().unwrap_or_default();
                refused.count(said == message, || {
                    format!("{}\n  {said}\n  {message}", case.name())
                });
            }
            (Ok(_), None) => refused.count(false, || {
                format!("{}: {:?} was accepted", case.name(), step.message)
            }),
            (Err(error), Some(_)) => refused.count(false, || format!("{}: {error}", case.name())),
        }
    });
    refused.all_right("refusals");
    owners.all_right("owners after apply");
    objects.all_right("objects after apply");
}

#[test]
fn an_update_leaves_the_owners_as_the_server_does() {
    let scenarios = store::read();
    let mut owners = Tally::default();
    each_case(scenarios, |case| {
        let step = case.step;
        let Some(after) = case
            .after()
            .filter(|_| case.is_accepted() && step.verb != Verb::Apply && !case.is_custom())
        else {
            return;
        };
        let mut new = after.clone();
        forget_what_the_server_gave(case, &mut new);
        let carried = match step.verb {
            Verb::Put => step.body.pointer("/metadata/managedFields"),
            _ => case
                .before
                .and_then(|before| before.pointer("/metadata/managedFields")),
        };
        new["metadata"]["managedFields"] = carried.cloned().unwrap_or(Value::Null);
        let updated = server_update(
            case.before,
            &new,
            &step.manager,
            case.now(),
            step.subresource.as_deref(),
        );
        let (ours, theirs) = (owners_of(&updated), owners_of(after));
        owners.count(ours == theirs || is_lost_in_json(case), || {
            format!("{}\n{}", case.name(), differing(&ours, &theirs))
        });
    });
    owners.all_right("owners after update");
}

fn owners_of(object: &Value) -> Value {
    object
        .pointer("/metadata/managedFields")
        .cloned()
        .unwrap_or_else(|| json!([]))
}

/// What stands in ours and not, or otherwise, in theirs: everything but defaults must be explained.
fn unexplained(ours: &Value, theirs: &Value) -> Vec<String> {
    // A Service loses these as its type changes; a `false` that is the zero of its field is not written.
    let cleared = [
        "nodePort",
        "externalTrafficPolicy",
        "sessionAffinityConfig",
        "publishNotReadyAddresses",
    ];
    let bookkeeping = [["metadata", "managedFields"], ["metadata", "generation"]]
        .map(|path| Path::of_fields(&path));
    let is_cleared = |path: &Path| {
        let last = path.elements().last();
        ours["kind"] == "Service"
            && matches!(last, Some(PathElement::Field(name)) if cleared.contains(&name.as_str()))
    };
    let changes = compare(schema().type_of_object(ours), ours, theirs);
    let lost = changes
        .into_iter()
        .filter(|change| change.before.is_some() && !bookkeeping.contains(&change.path));
    lost.filter(|change| !is_cleared(&change.path))
        .map(|change| format!("{} {:?} {:?}", change.path, change.before, change.after))
        .collect()
}

/// What the server gives out after ownership was noted.
fn forget_what_the_server_gave(case: &Case, new: &mut Value) {
    let is_create = case.before.is_none();
    match case.scenario.kind.as_str() {
        "PersistentVolumeClaim" if is_create => forget(&mut new["metadata"], &["finalizers"]),
        "Service" => {
            if is_create {
                forget(
                    &mut new["spec"],
                    &["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"],
                );
            }
            let had_node_ports = case
                .before
                .is_some_and(|before| before["spec"]["type"] == "NodePort");
            let ports = new["spec"]["ports"].as_array_mut();
            for port in ports.into_iter().flatten().filter(|_| !had_node_ports) {
                forget(port, &["nodePort"]);
            }
        }
        _ => {}
    }
}

fn forget(object: &mut Value, fields: &[&str]) {
    let entries = object.as_object_mut().expect("a map");
    entries.retain(|name, _| !fields.contains(&name.as_str()));
}

/// Differences between Go values that are none in JSON: an empty list against null, and a quantity inside an atomic
/// list that a PUT spells otherwise.
fn is_lost_in_json(case: &Case) -> bool {
    let is_void = |value: &Value| value.is_null() || value.as_array().is_some_and(Vec::is_empty);
    match case.scenario.kind.as_str() {
        "Role" => is_void(&case.step.body["rules"]),
        "HorizontalPodAutoscaler" => case.step.verb == Verb::Put,
        _ => false,
    }
}

fn sorted_lines(text: &str) -> Vec<&str> {
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    lines
}

fn differing(ours: &Value, theirs: &Value) -> String {
    let (Some(ours), Some(theirs)) = (ours.as_array(), theirs.as_array()) else {
        return "no lists".to_owned();
    };
    let mut text = String::new();
    for entry in ours.iter().filter(|entry| !theirs.contains(entry)) {
        writeln!(text, "    ours   {entry}").expect("text");
    }
    for entry in theirs.iter().filter(|entry| !ours.contains(entry)) {
        writeln!(text, "    theirs {entry}").expect("text");
    }
    if text.is_empty() {
        "    another order".to_owned()
    } else {
        text
    }
}
