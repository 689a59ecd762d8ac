//! Tenants that come and go while releases do.

use escale::fleet::Files;

use super::script::Life;
use crate::scene::files;

impl Life {
    /// What the repository has at a release.
    pub fn files(self, strategy: &str, release: usize) -> Files {
        let mut files = files(strategy);
        if release < self.joins {
            files.remove(&path("t5"));
        }
        if self.is_leaving("t4", release) {
            let tenant = files.get_mut(&path("t4")).expect("the scene has it");
            *tenant = tenant.replace("spec: {", "spec: {lifecycle: leaving, ");
        }
        files
    }

    pub fn is_leaving(self, tenant: &str, release: usize) -> bool {
        tenant == "t4" && self.leaves.is_some_and(|first| first <= release)
    }
}

fn path(tenant: &str) -> String {
    format!("environments/test/tenants/{tenant}.yaml")
}
