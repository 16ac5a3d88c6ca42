#!/usr/bin/env bash
# What stands beside every image: signature, provenance, bills of materials, the log. cosign checks
# it, `slipway verify` checks it, and both refuse what was changed.
. "$(dirname "$0")/lib.sh"

have_cosign=yes
if ! command -v cosign >/dev/null; then
    skip_part 'the checks by cosign, which is not here (tools/install-peers cosign)'
    have_cosign=
fi
sbom_python=${SBOM_VALIDATORS:-/usr/local/lib/sbom-validators}/bin/python
if ! [ -x "$sbom_python" ]; then
    skip_part 'the check by sbom-validators, which are not here (tools/install-peers sbom-validators)'
    sbom_python=
fi
with_cosign() { [ -z "$have_cosign" ] || check "$@"; }

# The script of the fixtures, allowed to tell what is in its layers.
cp -a "$fixtures/buildpacks" "$work/buildpacks"
sed -i 's|^version = .*|&\nsbom-formats = ["application/vnd.cyclonedx+json"]|' \
    "$work/buildpacks/script/buildpack.toml"
buildpacks=$work/buildpacks

start_server
use_tiny_stack

script_app hello <<'BUILD'
mkdir -p "$CNB_LAYERS_DIR/deps"
echo 'a dependency' >"$CNB_LAYERS_DIR/deps/file"
printf '[types]\nlaunch = true\n' >"$CNB_LAYERS_DIR/deps.toml"
cat >"$CNB_LAYERS_DIR/deps.sbom.cdx.json" <<'JSON'
{"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "components": [
 {"type": "library", "bom-ref": "x", "name": "left-pad", "version": "1.3.0",
  "purl": "pkg:npm/left-pad@1.3.0"}]}
