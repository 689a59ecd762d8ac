//! What stands in a tenant's namespace of all that its templates want. Holds readers only.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Found, Look};
use crate::apply::{self, LiveObjects};
use crate::cluster::Reader;
use crate::diff::{ChangeKind, Sides, compare_bundles};
use crate::engine::clusters::Clusters;
use crate::engine::helm::{self, Release};
use crate::engine::planning::{self, Bundles};
use crate::engine::records::Records;
use crate::engine::work::live;
use crate::fleet::Tenant;
use crate::manifest::{Bundle, HOOK, OWNER, ObjectRef};
use crate::record::{Inventory, PackedBundle, TenantRecord};

/// Looks at one tenant; `from_helm`: what Helm installed may be taken over.
pub async fn look(
    clusters: &Clusters,
    tenant: &Tenant,
    (bundles, records): (&Bundles, &Records),
    from_helm: bool,
) -> Look {
    let looking = Looking {
        environment: records.environment(),
        tenant,
        from_helm,
    };
    match looking.look(clusters, bundles, records).await {
        Ok(look) => look,
        Err(why) => Look::Refused(why),
    }
}

struct Looking<'a> {
    environment: &'a str,
    tenant: &'a Tenant,
    from_helm: bool,
}

impl Looking<'_> {
    async fn look(
        &self,
        clusters: &Clusters,
        bundles: &Bundles,
        records: &Records,
    ) -> Result<Look, String> {
        let tenant = self.tenant;
        match planning::on_record(tenant, records) {
            (_, Some(why)) => return Err(why.words()),
            (Some(record), None) => {
                if let Some(others) = planning::of_others(record, tenant, self.environment) {
                    return Err(others.words());
                }
                if is_at_rest(record) {
                    return Ok(Look::Adopted);
                }
            }
            (None, None) => {}
        }
        let wanted = match bundles.get(&tenant.name) {
            Some(Ok(bundle)) => bundle.unpack(),
            Some(Err(mistake)) => return Err(format!("not rendered: {mistake}")),
            None => return Err("not rendered".to_owned()),
        };
        let cluster = clusters
            .get(&tenant.cluster)
            .map_err(|error| error.to_string())?;
        let reader = cluster.reader();
        let objects = live::objects_of(&wanted, &Inventory::default());
        let live = live::read(&reader, &tenant.namespace, &objects).await;
        let live = live.map_err(|error| error.to_string())?;
        // A namespace alone is nothing to take over.
        if live.keys().all(|object| object.namespace.is_none()) {
            return Ok(Look::Nothing);
        }
        self.refuse_what_is_not_free(&live)?;
        let releases = self.releases(&reader, &live).await?;
        Ok(Look::Found(Box::new(
            self.found(&wanted, &live, &releases)?,
        )))
    }

    fn refuse_what_is_not_free(&self, live: &LiveObjects) -> Result<(), String> {
        let owner = format!("{}/{}/", self.environment, self.tenant.name);
        for (object, live) in live {
            if live.is_terminating() {
                return Err(format!("{object} is being deleted"));
            }
            if let Some(mark) = live
                .annotation(OWNER)
                .filter(|mark| !mark.starts_with(&owner))
            {
                return Err(format!(
                    "{object} carries the mark of another tenant: `{mark}`"
                ));
            }
        }
        Ok(())
    }

    async fn releases(&self, reader: &Reader, live: &LiveObjects) -> Result<Vec<Release>, String> {
        let named: BTreeSet<&str> = live.values().filter_map(apply::helm_release).collect();
        if named.is_empty() {
            return Ok(Vec::new());
        }
        if !self.from_helm {
            let named: Vec<&str> = named.into_iter().collect();
            return Err(format!(
                "it belongs to the Helm release `{}`: `--from-helm` takes it over from Helm",
                named.join("`, `")
            ));
        }
        let mut releases = Vec::new();
        for name in named {
            let found = helm::releases(reader, &self.tenant.namespace, name).await;
            releases.extend(found.map_err(|error| error.to_string())?);
        }
        Ok(releases)
    }

    fn found(
        &self,
        wanted: &Bundle,
        live: &LiveObjects,
        releases: &[Release],
    ) -> Result<Found, String> {
        let mut said: BTreeMap<ObjectRef, Value> = BTreeMap::new();
        for release in releases {
            let current = release.objects(&self.tenant.namespace)?;
            said.extend(current);
        }
        let found = bundle(wanted, live, &said)?;
        let stays = said.into_keys();
        let stays = stays.filter(|object| !wanted.objects().any(|wanted| wanted.is_same(object)));
        let changes = compare_bundles(&Sides {
            cluster: &self.tenant.cluster,
            tenant: &self.tenant.name,
            before: Some(&found),
            after: Some(wanted),
        });
        let bundle = PackedBundle::of(&found);
        let names: BTreeSet<&String> = releases.iter().map(|release| &release.name).collect();
        Ok(Found {
            place: planning::place(self.tenant),
            is_as_wanted: *bundle.digest() == wanted.digest(),
            bundle,
            changes: changes
                .into_iter()
                .filter(|change| change.change != ChangeKind::Unchanged)
                .collect(),
            helm: names.into_iter().cloned().collect(),
            stays: stays.collect(),
        })
    }
}

/// Hooks come along: they run when they would for a tenant that always was ours.
fn bundle(
    wanted: &Bundle,
    live: &LiveObjects,
    said: &BTreeMap<ObjectRef, Value>,
) -> Result<Bundle, String> {
    let found = wanted.manifests().iter().filter_map(|manifest| {
        if manifest.annotation(HOOK).is_some() {
            return Some(manifest.clone());
        }
        let live = live.get(manifest.object())?;
        let mut said = said.iter();
        let said = said.find(|(object, _)| object.is_same(manifest.object()));
        let said = said.map(|(_, said)| said);
        Some(apply::as_found(wanted, manifest, live, said))
    });
    Bundle::new(found.collect()).map_err(|_| "an object is in it twice".to_owned())
}

fn is_at_rest(record: &TenantRecord) -> bool {
    record.claim.is_none() && record.digest.is_some() && record.state.is_whole()
}
