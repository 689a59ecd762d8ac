# API servers that are there, and ill.

# The settings of one that answers a single request at a time and turns others away. Priority and fairness would let
# them wait instead.
narrow=(enable-priority-and-fairness=false max-requests-inflight=1 max-mutating-requests-inflight=1)

# It takes connections, and says nothing.
pause_api_servers() { signal_api_servers STOP "$@"; }

resume_api_servers() { signal_api_servers CONT "$@"; }

signal_api_servers() {
    local signal=$1 name
    for name in "${@:2}"; do
        must_exist "$name"
        kill "-$signal" "$(cat "$(home_of "$name")/pids/kube-apiserver.pid")"
    done
}

narrow_api_servers() {
    local setting lines=""
    for setting in "${narrow[@]}"; do
        lines+="\\n  - --$setting"
    done
    restart_with "s/^  - --etcd-servers=.*/&$lines/" "$@"
}

widen_api_servers() { restart_with "$(printf '/^  - --%s$/d;' "${narrow[@]}")" "$@"; }

# Edits what kwokctl starts.
restart_with() {
    local edit=$1 name
    for name in "${@:2}"; do
        must_exist "$name"
        sed -i "$edit" "$(home_of "$name")/kwok.yaml"
        kwokctl "$name" stop cluster
    done
    start_clusters "${@:2}"
}
