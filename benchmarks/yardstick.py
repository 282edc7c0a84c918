"""How well a checkpoint ranks mentions for types that no run has asked for, beside types that it was trained on.

    python -m benchmarks.yardstick CHECKPOINT... [--data DIR]

Texts and types are those of `training/data/yardstick.py`; both were held out of a checkpoint only if its recipe says
`held_out.yardstick`. Every type ranks the mentions of all held-out texts of its set by the cosine. A row has macro
R-Precision and area under the curve (AUC) of held-out and of seen types with 95 % intervals over types, what is kept of
the gain over the bare value vectors, and the same for the quarter of the mentions with the rarest and the commonest
names. The set `kinds` is measured as well if --data has it.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from modeling_nerret.detection import GivenSpans
from modeling_nerret.documents import Document
from modeling_nerret.encoding import Encoder
from modeling_nerret.eval.measure import bootstrap
from modeling_nerret.eval.vectors import WindowSettings, pool_mentions, pool_phrases
from modeling_nerret.loading import backbone_tokenizer
from modeling_nerret.modeling_nerret import NerretModel
from modeling_nerret.pretrained.checkpoints import load_checkpoint
from modeling_nerret.spans import Span
from modeling_nerret.training.data.annotated import Annotated
from modeling_nerret.training.data.own_sets import corpus_source, kinds_source
from modeling_nerret.training.data.source import Source
from modeling_nerret.training.data.yardstick import measured_part, withheld_types
from modeling_nerret.weights import find_backbone

FEWEST, MOST = 3, 0.01  # mentions of a type that is measured, and their share of all
SEEN = 400  # seen types that are measured of a set
QUARTER = 4
COLUMNS = ("vectors", "set", "types", "R-Precision held out", "seen", "AUC held out", "seen", "kept", "rare", "common")


class Mention(NamedTuple):
    """A mention of a held-out text: its words, the types it has, and those it may have besides."""

    name: str
    types: frozenset[str]
    perhaps: frozenset[str]


class Vectors(NamedTuple):
    """Mentions with a vector, their vectors (mentions, size), and the queries' vectors (types, size)."""

    mentions: list[Mention]
    vectors: np.ndarray
    queries: np.ndarray


