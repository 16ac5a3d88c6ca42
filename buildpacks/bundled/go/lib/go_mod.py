"""What the buildpack has to know of go.mod and go.work.

    go_mod.py facts                 assignments for bash, fact_*=...
    go_mod.py processes MODULE DIR  launch.toml for the programs in DIR"""

import json
import os
import pathlib
import re
import shlex
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from go_version import is_line, sort_key  # noqa: E402

LARGEST_FILE = 4 << 20
VERSION = re.compile(r"\d+\.\d+(?:\.\d+|(?:rc|beta)\d+)?")
PROCESS_TYPE = re.compile(r"[A-Za-z0-9._-]+")


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


def directive(text, name):
    """The value of a line such as `go 1.22`, "" without one. The go command itself reads the rest
    of the file, and complains where that makes no sense."""
    found = re.search(rf'^[ \t]*{name}[ \t]+("[^"\n]*"|`[^`\n]*`|[^\s"`/(]\S*)', text, re.MULTILINE)
    return found[1].strip('"`') if found else ""


def wanted_versions(file, text):
    """(version, where it stands) of the go and the toolchain line."""
    for name, prefix in (("go", ""), ("toolchain", "go")):
        value = directive(text, name)
        if not value or value == "default":
            continue
        version = value.removeprefix(prefix)
        if not value.startswith(prefix) or not VERSION.fullmatch(version):
            refuse(
                f"{file} asks for {name} {value!a}, which is no release of Go",
                f"Write a line such as '{name} {prefix}1.26.0', or leave it out.",
            )
        yield version, f"{name} {value} in {file}"


def chosen_version(files):
    """As the go command does it: the newest that any line asks for. GOTOOLCHAIN, when it names a
    release, has the last word."""
    named = os.environ.get("GOTOOLCHAIN", "").split("+")[0]
    if named.startswith("go") and VERSION.fullmatch(named[2:]):
        return named[2:], f"GOTOOLCHAIN={named}"
    found = [wanted for file, text in files.items() for wanted in wanted_versions(file, text)]
    # `toolchain go1.22.4` says more than `go 1.22`, though both are of one line.
    return max(found, key=lambda one: (sort_key(one[0]), not is_line(one[0])), default=("", ""))


def facts():
    files = {"go.mod": read_text(pathlib.Path("go.mod"))}
    if os.environ.get("GOWORK") != "off" and pathlib.Path("go.work").is_file():
        files["go.work"] = read_text(pathlib.Path("go.work"))
    version, source = chosen_version(files)
    vendored = pathlib.Path("vendor/modules.txt").is_file()
    result = {
        "go": version,
        "go_source": source,
        "module": directive(files["go.mod"], "module"),
        "vendored": "yes" if vendored else "no",
    }
    for name, value in result.items():
        print(f"fact_{name}={shlex.quote(value)}")


def web_program(module, programs):
    """The one that answers requests, or None when that is not clear."""
    parts = [part for part in module.split("/") if not re.fullmatch(r"v\d+", part)]
    own = parts[-1] if parts else ""
    for name in ("web", own, "server"):
        if name in programs:
            return name
    return programs[0] if len(programs) == 1 else None


def print_process(kind, program, default=False):
    print("[[processes]]")
    print(f"type = {json.dumps(kind)}")
    print(f"command = [{json.dumps(program)}]")
    if default:
        print("default = true")
    print()


def processes(module, directory):
    programs = sorted(path.name for path in pathlib.Path(directory).iterdir())
    web = web_program(module, programs)
    if web is not None:
        print_process("web", web, default=True)
    elif not pathlib.Path("Procfile").is_file():
        print(
            "Which of " + ", ".join(programs) + " answers requests is not clear, so none is started"
            " by default:\ncall it cmd/web, or write a Procfile, such as\n    web: " + programs[0],
            file=sys.stderr,
        )
    for program in programs:
        if program != web and PROCESS_TYPE.fullmatch(program):
            print_process(program, program)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["facts"]:
            facts()
        case ["processes", module, directory]:
            processes(module, directory)
        case _:
            print(__doc__, file=sys.stderr)
            sys.exit(2)
