"""Count the corpus by domain, type, manner and length: `python -m modeling_nerret.training.data.corpus_stats`."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

import numpy as np

from .corpus import read_corpus_texts, read_corpus_types
from .corpus_check import entities


def main(arguments: list[str] | None = None) -> int:
    """Print the counts; draw them with `--plot`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the counts as a PNG")
    options = parser.parse_args(arguments)
    types = read_corpus_types()
    documents = read_corpus_texts(types)
    domains = Counter(document.id.rsplit("-", 1)[0] for document in documents)
    manners = Counter(document.manner for document in documents)
    names = {name: len(group) for name, group in entities(types, documents).items()}
    words = np.array([len(document.text.split()) for document in documents])
    spans = sum(len({(start, end) for start, end, _ in document.mentions}) for document in documents)
    surfaces = {document.text[start:end].lower() for document in documents for start, end, _ in document.mentions}

    print(
        f"{len(documents)} texts, {words.sum()} words, {spans} mentions of {len(surfaces)} entities, {len(types)} types"
    )
    print(f"words per text: median {np.median(words):.0f}, from {words.min()} to {words.max()}")
    print(f"entities per type: median {np.median(list(names.values())):.0f}, least {min(names.values())}")
    for title, counts in (("domains", domains), ("manners", manners), ("types", Counter(names))):
        print(f"\n{title} ({len(counts)}):")
        print(", ".join(f"{name} {count}" for name, count in counts.most_common()))
    if options.plot:
        draw(domains, manners, names, words, options.plot)
    return 0


def draw(domains: Counter[str], manners: Counter[str], names: dict[str, int], words: np.ndarray, path: Path) -> None:
    """Four panels: texts by domain and by manner, entities by type, words by text."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 15), layout="constrained")
    (left, right), (low_left, low_right) = figure.subplots(2, 2, gridspec_kw={"height_ratios": (2.4, 1)})
    for axes, counts, title in ((left, domains, "texts by domain"), (right, manners, "texts by manner")):
        labels, numbers = zip(*reversed(counts.most_common()), strict=True)
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
