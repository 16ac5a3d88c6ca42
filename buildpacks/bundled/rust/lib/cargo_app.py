"""What the buildpack has to know of a Cargo package or workspace.

    cargo_app.py replaces-crates-io         exit 0 when the app's settings name another place
    cargo_app.py own-packages METADATA      the packages of the app's tree, one a line
    cargo_app.py install MESSAGES DIR       copies the programs that cargo built to DIR
    cargo_app.py processes METADATA DIR     launch.toml for the programs in DIR

METADATA and MESSAGES are files with what `cargo metadata` and `cargo build` print as JSON."""

import json
import pathlib
import re
import shutil
import sys
import tomllib

LARGEST_FILE = 4 << 20
PROCESS_TYPE = re.compile(r"[A-Za-z0-9._-]+")


def refuse(what, hint=""):
    print(f"ERROR: {what}", file=sys.stderr)
    if hint:
        print(hint, file=sys.stderr)
    sys.exit(1)


def replaces_crates_io():
    for name in (".cargo/config", ".cargo/config.toml"):
        path = pathlib.Path(name)
        if not path.is_file() or path.stat().st_size > LARGEST_FILE:
            continue  # cargo will say what is wrong with it
        try:
            document = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError):
            continue
        try:
            if "replace-with" in document["source"]["crates-io"]:
                return True
        except (KeyError, TypeError):
            continue
    return False


def read_metadata(path):
    return json.loads(pathlib.Path(path).read_text(encoding="utf-8"))


def own_packages(metadata):
    """Those that do not come from a registry or from git."""
    for one in metadata["packages"]:
        if one["source"] is None:
            print(one["id"])


def built_programs(messages):
    """{name: path} of cargo's messages, which stand one on each line."""
    found = {}
    with open(messages, encoding="utf-8") as stream:
        for line in stream:
            message = json.loads(line) if line.startswith("{") else {}
            if message.get("reason") == "compiler-artifact" and message.get("executable"):
                if "bin" in message["target"]["kind"]:
                    found[message["target"]["name"]] = message["executable"]
    return found


def install(messages, directory):
    programs = built_programs(messages)
    if not programs:
        refuse(
            "this Cargo package has no program",
            "Add src/main.rs or a [[bin]]. In a workspace, default-members says what is built.",
        )
    target = pathlib.Path(directory)
    target.mkdir()
    for name, path in programs.items():
        shutil.copyfile(path, target / name)
        (target / name).chmod(0o755)


def root_package(metadata):
    """The package of ./Cargo.toml, {} for a workspace without one."""
    manifest = str(pathlib.Path("Cargo.toml").resolve())
    for one in metadata["packages"]:
        if one["manifest_path"] == manifest:
            return one
    return {}


def web_program(root, programs):
    """The one that answers requests, or None when that is not clear."""
    for name in ("web", root.get("default_run"), root.get("name"), "server"):
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


def processes(metadata, directory):
    programs = sorted(path.name for path in pathlib.Path(directory).iterdir())
    web = web_program(root_package(metadata), programs)
    if web is not None:
        print_process("web", web, default=True)
    elif not pathlib.Path("Procfile").is_file():
        print(
            "Which of " + ", ".join(programs) + " answers requests is not clear, so none is started"
            " by default:\nset default-run in Cargo.toml, or write a Procfile, such as\n    web: "
            + programs[0],
            file=sys.stderr,
        )
    for program in programs:
        if program != web and PROCESS_TYPE.fullmatch(program):
            print_process(program, program)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["replaces-crates-io"]:
            sys.exit(0 if replaces_crates_io() else 1)
        case ["own-packages", metadata]:
            own_packages(read_metadata(metadata))
        case ["install", messages, directory]:
            install(messages, directory)
        case ["processes", metadata, directory]:
            processes(read_metadata(metadata), directory)
        case _:
            print(__doc__, file=sys.stderr)
            sys.exit(2)
