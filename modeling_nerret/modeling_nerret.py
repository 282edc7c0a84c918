"""The nerret model: a cut backbone, one block's value projection, and a head.

For block k, V = v_proj(input_norm(h_k)), where h_k is what enters block k. The backbone is the stock model, cut to its
first k blocks, with block k's input norm instead of its final norm. So its last hidden state is `input_norm(h_k)`, and
nothing after block k's V is computed, loaded or stored.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoModel, PreTrainedModel
from transformers.utils import ModelOutput

from .adapters import ADAPTER_WEIGHTS, add_adapter, find_adapter, read_adapter, write_adapter
from .backbones import build_cut, family_of, position_options
from .configuration_nerret import NerretConfig
from .files import one_line, read_json
from .golden import check_vector, golden_vector
from .loading import (
    float32_default,
    load_cut,
    quiet,
    readable_weights,
    refuse_integers,
    refuse_larger,
    refuse_long_windows,
    refuse_missing,
    refuse_nan,
    tokenizer_fields,
    without_bars,
)
from .manifest import KINDS, Manifest, check_backbone, check_files, digests_of_backbone, write_manifest
from .weights import INDEX, WEIGHTS, commit_of, find_backbone, sha256_of_weights, weight_files

# What a loader of backbones takes besides its name
BACKBONE_OPTIONS = ("dtype", "device_map", "token", "local_files_only")
# What a loader of files takes that lie beside the head
SOURCE_OPTIONS = ("revision", "token", "cache_dir", "local_files_only", "subfolder")
# Kinds of file that others read
OTHER_KINDS = ("tokenizer", "detector")
# Kinds of file that other libraries write after the model
FOREIGN_KINDS = ("tokenizer", "settings", "code")
HUB_OPTIONS = ("repo_id", "commit_message", "private", "token", "create_pr", "revision")
HEADS = ("head", "document_head")
BUILT_IN = Path(__file__).parent / "pretrained"
# What other models take, and this one would ignore
FOREIGN_INPUTS = (
    "head_mask",
    "inputs_embeds",
    "labels",
    "output_attentions",
    "output_hidden_states",
    "past_key_values",
    "position_ids",
)


@dataclass
class NerretOutput(ModelOutput):
    """What `NerretModel` returns.

    Args:
        embeddings: (mentions, hidden_size) float32, each of length 1; one per given span, or one per row.
        states: (batch, tokens, backbone size), what enters the value projection; a detector reads mentions from it.
    """

    embeddings: torch.Tensor | None = None
    states: torch.Tensor | None = None


class NerretHead(nn.Sequential):
    """Two-layer MLP from value vectors (n, value_size) to the type space (n, hidden_size); arXiv 2509.04011."""

    def __init__(self, config: NerretConfig, inner_size: int | None = None):
        inner_size = inner_size or config.head_size
        activation = nn.SiLU() if config.head_activation == "silu" else nn.Tanh()
        super().__init__(
            nn.Linear(config.value_size, inner_size),
            activation,
            nn.Dropout(config.dropout),
            nn.Linear(inner_size, config.hidden_size),
        )


def pool(values: torch.Tensor, spans: torch.Tensor, pooling: str) -> torch.Tensor:
    """One vector per token span.

    Args:
        values: (batch, tokens, size).
        spans: (mentions, 3) whole numbers: row, first token, last token + 1.
        pooling: `"end"` or `"mean"`.

    Returns:
        (mentions, size), float32.
    """
    rows, first, last = spans.to(values.device).unbind(1)
    if pooling == "end":
        return values[rows, last - 1].float()  # (mentions, size)
    lengths = last - first
    owner = torch.repeat_interleave(
        torch.arange(len(spans), device=values.device), lengths
    )  # (tokens of all mentions,)
    before = torch.cumsum(lengths, 0) - lengths
    token = torch.arange(len(owner), device=values.device) - before[owner] + first[owner]
    total = torch.zeros(len(spans), values.shape[-1], dtype=torch.float32, device=values.device)
    total.index_add_(0, owner, values[rows[owner], token].float())
    return total / lengths[:, None]  # (mentions, size)


class NerretModel(PreTrainedModel):
    """Embeds mentions and type queries into one space, in which a mention lies near the names of its types.

    Example:
        >>> from modeling_nerret import NerretModel
        >>> model = NerretModel.from_pretrained(tiny_checkpoint)
        >>> ids = torch.tensor([[2, 7, 8, 9, 3]])
        >>> model(ids).embeddings.shape == (1, model.config.hidden_size)
        True
        >>> spans = torch.tensor([[0, 1, 2], [0, 2, 4]])  # row, first token, last token + 1
        >>> model(ids, spans=spans).embeddings.shape == (2, model.config.hidden_size)
        True
    """

    config_class = NerretConfig
    base_model_prefix = "nerret"
    main_input_name = "input_ids"
    _keep_in_fp32_modules_strict = set(HEADS)  # noqa: RUF012
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_flex_attn = True
    _supports_attention_backend = True
    supports_gradient_checkpointing = True

    def __init__(self, config: NerretConfig):
        attention = config._attn_implementation_internal  # what the user asked for; super() fills in a default
        super().__init__(config)
        self._attention = attention
        self._backbone_files: dict[str, str] = {}  # SHA-256 of the backbone's configuration and tokenizer
        # first, because sentence-transformers casts what follows to its dtype
        self.head = NerretHead(config)
        self.document_head = NerretHead(config, config.document_size) if config.document_size else None
        self._adapter: dict[str, bytes] = {}  # the files of a merged adapter
        self.backbone: Any = None
        self.value_projection: Any = None
        self.states_by: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] | None = None  # in the backbone's place
        if config.cut_config is not None:
            self.backbone = build_cut(config.cut_config, config.input_norm, attention)
            size = self.backbone.config.hidden_size
            self.value_projection = nn.Linear(size, config.value_size, bias=config.value_bias)
        self.post_init()

    @property
    def causal(self) -> bool:
        """Whether a token's vector depends only on the tokens before it."""
        return family_of(self._ready().config).causal

    def value_states(self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None) -> torch.Tensor:
        """Value vectors V of block `config.layer`.

        Args:
            input_ids: (batch, tokens).
            attention_mask: (batch, tokens), 1 for tokens and 0 for padding on either side; `None`: no padding.

        Returns:
            (batch, tokens, value_size), in the backbone's dtype.
        """
        return self.value_projection(self.hidden_states(input_ids, attention_mask))

    def hidden_states(self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None) -> torch.Tensor:
        """What enters the value projection: block k's input after its norm. (batch, tokens, backbone size).

        A function `states_by` of ids and mask, if there is one, computes it in the backbone's place.
        """
        if attention_mask is None:
            attention_mask = torch.ones_like(input_ids)
        backbone = self._ready()
        if self.states_by is not None:
            return self.states_by(input_ids, attention_mask)
        positions = position_options(family_of(backbone.config), attention_mask)
        return backbone(input_ids=input_ids, attention_mask=attention_mask, **positions).last_hidden_state

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        spans: torch.Tensor | None = None,
        **kwargs: Any,
    ) -> NerretOutput:
        """Embed token spans, or each row's whole text.

        Args:
            input_ids: (batch, tokens).
            attention_mask: (batch, tokens).
            spans: (mentions, 3): row, first token, last token + 1; `None`: one span per row, its whole text without
                the tokenizer's special tokens.
            kwargs: `return_dict=False` for a tuple; `token_type_ids` and other outputs of tokenizers, which no
                supported backbone needs here.

        Returns:
            `NerretOutput` with `embeddings` (mentions, hidden_size) and `states`.

        Raises:
            ValueError: an input that this model would ignore, or a span outside its row's tokens.
        """
        if foreign := [name for name in FOREIGN_INPUTS if kwargs.get(name) is not None and kwargs[name] is not False]:
            raise ValueError(f"a nerret model does not take {foreign[0]}; it takes input_ids, attention_mask and spans")
        if spans is not None:
            _check_spans(spans, *input_ids.shape)
        states = self.hidden_states(input_ids, attention_mask)  # (batch, tokens, backbone size)
        if spans is None:
            spans = self._whole_texts(torch.ones_like(input_ids) if attention_mask is None else attention_mask)
        output = NerretOutput(embeddings=self.embed(states, spans), states=states)
        return output if kwargs.get("return_dict") is not False else output.to_tuple()  # type: ignore[return-value]

    def embed(self, states: torch.Tensor, spans: torch.Tensor) -> torch.Tensor:
        """Embeddings (mentions, hidden_size) of token spans (mentions, 3), from `hidden_states`' result."""
        return self._project(self.head, pool(states, spans, self.config.pooling))

    def embed_texts(self, states: torch.Tensor, spans: torch.Tensor) -> torch.Tensor:
        """Document vectors (texts, hidden_size) of whole texts' tokens (texts, 3): near the types of what they mention.

        Raises:
            ValueError: the model has no document head.
        """
        if self.document_head is None:
            raise ValueError("this model has no document head; its configuration says document_size=0")
        return self._project(self.document_head, pool(states, spans, "mean"))

    def _project(self, head: Any, states: torch.Tensor) -> torch.Tensor:
        """A head's vectors (n, hidden_size), of length 1, of pooled states (n, backbone size).

        V of a mean is the mean of V, so V is computed once for each mention and not for every token.
        """
        values = self.value_projection(states.to(self.backbone.dtype))  # (n, value_size)
        values = values.to(head[0].weight.device, head[0].weight.dtype)
        return nn.functional.normalize(head(values).float(), dim=-1)

    def _whole_texts(self, attention_mask: torch.Tensor) -> torch.Tensor:
        """Each row's span between its special tokens, at least one token wide. (batch, 3)."""
        positions = torch.arange(attention_mask.shape[1], device=attention_mask.device)
        mask = attention_mask.bool()
        first = torch.where(mask, positions, attention_mask.shape[1]).amin(1) + self.config.prefix_tokens
        last = torch.where(mask, positions + 1, 0).amax(1) - self.config.suffix_tokens
        last = last.clamp(min=1)
        return torch.stack([torch.arange(len(first), device=first.device), torch.minimum(first, last - 1), last], 1)

    def get_input_embeddings(self) -> nn.Module:
        """The backbone's token embeddings."""
        return self._ready().get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replace the backbone's token embeddings."""
        self._ready().set_input_embeddings(value)

    def resize_token_embeddings(self, *args: Any, **kwargs: Any) -> Any:
        """Refused: the head knows only the vectors of the backbone's own tokens.

        Raises:
            ValueError: always.
        """
        raise ValueError(
            "the vocabulary of a nerret model is its backbone's; resize the backbone's, save it, and make a new model "
            "with NerretModel.from_backbone"
        )

    @property
    def dtype(self) -> torch.dtype:
        """The backbone's, which is also what a checkpoint is loaded in; the head is always float32."""
        return super().dtype if self.backbone is None else self.backbone.dtype

    def train(self, mode: bool = True) -> NerretModel:
        """As in torch, but a frozen backbone stays in evaluation mode: dropout would only add noise."""
        super().train(mode)
        if self.backbone is not None and not any(weight.requires_grad for weight in self.backbone.parameters()):
            self.backbone.eval()
        return self

    def _ready(self) -> Any:
        if self.backbone is None:
            raise ValueError("this model has a head but no backbone yet; call model.attach_backbone() first")
        return self.backbone

    @classmethod
    def from_backbone(
        cls,
        name_or_path: str | Path,
        layer: int = 17,
        head: NerretHead | None = None,
        pooling: str = "end",
        revision: str | None = None,
        dtype: torch.dtype | str | None = None,
        device_map: Any = None,
        quantization_config: Any = None,
        attn_implementation: str | None = None,
        token: str | bool | None = None,
        local_files_only: bool = False,
        **config: Any,
    ) -> NerretModel:
        """A model over a stock backbone, cut after block `layer`'s V.

        Args:
            name_or_path: repository id or folder of a stock transformers model with safetensors.
            layer: 0-based block whose value projection is read.
            head: a trained head; `None` makes a new, random one of the sizes in `config`.
            pooling: `"end"` or `"mean"`.
            revision: commit of the repository.
            dtype: the backbone's, its files' own by default; the head is always float32.
            device_map: where transformers places the backbone, such as `"auto"`.
            quantization_config: as in transformers; a model over a quantised backbone is saved head-only.
            attn_implementation: how attention is computed, as in transformers, such as `"eager"`.
            token: for private repositories.
            local_files_only: do not look on the Hub.
            config: further fields of `NerretConfig`, such as `hidden_size`.

        Raises:
            ValueError: the architecture is not in the table, or `layer` or a width does not fit.
            OSError: the backbone was not found, or its weights cannot be read.
        """
        folder = find_backbone(str(name_or_path), revision, token=token, local_files_only=local_files_only)
        revision, sha256 = commit_of(folder) or revision, sha256_of_weights(folder)
        backbone, value, input_norm = load_cut(
            folder, layer, dtype, device_map, quantization_config, attn_implementation
        )
        fields = tokenizer_fields(folder, backbone.config)
        if head is not None:
            fields |= _fields_of(head)
            if head[0].in_features != value.out_features:
                raise ValueError(
                    f"the head takes {head[0].in_features} numbers, but V of block {layer} has {value.out_features}"
                )
        fields |= {"value_size": value.out_features, "value_bias": value.bias is not None, "input_norm": input_norm}
        fields |= {"backbone": str(name_or_path), "backbone_revision": revision, "backbone_sha256": sha256}
        with float32_default():
            model = cls(NerretConfig(layer=layer, pooling=pooling, **fields | config))
        model._backbone_files = digests_of_backbone(folder)
        if head is not None:
            model.head.load_state_dict(head.state_dict())
        model._attach(backbone, value)
        if not model.quantized:
            model.config.cut_config = backbone.config.to_dict()
        return model.eval()

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: Any, *args: Any, **kwargs: Any) -> Any:
        """Load a checkpoint of either form; a head-only one finds, checks and attaches its backbone.

        Args:
            pretrained_model_name_or_path: folder or repository id, or the name of a built-in checkpoint.
            args: as in transformers.
            kwargs: as in transformers; `dtype`, `device_map`, `attn_implementation`, `quantization_config` (head-only
                checkpoints), `token` and `local_files_only` go to the backbone as well. `golden_vector=None` skips the
                comparison of the stored vector.

        Returns:
            The model, or, with `output_loading_info=True`, the model and transformers' report.

        Raises:
            ValueError: the backbone's weights are not those that the head was trained on, weights are missing, NaN or
                of the wrong shape, or the model gives another vector than the stored one.
            OSError: checkpoint or backbone was not found, cannot be read, or a file of it has changed.
        """
        where = built_in_folder(pretrained_model_name_or_path)
        source = {name: kwargs[name] for name in SOURCE_OPTIONS if name in kwargs}
        manifest = cls._check(where, source) if where is not None else Manifest()
        if (former := kwargs.pop("torch_dtype", None)) is not None and kwargs.setdefault("dtype", former) != former:
            raise ValueError(f"dtype is {kwargs['dtype']!r} and torch_dtype, its former name, {former!r}; give one")
        quantization, with_report = kwargs.pop("quantization_config", None), kwargs.pop("output_loading_info", False)
        kwargs |= {"use_safetensors": True, "ignore_mismatched_sizes": True}  # the report names them; see below
        with quiet(), readable_weights(where), float32_default():
            pair: Any = super().from_pretrained(where, *args, output_loading_info=True, **kwargs)
        model, report = pair
        if getattr(model, "_hf_peft_config_loaded", False):
            raise ValueError(f"{where} holds an adapter of a whole checkpoint, adapter_config.json; remove it")
        refuse_missing(report, f"the checkpoint {where} (model.safetensors)")
        for head in model.heads:
            refuse_nan(head, f"the checkpoint {where} (model.safetensors)")
        model._backbone_files = dict(manifest.backbone)
        if model.config.head_only:
            options = {name: kwargs[name] for name in BACKBONE_OPTIONS if name in kwargs}
            model.attach_backbone(quantization_config=quantization, attn_implementation=model._attention, **options)
            if model.config.adapter_sha256 is not None:
                model.merge_adapter(find_adapter(where, **source))
        elif quantization is not None:
            raise ValueError(
                "a self-contained checkpoint cannot be quantised while it is loaded; save it with head_only=True, then "
                "load that with quantization_config"
            )
        else:
            model._attach(model.backbone, model.value_projection)
        check_vector(model)
        return (model, report) if with_report else model

    @classmethod
    def _check(cls, where: Any, source: dict[str, Any]) -> Manifest:
        """Check a checkpoint's files before they are read; of a folder also the configuration."""
        manifest = check_files(where, *(kind for kind in KINDS if kind not in OTHER_KINDS), **source)
        folder = Path(where) / (source.get("subfolder") or "")
        if folder.is_dir():
            path, files = folder / "config.json", weight_files(folder)
            try:
                config = cls.config_class.from_dict(read_json(path))
                refuse_larger(lambda: cls(config), files)
                with readable_weights(folder):
                    refuse_integers(files)
            except (AttributeError, KeyError, TypeError, RuntimeError) as error:  # a value that torch does not expect
                raise ValueError(f"{path} is no configuration of a nerret model ({one_line(error)})") from error
            except ValueError as error:
                raise ValueError(f"{path}: {error}") from error
        return manifest

    def attach_backbone(
        self,
        name_or_path: str | Path | None = None,
        dtype: torch.dtype | str | None = None,
        device_map: Any = None,
        quantization_config: Any = None,
        attn_implementation: str | None = None,
        token: str | bool | None = None,
        local_files_only: bool = False,
    ) -> NerretModel:
        """Load the backbone that the configuration names (from `name_or_path`, if given) and check its SHA-256."""
        if self.config.backbone is None:
            raise ValueError("this head-only checkpoint names no backbone in its config.json; it cannot be used")
        folder = find_backbone(
            str(name_or_path or self.config.backbone),
            None if name_or_path else self.config.backbone_revision,
            self.config.backbone_sha256,
            token,
            local_files_only,
        )
        if name_or_path is None:
            check_backbone(folder, Manifest(backbone=self._backbone_files), "model")
        backbone, value, _ = load_cut(
            folder, self.config.layer, dtype, device_map, quantization_config, attn_implementation
        )
        self._attach(backbone, value)
        return self.eval()

    def _attach(self, backbone: Any, value: Any) -> None:
        """Put a cut backbone and its value projection, frozen, before the head."""
        width = self.config.value_size
        if value.out_features != width:
            raise ValueError(
                f"V of block {self.config.layer} has {value.out_features} numbers, but the head takes {width}"
            )
        refuse_long_windows(backbone.config, self.config.max_tokens)
        self.backbone, self.value_projection = backbone.requires_grad_(False), value.requires_grad_(False)
        device = next(value.parameters()).device
        if device.type != "meta":  # where a part of the backbone that lies on disk seems to be
            for head in self.heads:
                head.to(device)

    @property
    def heads(self) -> list[NerretHead]:
        """The head and, if the model has one, the document head."""
        return [head for head in (self.head, self.document_head) if head is not None]

    def merge_adapter(self, folder: str | Path) -> NerretModel:
        """Merge a peft adapter of the cut backbone, such as LoRA, into its weights.

        A quantised backbone runs it beside its own weights. The adapter's files are kept in memory, and written beside
        the head of a head-only checkpoint.

        Raises:
            ValueError: the adapter is not the one that the configuration names, or one was merged before.
            OSError: the folder holds no adapter in safetensors.
            ImportError: peft is not installed.
        """
        if self._adapter:
            raise ValueError("an adapter is already merged into this model's backbone")
        files = read_adapter(folder)
        sha256 = hashlib.sha256(files[ADAPTER_WEIGHTS]).hexdigest()
        if self.config.adapter_sha256 not in (None, sha256):
            raise ValueError(
                f"the adapter {Path(folder, ADAPTER_WEIGHTS)} has SHA-256 {sha256}, but this head was trained with "
                f"{self.config.adapter_sha256}; fetch the checkpoint again"
            )
        self.backbone = add_adapter(self._ready(), folder, merge=not self.quantized).requires_grad_(False)
        self.config.adapter_sha256, self._adapter = sha256, files
        return self

    @property
    def quantized(self) -> bool:
        """Whether the backbone's weights are stored in fewer bits than they are computed with."""
        return getattr(self.backbone, "hf_quantizer", None) is not None

    def save_pretrained(  # type: ignore[override]
        self, save_directory: str | Path, *args: Any, head_only: bool | None = None, **kwargs: Any
    ) -> None:
        """Save either form of checkpoint, which `SentenceTransformer(path, trust_remote_code=True)` loads as well.

        Args:
            save_directory: the folder.
            args: as in transformers.
            head_only: leave the backbone out and only name it; `None` keeps the form that the model came in.
            kwargs: as in transformers.

        Raises:
            ValueError: a head-only checkpoint of a model that knows no backbone or whose adapter is merged for good, or
                a whole one of a quantised model.
        """
        config, omissions = self.config, self._keys_to_ignore_on_save
        whole = config.cut_config
        if head_only is None:
            head_only = whole is None
        if head_only and config.backbone is None:
            raise ValueError("this model knows no backbone to name; save it with head_only=False")
        if head_only and config.adapter_sha256 and not self._adapter:
            raise ValueError("the adapter's weights are merged into this checkpoint; save it with head_only=False")
        if not head_only and self.quantized:
            raise ValueError("the weights of a quantised backbone are not saved; use head_only=True")
        config.cut_config = None if head_only else self._ready().config.to_dict()
        config.golden_vector = None if "state_dict" in kwargs else self._golden_vector()
        if head_only:
            self._keys_to_ignore_on_save = {key for key in self.state_dict() if key.split(".")[0] not in HEADS}
        folder, push = Path(save_directory), kwargs.pop("push_to_hub", False)
        hub_options = {name: kwargs.pop(name) for name in HUB_OPTIONS if push and name in kwargs}
        if push and head_only != (whole is None):
            config.cut_config, self._keys_to_ignore_on_save = whole, omissions
            raise ValueError("save the model in this form without push_to_hub, load it, and call its push_to_hub")
        (folder / INDEX).unlink(missing_ok=True)  # of an earlier save
        try:
            with without_bars():
                super().save_pretrained(save_directory, *args, **kwargs)
        finally:
            config.cut_config, self._keys_to_ignore_on_save = whole, omissions
        if (folder / INDEX).exists():  # and weights in one file would be taken for these
            (folder / WEIGHTS).unlink(missing_ok=True)
        _write_modules(folder)
        if head_only and self._adapter:
            write_adapter(folder, self._adapter)
        kinds = ("model", "modules", "code") if self.is_remote_code() else ("model", "modules")
        write_manifest(folder, *kinds, foreign=FOREIGN_KINDS, backbone=self._backbone_files)
        if push:
            self.push_to_hub(hub_options.pop("repo_id", folder.name), **hub_options)

    def _golden_vector(self) -> list[float] | None:
        """The vector that loading must give again; `None` if this model cannot tell."""
        if self.backbone is None or not self.config.golden_tokens or self.quantized:
            return None
        training = self.training
        vector = golden_vector(self.eval(), self.config.golden_tokens)
        self.train(training)
        return vector


