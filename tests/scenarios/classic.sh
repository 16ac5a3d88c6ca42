#!/usr/bin/env bash
# Classic buildpacks: alone, two in a row, and in one order with a Cloud Native one. They want a
# shell and a little more, which the debian-12 stack has.
. "$(dirname "$0")/lib.sh"

# The fixtures and the bundled Procfile buildpack. An app says in a file which group it is for: the
# first buildpack of each group asks for that file.
buildpacks=$work/buildpacks
mkdir "$buildpacks"
cp -a "$fixtures/classic/." "$SLIPWAY_SOURCE_DIR/buildpacks/bundled/procfile" "$buildpacks/"
group() { # ID...
    local id
    echo '[[order]]'
    for id in "$@"; do
        printf '[[order.group]]\nid = "%s"\n' "${id%\?}"
        [[ $id != *\? ]] || echo 'optional = true'
    done
}
# A classic buildpack of a few lines: its name is the file that it looks for.
tiny_pack() { # NAME; bin/compile stands on standard input
    mkdir -p "$buildpacks/$1/bin"
    printf '#!/bin/bash\n[ -f "$1/%s" ] && echo %s\n' "$1" "$1" >"$buildpacks/$1/bin/detect"
    cat >"$buildpacks/$1/bin/compile" # not executable: people forget it
}
tiny_pack failing-group </dev/null
tiny_pack hostile-group </dev/null
tiny_pack procfile-group <<'PACK'
#!/bin/bash
mkdir -p "$1/.profile.d"
echo 'export FROM_PROFILE="it is sourced"' >"$1/.profile.d/tiny.sh"
PACK
tiny_pack counted <<'PACK'
#!/bin/bash
echo run >>"$2/runs"
echo "counted $(wc -l <"$2/runs") runs"
PACK
tiny_pack shaky <<'PACK'
#!/bin/bash
[ ! -f break ]
PACK
tiny_pack slug <<'PACK'
#!/bin/bash
echo "before the build: $(ls | tr '\n' ' ')"
echo "secret in the environment: ${SECRET:-none}"
mkdir tmp && touch tmp/made
PACK
tiny_pack subfolder <<'PACK'
#!/bin/bash
cp -a "$1/service/." "$1/" # a Procfile too
printf '\033[1;33mcoloured\033[0m\n'
PACK
{
    group failing-group fails
    group hostile-group hostile
    group procfile-group slipway/procfile
    group slug
    group subfolder
    group counted shaky
    group runtime framework plain
    group runtime refuses
} >"$buildpacks/order.toml"

# Two of them as repositories of a git server, for an app that names them itself.
serve=$work/serve
mkdir -p "$serve/git" "$serve/files"
for name in runtime framework; do
    git init -q "$serve/git/$name"
    cp -a "$fixtures/classic/$name/." "$serve/git/$name/"
    git -C "$serve/git/$name" add -A
    git -C "$serve/git/$name" commit -q -m first
done
python3 "$SLIPWAY_SOURCE_DIR/tests/scenarios/buildpack_server.py" "$serve" "$work/requests.log" \
    >"$work/port" 2>"$work/buildpack_server.log" &
peer=$!
trap 'kill "$peer" 2>/dev/null || true; clean_up' EXIT
wait_until 20 'the server of buildpacks answers' test -s "$work/port"
url=http://127.0.0.1:$(cat "$work/port")

configure "buildpacks.allowed_private_hosts = [\"127.0.0.1:$(cat "$work/port")\"]"
configure 'build.environment = { SECRET = "12345678" }'
start_server
use_debian_stack

unpack() { # NAME: the last image's root is $work/bundle/rootfs
    rm -rf "$work/layout" "$work/bundle"
    skopeo --insecure-policy copy --quiet --src-tls-verify=false \
        "docker://$(image_reference "$1")" "oci:$work/layout:app"
    umoci unpack --image "$work/layout:app" "$work/bundle" >"$work/umoci.log" 2>&1
    root=$work/bundle/rootfs
}
app_with() { # NAME FILE...
    local name=$1
    shift
    slipway apps create "$name"
    [ -f "$work/dev.key" ] || add_key dev
    new_repository "$name"
    (cd "$work/$name" && touch "$@")
}

app_with two runtime.txt
echo 'one line' >"$work/two/app.txt"
commit two first

check 'two classic buildpacks and a third without bin/release build one image' '
    push two
    expect "^remote:        runtime local: Runtime app detected" "$work/two.push"
    expect "^remote:        framework local: Framework app detected" "$work/two.push"
    expect "sha256:[0-9a-f]{64}" "$work/two.push"
