#!/usr/bin/env bash
# A server elsewhere, over TLS: what a developer and a CI job do with a token, from a machine that
# has neither the server's state directory nor its socket.
. "$(dirname "$0")/lib.sh"

# An authority of our own, as inside a company.
make_certificate() { # NAME
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=$1" \
        -addext "subjectAltName=IP:127.0.0.1" \
        -keyout "$work/$1.key.pem" -out "$work/$1.pem" 2>/dev/null
    chmod 600 "$work/$1.key.pem"
}
make_certificate server
make_certificate stranger
url=https://127.0.0.1:$http_port
configure "http.tls_certificate = \"$work/server.pem\""
configure "http.tls_key = \"$work/server.key.pem\""
start_server
use_tiny_stack

remote() { "$bin/slipway" "$@"; }
exits() { # CODE COMMAND...
    local wanted=$1 status=0
    shift
    "$@" >"$work/out" 2>"$work/err" || status=$?
    [ "$status" -eq "$wanted" ] || { cat "$work/out" "$work/err"; fail "exit code $status, not $wanted: $*"; }
}
new_token() { # NAME OPTION...
    slipway tokens create "$@" 2>/dev/null
}
make_source() { # NAME: a directory with a build that holds when there is a file "slow"
    mkdir -p "$work/$1/public"
    printf 'echo building\n[ ! -f slow ] || hold hello\n' >"$work/$1/build.sh"
    echo "hello from $1" >"$work/$1/public/index.html"
    printf 'exec httpd -f -p "$PORT" -h /workspace/public\n' >"$work/$1/web.sh"
}

admin=$(new_token admin --admin)
credentials=$HOME/.config/slipway/credentials.json

check 'without a login a server elsewhere is not asked' '
    exits 3 remote --server "$url" apps list
    expect "you are not logged in to $url" "$work/err"
    expect "slipway login $url" "$work/err"
'
check 'a certificate that nobody vouches for is refused, and the token is not sent' '
    SLIPWAY_TOKEN=$admin exits 3 remote --server "$url" apps list
    expect "certificate" "$work/err"
    expect "--ca-file" "$work/err"
    SLIPWAY_TOKEN=$admin exits 3 remote --server "$url" --ca-file "$work/stranger.pem" apps list
    refute "${admin#slw_}" "$work/server.log"
'
check 'a wrong token does not log in, and nothing is kept' '
    echo slw_wrongwrongwrongwrongwrongwrongwrong |
        exits 3 remote login "$url" --token-stdin --ca-file "$work/server.pem"
    [ ! -e "$credentials" ]
    exits 2 remote login "http://192.0.2.1:8080" --token-stdin </dev/null
    expect "unencrypted" "$work/err"
    exits 2 remote login "$url" --ca-file "$work/server.pem" </dev/null
    expect "token-stdin" "$work/err"
'
check 'a login is kept in a file of its own, which nobody else may read' '
    echo "$admin" | remote login "$url" --token-stdin --ca-file "$work/server.pem" >"$work/out"
    expect "Logged in to $url as admin" "$work/out"
    refute "$admin" "$work/out"
    same "$(stat -c %a "$credentials")" 600
    remote --json whoami | jq -e --arg url "$url" ".server == \$url and .scopes == [\"server\"] and (has(\"token\") | not)"
    chmod 644 "$credentials"
    exits 3 remote apps list
    expect "others may read" "$work/err"
    chmod 600 "$credentials"
    remote apps list
'
check 'an app is made and found again, over pages of a list' '
    remote apps create hello --owner team >"$work/out"
    expect "ssh://git@" "$work/out"
    same "$(remote --json apps info hello | jq -r .owner.username)" team
    exits 5 remote apps create hello
    exits 4 remote apps info never
    same "$(remote --json apps list | jq -r ".apps[].name")" "$(slipway --json apps list | jq -r ".apps[].name")"
    remote apps:info -a hello | grep -q "^App: *hello"
'
check 'config vars are set from files and standard input, and shown only when asked for' '
    printf "from a file\n" >"$work/value"
    echo "s3cret-value" | remote config set hello TOKEN=- PEM=@"$work/value" PLAIN=one
    remote config list hello >"$work/out"
    expect "^TOKEN " "$work/out"
    refute "s3cret-value|from a file" "$work/out"
    remote config:list --values -a hello >"$work/out"
    expect "s3cret-value" "$work/out"
    same "$(remote config get hello PEM)" "from a file"
    remote config set --build-only hello PLAIN=two
    same "$(remote --json config list hello | jq -r ".variables[] | select(.name == \"PLAIN\") | .use")" build
    remote config unset hello PLAIN
    exits 4 remote config get hello PLAIN
    refute "s3cret-value" "$work/server.log"
'

deploy_token=$(new_token ci --app hello --expires 1d)
read_token=$(new_token viewer --app hello:read)
as() { # TOKEN ARGUMENT...
    local token=$1
    shift
    SLIPWAY_TOKEN=$token SLIPWAY_SERVER=$url SLIPWAY_CA_FILE=$work/server.pem HOME=$work/nobody remote "$@"
}
make_source hello
check 'a deploy token builds a directory, with the log and the digest last' '
    as "$deploy_token" deploy hello "$work/hello" >"$work/out"
    expect "^ *building$" "$work/out"
    tail -n 1 "$work/out" | grep -qE "^sha256:[0-9a-f]{64}$"
    same "$(tail -n 1 "$work/out")" "$(remote --json apps info hello | jq -r .digest)"
    same "$(last_build hello .pushed_by)" ci
