"""ONNX Runtime: linear layers in 8 bits, which every CPU with AVX-512 VNNI or AVX2 computes fast."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import onnx
import onnxruntime
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic

from ..modeling_nerret import NerretModel
from .onnx_export import to_onnx
from .states_model import OUTPUT, StatesModel

FILE = "states.onnx"
OPSET = 23  # the first in which attention is one operator
MOST_BYTES = 1 << 31  # of one ONNX file


def versions() -> tuple[str, ...]:
    """On what the exported file depends besides the checkpoint."""
    return "1", torch.__version__, onnx.__version__, onnxruntime.__version__


def export(model: NerretModel, folder: Path) -> None:
    """Write the backbone. Weights of linear layers have 8 bits, with a scale for each column.

    Raises:
        ValueError: it is too large for one file of 2 GB.
    """
    if sum(weight.numel() for weight in model.backbone.parameters()) * 4 > MOST_BYTES:
        raise ValueError("it has more than 2 GB, which one ONNX file cannot hold")
    rows = torch.export.Dim("rows", min=1)
    tokens = torch.export.Dim("tokens", min=1, max=model.config.max_tokens)
    dimensions = {name: {0: rows, 1: tokens} for name in StatesModel.example()}
    program = to_onnx(StatesModel(model), StatesModel.example(), OUTPUT, dimensions, OPSET)
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)  # it advises a step that is of no use for this model
    try:
        quantize_dynamic(
            program, folder / FILE, op_types_to_quantize=["MatMul"], per_channel=True, weight_type=QuantType.QInt8
        )
    finally:
        logger.setLevel(level)


def load(folder: Path) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """The function that runs the exported file, with as many threads as torch has."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # other threads need the processor
    session = onnxruntime.InferenceSession(str(folder / FILE), options, providers=["CPUExecutionProvider"])

    def states(ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(session.run([OUTPUT], {"ids": ids.numpy(), "mask": mask.numpy()})[0])

    return states
