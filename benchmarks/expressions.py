"""Queries that say more than a name: wordings, examples, counterexamples, and types joined to expressions.

    python -m benchmarks.expressions --gains dev/fewnerd.jsonl dev/multiconer2.jsonl dev/crossner.jsonl \\
        --depths dev/crossner.jsonl dev/fewnerd.jsonl dev/semcor.jsonl --types dev/types.json \\
        --exclude-file dev/exclude.json --vectors FOLDER

`--gains` makes a table of what each means adds to the name alone. Other wordings are those of the project's corpus, for
the types whose first wording equals the query; examples are gold mentions, and their documents are not ranked; the
counterexample is the name of the type that most wrong documents among the first are right for, by the gold labels.

`--depths` makes a test in the manner of LIMIT+ and QUEST: random expressions of AND, OR and NOT, each with five or more
right documents and at most 5 % of all, where each joint changes which documents are right. Depth 0 is a type alone, and
a joint is one deeper than the deeper of its two parts. All is made in memory, from all documents of a set.
"""

from __future__ import annotations

import argparse
import random
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.answers import read_collection, say
from modeling_nerret.encoding import Encoder
from modeling_nerret.eval.arguments import add_type_arguments
from modeling_nerret.eval.calibration.collection import Collection, embed_queries
from modeling_nerret.eval.calibration.fit import is_unknown
from modeling_nerret.eval.calibration.run import load_task
from modeling_nerret.eval.systems.baselines import bm25
from modeling_nerret.eval.systems.sentences import sentence_model
from modeling_nerret.eval.systems.trial import Settings, System, Trial
from modeling_nerret.index.answers.type_query import Expression, Type
from modeling_nerret.index.answers.type_vectors import embed_type
from modeling_nerret.pretrained.built_in import DEFAULT
from modeling_nerret.pretrained.calibration import Belief
from modeling_nerret.pretrained.checkpoints import Checkpoint, load_checkpoint
from modeling_nerret.training.data.corpus import read_corpus_types

STOCK = "sentence-transformers/all-MiniLM-L6-v2"
LEAST, MOST = 5, 0.05  # right documents of an expression: number, and share of all
WORDINGS, EXAMPLES = 2, 5  # that are added to a name
ENOUGH = 20  # gold mentions of a type that gives examples
DEPTHS = range(5)
COUNT = 50  # expressions of each depth
POOL, TRIES = 200, 20_000  # of each depth and joint: parts of deeper expressions, and pairs that are tried for them
CUT = 100  # documents within which recall is measured
# Each joins expressions, and the right documents of expressions
JOINTS: Mapping[str, Callable[[Any, Any], Any]] = {
    "and": lambda left, right: left & right,
    "or": lambda left, right: left | right,
    "and not": lambda left, right: left & ~right,
}
Record = dict[str, Any]


@dataclass(frozen=True)
class Bench:
    """A set, and the checkpoint whose vectors of it are in memory."""

    checkpoint: Checkpoint
    collection: Collection

    @cached_property
    def encoder(self) -> Encoder:
        """Of the checkpoint."""
        assert self.checkpoint.detector is not None
        return Encoder(self.checkpoint.model, self.checkpoint.tokenizer, self.checkpoint.detector)

    @cached_property
    def queries(self) -> list[str]:
        """Names of the types."""
        return self.collection.task.queries

    @cached_property
    def scores(self) -> np.ndarray:
        """Hybrid scores of the names alone. (types, documents)"""
        return self.collection.scores(self.checkpoint.model.config, self.queries, self.collection.queries)

    @cached_property
    def beliefs(self) -> dict[str, Belief]:
        """What is believed of all documents, by type."""
        calibration = self.checkpoint.calibration
        assert calibration is not None
        beliefs = {}
        for query, vector, row in zip(self.queries, self.collection.queries, self.scores, strict=True):
            unknown = is_unknown(self.collection, self.encoder, query)
            beliefs[query] = calibration.believe(row, calibration.absent(float(row.max()), vector, unknown))
        return beliefs

    def chances(self, expression: Expression) -> np.ndarray:
        """Probabilities of all documents, joined as a search joins them. (documents,)"""
        tables = {type_: self.beliefs[type_.name].drawn(seed) for seed, type_ in enumerate(expression.types())}
        return np.asarray(expression.chances(tables.__getitem__).mean(1))

    def scores_of(self, type_: Type) -> np.ndarray:
        """Hybrid scores of a type with all that it says. (documents,)"""
        vector = embed_type(self.encoder, type_)
        return self.collection.scores(self.checkpoint.model.config, [type_.name], vector[None])[0]