JSON
echo "a line of the log"
BUILD
push hello
slipway config set hello SECRET_WORD=open-sesame >/dev/null
echo more >"$work/hello/public/more.html"
commit hello second
push hello >"$work/second.push"
image=$(image_reference hello)
repository=${image%@*}
digest=${image#*@}
hex=${digest#sha256:}
slipway key >"$work/key.pub"
openssl ecparam -name prime256v1 -genkey -noout -out "$work/other.key" 2>/dev/null
openssl ec -in "$work/other.key" -pubout -out "$work/other.pub" 2>/dev/null

cosign_verify() { # KEY IMAGE
    cosign verify --key "$1" --insecure-ignore-tlog=true --allow-insecure-registry "$2" 2>&1
}
cosign_attested() { # TYPE KEY IMAGE: prints the predicate
    cosign verify-attestation --type "$1" --key "$2" --insecure-ignore-tlog=true \
        --allow-insecure-registry "$3" 2>"$work/cosign.err" |
        jq -r .payload | base64 -d | jq .predicate
}
# The registry is ours and asks for tokens, which the operator's password of this start buys.
api_of=http://${repository%%/*}/v2/${repository#*/}
registry_curl() { # CURL'S ARGUMENTS
    local realm token
    realm=$(curl -s -o /dev/null -D - "http://${repository%%/*}/v2/" | tr -d '\r' |
        sed -n 's/^[Ww]ww-[Aa]uthenticate: Bearer realm="\([^"]*\)".*/\1/p')
    token=$(curl -sSf -u "user:$(cat "$state/registry/password")" -G "$realm" \
        --data service=slipway-registry --data "scope=repository:${repository#*/}:pull,push" |
        jq -r .token)
    curl -sSf -H "Authorization: Bearer $token" "$@"
}
fetch_blob() { registry_curl "$api_of/blobs/$1"; }
fetch_manifest() { # TAG-OR-DIGEST
    registry_curl -H 'Accept: application/vnd.oci.image.manifest.v1+json' \
        -H 'Accept: application/vnd.oci.image.index.v1+json' "$api_of/manifests/$1"
}
put_manifest() { # TAG-OR-DIGEST < BYTES
    registry_curl -o /dev/null -X PUT \
        -H 'Content-Type: application/vnd.oci.image.manifest.v1+json' \
        --data-binary @- "$api_of/manifests/$1"
}
put_blob() { # FILE
    local place
    place=$(registry_curl -D - -o /dev/null -X POST "$api_of/blobs/uploads/" |
        tr -d '\r' | awk 'tolower($1) == "location:" { print $2 }')
    case $place in /*) place=http://${repository%%/*}$place ;; esac
    registry_curl -o /dev/null -X PUT --data-binary @"$1" \
        -H 'Content-Type: application/octet-stream' \
        "$place&digest=sha256:$(sha256sum "$1" | cut -c 1-64)"
}
verify_ends_with() { # CODE WORDS VERIFY'S ARGUMENTS
    local code=$1 words=$2 status=0
    shift 2
    slipway verify "$@" >"$work/out" 2>"$work/err" || status=$?
    cat "$work/err"
    same "$status" "$code"
    expect "$words" "$work/err"
}

with_cosign 'cosign verifies the image with the server'\''s key' '
    cosign_verify "$work/key.pub" "$image" >"$work/verified"
    expect "The signatures were verified against the specified public key" "$work/verified"
    expect "$digest" "$work/verified"
'
with_cosign 'cosign refuses it with any other key' '
    must_fail cosign_verify "$work/other.pub" "$image"
'
with_cosign 'cosign verifies the provenance: who built it, from which commit' '
    cosign_attested slsaprovenance1 "$work/key.pub" "$image" >"$work/provenance"
    same "$(jq -r .buildDefinition.externalParameters.app "$work/provenance")" hello
    same "$(jq -r ".buildDefinition.resolvedDependencies[0].digest.gitCommit" "$work/provenance")" \
        "$(git -C "$work/hello" rev-parse HEAD)"
    same "$(jq -r .runDetails.metadata.invocationId "$work/provenance")" "$(last_build hello .build)"
    jq -e ".buildDefinition.resolvedDependencies[] | select(.name == \"test/script@1.0.0\") | .digest.sha256 | length == 64" "$work/provenance" ||
        fail "$(jq .buildDefinition.resolvedDependencies "$work/provenance")"
    must_fail cosign_attested slsaprovenance1 "$work/other.pub" "$image"
'
with_cosign 'cosign verifies both bills of materials' '
    cosign_attested cyclonedx "$work/key.pub" "$image" >"$work/cyclonedx"
    same "$(jq -r ".components[].purl" "$work/cyclonedx")" "pkg:npm/left-pad@1.3.0"
    cosign_attested spdxjson "$work/key.pub" "$image" >"$work/spdx"
    same "$(jq -r ".packages[1].externalRefs[0].referenceLocator" "$work/spdx")" "pkg:npm/left-pad@1.3.0"
'
[ -z "$sbom_python" ] || check 'both bills of materials are valid by their own projects'\'' libraries' '
    slipway inspect hello --sbom cyclonedx >"$work/bill.cdx.json"
    slipway inspect hello --sbom spdx >"$work/bill.spdx.json"
    "$sbom_python" "$SLIPWAY_SOURCE_DIR/tests/scenarios/check_bills.py" "$work/bill.cdx.json" "$work/bill.spdx.json"
'
check 'slipway verify says who built it, from what, with the server'\''s own key or one that is given' '
    slipway verify hello >"$work/verify"
    expect "^Verified: $image" "$work/verify"
    expect "gitCommit:$(git -C "$work/hello" rev-parse HEAD)" "$work/verify"
    expect "refs/heads/main" "$work/verify"
    expect "test/script@" "$work/verify"
    slipway --json verify "$image" --key "$work/key.pub" | jq -e .verified
    slipway --json verify "$(last_build hello .build)" | jq -e ".attestations | length == 3"
'
check 'provenance names the environment'\''s variables and tells no value' '
    slipway --json verify hello | tee "$work/json" |
        jq -e ".provenance.buildDefinition.internalParameters.environment | index(\"SECRET_WORD\")"
    refute "open-sesame" "$work/json"
'
check 'the log is beside the image, as it is in the provenance' '
    log=$(slipway --json verify hello | jq -r ".provenance.runDetails.byproducts[0].digest.sha256")
    fetch_blob "sha256:$log" >"$work/log"
    expect "a line of the log" "$work/log"
    expect "Publishing" "$work/log"
'
check 'everything is among the image'\''s referrers' '
    fetch_manifest "sha256-$hex" >"$work/referrers"
    for type in application/vnd.dev.cosign.artifact.sig.v1+json application/vnd.dev.cosign.artifact.att.v1+json \
        application/vnd.cyclonedx+json application/spdx+json application/vnd.slipway.build.log.v1; do
        jq -e --arg type "$type" "[.manifests[] | select(.artifactType == \$type)] | length == 1" "$work/referrers"
    done
    same "$(jq ".manifests | length" "$work/referrers")" 5
'
check 'another key, no signature and no image are three different answers' '
    verify_ends_with 3 "none of the given keys" "$image" --key "$work/other.pub"
    verify_ends_with 4 "no signature" "$registry/stacks/tiny:run"
    verify_ends_with 4 "there is no image" "$repository:nothing"
'
check 'slipway inspect shows layers with their owners, processes and packages' '
    slipway inspect hello >"$work/inspect"
    expect "test/script: deps" "$work/inspect"
    expect "^run image " "$work/inspect"
    expect "^web \*" "$work/inspect"
    same "$(slipway --json inspect hello | jq .packages)" 1
    expect "^Packages: +1 \(npm 1\)" "$work/inspect"
    slipway inspect hello --sbom spdx | jq -e ".spdxVersion == \"SPDX-2.3\""
'
check 'slipway inspect says why each layer was made or used again' '
    slipway --json inspect hello >"$work/inspected"
    jq -r ".layers[] | [.by, .name, .reason] | @tsv" "$work/inspected"
    reason() { jq -r --arg by "$1" --arg name "$2" ".layers[] | select(.by == \$by and .name == \$name) | .reason" "$work/inspected"; }
    same "$(reason "run image" "")" "base image"
    same "$(reason app "slice 1")" "made: its files changed"
    expect "^reused: (no file of it was touched|its files are the same)" <(reason test/script deps)
    expect "^reused: " <(reason platform launcher)
    first=$(slipway --json builds list --app hello | jq -r ".builds[-1].id")
    slipway --json inspect "$first" >"$work/inspected"
    same "$(reason test/script deps)" "made: there was no image before"
'
check 'slipway diff says what grew between two images' '
    first=$(slipway --json builds list --app hello | jq -r ".builds[-1].id")
    slipway diff "$first" hello >"$work/diff"
    expect "^changed +app" "$work/diff"
    refute "test/script: deps|run image" "$work/diff"
    expect "^/workspace/public +.* \+5 B" "$work/diff"
    slipway diff hello hello >"$work/same"
    expect "the same content" "$work/same"
'
check 'an attestation that was changed is refused, by cosign too' '
    fetch_manifest "sha256-$hex.att" >"$work/att.json"
    envelope=$(jq -r ".layers[] | select(.annotations.predicateType | test(\"slsa\")) | .digest" "$work/att.json")
    fetch_blob "$envelope" | jq -c ".payload |= (@base64d | sub(\"hello\"; \"other\") | @base64)" >"$work/forged"
    put_blob "$work/forged"
    jq -c --arg old "$envelope" --arg new "sha256:$(sha256sum "$work/forged" | cut -c 1-64)" \
        --argjson size "$(stat -c %s "$work/forged")" \
        "(.layers[] | select(.digest == \$old)) |= (.digest = \$new | .size = \$size)" "$work/att.json" |
        put_manifest "sha256-$hex.att"
    verify_ends_with 15 "changed after it was signed" hello
    [ -z "$have_cosign" ] || must_fail cosign_attested slsaprovenance1 "$work/key.pub" "$image"
    put_manifest "sha256-$hex.att" <"$work/att.json"
    slipway verify hello >/dev/null
'
check 'what strangers put beside an image keeps nobody from looking at it' '
    fetch_manifest "sha256-$hex.att" >"$work/att.json"
    printf "no envelope" >"$work/junk"
    # Of the types that we read ourselves, in forms that we do not write.
    for type in https://slsa.dev/provenance/v1 https://cyclonedx.org/bom; do
        jq -n -c --arg type "$type" --arg hex "$hex" \
            "{_type: \"https://in-toto.io/Statement/v1\", subject: [{name: \"x\", digest: {sha256: \$hex}}], predicateType: \$type, predicate: [\"theirs\"]}" |
            jq -R -c "{payloadType: \"application/vnd.in-toto+json\", payload: (. | @base64), signatures: []}" >"$work/theirs.${type##*/}"
    done
    for file in "$work/junk" "$work/theirs.v1" "$work/theirs.bom"; do
        put_blob "$file"
        jq -c --arg digest "sha256:$(sha256sum "$file" | cut -c 1-64)" --argjson size "$(stat -c %s "$file")" \
            ".layers += [{mediaType: \"application/vnd.dsse.envelope.v1+json\", digest: \$digest, size: \$size}]" \
            "$work/att.json" >"$work/more.json"
        put_manifest "sha256-$hex.att" <"$work/more.json"
        slipway --json inspect hello >"$work/inspected" || fail "$file: inspect failed"
        jq -e ".layers | length > 1" "$work/inspected"
        slipway diff hello hello >/dev/null || fail "$file: diff failed"
        slipway verify hello >/dev/null || fail "$file: verify failed"
    done
    put_manifest "sha256-$hex.att" <"$work/att.json"
    slipway --json inspect hello | jq -e ".provenance and .packages == 1"
'
check 'a log that was put in the place of the one that was signed is refused' '
    log_manifest=$(fetch_manifest "sha256-$hex" | jq -r ".manifests[] | select(.artifactType == \"application/vnd.slipway.build.log.v1\") | .digest")
    fetch_manifest "$log_manifest" >"$work/log.json"
    fetch_manifest "sha256-$hex" >"$work/referrers"
    echo "nothing to see" >"$work/forged.log"
    put_blob "$work/forged.log"
    jq -c --arg digest "sha256:$(sha256sum "$work/forged.log" | cut -c 1-64)" \
        ".layers[0].digest = \$digest | .layers[0].size = 15" "$work/log.json" >"$work/forged.json"
    forged=sha256:$(sha256sum "$work/forged.json" | cut -c 1-64)
    put_manifest "$forged" <"$work/forged.json"
    jq -c --arg old "$log_manifest" --arg new "$forged" --argjson size "$(stat -c %s "$work/forged.json")" \
        "(.manifests[] | select(.digest == \$old)) |= (.digest = \$new | .size = \$size)" "$work/referrers" >"$work/forged.index"
    registry_curl -o /dev/null -X PUT -H "Content-Type: application/vnd.oci.image.index.v1+json" \
        --data-binary @"$work/forged.index" "$api_of/manifests/sha256-$hex"
    verify_ends_with 15 "is not what its provenance names" hello
    registry_curl -o /dev/null -X PUT -H "Content-Type: application/vnd.oci.image.index.v1+json" \
        --data-binary @"$work/referrers" "$api_of/manifests/sha256-$hex"
    slipway verify hello >/dev/null
'
check 'the signature of one image does not make another one good' '
    fetch_manifest "$digest" | jq -c ".annotations = {\"changed\": \"yes\"}" >"$work/evil.json"
    put_manifest evil <"$work/evil.json"
    evil=$(sha256sum "$work/evil.json" | cut -c 1-64)
    verify_ends_with 4 "no signature" "$repository:evil"
    fetch_manifest "sha256-$hex.sig" >"$work/sig.json"
    fetch_manifest "sha256-$hex.att" >"$work/att.json"
    put_manifest "sha256-$evil.sig" <"$work/sig.json"
    put_manifest "sha256-$evil.att" <"$work/att.json"
    verify_ends_with 14 "another image" "$repository:evil"
    [ -z "$have_cosign" ] || must_fail cosign_verify "$work/key.pub" "$repository@sha256:$evil"
'
check 'the registry collects its garbage and leaves what stands beside images that are kept' '
    first=$(slipway --json builds list --app hello | jq -r ".builds[-1].id")
    fetch_manifest "$digest" | jq -c ".annotations = {\"nobody\": \"names it\"}" >"$work/nobody.json"
    nobody=sha256:$(sha256sum "$work/nobody.json" | cut -c 1-64)
    put_manifest "$nobody" <"$work/nobody.json"
    find "$state/registry/data" -name link -exec touch -d "2 days ago" {} +
    slipway --json prune >"$work/pruned"
    jq . "$work/pruned"
    jq -e --arg name "hello@$nobody" "[.items[] | select(.kind == \"image\") | .name] | index(\$name)" "$work/pruned"
    must_fail fetch_manifest "$nobody"
    for which in hello "$first"; do
        slipway --json verify "$which" >"$work/json"
        jq -e ".attestations | length == 3" "$work/json"
        fetch_blob "sha256:$(jq -r ".provenance.runDetails.byproducts[0].digest.sha256" "$work/json")" >/dev/null
        fetch_manifest "$(jq -r .digest "$work/json" | tr : -)" >"$work/referrers"
        same "$(jq ".manifests | length" "$work/referrers")" 5
        for referrer in $(jq -r ".manifests[].digest" "$work/referrers"); do
            fetch_manifest "$referrer" >/dev/null
        done
        slipway inspect "$which" --sbom cyclonedx | jq -e ".components | length == 1"
    done
    [ -z "$have_cosign" ] || cosign_verify "$work/key.pub" "$image"
'
check 'an image that is built again has one log and one of each attestation beside it, without a warning' '
    git -C "$work/hello" archive -o "$work/hello.tar" main
    slipway deploy hello "$work/hello.tar" --no-cache >"$work/deployed"
    same "$(tail -n 1 "$work/deployed")" "$digest"
    fetch_manifest "sha256-$hex" >"$work/referrers"
    same "$(jq ".manifests | length" "$work/referrers")" 5
    slipway --json verify hello >"$work/json"
    same "$(jq -r .provenance.runDetails.metadata.invocationId "$work/json")" "$(last_build hello .build)"
    fetch_blob "sha256:$(jq -r ".provenance.runDetails.byproducts[0].digest.sha256" "$work/json")" >/dev/null
    refute "attestation" "$work/server.log"
'
with_cosign 'cosign verifies what a person built and signed without the server' '
    chmod 600 "$work/other.key"
    slipway build "$work/hello" --publish "$registry/by-hand/hello:1" --sign-key "$work/other.key" >"$work/built"
    mine=$registry/by-hand/hello@$(tail -n 1 "$work/built")
    cosign_verify "$work/other.pub" "$mine"
    must_fail cosign_verify "$work/key.pub" "$mine"
    cosign_attested slsaprovenance1 "$work/other.pub" "$mine" >"$work/provenance"
    expect "urn:slipway:local:[0-9a-f]{64}" <(jq -r .runDetails.builder.id "$work/provenance")
    verify_ends_with 3 "none of the given keys" "$mine"
    slipway verify "$mine" --key "$work/other.pub" >/dev/null
'
check 'the signing key is the server'\''s alone' '
    same "$(stat -c %a "$state/signing.key")" 600
'
stop_server
mv "$state/signing.key" "$work/old-signing.key"
start_server
check 'what an older key signed is verified after a change, and a new one signs' '
    slipway verify "$image" >/dev/null
    same "$(slipway --json key | jq ".signing_keys | length")" 2
    slipway key >"$work/new.pub"
    must_fail slipway verify "$image" --key "$work/new.pub"
    echo third >"$work/hello/public/more.html"
    commit hello third
    push hello
    slipway verify hello --key "$work/new.pub" >/dev/null
    must_fail slipway verify hello --key "$work/key.pub"
'
finish
