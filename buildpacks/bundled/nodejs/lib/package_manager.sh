# The package manager that the lock file belongs to, its layer, and one function for each thing
# it is asked to do. npm comes with the layer `node`; yarn and pnpm have layers of their own.
# manager_kind is npm, pnpm, classic (Yarn 1) or berry (Yarn 2 and newer).

provide_package_manager() {
    manager_kind=$fact_manager
    if [[ $fact_manager == yarn ]]; then
        if [[ -n $fact_linker ]]; then manager_kind=berry; else manager_kind=classic; fi
    fi
    download_cache=$(layer_dir "$fact_manager-cache")
    mkdir -p "$download_cache"
    write_layer "$fact_manager-cache" cache
    quieten_package_managers

    case $fact_manager in
    npm) manager_version=$npm_version ;;
    yarn | pnpm) provide_tool "$fact_manager" ;;
    esac
    if [[ $manager_kind == berry ]]; then provide_berry; fi
}

# Nothing is sent to the registry but requests for packages, nothing noisy is printed, and no tool
# replaces itself by another version of itself.
quieten_package_managers() {
    export npm_config_cache=$download_cache npm_config_logs_max=0
    export npm_config_audit=false npm_config_fund=false npm_config_update_notifier=false
    export npm_config_progress=false
    # npm's and pnpm's own pauses between tries are 10 and 60 seconds.
    export npm_config_fetch_retry_mintimeout=${npm_config_fetch_retry_mintimeout:-1000}
    export npm_config_fetch_retry_maxtimeout=${npm_config_fetch_retry_maxtimeout:-10000}
    export npm_config_loglevel=${NPM_CONFIG_LOGLEVEL:-${npm_config_loglevel:-error}}
    # pnpm reads the first prefix up to 10, the second from 11 on.
    if [[ $fact_manager == pnpm ]]; then
        local prefix
        for prefix in npm_config pnpm_config; do
            export "${prefix}_manage_package_manager_versions=false"
            export "${prefix}_pm_on_fail=ignore"
            export "${prefix}_store_dir=$download_cache/store"
            export "${prefix}_cache_dir=$download_cache/metadata"
            export "${prefix}_package_import_method=copy"
            # What nothing needs any more goes at once, not after a week.
            export "${prefix}_modules_cache_max_age=0"
            export "${prefix}_fetch_retry_mintimeout=$npm_config_fetch_retry_mintimeout"
            export "${prefix}_fetch_retry_maxtimeout=$npm_config_fetch_retry_maxtimeout"
        done
    fi
    case $manager_kind in
    classic) export YARN_CACHE_FOLDER=$download_cache ;;
    berry) berry_settings ;;
    esac
}

# provide_tool NAME: the version that packageManager names, or the newest of the line that reads
# the lock file and runs on this Node.js.
provide_tool() {
    local name=$1 wanted=$fact_manager_version dir
    dir=$(layer_dir "$name")
    manager_version=$(layer_value "$name" version)
    if [[ -z $manager_version || $(layer_value "$name" wanted) != "$wanted" ||
        $(layer_value "$name" hash) != "$fact_manager_hash" ||
        $(layer_value "$name" node) != "$node_version" ]]; then
        clear_layer "$name"
        manager_version=$(helper npm_registry.py tool "$name" "$wanted" "$node_version" \
            "$scratch_dir/tool.tgz" "$fact_manager_hash") || exit 1
        unpack_package "$scratch_dir/tool.tgz" "$dir/lib/$name"
        mkdir -p "$dir/bin"
        if [[ $name == pnpm ]] && ((${manager_version%%.*} >= 12)); then
            link_native_pnpm "$dir"
        else
            link_tool "$name" "$dir"
        fi
    fi
    write_layer "$name" launch,build,cache version "$manager_version" wanted "$wanted" \
        node "$node_version" hash "$fact_manager_hash"
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

# From 12 on, pnpm is a native program in a package of its own, which takes the place of a file that
# only says so.
link_native_pnpm() {
    local dir=$1 arch
    arch=$(node_arch)
    helper npm_registry.py tool "@pnpm/exe.linux-$arch" "$manager_version" "$node_version" \
        "$scratch_dir/native.tgz" "" >/dev/null || exit 1
    unpack_package "$scratch_dir/native.tgz" "$scratch_dir/native"
    mv -f "$scratch_dir/native/pnpm" "$dir/lib/pnpm/pnpm"
    chmod 0755 "$dir/lib/pnpm/pnpm"
    ln -s ../lib/pnpm/pnpm "$dir/bin/pnpm"
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
    case $manager_kind in
    npm)
        if [[ $which == all ]]; then options=(--include=dev); else options=(--omit=dev); fi
        if [[ -n $fact_lock_file ]]; then
            short npm ci --prefer-offline "${options[@]}"
        else
            short npm install --no-package-lock --prefer-offline "${options[@]}"
        fi
        ;;
    classic)
        if [[ $which == all ]]; then options=(--production=false); else options=(--production); fi
        yarn_install "${options[@]}"
        ;;
    berry) berry_install "$which" ;;
    pnpm)
        if [[ $which == production ]]; then options=(--prod); else options=(--prod=false); fi
        pnpm_install "${options[@]}"
        ;;
    esac
}

pnpm_install() {
    local options=("$@")
    if [[ -n $fact_lock_file ]]; then
        options+=(--frozen-lockfile)
    else
        options+=(--no-lockfile)
    fi
    CI=true pnpm install --prefer-offline --reporter=append-only "${options[@]}"
}

# Yarn 1 is no longer changed, so newer Node.js has warnings about it that nobody can act on.
yarn_install() {
    local lock=--frozen-lockfile
    if [[ -z $fact_lock_file ]]; then lock=--no-lockfile; fi
    NODE_NO_WARNINGS=1 short yarn install "$lock" --prefer-offline --non-interactive \
        --no-progress --silent "$@"
}

# Takes away what only building needs, without running any script again.
manager_prune() {
    case $manager_kind in
    npm)
        if [[ -n $fact_lock_file ]]; then
            short npm prune --omit=dev --ignore-scripts --prefer-offline
        else
            short npm prune --omit=dev --ignore-scripts --prefer-offline --no-package-lock
        fi
        ;;
    classic) yarn_install --production --ignore-scripts ;;
    berry) berry_prune ;;
    pnpm) pnpm_prune ;;
    esac
}

# Before 11, `pnpm prune` knows nothing of workspaces and breaks them. Native packages that were
# compiled are in pnpm's store as they became.
pnpm_prune() {
    local options=(--prod)
    if [[ $fact_in_place == no ]]; then
        CI=true pnpm prune --prod --ignore-scripts
        return
    fi
    if [[ $fact_root_scripts == yes ]]; then options+=(--ignore-scripts); fi
    pnpm_install "${options[@]}"
}

manager_run() {
    "$fact_manager" run "$1"
}

# manager_exec COMMAND ARGUMENT...: a command that a package brings.
manager_exec() {
    if [[ $fact_linker == pnp ]]; then
        yarn "$@"
    else
        PATH=$PWD/node_modules/.bin:$app_dir/node_modules/.bin:$PATH "$@"
    fi
}
