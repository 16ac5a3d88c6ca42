# shellcheck shell=bash
# Other run images for the small stack, sourced after lib.sh.

# The stack's run image with a file more, /etc/run-image, which holds TAG.
push_run_image() { # TAG [DISTRIBUTION]
    local layout=$work/run-$1 tree=$work/run-$1-tree
    cp -a "$shared/tiny" "$layout"
    mkdir -p "$tree"
    echo "$1" >"$tree/run-image"
    umoci insert --history.created 1980-01-01T00:00:01Z --image "$layout:run" "$tree/run-image" \
        /etc/run-image
    umoci config --created 1980-01-01T00:00:01Z --history.created 1980-01-01T00:00:01Z \
        --image "$layout:run" --config.label "io.buildpacks.base.distro.name=${2:-busybox}"
    skopeo --insecure-policy copy --quiet --dest-tls-verify=false \
        "oci:$layout:run" "docker://$registry/stacks/tiny:$1"
}
