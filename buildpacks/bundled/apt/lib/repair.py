"""Makes the files of packages point to where they are now.

    repair.py ROOT

Absolute symbolic links lead into ROOT where ROOT has the file, and links that would dangle lead to
the image's own file. pkg-config files and scripts such as pg_config name ROOT's directories, and
scripts name ROOT's interpreter when ROOT has it."""

import os
import pathlib
import re
import sys

# prefix=/usr, includedir=/usr/include/x, Libs: -L/usr/lib/x
VARIABLE = re.compile(r"^(\w+\s*=\s*)(/usr\b\S*)", re.MULTILINE)
FLAG = re.compile(r"(-[IL])(/usr\b\S*)")
# What a script that tells compiler flags has of the directories it was packaged for.
DIRECTORY = re.compile(r"(?<![\w./-])()(/usr/(?:include|lib|share)\b[\w./+-]*)")


def inside(root, path):
    """ROOT's path of what the package calls `path`."""
    return os.path.join(root, os.path.normpath("/" + path).lstrip("/"))


def repair_link(root, link):
    directory, target = os.path.dirname(link), os.readlink(link)
    own = link[len(root) :]
    wanted = os.path.normpath(os.path.join(os.path.dirname(own), target))
    candidate = inside(root, wanted)
    if os.path.lexists(candidate):
        if os.path.isabs(target):
            os.unlink(link)
            os.symlink(os.path.relpath(candidate, directory), link)
    elif not os.path.isabs(target) and os.path.exists(wanted):
        os.unlink(link)
        os.symlink(wanted, link)


def repair_text(root, file, *patterns):
    def moved(match):
        path = inside(root, match[2])
        return match[1] + (path if os.path.exists(path) or match[2] == "/usr" else match[2])

    text = file.read_text(encoding="utf-8", errors="surrogateescape")
    for pattern in patterns:
        text = pattern.sub(moved, text)
    file.write_text(text, "utf-8", "surrogateescape")


def is_script(file):
    with file.open("rb") as opened:
        return opened.read(2) == b"#!"


def repair_interpreter(root, path):
    """What the image had itself would not have been put into ROOT."""
    with open(path, "rb") as opened:
        if opened.read(2) != b"#!":
            return
        line, rest = opened.readline(4096), opened.read()
    words = os.fsdecode(line).split(maxsplit=1)
    if not words or not words[0].startswith("/") or not os.path.isfile(inside(root, words[0])):
        return
    changed = os.fsencode(" ".join(["#!" + inside(root, words[0]), *words[1:]]).rstrip() + "\n")
    with open(path, "wb") as opened:
        opened.write(changed + rest)


def main(root):
    root = os.path.realpath(root)
    for directory, names, files in os.walk(root):
        for name in sorted(names) + sorted(files):
            path = os.path.join(directory, name)
            if os.path.islink(path):
                repair_link(root, path)
            elif os.path.isfile(path) and os.access(path, os.X_OK):
                repair_interpreter(root, path)
    for pattern in ("usr/lib/**/pkgconfig/*.pc", "usr/share/pkgconfig/*.pc"):
        for file in sorted(pathlib.Path(root).glob(pattern)):
            if file.is_file() and not file.is_symlink():
                repair_text(root, file, FLAG, VARIABLE)
    for file in sorted(pathlib.Path(root).glob("usr/bin/*[-_]config")):
        if file.is_file() and not file.is_symlink() and is_script(file):
            repair_text(root, file, FLAG, DIRECTORY)


if __name__ == "__main__":
    main(sys.argv[1])
