//! The fleet brake: a plan that deletes too much stops before its first write.

use crate::error::UserError;
use crate::manifest::ObjectRef;

/// How much one plan may delete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Brake {
    /// Objects, over all tenants.
    pub deletes: usize,
}

/// What a plan deletes of one tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantDeletes {
    pub tenant: String,
    pub cluster: String,
    pub objects: Vec<ObjectRef>,
    /// Objects that it has before.
    pub has: usize,
}

/// Refuses a plan that deletes a whole tenant or too many objects, unless the override names
/// exactly these deletes.
pub fn check_brake(
    brake: Brake,
    deletes: &[TenantDeletes],
    allowed: Option<&str>,
) -> Result<(), UserError> {
    let total: usize = deletes.iter().map(|tenant| tenant.objects.len()).sum();
    let emptied: Vec<&str> = deletes
        .iter()
        .filter(|tenant| 0 < tenant.has && tenant.has <= tenant.objects.len())
        .map(|tenant| tenant.tenant.as_str())
        .collect();
    let problem = match emptied.as_slice() {
        [] if total <= brake.deletes => return Ok(()),
        [] => format!(
            "the plan deletes {total} objects, more than the {} of `brake.deletes`",
            brake.deletes
        ),
        [tenant] => format!("the plan deletes every object of tenant `{tenant}`"),
        [first, ..] => format!(
            "the plan deletes every object of {} tenants, the first is `{first}`",
            emptied.len()
        ),
    };
    let token = override_token(deletes, total);
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

/// Names exactly these deletes: their number and a hash of the list.
fn override_token(deletes: &[TenantDeletes], total: usize) -> String {
    /// Enough to tell plans apart, short enough to type.
    const DIGITS: usize = 8;
    let mut lines: Vec<String> = deletes
        .iter()
        .flat_map(|tenant| {
            tenant
                .objects
                .iter()
                .map(|object| format!("{}/{}/{object:?}", tenant.cluster, tenant.tenant))
        })
        .collect();
    lines.sort();
    let hash = blake3::hash(lines.join("\n").as_bytes()).to_hex();
    format!("{total}-{}", &hash[..DIGITS])
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
