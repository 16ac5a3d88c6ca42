# Packages that have to stay in the app's directory: those of workspaces, which point into the app,
# and those of Yarn without node_modules. The layer `installed` (cache only) keeps them as they were
# installed, below the paths they have in the app.

# installed_paths: with \0 behind each. What a build made (`.next`) is no installation.
installed_paths() {
    find . -name .git -prune -o -name .next -prune -o \
        -name node_modules -type d -prune -print0
    find . -maxdepth 1 -name '.pnp.*' -type f -print0
    if [[ $manager_kind == berry ]]; then
        find .yarn -maxdepth 1 '(' -name unplugged -o -name install-state.gz ')' -print0 2>/dev/null ||
            true
        # Without one in the app, Yarn has written one that it goes on needing.
        if [[ -z $fact_lock_file && -f yarn.lock ]]; then printf '%s\0' ./yarn.lock; fi
        if [[ $fact_linker != node-modules && -n ${yarn_cache:-} && -d $yarn_cache ]]; then
            printf '%s\0' "./$yarn_cache"
        fi
    fi
}

remove_installed() {
    find . -name .git -prune -o -name node_modules '(' -type d -o -type l ')' -prune \
        -exec rm -rf '{}' +
}

restore_installed() {
    say "Using the packages of ${fact_lock_file:-package.json} from the cache: nothing they depend on" \
        "has changed"
    cp -a "$(layer_dir installed)/." .
}

save_installed() {
    clear_layer installed
    installed_paths | tar --create --null --files-from=- |
        tar --extract --directory "$(layer_dir installed)"
}

# Notes of package managers for themselves: times, and addresses of the registry.
forget_notes() {
    rm -rf "$1"/{.package-lock.json,.yarn-integrity,.modules.yaml,.cache,.vite,.vite-temp} \
        "$1"/.pnpm-workspace-state*.json
}

# Yarn's own memory of how it went, which differs by what was there before. It can do without.
forget_install_state() {
    if [[ $manager_kind == berry ]]; then rm -f .yarn/install-state.gz; fi
}

# install_in_place all|production
install_in_place() {
    local which=$1 key
    key=$(modules_key "$which")
    if [[ $fact_reusable == no || $fact_root_scripts == yes ]]; then
        install_modules "$which"
        return 0
    fi
    if [[ $(layer_value installed key) == "$key" ]]; then
        restore_installed
    else
        install_modules "$which"
        save_installed
    fi
    write_layer installed cache key "$key"
}

# Leaves in the app what the image needs of it.
finish_in_place() {
    local directory
    if [[ $web_modules == no ]]; then
        installed_paths | xargs -0 -r rm -rf
        return 0
    fi
    if [[ $fact_linker == pnp ]]; then drop_unused_archives; fi
    forget_install_state
    while IFS= read -r -d '' directory; do
        if [[ ${directory##*/} == node_modules ]]; then forget_notes "$directory"; fi
    done < <(installed_paths)
}

# Yarn removes development packages from its map, and leaves their archives.
drop_unused_archives() {
    local archive
    [[ -n ${yarn_cache:-} && -f .pnp.cjs ]] || return 0
    for archive in "$yarn_cache"/*.zip; do
        if [[ -f $archive ]] && ! grep -qF -- "${archive##*/}" .pnp.cjs .pnp.data.json 2>/dev/null; then
            rm -f "$archive"
        fi
    done
}
