//! The Lease that keeps two rollouts of one environment apart.
//!
//! It is judged by when *we* saw it change, never by the times that its holder wrote: clocks of two
//! machines differ.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::clock::Clock;
use crate::cluster::{CallError, Reader, Writer};
use crate::record::NAMESPACE;
use crate::rollout::Conducted;

/// A holder that has not renewed for this long is gone.
const LEASE: Duration = Duration::from_secs(15);
/// How often the holder renews: three chances before it would lose the lease.
const RENEW: Duration = Duration::from_secs(4);
/// How often a waiting process looks whether the holder is still there.
const LOOK: Duration = Duration::from_secs(1);

/// The lease, held.
pub struct Lease {
    hub: Writer,
    name: String,
    holder: String,
    clock: Clock,
    /// As it was last stored by us.
    value: Value,
    renewed: Instant,
}

/// How asking for the lease ended.
pub enum Asked {
    Held(Lease),
    /// Somebody else holds it and renews it.
    Taken {
        by: String,
    },
}

/// How renewing it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    Kept,
    /// Somebody else holds it now.
    Lost,
    /// It could not be renewed for so long that somebody else may hold it.
    RanOut,
}

impl Lease {
    /// Takes the lease of an environment. A holder that vanished is waited out, which takes
    /// `LEASE`; one that renews meanwhile keeps it.
    pub async fn acquire(
        hub: &Writer,
        environment: &str,
        holder: &str,
        clock: Clock,
    ) -> Result<Asked, CallError> {
        let name = name_of(environment);
        let mut seen: Option<(String, Instant)> = None;
        loop {
            let found = hub.lease(NAMESPACE, &name).await?;
            let wanted = |version: Option<&str>| lease_object(&name, holder, clock.now(), version);
            let attempt = match &found {
                None => hub.create(&wanted(None)).await,
                Some(lease) if is_free(lease) || seen_still(&mut seen, lease) => {
                    hub.replace(&wanted(Some(version_of(lease)))).await
                }
                Some(lease) if has_renewed(seen.as_ref(), lease) => {
                    return Ok(Asked::Taken {
                        by: holder_of(lease).to_owned(),
                    });
                }
                Some(_) => {
                    tokio::time::sleep(LOOK).await;
                    continue;
                }
            };
            match attempt {
                Ok(value) => {
                    return Ok(Asked::Held(Self {
                        hub: hub.clone(),
                        name,
                        holder: holder.to_owned(),
                        clock,
                        value,
                        renewed: Instant::now(),
                    }));
                }
                Err(CallError::Exists(_) | CallError::Stale(_)) => seen = None,
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether anyone conducts an environment. Here the clock of whoever renewed is believed: what is told from it
    /// stands still for minutes, and nothing is written because of it.
    pub async fn conducted(
        hub: &Reader,
        environment: &str,
        clock: Clock,
    ) -> Result<Conducted, CallError> {
        let lease = hub.lease(NAMESPACE, &name_of(environment)).await?;
        Ok(conducted(lease.as_ref(), clock.now()))
    }

    /// When to renew next.
    pub fn due(&self) -> Instant {
        self.renewed + RENEW
    }

    /// Whether somebody else may have it by now.
    pub fn has_run_out(&self) -> bool {
        self.renewed.elapsed() >= LEASE
    }

    /// Renews.
    pub async fn renew(&mut self) -> Renewal {
        let wanted = lease_object(
            &self.name,
            &self.holder,
            self.clock.now(),
            Some(version_of(&self.value)),
        );
        let answer = tokio::time::timeout(RENEW, self.hub.replace(&wanted)).await;
        match answer {
            Ok(Ok(value)) => {
                self.value = value;
                self.renewed = Instant::now();
                Renewal::Kept
            }
            Ok(Err(CallError::Stale(_))) => self.is_still_ours().await,
            Ok(Err(CallError::Gone(_))) => Renewal::Lost,
            Ok(Err(_)) | Err(_) => self.unanswered(),
        }
    }

    /// Who renewed it meanwhile: a renewal of ours may have landed without an answer.
    async fn is_still_ours(&mut self) -> Renewal {
        let found = tokio::time::timeout(RENEW, self.hub.lease(NAMESPACE, &self.name)).await;
        match found {
            Ok(Ok(Some(lease))) if holder_of(&lease) == self.holder => {
                self.value = lease;
                self.renewed = Instant::now();
                Renewal::Kept
            }
            Ok(Ok(_)) => Renewal::Lost,
            Ok(Err(_)) | Err(_) => self.unanswered(),
        }
    }

    /// Nobody can tell now: it is asked again, as long as nobody else may have it.
    fn unanswered(&self) -> Renewal {
        if self.has_run_out() {
            Renewal::RanOut
        } else {
            Renewal::Kept
        }
    }

    /// Does something, and keeps the lease meanwhile; nothing if it is lost.
    pub async fn keep_during<T>(&mut self, doing: impl Future<Output = T>) -> Option<T> {
        let mut doing = std::pin::pin!(doing);
        loop {
            tokio::select! {
                biased;
                done = &mut doing => return Some(done),
                () = tokio::time::sleep_until(self.due()) => {
                    if self.renew().await != Renewal::Kept {
                        return None;
                    }
                }
            }
        }
    }

    /// Lets the next one have it at once.
    pub async fn release(self) {
        let freed = lease_object(
            &self.name,
            "",
            self.clock.now(),
            Some(version_of(&self.value)),
        );
        // Whoever cannot reach the hub any more leaves the lease to run out.
        let _runs_out = self.hub.replace(&freed).await;
    }
}

/// Remembers a lease, and says whether it has stood unchanged for the time that a live holder
/// would have renewed it in.
fn seen_still(seen: &mut Option<(String, Instant)>, lease: &Value) -> bool {
    match seen {
        Some((version, since)) if version == version_of(lease) => since.elapsed() >= LEASE,
        Some(_) => false,
        None => {
            *seen = Some((version_of(lease).to_owned(), Instant::now()));
            false
        }
    }
}

fn has_renewed(seen: Option<&(String, Instant)>, lease: &Value) -> bool {
    seen.is_some_and(|(version, _)| version != version_of(lease))
}

fn conducted(lease: Option<&Value>, now: Timestamp) -> Conducted {
    let holder = lease.map(holder_of).filter(|holder| !holder.is_empty());
    let renewed = lease.and_then(renewed_at);
    let lasts = SignedDuration::try_from(LEASE).expect("15 seconds");
    let is_alive = renewed.is_some_and(|renewed| now.duration_since(renewed) <= lasts);
    match holder {
        Some(holder) if is_alive => Conducted::By(holder.to_owned()),
        last => Conducted::Nobody {
            since: renewed,
            last: last.map(str::to_owned),
        },
    }
}

fn renewed_at(lease: &Value) -> Option<Timestamp> {
    let renewed = lease.pointer("/spec/renewTime")?.as_str()?;
    renewed.parse().ok()
}

fn name_of(environment: &str) -> String {
    format!("escale.{environment}")
}

fn is_free(lease: &Value) -> bool {
    holder_of(lease).is_empty()
}

fn holder_of(lease: &Value) -> &str {
    lease
        .pointer("/spec/holderIdentity")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn version_of(lease: &Value) -> &str {
    lease
        .pointer("/metadata/resourceVersion")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn lease_object(name: &str, holder: &str, now: Timestamp, version: Option<&str>) -> Value {
    let mut metadata = json!({"name": name, "namespace": NAMESPACE});
    if let Some(version) = version {
        metadata["resourceVersion"] = version.into();
    }
    json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": metadata,
        "spec": {
            "holderIdentity": holder,
            "leaseDurationSeconds": LEASE.as_secs(),
            "renewTime": now.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string(),
        },
    })
}
