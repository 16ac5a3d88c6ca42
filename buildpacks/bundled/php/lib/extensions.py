"""The extensions of PHP that composer.json and composer.lock ask for, as Debian packages.

    extensions.py plan    what to require in the build plan
    extensions.py check   complains about what Debian does not have"""

import json
import pathlib
import sys

LARGEST_FILE = 32 << 20

# Debian's package of extensions whose name tells another.
PACKAGES = {
    "dom": "xml", "simplexml": "xml", "xml": "xml", "xmlreader": "xml", "xmlwriter": "xml",
    "xsl": "xml", "mysqli": "mysql", "mysqlnd": "mysql", "pdo_mysql": "mysql", "pgsql": "pgsql",
    "pdo_pgsql": "pgsql", "sqlite3": "sqlite3", "pdo_sqlite": "sqlite3", "odbc": "odbc",
    "pdo_odbc": "odbc", "pdo_dblib": "sybase", "pdo_firebird": "interbase",
}  # fmt: skip
SAME_NAME = {
    "amqp", "apcu", "ast", "bcmath", "bz2", "curl", "dba", "ds", "enchant", "gd", "gearman", "gmp",
    "gnupg", "igbinary", "imagick", "imap", "intl", "ldap", "mailparse", "mbstring", "memcached",
    "mongodb", "msgpack", "oauth", "pcov", "pspell", "raphf", "readline", "redis", "rrd", "smbclient",
    "snmp", "soap", "solr", "ssh2", "stomp", "tidy", "uploadprogress", "uuid", "xdebug", "xmlrpc",
    "yaml", "zip", "zmq",
}  # fmt: skip
# Part of php-cli and php-cgi.
INCLUDED = {
    "calendar", "core", "ctype", "date", "exif", "ffi", "fileinfo", "filter", "ftp", "gettext",
    "hash", "iconv", "json", "libxml", "opcache", "openssl", "pcntl", "pcre", "pdo", "phar", "posix",
    "random", "reflection", "session", "shmop", "sockets", "sodium", "spl", "standard", "sysvmsg",
    "sysvsem", "sysvshm", "tokenizer", "zend-opcache", "zlib",
}  # fmt: skip


def read_json(name):
    path = pathlib.Path(name)
    if not path.is_file() or path.stat().st_size > LARGEST_FILE:
        return {}
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError):
        return {}  # Composer has better words for it
    return document if isinstance(document, dict) else {}


def wanted():
    """{extension in small letters: who asks for it}"""
    lock = read_json("composer.lock")
    asking = [("composer.json", read_json("composer.json").get("require"))]
    asking.append(("composer.lock", lock.get("platform")))
    packages = lock.get("packages")
    for package in packages if isinstance(packages, list) else []:
        if isinstance(package, dict):
            asking.append((str(package.get("name")), package.get("require")))
    found = {}
    for who, requirements in asking:
        for name in requirements if isinstance(requirements, dict) else {}:
            if name.lower().startswith("ext-"):
                found.setdefault(name.lower().removeprefix("ext-"), who)
    return found


def package_of(extension):
    if extension in PACKAGES:
        return f"php-{PACKAGES[extension]}"
    return f"php-{extension}" if extension in SAME_NAME else None


def requirement(packages, *where):
    print('\n[[requires]]\nname = "debian-packages"\n\n[requires.metadata]')
    print("packages = [" + ", ".join(json.dumps(one) for one in packages) + "]")
    for name in where:
        print(f"{name} = true")


def plan():
    extensions = {package for package in map(package_of, wanted()) if package}
    requirement(["lighttpd", "php-cgi", "php-cli", *sorted(extensions)], "launch", "build")
    if pathlib.Path("composer.json").is_file():
        # Composer with all that it needs itself, which is not for the image.
        requirement(sorted({"composer", "php-curl", "php-zip", *extensions}), "build")


def check():
    status = 0
    for extension, who in sorted(wanted().items()):
        if package_of(extension) is None and extension not in INCLUDED:
            text = ascii(extension)[1:-1]
            print(f"ERROR: {who} asks for ext-{text}, which Debian has no package of", file=sys.stderr)
            status = 1
    sys.exit(status)


if __name__ == "__main__":
    {"plan": plan, "check": check}[sys.argv[1]]()
