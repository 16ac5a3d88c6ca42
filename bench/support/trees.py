"""Trees of files for benchmarks: the same bytes each time on one machine."""
import os
import random


def words(seed, size):
    """Text that compresses as source code does."""
    chance = random.Random(seed)
    names = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyzABCDEF_$", k=chance.randint(2, 14)))
             for _ in range(6000)]
    weights = [1 / (n + 3) for n in range(len(names))]
    marks = [" ", " ", ".", "(", ");\n  ", " = ", ",", "{\n    ", "}\n", "'", " => "]
    text = []
    length = 0
    while length < size:
        for name, mark in zip(chance.choices(names, weights, k=50000), chance.choices(marks, k=50000)):
            text += name, mark
            length += len(name) + len(mark)
    return "".join(text).encode()[:size]


def make_small(root, size):
    chance = random.Random(1)
    pool = words(2, 24 << 20)
    made = package = 0
    while made < size:
        package += 1
        home = f"{root}/node_modules/package-{package * 2654435761 % 100003}"
        folders = [home] + [f"{home}/{name}" for name in
                            chance.sample(["lib", "dist", "dist/esm", "src", "test", "types"], 4)]
        for folder in folders:
            os.makedirs(folder, exist_ok=True)
        for n in range(chance.randint(5, 90)):
            length = min(int(chance.lognormvariate(7.8, 1.7)), 2 << 20)
            start = chance.randrange(len(pool) - length)
            with open(f"{chance.choice(folders)}/file-{n}.js", "wb") as file:
                file.write(pool[start:start + length])
            made += length
    os.makedirs(f"{root}/src")
    return f"{root}/src/index.js"


def make_binaries(root, size):
    """This machine's own programs and libraries, joined into a few files."""
    pieces = sorted(os.path.join(folder, name) for top in ("/usr/lib", "/usr/bin")
                    for folder, _, names in os.walk(top) for name in names
                    if top == "/usr/bin" or ".so" in name)
    os.makedirs(f"{root}/bin")
    shares = (0.3, 0.25, 0.2, 0.15, 0.1)
    source = iter(pieces)
    for n, share in enumerate(shares):
        with open(f"{root}/bin/program-{n}", "wb") as file:
            while file.tell() < size * share:
                piece = next(source, None)
                if piece is None:
                    source = iter(pieces)
                elif os.path.isfile(piece) and not os.path.islink(piece):
                    with open(piece, "rb") as part:
                        file.write(part.read()[:int(size * share) - file.tell()])
    return f"{root}/settings.json"
