"""The bank of type names: many names of types with their vectors and parents, which a checkpoint may have.

It says in words what a vector is near to: what a mention looks like, and which types an index holds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

from ..files import one_line, regular_file
from ..loading import readable_weights
from ..manifest import check_files, write_manifest
from .vectors import unit

FILE, KIND = "types.safetensors", "types"
TENSORS = ("background", "vectors")
FLOATS = ("F16", "F32")
NEIGHBOURS = 10  # names to which a hub is near
GROUP = 256  # vectors that are compared with all names at once; more would not fit the cache
LEAST_SCORE = 0.5  # of a name that says what a mention looks like; of those below, a third are right


class TypeNames:
    """Names of types, each with its parents and its vector.

    Some names are near to every mention, such as "surname" and "Nobel laureate". So what a mention looks like is said
    by the names to which it is much nearer than mentions usually are.

    Args:
        names: the names, each once, in plain words such as "river".
        parents: for each name, those of the more general types that it is a kind of.
        vectors: for each name the vector of the type query, of any length. (types, hidden_size)
        background: for each name its mean cosine with the mentions of ordinary text; `None`: 0. (types,)

    Raises:
        ValueError: names, parents and vectors do not belong together, or a type is its own ancestor.

    Example:
        >>> bank = TypeNames(["place", "river"], [[], ["place"]], np.eye(2))
        >>> places, cosines = bank.nearest(np.array([[0.3, 0.9]]), k=1)
        >>> bank.names[places[0, 0]]
        'river'
        >>> bank.looks_like(np.array([0.3, 0.9]))
        ['river']
    """

    def __init__(
        self,
        names: Sequence[str],
        parents: Sequence[Sequence[str]],
        vectors: np.ndarray,
        background: np.ndarray | None = None,
    ):
        _check(names, parents)
        background = np.zeros(len(names)) if background is None else background
        if vectors.ndim != 2 or len(vectors) != len(names) or background.shape != (len(names),):
            shapes = f"{vectors.shape} and a background of the shape {background.shape}"
            raise ValueError(f"vectors of the shape {shapes} do not fit {len(names)} names")
        if not (np.isfinite(vectors).all() and np.isfinite(background).all()):
            raise ValueError("the vectors or the background of type names hold NaN or infinite numbers")
        vectors = vectors.astype(np.float32)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)  # (types, 1)
        if not lengths.all():
            raise ValueError(f"{names[int(lengths.argmin())]!r:.60} has a vector of length 0")
        self.names, self.parents = tuple(names), tuple(map(tuple, parents))
        self.vectors, self.background = vectors / lengths, background.astype(np.float32)

    def __len__(self) -> int:
        """Number of names."""
        return len(self.names)

    def nearest(self, vectors: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The names nearest to each of some vectors, the nearest first.

        Args:
            vectors: of any length. (vectors, hidden_size)
            k: how many names; fewer come only if there are fewer.

        Returns:
            Their places in `names`, and their cosines. (vectors, k) each
        """
        cosines = self.cosines(vectors)
        places = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
        return places, np.take_along_axis(cosines, places, axis=1)

    def cosines(self, vectors: np.ndarray) -> np.ndarray:
        """Cosines of some vectors, of any length, with all names. (vectors, types)"""
        return unit(vectors) @ self.vectors.T

    def scores(self, vectors: np.ndarray) -> np.ndarray:
        """How much nearer some vectors, of any length, are to all names than mentions usually are. (vectors, types)"""
        return self.cosines(vectors) - self.background

    def hubness(self, vectors: np.ndarray, k: int = NEIGHBOURS) -> np.ndarray:
        """How near some vectors, of any length, are to types in general: the mean cosine with their nearest names.

        Args:
            vectors: (vectors, hidden_size)
            k: how many names; fewer are taken only if there are fewer.

        Returns:
            (vectors,), at least 0.
        """
        k, means = min(k, len(self)), np.empty(len(vectors), dtype=np.float32)
        for start in range(0, len(vectors), GROUP):
            cosines = self.cosines(vectors[start : start + GROUP])  # (vectors, types)
            means[start : start + GROUP] = np.partition(cosines, -k, axis=1)[:, -k:].mean(axis=1)
        return means.clip(0)

    def looks_like(self, vector: np.ndarray, k: int = 2) -> list[str]:
        """The names that say best what a mention looks like, the best first.

        Args:
            vector: the mention's vector, of any length. (hidden_size,)
            k: how many names at most; fewer come if the mention is near to fewer.
        """
        scores = self.scores(vector[None])[0]  # (types,)
        places = np.argsort(-scores, kind="stable")[:k]
        return [self.names[place] for place in places if scores[place] >= LEAST_SCORE]

    def save(self, folder: str | Path) -> None:
        """Write the file into a checkpoint's folder, the vectors in half precision."""
        metadata = {"names": json.dumps(self.names), "parents": json.dumps(self.parents)}
        arrays = {"vectors": self.vectors.astype(np.float16), "background": self.background.astype(np.float16)}
        save_file(arrays, Path(folder, FILE), metadata)
        write_manifest(folder, KIND)

    @classmethod
    def load(cls, folder: str | Path, size: int) -> TypeNames:
        """Load what `save` wrote.

        Args:
            folder: the checkpoint.
            size: numbers in each of the checkpoint's vectors, its `hidden_size`.

        Raises:
            OSError: the file is missing, not whole, or no safetensors.
            ValueError: it holds something else than names, parents and fitting vectors.
        """
        check_files(folder, KIND)
        path = regular_file(Path(folder, FILE))
        try:
            with readable_weights(path), safe_open(path, "np") as file:
                arrays, metadata = _arrays(file, size), file.metadata() or {}
            return cls(_from_json(metadata, "names"), _from_json(metadata, "parents"), **arrays)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None


