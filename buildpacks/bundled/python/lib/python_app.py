"""What the buildpack has to know of a Python app before it installs anything.

    python_app.py facts FILE      assignments for bash, fact_*=...; requirements that no file of
                                  the app holds in pip's words are written to FILE"""

import hashlib
import pathlib
import platform
import re
import shlex
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import requirements  # noqa: E402
from files import read_json, read_project, read_text, refuse, table  # noqa: E402
from python_version import pinned, same_line, satisfies  # noqa: E402

# The first that is there decides: (file, package manager, its requirements).
SOURCES = [
    ("Pipfile.lock", "pip", requirements.from_pipfile),
    ("requirements.txt", "pip", requirements.from_requirements_file),
    ("poetry.lock", "poetry", requirements.from_poetry),
    ("uv.lock", "uv", requirements.from_uv),
    ("pyproject.toml", "pip", requirements.from_project),
    ("Pipfile", "pip", requirements.from_pipfile),
]
# What pip takes behind a package's name; anything else is the tool's own to judge.
SPECIFIER = re.compile(r"(?:\s*(?:[<>]=?|[=!~]=)\s*[0-9][0-9a-z.*]*\s*,?)+")


def key_of(texts):
    digest = hashlib.sha256()
    for name, content in texts:
        for part in (name.encode(), content.encode()):
            digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def python_wishes():
    """(where, text, is_range) of each file that names a Python."""
    project = read_project()
    wish = table(project, "project").get("requires-python")
    yield "requires-python of pyproject.toml", wish, True
    poetry = table(project, "tool", "poetry", "dependencies").get("python")
    yield "python in [tool.poetry.dependencies]", poetry, True
    for name in ("runtime.txt", ".python-version"):
        if pathlib.Path(name).is_file():
            lines = read_text(pathlib.Path(name)).splitlines()
            words = (line.partition("#")[0].strip() for line in lines)
            yield name, next(filter(None, words), None), False
    if pathlib.Path("Pipfile.lock").is_file():
        requires = table(read_json("Pipfile.lock"), "_meta", "requires")
        wish = requires.get("python_full_version") or requires.get("python_version")
        yield "Pipfile.lock", wish, False


def check_python(here):
    for where, wish, is_range in python_wishes():
        if wish is None or wish == "system":
            continue
        wish = str(wish)
        shown = "".join(char if char.isprintable() else "?" for char in wish[:60])
        try:
            fits = wish_is_met(wish, is_range, here)
        except ValueError:
            refuse(
                f'{where} says "{shown}", which names no version of CPython',
                f"Write one such as {'.'.join(here.split('.')[:2])}.",
            )
        if not fits:
            refuse(
                f'{where} asks for Python "{shown}", and the stack has {here} only',
                "Python is the stack's, and no package registry has others. Ask for"
                f" {'.'.join(here.split('.')[:2])} there, or use a stack whose images have the one"
                " that you need ('slipway stack').",
            )


def wish_is_met(wish, is_range, here):
    """Two exact versions of one line differ in mended faults only, so the stack's stands in."""
    exact = None if is_range else pinned(wish)
    return same_line(exact, here) if exact else satisfies(wish, here)


def tool_wish(manager):
    """What pip is to install as the package manager; "" for the buildpack's own choice."""
    tool = table(read_project(), "tool", manager)
    wish = tool.get({"poetry": "requires-poetry", "uv": "required-version"}.get(manager))
    return wish if isinstance(wish, str) and SPECIFIER.fullmatch(wish) else ""


def source_of_app():
    there = [one for one in SOURCES if pathlib.Path(one[0]).is_file()]
    ignored = [one[0] for one in there[1:] if one[0] not in ("pyproject.toml", "Pipfile")]
    if ignored:
        print(
            f"WARNING: {there[0][0]} decides; not looked at: {', '.join(ignored)}", file=sys.stderr
        )
    return there[0]


def facts(made_file):
    name, manager, read = source_of_app()
    python = platform.python_version()
    check_python(python)
    found = read()
    if found["lines"] is not None:
        content = "".join(line + "\n" for line in found["lines"])
        pathlib.Path(made_file).write_text(content, encoding="utf-8")
    own_file = name == "requirements.txt"
    result = {
        "python": python,
        "manager": manager,
        "tool_wish": tool_wish(manager),
        "source": name,
        "requirements_file": name if own_file else made_file,
        "requirements": "yes" if any(text.strip() for _, text in found["texts"]) else "no",
        "hashes": "yes" if found.get("hashes") else "no",
        "reusable": "no" if found["moving"] else "yes",
        "key": key_of(found["texts"]),
    }
    for fact, value in result.items():
        print(f"fact_{fact}={shlex.quote(value)}")


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] != "facts":
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    facts(sys.argv[2])
