# shellcheck shell=bash
# What the scenarios share. A scenario is a script that starts the real server in a directory of its
# own, does what a user would do, and says in sentences what it expects:
#
#   . "$(dirname "$0")/lib.sh"
#   use_tiny_stack
#   start_server
#   check 'a push answers with the digest of an image' '
#       push_app hello &&
#       pushed_line "sha256:[0-9a-f]{64}"
#   '
#   finish
#
# A check that fails shows what it printed; the others go on; finish tells. Files of the scenario
# are in $work, which is removed unless KEEP=1. Variables set inside a check are lost after it.
set -euo pipefail

: "${SLIPWAY_SOURCE_DIR:?is set by ctest}" "${SLIPWAY_BUILD_DIR:?is set by ctest}"
bin=$SLIPWAY_BUILD_DIR/bin
fixtures=$SLIPWAY_SOURCE_DIR/tests/fixtures
shared=$SLIPWAY_BUILD_DIR/scenarios
scenario=$(basename "$0" .sh)

# Memory where there is plenty: a scenario writes gigabytes that nobody will read again.
pick_scratch() {
    local free_memory free_shm
    free_memory=$(awk '/^MemAvailable:/ { print int($2 / 1048576) }' /proc/meminfo)
    free_shm=$(df -k --output=avail /dev/shm 2>/dev/null | awk 'NR == 2 { print int($1 / 1048576) }')
    if [ "${free_memory:-0}" -ge 10 ] && [ "${free_shm:-0}" -ge 8 ]; then
        echo /dev/shm
    else
        echo "${TMPDIR:-/var/tmp}"
    fi
}
work=$(mktemp -d "${SLIPWAY_SCRATCH:-$(pick_scratch)}/slipway-$scenario.XXXXXX")
chmod 755 "$work"
state=$work/state
server_pid=
checks=0
failures=0

# A scenario is a user with a home of their own: nothing of the machine's git or ssh is seen.
export HOME=$work/home
mkdir -p "$HOME"
export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=$HOME/gitconfig LC_ALL=C.UTF-8
export GIT_AUTHOR_NAME='A Developer' GIT_AUTHOR_EMAIL=dev@example.com
export GIT_COMMITTER_NAME='A Developer' GIT_COMMITTER_EMAIL=dev@example.com
export GIT_TERMINAL_PROMPT=0
printf '[init]\n\tdefaultBranch = main\n[advice]\n\tdetachedHead = false\n' >"$GIT_CONFIG_GLOBAL"
unset SSH_AUTH_SOCK SSH_ASKPASS

# ---------------------------------------------------------------- checks

# check SENTENCE SCRIPT: SCRIPT runs with -e in a subshell.
check() {
    checks=$((checks + 1))
    local log=$work/check-$checks.log status start=$SECONDS
    set +e
    (
        set -euo pipefail
        trap - EXIT
        eval "$2"
    ) >"$log" 2>&1 </dev/null
    status=$?
    set -e
    if [ "$status" -eq 0 ]; then
        echo "ok $checks - $1 ($((SECONDS - start)) s)"
    else
        failures=$((failures + 1))
        echo "NOT OK $checks - $1 ($((SECONDS - start)) s)"
        printf '%s\n' "$2" | sed 's/^/    | /'
        tail -n 60 "$log" | sed 's/^/    /'
    fi
}

# What cannot be checked here is said aloud; with CI=true it is a failure: there every peer can be
# installed. skip_part goes on with the other checks, skip_all is counted by ctest as skipped.
skip_part() {
    echo "skipped: $*"
    [ "${CI:-}" != true ] || exit 1
}
skip_all() {
    skip_part "$@"
    exit 77
}

fail() {
    echo "failed: $*" >&2
    return 1
}

