# Yarn 2 and newer: settings, installation, and what Plug'n'Play needs at run time.

# Yarn reads none of npm's settings, so the registry is handed on.
berry_settings() {
    local registry=${NPM_CONFIG_REGISTRY:-${npm_config_registry:-}}
    export YARN_GLOBAL_FOLDER=$download_cache YARN_ENABLE_TELEMETRY=0
    export YARN_ENABLE_PROGRESS_BARS=false YARN_ENABLE_COLORS=false YARN_ENABLE_HYPERLINKS=false
    if [[ -n $registry ]]; then
        export YARN_NPM_REGISTRY_SERVER=${YARN_NPM_REGISTRY_SERVER:-$registry}
        if [[ $registry == http://* ]]; then
            registry=${registry#http://}
            export YARN_UNSAFE_HTTP_WHITELIST=${YARN_UNSAFE_HTTP_WHITELIST:-${registry%%[:/]*}}
        fi
    fi
    # Archives that the program reads at run time have to be in the app.
    if [[ $fact_linker == pnp ]]; then
        export YARN_ENABLE_GLOBAL_CACHE=false
    else
        export YARN_ENABLE_GLOBAL_CACHE=true
    fi
}

# yarnPath of .yarnrc.yml may name a Yarn in the app, to which every other one hands over.
provide_berry() {
    local folder
    manager_version=$(yarn --version) || fail "yarn $manager_version does not start" \
        "Check yarnPath in .yarnrc.yml, and packageManager in package.json."
    yarn_cache=
    [[ $fact_linker == pnp ]] || return 0
    folder=$(yarn config get cacheFolder) || fail "yarn could not read .yarnrc.yml"
    [[ $folder == "$app_dir"/* ]] || fail "cacheFolder in .yarnrc.yml leads out of the app: $folder" \
        "Leave it out; what Plug'n'Play runs has to be in the app."
    yarn_cache=${folder#"$app_dir"/}
}

# Yarn has one stream for progress and errors; it is worth reading when something went wrong.
berry() {
    local status=0
    keep_manifests
    if [[ $fact_root_scripts == yes ]]; then
        yarn "$@" || status=$?
    else
        yarn "$@" >"$scratch_dir/yarn.log" 2>&1 || status=$?
        if ((status != 0)); then cat "$scratch_dir/yarn.log"; fi
    fi
    return_manifests
    return "$status"
}

# Yarn lays out the package.json of each workspace anew when it writes a lock file, and writes itself
# into the first one. They are the app's: with packages from the cache they stay as they are, so they
# do after an installation.
keep_manifests() {
    find . '(' -name .git -o -name .yarn -o -name node_modules ')' -prune -o \
        -name package.json -type f -print0 |
        tar --create --null --files-from=- --file "$scratch_dir/manifests.tar"
}

return_manifests() {
    tar --extract --preserve-permissions --file "$scratch_dir/manifests.tar"
}

# berry_install all|production: only an installation of everything compares the lock file, so
# development packages are taken away afterwards.
berry_install() {
    local lock=--immutable
    if [[ -z $fact_lock_file ]]; then lock=--no-immutable; fi
    berry install "$lock" || return
    if [[ $1 == production ]]; then berry_prune; fi
}

# Yarn 2 and 3 have the command only with a plugin.
can_focus() {
    ((${manager_version%%.*} >= 4)) || yarn workspaces focus --help >/dev/null 2>&1
}

berry_prune() {
    if can_focus; then
        YARN_ENABLE_SCRIPTS=false berry workspaces focus --all --production
    else
        say "Yarn $manager_version keeps development packages; Yarn 4 can remove them"
    fi
}

# Node.js finds packages by what Yarn wrote; which options that takes, Yarn knows.
write_berry_environment() {
    local dir options
    [[ $manager_kind == berry && $fact_linker == pnp && -f .pnp.cjs ]] || return 0
    options=$(yarn node -p 'process.env.NODE_OPTIONS ?? ""') || fail "yarn could not run Node.js"
    dir=$(layer_dir node)/env.launch
    printf '%s' "$options" >"$dir/NODE_OPTIONS.prepend"
    printf ' ' >"$dir/NODE_OPTIONS.delim"
    forget_install_state
}
