"""What the corpus holds, by domain, type, manner and length: `python -m training.corpus.stats [--plot FILE.png]`."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from ..corpus.check import entities, read_built


def main(arguments: list[str] | None = None) -> int:
    """Print the counts and draw them, if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the counts as a PNG")
    options = parser.parse_args(arguments)
    types, documents = read_built()
    domains = Counter(document["id"].rsplit("-", 1)[0] for document in documents)
    manners = Counter(document["manner"] for document in documents)
    names = {name: len(found) for name, found in entities(types, documents).items()}
    words = np.array([len(document["text"].split()) for document in documents])
    spans = sum(len({(m["start"], m["end"]) for m in document["mentions"]}) for document in documents)
    different = len({d["text"][m["start"] : m["end"]].lower() for d in documents for m in d["mentions"]})

    print(f"{len(documents)} texts, {words.sum()} words, {spans} mentions of {different} entities, {len(types)} types")
    print(f"words a text: median {np.median(words):.0f}, from {words.min()} to {words.max()}")
    print(f"entities a type: median {np.median(list(names.values())):.0f}, least {min(names.values())}")
    for title, counted in (("domains", domains), ("manners", manners), ("types", Counter(names))):
        print(f"\n{title} ({len(counted)}):")
        print(", ".join(f"{name} {number}" for name, number in counted.most_common()))
    if options.plot:
        draw(domains, manners, names, words, options.plot)
    return 0


def draw(domains: Counter, manners: Counter, names: dict[str, int], words: Any, path: Path) -> None:
    """Four panels: texts by domain and by manner, entities by type, words by text."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 15), layout="constrained")
    (left, right), (low_left, low_right) = figure.subplots(2, 2, gridspec_kw={"height_ratios": (2.4, 1)})
    for axes, counted, title in ((left, domains, "texts by domain"), (right, manners, "texts by manner")):
        labels, numbers = zip(*reversed(counted.most_common()), strict=True)
        axes.barh([label.replace("_", " ") for label in labels], numbers, color="#4878a8")
        axes.set_title(title)
        axes.tick_params(axis="y", labelsize=7 if len(labels) > 30 else 9)
        axes.margins(y=0.01)
    low_left.hist(np.clip(list(names.values()), 0, 200), bins=40, color="#4878a8")
    title = f"different entities of the {len(names)} types (200 and more together)"
    low_left.set(title=title, xlabel="entities", ylabel="types")
    low_right.hist(words, bins=np.arange(words.min(), words.max() + 2), color="#4878a8")
    low_right.set(title="length of the texts", xlabel="words", ylabel="texts")
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    sys.exit(main())
