"""Fetch what a Space runs in the browser from npm: versions and checksums are those of a lock file beside the page."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

PACKAGE_FILES = ("package.json", "package-lock.json")
COMMAND = ("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
TIMEOUT = 600  # seconds


def fetch_packages(source: Path, folder: Path) -> Path:
    """Install the packages of a lock file into `folder`; npm compares each with its checksum.

    Args:
        source: where package.json and package-lock.json are.
        folder: an empty folder.

    Returns:
        The folder of packages.

    Raises:
        OSError: npm is missing, a package cannot be fetched, or one has another checksum.
    """
    program = shutil.which("npm")
    if program is None:
        raise OSError("npm is missing, which fetches what runs in the browser; install Node.js 20 or newer")
    for name in PACKAGE_FILES:
        shutil.copyfile(source / name, folder / name)
    try:
        process = subprocess.run(
            [program, *COMMAND], cwd=folder, capture_output=True, text=True, timeout=TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired:
        raise OSError(f"npm did not end within {TIMEOUT} seconds; try again with a faster network") from None
    if process.returncode:
        reason = " ".join((process.stderr or process.stdout).split())
        raise OSError(f"npm could not fetch the packages of {source / PACKAGE_FILES[1]}: {reason:.500}")
    return folder / "node_modules"


def copy_files(packages: Path, files: Mapping[str, str], folder: Path) -> None:
    """Copy files of packages.

    Args:
        packages: the folder of packages.
        files: paths in it, and the names that they get.
        folder: where they go; made if necessary.

    Raises:
        OSError: a package lacks a file.
    """
    folder.mkdir(exist_ok=True)
    for path, name in files.items():
        if not (packages / path).is_file():
            raise OSError(f"the npm packages have no file {path}; the versions in package-lock.json are not nerret's")
        shutil.copyfile(packages / path, folder / name)
