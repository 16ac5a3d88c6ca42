# shellcheck shell=bash
# For the tests of the bundled buildpacks: runs bin/detect and bin/build as the server does, but
# without a container, in a directory of the test's own. Sourced by each test.

set -euo pipefail

tests_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
bundled_dir=$(cd "$tests_dir/../../buildpacks/bundled" && pwd)
apps_dir=$(cd "$tests_dir/../fixtures/apps" && pwd)
work_dir=$(mktemp -d "${TMPDIR:-/tmp}/buildpacks.XXXXXX")
trap 'rm -rf "$work_dir"' EXIT
closed_port=http://127.0.0.1:9

# What the machine running the tests has set must not decide how they end.
unset NODE_ENV NODE_PATH PYTHONPATH VIRTUAL_ENV CI
unset GOFLAGS GOTOOLCHAIN GOWORK CGO_ENABLED GO_INSTALL_PACKAGE_SPEC
unset RUSTFLAGS RUSTUP_TOOLCHAIN RUST_CARGO_BUILD_FLAGS CARGO_HOME CARGO_TARGET_DIR
export npm_config_userconfig=$work_dir/npmrc

failures=0

ok() {
    printf 'ok      %s\n' "$1"
}

not_ok() {
    printf 'FAILED  %s\n' "$1"
    shift
    if (($# > 0)); then printf '        %s\n' "$@"; fi
    failures=$((failures + 1))
}

finish() {
    if ((failures > 0)); then
        printf '%s check(s) failed\n' "$failures"
        exit 1
    fi
}

skip() {
    printf 'skipped: %s\n' "$1"
    exit 77
}

# equal WHAT EXPECTED ACTUAL
equal() {
    if [[ $2 == "$3" ]]; then ok "$1"; else not_ok "$1" "expected: $2" "actual:   $3"; fi
}

# holds WHAT TEXT PART
holds() {
    if [[ $2 == *"$3"* ]]; then ok "$1"; else not_ok "$1" "not there: $3" "in:        $2"; fi
}

lacks() {
    if [[ $2 != *"$3"* ]]; then ok "$1"; else not_ok "$1" "there: $3" "in:    $2"; fi
}

# come_true COMMAND...: waits for what another process brings about, ten seconds at the most.
come_true() {
    local start=$SECONDS
    until "$@"; do
        if ((SECONDS - start >= 10)); then return 1; fi
        sleep 0.1
    done
}

need_npm_registry() {
    local registry=${NPM_CONFIG_REGISTRY:-${npm_config_registry:-https://registry.npmjs.org}}
    curl --silent --fail --max-time 30 --output /dev/null "${registry%/}/ms" ||
        skip "the npm registry cannot be reached"
}

need_python_index() {
    python3 -m pip download --quiet --no-deps --disable-pip-version-check --dest "$work_dir/probe" \
        blinker==1.9.0 >/dev/null 2>&1 || skip "the Python package index cannot be reached"
}

# Only a proxy that is an ordinary web address is probed: file:// and the like are always there.
need_go_proxy() {
    local proxy=${GOPROXY:-https://proxy.golang.org}
    proxy=${proxy%%[,|]*}
    [[ $proxy == http*://* ]] || return 0
    curl --silent --fail --location --max-time 30 --output /dev/null \
        "${proxy%/}/golang.org/toolchain/@v/list" || skip "the Go module proxy cannot be reached"
}

need_crates_io() {
    local mirror=${SLIPWAY_CARGO_MIRROR:-sparse+https://index.crates.io/}
    [[ $mirror == sparse+http* ]] || return 0
    curl --silent --fail --location --max-time 30 --output /dev/null "${mirror#sparse+}config.json" ||
        skip "crates.io cannot be reached"
}

# use_app DIRECTORY: a fresh copy as the app to build. Layers of earlier builds stay.
use_app() {
    rm -rf "$work_dir/workspace"
    cp -a "$1" "$work_dir/workspace"
}

forget_layers() {
    rm -rf "$work_dir/layers"
}

# run SCRIPT BUILDPACK [NAME=VALUE]...: sets status and output.
run() {
    local script=$1 buildpack=$2
    shift 2
    mkdir -p "$work_dir"/{workspace,layers,platform/env,home,tmp}
    : >"$work_dir/plan.toml"
    : >"$work_dir/buildpack_plan.toml"
    status=0
    output=$(cd "$work_dir/workspace" && env CNB_BUILDPACK_DIR="$bundled_dir/$buildpack" \
        CNB_LAYERS_DIR="$work_dir/layers" CNB_PLATFORM_DIR="$work_dir/platform" \
        CNB_BUILD_PLAN_PATH="$work_dir/plan.toml" CNB_BP_PLAN_PATH="$work_dir/buildpack_plan.toml" \
        CNB_TARGET_OS=linux HOME="$work_dir/home" TMPDIR="$work_dir/tmp" "$@" \
        "$bundled_dir/$buildpack/bin/$script" 2>&1) || status=$?
}

# What becomes part of the image: the app and the launch layers, without times and owners.
image_hash() {
    local parts=(workspace) file name
    for file in "$work_dir"/layers/*.toml; do
        name=$(basename "$file" .toml)
        if grep -q '^launch = true' "$file" && [[ -d $work_dir/layers/$name ]]; then
            parts+=("layers/$name")
        fi
    done
    if [[ -f $work_dir/layers/launch.toml ]]; then parts+=(layers/launch.toml); fi
    tar --create --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner \
        --directory "$work_dir" "${parts[@]}" | sha256sum | cut -d ' ' -f 1
}

# keep_only_cached: what the next build gets back: layers with cache = true, without their types.
keep_only_cached() {
    local file name
    for file in "$work_dir"/layers/*.toml; do
        if [[ ! -f $file ]]; then continue; fi
        name=$(basename "$file" .toml)
        if grep -q '^cache = true' "$file"; then
            sed -i '/^\[types\]/,/^$/d' "$file"
        else
            rm -rf "$file" "$work_dir/layers/$name"
        fi
    done
}

# debian_packages BUILDPACK: the Debian packages that BUILDPACK asks for, for the app that is there,
# in a layer of their own, as slipway/apt makes it before BUILDPACK runs. Sets debian_environment,
# which is for `run`.
debian_packages() {
    local layers_dir=$work_dir/debian root=$work_dir/debian/packages name file value
    [[ $(. /etc/os-release && echo "$ID $VERSION_CODENAME") == "debian bookworm" ]] ||
        skip "this machine is not Debian 12"
    for name in apt-get dpkg-deb; do
        command -v "$name" >/dev/null || skip "this machine has no $name"
    done
    mkdir -p "$layers_dir" "$work_dir/sources"
    printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s main\n' \
        'http://deb.debian.org/debian bookworm' 'http://deb.debian.org/debian bookworm-updates' \
        'http://deb.debian.org/debian-security bookworm-security' >"$work_dir/sources/debian.list"
    printf 'Dir::Etc::sourcelist "/dev/null";\nDir::Etc::sourceparts "%s";\n' \
        "$work_dir/sources" >"$work_dir/apt.conf"
    run detect "$1"
    # The requirements of the plan, as the entries that slipway/apt is given.
    sed 's/^\[\[requires\]\]/[[entries]]/; s/^\[requires\.metadata\]/[entries.metadata]/' \
        "$work_dir/plan.toml" >"$work_dir/debian_plan.toml"
    run build apt APT_CONFIG="$work_dir/apt.conf" CNB_LAYERS_DIR="$layers_dir" \
        CNB_BP_PLAN_PATH="$work_dir/debian_plan.toml"
    if [[ $output == *"could not be fetched"* ]]; then
        skip "the Debian archive cannot be reached"
    fi
    equal "the Debian packages of $1 are there" 0 "$status"
    ((status == 0)) || printf '%s\n' "$output"
    debian_environment=()
    for name in PATH LD_LIBRARY_PATH LIBRARY_PATH CPATH PKG_CONFIG_PATH; do
        value=${!name:-}
        for file in "$layers_dir"/{build-packages,packages}/{env,env.build}/"$name.prepend"; do
            if [[ -f $file ]]; then value=$(cat "$file")${value:+:$value}; fi
        done
        debian_environment+=("$name=$value")
    done
    debian_environment+=("DEBIAN_PACKAGES_DIR=$root"
        "DEBIAN_BUILD_PACKAGES_DIR=$layers_dir/build-packages")
}
