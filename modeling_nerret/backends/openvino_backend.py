"""OpenVINO: bfloat16 on a CPU that has it, and else linear layers in 8 bits."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch

from ..loading import quiet
from ..modeling_nerret import NerretModel
from .states_model import StatesModel

sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # it would report each import to a server
import openvino  # noqa: E402
from openvino import opset13 as operators  # noqa: E402

FILE = "states.xml"
GROUP = 32  # numbers of an activation that share a scale


def versions() -> tuple[str, ...]:
    """On what the exported file depends besides the checkpoint."""
    return "1", torch.__version__, openvino.__version__


def export(model: NerretModel, folder: Path) -> None:
    """Write the backbone in single precision; `load` reduces it to what suits the CPU."""
    with quiet(), warnings.catch_warnings(action="ignore"):
        program = openvino.convert_model(StatesModel(model).eval(), example_input=StatesModel.example())
    openvino.save_model(program, folder / FILE, compress_to_fp16=False)


def load(folder: Path) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """The function that runs the exported file, with as many threads as torch has."""
    core = openvino.Core()
    program = core.read_model(folder / FILE)
    options: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": torch.get_num_threads()}
    if "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        options["INFERENCE_PRECISION_HINT"] = "bf16"
    else:
        reduce_weights(program)
        options |= {"INFERENCE_PRECISION_HINT": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": GROUP}
    request = core.compile_model(program, "CPU", options).create_infer_request()
    lock = Lock()  # a request serves one thread at a time

    def states(ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        with lock:
            result = request.infer({"ids": ids.numpy(), "mask": mask.numpy()}, share_outputs=True)
            return torch.from_numpy(result[0].copy())

    return states


def reduce_weights(program: openvino.Model) -> None:
    """Replace the weights of linear layers by 8 bits and a scale for each output."""
    for node in program.get_ordered_ops():
        if node.get_type_name() != "MatMul" or node.input_value(1).get_node().get_type_name() != "Constant":
            continue
        weights = node.input_value(1).get_node().data.astype(np.float32)
        inputs = 1 if node.get_attributes()["transpose_b"] else 0
        scales = np.maximum(np.abs(weights).max(axis=inputs, keepdims=True) / 127, np.finfo(np.float32).tiny)
        numbers = operators.constant(np.rint(weights / scales).astype(np.int8))
        product = operators.multiply(operators.convert(numbers, "f32"), operators.constant(scales))
        node.input(1).replace_source_output(product.output(0))
