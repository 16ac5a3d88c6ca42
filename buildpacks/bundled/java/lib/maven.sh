# Maven: the local repository is kept between builds, and while no project file has changed the
# build is offline, so that nothing is asked again.

build_with_maven() {
    local repository key goals options log=$scratch_dir/maven.log status=0
    provide_distribution maven mvn
    repository=$(layer_dir maven_repository)
    key=$(project_key)
    maven_arguments=(--batch-mode --no-transfer-progress "-Dmaven.repo.local=$repository"
        --global-settings "$scratch_dir/settings.xml")
    helper maven_settings.py >"$scratch_dir/settings.xml" || exit 1
    add_settings
    # Jars hold times, and what is built twice should be the same twice.
    if ! grep -qs 'project.build.outputTimestamp' pom.xml; then
        maven_arguments+=(-Dproject.build.outputTimestamp=1980-01-01T00:00:02Z)
    fi
    read -r -a goals <<<"${MAVEN_CUSTOM_GOALS:-clean package}"
    read -r -a options <<<"${MAVEN_CUSTOM_OPTS:--DskipTests}"
    mkdir -p "$repository"

    if [[ $(layer_value maven_repository key) == "$key" ]]; then
        say "Using the packages of pom.xml from the cache: it is unchanged"
        run_maven --offline "${options[@]}" "${goals[@]}" 2>&1 | tee "$log" || status=$?
        if ((status != 0)) && grep -qE 'in offline mode|has not been downloaded' "$log"; then
            say "The cache lacks something; trying again with the network"
            status=0
            run_maven "${options[@]}" "${goals[@]}" || status=$?
        fi
    else
        run_maven "${options[@]}" "${goals[@]}" || status=$?
    fi
    ((status == 0)) || fail "Maven failed (exit $status); its own words are above" \
        "Try 'mvn ${options[*]} ${goals[*]}' on your machine, in a fresh clone."
    # Notes about what could not be had, and about which repository something is from: with another
    # mirror, Maven would not take it.
    find "$repository" '(' -name '*.lastUpdated' -o -name resolver-status.properties -o \
        -name _remote.repositories ')' -delete
    write_layer maven_repository cache key "$key"
}

# The app's own settings are the user's; what this build is told are global settings, below them.
add_settings() {
    local file=${MAVEN_SETTINGS:-}
    if [[ -z $file && -f settings.xml ]]; then file=settings.xml; fi
    [[ -n $file ]] || return 0
    [[ -f $file ]] || fail "MAVEN_SETTINGS names '$file', which is not a file" \
        "Give a path in the app, such as 'ci/settings.xml'."
    maven_arguments+=(--settings "$file")
}

run_maven() {
    MAVEN_OPTS="$(jvm_options) ${MAVEN_OPTS:-}" mvn "${maven_arguments[@]}" "$@"
}
