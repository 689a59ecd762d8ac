//! `escale health`: what a person or a script reads.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

/// A Deployment whose one new pod crashes, as `kubectl get deployment,replicaset,pod -o yaml`
/// prints it, shortened.
const CRASHING: &str = r#"
apiVersion: v1
kind: List
items:
- apiVersion: apps/v1
  kind: Deployment
  metadata:
    {name: web, namespace: acme, uid: d, generation: 2, annotations: {deployment.kubernetes.io/revision: "2"}}
  spec: {replicas: 1, progressDeadlineSeconds: 600, selector: {matchLabels: {app: web}}}
  status: {observedGeneration: 2, replicas: 2, updatedReplicas: 1, readyReplicas: 1, availableReplicas: 1}
- apiVersion: apps/v1
  kind: ReplicaSet
  metadata:
    name: web-7d9
    namespace: acme
    uid: r
    annotations: {deployment.kubernetes.io/revision: "2"}
    ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: web, uid: d, controller: true}]
  spec: {replicas: 0}
- apiVersion: v1
  kind: Pod
  metadata:
    name: web-7d9-x
    namespace: acme
    uid: p
    creationTimestamp: "2026-11-20T10:00:00Z"
    ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: web-7d9, uid: r, controller: true}]
  status:
    phase: Running
    containerStatuses:
    - name: php
      restartCount: 5
      state: {waiting: {reason: CrashLoopBackOff}}
      lastState: {terminated: {exitCode: 137, reason: OOMKilled}}
"#;

#[test]
fn a_workload_is_told_with_the_pod_that_keeps_it_from_being_healthy() {
    let output = health(&["-f", "-"], CRASHING);
    let crash =
        "container `php` crashes (exit code 137, out of memory (OOMKilled)); restarted 5 times";
    assert_eq!(
        text(&output.stdout),
        format!(
            "failed       acme/Deployment/web      pod `web-7d9-x`: {crash}\n\
             healthy      acme/ReplicaSet/web-7d9  0 replicas available\n\
             failed       acme/Pod/web-7d9-x       {crash}\n"
        )
    );
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn json_has_the_shape_that_scripts_rely_on() {
    let claim = "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: files, namespace: acme}, status: {phase: Bound}}";
    let output = health(&["-o", "json", "-f", "-"], claim);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        serde_json::from_slice::<Value>(&output.stdout).expect("it prints JSON"),
        json!({
            "apiVersion": "escale.dev/v1alpha1",
            "kind": "HealthReport",
            "items": [{
                "object": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": "acme", "name": "files"},
                "verdict": "healthy",
                "reason": "Bound",
                "message": "is bound to a volume",
            }],
        })
    );
}

#[test]
fn suspended_is_no_failure() {
    let job =
        "{apiVersion: batch/v1, kind: CronJob, metadata: {name: backup}, spec: {suspend: true}}";
    let output = health(&["-f", "-"], job);
    assert_eq!(
        text(&output.stdout),
        "suspended    CronJob/backup  is suspended\n"
    );
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn mistakes_are_told_with_their_line_and_nothing_is_judged() {
    let output = health(
        &["-f", "-"],
        "kind: Pod\n---\nmetadata: {name: x}\nkind: Pod\n",
    );
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stdout), "");
    assert_eq!(
        text(&output.stderr),
        "error: stdin:1: `apiVersion` is missing\n\
         stdin:3: `apiVersion` is missing\n\
         \x20 hint: give it what `kubectl get -o yaml` prints\n"
    );

    let output = health(&["-f", "-"], "a: [\n");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).starts_with("error: stdin:"));

    let output = health(&["-f", "-"], "# nothing\n");
    assert_eq!(text(&output.stderr), "error: stdin holds no object\n");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let output = health(&["-f", "no-such-file.yaml"], "");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).starts_with("error: could not read `no-such-file.yaml`: "));
}

#[test]
fn without_a_file_the_usage_is_wrong() {
    assert_eq!(health(&[], "").status.code(), Some(64));
}

fn health(arguments: &[&str], stdin: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_escale"))
        .arg("health")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary is built with the tests");
    // A command that does not read its input may be gone already.
    let _written = child
        .stdin
        .take()
        .expect("it is piped")
        .write_all(stdin.as_bytes());
    child.wait_with_output().expect("it ends")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("it prints UTF-8")
}
