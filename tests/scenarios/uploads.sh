#!/usr/bin/env bash
# Archives by curl, in each way that the API has: every format gives the digest that a push of the
# same tree gives; what is broken, too large or too slow is ended and leaves nothing; what was
# acknowledged survives SIGKILL.
. "$(dirname "$0")/lib.sh"
files_port=$(free_port)
configure 'upload.size = "3M"'
configure 'upload.time = "2m"'
configure "buildpacks.allowed_private_hosts = [\"127.0.0.1:$files_port\"]"

start_server
api_socket=$state/run/control.sock
use_tiny_stack
script_app hello <<'SH'
echo built
SH
slipway apps create other

# operator METHOD PATH [curl's options]: over the local socket.
operator() {
    local method=$1 path=$2
    shift 2
    curl -sS --fail-with-body --unix-socket "$api_socket" -X "$method" \
        -H 'Content-Type: application/json' "http://localhost$path" "$@"
}
make_token() { # NAME SCOPE
    operator POST /v1/tokens -d "{\"token\": {\"name\": \"$1\", \"scopes\": [\"$2\"]}}" | jq -r .token.token
}
token=$(make_token deployer app:hello:deploy)
reader=$(make_token reader app:hello:read)
stranger=$(make_token stranger app:other:deploy)

# call METHOD PATH [curl's options]: as the deployer; the status is in $work/status.
call() {
    local method=$1 path=$2
    shift 2
    curl -sS -X "$method" -H "Authorization: Bearer ${AS:-$token}" -w '%{stderr}%{http_code}' \
        "$api$path" "$@" 2>"$work/status"
}
status() { tail -c 3 "$work/status"; }
stored() { find "$state/sources" -type f | wc -l; }
# Bytes of files without a name that the server holds open.
drafts() { find "/proc/$server_pid/fd" -lname "$state/sources/*deleted*" | wc -l; }
has_draft() { [ "$(drafts)" -gt 0 ]; }
no_drafts() { [ "$(drafts)" -eq 0 ]; }
state_of() { call GET "/v1/builds/$1" | jq -r .build.state; }
is_over() { case $(state_of "$1") in received | queued | running | exporting) return 1 ;; esac; }
wait_for_build() { wait_until 60 "build $1 is over" is_over "$1"; }

pack() { # from the app's tree, as an archiver or a forge makes it
    local tree=$work/tree/hello-1.0
    mkdir -p "$tree"
    git -C "$work/hello" archive main | tar -x -C "$tree"
    tar -C "$work/tree" --owner=someone:1234 --group=some:1234 -cf "$work/app.tar" hello-1.0
    gzip -9nk "$work/app.tar"
    zstd -q "$work/app.tar"
    xz -k "$work/app.tar"
    python3 - "$work" <<'PY'
import os, sys, zipfile
root = os.path.join(sys.argv[1], "tree")
with zipfile.ZipFile(os.path.join(sys.argv[1], "app.zip"), "w", zipfile.ZIP_DEFLATED) as archive:
    for directory, _, names in os.walk(root):
        for name in names:
            path = os.path.join(directory, name)
            archive.write(path, os.path.relpath(path, root))
PY
    # Without a root directory, as tar -C makes it.
    tar -C "$tree" -czf "$work/flat.tar.gz" .
}
pack

check 'a push says which digest this tree has' '
    push hello
    pushed_digest hello >"$work/digest"
'
digest=$(cat "$work/digest" 2>/dev/null || true)

for archive in app.tar app.tar.gz app.tar.zst app.tar.xz app.zip flat.tar.gz; do
    check "$archive in one request streams the log back, and the digest of the push last" '
        call POST "/v1/apps/hello/builds?follow&version=v1" --data-binary @"$work/'$archive'" >"$work/log"
        same "$(status)" 200
        expect "built" "$work/log"
        same "$(tail -n 1 "$work/log")" "$digest"
    '
done

check 'without follow the build is answered at once, and its version is what the sender said' '
    call POST "/v1/apps/hello/builds?version=v2" --data-binary @"$work/app.tar" >"$work/answer"
    same "$(status)" 201
    id=$(jq -r .build.id "$work/answer")
    wait_for_build "$id"
    call GET "/v1/builds/$id" >"$work/answer"
    same "$(jq -r .build.digest "$work/answer")" "$digest"
    same "$(jq -r .build.commit "$work/answer")" v2
    same "$(jq -r .build.door "$work/answer")" api
'

check 'the same bytes are stored once' '
    before=$(stored)
    for again in 1 2 3; do call POST "/v1/apps/hello/builds?follow" -T "$work/app.tar.gz" >"$work/log"; done
    same "$(stored)" "$before"
