"""Batches of texts with their mentions and types, for training that reads the texts themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from modeling_nerret.encoding import BATCH_TOKENS
from modeling_nerret.spans import Span
from modeling_nerret.windows import batches, by_text, make_windows, stack
from .data import Annotated, Source


class TextBatches:
    """Batches of texts with all their mentions, and the types that these have, by number.

    A batch comes from one source. Types are drawn without repetition, with their number of texts to the power
    `1 - balance`, and each brings one text; of the other types of these texts every second one is asked for as well.
    """

    def __init__(
        self, sources: Sequence[Source], tokenizer: PreTrainedTokenizerBase, causal: bool, recipe: dict[str, Any]
    ):
        self.sources, self.tokenizer, self.causal = sources, tokenizer, causal
        self.seed, self.own = recipe["seed"], recipe["joint"]
        weights = np.array([source.weight for source in sources])
        self.weights = weights / weights.sum()
        self.texts = [texts_by_type(source) for source in sources]
        self.types = [sorted(found) for found in self.texts]
        powers = [
            np.array([len(found[name]) for name in names]) ** (1 - self.own["balance"])
            for found, names in zip(self.texts, self.types, strict=True)
        ]
        self.shares = [power / power.sum() for power in powers]

    def __getitem__(self, number: int) -> dict[str, Any]:
        """What `training.joint.JointTraining` takes; see `_collate`."""
        random = np.random.default_rng((self.seed, number))
        which = int(random.choice(len(self.sources), p=self.weights))
        source, own, names = self.sources[which], self.texts[which], self.types[which]
        count = min(self.own["texts"], len(names))
        picked = [names[at] for at in random.choice(len(names), count, replace=False, p=self.shares[which])]
        texts = [source.texts[at] for at in sorted({int(random.choice(own[name])) for name in picked})]
        present = sorted({name for text in texts for found in text.mentions.values() for name in found})
        asked = [name for name in present if name in picked or random.random() < 0.5]
        return self._collate(texts, asked, [str(random.choice(source.wordings[name])) for name in asked])

    def _collate(self, texts: Sequence[Annotated], names: Sequence[str], phrases: Sequence[str]) -> dict[str, Any]:
        """Texts and phrases as tensors.

        Returns:
            `parts`: token ids and mask (windows, tokens), `spans` (n, 3) of mentions and phrases, and `windows`
            (windows, 3), the windows' own tokens. The other fields count through the parts: `types` (t,) and `mentions`
            (m,) are rows of all spans, `texts` (d,) of all windows; `matches` (t, m) and `holds` (t, d) say what has
            which type.
        """
        items = [(text.text, list(text.mentions)) for text in texts]
        items += [(phrase, [Span(0, len(phrase))]) for phrase in phrases]
        windows = make_windows(self.tokenizer, [text for text, _ in items], self.own["tokens"])
        places = by_text(windows, len(items))
        parts, owners, whole = [], [], []
        for batch in batches(windows, BATCH_TOKENS):
            rows = []
            for row, window in enumerate(batch):
                own = set()
                for span in items[window.owner][1]:
                    place = places[window.owner].place(span.start, span.end, self.causal)
                    if place is not None and place[0] == window.number:
                        rows.append((row, *place[1]))
                        owners.append((window.owner, span))
                        own |= {span}
                whole.append((window.owner, own))
            ids, mask = stack(batch, "cpu")
            inside = [window.token_span(*window.span) or (0, 1) for window in batch]
            spans = torch.tensor([(row, *tokens) for row, tokens in enumerate(inside)])
            parts.append({"ids": ids, "mask": mask, "spans": torch.tensor(rows).reshape(-1, 3), "windows": spans})
        return {"parts": parts} | self._targets(texts, names, owners, whole)

    @staticmethod
    def _targets(
        texts: Sequence[Annotated],
        names: Sequence[str],
        owners: Sequence[tuple[int, Span]],
        whole: Sequence[tuple[int, set[Span]]],
    ) -> dict[str, torch.Tensor]:
        """The fields of a batch that say what has which type."""
        mentions = [row for row, (owner, _) in enumerate(owners) if owner < len(texts)]
        asked = {owner - len(texts): row for row, (owner, _) in enumerate(owners) if owner >= len(texts)}
        labels = [set(texts[owners[row][0]].mentions[owners[row][1]]) for row in mentions]
        # a name that stands alone is no document
        documents = [
            row
            for row, (owner, own) in enumerate(whole)
            if owner < len(texts) and not any(span[:2] == (0, len(texts[owner].text)) for span in own)
        ]
        held = [{name for span in whole[row][1] for name in texts[whole[row][0]].mentions[span]} for row in documents]
        return {
            "types": torch.tensor([asked[at] for at in sorted(asked)]),
            "mentions": torch.tensor(mentions),
            "matches": torch.tensor([[names[at] in own for own in labels] for at in sorted(asked)]),
            "texts": torch.tensor(documents, dtype=torch.long),
            "holds": torch.tensor([[names[at] in own for own in held] for at in sorted(asked)]),
        }


def texts_by_type(source: Source) -> dict[str, list[int]]:
    """Numbers of the texts that mention each type."""
    found: dict[str, list[int]] = {}
    for number, text in enumerate(source.texts):
        for name in sorted({name for types in text.mentions.values() for name in types}):
            found.setdefault(name, []).append(number)
    return found
