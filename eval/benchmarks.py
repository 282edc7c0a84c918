"""Published benchmarks by name, as the paper uses them, from the network or from a local copy of the same files.

- `fewnerd`: DFKI-SLT/few-nerd, supervised, all three splits (CC BY-SA 4.0).
- `multiconer2`: MultiCoNER/multiconer_v2, English, all three splits (CC BY 4.0).
- `neretrieve`: the test paragraphs of NERetrieve (CC BY-SA 4.0), which are those that its test labels name.
"""

from __future__ import annotations

import bz2
import json
import shutil
import urllib.request
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

import datasets
from huggingface_hub import HfApi, constants
from tqdm import tqdm

from .corpora import EXCLUDED, Labelled, Names, Task, make_task
from modeling_nerret.documents import Document
from modeling_nerret.spans import Span

TYPES = Path(__file__).parent / "benchmark_types.json"
ARCHIVES = "https://storage.googleapis.com/neretrieve_dataset/IR/"
CORPUS, LABELS = "NERetrive_IR_corpus.jsonl.bz2", "NERetrive_IR_test.jsonl.bz2"  # as they are published
HUB = {
    # repository, configuration, revision with Parquet files, column of tags
    "fewnerd": ("DFKI-SLT/few-nerd", "supervised", None, "fine_ner_tags"),
    "multiconer2": ("MultiCoNER/multiconer_v2", "English (EN)", "refs/convert/parquet", "ner_tags"),
}
SPLITS = ("train", "validation", "test")
NAMES = (*HUB, "neretrieve")


def load(
    name: str,
    folder: Path | None = None,
    names: Names | None = None,
    exclude: str = EXCLUDED,
    asked: str = "name",
    limit: int | None = None,
) -> Task:
    """A benchmark as a task.

    Args:
        name: one of `NAMES`.
        folder: a local copy of the repository's Parquet files or of the archives; `None`: the network.
        names: plain names of labels; `None`: those of this project, for NERetrieve the labels themselves.
        exclude: see `make_task`.
        asked: see `make_task`.
        limit: only the first so many documents.

    Raises:
        OSError: the benchmark cannot be reached, or the folder lacks its files.
        ValueError: its rows are of another form.
    """
    if folder is not None and not folder.is_dir():
        raise OSError(f"--data {folder} is no folder; give a local copy of {name}")
    if name == "neretrieve":
        return make_task(name, neretrieve(folder, limit), names, exclude, asked)
    if names is None:
        names = json.loads(TYPES.read_text(encoding="utf-8"))[name]
    return make_task(name, islice(_tagged(name, folder), limit), names, exclude, asked)


def _tagged(name: str, folder: Path | None) -> Iterator[Labelled]:
    """The sentences of a benchmark of tagged tokens, all splits one after another."""
    repository, config, revision, column = HUB[name]
    for split in SPLITS:
        rows = _rows(repository, config, revision, split, folder)
        tags = rows.features[column].feature
        for number, row in enumerate(rows):
            named = [tags.int2str(tag) if isinstance(tag, int) else tag for tag in row[column]]
            if row["tokens"]:
                yield from_tags(f"{name}-{split}-{number}", row["tokens"], named)


def _rows(repository: str, config: str, revision: str | None, split: str, folder: Path | None) -> Any:
    if folder is None:
        try:
            if not constants.HF_HUB_OFFLINE:  # fails at once without a network, where the library tries for minutes
                HfApi().dataset_info(repository, timeout=10)
            return datasets.load_dataset(repository, config, revision=revision, split=split)
        except Exception as error:  # which transport library raises depends on the version of datasets
            raise OSError(
                f"{repository} cannot be reached ({' '.join(str(error).split())[:160]}); "
                "give a local copy of its Parquet files with --data DIR"
            ) from None
    files = sorted(path for path in folder.rglob("*.parquet") if split in str(path.relative_to(folder)))
    own = [path for path in files if config in path.relative_to(folder).parts]  # the copy may hold more configurations
    if not files:
        raise OSError(f"{folder} holds no *.parquet of the split {split!r} of {repository}")
    return datasets.Dataset.from_parquet([str(path) for path in own or files], keep_in_memory=True)


