#!/usr/bin/env bash
# The HTTP API as curl meets it: the real server, tokens of two tenants, and each answer held
# against the description that the server serves.
. "$(dirname "$0")/lib.sh"

metrics=127.0.0.1:$(free_port)
configure "metrics.listen = \"$metrics\""
start_server
use_tiny_stack
script_app red <<<'echo fine'
script_app blue <<<'echo fine too'
push red >/dev/null 2>&1
push blue >/dev/null 2>&1
curl -sS "$api/v1/openapi.json" >"$work/openapi.json"

# ask METHOD PATTERN PATH [curl's options]: by the token in $token, or as the operator on the local
# socket without one. The status is in $work/status, the body in $work/body; both are as described.
ask() {
    local method=$1 pattern=$2 path=$3
    shift 3
    local who=(--unix-socket "$state/run/control.sock")
    [ -z "${token-}" ] || who=(-H "Authorization: Bearer $token")
    curl -sS --max-time 30 -o "$work/body" -D "$work/head" -w '%{http_code}' -X "$method" \
        "${who[@]}" "$@" "$api$path" >"$work/status"
    "$SLIPWAY_SOURCE_DIR/tests/scenarios/check_answer.py" "$work/openapi.json" "$method" \
        "$pattern" "$(cat "$work/status")" <"$work/body"
}
# answers_with STATUS METHOD PATTERN PATH [curl's options]
answers_with() {
    local wanted=$1
    shift
    ask "$@"
    [ "$(cat "$work/status")" = "$wanted" ] ||
        { cat "$work/head" "$work/body"; fail "$1 $3: $(cat "$work/status"), not $wanted"; }
}
make_token() { # NAME SCOPE
    token='' ask POST /v1/tokens /v1/tokens \
        -d "{\"token\": {\"name\": \"$1\", \"scopes\": [\"$2\"]}}" >&2
    jq -r .token.token "$work/body"
}
root=$(make_token root server)
red_deploy=$(make_token red-deploy app:red:deploy)
red_read=$(make_token red-read app:red:read)

check 'the server lives and is ready' '
    same "$(curl -sS "$api/livez")" ok
    token="" answers_with 200 GET /readyz /readyz
    jq -e ".ready and .missing == []" "$work/body"
'
check 'answers are as the description says' '
    token=$root
    build=$(last_build red .id)
    answers_with 200 GET /v1/server /v1/server
    answers_with 200 GET /v1/users/self /v1/users/self
    answers_with 200 GET /v1/apps /v1/apps
    answers_with 200 GET "/v1/apps/{app}" /v1/apps/red
    jq -e ".app.digest | test(\"^sha256:\")" "$work/body"
    answers_with 200 GET "/v1/apps/{app}/builds" "/v1/apps/red/builds?state=published"
    jq -e ".meta.pagination.total_count == 1" "$work/body"
    answers_with 200 GET /v1/builds "/v1/builds?per_page=1&page=2"
    jq -e "(.builds | length) == 1 and .meta.pagination.prev_page == 1" "$work/body"
    answers_with 200 GET "/v1/builds/{build}" "/v1/builds/$build"
    jq -e ".build.state == \"published\" and .build.phases.build >= 0" "$work/body"
    answers_with 200 GET "/v1/builds/{build}/log" "/v1/builds/$build/log"
    expect "fine" "$work/body"
    answers_with 200 GET "/v1/builds/{build}/records/{record}" "/v1/builds/$build/records/detection"
    answers_with 409 POST "/v1/builds/{build}/cancel" "/v1/builds/$build/cancel"
    answers_with 200 GET /v1/keys /v1/keys
    answers_with 200 GET /v1/tokens /v1/tokens
    refute "slw_[0-9A-Za-z]{40}" "$work/body"
    answers_with 200 GET /v1/stacks /v1/stacks
    answers_with 200 GET "/v1/stacks/{stack}" /v1/stacks/tiny
    answers_with 201 POST /v1/apps /v1/apps -d "{\"app\": {\"name\": \"green\", \"owner\": \"ann\"}}"
    answers_with 200 PATCH "/v1/apps/{app}" /v1/apps/green -d "{\"app\": {\"stack\": \"tiny\"}}"
    answers_with 204 DELETE "/v1/apps/{app}/caches/deployment" /v1/apps/green/caches/deployment
    answers_with 422 DELETE "/v1/apps/{app}" /v1/apps/green
    answers_with 200 PATCH "/v1/apps/{app}/variables" /v1/apps/green/variables \
        -d "{\"variables\": [{\"name\": \"MODE\", \"value\": \"x\"}]}"
    answers_with 200 GET "/v1/apps/{app}/variables" "/v1/apps/green/variables?values"
    answers_with 200 POST /v1/variables/rotate /v1/variables/rotate
    answers_with 200 POST /v1/prune /v1/prune
    jq -e ".dry_run" "$work/body"
    answers_with 204 DELETE "/v1/apps/{app}" "/v1/apps/green?current_name=green"
    answers_with 404 GET "/v1/apps/{app}" /v1/apps/green
    answers_with 422 POST /v1/apps /v1/apps -d "{\"app\": {\"name\": \"Not A Name\"}}"
    jq -e ".error.field == \"name\"" "$work/body"
    answers_with 400 POST /v1/apps /v1/apps -d "{"
