"""What answers promise, and what they hold: on types, and on whole sets, that the calibration was not fitted on.

    python -m benchmarks.answers dev/*.jsonl --types dev/types.json --exclude-file dev/exclude.json --vectors FOLDER

"other types": fitted on half of the types of all sets, measured on the other half. "other sets": fitted on that half
of all sets but one, measured on all types of that one, for each set in turn. Marks come from the gold labels, at the
places that `promises.spread_places` suggests; what they teach is measured on the documents without marks. Each type
counts once.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from modeling_nerret.encoding import Encoder
from modeling_nerret.eval.arguments import add_type_arguments
from modeling_nerret.eval.calibration.cases import FITTED_HALF, OTHER_HALF, Case, samples, type_cases
from modeling_nerret.eval.calibration.collection import Collection, Places, collect, embed_queries
from modeling_nerret.eval.calibration.fit import (
    Foil,
    fit_absence,
    fit_intercepts,
    is_unknown,
    nonsense_foils,
    type_foils,
)
from modeling_nerret.eval.calibration.nonsense import nonsense_direction
from modeling_nerret.eval.calibration.run import load_task
from modeling_nerret.eval.systems.trial import Settings
from modeling_nerret.eval.tasks.task import Task
from modeling_nerret.index.answers.promises import best_length, interval, length_at, spread_places
from modeling_nerret.index.answers.type_search import FIRST, LEAST
from modeling_nerret.index.answers.type_vectors import moved
from modeling_nerret.pretrained.built_in import DEFAULT
from modeling_nerret.pretrained.calibration import Belief, Calibration
from modeling_nerret.pretrained.checkpoints import load_checkpoint

FEW, MANY = 5, 20  # marks
COMMON = 5  # right documents of a type that is not rare
ENOUGH = 30  # right documents of a type whose promise after many marks is measured
THRESHOLDS = np.arange(0.3, 1.3, 0.01)
Record = dict[str, Any]
# Nonsense of other kinds than `nerret calibrate` makes
LISTED = """
asdfgh qwerty; xkcd zzyzx; lorem ipsum dolor; qqqq; blorptang; foo bar baz; table seven quickly because; the of and;
purple idea running; wug; flumox grindle; 12345; zxcvbnm; hjkl; yes no maybe; aaaa bbbb; very; however therefore
"""


@dataclass(frozen=True)
class Bench:
    """All that the measurements share: the model and the sets, and for each set what a calibration is fitted on."""

    encoder: Encoder
    config: Any
    direction: np.ndarray
    collections: Sequence[Collection]
    cases: Sequence[tuple[list[Case], list[Case]]]  # of each set, for each half of the types
    foils: Sequence[list[Foil]]

    @classmethod
    def load(cls, model: str, collections: Sequence[Collection]) -> Bench:
        """Ask all types of all sets."""
        checkpoint = load_checkpoint(model)
        assert checkpoint.detector is not None
        encoder = Encoder(checkpoint.model, checkpoint.tokenizer, checkpoint.detector)
        config, direction = checkpoint.model.config, nonsense_direction(encoder)
        cases, foils = [], []
        for seed, collection in enumerate(collections, 1):
            halves = [list(type_cases(collection, config, half)) for half in (FITTED_HALF, OTHER_HALF)]
            cases.append((halves[0], halves[1]))
            table = nonsense_foils(collection, encoder, config, direction, seed)
            foils.append([*type_foils(collection, halves[0], encoder, direction), *table])
        return cls(encoder, config, direction, collections, cases, foils)

    def fit(self, numbers: Iterable[int]) -> tuple[Calibration, float]:
        """A calibration of some of the sets, and the fixed threshold that is best there."""
        numbers = list(numbers)
        cases = [case for number in numbers for case in self.cases[number][0] if not case.is_absent]
        absence = fit_absence([foil for number in numbers for foil in self.foils[number]])
        calibration = Calibration(*fit_intercepts(cases), absence, tuple(self.direction.tolist()))
        table = np.array([[f_at(case, threshold) for threshold in THRESHOLDS] for case in cases])
        return calibration, float(THRESHOLDS[table.mean(0).argmax()])


@dataclass(frozen=True)
class Judge:
    """A calibration, and the set that it is tried on."""

    bench: Bench
    collection: Collection
    calibration: Calibration
    threshold: float

    def records(self, case: Case) -> Iterator[Record]:
        """What is measured of a type, without marks and with them."""
        task, vector = self.collection.task, self.collection.queries[case.query]
        unknown = is_unknown(self.collection, self.bench.encoder, task.queries[case.query])
        absent = self.calibration.absent(float(case.scores.max()), vector, unknown)
        order, belief = self.believe(case.scores, absent)
        right, total = case.relevant[order], int(case.relevant.sum())
        base = {"size": case.size, "absent": case.is_absent, "set": case.collection, "right": total}
        yield base | {"marks": 0, "fixed_f": f_at(case, self.threshold)} | outcome(belief, right, total)
        for count in (FEW, MANY):
            places = order[spread_places(belief.probabilities, count)]
            if (len(places) == count and total != 0) or case.is_absent:
                yield base | {"marks": count} | self.after_marks(case, places, absent)

    def after_marks(self, case: Case, places: np.ndarray, absent: float) -> Record:
        """What is measured on the other documents once those at some places have marks."""
        scores, marked_scores = self.move(case, places)
        marks = case.relevant[places]
        rest = np.delete(np.arange(len(scores)), places)
        order, belief = self.believe(scores[rest], absent, marked_scores, marks.tolist())
        right = case.relevant[rest]
        return outcome(belief, right[order], int(right.sum()))

    def believe(self, scores: np.ndarray, absent: float, *marks: Any) -> tuple[np.ndarray, Belief]:
        """The documents that a search would rank, best first, and what is believed of them."""
        order = np.argsort(-scores, kind="stable")
        belief, limit = self.calibration.believe(scores[order], absent, *marks), FIRST
        level = self.calibration.believe(scores[order], 0.0, *marks).probabilities
        while limit < len(order) and level[limit - 1] >= LEAST:
            limit *= 4
        return order[:limit], Belief(belief.chances[:limit], belief.weights, belief.absent)

    def move(self, case: Case, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Scores of all documents once marks have moved the query; of the marked ones, without their own mark."""
        collection, query = self.collection, self.collection.queries[case.query]
        marks, documents = case.relevant[places], case.documents[places]
        examples = collection.examples(documents, query)
        vectors = [moved(query, examples, marks)]
        for number in range(len(places)):
            rest = np.arange(len(places)) != number
            vectors.append(moved(query, examples[rest], marks[rest]))
        text = collection.task.queries[case.query]
        config = self.bench.config
        scores = collection.scores(config, [text], np.array(vectors[:1]), case.documents)[0]
        feedback = collection.feedback(config, text, vectors[0], case.documents)
        return scores, collection.scores_of(config, text, documents, np.array(vectors[1:]), feedback)


