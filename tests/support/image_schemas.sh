#!/usr/bin/env bash
# The JSON schemas of the OCI image specification: one version of its Go module, checked against the
# hash below. Prints the directory that holds image-manifest-schema.json; 77 when there is no way to
# it.
#
#   image_schemas.sh DIRECTORY      (kept there for the next time)
set -euo pipefail
module=github.com/opencontainers/image-spec
version=v1.1.1
# As in go.sum. Given to the go command, so that it asks no server about it.
hash=h1:y0fUlFfIZhPF1W537XOLg0/fcx6zcHCJwooC2xJA040=
go_mod_hash=h1:qpqAh3Dmcf36wStyyWU+kCeDgrGnAve2nCC8+7h8Q0M=
mkdir -p "$1"
directory=$(realpath "$1")
store=$directory/image-spec-$version

if [ ! -d "$store" ]; then
    command -v go >/dev/null || PATH=$PATH:/usr/local/go/bin
    command -v go >/dev/null || { echo "go is not installed (apt-get install golang-go)" >&2; exit 77; }
    draft=$(mktemp -d "$directory/image-spec.XXXXXX")
    # What its owner told Go about proxies counts in a scenario too, which has a HOME of its own.
    : "${GOENV:=$(getent passwd "$(id -u)" | cut -d : -f 6)/.config/go/env}"
    export GOENV
    # The go command takes from its modules the right to be removed.
    trap 'chmod -R u+w "$draft" && rm -rf "$draft"' EXIT
    mkdir "$draft/work"
    printf 'module schemas\n\nrequire %s %s\n' "$module" "$version" >"$draft/work/go.mod"
    printf '%s %s%s %s\n' "$module" "$version" "" "$hash" "$module" "$version" /go.mod "$go_mod_hash" \
        >"$draft/work/go.sum"
    if ! (cd "$draft/work" && GOTOOLCHAIN=local GOFLAGS=-modcacherw GOPATH=$draft/path \
        GOMODCACHE=$draft/modules GOCACHE=$draft/cache go mod download "$module") \
        >/dev/null 2>"$draft/error"; then
        if grep -q 'checksum mismatch' "$draft/error"; then
            echo "$module $version has other bytes than those that were pinned" >&2
            exit 1
        fi
        echo "go could not fetch $module: $(tail -n 1 "$draft/error")" >&2
        exit 77
    fi
    mkdir "$draft/store"
    cp "$draft/modules/$module@$version/schema"/*.json "$draft/modules/$module@$version/LICENSE" "$draft/store/"
    mv -T "$draft/store" "$store" 2>/dev/null || [ -d "$store" ]
fi
echo "$store"
