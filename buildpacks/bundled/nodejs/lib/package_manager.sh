# The package manager that the lock file belongs to, its layer, and one function for each thing
# it is asked to do. npm comes with the layer `node`; yarn and pnpm have layers of their own.

provide_package_manager() {
    download_cache=$(layer_dir "$fact_manager-cache")
    mkdir -p "$download_cache"
    write_layer "$fact_manager-cache" cache
    quieten_package_managers

    case $fact_manager in
    npm) manager_version=$npm_version ;;
    yarn | pnpm) provide_tool "$fact_manager" ;;
    esac
}

# Nothing is sent to the registry but requests for packages, nothing noisy is printed, and no tool
# replaces itself by another version of itself.
quieten_package_managers() {
    export npm_config_cache=$download_cache npm_config_logs_max=0
    export npm_config_audit=false npm_config_fund=false npm_config_update_notifier=false
    export npm_config_progress=false
    # npm's own pauses between tries are 10 and 60 seconds.
    export npm_config_fetch_retry_mintimeout=${npm_config_fetch_retry_mintimeout:-1000}
    export npm_config_fetch_retry_maxtimeout=${npm_config_fetch_retry_maxtimeout:-10000}
    export npm_config_loglevel=${NPM_CONFIG_LOGLEVEL:-${npm_config_loglevel:-error}}
    # pnpm reads the first prefix up to 10, the second from 11 on.
    if [[ $fact_manager == pnpm ]]; then
        local prefix
        for prefix in npm_config pnpm_config; do
            export "${prefix}_manage_package_manager_versions=false"
            export "${prefix}_store_dir=$download_cache/store"
            export "${prefix}_cache_dir=$download_cache/metadata"
            export "${prefix}_package_import_method=copy"
        done
    fi
    export YARN_CACHE_FOLDER=$download_cache
}

# provide_tool NAME: the version that packageManager names, or the newest of the line that reads
# the lock file and runs on this Node.js.
provide_tool() {
    local name=$1 wanted=$fact_manager_version dir
    dir=$(layer_dir "$name")
    manager_version=$(layer_value "$name" version)
    if [[ -z $manager_version || $(layer_value "$name" wanted) != "$wanted" ||
        $(layer_value "$name" node) != "$node_version" ]]; then
        clear_layer "$name"
        manager_version=$(helper npm_registry.py tool "$name" "$wanted" "$node_version" \
            "$scratch_dir/tool.tgz") || exit 1
        unpack_package "$scratch_dir/tool.tgz" "$dir/lib/$name"
        mkdir -p "$dir/bin"
        link_tool "$name" "$dir"
    fi
    write_layer "$name" launch,build,cache version "$manager_version" wanted "$wanted" \
        node "$node_version"
    export PATH=$dir/bin:$PATH
}

link_tool() {
    local name=$1 dir=$2 script
    for script in "bin/$name.js" "bin/$name.cjs" "bin/$name.mjs"; do
        if [[ -f $dir/lib/$name/$script ]]; then
            chmod +x "$dir/lib/$name/$script"
            ln -s "../lib/$name/$script" "$dir/bin/$name"
            return 0
        fi
    done
    fail "the package of $name $manager_version has no bin/$name.js"
}

# Summaries are ours to give; errors come on standard error, and the output of the app's own
# scripts is worth reading.
short() {
    if [[ $fact_root_scripts == yes ]]; then "$@"; else "$@" >/dev/null; fi
}

# CI=true, without which pnpm asks before it removes anything, is for these calls alone: to some
# build scripts it means that warnings are errors.
#
# manager_install all|production: fills node_modules of the current directory, exactly as the lock
# file says. What was downloaded before is used without asking the registry again.
manager_install() {
    local which=$1 options=()
    case $fact_manager in
    npm)
        if [[ $which == all ]]; then options=(--include=dev); else options=(--omit=dev); fi
        if [[ -n $fact_lock_file ]]; then
            short npm ci --prefer-offline "${options[@]}"
        else
            short npm install --no-package-lock --prefer-offline "${options[@]}"
        fi
        ;;
    yarn)
        if [[ $which == all ]]; then options=(--production=false); else options=(--production); fi
        yarn_install "${options[@]}"
        ;;
    pnpm)
        if [[ $which == production ]]; then options=(--prod); else options=(--prod=false); fi
        CI=true pnpm install --frozen-lockfile --prefer-offline --reporter=append-only \
            "${options[@]}"
        ;;
    esac
}

# Yarn 1 is no longer changed, so newer Node.js has warnings about it that nobody can act on.
yarn_install() {
    NODE_NO_WARNINGS=1 short yarn install --frozen-lockfile --prefer-offline --non-interactive \
        --no-progress --silent "$@"
}

# Takes away what only building needs, without running any script again.
manager_prune() {
    case $fact_manager in
    npm)
        if [[ -n $fact_lock_file ]]; then
            short npm prune --omit=dev --ignore-scripts --prefer-offline
        else
            short npm prune --omit=dev --ignore-scripts --prefer-offline --no-package-lock
        fi
        ;;
    yarn) yarn_install --production --ignore-scripts ;;
    pnpm) CI=true pnpm prune --prod --ignore-scripts ;;
    esac
}

manager_run() {
    "$fact_manager" run "$1"
}
