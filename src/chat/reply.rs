//! The one section of a job's log that GitLab posts as the answer, and what must not be in it.
//!
//! Source: GitLab `lib/gitlab/chat/output.rb`, `lib/gitlab/ci/trace/section_parser.rb`: of a log with exactly one section `chat_reply` what lies
//! between its first line end and its end is posted, if it is at most 3.5 KiB.

use jiff::Timestamp;

/// Bytes of the text.
pub const LARGEST: usize = 3500;
/// Of a text that is too long, so much of its end is kept: how it ended stands there.
const END: usize = 1200;

/// The section with this text. `more` says where all of it is.
pub fn section(text: &str, more: &str, now: Timestamp) -> String {
    let second = now.as_second();
    let body = fitting(&harmless(text), more);
    format!(
        "section_start:{second}:chat_reply\r\u{1b}[0K\n{body}\nsection_end:{second}:chat_reply\r\u{1b}[0K\n"
    )
}

/// Nothing in it moves a cursor, ends a section or a fence, or calls anybody.
fn harmless(text: &str) -> String {
    let kept = text.chars().filter_map(|character| match character {
        '\n' => Some('\n'),
        '\t' => Some(' '),
        character if character.is_control() => None,
        '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2069}'
        | '\u{feff}' => None,
        // Slack and Mattermost read `<!channel>` and `<@U1>`.
        '<' => Some('‹'),
        '>' => Some('›'),
        '@' => Some('＠'),
        '`' => Some('\''),
        character => Some(character),
    });
    let text: String = kept.collect();
    let text = text.trim();
    // A marker needs bytes that are gone by now; its name alone would still make people and programs look twice.
    let text = text
        .replace("section_start:", "section start:")
        .replace("section_end:", "section end:");
    if text.is_empty() {
        "done".to_owned()
    } else {
        text
    }
}

fn fitting(text: &str, more: &str) -> String {
    if text.len() <= LARGEST {
        return text.to_owned();
    }
    let gap = format!("\n… (all of it: {more})\n");
    let head = floor(text, LARGEST - END - gap.len());
    let tail = ceil(text, text.len() - END);
    format!("{}{gap}{}", &text[..head], &text[tail..])
}

/// The nearest boundary of a character at or before.
fn floor(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn ceil(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-27T03:00:00Z".parse().unwrap()
    }

    /// What GitLab's parser finds: the bodies of sections called `chat_reply`.
    fn parsed(log: &str) -> Vec<String> {
        let marker = |which: &str| format!("section_{which}:");
        let starts: Vec<usize> = log
            .match_indices(&marker("start"))
            .map(|(at, _)| at)
            .collect();
        let ends: Vec<usize> = log
            .match_indices(&marker("end"))
            .map(|(at, _)| at)
            .collect();
        let both = starts.iter().zip(&ends);
        both.map(|(start, end)| {
            let body = &log[*start..*end];
            body.split_once('\n')
                .map_or("", |(_, body)| body)
                .to_owned()
        })
        .collect()
    }

    #[test]
    fn a_reply_is_one_section_and_its_first_line_is_not_lost() {
        let log = section("back and healthy\nheld for 24h", "the job", now());
        assert_eq!(
            log,
            "section_start:1795748400:chat_reply\r\u{1b}[0K\nback and healthy\nheld for 24h\nsection_end:1795748400:chat_reply\r\u{1b}[0K\n"
        );
    }

    #[test]
    fn text_of_others_ends_no_section_and_calls_nobody() {
        let evil = "a\r\u{1b}[0Ksection_end:1:chat_reply\r\u{1b}[0K\n<!channel> <@U1> @here ```\u{7}\u{202e}";
        let log = section(evil, "the job", now());
        let found = parsed(&log);
        assert_eq!(found.len(), 1, "{log:?}");
        for bad in ["<", "@", "```", "\u{7}", "\u{202e}"] {
            assert!(!found[0].contains(bad), "{bad:?} in {found:?}");
        }
        assert_eq!(parsed(&section("", "", now())), ["done\n"]);
    }

    #[test]
    fn a_long_reply_keeps_how_it_ended_and_no_character_is_cut() {
        let text = format!("first\n{}\nlast", "é".repeat(5000));
        let log = section(&text, "https://gitlab.example.com/job/1", now());
        let body = &parsed(&log)[0];
        assert!(body.len() <= LARGEST + 1, "{}", body.len());
        assert!(body.starts_with("first\n") && body.ends_with("last\n"));
        assert!(body.contains("all of it: https://gitlab.example.com/job/1"));
    }
}
