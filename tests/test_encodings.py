"""Texts and tables that are not UTF-8: read if their encoding is clear or named, and else refused."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import pytest

from modeling_nerret import EntityRetriever
from modeling_nerret.index.readers import Corpus, read_corpus
from modeling_nerret.index.readers.encodings import guess_encoding
from tests.index_command import IndexCommand
from tests.test_files import read, write

TEXTS = {
    "latin-1": "Die Universität Göttingen wurde 1737 gegründet. Über viele Jahre lehrten dort Gauß und Riemann; ihre "
    "Schüler trugen die Mathematik in alle Länder Europas. Größere Gebäude entstanden später.",
    "cp1252": "The café on the corner sells crème brûlée for £3. “It’s the best in town,” says Zoë, who came from "
    "Göteborg in 1999 – and never left. The naïve visitor pays twice.",
    "cp1250": "Příliš žluťoučký kůň úpěl ďábelské ódy. Karel Čapek napsal v Praze hru R.U.R., která byla poprvé "
    "uvedena v roce 1921. Jeho bratr Josef byl malíř.",
    "cp1251": "Московский университет был основан в 1755 году. Софья Ковалевская училась в Гейдельберге, а потом "
    "преподавала в Стокгольме. Она написала несколько книг.",
    "shift_jis": "東京大学は1877年に設立された。夏目漱石はロンドンに留学し、帰国後に小説「坊っちゃん」を書いた。",
}
GERMAN = TEXTS["latin-1"]


@pytest.fixture(autouse=True)
def detector() -> None:
    pytest.importorskip("chardet")


@pytest.mark.parametrize("encoding", TEXTS)
@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.csv", "a.tsv", "a.txt.gz"])
def test_a_clear_encoding_is_guessed_and_told(tmp_path: Path, encoding: str, name: str) -> None:
    text = TEXTS[encoding]
    is_table = name.endswith("sv")
    content = (f"id\ttext\n1\t{text}\n" if is_table else f"{text}\n").encode(encoding)
    corpus = read_corpus(str(write(tmp_path / name, gzip.compress(content) if name.endswith(".gz") else content)))
    assert isinstance(corpus, Corpus) and corpus.guess
    assert [document.text for document in corpus] == [text]  # so spans are those of the text


@pytest.mark.parametrize(
    "content",
    [
        "Göttingen".encode("latin-1"),  # too short
        GERMAN.encode() * 3 + b"\xff",  # UTF-8 with damage
        GERMAN.encode("latin-1") + b"\0",
        bytes(range(256)) * 4,
        b"\x89PNG\r\n\x1a\n" + bytes(range(255, 0, -1)) * 3,
        b"",
        b"plain",
        GERMAN.encode("utf-16"),
    ],
)
def test_what_is_unclear_damaged_or_no_text_is_not_guessed(content: bytes) -> None:
    assert guess_encoding(io.BytesIO(content)) == ""


def test_what_is_not_ascii_may_come_late(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", b"Rain fell.\n" * 20_000 + GERMAN.encode("latin-1"))
    assert read(path)[0][0].text.endswith(GERMAN)
    late = "Rain fell. " * 20_000 + GERMAN
    assert guess_encoding(io.BytesIO(late.encode())) == ""


def test_a_guess_that_fails_later_loses_nothing_in_silence(tmp_path: Path) -> None:
    content = f"{GERMAN}\n".encode("latin-1") * 400 + b"x\x81\n"
    documents, (fault,) = read(write(tmp_path / "a.txt", content), split="line")
    assert {document.text for document in documents} == {GERMAN} and len(documents) == 400
    assert "a.txt, line 401: the text from character 2 on is not valid CP1252" in fault


def test_the_command_tells_guesses_and_takes_a_name(tmp_path: Path, command: IndexCommand) -> None:
    root = tmp_path / "root"
    root.mkdir()
    for name, content in {"a.txt": GERMAN, "b.txt": "Göttingen", "c.csv": f"text\n{GERMAN}\n"}.items():
        write(root / name, content.encode("latin-1"))
    assert command.run(root) == 3
    assert f"not UTF-8, so read as cp1252: {root}/a.txt, {root}/c.csv (another encoding: --" in command.error
    assert f"skipped {root}/b.txt: line 1: the bytes from 1 are not valid UTF-8; name the encoding" in command.error
    assert command.run(root / "c.csv") == 0 and f"read as cp1252: {root}/c.csv" in command.error
    assert command.run(root, "--encoding", "latin-1") == 0 and "read as" not in command.error
    assert command.texts().count(GERMAN) == 2 and "Göttingen" in command.texts()
    retriever = EntityRetriever(command.index)
    for document in retriever.lookup(retriever.ids(), spans=True).values():
        assert all(0 <= start < end <= len(document.text) for start, end, *_ in document.mentions)


@pytest.mark.parametrize("name", ["klingon", "base64", ""])
def test_an_unknown_encoding_is_refused(tmp_path: Path, command: IndexCommand, name: str) -> None:
    path = write(tmp_path / "a.txt", "Ada")
    assert command.run(path, "--encoding", name) == (1 if name else 0)
    assert ("there is no encoding" in command.error) is bool(name)
