# The layer `node`: Node.js and npm, at build and at run time; and `node_headers`, which only
# native extensions need, and only while they are compiled.

provide_node() {
    local arch
    arch=$(node_arch)
    if node_layer_fits "$arch"; then
        node_version=$(layer_value node version)
        npm_version=$(layer_value node npm)
        say "Node.js $node_version (from the cache)"
    else
        install_node "$arch"
    fi
    write_layer node launch,build,cache version "$node_version" npm "$npm_version" \
        arch "$arch" wanted "$fact_node" wanted_npm "$(npm_wanted)"
    write_layer node_headers cache
    write_node_environment
    PATH=$(layer_dir node)/bin:$PATH
    npm_config_nodedir=$(layer_dir node_headers)
    export PATH npm_config_nodedir
}

node_arch() {
    local machine=${CNB_TARGET_ARCH:-$(uname -m)}
    case $machine in
    amd64 | x86_64) echo x64 ;;
    arm64 | aarch64) echo arm64 ;;
    *) fail "there is no Node.js package for the architecture $machine" ;;
    esac
}

# Without a network look-up: a Node.js that is here and within the range is kept, though a newer
# one may have been released. An app that names no range is given the newest LTS once.
node_layer_fits() {
    local here
    here=$(layer_value node version)
    [[ -n $here && -x $(layer_dir node)/bin/node && -d $(layer_dir node_headers)/include ]] &&
        [[ $(layer_value node arch) == "$1" ]] &&
        [[ $(layer_value node wanted_npm) == "$(npm_wanted)" ]] &&
        if [[ -z $fact_node ]]; then
            [[ -z $(layer_value node wanted) ]]
        else
            helper npm_registry.py satisfies "$fact_node" "$here"
        fi
}

install_node() {
    local arch=$1 answer note node_dir headers_dir npm_hash=
    clear_layer node
    clear_layer node_headers
    node_dir=$(layer_dir node)
    headers_dir=$(layer_dir node_headers)

    answer=$(helper npm_registry.py node "$fact_node" "$arch" "$scratch_dir/node.tgz") || exit 1
    read -r node_version note <<<"$answer"
    unpack_package "$scratch_dir/node.tgz" "$scratch_dir/node"
    [[ -x $scratch_dir/node/bin/node ]] ||
        fail "the registry's package of Node.js $node_version has no bin/node" \
            "Ask for a newer Node.js in engines.node of package.json."
    mkdir -p "$node_dir/bin" "$node_dir/lib/node_modules"
    mv "$scratch_dir/node/bin/node" "$node_dir/bin/"
    mv "$scratch_dir/node/LICENSE" "$node_dir/"
    mv "$scratch_dir/node/include" "$headers_dir/"

    if [[ $fact_manager == npm ]]; then npm_hash=$fact_manager_hash; fi
    npm_version=$(helper npm_registry.py tool npm "$(npm_range)" "$node_version" \
        "$scratch_dir/npm.tgz" "$npm_hash") || exit 1
    unpack_package "$scratch_dir/npm.tgz" "$node_dir/lib/node_modules/npm"
    rm -rf "$node_dir"/lib/node_modules/npm/{docs,man}
    ln -s ../lib/node_modules/npm/bin/npm-cli.js "$node_dir/bin/npm"
    ln -s ../lib/node_modules/npm/bin/npx-cli.js "$node_dir/bin/npx"
    say_node_version "$note"
}

say_node_version() {
    local why="newest release for engines.node \"$fact_node\""
    if [[ -z $fact_node ]]; then
        why="newest LTS; set engines.node in package.json to choose another"
    elif [[ $1 == lts ]]; then
        why="newest LTS for engines.node \"$fact_node\""
    fi
    say "Node.js $node_version ($why)"
}

npm_wanted() {
    if [[ $fact_manager == npm && -n $fact_manager_hash ]]; then
        echo "$fact_npm+$fact_manager_hash"
    else
        echo "$fact_npm"
    fi
}

# The line of npm that Node.js itself ships with that release: a newer npm would be a surprise.
npm_range() {
    local major=${node_version%%.*}
    if [[ -n $fact_npm ]]; then
        echo "$fact_npm"
    elif ((major < 16)); then
        echo 6.x
    elif ((major < 18)); then
        echo 8.x
    elif ((major < 24)); then
        echo 10.x
    else
        echo 11.x
    fi
}

# unpack_package FILE DIR: an npm package without its first folder, whatever that is called, and
# with sane access bits, which some packages lack.
unpack_package() {
    mkdir -p "$2"
    tar --extract --gzip --file "$1" --directory "$2" --strip-components=1 \
        --no-same-owner --no-same-permissions
    chmod -R u+rwX,go+rX,go-w "$2"
    rm -f "$1"
}

write_node_environment() {
    local dir
    dir=$(layer_dir node)/env.launch
    rm -rf "$dir"
    mkdir -p "$dir"
    printf production >"$dir/NODE_ENV.default"
    # Lets a Procfile name the commands of packages, as scripts of package.json can.
    local bins=$app_dir/node_modules/.bin
    if [[ $fact_workspace != . ]]; then bins=$app_dir/$fact_workspace/node_modules/.bin:$bins; fi
    printf '%s' "$bins" >"$dir/PATH.append"
    printf ':' >"$dir/PATH.delim"
}
