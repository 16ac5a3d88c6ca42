# The layer `programs`: what the app's main packages compile to. `go-modules` and `go-build` keep
# downloads and compiled packages between builds.

largest_cache_mib=2048

prepare_go() {
    # Nothing of the go command's own settings and counters is looked for, or left, in a home.
    export GOENV=off XDG_CONFIG_HOME=$scratch_dir/config GOPATH=$scratch_dir/gopath
    # go.mod decided which Go it is.
    export GOTOOLCHAIN=local
    # No paths and no commit in the programs: the same source gives the same bytes. The user's own
    # flags come last, and so win.
    export GOFLAGS="-trimpath -modcacherw -buildvcs=false${GOFLAGS:+ $GOFLAGS}"
    use_cache go-build GOCACHE
    if [[ $fact_vendored == yes ]]; then
        # The go command demands a directory, and leaves this one empty.
        export GOMODCACHE=$scratch_dir/modules
        say "Dependencies: vendor/"
    else
        use_cache go-modules GOMODCACHE
    fi
}

# use_cache LAYER VARIABLE: starts anew when old versions of modules have made it large.
use_cache() {
    local dir size
    dir=$(layer_dir "$1")
    mkdir -p "$dir"
    size=$(du -sm "$dir")
    if ((${size%%[[:space:]]*} > largest_cache_mib)); then clear_layer "$1"; fi
    write_layer "$1" cache
    export "$2=$dir"
}

build_programs() {
    local bin packages=()
    find_main_packages
    decide_cgo
    clear_layer programs
    bin=$(layer_dir programs)/bin
    mkdir "$bin"
    go build -o "$bin/" "${packages[@]}" ||
        fail "go build failed; its own words are above" \
            "Try it on your machine, with Go $go_release; what is not committed is not here."
    say_programs "$bin"
    write_layer programs launch
}

# Sets packages, of the caller: the import paths to compile.
find_main_packages() {
    local spec=() dir
    if [[ -n ${GO_INSTALL_PACKAGE_SPEC:-} ]]; then
        read -ra spec <<<"$GO_INSTALL_PACKAGE_SPEC"
        list_main_packages "${spec[@]}"
        ((${#packages[@]} > 0)) ||
            fail "GO_INSTALL_PACKAGE_SPEC names no main package: $GO_INSTALL_PACKAGE_SPEC"
        return
    fi
    spec=(.)
    for dir in cmd cmd/*/; do
        if compgen -G "$dir/*.go" >/dev/null; then spec+=("./${dir%/}"); fi
    done
    list_main_packages -e "${spec[@]}"
    ((${#packages[@]} > 0)) || list_main_packages -e ./...
    ((${#packages[@]} > 0)) ||
        fail "there is no main package in this module" "Write one, in the root or below cmd/."
    if [[ ${#packages[@]} -gt 1 && ${#spec[@]} -eq 1 ]]; then
        fail "there is no main package in the root or below cmd/, but several elsewhere:" \
            "${packages[@]/#/    }" \
            "Set GO_INSTALL_PACKAGE_SPEC to those to compile, with blanks between."
    fi
}

# list_main_packages [-e] PATTERN...
list_main_packages() {
    local listed
    listed=$(go list -find -f '{{if eq .Name "main"}}{{.ImportPath}}{{end}}' "$@") ||
        fail "the go command cannot read the app's packages; its own words are above"
    mapfile -t packages <<<"$listed"
    if [[ -z $listed ]]; then packages=(); fi
}

# With cgo, Go's own packages would look up hosts and users by the C library, and a program that
# could run anywhere would need the build image's. So it is on only for packages that contain C.
decide_cgo() {
    local users
    [[ -z ${CGO_ENABLED:-} ]] || return 0
    users=$(CGO_ENABLED=1 go list -deps \
        -f '{{if and .CgoFiles (not .Standard)}}{{.ImportPath}}{{end}}' "${packages[@]}") ||
        fail "the app's packages cannot be put together; the go command's own words are above" \
            "If go.sum lacks something, run 'go mod tidy' and commit go.mod and go.sum."
    export CGO_ENABLED=0
    if [[ -n $users ]]; then
        CGO_ENABLED=1
        say "Compiling C code of: ${users//$'\n'/, }"
    fi
}

say_programs() {
    local bin=$1 programs needed
    programs=$(ls "$bin")
    [[ $(wc -l <<<"$programs") -eq ${#packages[@]} ]] ||
        fail "two main packages have the same name:" "${packages[@]/#/    }" \
            "Set GO_INSTALL_PACKAGE_SPEC to those to compile, with blanks between."
    say "Compiled ${programs//$'\n'/, }"
    needed=$(cd "$bin" && readelf --dynamic --wide -- * 2>/dev/null |
        sed -n 's/.*(NEEDED).*\[\(.*\)\]$/\1/p' | sort -u)
    if [[ -n $needed ]]; then say "The run image has to have ${needed//$'\n'/, }"; fi
}
