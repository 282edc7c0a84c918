"""What the tests in a browser share: where Chromium is, two sizes of a window, and what axe-core finds wrong."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None)
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
PHONE, DESK = {"width": 320, "height": 700}, {"width": 1280, "height": 900}
AXE = "4.14.1"  # the version of axe-core


def axe_script(folder: Path) -> str:
    """The script of axe-core, which npm brings into a folder; without npm the test is skipped."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is missing, which brings axe-core")
    command = [npm, "pack", f"axe-core@{AXE}", "--silent"]
    if subprocess.run(command, cwd=folder, capture_output=True, timeout=120).returncode:
        pytest.skip("npm cannot reach axe-core")
    with tarfile.open(folder / f"axe-core-{AXE}.tgz") as archive:
        script = archive.extractfile("package/axe.min.js")
        assert script is not None
        return script.read().decode("utf-8")


def violations(page: Any) -> list[str]:
    """What axe-core finds wrong in a page that has its script: the rule, and the elements."""
    result = page.evaluate("axe.run()")
    return [f"{fault['id']}: {[node['html'][:200] for node in fault['nodes']]}" for fault in result["violations"]]


def is_too_wide(page: Any) -> bool:
    """Whether the page can be scrolled sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth > innerWidth"))
