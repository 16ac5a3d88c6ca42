#!/usr/bin/env bash
# Buildpacks from everywhere: git, archives, images, files and folders of the app, chosen by each of
# the rules, against servers of this machine that write down what is asked of them.
. "$(dirname "$0")/lib.sh"

serve=$work/serve
requests=$work/requests.log
mkdir -p "$serve/git" "$serve/files"
: >"$requests"

# buildpack DIRECTORY ID MARK: one that writes MARK into the app's page.
buildpack() {
    mkdir -p "$1/bin"
    cat >"$1/buildpack.toml" <<TOML
api = "0.10"
[buildpack]
id = "$2"
version = "1.0.0"
[[targets]]
os = "linux"
TOML
    printf '#!/bin/sh\nexit 0\n' >"$1/bin/detect"
    cat >"$1/bin/build" <<SH
#!/bin/sh
set -eu
echo "built by $3"
echo "$3" >>public/index.html
printf '[[processes]]\ntype = "web"\ncommand = ["sh", "web.sh"]\ndefault = true\n' >"\$CNB_LAYERS_DIR/launch.toml"
SH
    chmod 755 "$1/bin/detect" "$1/bin/build"
}

# repository NAME ID MARK
repository() {
    [ -d "$serve/git/$1" ] || git init -q "$serve/git/$1"
    buildpack "$serve/git/$1" "$2" "$3"
    git -C "$serve/git/$1" add -A
    git -C "$serve/git/$1" commit -q -m "$3"
}

repository mine test/mine first
first_commit=$(git -C "$serve/git/mine" rev-parse HEAD)
git -C "$serve/git/mine" tag -a -m one v1
git -C "$serve/git/mine" branch side

python3 "$SLIPWAY_SOURCE_DIR/tests/scenarios/buildpack_server.py" "$serve" "$requests" \
    >"$work/port" 2>"$work/buildpack_server.log" &
peer=$!
trap 'kill "$peer" 2>/dev/null || true; clean_up' EXIT
wait_until 20 'the server of buildpacks answers' test -s "$work/port"
url=http://127.0.0.1:$(cat "$work/port")

configure "buildpacks.allowed_private_hosts = [\"127.0.0.1:$(cat "$work/port")\", \"$registry\"]"
configure 'buildpacks.submodules = "yes"'
start_server
use_tiny_stack
script_app app <<<'echo script'

build_ended() { case $(last_build app .state) in running|queued) return 1 ;; esac; }
asked() { wc -l <"$requests"; }
# wants FILE TEXT: the app says so in FILE and nowhere else.
wants() {
    (cd "$work/app" && rm -f project.toml .buildpacks app.json)
    printf '%s\n' "$2" >"$work/app/$1"
    commit app "$1"
}

check 'a git URL of .buildpacks is cloned, and the log says who decided and which commit' '
    wants .buildpacks "$(printf "# ours\r\n$url/git/mine\r")"
    push app
    expect "Buildpacks: from the file .buildpacks" "$work/app.push"
    expect "Cloning $url/git/mine at ${first_commit:0:12}" "$work/app.push"
    expect "test/mine 1.0.0" "$work/app.push"
    expect "built by first" "$work/app.push"
    answers app first
'
check 'a branch is asked for anew, and what is here is not fetched again' '
    : >"$requests"
    commit app again
    push app
    expect "Using $url/git/mine at ${first_commit:0:12}" "$work/app.push"
    [ "$(asked)" -le 2 ] || { cat "$requests"; fail "a known branch cost $(asked) requests"; }
'
check 'a branch that moved is seen' '
    repository mine test/mine second
    commit app moved
    push app
    expect "Cloning $url/git/mine at " "$work/app.push"
    expect "built by second" "$work/app.push"
'
check 'a known commit makes no network call at all' '
    wants .buildpacks "$url/git/mine#$first_commit"
    : >"$requests"
    push app
    expect "built by first" "$work/app.push"
    same "$(asked)" 0
'
check 'a tag with a message, a short commit and another branch are found' '
    for ref in v1 "${first_commit:0:10}" side; do
        wants .buildpacks "$url/git/mine#$ref"
        push app
        expect "at ${first_commit:0:12}" "$work/app.push"
        expect "built by first" "$work/app.push"
    done
'
check 'a ref that was deleted is explained' '
    git -C "$serve/git/mine" branch -D side
    wants .buildpacks "$url/git/mine#side"
    refused_push app
    expect "there is no branch, tag or commit .side. in $url/git/mine" "$work/app.push"
    expect "deleted" "$work/app.push"
'
check 'a repository that is not there is explained' '
    wants .buildpacks "$url/git/never.git"
    refused_push app
    expect "there is no git repository at $url/git/never.git" "$work/app.push"
'
check 'a redirect is followed to a host that may be called, and to no other' '
    wants .buildpacks "$url/moved/mine#v1"
    push app
    expect "built by first" "$work/app.push"
    wants .buildpacks "$url/to-private/x.tgz"
    refused_push app
    expect "not public" "$work/app.push"
