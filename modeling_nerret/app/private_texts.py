"""Texts that a visitor brings: what was pasted and what was uploaded, as documents of one private index."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..documents import Document
from ..index.readers import BadLine, Collection, Tree
from ..index.readers.collection import MADE_ID
from ..index.readers.corpus import prefix_of
from ..index.readers.kinds import KINDS, kind_of
from .limits import MAX_CHARACTERS, MAX_DOCUMENTS, MAX_UNPACKED
from .pasted_text import split_documents

# What messages for the command say, and what it is called on the page
WORDS = {
    "with --text-column": "in the box “Columns with text”",
    "name the encoding with --encoding, such as --encoding cp1252, or save the file as UTF-8": "save the file as UTF-8",
    "cut it with --split paragraph or --split line": "cut it",
}
ELSEWHERE = "To search more, index your files with the command nerret index, and open the index with nerret app"


@dataclass
class PrivateTexts:
    """What a visitor brought.

    Args:
        documents: in order, each with an id that says where it stands.
        faults: what could not be read, with its reason.
        guesses: names of files by the encoding that was guessed for them.
    """

    documents: list[Document] = field(default_factory=list)
    faults: list[BadLine] = field(default_factory=list)
    guesses: dict[str, list[str]] = field(default_factory=dict)


def read_texts(text: str, folder: Path | None, columns: str) -> PrivateTexts:
    """The documents of a visitor.

    Args:
        text: what was pasted.
        folder: with the files that were uploaded, if there are any.
        columns: which columns of tables hold the text, with commas between them.

    Raises:
        ValueError: there is nothing to search, or more than the app accepts.
    """
    texts = PrivateTexts(split_documents(text) if text.strip() or folder is None else [])
    ids = {document.id for document in texts.documents}
    size = sum(len(document.text) for document in texts.documents)
    for document in _read_files(folder, columns, texts) if folder else ():
        size += len(document.text)
        if size > MAX_CHARACTERS or len(ids) == MAX_DOCUMENTS:
            raise ValueError(
                f"your texts have more than {MAX_CHARACTERS:,} characters or {MAX_DOCUMENTS:,} documents, the most "
                f"that this page takes; remove some. {ELSEWHERE}"
            )
        if document.id in ids:
            texts.faults.append(BadLine(document.id, "another document has the same id"))
            continue
        ids.add(document.id)
        texts.documents.append(document)
    if not texts.documents:
        raise ValueError(f"none of your files could be read: {'; '.join(map(say_fault, texts.faults[:5]))}")
    return texts


def say_fault(fault: BadLine) -> str:
    """A fault in words."""
    return f"{fault.where}: {fault.reason}"


def _read_files(folder: Path, columns: str, texts: PrivateTexts) -> Iterator[Document]:
    """The documents of the files in a folder, with names for ids; faults and guesses go to `texts`."""
    try:
        tree = Tree([str(folder)])
    except OSError:
        raise ValueError("your files are no longer here; choose them again") from None
    paths = {prefix_of(file.path): file.path.relative_to(folder.resolve()).as_posix() for file in tree.files}
    pages = {prefix_of(file.path) for file in tree.files if KINDS[file.kind].is_table or file.kind == ".pdf"}
    collection = Collection(tree, False, text_column=columns, most_bytes=MAX_UNPACKED)
    for record in collection:
        if isinstance(record, BadLine):
            texts.faults.append(_plain(record, folder))
            continue
        match = MADE_ID.fullmatch(record.id)
        prefix = match["prefix"] if match else ""
        if path := paths.get(prefix):
            number = record.id[len(prefix) :]
            record = replace(record, id=f"{path}, {number}" if prefix in pages else path)
            if not KINDS[kind_of(path)].is_table:
                record = replace(record, metadata={**record.metadata, "path": path})
        yield record
    texts.faults += [_plain(fault, folder) for fault in collection.faults]
    texts.guesses = {
        encoding: [name.removeprefix(f"{folder}/") for name in names] for encoding, names in collection.guesses.items()
    }


def _plain(fault: BadLine, folder: Path) -> BadLine:
    """A fault in words of the page, without the server's folders."""
    where, reason = fault.where, fault.reason
    for place in (f"{folder.resolve()}/", f"{folder}/"):
        where, reason = where.replace(place, ""), reason.replace(place, "")
    for words, page_words in WORDS.items():
        reason = reason.replace(words, page_words)
    return BadLine(where, reason)
