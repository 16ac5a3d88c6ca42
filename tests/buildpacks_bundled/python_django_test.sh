#!/usr/bin/env bash
# The python buildpack and Django: static files, and what is said when they cannot be collected.
source "$(dirname "${BASH_SOURCE[0]}")/support.sh"
need_python_index
unset DJANGO_SETTINGS_MODULE DISABLE_COLLECTSTATIC SECRET_KEY

layers=$work_dir/layers
offline=(PIP_INDEX_URL="$closed_port" PIP_FIND_LINKS= PIP_RETRIES=0)

use_app "$apps_dir/python-django"
run build python
equal "python-django builds" 0 "$status"
holds "static files are collected" "$output" "collectstatic: 2 static files copied"
holds "with the names that the settings ask for" \
    "$(ls "$work_dir/workspace/staticfiles/pages")" "style."
equal "no compiled module is left in the app" "" \
    "$(find "$work_dir/workspace" -name __pycache__)"
holds "gunicorn serves it" "$(cat "$layers/launch.toml")" " mysite.wsgi:application"
first=$(image_hash)
keep_only_cached
use_app "$apps_dir/python-django"
run build python "${offline[@]}"
equal "a second build needs no network" 0 "$status"
equal "a second build gives the same image" "$first" "$(image_hash)"

# settings TEXT [NAME=VALUE]...: a build of the app with these lines at the end of its settings.
settings() {
    local text=$1
    shift
    use_app "$apps_dir/python-django"
    printf '\n%s\n' "$text" >>"$work_dir/workspace/mysite/settings.py"
    run build python "${offline[@]}" "$@"
}

settings 'STATIC_ROOT = None'
equal "without STATIC_ROOT the build fails" 1 "$status"
holds "with Django's words" "$output" "ImproperlyConfigured"
holds "and the line that is missing" "$output" "Set STATIC_ROOT in the settings"
holds "and the way to leave it out" "$output" "DISABLE_COLLECTSTATIC=1"
settings 'STATIC_ROOT = None' DISABLE_COLLECTSTATIC=1
equal "which works" 0 "$status"
holds "and is said" "$output" "DISABLE_COLLECTSTATIC is set"
settings 'STATIC_ROOT = os.environ["NOT_SET_ANYWHERE"]'
holds "a variable that is missing is told" "$output" "a variable that the build does not have"
settings 'STATIC_ROOT = os.environ["SET_HERE"]' SET_HERE=/tmp/x/../../"${work_dir#/}"/static
equal "a variable of the build is seen" 0 "$status"
settings 'import iniconfig'
holds "a missing package is told" "$output" "Add the missing package to requirements.txt"
settings 'INSTALLED_APPS = ["pages"]'
equal "without django.contrib.staticfiles nothing is collected" 0 "$status"
holds "and that is said" "$output" "does not use django.contrib.staticfiles"

use_app "$apps_dir/python-django"
sed -i '/DJANGO_SETTINGS_MODULE/d' "$work_dir/workspace/manage.py"
run build python "${offline[@]}"
equal "settings that nobody names are not taken for an app without static files" 1 "$status"
holds "and the variable is told" "$output" "the variable DJANGO_SETTINGS_MODULE"

finish
