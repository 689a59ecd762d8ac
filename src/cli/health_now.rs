//! `escale health TARGET`: how tenants are now, and what their pages answer.

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::cli::targets::Found;
use crate::cli::ui::Ui;
use crate::engine::{self, Now, Said};
use crate::fleet::config::API_VERSION;
use crate::health::{Answer, Page};
use crate::record::TenantRecord;
use crate::rollout::Health;

/// Looks, and says what was seen: text or JSON, and whether all is well.
pub async fn look(found: &Found, as_json: bool, ui: &Ui) -> anyhow::Result<bool> {
    let records: Vec<&TenantRecord> = found.tenants.iter().map(|stored| &stored.value).collect();
    let seen = engine::now(&found.stage.clusters, &records, found.stage.clock).await;
    if as_json {
        let report = json!({
            "apiVersion": API_VERSION,
            "kind": "TenantHealthReport",
            "items": seen.iter().map(item).collect::<Vec<Value>>(),
        });
        let text = serde_json::to_string_pretty(&report).context("could not print the report")?;
        ui.data(&(text + "\n"));
    } else {
        ui.data(&text(&seen));
    }
    let is_well = |now: &&Now| health(now) == Health::Healthy;
    let well = seen.iter().filter(is_well).count();
    ui.detail(format!("{well} of {} healthy", seen.len()));
    Ok(well == seen.len())
}

/// Healthy workloads behind a page that does not answer well are no healthy tenant.
fn health(now: &Now) -> Health {
    match &now.seen {
        Err(_) => Health::Unknown,
        Ok(sample) if sample.health != Health::Healthy => sample.health,
        Ok(_) if now.pages.iter().all(Said::is_well) => Health::Healthy,
        Ok(_) => Health::Failed,
    }
}

fn message(now: &Now) -> &str {
    match &now.seen {
        Ok(sample) => &sample.headline,
        Err(why) => why,
    }
}

fn text(seen: &[Now]) -> String {
    let width = seen.iter().map(|now| now.tenant.chars().count()).max();
    let width = width.unwrap_or_default();
    let mut lines = Vec::new();
    for now in seen {
        let (word, name) = (health(now).as_str(), &now.tenant);
        lines.push(format!("{word:<11}  {name:<width$}  {}", message(now)));
        lines.extend(
            now.pages
                .iter()
                .map(|said| format!("{:<13}{}", "", page_line(said))),
        );
    }
    lines.join("\n") + "\n"
}

/// What is wrong with a page, or how it answered; and what its client should know.
fn page_line(said: &Said) -> String {
    let url = said.question.url();
    let told = match (&said.health.fault, &said.answer) {
        (Some(fault), _) => fault.clone(),
        (None, Answer::Page(page)) => format!("{url} {}", answered(page)),
        (None, Answer::Unreachable { why } | Answer::Silent { why }) => format!("{url}: {why}"),
    };
    let warnings = said.health.warnings.iter();
    let warnings = warnings.map(|warning| format!("; {warning}"));
    told + &warnings.collect::<String>()
}

fn answered(page: &Page) -> String {
    let leads = page.location.as_ref();
    let leads = leads.map_or_else(String::new, |to| format!(", leads to {to}"));
    format!(
        "answers {} in {} ms{leads}{}",
        page.status,
        page.took.as_millis(),
        until(page)
    )
}

fn until(page: &Page) -> String {
    let ends = page.certificate.as_ref().and_then(|shown| shown.ends);
    ends.map_or_else(String::new, |ends| {
        format!(", certificate until {}", ends.strftime("%Y-%m-%d"))
    })
}

fn item(now: &Now) -> Value {
    json!({
        "tenant": now.tenant,
        "cluster": now.cluster,
        "verdict": health(now).as_str(),
        "message": message(now),
        "pages": now.pages.iter().map(page_item).collect::<Vec<Value>>(),
    })
}

fn page_item(said: &Said) -> Value {
    let page = match &said.answer {
        Answer::Page(page) => Some(page),
        Answer::Unreachable { .. } | Answer::Silent { .. } => None,
    };
    let certificate = page.and_then(|page| page.certificate.as_ref());
    json!({
        "platform": said.question.platform,
        "url": said.question.url(),
        "status": page.map(|page| page.status),
        "milliseconds": page.map(|page| page.took.as_millis()),
        "certificateEnds": certificate.and_then(|shown| shown.ends),
        "fault": said.health.fault,
        "warnings": said.health.warnings,
    })
}
