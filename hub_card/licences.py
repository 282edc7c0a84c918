"""What may be shipped: licences of backbones and of the sets that a checkpoint was trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple


class TrainingSet(NamedTuple):
    """A set of training texts: its licence, as the Hub or its authors write it, and its contents."""

    licence: str
    contents: str


class TrainedSet(NamedTuple):
    """A set that a checkpoint was trained on, and the parts of the model that were trained on it."""

    name: str
    parts: list[str]
    licence: str
    contents: str


# Only sets whose licence allows a shipped checkpoint; others need --training-set
TRAINING_SETS = {
    "corpus": TrainingSet("CC0-1.0", "nerret's own open-type corpus, 76 domains: 14,788 texts, 1,640 types"),
    "open": TrainingSet(
        "CC0-1.0", "nerret's own types for 17,652 names in texts of other sets, which are listed as well"
    ),
    "mentions": TrainingSet(
        "CC0-1.0", "nerret's own types for all mentions in texts of other sets, which are listed as well"
    ),
    "extracts": TrainingSet("CC BY-SA 4.0", "extracts of Wikipedia articles"),
    "kinds": TrainingSet(
        "WordNet-3.0 and CC BY-SA 4.0",
        "definitions and examples of WordNet 3.0; its types for common nouns in Wikipedia extracts (CC BY-SA 4.0) and "
        "in texts of other sets, which are listed as well",
    ),
    "descriptions": TrainingSet(
        "CC BY-SA 4.0", "Wikipedia extracts, whose titles have their short descriptions as types"
    ),
    "phrases": TrainingSet(
        "CC BY-SA 4.0",
        "noun phrases that a parser found in Wikipedia extracts and in texts of other sets, listed as well",
    ),
    "yago43ket": TrainingSet("CC BY 4.0", "names of entities with Wikipedia-category and WordNet types of YAGO"),
    "dynamicner": TrainingSet("Apache-2.0", "DynamicNER, sentences with fine types"),
    "wikigold": TrainingSet("CC BY 4.0", "WikiGold, Wikipedia sentences"),
    "btc": TrainingSet("CC BY 4.0", "Broad Twitter Corpus"),
    "wnut17": TrainingSet("CC BY 4.0", "WNUT 17, social media"),
    "litbank": TrainingSet("CC BY 4.0", "LitBank, English fiction"),
    "snips": TrainingSet("CC0-1.0", "Snips, slots of spoken requests"),
    "sgd_slots": TrainingSet("CC BY-SA 4.0", "Schema-Guided Dialogue, slots of dialogues"),
    "stackoverflow_ner": TrainingSet("MIT", "StackOverflow NER, software"),
    "somesci": TrainingSet("CC BY 4.0", "SoMeSci, software in science"),
    "tdmsci": TrainingSet("Apache-2.0", "TDMSci, tasks, datasets and metrics"),
    "cyner": TrainingSet("MIT", "CyNER, security"),
    "bio_bionlp13cg": TrainingSet("CC BY", "BioNLP 2013 Cancer Genetics"),
    "bio_bionlp11id": TrainingSet("CC BY", "BioNLP 2011 Infectious Diseases"),
    "bio_craft": TrainingSet("CC BY", "CRAFT, biomedical articles"),
    "bio_bc5cdr": TrainingSet("CC BY", "BC5CDR, chemicals and diseases"),
    "bio_ncbi_disease": TrainingSet("CC BY", "NCBI Disease"),
    "anem": TrainingSet("CC BY-SA 3.0", "AnEM, anatomy"),
    "wnut20_wetlab": TrainingSet("MIT", "WNUT 20, laboratory protocols"),
    "materials_synthesis": TrainingSet("MIT", "materials synthesis procedures"),
    "tasteset": TrainingSet("MIT", "TASTEset, recipes"),
    "geo_ner": TrainingSet("CC BY-SA 4.0", "geology"),
    "re3d": TrainingSet("OGL and CC", "re3d, defence and security"),
    "music_ner": TrainingSet("MIT", "music"),
    "textile_synth": TrainingSet("CC BY 4.0", "textile heritage, synthetic"),
}
# The licence of a backbone is that of a self-contained checkpoint's weights; by the start of the repository's name
BACKBONES = {
    "sentence-transformers/all-MiniLM-L6-v2": "apache-2.0",
    "meta-llama/Llama-3.1-": "llama3.1",
    "Qwen/Qwen3-": "apache-2.0",
    "HuggingFaceTB/SmolLM2-": "apache-2.0",
}


def licence_of(backbone: str | None, licence: str | None = None) -> str:
    """The licence of a checkpoint, by the Hub's name.

    Args:
        backbone: the backbone's repository.
        licence: a name to use instead of the backbone's licence.

    Raises:
        ValueError: the backbone's licence is unknown and `licence` is `None`.
    """
    licence = licence or next((BACKBONES[start] for start in BACKBONES if (backbone or "").startswith(start)), None)
    if licence is None:
        raise ValueError(
            f"nerret does not know the licence of the backbone {backbone!r}; look it up and give --license, such as "
            "apache-2.0"
        )
    return licence


def check_name(licence: str, model_id: str) -> None:
    """Refuse a name that a licence forbids.

    Raises:
        ValueError: the model is built on Llama, whose licence (section 1.b) requires names that begin with "Llama".

    Example:
        >>> check_name("llama3.1", "me/Llama-3.1-8B-nerret")
    """
    name = model_id.rpartition("/")[2]
    if licence.startswith("llama") and not name.startswith("Llama"):
        raise ValueError(
            f"the name {name!r} must begin with 'Llama', which Llama's licence requires of models built on it; "
            f"take a name such as 'Llama-{name}'"
        )


def training_sets(recipes: Sequence[dict[str, Any]], licences: Mapping[str, str] | None = None) -> list[TrainedSet]:
    """The sets that a checkpoint was trained on.

    Args:
        recipes: its recipe and those of the checkpoints that it was trained from.
        licences: licences of sets that are not among `TRAINING_SETS`, by name.

    Raises:
        ValueError: the licence of a set is unknown, or forbids a shipped checkpoint; or a recipe is none.

    Example:
        >>> recipe = {"head": {"sets": [{"name": "corpus"}]}, "joint": {"steps": 0, "sets": [{"name": "btc"}]}}
        >>> sets = training_sets([recipe, {"detector": {"sets": [{"name": "corpus"}]}}])
        >>> [(entry.name, entry.parts) for entry in sets]
        [('corpus', ['head', 'detector'])]
    """
    parts: dict[str, dict[str, None]] = {}  # by name of the set, each part once and in order
    for recipe in recipes:
        for part, fields in recipe.items():
            for name in _set_names(fields):
                parts.setdefault(name, {})[part] = None
    sets = TRAINING_SETS | {name: TrainingSet(licence, "") for name, licence in (licences or {}).items()}
    if unknown := [name for name in parts if name not in sets]:
        raise ValueError(
            f"trained on {', '.join(unknown)}, whose licence nerret does not know, or which forbids a shipped "
            f"checkpoint; if it allows one, give --training-set '{unknown[0]}=LICENCE'"
        )
    return [TrainedSet(name, list(parts[name]), *sets[name]) for name in parts]


def _set_names(fields: Any) -> list[str]:
    """Names of the sets in one part of a recipe, and of the sets whose texts they use."""
    if not isinstance(fields, dict) or fields.get("steps") == 0:
        return []
    sets = fields.get("sets") or []
    if not isinstance(sets, list) or not all(isinstance(e, dict) and isinstance(e.get("name"), str) for e in sets):
        raise ValueError(f"recipe.json: sets is {sets!r:.60}; it must be a list of sets, each with its name")
    return [name for entry in sets for name in (entry["name"], *_text_sets(entry["name"]))]


def _text_sets(name: str) -> list[str]:
    """The sets whose texts one of nerret's own sets uses."""
    if name not in ("kinds", "mentions", "open", "phrases"):
        return []
    from modeling_nerret.training.data.open_sets import mention_sets, open_sets, parsed_sets

    sets = {"open": open_sets, "mentions": mention_sets}.get(name, lambda: ["corpus", *parsed_sets()])
    return sets()