def quality(scores: np.ndarray, relevant: np.ndarray) -> tuple[float, float]:
    """R-Precision, and recall within the first `CUT`; documents with a score of -inf are not returned.

    Example:
        >>> quality(np.array([0.9, 0.8, 0.1, -np.inf]), np.array([True, False, False, True]))
        (0.5, 0.5)
    """
    order = np.argsort(-scores, kind="stable")
    right, total = relevant[order] & (scores[order] > -np.inf), int(relevant.sum())
    return float(right[:total].mean()), float(right[:CUT].sum() / total)


def gain_records(bench: Bench) -> Iterator[Record]:
    """R-Precision of each query with one more means, and without it."""
    for kind, make in (("wordings", wording_pairs), ("examples", example_pairs), ("unlike", unlike_pairs)):
        for plain, better, relevant in make(bench):
            yield _record(bench, kind, plain, better, relevant)
    for left, right in permutations(range(len(bench.queries)), 2):
        relevant = bench.collection.relevant[[left, right]]
        if relevant.all(0).sum() < LEAST:
            continue
        types, scores = [Type(bench.queries[number]) for number in (left, right)], bench.scores[[left, right]]
        if left < right:
            product = bench.chances(types[0] & types[1])
            yield _record(bench, "minimum", scores.min(0), product, relevant.all(0))
            yield _record(bench, "fusion", fusion(scores), product, relevant.all(0))
        rest = relevant[0] & ~relevant[1]
        if rest.sum() >= LEAST:
            yield _record(bench, "without", scores[0], bench.chances(types[0] & ~types[1]), rest)


Pairs = Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]  # scores without and with a means, and what is right


def wording_pairs(bench: Bench) -> Pairs:
    """With other wordings of the project's corpus."""
    types = read_corpus_types()
    for number, query in enumerate(bench.queries):
        wordings = types[query].wordings[1 : WORDINGS + 1] if query in types else []
        if len(wordings) == WORDINGS:
            more = bench.scores_of(Type(query, wordings=tuple(wordings)))
            yield bench.scores[number], more, bench.collection.relevant[number]


def example_pairs(bench: Bench) -> Pairs:
    """With gold mentions in context, on the other documents."""
    task, generator = bench.collection.task, random.Random(0)
    for number, (name, query) in enumerate(zip(task.types, bench.queries, strict=True)):
        places = [
            (owner, span) for owner, labels in enumerate(task.labels) for span, names in labels.items() if name in names
        ]
        if len(places) < ENOUGH:
            continue
        sample = generator.sample(places, EXAMPLES)
        like = [{"text": task.documents[owner].text, "start": span.start, "end": span.end} for owner, span in sample]
        rest = ~np.isin(np.arange(len(bench.collection)), [owner for owner, _ in sample])
        relevant = bench.collection.relevant[number, rest]
        if relevant.any():
            yield bench.scores[number, rest], bench.scores_of(Type(query, like=tuple(like)))[rest], relevant


def unlike_pairs(bench: Bench) -> Pairs:
    """Unlike the name of the type that is mistaken for it most often."""
    for number, (query, scores) in enumerate(zip(bench.queries, bench.scores, strict=True)):
        relevant = bench.collection.relevant
        first = np.argsort(-scores, kind="stable")[: relevant[number].sum()]
        mistakes = relevant[:, first[~relevant[number, first]]].sum(1)
        mistakes[number] = -1
        more = bench.scores_of(Type(query, unlike=(bench.queries[int(mistakes.argmax())],)))
        yield scores, more, relevant[number]


def fusion(scores: np.ndarray) -> np.ndarray:
    """Reciprocal rank fusion of rankings. (queries, documents) to (documents,)"""
    ranks = np.argsort(np.argsort(-scores, axis=1, kind="stable"), axis=1, kind="stable")
    return np.asarray((1 / (60 + ranks)).sum(0))


def _record(bench: Bench, kind: str, plain: np.ndarray, better: np.ndarray, relevant: np.ndarray) -> Record:
    values = {"plain": quality(plain, relevant)[0], "better": quality(better, relevant)[0]}
    return {"set": bench.collection.task.name, "kind": kind, **values}


KINDS = {
    "wordings": f"name + {WORDINGS} wordings of the project's corpus, against the name",
    "examples": f"name + .5 x mean of {EXAMPLES} examples in context, against the name, on other documents",
    "unlike": "name, unlike the worst neighbour's name, against the name",
    "minimum": "A and B: product of probabilities, against the minimum of scores",
    "fusion": "A and B: product of probabilities, against rank fusion",
    "without": "A without B: P(A)(1 - P(B)), against A alone",
}


