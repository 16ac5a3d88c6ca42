#!/usr/bin/env bash
# Builds an app with the phases of another lifecycle, in the build image's own root file system.
#
#   run_lifecycle.sh LIFECYCLE CASE ROOT REGISTRY IMAGE
#
# LIFECYCLE is a directory with that lifecycle's programs `lifecycle` and `launcher`; CASE one of
# tests/fixtures/agreement; ROOT the unpacked build image, where /cache stays between builds;
# REGISTRY, on this machine, has stacks/tiny:run and gets IMAGE. Needs root.
set -euo pipefail

if [ "${1:-}" = --inside ]; then
    root=$2
    shift 2
    mount --bind /dev "$root/dev"
    mount -t proc proc "$root/proc"
    exec chroot "$@"
fi

programs=$1 case=$2 root=$3 registry=$4 image=$5
user=1000:1000
# The registry's login, as the lifecycle takes it: {"HOST": "Basic ..."}.
login=$(jq -c '.auths | map_values("Basic " + .auth)' "${REGISTRY_AUTH_FILE:?}")

fresh() {
    rm -rf "${root:?}$1"
    mkdir -p "$root$1"
    chmod 755 "$root$1"
}
place() { # SOURCE TARGET: as git would have it, whatever the umask of this checkout was
    cp -R "$1/." "$root$2/"
    chmod -R u=rwX,go=rX "$root$2"
}

fresh /cnb
fresh /workspace
fresh /layers
fresh /platform
mkdir -p "$root/cnb/lifecycle" "$root/cnb/buildpacks" "$root/platform/env" "$root/cache"
cp "$programs/lifecycle" "$programs/launcher" "$root/cnb/lifecycle/"
for phase in analyzer detector restorer builder exporter; do
    ln -s lifecycle "$root/cnb/lifecycle/$phase"
done
for descriptor in "$case"/*/buildpack.toml; do
    id=$(sed -n 's/^id = "\(.*\)"/\1/p' "$descriptor" | head -n 1)
    target=/cnb/buildpacks/${id//\//_}/1.0.0
    mkdir -p "$root$target"
    place "$(dirname "$descriptor")" "$target"
done
cp "$case/order.toml" "$root/cnb/order.toml"
printf '[[images]]\nimage = "%s/stacks/tiny:run"\n' "$registry" >"$root/cnb/run.toml"
place "$case/app" /workspace
[ ! -d "$case/platform" ] || place "$case/platform" /platform/env
chown -R "$user" "$root"/{workspace,layers,platform,cache}

# The environment is the build image's. No helper of a cloud is asked for credentials.
phase() { # NAME USER ARGUMENT...
    local name=$1 as=$2 status=0
    shift 2
    unshare --mount --pid --fork --kill-child "$0" --inside "$root" --userspec="$as" "$root" \
        /bin/env -i PATH=/bin:/usr/bin HOME=/home/cnb CNB_USER_ID=1000 CNB_GROUP_ID=1000 \
        CNB_REGISTRY_AUTH="$login" CNB_STACK_ID=io.slipway.test CNB_PLATFORM_API=0.15 CNB_NO_COLOR=true \
        CNB_REGISTRY_AUTH_KEYCHAIN_SKIP_AMAZON=true CNB_REGISTRY_AUTH_KEYCHAIN_SKIP_AZURE=true \
        "/cnb/lifecycle/$name" "$@" || status=$?
    [ "$status" -eq 0 ] || { echo "$name ended with $status"; exit "$status"; }
}

phase analyzer 0:0 -run-image "$registry/stacks/tiny:run" "$registry/$image"
phase detector "$user"
phase restorer 0:0 -cache-dir /cache
phase builder "$user"
phase exporter 0:0 -cache-dir /cache "$registry/$image"
