#!/usr/bin/env python3
"""Whether the python buildpack takes the stack's Python for what an app asks for."""

import pathlib
import sys
import unittest

sys.dont_write_bytecode = True
LIB = pathlib.Path(__file__).resolve().parents[2] / "buildpacks/bundled/python/lib"
sys.path.insert(0, str(LIB))

from python_app import wish_is_met  # noqa: E402
from python_version import satisfies  # noqa: E402

HERE = "3.11.2"


class PythonRange(unittest.TestCase):
    def test_ranges_of_pep_440(self):
        for text, expected in {
            ">=3.11": True,
            ">= 3.9, < 3.12": True,
            ">=3.9,<3.11": False,
            ">=3.12": False,
            ">3.11.2": False,
            "<=3.11.2": True,
            "<3.11": False,
            "==3.11.*": True,
            "==3.11": False,
            "==3.11.2": True,
            "!=3.11.*": False,
            "!=3.11.1": True,
            "~=3.9": True,
            "~=3.9.1": False,
            "~=3.11.0": True,
            "===3.11.2": True,
            ">=3.11.3": False,
            ">=3.8,!=3.9.*,!=3.10.*": True,
        }.items():
            self.assertEqual(satisfies(text, HERE), expected, text)

    def test_ranges_of_poetry(self):
        for text, expected in {
            "^3.11": True,
            "^3.9": True,
            "^3.12": False,
            "~3.11": True,
            "~3.10": False,
            "~3": True,
            "*": True,
            "3.11.*": True,
            "^2.7 || ^3.9": True,
            "^2.7 | ~3.12": False,
            ">=3.9 <3.13": True,
        }.items():
            self.assertEqual(satisfies(text, HERE), expected, text)

    def test_what_is_no_range_is_not_guessed_at(self):
        for text in ("latest", "pypy3.9", ">=", "3.11 or so", "^"):
            with self.assertRaises(ValueError, msg=text):
                satisfies(text, HERE)

    def test_an_exact_version_asks_for_its_line(self):
        for text, expected in {
            "3.11": True,
            "3.11.9": True,
            "python-3.11.4": True,
            "cpython@3.11": True,
            "3": True,
            "3.12": False,
            "python-3.10.2": False,
            "2": False,
            ">=3.10": True,
        }.items():
            self.assertEqual(wish_is_met(text, False, HERE), expected, text)


if __name__ == "__main__":
    unittest.main()
