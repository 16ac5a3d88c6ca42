# shellcheck shell=bash
# bin/detect of a classic buildpack, in the sandbox. Its one line on standard output is a name, what
# it says on standard error is for people: they are kept apart.
#   detect.sh BUILDPACK BUILD_DIR SLOT
umask 022
buildpack=$1 build_dir=$2 slot=$3

chmod -f +x "$buildpack"/bin/* || true
cd "$build_dir" || exit 1
exec "$buildpack/bin/detect" "$build_dir" >"$slot/name" </dev/null
