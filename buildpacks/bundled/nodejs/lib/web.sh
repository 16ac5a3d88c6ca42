# The build of the app, what Next.js and Vite make of it, and the web process.

run_build() {
    if [[ $fact_next == yes ]]; then restore_next_cache; fi
    case $fact_build in
    script) run_build_script ;;
    *) run_build_tool "$fact_build" ;;
    esac
    if [[ $fact_next == yes ]]; then save_next_cache; fi
}

run_build_script() {
    local status=0
    say "Running the build script"
    (cd "$fact_build_dir" && NODE_ENV=${NODE_ENV:-production} manager_run build) || status=$?
    ((status == 0)) || fail \
        "the build script of package.json failed (exit $status); its own words are above" \
        "Try '$fact_manager run build' on your machine, in a fresh clone."
}

# run_build_tool next|vite
run_build_tool() {
    local status=0
    say "Running '$1 build', for package.json has no build script"
    (cd "$fact_build_dir" && NODE_ENV=${NODE_ENV:-production} manager_exec "$1" build) || status=$?
    ((status == 0)) || fail "'$1 build' failed (exit $status); its own words are above"
}

# The compiler's cache lives in the app's directory while it is used, and never in the image. Next.js
# also keeps keys there that would otherwise be new in each build.
restore_next_cache() {
    export NEXT_TELEMETRY_DISABLED=${NEXT_TELEMETRY_DISABLED-1}
    rm -rf "$fact_workspace/.next"
    mkdir -p "$fact_workspace/.next/cache"
    if [[ -d $(layer_dir next_cache) ]]; then
        cp -a "$(layer_dir next_cache)/." "$fact_workspace/.next/cache"
    fi
}

save_next_cache() {
    clear_layer next_cache
    if [[ -d $fact_workspace/.next/cache ]]; then
        cp -a "$fact_workspace/.next/cache/." "$(layer_dir next_cache)"
    fi
    write_layer next_cache cache
    # How long each step took is nothing that the program reads.
    rm -rf "$fact_workspace"/.next/{cache,trace,trace-build,diagnostics}
}

# Sets web_kind, web_root and web_modules, once the app is built.
choose_web() {
    local facts
    facts=$(helper web_process.py facts) || exit 1
    eval "$facts"
}

provide_web() {
    case $web_kind in
    files)
        say "Serves $web_root/ as files on \$PORT (8080 when it is not set)"
        clear_layer file_server
        cp "$CNB_BUILDPACK_DIR/lib/serve.mjs" "$(layer_dir file_server)/"
        write_layer file_server launch
        ;;
    standalone)
        say "Starts Next.js by its standalone output"
        complete_standalone
        ;;
    esac
    helper web_process.py launch >"$CNB_LAYERS_DIR/launch.toml"
}

# Next.js leaves these two to whoever deploys, who may have a server of their own for them.
complete_standalone() {
    local name
    for name in public .next/static; do
        if [[ -d $fact_workspace/$name && ! -e $web_root/$name ]]; then
            mkdir -p "$(dirname "$web_root/$name")"
            cp -a "$fact_workspace/$name" "$web_root/$name"
        fi
    done
    # Its server listens at the address that HOSTNAME has, which in a container is its name.
    mkdir -p "$(layer_dir node)/env.launch/web"
    printf 0.0.0.0 >"$(layer_dir node)/env.launch/web/HOSTNAME.override"
}
