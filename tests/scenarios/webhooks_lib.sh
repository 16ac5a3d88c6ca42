# shellcheck shell=bash
# What the scenarios of webhooks share: a forge's stand-in, recorded deliveries, signatures.
# Sourced after lib.sh.
examples=$("$SLIPWAY_SOURCE_DIR/tests/support/webhook_examples.sh" "$shared") ||
    skip_all "the recorded webhooks cannot be fetched"
forge=$work/forge
zero=0000000000000000000000000000000000000000

start_forge() { # [OPTION...]
    mkdir -p "$forge"
    "$SLIPWAY_SOURCE_DIR/tests/support/forge.py" "$forge" "$@" >"$work/forge.port" 2>"$work/forge.log" &
    forge_pid=$!
    trap 'kill "$forge_pid" 2>/dev/null || true; clean_up' EXIT
    wait_until 20 'the forge answers' test -s "$work/forge.port"
    forge_host=127.0.0.1:$(cat "$work/forge.port")
    forge_url=http://$forge_host
}

# A repository of the forge with the files of a small app, its work tree in $work/forge-OWNER-REPO.
forge_repository() { # OWNER/REPO
    local tree=$work/forge-${1/\//-}
    git init -q --bare "$forge/$1.git"
    git init -q "$tree"
    mkdir -p "$tree/public"
    echo 'echo from the forge' >"$tree/build.sh"
    echo hello >"$tree/public/index.html"
    printf 'exec httpd -f -p "$PORT" -h /workspace/public\n' >"$tree/web.sh"
}
forge_commit() { # OWNER/REPO MESSAGE: pushed to main; prints its name
    local tree=$work/forge-${1/\//-}
    git -C "$tree" add -A
    git -C "$tree" commit -q --allow-empty -m "$2"
    git -C "$tree" push -q --force "$forge/$1.git" HEAD:main
    git -C "$tree" rev-parse HEAD
}

# ---------------------------------------------------------------- the API

api_socket() { echo "$state/run/control.sock"; }
call() { # METHOD PATH [JSON]: as the operator, over the local socket
    local body=()
    [ -z "${3:-}" ] || body=(-H 'Content-Type: application/json' --data-binary "$3")
    curl -sS --fail-with-body --unix-socket "$(api_socket)" -X "$1" "${body[@]}" "http://localhost$2"
}
add_webhook() { # APP KIND OWNER/REPO [MORE JSON]: the answer in $work/APP.hook
    local more=${4:-}
    [[ $more == *clone_url* ]] || more="\"clone_url\": \"$forge_url/$3.git\"${more:+, $more}"
    call POST "/v1/apps/$1/webhooks" \
        "{\"webhook\": {\"kind\": \"$2\", \"repository\": \"$3\", $more}}" |
        jq .webhook >"$work/$1.hook"
}
hook() { jq -r ".$2" "$work/$1.hook"; } # APP FIELD
hook_url() { echo "$api/hooks/$(hook "$1" id)"; }
built() { build_is "$1" "$2"; }
built_commit() { # APP COMMIT STATE
    slipway --json builds list --app "$1" |
        jq -e --arg commit "$2" --arg state "$3" 'any(.builds[]; .commit == $commit and .state == $state)' >/dev/null
}
count_builds() { slipway --json builds list --app "$1" | jq '.builds | length'; }
delivery_is() { # APP DELIVERY STATE
    call GET "/v1/apps/$1/webhooks/$(hook "$1" id)/deliveries?per_page=100" |
        jq -e --arg id "$2" --arg state "$3" 'any(.deliveries[]; .id == $id and .state == $state)' >/dev/null
}

# ---------------------------------------------------------------- deliveries

# The recorded push of a branch, with our repository and commit in it.
recorded_push() { # OWNER/REPO REF COMMIT [MESSAGE]
    jq -c --arg repo "$1" --arg ref "$2" --arg commit "$3" --arg message "${4:-a change}" '
        .[] | select(.name == "push") | [.examples[] | select(.ref == "refs/heads/master")][0] |
        .ref = $ref | .after = $commit | .before = ("0" * 40) | .created = false |
        .head_commit.id = $commit | .head_commit.message = $message |
        .repository.full_name = $repo' "$examples/api.github.com/index.json"
}
recorded_pull_request() { # OWNER/REPO NUMBER COMMIT
    jq -c --arg repo "$1" --argjson number "$2" --arg commit "$3" '
        .[] | select(.name == "pull_request") | [.examples[] | select(.action == "opened")][0] |
        .number = $number | .pull_request.number = $number | .pull_request.head.sha = $commit |
        .pull_request.base.ref = "main" | .repository.full_name = $repo' \
        "$examples/api.github.com/index.json"
}
gitlab_push() {
    jq -nc --arg repo "$1" --arg ref "$2" --arg commit "$3" --arg zero "$zero" '{
        object_kind: "push", event_name: "push", before: $zero, after: $commit, ref: $ref,
        checkout_sha: $commit, user_username: "jsmith", project_id: 15,
        project: {id: 15, path_with_namespace: $repo, git_http_url: "http://elsewhere.invalid/x.git"},
        commits: [{id: $commit, message: "a change"}], total_commits_count: 1}'
}
gitea_push() {
    jq -nc --arg repo "$1" --arg ref "$2" --arg commit "$3" --arg zero "$zero" '{
        ref: $ref, before: $zero, after: $commit, commits: [{id: $commit, message: "a change"}],
        head_commit: {id: $commit, message: "a change"}, pusher: {login: "gitea"},
        repository: {id: 140, full_name: $repo, clone_url: "http://elsewhere.invalid/x.git"},
        sender: {login: "gitea"}}'
}
generic_push() {
    jq -nc --arg repo "$1" --arg ref "$2" --arg commit "$3" '{repo: $repo, ref: $ref, sha: $commit}'
}

