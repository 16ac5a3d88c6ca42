#!/usr/bin/env bash
# The nodejs buildpack with the lock files of yarn and pnpm.
source "$(dirname "${BASH_SOURCE[0]}")/support.sh"
need_npm_registry

layers=$work_dir/layers
ms=sha512-6FlzubTLZG3J2a/NVCAleEhjzq5oxgHyaCU9yYXvcLsvoVaHJq/s5xXI6/XXP6tz7R9xAOtHnSO/tXtF3WRTlA==
isarray=sha512-xHjhDr3cNBK0BzdUJSPXZntQUx/mwMS5Rw4A7lPJ90XGAO6ISP/ePDNuo0vhqOZU+UD5JoodwCAAoZQd3FeAKw==
registry=${NPM_CONFIG_REGISTRY:-https://registry.npmjs.org}

app=$work_dir/app
mkdir -p "$app"
cat >"$app/package.json" <<'JSON'
{
  "name": "locked", "version": "1.0.0", "license": "MIT", "main": "main.js",
  "scripts": {"build": "node build.js"},
  "dependencies": {"ms": "2.1.3"},
  "devDependencies": {"isarray": "2.0.5"}
}
JSON
echo 'console.log("isarray is", typeof require("isarray"))' >"$app/build.js"
echo 'console.log(require("ms")(1000))' >"$app/main.js"

# builds_twice MANAGER LOCK_FILE: and gives the same both times, the second time without network.
builds_twice() {
    local manager=$1 lock_file=$2 first
    forget_layers
    use_app "$app"
    run build nodejs
    equal "$manager: builds" 0 "$status"
    holds "$manager: the packages are counted" "$output" \
        "Installed 2 packages from $lock_file ($manager "
    holds "$manager: the build script finds development packages" "$output" "isarray is function"
    equal "$manager: development packages are not in the image" ms "$(ls "$layers/node_modules")"
    equal "$manager: the app finds its package" 1s \
        "$(cd "$work_dir/workspace" && "$layers/node/bin/node" main.js)"
    holds "$manager: the main file is the web process" "$(cat "$layers/launch.toml")" \
        'command = ["node", "main.js"]'
    first=$(image_hash)
    keep_only_cached
    use_app "$app"
    run build nodejs NPM_CONFIG_REGISTRY="$closed_port" npm_config_registry="$closed_port" \
        YARN_REGISTRY="$closed_port" HTTPS_PROXY="$closed_port" HTTP_PROXY="$closed_port"
    equal "$manager: builds again without the network" 0 "$status"
    equal "$manager: gives the same image again" "$first" "$(image_hash)"
}

cat >"$app/yarn.lock" <<LOCK
# yarn lockfile v1


isarray@2.0.5:
  version "2.0.5"
  resolved "$registry/isarray/-/isarray-2.0.5.tgz"
  integrity $isarray

ms@2.1.3:
  version "2.1.3"
  resolved "$registry/ms/-/ms-2.1.3.tgz"
  integrity $ms
LOCK
builds_twice yarn yarn.lock

printf '__metadata:\n  version: 8\n' >"$app/yarn.lock"
sed -i '1i # This file is generated' "$app/yarn.lock"
use_app "$app"
run build nodejs
equal "a lock file of a newer Yarn is refused" 1 "$status"
holds "and the way out is told" "$output" "ERROR: this yarn.lock belongs to Yarn 2 or newer"
rm "$app/yarn.lock"

cat >"$app/pnpm-lock.yaml" <<LOCK
lockfileVersion: '9.0'

settings:
  autoInstallPeers: true
  excludeLinksFromLockfile: false

importers:

  .:
    dependencies:
      ms:
        specifier: 2.1.3
        version: 2.1.3
    devDependencies:
      isarray:
        specifier: 2.0.5
        version: 2.0.5

packages:

  isarray@2.0.5:
    resolution: {integrity: $isarray}

  ms@2.1.3:
    resolution: {integrity: $ms}

snapshots:

  isarray@2.0.5: {}

  ms@2.1.3: {}
LOCK
builds_twice pnpm pnpm-lock.yaml

# packageManager names the version, and which of several lock files counts.
sed -i 's/"license"/"packageManager": "pnpm@9.15.0", "license"/' "$app/package.json"
cp "$apps_dir/node-hello/package-lock.json" "$app/"
keep_only_cached
use_app "$app"
run build nodejs
holds "packageManager decides" "$output" "from pnpm-lock.yaml (pnpm 9.15.0)"
holds "the other lock file is mentioned" "$output" "not package-lock.json"

finish
