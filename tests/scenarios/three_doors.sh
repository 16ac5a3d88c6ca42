#!/usr/bin/env bash
# One tree, three doors: an uploaded archive, a recorded push of GitHub whose repository a forge's
# stand-in serves over real HTTP, and a git push. All give one and the same digest.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/webhooks_lib.sh"

start_forge --token s3cret-t0ken
configure "network.allowed_private_hosts = [\"$forge_host\"]"
start_server
use_tiny_stack
forge_repository owner/app
(
    cd "$work/forge-owner-app" || exit
    printf '#!/bin/sh\necho run\n' >run.sh
    chmod 755 run.sh
    ln -s public/index.html link
    mkdir -p deep/er
    echo below >deep/er/file
)
commit=$(forge_commit owner/app first)

slipway apps create by-webhook
add_webhook by-webhook github owner/app '"token": "s3cret-t0ken"'
check 'a recorded push of GitHub is built' '
    recorded_push owner/app refs/heads/main "$commit" >"$work/push.json"
    deliver by-webhook "$work/push.json" d1
    same "$(status)" 202
    wait_until 60 "the build is published" built by-webhook published
    last_build by-webhook .digest | tee "$work/by-webhook.digest" | grep -E "^sha256:[0-9a-f]{64}$"
'
check 'a git push of the same commit has the same digest' '
    add_key dev
    slipway apps create by-push
    git -C "$work/forge-owner-app" remote add slipway "$(app_url by-push)"
    GIT_SSH_COMMAND=$(ssh_command dev) git -C "$work/forge-owner-app" push slipway main
    same "$(last_build by-push .digest)" "$(cat "$work/by-webhook.digest")"
'
check 'an archive of the same tree has the same digest, whoever made it' '
    git -C "$work/forge-owner-app" archive --format=tar.gz --prefix=app/ "$commit" >"$work/app.tar.gz"
    (cd "$work/forge-owner-app" && tar -c --exclude=.git --owner=me:1234 --group=us:1234 . | gzip -1 >"$work/again.tgz")
    for archive in app.tar.gz again.tgz; do
        name=by-${archive%%.*}
        slipway apps create "$name"
        curl -sS --fail-with-body --unix-socket "$(api_socket)" -H "Content-Type: application/octet-stream" \
            --data-binary "@$work/$archive" "http://localhost/v1/apps/$name/builds?follow" >"$work/$name.log"
        same "$(tail -n 1 "$work/$name.log" | grep -oE "sha256:[0-9a-f]{64}")" "$(cat "$work/by-webhook.digest")"
    done
'
finish
