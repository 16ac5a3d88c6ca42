"""Takes packages out of an npm registry, for the buildpack itself: Node.js and package managers.

    npm_registry.py node RANGE ARCH FILE     Node.js for RANGE (may be "") and ARCH into FILE
    npm_registry.py tool NAME RANGE NODE FILE HASH
                                             the newest NAME within RANGE that runs on Node.js NODE;
                                             HASH is packageManager's ALGORITHM.HEX, or empty
    npm_registry.py satisfies RANGE VERSION  exit 0 when Node.js VERSION is within RANGE

Prints the version (for node also `lts` or `current`). Exit 1 with a text on stderr for what the
user can put right. NPM_CONFIG_REGISTRY, and the usual proxy and SSL_CERT_FILE variables, hold.
FILE is a .tgz whose bytes have the registry's `dist.integrity`."""

import base64
import gzip
import hashlib
import http.client
import io
import json
import os
import pathlib
import re
import sys
import tarfile
import time
import urllib.error
import urllib.parse
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import node_release  # noqa: E402
from npm_range import Range, parse_version  # noqa: E402

DEFAULT_REGISTRY = "https://registry.npmjs.org"
ABBREVIATED = "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8"
BERRY = "@yarnpkg/cli-dist"
TRIES = 3
TIMEOUT_SECONDS = 60
LARGEST_METADATA = 64 << 20
LARGEST_PACKAGE = 512 << 20


class Failure(Exception):
    """What the user gets to read: what went wrong, and what to do."""

    def __init__(self, what, hint=""):
        super().__init__(what)
        self.hint = hint


def registry_url():
    for name in ("NPM_CONFIG_REGISTRY", "npm_config_registry"):
        if os.environ.get(name):
            return os.environ[name].rstrip("/")
    return DEFAULT_REGISTRY


def split_credentials(url):
    """A registry may be given as https://user:password@host: (url without them, header)."""
    parts = urllib.parse.urlsplit(url)
    if "@" not in parts.netloc:
        return url, {}
    user_info, host = parts.netloc.rsplit("@", 1)
    plain = urllib.parse.unquote(user_info).encode()
    header = {"Authorization": "Basic " + base64.b64encode(plain).decode()}
    return urllib.parse.urlunsplit(parts._replace(netloc=host)), header


def read_limited(stream, limit, what):
    data = stream.read(limit + 1)
    if len(data) > limit:
        raise Failure(f"{what} is larger than {limit >> 20} MiB")
    return data


def get(url, limit, accept="*/*"):
    clean_url, headers = split_credentials(url)
    headers |= {"Accept": accept, "Accept-Encoding": "gzip", "User-Agent": "slipway-nodejs/0.1.0"}
    reason = ""
    for attempt in range(TRIES):
        if attempt:
            time.sleep(attempt)
        try:
            request = urllib.request.Request(clean_url, headers=headers)
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
                body = read_limited(answer, limit, clean_url)
                if answer.headers.get("Content-Encoding") == "gzip":
                    with gzip.GzipFile(fileobj=io.BytesIO(body)) as unpacked:
                        body = read_limited(unpacked, limit, clean_url)
                return body
        except urllib.error.HTTPError as error:
            reason = f"HTTP status {error.code}"
            if error.code < 500 and error.code != 429:
                break
        except (OSError, http.client.HTTPException) as error:
            reason = str(getattr(error, "reason", "") or error)
    raise Failure(
        f"{clean_url} could not be fetched: {reason}",
        "Check that builds may reach the npm registry; another one can be set with"
        " NPM_CONFIG_REGISTRY.",
    )


def metadata(name):
    quoted = urllib.parse.quote(name, safe="@")
    body = get(f"{registry_url()}/{quoted}", LARGEST_METADATA, ABBREVIATED)
    try:
        return json.loads(body)["versions"]
    except (ValueError, KeyError, TypeError):
        raise Failure(f"the registry's answer about the package {name} makes no sense") from None


def on_our_registry(tarball):
    """Mirrors often hand on the addresses of the registry that they mirror. As npm does, ask our
    registry for those too: builds may be able to reach no other host."""
    if tarball.startswith(DEFAULT_REGISTRY + "/"):
        return registry_url() + tarball[len(DEFAULT_REGISTRY) :]
    return tarball


