"""`nerret serve`: answer over HTTP."""

from __future__ import annotations

import argparse
import os

from .arguments import positive
from .streams import as_text, say

EPILOG = """examples:
  nerret serve my-index
  nerret serve news=indexes/2026 letters=indexes/letters --port 9000
  nerret serve my-index --token-file tokens.txt --host 0.0.0.0
  curl localhost:8000/search -H 'content-type: application/json' -d '{"query": "dinosaur", "k": 3}'

Without tokens, only programs on this computer are answered, and nobody may write. The token file has a token a line,
after "read" or "write"; NERRET_READ_TOKEN and NERRET_WRITE_TOKEN do the same. GET /openapi.json describes all
addresses.
"""
LOCAL = ("localhost", "127.0.0.1", "::1")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.epilog, parser.formatter_class = EPILOG, argparse.RawDescriptionHelpFormatter
    add = parser.add_argument
    add("indexes", nargs="+", type=as_text, metavar="INDEX", help="an index folder, or NAME=FOLDER to call it NAME")
    add("--host", default="127.0.0.1", help="default: 127.0.0.1, which only this computer reaches")
    add("--port", type=_port, default=8000, metavar="N", help="default: 8000; 0 takes any that is free")
    add("--token-file", metavar="FILE", help='a token a line: "read TOKEN" or "write TOKEN"')
    add("--cors", action="append", default=[], metavar="ORIGIN", help="a page that may ask; may be repeated")
    add("--max-k", type=positive, default=1_000, metavar="N", help="most documents of an answer (default: 1000)")
    add("--max-add", type=positive, default=16, metavar="MB", help="most megabytes of an addition (default: 16)")


def run(options: argparse.Namespace) -> int:
    """Answer until Ctrl-C or SIGTERM; requests in progress are finished.

    Raises:
        ValueError: a path is no index, or the server would answer strangers without a token.
        OSError: the port is taken, or a file is not there.
    """
    from ..index.folder import read_manifest
    from ..serve.paths import read_paths
    from ..serve.tokens import read_tokens

    tokens = read_tokens(options.token_file, os.environ)
    if not tokens and options.host not in LOCAL:
        raise ValueError(
            f"--host {options.host} would let other computers ask without a token; give --token-file FILE or set "
            "NERRET_READ_TOKEN"
        )
    paths = read_paths(options.indexes)
    for path in paths.values():
        read_manifest(path)  # wrong paths should say so before a model is loaded

    from ..serve.server import open_socket
    from ..serve.server import run as answer

    listener = open_socket(options.host, options.port)

    from ..index.memory import share_heap
    from ..serve.api import make_app
    from ..serve.indexes import Indexes

    share_heap()
    indexes = Indexes(paths)
    app = make_app(indexes, tokens, options.max_k, options.max_add * 1_000_000, options.cors)
    switch = "on" if tokens.can_write else "off"
    answer(app, listener, lambda address: say(f"{', '.join(indexes)}: {address}, writing is {switch}"))
    say("nerret: stopped")
    return 0


def _port(value: str) -> int:
    """A port, for argparse."""
    if value.isascii() and value.isdigit() and int(value) < 65_536:
        return int(value)
    raise argparse.ArgumentTypeError(f"{value!r} is not a whole number from 0 to 65535")
