#!/usr/bin/env bash
# Who is told about a build: the forge of its commit (a stand-in that writes down what it hears), and
# whoever asked for signed webhooks.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/webhooks_lib.sh"

start_forge --token s3cret-t0ken
configure "network.allowed_private_hosts = [\"$forge_host\"]"
start_server
use_tiny_stack
slipway apps create hello
forge_repository owner/app
add_webhook hello github owner/app "\"token\": \"s3cret-t0ken\", \"api_url\": \"$forge_url/api\", \"options\": {\"environment\": \"production\"}"

told() { # JQ: about what the forge heard, as one list
    jq -se "map(. + {said: (.body | fromjson)}) | $1" "$forge/told.jsonl"
}
deliver_commit() { # MESSAGE: prints its name
    local commit
    commit=$(forge_commit owner/app "$1")
    recorded_push owner/app refs/heads/main "$commit" >"$work/push.json"
    deliver hello "$work/push.json" "$commit"
    echo "$commit"
}

check 'a published build is a success at its commit, with its log' '
    commit=$(deliver_commit first)
    wait_until 60 "the forge hears of the success" told \
        "any(.[]; (.path | endswith(\"/repos/owner/app/statuses/$commit\")) and .said.state == \"success\")"
    told "map(select(.path | endswith(\"/statuses/$commit\"))) | all(.[]; .said.context == \"slipway/hello\" and
        (.said.target_url | test(\"^http://.*/v1/builds/b[0-9a-z]+/log$\")) and .headers.authorization == \"Bearer s3cret-t0ken\")"
'
check 'GitHub has one deployment of it, which ends with the digest' '
    digest=$(last_build hello .digest)
    wait_until 60 "the deployment ends" told "any(.[]; .said.state == \"success\" and (.path | test(\"/deployments/[0-9]+/statuses$\")) and (.said.description | endswith(\"$digest\")))"
    told "[.[] | select(.path | endswith(\"/repos/owner/app/deployments\"))] | length == 1 and .[0].said.environment == \"production\" and .[0].said.required_contexts == []"
'
check 'a build that fails is a failure there' '
    echo "exit 3" >"$work/forge-owner-app/build.sh"
    commit=$(deliver_commit broken)
    wait_until 60 "the forge hears of the failure" told \
        "any(.[]; (.path | endswith(\"/statuses/$commit\")) and .said.state == \"failure\")"
'
check 'a forge that is down hears of it later' '
    echo "echo fine" >"$work/forge-owner-app/build.sh"
    commit=$(forge_commit owner/app mended)
    path=/api/repos/owner/app/statuses/$commit
    jq -n --arg path "$path" "{(\$path): [503, 500]}" >"$forge/answers.json"
    recorded_push owner/app refs/heads/main "$commit" >"$work/push.json"
    deliver hello "$work/push.json" "$commit"
    wait_until 60 "the build is published" built_commit hello "$commit" published
    wait_until 90 "the forge hears of the success" told "[.[] | select(.path == \"$path\")] | length >= 3 and .[-1].said.state == \"success\""
'
check 'whoever asked is told, signed as Standard Webhooks say' '
    slipway --json notifications add hello "$forge_url/in" --event build.published >"$work/notification"
    commit=$(deliver_commit told)
    wait_until 60 "the event comes" told "any(.[]; .path == \"/in\" and .said.type == \"build.published\" and .said.data.build.commit == \"$commit\")"
    told "map(select(.path == \"/in\")) | length == 1" # the states that were not asked for did not come
    jq -sr "map(select(.path == \"/in\"))[0].headers | .[\"webhook-id\"] + \".\" + .[\"webhook-timestamp\"] + \".\"" "$forge/told.jsonl" | tr -d "\n" >"$work/signed"
    jq -sj "map(select(.path == \"/in\"))[0].body" "$forge/told.jsonl" >>"$work/signed"
    key=$(jq -r ".secret | ltrimstr(\"whsec_\")" "$work/notification" | base64 -d | od -An -v -tx1 | tr -d " \n")
    mac=$(openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary <"$work/signed" | base64)
    same "$(jq -sr "map(select(.path == \"/in\"))[0].headers[\"webhook-signature\"]" "$forge/told.jsonl")" "v1,$mac"
    id=$(jq -r .id "$work/notification")
    slipway --json notifications deliveries hello "$id" >"$work/deliveries"
    slipway notifications list hello | grep -F "$id"
    refute "$(jq -r .secret "$work/notification")" "$work/server.log"
'
check 'an address of a private network is not called' '
    port=${forge_host#*:}
    slipway --json notifications add hello "http://localhost:$port/inner" >"$work/inner"
    deliver_commit inner >/dev/null
    id=$(jq -r .id "$work/inner")
    given_up() { slipway notifications deliveries hello "$id" | grep -q failed; }
    wait_until 60 "it is given up" given_up
    told "all(.[]; .path != \"/inner\")"
    slipway notifications remove hello "$id"
    must_fail slipway notifications deliveries hello "$id"
'
check 'what makes no sense is refused with words' '
    must_fail slipway notifications add hello "ftp://example.com/" 2>"$work/refused"
    expect "URL" "$work/refused"
    must_fail slipway notifications add hello "https://example.com/" --event build.eaten 2>"$work/refused"
    expect "build.eaten" "$work/refused"
'
check 'pruning says what would leave, and leaves what is young' '
    slipway prune --dry-run | tee "$work/pruned"
    expect "WOULD LEAVE" "$work/pruned"
    slipway prune
    slipway builds list --app hello | grep -c published
'
finish
