"""Maven's global settings for this build, on standard output: a mirror of Maven Central
(MAVEN_MIRROR_URL), and the proxy, of which a JVM reads no variable."""

import os
import sys
import urllib.parse
from xml.sax.saxutils import escape


def tags(**values):
    return "".join(f"<{name}>{escape(str(value))}</{name}>" for name, value in values.items())


def split(url, variable):
    parts = urllib.parse.urlsplit(url if "://" in url else "http://" + url)
    try:
        port = parts.port
    except ValueError:
        port = -1
    if not parts.hostname or port == -1:
        print(f"ERROR: {variable} is not an address", file=sys.stderr)
        sys.exit(1)
    return parts


def credentials(parts):
    if parts.username is None:
        return ""
    return tags(
        username=urllib.parse.unquote(parts.username),
        password=urllib.parse.unquote(parts.password or ""),
    )


def mirror():
    url = os.environ.get("MAVEN_MIRROR_URL", "").strip()
    if not url:
        return ""
    parts = split(url, "MAVEN_MIRROR_URL")
    plain = urllib.parse.urlunsplit(parts._replace(netloc=parts.netloc.rsplit("@", 1)[-1]))
    inside = tags(id="slipway-mirror", mirrorOf="central", url=plain)
    server = credentials(parts)
    if server:
        server = f"<servers><server><id>slipway-mirror</id>{server}</server></servers>"
    return f"<mirrors><mirror>{inside}</mirror></mirrors>{server}"


def environment(name):
    return (os.environ.get(name) or os.environ.get(name.upper()) or "").strip()


def proxies():
    found = ""
    hosts = environment("no_proxy").replace(" ", "").split(",")
    without = "|".join("*" + host if host.startswith(".") else host for host in hosts if host)
    for protocol in ("http", "https"):
        url = environment(f"{protocol}_proxy")
        if not url:
            continue
        parts = split(url, f"{protocol}_proxy")
        inside = tags(id=f"slipway-{protocol}", active="true", protocol=protocol,
                      host=parts.hostname, port=parts.port or 80)  # fmt: skip
        found += f"<proxy>{inside}{credentials(parts)}{tags(nonProxyHosts=without)}</proxy>"
    return found and f"<proxies>{found}</proxies>"


print(f"<settings>{mirror()}{proxies()}</settings>")
