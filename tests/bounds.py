"""Print constraints for an environment at one end of what pyproject.toml allows: `python tests/bounds.py oldest|newest`.

`oldest` pins every declared lower bound. `newest` pins nothing, so that pip takes the newest version that is allowed.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

BOUND = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?\s*>=\s*([0-9.]+)")
# These want newer libraries than our bounds, or older ones than our newest: each has a separate environment
SEPARATE = ("gliner",)


def lower_bounds() -> dict[str, str]:
    """Name and oldest version of every requirement of the package, its extras and the development group."""
    settings = tomllib.loads(Path(__file__).parent.with_name("pyproject.toml").read_text(encoding="utf-8"))
    project = settings["project"]
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    lines = [*project["dependencies"], *extras, *settings["dependency-groups"]["dev"]]
    matches = [match for match in map(BOUND.match, lines) if match]
    return {match[1]: match[2] for match in matches if match[1] not in SEPARATE}


def main(arguments: list[str]) -> int:
    """Print the constraints."""
    if arguments not in (["oldest"], ["newest"]):
        print("usage: python tests/bounds.py oldest|newest", file=sys.stderr)
        return 2
    if arguments == ["oldest"]:
        print("\n".join(f"{name}=={version}" for name, version in lower_bounds().items()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
