"""Makes a Java keystore (JKS) of a PEM file's certificates: keystore.py PEM KEYSTORE

Done here and not by keytool, which takes one certificate a call and writes down the time."""

import base64
import hashlib
import pathlib
import re
import struct
import sys

PEM = re.compile(rb"-----BEGIN (?:TRUSTED )?CERTIFICATE-----(.*?)-----END", re.DOTALL)
MAGIC, VERSION, TRUSTED_CERTIFICATE = 0xFEEDFEED, 2, 2
# Whoever opens it without a password checks nothing; this is the password that all know.
PASSWORD = "changeit"


def utf(text):
    data = text.encode()
    return struct.pack(">H", len(data)) + data


def entry(number, certificate):
    return (
        struct.pack(">I", TRUSTED_CERTIFICATE)
        + utf(f"authority-{number:04}")
        + struct.pack(">Q", 0)
        + utf("X.509")
        + struct.pack(">I", len(certificate))
        + certificate
    )


def keystore(pem):
    certificates = sorted({base64.b64decode(found) for found in PEM.findall(pem)})
    body = struct.pack(">III", MAGIC, VERSION, len(certificates))
    body += b"".join(entry(n, certificate) for n, certificate in enumerate(certificates))
    salt = PASSWORD.encode("utf-16-be") + b"Mighty Aphrodite"
    return body + hashlib.sha1(salt + body).digest()


if __name__ == "__main__":
    source, target = map(pathlib.Path, sys.argv[1:])
    if not source.is_file():
        print(f"WARNING: {source} is missing: Java will trust no certificate", file=sys.stderr)
    target.write_bytes(keystore(source.read_bytes() if source.is_file() else b""))