signature_of() { # APP FILE
    openssl dgst -sha256 -hmac "$(hook "$1" secret)" -r <"$2" | cut -d ' ' -f 1
}
post() { # URL FILE [curl's options]: the answer in $work/answer, its status in $work/status
    local url=$1 file=$2
    shift 2
    curl -sS --max-time 10 -o "$work/answer" -w '%{http_code}' --data-binary "@$file" "$@" "$url" >"$work/status" || true
}
status() { cat "$work/status"; }
deliver_signed() { # APP FILE ID SIGNATURE [EVENT [TYPE]]
    post "$(hook_url "$1")" "$2" -H "Content-Type: ${6:-application/json}" -H "X-GitHub-Event: ${5:-push}" \
        -H "X-GitHub-Delivery: $3" -H "X-Hub-Signature-256: $4" -H 'User-Agent: GitHub-Hookshot/044aadd'
}
deliver() { # APP FILE ID [EVENT [TYPE]]: as GitHub does
    deliver_signed "$1" "$2" "$3" "sha256=$(signature_of "$1" "$2")" "${4:-push}" "${5:-}"
}
deliver_gitlab() {
    post "$(hook_url "$1")" "$2" -H 'Content-Type: application/json' -H 'X-Gitlab-Event: Push Hook' \
        -H "X-Gitlab-Token: $(hook "$1" secret)" -H "Idempotency-Key: $3"
}
deliver_gitea() {
    local signature
    signature=$(signature_of "$1" "$2")
    post "$(hook_url "$1")" "$2" -H 'Content-Type: application/json' -H 'X-GitHub-Event: push' \
        -H 'X-Gogs-Event: push' -H 'X-Gitea-Event: push' -H "X-Gitea-Delivery: $3" \
        -H "X-GitHub-Delivery: $3" -H "X-Gitea-Signature: $signature" -H "X-Hub-Signature-256: sha256=$signature"
}
deliver_generic() {
    post "$(hook_url "$1")" "$2" -H 'Content-Type: application/json' -H "X-Delivery: $3" \
        -H "X-Signature: sha256=$(signature_of "$1" "$2")"
}