class Yardstick:
    """The held-out mentions of a set and the types to ask for."""

    def __init__(self, source: Source):
        self.name = source.name
        texts = measured_part(source)
        self.documents = [
            Document(str(number), text.text, mentions=tuple(text.mentions)) for number, text in enumerate(texts)
        ]
        self.mentions = {
            (number, span): _mention(text, span) for number, text in enumerate(texts) for span in text.mentions
        }
        counts = Counter(name for mention in self.mentions.values() for name in mention.types)
        most = max(FEWEST, MOST * len(self.mentions))
        types = sorted(name for name, count in counts.items() if FEWEST <= count <= most and name not in source.broad)
        self.new_types = sorted(withheld_types(source).intersection(types))
        rest = [name for name in types if name not in self.new_types]
        count = min(SEEN, len(rest))
        self.trained_types = [rest[number * len(rest) // count] for number in range(count)]
        self.queries = {name: source.wordings[name][0] for name in (*self.new_types, *self.trained_types)}
        self.commonness = _commonness(source)

    def of_checkpoint(self, name: str) -> Vectors:
        """What a checkpoint makes of mentions and types."""
        checkpoint = load_checkpoint(name)
        encoder = Encoder(checkpoint.model, checkpoint.tokenizer, GivenSpans())
        mentions, vectors = [], []
        for text in encoder.encode(self.documents):
            for span, vector in zip(text.mentions, text.vectors, strict=True):
                mentions.append(self.mentions[int(text.document.id), span])
                vectors.append(vector)
        return Vectors(mentions, np.stack(vectors), encoder.embed_queries(list(self.queries.values())))

    def of_backbone(self, config: Any) -> Vectors:
        """The value vectors of a checkpoint's block, without head and adapter."""
        folder = find_backbone(config.backbone, config.backbone_revision)
        model = NerretModel.from_backbone(folder, config.layer)
        tokenizer, pooling = backbone_tokenizer(folder, model.causal), config.pooling
        windows = WindowSettings(tokenizer, model.config.max_tokens, model.causal)

        def forward(ids: torch.Tensor, mask: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"": model.value_states(ids, mask)}

        texts = [(document.text, list(document.mentions or ())) for document in self.documents]
        places = pool_mentions(windows, texts, forward, [pooling])
        queries = pool_phrases(windows, list(self.queries.values()), forward, [pooling])
        owners = zip(places.owners.tolist(), places.spans, strict=True)
        mentions = [self.mentions[owner, span] for owner, span in owners]
        return Vectors(mentions, places.vectors["", pooling], queries.vectors["", pooling])


def main(arguments: list[str] | None = None) -> None:
    """Print a row of a Markdown table for each checkpoint and set, the bare vectors first."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoints", nargs="+", metavar="CHECKPOINT", help="names or folders")
    parser.add_argument("--data", type=Path, metavar="DIR", help="folder with the set kinds")
    options = parser.parse_args(arguments)
    sources = [corpus_source(1.0), *([kinds_source("kinds", 1.0, options.data)] if options.data else [])]
    print(f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|")
    config = load_checkpoint(options.checkpoints[0]).model.config
    for yardstick in map(Yardstick, sources):
        floor = _print_row("bare", yardstick, yardstick.of_backbone(config), None)
        for name in options.checkpoints:
            _print_row(name, yardstick, yardstick.of_checkpoint(name), floor)


def _mention(text: Annotated, span: Span) -> Mention:
    types = frozenset(text.mentions[span])
    return Mention(text.text[span.start : span.end], types, frozenset(text.perhaps.get(span, ())) - types)


def _commonness(source: Source) -> Counter[str]:
    """How often each word stands in the texts of a set."""
    return Counter(word for text in source.texts for word in text.text.casefold().split())


def _print_row(
    name: str, yardstick: Yardstick, points: Vectors, floor: tuple[float, float] | None
) -> tuple[float, float]:
    """Measure, print a row, and return the R-Precision of held-out and of seen types."""
    mentions, vectors, queries = points
    scores = dict(zip(yardstick.queries, queries @ vectors.T, strict=True))  # (mentions,) by type
    new = [type_scores(scores[name], mentions, name) for name in yardstick.new_types]
    rest = [type_scores(scores[name], mentions, name) for name in yardstick.trained_types]
    means = [float(np.mean([value[0] for value in values])) for values in (new, rest)]
    gain = means[1] - floor[1] if floor else 0.0
    share = (means[0] - floor[0]) / gain if floor and gain else float("nan")
    rare, common = _by_commonness(yardstick, mentions, scores)
    cells = [_interval([value[place] for value in values]) for place in (0, 1) for values in (new, rest)]
    row = [name, yardstick.name, f"{len(new)}, {len(rest)}", *cells, f"{share:.2f}", f"{rare:.3f}", f"{common:.3f}"]
    print(f"| {' | '.join(row)} |", flush=True)
    return means[0], means[1]


def type_scores(scores: np.ndarray, mentions: Sequence[Mention], name: str) -> tuple[float, float]:
    """R-Precision and AUC of a type; mentions that may have it are left out.

    Example:
        >>> mentions = [Mention("Oslo", frozenset({"city"}), frozenset()), Mention("Ada", frozenset(), frozenset())]
        >>> type_scores(np.array([0.9, 0.1]), mentions, "city")
        (1.0, 1.0)
    """
    certain = np.array([name not in mention.perhaps for mention in mentions])
    right = np.array([name in mention.types for mention in mentions])[certain]
    hits = right[np.argsort(-scores[certain], kind="stable")]  # the best first
    count, errors = int(hits.sum()), int((~hits).sum())
    above = (np.flatnonzero(hits) - np.arange(count)).sum()  # wrong ones above each right one
    return float(hits[:count].mean()), float(1 - above / (count * errors)) if errors else 1.0


def _by_commonness(
    yardstick: Yardstick, mentions: Sequence[Mention], scores: dict[str, np.ndarray]
) -> tuple[float, float]:
    """Macro R-Precision of all measured types within the rarest and within the commonest quarter of the names.

    A name is as common as its rarest word in the texts of the set.
    """
    counts = [
        min((yardstick.commonness[word] for word in mention.name.casefold().split()), default=0) for mention in mentions
    ]
    order, size = np.argsort(counts, kind="stable"), len(mentions) // QUARTER
    means = []
    for rows in (order[:size], order[-size:]):
        part = [mentions[row] for row in rows]
        present = Counter(name for mention in part for name in mention.types)
        values = [type_scores(scores[name][rows], part, name)[0] for name in scores if present[name] >= FEWEST]
        means.append(float(np.mean(values)) if values else float("nan"))
    return means[0], means[1]


def _interval(values: Sequence[float]) -> str:
    low, high = bootstrap(values, seed=0)
    return f"{np.mean(values):.3f} ({low:.3f} to {high:.3f})"


if __name__ == "__main__":
    main()
