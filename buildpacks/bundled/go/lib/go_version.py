"""Releases of Go in their order: 1.22rc1 < 1.22.0 < 1.22.1. `1.22` is the line of releases."""

import re

PARTS = re.compile(r"(\d+)\.(\d+)(?:\.(\d+)|(rc|beta)(\d+))?")
STAGES = {"beta": -2, "rc": -1}
# Older ones lack options that the buildpack gives. `go 1.13` names a language, which all newer
# releases compile.
OLDEST_LINE = (1, 18)


def sort_key(version):
    found = PARTS.fullmatch(version)
    if not found:
        raise ValueError(version)
    major, minor, patch, stage, number = found.groups()
    if stage:
        return int(major), int(minor), STAGES[stage], int(number)
    return int(major), int(minor), int(patch or 0), 0


def is_line(version):
    return re.fullmatch(r"\d+\.\d+", version) is not None


def is_stable(version):
    return PARTS.fullmatch(version) is not None and sort_key(version)[2] >= 0


def line_of(version):
    return sort_key(version)[:2]


def choose(wanted, listed):
    """The release to take for WANTED ("" for any) out of LISTED, or None. An exact release is
    taken as it is. A line: its newest release; when none is listed, as for lines before toolchains
    were published, the newest of the next line, for Go compiles what older releases did."""
    stable = sorted(filter(is_stable, listed), key=sort_key)
    if not wanted:
        return stable[-1] if stable else None
    if not is_line(wanted):
        return wanted
    oldest = max(line_of(wanted), OLDEST_LINE)
    lines = {line_of(one) for one in stable if line_of(one) >= oldest}
    return [one for one in stable if line_of(one) == min(lines)][-1] if lines else None
