"""package.json as the other files here see it: read with care, for a stranger wrote it.

    package_json.py count      how many packages are in ./node_modules"""

import json
import os
import pathlib
import sys

RUNTIME_FIELDS = ("dependencies", "optionalDependencies")
DEPENDENCY_FIELDS = RUNTIME_FIELDS + ("devDependencies", "peerDependencies")
LARGEST_FILE = 64 << 20
MOST_PACKAGES = 5000
NOT_SEARCHED = ("node_modules", ".git", ".yarn", ".next")


def refuse(what, hint=""):
    print(f"ERROR: {what}", file=sys.stderr)
    if hint:
        print(hint, file=sys.stderr)
    sys.exit(1)


def read_bytes(path):
    path = pathlib.Path(path)
    if not path.is_file():
        return b""
    if path.stat().st_size > LARGEST_FILE:
        refuse(f"{path} is larger than {LARGEST_FILE >> 20} MiB")
    return path.read_bytes()


def read_package(directory="."):
    path = pathlib.Path(directory, "package.json")
    try:
        package = json.loads(read_bytes(path).decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        refuse(f"{path} is not valid JSON: {error}")
    if not isinstance(package, dict):
        refuse(f"{path} does not hold an object")
    return package


def table(package, name):
    value = package.get(name)
    return value if isinstance(value, dict) else {}


def text(value):
    return value.strip() if isinstance(value, str) else ""


def scripts_of(package):
    return {name: text(value) for name, value in table(package, "scripts").items() if text(value)}


def depends_on(package, name):
    return any(name in table(package, field) for field in ("devDependencies", *RUNTIME_FIELDS))


def directories():
    """Every directory of the app with a package.json of its own, the root first. No link is
    followed, and what was installed is not looked at."""
    found = []
    for directory, names, files in os.walk("."):
        names[:] = sorted(name for name in names if name not in NOT_SEARCHED)
        if "package.json" in files:
            found.append(os.path.relpath(directory))
            if len(found) > MOST_PACKAGES:
                refuse(f"the app has more than {MOST_PACKAGES} package.json files")
    return found


def workspace_directory():
    """The directory that WORKSPACE names, by path or by the name of its package; `.` when unset."""
    wanted = text(os.environ.get("WORKSPACE"))
    if not wanted:
        return "."
    known = directories()
    if os.path.normpath(wanted) in known:
        return os.path.normpath(wanted)
    named = [d for d in known if name_of(d) == wanted]
    if len(named) == 1:
        return named[0]
    refuse(
        f"WORKSPACE is {json.dumps(wanted)}, which {'several packages are' if named else 'no package of the app is'} called",
        "Set it to a directory with a package.json: " + ", ".join(d for d in known if d != ".")[:500],
    )


def name_of(directory):
    """A package.json that only some test of the app reads may be broken; it has no name then."""
    try:
        package = json.loads(read_bytes(pathlib.Path(directory, "package.json")))
    except (ValueError, RecursionError):
        return ""
    return text(package.get("name")) if isinstance(package, dict) else ""


def toml_string(value):
    """JSON's strings are TOML's basic strings, but for the delete character."""
    return json.dumps(value).replace("\x7f", "\\u007f")


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
    if sys.argv[1:] != ["count"]:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    count()
