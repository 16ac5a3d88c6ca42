#!/usr/bin/env bash
# The same inputs give the finished digest at once: what counts as the same, what does not, and what
# everybody is told of it.
. "$(dirname "$0")/lib.sh"

same_inputs=168h
start_server
use_tiny_stack

push_with() { # NAME OPTION...
    local name=$1 options=()
    shift
    for option in "$@"; do options+=(-o "$option"); done
    git -C "$work/$name" -c "core.sshCommand=$(ssh_command dev)" push "${options[@]}" \
        slipway main >"$work/$name.push" 2>&1
}
new_commit() { # NAME
    git -C "$work/$1" commit -q --allow-empty -m another
}
# The last push was answered by build $2 and ran nothing; and the other way round.
answered_by() { # NAME BUILD
    expect "The same inputs as of build $2: its image is the answer" "$work/$1.push"
    expect "Made by build $2, from the same inputs" "$work/$1.push"
    refute "buildpack ran" "$work/$1.push"
    same "$(last_build "$1" .state)" published
    same "$(last_build "$1" .same_as)" "$2"
}
built_anew() { # NAME
    expect "buildpack ran" "$work/$1.push"
    same "$(last_build "$1" .state)" published
    same "$(last_build "$1" .same_as)" null
}
tag_digest() { # NAME TAG
    skopeo inspect --tls-verify=false --format '{{.Digest}}' "docker://$registry/$1:$2"
}

script_app shop <<'BUILD'
echo "buildpack ran, WORD is ${WORD:-unset}"
echo "${WORD:-unset}" >public/word
BUILD
push shop >/dev/null
first=$(last_build shop .build)
digest=$(pushed_digest shop)

check 'a second commit of the same tree is answered with the digest and the build that made it' '
    new_commit shop
    push shop
    answered_by shop "$first"
    same "$(pushed_digest shop)" "$digest"
    same "$(remote_head shop)" "$(git -C "$work/shop" rev-parse main)"
    same "$(tag_digest shop latest)" "$digest"
'
check 'the row, the API and the command line say so' '
    build=$(last_build shop .build)
    same "$(slipway --json builds info "$build" | jq -r .same_as)" "$first"
    same "$(slipway --json builds info "$build" | jq -c ".phases | keys")" "[\"detect\",\"fetch\"]"
    slipway builds info "$build" >"$work/info"
    expect "Made by: +$first" "$work/info"
    slipway builds info "$first" >"$work/info"
    refute "Made by" "$work/info"
'
check 'the proof of the image is the one that its maker left' '
    image=$(image_reference shop)
    slipway --json verify "$image" >"$work/verified"
    expect "$first" "$work/verified"
    refute "$(last_build shop .build)" "$work/verified"
'
check 'what answered does not answer for others: the maker is named each time' '
    new_commit shop
    push shop
    answered_by shop "$first"
'
check 'an archive of the same tree is answered through the other door' '
    git -C "$work/shop" archive --format=tar.gz main >"$work/shop.tar.gz"
    curl -sS --fail-with-body --unix-socket "$state/run/control.sock" \
        -H "Content-Type: application/octet-stream" --data-binary "@$work/shop.tar.gz" \
        "http://localhost/v1/apps/shop/builds?follow" >"$work/shop.push"
    answered_by shop "$first"
    same "$(last_build shop .door)" api
'
check 'no-cache builds all the same, and what it made answers from then on' '
    new_commit shop
    push_with shop no-cache
    built_anew shop
    same "$(pushed_digest shop)" "$digest"
    newest=$(last_build shop .build)
    new_commit shop
    push shop
    answered_by shop "$newest"
'
check 'a changed file is built' '
    echo more >"$work/shop/public/more"
    commit shop more
    push shop
    built_anew shop
    [ "$(pushed_digest shop)" != "$digest" ] || fail "the digest is the old one"
'
check 'going back to a tree of before moves the tag back' '
    git -C "$work/shop" rm -q public/more
    git -C "$work/shop" commit -q -m back
    push shop
    same "$(pushed_digest shop)" "$digest"
    [ "$(last_build shop .same_as)" != null ] || fail "it was built"
    same "$(tag_digest shop latest)" "$digest"
'
check 'a variable is an input, of the app and of one push alone' '
    slipway config set shop WORD=open-sesame
    new_commit shop
    push shop
    built_anew shop
    secret=$(last_build shop .build)
    new_commit shop
    push shop
    answered_by shop "$secret"
    new_commit shop
    push_with shop env.WORD=other
    built_anew shop
    slipway config unset shop WORD
    new_commit shop
    push shop
    same "$(pushed_digest shop)" "$digest"
'
check 'of two apps neither answers for the other' '
    slipway apps create twin
    new_repository twin
    cp -a "$work/shop/build.sh" "$work/shop/web.sh" "$work/shop/public" "$work/twin/"
    commit twin first
    push twin
    built_anew twin
    same "$(pushed_digest twin)" "$digest"
'
check 'with PROJECT_DIR a change outside of the folder is none' '
    slipway apps create mono
    new_repository mono
    mkdir -p "$work/mono/apps/web"
    cp -a "$work/shop/build.sh" "$work/shop/web.sh" "$work/shop/public" "$work/mono/apps/web/"
    slipway config set mono PROJECT_DIR=apps/web
    commit mono first
    push mono
    built_anew mono
    inside=$(last_build mono .build)
    echo outside >"$work/mono/README"
    commit mono second
    push mono
    answered_by mono "$inside"
    echo inside >"$work/mono/apps/web/public/more"
    commit mono third
    push mono
    built_anew mono
'
check 'an image that the registry lost is built again' '
    new_commit twin
    skopeo delete --tls-verify=false "docker://$registry/twin@$digest"
    push twin
    expect "had the same inputs, but the registry does not have its image any more" "$work/twin.push"
    built_anew twin
    same "$(tag_digest twin latest)" "$digest"
'
check 'another buildpack of the same name and version is another input' '
    new_commit twin
    push twin
    maker=$(last_build twin .same_as)
    answered_by twin "$maker"
    cp -a "$fixtures/buildpacks" "$work/buildpacks"
    echo "echo one line more" >>"$work/buildpacks/script/bin/build"
    stop_server
    buildpacks=$work/buildpacks
    start_server
    new_commit twin
    push twin
    built_anew twin
    stop_server
    buildpacks=$fixtures/buildpacks
    start_server
    new_commit twin
    push twin
    answered_by twin "$maker"
'
server_pid=$(jq -r .pid "$state/run/server.json")
check 'another stack is another input, and the one before still answers' '
    maker=$(last_build twin .same_as)
    cp -a "$shared/tiny" "$work/layout"
    umoci config --image "$work/layout:run" --config.label made=later
    use_stack tiny "$work/layout"
    new_commit twin
    push twin
    built_anew twin
    use_tiny_stack
    new_commit twin
    push twin
    answered_by twin "$maker"
'
check 'an operator turns it off' '
    stop_server
    same_inputs=0s
    start_server
    new_commit twin
    push twin
    built_anew twin
'
server_pid=$(jq -r .pid "$state/run/server.json")
finish