'

check 'an Idempotency-Key starts one build, however often it is sent' '
    for again in 1 2; do
        call POST /v1/apps/hello/builds -H "Idempotency-Key: one" --data-binary @"$work/app.tar" |
            jq -r .build.id >>"$work/ids"
    done
    same "$(sort -u "$work/ids" | wc -l)" 1
    wait_for_build "$(head -n 1 "$work/ids")"
'

check 'a place, an upload and a deployment, as Scalingo has them' '
    call POST /v1/sources -d "{}" >"$work/source"
    same "$(status)" 201
    put=$(jq -r .source.upload_url "$work/source")
    get=$(jq -r .source.download_url "$work/source")
    same "$(curl -sS -o "$work/answer" -w "%{http_code}" -H "Content-Type: application/x-gzip" -T "$work/app.tar.gz" "$put")" 200
    curl -sS -o "$work/back" "$get"
    cmp "$work/back" "$work/app.tar.gz"
    call POST /v1/apps/hello/deployments \
        -d "{\"deployment\": {\"git_ref\": \"v3\", \"source_url\": \"$get\"}}" >"$work/answer"
    same "$(status)" 201
    id=$(jq -r .deployment.id "$work/answer")
    wait_for_build "$id"
    call GET "/v1/apps/hello/deployments/$id" >"$work/answer"
    same "$(jq -r .deployment.status "$work/answer")" success
    same "$(jq -r .deployment.git_ref "$work/answer")" v3
    same "$(jq -r .deployment.digest "$work/answer")" "$digest"
    call GET "/v1/apps/hello/deployments/$id/output" >"$work/log"
    expect built "$work/log"
    call GET "/v1/apps/hello/deployments?per_page=1" >"$work/answer"
    same "$(jq -r ".deployments[0].id" "$work/answer")" "$id"
    same "$(jq -r .meta.pagination.current_page "$work/answer")" 1
'

check 'a source blob with a checksum, as Heroku has it' '
    call POST /sources -d "{}" >"$work/source"
    put=$(jq -r .source_blob.put_url "$work/source")
    get=$(jq -r .source_blob.get_url "$work/source")
    curl -sS --fail -o "$work/answer" -T "$work/app.zip" "$put"
    sum=$(sha256sum "$work/app.zip" | cut -d " " -f 1)
    call POST /apps/hello/builds \
        -d "{\"source_blob\": {\"url\": \"$get\", \"checksum\": \"SHA256:$sum\", \"version\": \"v4\"}}" >"$work/answer"
    same "$(status)" 201
    same "$(jq -r .status "$work/answer")" pending
    id=$(jq -r .id "$work/answer")
    curl -sS -H "Authorization: Bearer $token" "$(jq -r .output_stream_url "$work/answer")" >"$work/log"
    expect built "$work/log"
    wait_for_build "$id"
    call GET "/apps/hello/builds/$id" >"$work/answer"
    same "$(jq -r .status "$work/answer")" succeeded
    same "$(jq -r .digest "$work/answer")" "$digest"
    call POST /apps/hello/builds \
        -d "{\"source_blob\": {\"url\": \"$get\", \"checksum\": \"SHA256:${sum//[0-9]/a}\"}}" >"$work/answer"
    same "$(status)" 422
    call DELETE /apps/hello/build-cache >"$work/answer"
    same "$(status)" 200
'

check 'an archive on another server is fetched by the build, where that is allowed' '
    (cd "$work" && exec python3 -m http.server --bind 127.0.0.1 "$files_port" >/dev/null 2>&1) &
    files=$!
    trap "kill $files" EXIT
    wait_until 20 "the files are served" curl -sS -o /dev/null "http://127.0.0.1:$files_port/app.tar"
    sum=sha256:$(sha256sum "$work/app.tar.xz" | cut -d " " -f 1)
    call POST "/v1/apps/hello/builds?follow" -H "Content-Type: application/json" \
        -d "{\"build\": {\"source_url\": \"http://127.0.0.1:$files_port/app.tar.xz\", \"checksum\": \"$sum\"}}" >"$work/log"
    same "$(tail -n 1 "$work/log")" "$digest"
    call POST "/v1/apps/hello/builds?follow" -H "Content-Type: application/json" \
        -d "{\"build\": {\"source_url\": \"http://127.0.0.1:$files_port/missing\"}}" >"$work/log"
    expect "^error: refused: .* answers 404" "$work/log"
    call POST "/v1/apps/hello/builds?follow" -H "Content-Type: application/json" \
        -d "{\"build\": {\"source_url\": \"http://127.0.0.1:$http_port/livez\"}}" >"$work/log"
    expect "^error: refused: .* not public" "$work/log"
