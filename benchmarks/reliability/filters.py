"""Random filters on random metadata, in LanceDB and in plain Python: do they find the same documents?

python -m benchmarks.reliability.filters [--seed 0] [--count 200]
"""

from __future__ import annotations

import argparse
import math
import random
import tempfile
from collections import Counter
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from tests.plain_filters import NAMES, NUMBERS, ORDER, TEXTS, Rows, satisfies

from .table import print_table

DOCUMENTS, FILTERS = 40, 25  # of a round
# Values of libraries, which become plain ones
FORMS: list[Callable[[Any], Any]] = [
    lambda value: value,
    lambda value: np.array(value, dtype=object),
    lambda value: pd.Series([value], dtype=object),
    lambda value: {value},
    lambda value: Decimal(value) if isinstance(value, int) else value,
    lambda value: pa.scalar(value) if isinstance(value, str) else value,
]
MISSING = [None, math.nan, -math.inf, pd.NaT, pd.NA, [], {}, date(2020, 5, 1), np.datetime64("NaT")]


def scalar(dice: random.Random) -> Any:
    """A text, number or truth value."""
    return dice.choice([dice.choice(TEXTS), dice.choice(NUMBERS), dice.random() < 0.5])


def value(dice: random.Random, depth: int = 2) -> Any:
    """A value of a document, nested at most `depth` times."""
    form = dice.randrange(10)
    if form == 0 and depth:
        return {name: value(dice, depth - 1) for name in dice.sample(NAMES, 2)}
    if form == 1 and depth:
        return [value(dice, depth - 1) for _ in range(dice.randrange(4))]
    return dice.choice(MISSING) if form == 2 else dice.choice(FORMS)(scalar(dice))


def comparison(dice: random.Random) -> Any:
    """What a filter says of one field."""
    form = dice.randrange(5)
    if form == 0:
        return {"in": [scalar(dice) for _ in range(dice.randrange(4))]}
    if form == 1:
        return {"contains": dice.choice(TEXTS)}
    if form == 2:
        return {"exists": dice.random() < 0.5}
    return {operator: scalar(dice) for operator in dice.sample(["==", "!=", *ORDER], dice.randint(1, 2))}


def branch(dice: random.Random) -> dict[str, Any]:
    """A filter on one or two fields."""
    return {name: comparison(dice) for name in dice.sample(NAMES, dice.randint(1, 2))}


def play(dice: random.Random, folder: Path, btree: bool) -> Counter[str]:
    """One round: how many filters found the same, how many something, and how many failed."""
    documents = [{name: value(dice) for name in dice.sample(NAMES, 4)} for _ in range(DOCUMENTS)]
    rows = Rows(folder, documents, btree)
    counts: Counter[str] = Counter(documents=len(documents))
    for _ in range(FILTERS):
        where = [branch(dice) for _ in range(dice.randint(2, 3))] if dice.random() < 0.3 else branch(dice)
        expected = {key for key, metadata in rows.documents.items() if satisfies(metadata, where)}
        counts["filters"] += 1
        counts["with hits"] += bool(expected)
        try:
            keys = rows.passing(where)
        except Exception as error:
            counts["errors"] += 1
            print(f"{where}: {type(error).__name__}: {error}")
            continue
        if keys != expected:
            counts["wrong"] += 1
            print(f"{where}: {sorted(keys ^ expected)}")
    return counts


def main() -> None:
    """Play the rounds and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=200, help="rounds, half of them with an index (default: 200)")
    options = parser.parse_args()
    dice = random.Random(options.seed)
    table = []
    with tempfile.TemporaryDirectory() as folder:
        for btree in (False, True):
            counts: Counter[str] = Counter()
            for _ in range(options.count // 2):
                counts += play(dice, Path(folder), btree)
            names = ("documents", "filters", "with hits", "wrong", "errors")
            table.append({"index": "BTree" if btree else "none"} | {name: counts[name] for name in names})
    print_table(table)


if __name__ == "__main__":
    main()
