#!/usr/bin/env bash
# The server on PostgreSQL, which is restarted under it.
. "$(dirname "$0")/lib.sh"

programs=$(find /usr/lib/postgresql -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -n 1)
[ -n "$programs" ] || skip_all 'PostgreSQL is not installed'

database=$work/postgresql
mkdir "$database"
as_user=()
if [ "$(id -u)" = 0 ]; then # it refuses root
    chown nobody "$database"
    as_user=(setpriv --reuid nobody --regid nogroup --clear-groups)
fi
in_database() { # PROGRAM ARGUMENT...
    local program=$1
    shift
    (cd "$database" && "${as_user[@]}" "$programs/$program" "$@")
}
start_database() {
    in_database pg_ctl --pgdata "$database/data" --wait --silent --log "$database/log" \
        --options "-F -c listen_addresses= -c unix_socket_directories=$database" start
}
stop_database() {
    in_database pg_ctl --pgdata "$database/data" --wait --silent --mode immediate stop
}
ask() {
    in_database psql --no-psqlrc -tA --host "$database" --username slipway -c "$1" slipway
}
end_database() {
    stop_database >/dev/null 2>&1 || true
    clean_up
}
trap end_database EXIT

echo 'correct horse' >"$work/password"
chmod 644 "$work/password"
in_database initdb --pgdata "$database/data" --username slipway --auth scram-sha-256 \
    --pwfile "$work/password" --encoding UTF8 --locale C.UTF-8 --no-sync >"$work/initdb.log"
PGPASSWORD=$(cat "$work/password")
export PGPASSWORD
start_database
in_database createdb --host "$database" --username slipway slipway
unset PGPASSWORD
printf '%s:slipway:slipway:correct horse\n' '*:*' >"$work/pgpass"
chmod 600 "$work/pgpass"
[ "$(id -u)" != 0 ] || chown nobody "$work/pgpass"
export PGPASSFILE=$work/pgpass

configure "database.url = \"postgresql://slipway@/slipway?host=$database\""
configure "database.password_file = \"$work/password\""
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
