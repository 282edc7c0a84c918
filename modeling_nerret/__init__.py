"""nerret: find every document that mentions an entity of a type that nobody foresaw."""

from transformers import AutoConfig, AutoModel

from .configuration_nerret import NerretConfig
from .modeling_nerret import NerretModel, NerretOutput

AutoConfig.register("nerret", NerretConfig)
AutoModel.register(NerretConfig, NerretModel)

__version__ = "0.1.0"
__all__ = ["NerretConfig", "NerretModel", "NerretOutput"]
