"""Which package manager an app belongs to, in which version: packageManager, and the lock files.

packageManager is what Corepack reads: NAME@VERSION, with +ALGORITHM.HEX behind it or without. The
hash is of the registry's .tgz; for Yarn 2 and newer of the one file bin/yarn.js in it."""

import json
import pathlib
import re

from package_json import read_bytes, refuse, text

LOCK_FILES = {
    "package-lock.json": "npm",
    "npm-shrinkwrap.json": "npm",
    "pnpm-lock.yaml": "pnpm",
    "yarn.lock": "yarn",
}
NAMED = re.compile(
    r"(?P<name>[a-z]+)@(?P<version>\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?)"
    r"(?:\+(?P<hash>(?:sha1|sha224|sha256|sha384|sha512)\.[0-9a-f]{40,128}))?"
)
KNOWN = ("npm", "pnpm", "yarn")


class Manager:
    """name; version: exact or a range; hash: "sha512.…" or ""; lock_file: "" when there is none;
    other_lock_files; linker: how Yarn 2 and newer lays packages out, "" for all others."""

    def __init__(self, package):
        self.name, self.version, self.hash = named_manager(package)
        self.named = bool(self.name)
        here = [name for name in LOCK_FILES if pathlib.Path(name).is_file()]
        if self.named:
            ours = [name for name in here if LOCK_FILES[name] == self.name]
        else:
            self.name = LOCK_FILES[here[0]] if here else "npm"
            ours = here
        self.lock_file = ours[0] if ours else ""
        self.other_lock_files = [name for name in here if name != self.lock_file]
        self.lock = read_bytes(self.lock_file) if self.lock_file else b""
        if not self.version:
            self.version = self.version_of_lock_file()
        self.linker = linker() if self.is_berry() else ""

    def is_berry(self):
        """Yarn 2 and newer, which has little but the name of Yarn 1."""
        return self.name == "yarn" and not re.match(r"[01]\.", self.version)

    def version_of_lock_file(self):
        if self.name == "yarn":
            return berry_line(self.lock) or "1.x"
        if self.name == "pnpm":
            found = re.search(rb"^lockfileVersion:\s*'?\"?(\d+)", self.lock, re.MULTILINE)
            return {5: "7.x", 6: "8.x"}.get(int(found[1]) if found else 9, "10.x")
        return ""


def named_manager(package):
    wanted = text(package.get("packageManager"))
    if not wanted:
        return "", "", ""
    found = NAMED.fullmatch(wanted)
    if not found:
        refuse(
            f"packageManager in package.json is {json.dumps(wanted)[:200]}",
            'It has to be a name and a whole version, such as "pnpm@10.4.1"; a hash behind it looks'
            ' like "+sha512.…".',
        )
    if found["name"] not in KNOWN:
        refuse(
            f"packageManager in package.json names {found['name']}, which this buildpack lacks",
            "It has npm, pnpm and yarn.",
        )
    return found["name"], found["version"], found["hash"] or ""


def berry_line(lock):
    """The line of Yarn that wrote a lock file with __metadata: a newer one would rewrite it."""
    found = re.search(rb"^__metadata:\s+version:\s*\"?(\d+)", lock, re.MULTILINE)
    if not found:
        return ""
    lines = {4: "2.x", 5: "3.1.x", 6: "3.x", 8: ">=4.0.0 <4.13.0", 9: "4.14.x"}
    return lines.get(int(found[1]), "4.x")


def linker():
    """nodeLinker of .yarnrc.yml; Yarn's own default is pnp."""
    found = re.search(
        rb"^nodeLinker:\s*[\"']?([a-z-]+)", read_bytes(".yarnrc.yml"), re.MULTILINE
    )
    return found[1].decode() if found else "pnp"
