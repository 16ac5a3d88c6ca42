#!/usr/bin/env python3
"""Which Node.js release the nodejs buildpack chooses for a range of package.json."""

import pathlib
import sys
import unittest

sys.dont_write_bytecode = True
LIB = pathlib.Path(__file__).resolve().parents[2] / "buildpacks/bundled/nodejs/lib"
sys.path.insert(0, str(LIB))

import node_release  # noqa: E402
from npm_range import Range  # noqa: E402

RELEASES = [
    "0.12.18", "4.9.1", "18.20.8", "20.9.0", "20.20.2", "21.7.3", "22.22.1", "22.23.3", "23.11.1",
    "24.0.0", "24.9.0", "24.10.0", "25.9.0", "26.0.0", "26.10.0", "27.0.0-rc.1", "7.7.4-pkg1",
]  # fmt: skip


def chosen(text):
    found = node_release.choose(text, RELEASES)
    return found and found[0]


class NodeRange(unittest.TestCase):
    def test_without_a_range_the_newest_lts_is_chosen(self):
        for text in ("", "*", "lts/*", "latest"):
            self.assertEqual(chosen(text), "24.10.0", text)

    def test_the_line_not_yet_superseded_is_no_lts(self):
        self.assertEqual(node_release.choose("26.x", RELEASES), ("26.10.0", False))
        self.assertEqual(node_release.choose("24", RELEASES), ("24.10.0", True))

    def test_from_27_on_every_superseded_line_is_an_lts(self):
        self.assertEqual(node_release.choose("", ["26.1.0", "27.0.0", "28.0.0"]), ("27.0.0", True))

    def test_ranges_are_those_of_npm(self):
        for text, expected in {
            "20.x": "20.20.2",
            "20": "20.20.2",
            "v20.9.0": "20.9.0",
            "=20.9.0": "20.9.0",
            "^22.22.0": "22.23.3",
            "~22.22.0": "22.22.1",
            "~22": "22.23.3",
            ">=18": "24.10.0",
            ">= 18": "24.10.0",
            ">=18 <21": "20.20.2",
            ">18 <20.10": "20.9.0",
            "<=20.9": "20.9.0",
            "<22.23.3 >=22": "22.22.1",
            "18 || 20": "20.20.2",
            "18||>=24": "24.10.0",
            "18.0.0 - 20.9.0": "20.9.0",
            "18 - 20": "20.20.2",
            "21": "21.7.3",
            ">25": "26.10.0",
            ">=25.0.0": "26.10.0",
            "^0.12": "0.12.18",
            "24.10.X": "24.10.0",
            "lts/iron": "20.20.2",
            "current": "26.10.0",
        }.items():
            self.assertEqual(chosen(text), expected, text)

    def test_nothing_fits(self):
        for text in ("19.x", ">=27", "20.9.1", "<0.1", ">*"):
            self.assertIsNone(chosen(text), text)

    def test_what_is_no_range_is_refused(self):
        for text in ("twenty", "20.x.y.z", "20; rm -rf /", "27.0.0-rc.1", "lts/other", "--help"):
            with self.assertRaises(ValueError, msg=text):
                chosen(text)

    def test_caret_stops_at_the_first_number_that_is_not_zero(self):
        self.assertTrue(Range("^0.2.3").allows((0, 2, 9)))
        self.assertFalse(Range("^0.2.3").allows((0, 3, 0)))
        self.assertFalse(Range("^0.0.3").allows((0, 0, 4)))
        self.assertTrue(Range("^0").allows((0, 9, 9)))

    def test_a_release_that_is_here_is_kept_while_it_satisfies(self):
        self.assertTrue(node_release.allows(">=18", "20.9.0"))
        self.assertFalse(node_release.allows(">=22", "20.9.0"))
        self.assertTrue(node_release.allows("lts/*", "24.10.0"))


if __name__ == "__main__":
    unittest.main()
