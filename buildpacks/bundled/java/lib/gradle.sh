# Gradle, in the version that the app's wrapper names. As with Maven, a build whose project files
# have not changed is offline.

build_with_gradle() {
    local key arguments tasks log=$scratch_dir/gradle.log status=0
    provide_distribution gradle gradle
    GRADLE_USER_HOME=$(layer_dir gradle_home)
    export GRADLE_USER_HOME
    mkdir -p "$GRADLE_USER_HOME"
    key=$(project_key)
    write_init_script >"$scratch_dir/slipway.init.gradle"
    arguments=(--no-daemon --console=plain --init-script "$scratch_dir/slipway.init.gradle")
    read -r -a tasks <<<"${GRADLE_TASK:-assemble}"

    if [[ $(layer_value gradle_home key) == "$key" ]]; then
        say "Using the packages of the Gradle build from the cache: it is unchanged"
        run_gradle "${arguments[@]}" --offline "${tasks[@]}" 2>&1 | tee "$log" || status=$?
        if ((status != 0)) && grep -q 'offline mode' "$log"; then
            say "The cache lacks something; trying again with the network"
            status=0
            run_gradle "${arguments[@]}" "${tasks[@]}" || status=$?
        fi
    else
        run_gradle "${arguments[@]}" "${tasks[@]}" || status=$?
    fi
    ((status == 0)) || fail "Gradle failed (exit $status); its own words are above" \
        "Try './gradlew ${tasks[*]}' on your machine, in a fresh clone."
    rm -rf .gradle "$GRADLE_USER_HOME"/{daemon,notifications,.tmp}
    write_layer gradle_home cache key "$key"
}

# Archives hold times and an order of their own in older Gradle.
write_init_script() {
    cat <<'GRADLE'
allprojects {
    tasks.withType(AbstractArchiveTask).configureEach {
        preserveFileTimestamps = false
        reproducibleFileOrder = true
    }
}
GRADLE
}

run_gradle() {
    GRADLE_OPTS="$(jvm_options) ${GRADLE_OPTS:-}" gradle "$@"
}