def gain_table(records: Sequence[Record]) -> str:
    """Macro R-Precision of each set as Markdown; `mean gain` is the mean of the sets' gains."""
    sets = list(dict.fromkeys(record["set"] for record in records))
    lines = [f"| {' / '.join(sets)} | queries | without | with | mean gain | worse |", "|---" * 6 + "|"]
    for kind, title in KINDS.items():
        parts = [[record for record in records if (record["set"], record["kind"]) == (name, kind)] for name in sets]
        plain, better = ([_mean(record[side] for record in part) for part in parts] for side in ("plain", "better"))
        worse = _mean(record["better"] < record["plain"] for part in parts for record in part)
        counts = " / ".join(str(len(part)) for part in parts)
        columns = (" / ".join(f"{value:.3f}" for value in values) for values in (plain, better))
        gain = np.nanmean(np.subtract(better, plain)) if any(parts) else np.nan
        lines.append(f"| {title} | {counts} | {' | '.join(columns)} | {gain:+.3f} | {worse:.0%} |")
    return "\n".join(lines)


@dataclass(frozen=True)
class Question:
    """An expression, and the documents that are right for it by the gold labels.

    Args:
        expression: the types.
        relevant: the documents. (documents,) bool
        joint: what joins its two parts, see `JOINTS`; empty for a type.
        depth: of nested joints.
    """

    expression: Expression
    relevant: np.ndarray
    joint: str = ""
    depth: int = 0

    @cached_property
    def names(self) -> frozenset[str]:
        """Of its types."""
        return frozenset(type_.name for type_ in self.expression.types())


def questions(collection: Collection) -> list[Question]:
    """Random expressions of each depth over a set's types, the same in every run."""
    generator = random.Random(zlib.crc32(collection.task.name.encode()))
    pairs = zip(collection.task.queries, collection.relevant, strict=True)
    layers = [[Question(Type(query), row) for query, row in pairs if row.sum() >= LEAST]]
    for depth in DEPTHS[1:]:
        layers.append([question for joint in JOINTS for question in _joints(layers, joint, depth, generator)])
    return [question for layer in layers for question in _choice(layer, generator)]


def _joints(layers: Sequence[list[Question]], joint: str, depth: int, generator: random.Random) -> Iterator[Question]:
    """Expressions of the next depth with one joint; each has other right documents than its parts."""
    known_answers: set[bytes] = set()
    for _ in range(TRIES):
        shallow = generator.choice(layers)
        if len(known_answers) == POOL or not layers[-1] or not shallow:
            return
        left, right = generator.sample([generator.choice(layers[-1]), generator.choice(shallow)], 2)
        relevant = JOINTS[joint](left.relevant, right.relevant)
        is_idle = any((relevant == part.relevant).all() for part in (left, right))
        if left.names & right.names or relevant.sum() < LEAST or is_idle or relevant.tobytes() in known_answers:
            continue
        known_answers.add(relevant.tobytes())
        yield Question(JOINTS[joint](left.expression, right.expression), relevant, joint, depth)


def _choice(layer: Sequence[Question], generator: random.Random) -> list[Question]:
    """Some of a depth's expressions that are right of few documents, of each joint as many as of the others."""
    candidates = [question for question in layer if question.relevant.mean() <= MOST]
    generator.shuffle(candidates)
    places: dict[str, int] = {}
    turns = []
    for number, question in enumerate(candidates):
        places[question.joint] = places.get(question.joint, 0) + 1
        turns.append((places[question.joint], number))
    return [candidates[number] for _, number in sorted(turns)[:COUNT]]


def phrase(expression: Expression) -> str:
    """An expression as somebody would write it into a search box.

    Example:
        >>> phrase((Type("politician") & Type("disease")) & ~Type("election"))
        'politician and disease, not election'
    """
    return str(expression).replace("(", "").replace(")", "").replace(" and not ", ", not ")


def depth_records(bench: Bench) -> Iterator[Record]:
    """How well each way ranks the documents of random expressions."""
    asked_questions = questions(bench.collection)
    for title, rows in way_scores(bench, [question.expression for question in asked_questions]):
        say(f"{bench.collection.task.name}: {title}")
        for question, scores in zip(asked_questions, rows, strict=True):
            r_precision, recall = quality(scores, question.relevant)
            yield {
                "set": bench.collection.task.name,
                "way": title,
                "depth": question.depth,
                "joint": question.joint,
                "types": len(question.names),
                "best": min(1.0, CUT / question.relevant.sum()),
                "r_precision": r_precision,
                "recall": recall,
            }


