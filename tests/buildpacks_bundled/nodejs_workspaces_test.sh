#!/usr/bin/env bash
# The nodejs buildpack with workspaces: kept from build to build, whichever package manager they
# belong to, and one of them chosen to be started.
source "$(dirname "${BASH_SOURCE[0]}")/support.sh"
need_npm_registry

layers=$work_dir/layers
offline=(NPM_CONFIG_REGISTRY="$closed_port" npm_config_registry="$closed_port"
    HTTPS_PROXY="$closed_port" HTTP_PROXY="$closed_port")
app=$work_dir/app

# write_app PROTOCOL: packages/web needs packages/words, which a build makes.
write_app() {
    rm -rf "$app"
    mkdir -p "$app/packages/words" "$app/packages/web"
    cat >"$app/package.json" <<'JSON'
{
  "name": "root", "version": "1.0.0", "private": true, "license": "MIT",
  "workspaces": ["packages/*"]
}
JSON
    cat >"$app/packages/words/package.json" <<'JSON'
{
  "name": "@own/words", "version": "1.0.0", "license": "MIT", "main": "words.js",
  "dependencies": {"ms": "2.1.3"}
}
JSON
    echo 'module.exports = require("ms")(1000)' >"$app/packages/words/words.js"
    cat >"$app/packages/web/package.json" <<JSON
{
  "name": "@own/web", "version": "1.0.0", "license": "MIT",
  "scripts": {"build": "node build.js", "start": "node web.js"},
  "dependencies": {"@own/words": "${1}1.0.0"},
  "devDependencies": {"isarray": "2.0.5"}
}
JSON
    echo 'require("fs").writeFileSync("built.txt", typeof require("isarray"))' \
        >"$app/packages/web/build.js"
    echo 'console.log(require("fs").readFileSync("built.txt", "utf8"), require("@own/words"))' \
        >"$app/packages/web/web.js"
}

started() {
    (cd "$work_dir/workspace/packages/web" &&
        NODE_OPTIONS=$(cat "$layers/node/env.launch/NODE_OPTIONS.prepend" 2>/dev/null || true) \
            "$layers/node/bin/node" web.js 2>&1)
}

# keeps MANAGER: builds, and builds again from what it kept, without a network. The layers of the
# manager before it are there, as for an app that changes its manager; Node.js is fetched once.
keeps() {
    local manager=$1 first
    keep_only_cached
    use_app "$app"
    run build nodejs WORKSPACE=@own/web
    equal "$manager: workspaces build" 0 "$status"
    ((status == 0)) || printf '%s\n' "$output"
    holds "$manager: the packages are installed" "$output" "Installed "
    equal "$manager: the chosen one is built, and finds the other" "function 1s" "$(started)"
    equal "$manager: development packages are not in the image" "" \
        "$(find "$work_dir/workspace" -name 'isarray*' -print -quit)"
    holds "$manager: it is started in its own directory" "$(cat "$layers/launch.toml")" \
        "working-dir = \"$work_dir/workspace/packages/web\""
    first=$(image_hash)
    keep_only_cached
    use_app "$app"
    run build nodejs WORKSPACE=packages/web "${offline[@]}"
    equal "$manager: they build again without the network" 0 "$status"
    holds "$manager: nothing is installed again" "$output" "from the cache: nothing they depend on"
    equal "$manager: the image is the same again" "$first" "$(image_hash)"
}

write_app ''
keeps npm
# A change in one of the packages is seen.
keep_only_cached
use_app "$app"
sed -i 's/2\.1\.3/2.1.2/' "$work_dir/workspace/packages/words/package.json"
run build nodejs WORKSPACE=packages/web
holds "another dependency of one workspace installs anew" "$output" "Installed "
lacks "and nothing old is used" "$output" "nothing they depend on"

keep_only_cached
use_app "$app"
run build nodejs WORKSPACE=packages/nothing
equal "a WORKSPACE that is not there is refused" 1 "$status"
holds "with those that are" "$output" "packages/web, packages/words"

# A workspace with a script for installation may do anything, so it is installed each time.
write_app ''
sed -i 's/"scripts": {/"scripts": {"postinstall": "node post.js", /' "$app/packages/web/package.json"
echo 'require("fs").writeFileSync("post.txt", "")' >"$app/packages/web/post.js"
for _ in first second; do
    use_app "$app"
    run build nodejs WORKSPACE=packages/web
    keep_only_cached
done
lacks "scripts for installation run each time" "$output" "nothing they depend on"
equal "and leave their files" yes \
    "$([[ -f $work_dir/workspace/packages/web/post.txt ]] && echo yes)"

write_app ''
sed -i 's/"license"/"packageManager": "yarn@1.22.22", "license"/' "$app/package.json"
keeps 'Yarn 1'

write_app 'workspace:'
sed -i 's/"license"/"packageManager": "pnpm@10.4.1", "license"/' "$app/package.json"
printf 'packages:\n  - packages/*\n' >"$app/pnpm-workspace.yaml"
keeps 'pnpm 10'
sed -i 's/10\.4\.1/12.21.0/' "$app/package.json"
keeps 'pnpm 12'

write_app 'workspace:'
sed -i 's/"license"/"packageManager": "yarn@4.18.1", "license"/' "$app/package.json"
keeps 'Yarn 4 with Plug'\''n'\''Play'
echo 'nodeLinker: node-modules' >"$app/.yarnrc.yml"
keeps 'Yarn 4 with node_modules'

finish
