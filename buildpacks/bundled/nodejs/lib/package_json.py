"""What the buildpack has to know of package.json and its lock file.

    package_json.py facts      assignments for bash, fact_*=...
    package_json.py processes  launch.toml
    package_json.py count      how many packages are in ./node_modules"""

import hashlib
import json
import os
import pathlib
import re
import shlex
import sys

LOCK_FILES = {
    "package-lock.json": "npm",
    "npm-shrinkwrap.json": "npm",
    "pnpm-lock.yaml": "pnpm",
    "yarn.lock": "yarn",
}
RUNTIME_FIELDS = ("dependencies", "optionalDependencies")
DEPENDENCY_FIELDS = RUNTIME_FIELDS + ("devDependencies", "peerDependencies")
# Whatever else in package.json changes what is installed.
KEY_FIELDS = DEPENDENCY_FIELDS + (
    "bundleDependencies", "bundledDependencies", "overrides", "resolutions", "pnpm",
    "peerDependenciesMeta", "dependenciesMeta", "allowScripts",
)  # fmt: skip
SETTINGS_FILES = (".npmrc", ".yarnrc", ".pnpmfile.cjs", "pnpm-workspace.yaml")
ROOT_SCRIPTS = ("preinstall", "install", "postinstall", "prepublish", "preprepare", "prepare",
                "postprepare")  # fmt: skip
LOCAL_PREFIXES = ("file:", "link:", "portal:", "workspace:", ".", "/")
LARGEST_FILE = 64 << 20


def refuse(what, hint=""):
    print(f"ERROR: {what}", file=sys.stderr)
    if hint:
        print(hint, file=sys.stderr)
    sys.exit(1)


def read_bytes(path):
    if not path.is_file():
        return b""
    if path.stat().st_size > LARGEST_FILE:
        refuse(f"{path} is larger than {LARGEST_FILE >> 20} MiB")
    return path.read_bytes()


