# Starts, stops and deletes clusters with kwokctl's binary runtime.

export KWOK_WORKDIR=$work/kwok

kwokctl() { "$programs/kwokctl" --name "$1" --v ERROR "${@:2}"; }

home_of() { echo "$KWOK_WORKDIR/clusters/$1"; }

# One line per cluster that exists.
names() { [ ! -d "$KWOK_WORKDIR/clusters" ] || ls "$KWOK_WORKDIR/clusters"; }

start_clusters() {
    [ $# -gt 0 ] || fail "start which clusters?" "name them: tests/controlplane/run start north south"
    build_programs
    mkdir -p "$work"
    local began=$SECONDS name process
    local -A processes=()
    for name in "$@"; do
        [[ $name =~ ^[a-z0-9]([a-z0-9-]*[a-z0-9])?$ ]] || fail "\`$name\` is no name for a cluster" "use lower-case letters, digits and dashes"
        [ -d "$(home_of "$name")" ] || reserve_ports "$name"
    done
    for name in "$@"; do
        start_cluster "$name" >"$work/$name.log" 2>&1 &
        processes[$name]=$!
    done
    for name in "$@"; do
        process=${processes[$name]}
        wait "$process" || {
            tail -n 20 "$work/$name.log" >&2
            fail "cluster \`$name\` did not start" "all of its output: $work/$name.log"
        }
    done
    merge_kubeconfigs
    say "$# of $# clusters ready in $((SECONDS - began)) s: $*"
}

start_cluster() {
    local name=$1
    if [ -d "$(home_of "$name")" ]; then
        kwokctl "$name" start cluster --wait 60s
        wait_until_ready "$name"
        return
    fi
    write_configuration "$name"
    kwokctl "$name" --config "$work/$name.kwokctl.yaml" create cluster --kubeconfig "$work/$name.admin.kubeconfig" --wait 60s
    wait_until_ready "$name"
    prepare "$name"
}

# kwokctl calls a cluster ready when its API server is; tests also need admission to know the default namespace's account.
wait_until_ready() {
    local deadline=$((SECONDS + 60))
    until admin "$1" get --raw /readyz >/dev/null 2>&1 && admin "$1" -n default get serviceaccount default >/dev/null 2>&1; do
        [ $SECONDS -lt $deadline ] || fail "cluster \`$1\` is not ready after 60 s"
        sleep 0.2
    done
}

admin() { "$programs/kubectl" --kubeconfig "$work/$1.admin.kubeconfig" "${@:2}"; }

# Nodes, storage classes, and the identities with the rights that escale needs.
prepare() {
    admin "$1" apply --server-side -f "$here/config/nodes.yaml" -f "$here/config/storage.yaml" -f "$here/config/production.yaml" -f "$here/../../docs/rbac"
    write_deployer_kubeconfig "$1"
    admin "$1" wait --for=condition=Ready nodes --all --timeout=30s
}

# kwokctl looks for free ports itself, but two that look at the same time find the same ones. So each cluster
# gets a block of its own, under a lock that all work folders on this machine share.
reserve_ports() {
    local block claim
    mkdir -p "$cache/ports"
    (
        flock 9
        for block in $(seq 20000 8 28000); do
            claim=$cache/ports/$block
            [ ! -e "$claim" ] || [ ! -d "$(cat "$claim")" ] || continue
            is_free "$block" || continue
            mkdir -p "$(home_of "$1")" && rmdir "$(home_of "$1")"
            mkdir -p "$work/$1.ports" && echo "$work/$1.ports" >"$claim" && echo "$block" >"$work/$1.ports/first"
            exit 0
        done
        fail "no block of free ports between 20000 and 28000"
    ) 9>"$cache/ports.lock"
}

is_free() {
    local port
    for port in $(seq "$1" $(($1 + 5))); do
        ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || return 1
    done
}

write_configuration() {
    local first
    first=$(cat "$work/$1.ports/first")
    {
        sed -e "s|@PROGRAMS@|$programs|" -e "s|@HERE@|$here|" \
            -e "s|@ETCD@|$first|" -e "s|@ETCD_PEER@|$((first + 1))|" -e "s|@API_SERVER@|$((first + 2))|" \
            -e "s|@CONTROLLER_MANAGER@|$((first + 3))|" -e "s|@SCHEDULER@|$((first + 4))|" -e "s|@KWOK@|$((first + 5))|" \
            "$here/config/kwokctl.yaml"
        stages
    } >"$work/$1.kwokctl.yaml"
}

stop_clusters() {
    [ $# -gt 0 ] || fail "stop which clusters?" "there are: $(names | xargs)"
    build_programs
    local name
    for name in "$@"; do
        must_exist "$name"
        kwokctl "$name" stop cluster
    done
}

must_exist() { [ -n "$1" ] && [ -d "$(home_of "$1")" ] || fail "there is no cluster \`$1\`" "there are: $(names | xargs)"; }

delete_clusters() {
    [ $# -gt 0 ] || fail "delete which clusters?" "there are: $(names | xargs); --all deletes all"
    [ "$1" != --all ] || set -- $(names)
    build_programs
    local name
    for name in "$@"; do
        [ ! -d "$(home_of "$name")" ] || kwokctl "$name" delete cluster --kubeconfig "$work/$name.admin.kubeconfig"
        rm -rf "$work/$name".*
    done
    merge_kubeconfigs
}

list_clusters() {
    build_programs
    local name
    for name in $(names); do
        if admin "$name" get --raw /readyz >/dev/null 2>&1; then echo "$name running"; else echo "$name stopped"; fi
    done
}

print_audit_log() {
    must_exist "${1:-}"
    echo "$(home_of "$1")/logs/audit.log"
}
