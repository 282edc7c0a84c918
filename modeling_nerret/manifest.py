"""The manifest of a checkpoint: the SHA-256 of every file, compared before the file is read.

Whoever writes a checkpoint calls `write_manifest`, whoever reads one `check_files`. A checkpoint without a manifest,
made by hand, is read without comparison. So somebody who has changed a file deletes the manifest, or saves the model
again.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from transformers.utils import cached_file

from .files import read_json, regular_file, sha256_of

MANIFEST = "checksums.json"
# What a loader reads, by kind; a kind is checked by the loader that reads it
KINDS = {
    "model": (
        "config.json",
        "model*.safetensors",
        "model*.safetensors.index.json",
        "adapter_config.json",  # transformers would add such an adapter to the whole checkpoint
        "adapter_model.*",
        "adapter/*.json",
        "adapter/*.safetensors",
        "adapter/*.bin",
    ),
    "tokenizer": (
        "tokenizer*.json",
        "special_tokens_map.json",
        "added_tokens.json",
        "vocab.*",
        "merges.txt",
        "*.model",
        "*.tiktoken",
        "tekken*.json",
        "*.jinja",
    ),
    "detector": ("detector.json", "detector.safetensors"),
    "calibration": ("calibration.json",),
    "types": ("types.safetensors",),
    "settings": ("config_sentence_transformers.json", "sentence_bert_config.json", "nerret_st_config.json"),
    "modules": ("modules.json", "[0-9]_*/*"),
    "code": ("*.py", "requirements.txt"),
    "recipe": ("recipe.json",),
}
READ_ALWAYS = (
    "model",
    "tokenizer",
    "detector",
    "calibration",
)  # by nerret's loaders; the others, too, are compared in a folder
OURS = ("model", "detector", "calibration", "types")  # no other library writes these
# Makes `cached_file` return None where there is no such file
UNLESS_MISSING = {
    f"_raise_exceptions_for_{fault}": False for fault in ("missing_entries", "connection_errors", "gated_repo")
}
SHA256 = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Manifest:
    """What a checkpoint's files were when it was saved.

    Args:
        files: SHA-256 by name, relative to the checkpoint's folder.
        backbone: the same of the backbone's configuration and tokenizer, which a head-only checkpoint loads as well.
    """

    files: Mapping[str, str] = field(default_factory=dict)
    backbone: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """SHA-256 of the manifest's own content, so that damage to itself is not taken for damage to a file."""
        return hashlib.sha256(json.dumps([dict(self.files), dict(self.backbone)], sort_keys=True).encode()).hexdigest()


def kind_of(name: str) -> str | None:
    """Which kind of file a name is; `None` for files that no loader reads, such as README.md.

    Example:
        >>> kind_of("model-00001-of-00002.safetensors"), kind_of("vocab.txt"), kind_of("README.md")
        ('model', 'tokenizer', None)
    """
    return next((kind for kind, patterns in KINDS.items() if any(fnmatchcase(name, rule) for rule in patterns)), None)


def files_of_kind(folder: Path, *kinds: str) -> dict[str, Path]:
    """Files in a folder that loaders would read, by name. Pipes, devices and links to nothing are among them."""
    folders = [folder, folder / "adapter", *folder.glob("[0-9]_*")]
    paths = [path for place in folders if place.is_dir() for path in place.iterdir() if path not in folders]
    names = {path.relative_to(folder).as_posix(): path for path in sorted(paths)}
    return {name: path for name, path in names.items() if kind_of(name) in kinds}


def write_manifest(
    folder: str | Path, *kinds: str, foreign: Iterable[str] = (), backbone: Mapping[str, str] | None = None
) -> None:
    """Write the manifest of a checkpoint's folder, after files were written into it.

    The files of other kinds keep the digests that they had, so that damage stays visible.

    Args:
        folder: the checkpoint.
        kinds: the kinds of file that were just written.
        foreign: kinds that lose their digests, for another library may write them next.
        backbone: digests of the backbone's files; `None` keeps those that are known.
    """
    folder, foreign = Path(folder), tuple(foreign)
    try:
        former = read_manifest(folder) or Manifest()
    except OSError:  # damaged: only what was just written is known
        former = Manifest()
    files = files_of_kind(folder, *KINDS)
    kept_names = {name for name in former.files if name in files and kind_of(name) not in foreign}
    digests = {
        name: sha256_of(regular_file(path)) if kind_of(name) in kinds else former.files[name]
        for name, path in files.items()
        if kind_of(name) in kinds or name in kept_names
    }
    manifest = Manifest(digests, former.backbone if backbone is None else backbone)
    content = {"files": manifest.files, "backbone": manifest.backbone, "sha256": manifest.digest}
    (folder / MANIFEST).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def read_manifest(where: Any, **source: Any) -> Manifest | None:
    """A checkpoint's manifest, or `None` if it has none.

    Args:
        where: folder or repository id.
        source: `revision`, `token`, `cache_dir`, `local_files_only`, `subfolder`, as in transformers.

    Raises:
        OSError: the manifest is damaged.
    """
    folder = _folder(where, source)
    path: Any = cached_file(where, MANIFEST, **source, **UNLESS_MISSING) if folder is None else folder / MANIFEST
    if folder is not None and not _exists(folder / MANIFEST):
        path = None
    if path is None:
        return None
    content = read_json(path)
    tables = [content.get("files"), content.get("backbone")]
    if all(_is_table(table) for table in tables):
        manifest = Manifest(*tables)  # type: ignore[arg-type]
        if manifest.digest == content.get("sha256"):
            return manifest
    raise OSError(f"{path} is damaged: it does not match its own SHA-256; {_remedy()}")


