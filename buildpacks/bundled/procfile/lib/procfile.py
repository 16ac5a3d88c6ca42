"""Reads ./Procfile and writes its processes as launch.toml.

    procfile.py LAUNCH_TOML

A line is `name: command`. Empty lines and those that begin with # or // are skipped, and a # with
white space before it ends a command, unless it is quoted. A line that is none of these, such as a
merge marker, or a name that comes twice, is an error that names the line: half a Procfile would
start half an app."""

import json
import pathlib
import re
import sys

NAME = re.compile(r"[A-Za-z0-9_-]{1,63}")
PORTABLE_NAME = re.compile(r"[A-Za-z0-9]{1,24}")
MERGE_MARKER = re.compile(r"(<{7}|={7}|>{7}|\|{7})(\s|$)")
LARGEST_FILE = 1 << 20


def refuse(what, hint):
    print(f"ERROR: {what}", file=sys.stderr)
    print(hint, file=sys.stderr)
    sys.exit(1)


def refuse_line(number, why, hint="Write each process as 'name: command'."):
    refuse(f"Procfile, line {number}: {why}", hint)


def without_comment(command):
    """The command up to a # that bash would take for a comment. A # in quotes is none."""
    quote, escaped, before = "", False, " "
    for index, char in enumerate(command):
        if escaped:
            escaped = False
        elif char == "\\" and quote != "'":
            escaped = True
        elif quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char == "#" and before.isspace():
            return command[:index].rstrip()
        before = char
    return command.rstrip()


def parse(text):
    """[(name, command)] in the order of the file."""
    processes, lines = [], {}
    for number, raw in enumerate(text.split("\n"), start=1):
        line = raw.rstrip("\r").strip()
        if not line or line.startswith(("#", "//")):
            continue
        if MERGE_MARKER.match(line):
            refuse_line(number, "a merge marker", "Resolve the merge, commit, and push again.")
        name, colon, command = line.partition(":")
        name = name.rstrip()
        if not colon:
            refuse_line(number, "no colon, so no process")
        if not NAME.fullmatch(name):
            refuse_line(
                number,
                f"{json.dumps(name[:80])} cannot be the name of a process",
                "A name has 1 to 63 letters, digits, '-' and '_'.",
            )
        if name in lines:
            refuse_line(
                number,
                f"'{name}' was already given in line {lines[name]}",
                "Remove one of the two.",
            )
        command = without_comment(command.strip())
        if not command:
            refuse_line(number, f"'{name}' has no command")
        if re.search(r"[\x00-\x08\x0a-\x1f\x7f]", command):
            refuse_line(number, "a control character")
        lines[name] = number
        processes.append((name, command))
    return processes


def read():
    path = pathlib.Path("Procfile")
    if path.stat().st_size > LARGEST_FILE:
        refuse("Procfile is larger than 1 MiB", "A Procfile holds one short line per process.")
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        refuse("Procfile is not UTF-8 text", "Save it as UTF-8 and push again.")


def render(processes):
    """Commands are bash's to read. `bash -c` as the command itself: a process type named together
    with arguments gets these as bash's positional parameters."""
    blocks = []
    for name, command in processes:
        words = ", ".join(map(json.dumps, ["bash", "-c", command]))
        block = f'[[processes]]\ntype = "{name}"\ncommand = [{words}]\n'
        if name == "web":
            block += "default = true\n"
        blocks.append(block)
    return "\n".join(blocks)


def main(launch_toml):
    processes = parse(read())
    if not processes:
        refuse("the Procfile names no process", "Add a line such as 'web: ./server', or remove it.")
    pathlib.Path(launch_toml).write_text(render(processes), encoding="utf-8")
    for name, _ in processes:
        if not PORTABLE_NAME.fullmatch(name):
            print(f"WARNING: '{name}': other platforms take 1 to 24 letters and digits only")
    print("Procfile declares " + ", ".join(name for name, _ in processes))
    if "web" not in dict(processes):
        print("No web process: nothing is started by default")
    if "release" in dict(processes):
        print("'release' is a process like the others: nothing runs it before a new image is used")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    main(sys.argv[1])