def outcome(belief: Belief, right: np.ndarray, total: int) -> Record:
    """Figures of an answer.

    Args:
        belief: of the ranked documents.
        right: which of them are right. (documents,) bool
        total: how many right documents there are.
    """
    length, cautious, half = best_length(belief), length_at(belief, 0.8), length_at(belief, 0.5)
    sums = np.cumsum(right)
    counts = np.arange(1, len(right) + 1)
    curve = 2 * sums / (counts + max(total, 1))
    record: Record = {"length": length, "none": length == 0, "none_at_80": cautious == 0}
    if total:
        record |= {"f": float(curve[length - 1]) if length else 0.0, "oracle": float(curve.max())}
    if half and total:
        share = sums[half - 1] / half
        low, high = interval(belief, half)
        record |= {
            "error": abs(float(share - belief.probabilities[:half].mean())),
            "inside": low - 1e-9 <= share <= high + 1e-9,
            "width": high - low,
        }
    return record


def f_at(case: Case, threshold: float) -> float:
    """F of the documents of a case whose scores reach a threshold."""
    chosen_scores = case.scores >= threshold
    return float(2 * (chosen_scores & case.relevant).sum() / max(chosen_scores.sum() + case.relevant.sum(), 1))


def strange_queries(names: Sequence[str], count: int = 40) -> dict[str, list[str]]:
    """Nonsense by its kind; shuffled letters and words are those of some type names."""
    generator = random.Random(1)
    words = sorted({word for name in names for word in name.split() if word.isalpha() and len(word) > 4})

    def shuffled(word: str) -> str:
        return "".join(generator.sample(word, len(word)))

    def keys() -> str:
        return "".join(generator.choices("jkluiopnmb0123456789", k=generator.randint(4, 8)))

    return {
        "listed": [" ".join(query.split()) for query in LISTED.split(";")],
        "shuffled letters": [shuffled(generator.choice(words)) for _ in range(count)],
        "keys of one hand": [keys() for _ in range(count)],
        "three random words": [" ".join(generator.sample(words, 3)) for _ in range(count)],
    }


