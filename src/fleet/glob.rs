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

#[cfg(test)]
mod tests {
    use super::*;

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
