# Poetry and uv: each in a layer of its own that only building sees.

# The newest releases when this was written; POETRY_VERSION and UV_VERSION choose another.
default_poetry=2.5.1
default_uv=0.13.8

# provide_tool NAME DEFAULT CHOSEN PACKAGE...: the version of the user's variable, of
# pyproject.toml, or ours. A tool that is here and was asked for in the same words is kept.
provide_tool() {
    local name=$1 default=$2 chosen=$3 wanted dir status=0
    shift 3
    dir=$(layer_dir "$name")
    if [[ -n $chosen ]]; then
        [[ $chosen =~ ^[0-9][0-9A-Za-z.]*$ ]] || fail "'$chosen' is not a version of $name" \
            "Write ${name^^}_VERSION such as $default."
        wanted="==$chosen"
    else
        wanted=${fact_tool_wish:-==$default}
    fi
    if [[ $(layer_value "$name" wanted) != "$wanted" ||
        $(layer_value "$name" python) != "$fact_python" ]]; then
        say "Installing $name $wanted"
        clear_layer "$name"
        make_environment "$dir"
        pip_install "$dir" "$name$wanted" "$@" || status=$?
        ((status == 0)) || fail "pip could not install $name$wanted; its own words are above" \
            "${name^^}_VERSION chooses another version."
    fi
    write_layer "$name" cache wanted "$wanted" python "$fact_python"
}

# pip installs what Poetry locked: it knows indexes and mirrors that Poetry's own installer does
# not, and one cache serves both.
install_with_poetry() {
    local file=$scratch_dir/poetry.txt options=() status=0
    provide_tool poetry "$default_poetry" "${POETRY_VERSION:-}" poetry-plugin-export
    if [[ $fact_hashes == no ]]; then options=(--without-hashes); fi
    env VIRTUAL_ENV="$venv" POETRY_VIRTUALENVS_CREATE=false POETRY_NO_INTERACTION=1 \
        POETRY_KEYRING_ENABLED="${POETRY_KEYRING_ENABLED:-false}" \
        POETRY_CACHE_DIR="$scratch_dir/poetry" POETRY_CONFIG_DIR="$scratch_dir/poetry" \
        "$(layer_dir poetry)/bin/poetry" export --quiet --only main --with-credentials \
        --format requirements.txt --output "$file" "${options[@]}" || status=$?
    ((status == 0)) || fail \
        "Poetry could not read poetry.lock (exit $status); its own words are above" \
        "When pyproject.toml was changed after it: run 'poetry lock' and commit poetry.lock."
    install_with_pip "$file"
}

install_with_uv() {
    local uv
    provide_tool uv "$default_uv" "${UV_VERSION:-}"
    uv=$(layer_dir uv)/bin/uv
    UV_CACHE_DIR=$(layer_dir uv-cache)
    mkdir -p "$UV_CACHE_DIR"
    write_layer uv-cache cache
    export UV_CACHE_DIR UV_PYTHON=$venv/bin/python UV_PROJECT_ENVIRONMENT=$venv VIRTUAL_ENV=$venv
    export UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=copy UV_NO_PROGRESS=1
    unset UV_COMPILE_BYTECODE UV_FROZEN UV_LOCKED
    if [[ -n ${UV_DEFAULT_INDEX:-${UV_INDEX_URL:-}} ]]; then
        uv_through_index "$uv"
    else
        "$uv" sync --quiet --locked --no-default-groups --no-install-project || uv_failed $?
    fi
    # Times of what was built from a directory.
    find "$venv" -name uv_cache.json -delete
    rm -f "$venv/.lock"
}

# uv.lock holds the addresses of the files themselves, which 'uv sync' takes however the index is
# set. Names, versions and hashes leave it to the index that the user chose.
uv_through_index() {
    local uv=$1 file=$scratch_dir/uv.txt
    env -u UV_DEFAULT_INDEX -u UV_INDEX_URL "$uv" export --quiet --locked --offline \
        --no-default-groups --no-emit-project --no-annotate --output-file "$file" || uv_failed $?
    "$uv" pip install --quiet --requirement "$file" || uv_failed $?
}

uv_failed() {
    fail "uv could not install uv.lock (exit $1); its own words are above" \
        "When pyproject.toml was changed after it: run 'uv lock' and commit uv.lock."
}
