"""Which packages the table of sizes counts."""

from __future__ import annotations

from importlib.metadata import PathDistribution
from pathlib import Path

import pytest

from benchmarks import footprint

METADATA = {
    "nerret": ['core; python_version >= "3"', 'never; python_version < "3"', 'tool[fast]; extra == "app"'],
    "core": [],
    "tool": ["nerret", 'engine; extra == "fast"', 'other; extra == "slow"'],
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Installed packages of a megabyte each."""
    for name, requirements in METADATA.items():
        info = tmp_path / f"{name}-1.dist-info"
        info.mkdir()
        lines = [f"Requires-Dist: {requirement}\n" for requirement in requirements]
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n{''.join(lines)}")
        (info / "RECORD").write_text(f"cli/{name}.bin,,\ncli/gone.py,,\n")
        (tmp_path / "cli").mkdir(exist_ok=True)
        (tmp_path / "cli" / f"{name}.bin").write_bytes(bytes(1_000_000))

    def distribution(name: str) -> PathDistribution | None:
        return PathDistribution(tmp_path / f"{name}-1.dist-info") if name in METADATA else None

    monkeypatch.setattr(footprint, "installed", distribution)
    return tmp_path


def test_requirements_are_followed_by_extra_and_environment(folder: Path) -> None:
    assert set(footprint.closure("nerret")) == {"nerret", "core"}
    assert set(footprint.closure("nerret", ["app"])) == {"nerret", "core", "tool", "engine"}


def test_what_is_not_installed_is_named(folder: Path) -> None:
    parts = footprint.closure("nerret", ["app"])
    assert footprint.row("app", parts) == "| app | 3.0 | 3 | core 1.0, nerret 1.0, tool 1.0 | engine |"
    assert footprint.row("engine", {"engine": None}) == "| engine | ? | 0 |  | engine |"


def test_the_extras_are_those_of_the_project() -> None:
    assert {"offline", "app", "serve"} <= set(footprint.extras())
