# The layer `programs`: what the app's packages compile to.

build_programs() {
    local had_lock=no
    if [[ -f Cargo.lock ]]; then had_lock=yes; fi
    read_metadata
    forget_own_packages
    compile
    if [[ $had_lock == no ]]; then rm -f Cargo.lock; fi # the image holds what was pushed
    clear_layer programs
    helper cargo_app.py install "$scratch_dir/messages.json" "$(layer_dir programs)/bin" || exit 1
    say_programs "$(layer_dir programs)/bin"
    write_layer programs launch
}

read_metadata() {
    local host
    host=$(rustc --version --verbose | sed -n 's/^host: //p')
    cargo metadata "${cargo_options[@]}" --format-version 1 --filter-platform "$host" \
        >"$scratch_dir/metadata.json" ||
        fail "cargo could not put the app's packages together; its own words are above" \
            "If Cargo.lock is out of date, run 'cargo build' and commit it."
}

# Cargo knows by their times which files of the app are new, and the times of a pushed tree say
# nothing. So the app's own packages are compiled each time; those from elsewhere are kept.
forget_own_packages() {
    local name names options=()
    names=$(helper cargo_app.py own-packages "$scratch_dir/metadata.json") || exit 1
    while read -r name; do options+=(--package "$name"); done <<<"$names"
    cargo clean --release --quiet "${cargo_options[@]}" "${options[@]}" ||
        fail "cargo clean failed; its own words are above"
}

compile() {
    local flags=()
    read -ra flags <<<"${RUST_CARGO_BUILD_FLAGS:-}"
    cargo build --release "${cargo_options[@]}" "${flags[@]}" \
        --message-format json-render-diagnostics >"$scratch_dir/messages.json" ||
        fail "cargo build failed; its own words are above" \
            "Try 'cargo build --release' on your machine, with Rust ${rust_release%% *}."
}

say_programs() {
    local bin=$1 programs needed
    programs=$(ls "$bin")
    say "Compiled ${programs//$'\n'/, }"
    needed=$(cd "$bin" && readelf --dynamic --wide -- * 2>/dev/null |
        sed -n 's/.*(NEEDED).*\[\(.*\)\]$/\1/p' | sort -u)
    if [[ -n $needed ]]; then say "The run image has to have ${needed//$'\n'/, }"; fi
}