def check_files(where: Any, *kinds: str, **source: Any) -> Manifest:
    """Compare files with the manifest, before they are read.

    Args:
        where: folder or repository id of a checkpoint.
        kinds: the kinds of file that will be read. In a folder the presence of all files is checked.
        source: `revision`, `token`, `cache_dir`, `local_files_only`, `subfolder`, as in transformers.

    Returns:
        The manifest; an empty one if the checkpoint has none.

    Raises:
        OSError: a file is missing, has changed, is no regular file, or does not belong to the checkpoint.
    """
    manifest, folder = read_manifest(where, **source), _folder(where, source)
    if folder is not None:
        _check_folder(folder, kinds, manifest)
    elif manifest is not None:
        for name, digest in manifest.files.items():
            if kind_of(name) in kinds and kind_of(name) in READ_ALWAYS:
                _compare(Path(str(cached_file(where, name, **source))), digest)
    return manifest or Manifest()


def check_backbone(folder: Path, manifest: Manifest, *kinds: str) -> None:
    """Compare the configuration or tokenizer of a head-only checkpoint's backbone with the manifest.

    Raises:
        OSError: a file is missing, has changed, or is no regular file.
    """
    for name, digest in manifest.backbone.items():
        if kind_of(name) in kinds:
            _compare(folder / name, digest, "use the revision of the backbone that config.json names")


def digests_of_backbone(folder: Path) -> dict[str, str]:
    """SHA-256 of a backbone's configuration and tokenizer; its weights have theirs in the checkpoint's config.json."""
    files = {"config.json": folder / "config.json"} | files_of_kind(folder, "tokenizer")
    return {name: sha256_of(regular_file(path)) for name, path in files.items()}


def _check_folder(folder: Path, kinds: Iterable[str], manifest: Manifest | None) -> None:
    files = files_of_kind(folder, *kinds)
    if manifest is None:
        for name, path in files.items():
            regular_file(path, folder)
            if name == "adapter_config.json":
                raise OSError(f"{path} does not belong to this checkpoint, whose adapters lie in a folder; remove it")
        return
    for name in manifest.files:
        if not _exists(folder / name):
            raise FileNotFoundError(f"{folder} lacks {name}, which its {MANIFEST} lists; {_remedy()}")
    known_kinds = {kind_of(name) for name in manifest.files}
    for name, path in files.items():
        if name in manifest.files:
            _compare(path, manifest.files[name])
        elif kind_of(name) in OURS or (kind_of(name) == "tokenizer" and "tokenizer" in known_kinds):
            raise OSError(f"{path} does not belong to this checkpoint: its {MANIFEST} does not list it; remove it")
        else:  # saved later by another library
            regular_file(path, folder)


def _compare(path: Path, digest: str, remedy: str = "") -> None:
    if sha256_of(regular_file(path)) != digest:
        raise OSError(f"{path} is not whole, or was changed: its SHA-256 is not in {MANIFEST}; {remedy or _remedy()}")


def _remedy() -> str:
    return f"fetch the checkpoint again or, if you changed it yourself, delete {MANIFEST}"


def _folder(where: Any, source: Mapping[str, Any]) -> Path | None:
    """The checkpoint's folder, unless it is a repository."""
    folder = Path(where) / (source.get("subfolder") or "")
    return folder if folder.is_dir() else None


def _exists(path: Path) -> bool:
    return path.exists() or path.is_symlink()


def _is_table(table: Any) -> bool:
    """Whether a part of the manifest is one: file names inside the folder, with digests."""
    return isinstance(table, dict) and all(
        isinstance(digest, str) and SHA256.fullmatch(digest) and _is_inside(name) for name, digest in table.items()
    )


def _is_inside(name: str) -> bool:
    return kind_of(name) is not None and ".." not in name.split("/") and "\\" not in name
