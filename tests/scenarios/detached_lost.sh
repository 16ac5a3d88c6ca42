#!/usr/bin/env bash
# Detached pushes whose last word never comes: git, its hook or the client die between the yes to the
# push and the moved branch, and the server lives on. Its build ends in a state that says the truth:
# built when the branch has moved, cancelled when it has not.
. "$(dirname "$0")/lib.sh"

configure 'build.workers = 2'
start_server
use_tiny_stack

# One more hook of git's beside the server's own, in the middle of the push. By the name of the
# repository it kills git before the branch has moved or after it, or waits.
hooks=$(find "$state" -type d -name hooks -not -path '*.git/*')
[ -e "$hooks/post-receive" ]
marks=$work/marks
mkdir "$marks"
chmod 777 "$marks"
mkfifo -m 666 "$marks/go"
cat >"$hooks/reference-transaction" <<HOOK
#!/bin/sh
read -r old new ref
case \$ref in refs/heads/*) ;; *) exit 0 ;; esac
case \$(basename "\$PWD").\$1 in
    before.git.prepared | after.git.committed)
        [ ! -e "$marks/again" ] || exit 0
        kill -KILL \$PPID
        ;;
    between.git.prepared)
        : >"$marks/waits"
        [ ! -p "$marks/go" ] || read -r go <"$marks/go"
        ;;
esac
exit 0
HOOK
chmod 755 "$hooks/reference-transaction"
# And one in place of the hook that tells: it dies before it speaks.
mkdir "$hooks/tell"
mv "$hooks/post-receive" "$hooks/tell/"
cat >"$hooks/post-receive" <<HOOK
#!/bin/sh
case \$(basename "\$PWD") in
    silent.git) kill -KILL \$\$ ;;
esac
exec "$hooks/tell/post-receive"
HOOK
chmod 755 "$hooks/post-receive"

for app in before after silent between; do script_app "$app" <<<'echo built' >/dev/null; done
detach() { # NAME
    GIT_SSH_COMMAND=$(ssh_command dev) timeout 60 \
        git -C "$work/$1" push -o detach slipway main >"$work/$1.push" 2>&1
}
commit_of() { git -C "$work/$1" rev-parse main; }
has_moved() { [ "$(remote_head "$1")" = "$(commit_of "$1")" ]; }

for app in before after silent; do
    ended=0
    detach "$app" || ended=$?
    echo "$ended" >"$work/$app.status"
done
GIT_SSH_COMMAND=$(ssh_command dev) setsid git -C "$work/between" push -o detach slipway main \
    >"$work/between.push" 2>&1 &
client=$!

check 'a client that is killed while git moves the branch stops nothing' '
    wait_until 20 "git is about to move the branch" test -e "$marks/waits"
    same "$(last_build between .state)" received
    kill -KILL -- "-$client"
    echo now | timeout 60 tee "$marks/go"
    rm "$marks/go"
    wait_until 20 "it is published" build_is between published
    has_moved between
'
check 'as long as nobody knows, the builds of the others are received, and none is built' '
    for app in before after; do
        [ "$(cat "$work/$app.status")" -ne 0 ] # nobody was told that the push is accepted
        expect "the remote end hung up" "$work/$app.push"
        same "$(slipway --json builds list --app "$app" | jq ".builds | length")" 1
    done
    same "$(last_build before .state)" received
    same "$(last_build after .state)" received
'
check 'git died before the branch moved: the build is cancelled, and says why' '
    wait_until 90 "it is judged" build_is before cancelled
    same "$(remote_head before)" ""
    last_build before .reason >"$work/reason"
    expect "git did not move the branch" "$work/reason"
    slipway --json apps info before | jq -e ".digest == null or .digest == \"\""
'
check 'git died after the branch moved: what the branch says is built' '
    wait_until 60 "it is published" build_is after published
    has_moved after
    same "$(last_build after .commit)" "$(commit_of after)"
    same "$(slipway --json apps info after | jq -r .digest)" "$(last_build after .digest)"
'
check 'and so it is when only the hook died that was to tell' '
    wait_until 60 "it is published" build_is silent published
    has_moved silent
'
check 'each app takes the next push, also that where the killed git left its lock' '
    touch "$marks/again"
    rm "$hooks/post-receive"
    mv "$hooks/tell/post-receive" "$hooks/"
    for app in before after silent between; do
        commit "$app" again
        detach "$app" || { cat "$work/$app.push"; fail "$app"; }
        expect "Detached: build" "$work/$app.push"
    done
    for app in before after silent between; do
        wait_until 30 "it is published" build_is "$app" published
        has_moved "$app"
        git -c safe.directory="*" --git-dir="$state/repositories/$app.git" fsck --strict --connectivity-only
    done
'
finish
