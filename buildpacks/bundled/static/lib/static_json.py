"""Prints two lines of ./static.json: `root` and `error_page`, empty where not given.

Only plain relative paths are let through, for they go into the server's configuration."""

import json
import pathlib
import re
import sys

PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*")
LARGEST_FILE = 1 << 20
KNOWN = ("root", "error_page")


def refuse(what, hint):
    print(f"ERROR: {what}", file=sys.stderr)
    print(hint, file=sys.stderr)
    sys.exit(1)


def read():
    path = pathlib.Path("static.json")
    if path.stat().st_size > LARGEST_FILE:
        refuse("static.json is larger than 1 MiB", 'It holds settings such as {"root": "public"}.')
    try:
        settings = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        refuse(f"static.json is not valid JSON: {error}", "Correct it and push again.")
    if not isinstance(settings, dict):
        refuse("static.json does not hold an object", 'Write for example {"root": "public"}.')
    return settings


def plain_path(settings, name):
    value = settings.get(name, "")
    if not isinstance(value, str):
        refuse(f'"{name}" in static.json is not a string', f'Write "{name}": "PATH".')
    value = value.removeprefix("./").strip("/")
    if value in ("", "."):
        return "." if settings.get(name) else ""
    if not PATH.fullmatch(value):
        refuse(
            f'"{name}" in static.json is not a plain path inside the app',
            "Use letters, digits, '.', '_', '-' and '/', and no '..'.",
        )
    return value


if __name__ == "__main__":
    found = read()
    paths = [plain_path(found, name) for name in KNOWN]
    unknown = sorted(set(found) - set(KNOWN))
    if unknown:
        names = ", ".join(json.dumps(name) for name in unknown)[:200]
        print(f"WARNING: static.json: {names} not known here, and ignored", file=sys.stderr)
    print("\n".join(paths))
