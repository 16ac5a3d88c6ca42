#!/usr/bin/env bash
# The java buildpack, with this machine's JDK in the place of the one that slipway/apt lays out.
source "$(dirname "${BASH_SOURCE[0]}")/support.sh"

layers=$work_dir/layers
dir=$work_dir/workspace
packages=(DEBIAN_PACKAGES_DIR= DEBIAN_BUILD_PACKAGES_DIR=)
# What the machine has set for its own Java must not decide.
unset JAVA_HOME JAVA_OPTS MAVEN_OPTS MAVEN_SETTINGS JAVA_TOOL_OPTIONS

# What java_version.py makes of the files in the app. Refusing them is an answer too.
decides() {
    chosen=$(cd "$dir" && python3 -I -B "$bundled_dir/java/lib/java_version.py" facts 2>&1) || true
    chosen=${chosen//$'\n'/ }
}
write_pom() { # PROPERTIES
    rm -rf "$dir"
    mkdir -p "$dir"
    printf '<project xmlns="http://maven.apache.org/POM/4.0.0"><properties>%s</properties></project>' \
        "$1" >"$dir/pom.xml"
    decides
}

# Which Java. These hold on Debian 12, which has 17 alone.
if [[ $(. /etc/os-release && echo "$ID $VERSION_ID") == 'debian 12' ]]; then
    write_pom ''
    holds "Java 17 when nothing is asked for" "$chosen" "java_major=17"
    write_pom '<maven.compiler.release>11</maven.compiler.release>'
    holds "an older language is compiled by a newer JDK" "$chosen" "java_major=17"
    write_pom '<java.version>1.8</java.version>'
    holds "1.8 is 8" "$chosen" "asks for Java 8'"
    write_pom '<maven.compiler.release>21</maven.compiler.release>'
    holds "a newer language is refused" "$chosen" \
        "ERROR: maven.compiler.release in pom.xml asks for Java 21, which the build image (debian 12)"
    holds "with what there is" "$chosen" "There is Java 17."
    echo 'java.runtime.version=17.0.9' >"$dir/system.properties"
    decides
    holds "system.properties comes first" "$chosen" \
        "java_source='java.runtime.version in system.properties asks for Java 17'"
    echo 'java.runtime.version=11' >"$dir/system.properties"
    decides
    holds "and means that Java and no other" "$chosen" "asks for Java 11, which"
    rm -r "$dir"
    mkdir -p "$dir"
    echo 'java { toolchain { languageVersion = JavaLanguageVersion.of(17) } }' >"$dir/build.gradle"
    decides
    holds "Gradle's toolchain is seen" "$chosen" "the toolchain in build.gradle asks for Java 17"
fi
rm -rf "$dir"
mkdir -p "$dir"
printf '<!DOCTYPE a [<!ENTITY b "c">]><project>&b;</project>' >"$dir/pom.xml"
decides
holds "a pom.xml with entities is refused" "$chosen" "ERROR: pom.xml has a DOCTYPE"

use_app "$apps_dir/java-maven"
run detect java
equal "a pom.xml is a Java app" "0: found pom.xml" "$status: $output"
holds "the JDK is asked for, for the build" "$(cat "$work_dir/plan.toml")" \
    "packages = [\"openjdk-17-jdk-headless\"]
build = true
launch = false"
holds "the JRE for the image" "$(cat "$work_dir/plan.toml")" \
    "packages = [\"openjdk-17-jre-headless\"]
build = true
launch = true"

# Which jar.
jar() { # PATH MANIFEST-LINE...
    python3 -I - "$dir/$1" "${@:2}" <<'PYTHON'
import pathlib, sys, zipfile
path = pathlib.Path(sys.argv[1])
path.parent.mkdir(parents=True, exist_ok=True)
with zipfile.ZipFile(path, "w") as jar:
    jar.writestr("META-INF/MANIFEST.MF", "\r\n".join(["Manifest-Version: 1.0", *sys.argv[2:], "", ""]))
PYTHON
}
launches() {
    launch=$(cd "$dir" && env "$@" python3 -I -B "$bundled_dir/java/lib/jars.py" 2>&1) || true
}
rm -rf "$dir"
jar target/library.jar
launches X=
holds "a jar without a Main-Class is no program" "$launch" "No jar with a Main-Class"
jar target/app.jar 'Main-Class: a.Main'
jar target/app-sources.jar 'Main-Class: a.Main'
launches X=
holds "the jar with a Main-Class is started" "$launch" \
    "command = [\"bash\", \"-c\", \"exec java \$JAVA_OPTS -jar $dir/target/app.jar\"]"
jar module/target/tool.jar 'Main-Class: a.Tool'
launches X=
holds "of several none is guessed" "$launch" "Several jars can be started: target/app.jar, module"
launches JAVA_JAR=module/target/tool.jar
holds "JAVA_JAR names one" "$launch" "-jar $dir/module/target/tool.jar"
launches JAVA_JAR=../outside.jar
holds "of the app's own" "$launch" "ERROR: JAVA_JAR names"
jar build/libs/boot.jar 'Main-Class: org.Launcher' 'Spring-Boot-Version: 3.2.0'
launches X=
holds "Spring Boot's comes first, and is told the port" "$launch" \
    "exec java -Dserver.port=\${PORT:-8080} \$JAVA_OPTS -jar $dir/build/libs/boot.jar"

# Maven's settings of this build.
settings() {
    env -i PATH="$PATH" "$@" python3 -I -B "$bundled_dir/java/lib/maven_settings.py"
}
equal "without a mirror or a proxy nothing is set" "<settings></settings>" "$(settings X=)"
holds "a mirror's password is no part of its address" \
    "$(settings 'MAVEN_MIRROR_URL=https://me:p%26w@m2.example.com/x')" \
    "<url>https://m2.example.com/x</url>"
holds "and is given apart" "$(settings 'MAVEN_MIRROR_URL=https://me:p%26w@m2.example.com/x')" \
    "<username>me</username><password>p&amp;w</password>"
holds "the proxy is handed on" "$(settings https_proxy=http://proxy.example.com:3128 no_proxy=.a,b)" \
    "<host>proxy.example.com</host><port>3128</port><nonProxyHosts>*.a|b</nonProxyHosts>"

# Gradle without a wrapper, and with one whose distribution is not what it should be.
[[ -x $(echo /usr/lib/jvm/java-17-openjdk*/bin/javac) ]] ||
    skip "this machine has no JDK (Debian's openjdk-17-jdk-headless)"
rm -rf "$dir"
mkdir -p "$dir/gradle/wrapper"
touch "$dir/build.gradle"
run build java "${packages[@]}"
equal "Gradle without a wrapper is refused" 1 "$status"
holds "with the way out" "$output" "Run 'gradle wrapper' on your machine"

central=${MAVEN_MIRROR_URL:-https://repo.maven.apache.org/maven2}
curl --silent --fail --max-time 30 --output /dev/null \
    "${central%/}/org/json/json/maven-metadata.xml" || skip "Maven Central cannot be reached"

use_app "$apps_dir/java-maven"
run build java "${packages[@]}"
equal "a Maven project builds" 0 "$status"
((status == 0)) || printf '%s\n' "$output"
holds "the Java version is told, and why" "$output" "(maven.compiler.release in pom.xml asks for Java 17)"
equal "the dependency is beside the jar" json-20260814.jar "$(ls "$dir/target/lib")"
equal "the keystore has the machine's authorities" \
    "$(grep -c 'BEGIN CERTIFICATE' /etc/ssl/certs/ca-certificates.crt)" \
    "$(keytool -list -keystore "$layers/java/cacerts" -storepass changeit 2>/dev/null |
        grep -c trustedCertEntry)"
first=$(image_hash)
keep_only_cached
use_app "$apps_dir/java-maven"
run build java "${packages[@]}" MAVEN_MIRROR_URL="$closed_port" HTTPS_PROXY="$closed_port"
equal "a second build needs no network" 0 "$status"
holds "Maven comes from the cache" "$output" "(from the cache)"
equal "a second build gives the same image" "$first" "$(image_hash)"

# The wrapper names another Maven, and its checksum is compared.
keep_only_cached
use_app "$apps_dir/java-maven"
mkdir -p "$dir/.mvn/wrapper"
url=https://repo.maven.apache.org/maven2/org/apache/maven/apache-maven/3.9.12/apache-maven-3.9.12-bin.zip
printf 'distributionUrl=%s\ndistributionSha256Sum=%064d\n' "${url/:/\\:}" 0 \
    >"$dir/.mvn/wrapper/maven-wrapper.properties"
run build java "${packages[@]}"
equal "a distribution with another checksum is refused" 1 "$status"
holds "and named" "$output" "$url does not have the checksum"
sed -i '/Sha256/d' "$dir/.mvn/wrapper/maven-wrapper.properties"
echo 'class Broken {' >"$dir/src/main/java/com/example/Broken.java"
run build java "${packages[@]}"
holds "the wrapper's Maven is taken" "$output" "Maven 3.9.12"
equal "a project that does not compile fails the build" 1 "$status"
holds "in the compiler's words" "$output" "Broken.java:[1,15] reached end of file while parsing"

run build java "${packages[@]}" MAVEN_SETTINGS=not/there.xml
holds "settings that are not there are told" "$output" "MAVEN_SETTINGS names 'not/there.xml'"

finish