def nonsense_records(judge: Judge, kinds: dict[str, list[str]]) -> Iterator[Record]:
    """What is returned for nonsense."""
    collection, bench = judge.collection, judge.bench
    for kind, queries in kinds.items():
        vectors = embed_queries(bench.encoder, queries)
        for size, documents in samples(len(collection)):
            table = collection.scores(bench.config, queries, vectors, documents)
            for query, vector, row in zip(queries, vectors, table, strict=True):
                unknown = is_unknown(collection, bench.encoder, query)
                absent = judge.calibration.absent(float(row.max()), vector, unknown)
                _, belief = judge.believe(row, absent)
                figures = outcome(belief, np.zeros(len(belief.chances), bool), 0)
                yield {"size": size, "kind": kind, "set": collection.task.name, "query": query} | figures


def mean(records: Iterable[Record], name: str) -> float:
    """The mean of a figure over the records that have it."""
    values = [record[name] for record in records if name in record]
    return float(np.mean(values)) if values else float("nan")


def ratio(records: Sequence[Record]) -> float:
    """F over that of the best threshold of each type, of means."""
    return mean(records, "f") / mean(records, "oracle")


def size_table(records: Sequence[Record]) -> str:
    """The figures of types as Markdown, a column for each number of documents."""
    sizes = sorted({record["size"] for record in records}, key=lambda size: size or np.inf)
    columns = [figures([record for record in records if record["size"] == size]) for size in sizes]
    head = " | ".join("all documents" if size is None else f"{size:,}" for size in sizes)
    lines = [f"| | {head} |", "|---" * (len(sizes) + 1) + "|"]
    lines += [f"| {name} | {' | '.join(f'{column[name]:.3g}' for column in columns)} |" for name in columns[0]]
    return "\n".join(lines)


def figures(records: Sequence[Record]) -> dict[str, float]:
    """The figures of types, by what they are."""
    present = [record for record in records if not record["absent"]]
    absent = [record for record in records if record["absent"]]
    plain, many, rich = _marked(present, 0), _marked(present, MANY), _rich(present)
    common = [record for record in plain if record["right"] >= COMMON]
    richer = f"after {MANY} marks, types with {ENOUGH} documents"
    return {
        "types": len(plain),
        "error of the precision promised at .5": mean(plain, "error"),
        f"the same, types with {COMMON} documents": mean(common, "error"),
        f"the same {richer}": mean(rich, "error"),
        "F over that of each type's best threshold": ratio(plain),
        f"the same, types with {COMMON} documents or more": ratio(common),
        f"F over the best after {MANY} marks": ratio(many),
        f"F over the best {richer}": ratio(rich),
        "F less that of the best fixed threshold": mean(plain, "f") - mean(plain, "fixed_f"),
        "80 % intervals hold": mean(plain, "inside"),
        "their width": mean(plain, "width"),
        f"80 % intervals hold {richer}": mean(rich, "inside"),
        f"their width {richer}": mean(rich, "width"),
        "present, yet nothing returned": mean(plain, "none"),
        "absent: nothing returned": mean(_marked(absent, 0), "none"),
        "absent: nothing returned at .8": mean(_marked(absent, 0), "none_at_80"),
        f"absent: nothing returned at .8 after {FEW} marks": mean(_marked(absent, FEW), "none_at_80"),
    }


def set_table(records: Sequence[Record]) -> str:
    """The main figures of each set, all documents, as Markdown."""
    lines = ["| set | error at .5 | after marks | F / best | after marks | F - fixed | holds |", "|---" * 7 + "|"]
    for name in dict.fromkeys(record["set"] for record in records):
        part = [record for record in records if record["set"] == name and not (record["size"] or record["absent"])]
        plain, rich = _marked(part, 0), _rich(part)
        values = [mean(plain, "error"), mean(rich, "error"), ratio(plain), ratio(rich)]
        values += [mean(plain, "f") - mean(plain, "fixed_f"), mean(plain, "inside")]
        lines.append(f"| {name} | {' | '.join(f'{value:.3f}' for value in values)} |")
    return "\n".join(lines)