def read_package():
    try:
        package = json.loads(read_bytes(pathlib.Path("package.json")).decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        refuse(f"package.json is not valid JSON: {error}")
    if not isinstance(package, dict):
        refuse("package.json does not hold an object")
    return package


def table(package, name):
    value = package.get(name)
    return value if isinstance(value, dict) else {}


def text(value):
    return value.strip() if isinstance(value, str) else ""


def scripts_of(package):
    return {name: text(value) for name, value in table(package, "scripts").items() if text(value)}


def named_manager(package):
    """("pnpm", "9.1.0") of `packageManager`, which may end in a +hash."""
    found = re.fullmatch(
        r"(npm|yarn|pnpm)@(\d+\.\d+\.\d+)(?:\+.*)?", text(package.get("packageManager"))
    )
    return (found[1], found[2]) if found else ("", "")


def choose_manager(package):
    """(manager, lock file or "", other lock files). packageManager decides between several."""
    here = [name for name in LOCK_FILES if pathlib.Path(name).is_file()]
    named = named_manager(package)[0]
    if named:
        here.sort(key=lambda name: LOCK_FILES[name] != named)
    if not here:
        return "npm", "", []
    return LOCK_FILES[here[0]], here[0], here[1:]


def yarn_range(version, lock):
    if b"\n__metadata:" in lock or (version and not version.startswith("1.")):
        refuse(
            "this yarn.lock belongs to Yarn 2 or newer; this buildpack has Yarn 1, npm and pnpm",
            "Use one of those (for example: remove yarn.lock, run 'npm install', and commit"
            " package-lock.json).",
        )
    return version or "1.x"


def pnpm_range(version, lock):
    # From 12 on, pnpm is a native program that its package only fetches; 10 reads the same lock.
    if version and int(version.split(".")[0]) < 12:
        return version
    found = re.search(rb"^lockfileVersion:\s*'?\"?(\d+)", lock, re.MULTILINE)
    return {5: "7.x", 6: "8.x"}.get(int(found[1]) if found else 9, "10.x")


def has_local_dependencies(package, manager, lock):
    """Do packages point into the app itself?"""
    if package.get("workspaces") or re.search(
        rb"^packages:", read_bytes(pathlib.Path("pnpm-workspace.yaml")), re.MULTILINE
    ):
        return True
    for field in DEPENDENCY_FIELDS:
        if any(text(v).startswith(LOCAL_PREFIXES) for v in table(package, field).values()):
            return True
    return manager == "npm" and re.search(rb'"link":\s*true', lock) is not None


def dependencies_key(package, lock_file):
    digest = hashlib.sha256()
    fields = {name: package[name] for name in KEY_FIELDS if name in package}
    parts = [json.dumps(fields, sort_keys=True).encode()]
    parts += [read_bytes(pathlib.Path(name)) for name in (lock_file or "", *SETTINGS_FILES) if name]
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def yes_no(value):
    return "yes" if value else "no"


def facts():
    package = read_package()
    scripts = scripts_of(package)
    manager, lock_file, others = choose_manager(package)
    lock = read_bytes(pathlib.Path(lock_file)) if lock_file else b""
    named, named_version = named_manager(package)
    wanted = named_version if named == manager else ""
    if manager == "yarn":
        wanted = yarn_range(wanted, lock)
    elif manager == "pnpm":
        wanted = pnpm_range(wanted, lock)
    node = text(table(package, "engines").get("node"))
    if re.search(r'["\\\x00-\x1f]', node):
        refuse("engines.node in package.json holds characters that no version range has")
    result = {
        "node": node,
        "manager": manager,
        "manager_version": wanted,
        "npm": named_version if named == "npm" else "",
        "lock_file": lock_file,
        "other_lock_files": ", ".join(others),
        "dependencies": yes_no(any(table(package, field) for field in DEPENDENCY_FIELDS[:3])),
        "dev_dependencies": yes_no(table(package, "devDependencies")),
        "build_script": yes_no("build" in scripts),
        "root_scripts": yes_no(any(name in scripts for name in ROOT_SCRIPTS)),
        "in_place": yes_no(has_local_dependencies(package, manager, lock)),
        "key": dependencies_key(package, lock_file),
    }
    for name, value in result.items():
        print(f"fact_{name}={shlex.quote(value)}")


def command_of_script(scripts):
    """The start script without npm in between where that is the same: npm would take the signals
    and the memory. Words alone are run as they are, the rest by bash."""
    script = scripts["start"]
    if "prestart" in scripts or "poststart" in scripts or "npm_" in script:
        return ["npm", "run", "--silent", "start"]
    words = script.split()
    if re.fullmatch(r"[A-Za-z0-9_./:@%+, -]+", script) and not words[0].startswith("-"):
        return words
    return ["bash", "-c", script]


def web_command(package):
    scripts = scripts_of(package)
    if "start" in scripts:
        return command_of_script(scripts)
    main = text(package.get("main"))
    inside = not main.startswith("/") and ".." not in pathlib.PurePosixPath(main).parts
    for name in (main if inside else "", "server.js", "index.js"):
        if name and pathlib.Path(name).is_file():
            return ["node", name]
    return None


def toml_string(value):
    """JSON's strings are TOML's basic strings, but for the delete character."""
    return json.dumps(value).replace("\x7f", "\\u007f")


def processes():
    command = web_command(read_package())
    if command is None:
        print(
            "No start script, main file, server.js or index.js: add one, or a Procfile",
            file=sys.stderr,
        )
        return
    print("[[processes]]")
    print('type = "web"')
    print("command = [" + ", ".join(map(toml_string, command)) + "]")
    print("default = true")


def count():
    total = 0
    for directory, names, files in os.walk("node_modules"):
        names[:] = [name for name in names if name not in (".bin", ".cache")]
        parent = pathlib.PurePath(directory).parent
        holder = parent.parent if parent.name.startswith("@") else parent
        if "package.json" in files and holder.name == "node_modules":
            total += 1
    print(total)


if __name__ == "__main__":
    actions = {"facts": facts, "processes": processes, "count": count}
    if len(sys.argv) != 2 or sys.argv[1] not in actions:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    actions[sys.argv[1]]()
