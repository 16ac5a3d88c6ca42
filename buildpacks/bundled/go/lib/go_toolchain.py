"""Fetches a release of Go out of the Go module proxy, as the module golang.org/toolchain.

    go_toolchain.py install WANTED ARCH DIR  the release for WANTED ("1.22", "1.22.3", "") into DIR

Prints the release, and how its hash was checked: `database` or `local` or `off`. Exit 1 with a
text on stderr for what the user can put right."""

import base64
import hashlib
import os
import pathlib
import sys
import tempfile
import zipfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import checksum_database  # noqa: E402
import go_version  # noqa: E402
import module_proxy  # noqa: E402
from module_proxy import Failure, NotThere  # noqa: E402

MODULE = "golang.org/toolchain"
LARGEST_LIST = 4 << 20
LARGEST_ZIP = 512 << 20
LARGEST_TREE = 2 << 30
PIECE = 1 << 20


def listed(arch):
    """The releases for ARCH that a proxy lists. It need not list all that it can fetch."""
    with tempfile.TemporaryFile() as sink:
        module_proxy.read(f"{MODULE}/@v/list", sink, LARGEST_LIST)
        sink.seek(0)
        lines = sink.read().decode("ascii", "replace").split()
    before, after = "v0.0.1-go", f".linux-{arch}"
    return [
        line.removeprefix(before).removesuffix(after)
        for line in lines
        if line.startswith(before) and line.endswith(after)
    ]


def choose(wanted, arch):
    if wanted and not go_version.is_line(wanted):
        return wanted
    chosen = go_version.choose(wanted, listed(arch))
    if chosen is None:
        raise Failure(
            f"the Go module proxy lists no release of Go {wanted} or newer for linux-{arch}",
            "Name a release in go.mod, with a line such as 'toolchain go1.26.0'.",
        )
    return chosen


def fetch(release, arch, sink):
    version = f"v0.0.1-go{release}.linux-{arch}"
    try:
        module_proxy.read(f"{MODULE}/@v/{version}.zip", sink, LARGEST_ZIP)
    except NotThere:
        raise Failure(
            f"the Go module proxy has no Go {release} for linux-{arch}",
            "Ask for a release that exists in the go or the toolchain line of go.mod.",
        ) from None
    return version


def checked_files(archive, prefix):
    """The archive's files. None leads out of the directory, and all of them fit."""
    files = [one for one in archive.infolist() if not one.is_dir()]
    if sum(one.file_size for one in files) > LARGEST_TREE:
        raise Failure(f"the Go toolchain would be larger than {LARGEST_TREE >> 30} GiB")
    for one in files:
        name = one.filename
        if not name.startswith(prefix) or {"", ".", ".."} & set(name.split("/")):
            raise Failure(f"the archive of the Go toolchain holds the file {name!a}")
    return files


def unpack(archive, files, prefix, directory):
    """Writes the files below DIRECTORY and answers their `h1:` hash
    (https://go.dev/ref/mod#go-sum-files)."""
    lines = []
    for one in sorted(files, key=lambda file: file.filename):
        path = pathlib.Path(directory, one.filename[len(prefix) :])
        path.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with archive.open(one) as source, open(path, "xb") as target:
            while piece := source.read(PIECE):
                digest.update(piece)
                target.write(piece)
        lines.append(f"{digest.hexdigest()}  {one.filename}\n")
    total = hashlib.sha256("".join(lines).encode()).digest()
    return "h1:" + base64.b64encode(total).decode()


def check(version, actual):
    """How it was checked. As the go command does it: a toolchain is never used unchecked, but out
    of a directory, and where the user says so."""
    if module_proxy.only_local():
        return "local"
    if checksum_database.is_off():
        return "off"
    try:
        expected = checksum_database.lookup(MODULE, version)
    except Failure as failure:
        raise Failure(
            f"the hash of {MODULE} {version} could not be checked: {failure}",
            failure.hint + "\nWith GOSUMDB=off, Go is used unchecked: as the proxy gives it.",
        ) from None
    if actual != expected:
        raise Failure(
            f"{MODULE} {version} does not have the hash that the checksum database promised",
            "The download was damaged or changed on its way; nothing of it was used.",
        )
    return "database"


def allow_execution(directory):
    """Modules have no access bits."""
    for part in ("bin", "pkg/tool"):
        for path in pathlib.Path(directory, part).rglob("*"):
            if path.is_file():
                path.chmod(0o755)


def install(wanted, arch, directory):
    release = choose(wanted, arch)
    with tempfile.TemporaryFile(dir=os.path.dirname(directory)) as sink:
        version = fetch(release, arch, sink)
        prefix = f"{MODULE}@{version}/"
        try:
            with zipfile.ZipFile(sink) as archive:
                actual = unpack(archive, checked_files(archive, prefix), prefix, directory)
        except (zipfile.BadZipFile, NotImplementedError, FileExistsError, EOFError) as error:
            raise Failure(f"the archive of Go {release} is damaged: {error}") from None
    checked = check(version, actual)
    allow_execution(directory)
    print(release, checked)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["install", wanted, arch, directory]:
            with module_proxy.told():
                install(wanted, arch, directory)
        case _:
            print(__doc__, file=sys.stderr)
            sys.exit(2)
