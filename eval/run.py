"""Measure systems on an annotated corpus.

CORPUS is JSONL, {"id", "text", "mentions": [{"start", "end", "type"}]} a line, or the name of a published benchmark:
fewnerd, multiconer2, neretrieve (taken from --data DIR, else from the network). A document is relevant to a type if it
mentions an entity of it. Every system ranks all documents for every type, ties in order of the ids, and is scored by
R-Precision: precision among the first R, R being the number of relevant documents. The macro average's 95 % interval
is a bootstrap over types.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path

import datasets
import transformers

from . import benchmarks
from .corpora import ASKED, EXCLUDED, Task, make_task, read_corpus, read_names
from .detection import score_detection
from .measure import Outcome, measure
from .report import check_suffix, write_report
from .systems import FORMS, build
from .trial import Options, System, Trial
from modeling_nerret.pretrained.checkpoints import DEFAULT

SPANS = ("gold", "predicted")
HALVES = ("even", "odd")
EPILOG = f"""systems, separated by commas:
  {DEFAULT}            a checkpoint (built-in name, folder or Hub id) through its index, hybrid search
  {DEFAULT}@vector     only vectors; @lexical: only BM25 of the index
  bm25, random              what costs nothing
  st:MODEL                  any sentence-transformers model; st:MODEL@instruct: with an instruction before the type
  bare:BACKBONE@LAYER       value vectors without a head, averaged over the mention; ...@end: of its last token
  last:BACKBONE             last hidden states at the mention
  gliner:MODEL              a GLiNER pass for every type (pip install 'nerret[gliner]')

