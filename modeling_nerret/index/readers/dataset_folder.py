"""Folders of Hugging Face's `save_to_disk`: rows of Arrow files, split by split."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from .parquet_file import rows_of
from .record import Record, check_columns

STATE, SPLITS = "state.json", "dataset_dict.json"
BATCH_ROWS = 200
_END = b"\xff\xff\xff\xff\0\0\0\0"  # of a stream; Arrow takes one that lacks it for complete


def is_dataset(path: Path) -> bool:
    """Whether a folder is one that `Dataset.save_to_disk` or `DatasetDict.save_to_disk` wrote."""
    return (path / SPLITS).is_file() or ((path / STATE).is_file() and (path / "dataset_info.json").is_file())


def dataset_records(path: Path, text_columns: Sequence[str]) -> Iterator[Record]:
    """A record for each row, with its split's name as `split` if the folder has splits.

    Raises:
        OSError: a file is damaged, or not there.
        ValueError: a split lacks a text column, or was saved in an old form.
    """
    if not (path / SPLITS).is_file():
        yield from _split(path, text_columns, "")
        return
    for name in _list(path / SPLITS, "splits"):
        for record in _split(_inside(path, name), text_columns, f"{name}/"):
            if isinstance(record.fields, dict):
                record = record._replace(fields={"split": name} | record.fields)
            yield record


def _split(folder: Path, text_columns: Sequence[str], prefix: str) -> Iterator[Record]:
    import pyarrow as pa

    if _state(folder / STATE).get("_indices_data_files"):
        raise ValueError("it was saved by an old version of datasets; load it and save it again")
    number, split = 0, f"split {prefix[:-1]!r}, " if prefix else ""
    for entry in _list(folder / STATE, "_data_files"):
        file = _inside(folder, entry.get("filename") if isinstance(entry, dict) else None)
        try:
            with pa.OSFile(str(file)) as stream:
                _check_end(stream)
                reader = pa.ipc.open_stream(stream)
                check_columns(reader.schema.names, text_columns)
                for batch in reader:
                    for start in range(0, batch.num_rows, BATCH_ROWS):
                        for fields in rows_of(batch.slice(start, BATCH_ROWS)):
                            number += 1
                            yield Record(f"{prefix}{number}", f"{split}row {number}", fields)
        except (pa.ArrowException, OSError) as error:
            raise OSError(f"{file.name} is damaged after row {number} ({error})") from None


def _check_end(stream: Any) -> None:
    stream.seek(max(stream.size() - len(_END), 0))
    if stream.read() != _END:
        raise OSError("it is cut off")
    stream.seek(0)


def _state(file: Path) -> dict[str, Any]:
    try:
        state = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise OSError(f"{file.name} is damaged ({error})") from None
    if not isinstance(state, dict):
        raise OSError(f"{file.name} is damaged: it holds no object")
    return state


def _list(file: Path, name: str) -> list[Any]:
    value = _state(file).get(name)
    if not isinstance(value, list):
        raise OSError(f"{file.name} is damaged: it has no list {name!r}")
    return value


def _inside(folder: Path, name: Any) -> Path:
    """A file or folder beside the one that names it, and no link.

    Raises:
        OSError: it would lie elsewhere.
    """
    path = folder / str(name)
    if not isinstance(name, str) or Path(name).name != name or path.is_symlink():
        raise OSError(f"it names {name!r:.60}, which is no file of its own")
    return path
