#!/usr/bin/env bash
# What we write, against the JSON schemas of the OCI image specification: the manifests,
# configurations and indexes of a registry in which everything was done, and layouts of each kind.
. "$(dirname "$0")/lib.sh"

support=$SLIPWAY_SOURCE_DIR/tests/support
python3 -c 'import jsonschema' 2>/dev/null ||
    skip_all 'python3 has no jsonschema (apt-get install python3-jsonschema)'
status=0
schemas=$("$support/image_schemas.sh" "$shared" 2>"$work/error") || status=$?
[ "$status" -ne 77 ] || skip_all "$(cat "$work/error")"
[ "$status" -eq 0 ] || { cat "$work/error"; exit 1; }

start_server
use_tiny_stack
cp -a "$shared/tiny" "$work/peer" # what umoci wrote, to know that the schemas are read as they are meant
valid() { python3 "$support/check_images.py" "$schemas" "$@" | tee "$work/checked"; }
count_of() { sed -n "s/^checked \([0-9]*\) of $1$/\1/p" "$work/checked"; }

script_app hello <<'BUILD'
mkdir -p "$CNB_LAYERS_DIR/tools"
echo tool >"$CNB_LAYERS_DIR/tools/file"
printf '[types]\nlaunch = true\n' >"$CNB_LAYERS_DIR/tools.toml"
echo "it has ünïcode" >public/file
BUILD
push hello >/dev/null
for compression in gzip zstd none; do
    slipway build "$work/hello" --compression "$compression" --output "oci:$work/layout:$compression" >"$work/build.log" 2>&1
done
slipway build "$work/hello" --compression zstd --publish "$registry/copies/zstd:1" >"$work/build.log" 2>&1
umoci config --image "$work/layout:gzip" --tag other --architecture arm64 --created 1980-01-01T00:00:01Z
slipway index create "$registry/copies/index:1" hello "oci:$work/layout:other" --all >/dev/null
slipway copy --all hello "$registry/copies/hello:1" >/dev/null
slipway copy --all hello "oci:$work/copied:hello" >/dev/null
slipway copy --all "$registry/copies/index:1" "oci:$work/copied:index" >/dev/null
slipway buildpack package "$fixtures/buildpacks/script" --output "$work/script.cnb" >/dev/null
slipway buildpack package "$fixtures/buildpacks/script" --publish "$registry/copies/script:1" >/dev/null
cat >"$work/builder.toml" <<TOML
[[buildpacks]]
uri = "script.cnb"
[[order]]
[[order.group]]
id = "test/script"
version = "1.0.0"
[build]
image = "$registry/stacks/tiny:build"
[[run.images]]
image = "$registry/stacks/tiny:run"
TOML
slipway builder create "$registry/copies/builder:1" --config "$work/builder.toml" >/dev/null

check 'every manifest, configuration and index in the registry is valid: images, indexes, signatures, lists of referrers, a builder, a buildpackage' '
    valid registry "$state/registry"
    [ "$(count_of image-manifest)" -ge 10 ]
    [ "$(count_of config)" -ge 5 ]
    [ "$(count_of image-index)" -ge 3 ]
'
check 'layouts are valid: of builds, of copies with all that is attached, of an index' '
    valid layout "$work/layout" "$work/copied"
    same "$(count_of image-layout)" 2
    [ "$(count_of image-index)" -ge 3 ]
    [ "$(count_of image-manifest)" -ge 9 ]
'
check 'a .cnb file is a valid layout' '
    mkdir "$work/cnb"
    tar -x -C "$work/cnb" -f "$work/script.cnb"
    valid layout "$work/cnb"
'
if [ -f "$shared/debian-12.key" ]; then
    check 'the images of slipway stack create are valid' '
        valid layout "$shared/debian-12"
        same "$(count_of config)" 2
    '
fi
check 'what is not valid is noticed: a wrong version, a bad digest, a configuration without its architecture' '
    valid layout "$work/peer"
    break_it() { # FILTER MANIFEST-OR-CONFIG: the blob is replaced, and so is what names it
        rm -rf "$work/broken"
        cp -a "$work/copied" "$work/broken"
        python3 - "$work/broken" "$1" "$2" <<"PY"
import hashlib, json, pathlib, subprocess, sys
layout, script, which = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
blobs = layout / "blobs/sha256"
def store(data):
    name = hashlib.sha256(data).hexdigest()
    (blobs / name).write_bytes(data)
    return {"digest": "sha256:" + name, "size": len(data)}
def edit(data):
    return subprocess.run(["jq", "-c", script], input=data, capture_output=True, check=True).stdout
index = json.loads((layout / "index.json").read_text())
entry = next(e for e in index["manifests"] if e.get("annotations", {}).get("org.opencontainers.image.ref.name") == "hello")
manifest = (blobs / entry["digest"][7:]).read_bytes()
if which == "manifest":
    manifest = edit(manifest)
else:
    value = json.loads(manifest)
    value["config"].update(store(edit((blobs / value["config"]["digest"][7:]).read_bytes())))
    manifest = json.dumps(value).encode()
entry.update(store(manifest))
(layout / "index.json").write_text(json.dumps(index))
PY
    }
    break_it ".schemaVersion = 3" manifest
    must_fail valid layout "$work/broken"
    expect "^wrong: image-manifest .*schemaVersion" "$work/checked"
    break_it ".layers[0].mediaType = \"nothing\"" manifest
    must_fail valid layout "$work/broken"
    expect "^wrong: image-manifest .*layers/0/mediaType" "$work/checked"
    break_it "del(.architecture)" config
    must_fail valid layout "$work/broken"
    expect "^wrong: config .*architecture" "$work/checked"
    break_it ".rootfs.diff_ids = .rootfs.diff_ids[1:]" config
    must_fail valid layout "$work/broken"
    expect "^wrong: .*not as many layers" "$work/checked"
'

finish
