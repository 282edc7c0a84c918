"""The command `nerret push`. It loads huggingface_hub only when it runs, so that `--help` answers at once."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

DESCRIPTION = """Upload a folder as a repository of the Hugging Face Hub, in one commit with a tag for the version.

FOLDER is a model repository that `nerret card` wrote or, with --space, a Space: one that `nerret space` wrote, or
eval/r_precision (the metric) or hub_card/space (the app) in a checkout of nerret. Log in first with `hf auth login`, or
set HF_TOKEN. Only kinds of files that such repositories have are uploaded; links, hidden files and what looks like a
secret are left out and named.
"""
EPILOG = """examples:
  nerret push build/nerret-minilm me/nerret-minilm --dry-run
  nerret push eval/r_precision me/r_precision --space
  nerret push build/nerret-space me/nerret --space
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command and its arguments."""
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="what to upload")
    parser.add_argument("repository", metavar="REPO_ID", help="owner/name; created if it does not exist")
    parser.add_argument("--space", action="store_true", help="the repository is a Space, not a model")
    parser.add_argument("--private", action="store_true", help="make it private")
    parser.add_argument("--dry-run", action="store_true", help="only list what would be uploaded, with sizes")


def run(options: argparse.Namespace) -> int:
    """Upload the folder, or list what would be uploaded.

    Raises:
        ValueError: the id is not `owner/name`, this version was pushed before, or the repository is public despite
            `--private`.
        OSError: the folder holds no README.md, or the Hub refused.
    """
    from .push import check_id, list_omissions, list_upload, push

    check_id(options.repository)
    if omissions := list_omissions(options.folder):
        print(omissions, file=sys.stderr)
    kind = "space" if options.space else "model"
    send = list_upload if options.dry_run else push
    print(send(options.folder, options.repository, kind, options.private))
    return 0
