"""The layer `project`: the app's package as if it were installed, while it runs from its source.

    project.py LAYER PYTHON TOOL

For importlib.metadata and the command line: the commands, version and entry points that
pyproject.toml gives. And `TOOL run` of uv, Poetry and Pipenv, which a Procfile may hold, without
the tool. Prints the directories for PYTHONPATH. No build backend runs, so nothing is downloaded and
nothing is written beside the source."""

import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from files import read_project, refuse, table, tables  # noqa: E402

COMMAND = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
REFERENCE = re.compile(r"([A-Za-z_]\w*(?:\.\w+)*)\s*:\s*([A-Za-z_]\w*(?:\.\w+)*)(?:\s*\[.*\])?")
VERSION = re.compile(r"[0-9A-Za-z.!+_-]{1,64}")

COMMAND_SCRIPT = """\
#!{python}
import sys

from {module} import {first}

sys.exit({function}())
"""

# Options of `run` that choose packages have had their say when the image was built.
RUN_SCRIPT = """\
#!/bin/bash
# Stands in for '{tool} run'. {tool} itself is part of the build only.
while [[ ${{1:-}} == -* && $1 != -- && $1 != -m ]]; do shift; done
if [[ ${{1:-}} != run ]]; then
    echo "{tool} is not part of the image; of its commands only '{tool} run' works here" >&2
    exit 64
fi
shift
while [[ ${{1:-}} == -* ]]; do
    case $1 in
    --) shift; break ;;
    -m | --module) shift; exec python -m "$@" ;;
    -p | --python | --group | --no-group | --extra | --project | --directory) shift 2 ;;
    --with | --with=* | --env-file | --env-file=*)
        echo "{tool} run $1 does not work here: {tool} is not part of the image" >&2
        exit 64 ;;
    *) shift ;;
    esac
done
if [[ ${{1:-}} == *.py ]]; then exec python "$@"; fi
exec "$@"
"""


def write(path, text, mode=0o644):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)


def commands_of(document):
    """{name: "module:function"}"""
    found = dict(table(document, "tool", "poetry", "scripts"))
    found.update(table(document, "project", "scripts"))
    result = {}
    for name, reference in found.items():
        if isinstance(reference, dict):  # Poetry's long form; its kind "file" is no function
            reference = reference.get("reference", "") if reference.get("type") != "file" else None
        if reference is None:
            continue
        if not COMMAND.fullmatch(name) or not REFERENCE.fullmatch(str(reference).strip()):
            refuse(
                f"pyproject.toml: the script {name[:60]!r} is not written as 'module:function'",
                'A line of [project.scripts] is such as: serve = "package.module:main"',
            )
        result[name] = str(reference).strip()
    return result


def is_package(document):
    """As uv and Poetry see it: what has a build system is to be installed."""
    chosen = table(document, "tool", "uv").get("package")
    if chosen is None:
        chosen = table(document, "tool", "poetry").get("package-mode")
    return bool(table(document, "build-system")) if chosen is None else bool(chosen)


def source_directories(document, without_src):
    """Where the app's modules are looked for; `without_src` when nothing says so."""
    packages = tables(table(document, "tool", "poetry"), "packages")
    own = [str(one["from"]) for one in packages if "from" in one]
    if not own:
        own = ["src"] if pathlib.Path("src").is_dir() else without_src
    here = pathlib.Path.cwd()
    kept = [(here / one).resolve() for one in dict.fromkeys(own)]
    return [str(one) for one in kept if one.is_relative_to(here.resolve()) and one.is_dir()]


def write_metadata(document, layer):
    merged = {**table(document, "tool", "poetry"), **table(document, "project")}
    name, version = merged.get("name"), merged.get("version", "0")
    if not isinstance(name, str) or not COMMAND.fullmatch(name):
        return None
    if not isinstance(version, str) or not VERSION.fullmatch(version):
        version = "0"
    directory = layer / "metadata"
    info = directory / f"{re.sub(r'[-_.]+', '_', name)}-{version}.dist-info"
    write(info / "METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    groups = {"console_scripts": commands_of(document)}
    groups.update(table(document, "project", "entry-points"))
    groups.update(table(document, "tool", "poetry", "plugins"))
    lines = []
    for group, entries in groups.items():
        if isinstance(entries, dict) and entries:
            lines += [f"[{group}]"] + [f"{key} = {value}" for key, value in entries.items()] + [""]
    if all(line.isprintable() for line in lines):
        write(info / "entry_points.txt", "\n".join(lines))
    return str(directory)


def main(layer, python, tool):
    document = read_project()
    if tool in ("uv", "poetry", "pipenv"):
        write(layer / "bin" / tool, RUN_SCRIPT.format(tool=tool), 0o755)
    if not is_package(document):
        print(":".join(source_directories(document, without_src=[])) if document else "")
        return
    for name, reference in commands_of(document).items():
        module, function = REFERENCE.fullmatch(reference).groups()
        script = COMMAND_SCRIPT.format(
            python=python, module=module, first=function.partition(".")[0], function=function
        )
        write(layer / "bin" / name, script, 0o755)
    paths = source_directories(document, without_src=["."]) + [write_metadata(document, layer)]
    print(":".join(filter(None, paths)))


if __name__ == "__main__":
    if len(sys.argv) != 4:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    main(pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3])
