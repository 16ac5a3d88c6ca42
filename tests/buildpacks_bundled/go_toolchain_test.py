#!/usr/bin/env python3
"""The go buildpack's way to a toolchain: which release, from which proxy, and whose word on its
hash is believed. The proxies are directories, the checksum database is one of the test's own."""

import base64
import hashlib
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import zipfile

LIB = pathlib.Path(__file__).resolve().parents[2] / "buildpacks/bundled/go/lib"
sys.path.insert(0, str(LIB))
sys.dont_write_bytecode = True
import checksum_database  # noqa: E402
import go_toolchain  # noqa: E402
import go_version  # noqa: E402
from module_proxy import Failure  # noqa: E402

NAME = "sums.example.com"


def leaf_hash(record):
    return hashlib.sha256(b"\x00" + record).digest()


def tree_hash(leaves):
    if len(leaves) == 1:
        return leaves[0]
    middle = 1
    while middle * 2 < len(leaves):
        middle *= 2
    both = tree_hash(leaves[:middle]) + tree_hash(leaves[middle:])
    return hashlib.sha256(b"\x01" + both).digest()


class Database:
    """A checksum database of SIZE records in a directory; number AT is about golang.org/toolchain."""

    def __init__(self, root, size, at, version, value):
        self.root = pathlib.Path(root)
        secret = self.root / "secret.pem"
        subprocess.run(
            ["openssl", "genpkey", "-algorithm", "ed25519", "-out", secret], check=True
        )
        der = subprocess.run(
            ["openssl", "pkey", "-in", secret, "-pubout", "-outform", "DER"],
            check=True, capture_output=True,
        ).stdout  # fmt: skip
        public = b"\x01" + der[-32:]
        self.key_hash = hashlib.sha256(NAME.encode() + b"\n" + public).digest()[:4]
        self.key = f"{NAME}+{self.key_hash.hex()}+{base64.b64encode(public).decode()}"
        records = [f"example.com/m{i} v1.0.0 h1:{i}\n".encode() for i in range(size)]
        records[at] = f"golang.org/toolchain {version} {value}\n".encode()
        self.leaves = [leaf_hash(record) for record in records]
        self.write_tiles()
        tree = base64.b64encode(tree_hash(self.leaves)).decode()
        head = f"go.sum database tree\n{size}\n{tree}\n"
        (self.root / "text").write_text(head)
        subprocess.run(
            ["openssl", "pkeyutl", "-sign", "-inkey", secret, "-rawin", "-in", self.root / "text",
             "-out", self.root / "signature"],
            check=True,
        )  # fmt: skip
        signature = base64.b64encode(self.key_hash + (self.root / "signature").read_bytes())
        note = f"{head}\n\u2014 {NAME} {signature.decode()}\n"
        self.lookup = self.root / f"lookup/golang.org/toolchain@{version}"
        self.lookup.parent.mkdir(parents=True)
        self.lookup.write_bytes(f"{at}\n".encode() + records[at] + b"\n" + note.encode())

    def write_tiles(self):
        hashes, level = self.leaves, 0
        while hashes:
            for number in range(0, len(hashes), 256):
                tile = hashes[number : number + 256]
                name = f"{number // 256:03}" + (f".p/{len(tile)}" if len(tile) < 256 else "")
                path = self.root / f"tile/8/{level}/{name}"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(b"".join(tile))
            full = len(hashes) // 256 * 256
            hashes = [tree_hash(hashes[i : i + 256]) for i in range(0, full, 256)]
            level += 1


