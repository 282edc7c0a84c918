"""Configuration of a nerret model."""

from __future__ import annotations

import inspect
import math
import operator
import re
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from functools import cache, partial
from typing import Any

from transformers import AutoConfig, PretrainedConfig

POOLINGS = ("end", "mean")
ACTIVATIONS = ("silu", "tanh")
DTYPES = ("float16", "bfloat16", "float32", "float64")
# Fields of a config.json beside a class's own
STOCK_FIELDS = ("architectures", "auto_map", "dtype", "model_type", "torch_dtype", "transformers_version")
# What only the caller chooses, never a file: code, kernels, other weights, another precision
CALLER_FIELDS = (
    "attn_implementation",
    "auto_map",
    "distributed_config",
    "experts_implementation",
    "fusion_config",
    "kernel_config",
    "name_or_path",
    "quantization_config",
    "transformers_weights",
    "trust_remote_code",
    "use_kernels",
)
# Smallest and largest whole numbers
COUNTS = {
    "layer": (0, 1_000),
    "value_size": (1, 1 << 20),
    "head_size": (1, 1 << 20),
    "hidden_size": (1, 1 << 20),
    "prefix_tokens": (0, 100),
    "suffix_tokens": (0, 100),
    "max_tokens": (8, 1 << 24),
    "document_size": (0, 1 << 20),
    "feedback_documents": (0, 100),
}
# Smallest and largest numbers
NUMBERS = {
    "match_score": (-1, 1),
    "certainty": (0, 10),
    "phrase_weight": (0, 1),
    "hubness": (0, 1),
    "document_weight": (0, 1_000),
    "document_floor": (0, 1),
    "lexical_weight": (0, 1_000),
    "lexical_half": (1e-6, 1e6),
    "feedback_weight": (0, 10),
}
GOLDEN_TOKENS, GOLDEN_NUMBERS = 4096, 16
# Sizes of a backbone, by the names that the families give them
CUT_SIZES = (
    "attention_heads",
    "dim",
    "ffn_dim",
    "head_dim",
    "hidden_dim",
    "hidden_size",
    "intermediate_size",
    "max_position_embeddings",
    "n_embd",
    "n_head",
    "n_heads",
    "n_positions",
    "num_attention_heads",
    "num_key_value_heads",
    "vocab_size",
    "word_embed_proj_dim",
)
CUT_LIMIT = 1 << 31
# Counts for each of which transformers makes an object, before anything is loaded
CUT_COUNTS = {
    "decoder_layers": 1_000,
    "encoder_layers": 1_000,
    "n_layer": 1_000,
    "n_layers": 1_000,
    "num_hidden_layers": 1_000,
    "num_labels": 100_000,
    "num_layers": 1_000,
}


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
        prefix_tokens: special tokens before a text: the tokenizer's own, or the one that a causal backbone needs.
        suffix_tokens: special tokens that it puts after a text.
        max_tokens: window length in tokens, special ones included; longer texts are cut into overlapping windows.
        match_score: score from which a mention counts as a match of a type, in [-1, 1]; chosen on a dev split.
        certainty: the score of a mention that is a name is its cosine times the chance that it is one to this power, in
            [0, 10]; 0: all names count the same. With a detector's score s above 0.5, the chance is 2 s - 1. Chosen on
            a dev split.
        phrase_weight: the score of a mention that is no name, with a detector's score up to 0.5, is its cosine times
            this, in [0, 1]; chosen on a dev split.
        hubness: a mention that is near to any type is noise more often than others. Its score is multiplied by 1 less
            this times its nearness to the names of types that come with the checkpoint, if any do; in [0, 1], chosen on
            a dev split.
        document_size: width of the document head's inner layer; 0: the model has none.
        document_weight: weight of a document's own cosine in the hybrid score; chosen on a dev split.
        document_floor: share of a document's own cosine that its best mention counts at least, in the hybrid score, for
            the detector may have missed the mention; chosen on a dev split.
        lexical_weight: weight of b / (b + half) in the hybrid score, for a BM25 score b; chosen on a dev split.
        lexical_half: the half of that formula.
        feedback_documents: a hybrid search moves its query towards the best mentions of so many documents that it ranks
            first, and then ranks again (pseudo-relevance feedback; Rocchio, 1971); 0: it does not. Chosen on a dev
            split.
        feedback_weight: weight of these mentions' mean, beside 1 for the query; chosen on a dev split.
        adapter_sha256: SHA-256 of the peft adapter whose weights are merged into the backbone; `None` if there is none.
        cut_config: the backbone's own configuration, already cut to `layer` blocks, as a dict; `None` if head-only.
        backbone: repository id or path of the backbone.
        backbone_revision: its commit.
        backbone_sha256: SHA-256 of its weights (see `weights.sha256_of_weights`).
        golden_tokens: token ids of a fixed text, see `golden`; `None` if the backbone came without a tokenizer.
        vocabulary_sha256: SHA-256 of the backbone's vocabulary, see `golden`; `None` if it is unknown.
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
        certainty: float = 0.0,
        phrase_weight: float = 1.0,
        hubness: float = 0.0,
        document_size: int = 0,
        document_weight: float = 0.0,
        document_floor: float = 0.0,
        lexical_weight: float = 0.3,
        lexical_half: float = 3.0,
        feedback_documents: int = 0,
        feedback_weight: float = 1.0,
        cut_config: dict[str, Any] | None = None,
        backbone: str | None = None,
        backbone_revision: str | None = None,
        backbone_sha256: str | None = None,
        adapter_sha256: str | None = None,
        golden_tokens: list[int] | None = None,
        golden_vector: list[float] | None = None,
        vocabulary_sha256: str | None = None,
        **kwargs: Any,
    ):
        _refuse_unknown(kwargs)
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
        self.certainty = certainty
        self.phrase_weight = phrase_weight
        self.hubness = hubness
        self.document_size = document_size
        self.document_weight = document_weight
        self.document_floor = document_floor
        self.lexical_weight = lexical_weight
        self.lexical_half = lexical_half
        self.feedback_documents = feedback_documents
        self.feedback_weight = feedback_weight
        self.cut_config = cut_config
        self.backbone = backbone
        self.backbone_revision = backbone_revision
        self.backbone_sha256 = backbone_sha256
        self.adapter_sha256 = adapter_sha256
        self.golden_tokens = golden_tokens
        self.golden_vector = golden_vector
        self.vocabulary_sha256 = vocabulary_sha256
        _check_dtype(kwargs)
        super().__init__(**kwargs)
        self.check()

    @classmethod
    def from_dict(cls, config_dict: dict[str, Any], **kwargs: Any) -> Any:
        """A configuration from the fields of a file and from what the caller asks for.

        Of the file only what belongs to a checkpoint is taken: no attention implementation, no kernel, no quantisation.
        """
        model_type = config_dict.get("model_type", cls.model_type)
        if model_type != cls.model_type:
            raise ValueError(f"model_type is {model_type!r:.80}; it must be {cls.model_type!r} (in config.json)")
        stock = PretrainedConfig()
        fields = {
            name: value
            for name, value in config_dict.items()
            if name in STOCK_FIELDS or not (_is_callers(name) or (hasattr(stock, name) and name not in _names()))
        }
        result = super().from_dict(fields, **kwargs)
        (result[0] if isinstance(result, tuple) else result).check()  # the caller's fields are set unseen
        return result

    def check(self) -> None:
        """Check every field.

        Raises:
            ValueError: a field has another type or is out of range; the message says what is accepted.
        """
        for fault in _faults(self):
            raise ValueError(f"{fault} (in config.json, a nerret configuration)")

    @property
    def head_only(self) -> bool:
        """Whether the checkpoint holds only the head and names a backbone."""
        return self.cut_config is None


