"""Reading the files of an app, and refusing them."""

import json
import pathlib
import sys
import tomllib

LARGEST_FILE = 16 << 20


def refuse(what, hint=""):
    print(f"ERROR: {what}", file=sys.stderr)
    if hint:
        print(hint, file=sys.stderr)
    sys.exit(1)


def read_text(path):
    if path.stat().st_size > LARGEST_FILE:
        refuse(f"{path} is larger than {LARGEST_FILE >> 20} MiB")
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        refuse(f"{path} is not UTF-8 text", "Save it as UTF-8 and push again.")


def read_toml(name):
    try:
        return tomllib.loads(read_text(pathlib.Path(name)))
    except tomllib.TOMLDecodeError as error:
        refuse(f"{name} is not valid TOML: {error}")


def read_json(name):
    try:
        return json.loads(read_text(pathlib.Path(name)))
    except (json.JSONDecodeError, RecursionError) as error:
        refuse(f"{name} is not valid JSON: {error}")


def table(document, *names):
    """document[a][b]... when all of them are tables, else {}."""
    for name in names:
        document = document.get(name) if isinstance(document, dict) else None
    return document if isinstance(document, dict) else {}


def tables(document, name):
    """The tables of a list, such as [[package]]."""
    found = document.get(name) if isinstance(document, dict) else None
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def read_project():
    """pyproject.toml, {} when there is none."""
    return read_toml("pyproject.toml") if pathlib.Path("pyproject.toml").is_file() else {}
