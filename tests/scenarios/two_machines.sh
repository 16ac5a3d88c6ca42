#!/usr/bin/env bash
# Two machines: two state directories, one after the other, with another time, time zone, umask,
# locale, ids of builds, temporary directory and registry. Each fixture app has one digest on both.
# Apps whose packages cannot be fetched from here are said aloud and left out.
. "$(dirname "$0")/lib.sh"

bundled=$SLIPWAY_SOURCE_DIR/buildpacks/bundled
settings=$("$SLIPWAY_SOURCE_DIR/tools/network-settings")

# The worker makes what is in an image. It lives more than a year later on the second machine; the
# registry's tokens are the server's, which goes by the real time as the registry does.
command -v faketime >/dev/null || skip_all 'faketime is not installed (apt-get install faketime)'
mkdir "$work/later"
for program in "$bin"/slipway*; do ln -s "$program" "$work/later/"; done
rm "$work/later/slipway-worker"
cat >"$work/later/slipway-worker" <<SH
#!/bin/sh
# The clock alone, not what files say of themselves.
export DONT_FAKE_MONOTONIC=1 NO_FAKE_STAT=1 FAKE_UTIME=0
exec faketime -f +400d "$bin/slipway-worker" "\$@"
SH
chmod 755 "$work/later/slipway-worker"

reachable() { # NAME URL
    curl --silent --location --max-time 30 --output /dev/null "$2" && return
    echo "skipped: $1 cannot be reached"
    [ "${CI:-}" != true ] || exit 1
    return 1
}
setting_of() { sed -n "s/^build.environment.$1 = \"\(.*\)\"/\1/p" <<<"$settings"; }
first_of() { echo "${1%%[,|]*}"; }

# APPS='go-hello ruby-hello' takes these, APPS=all every one, which takes half an hour.
apps=(static-hello procfile-hello)
offer() { [ "${APPS:-}" != all ] || apps+=("$@"); }
if reachable "Debian's packages" "$(setting_of SLIPWAY_APT_MIRROR | grep . || echo http://deb.debian.org/debian/)"; then
    offer apt-hello php-plain php-hello ruby-hello ruby-sinatra
fi
if reachable 'the npm registry' "${NPM_CONFIG_REGISTRY:-https://registry.npmjs.org}"; then
    apps+=(node-hello)
    offer node-workspaces node-vite node-next
fi
if reachable PyPI "${PIP_INDEX_URL:-https://pypi.org/simple/}"; then
    offer python-hello python-poetry python-uv python-django
fi
if reachable 'the Go module proxy' "$(first_of "${GOPROXY:-https://proxy.golang.org}")"; then offer go-hello; fi
if reachable crates.io "$(mirror=$(setting_of SLIPWAY_CARGO_MIRROR); echo "${mirror:-https://index.crates.io/}" | sed 's/^sparse+//')"; then
    offer rust-hello
fi
if reachable 'Maven Central' "$(setting_of MAVEN_MIRROR_URL | grep . || echo https://repo.maven.apache.org/maven2/)"; then
    offer java-maven
fi
case ${APPS:-} in
    '' | all) ;;
    *) read -ra apps <<<"$APPS" ;;
esac

# A copy of a fixture, with the modes and times of the machine.
source_of() { # APP DIRECTORY
    cp -R "$fixtures/apps/$1/." "$2/"
    if [ "$1" = ruby-hello ]; then
        mkdir -p "$2/vendor/cache"
        [ -f "$work/gem/done" ] || { mkdir -p "$work/gem" && "$fixtures/gems/make-gem" hello_native "$work/gem" && touch "$work/gem/done"; }
        cp "$work"/gem/*.gem "$2/vendor/cache/"
    fi
}
build_all() { # MACHINE
    local app which=$1
    for app in "${apps[@]}"; do
        check "$app is built on the $which machine" '
            mkdir "$machine/$app"
            source_of "$app" "$machine/$app"
            slipway apps create "$app" >/dev/null
            slipway deploy "$app" "$machine/$app" >"$machine/$app.log" 2>&1 || { cat "$machine/$app.log"; exit 1; }
            tail -n 1 "$machine/$app.log" | grep -oE "^sha256:[0-9a-f]{64}$" >"$work/$app.$which"
        '
    done
}
# Configurations and layers, so that a difference can be named.
keep() { # MACHINE APP
    mkdir -p "$work/kept/$1"
    skopeo --insecure-policy copy --quiet --src-tls-verify=false "docker://$registry/$2:latest" \
        "oci:$work/kept/$1:$2"
}
keep_all() { # MACHINE
    local app
    for app in "${apps[@]}"; do keep "$1" "$app" || true; done
}

# ---------------------------------------------------------------- the first machine

machine=$work/first
mkdir "$machine"
state=$machine/state
buildpacks=$bundled
configure "$settings"
umask 022
export TZ=UTC LC_ALL=C.UTF-8 TMPDIR=$machine/tmp
mkdir "$TMPDIR"
start_server
use_debian_stack
build_all first
keep_all first
check 'the first machine stops' 'stop_server'
server_pid=

# ---------------------------------------------------------------- the second one

machine=$work/second
mkdir "$machine" "$machine/tmp with blanks"
state=$machine/state
registry=127.0.0.1:$(free_port)
ssh_port=$(free_port)
http_port=$(free_port)
api=http://127.0.0.1:$http_port
# The same buildpacks in another place and with other times. Builds read them: before the umask.
cp -R "$bundled" "$machine/buildpacks"
buildpacks=$machine/buildpacks
umask 077
export TZ=Pacific/Kiritimati LC_ALL=C LANG=tr_TR.UTF-8 LANGUAGE=tr TMPDIR="$machine/tmp with blanks"
configure "sandbox.first_id = 400000"
bin_of_the_first=$bin
bin=$work/later
start_server
bin=$bin_of_the_first
use_debian_stack
build_all second
keep_all second

for app in "${apps[@]}"; do
    check "$app has one digest on both machines" '
        cat "$work/$app".*
        cmp "$work/$app.first" "$work/$app.second" || {
            for machine in first second; do
                skopeo inspect --raw "oci:$work/kept/$machine:$app" | jq . >"$work/$machine.manifest"
                skopeo inspect --config "oci:$work/kept/$machine:$app" | jq . >"$work/$machine.config"
            done
            diff "$work/first.manifest" "$work/second.manifest"
            diff "$work/first.config" "$work/second.config"
            exit 1
        }
    '
done

finish
