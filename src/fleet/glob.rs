//! Patterns with `*` (any text) and `?` (one character).

pub fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?'])
}

pub fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut at_pattern, mut at_text) = (0, 0);
    // Where to go on after a mismatch: the last star and the text it has swallowed so far.
    let mut star: Option<(usize, usize)> = None;
    while at_text < text.len() {
        match pattern.get(at_pattern) {
            Some('*') => {
                star = Some((at_pattern, at_text));
                at_pattern += 1;
            }
            Some(wanted) if *wanted == '?' || *wanted == text[at_text] => {
                at_pattern += 1;
                at_text += 1;
            }
            Some(_) | None => {
                let Some((star_at, swallowed)) = star else {
                    return false;
                };
                star = Some((star_at, swallowed + 1));
                at_pattern = star_at + 1;
                at_text = swallowed + 1;
            }
        }
    }
    pattern[at_pattern..].iter().all(|rest| *rest == '*')
}

/// Whether a path has the shape of a pattern, as in `.gitignore`: a star stays within a folder, `**` as a whole step
/// stands for any number of folders.
pub fn matches_path(pattern: &str, path: &str) -> bool {
    let pattern: Vec<&str> = pattern.split('/').collect();
    let path: Vec<&str> = path.split('/').collect();
    steps_match(&pattern, &path)
}

fn steps_match(pattern: &[&str], path: &[&str]) -> bool {
    match (pattern, path) {
        ([], []) | (["**"], [_, ..]) => true,
        (["**", rest @ ..], [_, below @ ..]) => {
            steps_match(rest, path) || steps_match(pattern, below)
        }
        ([wanted, rest @ ..], [step, below @ ..]) => {
            matches(wanted, step) && steps_match(rest, below)
        }
        ([], [_, ..]) | ([_, ..], []) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stays_in_its_folder_and_two_go_below() {
        for (pattern, path) in [
            (
                "environments/*/versions.yaml",
                "environments/production/versions.yaml",
            ),
            ("templates/**", "templates/site/web.yaml.j2"),
            ("**/versions.yaml", "environments/production/versions.yaml"),
            ("**/versions.yaml", "versions.yaml"),
            (
                "environments/**/acme.yaml",
                "environments/p/tenants/shared/acme.yaml",
            ),
        ] {
            assert!(matches_path(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in [
            ("environments/*", "environments/production/versions.yaml"),
            ("templates/*.j2", "templates/site/web.yaml.j2"),
            ("templates/**", "templates"),
            ("versions.yaml", "environments/production/versions.yaml"),
        ] {
            assert!(!matches_path(pattern, path), "{pattern} {path}");
        }
    }

    #[test]
    fn a_star_takes_any_text_and_a_question_mark_one_character() {
        for (pattern, text) in [
            ("*", ""),
            ("vault-*", "vault-carbone"),
            ("*-qualif", "vault-carbone-qualif"),
            ("v*t-c*e", "vault-carbone"),
            ("shared-gra-?", "shared-gra-1"),
            ("a**b", "ab"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("vault-*", "shared-1"),
            ("?", ""),
            ("a*b", "abc"),
            ("", "a"),
        ] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }
}
