"""Who wants which packages, and where: the build plan and the Aptfile together.

    wanted.py PLAN DIRECTORY

writes to DIRECTORY `launch` and `build` (names of packages, one a line), `addresses` (.deb files:
URL and SHA-256 or -) and `repositories` (lines for apt); prints assignments for bash, fact_*=..."""

import pathlib
import re
import shlex
import sys
import tomllib

sys.path.insert(0, str(pathlib.Path(__file__).parent))  # -I leaves it out
import aptfile  # noqa: E402

LARGEST_PLAN = 4 << 20


def refuse(what, hint=""):
    print(f"ERROR: {what}", file=sys.stderr)
    if hint:
        print(hint, file=sys.stderr)
    sys.exit(1)


def plan_entries(path):
    if path.stat().st_size > LARGEST_PLAN:
        refuse("the build plan is too large")
    entries = tomllib.loads(path.read_text(encoding="utf-8")).get("entries", [])
    return [one.get("metadata", {}) for one in entries if one.get("name") == "debian-packages"]


def read_entry(metadata):
    """(packages, launch, build) of what one buildpack requires."""
    packages = metadata.get("packages")
    flags = [metadata.get(name, False) for name in ("launch", "build")]
    if not isinstance(packages, list) or not all(
        isinstance(one, str) and aptfile.PACKAGE.fullmatch(one) for one in packages
    ):
        refuse(
            "a buildpack requires debian-packages without a list of names",
            'It writes metadata = {packages = ["NAME", ...], launch = true, build = true}.',
        )
    if not all(isinstance(flag, bool) for flag in flags) or not any(flags):
        refuse(
            f"a buildpack requires {', '.join(packages)} neither for the build nor for the image",
            "Its metadata says launch = true, build = true, or both.",
        )
    return packages, *flags


def main(plan, directory):
    launch, build, launch_at_build = set(), set(), False
    for metadata in plan_entries(pathlib.Path(plan)):
        if not metadata:
            continue  # our own entry, for the Aptfile
        packages, at_launch, at_build = read_entry(metadata)
        (launch if at_launch else build).update(packages)
        launch_at_build = launch_at_build or (at_launch and at_build)
    wanted = aptfile.Aptfile()
    if pathlib.Path("Aptfile").is_file():
        try:
            wanted = aptfile.read(pathlib.Path("Aptfile"))
        except aptfile.Refused as refused:
            refuse(str(refused), refused.hint)
        launch.update(wanted.packages)
        launch_at_build = True
    directory = pathlib.Path(directory)

    def write(name, lines):
        (directory / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    write("launch", sorted(launch))
    write("build", sorted(build))
    write("addresses", [f"{url} {digest or '-'}" for url, digest in wanted.addresses])
    write("repositories", wanted.repositories)
    types = "launch,build" if launch_at_build else "launch"
    print(f"fact_launch_types={shlex.quote(types)}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    main(*sys.argv[1:])
