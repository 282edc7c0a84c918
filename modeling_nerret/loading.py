"""Load the first blocks of a stock backbone, and what its tokenizer adds to a text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import nn
from transformers import CONFIG_MAPPING, AutoModel, AutoTokenizer, PretrainedConfig
from transformers.utils import cached_file, logging

from .backbones import cut, cut_backbone, family_of, unknown_family
from .configuration_nerret import backbone_fields, stock_faults
from .files import one_line, read_json, regular_file
from .golden import FOREIGN_TEXT, check_tokens, golden_tokens, vocabulary_sha256
from .manifest import UNLESS_MISSING, check_backbone, check_files, files_of_kind
from .special_tokens import match_prefix, put_token_first, special_tokens
from .weights import find_backbone, weight_files

# Where a multimodal model such as Gemma 3 keeps its text part, as (old and new) checkpoints name it
TEXT_PART = {r"^(model\.)?language_model\.(model\.)?": ""}
TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.txt", "vocab.json")
# Bars of transformers for work that takes a moment
WEIGHTS_BARS = ("Loading weights", "Writing model shards")
FLOATS = ("F16", "BF16", "F32", "F64")
# Numbers of a model that are not in its weights, such as positions
SLACK = 1 << 25
# Families whose first position number is the padding token's id + 1
SHIFTED_POSITIONS = ("roberta", "xlm-roberta")
# Families that look positions up in a table, which ends
POSITION_TABLES = ("bert", "distilbert", "gpt2", "mpnet", "opt", "roberta", "xlm-roberta")


def load_cut(
    folder: Path,
    layer: int,
    dtype: Any = None,
    device_map: Any = None,
    quantization_config: Any = None,
    attn_implementation: Any = None,
) -> tuple[Any, Any, bool]:
    """Load the first `layer + 1` blocks of a backbone and cut it.

    Returns:
        The cut backbone, the value projection of block `layer`, and whether a norm stands before it.

    Raises:
        ValueError: the architecture is not in the table, has no such layer, needs code of its own, or lacks weights.
        OSError: the weights cannot be read.
    """
    whole = read_config(folder, quantisation=quantization_config is not None)
    config = whole.get_text_config()
    family = family_of(config)
    if layer < family.first_layer:
        raise ValueError(f"layer is {layer}; for {config.model_type} it must be {family.first_layer} or more")
    choices = {"dtype": dtype, "device_map": device_map, "quantization_config": quantization_config}
    choices |= {"attn_implementation": attn_implementation}
    weight_files(folder)
    if (folder / "adapter_config.json").exists():
        raise OSError(f"{folder} holds adapter_config.json, an adapter that would change the backbone; remove it")
    options: dict[str, Any] = {name: value for name, value in choices.items() if value is not None}
    if config is not whole:
        options["key_mapping"] = TEXT_PART
    options |= {"config": cut(config, layer + 1), "ignore_mismatched_sizes": True, "output_loading_info": True}
    options |= {"use_safetensors": True, "trust_remote_code": False}
    try:
        with quiet(), readable_weights(folder):  # transformers would list every weight of the blocks that are cut off
            backbone, report = AutoModel.from_pretrained(folder, **options, **family.options)
    except (ValueError, TypeError, AttributeError, LookupError, RuntimeError) as error:
        raise ValueError(
            f"no backbone can be built from {folder / 'config.json'} and its weights: {one_line(error)}"
        ) from error
    refuse_missing(report, f"the backbone {folder} (model.safetensors)")
    return backbone, *cut_backbone(backbone, layer)


def read_config(folder: Path, quantisation: bool = False) -> PretrainedConfig:
    """A backbone's configuration; code in its repository is never run, and attention and kernels are the caller's.

    Args:
        folder: the backbone's.
        quantisation: whether the caller asks for a quantisation.

    Raises:
        ValueError: only code of the repository's own could read it, its weights are quantised although the caller did
            not ask for that, or a value is not accepted.
        OSError: there is none, or it is no JSON.
    """
    path = folder / "config.json"
    fields = read_json(path)
    model_type = str(fields.get("model_type"))
    if "auto_map" in fields and model_type not in CONFIG_MAPPING:
        raise ValueError(
            f"the backbone {folder} ({model_type!r}) runs only with code from its own repository, which nerret never "
            "executes; choose a backbone that transformers itself supports"
        )
    if fields.get("quantization_config") and not quantisation:
        raise ValueError(
            f"the weights of the backbone {folder} are quantised, which only the caller chooses: use the original "
            "weights, with quantization_config= if you wish"
        )
    if model_type not in CONFIG_MAPPING:
        raise unknown_family(model_type)
    return stock_config(path, fields)


def stock_config(path: Path, fields: dict[str, Any]) -> PretrainedConfig:
    """A configuration of one of transformers' own models, without what only the caller chooses.

    Args:
        path: where the fields were read, for messages.
        fields: the fields, with a `model_type` that transformers knows.

    Raises:
        ValueError: a value is not accepted.
    """
    for fault in stock_faults(fields):
        raise ValueError(f"{path}: {fault}; fetch it again")
    model_type = fields["model_type"]
    try:
        return CONFIG_MAPPING[model_type].from_dict(backbone_fields(fields))
    except Exception as error:  # whatever transformers makes of a value that it does not expect
        raise ValueError(f"{path} is no configuration of a {model_type} ({one_line(error)}); fetch it again") from error


def tokenizer_fields(folder: Path, config: PretrainedConfig) -> dict[str, Any]:
    """The `NerretConfig` fields that a backbone's tokenizer decides; zeros if the folder has no tokenizer."""
    limit = min(position_limit(config), 2048)
    if not any((folder / name).exists() for name in TOKENIZER_FILES):
        return {"prefix_tokens": 0, "suffix_tokens": 0, "max_tokens": limit}
    tokenizer = backbone_tokenizer(folder, family_of(config).causal)
    before, after = special_tokens(tokenizer)
    limit = min(limit, tokenizer.model_max_length)
    return {
        "prefix_tokens": len(before),
        "suffix_tokens": len(after),
        "max_tokens": limit,
        "golden_tokens": golden_tokens(tokenizer, limit),
        "vocabulary_sha256": vocabulary_sha256(tokenizer),
    }


