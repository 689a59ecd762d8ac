//! `after`: who goes first.

use super::*;

#[test]
fn after_names_tenants_of_any_group_or_none() {
    let text = "apiVersion: escale.dev/v1alpha1\nkind: Tenant\nmetadata: {name: new}\nspec: {cluster: ovh-gra, after: [vault-carbone]}\n";
    let mut files = production();
    files.insert(
        "environments/production/tenants/new.yaml".to_owned(),
        text.to_owned(),
    );
    let fleet = load(&files, "production").expect("a fleet without mistakes");
    let new = fleet.tenant("new").expect("it is in the fleet");
    assert_eq!((new.group.as_deref(), new.after.len()), (None, 1));
}

/// Nineteen layers of two, of which each comes after both of the one before: half a million ways lead down.
#[test]
fn many_ways_to_what_goes_first_are_no_circle_and_are_not_all_walked() {
    let mut files = production();
    for layer in 1..20 {
        for side in ["a", "b"] {
            let after = match layer {
                1 => String::new(),
                _ => format!(", after: [a{0}, b{0}]", layer - 1),
            };
            let text = format!(
                "apiVersion: escale.dev/v1alpha1\nkind: Tenant\nmetadata: {{name: {side}{layer}}}\nspec: {{cluster: ovh-gra{after}}}\n"
            );
            let path = format!("environments/production/tenants/{side}{layer}.yaml");
            files.insert(path, text);
        }
    }
    assert!(load(&files, "production").is_ok());
}

#[test]
fn after_does_not_go_in_a_circle() {
    let qualif = "apiVersion: escale.dev/v1alpha1\nkind: Tenant\nmetadata: {name: vault-carbone-qualif}\nspec: {cluster: outscale-hds, group: carbone, after: [vault-carbone]}\n";
    assert_eq!(
        mistakes_with("tenants/vault-carbone-qualif.yaml", qualif),
        "error: tenants/vault-carbone.yaml:10:10: `after` goes in a circle: `vault-carbone` after `vault-carbone-qualif`"
    );
}
