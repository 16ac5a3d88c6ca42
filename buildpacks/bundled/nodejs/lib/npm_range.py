"""Version ranges as package.json has them (`engines`): which versions does a range allow?

Understands what npm documents: comparators, hyphen ranges, x-ranges, tilde, caret, `||`.
Pre-releases are never chosen, except by their exact name."""

import re

NUMBER = r"(0|[1-9]\d*|[xX*])"
PARTIAL = (
    rf"[v=\s]*{NUMBER}(?:\.{NUMBER}(?:\.{NUMBER}"
    r"(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?)?)?"
)
VERSION = re.compile(r"^v?(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?(?:\+.*)?$")
COMPARATOR = re.compile(rf"^(<=|>=|<|>|=|~>|~|\^)?{PARTIAL}$")
HYPHEN = re.compile(rf"^{PARTIAL}\s+-\s+{PARTIAL}$")

FIRST = (0, 0, 0)


def parse_version(text):
    """(major, minor, patch) of a released version; None for anything else."""
    found = VERSION.match(text.strip())
    if not found or found[4]:
        return None
    return tuple(int(part) for part in found.groups()[:3])


def numbers(parts):
    """The leading numbers of a partial version: 1.x -> [1]."""
    known = []
    for part in parts:
        if part is None or part in "xX*":
            break
        known.append(int(part))
    return known


def lowest(known):
    return tuple(known + [0] * (3 - len(known)))


def after(known):
    """The first version above all those that begin with `known`; None: there is none."""
    if not known:
        return None
    return lowest(known[:-1] + [known[-1] + 1])


def bounds(operator, known):
    """[low, high) of one comparator; high None = no upper bound; None = nothing matches."""
    if operator in ("^", "~", "~>"):
        if not known:
            return (FIRST, None)
        if operator == "^":
            first_set = next((i for i, part in enumerate(known) if part), len(known) - 1)
            return (lowest(known), after(known[: first_set + 1]))
        return (lowest(known), after(known[:2]))
    if operator == ">=":
        return (lowest(known), None)
    if operator == ">":
        low = after(known)
        return (low, None) if low else None
    if operator == "<":
        return (FIRST, lowest(known)) if known else None
    if operator == "<=":
        return (FIRST, after(known))
    return (lowest(known), after(known))


def parse_set(text):
    """One side of `||`: a list of [low, high), all of which must hold; None = matches nothing."""
    hyphen = HYPHEN.match(text)
    if hyphen:
        low = numbers(hyphen.groups()[:3])
        high = numbers(hyphen.groups()[4:7])
        return [(lowest(low), None), (FIRST, after(high))]
    result = []
    # An operator may stand apart from its version: ">= 18".
    for word in re.sub(r"([<>=~^])\s+", r"\1", text).split():
        found = COMPARATOR.match(word)
        if not found:
            raise ValueError(f"'{word}' is not a version range")
        if found[5]:
            raise ValueError(f"'{word}' names a pre-release")
        one = bounds(found[1], numbers(found.groups()[1:4]))
        if one is None:
            return None
        result.append(one)
    return result


class Range:
    """A parsed range. Raises ValueError for text that is none."""

    def __init__(self, text):
        sets = [parse_set(part.strip()) for part in text.split("||")]
        self.sets = [one for one in sets if one is not None]

    def allows(self, version):
        return any(
            all(low <= version and (high is None or version < high) for low, high in one)
            for one in self.sets
        )
