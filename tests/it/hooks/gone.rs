//! `escale check --against`: hooks that disappear.

use crate::project::Project;

const HOOKS: &str = "templates/agency/hooks.yaml.j2";

fn check(project: &Project) -> String {
    let ran = project.escale(&["check", "-e", "agency", "--against", "HEAD"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    ran.stdout
}

#[test]
fn a_hook_that_disappears_is_told_once_for_all_tenants_and_one_of_a_platform_that_leaves_is_not() {
    let project = Project::production();
    project.commit();
    assert_eq!(check(&project), "");
    project.edit(
        "environments/agency/tenants/musee.yaml",
        "    musee: {client: musee, domain: www.musee.example, apps: {shop: {}}}",
        "    galerie: {client: musee, domain: www.musee.example, apps: {shop: {}}}",
    );
    assert_eq!(check(&project), "");
    project.edit(HOOKS, "\"warm-up-\" ~ name", "\"heat-\" ~ name");
    let told = check(&project);
    let first = told.lines().next().expect("a warning");
    assert!(
        first.starts_with("warning: post-rollout hook `warm-up-banque` is gone since "),
        "{told}"
    );
    assert!(
        first.ends_with("where it has not succeeded yet, it never runs (in tenant `banque`)"),
        "{told}"
    );
    assert!(!told.contains("warm-up-musee"), "{told}");
}

#[test]
fn a_revision_that_is_none_is_an_error() {
    let project = Project::production();
    project.commit();
    let ran = project.escale(&["check", "-e", "agency", "--against", "nowhere"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("nowhere"), "{}", ran.stderr);
}
