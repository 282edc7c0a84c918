"""`nerret export`: the files of vector stores rank as the index does."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modeling_nerret import EntityRetriever
from modeling_nerret.cli import main

NAMES = ("Ada", "London", "the river", "Paris", "Gauss", "notes", "Bonn")
DOCUMENTS = [
    {
        "id": f"d\u00e9{number}",
        "text": f"{name} was near {NAMES[number - 3]}, and so was {NAMES[number - 2]}.",
        "year": number,
    }
    for number, name in enumerate(NAMES)
]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: str) -> Path:
    """An index of which a document was replaced and another removed."""
    path = tmp_path_factory.mktemp("export") / "index"
    retriever = EntityRetriever(path, tiny_checkpoint)
    retriever.add([*DOCUMENTS, {"id": "gone", "text": "Ada in Rome."}])
    retriever.add(DOCUMENTS[:1])
    retriever.delete("gone")
    return path


def _points(path: Path, form: str) -> list[tuple[str, list[float], dict[str, Any]]]:
    data = path.read_bytes()
    lines = [json.loads(line) for line in (gzip.decompress(data) if path.suffix == ".gz" else data).splitlines()]
    if form == "qdrant":
        return [(line["id"], line["vector"], line["payload"]) for line in lines]
    pairs = zip(lines[::2], lines[1::2], strict=True)
    return [(action["index"]["_id"], source.pop("vector"), source) for action, source in pairs]


@pytest.mark.parametrize("form", ["qdrant", "elasticsearch"])
@pytest.mark.parametrize("name", ["points.jsonl", "points.jsonl.gz"])
def test_the_files_rank_by_dot_product_as_the_index_does(form: str, name: str, index: Path, tmp_path: Path) -> None:
    path = tmp_path / name
    assert main(["export", str(index), str(path), "--format", form]) == 0
    points = _points(path, form)
    retriever = EntityRetriever(index)
    assert len({id for id, _, _ in points}) == len(points) == retriever.info()["mentions"]
    texts = {document["id"]: document for document in DOCUMENTS}
    for _, _, fields in points:
        document = texts[fields["document"]]
        assert document["text"][fields["start"] : fields["end"]] == fields["mention"] in fields["passage"]
        assert fields["metadata"] == {"year": document["year"]} and "text" not in fields
    for query in ("city", "person"):
        products = (
            np.array([vector for _, vector, _ in points], np.float32) @ retriever.encoder.embed_queries([query])[0]
        )
        best: dict[str, float] = {}
        for (_, _, fields), product in zip(points, products.tolist(), strict=True):
            best[fields["document"]] = max(product, best.get(fields["document"], -1))
        ranks = retriever.rank(query, len(DOCUMENTS), mode="vector")
        assert [id for id, _ in ranks] == sorted(best, key=lambda id: (-round(best[id], 6), id))
        assert [score for _, score in ranks] == pytest.approx([best[id] for id, _ in ranks], abs=1e-5)


def test_another_export_is_the_same_file(index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modeling_nerret.bridges.vector_stores.STEP", 2)
    for name in ("a.gz", "b.gz"):
        assert main(["export", str(index), str(tmp_path / name), "--format", "qdrant", "--texts"]) == 0
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"a.gz", "b.gz"}
    assert {fields["text"] for _, _, fields in _points(tmp_path / "a.gz", "qdrant")} <= {d["text"] for d in DOCUMENTS}


def test_settings_ask_for_the_dot_product(index: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["export", str(index), "--format", "qdrant", "--mapping"]) == 0
    assert json.loads(capsys.readouterr().out) == {"vectors": {"size": 16, "distance": "Dot"}}
    assert main(["export", str(index), "--format", "elasticsearch", "--mapping"]) == 0
    vector = json.loads(capsys.readouterr().out)["mappings"]["properties"]["vector"]
    assert (vector["dims"], vector["similarity"]) == (16, "max_inner_product")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [([], "give a FILE"), (["nowhere/file"], "cannot be written"), (["x", "--mapping"], "give a")],
)
def test_wrong_arguments_are_explained(
    arguments: list[str], words: str, index: Path, capsys: pytest.CaptureFixture
) -> None:
    assert main(["export", str(index), *arguments, "--format", "qdrant"]) == 1 and words in capsys.readouterr().err
