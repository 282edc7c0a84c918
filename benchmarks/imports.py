"""What `nerret search` imports of the trees of some requirements, and whether it works without them.

    python -m benchmarks.imports INDEX

searches an index in fresh processes. A tree is a requirement with all that only it brings: what nothing else of the
core needs.
"""

from __future__ import annotations

import argparse
import ast
import subprocess
import sys
from importlib.metadata import packages_distributions

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from benchmarks.footprint import PACKAGE, closure, installed, megabytes

TREES = {"lancedb": "lancedb", "sentence-transformers": "sentence_transformers", "peft": "peft"}  # and their modules
SEARCH = """
import sys
for name in sys.argv[2:]:
    sys.modules[name] = None
from modeling_nerret.cli import main
code = main(["search", sys.argv[1], "dinosaur", "--json"])
print(repr(sorted(name for name, module in sys.modules.items() if module is not None)))
sys.exit(code)
"""


def main() -> None:
    """Print a row for each tree."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("index", help="an index of the model whose search is measured, such as demo-index")
    index = parser.parse_args().index
    whole = search(index)
    names = ast.literal_eval(whole.stdout.splitlines()[-1])
    owners = packages_distributions()
    packages = {canonicalize_name(owner) for name in names for owner in owners.get(name.partition(".")[0], [])}
    print("| requirement | MB that only it brings | of them imported | its modules | not imported | without it |")
    print("|---|---|---|---|---|---|")
    for tree, module in TREES.items():
        sizes = {name: megabytes(part) for name, part in branch(tree).items() if part is not None}
        count = sum(name.partition(".")[0] == module for name in names)
        share = sum(size for name, size in sizes.items() if name in packages)
        strangers = ", ".join(sorted(name for name in sizes if name not in packages))
        verdict = "works" if search(index, module).returncode == 0 else "fails"
        cells = (f"`{tree}`", f"{sum(sizes.values()):,.1f}", f"{share:,.1f}", str(count), strangers, verdict)
        print(f"| {' | '.join(cells)} |")


def search(index: str, *modules: str) -> subprocess.CompletedProcess:
    """Search in a fresh process, in which these modules cannot be imported; its last line has all that it imported."""
    return subprocess.run([sys.executable, "-c", SEARCH, index, *modules], capture_output=True, text=True)


def branch(tree: str) -> dict:
    """The packages of the core that only one of its requirements brings."""
    core = installed(PACKAGE)
    lines = [Requirement(line) for line in (core.requires or [] if core else [])]
    rest = {
        name
        for line in lines
        if canonicalize_name(line.name) != tree and (line.marker is None or line.marker.evaluate({"extra": ""}))
        for name in closure(line.name)
    }
    return {name: part for name, part in closure(tree).items() if name not in rest}


if __name__ == "__main__":
    main()
