"""Reads files by the GOPROXY protocol (https://go.dev/ref/mod#goproxy-protocol), as the go command
does, for the one module that has to be here before there is a go command: golang.org/toolchain."""

import base64
import contextlib
import http.client
import os
import re
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

# What the go command uses when nothing is set. Toolchains have no other origin than proxies.
DEFAULT_PROXY = "https://proxy.golang.org,direct"
TRIES = 3
TIMEOUT_SECONDS = 60
PIECE = 1 << 20


class Failure(Exception):
    """What the user gets to read: what went wrong, and what to do."""

    def __init__(self, what, hint=""):
        super().__init__(what)
        self.hint = hint


class NotThere(Failure):
    """The server answers, and does not have it: another one may."""


HINT = "Check that builds may reach the Go module proxy; another one can be set with GOPROXY."


def proxies():
    """[(url, separator)] of GOPROXY. After `,` the next one is asked only for what is not there
    (404 or 410), after `|` after any failure."""
    text = os.environ.get("GOPROXY") or DEFAULT_PROXY
    return [(url.strip(), after) for url, after in re.findall(r"([^,|]+)([,|]?)", text)]


def split_credentials(url):
    """A proxy may be given as https://user:password@host: (url without them, headers)."""
    parts = urllib.parse.urlsplit(url)
    if "@" not in parts.netloc:
        return url, {}
    user_info, host = parts.netloc.rsplit("@", 1)
    plain = urllib.parse.unquote(user_info).encode()
    header = {"Authorization": "Basic " + base64.b64encode(plain).decode()}
    return urllib.parse.urlunsplit(parts._replace(netloc=host)), header


def read_from_file(url, sink, limit):
    path = urllib.request.url2pathname(urllib.parse.urlsplit(url).path)
    try:
        with open(path, "rb") as stream:
            copy(stream, sink, limit, url)
    except (FileNotFoundError, NotADirectoryError):
        raise NotThere(f"{url} is not there") from None
    except OSError as error:
        raise Failure(f"{url} could not be read: {error.strerror}") from None


def copy(stream, sink, limit, what):
    sink.seek(0)
    sink.truncate()
    while piece := stream.read(PIECE):
        if sink.tell() + len(piece) > limit:
            raise Failure(f"{what} is larger than {limit >> 20} MiB")
        sink.write(piece)


def read_url(url, sink, limit):
    """Fills SINK with what is at URL."""
    if url.startswith("file://"):
        return read_from_file(url, sink, limit)
    clean_url, headers = split_credentials(url)
    if not clean_url.startswith(("https://", "http://")):
        raise Failure(f"GOPROXY names {clean_url!a}, which is no address of a proxy", HINT)
    headers["User-Agent"] = "slipway-go/0.1.0"
    reason = ""
    for attempt in range(TRIES):
        time.sleep(attempt)
        try:
            request = urllib.request.Request(clean_url, headers=headers)
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
                copy(answer, sink, limit, clean_url)
                return None
        except urllib.error.HTTPError as error:
            if error.code in (404, 410):
                raise NotThere(f"{clean_url} is not there (HTTP status {error.code})") from None
            reason = f"HTTP status {error.code}"
            if error.code < 500 and error.code != 429:
                break
        except (OSError, http.client.HTTPException) as error:
            reason = str(getattr(error, "reason", "") or error)
    raise Failure(f"{clean_url} could not be fetched: {reason}", HINT)


def read(path, sink, limit):
    """Fills SINK with PATH from the first proxy that has it. Answers that proxy's address."""
    failure = NotThere("GOPROXY names no proxy, and Go itself comes from one", HINT)
    for url, after in proxies():
        if url == "off":
            raise Failure(f"GOPROXY=off forbids to fetch {path}")
        if url in ("direct", "noproxy"):
            break
        try:
            read_url(f"{url.rstrip('/')}/{path}", sink, limit)
            return url
        except NotThere as not_there:
            failure = not_there
        except Failure as error:
            failure = error
            if after != "|":
                break
    raise failure


def only_local():
    """Is GOPROXY one directory of this machine?"""
    found = proxies()
    return len(found) == 1 and found[0][0].startswith("file://")


@contextlib.contextmanager
def told():
    """Failures end the program with their words."""
    try:
        yield
    except Failure as failure:
        print(f"ERROR: {failure}", file=sys.stderr)
        if failure.hint:
            print(failure.hint, file=sys.stderr)
        sys.exit(1)