def backbone_tokenizer(folder: Path, causal: bool) -> Any:
    """A backbone's tokenizer. Before a text for a causal backbone it puts a token, see `put_token_first`.

    Raises:
        ValueError: it has no token to put there.
        OSError: it cannot be read.
    """
    with readable_tokenizer(folder):
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    return put_token_first(tokenizer) if causal else tokenizer


def position_limit(config: PretrainedConfig) -> int:
    """The longest text in tokens for whose positions a backbone is made."""
    limit = (getattr(config, "max_position_embeddings", None) or 512) - (family_of(config).first_position or 0)
    return limit - ((getattr(config, "pad_token_id", None) or 0) + 1 if config.model_type in SHIFTED_POSITIONS else 0)


def refuse_long_windows(config: PretrainedConfig, max_tokens: int) -> None:
    """Refuse windows for which a backbone has no positions.

    Raises:
        ValueError: the message says how long a window may be.
    """
    if config.model_type in POSITION_TABLES and max_tokens > position_limit(config):
        raise ValueError(
            f"max_tokens is {max_tokens}, but this {config.model_type} has only {position_limit(config)} positions"
        )


def load_tokenizer(name_or_path: Any, config: Any, **source: Any) -> Any:
    """A checkpoint's tokenizer or, if it has none, its backbone's.

    Args:
        name_or_path: the checkpoint's folder or repository id.
        config: its `NerretConfig`.
        source: `revision`, `token`, `cache_dir`, `local_files_only`, `subfolder`, as in transformers.

    Raises:
        ValueError: the tokenizer gives other tokens than when the checkpoint was saved.
        OSError: there is no tokenizer.
    """
    manifest = check_files(name_or_path, "tokenizer", **source)
    settings = cached_file(name_or_path, "tokenizer_config.json", **source, **UNLESS_MISSING)
    if settings is None and config.backbone:
        local = bool(source.get("local_files_only"))
        name_or_path = find_backbone(config.backbone, config.backbone_revision, None, source.get("token"), local)
        check_backbone(name_or_path, manifest, "tokenizer")
        source = {}
    with readable_tokenizer(name_or_path):
        tokenizer = AutoTokenizer.from_pretrained(
            name_or_path, config=config if settings else None, trust_remote_code=False, **source
        )
        tokenizer(FOREIGN_TEXT)  # some damage shows only here
    tokenizer = match_prefix(tokenizer, config)
    check_tokens(config, tokenizer)
    return tokenizer


def refuse_missing(report: Any, subject: str) -> None:
    """Refuse missing weights and other shapes, which transformers would fill with random numbers.

    Args:
        report: transformers' loading report.
        subject: whose weights they are, for the message.

    Raises:
        ValueError: the message names a few.
    """
    for name, shape, expected in sorted(report["mismatched_keys"]):
        raise ValueError(
            f"{subject}: {name} is {tuple(shape)!s:.80}, but the configuration needs {tuple(expected)}: its "
            "config.json and its weights do not belong together"
        )
    absent, foreign = sorted(report["missing_keys"]), sorted(report["unexpected_keys"])
    if absent:
        surplus = f"; it holds others instead, such as {', '.join(foreign[:3])}" if foreign else ""
        raise ValueError(f"{subject} lacks {len(absent)} weights, such as {', '.join(absent[:3])}{surplus}")


