"""Which Node.js release a range of package.json means.

The registry does not say which lines are long-term support (LTS), but its list shows it: a line
is LTS once a newer line was released. Up to 26 only the even lines become LTS, from 27 on all."""

from npm_range import Range, parse_version

CODE_NAMES = {
    "argon": 4, "boron": 6, "carbon": 8, "dubnium": 10, "erbium": 12, "fermium": 14,
    "gallium": 16, "hydrogen": 18, "iron": 20, "jod": 22, "krypton": 24,
}  # fmt: skip


def lts_lines(versions):
    majors = {version[0] for version in versions}
    newest = max(majors)
    return {m for m in majors if m < newest and m >= 4 and (m % 2 == 0 or m >= 27)}


def wanted_range(text):
    """(range, lines) of what the app asks for; lines: "lts" (no other), "lts first", "any"."""
    word = text.strip().lower()
    if word in ("", "*", "x", "latest", "lts", "lts/*"):
        return Range("*"), "lts"
    if word.startswith("lts/"):
        name = word[4:]
        if name not in CODE_NAMES:
            raise ValueError(f"'{text}' is not a known LTS name")
        return Range(str(CODE_NAMES[name])), "lts"
    if word in ("node", "current"):
        return Range("*"), "any"
    return Range(text), "lts first"


def allows(text, version_text):
    """Would a Node.js that is already here do? Not asked for the newest of anything."""
    version = parse_version(version_text)
    return version is not None and wanted_range(text)[0].allows(version)


def choose(text, version_texts):
    """(version, is it of an LTS line) for a range. LTS lines are preferred to others, for a range
    such as `>=18` does not ask for a line that is still being made. None: nothing fits."""
    wanted, lines = wanted_range(text)
    versions = [v for v in map(parse_version, version_texts) if v]
    if not versions:
        return None
    lts = lts_lines(versions)
    fitting = [v for v in versions if wanted.allows(v)]
    of_lts = [v for v in fitting if v[0] in lts]
    candidates = {"lts": of_lts, "lts first": of_lts or fitting, "any": fitting}[lines]
    if not candidates:
        return None
    chosen = max(candidates)
    return ".".join(map(str, chosen)), chosen[0] in lts