'
check 'a wrong token, an old one and none at all are 401 and say how to ask' '
    for token in slw_0000000000000000000000000000000000000000 nonsense; do
        answers_with 401 GET /v1/apps /v1/apps
        expect "^www-authenticate: Bearer" <(tr "A-Z" "a-z" <"$work/head" | sed "s/bearer/Bearer/")
    done
    token="" ask POST /v1/tokens /v1/tokens \
        -d "{\"token\": {\"name\": \"short\", \"scopes\": [\"server\"], \"expires_in\": 1}}"
    token=$(jq -r .token.token "$work/body")
    has_expired() { ask GET /v1/apps /v1/apps && [ "$(cat "$work/status")" = 401 ]; }
    wait_until 20 "the token has expired" has_expired
    expect "has expired" "$work/body"
    same "$(curl -sS -o /dev/null -w "%{http_code}" "$api/v1/apps")" 401
'

# Each operation of the description, with the ids of an app: METHOD PATTERN PATH RIGHT a line.
operations() { # APP BUILD
    jq -r --arg app "$1" --arg build "$2" '
        .paths | to_entries[] | .key as $pattern | .value | to_entries[] |
        [(.key | ascii_upcase), $pattern,
         ($pattern | gsub("\\{app\\}"; $app) | gsub("\\{build\\}"; $build) | gsub("\\{record\\}"; "report") |
          gsub("\\{\\w+\\}"; "x1")),
         .value["x-right"]] | join(" ")' "$work/openapi.json"
}
check 'ids of another tenant do not exist, on any route of the description' '
    token=$red_deploy
    tried=0
    while read -r method pattern path right; do
        [[ $right != none && $pattern =~ \{(app|build)\} ]] || continue
        answers_with 404 "$method" "$pattern" "$path" </dev/null
        tried=$((tried + 1))
    done < <(operations blue "$(last_build blue .id)")
    [ "$tried" -ge 9 ]
    answers_with 200 GET /v1/apps /v1/apps
    jq -e "[.apps[].name] == [\"red\"]" "$work/body"
    answers_with 200 GET /v1/builds /v1/builds
    jq -e "[.builds[].app] | unique == [\"red\"]" "$work/body"
'
check 'a token that may only read changes nothing, on any route of the description' '
    token=$red_read
    tried=0
    while read -r method pattern path right; do
        [[ $right = deploy || $right = server ]] || continue
        answers_with 403 "$method" "$pattern" "$path" </dev/null
        tried=$((tried + 1))
    done < <(operations red "$(last_build red .id)")
    [ "$tried" -ge 12 ]
