# The layer `go`: the Go toolchain, at build time only.

provide_toolchain() {
    local arch
    arch=$(go_arch)
    if toolchain_fits "$arch"; then
        go_release=$(layer_value go version)
        say "Go $go_release (from the cache)"
    else
        install_toolchain "$arch"
    fi
    write_layer go build,cache version "$go_release" arch "$arch" wanted "$fact_go"
    PATH=$(layer_dir go)/bin:$PATH
    export PATH
}

go_arch() {
    local machine=${CNB_TARGET_ARCH:-$(uname -m)}
    case $machine in
    amd64 | x86_64) echo amd64 ;;
    arm64 | aarch64) echo arm64 ;;
    *) fail "the Go module proxy has no Go for the architecture $machine" ;;
    esac
}

# Without a network look-up: a Go that is here and of the wanted line is kept, though a newer patch
# may have been released.
toolchain_fits() {
    local here
    here=$(layer_value go version)
    [[ -n $here && -x $(layer_dir go)/bin/go && $(layer_value go arch) == "$1" ]] &&
        [[ $here == "$fact_go" || $(layer_value go wanted) == "$fact_go" ]]
}

install_toolchain() {
    local arch=$1 answer checked
    clear_layer go
    answer=$(helper go_toolchain.py install "$fact_go" "$arch" "$scratch_dir/go") || exit 1
    read -r go_release checked <<<"$answer"
    [[ -x $scratch_dir/go/bin/go ]] ||
        fail "the Go module proxy's archive of Go $go_release has no bin/go"
    # A third of Go's own source, and of no use to compile an app.
    find "$scratch_dir/go/src" \( -name testdata -o -name '*_test.go' \) -prune -exec rm -rf {} +
    mv "$scratch_dir/go/"* "$(layer_dir go)/"
    say_release "$checked"
}

say_release() {
    local why="newest release; write a go line in go.mod to choose another"
    if [[ -n $fact_go ]]; then why=$fact_go_source; fi
    say "Go $go_release ($why)"
    if [[ $1 == off ]]; then
        warn "Go $go_release was not compared with the checksum database: GOSUMDB is off"
    fi
}
