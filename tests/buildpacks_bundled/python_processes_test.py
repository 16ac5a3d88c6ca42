#!/usr/bin/env python3
"""The web process that the python buildpack finds in the files of an app."""

import os
import pathlib
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
LIB = pathlib.Path(__file__).resolve().parents[2] / "buildpacks/bundled/python/lib"
sys.path.insert(0, str(LIB))

import processes  # noqa: E402

GUNICORN = 'exec gunicorn --bind "0.0.0.0:${PORT:-8080}" '
UVICORN = 'exec uvicorn --host 0.0.0.0 --port "${PORT:-8080}" '
MANAGE = 'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "%s")\n'
FLASK = "app = Flask(__name__)\n"
FASTAPI = "api: FastAPI = fastapi.FastAPI()\n"


class WebProcess(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.addCleanup(os.chdir, os.getcwd())
        os.environ.pop("DJANGO_SETTINGS_MODULE", None)

    def web(self, installed, files):
        """The command of an app with these programs and {path: text}."""
        root = pathlib.Path(tempfile.mkdtemp(dir=self.directory.name))
        for name in installed:
            self.put(root / "venv/bin" / name, "")
        for path, text in files.items():
            self.put(root / "app" / path, text)
        os.chdir(root / "app")
        command = processes.web_command(root / "venv")
        return command[-1] if command else None

    def put(self, path, text):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def test_django_is_served_by_what_its_settings_name(self):
        files = {
            "manage.py": MANAGE % "config.settings.production",
            "config/settings/__init__.py": "",
            "config/settings/base.py": 'WSGI_APPLICATION = "config.web.application"\n',
            "config/settings/production.py": "from .base import *\n",
            "config/web.py": "",
            "other/wsgi.py": "",
        }
        self.assertEqual(self.web(["gunicorn"], files), GUNICORN + "config.web:application")

    def test_django_without_that_setting_is_found_beside_its_settings(self):
        files = {
            "manage.py": MANAGE % "mysite.settings",
            "mysite/settings.py": "",
            "mysite/wsgi.py": "",
            "mysite/asgi.py": "",
            "other/wsgi.py": "",
        }
        self.assertEqual(self.web(["gunicorn"], files), GUNICORN + "mysite.wsgi:application")
        self.assertEqual(self.web(["uvicorn"], files), UVICORN + "mysite.asgi:application")
        both = ["gunicorn", "uvicorn"]
        self.assertEqual(self.web(both, files), GUNICORN + "mysite.wsgi:application")
        self.assertIn("mysite.asgi:application", self.web(["daphne"], files))

    def test_runserver_is_never_started(self):
        files = {
            "manage.py": MANAGE % "mysite.settings",
            "mysite/settings.py": "",
            "mysite/wsgi.py": "",
            "main.py": "",
        }
        self.assertIsNone(self.web([], files))

    def test_a_wsgi_app_is_found_at_the_root_and_in_a_package(self):
        for path, module in {
            "app.py": "app",
            "server.py": "server",
            "shop/__init__.py": "shop",
            "src/shop/main.py": "shop.main",
        }.items():
            self.assertEqual(self.web(["gunicorn"], {path: FLASK}), GUNICORN + module + ":app")

    def test_an_app_that_a_factory_makes_is_found(self):
        files = {"wsgi.py": "from shop import create_app\napplication = create_app()\n"}
        self.assertEqual(self.web(["gunicorn"], files), GUNICORN + "wsgi:application")

    def test_an_asgi_app_is_served_by_uvicorn_even_beside_gunicorn(self):
        both = ["gunicorn", "uvicorn"]
        self.assertEqual(self.web(both, {"app/main.py": FASTAPI}), UVICORN + "app.main:api")

    def test_apps_of_tests_are_not_served(self):
        self.assertIsNone(self.web(["gunicorn"], {"tests/app.py": FLASK}))

    def test_without_a_server_a_script_is_run(self):
        self.assertEqual(self.web([], {"app.py": FLASK}), "app.py")
        self.assertIsNone(self.web([], {"other.py": ""}))


if __name__ == "__main__":
    unittest.main()
