//! A lost cluster is built again: what each of its tenants ran last as good, as far as the hub knows it. Nothing is guessed.

use std::collections::BTreeMap;

use super::few::short_commit;
use crate::fleet::Fleet;
use crate::manifest::Digest;
use crate::record::{Hold, RosterLine};

/// What a tenant of a lost cluster gets back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Known(LastGood),
    /// Why it gets nothing.
    NotKnown(String),
}

/// What a tenant ran last as good, or was held at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastGood {
    pub digest: Digest,
    /// The commit that `digest` was rendered from.
    pub release: String,
    /// Put back with it.
    pub hold: Option<Hold>,
}

/// By tenant: everybody who ran on the cluster, and everybody whose file says that they should.
pub fn targets(fleet: &Fleet, cluster: &str, lines: &[RosterLine]) -> BTreeMap<String, Target> {
    let unknown = fleet
        .tenants
        .iter()
        .filter(|tenant| tenant.cluster == cluster)
        .map(|tenant| {
            let why = "the hub does not know what it ran".to_owned();
            (tenant.name.clone(), Target::NotKnown(why))
        });
    let known = lines
        .iter()
        .map(|line| (line.tenant.clone(), target(fleet, cluster, line)));
    unknown.chain(known).collect()
}

fn target(fleet: &Fleet, cluster: &str, line: &RosterLine) -> Target {
    let Some(tenant) = fleet.tenant(&line.tenant) else {
        return Target::NotKnown("no file names it any more".to_owned());
    };
    let Some(release) = line.release.clone() else {
        return Target::NotKnown("the hub does not know the commit of what it ran".to_owned());
    };
    if tenant.cluster != cluster {
        return Target::NotKnown(format!("its file says that it is on `{}`", tenant.cluster));
    }
    if tenant.namespace != line.namespace {
        return Target::NotKnown(format!(
            "it ran in namespace `{}`, and its file says `{}`",
            line.namespace, tenant.namespace
        ));
    }
    Target::Known(LastGood {
        digest: line.digest.clone(),
        release,
        hold: line.hold.clone(),
    })
}

/// What a tenant is to run: what its release renders for it now, if that is what it ran.
pub fn wanted(target: &Target, rendered: Option<Result<&Digest, &str>>) -> Result<Digest, String> {
    let last = match target {
        Target::Known(last) => last,
        Target::NotKnown(why) => return Err(why.clone()),
    };
    let release = short_commit(&last.release);
    match rendered {
        Some(Ok(digest)) if *digest == last.digest => Ok(digest.clone()),
        Some(Ok(digest)) => Err(format!(
            "it ran {}, and release {release} renders {} for it now",
            last.digest.short(),
            digest.short()
        )),
        Some(Err(why)) => Err(format!("it ran release {release}: {why}")),
        None => Err(format!("release {release} does not have it")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::{Files, load};
    use crate::manifest::canonical_json;

    fn digest(name: &str) -> Digest {
        Digest::of_bundle(&[canonical_json(&serde_json::json!({"name": name}))])
    }

    fn fleet() -> Fleet {
        let file = |kind: &str, name: &str, spec: &str| {
            format!(
                "apiVersion: escale.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {spec}\n"
            )
        };
        let mut files = Files::new();
        let mut put = |path: &str, text: String| {
            files.insert(format!("environments/test/{path}.yaml"), text);
        };
        let spec = "{records: {hub: east}, defaults: {bundle: site}}";
        put("environment", file("Environment", "test", spec));
        put("versions", file("Versions", "test", "{}"));
        put(
            "strategy",
            file("Strategy", "normal", "{waves: [{name: all}]}"),
        );
        for cluster in ["east", "west"] {
            put(
                &format!("clusters/{cluster}"),
                file("Cluster", cluster, "{}"),
            );
        }
        let tenants = [
            ("a", "west"),
            ("b", "west"),
            ("c", "west"),
            ("d", "east"),
            ("e", "west"),
        ];
        for (name, cluster) in tenants {
            let spec = format!(
                "{{cluster: {cluster}, platforms: {{{name}: {{client: {name}, domain: {name}.example}}}}}}"
            );
            put(&format!("tenants/{name}"), file("Tenant", name, &spec));
        }
        load(&files, "test").unwrap()
    }

    fn line(tenant: &str) -> RosterLine {
        RosterLine {
            tenant: tenant.to_owned(),
            namespace: tenant.to_owned(),
            digest: digest(tenant),
            release: Some("4f2a91c03d".to_owned()),
            hold: None,
        }
    }

    #[test]
    fn everybody_who_ran_there_or_should_gets_what_is_known_or_the_reason_why_not() {
        let lines = [
            line("a"),
            RosterLine {
                release: None,
                ..line("b")
            },
            RosterLine {
                namespace: "old".to_owned(),
                ..line("c")
            },
            line("d"),
            line("f"),
        ];
        let known = LastGood {
            digest: digest("a"),
            release: "4f2a91c03d".to_owned(),
            hold: None,
        };
        let why = |words: &str| Target::NotKnown(words.to_owned());
        let expected = [
            ("a", Target::Known(known)),
            ("b", why("the hub does not know the commit of what it ran")),
            ("c", why("it ran in namespace `old`, and its file says `c`")),
            ("d", why("its file says that it is on `east`")),
            ("e", why("the hub does not know what it ran")),
            ("f", why("no file names it any more")),
        ];
        let expected = expected.map(|(tenant, target)| (tenant.to_owned(), target));
        assert_eq!(targets(&fleet(), "west", &lines), expected.into());
    }

    #[test]
    fn only_the_very_digest_that_ran_is_wanted() {
        let target = Target::Known(LastGood {
            digest: digest("a"),
            release: "4f2a91c03d".to_owned(),
            hold: None,
        });
        assert_eq!(wanted(&target, Some(Ok(&digest("a")))), Ok(digest("a")));
        let other = wanted(&target, Some(Ok(&digest("b")))).unwrap_err();
        let (ran, now) = (digest("a"), digest("b"));
        assert_eq!(
            other,
            format!(
                "it ran {}, and release 4f2a91c0 renders {} for it now",
                ran.short(),
                now.short()
            )
        );
        let failed = wanted(&target, Some(Err("no such commit"))).unwrap_err();
        assert_eq!(failed, "it ran release 4f2a91c0: no such commit");
        let absent = wanted(&target, None).unwrap_err();
        assert_eq!(absent, "release 4f2a91c0 does not have it");
        let unknown = Target::NotKnown("nobody knows".to_owned());
        let unknown = wanted(&unknown, Some(Ok(&digest("a")))).unwrap_err();
        assert_eq!(unknown, "nobody knows");
    }
}
