//! minijinja, set up as people who write Kubernetes manifests expect it, and bounded.

use std::collections::BTreeMap;
use std::io;

use minijinja::value::ValueKind;
use minijinja::{
    Environment, Error, ErrorKind, Output, State, UndefinedBehavior, Value, escape_formatter,
};

use crate::fleet::Finding;
use crate::render::{complaint, filters, secret};

/// Instructions that one template may take for one tenant. A large tenant takes some ten thousand.
const FUEL: u64 = 2_000_000;
/// Macros and includes inside one another. Deep enough for people, shallow enough for a thread's stack.
const RECURSION: usize = 100;
/// Bytes that one template may write for one tenant: an API server takes 1.5 MB per object.
pub const OUTPUT: usize = 8 * 1024 * 1024;

/// Compiled templates, named by their path in the repository.
pub struct Engine {
    environment: Environment<'static>,
}

impl Engine {
    /// Compiles templates (path and text), or tells every syntax error.
    pub fn new(
        templates: &[(&str, &str)],
        blobs: BTreeMap<String, String>,
    ) -> Result<Self, Vec<Finding>> {
        let mut environment = empty();
        secret::add_to(&mut environment, blobs);
        let mut findings = Vec::new();
        for (path, text) in templates {
            let added = environment.add_template_owned((*path).to_owned(), (*text).to_owned());
            if let Err(error) = added {
                findings.push(complaint::finding(&error, path, &Value::UNDEFINED));
            }
        }
        if findings.is_empty() {
            Ok(Self { environment })
        } else {
            Err(findings)
        }
    }

    /// The text that a template renders.
    pub fn render(&self, template: &str, context: &Value) -> Result<String, Finding> {
        let mut text = Bounded(Vec::new());
        let compiled = self.environment.get_template(template);
        compiled
            .and_then(|compiled| compiled.render_captured_to(context.clone(), &mut text))
            .map_err(|error| complaint::finding(&error, template, context))?;
        // minijinja takes the last newline off, which would also take it off a block scalar at the end.
        text.0.push(b'\n');
        Ok(String::from_utf8(text.0).expect("templates write text only"))
    }
}

fn empty() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_formatter(format_as_yaml);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.set_path_join_callback(|name, parent| joined(name, parent).into());
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(RECURSION);
    // Messages take the place of a mistake from it; the dump of variables that it also allows is never shown.
    environment.set_debug(true);
    filters::add_to(&mut environment);
    environment
}

/// `"_parts.j2"` within `templates/platform/web.yaml.j2` is `templates/platform/_parts.j2`.
fn joined(name: &str, parent: &str) -> String {
    let folder = parent.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut steps: Vec<&str> = folder.split('/').collect();
    for step in name.split('/') {
        match step {
            "." => {}
            ".." => {
                steps.pop();
            }
            _ => steps.push(step),
        }
    }
    steps.join("/")
}

/// Prints values as YAML reads them; what has no obvious spelling must be spelt by a filter.
fn format_as_yaml(out: &mut Output, state: &mut State, value: &Value) -> Result<(), Error> {
    match value.kind() {
        ValueKind::None => out.write_str("null").map_err(Error::from),
        ValueKind::Bool => {
            let text = if value.is_true() { "true" } else { "false" };
            out.write_str(text).map_err(Error::from)
        }
        ValueKind::Map | ValueKind::Seq | ValueKind::Iterable => Err(Error::new(
            ErrorKind::InvalidOperation,
            format!(
                "a {} is printed without `| tojson` or `| toyaml`",
                value.kind()
            ),
        )),
        _ => escape_formatter(out, state, value),
    }
}

/// Refuses what is too much.
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > OUTPUT {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                "too much output",
            ));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