def _arrays(file: Any, size: int) -> dict[str, np.ndarray]:
    """The arrays in an open file by name; their types and the vectors' shape are checked before they are read."""
    if (tensors := sorted(file.keys())) != sorted(TENSORS):
        raise ValueError(f"it holds the tensors {', '.join(tensors)!r:.80}; accepted are {', '.join(TENSORS)}")
    for name in TENSORS:
        if (kind := file.get_slice(name).get_dtype()) not in FLOATS:
            raise ValueError(f"its {name} is of type {kind}; accepted are {', '.join(FLOATS)}")
    shape = file.get_slice("vectors").get_shape()
    if len(shape) != 2 or shape[1] != size:
        width = shape[-1] if shape else 1
        raise ValueError(f"the vectors have {width} numbers (shape {shape}), but the checkpoint needs {size}")
    return {name: file.get_tensor(name) for name in TENSORS}


def _from_json(metadata: Mapping[str, str], field: str) -> Any:
    """What a field of the file's metadata holds."""
    if field not in metadata:
        raise ValueError(f"its metadata has no {field}")
    try:
        return json.loads(metadata[field])
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the field {field} of its metadata is no JSON ({one_line(error)})") from None


def _check(names: Any, parents: Any) -> None:
    """Refuse names that are no different texts, and parents that make no hierarchy of them."""
    if not isinstance(names, list | tuple) or not names:
        raise ValueError(f"the names are a {type(names).__name__}; they must be a list of texts")
    places: dict[str, int] = {}
    for place, name in enumerate(names):
        if not isinstance(name, str) or not name.strip():
            raise ValueError(f"a type is called {name!r:.60}; names must be texts")
        if places.setdefault(name, place) != place:
            raise ValueError(f"the name {name!r:.60} occurs twice")
    is_list = isinstance(parents, list | tuple)
    if not is_list or not all(isinstance(group, list | tuple) for group in parents):
        raise ValueError(f"the parents are {parents!r:.60}; they must be lists of names")
    if len(parents) != len(names):
        raise ValueError(f"there are {len(parents)} lists of parents for {len(names)} names")
    for name, group in zip(names, parents, strict=True):
        for parent in group:
            if not isinstance(parent, str) or parent not in places:
                raise ValueError(f"{name!r:.60} has the unknown parent {parent!r:.60}")
    try:
        TopologicalSorter(dict(zip(names, parents, strict=True))).prepare()
    except CycleError as error:
        raise ValueError(f"{error.args[1][0]!r:.60} is its own ancestor") from None