def from_tags(id_: str, tokens: Sequence[str], tags: Sequence[str]) -> Labelled:
    """A document from tokens, joined by single spaces, and their tags: IO (`art-film`) or BIO (`B-Artist`).

    Example:
        >>> found = from_tags("a", ["Ada", "Lovelace", "left", "Oslo"], ["B-Artist", "I-Artist", "O", "B-Station"])
        >>> found.document.text, list(found.labels.values())
        ('Ada Lovelace left Oslo', [('Artist',), ('Station',)])
    """
    labels: dict[Span, tuple[str, ...]] = {}
    at, open_at, open_label = 0, 0, "O"
    for token, tag in zip((*tokens, ""), (*tags, "O"), strict=True):
        begins, label = tag.startswith("B-"), tag[2:] if tag[:2] in ("B-", "I-") else tag
        if open_label != "O" and (begins or label != open_label):
            labels[Span(open_at, at - 1)] = (open_label,)
        if begins or label != open_label:
            open_at, open_label = at, label
        at += len(token) + 1
    return Labelled(Document(id_, " ".join(tokens), {}, tuple(labels)), labels)


def neretrieve(folder: Path | None, limit: int | None = None) -> Iterator[Labelled]:
    """The paragraphs that the test labels name, in the labels' order."""
    folder = folder or Path(constants.HF_HOME) / "neretrieve"
    entries = {entry["id"]: entry for entry in islice(_lines(folder, LABELS), limit)}
    texts = {entry["id"]: entry["content"] for entry in _lines(folder, CORPUS) if entry["id"] in entries}
    for id_, entry in entries.items():
        if id_ not in texts:
            raise ValueError(f"the paragraph {id_!r} of {LABELS} is not in {CORPUS}")
        yield from_words(id_, texts[id_], entry["tagged_entities"])


def from_words(id_: str, text: str, tagged: dict[str, dict[str, dict[str, Iterable[Sequence[int]]]]]) -> Labelled:
    """A paragraph of NERetrieve.

    Args:
        id_: its id.
        text: words joined by single spaces.
        tagged: type -> entity -> mention -> places, each the numbers of the mention's words.

    Example:
        >>> found = from_words("a", "seen in Oslo today", {"City": {"Q585": {"Oslo": [[2]]}}})
        >>> found.labels
        {Span(start=8, end=12, score=1.0): ('City',)}
    """
    starts = [0]
    for word in text.split(" "):
        starts.append(starts[-1] + len(word) + 1)
    labels: dict[Span, tuple[str, ...]] = {}
    for label, entities in tagged.items():
        for place in chain.from_iterable(chain.from_iterable(one.values() for one in entities.values())):
            if place:
                span = Span(starts[min(place)], starts[max(place) + 1] - 1)
                labels[span] = tuple(dict.fromkeys((*labels.get(span, ()), label)))
    spans = tuple(sorted(labels))
    return Labelled(Document(id_, text, {}, spans), {span: labels[span] for span in spans})


def _lines(folder: Path, name: str) -> Iterator[dict[str, Any]]:
    """Entries of an archive, which is fetched if it is not there."""
    path = folder / name
    unpacked = path.with_suffix("")
    if not path.exists() and not unpacked.exists():
        _fetch(path)
    with unpacked.open("rb") if unpacked.exists() else bz2.open(path, "rb") as file:
        for line in tqdm(file, desc=f"reading {name}", unit=" lines", disable=None):
            yield json.loads(line)


def _fetch(path: Path) -> None:
    """Download an archive; a download that breaks off leaves nothing behind that looks whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    try:
        with urllib.request.urlopen(ARCHIVES + path.name, timeout=60) as source, partial.open("wb") as target:
            shutil.copyfileobj(source, target)
    except OSError as error:
        raise OSError(f"{ARCHIVES}{path.name} cannot be reached ({error}); give a local copy with --data DIR") from None
    partial.rename(path)
