//! A fleet of a few small tenants in an environment of its own: its rollouts take seconds, and several of them can be
//! under way at once without meeting each other.

use std::collections::{BTreeMap, BTreeSet};

use crate::binary::rollout;
use crate::clusters::CLUSTERS;
use crate::fleet::{Fleet, STRATEGY};
use crate::records;
use crate::seen::{COMPONENT, tags_of};

/// What the tenants of such a fleet are made of.
const TEMPLATE: &str = r"
apiVersion: v1
kind: Namespace
metadata: {name: {{ tenant.namespace }}}
---
apiVersion: v1
kind: Service
metadata: {name: site, namespace: {{ tenant.namespace }}}
spec:
  selector: {app.kubernetes.io/name: site}
  ports: [{name: http, port: 80, protocol: TCP}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: site, namespace: {{ tenant.namespace }}, labels: {app.kubernetes.io/name: site}}
spec:
  replicas: 2
  selector: {matchLabels: {app.kubernetes.io/name: site}}
  template:
    metadata: {labels: {app.kubernetes.io/name: site}}
    spec:
      containers:
        - {name: site, image: {{ versions.site }}, ports: [{name: http, containerPort: 80, protocol: TCP}]}
{%- for number in range(values.pages) %}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: page-{{ number }}, namespace: {{ tenant.namespace }}}
data: {text: {{ versions.site | tojson }}}
{%- endfor %}
";

/// Every change is looked at on one tenant first.
const WAVES: &str = "
    - {name: canary, role: canary, select: {ring: canary}, soak: 1s, onBreach: rollback}
    - {name: rest, soak: 1s, onBreach: pause}
";

pub struct Sites<'a> {
    pub environment: &'a str,
    /// The cluster of each tenant; the first is the canary.
    pub on: &'a [&'a str],
    /// How many objects of a tenant a release changes besides its workload.
    pub pages: usize,
    /// How long a tenant must stay healthy.
    pub healthy_for: &'a str,
    /// More of the strategy, by which it differs from that of other tests: a line of YAML.
    pub strategy: &'a str,
}

/// As most tests want it: on every cluster, and quick.
pub const SITES: Sites<'_> = Sites {
    environment: "sites",
    on: &CLUSTERS,
    pages: 2,
    healthy_for: "1s",
    strategy: "small: 0",
};

impl Sites<'_> {
    /// Rolls its first release out, which everybody runs then.
    pub fn begun(&self) -> Fleet {
        let fleet = self.fleet_with(&[]);
        rollout(&fleet).ends_with(0);
        fleet
    }

    /// The same, and from then on one tenant is written to at a time on each cluster, and has 20 s to get ready.
    pub fn begun_one_by_one(&self) -> Fleet {
        let fleet = self.begun();
        let file = format!("environments/{}/strategy.yaml", self.environment);
        let strategy = fleet.read(&file);
        let strategy = strategy.replace("cluster: 40", "cluster: 1");
        fleet.write(
            &file,
            &strategy.replace("progressDeadline: 60s", "progressDeadline: 20s"),
        );
        fleet.commit("one by one");
        fleet
    }

    /// Fails the test unless all tenants run a tag, and the records say what is there.
    #[track_caller]
    pub fn end_at(&self, tag: &str) {
        let numbers = 0..self.on.len();
        let all: BTreeMap<String, String> = numbers
            .map(|one| (self.tenant(one), tag.to_owned()))
            .collect();
        assert_eq!(self.tags(), all);
        self.are_as_recorded();
    }

    /// Fails the test unless every record says what is there, and no claim is open.
    #[track_caller]
    pub fn are_as_recorded(&self) {
        for (number, cluster) in self.on.iter().enumerate() {
            records::is_as_recorded(cluster, &self.tenant(number));
        }
    }

    /// Its first commit, with more files of the environment.
    pub fn fleet_with(&self, more: &[(&str, &str)]) -> Fleet {
        let fleet = Fleet::without_files(self.environment);
        fleet.write("templates/site/site.yaml.j2", TEMPLATE);
        let clusters = format!("environments/{}/clusters", self.environment);
        fleet.take("environments/production/clusters", &clusters);
        self.write(&fleet, "environment", &self.environment_file());
        self.write(&fleet, "versions", &self.versions_file());
        let line = self.strategy;
        let strategy = STRATEGY.replace(
            "minHealthyTime: 1s",
            &format!("minHealthyTime: {}", self.healthy_for),
        );
        let strategy = strategy.replace("  brake:", &format!("  {line}\n  brake:"));
        self.write(&fleet, "strategy", &format!("{strategy}{WAVES}"));
        for (number, cluster) in self.on.iter().enumerate() {
            let tenant = format!("tenants/{}", self.tenant(number));
            self.write(&fleet, &tenant, &self.tenant_file(number, cluster));
        }
        for (file, text) in more {
            self.write(&fleet, file, text);
        }
        fleet.begin();
        fleet
    }

    /// The name of a tenant, and of its namespace.
    pub fn tenant(&self, number: usize) -> String {
        format!("{}-{number}", self.environment)
    }

    /// The tag that each tenant of the fleet runs, as its pods say.
    pub fn tags(&self) -> BTreeMap<String, String> {
        let is_own = |namespace: &str| (0..self.on.len()).any(|one| self.tenant(one) == namespace);
        let clusters: BTreeSet<&str> = self.on.iter().copied().collect();
        tags_of(clusters, COMPONENT, is_own)
    }

    fn write(&self, fleet: &Fleet, file: &str, text: &str) {
        fleet.write(
            &format!("environments/{}/{file}.yaml", self.environment),
            text,
        );
    }

    pub fn environment_file(&self) -> String {
        format!(
            "apiVersion: escale.dev/v1alpha1\nkind: Environment\nmetadata: {{name: {}}}\nspec:\n  \
             source: {{branch: main}}\n  records: {{hub: tools-par, keep: {{releases: 20, days: 7}}}}\n  \
             defaults: {{bundle: site, updates: automatic, values: {{pages: {}}}}}\n",
            self.environment, self.pages
        )
    }

    fn versions_file(&self) -> String {
        format!(
            "apiVersion: escale.dev/v1alpha1\nkind: Versions\nmetadata: {{name: {}}}\nspec:\n  \
             site: registry.example.com/platform/site:1.0.0\n",
            self.environment
        )
    }

    fn tenant_file(&self, number: usize, cluster: &str) -> String {
        let ring = if number == 0 { "canary" } else { "rest" };
        format!(
            "apiVersion: escale.dev/v1alpha1\nkind: Tenant\nmetadata: {{name: {}, labels: {{ring: {ring}}}}}\n\
             spec: {{cluster: {cluster}}}\n",
            self.tenant(number)
        )
    }
}
