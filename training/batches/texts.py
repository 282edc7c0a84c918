"""Batches of texts with their mentions and types, for training that reads the texts themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from modeling_nerret.encoding import BATCH_TOKENS
from modeling_nerret.spans import Span
from modeling_nerret.windows import Sightings, batches, make_windows, row_owners, stack, token_rows

from ..data.annotated import Annotated
from ..data.source import Source
from ..recipes import JointSection
from .base import Batch, Batches, flatten_counts


class Draw(NamedTuple):
    """What a batch holds: texts, the types that it asks for, and for each a wording as its query."""

    texts: list[Annotated]
    types: list[str]
    queries: list[str]


class BatchRows(NamedTuple):
    """What the rows of a batch's spans and windows are of.

    Texts are counted first, then queries: owner `len(texts)` is the first query.

    Args:
        spans: owner and span of each mention and each query, in order of the parts' `spans`.
        windows: owner of each window, the mentions that it shows and its words, in order of the parts' `windows`.
    """

    spans: list[tuple[int, Span]]
    windows: list[tuple[int, set[Span], str]]


class TextBatches(Batches):
    """Texts with all their mentions, and types of these.

    A batch is drawn from one source. Its types are drawn without repetition, flattened by `balance`, and each brings
    one text; of the other types of these texts every second one is a query as well. Some types also bring a decoy: a
    text with a mention that shares a word with the type's name, but is of another type.

    Args:
        sources: drawn from by their weights.
        section: the recipe's, with `texts`, `decoys`, `tokens` and `balance`.
        seed: of all draws.
        tokenizer: the model's.
        causal: whether the model's tokens see only what stands before them.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        section: JointSection,
        seed: int,
        tokenizer: PreTrainedTokenizerBase,
        causal: bool,
    ):
        super().__init__([source.weight for source in sources], seed)
        self.sources, self.section, self.tokenizer, self.causal = sources, section, tokenizer, causal
        self.texts = [texts_by_type(source) for source in sources]
        self.types = [sorted(texts) for texts in self.texts]
        self.type_shares = [
            flatten_counts([len(texts[name]) for name in names], section.balance)
            for texts, names in zip(self.texts, self.types, strict=True)
        ]
        self.decoys = [find_decoys(source) if section.decoys else {} for source in sources]

    def draw(self, number: int, random: np.random.Generator) -> Batch:
        """Texts and queries as tensors.

        Returns:
            `parts`: token ids and mask (windows, tokens), `spans` (n, 3) of mentions and queries, and `windows`
            (windows, 3), the windows' tokens without special ones. The other fields count through the parts: `types`
            (t,) and `mentions` (m,) are rows of all spans, `texts` (d,) of all windows; `matches` (t, m) and `holds`
            (t, d) say which mention and which text has which type, and `may_match` and `may_hold` of the others, which
            may have it. `queries` and `passages` are the words of the types and the texts.
        """
        drawn_texts = self._draw(random)
        parts, rows = self._parts(drawn_texts)
        return {"parts": parts} | _targets(drawn_texts, rows)

    def _draw(self, random: np.random.Generator) -> Draw:
        which_source = self.any_set(random)
        source, numbers, names = self.sources[which_source], self.texts[which_source], self.types[which_source]
        count = min(self.section.texts - self.section.decoys, len(names))
        order = random.choice(len(names), count, replace=False, p=self.type_shares[which_source])
        picked_types = [names[place] for place in order]
        owners = {int(random.choice(numbers[name])) for name in picked_types}
        decoys = self.decoys[which_source]
        for name in [name for name in picked_types if name in decoys][: self.section.decoys]:
            owners.add(int(random.choice(decoys[name])))
        texts = [source.texts[owner] for owner in sorted(owners)]
        present = sorted({name for text in texts for labels in text.mentions.values() for name in labels})
        types = [name for name in present if name in picked_types or random.random() < 0.5]
        return Draw(texts, types, [str(random.choice(source.wordings[name])) for name in types])

    def _parts(self, batch: Draw) -> tuple[list[dict[str, torch.Tensor]], BatchRows]:
        """A batch's windows in parts of similar length, and what their rows are of."""
        items = [(text.text, list(text.mentions)) for text in batch.texts]
        items += [(query, [Span(0, len(query))]) for query in batch.queries]
        windows = make_windows(self.tokenizer, [text for text, _ in items], self.section.tokens)
        sightings = Sightings(windows, self.causal)
        parts, rows = [], BatchRows([], [])
        for part in batches(windows, BATCH_TOKENS):
            groups = [sightings.of(window, items[window.owner][1]) for window in part]
            rows.spans.extend(row_owners(part, groups))
            for window, group in zip(part, groups, strict=True):
                words = window.text[slice(*window.span)]
                rows.windows.append((window.owner, {sighting.span for sighting in group}, words))
            ids, mask = stack(part, "cpu")
            inner = [window.token_span(*window.span) or (0, 1) for window in part]
            whole = torch.tensor([(row, *tokens) for row, tokens in enumerate(inner)])  # (windows, 3)
            parts.append({"ids": ids, "mask": mask, "spans": token_rows(groups), "windows": whole})
        return parts, rows