'
check 'an archive, a directory and a push of one tree are one digest' '
    tar -C "$work/hello" -czf "$work/hello.tar.gz" .
    as "$deploy_token" deploy hello "$work/hello.tar.gz" >"$work/archive"
    as "$deploy_token" deploy hello - <"$work/hello.tar.gz" >"$work/stdin"
    as "$deploy_token" deploy hello "$work/hello" >"$work/directory"
    add_key dev
    new_repository pushed
    cp -a "$work/hello/." "$work/pushed/"
    git -C "$work/pushed" remote set-url slipway "$(app_url hello)"
    commit pushed first
    push pushed
    for file in archive stdin directory; do
        same "$(tail -n 1 "$work/$file")" "$(pushed_digest pushed)"
    done
'
check 'a token sees and does what its scopes say, and nothing more' '
    as "$read_token" apps info hello
    exits 3 as "$read_token" deploy hello "$work/hello"
    exits 3 as "$deploy_token" apps create other
    remote apps create foreign
    exits 4 as "$deploy_token" apps info foreign
    exits 4 as "$deploy_token" deploy foreign "$work/hello"
    same "$(as "$deploy_token" --json apps list | jq -r ".apps[].name")" hello
    remote tokens list >"$work/out"
    expect "^ci .*app:hello:deploy" "$work/out"
    refute "$deploy_token|$read_token" "$work/out"
'
check 'a build that is refused ends the program with its own code' '
    cp -a "$work/hello" "$work/broken"
    echo "exit 3" >"$work/broken/build.sh"
    exits 10 as "$deploy_token" deploy hello "$work/broken"
    exits 4 as "$deploy_token" deploy hello "$work/nothing-there"
'
check 'a detached build is followed from a byte offset, to the digest' '
    as "$deploy_token" deploy hello "$work/hello" --detach --no-cache >"$work/id" 2>/dev/null
    id=$(cat "$work/id")
    as "$read_token" builds follow "$id" >"$work/whole"
    as "$read_token" builds follow "$id" --offset 20 >"$work/rest"
    tail -c +21 "$work/whole" | cmp - "$work/rest"
    same "$(tail -n 1 "$work/rest")" "$(remote --json builds info "$id" | jq -r .digest)"
    same "$(remote --json builds list --app hello --state published --limit 1 | jq -r ".builds[0].id")" "$id"
'
check 'a build is cancelled from elsewhere, and its follower ends as it did' '
    cp -a "$work/hello" "$work/slow"
    touch "$work/slow/slow"
    id=$(as "$deploy_token" deploy hello "$work/slow" --detach 2>/dev/null)
    status=0
    as "$read_token" builds follow "$id" >"$work/followed" 2>&1 &
    follower=$!
    wait_until 60 "it builds" is_held hello
    wait_until 20 "the follower reads" grep -q "building" "$work/followed"
    exits 3 as "$read_token" builds cancel "$id"
    as "$deploy_token" builds cancel "$id"
    wait "$follower" || status=$?
    same "$status" 13
    same "$(remote --json builds info "$id" | jq -r .state)" cancelled
'
check 'a build of an upload is built again without a new upload' '
    before=$(last_build hello .id)
    remote builds list --app hello --state published --limit 1 --json >"$work/out"
    id=$(jq -r ".builds[0].id" "$work/out")
    digest=$(jq -r ".builds[0].digest" "$work/out")
    same "$(as "$deploy_token" builds retry "$id" | tail -n 1)" "$digest"
    [ "$(last_build hello .id)" != "$before" ]
'
check 'a follower is watching when the server is killed' '
    as "$deploy_token" deploy hello "$work/slow" --detach >"$work/id" 2>/dev/null
    {
        status=0
        as "$read_token" builds follow "$(cat "$work/id")" >"$work/followed" 2>&1 || status=$?
        echo "$status" >"$work/status"
    } &
    wait_until 60 "it builds" is_held hello
    wait_until 20 "the follower reads" grep -q "building" "$work/followed"
    kill -KILL "$server_pid"
'
wait "$server_pid" 2>/dev/null || true
server_pid=
start_server
check 'it goes on with the server that was started again, and ends as the build did' '
    let_go hello
    wait_until 120 "the follower has ended" test -s "$work/status"
    cat "$work/followed"
    state=$(slipway --json builds info "$(cat "$work/id")" | jq -r .state)
    case $state in
    published) same "$(cat "$work/status")" 0 ;;
    broken | lost) same "$(cat "$work/status")" 1 ;;
    *) fail "the build is $state" ;;
    esac
'
check 'a removed token and a left login are of no use' '
    slipway tokens remove ci
    exits 3 as "$deploy_token" apps info hello
    remote logout
    SLIPWAY_STATE= exits 12 remote --socket "$work/none.sock" apps list
    same "$(jq ".servers | length" "$credentials")" 0
'

finish
