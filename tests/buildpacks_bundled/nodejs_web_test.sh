#!/usr/bin/env bash
# The nodejs buildpack: which process an app gets, by what its build left. No network.
source "$(dirname "${BASH_SOURCE[0]}")/support.sh"

dir=$work_dir/workspace
# decides PACKAGE-JSON [FILE]...: sets web (its kind) and launch (launch.toml).
decides() {
    local package=$1 file
    shift
    rm -rf "$dir"
    mkdir -p "$dir"
    printf '%s' "$package" >"$dir/package.json"
    for file in "$@"; do
        mkdir -p "$(dirname "$dir/$file")"
        echo content >"$dir/$file"
    done
    web=$(cd "$dir" && python3 -I -B "$bundled_dir/nodejs/lib/web_process.py" facts)
    launch=$(cd "$dir" && CNB_LAYERS_DIR=/layers \
        python3 -I -B "$bundled_dir/nodejs/lib/web_process.py" launch 2>&1)
}

decides '{"dependencies": {"next": "1"}}' .next/BUILD_ID
holds "Next.js without a start script is started by its own command" "$launch" \
    'command = ["next", "start"]'
decides '{"dependencies": {"next": "1"}, "scripts": {"start": "next start -H ::"}}' \
    .next/standalone/server.js
holds "its standalone output is started instead" "$launch" \
    "command = [\"node\", \"$dir/.next/standalone/server.js\"]"
holds "which brings its packages" "$web" "web_modules=no"
decides '{"dependencies": {"next": "1"}, "scripts": {"start": "node own.js"}}' \
    .next/standalone/server.js
holds "unless the app has a server of its own" "$launch" 'command = ["node", "own.js"]'
decides '{"dependencies": {"next": "1"}}' .next/standalone/server.js Procfile
holds "a Procfile may need the packages" "$web" "web_modules=yes"

decides '{"devDependencies": {"vite": "1"}, "scripts": {"start": "vite preview"}}' dist/index.html
holds "what Vite built is served as files" "$launch" \
    "command = [\"node\", \"/layers/file_server/serve.mjs\", \"$dir/dist\"]"
decides '{"devDependencies": {"vite": "1"}, "scripts": {"start": "node server.js"}}' dist/index.html
holds "unless the app has a start script" "$launch" 'command = ["node", "server.js"]'
decides '{"devDependencies": {"vite": "1"}}' dist/index.html server.js
holds "or a server" "$launch" 'command = ["node", "server.js"]'
decides '{"devDependencies": {"vite": "1"}}'
holds "without either there is nothing to start" "$launch" "No start script, main file"

decides '{"packageManager": "yarn@4.18.1", "scripts": {"start": "tool serve"}}'
holds "with Plug'n'Play, Yarn finds the commands of packages" "$launch" \
    'command = ["yarn", "tool", "serve"]'
decides '{"packageManager": "yarn@4.18.1", "scripts": {"start": "node server.js"}}'
holds "and Node.js needs no Yarn" "$launch" 'command = ["node", "server.js"]'

# The file server.
node=$(command -v node) || skip "this machine has no Node.js"
site=$work_dir/site
mkdir -p "$site/assets" "$site/.well-known" "$site/docs"
echo '<h1>home</h1>' >"$site/index.html"
echo '<h1>docs</h1>' >"$site/docs/index.html"
echo 'code' >"$site/assets/a-1234.js"
echo 'secret' >"$site/.env"
echo 'token' >"$site/.well-known/token"
ln -s /etc/hostname "$site/outside"
ln -s /etc "$site/etc"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
PORT=$port "$node" "$bundled_dir/nodejs/lib/serve.mjs" "$site" >"$work_dir/log" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null || true; rm -rf "$work_dir"' EXIT
come_true curl -s -o /dev/null "http://127.0.0.1:$port/"
# asked PATH [CURL'S OPTIONS]: status, and body.
asked() {
    local path=$1
    shift
    curl -s --path-as-is -w ' %{http_code}' "$@" "http://127.0.0.1:$port$path" | tr '\n' ' '
}
equal "a file is served" "<h1>home</h1>  200" "$(asked /)"
equal "a directory's page too" "<h1>docs</h1>  200" "$(asked /docs)"
equal "a path of the page's script gets the page" "<h1>home</h1>  200" "$(asked /users/7)"
equal "a missing file does not" "Not found  404" "$(asked /assets/b.js)"
equal "a hidden file is not served" "" "$(asked /.env | grep secret || true)"
equal "what certificates are issued by is" "token  200" "$(asked /.well-known/token)"
equal "no link leads outside" "" "$(asked /outside | grep "$(cat /etc/hostname)" || true)"
for path in /etc/passwd /../../../etc/passwd /%2e%2e/%2e%2e/%2e%2e/etc/passwd /..%2f..%2fetc/passwd; do
    lacks "nor does $path" "$(asked "$path")" "root:"
done
equal "broken escapes are refused" " 400" "$(asked /%zz)"
equal "only reading is allowed" " 405" "$(asked / -X POST)"
holds "names with a hash are kept for long" "$(asked /assets/a-1234.js -i)" "immutable"
tag=$(curl -s -I "http://127.0.0.1:$port/" | tr -d '\r' | sed -n 's/^etag: //pI')
equal "what has not changed is not sent again" " 304" "$(asked / -H "If-None-Match: $tag")"
echo 'gone' >"$site/404.html"
equal "a page for what is missing is used" "gone  404" "$(asked /users/7)"
kill "$server"
status=0
wait "$server" || status=$?
equal "it ends when it is told to" 0 "$status"

finish
