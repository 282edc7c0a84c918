"""What of a folder becomes a repository: the kinds of files that ours have, and nothing that looks like a secret."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

FOLDERS_IGNORED = ("__pycache__", ".git", ".cache", ".ipynb_checkpoints")  # what tools leave behind
HIDDEN = (".gitattributes", ".eval_results")  # names with a dot that repositories have
NAMES = ("LICENSE", "NOTICE", ".gitattributes")
PAGE_KINDS = (".css", ".html", ".js", ".onnx", ".wasm")
KINDS = (".jinja", ".json", ".md", ".model", ".png", ".py", ".safetensors", ".svg", ".txt", *PAGE_KINDS)
RESULTS = ".eval_results"  # holds YAML
SECRET_NAME = re.compile(
    r"(^|[^a-z])(secrets?|credentials?|passwords?|passwd|api.?keys?|private.?keys?|(access|auth|hf).?tokens?|"
    r"service.?account|kaggle|id_(rsa|dsa|ecdsa|ed25519))([^a-z]|$)|^tokens?\b"
    r"|(?<![a-z])(?<!special_)(?<!added_)tokens?(\.|$)",
    re.IGNORECASE,
)
# A private key; a token of the Hub, of GitHub, GitLab, OpenAI, Slack or Google; a key of AWS; a named secret's value
SECRET_TEXT = re.compile(
    rb"-----BEGIN [A-Z ]*PRIVATE KEY|\bhf_[A-Za-z0-9]{30}|\bgh[pousr]_[A-Za-z0-9]{36}|\bgithub_pat_[A-Za-z0-9_]{22}"
    rb"|\bglpat-[A-Za-z0-9_-]{20}|\bsk-[A-Za-z0-9_-]{40}|\bxox[abeoprs]-[A-Za-z0-9-]{10}|\bAIza[A-Za-z0-9_-]{35}"
    rb"|\bA(KI|SI)A[0-9A-Z]{16}\b"
    rb"|(secret_access_key|client_secret|api_?key|password|(access|auth|refresh|hf)_token)['\"]?\s*[:=]\s*['\"][^'\"]{6}",
)
# Bytes up to which a file is read for secrets: of weights, and of all else
WEIGHTS_SIZE, TEXT_SIZE = 2_000_000, 100_000_000


class Contents(NamedTuple):
    """Files relative to their folder, in name order, and why others are left out, by name."""

    files: list[Path]
    omissions: dict[str, str]


def contents(folder: Path) -> Contents:
    """What of a folder is uploaded.

    Raises:
        OSError: the folder does not exist or holds no README.md, which every repository needs.
    """
    files: list[Path] = []
    omissions: dict[str, str] = {}
    for path in _walk(folder):
        name = path.relative_to(folder)
        if reason := _reason(path, name):
            omissions[name.as_posix()] = reason
        elif not path.is_dir():
            files.append(name)
    if Path("README.md") not in files:
        raise OSError(f"{folder} is no repository to upload: it holds no README.md, or it is no ordinary file")
    return Contents(sorted(files), dict(sorted(omissions.items())))


def _walk(folder: Path) -> Iterator[Path]:
    """All files and folders below a folder that repositories may have; links are not followed."""
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in FOLDERS_IGNORED]
        yield from (Path(parent, name) for name in (*folders, *names) if not name.endswith(".pyc"))
        folders[:] = [name for name in folders if not name.startswith(".") or name in HIDDEN]


def _reason(path: Path, name: Path) -> str:
    """Why a file or folder is left out; empty if it is not."""
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return "a link"
    if path.name.startswith(".") and path.name not in HIDDEN:
        return "a hidden name"
    if not path.name.isprintable():
        return "a name that cannot be printed"
    if any(map(SECRET_NAME.search, name.parts)):
        return "a name that secrets have"
    if stat.S_ISDIR(mode):
        return ""
    if not stat.S_ISREG(mode):
        return "no ordinary file"
    kinds = (".yaml", ".yml") if RESULTS in name.parts[:-1] else KINDS
    if path.name not in NAMES and path.suffix not in kinds:
        return "a kind of file that the repository does not need"
    most = WEIGHTS_SIZE if path.suffix == ".safetensors" else TEXT_SIZE
    if path.stat().st_size <= most and SECRET_TEXT.search(path.read_bytes()):
        return "it holds what looks like a key or a token"
    return ""
