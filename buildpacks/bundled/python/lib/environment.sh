# The layer `venv`: a virtual environment at build and at run time, made from the stack's Python.
# pip itself stays in the build image. `pip-cache` keeps downloads and wheels between builds.

provide_environment() {
    local key
    say "Python $fact_python (of the stack)"
    key=$(printf '%s\n' "$fact_key" "$fact_python" "$(layer_dir venv)" | sha256sum)
    key=${key%% *}
    if [[ $fact_reusable == yes && $(layer_value venv key) == "$key" ]]; then
        say "Using $(packages "$(layer_value venv count)") from the cache:" \
            "$fact_source is unchanged"
    else
        make_environment
        if [[ $fact_requirements == yes ]]; then install_requirements; fi
        compile_modules
        say "Installed $(packages "$(count_packages)") from $fact_source"
    fi
    write_python_environment
    write_layer venv launch,build,cache key "$key" count "$(count_packages)"
}

make_environment() {
    clear_layer venv
    python3 -I -m venv --without-pip "$(layer_dir venv)" ||
        fail "python3 could not make a virtual environment" \
            "The build image needs Debian's python3-venv; 'slipway stack' shows which one is used."
    # Of use in a terminal only.
    rm -f "$(layer_dir venv)"/bin/{activate*,Activate.ps1}
}

install_requirements() {
    local status=0 cache
    cache=$(layer_dir pip-cache)
    mkdir -p "$cache"
    write_layer pip-cache cache
    python3 -m pip --python "$(layer_dir venv)/bin/python" install \
        --quiet --no-input --disable-pip-version-check --no-compile --no-warn-script-location \
        --progress-bar off --cache-dir "$cache" --requirement "$fact_requirements_file" || status=$?
    ((status == 0)) || fail \
        "pip could not install $fact_source (exit $status); its own words are above" \
        "Try 'pip install' on your machine, in a fresh virtual environment of Python $fact_python."
}

# pip would compile in an order and with times of its own. One process, sorted, with hashes in
# place of times: the same bytes each time, and an app that starts at once from a read-only image.
compile_modules() {
    local dir
    for dir in "$(layer_dir venv)"/lib/python3*/site-packages; do
        find "$dir" -name __pycache__ -prune -exec rm -rf {} +
        # Some packages carry files for other Pythons, which do not compile here.
        python3 -I -m compileall -q -q --invalidation-mode unchecked-hash "$dir" || true
    done
}

write_python_environment() {
    local venv
    venv=$(layer_dir venv)
    mkdir -p "$venv/env" "$venv/env.launch"
    printf '%s' "$venv" >"$venv/env/VIRTUAL_ENV.default"
    # Logs at once, and nothing is written beside the app's files.
    printf 1 >"$venv/env.launch/PYTHONUNBUFFERED.default"
    printf 1 >"$venv/env.launch/PYTHONDONTWRITEBYTECODE.default"
    rm -f "$venv"/env.launch/PYTHONPATH.*
    if [[ -d src && -f pyproject.toml ]]; then
        printf '%s/src' "$PWD" >"$venv/env.launch/PYTHONPATH.prepend"
        printf ':' >"$venv/env.launch/PYTHONPATH.delim"
    fi
}

packages() {
    if [[ $1 == 1 ]]; then echo "1 package"; else echo "$1 packages"; fi
}

count_packages() {
    find "$(layer_dir venv)"/lib/python3*/site-packages -maxdepth 1 -name '*.dist-info' | wc -l
}
