#!/usr/bin/env bash
# Python apps as people have them, on the debian-12 stack: locked by Poetry and by uv, and Django
# with its static files.
. "$(dirname "$0")/lib.sh"

python3 -m pip download --quiet --no-deps --disable-pip-version-check --dest "$work/probe" \
    blinker==1.9.0 >/dev/null 2>&1 || skip_all "PyPI cannot be reached"

buildpacks=$SLIPWAY_SOURCE_DIR/buildpacks/bundled
configure "$("$SLIPWAY_SOURCE_DIR/tools/network-settings")"
start_server
use_debian_stack

pushes() { # NAME FIXTURE
    new_app "$1" "$2"
    push "$1"
    expect 'sha256:[0-9a-f]{64}' "$work/$1.push"
}
# The same packages with other code, then with the code as it was: nothing is installed.
pushes_again_without_installing() { # NAME FILE
    local digest
    digest=$(last_build "$1" .digest)
    echo '# changed' >>"$work/$1/$2"
    commit "$1" changed
    push "$1"
    expect 'Using [0-9]+ packages from the cache' "$work/$1.push"
    refute 'Install|[Dd]ownload|[Cc]ollecting ' "$work/$1.push"
    [ "$(pushed_digest "$1")" != "$digest" ] || fail "other code has the same digest"
    git -C "$work/$1" checkout -q HEAD~ -- .
    commit "$1" 'as it was'
    push "$1"
    same "$(pushed_digest "$1")" "$digest"
}
# Another app of the same tree has no cache to start from.
has_the_same_digest_elsewhere() { # NAME FIXTURE
    pushes "$1-again" "$2"
    expect 'Installed [0-9]+ packages' "$work/$1-again.push"
    same "$(pushed_digest "$1-again")" "$(last_build "$1" .digest)"
}

check 'an app locked by Poetry answers, by the "poetry run" of its Procfile' '
    pushes poetry python-poetry
    expect "Installed 8 packages from poetry.lock" "$work/poetry.push"
    answers poetry "Hello from Slipway by Poetry"
'
check 'its second build installs nothing, and the same tree has the same digest' '
    pushes_again_without_installing poetry greeter/web.py
    has_the_same_digest_elsewhere poetry python-poetry
'
check 'an app locked by uv answers without a Procfile, and knows its own version' '
    pushes uv python-uv
    expect "Installed 14 packages from uv.lock" "$work/uv.push"
    answers uv "Hello from Slipway, greeter 1.4.2"
'
check 'its second build installs nothing, and the same tree has the same digest' '
    pushes_again_without_installing uv src/greeter/main.py
    has_the_same_digest_elsewhere uv python-uv
'
check 'a Django app answers by gunicorn, and names its collected style sheet' '
    pushes django python-django
    expect "collectstatic: 2 static files copied" "$work/django.push"
    answers django "Hello from Slipway by Django"
    answers django "dot\.[0-9a-f]+\.svg" \
        "$(grep -oE "/static/pages/style\.[0-9a-f]+\.css" "$work/answer")"
'
check 'its second build installs nothing, and the same tree has the same digest' '
    pushes_again_without_installing django mysite/urls.py
    has_the_same_digest_elsewhere django python-django
'
check 'a Python that the stack does not have is refused by the name of the file' '
    echo 3.13 >"$work/uv/.python-version"
    commit uv "another Python"
    refused_push uv
    expect "\.python-version asks for Python .3\.13., and the stack has 3\.11\.[0-9]+ only" \
        "$work/uv.push"
'

finish