examples:
  python -m eval.run news.jsonl --systems {DEFAULT},bm25
  python -m eval.run dev/fewnerd.jsonl --types dev/types.json --spans gold,predicted --out results.json --plot plots
  python -m eval.run fewnerd --data ~/few-nerd --limit 5000 --report errors.html
  python -m eval.run dev/fewnerd.jsonl --types dev/types.json --limit 4000 --half even --systems runs/mine@vector
  python -m eval.run news.jsonl --spans predicted --detector hf:dslim/bert-base-NER --detection
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit code: 0, 2 (bad usage), or 130 (interrupted)."""
    options = _parser().parse_args(arguments)
    if not sys.stderr.isatty():  # the libraries' bars fill logs; ours do not show there
        transformers.utils.logging.disable_progress_bar()
        datasets.disable_progress_bars()
    try:
        _refuse(options)
        session = Session(options, _task(options))
        systems = [(name, build(name)) for name in _listed(options.systems, "systems")]
        for spans in _spans(options.spans):
            session.run(spans, systems)
        return 0
    except KeyboardInterrupt:
        print("eval.run: interrupted; results of the systems that were done are in --out", file=sys.stderr)
        return 130
    except (ValueError, OSError, ImportError) as error:
        print(f"eval.run: {' '.join(str(error).split())}", file=sys.stderr)
        return 2


@dataclass
class Session:
    """One run of the command: its task, and what came out so far."""

    options: argparse.Namespace
    task: Task
    outcomes: list[Outcome] = field(default_factory=list)

    def run(self, spans: str, systems: Sequence[tuple[str, System]]) -> None:
        """Measure all systems with one kind of mentions; whatever is done is printed and written at once."""
        wanted = self.options
        how = Options(
            wanted.device, wanted.batch_size, wanted.dtype, wanted.seed, wanted.detector, wanted.trust_remote_code
        )
        trial = Trial(self.task, spans, how)
        if wanted.detection and spans == "predicted":
            print_detection(trial)
        done: list[Outcome] = []
        for name, system in systems:
            done.append(measure(trial, name, system, with_mentions=wanted.report is not None))
            print_result(done[-1], header=not self.outcomes)
            self.outcomes.append(done[-1])
            if wanted.out:
                results = [outcome.result for outcome in self.outcomes]
                wanted.out.write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        if wanted.report:
            write_report(wanted.report, self.task, self.outcomes)
        if wanted.plot:
            from .plots import plot_outcomes

            plot_outcomes(wanted.plot, self.task, done)


def print_result(outcome: Outcome, header: bool) -> None:
    """A row of a Markdown table on standard output, and a warning for types whose ranking is cut short."""
    one = outcome.result
    low, high = one["ci95"]
    if header:
        print("| system | spans | corpus | R-Precision | 95 % interval | bytes/document | seconds |")
        print("|---|---|---|---|---|---|---|")
    print(
        f"| {one['system']} | {one['spans']} | {one['corpus']} | {one['macro_r_precision']:.3f} | "
        f"{low:.3f}-{high:.3f} | {one['bytes_per_document']:.0f} | {one['seconds']:.0f} |",
        flush=True,
    )
    if outcome.short:
        counts = ", ".join(f"{name} {returned}/{r}" for name, (returned, r) in outcome.short.items())
        print(
            f"eval.run: {one['system']} ({one['spans']}) returned fewer than R documents for {len(outcome.short)} of "
            f"{one['n_types']} types; missing places count as wrong: {counts}",
            file=sys.stderr,
        )


def print_detection(trial: Trial) -> None:
    """Detection scores on standard output, as a Markdown table."""
    documents = trial.task.documents
    found = [document.mentions for document in trial.documents]
    scores = asdict(score_detection([one.text for one in documents], [one.mentions for one in documents], found))
    print(f"| detector | corpus | {' | '.join(name.replace('_', ' ') for name in scores)} |")
    print("|---" * (2 + len(scores)) + "|")
    print(f"| {trial.options.detector} | {trial.task.name} | {' | '.join(f'{one:.3f}' for one in scores.values())} |\n")


def _refuse(options: argparse.Namespace) -> None:
    """Refuse at once what would fail after hours."""
    if options.report:
        check_suffix(options.report)
    if options.detection and "predicted" not in _spans(options.spans):
        raise ValueError("--detection scores predicted mentions; add --spans predicted")
    for path in (options.out, options.report):
        if path and not path.parent.is_dir():
            raise OSError(f"there is no folder {path.parent} for {path}; make it first")


def _task(options: argparse.Namespace) -> Task:
    path = Path(options.corpus)
    if options.corpus in benchmarks.NAMES:
        if options.half:
            raise ValueError("--half cuts files, not published benchmarks, which have splits of their own")
        names = read_names(options.types, options.types_key, options.corpus)
        return benchmarks.load(options.corpus, options.data, names, options.exclude, options.queries, options.limit)
    if not path.is_file():
        raise ValueError(f"no corpus at {options.corpus!r}; give a JSONL file or one of {', '.join(benchmarks.NAMES)}")
    names = read_names(options.types, options.types_key, path.stem)
    texts, name = read_corpus(path, options.limit), path.stem
    if options.half:
        texts, name = islice(texts, HALVES.index(options.half), None, 2), f"{name}-{options.half}"
    return make_task(name, texts, names, options.exclude, options.queries)


def _listed(value: str, what: str) -> list[str]:
    names = [name.strip() for name in value.split(",") if name.strip()]
    if not names:
        raise ValueError(f"--{what} is empty; accepted are, separated by commas: {FORMS}")
    return names


def _spans(value: str) -> list[str]:
    names = [name.strip() for name in value.split(",")]
    if unknown := [name for name in names if name not in SPANS]:
        raise ValueError(f"--spans has {unknown[0]!r}; write gold, predicted, or gold,predicted")
    return names


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m eval.run",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("corpus", metavar="CORPUS", help="JSONL with gold mentions, or the name of a benchmark")
    add("--systems", default=f"{DEFAULT},bm25", metavar="NAMES", help=f"see below (default: {DEFAULT},bm25)")
    add("--spans", default="gold", help="mentions given to systems: gold, predicted, or both: gold,predicted")
    add("--types", type=Path, metavar="FILE", help='JSON: {"label": "plain name", ...} (default: labels as they are)')
    add("--types-key", metavar="SET", help="the set in a types file of several (default: the corpus's name)")
    add("--exclude", default=EXCLUDED, metavar="REGEX", help=f"types that are no queries (default: {EXCLUDED!r})")
    add("--queries", choices=ASKED, default="name", help="what is asked for a type (default: its name)")
    add("--data", type=Path, metavar="DIR", help="local copy of a benchmark")
    add("--limit", type=positive, metavar="N", help="only the first N documents")
    add(
        "--half",
        choices=HALVES,
        help="a dev split: of these, counted from 0, only the even documents (to choose by) or the odd (to check)",
    )
    add("--out", type=Path, metavar="FILE", help="write results as JSON")
    add("--report", type=Path, metavar="FILE", help="write wrong and missed documents of each type: .md or .html")
    add("--plot", type=Path, metavar="DIR", help="draw pictures; bars compare the first two systems")
    add(
        "--detector",
        default=DEFAULT,
        metavar="NAME",
        help="finds predicted mentions: a checkpoint, hf:MODEL (token classifier), gliner:MODEL or generative:MODEL",
    )
    add("--detection", action="store_true", help="also score the detector (needs --spans predicted)")
    add("--device", default="cpu", help="cpu (default), cuda, mps")
    add("--dtype", default="float32", help="of backbones: float32 (default), bfloat16, float16")
    add("--batch-size", type=positive, default=32, metavar="N", help="texts in a batch (default: 32)")
    add("--seed", type=int, default=0, help="of random order and bootstrap (default: 0)")
    add("--trust-remote-code", action="store_true", help="let st: models run code from their repositories")
    return parser


def positive(value: str) -> int:
    """A whole number from 1, for argparse."""
    if not value.isdigit() or int(value) < 1:
        raise argparse.ArgumentTypeError(f"{value!r} is no whole number from 1")
    return int(value)


if __name__ == "__main__":
    sys.exit(main())
