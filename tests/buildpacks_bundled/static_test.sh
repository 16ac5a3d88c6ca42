#!/usr/bin/env bash
# The static buildpack: what is served, how, and what is refused.
source "$(dirname "${BASH_SOURCE[0]}")/support.sh"
[[ -x /usr/sbin/lighttpd ]] || skip "lighttpd is not installed (Debian's package lighttpd)"

layers=$work_dir/layers
server=
stop_server() {
    if [[ -n $server ]]; then
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
        server=
    fi
}
trap 'stop_server; rm -rf "$work_dir"' EXIT

# The kernel names a port that is free now.
free_port() {
    python3 -c '
import socket
with socket.socket() as one:
    one.bind(("127.0.0.1", 0))
    print(one.getsockname()[1])'
}

start_server() {
    port=$(free_port)
    PORT=$port "$layers/server/bin/serve-files" >"$work_dir/out.log" 2>"$work_dir/err.log" &
    server=$!
    curl --silent --output /dev/null --retry 50 --retry-delay 1 --retry-connrefused --max-time 50 \
        "http://127.0.0.1:$port/"
}

# answer PATH: "STATUS TYPE" of an answer.
answer() {
    curl --silent --path-as-is --output "$work_dir/body" \
        --write-out '%{http_code} %{content_type}' \
        "http://127.0.0.1:$port$1"
}

use_app "$apps_dir/static-hello"
mkdir -p "$work_dir/workspace/public/.git" "$work_dir/workspace/public/.well-known"
echo secret >"$work_dir/workspace/public/.git/config"
echo token >"$work_dir/workspace/public/.well-known/token.txt"
echo 'a{}' >"$work_dir/workspace/public/a.css"
run build static
equal "static-hello builds" 0 "$status"
first=$(image_hash)
start_server
equal "index.html is served for /" "200 text/html; charset=utf-8" "$(answer /)"
holds "with its content" "$(cat "$work_dir/body")" "Hello from Slipway"
equal "files have their media type" "200 text/css; charset=utf-8" "$(answer /a.css)"
equal "404.html keeps the status" "404 text/html; charset=utf-8" "$(answer /nothing)"
holds "and is what is sent" "$(cat "$work_dir/body")" "Not here"
equal "files that begin with a dot are not served" 403 "$(answer /.git/config | cut -c 1-3)"
equal "nor under another spelling" 403 "$(answer /%2egit/config | cut -c 1-3)"
equal "but for .well-known" 200 "$(answer /.well-known/token.txt | cut -c 1-3)"
equal "nothing outside of the root is served" 404 "$(answer /../README.txt | cut -c 1-3)"
stop_server
# The log goes through a cat of its own, which ends a moment after the server.
come_true grep -q "GET /nothing" "$work_dir/out.log" || true
holds "requests are logged on standard output" "$(cat "$work_dir/out.log")" \
    "GET /nothing HTTP/1.1 404"

use_app "$apps_dir/static-hello"
mkdir -p "$work_dir/workspace/public/.git" "$work_dir/workspace/public/.well-known"
echo secret >"$work_dir/workspace/public/.git/config"
echo token >"$work_dir/workspace/public/.well-known/token.txt"
echo 'a{}' >"$work_dir/workspace/public/a.css"
forget_layers
run build static
equal "a second build gives the same image" "$first" "$(image_hash)"

equal "a port that is no number is refused" 64 \
    "$(PORT='1;x' "$layers/server/bin/serve-files" >/dev/null 2>&1 || echo $?)"

# settings TEXT: a build with that static.json
settings() {
    forget_layers
    use_app "$apps_dir/static-hello"
    mkdir -p "$work_dir/workspace/out/deep"
    echo there >"$work_dir/workspace/out/deep/index.html"
    printf '%s' "$1" >"$work_dir/workspace/static.json"
    run build static
}

settings '{"root": "./out/deep/"}'
holds "static.json names the root" "$output" "Serves out/deep/"
settings '{"error_page": "404.html"}'
holds "without a root the usual places are looked at" "$output" "Serves public/"
settings '{"root": "../other"}'
equal "a root outside of the app is refused" 1 "$status"
settings '{"root": "a\"\nserver.port = 1"}'
equal "a root that would be configuration is refused" 1 "$status"
settings '{"root": "missing"}'
holds "a root that is not there is told" "$output" "ERROR: the root 'missing' of static.json is not"
settings '{'
holds "broken JSON is told" "$output" "ERROR: static.json is not valid JSON"

# A single-page app: its own router knows the paths.
settings '{"root": "public", "routes": {"/**": "index.html"}}'
equal "a route for all paths is taken" 0 "$status"
lacks "without a warning" "$output" "WARNING"
mkdir -p "$work_dir/workspace/public/"{docs,.git}
echo secret >"$work_dir/workspace/public/.git/config"
echo docs >"$work_dir/workspace/public/docs/index.html"
start_server
equal "what is no file is the app's page" "200 text/html; charset=utf-8" "$(answer /users/7?tab=a)"
holds "with its content" "$(cat "$work_dir/body")" "Hello from Slipway"
equal "a directory with a page of its own keeps it" "200 docs" \
    "$(answer /docs/ | cut -c 1-3) $(cat "$work_dir/body")"
answer /.git/config >/dev/null
holds "hidden files stay hidden behind it" "$(cat "$work_dir/body")" "Hello from Slipway"
stop_server
settings '{"routes": {"/api/*": "api.html"}}'
holds "other routes are told" "$output" 'WARNING: static.json: "routes" not known here'
settings '{"routes": {"/**": "missing.html"}}'
holds "a page that is not there is told" "$output" "ERROR: 'missing.html', to which static.json"
settings '{"routes": {"/**": "../secret"}}'
equal "a page outside of the root is refused" 1 "$status"

finish
