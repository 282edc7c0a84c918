"""What may be shipped: licences of backbones and of the sets that a checkpoint was trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from modeling_nerret.training.own_sets import open_sets


class TrainingSet(NamedTuple):
    """A set of training texts: its licence, as the Hub or its authors write it, and what it holds."""

    licence: str
    what: str


class Trained(NamedTuple):
    """A set that a checkpoint learnt from, and the parts of the model that did."""

    name: str
    parts: list[str]
    licence: str
    what: str


# Only sets whose licence allows a shipped checkpoint; others need --training-set
TRAINING_SETS = {
    "corpus": TrainingSet("CC0-1.0", "nerret's own open-type corpus, 76 domains: 14,788 texts, 1,640 types"),
    "open": TrainingSet(
        "CC0-1.0", "nerret's own types for 17,652 names in texts of other sets, which are listed as well"
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
# The licence of a backbone is that of the weights in a self-contained checkpoint; by the start of its repository's name
BACKBONES = {
    "sentence-transformers/all-MiniLM-L6-v2": "apache-2.0",
    "meta-llama/Llama-3.1-": "llama3.1",
    "Qwen/Qwen3-": "apache-2.0",
}


def licence_of(backbone: str | None, given: str | None) -> str:
    """The licence of a checkpoint, by the Hub's identifier.

    Raises:
        ValueError: it is not known and was not given.
    """
    known = next((licence for start, licence in BACKBONES.items() if (backbone or "").startswith(start)), None)
    if given or known:
        return str(given or known)
    raise ValueError(
        f"the licence of the backbone {backbone!r} is not known here; look it up and give --license, such as apache-2.0"
    )


def check_name(licence: str, model_id: str) -> None:
    """Refuse a name that a licence forbids.

    Raises:
        ValueError: it is made with Llama, whose licence (section 1.b) wants names that begin with "Llama".

    Example:
        >>> check_name("llama3.1", "me/Llama-3.1-8B-nerret")
    """
    name = model_id.rpartition("/")[2]
    if licence.startswith("llama") and not name.startswith("Llama"):
        raise ValueError(
            f"the name {name!r} must begin with 'Llama', as Llama's licence wants of models made with it; "
            f"take a name such as 'Llama-{name}'"
        )


def training_sets(recipes: Sequence[dict[str, Any]], given: Mapping[str, str] | None = None) -> list[Trained]:
    """The sets that a checkpoint learnt from.

    Args:
        recipes: its recipe and those of the checkpoints that it went on from.
        given: licences of sets that are not among `TRAINING_SETS`, by name.

    Raises:
        ValueError: the licence of a set is not known, or forbids a shipped checkpoint.

    Example:
        >>> recipe = {"head": {"sets": [{"name": "corpus"}]}, "joint": {"steps": 0, "sets": [{"name": "btc"}]}}
        >>> [(one.name, one.parts) for one in training_sets([recipe, {"detector": {"sets": [{"name": "corpus"}]}}])]
        [('corpus', ['head', 'detector'])]
    """
    found: dict[str, list[str]] = {}
    for recipe in recipes:
        for part, fields in recipe.items():
            sets = fields.get("sets", []) if isinstance(fields, dict) and fields.get("steps") != 0 else []
            for name in (name for one in sets for name in (one["name"], *_texts_of(one["name"]))):
                parts = found.setdefault(name, [])
                parts += [part] if part not in parts else []
    known = TRAINING_SETS | {name: TrainingSet(licence, "") for name, licence in (given or {}).items()}
    if unknown := [name for name in found if name not in known]:
        raise ValueError(
            f"trained on {', '.join(unknown)}, whose licence is not known here or forbids a shipped checkpoint; if it "
            f"allows one, give --training-set '{unknown[0]}=LICENCE'"
        )
    return [Trained(name, parts, *known[name]) for name, parts in found.items()]


def _texts_of(name: str) -> list[str]:
    """The sets whose texts a set of the project's own stands on."""
    return open_sets() if name == "open" else []
