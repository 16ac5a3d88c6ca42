"""What is to be installed, for each of the files that can say so. Every function gives
{texts, lines, moving}: the texts that decide the outcome, as (name, text); the requirements that
pip is to read, None where the file itself is read; whether the same texts may give something else
tomorrow."""

import json
import pathlib
import re

from files import read_json, read_project, read_text, read_toml, refuse, table, tables

MOST_FILES = 100
# -r other.txt, -c limits.txt, --requirement=other.txt
INCLUDE = re.compile(r"^\s*(?:-r|-c|--requirement|--constraint)(?:\s+|\s*=\s*|(?<=-[rc]))(\S+)")
# What points into the app or to a place that changes under the same name.
MOVING = re.compile(
    r"^\s*(?:-e\b|--editable\b|\.{0,2}/|\.\s*(?:$|\[)|file:|[^#]*@\s*file:|[^#]*git\+)"
)


# Of pyproject.toml, beside the tool's own table.
RELEVANT = [("project",), ("dependency-groups",)]


def described(texts, lines=None, moving=None):
    if moving is None:
        moving = any(MOVING.match(line) for _, text in texts for line in text.splitlines())
    return {"texts": texts, "lines": lines, "moving": moving}


def from_requirements_file():
    found, waiting = {}, [pathlib.Path("requirements.txt")]
    while waiting:
        path = waiting.pop(0)
        if path in found or not path.is_file():
            continue  # a missing file is for pip to complain about
        if len(found) >= MOST_FILES:
            refuse(f"requirements.txt includes more than {MOST_FILES} other files")
        found[path] = read_text(path)
        for line in found[path].splitlines():
            include = INCLUDE.match(line)
            if include and "://" not in include[1]:
                waiting.append(path.parent / include[1])
    return described(sorted((str(path), content) for path, content in found.items()))


def from_project():
    """[project] dependencies. The project itself runs from its source."""
    document = read_project()
    project = document.get("project")
    if not isinstance(project, dict):
        if table(document, "tool", "poetry"):
            refuse(
                "pyproject.toml lists its packages for Poetry only, in [tool.poetry], and there is"
                " no poetry.lock",
                "Run 'poetry lock' and commit poetry.lock.",
            )
        project = {}
    dynamic = project.get("dynamic")
    if isinstance(dynamic, list) and "dependencies" in dynamic:
        refuse(
            "pyproject.toml says that its dependencies are dynamic",
            "List them in [project] dependencies, or in requirements.txt.",
        )
    dependencies = project.get("dependencies", [])
    if not isinstance(dependencies, list) or not all(
        isinstance(one, str) and one.isprintable() for one in dependencies
    ):
        refuse("[project] dependencies in pyproject.toml is not a list of strings")
    if any(one.lstrip().startswith("-") for one in dependencies):
        refuse("[project] dependencies in pyproject.toml holds an option of pip")
    text = "".join(one + "\n" for one in dependencies)
    return described([("pyproject.toml", text)], dependencies)


def locked(name, tool):
    """The lock, and what of pyproject.toml has a say."""
    if not pathlib.Path("pyproject.toml").is_file():
        refuse(f"{name} is here, but not the pyproject.toml that it belongs to", "Commit both.")
    document = read_project()
    relevant = [table(document, *names) for names in RELEVANT] + [table(document, "tool", tool)]
    return [
        (name, read_text(pathlib.Path(name))),
        ("pyproject.toml", json.dumps(relevant, sort_keys=True, default=str)),
    ]


def from_poetry():
    lock = read_toml("poetry.lock")
    sources = {table(one, "source").get("type") for one in tables(lock, "package")}
    found = described(locked("poetry.lock", "poetry"), moving=bool(sources & {"directory", "file"}))
    # pip takes hashes for all or for none, and these have none.
    found["hashes"] = not sources & {"directory", "file", "git"}
    return found


def from_uv():
    lock = read_toml("uv.lock")
    elsewhere = [
        place
        for one in tables(lock, "package")
        for kind, place in table(one, "source").items()
        if kind in ("editable", "directory", "path") and place != "."
    ]
    return described(locked("uv.lock", "uv"), moving=bool(elsewhere))


def from_pipfile():
    if not pathlib.Path("Pipfile.lock").is_file():
        refuse(
            "there is a Pipfile without a Pipfile.lock",
            "Run 'pipenv lock' and commit Pipfile.lock.",
        )
    lock = read_json("Pipfile.lock")
    packages = table(lock, "default")
    if not all(isinstance(one, dict) for one in packages.values()):
        refuse("Pipfile.lock has a package that is not a table", "Run 'pipenv lock' again.")
    with_hashes = not any({"git", "path", "file"} & one.keys() for one in packages.values())
    lines = pipfile_indexes(lock)
    lines += [pipfile_line(name, packages[name], with_hashes) for name in sorted(packages)]
    if not all(line.isprintable() for line in lines):
        refuse("Pipfile.lock has a control character", "Run 'pipenv lock' again.")
    return described([("Pipfile.lock", "".join(line + "\n" for line in lines))], lines)


def pipfile_indexes(lock):
    """Only those of the app: without them PIP_INDEX_URL must keep its say."""
    urls = [str(one.get("url", "")) for one in tables(table(lock, "_meta"), "sources")]
    if not urls or urls[0].rstrip("/") == "https://pypi.org/simple":
        urls = urls[1:]
        return [f"--extra-index-url {url}" for url in urls]
    return [f"--index-url {urls[0]}"] + [f"--extra-index-url {url}" for url in urls[1:]]


def pipfile_line(name, package, with_hashes):
    extras = package.get("extras") or []
    line = name + (f"[{','.join(map(str, extras))}]" if extras else "")
    if "git" in package:
        line += f" @ git+{package['git']}@{package.get('ref', 'HEAD')}"
    elif place := package.get("path") or package.get("file"):
        line = f"-e {place}" if package.get("editable") else str(place)
    else:
        line += str(package.get("version", "")).replace("*", "")
    if package.get("markers"):
        line += f" ; {package['markers']}"
    hashes = package.get("hashes") or [] if with_hashes else []
    return line + "".join(f" --hash={one}" for one in hashes)