'
check 'the same POST with the same key makes one thing' '
    token=$root
    key=(-H "Idempotency-Key: $RANDOM-$$")
    answers_with 201 POST /v1/apps /v1/apps "${key[@]}" -d "{\"app\": {\"name\": \"once\"}}"
    cp "$work/body" "$work/first"
    answers_with 201 POST /v1/apps /v1/apps "${key[@]}" -d "{\"app\": {\"name\": \"once\"}}"
    cmp "$work/first" "$work/body"
    grep -qi "^idempotent-replayed: true" "$work/head"
    answers_with 409 POST /v1/apps /v1/apps "${key[@]}" -d "{\"app\": {\"name\": \"twice\"}}"
    answers_with 404 GET "/v1/apps/{app}" /v1/apps/twice
'
check 'a token is nowhere on the disk' '
    must_fail grep -rqF -- "$root" "$state/slipway.db" "$state/slipway.db-wal" "$work/server.log"
'
check 'a log is followed as events while it grows, and resumed where it was' '
    printf "echo one\nhold blue\n" >"$work/blue/build.sh"
    commit blue slow
    push blue >/dev/null 2>&1 &
    pusher=$!
    wait_until 30 "the build runs" build_is blue running
    build=$(last_build blue .id)
    curl -sSN --max-time 60 -H "Authorization: Bearer $root" -H "Accept: text/event-stream" \
        "$api/v1/builds/$build/log" >"$work/events" &
    reader=$!
    wait_until 30 "the line is there" grep -q "^data:.*one" "$work/events"
    offset=$(grep "^id: " "$work/events" | tail -n 1 | cut -d " " -f 2)
    token=$root answers_with 202 POST "/v1/builds/{build}/cancel" "/v1/builds/$build/cancel"
    wait "$reader"
    wait "$pusher" || true
    expect "^event: build" "$work/events"
    expect "\"state\":\"cancelled\"" "$work/events"
    curl -sS -H "Authorization: Bearer $root" -H "Accept: text/event-stream" \
        -H "Last-Event-ID: $offset" "$api/v1/builds/$build/log" >"$work/rest"
    refute "^data: .*one$" "$work/rest"
    expect "cancelled by the token root" "$work/rest"
'
check 'metrics are on their own address alone, and as Prometheus reads them' '
    same "$(curl -sS -o /dev/null -w "%{http_code}" "$api/metrics")" 404
    curl -sS "http://$metrics/metrics" >"$work/metrics"
    expect "^slipway_builds\{state=\"published\"\} 2$" "$work/metrics"
    expect "^slipway_builds_total\{state=\"published\",door=\"git\"\} 2$" "$work/metrics"
    expect "^slipway_queue_wait_seconds_count" "$work/metrics"
    expect "^slipway_build_phase_seconds_sum\{phase=\"build\"\}" "$work/metrics"
    expect "^slipway_http_requests_total\{method=\"GET\",route=\"/v1/apps/\{app\}\",status=\"200\"\}" "$work/metrics"
    refute "\"(red|blue)\"" "$work/metrics"
    if command -v promtool >/dev/null; then promtool check metrics <"$work/metrics"; fi
'

stop_server
configure 'registry.url = "127.0.0.1:1"' # where nothing listens
configure 'http.max_requests = 5'
start_server

check 'readyz says which dependency is missing' '
    token="" answers_with 503 GET /readyz /readyz
    jq -e "[.missing[].name] == [\"registry\"] and (.missing[0].reason | length > 0)" "$work/body"
    same "$(curl -sS "$api/readyz" | jq -c .missing)" "[{\"name\":\"registry\"}]" # to strangers
    same "$(curl -sS "$api/livez")" ok
'
check 'the server leaves no core: it would hold keys and tokens' '
    grep -Eq "^Max core file size +0 +0 " "/proc/$(jq .pid "$state/run/server.json")/limits"
'
check 'a token that asks too often is told when to come again' '
    token=$root
    for _ in 1 2 3 4 5; do answers_with 200 GET /v1/users/self /v1/users/self; done
    answers_with 429 GET /v1/users/self /v1/users/self
    grep -qiE "^retry-after: [1-9]" "$work/head"
    grep -qi "^ratelimit-remaining: 0" "$work/head"
    token=$red_read answers_with 200 GET /v1/users/self /v1/users/self
    token="" answers_with 200 GET /v1/users/self /v1/users/self
'
finish
