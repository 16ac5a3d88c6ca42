"""Fetches Maven or Gradle itself.

    distribution.py wanted maven|gradle       three lines: version, URL, checksum or nothing
    distribution.py fetch URL CHECKSUM FILE   CHECKSUM: ALGORITHM:HEX, or empty

What the app's wrapper names is taken, without running the wrapper. MVNW_REPOURL or MAVEN_MIRROR_URL
stands in for Maven Central; both may hold user:password@."""

import base64
import hashlib
import http.client
import os
import pathlib
import re
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

CENTRAL = "https://repo.maven.apache.org/maven2"
CENTRALS = (CENTRAL, "https://repo1.maven.org/maven2")
MAVEN_VERSION = "3.9.16"
MAVEN_SHA512 = (
    "831a8591fe20c8243b1dbe7d71e3244f31d1665b0804b2e825e38cbbe5ce0caf"
    "b8338851f90780735568773e0a6cd07bbec107cda0b896b008b861075358b6f6"
)
WRAPPERS = {
    "maven": ".mvn/wrapper/maven-wrapper.properties",
    "gradle": "gradle/wrapper/gradle-wrapper.properties",
}
TRIES = 3
TIMEOUT_SECONDS = 60
LARGEST = 512 << 20


def refuse(what, hint):
    print(f"ERROR: {what}", file=sys.stderr)
    print(hint, file=sys.stderr)
    sys.exit(1)


def properties(path):
    path = pathlib.Path(path)
    if not path.is_file() or path.stat().st_size > 1 << 20:
        return {}
    found = {}
    for line in path.read_text(encoding="utf-8-sig", errors="replace").splitlines():
        name, separator, value = line.partition("=")
        if separator and not line.lstrip().startswith(("#", "!")):
            found[name.strip()] = re.sub(r"\\(.)", r"\1", value.strip())
    return found


def mirrored(url):
    """The mirror's address of what is on Maven Central."""
    for name in ("MVNW_REPOURL", "MAVEN_MIRROR_URL"):
        mirror = os.environ.get(name, "").strip().rstrip("/")
        for central in CENTRALS:
            if mirror and url.startswith(central + "/"):
                return mirror + url[len(central) :]
    return url


def wanted(tool):
    wrapper = properties(WRAPPERS[tool])
    url = wrapper.get("distributionUrl", "")
    if url:
        if not re.fullmatch(r"https?://[!-~]+\.(zip|tar\.gz)", url):
            refuse(
                f"distributionUrl in {WRAPPERS[tool]} is not the address of a .zip or .tar.gz",
                "Let the wrapper be written anew.",
            )
        found = re.search(r"-(\d[0-9A-Za-z.-]*?)(?:-bin|-all)?\.(?:zip|tar\.gz)$", url)
        checksum = wrapper.get("distributionSha256Sum", "")
        return found[1] if found else "of the wrapper", url, checksum and f"sha256:{checksum}"
    if tool == "gradle":
        refuse(
            "there is no gradle/wrapper/gradle-wrapper.properties",
            "Debian's Gradle is too old for this Java. Run 'gradle wrapper' on your machine and"
            " commit what it writes.",
        )
    path = f"org/apache/maven/apache-maven/{MAVEN_VERSION}/apache-maven-{MAVEN_VERSION}-bin.tar.gz"
    return MAVEN_VERSION, f"{CENTRAL}/{path}", f"sha512:{MAVEN_SHA512}"


def split_credentials(url):
    parts = urllib.parse.urlsplit(url)
    if "@" not in parts.netloc:
        return url, {}
    user_info, host = parts.netloc.rsplit("@", 1)
    plain = urllib.parse.unquote(user_info).encode()
    header = {"Authorization": "Basic " + base64.b64encode(plain).decode()}
    return urllib.parse.urlunsplit(parts._replace(netloc=host)), header


def get(url):
    clean_url, headers = split_credentials(mirrored(url))
    headers["User-Agent"] = "slipway-java/0.1.0"
    reason = ""
    for attempt in range(TRIES):
        time.sleep(attempt)
        try:
            request = urllib.request.Request(clean_url, headers=headers)
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
                data = answer.read(LARGEST + 1)
            if len(data) > LARGEST:
                refuse(f"{clean_url} is larger than {LARGEST >> 20} MiB", "Check the address.")
            return data
        except urllib.error.HTTPError as error:
            reason = f"HTTP status {error.code}"
            if error.code < 500 and error.code != 429:
                break
        except (OSError, http.client.HTTPException) as error:
            reason = str(getattr(error, "reason", "") or error)
    host = urllib.parse.urlsplit(clean_url).hostname
    refuse(
        f"{clean_url} could not be fetched: {reason}",
        f"Check that builds may reach {host}; a mirror of Maven Central can be set with"
        " MAVEN_MIRROR_URL.",
    )


def fetch(url, checksum, path):
    data = get(url)
    if checksum:
        algorithm, _, expected = checksum.partition(":")
        found = hashlib.new(algorithm, data).hexdigest()
        if found != expected.lower():
            refuse(
                f"{url} does not have the checksum that it should have",
                f"It has {algorithm} {found}; nothing of it was used.",
            )
    pathlib.Path(path).write_bytes(data)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["wanted", ("maven" | "gradle") as tool]:
            print(*wanted(tool), sep="\n")
        case ["fetch", url, checksum, path]:
            fetch(url, checksum, path)
        case _:
            print(__doc__, file=sys.stderr)
            sys.exit(2)
