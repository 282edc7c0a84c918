"""Megabytes on disk of nerret's requirements: of the core, of torch in it, and what each extra adds to the core.

    python -m benchmarks.footprint

reads which packages belong together from the metadata of the installed ones, beginning with nerret's own. The size is
that of all files that the installers listed, compiled ones too. Of a package that is not installed, neither its size
nor its requirements are known; the table names it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PACKAGE = "nerret"
LARGEST = 3  # packages of an extra that are named


def main() -> None:
    """Print the table."""
    print("| part | MB | packages | the largest | not installed |\n|---|---|---|---|---|")
    core = closure(PACKAGE)
    print(row("nerret and what it needs", core))
    print(row("of which torch, with what it needs", closure("torch")))
    for extra in extras():
        print(row(f"`{extra}`", {name: part for name, part in closure(PACKAGE, [extra]).items() if name not in core}))


def extras() -> list[str]:
    """Names of the extras, in the order of pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return list(project["optional-dependencies"])


def closure(root: str, extras: Iterable[str] = ()) -> dict[str, Distribution | None]:
    """A package and all that it requires here, by name; `None` for one that is not installed.

    Args:
        root: the package.
        extras: of its extras, those that are wanted.
    """
    parts: dict[str, Distribution | None] = {}
    history: set[tuple[str, str]] = set()  # with an extra, or "" for none
    queue = [(canonicalize_name(root), extra) for extra in ("", *extras)]
    while queue:
        pair = queue.pop()
        if pair in history:
            continue
        history.add(pair)
        package, extra = pair
        if package not in parts:
            parts[package] = installed(package)
        part = parts[package]
        for line in (part.requires or []) if part else []:
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                queue += [(canonicalize_name(requirement.name), name) for name in ("", *requirement.extras)]
    return parts


def row(title: str, parts: Mapping[str, Distribution | None]) -> str:
    """A row of the table."""
    sizes = {name: megabytes(part) for name, part in parts.items() if part is not None}
    largest = sorted(sizes, key=lambda name: (-sizes[name], name))[:LARGEST]
    absent = sorted(name for name, part in parts.items() if part is None)
    figures = ", ".join(f"{name} {sizes[name]:,.1f}" for name in largest)
    total = f"{sum(sizes.values()):,.1f}" if sizes or not absent else "?"
    return f"| {title} | {total} | {len(sizes)} | {figures} | {', '.join(absent)} |"


def megabytes(part: Distribution) -> float:
    """Size of a package's files; of nerret in a checkout, those of the folders that would be installed."""
    paths = {Path(str(part.locate_file(file))).resolve() for file in part.files or []}
    if canonicalize_name(part.metadata["Name"]) == PACKAGE and not any(path.parent.name == "cli" for path in paths):
        folders = ("modeling_nerret", "eval", "hub_card", "training")
        paths |= {path for folder in folders for path in (ROOT / folder).rglob("*")}
    return sum(path.stat().st_size for path in paths if path.is_file()) / 1e6


def installed(name: str) -> Distribution | None:
    """An installed package, or `None`."""
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


if __name__ == "__main__":
    main()