# expect REGEX FILE / refute REGEX FILE
expect() {
    grep -qE -- "$1" "$2" || { echo "--- $2:"; cat -A "$2" | tail -n 60; fail "no line matches $1"; }
}
refute() {
    ! grep -nE -- "$1" "$2" || fail "$2 has the lines above, which match $1"
}
# A bare "! command" does not fail a check; this does.
must_fail() {
    if "$@"; then fail "this did not fail: $*"; fi
}
same() {
    [ "$1" = "$2" ] || fail "'$1' is not '$2'"
}

# wait_until SECONDS SENTENCE COMMAND...
wait_until() {
    local limit=$1 sentence=$2 start=$SECONDS
    shift 2
    until "$@"; do
        [ $((SECONDS - start)) -lt "$limit" ] || fail "after $limit s still not: $sentence" || return 1
        sleep 0.1
    done
}

# ---------------------------------------------------------------- the server

# Not one of those that the kernel hands out to whoever calls somebody meanwhile.
free_port() {
    python3 - <<'PY'
import random, socket
while True:
    port = random.randrange(10240, 32768)
    with socket.socket() as tried:
        try:
            tried.bind(("127.0.0.1", port))
        except OSError:
            continue
    print(port)
    break
PY
}
ssh_port=$(free_port)
registry=127.0.0.1:$(free_port)
http_port=$(free_port)
api=http://127.0.0.1:$http_port

# More lines of configuration, before start_server. TOML: keys before tables.
extra_config=
buildpacks=$fixtures/buildpacks
# Most scenarios build one tree again and again, to see what builds do.
same_inputs=0s
configure() { extra_config+="$1"$'\n'; }

# The ports stay the same when the server is started again: remotes and references name them.
write_config() {
    cat >"$work/slipway.toml" <<TOML
state = "$state"
ssh.listen = "127.0.0.1:$ssh_port"
ssh.user = "nobody"
registry.listen = "$registry"
http.listen = "127.0.0.1:$http_port"
paths.programs = "$bin"
paths.buildpacks = ["$buildpacks"]
build.same_inputs = "$same_inputs"
log.level = "debug"
$extra_config
TOML
}

server_is_ready() {
    kill -0 "$server_pid" 2>/dev/null || { tail -n 20 "$work/server.log"; echo "slipwayd ended"; exit 1; }
    [ "$(jq -r .pid "$state/run/server.json" 2>/dev/null)" = "$server_pid" ]
}

start_server() {
    write_config
    "$bin/slipwayd" --config "$work/slipway.toml" >>"$work/server.log" 2>&1 </dev/null &
    server_pid=$!
    wait_until 30 'the server answers' server_is_ready
    log_in_as_operator
}

# What the scenario itself does in the server's own registry, with a password of this start.
export REGISTRY_AUTH_FILE=$work/registry-auth.json
log_in_as_operator() {
    [ -f "$state/registry/password" ] || return 0
    write_registry_login "$REGISTRY_AUTH_FILE" "$registry" "$(cat "$state/registry/password")"
}
write_registry_login() { # FILE REGISTRY PASSWORD
    jq -n --arg registry "$2" --arg auth "$(printf 'user:%s' "$3" | base64 -w 0)" \
        '{auths: {($registry): {auth: $auth}}}' >"$1"
}

# SIGTERM by default; waits for the end.
stop_server() {
    [ -n "$server_pid" ] || return 0
    kill "-${1:-TERM}" "$server_pid" 2>/dev/null || true
    if ! wait_until 30 "slipwayd ended after SIG${1:-TERM}" has_ended "$server_pid"; then
        kill -KILL "$server_pid" 2>/dev/null || true
        server_pid=
        return 1
    fi
    wait "$server_pid" 2>/dev/null || true
    server_pid=
}

slipway() {
    "$bin/slipway" --state "$state" "$@"
}

