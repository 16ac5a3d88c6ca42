"""Which Java the app asks for, and which Debian packages that is.

    java_version.py plan   build plan entries: the packages, or nothing when there are none
    java_version.py facts  assignments for bash: java_major, java_source

Where a version of the language is asked for (maven.compiler.release), a newer JDK will do; where a
version of Java itself is asked for (system.properties, toolchains), no other will."""

import pathlib
import re
import shlex
import sys
import xml.etree.ElementTree

LARGEST_FILE = 4 << 20
# Majors that a distribution's archive has as openjdk-N-jdk-headless, by ID and VERSION_ID.
ARCHIVES = {
    ("debian", "12"): (17,),
    ("debian", "13"): (21, 25),
    ("ubuntu", "22.04"): (8, 11, 17, 21),
    ("ubuntu", "24.04"): (8, 11, 17, 21),
}
OLDEST_COMPILED = 8


def refuse(what, hint):
    print(f"ERROR: {what}", file=sys.stderr)
    print(hint, file=sys.stderr)
    sys.exit(1)


def read_text(path):
    path = pathlib.Path(path)
    if not path.is_file():
        return ""
    if path.stat().st_size > LARGEST_FILE:
        refuse(f"{path} is larger than {LARGEST_FILE >> 20} MiB", "A project file is much smaller.")
    return path.read_text(encoding="utf-8-sig", errors="replace")


def major(text):
    """17 of 17, 17.0.2, openjdk-17.0.2, [17,18); 8 of 1.8."""
    found = re.search(r"(?<!\d)(?:1\.)?(\d{1,3})", text or "")
    return int(found[1]) if found else None


def elements(path):
    """(name of the parent, name, text) of each element, without namespaces."""
    content = read_text(path)
    if not content:
        return
    if "<!DOCTYPE" in content:
        refuse(f"{path} has a DOCTYPE, which a project file has no use for", "Remove it.")
    try:
        root = xml.etree.ElementTree.fromstring(content.encode())
    except xml.etree.ElementTree.ParseError as error:
        refuse(f"{path} is not valid XML: {error}", "Correct it and push again.")
    for parent in root.iter():
        for child in parent:
            names = [str(one.tag).rsplit("}", 1)[-1] for one in (parent, child)]
            yield *names, (child.text or "").strip()


def asked_of_java():
    """(major, where it stands) of Java itself."""
    found = re.search(
        r"^\s*java\.runtime\.version\s*[=:]\s*(\S+)", read_text("system.properties"), re.MULTILINE
    )
    if found:
        return major(found[1]), "java.runtime.version in system.properties"
    for parent, name, text in elements(".mvn/toolchains.xml"):
        if (parent, name) == ("provides", "version"):
            return major(text), ".mvn/toolchains.xml"
    for parent, name, text in elements("pom.xml"):
        if (parent, name) == ("jdk", "version") and major(text):
            return major(text), "the toolchain in pom.xml"
    for name in ("build.gradle", "build.gradle.kts"):
        found = re.search(r"JavaLanguageVersion\.of\(\s*[\"']?(\d+)", read_text(name))
        if found:
            return int(found[1]), f"the toolchain in {name}"
    return None, ""


def asked_of_language():
    """(major, where it stands) of the language: the highest that pom.xml names."""
    names = ("maven.compiler.release", "maven.compiler.target", "maven.compiler.source",
             "java.version")  # fmt: skip
    found = []
    for parent, name, text in elements("pom.xml"):
        plain = parent == "properties" and name in names
        plugin = parent == "configuration" and name in ("release", "target", "source")
        if (plain or plugin) and re.fullmatch(r"(1\.)?\d{1,3}", text):
            found.append((major(text), f"{name} in pom.xml"))
    return max(found, default=(None, ""))


def distribution():
    values = dict(re.findall(r"^(ID|VERSION_ID)=\"?([^\"\n]*)\"?$", read_text("/etc/os-release"),
                             re.MULTILINE))  # fmt: skip
    return values.get("ID", ""), values.get("VERSION_ID", "")


def choose():
    """(major or None, what to say)."""
    here = ARCHIVES.get(distribution())
    wanted, source = asked_of_java()
    if wanted:
        return (wanted if here is None or wanted in here else None), f"{source} asks for Java {wanted}"
    wanted, source = asked_of_language()
    if here is None:
        return wanted or 17, source or "the build image is of an unknown distribution"
    if not wanted:
        return (17 if 17 in here else here[0]), "newest long-term support that the build image has"
    fitting = [one for one in here if one >= wanted >= OLDEST_COMPILED]
    return (fitting[0] if fitting else None), f"{source} asks for Java {wanted}"


def plan(chosen):
    if chosen is None:
        return
    for package, launch in ((f"openjdk-{chosen}-jdk-headless", "false"),
                            (f"openjdk-{chosen}-jre-headless", "true")):  # fmt: skip
        print('\n[[requires]]\nname = "debian-packages"\n\n[requires.metadata]')
        print(f'packages = ["{package}"]\nbuild = true\nlaunch = {launch}')


def facts(chosen, why):
    if chosen is None:
        here = ", ".join(f"Java {one}" for one in ARCHIVES[distribution()])
        name, release = distribution()
        refuse(
            f"{why}, which the build image ({name} {release}) has no packages of",
            f"There is {here}. Ask for that, or use a stack whose distribution has yours.",
        )
    print(f"java_major={chosen}")
    print(f"java_source={shlex.quote(why)}")


if __name__ == "__main__":
    if sys.argv[1:] == ["plan"]:
        plan(choose()[0])
    elif sys.argv[1:] == ["facts"]:
        facts(*choose())
    else:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
