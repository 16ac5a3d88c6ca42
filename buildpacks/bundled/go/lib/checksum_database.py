"""Asks the checksum database which hash a module has (https://go.dev/ref/mod#checksum-database).

The answer is believed when the database's key signed the tree that holds it: the signature is of
the tree's root, and the record's hash leads to that root by way of the tree's tiles
(https://research.swtch.com/tlog)."""

import base64
import hashlib
import io
import os
import pathlib
import subprocess
import tempfile

import module_proxy
from module_proxy import Failure, NotThere

KNOWN_KEYS = {
    "sum.golang.org": "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8",
}
DEFAULT_DATABASE = "sum.golang.org"
ED25519 = 1
# What precedes the 32 bytes of an Ed25519 key in its DER form (RFC 8410).
DER_PREFIX = bytes.fromhex("302a300506032b6570032100")
TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
HASH_SIZE = 32
LARGEST_ANSWER = 1 << 20

Bad = ValueError


def is_off():
    return os.environ.get("GOSUMDB") == "off"


def settings():
    """(name, key, address or "") of GOSUMDB: a known name, or name+hash+key, and maybe a URL."""
    words = (os.environ.get("GOSUMDB") or DEFAULT_DATABASE).split()
    key = KNOWN_KEYS.get(words[0], words[0])
    if key.count("+") < 2 or len(words) > 2:
        raise Failure(
            "GOSUMDB names no checksum database whose key is known",
            "Write name+hash+key, maybe followed by a blank and its address, or leave it unset.",
        )
    return key.split("+", 1)[0], key, words[1] if len(words) == 2 else ""


def read(url, limit=LARGEST_ANSWER):
    sink = io.BytesIO()
    module_proxy.read_url(url, sink, limit)
    return sink.getvalue()


def address(name):
    """Proxies may hand on the database: many builds reach no other host."""
    for url, _ in module_proxy.proxies():
        if url in ("direct", "off"):
            break
        base = f"{url.rstrip('/')}/sumdb/{name}"
        try:
            read(f"{base}/supported")
            return base
        except NotThere:
            continue
    return f"https://{name}"


def check_signature(note, key):
    """The signed text of NOTE, when KEY signed it."""
    text, _, signatures = note.partition(b"\n\n")
    text += b"\n"
    name, key_hash, encoded = key.split("+", 2)
    public = base64.b64decode(encoded)
    if public[:1] != bytes([ED25519]) or len(public) != 1 + 32:
        raise Bad("its key is of an unknown kind")
    if hashlib.sha256(name.encode() + b"\n" + public).digest()[:4].hex() != key_hash:
        raise Bad("its key does not have the hash that it names")
    for line in signatures.decode().splitlines():
        dash, _, rest = line.partition(" ")
        signer, _, value = rest.partition(" ")
        if dash == "\u2014" and signer == name:
            signature = base64.b64decode(value)
            if signature[:4].hex() == key_hash and signed(text, signature[4:], public[1:]):
                return text
    raise Bad("its signature is not right")


def signed(text, signature, public):
    with tempfile.TemporaryDirectory() as directory:
        paths = [pathlib.Path(directory, name) for name in ("text", "signature", "key")]
        for path, content in zip(paths, (text, signature, DER_PREFIX + public)):
            path.write_bytes(content)
        try:
            done = subprocess.run(
                ["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", paths[2],
                 "-rawin", "-in", paths[0], "-sigfile", paths[1]],
                stdin=subprocess.DEVNULL, capture_output=True, check=False,
            )  # fmt: skip
        except FileNotFoundError:
            raise Failure("the build image has no openssl, which checks signatures") from None
    return done.returncode == 0


def node_hash(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def largest_power_below(count):
    return 1 << (count - 1).bit_length() - 1


class Tree:
    """The tree of SIZE records at BASE. Each tile holds up to 256 neighbouring hashes of a level
    that is a multiple of 8; what is between is computed."""

    def __init__(self, base, size):
        self.base, self.size, self.tiles = base, size, {}

    def tile(self, level, number):
        if (level, number) not in self.tiles:
            width = min(TILE_WIDTH, (self.size >> TILE_HEIGHT * level) - number * TILE_WIDTH)
            self.tiles[level, number] = self.read_tile(level, number, width)
        return self.tiles[level, number]

    def read_tile(self, level, number, width):
        path = f"{number % 1000:03}"
        while number >= 1000:
            number //= 1000
            path = f"x{number % 1000:03}/{path}"
        url = f"{self.base}/tile/{TILE_HEIGHT}/{level}/{path}"
        if width < TILE_WIDTH:
            url += f".p/{width}"
        data = read(url)
        if len(data) != width * HASH_SIZE:
            raise Bad("a part of its tree has the wrong size")
        return [data[at : at + HASH_SIZE] for at in range(0, len(data), HASH_SIZE)]

    def complete(self, first, height):
        """The hash over the 2^HEIGHT records from FIRST on, a multiple of that."""
        level, within = divmod(height, TILE_HEIGHT)
        number, at = divmod(first >> TILE_HEIGHT * level, TILE_WIDTH)
        hashes = self.tile(level, number)[at : at + (1 << within)]
        while len(hashes) > 1:
            hashes = [node_hash(*hashes[i : i + 2]) for i in range(0, len(hashes), 2)]
        return hashes[0]

    def hash(self, first, end, record, leaf):
        """The hash over the records FIRST to END, with LEAF in place of RECORD's."""
        count = end - first
        if not first <= record < end and count & (count - 1) == 0:
            return self.complete(first, count.bit_length() - 1)
        if count == 1:
            return leaf
        middle = first + largest_power_below(count)
        return node_hash(
            self.hash(first, middle, record, leaf), self.hash(middle, end, record, leaf)
        )


def lookup(module, version):
    """The `h1:` hash of the module's zip."""
    name, key, given = settings()
    base = (given or address(name)).rstrip("/")
    answer = read(f"{base}/lookup/{module}@{version}")
    try:
        return verified_hash(answer, base, key, f"{module} {version}")
    except (ValueError, IndexError, RecursionError) as error:
        raise Failure(
            f"the checksum database {name} cannot be believed about {module} {version}: {error}",
            "Something between this machine and the database changes its answers.",
        ) from None


def verified_hash(answer, base, key, wanted):
    head, _, note = answer.partition(b"\n\n")
    number, _, record = head.partition(b"\n")
    record += b"\n"
    kind, size, root = check_signature(note, key).decode().splitlines()[:3]
    if kind != "go.sum database tree" or not 0 <= int(number) < int(size):
        raise Bad("its answer has another form")
    leaf = hashlib.sha256(b"\x00" + record).digest()
    tree = Tree(base, int(size))
    if tree.hash(0, tree.size, int(number), leaf) != base64.b64decode(root):
        raise Bad("its record is not in the tree that it signed")
    for line in record.decode().splitlines():
        if line.startswith(wanted + " h1:"):
            return line.split(" ")[2]
    raise Bad("its record is about another module")