def refuse_larger(build: Callable[[], nn.Module], files: Sequence[Path]) -> None:
    """Refuse a configuration that asks for more numbers than the weights hold, before memory is taken for them.

    Args:
        build: makes the module, here without memory.
        files: its weights.

    Raises:
        ValueError: the message says how many of each.
    """
    with torch.device("meta"):
        module = build()
    count = sum(tensor.numel() for tensor in (*module.parameters(), *module.buffers()))
    size = sum(path.stat().st_size for path in files)
    if count > size + SLACK:  # a number takes a byte or more
        raise ValueError(f"it asks for {count:,} numbers, but {files[0].name} has {size:,} bytes; fetch it again")


def refuse_nan(module: nn.Module, subject: str) -> None:
    """Refuse weights with NaN or infinite numbers.

    Args:
        module: what holds them.
        subject: whose weights they are, for the message.

    Raises:
        ValueError: the message names the first.
    """
    for name, weight in module.named_parameters():
        if weight.is_floating_point() and weight.device.type != "meta" and not torch.isfinite(weight).all():
            raise ValueError(f"{subject}: the weight {name} holds NaN or infinite numbers")


def refuse_integers(files: Iterable[Path]) -> None:
    """Refuse weights that are no floating-point numbers, which torch would convert without a word.

    Raises:
        ValueError: the message names the first.
    """
    for path in files:
        with safe_open(path, "pt") as weights:
            for name in weights.keys():  # noqa: SIM118 - it is no mapping
                if (kind := weights.get_slice(name).get_dtype()) not in FLOATS:
                    raise ValueError(f"{path}: the weight {name} is of type {kind}; accepted are {', '.join(FLOATS)}")


@contextmanager
def readable_weights(where: Any) -> Iterator[None]:
    """Turn the error for a truncated or foreign weights file into an OSError that says what to do.

    Raises:
        OSError: the file is not whole, or no safetensors.
    """
    try:
        yield
    except SafetensorError as error:
        path = _damaged_weights(Path(where)) or where
        raise OSError(
            f"the weights in {path} cannot be read ({one_line(error)}): the file is not whole, or no safetensors; "
            "fetch it again"
        ) from error


def _damaged_weights(folder: Path) -> Path | None:
    """The file of a folder that cannot be read as safetensors; `None` if they all can, or if it is no folder."""
    for path in folder.glob("*.safetensors"):
        try:
            with safe_open(path, "pt"):
                pass
        except (SafetensorError, OSError):
            return path
    return None


@contextmanager
def readable_tokenizer(where: Any) -> Iterator[None]:
    """Turn what libraries raise for a damaged tokenizer, a panic of compiled code too, into an OSError.

    Raises:
        OSError: the tokenizer cannot be read.
    """
    files = files_of_kind(folder, "tokenizer") if (folder := Path(where)).is_dir() else {}
    for name, path in files.items():
        settings = read_json(path) if name.endswith(".json") else {"file": regular_file(path)}
        length = settings.get("model_max_length")
        if length is not None and not (isinstance(length, int | float) and length >= 1):
            raise OSError(f"{path}: model_max_length is {length!r:.80}; it must be a number of tokens; fetch it again")
    try:
        yield
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:  # a panic is no Exception
        names = f" ({', '.join(files)})" if files else ""
        raise OSError(f"the tokenizer in {where}{names} cannot be read: {one_line(error)}; fetch it again") from error


@contextmanager
def float32_default() -> Iterator[None]:
    """Make new tensors float32 in here, whatever `torch.set_default_dtype` says: heads are always in float32."""
    dtype = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        yield
    finally:
        torch.set_default_dtype(dtype)


@contextmanager
def quiet() -> Iterator[None]:
    """Let transformers log errors only: for loading that checks the weights itself."""
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        with without_bars():
            yield
    finally:
        logging.set_verbosity(verbosity)


@contextmanager
def without_bars() -> Iterator[None]:
    """Show no bar for weights that transformers reads or writes in a moment; downloads keep theirs."""

    def show(bar: Callable[..., Any], arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        if options.get("desc") in WEIGHTS_BARS:
            options = options | {"disable": True}
        return hook(bar, arguments, options) if hook else bar(*arguments, **options)

    hook = logging.set_tqdm_hook(show)  # the host's, if it has one
    try:
        yield
    finally:
        logging.set_tqdm_hook(hook)
