#!/usr/bin/env bash
# Webhooks: a forge's stand-in that speaks real git over HTTP, and recorded deliveries whose
# repository and commit are ours.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/webhooks_lib.sh"

start_forge --token s3cret-t0ken
configure "network.allowed_private_hosts = [\"$forge_host\"]"
configure 'webhooks.check_interval = "3s"'
start_server
use_tiny_stack
slipway apps create hello
forge_repository owner/app
first=$(forge_commit owner/app first)
add_webhook hello github owner/app '"token": "s3cret-t0ken"'

check 'adding a webhook shows its URL and its secret once' '
    jq -e ".url | endswith(\"/hooks/$(hook hello id)\")" "$work/hello.hook"
    jq -e ".secret | length >= 32" "$work/hello.hook"
    call GET "/v1/apps/hello/webhooks/$(hook hello id)" >"$work/shown"
    jq -e ".webhook.repository == \"owner/app\" and .webhook.has_token" "$work/shown"
    refute "$(hook hello secret)|s3cret-t0ken" "$work/shown"
'
check 'a recorded push is acknowledged at once and built from the configured repository' '
    recorded_push owner/app refs/heads/main "$first" >"$work/push.json"
    deliver hello "$work/push.json" d1
    same "$(status)" 202
    wait_until 60 "the build is published" built hello published
    same "$(last_build hello .commit)" "$first"
    same "$(last_build hello .door)" webhook
'
check 'the same delivery and the same commit are not built again' '
    deliver hello "$work/push.json" d1
    same "$(status)" 200
    jq -e .duplicate "$work/answer"
    deliver hello "$work/push.json" d2
    same "$(status)" 202
    wait_until 20 "the delivery was looked at" delivery_is hello d2 built
    call POST "/v1/apps/hello/webhooks/$(hook hello id)/deliveries/d1/replay" "{}"
    wait_until 20 "the delivery was looked at" delivery_is hello d1 built
    same "$(count_builds hello)" 1
'
check 'what is not to be built is answered with the reason' '
    refused() { # REASON
        same "$(status)" 200
        jq -e --arg reason "$1" ".ignored | contains(\$reason)" "$work/answer"
    }
    recorded_push owner/app refs/heads/other "$first" >"$work/p"; deliver hello "$work/p" o1
    refused "branch other is not built"
    recorded_push owner/app refs/tags/v1 "$first" >"$work/p"; deliver hello "$work/p" o2
    refused "tags are not built"
    recorded_push owner/app refs/heads/main "$zero" | jq ".deleted = true" >"$work/p"
    deliver hello "$work/p" o3
    refused "was deleted"
    recorded_push owner/app refs/heads/main "$first" "later [skip ci]" >"$work/p"
    deliver hello "$work/p" o4
    refused "[skip ci]"
    recorded_push else/where refs/heads/main "$first" | jq ".repository.id = 99" >"$work/p"
    deliver hello "$work/p" o5
    refused "another repository"
    same "$(count_builds hello)" 1
'
check 'a wrong signature, an unknown webhook and an oversized body are refused' '
    for signature in "" "sha256=" "sha256=00" "sha1=$(printf %040d 0)" "sha256=$(printf %064d 0)"; do
        deliver_signed hello "$work/push.json" x1 "$signature"
        same "$(status)" 401
    done
    sed "s/ /  /" "$work/push.json" >"$work/again.json"
    deliver_signed hello "$work/again.json" x1 "sha256=$(signature_of hello "$work/push.json")"
    same "$(status)" 401
    post "$api/hooks/h000000000000" "$work/push.json"
    same "$(status)" 404
    head -c 27000000 /dev/zero >"$work/large"
    deliver hello "$work/large" x2
    same "$(status)" 413
    same "$(count_builds hello)" 1
'
check 'a form is read as well' '
    printf "payload=%s" "$(jq -sRr @uri <"$work/push.json")" >"$work/form"
    deliver hello "$work/form" f1 push application/x-www-form-urlencoded
    same "$(status)" 202
'
check 'GitLab, Gitea and a script of ones own are understood' '
    for kind in gitlab gitea generic; do
        slipway apps create "on-$kind" >/dev/null
        add_webhook "on-$kind" "$kind" owner/app "\"token\": \"s3cret-t0ken\""
        "${kind}_push" owner/app refs/heads/main "$first" >"$work/p"
        "deliver_$kind" "on-$kind" "$work/p" k1
        same "$(status)" 202
    done
    for kind in gitlab gitea generic; do
        wait_until 90 "the build is published" built "on-$kind" published
        same "$(last_build "on-$kind" .digest)" "$(last_build hello .digest)"
    done
