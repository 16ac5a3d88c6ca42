# What makes programs, libraries, headers and pkg-config files of a layer be found.

write_environment() {
    local root=$1 triplet configured
    triplet=$(multiarch_triplet)
    mapfile -t configured < <(configured_libraries "$root")
    set_path "$root" env PATH usr/bin usr/sbin usr/games
    set_path "$root" env LD_LIBRARY_PATH "usr/lib/$triplet" usr/lib usr/local/lib \
        "${configured[@]}"
    set_path "$root" env.build LIBRARY_PATH "usr/lib/$triplet" usr/lib
    set_path "$root" env.build CPATH usr/include "usr/include/$triplet"
    set_path "$root" env.build PKG_CONFIG_PATH "usr/lib/$triplet/pkgconfig" usr/lib/pkgconfig \
        usr/share/pkgconfig
    mkdir -p "$root/env.build"
    printf '%s' "$root" >"$root/env.build/$(root_variable "${root##*/}").override"
}

# Where other buildpacks find the packages that they asked for.
root_variable() {
    case $1 in
    packages) echo DEBIAN_PACKAGES_DIR ;;
    build-packages) echo DEBIAN_BUILD_PACKAGES_DIR ;;
    esac
}

multiarch_triplet() {
    case $architecture in
    amd64) echo x86_64-linux-gnu ;;
    arm64) echo aarch64-linux-gnu ;;
    *) fail "this buildpack does not know the architecture $architecture" ;;
    esac
}

# Directories that packages register with ld.so, relative to the root.
configured_libraries() {
    cat "$1"/etc/ld.so.conf.d/*.conf 2>/dev/null | sed -nE 's#^/([A-Za-z0-9/._+-]+)$#\1#p' |
        sort -u || true
}

# set_path ROOT ENV VARIABLE DIRECTORY...: in front of what is there, those that exist.
set_path() {
    local root=$1 where=$1/$2 variable=$3 value='' dir
    shift 3
    for dir in "$@"; do
        if [[ -d $root/$dir && :$value: != *":$root/$dir:"* ]]; then
            value+=${value:+:}$root/$dir
        fi
    done
    [[ -n $value ]] || return 0
    mkdir -p "$where"
    printf '%s' "$value" >"$where/$variable.prepend"
    printf ':' >"$where/$variable.delim"
}
