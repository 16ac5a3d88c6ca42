#!/usr/bin/env bash
# Makes the scenarios' small stack as an OCI layout: Debian's static busybox, this machine's bash
# with its libraries (whose /dev/tcp resolves names, which a static program cannot), a user.
#
#   tiny_stack.sh LAYOUT         writes the images LAYOUT:build and LAYOUT:run
set -euo pipefail

layout=$1
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
chmod 755 "$root"

mkdir -p "$root"/{bin,dev,etc,home/cnb,layers,platform,proc,sys,tmp,usr/bin,workspace}
cp /bin/busybox "$root/bin/busybox"
for applet in $(/bin/busybox --list); do
    [ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"
done
ln -s /bin/env "$root/usr/bin/env"
copy() { # a file and what it links to, under the same name
    mkdir -p "$root$(dirname "$1")"
    cp -L "$1" "$root$1"
}
cp -L /bin/bash "$root/bin/bash"
for library in $(ldd /bin/bash | grep -oE '/[^ ]+'); do copy "$library"; done
printf 'root:x:0:0::/root:/bin/sh\ncnb:x:1000:1000::/home/cnb:/bin/sh\n' >"$root/etc/passwd"
printf 'root:x:0:\ncnb:x:1000:\n' >"$root/etc/group"
: >"$root/etc/resolv.conf"
: >"$root/etc/hosts"
chmod 1777 "$root/tmp"
chown -R 1000:1000 "$root"/{home/cnb,layers,platform,workspace}
find "$root" -exec touch -h -d @315532801 {} +

rm -rf "$layout"
umoci init --layout "$layout"
for image in build run; do
    umoci new --image "$layout:$image"
    umoci insert --history.created 1980-01-01T00:00:01Z --image "$layout:$image" "$root" /
    umoci config --created 1980-01-01T00:00:01Z \
        --history.created 1980-01-01T00:00:01Z --image "$layout:$image" \
        --config.user 1000:1000 \
        --config.env PATH=/bin:/usr/bin \
        --config.env CNB_USER_ID=1000 --config.env CNB_GROUP_ID=1000 \
        --config.env CNB_STACK_ID=io.slipway.test \
        --config.label io.buildpacks.stack.id=io.slipway.test \
        --config.label io.buildpacks.base.distro.name=busybox \
        --config.label io.buildpacks.base.distro.version=1
done
umoci gc --layout "$layout"
