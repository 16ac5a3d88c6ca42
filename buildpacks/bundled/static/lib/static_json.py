"""Prints three lines of ./static.json: `root`, `error_page` and the file that `routes` give for all
that is not there, empty where not given.

Only plain relative paths are let through, for they go into the server's configuration."""

import json
import pathlib
import re
import sys

PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*")
LARGEST_FILE = 1 << 20
KNOWN = ("root", "error_page")
# The route that single-page apps have; those for a part of the paths are not understood.
EVERYTHING = ("/**", "/*")


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


def take_fallback(settings):
    """The file of {"routes": {"/**": FILE}}; other routes stay, to be warned of."""
    routes = settings.get("routes")
    if not isinstance(routes, dict):
        return ""
    taken = [routes.pop(pattern) for pattern in EVERYTHING if pattern in routes]
    if not routes:
        del settings["routes"]
    if not taken:
        return ""
    name = f'routes["{EVERYTHING[0]}"]'
    if isinstance(taken[0], str):
        taken[0] = taken[0].removeprefix("/")
    return plain_path({name: taken[0]}, name)


if __name__ == "__main__":
    found = read()
    fallback = take_fallback(found)
    paths = [plain_path(found, name) for name in KNOWN] + [fallback]
    unknown = sorted(set(found) - set(KNOWN))
    if unknown:
        names = ", ".join(json.dumps(name) for name in unknown)[:200]
        print(f"WARNING: static.json: {names} not known here, and ignored", file=sys.stderr)
    print("\n".join(paths))
