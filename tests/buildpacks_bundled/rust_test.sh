#!/usr/bin/env bash
# The rust buildpack on a real app, with the Rust of this machine: what it compiles, keeps, refuses
# and starts. The scenario bundled_compiled has Debian's Rust.
source "$(dirname "${BASH_SOURCE[0]}")/support.sh"

command -v cargo rustc >/dev/null || skip "this machine has no cargo and rustc"
# Behind rustup's programs, which look for settings in a home, are the real ones.
rust_dir=$(rustc --print sysroot)/bin
PATH=$rust_dir:$PATH
need_crates_io

layers=$work_dir/layers
offline=(CARGO_NET_OFFLINE=true)
release=$(rustc --version | cut -d ' ' -f 2)

use_app "$apps_dir/rust-hello"
run build rust
equal "rust-hello builds" 0 "$status"
holds "which Rust is told" "$output" "Rust $release"
holds "the dependency is compiled" "$output" "Compiling tiny_http"
holds "the program is told" "$output" "Compiled rust-hello"
equal "the app is the web process" 'type = "web" command = ["rust-hello"] default = true' \
    "$(sed -n '2,4p' "$layers/launch.toml" | paste -sd ' ')"
equal "the source is as it was" "" "$(diff -r "$apps_dir/rust-hello" "$work_dir/workspace")"
equal "only programs are in the image" programs \
    "$(grep -l '^launch = true' "$layers"/*.toml | xargs -n 1 basename -s .toml)"
first=$(image_hash)

keep_only_cached
use_app "$apps_dir/rust-hello"
run build rust "${offline[@]}"
equal "a second build needs no network" 0 "$status"
lacks "and compiles no dependency" "$output" "Compiling tiny_http"
equal "a second build gives the same image" "$first" "$(image_hash)"

# A pushed tree has one time for all files, older than what was compiled from it.
keep_only_cached
sed -i 's/eprintln!("pages/eprintln!("No pages/' "$work_dir/workspace/src/main.rs"
find "$work_dir/workspace" -exec touch --date=@315532801 {} +
run build rust "${offline[@]}"
holds "a change is compiled, whatever the time of the file" \
    "$(cd "$work_dir/tmp" && "$layers/programs/bin/rust-hello" 2>&1)" "No pages"

forget_layers
use_app "$apps_dir/rust-hello"
run build rust
equal "a build without a cache gives the same image" "$first" "$(image_hash)"

keep_only_cached
rm "$work_dir/workspace/Cargo.lock"
run build rust "${offline[@]}"
holds "without Cargo.lock there is a warning" "$output" "WARNING: no Cargo.lock"
equal "and none is left in the image" "" "$(find "$work_dir/workspace" -name Cargo.lock)"

# Sources in the tree: neither crates.io nor a mirror is asked.
use_app "$apps_dir/rust-hello"
mkdir "$work_dir/workspace/.cargo"
(cd "$work_dir/workspace" && CARGO_HOME="$layers/cargo-home" cargo vendor --locked --offline \
    >.cargo/config.toml 2>/dev/null)
forget_layers
run build rust "${offline[@]}" SLIPWAY_CARGO_MIRROR="sparse+$closed_port/"
equal "sources in the tree are enough" 0 "$status"
use_app "$apps_dir/rust-hello"
forget_layers
run build rust SLIPWAY_CARGO_MIRROR="sparse+$closed_port/" CARGO_NET_RETRY=0
equal "a mirror that does not answer is not passed by" 1 "$status"
holds "and is named" "$output" "$closed_port"

# app_of FILE TEXT...: an app of these files, which needs no packages.
app_of() {
    rm -rf "${work_dir:?}/workspace" "$layers"/programs*
    while (($# > 0)); do
        mkdir -p "$(dirname "$work_dir/workspace/$1")"
        printf '%b' "$2" >"$work_dir/workspace/$1"
        shift 2
    done
    (cd "$work_dir/workspace" && CARGO_HOME="$work_dir/home" cargo generate-lockfile --quiet --offline \
        2>/dev/null) || true
    run build rust "${offline[@]}"
}
cargo_toml='[package]\nname = "own"\nversion = "1.0.0"\nedition = "2021"\n'
main='fn main() {}\n'

app_of Cargo.toml "$cargo_toml" src/bin/one.rs "$main" src/bin/two.rs "$main"
holds "which of two programs is the web process is not guessed" "$output" \
    "Which of one, two answers requests is not clear"
lacks "and none is the default" "$(cat "$layers/launch.toml")" "default = true"
run build rust "${offline[@]}" RUST_CARGO_BUILD_FLAGS="--bin two"
equal "RUST_CARGO_BUILD_FLAGS says what to compile" two "$(ls "$layers/programs/bin")"
app_of Cargo.toml "${cargo_toml}default-run = \"one\"\n" src/bin/one.rs "$main" src/bin/two.rs "$main"
holds "but default-run is taken" "$(cat "$layers/launch.toml")" $'command = ["one"]\ndefault = true'
app_of Cargo.toml "$cargo_toml" src/lib.rs ''
holds "a package without a program is refused" "$output" "this Cargo package has no program"
app_of Cargo.toml "$cargo_toml" src/main.rs 'fn main() { wrong }\n'
holds "what the compiler says is shown" "$output" 'cannot find value `wrong`'
holds "and that the build failed" "$output" "ERROR: cargo build failed"

# wish STATUS WORDS FILE TEXT
wish() {
    app_of Cargo.toml "$cargo_toml" src/main.rs "$main" "$3" "$4"
    equal "$3, $2: exit status" "$1" "$status"
    holds "$3, $2: the words" "$output" "$2"
}
wish 0 "Compiled own" rust-toolchain.toml '[toolchain]\nchannel = "stable"\n'
wish 0 "Compiled own" rust-toolchain "$release"
wish 0 "asks for Rust 1.60; it is compiled by the newer $release" rust-toolchain 1.60
wish 1 "asks for Rust 1.999; there is $release" rust-toolchain 1.999
wish 1 "asks for Rust 'nightly-2026-01-01'" rust-toolchain.toml \
    '[toolchain]\nchannel = "nightly-2026-01-01"\n'
wish 1 "asks for the target 'wasm32-wasip1'" rust-toolchain.toml \
    '[toolchain]\ntargets = ["wasm32-wasip1"]\n'
wish 1 "is not valid TOML" rust-toolchain.toml '[toolchain'
wish 1 "Cargo.toml needs Rust 1.999 or newer" Cargo.toml "${cargo_toml}rust-version = \"1.999\"\n"

run detect rust PATH=/nonexistent:/usr/bin:/bin
if [[ -x /usr/bin/cargo ]]; then
    lacks "a build image with cargo needs no packages" "$(cat "$work_dir/plan.toml")" debian-packages
else
    holds "Rust is asked of Debian" "$(cat "$work_dir/plan.toml")" \
        $'packages = ["cargo-web", "rustc-web"]\nbuild = true\nlaunch = false'
fi

finish
