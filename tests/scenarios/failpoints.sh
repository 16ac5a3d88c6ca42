#!/usr/bin/env bash
# The server kills itself at every failpoint there is (base/failpoint.h), is started again, and is
# held against the promise: nothing that was acknowledged is lost, every row is true within 30 s,
# and nothing is left of what died. Then at random moments, under load.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/webhooks_lib.sh"
. "$(dirname "$0")/run_images_lib.sh"
# failpoints_postgresql.sh says so.
[ "${on:-}" != postgresql ] || . "$(dirname "$0")/postgresql_lib.sh"

start_forge --token s3cret-t0ken
[ "${on:-}" != postgresql ] || trap 'kill "$forge_pid" 2>/dev/null || true; end_database' EXIT
configure 'build.workers = 2'
configure "network.allowed_private_hosts = [\"$forge_host\"]"
start_server
use_tiny_stack
slipway apps create hooked >/dev/null
forge_repository owner/app
forge_commit owner/app first >/dev/null
add_webhook hooked github owner/app "\"token\": \"s3cret-t0ken\", \"api_url\": \"$forge_url/api\""
api() {
    local socket=$state/run/control.sock
    curl -sS --max-time 60 --unix-socket "$socket" "$@"
}
push_run_image patched
script_app crash <<<'echo built'
push crash >/dev/null 2>&1
slipway notifications add crash "$forge_url/in" >/dev/null
"$bin/slipwayd" --list-failpoints | grep -E "${failpoints:-.}" >"$work/failpoints"

# ---------------------------------------------------------------- what must hold

open_builds() {
    slipway --json builds list --limit 1000 |
        jq -r '.builds[] | select(.state | IN("received", "queued", "running", "exporting")) | .id'
}
no_build_is_open() { [ -z "$(open_builds)" ]; }

