# What all bundled buildpacks share: words to the user, and layers as the Cloud Native Buildpacks
# specification has them. Each buildpack carries a copy, for each must stand alone; a test
# compares the copies. Sourced by bin/detect and bin/build.

# Two builds of the same tree must not differ by the caller's locale, hash seed or umask.
export LC_ALL=C.UTF-8 PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1
umask 022

say() {
    printf '%s\n' "$*"
}

warn() {
    printf 'WARNING: %s\n' "$*"
}

# fail WHAT [WHAT TO DO]... On standard error, which $(...) lets through.
fail() {
    printf 'ERROR: %s\n' "$1" >&2
    shift
    if (($# > 0)); then printf '%s\n' "$@" >&2; fi
    exit 1
}

# not_mine WHY: the buildpack has nothing to do here. The line is shown when no buildpack matches.
not_mine() {
    say "$1"
    exit 100
}

# plan_entry NAME: this buildpack both gives and needs NAME.
plan_entry() {
    printf '[[provides]]\nname = "%s"\n\n[[requires]]\nname = "%s"\n' "$1" "$1" \
        >"$CNB_BUILD_PLAN_PATH"
}

# helper FILE ARGUMENT...: runs one of the buildpack's own Python scripts. -I keeps the app's
# directory and PYTHON* variables out of it, -B writes nothing into the buildpack.
helper() {
    local file=$1
    shift
    python3 -I -B "$CNB_BUILDPACK_DIR/lib/$file" "$@"
}

layer_dir() {
    printf '%s/%s' "$CNB_LAYERS_DIR" "$1"
}

# write_layer NAME TYPES [KEY VALUE]...: TYPES is a list of launch, build and cache with commas
# between. Written last, once the layer is whole: a layer without a type is not kept.
write_layer() {
    local name=$1 types=$2 type
    shift 2
    {
        printf '[types]\n'
        for type in launch build cache; do
            if [[ ",$types," == *",$type,"* ]]; then
                printf '%s = true\n' "$type"
            else
                printf '%s = false\n' "$type"
            fi
        done
        if (($# > 0)); then printf '\n[metadata]\n'; fi
        while (($# > 0)); do
            printf '%s = "%s"\n' "$1" "$2"
            shift 2
        done
    } >"$CNB_LAYERS_DIR/$name.toml"
}

# layer_value NAME KEY: a value that write_layer wrote in an earlier build, or nothing. A layer of
# which only the description came back has no values.
layer_value() {
    [[ -d $CNB_LAYERS_DIR/$1 && -f $CNB_LAYERS_DIR/$1.toml ]] || return 0
    sed -n "s/^ *$2 = \"\\([^\"\\\\]*\\)\" *\$/\\1/p" "$CNB_LAYERS_DIR/$1.toml" | head -n 1
}

# clear_layer NAME: an empty layer, whatever an earlier build left.
clear_layer() {
    rm -rf "${CNB_LAYERS_DIR:?}/$1" "$CNB_LAYERS_DIR/$1.toml"
    mkdir -p "$CNB_LAYERS_DIR/$1"
}
