#!/usr/bin/env python3
"""Tells two images of the same app apart: ours and the reference lifecycle's.

  compare_images.py record LAYOUT TAG BASE_TAG REGISTRY     an image as JSON, on standard output
  compare_images.py compare OURS THEIRS ALLOWED KNOWN       directories with CASE/BUILD.json

`record` leaves out what differs from machine to machine and not between lifecycles: the run image's
own layers, its digests, the registry's address, the launcher's bytes. A layer is known by what its
history says of it, and a diff id in a label by its layer, so that one difference shows once.

`compare` prints each difference as "CASE/BUILD/PATH: ours, theirs". ALLOWED and KNOWN are lists of
patterns (`*` is any text), each below a comment that says why. It fails for a difference in neither
and for a pattern that matches nothing any more: lists only shrink.
"""
import gzip
import hashlib
import io
import json
import pathlib
import re
import sys
import tarfile

LAUNCHER_LAYER = "Buildpacks Application Launcher"
LIFECYCLE_TIME = 315532801  # 1980-01-01T00:00:01Z
LARGEST_TEXT = 4096


class Layout:
    """An OCI layout directory."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)

    def blob(self, digest):
        return (self.directory / "blobs" / digest.replace(":", "/")).read_bytes()

    def image(self, tag):
        index = json.loads((self.directory / "index.json").read_text())
        for descriptor in index["manifests"]:
            if descriptor.get("annotations", {}).get("org.opencontainers.image.ref.name") == tag:
                manifest = json.loads(self.blob(descriptor["digest"]))
                return descriptor["digest"], manifest, json.loads(self.blob(manifest["config"]["digest"]))
        sys.exit(f"{self.directory} has no image {tag}")


def read_entry(archive, raw, member, is_launcher):
    header = raw[member.offset:member.offset_data]
    entry = {
        "name": member.name,
        "type": {b"0": "file", b"5": "directory", b"2": "link", b"1": "hard link"}.get(member.type, str(member.type)),
        "mode": oct(member.mode),
        "owner": f"{member.uid}:{member.gid}",
    }
    if member.linkname:
        entry["target"] = member.linkname
    if member.mtime != LIFECYCLE_TIME:
        entry["time"] = member.mtime
    if member.uname or member.gname:
        entry["owner names"] = f"{member.uname}:{member.gname}"
    if is_launcher and member.isfile():
        return entry
    entry["header"] = hashlib.sha256(header).hexdigest()[:16]
    if member.isfile():
        content = archive.extractfile(member).read()
        try:
            if len(content) > LARGEST_TEXT:
                raise ValueError
            entry["text"] = content.decode()
        except ValueError:
            entry["sha256"] = hashlib.sha256(content).hexdigest()
    return entry


def read_layer(blob, is_launcher):
    raw = gzip.decompress(blob) if blob[:2] == b"\x1f\x8b" else blob
    with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
        return [read_entry(archive, raw, member, is_launcher) for member in archive]


def replace_texts(value, texts):
    if isinstance(value, dict):
        return {replace_texts(key, texts): replace_texts(item, texts) for key, item in value.items()}
    if isinstance(value, list):
        return [replace_texts(item, texts) for item in value]
    if isinstance(value, str):
        for old, new in texts:
            value = value.replace(old, new)
    return value


def parse_label(text):
    return json.loads(text) if text[:1] in ("{", "[") else text


def split_environment(config):
    """Values by name, and apart from them the order of the names."""
    variables = [entry.partition("=") for entry in config.pop("Env", None) or []]
    return config | {"Env": {name: value for name, _, value in variables},
                     "order of Env": [name for name, _, _ in variables]}


def name_layers(history, diff_ids):
    """What history says of each layer, made unique."""
    said = [entry.get("created_by", "") for entry in history if not entry.get("empty_layer")]
    said += ["(no history)"] * (len(diff_ids) - len(said))
    names = []
    for text in said[:len(diff_ids)]:
        name, count = text, 1
        while name in names:
            count += 1
            name = f"{text} #{count}"
        names.append(name)
    return names


def record(directory, tag, base_tag, registry):
    layout = Layout(directory)
    base_digest, base_manifest, base_config = layout.image(base_tag)
    _, manifest, config = layout.image(tag)
    diff_ids, base_ids = config["rootfs"]["diff_ids"], base_config["rootfs"]["diff_ids"]
    own = len(base_ids)
    names = name_layers(config.get("history", []), diff_ids)
    layers = {}
    for position, (name, diff_id) in enumerate(zip(names, diff_ids)):
        if position < own:
            continue
        is_launcher = name == LAUNCHER_LAYER
        layer = {"diff id": "(the launcher's)" if is_launcher else diff_id,
                 "media type": manifest["layers"][position]["mediaType"],
                 "entries": read_layer(layout.blob(manifest["layers"][position]["digest"]), is_launcher)}
        layers[name] = layer
    texts = [(diff_id, f"(diff id of {name})") for name, diff_id in list(zip(names, diff_ids))[own:]]
    texts += [(base_ids[-1], "(top layer of the run image)"), (base_digest, "(digest of the run image)"),
              (registry, "(registry)")]
    labels = {key: parse_label(value) for key, value in (config["config"].pop("Labels", None) or {}).items()}
    return replace_texts({
        "manifest": {"mediaType": manifest.get("mediaType"), "config": manifest["config"]["mediaType"],
                     "annotations": manifest.get("annotations", {}),
                     "base is kept": [layer["digest"] for layer in manifest["layers"][:own]] ==
                                     [layer["digest"] for layer in base_manifest["layers"]]},
        "image": {key: value for key, value in config.items() if key not in ("config", "rootfs", "history")},
        "config": split_environment(config["config"]),
        "labels": labels,
        "history": config.get("history", [])[len(base_config.get("history", [])):],
        "order of layers": names[own:],
    }, texts) | {"layers": layers}


def is_consequence(key, ours, theirs):
    """What differs only because something beside it does that is told: a header with its fields, a
    diff id with its entries."""
    if key not in ours or key not in theirs:
        return False
    if key == "header":
        return any(ours.get(field) != theirs.get(field) for field in (ours.keys() | theirs.keys()) - {key})
    if key == "diff id":
        return any(differences("/entries", ours["entries"], theirs["entries"]))
    return False


def differences(path, ours, theirs):
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in sorted(ours.keys() | theirs.keys()):
            if is_consequence(key, ours, theirs):
                continue
            below = f"{path}/{key}"
            if key not in theirs:
                yield below, ours[key], "(missing)"
            elif key not in ours:
                yield below, "(missing)", theirs[key]
            else:
                yield from differences(below, ours[key], theirs[key])
    elif isinstance(ours, list) and isinstance(theirs, list) and path.endswith("/entries"):
        by_name = [{entry["name"]: entry for entry in entries} for entries in (ours, theirs)]
        yield from differences(path, *by_name)
        # With a name that stands twice as often as it does.
        shared = [[entry["name"] for entry in entries if entry["name"] in other]
                  for entries, other in ((ours, by_name[1]), (theirs, by_name[0]))]
        if shared[0] != shared[1]:
            yield f"{path} in order", shared[0], shared[1]
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for index, (our, their) in enumerate(zip(ours, theirs)):
            yield from differences(f"{path}/{index}", our, their)
    elif ours != theirs or type(ours) is not type(theirs):
        yield path, ours, theirs


class Patterns:
    """A committed list of differences with its reasons."""

    def __init__(self, file):
        self.file, self.lines, self.used = file, [], set()
        explained = False
        for line in pathlib.Path(file).read_text().splitlines():
            if line.startswith("#"):
                explained = True
            elif not line.strip():
                explained = False
            elif not explained:
                sys.exit(f"{file}: no comment says why: {line}")
            else:
                self.lines.append(line)

    def contain(self, path):
        found = [line for line in self.lines
                 if re.fullmatch(".*".join(map(re.escape, line.split("*"))), path, re.DOTALL)]
        self.used.update(found)
        return bool(found)

    def unused(self):
        return [line for line in self.lines if line not in self.used]


def short(value):
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text if len(text) <= 600 else text[:600] + "..."


def compare(ours, theirs, allowed_file, known_file):
    allowed, known = Patterns(allowed_file), Patterns(known_file)
    counts = {"allowed": 0, "known": 0, "new": 0}
    names = [{str(file.relative_to(root)) for file in pathlib.Path(root).rglob("*.json")} for root in (ours, theirs)]
    failed = False
    for name in sorted(names[0] ^ names[1]):
        print(f"FAILS {name} is on one side alone")
        failed = True
    for name in sorted(names[0] & names[1]):
        pair = [json.loads((pathlib.Path(root) / name).read_text()) for root in (ours, theirs)]
        for path, our, their in differences(name.removesuffix(".json"), *pair):
            kind = "allowed" if allowed.contain(path) else "known" if known.contain(path) else "new"
            counts[kind] += 1
            print(f"{kind:8}{path}\n          ours      {short(our)}\n          reference {short(their)}")
    for patterns in (allowed, known):
        for line in patterns.unused():
            print(f"FAILS {patterns.file} has a line that matches no difference any more; take it out:\n    {line}")
            failed = True
    print(f"{len(names[0] & names[1])} images compared, {counts['allowed']} differences allowed, "
          f"{counts['known']} known to be wrong, {counts['new']} new")
    return 1 if failed or counts["new"] or not names[0] & names[1] else 0


def main(arguments):
    if len(arguments) == 5 and arguments[0] == "record":
        print(json.dumps(record(*arguments[1:]), indent=1, sort_keys=True, ensure_ascii=False))
        return 0
    if len(arguments) == 5 and arguments[0] == "compare":
        return compare(*arguments[1:])
    sys.exit(__doc__)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
