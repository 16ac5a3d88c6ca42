# shellcheck shell=bash
# Who reads images, each behind the same two functions: with_ENGINE SOURCE gets an image and writes
# what it has to $work/seen.files and $work/seen.config; page_of ENGINE REGEX starts the image's own
# process and asks it over HTTP. Storage is the scenario's own.

# One line for each file: name, type, mode, owner, where a link leads; then the hashes. What engines
# put into a container is left out.
files_of() { # DIRECTORY
    (
        cd "$1" || exit
        local injected='./(\.dockerenv|dev|proc|sys|run)(/.*)?|\./etc/(hosts|hostname|resolv\.conf|mtab)'
        find . -mindepth 1 -regextype posix-extended ! -regex "$injected" \
            -printf '%p\t%y\t%m\t%U:%G\t%l\n' | LC_ALL=C sort
        find . -type f -regextype posix-extended ! -regex "$injected" -print0 |
            LC_ALL=C sort -z | xargs -0r sha256sum
    )
}
# The part of a configuration that every engine shows, in one order.
canonical() { # FILE
    jq -S '{User: (.User // ""), Env: (.Env // []), Entrypoint: (.Entrypoint // []), Cmd: (.Cmd // []),
        WorkingDir: (.WorkingDir // ""), Labels: (.Labels // {})}' "$1"
}

# crun 1.8 refuses a machine with both generations of cgroups mounted: there it gets a mount
# namespace of its own without the second.
without_hybrid_cgroups() {
    if mountpoint -q /sys/fs/cgroup/unified; then
        unshare --mount sh -c 'umount /sys/fs/cgroup/unified && exec "$@"' sh "$@"
    else
        "$@"
    fi
}

# The page that the image's process gives, asked on port $port; `end` ends it.
asked() { # REGEX
    local status=0
    wait_until 60 'the process answers' curl -fs -o "$work/answer" "http://127.0.0.1:$port/" || status=$?
    [ "$status" -ne 0 ] || expect "$1" "$work/answer" || status=$?
    return "$status"
}
page_of() { # ENGINE REGEX
    local status=0
    port=$(free_port)
    "start_with_$1"
    asked "$2" || status=$?
    "end_with_$1"
    return "$status"
}

# ---------------------------------------------------------------- skopeo and umoci

with_umoci() { # SOURCE
    rm -rf "$work/umoci"
    mkdir "$work/umoci"
    skopeo --insecure-policy copy --quiet --src-tls-verify=false "$1" "oci:$work/umoci/layout:seen"
    skopeo inspect --config "oci:$work/umoci/layout:seen" | jq .config >"$work/seen.raw"
    canonical "$work/seen.raw" >"$work/seen.config"
    umoci unpack --image "$work/umoci/layout:seen" "$work/umoci/bundle" >"$work/umoci.log" 2>&1 ||
        { cat "$work/umoci.log"; return 1; }
    files_of "$work/umoci/bundle/rootfs" >"$work/seen.files"
}
# Kept for the process: umoci makes a bundle for the runtime.
start_with_umoci() {
    jq --arg port "$port" '.process.terminal = false | .process.env += ["PORT=" + $port]
        | .linux.namespaces |= map(select(.type != "network" and .type != "cgroup"))
        | del(.linux.resources, .linux.cgroupsPath) | .mounts |= map(select(.type != "cgroup"))' \
        "$work/umoci/bundle/config.json" >"$work/config.json"
    mv "$work/config.json" "$work/umoci/bundle/config.json"
    without_hybrid_cgroups crun --root "$work/crun" --cgroup-manager=disabled run \
        --bundle "$work/umoci/bundle" "seen-$$" </dev/null >"$work/crun.log" 2>&1 &
    process=$!
}
end_with_umoci() {
    kill -TERM "$process" 2>/dev/null || true
    wait "$process" || true
    without_hybrid_cgroups crun --root "$work/crun" --cgroup-manager=disabled delete --force "seen-$$" \
        >/dev/null 2>&1 || true
}

# ---------------------------------------------------------------- podman and buildah

container_tools() { # PROGRAM ARGUMENT...
    [ -f "$work/policy.json" ] || printf '{"default": [{"type": "insecureAcceptAnything"}]}\n' >"$work/policy.json"
    printf '[storage]\ndriver = "vfs"\nrunroot = "%s"\ngraphroot = "%s"\n' \
        "$work/containers.run" "$work/containers.root" >"$work/containers.conf"
    CONTAINERS_STORAGE_CONF=$work/containers.conf "$@"
}
pull_with() { # PROGRAM SOURCE: prints the image's id
    local options=(--quiet --signature-policy "$work/policy.json")
    [[ $2 != docker://* ]] || options+=(--tls-verify=false)
    container_tools "$1" pull "${options[@]}" "$2" | tail -n 1
}
with_podman() { # SOURCE
    local root
    container_tools true
    container_tools podman rmi --all --force >/dev/null
    pulled=$(pull_with podman "$1")
    container_tools podman image inspect "$pulled" | jq '.[0].Config' >"$work/seen.raw"
    canonical "$work/seen.raw" >"$work/seen.config"
    root=$(container_tools podman image mount "$pulled")
    files_of "$root" >"$work/seen.files"
    container_tools podman image unmount "$pulled" >/dev/null
}
# The machine's own limits: a container may not raise them where we may not.
start_with_podman() {
    container_tools without_hybrid_cgroups podman run --rm --name "seen-$$" --network host \
        --cgroups=disabled --stop-signal KILL --ulimit nofile=1024:1024 --ulimit nproc=4096:4096 --env PORT="$port" "$pulled" \
        </dev/null >"$work/podman.log" 2>&1 &
    process=$!
}
end_with_podman() {
    # The first process of a container need not listen to SIGTERM, and podman waits for it.
    container_tools podman rm --force --time 0 "seen-$$" >/dev/null 2>&1 || true
    kill -TERM "$process" 2>/dev/null || true
    wait "$process" || true
    cat "$work/podman.log"
}
with_buildah() { # SOURCE
    local container root status=0
    container_tools true
    pulled=$(pull_with buildah "$1")
    container=$(container_tools buildah from --signature-policy "$work/policy.json" "$pulled")
    container_tools buildah inspect --type image "$pulled" | jq '.OCIv1.config' >"$work/seen.raw"
    canonical "$work/seen.raw" >"$work/seen.config"
    root=$(container_tools buildah mount "$container")
    files_of "$root" >"$work/seen.files"
    container_tools buildah run --isolation chroot "$container" launcher sh -c 'id -u; pwd' \
        >"$work/said" || status=$?
    container_tools buildah rm "$container" >/dev/null
    return "$status"
}

# ---------------------------------------------------------------- Docker

engine=
# As the operator of the server's own registry, or by the logins that a scenario makes itself.
docker_logs_in_itself=
docker_here() {
    mkdir -p "$work/docker-config"
    [ -n "$docker_logs_in_itself" ] ||
        cp "$REGISTRY_AUTH_FILE" "$work/docker-config/config.json" 2>/dev/null || true
    DOCKER_CONFIG=$work/docker-config docker --host "unix://$work/docker.sock" "$@"
}
# Its own data, its own mounts, none of the machine's network: nothing of it stays behind.
start_docker() { # [REGISTRY without TLS that Docker trusts]
    command -v dockerd >/dev/null || return 1
    unshare --mount dockerd --data-root "$work/docker" --exec-root "$work/docker-run" \
        --host "unix://$work/docker.sock" --pidfile "$work/docker.pid" \
        --iptables=false --ip6tables=false --bridge=none --insecure-registry "${1:-127.0.0.0/8}" \
        >"$work/docker.log" 2>&1 &
    engine=$!
    wait_until 30 'dockerd answers or has ended' docker_is_decided
    docker_here info >/dev/null 2>&1
}
docker_is_decided() { has_ended "$engine" || docker_here info >/dev/null 2>&1; }
stop_docker() {
    [ -n "$engine" ] || return 0
    kill "$engine" 2>/dev/null || true
    wait "$engine" 2>/dev/null || true
    engine=
}
with_docker() { # REFERENCE
    local container
    docker_here pull --quiet "$1"
    pulled=$1
    docker_here image inspect "$1" | jq '.[0].Config' >"$work/seen.raw"
    canonical "$work/seen.raw" >"$work/seen.config"
    rm -rf "$work/docker-root"
    mkdir "$work/docker-root"
    container=$(docker_here create "$1")
    docker_here export "$container" |
        tar -x --numeric-owner --same-owner --preserve-permissions -C "$work/docker-root" -f -
    docker_here rm "$container" >/dev/null
    files_of "$work/docker-root" >"$work/seen.files"
}
start_with_docker() {
    docker_here run --detach --name "seen" --network host --env PORT="$port" "$pulled" >/dev/null
}
end_with_docker() { docker_here rm --force seen >/dev/null; }
