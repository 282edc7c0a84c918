"""Published benchmarks, from local copies of their files."""

from __future__ import annotations

import bz2
import json
from pathlib import Path
from typing import Any

import datasets
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeling_nerret.documents import Document
from modeling_nerret.eval.tasks import BENCHMARKS, benchmarks, neretrieve
from modeling_nerret.eval.tasks.annotations import LabelledDocument
from modeling_nerret.eval.tasks.benchmarks import label_tokens, load_benchmark
from modeling_nerret.eval.tasks.task import make_task
from modeling_nerret.eval.tasks.type_names import QuerySettings
from modeling_nerret.spans import Span


def write_fewnerd(folder: Path) -> None:
    """Rows of DFKI-SLT/few-nerd, configuration supervised: ids, tokens, coarse and fine tags as class labels."""
    features = datasets.Features(
        {
            "id": datasets.Value("string"),
            "tokens": datasets.List(datasets.Value("string")),
            "ner_tags": datasets.List(datasets.ClassLabel(names=["O", "art", "location", "other", "person"])),
            "fine_ner_tags": datasets.List(
                datasets.ClassLabel(
                    names=["O", "art-film", "location-GPE", "other-award", "person-actor", "person-other"]
                )
            ),
        }
    )
    splits = {
        "train": (["Ada", "Byron", "saw", "Alien"], [4, 4, 0, 1], [5, 5, 0, 1]),
        "validation": (["Rome", "gave", "Bo", "an", "Oscar"], [2, 0, 4, 0, 3], [2, 0, 4, 0, 3]),
        "test": (["Bo", "left", "Rome"], [4, 0, 2], [4, 0, 2]),
    }
    (folder / "supervised").mkdir(parents=True, exist_ok=True)
    for split, (tokens, coarse, fine) in splits.items():
        row = {"id": "0", "tokens": tokens, "ner_tags": coarse, "fine_ner_tags": fine}
        path = folder / "supervised" / f"{split}-00000-of-00001.parquet"
        datasets.Dataset.from_list([row], features=features).to_parquet(path)


def write_multiconer(folder: Path) -> None:
    """Rows of MultiCoNER/multiconer_v2, configuration English (EN): BIO tags as strings and as class labels."""
    names = ["O", "B-Artist", "I-Artist", "B-Station", "I-Station", "B-OtherPER"]
    features = datasets.Features(
        {
            "id": datasets.Value("int32"),
            "sample_id": datasets.Value("string"),
            "tokens": datasets.List(datasets.Value("string")),
            "ner_tags": datasets.List(datasets.Value("string")),
            "ner_tags_index": datasets.List(datasets.ClassLabel(names=names)),
        }
    )
    rows = {
        "train": (["ada", "byron", "bo", "sang"], ["B-Artist", "I-Artist", "B-Artist", "O"]),
        "validation": (["she", "left", "oslo", "s"], ["B-OtherPER", "O", "B-Station", "I-Station"]),
        "test": (["nobody"], ["O"]),
    }
    for split, (tokens, tags) in rows.items():
        row = {"id": 0, "sample_id": "x-1", "tokens": tokens, "ner_tags": tags}
        row["ner_tags_index"] = [names.index(tag) for tag in tags]
        for config in ("English (EN)", "German (DE)"):
            path = folder / config / split / "0000.parquet"
            path.parent.mkdir(parents=True)
            datasets.Dataset.from_list([row], features=features).to_parquet(path)


def test_fewnerd_from_a_local_copy(tmp_path: Path) -> None:
    write_fewnerd(tmp_path)
    task = load_benchmark("fewnerd", tmp_path)
    assert [document.text for document in task.documents] == [
        "Ada Byron saw Alien",
        "Rome gave Bo an Oscar",
        "Bo left Rome",
    ]
    assert dict(zip(task.types, task.relevant, strict=True)) == {
        "film": ["fewnerd-train-0"],
        "geopolitical entity": ["fewnerd-validation-0", "fewnerd-test-0"],
        "award": ["fewnerd-validation-0"],
        "actor": ["fewnerd-validation-0", "fewnerd-test-0"],
    }
    assert task.labels[0] == {Span(0, 9): ("other person",), Span(14, 19): ("film",)}
    assert len(load_benchmark("fewnerd", tmp_path, limit=1).documents) == 1


def test_multiconer2_from_a_local_copy(tmp_path: Path) -> None:
    write_multiconer(tmp_path)
    task = load_benchmark("multiconer2", tmp_path)
    assert (task.types, len(task.documents)) == (["station", "artist"], 3)
    assert task.labels[0] == {Span(0, 9): ("artist",), Span(10, 12): ("artist",)}
    assert task.labels[1] == {Span(0, 3): ("other person",), Span(9, 15): ("station",)}


