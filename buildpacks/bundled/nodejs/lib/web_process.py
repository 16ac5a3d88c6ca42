"""What is started, decided once the app is built.

    web_process.py facts   assignments for bash: web_kind, web_root, web_modules
    web_process.py launch  launch.toml

web_kind is `files` (a built site: files to serve), `standalone` (Next.js with its own server), or
`command`, or `none`. web_modules says whether the image needs the packages of the app."""

import os
import pathlib
import re
import shlex
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from manager import Manager  # noqa: E402
from package_json import (  # noqa: E402
    depends_on, read_package, scripts_of, text, toml_string, workspace_directory,
)  # fmt: skip

BUILT_SITE = "dist"
STANDALONE = ".next/standalone"


class Web:
    def __init__(self):
        self.directory = pathlib.Path(workspace_directory())
        self.package = read_package(self.directory)
        self.is_pnp = Manager(read_package()).linker == "pnp"
        self.start = scripts_of(self.package).get("start", "")
        self.command, self.root = None, ""
        self.kind = self.choose()

    def choose(self):
        if depends_on(self.package, "next") and (not self.start or self.starts_with("next start")):
            server = self.standalone_server()
            if server:
                self.command, self.root = ["node", str(server)], str(server.parent)
                return "standalone"
        if self.is_built_site():
            self.root = str(self.directory / BUILT_SITE)
            return "files"
        self.command = self.ordinary_command()
        return "command" if self.command else "none"

    def starts_with(self, words):
        return re.match(rf"{words}(\s|$)", self.start) is not None

    def standalone_server(self):
        """In a repository of several packages, Next.js repeats the path below the output."""
        output = self.directory / STANDALONE
        for server in (output / "server.js", output / self.directory / "server.js"):
            if server.is_file():
                return server
        return None

    def is_built_site(self):
        if not depends_on(self.package, "vite"):
            return False
        if not (self.directory / BUILT_SITE / "index.html").is_file():
            return False
        # Vite's own server is for development, and is removed with the development packages.
        return self.starts_with("vite") or not (self.start or self.main_file())

    def ordinary_command(self):
        if self.start:
            return self.command_of_script()
        if depends_on(self.package, "next"):
            return self.with_package_commands(["next", "start"])
        main = self.main_file()
        return ["node", main] if main else None

    def main_file(self):
        main = text(self.package.get("main"))
        inside = not main.startswith("/") and ".." not in pathlib.PurePosixPath(main).parts
        for name in (main if inside else "", "server.js", "index.js"):
            if name and (self.directory / name).is_file():
                return name
        return ""

    def command_of_script(self):
        """The start script without npm in between where that is the same: npm would take the
        signals and the memory. Words alone are run as they are, the rest by bash."""
        scripts = scripts_of(self.package)
        if "prestart" in scripts or "poststart" in scripts or "npm_" in self.start:
            return ["yarn", "run", "start"] if self.is_pnp else ["npm", "run", "--silent", "start"]
        words = self.start.split()
        if re.fullmatch(r"[A-Za-z0-9_./:@%+, -]+", self.start) and not words[0].startswith("-"):
            return self.with_package_commands(words)
        return ["yarn", "run", "start"] if self.is_pnp else ["bash", "-c", self.start]

    def with_package_commands(self, words):
        """Without node_modules/.bin, only Yarn knows the commands that packages bring."""
        return ["yarn", *words] if self.is_pnp and words[0] != "node" else words

    def needs_modules(self):
        return self.kind in ("command", "none") or pathlib.Path("Procfile").is_file()


def launch(web):
    command = web.command
    if web.kind == "files":
        server = os.path.join(os.environ["CNB_LAYERS_DIR"], "file_server", "serve.mjs")
        command = ["node", server, os.path.abspath(web.root)]
    elif web.kind == "standalone":
        command = ["node", os.path.abspath(web.command[1])]
    if command is None:
        print(
            "No start script, main file, server.js or index.js: add one, or a Procfile",
            file=sys.stderr,
        )
        return
    print("[[processes]]")
    print('type = "web"')
    print("command = [" + ", ".join(map(toml_string, command)) + "]")
    if web.kind == "command" and str(web.directory) != ".":
        print("working-dir = " + toml_string(os.path.abspath(web.directory)))
    print("default = true")


if __name__ == "__main__":
    if sys.argv[1:] == ["facts"]:
        found = Web()
        modules = "yes" if found.needs_modules() else "no"
        for name, value in (("kind", found.kind), ("root", found.root), ("modules", modules)):
            print(f"web_{name}={shlex.quote(value)}")
    elif sys.argv[1:] == ["launch"]:
        launch(Web())
    else:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
