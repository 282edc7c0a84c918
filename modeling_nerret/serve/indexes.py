"""The indexes that a server answers from, by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from ..index.folder import read_manifest
from ..index.retriever import EntityRetriever
from ..pretrained.checkpoints import Checkpoint, load_checkpoint
from .batches import BatchEncoder


class Indexes(Mapping[str, EntityRetriever]):
    """Open indexes by name. Those of the same model share it, and its micro-batches.

    Args:
        paths: folder of each index, by name; see `paths.read_paths`.

    Raises:
        ValueError: a path is no index, or one was made with a model that has changed.
        OSError: a model is not there.
    """

    def __init__(self, paths: Mapping[str, Path]):
        models = {name: read_manifest(path)["model"] for name, path in paths.items()}  # before one of them is loaded
        checkpoints: dict[str, Checkpoint] = {}
        self.encoders: dict[str, BatchEncoder] = {}
        self._retrievers: dict[str, EntityRetriever] = {}
        for name, path in paths.items():
            model = models[name]
            if model not in checkpoints:
                checkpoints[model] = load_checkpoint(model)
            retriever = EntityRetriever(path, checkpoints[model])
            if model not in self.encoders:
                self.encoders[model] = BatchEncoder(retriever.encoder)
            retriever.encoder = self.encoders[model]
            retriever.keep_in_memory()
            self._retrievers[name] = retriever
        self._models = {str(checkpoint.folder): checkpoint.folder.name for checkpoint in checkpoints.values()}

    def __getitem__(self, name: str) -> EntityRetriever:
        return self._retrievers[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._retrievers)

    def __len__(self) -> int:
        return len(self._retrievers)

    def choose(self, name: str | None) -> EntityRetriever:
        """The index of a name; without a name, the only one.

        Raises:
            ValueError: there is no such index, or there are several.
        """
        if name is None and len(self) == 1:
            return next(iter(self.values()))
        if name in self:
            return self[str(name)]
        if name is None:
            raise ValueError(f'several indexes are here; say which in "index": {", ".join(self)}')
        raise ValueError(f"there is no index {name!r:.60}; here are {', '.join(self)}")

    def public(self, message: str) -> str | None:
        """A message without the folders of models; `None` if it is about the folder of an index.

        Where files lie is not the visitors' business, and that an index is gone is not their fault.
        """
        if any(str(retriever.path) in message for retriever in self.values()):
            return None
        for folder, name in self._models.items():
            message = message.replace(folder, name)
        return message
