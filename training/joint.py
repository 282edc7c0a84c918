"""Train an adapter of the backbone's blocks together with the head and the document head, on the texts themselves.

Cached value vectors are of no use here, because the adapter changes them with every step. The gradient goes through the
cut backbone only. At the end the adapter lies in peft's form beside the head, and is merged into the model's weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import LoraConfig, get_peft_model
from torch import nn
from transformers import PreTrainedTokenizerBase

from modeling_nerret.adapters import FOLDER
from modeling_nerret.encoding import BATCH_TOKENS
from modeling_nerret.modeling_nerret import NerretModel
from modeling_nerret.spans import Span
from modeling_nerret.windows import batches, by_text, make_windows, stack
from training.data import Annotated, Source
from training.fitting import Schedule, fit
from training.losses import info_nce

Log = list[dict[str, Any]]


class JointTraining(nn.Module):
    """A model with its loss: types against mentions, and types against the texts that mention them."""

    def __init__(self, model: NerretModel, temperature: float, document_share: float):
        super().__init__()
        self.model, self.temperature, self.document_share = model, temperature, document_share

    def train(self, mode: bool = True) -> JointTraining:
        """As in torch, but without dropout in the backbone, which would make attention slow."""
        super().train(mode)
        self.model.backbone.eval()
        return self

    def forward(
        self,
        parts: list[dict[str, torch.Tensor]],
        types: torch.Tensor,
        mentions: torch.Tensor,
        matches: torch.Tensor,
        texts: torch.Tensor,
        holds: torch.Tensor,
    ) -> dict[str, torch.Tensor]:
        """Loss of a batch of `TextBatches`."""
        found, whole = [], []
        for part in parts:
            states = self.model.hidden_states(part["ids"], part["mask"])  # (windows, tokens, backbone size)
            found.append(self.model.embed(states, part["spans"]))
            if self.document_share:
                whole.append(self.model.embed_texts(states, part["windows"]))
        vectors = torch.cat(found)  # (spans of all parts, hidden_size)
        queries = vectors[types]
        loss = info_nce(queries, vectors[mentions], matches, self.temperature)
        if self.document_share and len(texts):
            documents = torch.cat(whole)[texts]  # (texts, hidden_size)
            loss = loss + self.document_share * info_nce(queries, documents, holds, self.temperature)
        return {"loss": loss}


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
        self.texts = [_texts_by_type(source) for source in sources]
        self.types = [sorted(found) for found in self.texts]
        powers = [
            np.array([len(found[name]) for name in names]) ** (1 - self.own["balance"])
            for found, names in zip(self.texts, self.types, strict=True)
        ]
        self.shares = [power / power.sum() for power in powers]

    def __getitem__(self, number: int) -> dict[str, Any]:
        """What `JointTraining` takes; see `_collate`."""
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


def _texts_by_type(source: Source) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for number, text in enumerate(source.texts):
        for name in sorted({name for types in text.mentions.values() for name in types}):
            found.setdefault(name, []).append(number)
    return found


def adapt(backbone: Any, name: str, recipe: dict[str, Any]) -> Any:
    """A backbone under a new adapter on all its linear maps; `name` is what the adapter says that it belongs to."""
    config = LoraConfig(
        r=recipe["rank"],
        lora_alpha=2 * recipe["rank"],
        target_modules="all-linear",
        use_dora=recipe["method"] == "dora",
    )
    adapted = get_peft_model(backbone, config)
    adapted.peft_config["default"].base_model_name_or_path = name
    return adapted


def train_joint(
    model: NerretModel,
    tokenizer: PreTrainedTokenizerBase,
    sources: Sequence[Source],
    recipe: dict[str, Any],
    folder: Path,
) -> tuple[Log, dict[str, Any]]:
    """Train adapter, head and document head in place; returns the Trainer's log and what was read.

    Raises:
        ValueError: the model has an adapter already.
    """
    own = recipe["joint"]
    if model.config.adapter_sha256 is not None:
        raise ValueError("the model has an adapter already; begin with its backbone, or set joint.steps=0")
    model.backbone = adapt(model.backbone, model.config.backbone, own)
    for head in model.heads:
        head.requires_grad_(True)
    share = own["document_share"] if model.document_head is not None else 0.0
    module = JointTraining(model, own["temperature"], share)
    stream = TextBatches(sources, tokenizer, model.causal, recipe)
    log = fit(module, stream, folder, Schedule.of(recipe, "joint"))
    model.backbone.save_pretrained(folder / FOLDER)
    model.backbone = model.backbone.unload()
    model.merge_adapter(folder / FOLDER)
    trained = sum(weight.numel() for weight in module.parameters() if weight.requires_grad)
    sets = [
        {"name": source.name, "weight": source.weight, "texts": len(source.texts), "types": len(types)}
        for source, types in zip(sources, stream.types, strict=True)
    ]
    return log, {"sets": sets, "trained_numbers": trained}
