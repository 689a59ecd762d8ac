//! The shape of a tenant's bundle: which names in it are the tenant's own is known from its files.

use crate::fleet::Tenant;
use crate::manifest::{Bundle, Own, Shape};
use crate::render::filters::kubernetes_name;

/// What a tenant's bundle looks like, apart from what is its own.
pub fn shape(tenant: &Tenant, bundle: &Bundle) -> Shape {
    Shape::of(bundle, &own(tenant))
}

fn own(tenant: &Tenant) -> Own {
    let mut names = vec![tenant.name.clone(), tenant.namespace.clone()];
    for platform in tenant.platforms.values() {
        names.extend([platform.name.clone(), platform.client.clone()]);
        for domain in platform.aliases.iter().chain([&platform.domain]) {
            names.extend([domain.clone(), kubernetes_name(domain)]);
        }
    }
    Own::new(names)
}
