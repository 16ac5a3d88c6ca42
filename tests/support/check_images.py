#!/usr/bin/env python3
"""Checks what an image layout or a registry's directory holds against the schemas of the OCI image
specification: layouts, indexes, manifests and configurations.

    check_images.py SCHEMAS layout DIRECTORY [DIRECTORY...]
    check_images.py SCHEMAS registry DIRECTORY

SCHEMAS is what image_schemas.sh printed. Of a layout everything is followed from its index.json; of
docker-registry's directory each blob that is a manifest or an index is taken, named by a tag or
not. Prints how many of each kind were checked, and each one that is not valid; ends with 1 then.
"""

import collections
import hashlib
import json
import pathlib
import sys
import warnings

with warnings.catch_warnings():
    # Debian 12 has the class alone, later releases of the library have something else beside it.
    warnings.simplefilter("ignore", DeprecationWarning)
    from jsonschema import Draft4Validator, FormatChecker, RefResolver

PREFIX = "https://schemas.invalid/"
INDEXES = {
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
}
MANIFESTS = {
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
}
CONFIGURATION = "application/vnd.oci.image.config.v1+json"


def without_ids(schema):
    """References are names of files beside each other; the ids inside would make them others."""
    if isinstance(schema, list):
        return [without_ids(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: without_ids(value)
        for key, value in schema.items()
        if not (key == "id" and isinstance(value, str))
    }


class Checks:
    def __init__(self, schemas):
        self.store = {}
        for path in pathlib.Path(schemas).glob("*.json"):
            self.store[PREFIX + path.name] = without_ids(json.loads(path.read_text(encoding="utf-8")))
        self.counts = collections.Counter()
        self.wrong = []

    def check(self, kind, name, value):
        uri = f"{PREFIX}{kind}-schema.json"
        resolver = RefResolver(uri, self.store[uri], self.store)
        validator = Draft4Validator(self.store[uri], resolver=resolver, format_checker=FormatChecker())
        self.counts[kind] += 1
        for error in validator.iter_errors(value):
            place = "/".join(str(part) for part in error.absolute_path)
            self.wrong.append(f"{kind} {name}: {place or 'all of it'}: {error.message[:300]}")

    def require(self, true, message):
        if not true:
            self.wrong.append(message)


class Blobs:
    """Blobs by digest, as files that `path_of` names."""

    def __init__(self, checks, path_of):
        self.checks = checks
        self.path_of = path_of
        self.seen = set()

    def read(self, descriptor):
        path = self.path_of(descriptor["digest"])
        data = path.read_bytes()
        self.checks.require(len(data) == descriptor["size"], f"{path} has another size than its descriptor says")
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        self.checks.require(digest == descriptor["digest"], f"{path} has another digest than its name")
        return json.loads(data)

    def check(self, descriptor):
        if descriptor["digest"] in self.seen:
            return
        self.seen.add(descriptor["digest"])
        kind = descriptor["mediaType"]
        value = self.read(descriptor)
        self.checks.require(
            value.get("mediaType", kind) == kind,
            f"{descriptor['digest']} is called {kind} and calls itself {value.get('mediaType')}",
        )
        if kind in INDEXES:
            self.checks.check("image-index", descriptor["digest"], value)
            # A list of referrers names manifests that may be elsewhere, or gone.
            for entry in value["manifests"]:
                if self.path_of(entry["digest"]).exists():
                    self.check(entry)
        elif kind in MANIFESTS:
            self.checks.check("image-manifest", descriptor["digest"], value)
            self.check_blobs(descriptor["digest"], value)
        else:
            self.checks.require(False, f"{descriptor['digest']} is of the unknown type {kind}")

    def check_blobs(self, digest, manifest):
        for blob in manifest["layers"]:
            self.checks.require(self.path_of(blob["digest"]).exists(), f"{digest} has no layer {blob['digest']}")
        if manifest["config"]["mediaType"] == CONFIGURATION:
            config = self.read(manifest["config"])
            self.checks.check("config", manifest["config"]["digest"], config)
            self.checks.require(
                len(config["rootfs"]["diff_ids"]) == len(manifest["layers"]),
                f"{digest} has not as many layers as its configuration says",
            )
            told = [entry for entry in config.get("history", []) if not entry.get("empty_layer")]
            self.checks.require(
                len(told) in (0, len(manifest["layers"])),
                f"the history of {digest} has not one entry for each layer",
            )


def check_layout(checks, directory):
    name = directory.name
    checks.check("image-layout", name, json.loads((directory / "oci-layout").read_text(encoding="utf-8")))
    index = json.loads((directory / "index.json").read_text(encoding="utf-8"))
    checks.check("image-index", name + "/index.json", index)
    blobs = Blobs(checks, lambda digest: directory / "blobs" / digest.replace(":", "/"))
    for entry in index["manifests"]:
        blobs.check(entry)


def check_registry(checks, directory):
    root = next(directory.rglob("docker/registry/v2/blobs/sha256"))
    blobs = Blobs(checks, lambda digest: root / digest[7:9] / digest[7:] / "data")
    for path in sorted(root.glob("*/*/data")):
        with path.open("rb") as file:
            if file.read(1) != b"{":
                continue
        try:
            value = json.loads(path.read_bytes())
        except ValueError:
            continue
        kind = value.get("mediaType")
        if kind in INDEXES | MANIFESTS:
            blobs.check({"mediaType": kind, "digest": "sha256:" + path.parent.name, "size": path.stat().st_size})


def main():
    if len(sys.argv) < 4 or sys.argv[2] not in ("layout", "registry"):
        sys.exit(__doc__)
    checks = Checks(sys.argv[1])
    for directory in sys.argv[3:]:
        (check_layout if sys.argv[2] == "layout" else check_registry)(checks, pathlib.Path(directory))
    for kind, count in sorted(checks.counts.items()):
        print(f"checked {count} of {kind}")
    for line in checks.wrong:
        print("wrong:", line)
    sys.exit(1 if checks.wrong or not checks.counts else 0)


if __name__ == "__main__":
    main()
