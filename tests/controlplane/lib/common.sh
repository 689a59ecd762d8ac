# What every part needs: pinned versions, folders, and how to say something.

kubernetes_version=v1.36.3
kwok_version=v0.8.0
sops_version=v3.13.3
helm_version=v3.21.4
# The newest that runs on Node 20.
gitlab_ci_local_version=4.70.1
go_series=go1.26

work=${ESCALE_CONTROLPLANE_WORK:-$here/.work}
cache=${ESCALE_CONTROLPLANE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/escale-controlplane}

say() { echo "controlplane: $*" >&2; }

fail() {
    echo "error: $1" >&2
    [ -z "${2:-}" ] || echo "hint: $2" >&2
    exit 1
}

need() { command -v "$1" >/dev/null || fail "\`$1\` is not installed" "$2"; }

# The programs depend on these files and versions alone.
fingerprint() {
    (cd "$here/src" && cat go.mod go.sum main.go && echo "$kubernetes_version $kwok_version $sops_version $helm_version $gitlab_ci_local_version $(uname -sm)") | sha256sum | cut -c1-16
}

programs=$cache/$(fingerprint)/bin
