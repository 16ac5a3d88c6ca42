#!/usr/bin/env bash
# The go buildpack on a real app: what it fetches, compiles, keeps and starts.
source "$(dirname "${BASH_SOURCE[0]}")/support.sh"
need_go_proxy

layers=$work_dir/layers
offline=(GOPROXY="$closed_port" GOSUMDB=off)

use_app "$apps_dir/go-hello"
run build go
equal "go-hello builds" 0 "$status"
holds "the newest patch of go.mod's line is taken" "$output" "(go 1.26 in go.mod)"
holds "both programs are compiled" "$output" "Compiled go-hello, tick"
lacks "nothing of the C library is needed" "$output" "The run image has to have"
equal "the app is the web process" 'type = "web" command = ["go-hello"] default = true' \
    "$(sed -n '2,4p' "$layers/launch.toml" | paste -sd ' ')"
holds "the other program is a process of its name" "$(cat "$layers/launch.toml")" \
    $'type = "tick"\ncommand = ["tick"]'
equal "the source is as it was" "" "$(diff -r "$apps_dir/go-hello" "$work_dir/workspace")"
equal "only programs are in the image" programs \
    "$(grep -l '^launch = true' "$layers"/*.toml | xargs -n 1 basename -s .toml)"
equal "no path of the build is in a program" 0 \
    "$(grep -c -e "$work_dir" "$layers/programs/bin/go-hello")"
first=$(image_hash)

keep_only_cached
use_app "$apps_dir/go-hello"
run build go "${offline[@]}"
equal "a second build needs no network" 0 "$status"
holds "Go comes from the cache" "$output" "(from the cache)"
equal "a second build gives the same image" "$first" "$(image_hash)"

rm -rf "$layers"/go-modules*
keep_only_cached
run build go
holds "modules are fetched again when they are not there" "$output" \
    "go: downloading github.com/go-chi/chi"
equal "and give the same image" "$first" "$(image_hash)"

keep_only_cached
run build go "${offline[@]}" GO_INSTALL_PACKAGE_SPEC=./cmd/tick
holds "GO_INSTALL_PACKAGE_SPEC says what to compile" "$output" $'\nCompiled tick'
equal "the only program is the web process" 'command = ["tick"]' \
    "$(grep '^command' "$layers/launch.toml")"
keep_only_cached
run build go "${offline[@]}" GO_INSTALL_PACKAGE_SPEC=./nothing
equal "a package that is not there is refused" 1 "$status"

keep_only_cached
run build go "${offline[@]}" GO_INSTALL_PACKAGE_SPEC=./cmd/tick
first=$(image_hash)
rm -rf "$layers"/go-build*
keep_only_cached
run build go "${offline[@]}" GO_INSTALL_PACKAGE_SPEC=./cmd/tick
equal "compiled anew, a program has the same bytes" "$first" "$(image_hash)"

# vendor/
(cd "$work_dir/workspace" && GOFLAGS=-modcacherw GOTOOLCHAIN=local GOPROXY=off GOENV=off \
    GOMODCACHE="$layers/go-modules" "$layers/go/bin/go" mod vendor)
keep_only_cached
rm -rf "$layers"/go-modules*
run build go "${offline[@]}"
equal "vendor/ needs no modules" "0 vendor/" "$status $(sed -n 's/^Dependencies: //p' <<<"$output")"
equal "and no cache of them" "" "$(find "$layers" -name 'go-modules*')"

# app_of FILE TEXT...: an app of these files, with the toolchain of before.
app_of() {
    keep_only_cached
    rm -rf "${work_dir:?}/workspace"
    while (($# > 0)); do
        mkdir -p "$(dirname "$work_dir/workspace/$1")"
        printf "$2" >"$work_dir/workspace/$1"
        shift 2
    done
    run build go "${offline[@]}"
}
go_mod='module example.com/own/v2\n\ngo 1.26\n'
main='package main\n\nfunc main() {}\n'

app_of go.mod "$go_mod" cmd/one/main.go "$main" cmd/two/main.go "$main"
holds "which of two programs is the web process is not guessed" "$output" \
    "Which of one, two answers requests is not clear"
lacks "and none is the default" "$(cat "$layers/launch.toml")" "default = true"
app_of go.mod "$go_mod" cmd/own/main.go "$main" cmd/two/main.go "$main"
holds "but one that has the module's name is" "$(cat "$layers/launch.toml")" \
    $'command = ["own"]\ndefault = true'
app_of go.mod "$go_mod" tools/x/main.go "$main" tools/y/main.go "$main"
holds "programs elsewhere are not guessed either" "$output" "Set GO_INSTALL_PACKAGE_SPEC"
app_of go.mod "$go_mod" lib.go 'package own\n'
holds "a module without a program is refused" "$output" "there is no main package in this module"
app_of go.mod "$go_mod" main.go 'package main\n\nfunc main() { wrong }\n'
holds "what the compiler says is shown" "$output" "undefined: wrong"
holds "and that the build failed" "$output" "ERROR: go build failed"
app_of go.mod "$go_mod" main.go 'package main\n\n// int one(void) { return 1; }\nimport "C"\n\nfunc main() { C.one() }\n'
holds "C code is compiled where there is some" "$output" "Compiling C code of: example.com/own/v2"
holds "and what it needs is told" "$output" "The run image has to have libc.so.6"
equal "C code comes to the same bytes" "$(image_hash)" "$(run build go "${offline[@]}" && image_hash)"

finish
