# shellcheck shell=bash
# A PostgreSQL server of the scenario's own, which the server to be started uses. Sourced after
# lib.sh. Ends with the scenario.
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
end_database() { # the server first, which would wait for it
    local status=$?
    stop_server || true
    stop_database >/dev/null 2>&1 || true
    (exit "$status")
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
