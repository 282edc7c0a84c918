"""Upload a folder as a repository of the Hub, in one commit with a version's tag.

FOLDER is what `python -m hub_card.build` wrote, or, with --space, a Space: `eval/r_precision` (the metric) or
`hub_card/space` (the demo). Credentials are huggingface_hub's own: `hf auth login`, or HF_TOKEN.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from huggingface_hub import CommitOperationAdd, HfApi
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils import validate_repo_id

from .card import TAG

LEFT_OUT = ("__pycache__", ".git", ".cache", ".ipynb_checkpoints")
EPILOG = """examples:
  python -m hub_card.push build/nerret-minilm me/nerret-minilm --dry-run
  python -m hub_card.push eval/r_precision me/r_precision --space
  python -m hub_card.push hub_card/space me/nerret --space
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit code: 0, or 2 where nothing was uploaded."""
    options = _parser().parse_args(arguments)
    kind = "space" if options.space else "model"
    try:
        if options.dry_run:
            print(listing(options.folder, options.repository, kind, options.private))
        else:
            print(push(options.folder, options.repository, kind, options.private))
        return 0
    except (ValueError, OSError, HfHubHTTPError) as error:
        print(f"hub_card.push: {' '.join(str(error).split())}", file=sys.stderr)
        return 2


def files_of(folder: Path) -> list[Path]:
    """What is uploaded, relative to the folder, in name order.

    Raises:
        OSError: there is no such folder, or it holds no README.md, which every repository needs.
    """
    if not (folder / "README.md").is_file():
        raise OSError(f"{folder} is no repository to upload: it holds no README.md")
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in found if not set(path.parts) & set(LEFT_OUT) and path.suffix != ".pyc")


def listing(folder: Path, repository: str, kind: str = "model", private: bool = False) -> str:
    """What would be uploaded, with sizes; the network is not asked.

    Raises:
        ValueError: the repository's id is of another form than `owner/name`.
        OSError: see `files_of`.
    """
    check_id(repository)
    files = files_of(folder)
    sizes = [(folder / path).stat().st_size for path in files]
    lines = [f"{_size(size):>10}  {path.as_posix()}" for path, size in zip(files, sizes, strict=True)]
    where = f"the {'private ' if private else ''}{kind} {repository}"
    total = f"{_size(sum(sizes)):>10}  in {len(files)} files"
    return "\n".join([f"would upload to {where}, one commit, tag {TAG}:", *lines, total])


def push(folder: Path, repository: str, kind: str = "model", private: bool = False, api: Any = None) -> str:
    """Upload a folder in one commit and tag it.

    Args:
        folder: what to upload.
        repository: `owner/name`; made if it is not there.
        kind: `"model"` or `"space"`.
        private: make a new repository private, and refuse one that others can read.
        api: what talks to the Hub.

    Returns:
        The commit's address.

    Raises:
        ValueError: the id has another form, the version's tag is there already, or the repository is public and was to
            be private.
        OSError: see `files_of`.
        HfHubHTTPError: the Hub refused.
    """
    check_id(repository)
    files = files_of(folder)
    api = api or HfApi()
    sdk = {"space_sdk": "gradio"} if kind == "space" else {}
    api.create_repo(repository, repo_type=kind, private=private or None, exist_ok=True, **sdk)
    if private and not api.repo_info(repository, repo_type=kind).private:
        raise ValueError(f"{repository} exists and is public; make it private first, or push without --private")
    if TAG in [tag.name for tag in api.list_repo_refs(repository, repo_type=kind).tags]:
        raise ValueError(f"{repository} has a revision {TAG} already; raise the version before pushing something else")
    operations = [CommitOperationAdd(path.as_posix(), folder / path) for path in files]
    commit = api.create_commit(repository, operations, commit_message=f"nerret {TAG}", repo_type=kind)
    api.create_tag(repository, tag=TAG, revision=commit.oid, repo_type=kind)
    return str(commit.commit_url)


def check_id(repository: str) -> None:
    """Refuse what is no `owner/name`.

    Raises:
        ValueError: the message says what is accepted.
    """
    validate_repo_id(repository)
    if repository.count("/") != 1:
        raise ValueError(f"{repository!r} is no repository id; write owner/name")


def _size(size: int) -> str:
    return f"{size / 1e6:,.1f} MB" if size >= 1e6 else f"{size / 1e3:,.1f} kB"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m hub_card.push",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="what to upload")
    parser.add_argument("repository", metavar="REPO_ID", help="owner/name; made if it is not there")
    parser.add_argument("--space", action="store_true", help="the repository is a Space, not a model")
    parser.add_argument("--private", action="store_true", help="make it private")
    parser.add_argument("--dry-run", action="store_true", help="only print what would be uploaded, with sizes")
    return parser


if __name__ == "__main__":
    sys.exit(main())
