"""What dpkg knows of an image's packages, cut down to what apt resolves dependencies with.

    status.py all FILE OUTPUT         every installed package of the dpkg status FILE
    status.py essential FILE OUTPUT   Debian's essential packages in it and what they depend on:
                                      what every image of that release has
    status.py kept FILE               the names of packages that stay the image's own even when the
                                      repository has newer ones"""

import pathlib
import re
import sys

FIELDS = {
    "Package", "Status", "Essential", "Priority", "Section", "Architecture", "Multi-Arch", "Version",
    "Provides", "Pre-Depends", "Depends", "Conflicts", "Breaks", "Replaces",
}  # fmt: skip
# The C library works only with the loader of the same version, and that is the image's.
NEVER_IN_A_LAYER = {"libc6", "libc-bin"}


def packages_of(path):
    """{name: {field: value}} of what is installed."""
    found = {}
    text = pathlib.Path(path).read_text(encoding="utf-8", errors="replace")
    for paragraph in text.split("\n\n"):
        unfolded = re.sub(r"\n[ \t]+", " ", paragraph)
        lines = (line.partition(": ") for line in unfolded.splitlines())
        fields = {name: value for name, _, value in lines if name in FIELDS}
        if fields.get("Status", "").endswith(" installed"):
            found[fields["Package"]] = fields
    return found


def names_in(fields, *relations):
    text = ", ".join(fields[name] for name in relations if name in fields)
    return re.findall(r"(?:^|[,|]\s*)([a-z0-9][a-z0-9+.-]+)", text)


def essential(packages):
    waiting = [name for name, fields in packages.items() if fields.get("Essential") == "yes"]
    providers = {}
    for name, fields in packages.items():
        for provided in names_in(fields, "Provides"):
            providers.setdefault(provided, []).append(name)
    kept = set()
    while waiting:
        name = waiting.pop()
        if name in packages and name not in kept:
            kept.add(name)
            waiting.extend(names_in(packages[name], "Pre-Depends", "Depends"))
        waiting.extend(one for one in providers.get(name, []) if one not in kept)
    return {name: fields for name, fields in packages.items() if name in kept}


def write(packages, output):
    with open(output, "w", encoding="utf-8") as file:
        for name in sorted(packages):
            file.writelines(f"{field}: {value}\n" for field, value in packages[name].items())
            file.write("\n")


def main(arguments):
    match arguments:
        case ["all", status, output]:
            write(packages_of(status), output)
        case ["essential", status, output]:
            write(essential(packages_of(status)), output)
        case ["kept", status]:
            for name, fields in sorted(packages_of(status).items()):
                if name in NEVER_IN_A_LAYER or fields.get("Essential") == "yes":
                    print(name)
        case _:
            print(__doc__, file=sys.stderr)
            sys.exit(2)


if __name__ == "__main__":
    main(sys.argv[1:])
