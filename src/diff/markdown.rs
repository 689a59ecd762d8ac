//! A report for merge requests.

use std::fmt::Write as _;

use crate::diff::lines::lines;
use crate::diff::text::{headline, notes, some_of};
use crate::diff::{Group, Report};

/// What was compared, for the title.
#[derive(Clone, Copy, Debug)]
pub struct Heading<'a> {
    pub environment: &'a str,
    pub before: &'a str,
    pub after: &'a str,
}

/// Lines in a merge request scroll; this only keeps short changes on one line.
const WIDTH: usize = 110;

/// The report as markdown of at most about `limit` bytes: groups that do not fit are counted, not cut.
pub fn markdown(report: &Report, heading: &Heading<'_>, limit: usize) -> String {
    let mut out = format!(
        "### Changes in {}: {} → {}\n\n**{}**\n",
        code(heading.environment),
        code(heading.before),
        code(heading.after),
        report.summary()
    );
    for note in notes(report) {
        write!(out, "\n> {}\n", escaped(note.trim())).expect("writing to a string cannot fail");
    }
    let mut groups = report.groups.iter();
    for group in groups.by_ref() {
        let section = section(group);
        if out.len() + section.len() > limit {
            out.push_str(&left_out(group, groups.as_slice()));
            break;
        }
        out.push_str(&section);
    }
    out
}

fn section(group: &Group) -> String {
    let body: Vec<String> = group
        .fields
        .iter()
        .flat_map(|field| lines(field, WIDTH))
        .collect();
    let summary = escaped(&headline(group));
    let tenants = match group.tenants.as_slice() {
        [_] => String::new(),
        many => format!("\nTenants: {}\n", escaped(&many.join(", "))),
    };
    let body = match body.as_slice() {
        [] => String::new(),
        lines => fenced(&lines.join("\n")),
    };
    if tenants.is_empty() && body.is_empty() {
        return format!("\n- {summary}\n");
    }
    format!("\n<details><summary>{summary}</summary>\n{tenants}{body}\n</details>\n")
}

fn left_out(first: &Group, rest: &[Group]) -> String {
    let all: Vec<&Group> = std::iter::once(first).chain(rest).collect();
    let objects: usize = all.iter().map(|group| group.objects).sum();
    let names: Vec<String> = all.iter().map(|group| group.object.to_string()).collect();
    format!(
        "\n**Not shown for want of space**: {} more changes of {objects} objects: {}. `escale diff` shows all.\n",
        all.len(),
        escaped(&some_of(&names))
    )
}

/// A fence longer than any run of backticks inside.
fn fenced(body: &str) -> String {
    let longest = body
        .split(|character| character != '`')
        .map(str::len)
        .max()
        .unwrap_or_default();
    let fence = "`".repeat(3.max(longest + 1));
    format!("\n{fence}\n{body}\n{fence}\n")
}

fn code(text: &str) -> String {
    format!("`{}`", text.replace('`', "'"))
}

/// Text that markdown and HTML leave alone.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            // Nobody is mentioned by a name in a diff.
            '@' => escaped.push_str("&#64;"),
            '*' | '_' | '`' | '[' | ']' | '|' | '\\' => {
                escaped.push('\\');
                escaped.push(character);
            }
            character => escaped.push(character),
        }
    }
    escaped
}
