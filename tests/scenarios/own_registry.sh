#!/usr/bin/env bash
# The registry that the server runs: whoever has a right over an app pulls or pushes its images with
# a token of the API, and nobody else. skopeo is the client.
. "$(dirname "$0")/lib.sh"

configure "buildpacks.allowed_private_hosts = [\"$registry\"]"
start_server
use_tiny_stack
slipway apps create shop --repository acme/shop/production/web
slipway apps create other
add_key dev
new_repository shop
cat >"$work/shop/build.sh" <<'BUILD'
if cat /proc/*/environ /proc/*/cmdline 2>/dev/null | grep -aq 'slb[_]'; then echo "LEAK of the build's secret"; fi
echo "looked at every process"
hold shop
BUILD
printf 'exec httpd -f -p "$PORT"\n' >"$work/shop/web.sh"
commit shop first
shop=$registry/acme/shop/production/web

member=$(slipway tokens create member --app shop 2>/dev/null)
reader=$(slipway tokens create reader --app shop:read 2>/dev/null)
pusher=$(slipway tokens create ci --app shop:push 2>/dev/null)
stranger=$(slipway tokens create stranger --app other 2>/dev/null)
admin=$(slipway tokens create admin --admin 2>/dev/null)

# as TOKEN COMMAND...: skopeo with this token and no other one; an empty one is nobody.
as() {
    local file=$work/auth.$BASHPID.json
    if [ -n "$1" ]; then write_registry_login "$file" "$registry" "$1"; else echo '{}' >"$file"; fi
    shift
    REGISTRY_AUTH_FILE=$file skopeo --insecure-policy "$@"
}
pushes() { as "$1" copy --quiet --dest-tls-verify=false "oci:$shared/tiny:run" "docker://$2"; }
pulls() { as "$1" copy --quiet --src-tls-verify=false "docker://$2" "oci:$work/pulled-$BASHPID:x"; }
realm() {
    curl -s -o /dev/null -D - "http://$registry/v2/" | tr -d '\r' |
        sed -n 's/^[Ww]ww-[Aa]uthenticate: Bearer realm="\([^"]*\)".*/\1/p'
}
granted() { # TOKEN SCOPE: what of it the token service gives
    curl -sS -u "any:$1" -G "$(realm)" --data service=slipway-registry --data-urlencode "scope=$2" |
        jq -r .scope
}

# An image of nothing, with a token that is still good.
bring_back() { # TOKEN REPOSITORY
    local place digest
    place=$(curl -sSf -D - -o /dev/null -X POST -H "Authorization: Bearer $1" "http://$registry/v2/$2/blobs/uploads/" |
        tr -d '\r' | sed -n 's/^[Ll]ocation: //p')
    digest=sha256:$(printf '{}' | sha256sum | cut -c 1-64)
    case $place in /*) place=http://$registry$place ;; esac
    printf '{}' | curl -sSf -o "$work/out" -X PUT -H "Authorization: Bearer $1" --data-binary @- \
        -H 'Content-Type: application/octet-stream' "$place&digest=$digest"
    printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"%s","size":2},"layers":[]}' "$digest" |
        curl -sSf -o "$work/out" -X PUT -H "Authorization: Bearer $1" --data-binary @- \
            -H 'Content-Type: application/vnd.oci.image.manifest.v1+json' "http://$registry/v2/$2/manifests/late"
}

check 'the registry sends whoever brings nothing to the token service' '
    same "$(curl -s -o /dev/null -w "%{http_code}" "http://$registry/v2/")" 401
    expect "^http://127.0.0.1:[0-9]+/registry/token$" <(realm)
'
check 'a build puts the image into its app own repository' '
    push shop >"$work/pushed" 2>&1 &
    wait_until 60 "the build is held" is_held shop
    let_go shop
    wait
    expect "$shop@sha256:" "$work/shop.push"
    expect "looked at every process" "$work/shop.push"
    refute "LEAK" "$work/shop.push"
    same "$(slipway --json apps info shop | jq -r .image)" "$shop:latest"
    pulls "$reader" "$shop@$(pushed_digest shop)"
'
check 'a member of the app pushes and pulls with the token of the API' '
    pushes "$member" "$shop:by-hand"
    pulls "$member" "$shop:by-hand"
    pushes "$admin" "$shop:by-admin"
'
check 'a token for pushing does so, and has nothing of the API' '
    pushes "$pusher" "$shop:ci"
    pulls "$pusher" "$shop:ci"
    same "$(curl -s -o /dev/null -w "%{http_code}" -H "Authorization: Bearer $pusher" "$api/v1/apps/shop")" 404
    same "$(curl -s -H "Authorization: Bearer $pusher" "$api/v1/users/self" | jq -r ".user.scopes[0]")" app:shop:push
'
check 'a token for reading pulls and does not push' '
    pulls "$reader" "$shop:by-hand"
    must_fail pushes "$reader" "$shop:refused"
'
check 'anybody else does neither: another app member, a wrong password, nobody' '
    for who in "$stranger" slw_wrong ""; do
        must_fail pushes "$who" "$shop:refused" 2>"$work/refusal"
        cat "$work/refusal"
        expect "denied|unauthorized|authentication required" "$work/refusal"
        must_fail pulls "$who" "$shop:by-hand"
        must_fail pulls "$who" "$shop@$(pushed_digest shop)"
    done
    must_fail pulls "$reader" "$shop:refused"
'
check 'a repository that is not there looks like one that is another app own' '
    for repository in not/there acme/shop/production/web; do
        must_fail pulls "$stranger" "$registry/$repository:x" 2>"$work/refusal"
        sed "s,.*$repository,," "$work/refusal" >"$work/refusal.${repository##*/}"
    done
    same "$(cat "$work/refusal.there")" "$(cat "$work/refusal.web")"
    same "$(granted "$stranger" "repository:not/there:pull")" ""
    same "$(granted "$stranger" "repository:acme/shop/production/web:pull")" ""
