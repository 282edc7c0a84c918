"""A torch module as an ONNX model."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from typing import Any

import onnx
import onnxscript  # noqa: F401  torch.onnx needs it, and its own error would not say how to install it
import torch

from modeling_nerret.loading import quiet


def to_onnx(
    module: torch.nn.Module,
    inputs: Mapping[str, torch.Tensor],
    output: str,
    dimensions: Mapping[str, Mapping[int, Any]],
    opset: int | None = None,
) -> onnx.ModelProto:
    """Export a module.

    Args:
        module: the module, with one output.
        inputs: an example of each input by its name, which is the argument's too.
        output: the output's name.
        dimensions: which dimensions of each input vary.
        opset: version of the operators; `None`: torch's choice.
    """
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it warns that it skips what this model lacks
    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", UserWarning)
        program = torch.onnx.export(
            module.eval(),
            tuple(inputs.values()),
            input_names=list(inputs),
            output_names=[output],
            dynamic_shapes={name: dict(places) for name, places in dimensions.items()},
            dynamo=True,
            verbose=False,
            opset_version=opset,
        )
    assert program is not None
    return program.model_proto