'

check 'rebuild takes the same source again' '
    id=$(last_build hello .id)
    call GET "/v1/builds?per_page=50" | jq -r ".builds[] | select(.source == \"archive\") | .id" | head -n 1 >"$work/archive-build"
    call POST "/v1/apps/hello/builds?follow" -H "Content-Type: application/json" \
        -d "{\"build\": {\"rebuild\": \"$(cat "$work/archive-build")\"}}" >"$work/log"
    same "$(tail -n 1 "$work/log")" "$digest"
    call GET "/v1/builds?per_page=50" | jq -r ".builds[] | select(.source == \"git\") | .id" | tail -n 1 >"$work/git-build"
    call POST "/v1/apps/hello/builds?follow" -H "Content-Type: application/json" \
        -d "{\"build\": {\"rebuild\": \"$(cat "$work/git-build")\"}}" >"$work/log"
    same "$(tail -n 1 "$work/log")" "$digest"
'

check 'what is no archive ends the build with its reason on the last line' '
    echo "no archive at all" | call POST "/v1/apps/hello/builds?follow" --data-binary @- >"$work/log"
    same "$(status)" 200
    tail -n 1 "$work/log" >"$work/last"
    expect "^error: refused: " "$work/last"
'

check 'an upload over the limit is refused by its name, announced or not, and leaves nothing' '
    before=$(stored)
    head -c 4000000 /dev/urandom >"$work/large"
    call POST /v1/apps/hello/builds --data-binary @"$work/large" >"$work/answer"
    same "$(status)" 413
    expect "upload.size" "$work/answer"
    call POST /v1/apps/hello/builds -H "Transfer-Encoding: chunked" --data-binary @"$work/large" >"$work/answer"
    same "$(status)" 413
    expect "upload.size" "$work/answer"
    same "$(stored)" "$before"
    wait_until 10 "no draft is held" no_drafts
'

check 'a checksum that does not fit is refused and leaves nothing' '
    before=$(stored)
    echo fresh-bytes >"$work/fresh"
    call POST "/v1/apps/hello/builds?checksum=sha256:$(printf "%064d" 1)" --data-binary @"$work/fresh" >"$work/answer"
    same "$(status)" 400
    expect "checksum" "$work/answer"
    same "$(stored)" "$before"
'

check 'a client that goes away in the middle leaves nothing' '
    before=$(stored)
    head -c 2000000 /dev/urandom >"$work/large"
    curl -sS -H "Authorization: Bearer $token" --limit-rate 100K --data-binary @"$work/large" \
        "$api/v1/apps/hello/builds" >"$work/answer" 2>&1 &
    client=$!
    wait_until 20 "the upload has begun" has_draft
    kill "$client"
    wait_until 20 "no draft is held" no_drafts
    same "$(stored)" "$before"
'

check 'a client that sends a byte a second is ended' '
    before=$(stored)
    timeout 120 python3 - "$http_port" "$token" <<"PY"
import socket, sys, time
client = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
client.sendall(("POST /v1/apps/hello/builds HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + sys.argv[2] +
                "\r\nContent-Length: 100000\r\n\r\n").encode())
client.settimeout(1)
begun = time.monotonic()
while time.monotonic() - begun < 110:
    try:
        client.sendall(b"x")
        answer = client.recv(4096)
    except TimeoutError:
        continue
    except OSError:
        sys.exit(0)
    sys.exit(0 if not answer or b" 408 " in answer or b" 504 " in answer else f"answered {answer}")
sys.exit("it was never ended")
PY
    wait_until 20 "no draft is held" no_drafts
    same "$(stored)" "$before"
'