def way_scores(bench: Bench, expressions: Sequence[Expression]) -> Iterator[tuple[str, Iterable[np.ndarray]]]:
    """Scores of all documents for each expression, by ways of ranking."""
    phrases = [phrase(expression) for expression in expressions]
    wishes = [" ".join(type_.name for type_ in expression.wanted()) for expression in expressions]
    yield "nerret, probabilities joined", map(bench.chances, expressions)
    yield "nerret, text vectors, the phrase", _text_scores(bench, phrases)
    systems: dict[str, System] = {"BM25": bm25, "sentence vectors": sentence_model(STOCK)}
    for title, system in systems.items():
        trial = Trial(replace(bench.collection.task, queries=[*phrases, *wishes]), "gold", Settings())
        rows = [query.scores for query in system(trial).queries]
        yield f"{title}, the phrase", rows[: len(phrases)]
        yield f"{title}, names of what is wanted", rows[len(phrases) :]


def _text_scores(bench: Bench, phrases: Sequence[str]) -> np.ndarray:
    vectors = embed_queries(bench.encoder, phrases)
    return bench.collection.windows.best(vectors, len(bench.collection))


def depth_table(records: Sequence[Record]) -> str:
    """R-Precision and recall of each way by depth, for each set, as Markdown."""
    depths = sorted({record["depth"] for record in records})
    lines = [f"| | {' | '.join('a type' if depth == 0 else str(depth) for depth in depths)} |"]
    lines.append("|---" * (len(depths) + 1) + "|")
    for name in dict.fromkeys(record["set"] for record in records):
        part = [record for record in records if record["set"] == name]
        columns = [[record for record in part if record["depth"] == depth] for depth in depths]
        ways = list(dict.fromkeys(record["way"] for record in part))
        counts = [len(column) // len(ways) for column in columns]
        types, best = ([_mean(record[key] for record in column) for column in columns] for key in ("types", "best"))
        cells = [f"{count}, {size:.1f}, {most:.2f}" for count, size, most in zip(counts, types, best, strict=True)]
        lines.append(f"| **{name}**: expressions, types in each, best possible recall | {' | '.join(cells)} |")
        lines += [f"| {way} | {' | '.join(_cells(columns, way))} |" for way in ways]
    return "\n".join(lines)


def joint_table(records: Sequence[Record]) -> str:
    """R-Precision and recall of each way by the outermost joint, all sets and depths, as Markdown."""
    lines = [f"| | {' | '.join(JOINTS)} |", "|---" * (len(JOINTS) + 1) + "|"]
    columns = [[record for record in records if record["joint"] == joint] for joint in JOINTS]
    lines.append(f"| expressions | {' | '.join(str(len(column) // _ways(records)) for column in columns)} |")
    ways = dict.fromkeys(record["way"] for record in records)
    return "\n".join([*lines, *(f"| {way} | {' | '.join(_cells(columns, way))} |" for way in ways)])


def _ways(records: Iterable[Record]) -> int:
    return max(len({record["way"] for record in records}), 1)


def _cells(columns: Iterable[Sequence[Record]], way: str) -> Iterator[str]:
    for column in columns:
        part = [record for record in column if record["way"] == way]
        yield " / ".join(f"{_mean(record[key] for record in part):.3f}" for key in ("r_precision", "recall"))


def _mean(values: Iterable[float]) -> float:
    numbers = list(values)
    return float(np.mean(numbers)) if numbers else float("nan")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gains", nargs="*", default=[], metavar="CORPUS", help="JSONL with gold mentions")
    parser.add_argument("--depths", nargs="*", default=[], metavar="CORPUS", help="JSONL with gold mentions")
    parser.add_argument("--model", default=DEFAULT)
    parser.add_argument("--vectors", type=Path, help="folder that keeps the sets' vectors, for the next run")
    add_type_arguments(parser)
    options = parser.parse_args()
    checkpoint = load_checkpoint(options.model)

    def records(corpora: Sequence[str], make: Callable[[Bench], Iterator[Record]]) -> Iterator[Record]:
        for corpus in corpora:
            collection = read_collection(load_task(corpus, options), options.model, options.vectors)
            say(f"{collection.task.name}: {make.__name__}")
            yield from make(Bench(checkpoint, collection))

    if options.gains:
        print(f"{gain_table(list(records(options.gains, gain_records)))}\n", flush=True)
    if options.depths:
        depths = list(records(options.depths, depth_records))
        print(f"{depth_table(depths)}\n\n{joint_table(depths)}")


if __name__ == "__main__":
    main()
