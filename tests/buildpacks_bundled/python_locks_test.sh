#!/usr/bin/env bash
# The python buildpack with lock files: Poetry's, uv's and Pipenv's.
source "$(dirname "${BASH_SOURCE[0]}")/support.sh"
need_python_index

layers=$work_dir/layers
offline=(PIP_INDEX_URL="$closed_port" PIP_FIND_LINKS= PIP_RETRIES=0)

# An index of one's own, with packages made here: what it serves cannot have come from elsewhere.
mkdir -p "$work_dir/index/simple"
make_wheel() { # NAME VERSION
    python3 -I - "$work_dir/index/simple/$1" "$1" "$2" <<'PYTHON'
import pathlib, sys, zipfile
directory, name, version = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
directory.mkdir(parents=True)
with zipfile.ZipFile(directory / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
    info = f"{name}-{version}.dist-info"
    kind = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    for path, text in {
        f"{name}.py": "origin = 'own index'\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": kind,
        f"{info}/RECORD": "",
    }.items():
        wheel.writestr(zipfile.ZipInfo(path), text)
PYTHON
}
make_wheel blinker 1.9.0
python3 -I -u -m http.server --bind 127.0.0.1 --directory "$work_dir/index" 0 \
    >"$work_dir/index.log" 2>&1 &
index_server=$!
trap 'kill "$index_server" 2>/dev/null || true; rm -rf "$work_dir"' EXIT
find_index_port() {
    port=$(sed -n 's/.* port \([0-9]*\) .*/\1/p' "$work_dir/index.log")
    [[ -n $port ]]
}

# locked_app NAME: builds that fixture as it must always be built.
locked_app() {
    forget_layers
    use_app "$apps_dir/$1"
    run build python
    equal "$1 builds" 0 "$status"
    first=$(image_hash)
    equal "$1: packages of development groups are not installed" "" \
        "$(compgen -G "$layers/venv/lib/python3*/site-packages/iniconfig*" || true)"
    equal "$1: nothing is left in the app" "" \
        "$(diff -r "$apps_dir/$1" "$work_dir/workspace" || true)"
    keep_only_cached
    use_app "$apps_dir/$1"
    run build python "${offline[@]}"
    holds "$1: a second build needs no network" "$output" "packages from the cache"
    equal "$1: a second build gives the same image" "$first" "$(image_hash)"
    keep_only_cached
    use_app "$apps_dir/$1"
    sed -i '1i # a word' "$work_dir/workspace/pyproject.toml"
    run build python "${offline[@]}"
    holds "$1: a comment in pyproject.toml installs nothing" "$output" "packages from the cache"
}
# in_app COMMAND...: as at run time
in_app() {
    (cd "$work_dir/workspace" && PATH=$layers/venv/bin:$layers/project/bin:$PATH \
        PYTHONPATH=$(cat "$layers/project/env/PYTHONPATH.prepend") PYTHONDONTWRITEBYTECODE=1 \
        "$@" 2>&1)
}

locked_app python-poetry
equal "python-poetry: a script of the project is a command" "Hello from the command line" \
    "$(in_app greet)"
equal "python-poetry: 'poetry run' runs" "Hello from the command line" \
    "$(in_app poetry run greet)"
equal "python-poetry: other commands of Poetry are refused" 64 \
    "$(in_app poetry install >/dev/null || echo $?)"
keep_only_cached
use_app "$apps_dir/python-poetry"
sed -i 's/^flask = .*/&\nitsdangerous = "*"\nclick = ">=1"/' "$work_dir/workspace/pyproject.toml"
run build python
equal "a poetry.lock that is older than pyproject.toml is refused" 1 "$status"
holds "with the way out" "$output" "run 'poetry lock' and commit poetry.lock"
lacks "and Poetry itself came from the cache" "$output" "Installing poetry"
run build python POETRY_VERSION='2; x'
holds "POETRY_VERSION is a version" "$output" "is not a version of poetry"

locked_app python-uv
equal "python-uv: a script of the project is a command" "Hello from Slipway, greeter 1.4.2" \
    "$(in_app greet)"
equal "python-uv: 'uv run --no-dev' runs" "Hello from Slipway, greeter 1.4.2" \
    "$(in_app uv run --no-dev greet)"
holds "python-uv: FastAPI is served by uvicorn" "$(cat "$layers/launch.toml")" \
    '"exec uvicorn --host 0.0.0.0 --port \"${PORT:-8080}\" greeter.main:app"'
keep_only_cached
use_app "$apps_dir/python-uv"
sed -i 's/"uvicorn>=0.30"/&, "blinker"/' "$work_dir/workspace/pyproject.toml"
run build python
equal "a uv.lock that is older than pyproject.toml is refused" 1 "$status"
holds "with the way out" "$output" "run 'uv lock' and commit uv.lock"
run build python UV_VERSION=0.13.7
holds "UV_VERSION chooses" "$output" "Installing uv ==0.13.7"
keep_only_cached

# A mirror. The tools were fetched before; only packages are asked for.
come_true find_index_port || not_ok "the index of this test starts"
mirror=http://127.0.0.1:$port/simple
wheel=blinker-1.9.0-py3-none-any.whl
hash=$(sha256sum "$work_dir/index/simple/blinker/$wheel" | cut -d ' ' -f 1)
origin() {
    "$layers/venv/bin/python" -B -c 'import blinker; print(blinker.origin)' 2>&1 || true
}

rm -rf "$work_dir/workspace"
mkdir -p "$work_dir/workspace"
cat >"$work_dir/workspace/pyproject.toml" <<'TOML'
[project]
name = "own"
version = "1"
requires-python = ">=3.11"
dependencies = ["blinker"]
TOML
cat >"$work_dir/workspace/uv.lock" <<TOML
version = 1
revision = 3
requires-python = ">=3.11"

[[package]]
name = "blinker"
version = "1.9.0"
source = { registry = "https://pypi.org/simple" }
wheels = [
    { url = "https://files.pythonhosted.org/none/$wheel", hash = "sha256:$hash" },
]

[[package]]
name = "own"
version = "1"
source = { virtual = "." }
dependencies = [
    { name = "blinker" },
]

[package.metadata]
requires-dist = [{ name = "blinker" }]
TOML
run build python UV_VERSION=0.13.7 PIP_INDEX_URL="$mirror" PIP_FIND_LINKS=
equal "uv takes packages from PIP_INDEX_URL" "0 own index" "$status $(origin)"
rm -rf "$layers"/venv*
run build python UV_VERSION=0.13.7 UV_DEFAULT_INDEX="$mirror" PIP_FIND_LINKS=
equal "uv takes packages from UV_DEFAULT_INDEX" "0 own index" "$status $(origin)"
sed -i "s/$hash/${hash//[0-9]/0}/" "$work_dir/workspace/uv.lock"
rm -rf "$layers"/venv*
run build python UV_VERSION=0.13.7 UV_DEFAULT_INDEX="$mirror" PIP_FIND_LINKS=
holds "a package whose hash is another is refused" "$output" "Hash mismatch for \`blinker==1.9.0\`"

# Pipfile.lock
forget_layers
rm "$work_dir/workspace"/*
echo '[packages]' >"$work_dir/workspace/Pipfile"
run build python "${offline[@]}"
holds "a Pipfile needs its lock" "$output" "ERROR: there is a Pipfile without a Pipfile.lock"
pipfile_lock() { # PYTHON HASH
    cat >"$work_dir/workspace/Pipfile.lock" <<JSON
{"_meta": {"requires": {"python_version": "$1"},
           "sources": [{"name": "pypi", "url": "https://pypi.org/simple", "verify_ssl": true}]},
 "default": {"blinker": {"version": "==1.9.0", "hashes": ["sha256:$2"], "index": "pypi",
                         "markers": "python_version >= '3.9'"}},
 "develop": {"iniconfig": {"version": "==2.0.0"}}}
JSON
}
pipfile_lock 3 "$hash"
run build python PIP_INDEX_URL="$mirror" PIP_FIND_LINKS=
equal "Pipfile.lock is installed" "0 own index" "$status $(origin)"
equal "'pipenv run' runs" "own index" "$(PATH=$layers/venv/bin:$layers/project/bin:$PATH \
    pipenv run python -B -c 'import blinker; print(blinker.origin)' 2>&1)"
holds "without what is for development" "$output" "Installed 1 package from Pipfile.lock"
rm -rf "$layers"
pipfile_lock 3 "${hash//[0-9]/0}"
run build python PIP_INDEX_URL="$mirror" PIP_FIND_LINKS=
holds "its hashes are compared" "$output" "THESE PACKAGES DO NOT MATCH THE HASHES"
pipfile_lock 2.7 "$hash"
run build python "${offline[@]}"
holds "its Python is the stack's or none" "$output" 'ERROR: Pipfile.lock asks for Python "2.7"'
echo blinker >"$work_dir/workspace/requirements.txt"
pipfile_lock 3 "$hash"
run build python PIP_INDEX_URL="$mirror" PIP_FIND_LINKS=
holds "two lists: one decides, and the log says so" "$output" \
    "WARNING: Pipfile.lock decides; not looked at: requirements.txt"

# Which Python
forget_layers
rm "$work_dir/workspace"/*
: >"$work_dir/workspace/requirements.txt"
# python_wanted FILE TEXT
python_wanted() {
    rm -f "$work_dir"/workspace/{runtime.txt,.python-version,pyproject.toml}
    printf "$2" >"$work_dir/workspace/$1"
    run build python "${offline[@]}"
}
here=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
python_wanted runtime.txt 'python-3.8.20\n'
holds "runtime.txt is honoured" "$output" 'ERROR: runtime.txt asks for Python "python-3.8.20"'
python_wanted .python-version '# ours\n3.99\n'
holds "so is .python-version" "$output" 'ERROR: .python-version asks for Python "3.99"'
python_wanted .python-version 'pypy3.9-7.3.11\n'
holds "PyPy is not had" "$output" 'which names no version of CPython'
python_wanted pyproject.toml '[project]\nname = "x"\nversion = "1"\nrequires-python = ">=3.99"\n'
holds "so is requires-python" "$output" 'ERROR: requires-python of pyproject.toml asks for'
python_wanted .python-version "$here.999\n"
equal "the stack's of the same line will do" 0 "$status"

finish
