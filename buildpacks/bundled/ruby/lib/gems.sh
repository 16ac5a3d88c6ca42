# The layer `gems`: what Bundler installs. `downloads` keeps the gem files between builds.

provide_gems() {
    local key
    write_bundle_settings
    if [[ $system_gems == yes ]]; then
        install_gems
        write_gems_environment
        write_layer gems launch,build
        say "Uses the gems of Debian packages"
        return 0
    fi
    key=$(gems_key)
    if [[ -f Gemfile.lock && $(layer_value gems key) == "$key" ]]; then
        say "Using $(gems "$(layer_value gems count)") from the cache: the bundle is unchanged"
    else
        clear_gems
        install_gems
        remove_traces
        say "Installed $(gems "$(count_gems)")"
    fi
    write_gems_environment
    write_layer gems launch,build,cache key "$key" count "$(count_gems)"
}

# Of the app's own settings all but where and how gems are installed, which is decided here.
write_bundle_settings() {
    export BUNDLE_USER_HOME=$scratch_dir/bundle BUNDLE_APP_CONFIG=$scratch_dir/settings
    mkdir -p "$BUNDLE_USER_HOME" "$BUNDLE_APP_CONFIG"
    : >"$BUNDLE_APP_CONFIG/config"
    system_gems=no
    if [[ -f .bundle/config ]]; then
        grep -vE '^BUNDLE_(PATH|DEPLOYMENT|FROZEN|BIN|APP_CONFIG|GEMFILE|JOBS)\b' .bundle/config \
            >"$BUNDLE_APP_CONFIG/config" || true
    fi
    # Bundler writes into the directory as it goes.
    cp "$BUNDLE_APP_CONFIG/config" "$scratch_dir/own-settings"
    if [[ ${BUNDLE_PATH__SYSTEM:-} == true ]] ||
        grep -qE '^BUNDLE_PATH__SYSTEM: "?true' "$BUNDLE_APP_CONFIG/config"; then
        system_gems=yes
        GEM_HOME=$(layer_dir gems) # Bundler wants to be able to write there
        export BUNDLE_PATH__SYSTEM=true GEM_HOME
    else
        BUNDLE_PATH=$(layer_dir gems)
        export BUNDLE_PATH
    fi
    unset BUNDLE_DEPLOYMENT BUNDLE_FROZEN
    if [[ -f Gemfile.lock && $system_gems == no ]]; then export BUNDLE_DEPLOYMENT=true; fi
    if ! grep -q '^BUNDLE_WITHOUT:' "$BUNDLE_APP_CONFIG/config"; then
        export BUNDLE_WITHOUT=${BUNDLE_WITHOUT-development:test}
    fi
}

# What the gems depend on. BUNDLE_* are settings such as groups and compiler options; values of
# mirrors and passwords do not change what is installed, but a hash tells nobody about them.
gems_key() {
    {
        printf '%s\n' "$ruby_version" "$bundler_version" "$(layer_dir gems)" "$DEBIAN_PACKAGES_DIR"
        cat Gemfile Gemfile.lock "$BUNDLE_APP_CONFIG/config" 2>/dev/null || true
        env | grep '^BUNDLE_' | grep -vE '^BUNDLE_(APP_CONFIG|USER_HOME|MIRROR__.*)=' | sort
        if [[ -d vendor/cache ]]; then find vendor/cache -type f -print0 | sort -z | xargs -0r sha256sum; fi
    } | sha256sum | cut -d ' ' -f 1
}

clear_gems() {
    clear_layer gems
    mkdir -p "$(layer_dir downloads)"
    write_layer downloads cache
}

run_bundle() {
    local settings=(BUNDLE_USER_CACHE="$(layer_dir downloads)" BUNDLE_GLOBAL_GEM_CACHE=true
        BUNDLE_DISABLE_VERSION_CHECK=true BUNDLE_SILENCE_ROOT_WARNING=true)
    if [[ -n ${SLIPWAY_RUBYGEMS_MIRROR:-} ]]; then
        settings+=("BUNDLE_MIRROR__HTTPS://RUBYGEMS__ORG/=$SLIPWAY_RUBYGEMS_MIRROR")
    fi
    env "${settings[@]}" bundle "$@"
}

install_gems() {
    local status=0 how=()
    if [[ $system_gems == yes ]]; then
        clear_layer gems
        how=(--local)
    elif [[ ! -f Gemfile.lock ]]; then
        warn "no Gemfile.lock: other gems may be installed tomorrow; commit the one that" \
            "'bundle lock' makes"
    fi
    if [[ -d vendor/cache ]]; then how=(--local); fi
    run_bundle install --quiet --jobs 4 --retry 2 "${how[@]}" || status=$?
    ((status == 0)) || fail "Bundler could not install the gems (exit $status); its own words are above" \
        "Headers of a C library that a gem needs are Debian packages: name them in an Aptfile."
}

# Of the download and the compilation nothing is of use later, and logs hold times.
remove_traces() {
    local dir
    for dir in "$(layer_dir gems)"/ruby/*; do
        rm -rf "$dir/cache" "$dir"/extensions/*/*/*/{gem_make.out,mkmf.log}
        find "$dir/gems" -path '*/ext/*' \( -name '*.o' -o -name mkmf.log -o -name Makefile \) \
            -delete 2>/dev/null || true
    done
}

write_gems_environment() {
    local name
    mkdir -p "$(layer_dir gems)/settings"
    cp "$scratch_dir/own-settings" "$(layer_dir gems)/settings/config"
    set_variable gems env BUNDLE_APP_CONFIG override "$(layer_dir gems)/settings"
    for name in BUNDLE_PATH BUNDLE_PATH__SYSTEM BUNDLE_WITHOUT BUNDLE_DEPLOYMENT; do
        if [[ -n ${!name:-} ]]; then set_variable gems env "$name" default "${!name}"; fi
    done
}

gems() {
    if [[ $1 == 1 ]]; then echo "1 gem"; else echo "$1 gems"; fi
}

count_gems() {
    find "$(layer_dir gems)"/ruby/*/specifications -maxdepth 1 -name '*.gemspec' 2>/dev/null | wc -l
}