'
check 'a private address that nobody allowed is refused' '
    wants .buildpacks "http://localhost:1/x.git"
    refused_push app
    expect "localhost.*not public" "$work/app.push"
    expect "allowed_private_hosts" "$work/app.push"
'
check 'an archive by URL is loaded once, and again when it changed' '
    buildpack "$work/packed/root" test/packed "the archive"
    tar -czf "$serve/files/bp.tgz" -C "$work/packed" root
    wants app.json "{\"buildpacks\": [{\"url\": \"$url/files/bp.tgz?x=1\"}]}"
    push app
    expect "Buildpacks: from the file app.json" "$work/app.push"
    expect "Downloaded $url/files/bp.tgz" "$work/app.push"
    expect "built by the archive" "$work/app.push"
    commit app again
    push app
    expect "Using $url/files/bp.tgz" "$work/app.push"
    buildpack "$work/packed/root" test/packed "the new archive"
    tar -czf "$serve/files/bp.tgz" -C "$work/packed" root
    commit app changed
    push app
    expect "built by the new archive" "$work/app.push"
'
check 'project.toml: a folder, a script, a urn, files left out, variables, pre and post' '
    buildpack "$work/app/bp/folder" test/folder "the folder"
    buildpack "$work/app/bp/post" test/post "the last"
    echo secret >"$work/app/left.out"
    wants project.toml "[_]
schema-version = \"0.2\"
[io.buildpacks]
exclude = [\"*.out\", \"/bp/\"]
[[io.buildpacks.pre.group]]
id = \"me/early\"
  [io.buildpacks.pre.group.script]
  api = \"0.10\"
  inline = \"echo early; [ ! -e left.out ] && [ ! -e bp ] && echo nothing left out of order\"
[[io.buildpacks.group]]
uri = \"./bp/folder\"
[[io.buildpacks.group]]
uri = \"urn:cnb:builder:test/script\"
[[io.buildpacks.group]]
id = \"me/step\"
  [io.buildpacks.group.script]
  api = \"0.10\"
  inline = \"echo GREETING is \$GREETING\"
[[io.buildpacks.post.group]]
uri = \"bp/post\"
[[io.buildpacks.build.env]]
name = \"GREETING\"
value = \"welcome\""
    push app
    expect "Buildpacks: from the file project.toml" "$work/app.push"
    expect "nothing left out of order" "$work/app.push"
    expect "built by the folder" "$work/app.push"
    expect "^remote: +script|script" "$work/app.push"
    expect "GREETING is welcome" "$work/app.push"
    expect "built by the last" "$work/app.push"
    grep -n "early\|built by the folder\|built by the last" "$work/app.push" | cut -d: -f1 >"$work/order"
    sort -n -c "$work/order"
'
check 'pre and post stand around what detection finds, too' '
    wants project.toml "[_]
schema-version = \"0.2\"
[[io.buildpacks.pre.group]]
uri = \"./bp/folder\""
    push app
    refute "Buildpacks: from" "$work/app.push"
    expect "built by the folder" "$work/app.push"
    expect "test/script" "$work/app.push"
'
check 'submodules are fetched, where the operator has said so' '
    repository part test/part part
    repository whole test/whole whole
    echo "cat \"\$CNB_BUILDPACK_DIR/lib/part/buildpack.toml\"" >>"$serve/git/whole/bin/build"
    printf "[submodule \"part\"]\n\tpath = lib/part\n\turl = ../part\n" >"$serve/git/whole/.gitmodules"
    git -C "$serve/git/whole" add -A
    git -C "$serve/git/whole" update-index --add --cacheinfo \
        "160000,$(git -C "$serve/git/part" rev-parse HEAD),lib/part"
    git -C "$serve/git/whole" commit -q -m "with a part"
    wants .buildpacks "$url/git/whole"
    push app
    expect "built by whole" "$work/app.push"
    expect "test/part" "$work/app.push"
'
check 'a mistake in a file is named with its line' '
    wants .buildpacks "$(printf "slipway/x\n\nftp://x/y")"
    refused_push app
    expect ".buildpacks, line 3: " "$work/app.push"
'

# package ID MARK LAYOUT: a buildpackage as an OCI layout.
package() {
    local tree=$work/package-tree
    rm -rf "$tree"
    buildpack "$tree/cnb/buildpacks/${1//\//_}/1.0.0" "$1" "$2"
    mkdir "$tree/cnb/last" # umoci forgets the padding of a layer's last file
    chmod -R go+rX "$tree"
    umoci init --layout "$3"
    umoci new --image "$3:latest"
    umoci insert --image "$3:latest" "$tree/cnb" /cnb
    umoci config --image "$3:latest" \
        --config.label "io.buildpacks.buildpackage.metadata={\"id\":\"$1\",\"version\":\"1.0.0\"}"
    umoci gc --layout "$3"
}
check 'a buildpackage of a registry, by its tag, pinned in the log' '
    package test/package "the image" "$work/package"
    skopeo --insecure-policy copy --quiet --dest-tls-verify=false \
        "oci:$work/package:latest" "docker://$registry/packages/mine:1"
    wants .buildpacks "docker://$registry/packages/mine:1"
    push app
    expect "Using the image $registry/packages/mine@sha256:[0-9a-f]{64}" "$work/app.push"
    expect "built by the image" "$work/app.push"
'
check 'an image that is no buildpackage is refused' '
    wants .buildpacks "docker://$registry/stacks/tiny:build"
    refused_push app
    expect "is not a buildpackage" "$work/app.push"
'
check 'a .cnb file of the source' '
    package test/cnb "the file" "$work/cnb"
    tar -cf "$work/app/mine.cnb" -C "$work/cnb" oci-layout index.json blobs
    wants .buildpacks ./mine.cnb
    push app
    expect "built by the file" "$work/app.push"
'
check 'slipway build --buildpack takes what a person names, in order' '
    buildpack "$work/given" test/given "the command line"
    cp -a "$work/app" "$work/local"
    rm -rf "$work/local/.git" "$work/local/.buildpacks"
    mkdir -p "$work/out"
    slipway build "$work/local" --buildpack "$work/given" \
        --buildpack "$url/git/mine#v1" --output "oci:$work/out/image" >"$work/local.log" 2>&1
    cat "$work/local.log"
    expect "Buildpacks: from the command line" "$work/local.log"
    expect "built by the command line" "$work/local.log"
    expect "built by first" "$work/local.log"
'
check 'what the app names is a folder of the app, on a person'"'"'s own machine too' '
    cp -a "$work/local" "$work/strange"
    for file in .buildpacks project.toml; do
        rm -f "$work/strange/.buildpacks" "$work/strange/project.toml"
        case $file in
            .buildpacks) echo "$work/given" >"$work/strange/$file" ;;
            *) printf "[_]\nschema-version = \"0.2\"\n[[io.buildpacks.pre.group]]\nuri = \"%s\"\n" \
                "$work/given" >"$work/strange/$file" ;;
        esac
        must_fail slipway build "$work/strange" >"$work/strange.log" 2>&1
        cat "$work/strange.log"
        expect "is not below the app" "$work/strange.log"
    done
