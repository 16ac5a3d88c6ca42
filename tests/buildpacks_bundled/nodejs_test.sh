#!/usr/bin/env bash
# The nodejs buildpack: what it installs, what it keeps, what it says when it cannot go on.
source "$(dirname "${BASH_SOURCE[0]}")/support.sh"
need_npm_registry

layers=$work_dir/layers

# An app with a dependency and no scripts but start.
use_app "$apps_dir/node-hello"
run build nodejs
equal "node-hello builds" 0 "$status"
holds "the Node.js version is told, and why" "$output" "(newest LTS;"
holds "the packages are counted" "$output" "Installed 1 package from package-lock.json (npm "
holds "a simple start script is the command itself" "$(cat "$layers/launch.toml")" \
    'command = ["node", "server.js"]'
equal "node_modules leads to the layer" "$layers/node_modules" \
    "$(readlink "$work_dir/workspace/node_modules")"
equal "Node.js runs and finds the package" "1m" \
    "$(cd "$work_dir/workspace" && "$layers/node/bin/node" -p 'require("ms")(60000)')"
equal "npm is there at run time" 0 \
    "$("$layers/node/bin/node" "$layers/node/bin/npm" --version >/dev/null 2>&1 && echo 0)"
first=$(image_hash)

# The second build, with nowhere to download from.
keep_only_cached
use_app "$apps_dir/node-hello"
run build nodejs NPM_CONFIG_REGISTRY="$closed_port" npm_config_registry="$closed_port" \
    HTTPS_PROXY="$closed_port" HTTP_PROXY="$closed_port"
equal "a second build needs no network" 0 "$status"
holds "Node.js comes from the cache" "$output" "(from the cache)"
holds "the packages come from the cache" "$output" "Using 1 package from the cache"
equal "a second build gives the same image" "$first" "$(image_hash)"

# A change of the lock file is noticed; Node.js is kept.
keep_only_cached
use_app "$apps_dir/node-hello"
sed -i 's/2\.1\.3/2.1.2/g; /"integrity"/d' "$work_dir/workspace/package-lock.json"
sed -i 's/2\.1\.3/2.1.2/' "$work_dir/workspace/package.json"
run build nodejs
holds "other dependencies are installed anew" "$output" "Installed 1 package"
equal "the other version is there" 2.1.2 \
    "$(sed -n 's/.*"version": "\(.*\)".*/\1/p' "$layers/node_modules/ms/package.json")"

# From nothing, at the same place: the same bytes.
forget_layers
use_app "$apps_dir/node-hello"
run build nodejs
equal "a build without a cache gives the same image" "$first" "$(image_hash)"

# A build script that fails.
keep_only_cached
use_app "$apps_dir/node-broken"
run build nodejs NPM_CONFIG_REGISTRY="$closed_port"
equal "a failing build script fails the build" 1 "$status"
holds "its output is shown" "$output" "pages/about.md:7: this page links to /missing"
holds "the failure is named" "$output" "ERROR: the build script of package.json failed (exit 3)"

# Development packages are there for the build script, and not in the image; a script of the
# build may change packages without that lasting.
keep_only_cached
use_app "$apps_dir/node-hello"
cat >"$work_dir/workspace/package.json" <<'JSON'
{
  "name": "built", "version": "1.0.0", "type": "module",
  "scripts": {
    "build": "node build.js && wrap-nothing-here 2>/dev/null || echo built > node_modules/ms/note",
    "start": "NAME=x node server.js \"$PORT\""
  },
  "dependencies": {"ms": "2.1.3"},
  "devDependencies": {"isarray": "2.0.5"}
}
JSON
cat >"$work_dir/workspace/build.js" <<'JS'
import fs from 'node:fs';
import isArray from 'isarray';
fs.writeFileSync('out.txt', `${isArray([])} ${fs.existsSync('node_modules/ms/note')}\n`);
JS
rm "$work_dir/workspace/package-lock.json"
cp -a "$work_dir/workspace" "$work_dir/built"
run build nodejs
equal "an app with a build script builds" 0 "$status"
holds "a missing lock file is told" "$output" "WARNING: no package-lock.json"
equal "the build script found development packages" "true false" \
    "$(cat "$work_dir/workspace/out.txt")"
equal "they are not in the image" "ms" "$(ls "$layers/node_modules")"
equal "what the script did to packages is in the image" built \
    "$(cat "$layers/node_modules/ms/note")"
holds "a start script for a shell is given to bash" "$(cat "$layers/launch.toml")" \
    'command = ["bash", "-c", "NAME=x node server.js \"$PORT\""]'
first=$(image_hash)
keep_only_cached
use_app "$work_dir/built"
run build nodejs NPM_CONFIG_REGISTRY="$closed_port"
equal "it builds again without the network" 0 "$status"
equal "the build script had the packages as installed" "true false" \
    "$(cat "$work_dir/workspace/out.txt")"
equal "it gives the same image again" "$first" "$(image_hash)"

# Packages that are directories of the app.
keep_only_cached
rm -rf "$work_dir/workspace"
mkdir -p "$work_dir/workspace/packages/own"
echo '{"name":"w","version":"1.0.0","workspaces":["packages/*"],"dependencies":{"own":"1.0.0"}}' \
    >"$work_dir/workspace/package.json"
echo '{"name":"own","version":"1.0.0","main":"own.js","dependencies":{"ms":"2.1.3"}}' \
    >"$work_dir/workspace/packages/own/package.json"
echo 'module.exports = require("ms")(1000)' >"$work_dir/workspace/packages/own/own.js"
echo 'console.log(require("own"))' >"$work_dir/workspace/index.js"
run build nodejs
equal "workspaces build" 0 "$status"
equal "workspaces find each other and their packages" 1s \
    "$(cd "$work_dir/workspace" && "$layers/node/bin/node" index.js)"
holds "index.js is started when nothing else is named" "$(cat "$layers/launch.toml")" \
    'command = ["node", "index.js"]'

# What the developer has to put right.
keep_only_cached
use_app "$apps_dir/node-hello"
sed -i 's/"private": true,/"engines": {"node": "1.x"},/' "$work_dir/workspace/package.json"
run build nodejs
holds "a range without releases is told" "$output" \
    'ERROR: no Node.js release for engines.node "1.x"'
use_app "$apps_dir/node-hello"
sed -i 's/"private": true,/"engines": {"node": "twenty"},/' "$work_dir/workspace/package.json"
run build nodejs
holds "text that is no range is told" "$output" "ERROR: engines.node in package.json: 'twenty'"
use_app "$apps_dir/node-hello"
echo '{' >"$work_dir/workspace/package.json"
run build nodejs
holds "broken JSON is told" "$output" "ERROR: package.json is not valid JSON"
use_app "$apps_dir/node-hello"
sed -i 's/sha512-./sha512-0/' "$work_dir/workspace/package-lock.json"
rm -rf "$layers/npm-cache" "$layers/npm-cache.toml" "$layers/node_modules.toml"
run build nodejs npm_config_fetch_retries=0
equal "a package with other bytes than locked fails the build" 1 "$status"
holds "and npm says why" "$output" EINTEGRITY

finish
