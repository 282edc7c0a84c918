"""nerret: find every document that mentions an entity of a type that nobody foresaw.

Importing this package imports nothing else: a public name is loaded when it is first used (PEP 562).
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .configuration_nerret import NerretConfig
    from .detection import GivenSpans, MentionProbe
    from .detectors.generative import GenerativeExtractor
    from .detectors.gliner import Gliner
    from .detectors.token_classifier import TokenClassifier
    from .index.answers.type_query import Type
    from .index.hits import Answer, Hit, Mention
    from .index.retriever import EntityRetriever
    from .modeling_nerret import NerretModel, NerretOutput
    from .pretrained.built_in import checkpoint_path

__version__ = "0.1.0"
__all__ = [
    "Answer",
    "EntityRetriever",
    "GenerativeExtractor",
    "GivenSpans",
    "Gliner",
    "Hit",
    "Mention",
    "MentionProbe",
    "NerretConfig",
    "NerretModel",
    "NerretOutput",
    "TokenClassifier",
    "Type",
    "checkpoint_path",
]
_FILES = {
    "configuration_nerret": ("NerretConfig",),
    "modeling_nerret": ("NerretModel", "NerretOutput"),
    "detection": ("GivenSpans", "MentionProbe"),
    "detectors.generative": ("GenerativeExtractor",),
    "detectors.gliner": ("Gliner",),
    "detectors.token_classifier": ("TokenClassifier",),
    "index.hits": ("Answer", "Hit", "Mention"),
    "index.retriever": ("EntityRetriever",),
    "index.answers.type_query": ("Type",),
    "pretrained.built_in": ("checkpoint_path",),
}
_FILE_OF = {name: file for file, names in _FILES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _FILE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_FILE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


# The module of transformers that is imported, and the file of ours that registers its class there
_REGISTERED = {
    "transformers.models.auto.configuration_auto": "configuration_nerret",
    "transformers.models.auto.modeling_auto": "modeling_nerret",
}


class _Registration(MetaPathFinder):
    """Registers the classes as soon as transformers' auto classes are imported, before or after this package.

    So `AutoModel.from_pretrained` knows a nerret checkpoint after `import modeling_nerret`, which itself need not wait
    for transformers and torch. Each file registers the class that it defines.
    """

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Where the module is, with a loader that registers our class after it has run the module."""
        spec = PathFinder.find_spec(name, path, target) if name in _REGISTERED else None
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def execute_and_register(module: ModuleType) -> None:
            execute(module)
            _register(name)

        spec.loader.exec_module = execute_and_register  # type: ignore[method-assign]
        return spec


def _register(name: str) -> None:
    """Import the file that registers its class, unless one of our files is importing transformers at this moment.

    Then the model cannot be imported yet; it registers itself as soon as it is.
    """
    files = [module for file, module in sys.modules.items() if file.startswith(f"{__name__}.")]
    if not any(getattr(module.__spec__, "_initializing", False) for module in files):
        importlib.import_module(f"{__name__}.{_REGISTERED[name]}")


sys.meta_path.insert(0, _Registration())
for _name in _REGISTERED:
    if _name in sys.modules:
        _register(_name)
