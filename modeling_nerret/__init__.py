"""nerret: find every document that mentions an entity of a type that nobody foresaw."""

from transformers import AutoConfig, AutoModel

from .configuration_nerret import NerretConfig
from .detection import GivenSpans, MentionProbe, TokenClassifier
from .generative import GenerativeExtractor
from .gliner_detector import Gliner
from .modeling_nerret import NerretModel, NerretOutput
from .retriever import EntityRetriever, Hit, Mention

AutoConfig.register("nerret", NerretConfig)
AutoModel.register(NerretConfig, NerretModel)

__version__ = "0.1.0"
__all__ = [
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
]
