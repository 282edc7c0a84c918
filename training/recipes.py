"""Recipes: what a training run does. Files state only what differs from another recipe and from the defaults.

The dataclasses below are the only place of keys, defaults, meanings and ranges: `nerret train --help` is written from
them, and `resolve` checks a whole recipe against them. The resolved recipe, which a run writes as `recipe.json`, is a
recipe too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any

RECIPES = Path(__file__).parent / "recipes"
SCHEDULES = ("cosine", "constant", "linear")
# Sets that only one stage can learn from: kinds say what a mention may be, phrases are no names
STAGE_OF_SET = {"kinds": "joint", "words": "joint", "descriptions": "joint", "phrases": "detector"}


@dataclass(frozen=True)
class Rule:
    """What a key accepts, and what it means.

    Args:
        meaning: one line for `--help`.
        choices: accepted values, if they are few.
        least: smallest accepted number.
        most: largest accepted number.
        above: numbers must be larger than this.
        below: numbers must be smaller than this.
        length: how many entries a list must have; `None` for any.
        word: accepted besides the values of the field's first type.
    """

    meaning: str = ""
    choices: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None
    above: float | None = None
    below: float | None = None
    length: int | None = None
    word: str = ""


def key(default: Any, meaning: str = "", **limits: Any) -> Any:
    """A field of a recipe: its default, and the arguments of its `Rule`."""
    rule = {"rule": Rule(meaning, **limits)}
    if isinstance(default, dict):
        return field(default_factory=default.copy, metadata=rule)
    return field(default=default, metadata=rule)


def rule_of(entry: Field[Any]) -> Rule:
    """The rule of a dataclass field that `key` made."""
    return entry.metadata.get("rule", Rule())


@dataclass(frozen=True)
class SetEntry:
    """A set of texts that a stage learns from."""

    name: str = key("", "corpus, open, kinds, phrases, data, a set in the folder of --data, a file there, or hf:ID")
    weight: float = key(1.0, "how often batches are drawn from it, relative to the stage's other sets", least=0)
    names: Mapping[str, str] = key({}, 'plain names of raw labels, { LABEL = "plain name" }')
    texts: int = key(0, "only so many of its texts, evenly spaced; 0 for all", least=0)


@dataclass(frozen=True)
class HeldOutSection:
    """What is held out of training, and how often a run is measured on it."""

    types: float = key(
        0.0, "share of types; of those with 5 mentions or more, but at most 1 % of all", least=0, below=1
    )
    entities: float = key(0.0, "share of entity names; no mention of them is trained on", least=0, below=1)
    texts: float = key(0.0, "share of texts, for the detector", least=0, below=1)
    yardstick: bool = key(False, "hold out the types and texts of corpus/yardstick.txt, see training.yardstick")
    evaluations: int = key(10, "how often a run is measured", least=0)
    patience: int = key(0, "stop after so many measurements without gain and take the best; 0 runs to the end", least=0)


@dataclass(frozen=True)
class StageSection:
    """Keys that all stages share."""

    steps: int = key(0, "0 skips the stage", least=0)
    sets: tuple[SetEntry, ...] = key(
        (), '[{ name = "...", weight = 1.0, names = { LABEL = "plain name" }, texts = 0 }]'
    )
    rate: float = key(1e-3, "learning rate", above=0)
    schedule: str = key("cosine", "of the learning rate", choices=SCHEDULES)
    warmup: float = key(0.05, "share of the steps", least=0, most=1)
    decay: float = key(0.01, "weight decay; with 0 the optimiser is Adam", least=0)
    clip: float = key(1.0, "largest norm of the gradient; 0 clips nothing", least=0)


@dataclass(frozen=True)
class HeadSection(StageSection):
    """The head, on cached value vectors."""

    steps: int = key(3000, "0 leaves the head as it is", least=0)
    objective: str = key("info_nce", "triplet is the paper's", choices=("info_nce", "triplet"))
    matryoshka: tuple[int, ...] = key((), "sizes, such as [64, 128], to which vectors may be cut", least=1)
    temperature: float = key(0.05, "info_nce", above=0)
    types: int = key(128, "info_nce: types per batch", least=1)
    per_type: int = key(2, "info_nce: mentions per type of a batch", least=1)
    balance: float = key(0.75, "info_nce: draw types by their number of mentions to the power 1 - balance")
    mask_related: bool = key(False, "info_nce: a type's parents, children and namesakes are not its negatives")
    mention_weight: float = key(0.0, "info_nce: weight of mentions against mentions", least=0)
    batch: int = key(50, "triplet: triplets per batch, all of one type", least=1)
    instances: int = key(0, "triplet: mentions of a type that may be drawn; 0 for all", least=0)
    margin: float = key(0.5, "triplet", least=0)
    hard: float = key(
        0.1, "triplet: share of negatives from sentences that BM25 finds by the type's name", least=0, most=1
    )
    hard_sentences: int = key(100, "triplet: how many sentences BM25 finds", least=1)
    hardest: tuple[float, ...] = key(
        (0.0, 0.0), "triplet: weight of a batch's hardest negative in the first and last step", least=0, length=2
    )


@dataclass(frozen=True)
class JointSection(StageSection):
    """An adapter of the backbone's blocks, with the head and the document head (model.document_size)."""

    steps: int = key(0, "0 leaves the backbone as it is", least=0)
    runs: int = key(1, "runs from the same heads with seed, seed + 1, ...; the result is their average", least=1)
    method: str = key("lora", "form of the adapter; only lora can be averaged", choices=("lora", "dora"))
    rank: int = key(64, "of the adapter's matrices", least=1)
    scale: int = key(8, "factor of what the adapter adds", least=1)
    temperature: float = key(0.07, "of the loss", above=0)
    document_share: float = key(0.5, "weight of types against texts; types against mentions have 1", least=0)
    teacher: str = key("", "sentence-transformers model whose scores of texts the document head learns as well")
    teacher_share: float = key(0.5, "weight of the teacher's scores", least=0)
    texts: int = key(64, "texts per batch", least=1)
    decoys: int = key(0, "of a batch's texts, those with a mention that shares a word with a type but is none", least=0)
    tokens: int = key(128, "length of a window; longer texts are cut into overlapping windows", least=8)
    balance: float = key(0.75, "draw types by their number of texts to the power 1 - balance")


