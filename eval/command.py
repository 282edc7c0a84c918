"""The command `nerret eval`. It loads the runner only when it runs, so that `--help` answers at once."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import Any

from modeling_nerret.cli.arguments import check_device, positive
from modeling_nerret.pretrained.built_in import DEFAULT
from modeling_nerret.training.data.examples import find_file

from .arguments import HALVES, add_machine_arguments, add_type_arguments, check_parents, split_spans
from .systems.names import split_names
from .tasks import BENCHMARKS
from .tasks.type_names import WORDINGS

REPORTS = (".md", ".html")
DESCRIPTION = f"""Measure how well systems find documents by the types of the entities they mention.

CORPUS is a JSONL file with one {{"id", "text", "mentions": [{{"start", "end", "type"}}]}} per line, or the name of a
published benchmark: {", ".join(BENCHMARKS)}. A benchmark is read from --data DIR, or downloaded. A document
is relevant to a type if it mentions an entity of that type. Each system ranks all documents for every type; ties go
by id. The score is R-Precision: the precision among the first R documents, where R is the number of relevant
documents. The 95 % interval of the macro average is a bootstrap over types.

Several files are measured one after another; the last rows are the means over them, each file with the same weight.
"seen / unseen" are the averages over types whose words are names that were trained on (see --seen), and over the
others, with the number of types; they split the types for every system, trained or not. "with subtypes" also counts a
document as right that mentions a subtype (see --subtypes); R stays the same. "seconds" are what the system would take
alone: the modes of a checkpoint share one index, and all systems one detection, and each is charged for the whole.
"""
EPILOG = f"""systems, separated by commas:
  {DEFAULT}             a checkpoint (built-in name, folder or Hub id), searched through its index in hybrid mode
  {DEFAULT}@vector      another mode: @vector, @document or @lexical
  bm25, random              baselines without a model
  st:MODEL                  a sentence-transformers model; st:MODEL@instruct puts an instruction before the type
  bare:BACKBONE@LAYER       value vectors without a head, averaged over the mention; ...@end: of its last token
  last:BACKBONE             last hidden states, averaged over the mention
  gliner:MODEL              one pass of GLiNER for every type (extra gliner)

examples:
  nerret eval news.jsonl --systems {DEFAULT},bm25
  nerret eval dev/fewnerd.jsonl --types dev/types.json --spans gold,predicted --out results.json --plot plots
  nerret eval fewnerd --data ~/few-nerd --limit 5000 --report errors.html
  nerret eval dev/fewnerd.jsonl --types dev/types.json --limit 4000 --half even --systems runs/mine@vector
  nerret eval news.jsonl --spans predicted --detector hf:dslim/bert-base-NER --detection

  all sets, all systems, both kinds of mentions:
  nerret eval dev/*.jsonl --types dev/types.json --exclude-file dev/exclude.json --min-documents 5 \\
    --spans gold,predicted --detection --out results.json \\
    --systems {DEFAULT},{DEFAULT}@vector,{DEFAULT}@document,bm25
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command and its arguments."""
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add: Any = parser.add_argument
    add(
        "corpora",
        nargs="+",
        metavar="CORPUS",
        help="JSONL with gold mentions, as many files as you like; or the name of a benchmark, or beekeeping-test",
    )
    add("--systems", default=f"{DEFAULT},bm25", metavar="NAMES", help=f"see below (default: {DEFAULT},bm25)")
    add("--spans", default="gold", help="mentions that systems receive: gold (default), predicted, or gold,predicted")
    add_type_arguments(parser)
    add("--queries", choices=WORDINGS, default="name", help="the words to ask with for a type (default: its name)")
    add(
        "--seen",
        type=Path,
        metavar="FILE",
        help="names of types that were trained on, one a line; case does not matter (default: those of the texts that "
        "come with nerret, its corpus and its open types, without those of other sets of a recipe)",
    )
    add(
        "--subtypes",
        type=Path,
        metavar="FILE",
        help='JSON: {"set": {"person": ["writer", "politician"]}}, plain names; subtypes of subtypes count too '
        "(default: nerret's own for a set called crossner)",
    )
    add("--data", type=Path, metavar="DIR", help="a local copy of the benchmark")
    add(
        "--half",
        choices=HALVES,
        help="a dev split: every second document, counted from 0; use even to choose settings and odd to check them",
    )
    add("--out", type=Path, metavar="FILE", help="write results as JSON, after each system")
    add("--report", type=Path, metavar="FILE", help="write each type's wrong and missed documents, as .md or .html")
    add("--plot", type=Path, metavar="DIR", help="draw plots of the first two systems")
    add(
        "--detector",
        default=DEFAULT,
        metavar="NAME",
        help="predicts mentions: a checkpoint, hf:MODEL (token classifier), gliner:MODEL or generative:MODEL "
        f"(default: {DEFAULT})",
    )
    add(
        "--detection",
        action="store_true",
        help="also score the detector, and say what becomes of relevant documents: a mention of the type is proposed "
        "exactly, with another span or not at all, or the document has no proposal (needs --spans predicted)",
    )
    add_machine_arguments(parser)
    add("--batch-size", type=positive, default=32, metavar="N", help="texts in a batch (default: 32)")
    add("--seed", type=int, default=0, help="for the random order and the bootstrap (default: 0)")
    add("--trust-remote-code", action="store_true", help="let st: models run code from their repositories")


def run(options: argparse.Namespace) -> int:
    """Measure the systems; returns the exit code.

    Raises:
        ValueError: an option or a file has an unknown form.
        OSError: a file, model or benchmark is missing.
        ImportError: a system needs a package that is not installed.
    """
    check(options)
    from .run import run_command

    run_command(options)
    return 0


def check(options: argparse.Namespace) -> None:
    """Refuse at once what would fail later.

    Raises:
        ValueError: an option has an unknown form, or a corpus is missing.
        OSError: there is no folder for an output file.
    """
    check_corpora(options)
    split_names(options.systems)
    if options.detection and "predicted" not in split_spans(options.spans):
        raise ValueError("--detection scores predicted mentions; add --spans predicted")
    if options.report and options.report.suffix not in REPORTS:
        raise ValueError(f"--report {options.report} must end in .md or .html")
    check_parents(options.out, options.report)
    check_device(options.device)


def check_corpora(options: argparse.Namespace) -> None:
    """Refuse corpora that are missing, or that options do not fit.

    Raises:
        ValueError: see above.
    """
    corpora, names = options.corpora, Counter[str]()
    for corpus in corpora:
        path = None if corpus in BENCHMARKS else find_file(corpus)
        if corpus not in BENCHMARKS and (path is None or not path.is_file()):
            raise ValueError(f"no corpus at {corpus!r}; give a JSONL file or one of {', '.join(BENCHMARKS)}")
        names[corpus if path is None else path.stem] += 1
    benchmarks = [corpus for corpus in corpora if corpus in BENCHMARKS]
    if benchmarks and options.half:
        raise ValueError("--half splits files; published benchmarks have their own splits")
    if benchmarks and len(corpora) > 1:
        raise ValueError(f"the benchmark {benchmarks[0]!r} is measured alone; give several files, or one benchmark")
    name, count = names.most_common(1)[0]
    if count > 1:
        raise ValueError(f"{count} corpora are called {name!r}, so that results could not be told apart; rename a file")
    if options.types_key and len(corpora) > 1:
        raise ValueError("--types-key names one set; with several corpora each takes the set named as its file")
