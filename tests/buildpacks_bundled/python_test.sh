#!/usr/bin/env bash
# The python buildpack: what it installs, what it keeps, what it starts.
source "$(dirname "${BASH_SOURCE[0]}")/support.sh"
need_python_index

layers=$work_dir/layers
offline=(PIP_INDEX_URL="$closed_port" PIP_FIND_LINKS= PIP_RETRIES=0)

use_app "$apps_dir/python-hello"
run build python
equal "python-hello builds" 0 "$status"
holds "the packages are counted" "$output" "Installed 9 packages from requirements.txt"
equal "beside a Procfile nothing is guessed" "" "$(cat "$layers/launch.toml")"
equal "the app answers" "Hello from Slipway" "$(cd "$work_dir/workspace" &&
    "$layers/venv/bin/python" -c 'import app; print(app.app.test_client().get("/").text.strip())')"
equal "pip is not in the image" "" "$(find "$layers/venv" -name 'pip*' | head -n 1)"
equal "compiled modules do not look at times" 01 "$(find "$layers/venv" -name '*.pyc' -print0 |
    xargs -0 -n 1 od -An -tx1 -j 4 -N 1 | tr -d ' ' | sort -u)"
first=$(image_hash)

keep_only_cached
use_app "$apps_dir/python-hello"
run build python "${offline[@]}"
equal "a second build needs no network" 0 "$status"
holds "the packages come from the cache" "$output" "Using 9 packages from the cache"
equal "a second build gives the same image" "$first" "$(image_hash)"

forget_layers
use_app "$apps_dir/python-hello"
run build python
equal "a build without a cache gives the same image" "$first" "$(image_hash)"

# A file that requirements.txt includes counts as well.
keep_only_cached
use_app "$apps_dir/python-hello"
mv "$work_dir/workspace/requirements.txt" "$work_dir/workspace/base.txt"
echo '-r base.txt' >"$work_dir/workspace/requirements.txt"
run build python
holds "other requirements are installed anew" "$output" "Installed 9 packages"
keep_only_cached
sed -i '/packaging/d' "$work_dir/workspace/base.txt"
run build python "${offline[@]}"
equal "a change in an included file is noticed" 1 "$status"
holds "what pip could not do is told" "$output" "ERROR: pip could not install requirements.txt"

# process_of WHAT FILE TEXT EXPECTED: the web process of an app with that file alone.
process_of() {
    rm -f "$work_dir"/workspace/*.py
    printf "$3" >"$work_dir/workspace/$2"
    run build python "${offline[@]}"
    equal "$1" "$4" "$(sed -n 's/^command = //p' "$layers/launch.toml")"
}

forget_layers
use_app "$apps_dir/python-hello"
rm "$work_dir/workspace/Procfile"
run build python
holds "gunicorn serves a Flask app" "$(cat "$layers/launch.toml")" \
    '"exec gunicorn --bind \"0.0.0.0:${PORT:-8080}\" app:app"'
process_of "main.py is run" main.py 'print(1)\n' '["python", "main.py"]'
process_of "app.py is run" app.py 'print(1)\n' '["python", "app.py"]'
process_of "no guess when nothing is clear" other.py 'print(1)\n' ""
holds "and the Procfile is mentioned" "$output" "say what to run in a Procfile"

# pyproject.toml
forget_layers
rm -rf "$work_dir/workspace"
mkdir -p "$work_dir/workspace/src/own"
printf '[project]\nname = "own"\nversion = "1"\ndependencies = ["blinker==1.9.0"]\n' \
    >"$work_dir/workspace/pyproject.toml"
echo 'import blinker; print("own", blinker.__name__)' >"$work_dir/workspace/src/own/__init__.py"
run build python
holds "pyproject.toml's dependencies are installed" "$output" \
    "Installed 1 package from pyproject.toml"
equal "src is where modules are looked for" "own blinker" \
    "$(PYTHONPATH=$(cat "$layers/project/env/PYTHONPATH.prepend") \
        "$layers/venv/bin/python" -B -c 'import own')"
keep_only_cached
run build python "${offline[@]}"
holds "and come from the cache the next time" "$output" "Using 1 package from the cache"

# refused TEXT WORDS
refused() {
    printf "$1" >"$work_dir/workspace/pyproject.toml"
    run build python "${offline[@]}"
    equal "refused: $2" 1 "$status"
    holds "says so: $2" "$output" "ERROR: $2"
}
refused '[tool.poetry]\nname = "x"\n' "pyproject.toml lists its packages for Poetry only"
refused '[project]\ndynamic = ["dependencies"]\n' \
    "pyproject.toml says that its dependencies are dynamic"
refused '[project]\ndependencies = ["--index-url=http://x"]\n' \
    "[project] dependencies in pyproject.toml holds an option"
refused '[project\n' "pyproject.toml is not valid TOML"

finish