@dataclass(frozen=True)
class DetectorSection(StageSection):
    """The mention detector, on cached hidden states."""

    steps: int = key(0, "0 trains no detector; that of init, if any, stays", least=0)
    texts: int = key(32, "texts per batch", least=1)


@dataclass(frozen=True)
class Recipe:
    """A whole recipe."""

    base: str = key("", "another recipe to start from: a path relative to this file, or the name of a shipped recipe")
    seed: int = key(0, "fixes the result on CPU", least=0)
    init: str = key("", "checkpoint to train further, with its backbone, head and detector: name, folder or repository")
    backbone: str = key("", "without init: repository or folder of a stock transformers model")
    revision: str = key("", "its commit")
    layer: int | str = key(
        17, '0-based block whose value projection is read; "probe" finds it on the own texts', least=0, word="probe"
    )
    pooling: str = key("end", "end (last token) or mean, over a mention's tokens", choices=("end", "mean"))
    device: str = key("auto", "auto takes CUDA if there is any; CUDA_VISIBLE_DEVICES chooses", choices=("auto", "cpu"))
    dtype: str = key(
        "auto", "of the frozen backbone; auto as in its files", choices=("auto", "float32", "bfloat16", "float16")
    )
    quantization: str = key("", "nf4: frozen backbone in 4 bits, as for QLoRA; same checkpoint", choices=("", "nf4"))
    model: Mapping[str, Any] = key({}, "fields of NerretConfig, such as head_size, hidden_size, dropout")
    probe: Mapping[str, Any] = key({}, "fields of ProbeConfig, such as size, max_words, threshold, phrases")
    held_out: HeldOutSection = field(default_factory=HeldOutSection)
    head: HeadSection = field(default_factory=HeadSection)
    joint: JointSection = field(default_factory=JointSection)
    detector: DetectorSection = field(default_factory=DetectorSection)

    def to_dict(self) -> dict[str, Any]:
        """The recipe as nested keys for JSON; a set's default weight and names are left out.

        Example:
            >>> Recipe(seed=3).to_dict()["seed"]
            3
        """
        return _plain(self)

    def faults(self) -> list[str]:
        """Why the recipe cannot run, if it cannot: each thing that it lacks, or says twice."""
        faults = []
        if conflicts := [name for name in ("backbone", "model") if self.init and getattr(self, name)]:
            faults.append(f"init = {self.init!r} already has {' and '.join(conflicts)}; remove them from the recipe")
        if self.layer == "probe" and self.init:
            faults.append(f"init = {self.init!r} already has a layer; remove layer from the recipe")
        elif self.layer == "probe" and not any(section.steps for section in (self.head, self.joint, self.detector)):
            faults.append('layer is "probe" but no stage has steps, so there are no sets to probe; write a number')
        if not (self.init or self.backbone):
            faults.append('the recipe names no model; give it backbone = "ID" or init = "nerret-minilm"')
        for name in ("head", "joint", "detector"):
            section: StageSection = getattr(self, name)
            if section.steps and not section.sets:
                faults.append(f'{name} has steps but no sets to learn from; add sets = [{{ name = "corpus" }}]')
            for entry in section.sets if section.steps else ():
                stage = STAGE_OF_SET.get(entry.name, name)
                if stage != name:
                    faults.append(f"{name}.sets has {entry.name!r}, from which only {stage} can learn; remove it")
        return [*faults, *self._joint_faults(), *self._probe_faults()]

    def _joint_faults(self) -> Iterator[str]:
        """What the joint stage lacks."""
        section = self.joint
        if section.steps and section.decoys >= section.texts:
            yield f"joint.decoys is {section.decoys}; it must be below joint.texts, which is {section.texts}"
        trains_documents = section.document_share and (self.init or self.model.get("document_size"))
        if section.steps and section.teacher and not trains_documents:
            yield (
                "joint.teacher teaches the document head, which this recipe does not train; set model.document_size "
                "and joint.document_share, or remove the teacher"
            )

    def _probe_faults(self) -> Iterator[str]:
        """Whether a new probe looks for phrases without learning them, or the other way round."""
        reads_phrases = any(entry.name == "phrases" for entry in self.detector.sets)
        if not self.detector.steps or (self.init and not self.probe):
            return
        if reads_phrases and not self.probe.get("phrases"):
            yield "detector.sets has 'phrases', but the probe looks only for names; write phrases = true in [probe]"
        if self.probe.get("phrases") and not reads_phrases:
            yield "probe.phrases is true, but detector.sets lacks 'phrases'; add the set, or set probe.phrases=false"