def _targets(batch: Draw, rows: BatchRows) -> Batch:
    """The fields of a batch that say what has which type."""
    texts, count = batch.texts, len(batch.texts)
    mentions = [row for row, (owner, _) in enumerate(rows.spans) if owner < count]
    queries = {owner - count: row for row, (owner, _) in enumerate(rows.spans) if owner >= count}
    spans = [(texts[rows.spans[row][0]], rows.spans[row][1]) for row in mentions]
    labels = [set(text.mentions[span]) for text, span in spans]
    doubts = [set(text.perhaps.get(span, ())) - label for (text, span), label in zip(spans, labels, strict=True)]
    # a name that stands alone is not a document
    documents = [
        row
        for row, (owner, spans_of_window, _) in enumerate(rows.windows)
        if owner < count and not any(span[:2] == (0, len(texts[owner].text)) for span in spans_of_window)
    ]
    document_labels, document_doubts = [], []
    for row in documents:
        text, spans_of_window = texts[rows.windows[row][0]], rows.windows[row][1]
        document_labels.append({name for span in spans_of_window for name in text.mentions[span]})
        document_doubts.append(
            {name for span in spans_of_window for name in text.perhaps.get(span, ())} - document_labels[-1]
        )
    names = [batch.types[number] for number in sorted(queries)]
    return {
        "types": torch.tensor([queries[number] for number in sorted(queries)]),
        "mentions": torch.tensor(mentions),
        "matches": _contain(names, labels),
        "may_match": _contain(names, doubts),
        "texts": torch.tensor(documents, dtype=torch.long),
        "holds": _contain(names, document_labels),
        "may_hold": _contain(names, document_doubts),
        "queries": [batch.queries[number] for number in sorted(queries)],
        "passages": [rows.windows[row][2] for row in documents],
    }


def _contain(names: Sequence[str], labels: Sequence[set[str]]) -> torch.Tensor:
    """Which of some sets has which of some names. (names, sets) bool."""
    return torch.tensor([[name in label for label in labels] for name in names], dtype=torch.bool)


def find_decoys(source: Source) -> dict[str, list[int]]:
    """Numbers of the texts with a mention that shares a word with a type's name but certainly is of another type."""
    mentions: dict[str, list[tuple[int, set[str]]]] = {}  # by word: the text, and the types that the mention may have
    for number, text in enumerate(source.texts):
        for span, labels in text.mentions.items():
            types = {*labels, *text.perhaps.get(span, ())}
            for word in set(_words(text.text[span.start : span.end])):
                mentions.setdefault(word, []).append((number, types))
    decoys = {}
    for name in source.wordings:
        numbers = {number for word in _words(name) for number, types in mentions.get(word, ()) if name not in types}
        if numbers:
            decoys[name] = sorted(numbers)
    return decoys


def _words(name: str) -> list[str]:
    """The words of a name that say something: of more than three letters, without the plural's ending."""
    return [word.removesuffix("s") for word in name.lower().split() if len(word) > 3]


def texts_by_type(source: Source) -> dict[str, list[int]]:
    """Numbers of the texts that mention each type."""
    numbers: dict[str, list[int]] = {}
    for number, text in enumerate(source.texts):
        for name in sorted({name for labels in text.mentions.values() for name in labels}):
            numbers.setdefault(name, []).append(number)
    return numbers
