"""Holds the sources against the tables in docs/architecture.md.

The document is the rule: this program reads its tables and names each line that breaks one, so
that the two cannot drift apart. It knows nothing of the modules itself.
"""
import pathlib
import re
import sys

LONGEST_FILE = 400
LONGEST_TEST = 500
SOURCES = (".h", ".cpp")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def read_table(text, heading):
    """Rows of the first table below `heading`, as lists of the `quoted` words of each cell."""
    lines = text.splitlines()
    try:
        start = next(i for i, line in enumerate(lines) if line.strip() == heading)
    except StopIteration:
        sys.exit(f"docs/architecture.md has no heading {heading!r}")
    rows = []
    for line in lines[start + 1 :]:
        if line.startswith("|"):
            rows.append([re.findall(r"`([^`]+)`", cell) for cell in line.strip("|").split("|")])
        elif rows or line.startswith("#"):
            break
    rows = [row for row in rows if row[0]]
    if not rows:
        sys.exit(f"docs/architecture.md has no table below {heading!r}")
    return rows


def find_module(path, modules):
    """The module that owns a file: the longest of the modules' folders above it."""
    owners = [m for m in modules if path.is_relative_to(m)]
    return max(owners, key=len, default=None)


def includes_of(root, path):
    for number, line in enumerate((root / path).read_text(errors="replace").splitlines(), 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1), match.group(2)


def check_uses(root, files, modules):
    """A module includes the public headers of what its row names, and nothing else of ours."""
    owner_of = {}
    for module in modules:
        for folder in (root / module / "include").glob("*"):
            owner_of[folder.name] = module
    for path in files:
        module = find_module(path, modules)
        if module is None:
            yield f"{path}: belongs to no module of docs/architecture.md"
            continue
        for number, _, name in includes_of(root, path):
            owner = owner_of.get(name.split("/")[0]) if "/" in name else None
            if owner and owner != module and owner not in modules[module]:
                yield f"{path}:{number}: {module} may not use {owner} (includes {name})"


def check_libraries(root, files, libraries):
    """A library's headers appear only in the folders that its row names."""
    for path in files:
        for number, _, name in includes_of(root, path):
            for prefixes, folders in libraries:
                if not name.startswith(tuple(prefixes)):
                    continue
                if not any(path.is_relative_to(folder) for folder in folders):
                    yield f"{path}:{number}: {name} belongs in {' or '.join(folders)}"


def check_public_headers(root, files, private):
    """Public headers compile quickly: none of the heavy libraries, not even indirectly named."""
    for path in files:
        if "include" not in path.parts or path.suffix != ".h":
            continue
        for number, _, name in includes_of(root, path):
            if name.startswith(tuple(private)):
                yield f"{path}:{number}: {name} is for .cpp files"


def check_sizes(root, files, most):
    for path in files:
        length = len((root / path).read_text(errors="replace").splitlines())
        if length > most:
            yield f"{path}: {length} lines, at most {most} are allowed"


def check_documents(root, modules, documents):
    for module in modules:
        if not (root / module / "README.md").is_file():
            yield f"{module}/README.md: missing (what it owns, what it refuses to know)"
    for document in documents:
        if not (root / document).is_file():
            yield f"{document}: missing"


def check_links(root):
    """A relative link in a document leads to something."""
    documents = [root / "README.md", root / "CONTRIBUTING.md", *sorted((root / "docs").rglob("*.md"))]
    for document in documents:
        if not document.is_file():
            continue
        for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", document.read_text()):
            if not (document.parent / target).exists():
                yield f"{document.relative_to(root)}: the link to {target} leads nowhere"


def main():
    root = pathlib.Path(sys.argv[1])
    text = (root / "docs/architecture.md").read_text()
    modules = {row[0][0]: set(row[1]) for row in read_table(text, "## Who may use whom")}
    libraries = [(row[0], row[1]) for row in read_table(text, "## Where libraries live")]
    private = [p for row in read_table(text, "## What headers leave out") for p in row[0]]
    documents = [d for row in read_table(text, "## Documents") for d in row[0]]
    files = [
        path.relative_to(root)
        for module in modules
        for path in sorted((root / module).rglob("*"))
        if path.suffix in SOURCES
    ]
    files = sorted(set(files))
    tests = [p.relative_to(root) for p in sorted((root / "tests").rglob("*.cpp"))]

    broken = [
        *check_uses(root, files, modules),
        *check_libraries(root, files, libraries),
        *check_public_headers(root, files, private),
        *check_sizes(root, files, LONGEST_FILE),
        *check_sizes(root, tests, LONGEST_TEST),
        *check_documents(root, modules, documents),
        *check_links(root),
    ]
    for line in broken:
        print(line)
    print(f"{len(files)} files of {len(modules)} modules: {len(broken)} broken rules")
    sys.exit(1 if broken or not files else 0)


main()
