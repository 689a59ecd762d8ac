# Compiles the programs from their Go modules, once per fingerprint.

kubernetes_programs=(kube-apiserver kube-controller-manager kube-scheduler kubectl etcd)

build_programs() {
    if [ ! -e "$programs/.complete" ]; then
        mkdir -p "$cache"
        (
            flock 9 # Two test runs on one machine build once.
            [ -e "$programs/.complete" ] || compile
        ) 9>"$cache/build.lock"
    fi
    use_assets_of_user
}

compile() {
    need npm "install Node 20 or newer: it runs the pipeline of a fleet as GitLab does"
    need go "install Go ${go_series#go} (its module proxy is the only download)"
    [[ $(go env GOVERSION) == "$go_series"* ]] ||
        fail "Kubernetes ${kubernetes_version#v} builds with $go_series, here is $(go env GOVERSION)" "put $go_series first in PATH"
    local began=$SECONDS fresh=$programs.new
    rm -rf "$fresh" && mkdir -p "$fresh"
    export GOFLAGS="-buildvcs=false -trimpath"

    say "compiling Kubernetes $kubernetes_version and etcd (about 7 minutes the first time, seconds when Go's cache is warm)"
    (cd "$here/src" && go build -ldflags "$(kubernetes_ldflags)" -o "$fresh/controlplane" .)
    for program in "${kubernetes_programs[@]}"; do
        ln -s controlplane "$fresh/$program"
    done

    say "compiling kwok $kwok_version (about 3 minutes the first time)"
    GOBIN=$fresh go install -ldflags "-s -w" "sigs.k8s.io/kwok/cmd/kwok@$kwok_version" "sigs.k8s.io/kwok/cmd/kwokctl@$kwok_version"

    say "compiling sops $sops_version (about 3 minutes the first time)"
    GOBIN=$fresh go install -ldflags "-s -w" "github.com/getsops/sops/v3/cmd/sops@$sops_version"

    say "compiling helm $helm_version (about 2 minutes the first time)"
    GOBIN=$fresh go install -ldflags "-s -w" "helm.sh/helm/v3/cmd/helm@$helm_version"

    say "installing gitlab-ci-local $gitlab_ci_local_version"
    npm install --silent --no-fund --no-audit --prefix "$fresh/node" "gitlab-ci-local@$gitlab_ci_local_version"
    ln -s node/node_modules/.bin/gitlab-ci-local "$fresh/gitlab-ci-local"

    touch "$fresh/.complete"
    rm -rf "$programs" && mv "$fresh" "$programs"
    say "compiled in $((SECONDS - began)) s: $programs"
}

kubernetes_ldflags() {
    local package=k8s.io/component-base/version minor=${kubernetes_version#v1.}
    echo "-s -w -X $package.gitVersion=$kubernetes_version -X $package.gitMajor=1 -X $package.gitMinor=${minor%%.*} -X $package.gitTreeState=clean"
}

# The folder that KUBEBUILDER_ASSETS names has three of the five programs; more are taken if there are more.
use_assets_of_user() {
    local assets=${KUBEBUILDER_ASSETS:-} mixed
    [ -n "$assets" ] || return 0
    for program in kube-apiserver etcd kubectl; do
        [ -x "$assets/$program" ] || fail "KUBEBUILDER_ASSETS is \`$assets\`, which has no \`$program\`" "unset it to use programs that are built here"
    done
    mixed=$cache/assets-$(echo "$programs $assets" | sha256sum | cut -c1-16)/bin
    rm -rf "$mixed.new" && mkdir -p "$mixed.new"
    ln -s "$programs"/* "$mixed.new/"
    for program in "${kubernetes_programs[@]}"; do
        [ ! -x "$assets/$program" ] || ln -sf "$(realpath "$assets/$program")" "$mixed.new/$program"
    done
    rm -rf "$mixed" && mv "$mixed.new" "$mixed"
    programs=$mixed
}