def backbone_fields(fields: Any) -> Any:
    """A backbone's configuration without what only the caller chooses: at every depth.

    Example:
        >>> backbone_fields({"hidden_size": 8, "_attn_implementation": "someone/kernel", "auto_map": {}})
        {'hidden_size': 8}
    """
    if isinstance(fields, dict):
        return {name: backbone_fields(value) for name, value in fields.items() if not _is_callers(name)}
    return fields


def _is_callers(name: Any) -> bool:
    return not isinstance(name, str) or name.startswith("_") or name in CALLER_FIELDS


def _names() -> list[str]:
    """Names of the fields of a nerret configuration."""
    return [name for name in inspect.signature(NerretConfig.__init__).parameters if name not in ("self", "kwargs")]


def _faults(config: NerretConfig) -> Iterator[str]:
    """What is wrong with the fields."""
    for name, (check, kind) in _rules().items():
        value = getattr(config, name)
        if not check(value):
            yield f"{name} is {value!r:.80}; {kind}"
    if not config.prefix_tokens + config.suffix_tokens < config.max_tokens:
        yield f"max_tokens is {config.max_tokens}; the tokens around a text leave no room for it"
    yield from _golden_faults(config)
    if config.cut_config is not None:
        yield from _cut_faults(config)


@cache
def _rules() -> dict[str, tuple[Callable[[Any], bool], str]]:
    """How the value of a field is checked, and what the message says is accepted."""
    rules: dict[str, tuple[Callable[[Any], bool], str]] = {}
    for name, (least, most) in COUNTS.items():
        kind = f"it must be a whole number, {least} or more, at most {most}"
        rules[name] = partial(_is_count, least=least, most=most), kind
    for name, (lowest, highest) in NUMBERS.items():
        kind = f"it must be a number in [{lowest:g}, {highest:g}]"
        rules[name] = partial(_is_number, lowest=lowest, highest=highest), kind
    for name, choices in (("pooling", POOLINGS), ("head_activation", ACTIVATIONS)):
        rules[name] = partial(operator.contains, choices), f"accepted are {', '.join(map(repr, choices))}"
    for name in ("value_bias", "input_norm"):
        rules[name] = (lambda value: isinstance(value, bool)), "it must be true or false"
    for name in ("backbone", "backbone_revision"):
        rules[name] = _is_name, "it must be a name or path, or null"
    for name in ("backbone_sha256", "adapter_sha256", "vocabulary_sha256"):
        rules[name] = _is_digest, "it must be a SHA-256 of 64 hexadecimal digits, or null"
    rules["dropout"] = (lambda value: _is_number(value, 0, 1) and value < 1), "it must be in [0, 1)"
    return rules


