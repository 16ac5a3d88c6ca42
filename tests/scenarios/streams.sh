#!/usr/bin/env bash
# Logs that are followed over TLS: a websocket with a library of somebody else's, and server-sent
# events with curl. Readers fall away and resume where they were.
. "$(dirname "$0")/lib.sh"
/usr/bin/python3 -c 'import websockets' 2>/dev/null || skip_all 'python3-websockets is not installed'

openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=server -addext subjectAltName=IP:127.0.0.1 \
    -keyout "$work/key.pem" -out "$work/server.pem" 2>/dev/null
chmod 600 "$work/key.pem"
configure "http.tls_certificate = \"$work/server.pem\""
configure "http.tls_key = \"$work/key.pem\""
url=https://127.0.0.1:$http_port
start_server
use_tiny_stack
# It stands behind step 74 until it is let go: whoever has read so far reads a running build.
script_app shop <<'BUILD'
steps() { # FIRST LAST
    for i in $(seq "$1" "$2"); do echo "step $i of the build: äöü \"quoted\" \\ and more"; done
}
steps 0 74
hold shop
steps 75 149
BUILD
token=$(slipway tokens create reader --app shop:read 2>/dev/null)
stream=$(curl -sS --cacert "$work/server.pem" -H "Authorization: Bearer $token" "$url/v1/apps/shop" |
    jq -r .app.links.deployments_stream)

websocket() { # NAME BUILD [OPTION...]: the log in $work/NAME.log, what else is known in $work/NAME.json
    local name=$1
    shift
    "$SLIPWAY_SOURCE_DIR/tests/scenarios/websocket_reader.py" "$stream" "$@" --ca "$work/server.pem" \
        <<<"$token" >"$work/$name.log" 2>"$work/$name.json" || { cat "$work/$name.json"; return 1; }
}
events() { # BUILD [curl's options]
    local build=$1
    shift
    curl -sS -N --fail --max-time 60 --cacert "$work/server.pem" -H "Authorization: Bearer $token" \
        -H 'Accept: text/event-stream' "$@" "$url/v1/builds/$build/log"
}
text_of_events() {
    awk '/^event: / { kind = $2 } /^data: / && kind == "log" { print substr($0, 7) }' "$1"
}
start_build() { # its id in $build
    commit shop "again $RANDOM"
    git -C "$work/shop" -c "core.sshCommand=$(ssh_command dev)" push -q -o detach slipway main >"$work/shop.push" 2>&1
    build=$(last_build shop .build)
}
has_read() { grep -q "step 74 of the build" "$work/$1" 2>/dev/null; } # FILE
let_go_when_read() { # FILE...
    local file
    for file in "$@"; do wait_until 60 "$file has what the build said so far" has_read "$file"; done
    let_go shop
}
whole_log() { # BUILD
    slipway builds log "$1" >"$work/whole.log"
    expect "step 149 of the build" "$work/whole.log"
}

check 'the address of the websocket is one of TLS' '
    [[ $stream == wss://127.0.0.1:$http_port/* ]] || fail "$stream"
'
check 'a websocket reads a running build to its end, the status behind the last line' '
    start_build
    websocket all "$build" & reader=$!
    let_go_when_read all.log
    wait "$reader"
    whole_log "$build"
    cmp "$work/all.log" "$work/whole.log"
    jq -e --argjson size "$(stat -c %s "$work/whole.log")" \
        ".status == \"success\" and .offset == \$size and .types == [\"log\", \"new\", \"status\"]" "$work/all.json"
'
check 'one that is cut off twice resumes at its offset: nothing is missing, nothing comes twice' '
    start_build
    websocket first "$build" --leave-after 23
    jq -e ".lines == 23" "$work/first.json"
    websocket second "$build" --leave-after 40 --offset "$(jq .offset "$work/first.json")"
    websocket third "$build" --offset "$(jq .offset "$work/second.json")" & reader=$!
    let_go_when_read third.log
    wait "$reader"
    whole_log "$build"
    cat "$work/first.log" "$work/second.log" "$work/third.log" | cmp - "$work/whole.log"
    jq -e ".status == \"success\" and (.types | index(\"new\") | not)" "$work/third.json"
'
check 'server-sent events do the same: cut off, resumed by the id of the last event' '
    start_build
    events "$build" >"$work/one.events" &
    reader=$!
    wait_until 30 "some lines were read" eval "[ \"\$(grep -c ^data: $work/one.events)\" -ge 20 ]"
    kill -KILL "$reader"
    wait "$reader" || true
    # A last event that is not whole is none: a browser drops it as well.
    awk -v RS="" -v ORS="\n\n" -v tail="$(tail -c 2 "$work/one.events" | od -An -tx1 | tr -d " ")" \
        "{ if (NR > 1) print last; last = \$0 } END { if (tail == \"0a0a\") print last }" "$work/one.events" >"$work/one.whole"
    last=$(grep "^id: " "$work/one.whole" | tail -n 1 | cut -d " " -f 2)
    events "$build" -H "Last-Event-ID: $last" >"$work/rest.events" & reader=$!
    let_go shop
    wait "$reader"
    whole_log "$build"
    { text_of_events "$work/one.whole"; text_of_events "$work/rest.events"; } | cmp - "$work/whole.log"
    expect "^event: build$" "$work/rest.events"
    tail -n 3 "$work/rest.events" | grep "^data: " | cut -c 7- | jq -e ".state == \"published\""
'
check 'twenty readers of both kinds at once read the same bytes' '
    start_build
    readers=()
    for i in $(seq 10); do
        websocket "many$i" "$build" & readers+=($!)
        events "$build" >"$work/many$i.events" & readers+=($!)
    done
    let_go_when_read many{1..10}.log many{1..10}.events
    for reader in "${readers[@]}"; do wait "$reader"; done
    whole_log "$build"
    for i in $(seq 10); do
        cmp "$work/many$i.log" "$work/whole.log"
        text_of_events "$work/many$i.events" | cmp - "$work/whole.log"
    done
'
check 'a token that may not read closes the websocket with 1008, and tells nothing' '
    other=$(slipway tokens create other --admin 2>/dev/null)
    slipway apps create blog >/dev/null
    build=$(last_build shop .build)
    for word in "${other}x" ""; do
        token=$word websocket refused "$build"
        jq -e ".close == 1008 and .lines == 0 and .types == []" "$work/refused.json"
    done
    token=$(slipway tokens create blogger --app blog:read 2>/dev/null) websocket refused "$build"
    jq -e ".close == 1008" "$work/refused.json"
    websocket wrong "$build" --offset=-1
    jq -e ".close == 1008" "$work/wrong.json"
'
check 'who does not trust the certificate hears nothing, and plain text is not spoken here' '
    build=$(last_build shop .build)
    must_fail curl -sS --max-time 10 "$url/v1/builds/$build/log"
    must_fail curl -sS --max-time 10 "http://127.0.0.1:$http_port/v1/builds/$build/log"
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=x -keyout /dev/null -out "$work/stranger.pem" 2>/dev/null
    must_fail "$SLIPWAY_SOURCE_DIR/tests/scenarios/websocket_reader.py" "$stream" "$build" --ca "$work/stranger.pem" <<<"$token"
'
finish