class Sandbox(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.root = pathlib.Path(directory.name)
        for name in ("GOPROXY", "GOSUMDB"):
            os.environ.pop(name, None)

    def proxy(self, name, releases, changes=None):
        """A proxy in a directory, with a toolchain of one file for each release."""
        where = self.root / name / "golang.org/toolchain/@v"
        where.mkdir(parents=True)
        versions = [f"v0.0.1-go{release}.linux-amd64" for release in releases]
        (where / "list").write_text("".join(version + "\n" for version in versions))
        for version in versions:
            with zipfile.ZipFile(where / f"{version}.zip", "w") as archive:
                archive.writestr(f"golang.org/toolchain@{version}/bin/go", f"{name} {version}")
                for extra, content in (changes or {}).items():
                    archive.writestr(extra, content)
        return f"file://{self.root / name}"

    def install(self, wanted, proxy, sums="off"):
        os.environ |= {"GOPROXY": proxy, "GOSUMDB": sums}
        target = self.root / "go"
        release = go_toolchain.choose(wanted, "amd64")
        done = subprocess.run(
            [sys.executable, "-I", "-B", LIB / "go_toolchain.py", "install", wanted, "amd64", target],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise Failure(done.stderr)
        self.assertEqual(release, done.stdout.split()[0])
        self.assertTrue(os.access(target / "bin/go", os.X_OK))
        return done.stdout.strip(), (target / "bin/go").read_text().split(" ")[0]


class WhichRelease(unittest.TestCase):
    LISTED = ["1.17.13", "1.18.8", "1.22.0", "1.22.9", "1.22.12", "1.23rc1", "1.26.0", "1.27rc2"]

    def chooses(self, wanted, expected):
        self.assertEqual(expected, go_version.choose(wanted, self.LISTED))

    def test_a_line_gives_its_newest_patch(self):
        self.chooses("1.22", "1.22.12")

    def test_an_exact_release_is_taken_listed_or_not(self):
        self.chooses("1.22.3", "1.22.3")
        self.chooses("1.23rc1", "1.23rc1")

    def test_a_line_without_releases_gives_the_next_line(self):
        self.chooses("1.24", "1.26.0")
        self.chooses("1.13", "1.18.8")

    def test_nothing_wanted_gives_the_newest_that_is_no_candidate(self):
        self.chooses("", "1.26.0")

    def test_a_line_of_the_future_gives_nothing(self):
        self.chooses("1.28", None)


class WhichProxy(Sandbox):
    def test_what_one_does_not_have_comes_from_the_next(self):
        first, second = self.proxy("first", []), self.proxy("second", ["1.22.1"])
        self.assertEqual(("1.22.1 off", "second"), self.install("1.22.1", f"{first},{second}"))

    def test_a_comma_stops_at_a_proxy_that_fails(self):
        second = self.proxy("second", ["1.22.1"])
        with self.assertRaisesRegex(Failure, "is no address of a proxy"):
            self.install("1.22.1", f"ftp://first,{second}")

    def test_a_bar_goes_on_after_a_proxy_that_fails(self):
        second = self.proxy("second", ["1.22.1"])
        self.assertEqual(("1.22.1 off", "second"), self.install("1.22.1", f"ftp://first|{second}"))

    def test_a_release_that_no_proxy_has_is_named(self):
        with self.assertRaisesRegex(Failure, r"the Go module proxy has no Go 1\.22\.7 for linux"):
            self.install("1.22.7", self.proxy("first", ["1.22.1"]) + ",direct")

    def test_off_forbids_it(self):
        with self.assertRaisesRegex(Failure, "GOPROXY=off"):
            self.install("1.22.7", "off")


class WhoseHash(Sandbox):
    VERSION = "v0.0.1-go1.22.1.linux-amd64"

    def setUp(self):
        super().setUp()
        content = hashlib.sha256(f"first {self.VERSION}".encode()).hexdigest()
        line = f"{content}  golang.org/toolchain@{self.VERSION}/bin/go\n"
        digest = hashlib.sha256(line.encode()).digest()
        self.right = "h1:" + base64.b64encode(digest).decode()

    def database(self, size=700, at=300, value=None):
        root = self.root / "database"
        root.mkdir()
        return Database(root, size, at, self.VERSION, value or self.right)

    def checked(self, database):
        # The second is there so that this is not one directory alone, which needs no database.
        proxy = self.proxy("first", ["1.22.1"]) + "," + self.proxy("second", [])
        return self.install("1.22.1", proxy, f"{database.key} file://{database.root}")[0]

    def test_the_database_agrees(self):
        self.assertEqual("1.22.1 database", self.checked(self.database()))

    def test_every_shape_of_tree_is_read(self):
        for number, (size, at) in enumerate([(1, 0), (2, 1), (5, 4), (256, 9), (257, 256), (600, 0)]):
            root = self.root / f"shape{number}"
            root.mkdir()
            database = Database(root, size, at, self.VERSION, "h1:x")
            os.environ["GOSUMDB"] = f"{database.key} file://{root}"
            with self.subTest(size=size, at=at):
                self.assertEqual(
                    "h1:x", checksum_database.lookup("golang.org/toolchain", self.VERSION)
                )

    def test_the_proxy_hands_on_the_database(self):
        database = self.database()
        proxy = self.proxy("first", ["1.22.1"])
        (self.root / "first/sumdb").mkdir()
        database.root.rename(self.root / "first/sumdb" / NAME)
        (self.root / "first/sumdb" / NAME / "supported").touch()
        second = self.proxy("second", [])
        self.assertEqual(
            "1.22.1 database", self.install("1.22.1", f"{proxy},{second}", database.key)[0]
        )

    def test_another_hash_is_refused(self):
        with self.assertRaisesRegex(Failure, "does not have the hash that the checksum database"):
            self.checked(self.database(value="h1:" + "A" * 43 + "="))
        self.assertFalse((self.root / "used").exists())

    def changed(self, old, new):
        database = self.database()
        answer = database.lookup.read_bytes()
        self.assertIn(old, answer)
        database.lookup.write_bytes(answer.replace(old, new))
        return database

    def test_a_record_that_is_not_in_the_tree_is_refused(self):
        with self.assertRaisesRegex(Failure, "its record is not in the tree that it signed"):
            self.checked(self.changed(self.right.encode(), b"h1:" + b"A" * 43 + b"="))

    def test_a_tree_that_nobody_signed_is_refused(self):
        with self.assertRaisesRegex(Failure, "its signature is not right"):
            self.checked(self.changed(b"tree\n700\n", b"tree\n701\n"))

    def test_a_damaged_tile_is_refused(self):
        database = self.database()
        tile = database.root / "tile/8/0/000"
        tile.write_bytes(bytes(1) + tile.read_bytes()[1:])
        (database.root / "tile/8/0/001").write_bytes(bytes(256 * 32))
        with self.assertRaisesRegex(Failure, "its record is not in the tree that it signed"):
            self.checked(database)

    def test_no_database_means_no_toolchain(self):
        database = self.database()
        database.lookup.unlink()
        with self.assertRaisesRegex(Failure, "(?s)could not be checked.*GOSUMDB=off"):
            self.checked(database)

    def test_one_directory_is_believed(self):
        self.assertEqual("1.22.1 local", self.install("1.22.1", self.proxy("one", ["1.22.1"]), "x")[0])

    def test_an_archive_leads_nowhere_else(self):
        inside = f"golang.org/toolchain@{self.VERSION}/"
        for name in ("/etc/x", "other/x", inside + "../x", inside + "a/./x"):
            with self.subTest(name=name), self.assertRaisesRegex(Failure, "holds the file"):
                self.install("1.22.1", self.proxy(name.replace("/", "_"), ["1.22.1"], {name: ""}))


if __name__ == "__main__":
    unittest.main()