def _check_spans(spans: torch.Tensor, batch: int, tokens: int) -> None:
    """Refuse spans (mentions, 3) that would count from the end, or that hold no token, whose mean is NaN.

    Raises:
        ValueError: the message says which and what is accepted.
    """
    if spans.ndim != 2 or spans.shape[1] != 3 or spans.is_floating_point() or spans.dtype == torch.bool:
        raise ValueError(
            f"spans are {tuple(spans.shape)} of {spans.dtype}; accepted are whole numbers (mentions, 3): row, first "
            "token, last token + 1"
        )
    rows, first, last = spans.unbind(1)
    wrong = (rows < 0) | (rows >= batch) | (first < 0) | (last <= first) | (last > tokens)  # (mentions,)
    if wrong.any():
        raise ValueError(
            f"the span {spans[wrong][0].tolist()} (row, first token, last token + 1) is none of {batch} rows of "
            f"{tokens} tokens"
        )


def built_in_folder(name_or_path: Any) -> Any:
    """The folder of a built-in checkpoint, if its name is given; else what is given."""
    name = str(name_or_path)
    is_name = name.isprintable() and Path(name).name == name and (BUILT_IN / name / "config.json").is_file()
    return BUILT_IN / name if is_name else name_or_path


def _fields_of(head: NerretHead) -> dict[str, Any]:
    """A head's part of the configuration."""
    inner, activation, dropout, outer = head
    return {
        "head_size": inner.out_features,
        "hidden_size": outer.out_features,
        "dropout": dropout.p,
        "head_activation": "tanh" if isinstance(activation, nn.Tanh) else "silu",
    }


def _write_modules(folder: Path) -> None:
    """Tell sentence-transformers which class loads this folder."""
    package = __name__.rpartition(".")[0]
    if package == "modeling_nerret":  # code that came with a checkpoint finds its modules.json there
        entry = {"idx": 0, "name": "0", "path": "", "type": f"{package}.st_nerret.NerretTransformer"}
        (folder / "modules.json").write_text(json.dumps([entry], indent=2) + "\n", encoding="utf-8")


if __package__ == "modeling_nerret":  # the copy that a checkpoint brings is registered by the loader that trusts it
    AutoModel.register(NerretConfig, NerretModel)
