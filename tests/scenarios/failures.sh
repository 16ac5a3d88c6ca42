#!/usr/bin/env bash
# Builds that fail and buildpacks that misbehave: what the developer reads, and that nothing moved.
. "$(dirname "$0")/lib.sh"

start_server
use_tiny_stack
script_app hello <<<'echo fine'

check 'a failed build rejects the push and names the buildpack, its last lines and what to do' '
    push hello
    before=$(remote_head hello)
    printf "echo about to fail\necho the reason is this >&2\nexit 3\n" >"$work/hello/build.sh"
    commit hello broken
    refused_push hello
    expect "the reason is this" "$work/hello.push"
    expect "^remote:  !     .*test/script" "$work/hello.push"
    expect "rejected" "$work/hello.push"
    same "$(remote_head hello)" "$before"
    same "$(last_build hello .state)" refused
'
check 'the objects of a refused push are gone' '
    commit=$(git -C "$work/hello" rev-parse main)
    repository=$(find "$state" -type d -name "*.git" -path "*hello*" | head -n 1)
    [ -n "$repository" ]
    must_fail git -c safe.directory="*" -C "$repository" cat-file -e "$commit"
    [ -z "$(find "$repository" -name "tmp_objdir*" -o -name "incoming-*")" ]
'
check 'the same commit can be pushed again: it is built again' '
    refused_push hello
    expect "the reason is this" "$work/hello.push"
'
check 'the mended app is accepted' '
    echo "echo mended" >"$work/hello/build.sh"
    commit hello mended
    push hello
    expect "sha256:[0-9a-f]{64}" "$work/hello.push"
'
check 'when no buildpack matches, a table names each and why it said no' '
    slipway apps create nothing
    new_repository nothing none
    refused_push nothing
    expect "test/never.*the moon is not full" "$work/nothing.push"
    expect "test/script.*no build.sh" "$work/nothing.push"
    same "$(last_build nothing .state)" refused
    same "$(remote_head nothing)" ""
'
check 'an empty tree is refused with words' '
    slipway apps create empty
    new_repository empty
    commit empty "nothing at all"
    refused_push empty
    expect "^remote:  !     " "$work/empty.push"
'
check 'control bytes of a buildpack are masked on the screen and in the log' '
    script_app garbage <<"BUILD"
printf "title \033]0;owned\007 clear \033[2J up \033[1A bell \007 nul \000 csi \233 del \177\n"
printf "progress 10%%\rprogress 50%%\rprogress 100%%\n"
printf "not utf-8: \377\376\n"
printf "no newline at the end"
BUILD
    push garbage
    LC_ALL=C
    tr -d "\n\t\040-\176" <"$work/garbage.push" | LC_ALL=C tr -d "\200-\377" >"$work/controls"
    [ ! -s "$work/controls" ] || { od -c "$work/controls" | head; fail "control bytes reached the pusher"; }
    expect "progress 50%" "$work/garbage.push"
    expect "no newline at the end" "$work/garbage.push"
    slipway builds log "$(last_build garbage .build)" >"$work/log"
    ! grep -qP "[\x00-\x08\x0b-\x1f\x7f]" "$work/log" || fail "control bytes in the log"
'
check 'a flood of output is cut and does not grow the server' '
    script_app flood <<"BUILD"
yes "a line that comes again and again and again and again and again" | head -c 300000000
BUILD
    before=$(awk "/^VmRSS/ { print \$2 }" /proc/$server_pid/status)
    PUSH_TIMEOUT=300 push flood >/dev/null 2>&1 || true
    after=$(awk "/^VmRSS/ { print \$2 }" /proc/$server_pid/status)
    echo "resident: $before kB before, $after kB after"
    [ $((after - before)) -lt 51200 ]
    [ "$(stat -c %s "$work/flood.push")" -lt 200000000 ]
'
for kind in broken-launch broken-layer escaping-layer no-metadata; do
    case $kind in
        broken-launch) script='echo "this is [[ not toml" >"$CNB_LAYERS_DIR/launch.toml"; exit 0' ;;
        broken-layer)
            script='mkdir "$CNB_LAYERS_DIR/x"; printf "[types\nlaunch=" >"$CNB_LAYERS_DIR/x.toml"'
            ;;
        escaping-layer)
            script='ln -s /etc "$CNB_LAYERS_DIR/x"; printf "[types]\nlaunch = true\n" >"$CNB_LAYERS_DIR/x.toml"'
            ;;
        no-metadata)
            script='mkfifo "$CNB_LAYERS_DIR/x.toml"; ln -s /dev/zero "$CNB_LAYERS_DIR/y.toml"; rm -rf web.sh'
            ;;
    esac
    check "a buildpack with $kind cannot break the build of the next push" '
        script_app "$kind" <<<"$script"
        PUSH_TIMEOUT=120 push "$kind" || expect "^remote:  !     " "$work/$kind.push"
        refute "internal|core dumped|terminate called" "$work/$kind.push"
    '
done
check 'the server is well after all of it' '
    commit hello again
    push hello
    expect "sha256:[0-9a-f]{64}" "$work/hello.push"
'

finish
