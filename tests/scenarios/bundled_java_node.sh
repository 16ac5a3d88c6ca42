#!/usr/bin/env bash
# The bundled buildpacks for Java and Node.js with apps as people have them: a Maven project,
# workspaces, Next.js, Vite. Each is pushed twice; the second build downloads nothing.
. "$(dirname "$0")/lib.sh"

buildpacks=$SLIPWAY_SOURCE_DIR/buildpacks/bundled
npm_registry=${NPM_CONFIG_REGISTRY:-${npm_config_registry:-https://registry.npmjs.org}}
settings=$("$SLIPWAY_SOURCE_DIR/tools/network-settings")
maven_central=$(sed -n 's/^build.environment.MAVEN_MIRROR_URL = "\(.*\)"/\1/p' <<<"$settings")
maven_central=${maven_central:-https://repo.maven.apache.org/maven2}
curl -sf --max-time 30 -o /dev/null "${npm_registry%/}/ms" ||
    skip_all 'the npm registry cannot be reached'
curl -sf --max-time 30 -o /dev/null "${maven_central%/}/org/json/json/maven-metadata.xml" ||
    skip_all 'Maven Central cannot be reached'
configure "$settings"
start_server
use_debian_stack

pushes() { # NAME
    new_app "$1" "$1"
    push "$1"
    expect 'sha256:[0-9a-f]{64}' "$work/$1.push"
}
# A commit without a change: what the package managers say of downloads is not there, and the
# digest is the same.
downloads='Download(ing|ed) |[Ff]etching |Installed |Unpacked |added [0-9]+ package'
pushes_again() { # NAME WORDS
    local digest
    digest=$(last_build "$1" .digest)
    commit "$1" 'nothing new'
    push "$1"
    refute "$downloads" "$work/$1.push"
    expect "$2" "$work/$1.push"
    same "$(pushed_digest "$1")" "$digest"
}

check 'workspaces of Yarn with Plug'"'"'n'"'"'Play are built, and the image answers' '
    pushes node-workspaces
    expect "Plug.n.Play" "$work/node-workspaces.push"
    answers node-workspaces "Hello from Slipway, up for "
'
check 'their second build downloads nothing, and gives the same digest' '
    pushes_again node-workspaces "Using the packages of yarn.lock from the cache"
'
check 'a Vite app is built with pnpm 12, and the image serves its files' '
    pushes node-vite
    expect "\(pnpm 12" "$work/node-vite.push"
    answers node-vite "<title>Hello from Slipway</title>" /a/page/of/the/script
    answers node-vite "A file as it is" /note.txt
'
check 'its second build downloads nothing, and gives the same digest' '
    pushes_again node-vite "from the cache: pnpm-lock.yaml is unchanged"
'
check 'a Next.js app is built, and the image answers by its standalone server' '
    pushes node-next
    expect "standalone output" "$work/node-next.push"
    answers node-next "<h1>Hello from Slipway</h1>"
    answers node-next "A file as it is" /note.txt
'
check 'its second build downloads nothing, and gives the same digest' '
    pushes_again node-next "from the cache: package-lock.json is unchanged"
'
check 'a Maven project is built with the JDK of Debian, and the image answers' '
    pushes java-maven
    expect "Java 17\.[0-9.]+ \(maven.compiler.release in pom.xml" "$work/java-maven.push"
    answers java-maven "Hello from Slipway"
    # Its JVM trusts the certificate authorities of the stack.
    expect "\"authorities\":[1-9][0-9]+" "$work/answer"
'
check 'its second build downloads nothing, and gives the same digest' '
    pushes_again java-maven "Using the packages of pom.xml from the cache"
'
check 'a Java that the build image has no packages of is refused with those that it has' '
    echo "java.runtime.version=21" >"$work/java-maven/system.properties"
    commit java-maven "another Java"
    refused_push java-maven
    expect "system.properties asks for Java 21, which the build image \(debian 12\) has no packages" \
        "$work/java-maven.push"
    expect "There is Java 17" "$work/java-maven.push"
'

finish
