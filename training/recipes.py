"""Recipes: small TOML files that state only what differs from another, down to `recipes/defaults.toml`.

The resolved recipe, which a run writes beside its checkpoint as JSON, is a recipe too.
"""

from __future__ import annotations

import inspect
import json
import tomllib
from dataclasses import fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from modeling_nerret.configuration_nerret import NerretConfig
from modeling_nerret.detection import ProbeConfig

DEFAULTS = Path(__file__).parent / "recipes" / "defaults.toml"
# Sections whose keys are another class's: what it accepts is asked of it
FOREIGN = {
    "model": [name for name in inspect.signature(NerretConfig.__init__).parameters if name not in ("self", "kwargs")],
    "probe": [field.name for field in fields(ProbeConfig)],
}
SET_KEYS = {"name": "", "weight": 1.0, "names": {}}
CHOICES = {
    "pooling": ("end", "mean"),
    "device": ("auto", "cpu"),
    "quantization": ("", "nf4"),
    "dtype": ("auto", "float32", "bfloat16", "float16"),
    "head.objective": ("info_nce", "triplet"),
    "joint.method": ("lora", "dora"),
    "joint.schedule": ("cosine", "constant", "linear"),
    "head.schedule": ("cosine", "constant", "linear"),
    "detector.schedule": ("cosine", "constant", "linear"),
}


def resolve(path: Path | None = None, overrides: list[str] | None = None) -> dict[str, Any]:
    """A whole recipe: the defaults, under the recipe's bases, under the recipe, under overrides.

    Args:
        path: a TOML file, or the JSON that a run wrote; `None` gives the defaults.
        overrides: such as `head.steps=500`, the value in TOML.

    Raises:
        OSError: a file is missing.
        ValueError: a file is no TOML, a key or a value is unknown (the message names the file and the nearest key), or
            several joint runs are wanted of adapters that cannot be averaged.

    Example:
        >>> resolve(overrides=["head.steps=7"])["head"]["steps"]
        7
    """
    recipe = tomllib.loads(DEFAULTS.read_text(encoding="utf-8"))
    for source, layer in _layers(path) if path is not None else []:
        _check(recipe, layer, source)
        recipe = merge(recipe, layer)
    for override in overrides or []:
        layer = parse_override(override)
        _check(recipe, layer, "--set")
        recipe = merge(recipe, layer)
    joint = recipe["joint"]
    if joint["runs"] < 1 or (joint["runs"] > 1 and joint["method"] != "lora"):
        raise ValueError(
            f"joint.runs is {joint['runs']} with joint.method {joint['method']!r}; accepted are 1, or more with "
            "'lora', the only adapter that can be averaged"
        )
    recipe["base"] = ""
    return recipe


def merge(base: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """`base` with the values of `own` in it, section by section; lists are replaced whole.

    Example:
        >>> merge({"head": {"steps": 9, "rate": 0.1}}, {"head": {"steps": 5}})
        {'head': {'steps': 5, 'rate': 0.1}}
    """
    merged = dict(base)
    for key, value in own.items():
        both = isinstance(value, dict) and isinstance(base.get(key), dict)
        merged[key] = merge(base[key], value) if both else value
    return merged


def parse_override(override: str) -> dict[str, Any]:
    """`section.key=value`, the value in TOML, as a recipe of one key; a value that is no TOML is a string.

    Example:
        >>> parse_override("head.rate=1e-4"), parse_override("pooling=mean")
        ({'head': {'rate': 0.0001}}, {'pooling': 'mean'})
    """
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise ValueError(f"--set {override!r} is no override; write KEY=VALUE, such as head.steps=500")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    for name in reversed(key.strip().split(".")):
        value = {name: value}
    return value


def _layers(path: Path, seen: tuple[Path, ...] = ()) -> list[tuple[str, dict[str, Any]]]:
    """A recipe and its bases, the farthest base first."""
    path = path.resolve()
    if path in seen:
        raise ValueError(f"{path.name} is its own base")
    text = path.read_text(encoding="utf-8")
    try:
        own = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (json.JSONDecodeError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"{path}: {error}") from None
    base = own.pop("base", "")
    return [*(_layers(path.parent / base, (*seen, path)) if base else []), (str(path), own)]


def _check(known: dict[str, Any], own: dict[str, Any], source: str, at: str = "") -> None:
    """Refuse keys that `known` has not and values of another kind than there."""
    names = FOREIGN.get(at) or list(known)
    for key, value in own.items():
        path = f"{at}.{key}" if at else key
        if key not in names:
            near = [f"{at}.{name}".lstrip(".") for name in get_close_matches(key, names, n=1)]
            raise ValueError(
                f"{source}: there is no key {path!r}"
                + (f"; did you mean {near[0]!r}?" if near else "")
                + f" {'The recipe' if not at else repr(at)} has {', '.join(names)}"
            )
        if at in FOREIGN:  # the class checks its values itself
            continue
        if not _same_kind(known[key], value):
            raise ValueError(f"{source}: {path} is {value!r}; needed is something like {known[key]!r}")
        if path in CHOICES and value not in CHOICES[path]:
            raise ValueError(f"{source}: {path} is {value!r}; accepted are {', '.join(map(repr, CHOICES[path]))}")
        if key == "sets":
            for entry in value:
                _check_set(entry, source, path)
        elif isinstance(value, dict):
            _check(known[key], value, source, path)


def _check_set(entry: Any, source: str, path: str) -> None:
    if not isinstance(entry, dict) or not entry.get("name"):
        raise ValueError(f'{source}: an entry of {path} is {entry!r}; needed is {{ name = "...", weight = 1.0 }}')
    names = entry.get("names", {})
    _check(SET_KEYS, entry | {"names": {}}, source, path)
    if not isinstance(names, dict) or not all(isinstance(name, str) for name in names.values()):
        raise ValueError(f'{source}: names of {entry["name"]!r} in {path} must be {{ LABEL = "plain name" }}')


def _same_kind(default: Any, value: Any) -> bool:
    """Whether a value may stand where the default stands; whole numbers may stand for any."""
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(default, bool) and isinstance(value, bool)
    return isinstance(value, (int, float) if isinstance(default, float) else type(default))
