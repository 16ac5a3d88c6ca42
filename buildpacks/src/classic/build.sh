# shellcheck shell=bash
# One classic buildpack's build, in the sandbox: bin/compile, then what it left is made readable for
# the platform in SLOT (before, environment, exported, release.yml, report).
#   build.sh BUILDPACK BUILD_DIR LAYERS ENV_DIR SLOT PROFILE-SCRIPT EXEC-D-PROGRAM
umask 022
buildpack=$1 build_dir=$2 layers=$3 env_dir=$4 slot=$5 profile_script=$6 exec_d_program=$7
cache_dir=$layers/cache

# What may become a slice: top-level entries, and those below the folders that buildpacks share.
list_entries() (
    cd "$build_dir" || exit
    shopt -s dotglob nullglob
    for entry in * .heroku/* .scalingo/* vendor/*; do printf '%s\0' "$entry"; done
)

# Never the build's failure, and never seen: it is told apart from the log.
run_report() {
    [ -f "$buildpack/bin/report" ] || return 0
    rm -rf "$slot/report"
    timeout 60 "$buildpack/bin/report" "$build_dir" "$cache_dir" "$env_dir" \
        >"$slot/report" 2>/dev/null </dev/null || rm -rf "$slot/report"
}

# A subshell: what it changes is for the buildpacks after this one, not for bin/release.
source_export() (
    rm -rf "$slot/environment" "$slot/exported"
    env -0 >"$slot/environment"
    # shellcheck disable=SC1091
    source "$buildpack/export" >&2 </dev/null
    env -0 >"$slot/exported"
)

# Runs the app's .profile.d in every process; HOME is where the app lies.
write_profile_layer() {
    local layer=$layers/profile
    rm -rf "$layer"
    mkdir -p "$layer/profile.d" "$layer/env.launch" "$layer/programs"
    printf '%s' "$profile_script" >"$layer/profile.d/app-profile.sh"
    printf '%s' "$exec_d_program" >"$layer/programs/app-profile"
    printf '%s' "$HOME" >"$layer/env.launch/HOME.override"
    chmod 755 "$layer/programs/app-profile"
}

chmod -f +x "$buildpack"/bin/* || true
mkdir -p "$cache_dir"
cd "$build_dir" || exit 1
list_entries >"$slot/before"

"$buildpack/bin/compile" "$build_dir" "$cache_dir" "$env_dir" </dev/null
status=$?
run_report
[ "$status" -eq 0 ] || exit "$status"

cd "$build_dir" || exit 1
if [ -e "$buildpack/export" ]; then
    source_export
    [ -f "$slot/exported" ] || { echo "The file export of the buildpack ended the shell." >&2; exit 1; }
fi
if [ -f "$buildpack/bin/release" ]; then
    rm -rf "$slot/release.yml"
    "$buildpack/bin/release" "$build_dir" >"$slot/release.yml" </dev/null || {
        status=$?
        echo "bin/release ended with exit code $status." >&2
        exit "$status"
    }
fi
write_profile_layer