rows_are_true() {
    wait_until 30 "every build has ended" no_build_is_open
    slipway --json builds list --limit 1000 >"$work/builds"
    # What failed says why.
    jq -e '[.builds[] | select(.state != "published" and (.reason // "") == "")] == []' "$work/builds"
}
read_digest() { # IMAGE
    skopeo inspect --no-tags --tls-verify=false --format '{{.Digest}}' "docker://$1" >"$work/digest"
}
images_can_be_pulled() { # of the newest builds: the older ones were looked at before
    local reference
    for reference in $(jq -r '[.builds[] | select(.state == "published")][:4][].reference' "$work/builds"); do
        wait_until 30 "the registry answers, also after a prune" read_digest "$reference"
        same "$(cat "$work/digest")" "${reference##*@}"
    done
}
repositories_are_whole() {
    local repository
    for repository in "$state"/repositories/*.git; do
        git -c safe.directory='*' --git-dir="$repository" fsck --strict --connectivity-only
        [ -z "$(find "$repository" -name 'tmp_objdir-*' -o -name '*.lock')" ] ||
            fail "litter in $repository"
    done
}
no_build_left_files() {
    [ -z "$(find "$state/builds" -mindepth 1 | head -n 5)" ] || { find "$state/builds" | head; fail 'directories'; }
    local file id
    for file in "$state"/logs/b*.log; do
        id=$(basename "$file" .log)
        jq -e --arg id "$id" 'any(.builds[]; .id == $id)' "$work/builds" >/dev/null ||
            fail "$file belongs to no build"
    done
    while read -r file; do # an upload has its digest's name, or none
        same "$(basename "$file" | tail -c 65)" "$(sha256sum <"$file" | cut -d ' ' -f 1)"
    done < <(find "$state/sources" -type f)
}
only_the_server_runs() { ! pgrep -f "$bin/slipway-worker" -P "$server_pid" >/dev/null; }

# Who asked for events heard each state of each build, in order, up to the one that its row has;
# what came twice has the same id. The first build was over before anybody asked.
subscriber_was_told() {
    slipway --json builds list --app crash --limit 1000 >"$work/told-builds"
    jq -se --slurpfile list "$work/told-builds" '
        def steps: {"build.received": ["build.queued", "build.cancelled", "build.lost"],
            "build.queued": ["build.running", "build.superseded", "build.cancelled", "build.lost"],
            # A rebase begins at once, and has nothing to export.
            "build.running": ["build.exporting", "build.published", "build.queued", "build.refused", "build.broken", "build.cancelled", "build.lost"],
            "build.exporting": ["build.published", "build.queued", "build.refused", "build.broken", "build.cancelled", "build.lost"]};
        [.[] | select(.path == "/in")] | unique_by(.headers["webhook-id"])
        | map({number: (.headers["webhook-id"] | sub(".*_"; "") | tonumber)} + (.body | fromjson)) | sort_by(.number)
        | group_by(.data.build.id) | map({key: .[0].data.build.id, value: map(.type)}) | from_entries as $told
        | ($list[0].builds | sort_by(.id))[1:] | length > 0 and all(.[]; $told[.id] as $heard
            | $heard != null and ($heard[0] == "build.running" and .door == "rebase" or ($heard[0] | IN("build.received", "build.queued"))) and $heard[-1] == "build." + .state
            and (.started_at == null or any($heard[]; . == "build.running"))
            and ([range(1; $heard | length)] | all(.[]; . as $i | steps[$heard[$i - 1]] | index($heard[$i]) != null)))
    ' "$forge/told.jsonl" >/dev/null
}

# What git said and what the repository says are the same.
push_is_true() { # NAME STATUS BEFORE
    if [ "$2" -eq 0 ]; then
        same "$(remote_head "$1")" "$(git -C "$work/$1" rev-parse main)"
    else
        # Refused, or the answer was lost: the ref may have moved, but only to what was published.
        local head
        head=$(remote_head "$1")
        [ "$head" = "$3" ] ||
            jq -e --arg c "$head" 'any(.builds[]; .commit == $c and .state == "published")' "$work/builds"
    fi
}
everything_holds() {
    rows_are_true
    images_can_be_pulled
    repositories_are_whole
    wait_until 10 "no build left a directory" no_directories
    no_build_left_files
    wait_until 10 "no worker is left" only_the_server_runs
}
no_directories() { [ -z "$(find "$state/builds" -mindepth 1 2>/dev/null | head -n 1)" ]; }

# ---------------------------------------------------------------- every failpoint

# The archive's door, where the server has it.
has_uploads() {
    api http://slipway/v1/openapi.json 2>/dev/null |
        jq -e '.paths["/v1/apps/{app}/builds"].post' >/dev/null 2>&1
}
upload() { # NAME: 201 with a build means that it was acknowledged
    mkdir -p "$work/tree"
    cp -a "$work/crash/build.sh" "$work/crash/web.sh" "$work/crash/public" "$work/tree/"
    date +%s%N >"$work/tree/public/now"
    tar -C "$work/tree" -czf "$work/tree.tar.gz" .
    api -o "$work/$1.answer" -w '%{http_code}' --data-binary "@$work/tree.tar.gz" \
        -H 'Content-Type: application/gzip' -H "Idempotency-Key: $1 $RANDOM" "http://slipway/v1/apps/crash/builds" >"$work/$1.status" || true
}
has_detach() {
    commit crash "can it be detached?"
    GIT_SSH_COMMAND=$(ssh_command dev) git -C "$work/crash" push -o detach slipway main >"$work/probe" 2>&1
}
door_of() { # FAILPOINT
    case $1 in
        upload_* | request_*) echo upload ;;
        delivery_* | notice_*) echo webhook ;;
        push_*) echo detach ;;
        rebase_*) echo rebase ;;
        *) echo push ;;
    esac
}
# Does what passes the failpoint; leaves the push's status behind.
pass() { # DOOR
    local status=0
    case $1 in
        push)
            PUSH_TIMEOUT=60 push crash >/dev/null 2>&1 || status=$?
            ;;
        detach)
            PUSH_TIMEOUT=60 push crash -o detach main >/dev/null 2>&1 || status=$?
            ;;
        upload) upload crash ;;
        webhook) hook_push ;;
        rebase) rebase_crash || status=$? ;;
    esac
    echo "$status" >"$work/status"
}
# Onto the run image that it is not on.
rebase_crash() {
    local run=$registry/stacks/tiny:patched
    [ "$(slipway --json rebase crash --run "$run" --dry-run | jq -r .result)" = would-rebase ] ||
        run=$registry/stacks/tiny:run
    slipway --json rebase crash --run "$run" >"$work/rebased"
}
rebase_is_true() {
    rebase_crash
    same "$(jq -r .result "$work/rebased")" rebased
    wait_until 30 "the registry answers" read_digest "$registry/crash:latest"
    same "$(cat "$work/digest")" "$(last_build crash .digest)"
}
# A delivery, as often as the forge's people press the button; 202 means that it was acknowledged.
hook_push() {
    [ -s "$work/hooked.commit" ] || forge_commit owner/app "at $RANDOM" >"$work/hooked.commit"
    recorded_push owner/app refs/heads/main "$(cat "$work/hooked.commit")" >"$work/push.json"
    deliver hooked "$work/push.json" "$(cat "$work/hooked.commit")"
}
hook_built_once() {
    built_commit hooked "$(cat "$work/hooked.commit")" published &&
        [ "$(jq --arg c "$(cat "$work/hooked.commit")" '[.builds[] | select(.commit == $c)] | length' \
            <(slipway --json builds list --app hooked))" = 1 ]
}
forge_knows() {
    jq -se --arg c "$(cat "$work/hooked.commit")" 'any(.[]; (.path | endswith("/statuses/" + $c)) and
        (.body | fromjson | .state == "success"))' "$forge/told.jsonl" >/dev/null
}

restart_after_death() {
    wait_until 60 "the server dies" has_ended "$server_pid"
    wait_until 20 "nothing is mounted or running" nothing_is_left
}

crash_at() { # FAILPOINT DOOR
    local before
    commit crash "for $1"
    before=$(remote_head crash)
    stop_server
    SLIPWAY_FAILPOINT=$1 start_server
    pass "$2"
    cat "$work/crash.push"
    restart_after_death
    start_server
    if [ "$2" = webhook ]; then
        [ "$(status)" = 202 ] || hook_push # nobody was told: the forge sends it again
        wait_until 30 "the commit is built, once" hook_built_once
        wait_until 60 "the forge knows of it" forge_knows
    fi
    everything_holds
    wait_until 30 "who asked for events was told of each state" subscriber_was_told
    [ "$2" != rebase ] || rebase_is_true
    [ "$2" = upload ] || [ "$2" = webhook ] || [ "$2" = rebase ] || push_is_true crash "$(cat "$work/status")" "$before"
    if [ "$2" = upload ] && [ "$(cat "$work/crash.status")" = 201 ]; then
        jq -e --arg id "$(jq -r .build.id "$work/crash.answer")" \
            'any(.builds[]; .id == $id and .state == "published")' "$work/builds"
    fi
    stop_server
    start_server
}

while read -r failpoint; do
    door=$(door_of "$failpoint")
    case $door in
        webhook) : >"$work/hooked.commit" ;; # a new one
        upload)
            has_uploads || { echo "skipped: no upload here for $failpoint"; continue; }
            ;;
        detach)
            has_detach || { echo "skipped: no detached push here for $failpoint"; continue; }
            ;;
    esac
    check "killed at $failpoint ($door), the server comes back with the truth" "
        crash_at $failpoint $door
    "
    # The check was a subshell: the server that it started is a child of the scenario all the same.
    server_pid=$(jq -r .pid "$state/run/server.json")
done <"$work/failpoints"

check 'after all of it a push builds as ever' '
    commit crash again
    push crash
    expect "sha256:[0-9a-f]{64}" "$work/crash.push"
'

# ---------------------------------------------------------------- at random, under load

for app in one two three; do
    script_app "$app" <<<'echo begin; seq 20000 | md5sum; echo end' >/dev/null
done
push_all() {
    local app
    for app in one two three; do
        commit "$app" "round $1"
        PUSH_TIMEOUT=40 push "$app" >/dev/null 2>&1 &
    done
}
round() { # NUMBER
    local delay
    push_all "$1"
    delay=$(awk -v n="$RANDOM" 'BEGIN { print n % 3000 / 1000 }')
    echo "killed after $delay s"
    sleep "$delay" # the moment itself, not a wait for something
    kill -KILL "$server_pid"
    wait || true
    restart_after_death
    start_server
    everything_holds
    for app in one two three; do
        head=$(remote_head "$app")
        [ -z "$head" ] || jq -e --arg c "$head" \
            'any(.builds[]; .commit == $c and .state == "published")' "$work/builds" >/dev/null ||
            fail "the branch of $app is at a commit that was not published"
    done
}
for n in $(seq "${SLIPWAY_KILLS:-10}"); do
    check "killed at a random moment under load, round $n" "round $n"
    server_pid=$(jq -r .pid "$state/run/server.json")
done

finish
