//! Deployments of a rollout, on the stub that complains of what GitLab does not document.

use std::collections::BTreeMap;

use escale::gitlab::{Deployer, DeploymentStatus, Deployments};

use super::stub::Stub;

const CANARY: &str = "production/metal-par/canary";
const REST: &str = "production/metal-par/rest";

fn deployer(stub: &Stub, commit: &str) -> Result<Deployer, &'static str> {
    let mut variables: BTreeMap<&str, String> = stub.variables().into_iter().collect();
    variables.insert("CI_COMMIT_REF_NAME", "main".to_owned());
    Deployer::of(commit, |name| variables.get(name).cloned())
}

fn deployments(stub: &Stub, commit: &str) -> Deployments {
    provide();
    Deployments::new(deployer(stub, commit).expect("all variables")).expect("a client")
}

/// As `main` does for the program.
fn provide() {
    // Whoever comes second finds it there.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

fn shown(stub: &Stub) -> Vec<(String, String, String)> {
    let state = stub.state();
    assert_eq!(state.complaints, Vec::<String>::new());
    state.deployments.clone()
}

fn line(environment: &str, commit: &str, status: &str) -> (String, String, String) {
    (environment.to_owned(), commit.to_owned(), status.to_owned())
}

#[tokio::test]
async fn a_rollout_is_one_deployment_for_each_part_of_the_fleet() {
    let stub = Stub::new();
    let parts = [CANARY.to_owned(), REST.to_owned()];
    let mut first = deployments(&stub, "aaaa");
    first.begin(&parts).await.expect("it answers");
    assert_eq!(
        shown(&stub),
        [
            line(CANARY, "aaaa", "running"),
            line(REST, "aaaa", "running")
        ]
    );
    // Another job goes on with the rollout, and with what GitLab shows of it.
    let mut second = deployments(&stub, "aaaa");
    second.begin(&parts).await.expect("it answers");
    let ended = [
        (CANARY.to_owned(), DeploymentStatus::Failed),
        (REST.to_owned(), DeploymentStatus::Canceled),
    ];
    second.end(&ended.into()).await.expect("it answers");
    assert_eq!(
        shown(&stub),
        [
            line(CANARY, "aaaa", "failed"),
            line(REST, "aaaa", "canceled")
        ]
    );
    // The next release has its own.
    let mut next = deployments(&stub, "bbbb");
    next.begin(&parts[..1]).await.expect("it answers");
    let ended = [(CANARY.to_owned(), DeploymentStatus::Success)];
    next.end(&ended.into()).await.expect("it answers");
    assert_eq!(shown(&stub)[2..], [line(CANARY, "bbbb", "success")]);
}

#[tokio::test]
async fn what_gitlab_refuses_is_told_without_the_token() {
    let stub = Stub::new();
    provide();
    let refused = Deployer {
        token: "glcbt-wrong".to_owned(),
        ..deployer(&stub, "aaaa").expect("all variables")
    };
    let mut refused = Deployments::new(refused).expect("a client");
    let trouble = refused.begin(&[CANARY.to_owned()]).await.expect_err("401");
    assert_eq!(trouble, "GitLab answered 401 Unauthorized");
    let many: Vec<String> = (0..501)
        .map(|number| format!("production/{number}"))
        .collect();
    let trouble = refused.begin(&many).await.expect_err("too many");
    assert!(trouble.contains("more than GitLab takes"), "{trouble}");
}

#[test]
fn outside_of_a_job_the_missing_variable_is_named() {
    let missing = Deployer::of("aaaa", |_| None).err();
    assert_eq!(missing, Some("CI_API_V4_URL"));
}