def _golden_faults(config: NerretConfig) -> Iterator[str]:
    """What is wrong with the test text's tokens and vector."""
    tokens, vector = config.golden_tokens, config.golden_vector
    if tokens is not None and not (
        isinstance(tokens, list)
        and len(tokens) <= GOLDEN_TOKENS
        and all(_is_count(token, 0, CUT_LIMIT) for token in tokens)
    ):
        yield f"golden_tokens is {tokens!r:.80}; it must be a list of at most {GOLDEN_TOKENS} token ids, or null"
    numbers = isinstance(vector, list) and len(vector) <= GOLDEN_NUMBERS and all(map(_is_number, vector))
    if vector is not None and not numbers:
        yield f"golden_vector is {vector!r:.80}; it must be a list of at most {GOLDEN_NUMBERS} numbers, or null"


def _cut_faults(config: NerretConfig) -> Iterator[str]:
    """What is wrong with the configuration of the backbone inside."""
    fields = config.cut_config
    if not isinstance(fields, dict) or not isinstance(fields.get("model_type"), str):
        yield f"cut_config is {fields!r:.80}; it must be a backbone's configuration with its model_type, or null"
        return
    if fields.get("num_hidden_layers", config.layer) != config.layer:
        yield f"layer is {config.layer}, but cut_config has {fields['num_hidden_layers']!r:.80} blocks"
    yield from stock_faults(fields, "cut_config.", limit=1e15)


def stock_faults(fields: dict[str, Any], prefix: str = "", limit: float = math.inf) -> Iterator[str]:
    """What is wrong with the numbers of a configuration of transformers: a model of such sizes takes for ever to build.

    Example:
        >>> list(stock_faults({"num_labels": 10**9, "hidden_size": 8}))
        ['num_labels is 1000000000; it must be a whole number from 0 to 100000']
    """
    for name, value in _leaves(backbone_fields(fields)):
        key = name.rpartition(".")[2]
        least, most = (0, CUT_COUNTS[key]) if key in CUT_COUNTS else (1, CUT_LIMIT)
        whole = key in CUT_COUNTS or key in CUT_SIZES
        if whole and value is not None and not _is_count(value, least, most):
            yield f"{prefix}{name} is {value!r:.80}; it must be a whole number from {least} to {most}"
        elif isinstance(value, int | float) and not abs(value) <= limit:  # NaN is not, either
            yield f"{prefix}{name} is {value!r:.80}; it must be a finite number"


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """The values in nested objects and lists, with their dotted names."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _leaves(part, f"{name}.{key}" if name else key)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _leaves(part, name)
    else:
        yield name, value


def _is_count(value: Any, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _is_number(value: Any, lowest: float = -math.inf, highest: float = math.inf) -> bool:
    finite = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < math.inf
    return finite and lowest <= value <= highest


def _is_name(value: Any) -> bool:
    return value is None or (isinstance(value, str) and value.isprintable() and 0 < len(value) <= 4096)


def _is_digest(value: Any) -> bool:
    return value is None or (isinstance(value, str) and bool(re.fullmatch("[0-9a-f]{64}", value)))


def _check_dtype(fields: dict[str, Any]) -> None:
    """Refuse what transformers would look up by name among all that torch has.

    Raises:
        ValueError: the message says what is accepted.
    """
    for name in ("dtype", "torch_dtype"):
        if isinstance(fields.get(name), str | int | float | list | dict) and fields[name] not in DTYPES:
            raise ValueError(f"{name} is {fields[name]!r:.80}; accepted are {', '.join(map(repr, DTYPES))}")


def _refuse_unknown(fields: dict[str, Any]) -> None:
    """Refuse fields that neither this class nor transformers knows: a typo, or a field of a newer version.

    Raises:
        ValueError: the message names the fields and the nearest that exist.
    """
    stock, stock_fields = PretrainedConfig(), (*STOCK_FIELDS, *CALLER_FIELDS, "use_cache")
    unknown = [name for name in fields if not (name.startswith("_") or name in stock_fields or hasattr(stock, name))]
    if not unknown:
        return
    matches = get_close_matches(unknown[0], _names(), n=1)
    raise ValueError(
        f"unknown field {', '.join(map(repr, unknown))} in a nerret configuration (config.json)"
        + (f" (did you mean {matches[0]!r}?)" if matches else "")
        + f"; fields are {', '.join(_names())}. A newer version of nerret may know it"
    )


if __package__ == "modeling_nerret":  # the copy that a checkpoint brings is registered by the loader that trusts it
    AutoConfig.register("nerret", NerretConfig)
