# The layer `venv`: a virtual environment at build and at run time, made from the stack's Python.
# Package managers stay in the build image. `pip-cache` and `uv-cache` keep downloads, and wheels
# that were built, between builds.

provide_environment() {
    local key
    say "Python $fact_python (of the stack)"
    venv=$(layer_dir venv)
    share_index_settings
    key=$(printf '%s\n' "$fact_manager" "$fact_key" "$fact_python" "$venv" | sha256sum)
    key=${key%% *}
    if [[ $fact_reusable == yes && $(layer_value venv key) == "$key" ]]; then
        say "Using $(packages "$(layer_value venv count)") from the cache:" \
            "$fact_source is unchanged"
        keep_caches
    else
        make_environment "$venv"
        if [[ $fact_requirements == yes ]]; then "install_with_$fact_manager"; fi
        compile_modules
        say "Installed $(packages "$(count_packages)") from $fact_source"
    fi
    write_python_environment
    write_layer venv launch,build,cache key "$key" count "$(count_packages)"
}

# One setting for all of them: pip, which fetches the others, and uv. An index that replaces PyPI
# for one of them replaces it for each.
share_index_settings() {
    local index=${UV_DEFAULT_INDEX:-${UV_INDEX_URL:-}}
    if [[ -z ${PIP_INDEX_URL:-} && -n $index ]]; then export PIP_INDEX_URL=$index; fi
    if [[ -z $index && -n ${PIP_INDEX_URL:-} ]]; then export UV_DEFAULT_INDEX=$PIP_INDEX_URL; fi
    if [[ -n ${PIP_TRUSTED_HOST:-} ]]; then
        export UV_INSECURE_HOST=${UV_INSECURE_HOST:-$PIP_TRUSTED_HOST}
    fi
    export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_PROGRESS_BAR=off
}

# A layer that is not written in a build is not kept for the next.
keep_caches() {
    local name
    for name in pip-cache poetry uv uv-cache; do
        [[ ! -f $CNB_LAYERS_DIR/$name.toml ]] ||
            write_layer "$name" cache wanted "$(layer_value "$name" wanted)" \
                python "$(layer_value "$name" python)"
    done
}

# make_environment DIR
make_environment() {
    if [[ $1 == "$venv" ]]; then clear_layer venv; fi
    python3 -I -m venv --without-pip "$1" ||
        fail "python3 could not make a virtual environment" \
            "The build image needs Debian's python3-venv; 'slipway stack' shows which one is used."
    # Of use in a terminal only.
    rm -f "$1"/bin/{activate*,Activate.ps1}
}

# pip_install DIR ARGUMENT...: into the virtual environment DIR.
pip_install() {
    local dir=$1 cache
    shift
    cache=$(layer_dir pip-cache)
    mkdir -p "$cache"
    write_layer pip-cache cache
    python3 -m pip --python "$dir/bin/python" install --quiet --no-compile \
        --no-warn-script-location --cache-dir "$cache" "$@"
}

# install_with_pip [FILE]
install_with_pip() {
    local status=0
    pip_install "$venv" --requirement "${1:-$fact_requirements_file}" || status=$?
    ((status == 0)) || fail \
        "pip could not install $fact_source (exit $status); its own words are above" \
        "Try 'pip install' on your machine, in a fresh virtual environment of Python $fact_python."
}

# pip would compile in an order and with times of its own. One process, sorted, with hashes in
# place of times: the same bytes each time, and an app that starts at once from a read-only image.
compile_modules() {
    local dir
    for dir in "$venv"/lib/python3*/site-packages; do
        find "$dir" -name __pycache__ -prune -exec rm -rf {} +
        # Some packages carry files for other Pythons, which do not compile here.
        python3 -I -m compileall -q -q --invalidation-mode unchecked-hash "$dir" || true
    done
}

write_python_environment() {
    mkdir -p "$venv/env" "$venv/env.launch"
    printf '%s' "$venv" >"$venv/env/VIRTUAL_ENV.default"
    # Logs at once, and nothing is written beside the app's files.
    printf 1 >"$venv/env.launch/PYTHONUNBUFFERED.default"
    printf 1 >"$venv/env.launch/PYTHONDONTWRITEBYTECODE.default"
}

packages() {
    if [[ $1 == 1 ]]; then echo "1 package"; else echo "$1 packages"; fi
}

count_packages() {
    find "$venv"/lib/python3*/site-packages -maxdepth 1 -name '*.dist-info' | wc -l
}
