//! What went wrong in a template, as a finding: never with the values of variables, which may be private.

use std::error::Error as _;

use minijinja::{Error, ErrorKind, Value};

use crate::error::did_you_mean;
use crate::fleet::{Finding, Place};
use crate::render::engine::OUTPUT;
use crate::render::filters;

/// The innermost error has the place; what included it is of less use.
pub fn finding(error: &Error, template: &str, context: &Value) -> Finding {
    let inner = innermost(error);
    let place = Place {
        file: inner.name().unwrap_or(template).to_owned(),
        line: inner.line().unwrap_or(1),
        column: column(inner),
    };
    let (message, hint) = words(inner, context);
    Finding::error(place, message).hint(hint)
}

fn innermost(error: &Error) -> &Error {
    let mut found = error;
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(inner) = cause.downcast_ref::<Error>()
            && inner.name().is_some()
        {
            found = inner;
        }
        source = cause.source();
    }
    found
}

fn column(error: &Error) -> usize {
    if error.kind() == ErrorKind::OutOfFuel {
        return 1; // Where exactly the steps ran out differs from tenant to tenant and says nothing.
    }
    let found = error
        .range()
        .zip(error.template_source())
        .and_then(|(range, source)| {
            let before = source.get(..range.start)?;
            let line = before.rsplit('\n').next().unwrap_or(before);
            Some(line.chars().count() + 1)
        });
    found.unwrap_or(1)
}

/// The text of the expression that is at fault.
fn expression(error: &Error) -> Option<&str> {
    let source = error.template_source()?;
    let range = error.range()?;
    Some(without_filters(source, range.start, range.end).trim())
}

/// An undefined value that goes into filters is told at the last of them: what stands before the
/// first is at fault.
fn without_filters(source: &str, start: usize, end: usize) -> &str {
    let Some(before) = source[..start].trim_end().strip_suffix('|') else {
        return &source[start..end];
    };
    let before = before.trim_end();
    let word = before.trim_end_matches(is_of_a_path);
    without_filters(source, word.len(), before.len())
}

fn words(error: &Error, context: &Value) -> (String, Option<String>) {
    let detail = error.detail().unwrap_or_default().to_owned();
    match error.kind() {
        ErrorKind::UndefinedError => undefined(error, context),
        ErrorKind::OutOfFuel => (
            "the template takes too many steps".to_owned(),
            Some("is there a loop over a loop over everything?".to_owned()),
        ),
        ErrorKind::WriteFailure => (
            format!("the template writes more than {} MiB", OUTPUT / 1024 / 1024),
            Some("is there a loop that never ends?".to_owned()),
        ),
        ErrorKind::TemplateNotFound => (
            detail,
            Some("names are relative to the folder of the template: `_parts.j2`".to_owned()),
        ),
        ErrorKind::UnknownFilter => unknown_filter(error),
        ErrorKind::SyntaxError => (format!("the template is not well formed: {detail}"), None),
        _ if detail.is_empty() => (error.kind().to_string(), None),
        _ if error.kind() == ErrorKind::InvalidOperation => (detail, None),
        _ => (format!("{}: {detail}", error.kind()), None),
    }
}

fn undefined(error: &Error, context: &Value) -> (String, Option<String>) {
    let Some(path) = expression(error).filter(|text| is_path(text)) else {
        let detail = error.detail().map(|detail| format!(": {detail}"));
        return (
            format!("a value is not defined{}", detail.unwrap_or_default()),
            None,
        );
    };
    let hint = suggestion(path, context).or_else(|| {
        Some(format!(
            "set it, or write `{path} | default(…)` where it may be missing"
        ))
    });
    (format!("`{path}` is not defined"), hint)
}

fn unknown_filter(error: &Error) -> (String, Option<String>) {
    let range = error.range().unwrap_or_default();
    let source = error.template_source().unwrap_or_default();
    let name = source.get(range).unwrap_or_default().trim();
    let near = did_you_mean(name, filters::NAMES);
    let hint = near.map(|near| format!("did you mean `{near}`?"));
    (format!("there is no filter `{name}`"), hint)
}

fn is_path(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_of_a_path)
}

fn is_of_a_path(character: char) -> bool {
    character.is_alphanumeric() || "_.".contains(character)
}

/// Follows a path through the context and offers the nearest name at the step that fails.
fn suggestion(path: &str, context: &Value) -> Option<String> {
    let mut here = context.clone();
    let mut walked: Vec<&str> = Vec::new();
    let mut steps = path.split('.');
    while let Some(step) = steps.next() {
        let next = here.get_attr(step).ok().filter(|next| !next.is_undefined());
        let Some(next) = next else {
            let keys: Vec<String> = here.try_iter().ok()?.map(|key| key.to_string()).collect();
            let near = did_you_mean(step, keys.iter().map(String::as_str))?;
            walked.push(near);
            walked.extend(steps);
            return Some(format!("did you mean `{}`?", walked.join(".")));
        };
        walked.push(step);
        here = next;
    }
    None
}
