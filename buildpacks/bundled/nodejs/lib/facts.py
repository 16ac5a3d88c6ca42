"""What the build has to know of the app, as assignments for bash: fact_*=..."""

import hashlib
import json
import os
import pathlib
import re
import shlex
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from manager import Manager  # noqa: E402
from package_json import (  # noqa: E402
    DEPENDENCY_FIELDS, depends_on, directories, read_bytes, read_package, refuse, scripts_of, table,
    text, workspace_directory,
)  # fmt: skip

# Whatever else in package.json changes what is installed.
KEY_FIELDS = DEPENDENCY_FIELDS + (
    "bundleDependencies", "bundledDependencies", "overrides", "resolutions", "pnpm", "workspaces",
    "peerDependenciesMeta", "dependenciesMeta", "allowScripts",
)  # fmt: skip
SETTINGS_FILES = (".npmrc", ".yarnrc", ".yarnrc.yml", ".pnpmfile.cjs", ".pnpmfile.mjs",
                  "pnpm-workspace.yaml")  # fmt: skip
SETTINGS_DIRECTORIES = ("patches", ".yarn/patches", ".yarn/plugins", ".yarn/releases")
ROOT_SCRIPTS = ("preinstall", "install", "postinstall", "prepublish", "preprepare", "prepare",
                "postprepare")  # fmt: skip
LOCAL_PREFIXES = ("file:", "link:", "portal:", "workspace:", ".", "/")
# Local packages that are copied: their content counts, not only their package.json.
COPIED_PREFIXES = ("file:", "portal:", ".", "/")
FRAMEWORKS = ("next", "vite")


def has_workspaces(package):
    packages = re.search(rb"^packages:", read_bytes("pnpm-workspace.yaml"), re.MULTILINE)
    return bool(package.get("workspaces") or packages)


def has_dependency_on(package, prefixes):
    return any(
        text(value).startswith(prefixes)
        for field in DEPENDENCY_FIELDS
        for value in table(package, field).values()
    )


def is_in_place(package, manager):
    """Do packages point into the app itself, or are they no node_modules at all?"""
    if manager.is_berry() and manager.linker != "node-modules":
        return True
    if has_workspaces(package) or has_dependency_on(package, LOCAL_PREFIXES):
        return True
    return manager.name == "npm" and re.search(rb'"link":\s*true', manager.lock) is not None


def files_below(directory):
    for parent, names, files in os.walk(directory):
        names.sort()
        for name in sorted(files):
            path = pathlib.Path(parent, name)
            if not path.is_symlink():
                yield path


def dependencies_key(package, manager, members):
    """Whatever of the app's files decides what is installed."""
    digest = hashlib.sha256()
    fields = {name: package[name] for name in KEY_FIELDS if name in package}
    names = [manager.lock_file, *SETTINGS_FILES]
    for directory in members:
        names += [f"{directory}/package.json", f"{directory}/.npmrc"]
    for directory in SETTINGS_DIRECTORIES:
        names += map(str, files_below(directory))
    parts = [json.dumps(fields, sort_keys=True).encode()]
    for name in filter(None, names):
        parts += [name.encode("utf-8", "surrogateescape"), read_bytes(name)]
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def build_step(package, directory):
    """(what builds, where). The root's script knows in which order its packages need each other."""
    if "build" in scripts_of(package):
        return "script", "."
    chosen = read_package(directory)
    if "build" in scripts_of(chosen):
        return "script", directory
    for name in FRAMEWORKS:
        if depends_on(chosen, name):
            return name, directory
    return "no", "."


def engines_node(package):
    node = text(table(package, "engines").get("node"))
    if re.search(r'["\\\x00-\x1f]', node):
        refuse("engines.node in package.json holds characters that no version range has")
    return node


def yes_no(value):
    return "yes" if value else "no"


def gather():
    package = read_package()
    manager = Manager(package)
    in_place = is_in_place(package, manager)
    members = [d for d in directories() if d != "."] if in_place else []
    packages = [package, *map(read_package, members)] if has_workspaces(package) else [package]
    directory = workspace_directory()
    build, build_dir = build_step(package, directory)
    return {
        "node": engines_node(package),
        "manager": manager.name,
        "manager_version": manager.version if manager.name != "npm" else "",
        "manager_hash": manager.hash,
        "npm": manager.version if manager.name == "npm" else "",
        "linker": manager.linker,
        "lock_file": manager.lock_file,
        "other_lock_files": ", ".join(manager.other_lock_files),
        "dependencies": yes_no(
            any(table(one, field) for one in packages for field in DEPENDENCY_FIELDS[:3])
        ),
        "dev_dependencies": yes_no(any(table(one, "devDependencies") for one in packages)),
        "workspace": directory,
        "build": build,
        "build_dir": build_dir,
        "next": yes_no(depends_on(read_package(directory), "next")),
        "root_scripts": yes_no(
            any(name in scripts_of(one) for one in packages for name in ROOT_SCRIPTS)
        ),
        "in_place": yes_no(in_place),
        "reusable": yes_no(not any(has_dependency_on(one, COPIED_PREFIXES) for one in packages)),
        "key": dependencies_key(package, manager, members),
    }


if __name__ == "__main__":
    for name, value in gather().items():
        print(f"fact_{name}={shlex.quote(value)}")
