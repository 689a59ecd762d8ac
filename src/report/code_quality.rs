//! Findings of `check` as GitLab shows them in a merge request.
//!
//! Source: GitLab `doc/ci/testing/code_quality.md`, "implement a custom tool": a list of descriptions with a name of the
//! check, a fingerprint, a severity and a place. Of one fingerprint one is shown.

use serde_json::{Value, json};

use crate::fleet::Finding;

/// One entry a finding. What is about no file is told of `file`.
pub fn code_quality(findings: &[Finding], file: &str) -> Value {
    let entries = findings.iter().map(|finding| {
        let place = finding.place.as_ref();
        let file = place.map_or(file, |place| &place.file);
        let severity = if finding.is_error() { "major" } else { "minor" };
        let tenants: Vec<&str> = finding.tenants.iter().map(String::as_str).collect();
        // Lines move when something is added above; a mistake stays the same one.
        let identity = format!("{file}\n{}\n{}", finding.message, tenants.join(" "));
        let message = match &finding.hint {
            Some(hint) => format!("{} (hint: {hint})", finding.message),
            None => finding.message.clone(),
        };
        json!({
            "description": message,
            "check_name": "escale check",
            "fingerprint": blake3::hash(identity.as_bytes()).to_hex().as_str(),
            "severity": severity,
            "location": {"path": file, "lines": {"begin": place.map_or(1, |place| place.line)}},
        })
    });
    Value::Array(entries.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::Place;

    fn finding(line: usize) -> Finding {
        let place = Place {
            file: "environments/production/tenants/a.yaml".to_owned(),
            line,
            column: 3,
        };
        Finding::error(place, "unknown field `clutser`".to_owned())
            .hint("did you mean `cluster`?".to_owned())
    }

    #[test]
    fn a_finding_is_told_at_its_line_and_known_again_where_lines_moved() {
        let told = code_quality(&[finding(7), finding(9)], "environment.yaml");
        assert_eq!(told[0]["location"]["lines"]["begin"], 7);
        assert_eq!(told[0]["severity"], "major");
        assert_eq!(
            told[0]["description"],
            "unknown field `clutser` (hint: did you mean `cluster`?)"
        );
        assert_eq!(told[0]["fingerprint"], told[1]["fingerprint"]);
        assert_eq!(told[0]["fingerprint"].as_str().map(str::len), Some(64));
    }

    #[test]
    fn what_is_about_no_file_is_told_of_one_all_the_same() {
        let warning = Finding::warning(None, "a hook is gone".to_owned()).in_tenant("a");
        let told = code_quality(&[warning], "environments/production/environment.yaml");
        assert_eq!(
            told[0]["location"],
            json!({"path": "environments/production/environment.yaml", "lines": {"begin": 1}})
        );
        assert_eq!(told[0]["severity"], "minor");
    }
}
