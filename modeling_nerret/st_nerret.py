"""nerret as a sentence-transformers module: `SentenceTransformer(path, trust_remote_code=True).encode(...)`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import index
from typing import Any

import torch
from sentence_transformers.sentence_transformer.modules import InputModule
from transformers import PreTrainedTokenizerBase

from .loading import load_tokenizer
from .manifest import check_files, write_manifest
from .modeling_nerret import NerretModel, built_in_folder
from .spans import Span, check_span
from .special_tokens import match_prefix
from .windows import Sighting, Sightings, Window, make_windows, stack

OUTPUTS = ("sentence_embedding", "token_embeddings")
ACCEPTED = 'a string (a type query) or {"text": ..., "start": ..., "end": ...} (a mention in its text)'


class Features(dict[str, Any]):
    """The outputs for a batch. Vectors of all tokens are computed when they are first asked for, which is rare.

    Args:
        inputs: the inputs of the batch.
        model: the model.
        states: (batch, tokens, backbone size).
    """

    def __init__(self, inputs: Mapping[str, Any], model: NerretModel, states: torch.Tensor):
        super().__init__(inputs)
        self._model, self._states = model, states

    def __missing__(self, name: str) -> torch.Tensor:
        """`token_embeddings` (batch, tokens, hidden_size): what a mention of just this token would get.

        Raises:
            ValueError: the name of another output.
        """
        if name != "token_embeddings":
            raise ValueError(f"output_value is {name!r:.80}; accepted are {', '.join(map(repr, OUTPUTS))} and None")
        batch, tokens = self._states.shape[:2]
        rows = torch.arange(batch, device=self._states.device).repeat_interleave(tokens)
        first = torch.arange(tokens, device=self._states.device).repeat(batch)
        spans = torch.stack([rows, first, first + 1], dim=1)  # (batch * tokens, 3)
        self[name] = self._model.embed(self._states, spans).view(batch, tokens, -1)
        return self[name]


class NerretTransformer(InputModule):
    """Encodes type queries (strings) and mentions in context (`{"text", "start", "end"}`), also mixed.

    Example:
        >>> from sentence_transformers import SentenceTransformer
        >>> encoder = SentenceTransformer(tiny_checkpoint, trust_remote_code=True)
        >>> mention = {"text": "Ada Lovelace wrote notes.", "start": 0, "end": 12}
        >>> encoder.encode(["mathematician", mention]).shape == (2, encoder.get_embedding_dimension())
        True
    """

    config_file_name = "nerret_st_config.json"
    save_in_root = True

    def __init__(self, model: NerretModel, tokenizer: PreTrainedTokenizerBase):
        super().__init__()
        self.model = model
        self.tokenizer: Any = match_prefix(tokenizer, model.config)
        self._max_tokens = model.config.max_tokens

    @property
    def max_seq_length(self) -> int:
        """Window length in tokens; it may be set to less than the model's own. A checkpoint keeps the model's own.

        Raises:
            ValueError: the length is no whole number, or longer than the model's own.
        """
        return self._max_tokens

    @max_seq_length.setter
    def max_seq_length(self, value: int) -> None:
        least, most = 8, self.model.config.max_tokens
        if isinstance(value, bool) or not hasattr(value, "__index__") or not least <= index(value) <= most:
            raise ValueError(f"max_seq_length is {value!r:.80}; it must be a whole number from {least} to {most}")
        self._max_tokens = index(value)

    def get_embedding_dimension(self) -> int:
        """Width of the embeddings."""
        return self.model.config.hidden_size

    def preprocess(  # type: ignore[override]
        self, inputs: Sequence[str | Mapping[str, Any]], prompt: str | None = None, **kwargs: Any
    ) -> dict[str, torch.Tensor]:
        """Token ids and mask (batch, tokens), and each row's token span `first`, `last` (batch,).

        Raises:
            ValueError: an input of another form, a span outside its text, an empty text, or a query over the window.
        """
        mentions = [_as_mention(item, prompt) for item in inputs]
        windows = make_windows(self.tokenizer, [text for text, _ in mentions], self.max_seq_length)
        sightings = Sightings(windows, self.model.causal)
        rows: list[tuple[Window, Sighting]] = []
        for owner, (item, (text, span)) in enumerate(zip(inputs, mentions, strict=True)):
            if isinstance(item, str) and len(sightings.windows(owner)) > 1:
                raise ValueError(
                    f"a type query of {len(item)} characters exceeds {self.max_seq_length} tokens; shorten it"
                )
            best = sightings.best(owner, span)
            if best is None:
                raise ValueError(
                    f"no token of this model covers {text[span.start : span.end]!r}; it cannot be embedded"
                )
            rows.append(best)
        ids, mask = stack([window for window, _ in rows])
        first = torch.tensor([sighting.first for _, sighting in rows])
        last = torch.tensor([sighting.last for _, sighting in rows])
        return {"input_ids": ids, "attention_mask": mask, "first": first, "last": last}

    def forward(self, features: dict[str, torch.Tensor], **kwargs: Any) -> dict[str, torch.Tensor]:
        """Add `sentence_embedding` (batch, hidden_size) to the features."""
        rows = torch.arange(len(features["first"]), device=features["first"].device)
        spans = torch.stack([rows, features["first"], features["last"]], dim=1)  # (batch, 3)
        output = self.model(features["input_ids"], features["attention_mask"], spans=spans)
        return Features({**features, "sentence_embedding": output.embeddings}, self.model, output.states)

    def save(self, output_path: str, *args: Any, safe_serialization: bool = True, **kwargs: Any) -> None:
        """Write model, tokenizer and this module's settings to a folder."""
        self.model.save_pretrained(output_path)
        self.save_tokenizer(output_path)
        self.save_config(output_path)
        # sentence-transformers writes the list of modules next
        write_manifest(output_path, "tokenizer", "settings", foreign=["modules"])

    @classmethod
    def load(  # type: ignore[override]
        cls,
        model_name_or_path: str,
        subfolder: str = "",
        token: bool | str | None = None,
        cache_folder: str | None = None,
        revision: str | None = None,
        local_files_only: bool = False,
        model_kwargs: dict[str, Any] | None = None,
        processor_kwargs: dict[str, Any] | None = None,
        config_kwargs: dict[str, Any] | None = None,
        backend: str = "torch",
        **kwargs: Any,
    ) -> NerretTransformer:
        """Load a checkpoint of either form, from a folder or a repository.

        A head-only one without a tokenizer takes its backbone's. No code of the backbone's repository is ever run.

        Raises:
            ValueError: the tokenizer should be another, or another library should run the model.
        """
        if processor_kwargs:
            raise ValueError(
                f"the tokenizer of a nerret checkpoint takes no options, but {', '.join(map(repr, processor_kwargs))} "
                "was given; for shorter windows set max_seq_length"
            )
        if backend != "torch":
            raise ValueError(f"backend is {backend!r:.80}; a nerret checkpoint runs only with 'torch'")
        source = {
            "subfolder": subfolder,
            "token": token,
            "cache_dir": cache_folder,
            "revision": revision or "main",
            "local_files_only": local_files_only,
        }
        model_name_or_path = built_in_folder(model_name_or_path)
        check_files(model_name_or_path, "settings", "modules", **source)
        options = {**(config_kwargs or {}), **(model_kwargs or {})}
        model = NerretModel.from_pretrained(model_name_or_path, **source, **options)
        return cls(model, load_tokenizer(model_name_or_path, model.config, **source))


def _as_mention(item: Any, prompt: str | None) -> tuple[str, Span]:
    """Text and span of one input; the span of a type query is its whole text, the prompt left out."""
    if isinstance(item, str):
        if not item.strip():
            raise ValueError(f"an input is empty; accepted is {ACCEPTED}")
        prompt = prompt or ""
        return prompt + item, Span(len(prompt), len(prompt) + len(item))
    if isinstance(item, Mapping) and set(item) == {"text", "start", "end"} and isinstance(item["text"], str):
        check_span(item["text"], item["start"], item["end"])
        return item["text"], Span(item["start"], item["end"])
    raise ValueError(f"cannot encode {item!r:.80}; accepted is {ACCEPTED}")
