"""Bridges, each against the library itself; one that is not installed is skipped."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from modeling_nerret import EntityRetriever
from tests.small_corpus import index_texts

TEXTS = ["Ada was born in London.", "The river in Paris."]
FILES = {
    "langchain": "langchain_core",
    "llama_index": "llama_index.core",
    "haystack": "haystack",
    "spacy": "spacy",
    "mteb": "mteb",
}
ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: str) -> Path:
    return index_texts(tmp_path_factory.mktemp("bridges"), tiny_checkpoint, TEXTS)


def _bridge(name: str) -> Any:
    """The file of a bridge, or a skipped test."""
    pytest.importorskip(FILES[name], reason=f"{FILES[name]} is not installed", exc_type=ImportError)
    from importlib import import_module

    return import_module(f"modeling_nerret.bridges.{name}")


def test_langchain(index: Path) -> None:
    retriever = _bridge("langchain").NerretRetriever(index, k=2, options={"where": {"year": 1901}})
    [document] = retriever.invoke("city")
    assert (document.id, document.page_content, document.metadata["year"]) == ("d1", TEXTS[1], 1901)
    for mention in document.metadata["nerret"]["mentions"]:
        assert document.page_content[mention["start"] : mention["end"]] == mention["text"]
    from langchain_core.runnables import RunnableLambda

    chain = retriever | RunnableLambda(len)
    assert chain.invoke("city") == 1


def test_llama_index(index: Path) -> None:
    retriever = _bridge("llama_index").NerretRetriever(index, k=2)
    nodes = retriever.retrieve("city")
    hits = EntityRetriever(index).search("city", 2)
    assert [(node.node.id_, node.score) for node in nodes] == [(hit.id, hit.score) for hit in hits]
    assert "nerret" in nodes[0].node.metadata and "nerret" not in nodes[0].node.get_content("llm")


def test_haystack(index: Path) -> None:
    bridge = _bridge("haystack")
    from haystack import Pipeline
    from haystack.version import __version__ as version

    pipeline = Pipeline()
    pipeline.add_component("retriever", bridge.NerretRetriever(index, top_k=2))
    settings: Any = {} if version.startswith("2.") else {"allowed_modules": ["modeling_nerret.*"]}
    pipeline = Pipeline.loads(pipeline.dumps(), **settings)
    documents = pipeline.run({"retriever": {"query": "city", "top_k": 1}})["retriever"]["documents"]
    assert len(documents) == 1 and documents[0].content in TEXTS and documents[0].meta["nerret"]["score"]


@pytest.mark.parametrize("name", ["langchain", "llama_index"])
def test_a_folder_without_an_index_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is no nerret index"):
        _bridge(name).NerretRetriever(tmp_path)


def test_spacy(tiny_checkpoint: str) -> None:
    bridge = _bridge("spacy")
    import spacy

    nlp = spacy.blank("en")
    settings = {"types": ["city", "person"], "model": tiny_checkpoint, "threshold": -1.0}
    nlp.add_pipe("nerret", config=settings)
    docs = list(nlp.pipe([*TEXTS, " ", ""]))
    assert docs[0].ents and not docs[2].ents
    for doc in docs[:2]:
        scores = doc.spans["nerret"].attrs["scores"]
        assert [ent._.nerret_score for ent in doc.ents] == pytest.approx(scores.tolist())
        assert {ent.label_ for ent in doc.ents} <= {"city", "person"}
    assert [(ent.start, ent.label_) for ent in nlp(TEXTS[0]).ents] == [(ent.start, ent.label_) for ent in docs[0].ents]
    doc = nlp.make_doc(TEXTS[0])
    doc.ents = [spacy.tokens.Span(doc, 0, 2, "KEPT")]
    assert nlp.get_pipe("nerret")(doc).ents[0].label_ == "KEPT"
    with pytest.raises(ValueError, match="give a list"):
        bridge.NerretComponent([], tiny_checkpoint)


def test_spacy_finds_the_component_by_itself() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["entry-points"]["spacy_factories"] == {"nerret": "modeling_nerret.bridges.spacy:make_component"}
    assert callable(_bridge("spacy").make_component)


@pytest.mark.parametrize("name", ["pandas", "polars", "datasets"])
def test_tables_go_in_and_come_out(name: str, tmp_path: Path, tiny_checkpoint: str) -> None:
    pytest.importorskip(name, reason=f"{name} is not installed")
    from modeling_nerret.bridges import tables

    convert = getattr(tables, f"to_{name}")
    rows = [{"id": f"d{number}", "text": text, "year": 1900 + number} for number, text in enumerate(TEXTS)]
    retriever = EntityRetriever(tmp_path / "index", tiny_checkpoint)
    assert retriever.add(convert(rows)).documents == 2
    answer = retriever.search("city", 2)
    table = convert(tables.rows_of(answer))
    assert list(table["id"]) == [hit.id for hit in answer] and set(table["metadata.year"]) == {1900, 1901}
    assert len(convert(tables.mention_rows(answer))) == sum(len(hit.mentions) for hit in answer)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_library_is_named_with_what_to_install(name: str) -> None:
    script = f"import sys; sys.modules[{FILES[name].split('.')[0]!r}] = None; import modeling_nerret.bridges.{name}"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert f"pip install '.[{name.replace('_', '-')}]'" in result.stderr


def test_importing_the_bridges_imports_none_of_the_libraries() -> None:
    script = "import sys, modeling_nerret.bridges; sys.exit(bool({'torch', 'spacy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0
