# What comes of the app's own code: its package, and Django's static files.

provide_project() {
    local dir paths tool=$fact_manager
    if [[ $fact_source == Pipfile.lock ]]; then tool=pipenv; fi
    clear_layer project
    dir=$(layer_dir project)
    paths=$(helper project.py "$dir" "$venv/bin/python" "$tool") || exit 1
    if [[ -n $paths ]]; then
        mkdir -p "$dir/env"
        printf '%s' "$paths" >"$dir/env/PYTHONPATH.prepend"
        printf ':' >"$dir/env/PYTHONPATH.delim"
        export PYTHONPATH=$paths${PYTHONPATH:+:$PYTHONPATH}
    fi
    if [[ -n $(ls -A "$dir") ]]; then write_layer project launch,build; else rmdir "$dir"; fi
}

collect_static() {
    local log=$scratch_dir/collectstatic.log status=0
    if [[ ! -f manage.py ]] || ! has_module django; then return 0; fi
    if [[ ${DISABLE_COLLECTSTATIC:-0} != 0 ]]; then
        say "Static files are not collected: DISABLE_COLLECTSTATIC is set"
        return 0
    fi
    PATH=$venv/bin:$PATH "$venv/bin/python" manage.py collectstatic --noinput >"$log" 2>&1 ||
        status=$?
    if ((status == 0)); then
        say "collectstatic: $(sed '/^[[:space:]]*$/d' "$log" | tail -n 1)"
    elif grep -q "^Unknown command: 'collectstatic'" "$log" &&
        ! grep -q "^No Django settings specified" "$log"; then
        say "Static files are not collected: the app does not use django.contrib.staticfiles"
    else
        cat "$log" >&2
        fail "'manage.py collectstatic' failed (exit $status); its own words are above" \
            "$(explain_collectstatic "$log")" \
            "DISABLE_COLLECTSTATIC=1 leaves this step out."
    fi
}

has_module() {
    compgen -G "$venv/lib/python3*/site-packages/$1" >/dev/null
}

# The faults that nearly all of them are. The end of a traceback tells; further up is what Django
# itself tried.
explain_collectstatic() {
    local words
    words=$(tail -n 4 "$1")
    case $words in
    *"without having set the STATIC_ROOT"*)
        echo 'Set STATIC_ROOT in the settings, such as: STATIC_ROOT = BASE_DIR / "staticfiles"' ;;
    *"No Django settings specified"*)
        echo "Name the settings in manage.py or in the variable DJANGO_SETTINGS_MODULE." ;;
    *"SECRET_KEY setting must not be empty"* | *"KeyError: '"* | \
        *"environment variable"* | *UndefinedValueError*)
        echo "The settings read a variable that the build does not have: give it a default." ;;
    *OperationalError* | *"could not connect"* | *"Connection refused"*)
        echo "A build has no database: do not use one while the settings or modules are loaded." ;;
    *ModuleNotFoundError*)
        echo "Add the missing package to $fact_source; development groups are not installed." ;;
    *) echo "Try the same command on your machine, in a fresh clone." ;;
    esac
}