'
check 'bin/compile gets its three directories and what the API says about the environment' '
    log=$work/two.push
    expect "arguments: /workspace /layers/runtime/cache /platform/env in /workspace" "$log"
    expect "HOME=/app APP_DIR=/app STACK=heroku-22 REQUEST_ID=[^ ]+ SOURCE_VERSION=$(git -C "$work/two" rev-parse main)" "$log"
    expect "CURL_TIMEOUT=[0-9]+ secret in the environment: none" "$log"
    expect "secret of 8 bytes" "$log"
    refute "this is never shown" "$log"
'
check 'what bin/report told of a build is kept with it' '
    slipway builds report "$(last_build two .build)" >"$work/reported"
    expect "runtime_version.*1\.2\.3" "$work/reported"
    refute "this is never shown" "$work/reported"
'
check 'the file export reaches the buildpack after it' '
    expect "runtime at /workspace/.heroku/runtime: /workspace/.heroku/runtime/bin/serve" "$work/two.push"
'
check 'the image answers: .profile.d once, the last bin/release alone, HOME and the directory are /app' '
    answers two "^hi HOME=/app FROM_PROFILE=yes FROM_FRAMEWORK=yes SOURCED=\+ OVERRULED=by the framework PWD=/app$"
'
check 'the image has the app at /app, found as /workspace too, and nothing of the second copy' '
    unpack two
    same "$(cat "$root/app/plain.txt")" "plain was here"
    same "$(readlink "$root/workspace")" /app
    [ ! -e "$root/app/only-here" ]
    inspect two --config >"$work/config"
    jq -e ".config.WorkingDir == \"/app\" and (.config.Env | index(\"CNB_APP_DIR=/app\"))" "$work/config"
    jq -e ".config.Labels[\"io.buildpacks.build.metadata\"] | fromjson |
        [.processes[].type] == [\"web\", \"worker\"] and [.buildpacks[].id] == [\"runtime\", \"framework\", \"plain\"]" "$work/config"
    jq -e ".config.Entrypoint == [\"/cnb/process/web\"]" "$work/config"
'
check 'a change of one line keeps the cache, and sends the layer of the app alone' '
    first=$(last_build two .digest)
    cp "$work/layout/index.json" "$work/index.json"
    skopeo inspect --raw "oci:$work/layout:app" | jq -r ".layers[].digest" | sort >"$work/layers.first"
    echo "another line" >"$work/two/app.txt"
    commit two second
    push two
    expect "this is build 2" "$work/two.push"
    [ "$(pushed_digest two)" != "$first" ]
    unpack two
    skopeo inspect --raw "oci:$work/layout:app" | jq -r ".layers[] | \"\(.digest) \(.size)\"" | sort >"$work/layers.second"
    cut -d " " -f 1 "$work/layers.second" | comm -13 "$work/layers.first" - >"$work/layers.new"
    same "$(wc -l <"$work/layers.new")" 1
    [ "$(grep -f "$work/layers.new" "$work/layers.second" | cut -d " " -f 2)" -lt 2000 ]
'
check 'the same tree again has the same digest' '
    before=$(last_build two .digest)
    commit two "nothing new"
    push two
    same "$(pushed_digest two)" "$before"
'

app_with broken failing-group
commit broken first
check 'a buildpack that fails is named with its words, its exit code and its report' '
    refused_push broken
    expect "^remote:        the dependency left-pad is missing" "$work/broken.push"
    expect "^remote:  !     .*fails.*exit code 7" "$work/broken.push"
    slipway builds report "$(last_build broken .build)" >"$work/reported"
    expect "failure_reason.*left-pad" "$work/reported"
'

app_with evil hostile-group
commit evil first
check 'links planted in place of what is read end the build and change nothing outside' '
    before=$(sha256sum /etc/passwd)
    refused_push evil
    expect "^remote:  !     .*\.profile\.d in the app is not a folder" "$work/evil.push"
    refute "$(printf "\033")\[2J" "$work/evil.push"
    [ ! -e /etc/00_config_vars.sh ]
    same "$(sha256sum /etc/passwd)" "$before"
'

app_with mixed procfile-group
printf 'web: exec perl serve "$FROM_PROFILE" "$FROM_DOT_PROFILE"\n' >"$work/mixed/Procfile"
echo 'export FROM_DOT_PROFILE="and this"' >"$work/mixed/.profile"
cp "$fixtures/classic/runtime/opt/serve" "$work/mixed/serve"
commit mixed first
check 'a Procfile by a Cloud Native buildpack sees what .profile.d and .profile set' '
    push mixed
    answers mixed "^it is sourced and this HOME=/app"
'

app_with inner subfolder
mkdir "$work/inner/service"
printf 'worker: exec sleep 9\n' >"$work/inner/service/Procfile"
commit inner first
check 'a Procfile that a buildpack brought from a folder counts, and its colours are not shown' '
    push inner
    expect "^remote:        coloured *$" "$work/inner.push"
    expect "process worker: " "$work/inner.push"
'

app_with slugged slug docs.psd
mkdir "$work/slugged/spec"
touch "$work/slugged/spec/one"
printf '*.psd\n/spec\n/tmp\n[oops\n' >"$work/slugged/.slugignore"
commit slugged first
check '.slugignore keeps files out of the image after the build, and tells of a bad line' '
    push slugged
    expect "before the build: docs.psd slug spec" "$work/slugged.push"
    expect "\.slugignore, line 4: .*\[oops" "$work/slugged.push"
    unpack slugged
    [ -e "$root/app/slug" ]
    for name in docs.psd spec tmp; do [ ! -e "$root/app/$name" ]; done
'
check 'a folder that the build made and .slugignore removed leaves no empty layer' '
    refute "has no files" "$work/slugged.push"
    inspect slugged --config >"$work/config"
    jq -e ".config.Labels[\"io.buildpacks.lifecycle.metadata\"] | fromjson | .app | length == 1" "$work/config"
'

app_with later counted shaky break
commit later first
check 'what a buildpack kept in CACHE_DIR is there again after one behind it failed' '
    refused_push later
    expect "counted 1 runs" "$work/later.push"
    git -C "$work/later" rm -q break
    commit later second
    push later
    expect "counted 2 runs" "$work/later.push"
'

mkdir -p "$work/monorepo/apps/web"
touch "$work/monorepo/apps/web/runtime.txt" "$work/monorepo/elsewhere"
printf '{"buildpacks": [{"url": "%s/git/runtime"}]}' "$url" >"$work/monorepo/scalingo.json"
check 'with PROJECT_DIR a folder is the app, and scalingo.json of a folder above names its buildpacks' '
    slipway build "$work/monorepo" --env PROJECT_DIR=apps/web --output "oci:$work/project:app" >"$work/said" 2>&1 ||
        { cat "$work/said"; exit 1; }
    expect "The app is its folder apps/web" "$work/said"
    expect "Buildpacks: from the file scalingo.json above PROJECT_DIR" "$work/said"
    expect "Runtime app detected" "$work/said"
    umoci unpack --image "$work/project:app" "$work/project.bundle" >"$work/umoci.log" 2>&1
    [ -e "$work/project.bundle/rootfs/app/runtime.txt" ]
    [ -z "$(find "$work/project.bundle/rootfs/app" -name elsewhere -o -name scalingo.json -o -name apps)" ]
'

app_with named runtime.txt
printf '# my buildpacks\r\n%s/git/runtime\r\n\r\n%s/git/framework#main\r\n' "$url" "$url" \
    >"$work/named/.buildpacks"
commit named first
check 'a .buildpacks file that names two classic repositories pushes to a running image' '
    push named
    expect "from .*\.buildpacks" "$work/named.push"
    expect "git-runtime|git/runtime" "$work/named.push"
    expect "Framework app detected" "$work/named.push"
    answers named "^hi HOME=/app FROM_PROFILE=yes FROM_FRAMEWORK=yes SOURCED=\+ "
'
rm "$work/named/runtime.txt"
touch "$work/named/other.txt"
commit named second
check 'a listed buildpack that refuses ends the build with its name and what it said' '
    refused_push named
    expect "^remote:  !     .*git/runtime@.* cannot build this app" "$work/named.push"
    expect "no runtime.txt among: other.txt" "$work/named.push"
'

stop_server
configure 'build.classic_variables = "environment"'
configure 'build.slugignore = "before"'
start_server
check 'the operator may have .slugignore before the build, and variables in the environment' '
    expect "secret in the environment: none" "$work/slugged.push"
    commit slugged second
    push slugged
    expect "before the build: slug *$" "$work/slugged.push"
    expect "secret in the environment: [*]{3}" "$work/slugged.push"
    unpack slugged
    [ -e "$root/app/tmp/made" ]
'

finish
