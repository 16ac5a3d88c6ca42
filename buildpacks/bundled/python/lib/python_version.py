"""Which versions of Python an app asks for, and whether the one that is here will do.

Ranges are those of PEP 440 (`requires-python`) with what Poetry adds: ^, ~, * and ||."""

import re

CLAUSE = re.compile(
    r"(?P<operator>===|==|!=|~=|<=|>=|<|>|\^|~|=)?\s*v?(?P<version>\d+(?:\.\d+)*)"
    r"(?P<suffix>\.\*|[a-z0-9.+]*)",
    re.IGNORECASE,
)
# 3.12, 3.12.1, python-3.12.1, cpython@3.12
PINNED = re.compile(r"(?:c?python[-@]?)?v?(\d+(?:\.\d+){0,2})", re.IGNORECASE)


def numbers(text):
    return tuple(int(part) for part in text.split("."))


def padded(version):
    return version + (0,) * (4 - len(version))


def next_after(version, place):
    """The first version beyond all that share their first `place` numbers: 3.9.1, 2 -> 3.10."""
    return version[: place - 1] + (version[place - 1] + 1,)


def bounds(operator, version, wildcard):
    """[lower, upper) of an operator that stands for a span, else None."""
    if operator == "^":
        place = next((i for i, part in enumerate(version, 1) if part), len(version))
    elif operator == "~=":
        place = max(len(version) - 1, 1)
    elif operator == "~":
        place = min(len(version), 2)
    elif wildcard and operator in ("", "=", "==", "!="):
        place = len(version)
    else:
        return None
    return padded(version), padded(next_after(version, place))


def clause_holds(match, here):
    operator, version = match["operator"] or "", numbers(match["version"])
    span = bounds(operator, version, match["suffix"] == ".*")
    if span:
        return (span[0] <= here < span[1]) != (operator == "!=")
    version = padded(version)
    match operator:
        case ">=":
            return here >= version
        case "<=":
            return here <= version
        case ">":
            return here > version
        case "<":
            return here < version
        case "!=":
            return here != version
    return here == version


def satisfies(text, here):
    """Whether the version `here` is within the range `text`. ValueError: not a range."""
    return any([alternative_holds(one, padded(numbers(here))) for one in re.split(r"\|\|?", text)])


def alternative_holds(text, here):
    rest, verdict = text.strip(), True
    if rest in ("", "*"):
        return True
    while rest:
        match = CLAUSE.match(rest)
        if not match:
            raise ValueError(text)
        verdict = clause_holds(match, here) and verdict
        rest = rest[match.end() :].lstrip(" \t,")
    return verdict


def pinned(text):
    """The version that a file such as .python-version names, as text, or None."""
    match = PINNED.fullmatch(text.strip())
    return match and match[1]


def same_line(text, here):
    """3.11.9 and 3.11.2 are of one line: the stack brings its security updates."""
    count = min(text.count(".") + 1, 2)
    return numbers(text)[:count] == numbers(here)[:count]
