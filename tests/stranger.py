"""What a stranger does with a built repository: a script that runs without the package, network and keyboard.

`python stranger.py INPUTS.json VECTORS.json FOLDER...` writes the vectors from every way of loading each folder.
"""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any

FEATURES = "feature-extraction"
PROJECT = ("modeling_nerret", "hub_card", "training", "eval", "tests")


class Absent:
    """Makes the project's packages impossible to import."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name.partition(".")[0] in PROJECT:
            raise ModuleNotFoundError(f"No module named {name!r}")


def refuse(*args: Any, **kwargs: Any) -> Any:
    raise AssertionError(f"the network was asked: {args[:2]}")


def isolate() -> None:
    """Take away the package, the network and the libraries' caches."""
    sys.meta_path.insert(0, Absent())  # type: ignore[arg-type]
    sys.path[:] = [path for path in sys.path if path not in ("", str(Path(__file__).parent))]
    socket.socket.connect = refuse  # type: ignore[method-assign]
    socket.getaddrinfo = refuse
    os.environ |= {"HF_HUB_OFFLINE": "1", "HF_HOME": tempfile.mkdtemp()}
    try:
        importlib.util.find_spec("modeling_nerret.modeling_nerret")
    except ModuleNotFoundError:
        return
    raise AssertionError("the package can still be imported")


def custom(folder: str, query: str, mention: dict[str, Any]) -> dict[str, Any]:
    """Vectors of the query and of the mention by every way to load the form with code."""
    import torch
    from sentence_transformers import SentenceTransformer
    from transformers import AutoModel, AutoTokenizer, pipeline

    def by_model(model: Any) -> list[float]:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=True)
        with torch.no_grad():
            return model(**tokenizer(query, return_tensors="pt")).embeddings[0].tolist()

    vectors: dict[str, Any] = {}
    model = AutoModel.from_pretrained(folder, trust_remote_code=True)
    vectors["auto"] = by_model(model)
    vectors["device map"] = by_model(AutoModel.from_pretrained(folder, trust_remote_code=True, device_map="auto"))
    vectors["pipeline"] = pipeline(FEATURES, model=folder, trust_remote_code=True)(query)[0]
    encoder = SentenceTransformer(folder, trust_remote_code=True)
    vectors["encode"], vectors["mention"] = encoder.encode([query, mention]).tolist()
    vectors["encode query"] = encoder.encode_query(query).tolist()
    vectors["encode document"] = encoder.encode_document(mention).tolist()
    copy = tempfile.mkdtemp()
    model.save_pretrained(copy)
    vectors["saved by transformers"] = by_model(AutoModel.from_pretrained(copy, trust_remote_code=True))
    copy = tempfile.mkdtemp()
    encoder.save_pretrained(copy)
    vectors["saved by sentence-transformers"] = by_model(AutoModel.from_pretrained(copy, trust_remote_code=True))
    encoder = SentenceTransformer(copy, trust_remote_code=True)
    vectors["saved, encode"], vectors["saved, mention"] = encoder.encode([query, mention]).tolist()
    return vectors | {"refusals": refusals(folder)}


def refusals(folder: str) -> list[str]:
    """The libraries' errors without trust in the code; none of them may ask at the keyboard."""
    import builtins

    from sentence_transformers import SentenceTransformer
    from transformers import AutoModel, pipeline

    builtins.input = refuse
    ways = (AutoModel.from_pretrained, SentenceTransformer, lambda name, **flag: pipeline(FEATURES, name, **flag))
    messages = []
    for load in ways:
        try:
            load(folder, trust_remote_code=False)
        except ValueError as error:
            messages.append(str(error))
    return messages


def native(folder: str, query: str, mention: dict[str, Any]) -> dict[str, Any]:
    """Vectors by the form without code: the query alone and in a batch, and the text up to the mention's end."""
    from sentence_transformers import SentenceTransformer

    encoder = SentenceTransformer(folder)
    vectors = {"encode": encoder.encode(query).tolist()}
    text = mention["text"][: mention["end"]]
    vectors["batch"], vectors["mention"] = encoder.encode([query, text]).tolist()
    copy = tempfile.mkdtemp()
    encoder.save_pretrained(copy, create_model_card=False)
    vectors["saved"] = SentenceTransformer(copy).encode(query).tolist()
    return vectors


def main(arguments: list[str]) -> None:
    isolate()
    inputs = json.loads(Path(arguments[0]).read_text())
    vectors = {}
    for folder in arguments[2:]:
        has_code = "auto_map" in json.loads((Path(folder) / "config.json").read_text())
        vectors[folder] = (custom if has_code else native)(folder, inputs["query"], inputs["mention"])
    Path(arguments[1]).write_text(json.dumps(vectors))


if __name__ == "__main__":
    main(sys.argv[1:])
