#!/usr/bin/env bash
# The php buildpack, with packages that are in the app: what it asks for, installs, serves, refuses.
source "$(dirname "${BASH_SOURCE[0]}")/support.sh"

layers=$work_dir/layers
offline=(HTTP_PROXY="$closed_port" HTTPS_PROXY="$closed_port" http_proxy="$closed_port"
    https_proxy="$closed_port")
app=$work_dir/app
cp -a "$apps_dir/php-hello" "$app"

# A package as a file of the app, too.
mkdir -p "$app/artifacts" "$work_dir/package"
echo '{"name": "slipway/zipped", "version": "2.0.0", "autoload": {"files": ["zipped.php"]}}' \
    >"$work_dir/package/composer.json"
echo '<?php function zipped() { return "from an archive"; }' >"$work_dir/package/zipped.php"
(cd "$work_dir/package" && python3 -m zipfile -c "$app/artifacts/zipped-2.0.0.zip" ./*)
jq '.require["slipway/zipped"] = "*" | .repositories += [{type: "artifact", url: "artifacts"}]' \
    "$apps_dir/php-hello/composer.json" >"$app/composer.json"
rm "$app/composer.lock"

use_app "$app"
run detect php
holds "extensions are Debian packages" "$(cat "$work_dir/plan.toml")" \
    'packages = ["lighttpd", "php-cgi", "php-cli", "php-mbstring"]'
debian_packages php
use_app "$app"
run build php "${debian_environment[@]}" "${offline[@]}"
equal "packages in the app need no network" 0 "$status"
((status == 0)) || printf '%s\n' "$output"
holds "a missing lock file is told" "$output" "WARNING: no composer.lock"
holds "public/ is served" "$output" "Serves public/ with lighttpd"
cp "$work_dir/workspace/composer.lock" "$app/"

for name in a_first a_second; do
    keep_only_cached
    use_app "$app"
    run build php "${debian_environment[@]}" "${offline[@]}"
    printf -v "$name" '%s' "$(image_hash)"
done
equal "a second build gives the same image" "$a_first" "$a_second"
lacks "and with a lock file there is no warning" "$output" "WARNING"

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >>"$work_dir/workspace/public/index.php" <<'PHP'
echo zipped(), ' ', $_GET['x'] ?? '', ' ', ini_get('display_errors'), "\n";
PHP
(
    cd "$work_dir/workspace" || exit
    exec env "${debian_environment[@]}" PORT="$port" TMPDIR="$work_dir/tmp" \
        PHPRC="$(cat "$layers/php/env/PHPRC.override")" \
        PHP_INI_SCAN_DIR="$(cat "$layers/php/env/PHP_INI_SCAN_DIR.override")" \
        "$layers/server/bin/serve-php"
) >"$work_dir/server" 2>&1 &
server=$!
trap 'kill "$server"; wait "$server" || true; rm -rf "$work_dir"' EXIT
asked() {
    curl --silent --max-time 20 "$@"
}
until asked "http://127.0.0.1:$port/" >/dev/null; do
    kill -0 "$server" || { cat "$work_dir/server"; exit 1; }
done
here=http://127.0.0.1:$port
holds "index.php answers" "$(asked "$here/")" "Hello from Slipway, PHP 8, GET /"
holds "an artifact is installed, and the query arrives" "$(asked "$here/no/file?x=query")" \
    "from an archive query"
holds "a form arrives at a path that is no file" "$(asked -d a=b "$here/form")" "POST /form a=b"
holds "so does a PUT" "$(asked -X PUT -d put "$here/thing")" "PUT /thing put"
equal "the app decides about 404" 404 \
    "$(asked -o /dev/null -w '%{http_code}' "$here/missing")"
equal "a directory's own index.php answers" "a section" "$(asked "$here/section/")"
equal "also without its slash" 301 "$(asked -o /dev/null -w '%{http_code}' "$here/section")"
holds "what stands behind a script's name is its path" "$(asked "$here/index.php/path?x=1")" \
    "GET /index.php/path"
equal "a file is sent as it is" "a file as it is" "$(asked "$here/assets/note.txt")"

# refused WORDS JQ-FILTER: of the app's composer.json
refused() {
    keep_only_cached
    use_app "$app"
    rm "$work_dir/workspace/composer.lock"
    jq "$2" "$app/composer.json" >"$work_dir/workspace/composer.json"
    run build php "${debian_environment[@]}" "${offline[@]}"
    equal "refused: $1" 1 "$status"
    holds "and says: $1" "$output" "$1"
}
refused "ERROR: composer.json asks for ext-nothing, which Debian has no package of" \
    '.require["ext-nothing"] = "*"'
refused "requires php >=9 but your php version" '.require.php = ">=9"'

# What is not for visitors, in an app without public/.
use_app "$apps_dir/php-plain"
run build php "${debian_environment[@]}"
equal "an app without composer.json builds" 0 "$status"
holds "from its own directory" "$output" "Serves ./ with lighttpd"
holds "vendor is not served" "$(cat "$layers/server/lighttpd.conf")" '"^/(vendor/|Procfile$'
run build php "${debian_environment[@]}" SLIPWAY_PHP_ROOT=../elsewhere
holds "a root outside of the app is refused" "$output" \
    "ERROR: SLIPWAY_PHP_ROOT is '../elsewhere', which is not a directory of the app"

finish
