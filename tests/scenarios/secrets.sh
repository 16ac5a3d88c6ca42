#!/usr/bin/env bash
# The value of a config var, in every form that programs give it by accident, is nowhere but where
# it belongs: not in the image, a log, a record, an answer, the database, the server's log, or what
# the process list shows.
. "$(dirname "$0")/lib.sh"

secret='Tr0ub4dor&3/with "quotes"+and=more'
password=correct-horse-battery
start_server
use_tiny_stack

# All forms, one a line, for grep -F.
forms() { # VALUE
    python3 - "$1" <<'PY'
import base64, json, sys, urllib.parse
value = sys.argv[1]
forms = {value, urllib.parse.quote(value, safe=""), urllib.parse.quote(value), urllib.parse.quote_plus(value),
         json.dumps(value)[1:-1], value[:9], value[-9:]}
for skip in range(3):
    raw = b"\0" * skip + value.encode()
    for encode in base64.b64encode, base64.urlsafe_b64encode:
        forms.add(encode(raw).decode()[[0, 2, 3][skip]:len(raw) * 8 // 6])
print("\n".join(sorted(forms)))
PY
}
forms "$secret" >"$work/forms"
forms "$password" >>"$work/forms"

# absent PATH...: no file below them has any form.
absent() {
    local found
    found=$(grep -rlaFf "$work/forms" "$@" || true)
    [ -z "$found" ] || fail "the secret is in: $found"
}
api() { # METHOD PATH [curl's options]
    local method=$1 path=$2
    shift 2
    curl -sS --unix-socket "$state/run/control.sock" -X "$method" "$@" "http://localhost$path"
}
set_vars() { # APP JSON
    api PATCH "/v1/apps/$1/variables" -H 'Content-Type: application/json' -d "$2" >"$work/answer"
}
unpack_image() { # NAME DIRECTORY: every blob as it is, and every layer unpacked
    local blob
    rm -rf "$2"
    mkdir -p "$2/layout" "$2/tree"
    skopeo --insecure-policy copy --quiet --src-tls-verify=false \
        "docker://$(image_reference "$1")" "oci:$2/layout:x"
    for blob in "$2"/layout/blobs/sha256/*; do
        mkdir "$2/tree/${blob##*/}"
        { tar -xzf "$blob" -C "$2/tree/${blob##*/}" || tar --zstd -xf "$blob" -C "$2/tree/${blob##*/}"; } \
            2>/dev/null || true
    done
    [ "$(find "$2/tree" -type f | wc -l)" -gt 10 ] || fail "no layer was unpacked"
}

script_app shop <<'BUILD'
echo "plain $TOKEN end"
echo "password $(echo "$DATABASE_URL" | cut -d: -f3 | cut -d@ -f1) end"
printf 'base64 %s\n' "$(printf %s "$TOKEN" | base64)"
printf 'basic %s\n' "$(printf 'user:%s' "$TOKEN" | base64 -w 0)"
printf 'env\n'
env | sort
# Across the cut after a thousand bytes.
i=0
while [ $i -lt 40 ]; do
    printf '%0*d%s\n' $((970 + i)) 0 "$TOKEN"
    i=$((i + 1))
done
printf 'begun %s' "$(printf %s "$TOKEN" | cut -c 1-10)"
[ -z "${HOLD:-}" ] || hold shop
printf '%s ended\n' "$(printf %s "$TOKEN" | cut -c 11-)"
echo "run-only is ${RUN_ONLY:-not given}"
[ -z "${FAIL:-}" ] || { echo "$TOKEN" >&2; exit 4; }
BUILD

check 'variables are set through the API, all or nothing, and listed without their values' '
    set_vars shop "$(jq -n --arg t "$secret" --arg p "postgres://me:$password@db/x" "{variables: [
        {name: \"TOKEN\", value: \$t}, {name: \"DATABASE_URL\", value: \$p, use: \"build\"},
        {name: \"RUN_ONLY\", value: \"run-only-value\", use: \"run\"}]}")"
    absent "$work/answer"
    api GET /v1/apps/shop/variables >"$work/answer"
    same "$(jq -r "[.variables[] | .name + \":\" + .use] | join(\" \")" "$work/answer")" \
        "DATABASE_URL:build RUN_ONLY:run TOKEN:both"
    absent "$work/answer"
    api GET "/v1/apps/shop/variables?values" >"$work/answer-with-values"
    same "$(jq -r ".variables[] | select(.name == \"TOKEN\").value" "$work/answer-with-values")" "$secret"
    rm "$work/answer-with-values"
    set_vars shop "{\"variables\": [{\"name\": \"NEW\", \"value\": \"x\"}, {\"name\": \"CNB_X\", \"value\": \"y\"}]}"
    expect "set by the platform" "$work/answer"
    same "$(api GET /v1/apps/shop/variables | jq ".variables | length")" 3
'
check 'a build is given them, and its log shows stars in their place' '
    push shop
    expect "plain \*\*\* end" "$work/shop.push"
    expect "password \*\*\* end" "$work/shop.push"
    expect "base64 \*\*\*" "$work/shop.push"
    expect "begun \*\*\* ended" "$work/shop.push"
    expect "TOKEN=\*\*\*" "$work/shop.push"
    expect "run-only is not given" "$work/shop.push"
    absent "$work/shop.push"
    expect "0\*\*\*" "$work/shop.push"
'
check 'the value is in no blob of the image, in no layer, label or manifest' '
    unpack_image shop "$work/image"
    absent "$work/image"
'
check 'a variable of a push option is masked and sealed as well' '
    slipway apps create other
    cp -a "$work/shop" "$work/other"
    git -C "$work/other" remote set-url slipway "$(app_url other)"
    git -C "$work/other" -c "core.sshCommand=$(ssh_command dev)" push -o "env.TOKEN=$secret" \
        -o env.DATABASE_URL=a:b:cdefghij@ slipway main >"$work/other.push" 2>&1
    expect "plain \*\*\* end" "$work/other.push"
    absent "$work/other.push"
'
check 'a refused build names no secret in its reason, records or last lines' '
    set_vars shop "{\"variables\": [{\"name\": \"FAIL\", \"value\": \"1\"}]}"
    git -C "$work/shop" commit -q --allow-empty -m fails
    refused_push shop >/dev/null
    absent "$work/shop.push"
    build=$(last_build shop .build)
    api GET "/v1/builds/$build" >"$work/answer"
    absent "$work/answer"
    slipway --json builds list >"$work/answer"
    absent "$work/answer"
    set_vars shop "{\"variables\": [{\"name\": \"FAIL\", \"value\": null}]}"
'
check 'no process shows the value in its arguments or its environment while a build runs' '
    git -C "$work/shop" commit -q --allow-empty -m slow
    git -C "$work/shop" -c "core.sshCommand=$(ssh_command dev)" push -o env.HOLD=1 \
        -o "env.TOKEN=$secret" slipway main >"$work/slow.push" 2>&1 &
    pusher=$!
    wait_until 60 "the build has written half of the value" is_held shop
    for pid in $(pgrep -x "slipwayd|slipway-ssh|slipway-hook|slipway-worker|pre-receive|git" || true); do
        # The client of this scenario was given the value as an argument.
        tr "\0" " " <"/proc/$pid/cmdline" 2>/dev/null | grep -q "core.sshCommand" && continue
        cat "/proc/$pid/cmdline" "/proc/$pid/environ" 2>/dev/null >>"$work/processes" || true
    done
    expect "pre-receive" "$work/processes"
    expect "slipway-worker" "$work/processes"
    absent "$work/processes"
    let_go shop
    wait "$pusher"
    expect "begun \*\*\* ended" "$work/slow.push"
    absent "$work/slow.push"
'
check 'a rotation keeps every value and forgets the old key' '
    old=$(cat "$state/secrets.key")
    api POST /v1/variables/rotate >"$work/answer"
    [ "$(cat "$state/secrets.key")" != "$old" ]
    same "$(wc -l <"$state/secrets.key")" 1
    same "$(stat -c %a "$state/secrets.key")" 600
    same "$(api GET "/v1/apps/shop/variables?values" | jq -r ".variables[] | select(.name == \"TOKEN\").value")" "$secret"
'
check 'nothing that the server keeps has the value: database, logs, records, caches, its own log' '
    absent "$state" "$work/server.log"
'
finish
