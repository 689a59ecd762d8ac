//! What is asked of pages.

use super::*;

#[test]
fn probes_that_no_page_could_answer_well_are_mistakes() {
    assert_eq!(told(&loaded().warnings), "");
    let with = |probes: &str| {
        let mut files = production();
        let environment = files
            .get_mut("environments/production/environment.yaml")
            .unwrap();
        environment.push_str("  health: {probes: {home: {");
        environment.push_str(probes);
        environment.push_str("}}}\n");
        load(&files, "production")
    };
    let mut wrong = with("path: home, status: [], within: 0s").unwrap_err();
    wrong.retain(Finding::is_error);
    assert_eq!(
        told(&wrong),
        "error: environment.yaml:16:34: `home` is not the path of a page\n  \
         hint: begin it with `/`: the domains are those of the platforms\n\
         error: environment.yaml:16:48: no status would be a good answer\n\
         error: environment.yaml:16:60: no answer comes within no time"
    );
    let warnings = told(&with("path: /").unwrap().warnings);
    assert_eq!(
        warnings.lines().next(),
        Some(
            "warning: clusters/outscale-hds.yaml:1:1: its platforms are not probed: it has no `ingress.address`"
        )
    );
}
