"""What a stranger does with a built repository: run as a script, without the package, the network and a keyboard.

`python stranger.py GIVEN.json FOUND.json FOLDER...` writes the vectors that every way of loading each folder gives.
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
OWN = ("modeling_nerret", "hub_card", "training", "eval", "tests")


class Absent:
    """Makes the project's packages impossible to import, wherever they are installed."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name.partition(".")[0] in OWN:
            raise ModuleNotFoundError(f"No module named {name!r}")


def refuse(*args: Any, **kwargs: Any) -> Any:
    raise AssertionError(f"the network was asked: {args[:2]}")


def isolate() -> None:
    """No package, no network, no libraries' caches of before."""
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
    """Vectors of `query` (and of the mention) by every door of the form that brings its code."""
    import torch
    from sentence_transformers import SentenceTransformer
    from transformers import AutoModel, AutoTokenizer, pipeline

    def by_model(model: Any) -> list[float]:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=True)
        with torch.no_grad():
            return model(**tokenizer(query, return_tensors="pt")).embeddings[0].tolist()

    found: dict[str, Any] = {}
    model = AutoModel.from_pretrained(folder, trust_remote_code=True)
    found["auto"] = by_model(model)
    found["device map"] = by_model(AutoModel.from_pretrained(folder, trust_remote_code=True, device_map="auto"))
    found["pipeline"] = pipeline(FEATURES, model=folder, trust_remote_code=True)(query)[0]
    encoder = SentenceTransformer(folder, trust_remote_code=True)
    found["encode"], found["mention"] = encoder.encode([query, mention]).tolist()
    found["encode query"] = encoder.encode_query(query).tolist()
    found["encode document"] = encoder.encode_document(mention).tolist()
    again = tempfile.mkdtemp()
    model.save_pretrained(again)
    found["saved by transformers"] = by_model(AutoModel.from_pretrained(again, trust_remote_code=True))
    again = tempfile.mkdtemp()
    encoder.save_pretrained(again)
    found["saved by sentence-transformers"] = by_model(AutoModel.from_pretrained(again, trust_remote_code=True))
    resaved = SentenceTransformer(again, trust_remote_code=True)
    found["saved, encode"], found["saved, mention"] = resaved.encode([query, mention]).tolist()
    return found | {"refusals": refusals(folder)}


def refusals(folder: str) -> list[str]:
    """What the libraries say to those who do not trust the code; none of them may ask at the keyboard."""
    import builtins

    from sentence_transformers import SentenceTransformer
    from transformers import AutoModel, pipeline

    builtins.input = refuse
    ways = (AutoModel.from_pretrained, SentenceTransformer, lambda name, **flag: pipeline(FEATURES, name, **flag))
    said = []
    for load in ways:
        try:
            load(folder, trust_remote_code=False)
        except ValueError as error:
            said.append(str(error))
    return said


def native(folder: str, query: str, mention: dict[str, Any]) -> dict[str, Any]:
    """Vectors by the form without code: of the query alone and in a batch, and of the text up to the mention's end."""
    from sentence_transformers import SentenceTransformer

    encoder = SentenceTransformer(folder)
    found = {"encode": encoder.encode(query).tolist()}
    cut = mention["text"][: mention["end"]]
    found["batch"], found["mention"] = encoder.encode([query, cut]).tolist()
    again = tempfile.mkdtemp()
    encoder.save_pretrained(again, create_model_card=False)
    found["saved"] = SentenceTransformer(again).encode(query).tolist()
    return found


def main(arguments: list[str]) -> None:
    isolate()
    given = json.loads(Path(arguments[0]).read_text())
    found = {}
    for folder in arguments[2:]:
        brings_code = "auto_map" in json.loads((Path(folder) / "config.json").read_text())
        found[folder] = (custom if brings_code else native)(folder, given["query"], given["mention"])
    Path(arguments[1]).write_text(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])
