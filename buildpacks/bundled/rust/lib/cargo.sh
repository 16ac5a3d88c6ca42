# Cargo's settings for a build: where it keeps things, and what must not decide how a build ends.
# The layers `cargo-home` (downloads) and `target` (compiled packages) are kept between builds.

largest_cache_mib=2048

check_toolchain() {
    rust_release=$(rustc --version 2>/dev/null) ||
        fail "there is no rustc in this build" \
            "It comes by the buildpack slipway/apt, which has to stand before slipway/rust."
    rust_release=${rust_release#rustc }
    helper rust_release.py "${rust_release%% *}" || exit 1
    say "Rust ${rust_release%% *}"
}

prepare_cargo() {
    use_cache cargo-home CARGO_HOME release ""
    use_cache target CARGO_TARGET_DIR release "${rust_release//[\"\\]/}"
    export CARGO_INCREMENTAL=0 CARGO_TERM_COLOR=never CARGO_TERM_PROGRESS_WHEN=never
    # The C library that cargo fetches with does not look at SSL_CERT_FILE.
    if [[ -n ${SSL_CERT_FILE:-} ]]; then
        export CARGO_HTTP_CAINFO=${CARGO_HTTP_CAINFO:-$SSL_CERT_FILE}
    fi
    cargo_options=()
    if [[ -f Cargo.lock ]]; then
        cargo_options+=(--locked)
    else
        warn "no Cargo.lock: each build may take other versions. Run 'cargo build' and commit it."
    fi
    use_mirror
}

# use_cache LAYER VARIABLE KEY VALUE: starts anew when old versions of packages have made it large,
# or when it was made by another VALUE.
use_cache() {
    local layer=$1 variable=$2 dir size
    shift 2
    dir=$(layer_dir "$layer")
    if [[ $(layer_value "$layer" "$1") != "$2" ]]; then clear_layer "$layer"; fi
    mkdir -p "$dir"
    size=$(du -sm "$dir")
    if ((${size%%[[:space:]]*} > largest_cache_mib)); then clear_layer "$layer"; fi
    write_layer "$layer" cache "$1" "$2"
    export "$variable=$dir"
}

# Cargo takes other places for crates.io from files only. The app's own word, which may be that its
# sources are in the tree, comes first.
use_mirror() {
    local mirror=${SLIPWAY_CARGO_MIRROR:-}
    [[ -n $mirror ]] || return 0
    if [[ $mirror == *[\"\\]* ]]; then fail "SLIPWAY_CARGO_MIRROR is not an address: $mirror"; fi
    if helper cargo_app.py replaces-crates-io; then return 0; fi
    cargo_options+=(
        --config 'source.crates-io.replace-with="slipway-mirror"'
        --config "source.slipway-mirror.registry=\"$mirror\""
    )
}