'
check 'a build image that is a builder: its order decides, and its buildpacks are in it' '
    tree=$work/builder-tree
    buildpack "$tree/buildpacks/in_builder/1.0.0" in/builder "the builder"
    printf "[[order]]\n[[order.group]]\nid = \"in/builder\"\nversion = \"1.0.0\"\n" >"$tree/order.toml"
    mkdir "$tree/zz"
    chmod -R go+rX "$tree"
    cp -a "$shared/tiny" "$work/builder"
    umoci insert --image "$work/builder:build" "$tree" /cnb
    umoci config --image "$work/builder:build" --config.label "io.buildpacks.buildpack.order=[]"
    skopeo --insecure-policy copy --quiet --dest-tls-verify=false \
        "oci:$work/builder:build" "docker://$registry/stacks/builder:build"
    slipway build "$work/local" --build-image "$registry/stacks/builder:build" \
        --run-image "$registry/stacks/tiny:run" >"$work/local.log" 2>&1 || { cat "$work/local.log"; exit 1; }
    cat "$work/local.log"
    expect "built by the builder" "$work/local.log"
    slipway build "$work/local" --build-image "$registry/stacks/builder:build" \
        --run-image "$registry/stacks/tiny:run" --buildpack urn:cnb:builder:in/builder \
        --buildpack test/script >"$work/local.log" 2>&1
    cat "$work/local.log"
    expect "built by the builder" "$work/local.log"
    expect "test/script" "$work/local.log"
'
check 'two builds at once fetch one repository once' '
    repository shared test/shared shared
    script_app one <<<"echo one"
    script_app two <<<"echo two"
    for app in one two; do
        echo "$url/git/shared" >"$work/$app/.buildpacks"
        commit "$app" wants
    done
    : >"$requests"
    for app in one two; do
        cp -a "$work/$app" "$work/local-$app"
        rm -rf "$work/local-$app/.git"
        slipway build "$work/local-$app" >"$work/$app.log" 2>&1 &
    done
    wait -n && wait -n
    expect "built by shared" "$work/one.log"
    expect "built by shared" "$work/two.log"
    # Each asks what the branch is, one fetches.
    same "$(grep -c "GET.*info/refs" "$requests")" 3
'
check 'a build that is ended while it fetches leaves nothing half' '
    wants .buildpacks "$url/slow-git/x.git"
    push app >/dev/null 2>&1 &
    pusher=$!
    wait_until 30 "the fetch has begun" grep -q slow-git "$requests"
    slipway builds cancel "$(last_build app .build)" || kill "$pusher"
    wait "$pusher" || true
    wait_until 30 "the build has ended" build_ended
    [ -z "$(ls -A "$state/buildpack-sources/incoming")" ]
    wants .buildpacks "$url/git/mine#v1"
    push app
    expect "built by first" "$work/app.push"
'
kill "$peer"
finish
