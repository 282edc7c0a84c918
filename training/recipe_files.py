"""Read recipes from files and `--set`, and check them as a whole."""

from __future__ import annotations

import inspect
import json
import tomllib
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from .recipes import RECIPES, Recipe, Rule, SetEntry, rule_of, shipped_recipes

Layer = tuple[str, Mapping[str, Any]]  # where keys were read, and the keys
KINDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a string",
    tuple: "a list",
    dict: "a section or table",
}


def resolve(path: str | Path | None = None, overrides: Sequence[str] = ()) -> Recipe:
    """A whole recipe: the defaults, under the recipe's bases, under the recipe, under overrides.

    Args:
        path: a TOML file, the JSON that a run wrote, or the name of a shipped recipe; `None` gives the defaults.
        overrides: such as `head.steps=500`, with the value in TOML.

    Raises:
        OSError: a file is missing.
        ValueError: a file is not TOML, or keys or values are not accepted. The message tells all faults, each with its
            file and, for an unknown key, the nearest known one.

    Example:
        >>> resolve(overrides=["head.steps=7"]).head.steps
        7
    """
    layers = _read_layers(find_recipe(path)) if path is not None else []
    changes: dict[str, Any] = {}
    for override in overrides:
        changes = merge(changes, parse_override(override))
    return build([*layers, ("--set", changes)])


def find_recipe(name: str | Path, folder: Path = Path()) -> Path:
    """The file of a recipe: a path, relative to `folder`, or the name of a shipped recipe.

    Raises:
        FileNotFoundError: there is neither.

    Example:
        >>> find_recipe("own-data").name
        'own-data.toml'
    """
    path = folder / name
    if path.is_file():
        return path
    file = RECIPES / f"{str(name).removesuffix('.toml')}.toml"
    if file.parent == RECIPES and file.exists():
        return file
    raise FileNotFoundError(
        f"there is no recipe {str(name)!r}; give a TOML file or one of {', '.join(shipped_recipes())}"
    )


def _read_layers(path: Path, children: tuple[Path, ...] = ()) -> list[Layer]:
    """A recipe and its bases, the farthest base first."""
    path = path.resolve()
    if path in children:
        raise ValueError(
            f"{path.name} includes itself as base ({' > '.join(child.name for child in (*children, path))})"
        )
    try:
        text = path.read_text(encoding="utf-8")
        values = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # not UTF-8, not TOML or JSON, or nested too deeply
        raise ValueError(f"{path}: {error}") from None
    if not isinstance(values, dict):
        raise ValueError(f"{path}: a recipe is a table of keys, not {values!r:.60}")
    base = values.pop("base", "")
    if not isinstance(base, str):
        raise ValueError(f"{path}: base is {base!r:.60}; write the name or path of one recipe")
    bases = _read_layers(find_recipe(base, path.parent), (*children, path)) if base else []
    return [*bases, (str(path), values)]


def parse_override(override: str) -> dict[str, Any]:
    """`section.key=value` as a recipe of one key; the value is TOML, or else a string.

    Example:
        >>> parse_override("head.rate=1e-4"), parse_override("pooling=mean")
        ({'head': {'rate': 0.0001}}, {'pooling': 'mean'})
    """
    name, equals, text = override.partition("=")
    if not equals or not name.strip():
        raise ValueError(f"--set {override!r} is not an override; write KEY=VALUE, such as head.steps=500")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        value = text.strip()
    for part in reversed(name.strip().split(".")):
        value = {part: value}
    return value


def merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `changes` in it, section by section; lists are replaced whole.

    Example:
        >>> merge({"head": {"steps": 9, "rate": 0.1}}, {"head": {"steps": 5}})
        {'head': {'steps': 5, 'rate': 0.1}}
    """
    result = dict(base)
    for name, value in changes.items():
        sections = isinstance(value, Mapping) and isinstance(base.get(name), Mapping)
        result[name] = merge(base[name], value) if sections else value
    return result


def from_dict(values: Mapping[str, Any], place: str = "the recipe") -> Recipe:
    """A recipe from nested keys, as TOML or a `recipe.json` has them; missing keys have their defaults.

    Raises:
        ValueError: keys or values are not accepted; the message tells all faults.

    Example:
        >>> from_dict({"head": {"steps": 7}}).head.steps
        7
        >>> from_dict({"head": {"sets": [{"name": "corpus"}]}}).to_dict()["head"]["sets"]
        [{'name': 'corpus'}]
    """
    return build([(place, values)])


def build(layers: Iterable[Layer]) -> Recipe:
    """The recipe of several layers, later ones over earlier ones. Another backbone does not inherit the revision.

    Raises:
        ValueError: keys or values are not accepted; the message tells all faults.
    """
    values: dict[str, Any] = {}
    faults: list[str] = []
    for place, layer in layers:
        faults += [f"{place}: {fault}" for fault in _table_faults(Recipe, layer)]
        if layer.get("backbone") not in (None, values.get("backbone")):
            values.pop("revision", None)  # a commit of the other repository
        values = merge(values, layer)
    if not faults:
        recipe = _construct(Recipe, values | {"base": ""})
        if recipe.joint.runs == 1 or recipe.joint.method == "lora":
            return recipe
        faults.append(
            f"joint.runs is {recipe.joint.runs} with joint.method {recipe.joint.method!r}; only 'lora' adapters can be "
            "averaged, so set joint.runs to 1"
        )
    raise ValueError(list_faults("the recipe", faults))


def list_faults(subject: str, faults: Sequence[str]) -> str:
    """Faults as one message.

    Example:
        >>> print(list_faults("the recipe", ["a.toml: x is 1", "a.toml: y is 2"]))
        the recipe has 2 faults:
        (1) a.toml: x is 1
        (2) a.toml: y is 2
    """
    if len(faults) == 1:
        return faults[0]
    return "\n".join(
        [f"{subject} has {len(faults)} faults:", *(f"({number}) {fault}" for number, fault in enumerate(faults, 1))]
    )


def _table_faults(kind: type, values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """What a table of keys breaks of a dataclass's rules."""
    entries, hints = {entry.name: entry for entry in fields(kind)}, typing.get_type_hints(kind)
    for name, value in values.items():
        path = prefix + name
        if name not in entries:
            yield _unknown(path, prefix, list(entries))
        elif path in ("model", "probe") and isinstance(value, Mapping):
            yield from _foreign_faults(path, value)
        else:
            yield from _value_faults(path, value, hints[name], rule_of(entries[name]))


def _unknown(path: str, prefix: str, names: list[str]) -> str:
    """The fault of an unknown key: the nearest key of its table, else of the whole recipe."""
    nearest = [prefix + name for name in get_close_matches(path.removeprefix(prefix), names, n=1)]
    nearest = nearest or get_close_matches(path, _all_paths(), n=1)
    table = repr(prefix.rstrip(".")) if prefix else "the recipe"
    hint = f"; did you mean {nearest[0]!r}?" if nearest else ";"
    return f"there is no key {path!r}{hint} {table} has {', '.join(names)}"


@cache
def _all_paths() -> list[str]:
    """Keys of all sections, such as `head.steps`."""
    hints = typing.get_type_hints(Recipe)
    sections = {name: kind for name, kind in hints.items() if is_dataclass(kind)}
    return [*hints, *(f"{name}.{entry.name}" for name, kind in sections.items() for entry in fields(kind))]


@cache
def _foreign_defaults(section: str) -> dict[str, Any]:
    """Fields of `NerretConfig` or `ProbeConfig` with their defaults, without those that training sets itself."""
    from modeling_nerret.configuration_nerret import NerretConfig
    from modeling_nerret.detection import ProbeConfig

    signature = inspect.signature(NerretConfig.__init__ if section == "model" else ProbeConfig.__init__)
    return {
        name: parameter.default
        for name, parameter in signature.parameters.items()
        if parameter.default not in (inspect.Parameter.empty, None) and name not in ("layer", "pooling")
    }