check 'another tenant sees none of it' '
    call POST /v1/sources -d "{}" >"$work/source"
    path=$(jq -r .source.upload_url "$work/source" | sed "s,^http://[^/]*,,")
    AS=$stranger call POST /v1/apps/hello/builds --data-binary @"$work/app.tar" >/dev/null
    same "$(status)" 404
    AS=$stranger call POST /v1/apps/hello/deployments -d "{\"deployment\": {\"source_url\": \"x\"}}" >/dev/null
    same "$(status)" 404
    AS=$stranger call GET "/v1/apps/hello/deployments/$(cat "$work/archive-build")" >/dev/null
    same "$(status)" 404
    AS=$stranger call GET "/v1/apps/other/deployments/$(cat "$work/archive-build")/output" >/dev/null
    same "$(status)" 404
    AS=$stranger call POST /v1/apps/other/builds -H "Content-Type: application/json" \
        -d "{\"build\": {\"rebuild\": \"$(cat "$work/archive-build")\"}}" >/dev/null
    same "$(status)" 422
    AS=$reader call POST /v1/apps/hello/builds --data-binary @"$work/app.tar" >/dev/null
    same "$(status)" 403
    AS=$reader call POST /v1/sources -d "{}" >/dev/null
    same "$(status)" 403
    same "$(curl -sS -o "$work/answer" -w "%{http_code}" -T "$work/app.tar" "$api${path%=*}=wrong")" 404
    same "$(curl -sS -o "$work/answer" -w "%{http_code}" "$api${path%=*}=wrong")" 404
    same "$(curl -sS -o "$work/answer" -w "%{http_code}" -T "$work/app.tar" "$api$path")" 200
    id=$(jq -r .upload.id "$work/answer")
    AS=$stranger call POST /v1/apps/other/builds -H "Content-Type: application/json" \
        -d "{\"build\": {\"upload\": \"$id\"}}" >/dev/null
    same "$(status)" 422
    call POST "/v1/apps/hello/builds?follow" -H "Content-Type: application/json" \
        -d "{\"build\": {\"upload\": \"$id\"}}" >"$work/log"
    same "$(tail -n 1 "$work/log")" "$digest"
'

# ---------------------------------------------------------------- SIGKILL

# The server ends at the failpoint's first pass and is started again without it.
killed_at() { # FAILPOINT COMMAND...
    local failpoint=$1
    shift
    stop_server
    export SLIPWAY_FAILPOINT=$failpoint
    start_server
    unset SLIPWAY_FAILPOINT
    "$@" || true
    wait_until 20 "the server was killed" has_ended "$server_pid"
    wait "$server_pid" 2>/dev/null || true
    start_server
}
send_again() { call POST /v1/apps/hello/builds --data-binary @"$work/app.$1" >"$work/answer"; }

for failpoint in upload_spooled upload_stored; do
    # Bytes that no upload had before.
    head -c 1000 /dev/urandom >"$work/tree/hello-1.0/seed"
    tar -C "$work/tree" -cf "$work/app.$failpoint" hello-1.0
    kept=$(stored)
    killed_at "$failpoint" send_again "$failpoint"
    check "a server that was killed at $failpoint keeps nothing that nobody knows of" '
        same "$(stored)" "$kept"
        call POST "/v1/apps/hello/builds?follow" -T "$work/app.$failpoint" >"$work/log"
        tail -n 1 "$work/log" >"$work/last"
        expect "^sha256:" "$work/last"
        same "$(stored)" "$((kept + 1))"
    '
done

killed_at build_queued send_again tar.xz
check 'an upload whose build was queued is built after SIGKILL' '
    id=$(call GET "/v1/apps/hello/builds?per_page=1" | jq -r ".builds[0].id")
    wait_for_build "$id"
    call GET "/v1/builds/$id" >"$work/answer"
    same "$(jq -r .build.state "$work/answer")" published
    same "$(jq -r .build.digest "$work/answer")" "$digest"
'

send_with_key() {
    call POST /v1/apps/hello/builds -H "Idempotency-Key: cut off" --data-binary @"$work/app.tar.gz" >"$work/answer"
}
# Of bytes that no upload had before; those of the first call in the second one too.
send_with_key_of_new() {
    [ -s "$work/app.key" ] || { date +%s%N >"$work/tree/hello-1.0/seed" && tar -C "$work/tree" -cf "$work/app.key" hello-1.0; }
    call POST /v1/apps/hello/builds -H "Idempotency-Key: nothing yet" --data-binary @"$work/app.key" >"$work/answer"
}
builds() { call GET "/v1/apps/hello/builds?per_page=1" | jq .meta.pagination.total_count; }
before=$(builds)
killed_at build_added send_with_key
check 'the same request finds the build that it started before SIGKILL took its answer' '
    send_with_key
    same "$(status)" 201
    id=$(jq -r .build.id "$work/answer")
    same "$(builds)" "$((before + 1))"
    same "$(call GET "/v1/apps/hello/builds?per_page=1" | jq -r ".builds[0].id")" "$id"
    wait_for_build "$id"
    same "$(state_of "$id")" published
'
before=$(builds)
killed_at request_begun send_with_key_of_new
check 'and starts it when SIGKILL came before there was one' '
    send_with_key_of_new
    same "$(status)" 201
    same "$(builds)" "$((before + 1))"
    wait_for_build "$(jq -r .build.id "$work/answer")"
'

finish
