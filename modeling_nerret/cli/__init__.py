"""The command `nerret`. Each of its commands is a file, here or in the folder that does its work.

A file is imported when its command is used. It has two functions: `add_arguments(parser)`, and `run(options)`, which
returns the exit code. It imports what it needs inside `run`, so that help and errors come at once.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple, NoReturn

from .. import __version__
from ..extras import install_line
from ..index.plain_text import visible
from .signals import Termination, terminations
from .streams import as_text, drop_output, finish_output, prepare_streams, say

OK, FAILURE, INTERRUPTED = 0, 1, 130  # argparse exits with 2 for bad usage
EXPECTED = (ValueError, OSError, RuntimeError, ImportError)
LONGEST_MESSAGE = 2_000  # characters

EPILOG = """examples:
  nerret demo
  nerret index articles.jsonl my-index
  nerret search my-index "drug that lowers blood pressure"
  nerret search my-index politician --and disease --precision 0.8
  nerret search my-index dinosaur --where "year>=1990" --json | jq .id
  nerret entities my-index "politician" --with "country" --csv
  cat articles.jsonl | nerret index - my-index

nerret COMMAND --help explains a command.
"""


class Command(NamedTuple):
    """Where a command is, what it does in one line, and the extra of the package that it needs, if any."""

    module: str
    summary: str
    extra: str = ""


COMMANDS = {
    "demo": Command("cli.demo", "index 339 short texts that come with nerret, and ask for three types"),
    "index": Command("cli.index", "add a corpus to an index; run it again to go on where it stopped"),
    "search": Command("cli.search", "list the documents that mention an entity of a type"),
    "entities": Command("cli.entities", "list the entities of a type, and how many documents mention each"),
    "open": Command("cli.open", "print a stored document, with the mentions of a type marked"),
    "mark": Command("cli.mark", "judge some documents, so that a query finds more and knows better where to end"),
    "types": Command("cli.types", "show which types an index holds"),
    "app": Command("cli.app", "ask an index in the browser, on this computer only", "app"),
    "serve": Command("cli.serve", "answer programs over HTTP, from one index or several", "serve"),
    "mcp": Command("cli.mcp", "give an index to a language model, as tools (MCP)", "mcp"),
    "export": Command("cli.export", "write an index's mentions as a bulk file for Qdrant, Elasticsearch or OpenSearch"),
    "detect": Command("cli.detect", "show the mentions that a detector finds, without an index"),
    "delete": Command("cli.delete", "remove documents from an index"),
    "compact": Command("cli.compact", "give the space of deleted and replaced documents back to the disk"),
    "check": Command("cli.check", "verify an index: its files, documents, mentions and vectors"),
    "info": Command("cli.info", "say what an index holds"),
    "models": Command("cli.models", "list the models that come with nerret"),
    "convert": Command("cli.convert", "make a checkpoint of the published head of NER Retriever"),
    "train": Command("training.command", "teach a model your own types", "train"),
    "eval": Command("eval.command", "measure systems on an annotated corpus", "eval"),
    "probe": Command("eval.probe_command", "find the block of a transformer that knows most about types", "eval"),
    "calibrate": Command("eval.calibrate_command", "teach a checkpoint how sure its answers may be", "eval"),
    "card": Command("hub_card.card_command", "write a checkpoint as a complete repository of the Hub", "eval"),
    "space": Command("hub_card.space_command", "write a Space of the Hub that searches in the browser", "space"),
    "push": Command("hub_card.push_command", "upload such a repository"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns:
        The exit code: 0, 1 (failure), 2 (bad usage), 3 (done, but for files that could not be read), 130 (Ctrl-C),
        143 (SIGTERM) or 129 (SIGHUP). Every failure is one line on standard error.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    name = next((argument for argument in arguments if argument in COMMANDS), None)
    prepare_streams()
    try:
        with terminations():
            code = run_command(arguments, name)
            finish_output()
            return code
    except KeyboardInterrupt as interrupt:
        ending = f"ended by {interrupt}" if isinstance(interrupt, Termination) else "interrupted"
        say(f"nerret: {ending}; finished work is kept, run the command again to go on")
        return interrupt.code if isinstance(interrupt, Termination) else INTERRUPTED
    except BrokenPipeError:
        return OK  # the reader of our output has gone, which is no error
    except BaseException as error:  # Rust's panics are no Exception
        if isinstance(error, SystemExit) or "--debug" in arguments:
            raise
        say(f"nerret: {_message(error, name)}")
        return FAILURE
    finally:
        drop_output()


def run_command(arguments: Sequence[str], name: str | None = None) -> int:
    """Run a command inside of another one; errors are raised.

    Args:
        arguments: the command line, without "nerret".
        name: the command; `None`: the first argument.

    Returns:
        The exit code.
    """
    name = name or (arguments[0] if arguments and arguments[0] in COMMANDS else None)
    for argument in arguments:
        as_text(argument)
    try:
        options = _parser(name).parse_args(arguments)
    except SystemExit:  # after help, which may be too much for a full disk
        finish_output()
        raise
    code: int = options.run(options)
    return code


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are fit for a terminal."""

    def error(self, message: str) -> NoReturn:
        super().error(visible(message))

    def _print_message(self, message: str, file: Any = None) -> None:
        """Print help and version; argparse would pass over a standard output that cannot be written."""
        if file is sys.stdout:
            print(message, end="", file=file)
        else:
            super()._print_message(message, file)


def _parser(name: str | None) -> argparse.ArgumentParser:
    """The parser; of the commands only `name` gets its arguments."""
    parser = _Parser(
        prog="nerret",
        description="Find every document that mentions an entity of a type that nobody foresaw.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"nerret {__version__}")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command_name, command in COMMANDS.items():
        subparser = commands.add_parser(command_name, help=command.summary, description=command.summary)
        if command_name == name:
            subparser.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
            module = importlib.import_module(f"modeling_nerret.{command.module}")
            module.add_arguments(subparser)
            subparser.set_defaults(run=module.run)
    return parser


def _message(error: BaseException, name: str | None) -> str:
    """An error on one line, with the command that installs what is missing."""
    message = " ".join(str(error).split())
    if len(message) > LONGEST_MESSAGE:
        message = message[:LONGEST_MESSAGE] + " ..."
    extra = COMMANDS[name].extra if name else ""
    if isinstance(error, ModuleNotFoundError) and extra:
        return f"{name} needs more packages ({message}); install them with: {install_line(extra)}"
    if isinstance(error, MemoryError):
        return "memory ran out; finished work is kept, run the command again with more memory or shorter documents"
    if message and isinstance(error, EXPECTED) and not isinstance(error, RecursionError):
        return message
    return f"unexpected {type(error).__name__}{message and ': '}{message}; run it again with --debug to see where"
