//! Kubernetes API servers: connect, list, write; limits and retries. The only user of kube, with `sim`.
