"""What the buildpack has to know of a Python app.

    python_app.py facts FILE      assignments for bash, fact_*=...; a requirements file made from
                                  pyproject.toml is written to FILE
    python_app.py processes VENV  launch.toml"""

import hashlib
import json
import pathlib
import platform
import re
import shlex
import sys
import tomllib

LARGEST_FILE = 16 << 20
MOST_FILES = 100
# -r other.txt, -c limits.txt, --requirement=other.txt
INCLUDE = re.compile(r"^\s*(?:-r|-c|--requirement|--constraint)(?:\s+|\s*=\s*|(?<=-[rc]))(\S+)")
# What points into the app or to a place that changes under the same name.
MOVING = re.compile(
    r"^\s*(?:-e\b|--editable\b|\.{0,2}/|\.\s*(?:$|\[)|file:|[^#]*@\s*file:|[^#]*git\+)"
)


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


def requirement_files(first):
    """{path: text} of a requirements file and all that it includes."""
    found, waiting = {}, [first]
    while waiting:
        path = waiting.pop(0)
        if path in found or not path.is_file():
            continue  # a missing file is for pip to complain about
        if len(found) >= MOST_FILES:
            refuse(f"{first} includes more than {MOST_FILES} other files")
        found[path] = read_text(path)
        for line in found[path].splitlines():
            include = INCLUDE.match(line)
            if include and "://" not in include[1]:
                waiting.append(path.parent / include[1])
    return found


def read_project():
    try:
        return tomllib.loads(read_text(pathlib.Path("pyproject.toml")))
    except tomllib.TOMLDecodeError as error:
        refuse(f"pyproject.toml is not valid TOML: {error}")


def project_requirements():
    """The list of [project] dependencies. The project itself runs from its source."""
    document = read_project()
    project = document.get("project")
    if not isinstance(project, dict):
        if "poetry" in document.get("tool", {}):
            refuse(
                "pyproject.toml lists its packages for Poetry only, in [tool.poetry]",
                "Move them to [project] (Poetry 2 reads that), or commit the requirements.txt that"
                " 'poetry export' writes.",
            )
        return []
    if "dependencies" in project.get("dynamic", []):
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
    return dependencies


def key_of(texts):
    digest = hashlib.sha256()
    for name, content in texts:
        for part in (name.encode(), content.encode()):
            digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def facts(made_file):
    requirements = pathlib.Path("requirements.txt")
    if requirements.is_file():
        files = requirement_files(requirements)
        texts = sorted((str(path), content) for path, content in files.items())
        source, file = "requirements.txt", str(requirements)
    else:
        content = "".join(one + "\n" for one in project_requirements())
        pathlib.Path(made_file).write_text(content, encoding="utf-8")
        texts, source, file = [("pyproject.toml", content)], "pyproject.toml", made_file
    lines = [line for _, content in texts for line in content.splitlines()]
    result = {
        "python": platform.python_version(),
        "source": source,
        "requirements_file": file,
        "requirements": "yes" if any(line.strip() for line in lines) else "no",
        "reusable": "no" if any(MOVING.match(line) for line in lines) else "yes",
        "key": key_of(texts),
    }
    for name, value in result.items():
        print(f"fact_{name}={shlex.quote(value)}")


def django_module():
    """The package with wsgi.py that stands beside manage.py, when there is just one."""
    if not pathlib.Path("manage.py").is_file():
        return None
    found = sorted(pathlib.Path(".").glob("*/wsgi.py"))
    return f"{found[0].parent.name}.wsgi" if len(found) == 1 else None


def served_object(framework):
    """`main:app` where a file plainly makes an app of that framework."""
    pattern = re.compile(rf"^(\w+)\s*(?::[^=]+)?=\s*(?:\w+\.)?{framework}\(", re.MULTILINE)
    for file in ("app.py", "main.py", "wsgi.py", "asgi.py"):
        path = pathlib.Path(file)
        made = pattern.search(read_text(path)) if path.is_file() else None
        if made:
            return f"{path.stem}:{made[1]}"
    return None


def web_command(venv):
    """Only what is clear from the files; for the rest the developer writes a Procfile."""

    def installed(program):
        return (pathlib.Path(venv) / "bin" / program).is_file()

    bind = '"0.0.0.0:${PORT:-8080}"'
    wsgi = django_module() or served_object("Flask")
    if installed("gunicorn") and wsgi:
        return ["bash", "-c", f"exec gunicorn --bind {bind} {shlex.quote(wsgi)}"]
    asgi = served_object("FastAPI") or served_object("Starlette")
    if installed("uvicorn") and asgi:
        where = '--host 0.0.0.0 --port "${PORT:-8080}"'
        return ["bash", "-c", f"exec uvicorn {where} {shlex.quote(asgi)}"]
    for file in ("main.py", "app.py"):
        if pathlib.Path(file).is_file():
            return ["python", file]
    return None


def processes(venv):
    if pathlib.Path("Procfile").is_file():
        return  # its processes are the app's; a guess beside them would only be in the way
    command = web_command(venv)
    if command is None:
        print(
            "No main.py or app.py, so no process is started: say what to run in a Procfile, such"
            " as\n    web: gunicorn --bind 0.0.0.0:$PORT package.module:app",
            file=sys.stderr,
        )
        return
    print("[[processes]]")
    print('type = "web"')
    print("command = [" + ", ".join(map(json.dumps, command)) + "]")
    print("default = true")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["facts", made_file]:
            facts(made_file)
        case ["processes", venv]:
            processes(venv)
        case _:
            print(__doc__, file=sys.stderr)
            sys.exit(2)
