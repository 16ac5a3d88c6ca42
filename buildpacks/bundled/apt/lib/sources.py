"""The sources that apt is given: those of the build image, with the mirrors of the environment in
place of Debian's or Ubuntu's own addresses.

    sources.py LIST PARTS DIRECTORY   copies the file LIST and the files of PARTS to DIRECTORY"""

import os
import pathlib
import re
import sys

ADDRESS = re.compile(r"\b(?:https?|mirror\+https?)://[^\s\]]+")


def mirrored(match):
    """Mirrors carry one tree under many hosts: what the address ends with tells which tree it is."""
    address = match[0].rstrip("/")
    if address.endswith("/debian-security") or "//security." in address:
        mirror = os.environ.get("SLIPWAY_APT_SECURITY_MIRROR")
    elif address.endswith(("/debian", "/ubuntu", "/ubuntu-ports")):
        mirror = os.environ.get("SLIPWAY_APT_MIRROR")
    else:
        mirror = None
    return mirror or match[0]


def main(main_list, parts, directory):
    directory = pathlib.Path(directory)
    files = [pathlib.Path(main_list), *sorted(pathlib.Path(parts).glob("*"))]
    found = 0
    for file in files:
        if file.suffix not in (".list", ".sources") or not file.is_file():
            continue
        text = file.read_text(encoding="utf-8")
        lines = [
            line if line.lstrip().startswith("#") else ADDRESS.sub(mirrored, line)
            for line in text.splitlines()
        ]
        (directory / file.name).write_text("\n".join(lines) + "\n", encoding="utf-8")
        found += 1
    if found == 0:
        print("ERROR: the build image names no sources of Debian packages", file=sys.stderr)
        print("Use the stack debian-12, or a build image with /etc/apt/sources.list.", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:4])