# Programs, mounts and cgroups that carry this scenario's directory in their name.
leftovers() {
    local pid words
    for pid in /proc/[0-9]*; do
        pid=${pid#/proc/}
        words=$({ tr '\0' ' ' <"/proc/$pid/cmdline"; } 2>/dev/null) || continue
        [[ $words != *"$state"* ]] || echo "process $pid: $words"
    done
    grep -F -- " $state/" /proc/self/mountinfo || true
}
nothing_is_left() {
    [ -z "$(leftovers)" ] || { leftovers; return 1; }
}

# ---------------------------------------------------------------- stacks

# Fills a registry that the server runs itself: skopeo puts the layout's images there.
use_stack() { # NAME LAYOUT
    local name=$1 layout=$2 image
    for image in build run; do
        skopeo --insecure-policy copy --quiet --dest-tls-verify=false \
            "oci:$layout:$image" "docker://$registry/stacks/$name:$image"
    done
    slipway stack use "$name" --build "$registry/stacks/$name:build" --run "$registry/stacks/$name:run"
}
use_tiny_stack() { use_stack tiny "$shared/tiny"; }
use_debian_stack() { use_stack debian-12 "$shared/debian-12"; }

# ---------------------------------------------------------------- a developer

make_key() { # NAME [TYPE]
    [ -f "$work/$1.key" ] || ssh-keygen -q -t "${2:-ed25519}" -N '' -C "$1" -f "$work/$1.key"
}

add_key() { # NAME [slipway's options]
    local name=$1
    shift
    make_key "$name"
    slipway keys add "$name" "$work/$name.key.pub" "$@"
}

# The ssh client of the developer who owns key NAME.
ssh_as() { # NAME SSH-ARGUMENT...
    local name=$1
    shift
    ssh -F none -i "$work/$name.key" -o IdentitiesOnly=yes -o BatchMode=yes \
        -o UserKnownHostsFile="$work/known_hosts" -o StrictHostKeyChecking=accept-new \
        -o LogLevel="${SSH_LOG:-ERROR}" -p "$ssh_port" git@127.0.0.1 "$@"
}
ssh_command() { # NAME
    echo "ssh -F none -i $work/$1.key -o IdentitiesOnly=yes -o BatchMode=yes" \
        "-o UserKnownHostsFile=$work/known_hosts -o StrictHostKeyChecking=accept-new -o LogLevel=ERROR"
}

app_url() { echo "ssh://git@127.0.0.1:$ssh_port/$1.git"; }

# An app of NAME with its repository in $work/NAME and the first key.
new_app() { # NAME [FIXTURE]
    slipway apps create "$1"
    [ -f "$work/dev.key" ] || add_key dev
    new_repository "$1" "${2:-}"
}

new_repository() { # NAME [FIXTURE]
    git init -q "$work/$1"
    if [ -n "${2:-}" ]; then cp -a "$fixtures/apps/$2/." "$work/$1/"; fi
    git -C "$work/$1" remote add slipway "$(app_url "$1")"
    [ -z "${2:-}" ] || commit "$1" first
}

commit() { # NAME MESSAGE
    git -C "$work/$1" add -A
    git -C "$work/$1" commit -q --allow-empty -m "$2"
}

# An app whose build.sh is what stands on standard input.
script_app() { # NAME
    slipway apps create "$1"
    [ -f "$work/dev.key" ] || add_key dev
    new_repository "$1"
    cat >"$work/$1/build.sh"
    mkdir -p "$work/$1/public"
    echo "hello from $1" >"$work/$1/public/index.html"
    printf 'exec httpd -f -p "$PORT" -h /workspace/public\n' >"$work/$1/web.sh"
    commit "$1" first
}

# A build whose build.sh says `hold NAME` (the fixtures' buildpack test/script has it) stands there
# until let_go NAME; is_held NAME asks whether it stands.
is_held() { [ -n "$(pipes_of "$1")" ]; }
let_go() { wait_until 60 "the build holds $1 and is let go" opens "$1"; }
pipes_of() { find "$state/builds" -maxdepth 4 -type p -name "held-$1" 2>/dev/null || true; }
opens() {
    local pipe
    for pipe in $(pipes_of "$1"); do
        # Without waiting: a pipe that nobody reads was left by a build that died.
        if echo | dd of="$pipe" oflag=nonblock conv=nocreat,notrunc status=none; then return; fi
    done
    return 1
}

# push NAME [REFSPEC...]: as key dev (PUSH_AS names another). What the developer sees is in
# $work/NAME.push; the status is git's.
push() {
    local name=$1 status=0
    shift
    [ $# -gt 0 ] || set -- main
    GIT_SSH_COMMAND=$(ssh_command "${PUSH_AS:-dev}") timeout "${PUSH_TIMEOUT:-600}" \
        git -C "$work/$name" push slipway "$@" >"$work/$name.push" 2>&1 || status=$?
    cat "$work/$name.push"
    return "$status"
}
refused_push() {
    ! push "$@" || fail "the push was accepted"
}

pushed_digest() { # NAME
    grep -oE 'sha256:[0-9a-f]{64}' "$work/$1.push" | tail -n 1
}
last_build() { # NAME JQ-FILTER
    slipway --json builds list --app "$1" --limit 1 | jq -r ".builds[0] | .build = .id | $2"
}
build_is() { # NAME STATE
    [ "$(last_build "$1" .state)" = "$2" ]
}
remote_head() { # NAME [REF]: the commit, nothing when there is no such ref
    GIT_SSH_COMMAND=$(ssh_command dev) git ls-remote "$(app_url "$1")" "${2:-refs/heads/main}" |
        cut -f 1 || echo "unreachable"
}

# ---------------------------------------------------------------- images

image_reference() { # NAME: with the digest of the last push
    slipway --json apps info "$1" | jq -r '.image' | sed 's/@.*//; s/:[^:/]*$//' |
        sed "s/\$/@$(pushed_digest "$1")/"
}
inspect() { # NAME [skopeo's options]
    local name=$1
    shift
    skopeo inspect --tls-verify=false "$@" "docker://$(image_reference "$name")"
}
# answers NAME REGEX [PATH]: the image, run as it is, answers over HTTP.
answers() {
    local port runner status=0
    port=$(free_port)
    "$SLIPWAY_SOURCE_DIR/tools/run-image" "$(image_reference "$1")" "$port" \
        >"$work/$1.run" 2>&1 &
    runner=$!
    wait_until 60 "the image of $1 answers" image_answers "$runner" "$port" "${3:-/}" || status=$?
    kill "$runner" 2>/dev/null || true
    wait "$runner" 2>/dev/null || true
    cat "$work/$1.run"
    [ "$status" -eq 0 ] || return "$status"
    expect "$2" "$work/answer"
}
image_answers() { # RUNNER PORT PATH
    kill -0 "$1" || { echo 'the image ended'; exit 1; }
    curl -sS --max-time 5 -o "$work/answer" "http://127.0.0.1:$2$3"
}

# ---------------------------------------------------------------- the end

clean_up() {
    local status=$?
    set +e
    stop_server
    if [ "$status" -ne 0 ] || [ "$failures" -ne 0 ]; then
        echo "--- the last lines of the server's log:"
        tail -n 40 "$work/server.log" 2>/dev/null
    fi
    if [ "${KEEP:-}" = 1 ]; then
        echo "kept: $work"
    else
        rm -rf "$work"
    fi
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# The last line of every scenario: the server ends as asked and leaves nothing behind.
finish() {
    check 'the server ends on SIGTERM and leaves no process and no mount' '
        kill -TERM "$server_pid"
        wait_until 30 "the server has ended" has_ended "$server_pid"
        wait_until 10 "nothing is left" nothing_is_left
    '
    [ "$checks" -gt 0 ] || failures=1
    echo "$scenario: $((checks - failures)) of $checks checks passed"
    [ "$failures" -eq 0 ]
}
has_ended() {
    # A zombie has ended: its parent is the scenario, which reaps it last.
    ! kill -0 "$1" 2>/dev/null || grep -q '^State:.*Z' "/proc/$1/status" 2>/dev/null
}