'
check 'nobody deletes an image or reads the catalogue with a token of the API' '
    for who in "$member" "$admin"; do
        must_fail as "$who" delete --tls-verify=false "docker://$shop:by-hand"
        same "$(granted "$who" "registry:catalog:*")" ""
    done
    pulls "$member" "$shop:by-hand"
'
check 'stacks are the operator own: members do not push there' '
    for who in "$member" "$stranger"; do must_fail pushes "$who" "$registry/stacks/tiny:run"; done
    pushes "$admin" "$registry/stacks/tiny:again"
'
check 'what the server and a build present is found nowhere in the log' '
    refute "slb_" "$work/server.log"
    refute "$(cat "$state/registry/password")" "$work/server.log"
    refute "slb_" "$work/shop.push"
    same "$(stat -c %a "$state/registry/password")" 600
'
check 'a build does not read another app images, which a source may name as a buildpack' '
    new_repository other
    echo "echo built" >"$work/other/build.sh"
    echo "docker://$shop:by-hand" >"$work/other/.buildpacks"
    commit other spy
    refused_push other
    expect "denied|UNAUTHORIZED|refused|login" "$work/other.push"
    refute "is not a buildpackage" "$work/other.push"
'
check 'the operator builds into the registry with nothing but the local socket' '
    printf "echo built\n" >"$work/shop/build.sh"
    REGISTRY_AUTH_FILE=/nonexistent slipway build "$work/shop" --publish "$registry/by-hand/app:1"
    pulls "$admin" "$registry/by-hand/app:1"
    must_fail pulls "$member" "$registry/by-hand/app:1"
'
check 'a token that was removed gets nothing more' '
    slipway tokens remove ci
    must_fail pushes "$pusher" "$shop:late"
'
check 'when an app is destroyed its images are gone for the next one of that name' '
    digest=$(pushed_digest shop)
    slipway apps destroy shop --confirm shop
    slipway apps create shop --repository acme/shop/production/web
    again=$(slipway tokens create again --app shop 2>/dev/null)
    must_fail pulls "$again" "$shop:latest"
    must_fail pulls "$again" "$shop:by-hand"
    # What the registry remembers of the one before would be left out of this one.
    commit shop again
    push shop >"$work/again.push" 2>&1
'
check 'what an app that is destroyed left is nobody own, and what comes back with an old token leaves' '
    slipway apps create gone
    leaver=$(slipway tokens create leaver --app gone 2>/dev/null)
    pushes "$leaver" "$registry/gone:before"
    old=$(curl -sSf -u "any:$leaver" -G "$(realm)" --data service=slipway-registry \
        --data "scope=repository:gone:pull,push" | jq -r .token)
    slipway apps destroy gone --confirm gone
    same "$(granted "$admin" "repository:gone:pull,push")" ""
    bring_back "$old" gone
    [ -e "$state/registry/data/docker/registry/v2/repositories/gone/_manifests/tags/late" ]
'
stop_server
start_server
check 'a server that starts removes it' '
    [ ! -e "$state/registry/data/docker/registry/v2/repositories/gone/_manifests" ] ||
        fail "the images are still there"
    must_fail pulls "$admin" "$registry/gone:late"
    slipway apps create gone
    again=$(slipway tokens create comer --app gone 2>/dev/null)
    pushes "$again" "$registry/gone:new"
    pulls "$again" "$registry/gone:new"
'
check 'and the image of the next one is whole, also for a registry that starts anew' '
    again=$(slipway tokens create whole --app shop 2>/dev/null)
    pulls "$again" "$shop@$(pushed_digest shop)"
'
check 'after a restart members push as before' '
    again=$(slipway tokens create later --app shop 2>/dev/null)
    pushes "$again" "$shop:again"
    pulls "$again" "$shop:again"
    must_fail pushes "$stranger" "$shop:refused"
'

finish
