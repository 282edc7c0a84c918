"""Upload a folder as a repository of the Hub, in one commit with a tag for the version."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from huggingface_hub import CommitOperationAdd, HfApi, metadata_load
from huggingface_hub.utils import validate_repo_id

import modeling_nerret
from modeling_nerret.weights import ask_hub

from .contents import contents

SDKS = ("gradio", "docker", "static")  # what runs a Space
TAG = f"v{modeling_nerret.__version__}"


def list_upload(folder: Path, repository: str, kind: str = "model", private: bool = False) -> str:
    """What would be uploaded, with sizes. It needs no network.

    Raises:
        ValueError: the repository's id is not `owner/name`.
        OSError: see `contents`.
    """
    check_id(repository)
    files = contents(folder).files
    sizes = [(folder / path).stat().st_size for path in files]
    lines = [f"{_size(size):>10}  {path.as_posix()}" for path, size in zip(files, sizes, strict=True)]
    target = f"the {'private ' if private else ''}{kind} {repository}"
    total = f"{_size(sum(sizes)):>10}  in {len(files)} files"
    return "\n".join([f"would upload to {target}, one commit, tag {TAG}:", *lines, total])


def push(folder: Path, repository: str, kind: str = "model", private: bool = False, api: Any = None) -> str:
    """Upload a folder in one commit and tag it.

    Args:
        folder: what to upload.
        repository: `owner/name`; created if it does not exist.
        kind: `"model"` or `"space"`.
        private: make a new repository private, and refuse one that others can read.
        api: the client of the Hub; `None`: `HfApi()`.

    Returns:
        The commit's address.

    Raises:
        ValueError: the id is not `owner/name`, this version was pushed before, or the repository is public although
            `private` was asked for.
        OSError: see `contents`; or the Hub refused or could not be reached.
    """
    check_id(repository)
    files = contents(folder).files
    api = api or HfApi()
    sdk = {"space_sdk": _sdk(folder)} if kind == "space" else {}
    ask_hub(lambda: api.create_repo(repository, repo_type=kind, private=private or None, exist_ok=True, **sdk))
    if private and not ask_hub(lambda: api.repo_info(repository, repo_type=kind)).private:
        raise ValueError(f"{repository} exists and is public; make it private first, or push without --private")
    references = ask_hub(lambda: api.list_repo_refs(repository, repo_type=kind))
    if TAG in [tag.name for tag in references.tags]:
        raise ValueError(f"{repository} has a revision {TAG} already; raise the version before you push again")
    operations = [CommitOperationAdd(path.as_posix(), folder / path) for path in files]
    commit = ask_hub(lambda: api.create_commit(repository, operations, commit_message=f"nerret {TAG}", repo_type=kind))
    ask_hub(lambda: api.create_tag(repository, tag=TAG, revision=commit.oid, repo_type=kind))
    return str(commit.commit_url)


def list_omissions(folder: Path) -> str:
    """What of a folder would not be uploaded, and why, a line for each file or folder; empty if nothing.

    Raises:
        OSError: see `contents`.
    """
    return "\n".join(f"left out: {name!a} ({reason})" for name, reason in contents(folder).omissions.items())


def check_id(repository: str) -> None:
    """Refuse an id that is not `owner/name`.

    Raises:
        ValueError: the message says what is accepted.
    """
    validate_repo_id(repository)
    if repository.count("/") != 1:
        raise ValueError(f"{repository!r} is no repository id; write owner/name")


def _sdk(folder: Path) -> str:
    """What runs a Space, as its README.md says.

    Raises:
        ValueError: README.md does not say it.
    """
    sdk = (metadata_load(folder / "README.md") or {}).get("sdk")
    if sdk not in SDKS:
        raise ValueError(f"{folder / 'README.md'} has sdk: {sdk}; of a Space it must be one of {', '.join(SDKS)}")
    return str(sdk)


def _size(size: int) -> str:
    return f"{size / 1e6:,.1f} MB" if size >= 1e6 else f"{size / 1e3:,.1f} kB"
