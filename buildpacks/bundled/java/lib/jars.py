"""Prints launch.toml for the jar that the build made: the one with a Main-Class.

JAVA_JAR names it where there are several. Spring Boot is told the port, for it reads no PORT."""

import json
import os
import pathlib
import re
import shlex
import sys
import zipfile

OUTPUTS = ("target", "build/libs")
NOT_PROGRAMS = re.compile(r"(^original-|-(sources|javadoc|tests|test-fixtures|plain)\.(jar|war)$)")
MOST_DIRECTORIES = 20000
LARGEST_MANIFEST = 1 << 20


def manifest_of(path):
    """The main attributes of a jar's manifest; nothing for a file that is no jar."""
    try:
        with zipfile.ZipFile(path) as jar, jar.open("META-INF/MANIFEST.MF") as file:
            content = file.read(LARGEST_MANIFEST).decode("utf-8", "replace")
    except (OSError, KeyError, zipfile.BadZipFile, NotImplementedError, RuntimeError):
        return {}
    main = re.split(r"\r?\n\r?\n", content, maxsplit=1)[0]
    lines = re.sub(r"\r?\n ", "", main).splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def outputs():
    """The directories in which Maven and Gradle leave jars, those of the root first."""
    for number, (directory, names, _) in enumerate(os.walk(".")):
        names[:] = sorted(n for n in names if not n.startswith(".") and n != "node_modules")
        if number > MOST_DIRECTORIES:
            return
        for output in OUTPUTS:
            path = pathlib.Path(directory, output)
            if path.is_dir():
                yield path


def programs():
    """(path, manifest) of every jar that can be started."""
    found = []
    for directory in outputs():
        for path in sorted([*directory.glob("*.jar"), *directory.glob("*.war")]):
            if NOT_PROGRAMS.search(path.name) or path.is_symlink():
                continue
            manifest = manifest_of(path)
            if manifest.get("Main-Class"):
                found.append((path, manifest))
    return found


def named(name):
    path = pathlib.Path(name)
    if path.is_absolute() or ".." in path.parts or not path.is_file():
        print(f"ERROR: JAVA_JAR names {json.dumps(name)}, which is no file of the app", file=sys.stderr)
        sys.exit(1)
    return path, manifest_of(path)


def choose():
    if os.environ.get("JAVA_JAR", "").strip():
        return named(os.environ["JAVA_JAR"].strip())
    found = programs()
    spring = [one for one in found if "Spring-Boot-Version" in one[1]]
    candidates = spring or found
    if len(candidates) == 1:
        return candidates[0]
    if candidates:
        names = ", ".join(str(path) for path, _ in candidates)[:500]
        print(f"Several jars can be started: {names}", file=sys.stderr)
        print("Set JAVA_JAR to one of them, or name one in a Procfile", file=sys.stderr)
    else:
        print("No jar with a Main-Class: add a Procfile that says what to start", file=sys.stderr)
    return None


def command(path, manifest):
    options = "$JAVA_OPTS"
    if "Spring-Boot-Version" in manifest:
        options = "-Dserver.port=${PORT:-8080} " + options
    return f"exec java {options} -jar {shlex.quote(os.path.abspath(path))}"


if __name__ == "__main__":
    program = choose()
    if program:
        words = ", ".join(json.dumps(word) for word in ("bash", "-c", command(*program)))
        print(f'[[processes]]\ntype = "web"\ncommand = [{words}]\ndefault = true')