def nonsense_table(records: Sequence[Record]) -> str:
    """Shares of nonsense for which nothing is returned, as Markdown."""
    lines = ["| nonsense | queries | nothing returned | nothing returned at .8 |", "|---" * 4 + "|"]
    for kind in dict.fromkeys(record["kind"] for record in records):
        part = [record for record in records if record["kind"] == kind]
        lines.append(f"| {kind} | {len(part)} | {mean(part, 'none'):.3f} | {mean(part, 'none_at_80'):.3f} |")
    return "\n".join(lines)


def _marked(records: Iterable[Record], count: int) -> list[Record]:
    return [record for record in records if record["marks"] == count]


def _rich(records: Iterable[Record]) -> list[Record]:
    return [record for record in _marked(records, MANY) if record["right"] >= ENOUGH]


def other_types(bench: Bench) -> tuple[list[Record], list[Record]]:
    """Records of types, and of nonsense, with the calibration of half of the types of all sets."""
    calibration, threshold = bench.fit(range(len(bench.collections)))
    print(f"fitted: slope {calibration.slope:.2f}, bias {calibration.bias:.2f}, spread {calibration.deviation:.2f}")
    kinds = strange_queries([query for collection in bench.collections for query in collection.task.queries])
    records, strange = [], []
    for collection, (_, cases) in zip(bench.collections, bench.cases, strict=True):
        judge = Judge(bench, collection, calibration, threshold)
        records += [record for case in cases for record in judge.records(case)]
        strange += list(nonsense_records(judge, kinds))
        say(f"{collection.task.name}: other types")
    return records, strange


def other_sets(bench: Bench) -> list[Record]:
    """Records of all types of each set, with the calibration of the other sets."""
    records = []
    for number, (collection, halves) in enumerate(zip(bench.collections, bench.cases, strict=True)):
        judge = Judge(bench, collection, *bench.fit(set(range(len(bench.collections))) - {number}))
        records += [record for cases in halves for case in cases for record in judge.records(case)]
        say(f"{collection.task.name}: other sets")
    return records


def read_collection(task: Task, model: str, folder: Path | None) -> Collection:
    """A collection from a file of vectors in a folder; without it the task is indexed, and the file written."""
    path = folder / f"{task.name}.npz" if folder else None
    if path is None or not path.is_file():
        collection = collect(task, model, Settings(detector=model))
        if path is not None:
            np.savez(path, **_arrays(collection))
        return collection
    with np.load(path) as arrays:
        places = [Places(arrays[name].astype(np.float32), arrays[f"{name}_owners"]) for name in ("mentions", "windows")]
        return Collection(task, arrays["queries"], *places)


def _arrays(collection: Collection) -> dict[str, np.ndarray]:
    return {
        "queries": collection.queries,
        "mentions": collection.mentions.vectors.astype(np.float16),
        "mentions_owners": collection.mentions.owners,
        "windows": collection.windows.vectors.astype(np.float16),
        "windows_owners": collection.windows.owners,
    }


def say(text: str) -> None:
    """Print a line of progress."""
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", nargs="+", help="JSONL with gold mentions")
    parser.add_argument("--model", default=DEFAULT)
    parser.add_argument("--vectors", type=Path, help="folder that keeps the sets' vectors, for the next run")
    add_type_arguments(parser)
    options = parser.parse_args()
    tasks = [load_task(corpus, options) for corpus in options.corpora]
    bench = Bench.load(options.model, [read_collection(task, options.model, options.vectors) for task in tasks])
    records, strange = other_types(bench)
    print(f"\n## Other types\n\n{size_table(records)}\n\n{set_table(records)}\n\n{nonsense_table(strange)}", flush=True)
    if len(tasks) > 1:
        records = other_sets(bench)
        print(f"\n## Other sets\n\n{size_table(records)}\n\n{set_table(records)}")


if __name__ == "__main__":
    main()
