# The JDK for the build, out of the packages that slipway/apt has laid out, and what the JVM of the
# image needs beside its package: `java` in PATH, and certificate authorities, which Debian's
# maintainer scripts would have put into a keystore.

provide_jdk() {
    local facts
    facts=$(helper java_version.py facts) || exit 1
    eval "$facts"
    JAVA_HOME=$(find_jvm "${DEBIAN_BUILD_PACKAGES_DIR:-}" javac "openjdk-$java_major-jdk-headless")
    export JAVA_HOME PATH=$JAVA_HOME/bin:$PATH
    build_keystore=$scratch_dir/cacerts
    helper keystore.py "${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}" "$build_keystore"
    java_release=$("$JAVA_HOME/bin/javac" -version 2>&1 | sed -n 's/^javac //p')
    say "Java ${java_release:-$java_major} ($java_source)"
}

# find_jvm ROOT PROGRAM PACKAGE
find_jvm() {
    local dir
    for dir in "$1"/usr/lib/jvm/java-"$java_major"-openjdk*; do
        if [[ -x $dir/bin/$2 ]]; then
            echo "$dir"
            return 0
        fi
    done
    fail "$3 has not been provided" \
        "It comes from the buildpack slipway/apt, which has to stand before this one in the order."
}

# The layer `java`. A JVM finds what its own package has; the stack's certificate authorities, as
# they are in every image of the stack, become its keystore.
provide_runtime() {
    local dir home options='-XX:MaxRAMPercentage=75.0'
    home=$(find_jvm "${DEBIAN_PACKAGES_DIR:-}" java "openjdk-$java_major-jre-headless")
    clear_layer java
    dir=$(layer_dir java)
    mkdir -p "$dir/bin" "$dir/env.launch"
    helper keystore.py /etc/ssl/certs/ca-certificates.crt "$dir/cacerts"
    {
        printf '#!/bin/sh\n# Made by the buildpack slipway/java.\n'
        printf 'exec %q/bin/java -Djavax.net.ssl.trustStore=%q "$@"\n' "$home" "$dir/cacerts"
    } >"$dir/bin/java"
    chmod 0755 "$dir/bin/java"
    printf '%s' "$home" >"$dir/env.launch/JAVA_HOME.default"
    printf '%s' "$options" >"$dir/env.launch/JAVA_OPTS.default"
    write_layer java launch major "$java_major"
}

# For Maven and Gradle: the authorities that this build trusts, and quiet.
jvm_options() {
    printf '%s' "-Djavax.net.ssl.trustStore=$build_keystore -Djava.awt.headless=true"
}
