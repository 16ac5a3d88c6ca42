"""Does this Rust do for the app?

    rust_release.py VERSION   exit 1 with a text when it does not

An app asks by rust-toolchain.toml or rust-toolchain (a release to take) and by `rust-version` in
Cargo.toml (the oldest that will do). There is one Rust, so a newer one does for an older wish:
what compiled once goes on to compile."""

import pathlib
import platform
import re
import sys
import tomllib

LARGEST_FILE = 4 << 20
NUMBERS = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")
HINT = (
    "Slipway compiles with Debian's Rust. Ask for that release or an older one, or use a build image"
    " of your own that has cargo and rustc."
)


def refuse(what, hint=HINT):
    print(f"ERROR: {what}", file=sys.stderr)
    print(hint, file=sys.stderr)
    sys.exit(1)


def read_toml(path):
    if path.stat().st_size > LARGEST_FILE:
        refuse(f"{path} is larger than {LARGEST_FILE >> 20} MiB", "Make it smaller.")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        refuse(f"{path} is not valid TOML: {error}", "Correct it and push again.")


def table(value, name):
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def numbers(text):
    found = NUMBERS.fullmatch(text)
    return tuple(int(part or 0) for part in found.groups()) if found else None


def toolchain_file():
    """(file, [toolchain] table) of the first file that rustup would read, or None."""
    for name in ("rust-toolchain", "rust-toolchain.toml"):
        path = pathlib.Path(name)
        if not path.is_file():
            continue
        # Without .toml the file may be a bare name, on one line.
        if name == "rust-toolchain" and path.stat().st_size < 256:
            bare = path.read_text(encoding="utf-8", errors="replace").strip()
            if "\n" not in bare and "[" not in bare:
                return name, {"channel": bare}
        return name, table(read_toml(path), "toolchain")
    return None


def check_toolchain(have):
    found = toolchain_file()
    if found is None:
        return
    file, wish = found
    if "path" in wish:
        refuse(f"{file} names a toolchain in a directory")
    channel = str(wish.get("channel", "stable"))
    # 1.80.0-x86_64-unknown-linux-gnu names the machine as well.
    wanted = numbers(channel.split("-")[0])
    if wanted is None and channel.split("-")[0] != "stable":
        refuse(f"{file} asks for Rust {channel!a}; there is {have}")
    if wanted is not None and wanted > numbers(have):
        refuse(f"{file} asks for Rust {channel}; there is {have}")
    if wanted is not None and wanted[:2] != numbers(have)[:2]:
        print(f"WARNING: {file} asks for Rust {channel}; it is compiled by the newer {have}")
    targets = wish.get("targets")
    here = f"{platform.machine()}-unknown-linux-gnu"
    for target in targets if isinstance(targets, list) else []:
        if target != here:
            refuse(f"{file} asks for the target {target!a}; there is only {here}")


def check_oldest(have):
    document = read_toml(pathlib.Path("Cargo.toml"))
    for where in (table(document, "package"), table(table(document, "workspace"), "package")):
        oldest = where.get("rust-version")
        wanted = numbers(oldest) if isinstance(oldest, str) else None
        if wanted is not None and wanted > numbers(have):
            refuse(f"Cargo.toml needs Rust {oldest} or newer (rust-version); there is {have}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    check_toolchain(sys.argv[1])
    check_oldest(sys.argv[1])