def with_credentials(tarball):
    """The registry's credentials go with a download from that host only."""
    registry = urllib.parse.urlsplit(registry_url())
    target = urllib.parse.urlsplit(tarball)
    if "@" in registry.netloc and registry.netloc.rsplit("@", 1)[1] == target.netloc:
        return urllib.parse.urlunsplit(target._replace(netloc=registry.netloc))
    return tarball


def check_integrity(data, integrity, what):
    expected = [word for word in (integrity or "").split() if word.startswith("sha512-")]
    if not expected:
        raise Failure(f"the registry gives no sha512 integrity for {what}; it cannot be checked")
    digest = base64.b64encode(hashlib.sha512(data).digest()).decode()
    if f"sha512-{digest}" not in [word.split("?")[0] for word in expected]:
        raise Failure(
            f"{what} does not have the integrity that the registry promised",
            "The download was damaged or changed on its way; nothing of it was used.",
        )


def download(name, version, manifest, path):
    dist = manifest.get("dist") or {}
    if not dist.get("tarball"):
        raise Failure(f"the registry names no download for {name} {version}")
    data = get(with_credentials(on_our_registry(dist["tarball"])), LARGEST_PACKAGE)
    check_integrity(data, dist.get("integrity"), f"{name} {version}")
    pathlib.Path(path).write_bytes(data)


def fetch_node(wanted, arch, path):
    name = f"node-linux-{arch}"
    versions = metadata(name)
    try:
        chosen = node_release.choose(wanted, versions)
    except ValueError as error:
        raise Failure(
            f"engines.node in package.json: {error}",
            'Give a range such as "24.x" or ">=22".',
        ) from None
    if chosen is None:
        raise Failure(
            f'no Node.js release for engines.node "{wanted}" in package.json',
            'Give a range that has releases, such as "24.x", or leave it out for the newest LTS.',
        )
    version, lts = chosen
    download(name, version, versions[version], path)
    print(version, "lts" if lts else "current")


def runs_on(manifest, node):
    engines = manifest.get("engines")
    wanted = engines.get("node") if isinstance(engines, dict) else None
    try:
        return not wanted or Range(wanted).allows(node)
    except ValueError:
        return True


def check_hash(wanted, name, version, path):
    """packageManager's own hash: of the package, for Yarn 2 and newer of the program in it."""
    algorithm, _, expected = wanted.partition(".")
    data = pathlib.Path(path).read_bytes()
    if name == BERRY:
        with tarfile.open(path) as archive:
            data = archive.extractfile("package/bin/yarn.js").read()
    found = hashlib.new(algorithm, data).hexdigest()
    if found != expected:
        raise Failure(
            f"{name} {version} does not have the hash that packageManager in package.json names",
            f"It has {algorithm}.{found}. Correct packageManager (for example with"
            " 'corepack use'), if that is what you want to run.",
        )


def package_of(name, wanted):
    """Yarn 2 and newer have a package of their own."""
    return BERRY if name == "yarn" and not re.match(r"[01]\.", wanted) else name


def fetch_tool(tool, wanted, node_text, path, wanted_hash):
    name = package_of(tool, wanted)
    versions = metadata(name)
    if wanted in versions:
        chosen = wanted
    else:
        try:
            allowed, node = Range(wanted), parse_version(node_text)
        except ValueError as error:
            raise Failure(f"the wanted version of {name}: {error}") from None
        fitting = [
            (version, text)
            for text, manifest in versions.items()
            if (version := parse_version(text))
            and allowed.allows(version)
            and runs_on(manifest, node)
        ]
        if not fitting:
            raise Failure(
                f"no {name} {wanted} runs on Node.js {node_text}",
                "Choose another Node.js in engines.node, or another packageManager.",
            )
        chosen = max(fitting)[1]
    download(name, chosen, versions[chosen], path)
    if wanted_hash:
        check_hash(wanted_hash, name, chosen, path)
    print(chosen)


def main(arguments):
    match arguments:
        case ["node", wanted, arch, path]:
            fetch_node(wanted, arch, path)
        case ["tool", name, wanted, node, path, wanted_hash]:
            fetch_tool(name, wanted, node, path, wanted_hash)
        case ["satisfies", wanted, version]:
            try:
                return 0 if node_release.allows(wanted, version) else 1
            except ValueError:
                return 1
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Failure as failure:
        print(f"ERROR: {failure}", file=sys.stderr)
        if failure.hint:
            print(failure.hint, file=sys.stderr)
        sys.exit(1)