def _plain(value: Any) -> Any:
    if isinstance(value, SetEntry):
        defaults = SetEntry()
        pairs = ((entry.name, getattr(value, entry.name)) for entry in fields(value))
        return {name: _plain(part) for name, part in pairs if part != getattr(defaults, name)}
    if hasattr(value, "__dataclass_fields__"):
        return {entry.name: _plain(getattr(value, entry.name)) for entry in fields(value)}
    if isinstance(value, Mapping):
        return dict(value)
    return [_plain(part) for part in value] if isinstance(value, tuple) else value


def shipped_recipes() -> list[str]:
    """Names of the recipes that nerret ships.

    Example:
        >>> "nerret-minilm" in shipped_recipes()
        True
    """
    return sorted(path.stem for path in RECIPES.glob("*.toml"))


def describe_keys() -> str:
    """All keys of a recipe with defaults, accepted values and meanings, as TOML with comments."""
    lines = []
    for entry in fields(Recipe):
        default = getattr(Recipe(), entry.name)
        if isinstance(default, HeldOutSection | StageSection):
            lines += ["", f"[{entry.name}]".ljust(28) + f"# {_first_line(default)}"]
            lines += [_describe(inner, getattr(default, inner.name)) for inner in fields(default)]
        elif isinstance(default, dict):
            lines += ["", f"[{entry.name}]".ljust(28) + f"# {rule_of(entry).meaning}"]
        else:
            lines.append(_describe(entry, default))
    return "\n".join(lines)


def _first_line(value: Any) -> str:
    return str(value.__doc__).splitlines()[0].removesuffix(".")


def _describe(entry: Field[Any], default: Any) -> str:
    """A line of `describe_keys`."""
    rule = rule_of(entry)
    value = json.dumps(_plain(default))  # numbers, strings and lists are written alike in JSON and TOML
    choices = "one of " + ", ".join(f'"{choice}"' for choice in rule.choices) if rule.choices else ""
    note = "; ".join(part for part in (choices, rule.meaning) if part)
    return f"{entry.name} = {value}".ljust(28) + f"# {note}"
