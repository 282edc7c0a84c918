"""The files that travel with a checkpoint: all modules in the root of the package."""

from __future__ import annotations

import ast
import shutil
from pathlib import Path

import modeling_nerret

ROOT = Path(modeling_nerret.__file__).parent
# Classes that are loaded by name from a repository: `<file>.<class>`
AUTO_MAP = {"AutoConfig": "configuration_nerret.NerretConfig", "AutoModel": "modeling_nerret.NerretModel"}
MODULE = "st_nerret.NerretTransformer"


def travelling_files() -> list[str]:
    """Names of the modules in the package's root.

    Example:
        >>> {"modeling_nerret", "st_nerret", "windows"} <= set(travelling_files()), "index" in travelling_files()
        (True, False)
    """
    return sorted(path.stem for path in ROOT.glob("*.py") if path.stem != "__init__")


def copy_sources(folder: Path) -> None:
    """Copy the root's modules into a repository.

    Raises:
        ValueError: a module imports something of the package that does not travel.
    """
    for name in travelling_files():
        root_imports(ROOT / f"{name}.py")
        shutil.copyfile(ROOT / f"{name}.py", folder / f"{name}.py")


def root_imports(path: Path) -> list[str]:
    """Names of the root's modules that a file imports.

    Raises:
        ValueError: an import is not of the form `from .file import Name`, the only one that the Hub's loaders follow,
            or the file is not in the root.
    """
    modules = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == 1 and node.module in travelling_files():
            modules.append(node.module)
        elif isinstance(node, ast.Import | ast.ImportFrom) and _is_package_import(node):
            raise ValueError(
                f"{path.name}, line {node.lineno}: import files of the root only, and write 'from .file import Name'"
            )
    return modules


def _is_package_import(node: ast.Import | ast.ImportFrom) -> bool:
    """Whether an import is relative or names the package."""
    if isinstance(node, ast.ImportFrom):
        return node.level > 0 or str(node.module).partition(".")[0] == ROOT.name
    return any(alias.name.partition(".")[0] == ROOT.name for alias in node.names)
