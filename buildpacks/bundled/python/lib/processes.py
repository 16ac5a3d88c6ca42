"""The web process of an app without a Procfile, as launch.toml. Only what is clear from the files;
for the rest the developer writes a Procfile.

    processes.py VENV"""

import json
import os
import pathlib
import re
import shlex
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from files import read_text  # noqa: E402

BIND = '"0.0.0.0:${PORT:-8080}"'
SETTINGS = re.compile(r"""DJANGO_SETTINGS_MODULE['"]\s*,\s*['"]([\w.]+)['"]""")
AT_THE_ROOT = ("app.py", "main.py", "wsgi.py", "asgi.py", "server.py", "api.py")
IN_A_PACKAGE = ("main.py", "app.py", "wsgi.py", "asgi.py", "__init__.py")
ROOTS = (".", "src")


def module_file(module):
    """The file of a module of the app, or None."""
    parts = module.split(".")
    for root in ROOTS:
        path = pathlib.Path(root, *parts)
        for file in (path.with_suffix(".py"), path / "__init__.py"):
            if file.is_file():
                return file
    return None


def django_settings():
    """(module, text) of the settings that manage.py names; of a package, all of its files."""
    named = SETTINGS.search(read_text(pathlib.Path("manage.py")))
    module = os.environ.get("DJANGO_SETTINGS_MODULE") or (named and named[1])
    file = module and module_file(module)
    if not file:
        return None, ""
    # Settings that are split up import a base beside them.
    return module, "\n".join(
        read_text(one) for one in [file, *sorted(set(file.parent.glob("*.py")) - {file})]
    )


def django_application(kind):
    """`mysite.wsgi:application` for kind "wsgi", likewise "asgi"."""
    if not pathlib.Path("manage.py").is_file():
        return None
    module, text = django_settings()
    named = re.search(rf"""^{kind.upper()}_APPLICATION\s*=\s*['"]([\w.]+)\.(\w+)['"]""", text, re.M)
    if named and module_file(named[1]):
        return f"{named[1]}:{named[2]}"
    packages = module.split(".")[:-1] if module else []
    while packages:
        candidate = ".".join([*packages, kind])
        if module_file(candidate):
            return f"{candidate}:application"
        packages.pop()
    found = sorted(pathlib.Path(".").glob(f"*/{kind}.py"))
    return f"{found[0].parent.name}.{kind}:application" if len(found) == 1 else None


def candidates():
    """(module, file): at the root, then in packages."""
    for name in AT_THE_ROOT:
        yield pathlib.Path(name).stem, pathlib.Path(name)
    for root in ROOTS:
        for name in IN_A_PACKAGE:
            for path in sorted(pathlib.Path(root).glob(f"*/{name}")):
                package = path.parent.name
                if package.isidentifier() and package not in ("src", "tests", "test", "docs"):
                    module = package if path.stem == "__init__" else f"{package}.{path.stem}"
                    yield module, path


def served_object(*makers):
    """`main:app` where a file plainly makes an app by one of those calls."""
    call = "|".join(makers)
    pattern = re.compile(rf"^(\w+)[ \t]*(?::[^=\n]+)?=[ \t]*(?:\w+\.)*(?:{call})\(", re.MULTILINE)
    for module, path in candidates():
        made = pattern.search(read_text(path)) if path.is_file() else None
        if made:
            return f"{module}:{made[1]}"
    return None


def shell(command):
    return ["bash", "-c", f"exec {command}"]


def web_command(venv):
    """gunicorn and uvicorn read WEB_CONCURRENCY themselves."""

    def installed(program):
        return (pathlib.Path(venv) / "bin" / program).is_file()

    uvicorn = '--host 0.0.0.0 --port "${PORT:-8080}"'
    django = django_application("wsgi")
    wsgi = django or served_object("Flask") or served_object("create_app")
    asgi = django_application("asgi") or served_object("FastAPI", "Starlette", "Quart", "Litestar")
    if asgi and installed("uvicorn") and not (wsgi and installed("gunicorn")):
        return shell(f"uvicorn {uvicorn} {shlex.quote(asgi)}")
    if wsgi and installed("gunicorn"):
        return shell(f"gunicorn --bind {BIND} {shlex.quote(wsgi)}")
    if wsgi and installed("waitress-serve"):
        return shell(f'waitress-serve --listen="*:${{PORT:-8080}}" {shlex.quote(wsgi)}')
    if asgi and installed("daphne"):
        return shell(f'daphne -b 0.0.0.0 -p "${{PORT:-8080}}" {shlex.quote(asgi)}')
    if asgi and installed("hypercorn"):
        return shell(f"hypercorn --bind {BIND} {shlex.quote(asgi)}")
    if pathlib.Path("manage.py").is_file():
        return None
    for file in ("main.py", "app.py"):
        if pathlib.Path(file).is_file():
            return ["python", file]
    return None


def explain():
    if pathlib.Path("manage.py").is_file():
        why = (
            "No web process: Django needs a server, and 'manage.py runserver' is for development"
            " only. Add gunicorn to the app's packages, or"
        )
    else:
        why = "No main.py or app.py, so no process is started:"
    print(
        f"{why} say what to run in a Procfile, such"
        " as\n    web: gunicorn --bind 0.0.0.0:$PORT package.module:app",
        file=sys.stderr,
    )


def main(venv):
    if pathlib.Path("Procfile").is_file():
        return  # its processes are the app's; a guess beside them would only be in the way
    command = web_command(venv)
    if command is None:
        explain()
        return
    print("[[processes]]")
    print('type = "web"')
    print("command = [" + ", ".join(map(json.dumps, command)) + "]")
    print("default = true")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    main(sys.argv[1])
