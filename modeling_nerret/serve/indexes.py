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
        manifests = {name: read_manifest(path) for name, path in paths.items()}  # before a model is loaded
        models = {name: manifest["model"] for name, manifest in manifests.items()}
        self._detectors = {name: manifest.get("detector") for name, manifest in manifests.items()}
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

    def choose_for_additions(self, name: str | None) -> EntityRetriever:
        """As `choose`, for documents to add.

        Raises:
            ValueError: as `choose`, or the index was made with another detector than its model's own, which is the only
                one that the server has.
        """
        retriever = self.choose(name)
        key = next(key for key, value in self.items() if value is retriever)
        detector = self._detectors[key]
        if detector is not None and detector != type(retriever.detector).__name__:
            raise ValueError(
                f"the index {key!r:.60} was made with the detector {detector}, which this server has not; "
                "add to it with nerret index --detector ..."
            )
        return retriever

    def public(self, message: str) -> str | None:
        """A message without the folders of models; `None` if it is about the folder of an index.

        Where files lie is not the visitors' business, and that an index is gone is not their fault.
        """
        if any(str(retriever.path) in message for retriever in self.values()):
            return None
        for folder, name in self._models.items():
            message = message.replace(folder, name)
        return message