@given(st.lists(st.sampled_from(["O", "film", "art-film"]), max_size=12))
def test_bare_and_bio_tags_mark_the_same_mentions(labels: list[str]) -> None:
    tokens = [f"w{number}" for number in range(len(labels))] or ["w"]
    labels = labels or ["O"]
    neighbours = zip(["O", *labels], labels, strict=False)
    tags = ["O" if label == "O" else f"{'I' if label == last else 'B'}-{label}" for last, label in neighbours]
    assert label_tokens("a", tokens, labels, bare=True) == label_tokens("a", tokens, tags, bare=False)


def test_the_hub_is_asked_for_all_splits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_multiconer(tmp_path)
    calls = []

    def load_dataset(name: str, config: str, revision: str | None, split: str) -> datasets.Dataset:
        calls.append((name, config, revision, split))
        return datasets.Dataset.from_parquet(str(tmp_path / config / split / "0000.parquet"), keep_in_memory=True)

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    assert load_benchmark("multiconer2").types == ["station", "artist"]
    assert [split for *_, split in calls] == ["train", "validation", "test"]
    assert calls[0][:3] == ("MultiCoNER/multiconer_v2", "English (EN)", "refs/convert/parquet")


def write_neretrieve(folder: Path, compress: bool) -> None:
    """Lines of NERetrieve's archives: paragraphs of spaced words, and labels with the numbers of mentions' words."""
    paragraphs = [
        {"id": "p1", "content": "Lake Como lies near Milan ."},
        {"id": "p2", "content": "Nothing here ."},
        {"id": "p3", "content": "Milan saw the Como ferry ."},
    ]
    labels = [
        {
            "id": "p1",
            "doc_id": "Lake Como-0",
            "tagged_entities": {"Lake": {"Q1": {"Lake Como": [[0, 1]]}}, "City": {"Q2": {"Milan": [[4]]}}},
            "tagged_entity_types": ["Lake", "City"],
        },
        {
            "id": "p3",
            "doc_id": "Milan-3",
            "tagged_entities": {"City": {"Q2": {"Milan": [[0]]}, "Q3": {"Como": [[3], []]}}},
        },
    ]
    for name, lines in ((neretrieve.PARAGRAPHS, paragraphs), (neretrieve.LABELS, labels)):
        data = "".join(json.dumps(line) + "\n" for line in lines).encode()
        path = folder / name
        (path if compress else path.with_suffix("")).write_bytes(bz2.compress(data) if compress else data)


@pytest.mark.parametrize("compress", [True, False])
def test_neretrieve_from_a_local_copy(compress: bool, tmp_path: Path) -> None:
    write_neretrieve(tmp_path, compress)
    task = load_benchmark("neretrieve", tmp_path)
    assert [document.id for document in task.documents] == ["p1", "p3"]
    assert dict(zip(task.types, task.relevant, strict=True)) == {"City": ["p1", "p3"], "Lake": ["p1"]}
    names = [[document.text[span.start : span.end] for span in document.mentions] for document in task.documents]
    assert names == [["Lake Como", "Milan"], ["Milan", "Como"]]
    assert len(load_benchmark("neretrieve", tmp_path, limit=1).documents) == 1


def test_a_benchmark_that_cannot_be_reached_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any, **options: Any) -> None:
        raise OSError("no network")

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets, "load_dataset", refuse)
    monkeypatch.setattr(neretrieve.urllib.request, "urlopen", refuse)
    for name in benchmarks.HUB:
        with pytest.raises(OSError, match=r"cannot be reached \(no network\); give a local copy .* with --data DIR"):
            load_benchmark(name)
    with pytest.raises(OSError, match="cannot be reached"):
        load_benchmark("neretrieve", tmp_path)
    assert not list(tmp_path.glob("*.bz2"))
    with pytest.raises(OSError, match=r"holds no \*.parquet of the split 'train'"):
        load_benchmark("fewnerd", tmp_path)


def test_every_name_is_a_benchmark() -> None:
    assert {*BENCHMARKS} == {*benchmarks.HUB, "neretrieve"}


def test_plain_names_cover_the_published_labels() -> None:
    names = json.loads(benchmarks.TYPES.read_text(encoding="utf-8"))
    counts = []
    for set_names in names.values():
        text = LabelledDocument(Document("a", "x"), {Span(0, 1): tuple(set_names)})
        counts.append((len(set_names), len(make_task("t", [text], QuerySettings(set_names)).types)))
    assert counts == [(66, 59), (33, 29)]
