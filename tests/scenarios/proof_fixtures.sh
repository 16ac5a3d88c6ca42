#!/usr/bin/env bash
# Fixture apps are proven: pushed, then built again from their provenance by
# `slipway verify --rebuild`, without a cache, to the same digest.
#
#   FIXTURES='static-hello go-hello' proof_fixtures.sh     these
#   FIXTURES=all proof_fixtures.sh                         every one, which takes half an hour
. "$(dirname "$0")/lib.sh"

buildpacks=$SLIPWAY_SOURCE_DIR/buildpacks/bundled
configure "$("$SLIPWAY_SOURCE_DIR/tools/network-settings")"
start_server
use_debian_stack

fixtures_wanted=${FIXTURES:-static-hello node-hello python-hello}
[ "$fixtures_wanted" != all ] ||
    fixtures_wanted="static-hello procfile-hello node-hello node-workspaces node-vite node-next
        python-hello python-poetry python-uv python-django go-hello rust-hello java-maven
        apt-hello php-hello php-plain ruby-sinatra ruby-hello"

for app in $fixtures_wanted; do
    check "$app is built again to the same digest" '
        slipway apps create "$app"
        [ -f "$work/dev.key" ] || add_key dev
        new_repository "$app" "$app"
        if [ "$app" = ruby-hello ]; then
            mkdir -p "$work/$app/vendor/cache"
            "$fixtures/gems/make-gem" hello_native "$work/$app/vendor/cache"
            commit "$app" "with its gem"
        fi
        push "$app"
        status=0
        slipway verify --rebuild "$app" >"$work/$app.rebuild" 2>&1 || status=$?
        tail -n 40 "$work/$app.rebuild"
        same "$status" 0
        expect "^Reproduced: the recorded inputs give $(pushed_digest "$app") again" "$work/$app.rebuild"
    '
done
finish
