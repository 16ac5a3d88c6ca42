"""Reads an Aptfile: the dialect of Heroku's apt buildpack, as far as it can be done safely.

A line holds names of packages with white space between, as `name`, `name=version` or
`name/release`; or the address of a .deb file; or `:repo:` and a line of a sources.list. What
follows # at the begin of a word is a comment."""

import dataclasses
import pathlib
import re

LARGEST_FILE = 1 << 20
MOST_PACKAGES = 1000
PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+(=[0-9][A-Za-z0-9.+:~-]*|/[A-Za-z0-9][A-Za-z0-9.-]*)?")
ADDRESS = re.compile(r"https?://[^\s\"'\\`$]+\.deb(#sha256=[0-9a-f]{64})?")
REPOSITORY = re.compile(r"deb\s+(?:\[([^\]]*)\]\s+)?(https?://\S+)\s+(\S.*)")
OPTION = re.compile(r"(arch|signed-by|lang|by-hash)=(\S+)")


class Refused(Exception):
    """One line of an Aptfile that cannot be done: what, and a way out."""

    def __init__(self, number, what, hint=""):
        super().__init__(f"Aptfile, line {number}: {what}")
        self.hint = hint


@dataclasses.dataclass
class Aptfile:
    packages: list[str] = dataclasses.field(default_factory=list)
    addresses: list[tuple[str, str]] = dataclasses.field(default_factory=list)  # URL, SHA-256 or ""
    repositories: list[str] = dataclasses.field(default_factory=list)


def read_word(number, word, result):
    if word.endswith(".deb") or ".deb#" in word:
        if not ADDRESS.fullmatch(word):
            raise Refused(
                number,
                f"{word!r} is no address of a .deb file",
                "It is https://..., with #sha256=... behind it when its bytes are to be checked.",
            )
        address, _, digest = word.partition("#sha256=")
        if address.startswith("http://") and not digest:
            raise Refused(
                number,
                f"nothing proves what {address} is",
                "Use https://, or add #sha256= and the checksum of the file.",
            )
        result.addresses.append((address, digest))
    elif word.startswith("-"):
        raise Refused(number, f"{word!r} is an option", "Name packages; options are not passed on.")
    elif ":" in word.partition("=")[0]:
        raise Refused(
            number,
            f"{word!r} names a package of another architecture, or is no package",
            "Only packages of the image's own architecture can be used: write the name alone.",
        )
    elif word.endswith("-"):
        raise Refused(
            number, f"{word!r} would remove a package", "A layer can only add to the image."
        )
    elif not PACKAGE.fullmatch(word):
        raise Refused(
            number,
            f"{word!r} is no name of a Debian package",
            "Write name, name=version or name/release; patterns are not understood.",
        )
    else:
        result.packages.append(word)


def signing_key(number, value):
    """An absolute path: a keyring of the build image, or a file of the app."""
    path = pathlib.Path(value)
    if not path.is_absolute() and ".." in path.parts:
        raise Refused(number, f"signed-by={value} leaves the app")
    if not path.is_file():
        raise Refused(
            number,
            f"there is no file {value} for signed-by",
            "Commit the repository's key, as .asc or .gpg, and name it relative to the app.",
        )
    return str(path.absolute())


def read_repository(number, text, result):
    found = REPOSITORY.fullmatch(text.strip())
    if not found or not text.isprintable():
        raise Refused(
            number,
            "this is no repository",
            "Write :repo:deb [signed-by=FILE] https://ADDRESS RELEASE COMPONENT...",
        )
    options, rest = [], f"{found[2]} {found[3]}"
    for option in (found[1] or "").split():
        known = OPTION.fullmatch(option)
        if not known:
            raise Refused(
                number,
                f"the option {option} is not allowed",
                "Packages of a repository that nobody signed are not used; name its key by"
                " signed-by=FILE.",
            )
        name, value = known.groups()
        options.append(f"{name}={signing_key(number, value) if name == 'signed-by' else value}")
    result.repositories.append(f"deb [{' '.join(options)}] {rest}" if options else f"deb {rest}")


def read(path):
    if path.stat().st_size > LARGEST_FILE:
        raise Refused(1, f"the file is larger than {LARGEST_FILE >> 20} MiB")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise Refused(1, "the file is not UTF-8 text", "Save it as UTF-8.") from None
    result = Aptfile()
    for number, line in enumerate(text.splitlines(), 1):
        line = re.sub(r"(^|\s)#.*", "", line).strip()
        if line.startswith(":repo:"):
            read_repository(number, line.removeprefix(":repo:"), result)
            continue
        for word in line.split():
            read_word(number, word, result)
        if len(result.packages) + len(result.addresses) > MOST_PACKAGES:
            raise Refused(number, f"these are more than {MOST_PACKAGES} packages")
    return result