'
check 'the command of the document is taken as it stands there' '
    slipway apps create by-hand >/dev/null
    add_webhook by-hand generic owner/repo "\"clone_url\": \"$forge_url/owner/app.git\", \"token\": \"s3cret-t0ken\""
    sed -n "/^body=/,/^curl/p" "$SLIPWAY_SOURCE_DIR/docs/webhooks.md" |
        sed "s/<40 hex digits>/$first/" >"$work/by-hand.sh"
    same "$(wc -l <"$work/by-hand.sh")" 3
    URL=$(hook_url by-hand) SECRET=$(hook by-hand secret) bash "$work/by-hand.sh" >"$work/answer"
    jq -e ".delivery" "$work/answer"
    wait_until 90 "the build is published" built by-hand published
'
check 'a build of a private repository can be asked for again' '
    slipway builds retry "$(last_build hello .id)" >"$work/retry" 2>&1 || { cat "$work/retry"; false; }
    same "$(last_build hello .state)" published
    same "$(last_build hello .door)" api
    same "$(count_builds hello)" 2
'
check 'pull requests are an option, and those of forks another one' '
    slipway apps create review >/dev/null
    add_webhook review github owner/app "\"token\": \"s3cret-t0ken\", \"options\": {\"pull_requests\": true}"
    git -C "$work/forge-owner-app" push -q "$forge/owner/app.git" "HEAD:refs/pull/5/head"
    recorded_pull_request owner/app 5 "$first" >"$work/p"
    jq ".pull_request.head.repo.id = 12345" "$work/p" >"$work/fork"
    deliver review "$work/fork" r1 pull_request
    same "$(status)" 200
    jq -e ".ignored | contains(\"fork\")" "$work/answer"
    deliver review "$work/p" r2 pull_request
    same "$(status)" 202
    wait_until 60 "the build is published" built review published
    same "$(last_build review .ref)" refs/pull/5/head
'
check 'a delivery that never came is found by comparing the branch' '
    head_is() { call GET "/v1/apps/hello/webhooks/$(hook hello id)" | jq -e ".webhook.head == \"$1\""; }
    wait_until 30 "the branch was looked at" head_is "$first"
    slipway webhooks info hello "$(hook hello id)" >"$work/info"
    grep -q "^Last commit: *$first\$" "$work/info"
    grep -q "^Checked: " "$work/info"
    ! grep -q "^Problem:" "$work/info" || fail "nothing keeps it from the branch"
    missed=$(forge_commit owner/app missed)
    wait_until 60 "the build is there" built_commit hello "$missed" published
    same "$(count_builds hello)" 3
    call GET "/v1/apps/hello/webhooks/$(hook hello id)/deliveries" |
        jq -e "any(.deliveries[]; .event == \"check\" and .state == \"built\")"
'
check 'a token that may not read is named, and the way out; the secret is nowhere' '
    slipway apps create closed >/dev/null
    add_webhook closed github owner/app "\"token\": \"wr0ng-t0ken\""
    deliver closed "$work/push.json" c1
    same "$(status)" 202
    wait_until 60 "the build ended" built closed refused
    last_build closed .reason | grep -q "token may read"
    slipway builds log "$(last_build closed "(.id // .build)")" >"$work/closed.log" || true
    refute "wr0ng-t0ken|s3cret-t0ken" "$work/closed.log"
    refute "wr0ng-t0ken|s3cret-t0ken|$(hook hello secret)" "$work/server.log"
    ! grep -rqE "wr0ng-t0ken|s3cret-t0ken" "$state" --include="*.db*" || fail "a token in the database"
'
check 'another tenant does not find the webhook under its own app' '
    must_fail call GET "/v1/apps/review/webhooks/$(hook hello id)"
    must_fail call DELETE "/v1/apps/review/webhooks/$(hook hello id)"
    must_fail call POST "/v1/apps/review/webhooks/$(hook hello id)/deliveries/d1/replay" "{}"
'
check 'every recorded event is answered with 2xx or 4xx, and the matching pushes alone start a build' '
    slipway apps create recorded >/dev/null
    add_webhook recorded github Codertocat/Hello-World "\"branch\": \"master\", \"clone_url\": \"$forge_url/owner/app.git\", \"token\": \"s3cret-t0ken\""
    python3 "$SLIPWAY_SOURCE_DIR/tests/support/post_examples.py" "$examples" "$(hook_url recorded)" "$(hook recorded secret)" >"$work/posted"
    cat "$work/posted"
    jq -e ".sent == 726 and .failed == [] and .accepted == 2" "$work/posted"
    same "$(count_builds recorded)" 1
'
# The server dies as soon as it has sent 202.
second=$(forge_commit owner/app second)
recorded_push owner/app refs/heads/main "$second" >"$work/second.json"
stop_server
export SLIPWAY_FAILPOINT=delivery_acknowledged
start_server
unset SLIPWAY_FAILPOINT
deliver hello "$work/second.json" s1
acknowledged=$(status)
wait "$server_pid" 2>/dev/null || true
server_pid=
start_server

check 'what was acknowledged is built after SIGKILL' '
    same "$acknowledged" 202
    wait_until 60 "the build is published" built_commit hello "$second" published
    delivery_is hello s1 built
'
finish