def _foreign_faults(section: str, values: Mapping[str, Any]) -> Iterator[str]:
    """Faults of `model` and `probe`, whose keys are another class's; that class checks ranges."""
    defaults = _foreign_defaults(section)
    for name, value in values.items():
        if name not in defaults:
            yield _unknown(f"{section}.{name}", f"{section}.", list(defaults))
        else:
            yield from _value_faults(f"{section}.{name}", value, type(defaults[name]), Rule())


def _value_faults(path: str, value: Any, hint: Any, rule: Rule) -> Iterator[str]:
    """What a value breaks of its field's type and rule."""
    if rule.word and value == rule.word:
        return
    kind = typing.get_args(hint)[0] if rule.word else typing.get_origin(hint) or hint
    if is_dataclass(kind):
        yield from _section_faults(path, value, typing.cast(type, kind))
    elif not _is_kind(value, kind):
        yield f"{path} is {value!r}; write {_kind_name(kind)}" + (f" or {rule.word!r}" if rule.word else "")
    elif kind is tuple:
        if rule.length is not None and len(value) != rule.length:
            yield f"{path} is {value!r}; write a list of {rule.length} numbers"
        inner = typing.get_args(hint)[0]
        for number, part in enumerate(value):
            yield from _value_faults(f"{path}[{number}]", part, inner, rule)
    elif isinstance(value, Mapping):
        if not all(isinstance(name, str) for name in value.values()):
            yield f'{path} is {dict(value)!r}; write {{ LABEL = "plain name" }}'
    elif rule.choices and value not in rule.choices:
        yield f"{path} is {value!r}; accepted are {', '.join(map(repr, rule.choices))}"
    elif (limits := _limits(rule)) and not _is_within(value, rule):
        yield f"{path} is {value!r}; it must be {limits}"


def _section_faults(path: str, value: Any, kind: type) -> Iterator[str]:
    """What a section, or an entry of `sets`, breaks of its dataclass's rules."""
    if isinstance(value, Mapping):
        yield from _table_faults(kind, value, path + ".")
        if kind is SetEntry and not value.get("name"):
            yield f'{path} is {value!r}; it needs a name, {{ name = "...", weight = 1.0 }}'
    else:
        example = '{ name = "...", weight = 1.0 }' if kind is SetEntry else f"[{path}]"
        yield f"{path} is {value!r}; write {example}"


def _is_kind(value: Any, kind: Any) -> bool:
    """Whether a value of TOML or JSON may have a field's type; a whole number is also a number."""
    if kind in (int, float):
        return isinstance(value, (int, float) if kind is float else int) and not isinstance(value, bool)
    if kind is tuple:
        return isinstance(value, list | tuple)
    return isinstance(value, kind)


def _kind_name(kind: Any) -> str:
    return KINDS.get(dict if kind not in KINDS else kind, "another value")


def _limits(rule: Rule) -> str:
    pairs = (("at least", rule.least), ("at most", rule.most), ("above", rule.above), ("below", rule.below))
    return " and ".join(f"{word} {limit:g}" for word, limit in pairs if limit is not None)


def _is_within(number: float, rule: Rule) -> bool:
    return not (
        (rule.least is not None and not number >= rule.least)
        or (rule.most is not None and not number <= rule.most)
        or (rule.above is not None and not number > rule.above)
        or (rule.below is not None and not number < rule.below)
    )


def _construct(kind: Any, values: Mapping[str, Any]) -> Any:
    """A dataclass from checked values."""
    hints = typing.get_type_hints(kind)
    return kind(**{name: _convert(value, hints[name]) for name, value in values.items()})


def _convert(value: Any, hint: Any) -> Any:
    if is_dataclass(hint):
        return _construct(hint, value)
    if typing.get_origin(hint) is tuple:
        inner = typing.get_args(hint)[0]
        return tuple(_convert(part, inner) for part in value)
    return value
