#!/usr/bin/env bash
# slipwayd as a whole, with its real door, git and CLI, and a worker that does as it is told
# (fake_worker). FIFOs say where a build stands; nothing is waited for by sleeping a fixed time.
#   tests/server/server.sh BIN
set -euo pipefail

bin=$(cd "$1" && pwd)
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
chmod 711 "$work"
state=$work/state
fake=$work/fake
server=
mkdir "$work/programs" "$fake"
chmod 1777 "$fake"
ln -s "$bin/slipway-ssh" "$bin/slipway-hook" "$work/programs/"
ln -s "$here/fake_worker" "$work/programs/slipway-worker"

finish() {
    [ -z "$server" ] || kill -KILL "$server" 2>/dev/null || true
    exec 5>&- 6>&-
    rm -rf "$work"
}
trap finish EXIT

passed=0
ok() { passed=$((passed + 1)); echo "ok $passed - $1"; }
fail() {
    echo "not ok - $1" >&2
    for log in "$work"/*.log "$work"/push[0-9]; do tail -v -n 20 "$log" >&2 2>/dev/null || true; done
    exit 1
}
slipway() { "$bin/slipway" --state "$state" "$@"; }
# Runs a command that must end with this code.
expect() {
    local want=$1 got=0
    shift
    "$@" >"$work/said.log" 2>&1 </dev/null || got=$?
    [ "$got" -eq "$want" ] || fail "$* ended with $got, not $want"
}
field() { python3 -c 'import json,sys; print(json.load(sys.stdin)'"$1"')'; }
state_of() { slipway --json builds info "$1" | field '["state"]'; }
newest() { slipway --json builds list | field '["builds"][0]["id"]'; }

user=
if [ "$(id -u)" -eq 0 ]; then user='ssh.user = "nobody"'; fi
cat >"$work/config.toml" <<TOML
state = "$state"
ssh.listen = "127.0.0.1:0"
registry.listen = "127.0.0.1:0"
http.listen = "127.0.0.1:0"
paths.programs = "$work/programs"
build.environment.FAKE = "$fake"
build.free_space = 0
registry.proof = "no" # a pretend worker publishes nothing that could be signed
server.drain = "60s"
$user
TOML

start() {
    mkfifo "$work/ready"
    "$bin/slipwayd" --config "$work/config.toml" >"$work/ready" 2>>"$work/slipwayd.log" &
    server=$!
    grep -q -m 1 '^slipwayd: ready$' "$work/ready" || fail "slipwayd did not start"
    rm "$work/ready"
}

export GIT_SSH_COMMAND="ssh -F none -i $work/key -o IdentitiesOnly=yes -o BatchMode=yes \
-o UserKnownHostsFile=$work/known -o StrictHostKeyChecking=accept-new"
export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b.test \
    GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b.test
ssh-keygen -q -t ed25519 -N '' -f "$work/key"
git init -q -b main "$work/app"
commit() { git -C "$work/app" commit -q --allow-empty -m "$1"; }
push() { git -C "$work/app" push "$url" main; }
push_beside() { # in the background; $pusher is git, its child is ssh
    git -C "$work/app" push "$url" main >"$work/$1" 2>&1 &
    pusher=$!
}
lose_pusher() {
    kill -KILL $(pgrep -P "$pusher") "$pusher"
    wait "$pusher" 2>/dev/null || true
}
hook() { # slipwayd > slipway-ssh > git receive-pack > the hook
    local pid=$server
    for _ in ssh git hook; do
        pid=$(pgrep -P "$pid" | while read -r child; do
            case $(tr '\0' ' ' <"/proc/$child/cmdline") in *docker-registry* | *worker*) ;; *) echo "$child" ;; esac
        done | head -n 1)
    done
    echo "$pid"
}
ref() { git -c safe.directory='*' -C "$state/repositories/shop.git" rev-parse -q --verify main || true; }
tip() { git -C "$work/app" rev-parse HEAD; }

# ---------------------------------------------------------------- start and the CLI's exit codes

expect 12 slipway apps list
start
ok "it starts with free ports and says so"
expect 1 "$bin/slipwayd" --config "$work/config.toml"
grep -q "another slipwayd (process $server)" "$work/said.log" || fail "the lock names its holder"
ok "a second server on the same state is refused and names the first"

expect 0 slipway apps create shop
expect 5 slipway apps create shop
expect 2 slipway apps create ../shop
expect 4 slipway apps info none
expect 2 slipway apps
expect 2 slipway --no-such-option
expect 0 slipway keys add ann "$work/key.pub"
expect 5 slipway keys add bob "$work/key.pub"
expect 2 slipway keys add bob "$work/key"
expect 4 slipway keys add bob "$work/none.pub"
expect 4 slipway keys remove bob
expect 4 slipway builds log b000000000000
expect 4 slipway stack info
expect 2 slipway build "$work/app"
expect 0 slipway --version
expect 4 slipway apps info none --json
grep -q '"kind":"not_found"' "$work/said.log" || fail "errors are JSON with --json"
ok "exit codes and errors are those of docs/errors.md"

# ---------------------------------------------------------------- pushes

start_url() { url=$(slipway --json apps info shop | field '["repository_url"]'); }
start_url
commit one
expect 1 push
grep -q "the server has no stack yet" "$work/said.log" || fail "a push without a stack says why"
[ -z "$(ref)" ] || fail "a refused push moved the ref"
zeros=$(printf '%063d' 0)
expect 0 slipway stack use test --build "r.test/b@sha256:${zeros}1" --run "r.test/r@sha256:${zeros}2"
expect 0 push
grep -q "Digest: sha256:" "$work/said.log" || fail "the pusher gets the digest"
[ "$(ref)" = "$(tip)" ] || fail "the ref is at the pushed commit"
ok "a push answers with a digest and moves the ref"

echo refuse >"$fake/shop.mode"
before=$(ref)
commit two
expect 1 push
[ "$(ref)" = "$before" ] || fail "a failed build moved the ref"
expect 10 slipway builds log "$(newest)" --follow
rm "$fake/shop.mode"
ok "a failed build refuses the push and leaves the repository as it was"

# ---------------------------------------------------------------- the pusher goes away

mkfifo "$fake/shop.fetch" "$fake/shop.hold"
push_beside push1
exec 5>"$fake/shop.fetch" # the worker stands before its fetch
kill -KILL "$(hook)"
wait "$pusher" && fail "git accepted a push without its hook" || true
build=$(newest)
slipway builds log "$build" --follow >/dev/null && fail "the build went on" || true
[ "$(state_of "$build")" = cancelled ] || fail "the build without a pusher is $(state_of "$build")"
exec 5>&-
ok "a push whose hook is gone before the fetch cancels the build"

rm "$fake/shop.fetch"
push_beside push2
exec 6>"$fake/shop.hold"
build=$(newest)
expect 5 slipway apps destroy shop --confirm shop
lose_pusher
slipway builds log "$build" --follow >"$work/followed.log" 6>&- &
follower=$!
exec 6>&-
wait "$follower"
[ "$(state_of "$build")" = published ] || fail "the build ended with its pusher"
cmp -s "$work/followed.log" "$state/logs/$build.log" || fail "the follower missed lines"
offset=$(($(stat -c %s "$state/logs/$build.log") / 2))
slipway builds log "$build" --offset "$offset" | cmp -s - <(tail -c +$((offset + 1)) "$state/logs/$build.log") ||
    fail "the log from an offset is not the rest"
ok "a pusher gone after the fetch: the build goes on and is followed to its end"

commit three
push_beside push3
exec 6>"$fake/shop.hold"
build=$(newest)
expect 0 slipway builds cancel "$build"
wait "$pusher" && fail "a cancelled build accepted its push" || true
exec 6>&-
[ "$(state_of "$build")" = cancelled ] || fail "it is $(state_of "$build")"
expect 5 slipway builds cancel "$build"
ok "a build is cancelled from another terminal"

# ---------------------------------------------------------------- kill -9

commit four
push_beside push4
exec 6>"$fake/shop.hold"
build=$(newest)
worker=$(pgrep -P "$server" -f slipway-worker)
registry=$(pgrep -P "$server" docker-registry)
kill -KILL "$server"
wait "$server" 2>/dev/null || true
wait "$pusher" && fail "the push was accepted by a dead server" || true
exec 6>&-
for pid in $worker $registry; do
    timeout 20 tail --pid="$pid" -f /dev/null || fail "process $pid outlived the server"
done
repository=$state/repositories/shop.git
touch "$repository/refs/heads/main.lock" "$repository/packed-refs.lock" "$repository/HEAD.lock"
mkdir -p "$repository/objects/tmp_objdir-incoming-x/pack" "$state/builds/$build/left"
start
[ "$(state_of "$build")" = lost ] || fail "after the restart the build is $(state_of "$build")"
slipway builds info "$build" | grep -q "the server stopped while this build ran" || fail "no reason"
[ -z "$(find "$repository" "$state/builds" -name '*.lock' -o -name 'tmp_objdir*' -o -name left)" ] ||
    fail "litter was left"
start_url
rm "$fake/shop.hold"
expect 0 push
[ "$(ref)" = "$(tip)" ] || fail "the push after the crash did not move the ref"
git -c safe.directory='*' -C "$repository" fsck --strict >/dev/null 2>&1 || fail "git fsck complains"
ok "kill -9: nothing is left, the build is not running for ever, the next push works"

# ---------------------------------------------------------------- descriptors run out

exhaust() { # more connections than the server may hold; they say nothing
    python3 - "$state/run/control.sock" <<'PY'
import socket, sys
held = []
for _ in range(300):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(0.2)
    try:
        s.connect(sys.argv[1])
    except OSError:
        break
    held.append(s)
print(len(held))
PY
}
prlimit --pid "$server" --nofile=40: # the soft limit: it can be raised again
exhaust >/dev/null
prlimit --pid "$server" --nofile=1024:
expect 0 slipway apps list
ok "running out of descriptors passes"

# ---------------------------------------------------------------- SIGTERM

mkfifo "$fake/shop.hold"
commit five
push_beside push5
exec 6>"$fake/shop.hold"
kill -TERM "$server"
exec 6>&-
wait "$pusher" || fail "SIGTERM failed a running build"
wait "$server" || fail "slipwayd ended with $?"
server=
[ "$(ref)" = "$(tip)" ] || fail "the drained build did not move the ref"
ok "SIGTERM waits for the running build and its push, then ends"

start
start_url
commit six
push_beside push6
exec 6>"$fake/shop.hold"
kill -TERM "$server"
until grep -q 'stopping: running builds' <(tail -n 3 "$work/slipwayd.log"); do read -rt 0.05 <> <(:) || true; done
kill -TERM "$server"
wait "$pusher" && fail "an unfinished build was accepted" || true
wait "$server" || fail "slipwayd ended with $?"
server=
exec 6>&-
ok "a second SIGTERM stops at once and the push is refused"
rm "$fake/shop.hold"

start
expect 0 slipway apps destroy shop --confirm shop
[ ! -e "$state/repositories/shop.git" ] || fail "the repository is still there"
expect 4 slipway builds info "$build"
ok "a destroyed app is gone with its repository and its builds"
echo "1..$passed"
