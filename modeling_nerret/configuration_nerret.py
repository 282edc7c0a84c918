"""Configuration of a nerret model."""

from __future__ import annotations

import inspect
from difflib import get_close_matches
from typing import Any

from transformers import AutoConfig, PretrainedConfig

POOLINGS = ("end", "mean")
ACTIVATIONS = ("silu", "tanh")
# What transformers and its trainer write into a config.json beside a class's own fields
LOADERS = (
    "attn_implementation",
    "auto_map",
    "dtype",
    "model_type",
    "quantization_config",
    "torch_dtype",
    "transformers_version",
    "use_cache",
)


class NerretConfig(PretrainedConfig):
    """What a nerret checkpoint is made of: a cut backbone, the value projection of one block, and a head.

    A checkpoint is *self-contained* when `cut_config` is set (backbone weights are in the same file), and *head-only*
    when it is `None`: then `backbone`, `backbone_revision` and `backbone_sha256` name the weights that it needs.

    Args:
        layer: 0-based block k whose value projection is read; k blocks are run (the paper: 17 of Llama 3.1 8B).
        pooling: `"end"` (last token of the mention, the paper's choice) or `"mean"` over its tokens.
        value_size: width of the value vectors (number of key-value heads x head width).
        value_bias: whether the value projection has a bias.
        input_norm: whether a norm stands before the value projection (false for post-norm encoders such as BERT).
        head_size: width of the head's inner layer.
        hidden_size: width of the embeddings. Named so because other libraries read it as the output width.
        head_activation: `"silu"` (the paper's) or `"tanh"`.
        dropout: dropout inside the head while training, in [0, 1).
        prefix_tokens: special tokens that the tokenizer puts before a text.
        suffix_tokens: special tokens that it puts after a text.
        max_tokens: window length in tokens, special ones included; longer texts are cut into overlapping windows.
        match_score: cosine above which a mention counts as a match of a type, in [-1, 1]; chosen on a dev split.
        document_size: width of the document head's inner layer; 0: the model has none.
        document_weight: weight of a document's own cosine in the hybrid score; chosen on a dev split.
        document_floor: share of a document's own cosine that its best mention counts at least, in the hybrid score, for
            the detector may have missed the mention; chosen on a dev split.
        lexical_weight: weight of b / (b + half) in the hybrid score, for a BM25 score b; chosen on a dev split.
        lexical_half: the half of that formula.
        adapter_sha256: SHA-256 of the peft adapter whose weights are merged into the backbone; `None` if there is none.
        cut_config: the backbone's own configuration, already cut to `layer` blocks, as a dict; `None` if head-only.
        backbone: repository id or path of the backbone.
        backbone_revision: its commit.
        backbone_sha256: SHA-256 of its weights (see `weights.sha256_of_weights`).
        golden_tokens: token ids of a fixed text, see `golden`; `None` if the backbone came without a tokenizer.
        golden_vector: first numbers of that text's vector, written by `NerretModel.save_pretrained`.
        kwargs: fields that every transformers configuration has.

    Raises:
        ValueError: a value out of range; the message says what is accepted.

    Example:
        >>> from modeling_nerret import NerretConfig
        >>> NerretConfig(layer=4, pooling="mean").pooling
        'mean'
    """

    model_type = "nerret"

    def __init__(
        self,
        layer: int = 17,
        pooling: str = "end",
        value_size: int = 1024,
        value_bias: bool = False,
        input_norm: bool = True,
        head_size: int = 500,
        hidden_size: int = 500,
        head_activation: str = "silu",
        dropout: float = 0.1,
        prefix_tokens: int = 0,
        suffix_tokens: int = 0,
        max_tokens: int = 512,
        match_score: float = 0.5,
        document_size: int = 0,
        document_weight: float = 0.0,
        document_floor: float = 0.0,
        lexical_weight: float = 0.3,
        lexical_half: float = 3.0,
        cut_config: dict[str, Any] | None = None,
        backbone: str | None = None,
        backbone_revision: str | None = None,
        backbone_sha256: str | None = None,
        adapter_sha256: str | None = None,
        golden_tokens: list[int] | None = None,
        golden_vector: list[float] | None = None,
        **kwargs: Any,
    ):
        _refuse_unknown(kwargs)
        for name, number, least in (
            ("layer", layer, 0),
            ("value_size", value_size, 1),
            ("head_size", head_size, 1),
            ("hidden_size", hidden_size, 1),
            ("prefix_tokens", prefix_tokens, 0),
            ("suffix_tokens", suffix_tokens, 0),
            ("max_tokens", max_tokens, 8),
            ("document_size", document_size, 0),
        ):
            if isinstance(number, bool) or not isinstance(number, int) or number < least:
                raise ValueError(f"{name} is {number!r}; it must be a whole number, {least} or more")
        for name, value, choices in (
            ("pooling", pooling, POOLINGS),
            ("head_activation", head_activation, ACTIVATIONS),
        ):
            if value not in choices:
                raise ValueError(f"{name} is {value!r}; accepted are {', '.join(map(repr, choices))}")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout is {dropout!r}; it must be in [0, 1)")
        if cut_config is not None and cut_config.get("num_hidden_layers", layer) != layer:
            raise ValueError(f"layer is {layer}, but cut_config has {cut_config['num_hidden_layers']} blocks")
        self.layer = layer
        self.pooling = pooling
        self.value_size = value_size
        self.value_bias = value_bias
        self.input_norm = input_norm
        self.head_size = head_size
        self.hidden_size = hidden_size
        self.head_activation = head_activation
        self.dropout = dropout
        self.prefix_tokens = prefix_tokens
        self.suffix_tokens = suffix_tokens
        self.max_tokens = max_tokens
        self.match_score = match_score
        self.document_size = document_size
        self.document_weight = document_weight
        self.document_floor = document_floor
        self.lexical_weight = lexical_weight
        self.lexical_half = lexical_half
        self.cut_config = cut_config
        self.backbone = backbone
        self.backbone_revision = backbone_revision
        self.backbone_sha256 = backbone_sha256
        self.adapter_sha256 = adapter_sha256
        self.golden_tokens = golden_tokens
        self.golden_vector = golden_vector
        super().__init__(**kwargs)

    @property
    def head_only(self) -> bool:
        """Whether the checkpoint holds only the head and names a backbone."""
        return self.cut_config is None


def _refuse_unknown(fields: dict[str, Any]) -> None:
    """Refuse fields that neither this class nor transformers knows: a typo, or a field of a newer version.

    Raises:
        ValueError: the message names the fields and the nearest that exist.
    """
    stock = PretrainedConfig()
    unknown = [name for name in fields if not (name.startswith("_") or name in LOADERS or hasattr(stock, name))]
    if not unknown:
        return
    names = [name for name in inspect.signature(NerretConfig.__init__).parameters if name not in ("self", "kwargs")]
    matches = get_close_matches(unknown[0], names, n=1)
    raise ValueError(
        f"unknown field {', '.join(map(repr, unknown))} in a nerret configuration"
        + (f" (did you mean {matches[0]!r}?)" if matches else "")
        + f"; fields are {', '.join(names)}. A newer version of nerret may know it"
    )


if __package__ == "modeling_nerret":  # the copy that a checkpoint brings is registered by the loader that trusts it
    AutoConfig.register("nerret", NerretConfig)
