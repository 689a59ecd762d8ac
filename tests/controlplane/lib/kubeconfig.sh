# Kubeconfigs: per cluster one for an admin and one for the deployer, and one with all of them.

# The deployer is a service account, as a CI job's would be: not in system:masters, so that both RBAC and
# API priority and fairness apply to it.
write_deployer_kubeconfig() {
    local name=$1 file=$work/$1.deployer.kubeconfig token server
    token=$(admin "$name" -n escale-system create token escale-deployer --duration 720h)
    server=$(admin "$name" config view --minify -o 'jsonpath={.clusters[0].cluster.server}')
    cat >"$file" <<CONFIG
apiVersion: v1
kind: Config
clusters:
- name: $name
  cluster:
    server: $server
    certificate-authority: $(home_of "$name")/pki/ca.crt
users:
- name: $name
  user:
    token: $token
- name: $name-admin
  user:
    client-certificate: $(home_of "$name")/pki/admin.crt
    client-key: $(home_of "$name")/pki/admin.key
contexts:
- name: $name
  context: {cluster: $name, user: $name}
- name: $name-admin
  context: {cluster: $name, user: $name-admin}
CONFIG
    chmod 600 "$file"
}

# No current context: escale never uses one, and a test that forgets to name its cluster should fail.
merge_kubeconfigs() {
    local files
    mkdir -p "$work"
    files=$(find "$work" -maxdepth 1 -name '*.deployer.kubeconfig' | sort | paste -sd:)
    if [ -z "$files" ]; then
        rm -f "$work/kubeconfig"
        return
    fi
    KUBECONFIG=$files "$programs/kubectl" config view --flatten >"$work/kubeconfig.new"
    chmod 600 "$work/kubeconfig.new"
    mv "$work/kubeconfig.new" "$work/kubeconfig"
}

print_kubeconfig() {
    local file=$work/kubeconfig
    [ $# -eq 0 ] || file=$work/$1.deployer.kubeconfig
    [ -e "$file" ] || fail "there is no kubeconfig${1:+ of \`$1\`}" "start clusters first: tests/controlplane/run start NAME..."
    echo "$file"
}
