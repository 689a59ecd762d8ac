//! Kubernetes field semantics: paths, sets, schema table, merge, compare, "would this apply change anything?".
