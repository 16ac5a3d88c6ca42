#!/usr/bin/env bash
# The server on PostgreSQL, which is restarted under it.
. "$(dirname "$0")/lib.sh"

. "$(dirname "$0")/postgresql_lib.sh"

start_server
use_tiny_stack
script_app hello <<'SCRIPT'
echo 'nothing to compile'
SCRIPT

check 'a push publishes, and its build is a row of PostgreSQL' '
    push hello
    digest=$(pushed_digest hello)
    [ -n "$digest" ]
    same "$(ask "SELECT digest FROM builds WHERE state = '\''published'\''")" "$digest"
    [ ! -e "$state/slipway.db" ]
'

check 'while the database is gone a push is told to come again before anything is accepted' '
    before=$(git -C "$work/hello" rev-parse HEAD)
    stop_database
    commit hello second
    refused_push hello
    expect "try again|Try again" "$work/hello.push"
    objects=$(git -C "$work/hello" rev-parse HEAD)
    must_fail git -C "$state/repositories/hello.git" cat-file -e "$objects"
    same "$(git -c safe.directory="*" -C "$state/repositories/hello.git" rev-parse main)" "$before"
    kill -0 "$server_pid"
'

check 'the database is back, and the server serves without a restart' '
    start_database
    push hello
    [ -n "$(pushed_digest hello)" ]
    same "$(ask "SELECT COUNT(*) FROM builds WHERE state = '\''published'\''")" 2
'

check 'a database that is restarted during a build loses no build' '
    printf "hold hello\n" >>"$work/hello/build.sh"
    commit hello slow
    push hello >/dev/null 2>&1 &
    pusher=$!
    wait_until 30 "the build runs" eval "[ \"\$(ask \"SELECT COUNT(*) FROM builds WHERE state = '\''running'\''\")\" = 1 ]"
    stop_database
    start_database
    let_go hello
    wait "$pusher" || { cat "$work/hello.push"; fail "the push was refused"; }
    same "$(ask "SELECT COUNT(*) FROM builds WHERE state = '\''published'\''")" 3
'

finish
