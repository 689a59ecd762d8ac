//! The fleet brake: a plan that deletes too much stops before its first write.

use crate::error::UserError;
use crate::fleet::config::Brake;
use crate::manifest::ObjectRef;

/// What a plan deletes of one tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantDeletes {
    pub tenant: String,
    pub cluster: String,
    pub objects: Vec<ObjectRef>,
    /// Objects that it has before.
    pub has: usize,
}

/// Refuses a plan that deletes whole tenants or too much, unless the override names exactly these
/// deletes. `fleet`: how many tenants the plan is about, also those that it leaves alone.
pub fn check_brake(
    brake: &Brake,
    fleet: usize,
    deletes: &[TenantDeletes],
    allowed: Option<&str>,
) -> Result<(), UserError> {
    let Some(problem) = too_much(brake, fleet, deletes) else {
        return Ok(());
    };
    let token = override_token(deletes.iter());
    if allowed == Some(token.as_str()) {
        return Ok(());
    }
    let error = UserError::new(format!("{problem}: nothing was written"));
    let error = match allowed {
        Some(other) => error.hint(format!("`--allow-deletes {other}` is for another plan")),
        None => error,
    };
    Err(error
        .hint(biggest(deletes))
        .hint(format!("if it is meant so: `--allow-deletes {token}`")))
}

/// The first rule that the deletes break, the gravest first.
fn too_much(brake: &Brake, fleet: usize, deletes: &[TenantDeletes]) -> Option<String> {
    let total = total(deletes);
    let losing = || deletes.iter().filter(|tenant| !tenant.objects.is_empty());
    let emptied = losing().filter(|tenant| tenant.has <= tenant.objects.len());
    let gutted = losing().filter(|tenant| brake.of_tenant.of(tenant.has) < tenant.objects.len());
    if let Some(tenants) = named(emptied) {
        return Some(format!("the plan deletes every object of {tenants}"));
    }
    if (brake.deletes as usize) < total {
        return Some(format!(
            "the plan deletes {total} objects, more than the {} of `brake.deletes`",
            brake.deletes
        ));
    }
    if let Some(tenants) = named(gutted) {
        return Some(format!(
            "the plan deletes more than the {} of `brake.ofTenant` of the objects of {tenants}",
            brake.of_tenant
        ));
    }
    let (losing, allowed) = (losing().count(), brake.of_tenants.of(fleet));
    (allowed < losing).then(|| {
        format!(
            "the plan deletes objects of {losing} of {fleet} tenants, more than the {} of \
             `brake.ofTenants` ({allowed})",
            brake.of_tenants
        )
    })
}

fn total(deletes: &[TenantDeletes]) -> usize {
    deletes.iter().map(|tenant| tenant.objects.len()).sum()
}

fn named<'a>(mut tenants: impl Iterator<Item = &'a TenantDeletes>) -> Option<String> {
    let first = &tenants.next()?.tenant;
    Some(match tenants.count() {
        0 => format!("tenant `{first}`"),
        more => format!("{} tenants, the first is `{first}`", more + 1),
    })
}

/// Names exactly these deletes: their number and a hash of the list.
pub fn override_token<'a>(deletes: impl Iterator<Item = &'a TenantDeletes>) -> String {
    /// Enough to tell plans apart, short enough to type.
    const DIGITS: usize = 8;
    let mut lines: Vec<String> = deletes
        .flat_map(|tenant| {
            tenant
                .objects
                .iter()
                .map(|object| format!("{}/{}/{object:?}", tenant.cluster, tenant.tenant))
        })
        .collect();
    lines.sort();
    let hash = blake3::hash(lines.join("\n").as_bytes()).to_hex();
    format!("{}-{}", lines.len(), &hash[..DIGITS])
}

fn biggest(deletes: &[TenantDeletes]) -> String {
    const NAMED: usize = 5;
    let mut sorted: Vec<&TenantDeletes> = deletes
        .iter()
        .filter(|tenant| !tenant.objects.is_empty())
        .collect();
    sorted.sort_by(|a, b| {
        let by_size = b.objects.len().cmp(&a.objects.len());
        by_size.then_with(|| a.tenant.cmp(&b.tenant))
    });
    let named: Vec<String> = sorted
        .iter()
        .take(NAMED)
        .map(|tenant| format!("{} of `{}`", tenant.objects.len(), tenant.tenant))
        .collect();
    let more = match sorted.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more tenants"),
    };
    format!("it deletes {}{more}", named.join(", "))
}
