//! From a context of a kubeconfig to a client.

use std::path::PathBuf;
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};

use crate::error::{UserError, did_you_mean};

use super::proxy;

/// A cluster that does not take a connection in this time is down.
const CONNECT: Duration = Duration::from_secs(10);

/// How to reach one cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Connection {
    /// The name of the cluster in the fleet.
    pub name: String,
    /// The context; the kubeconfig's current one is never used.
    pub context: String,
    /// `None`: what `KUBECONFIG` names, else `~/.kube/config`.
    pub kubeconfig: Option<PathBuf>,
    /// `spec.proxy` of the cluster; goes before what kubeconfig and environment say.
    pub proxy: Option<String>,
    /// `NO_PROXY` of the environment.
    pub no_proxy: Option<String>,
}

/// The contexts of a kubeconfig, in its order.
pub fn contexts(connection: &Connection) -> Result<Vec<String>, UserError> {
    let contexts = read(connection)?.contexts;
    Ok(contexts.into_iter().map(|context| context.name).collect())
}

pub(super) async fn client(connection: &Connection) -> Result<kube::Client, UserError> {
    let kubeconfig = read(connection)?;
    check_context(connection, &kubeconfig)?;
    let own_proxy = has_own_proxy(connection, &kubeconfig);
    let options = KubeConfigOptions {
        context: Some(connection.context.clone()),
        ..KubeConfigOptions::default()
    };
    let unusable = |problem: String| {
        UserError::new(format!(
            "cluster `{}`: context `{}` cannot be used: {problem}",
            connection.name, connection.context
        ))
    };
    let mut config = kube::Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .map_err(|error| unusable(error.to_string()))?;
    // One retry layer is enough, and it is ours.
    config.default_retry = false;
    config.connect_timeout = Some(CONNECT);
    // Attempts are bounded by `call.rs`.
    config.read_timeout = None;
    if let Some(proxy) = &connection.proxy {
        let proxy = proxy
            .parse()
            .map_err(|error| unusable(format!("`proxy: {proxy}`: {error}")))?;
        config.proxy_url = Some(proxy);
    } else if !own_proxy && is_exempt(connection, &config) {
        config.proxy_url = None;
    }
    kube::Client::try_from(config).map_err(|error| unusable(error.to_string()))
}

fn read(connection: &Connection) -> Result<Kubeconfig, UserError> {
    let kubeconfig = match &connection.kubeconfig {
        Some(path) => Kubeconfig::read_from(path),
        None => Kubeconfig::read(),
    };
    kubeconfig.map_err(|error| {
        UserError::new(format!(
            "{}the kubeconfig cannot be read: {error}",
            asked_for(connection)
        ))
        .hint("name it with KUBECONFIG")
    })
}

/// For whom a kubeconfig is read; nobody in particular when all its contexts are asked for.
fn asked_for(connection: &Connection) -> String {
    if connection.name.is_empty() {
        return String::new();
    }
    format!("cluster `{}`: ", connection.name)
}

fn check_context(connection: &Connection, kubeconfig: &Kubeconfig) -> Result<(), UserError> {
    let names: Vec<&str> = kubeconfig
        .contexts
        .iter()
        .map(|context| context.name.as_str())
        .collect();
    if names.contains(&connection.context.as_str()) {
        return Ok(());
    }
    let error = UserError::new(format!(
        "cluster `{}`: the kubeconfig has no context `{}`",
        connection.name, connection.context
    ));
    Err(
        match did_you_mean(&connection.context, names.iter().copied()) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None if names.is_empty() => {
                error.hint("it has no contexts at all: name the right file with KUBECONFIG")
            }
            None => error.hint(format!("it has: {}", names.join(", "))),
        },
    )
}

/// Whether the kubeconfig itself says which proxy leads to the cluster.
fn has_own_proxy(connection: &Connection, kubeconfig: &Kubeconfig) -> bool {
    let context = kubeconfig
        .contexts
        .iter()
        .find(|context| context.name == connection.context)
        .and_then(|context| context.context.as_ref());
    let cluster = context.and_then(|context| {
        let named = kubeconfig
            .clusters
            .iter()
            .find(|cluster| cluster.name == context.cluster);
        named.and_then(|named| named.cluster.as_ref())
    });
    cluster.is_some_and(|cluster| cluster.proxy_url.is_some())
}

fn is_exempt(connection: &Connection, config: &kube::Config) -> bool {
    let host = config.cluster_url.host().unwrap_or_default();
    let no_proxy = connection.no_proxy.as_deref().unwrap_or_default();
    proxy::is_exempt(host, no_proxy)
}
