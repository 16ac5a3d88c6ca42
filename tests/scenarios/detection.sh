#!/usr/bin/env bash
# Detection and its explanation: orders with composites, plans, optional buildpacks, targets; what a
# person sees when nothing fits.
. "$(dirname "$0")/lib.sh"

# buildpack FOLDER ID: detect and build scripts are $detect and $build; more TOML in $toml.
buildpack() {
    local directory=$buildpacks/$1
    mkdir -p "$directory/bin"
    printf 'api = "0.12"\n[buildpack]\nid = "%s"\nversion = "1.0.0"\n%s\n' "$2" "${toml:-}" \
        >"$directory/buildpack.toml"
    printf '#!/bin/sh\n%s\n' "${detect:-exit 0}" >"$directory/bin/detect"
    printf '#!/bin/sh\n%s\n' "${build:-exit 0}" >"$directory/bin/build"
    chmod 755 "$directory/bin/detect" "$directory/bin/build"
}
provides() { printf '[[provides]]\nname = "%s"\n' "$1"; }
requires() { printf '[[requires]]\nname = "%s"\n' "$1"; }
plan() { printf 'cat >"$CNB_BUILD_PLAN_PATH" <<PLAN\n%s\nPLAN' "$1"; }

buildpacks=$work/buildpacks
mkdir -p "$buildpacks"
detect='echo first line; echo second line >&2; exit 100' buildpack says-no acme/says-no
detect='exit 3' buildpack fails acme/fails
detect='test -f jdk.txt || { echo there is no jdk.txt; exit 100; }
'$(plan "$(provides jdk)") buildpack jdk acme/jdk
detect=$(plan "$(requires jdk)") buildpack maven acme/maven
detect=$(plan "$(requires jdk)
[[or]]
$(requires nothing-here | sed 's/\[\[requires/[[or.requires/')
[[or]]") buildpack lenient acme/lenient
detect='echo asked >"$CNB_BUILD_PLAN_PATH.asked"' toml='[[targets]]
os = "linux"
arch = "sparc"' buildpack other acme/other-machine
toml='[[targets]]
os = "linux"
[[targets.distros]]
name = "debian"
version = "12"' buildpack other-distribution acme/other-distribution
detect=$(plan "$(provides unused)") buildpack tool acme/tool
build='printf "[[processes]]\ntype = \"web\"\ncommand = [\"httpd\", \"-f\", \"-p\", \"8080\"]\ndefault = true\n" >"$CNB_LAYERS_DIR/launch.toml"' \
    buildpack last acme/last
detect='test -f last.txt || exit 100' buildpack last acme/last
mkdir -p "$buildpacks/java"
cat >"$buildpacks/java/buildpack.toml" <<'TOML'
api = "0.12"
[buildpack]
id = "acme/java"
version = "1.0.0"
[[order]]
[[order.group]]
id = "acme/jdk"
version = "1.0.0"
[[order.group]]
id = "acme/maven"
version = "1.0.0"
[[order]]
[[order.group]]
id = "acme/maven"
version = "1.0.0"
TOML
cat >"$buildpacks/order.toml" <<'TOML'
[[order]]
[[order.group]]
id = "acme/says-no"
[[order]]
[[order.group]]
id = "acme/fails"
[[order]]
[[order.group]]
id = "acme/java"
[[order.group]]
id = "acme/lenient"
optional = true
[[order]]
[[order.group]]
id = "acme/other-machine"
[[order]]
[[order.group]]
id = "acme/last"
[[order.group]]
id = "acme/other-distribution"
[[order]]
[[order.group]]
id = "acme/tool"
optional = true
[[order.group]]
id = "acme/fails"
exec-env = ["test"]
[[order.group]]
id = "acme/last"
exec-env = ["test", "production"]
TOML
start_server
use_tiny_stack

app() { # NAME FILE...
    rm -rf "${work:?}/$1"
    mkdir "$work/$1"
    local name
    for name in "${@:2}"; do echo content >"$work/$1/$name"; done
}

check 'a push that no buildpack wants says what each of them said, its exit code and all its lines' '
    slipway apps create nobody
    add_key dev
    new_repository nobody
    echo text >"$work/nobody/readme.txt"
    commit nobody first
    refused_push nobody
    expect "acme/says-no +no \(exit code 100\)" "$work/nobody.push"
    expect "first line" "$work/nobody.push"
    expect "second line" "$work/nobody.push"
    expect "acme/fails +error \(exit code 3\)" "$work/nobody.push"
    expect "acme/jdk +no \(exit code 100\) +there is no jdk.txt" "$work/nobody.push"
    expect "acme/other-machine +not asked: it is not for linux/" "$work/nobody.push"
'
check 'and which plan entries were missing' '
    expect "The plan of acme/maven, acme/lenient\?:" "$work/nobody.push"
    expect "acme/maven@1.0.0 requires .jdk., which nothing before it provides" "$work/nobody.push"
'
check 'the record of it is kept, and can be asked for later' '
    id=$(last_build nobody .build)
    slipway builds detection "$id" >"$work/told"
    expect "No group passed" "$work/told"
    slipway --json builds detection "$id" >"$work/record"
    jq -e ".passed == false and (.chosen | length) == 0" "$work/record"
    jq -e ".buildpacks[] | select(.id == \"acme/fails\") | .exit_code == 3 and .verdict == \"error\"" "$work/record"
    jq -e ".buildpacks[] | select(.id == \"acme/says-no\") | .output == [\"first line\", \"second line\"]" "$work/record"
    jq -e ".buildpacks[] | select(.id == \"acme/other-machine\") | .verdict == \"skipped\" and has(\"exit_code\") == false" "$work/record"
    jq -e ".groups_tried == 7" "$work/record"
'
check 'a composite buildpack stands for its groups; an optional one whose plan works out stays' '
    app java jdk.txt
    slipway --json detect "$work/java" >"$work/record"
    jq -e "[.chosen[].id] == [\"acme/jdk\", \"acme/maven\", \"acme/lenient\"]" "$work/record"
    jq -e ".chosen[0].plan == [\"jdk\", \"jdk\"]" "$work/record"
'
check 'an optional buildpack whose plan does not work out leaves the group' '
    app last last.txt
    slipway --json detect "$work/last" >"$work/record"
    jq -e "[.chosen[].id] == [\"acme/last\"]" "$work/record"
'
check 'a group whose required buildpack targets another distribution fails, and the next is tried' '
    jq -e ".groups[] | select(.group[1].id == \"acme/other-distribution\") | .passed == false and
        .reasons == [\"acme/other-distribution@1.0.0 is not for \" + \"linux/\" + (\"$(uname -m)\" | sub(\"x86_64\"; \"amd64\") | sub(\"aarch64\"; \"arm64\")) + \" (busybox 1)\"]" "$work/record"
    jq -e ".groups[-1].passed and .groups_tried == 7" "$work/record"
'
check 'a buildpack that a group names for another execution environment leaves it' '
    jq -e "[.groups[-1].group[].id] == [\"acme/tool\", \"acme/last\"]" "$work/record"
'
check 'slipway detect builds nothing, stores nothing and says why for people' '
    slipway detect "$work/last" >"$work/told"
    expect "Chosen: acme/last 1.0.0" "$work/told"
    expect "acme/says-no 1.0.0: no \(exit code 100\)" "$work/told"
    refute "sha256:|Exporting" "$work/told"
    app empty readme.txt
    status=0
    slipway detect "$work/empty" >"$work/told" 2>&1 || status=$?
    same "$status" 10
    expect "no buildpack can build this app" "$work/told"
'
check 'slipway build --explain says what each buildpack said, also when all is well' '
    slipway build --explain "$work/last" >"$work/told"
    expect "^       Chosen: acme/last 1.0.0" "$work/told"
    expect "^sha256:[0-9a-f]{64}$" "$work/told"
'
check 'a buildpack for another machine is not even started' '
    refute "asked" "$work/record"
    jq -e ".groups[] | select(.group[0].id == \"acme/other-machine\") | .passed == false" "$work/record"
'
check 'a list of the app'"'"'s own decides over the order, and a buildpack of it that refuses is named' '
    slipway buildpacks set nobody acme/last
    slipway --json buildpacks list nobody | jq -e ".buildpacks == [\"acme/last\"]"
    refused_push nobody
    expect "the app.s list" "$work/nobody.push"
    expect "the buildpack acme/last@1.0.0 cannot build this app" "$work/nobody.push"
    echo yes >"$work/nobody/last.txt"
    commit nobody last
    push nobody
    same "$(slipway --json builds detection "$(last_build nobody .build)" | jq -r ".buildpacks | length")" 1
    slipway buildpacks clear nobody
    slipway --json buildpacks list nobody | jq -e ".buildpacks == []"
'
check 'the cache of an app is cleared on demand' '
    slipway builds cache clear nobody
    [ ! -e "$state/caches/nobody" ]
    slipway builds cache clear nobody
    must_fail slipway builds cache clear not-there
'
finish
