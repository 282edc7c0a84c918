"""A checkpoint's embedding of type queries as an ONNX model: token ids in, one unit vector out.

Large weights are stored in half precision and computed with in single precision, which halves the download and moves
no number of a vector by more than about 1e-4.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import onnxscript  # noqa: F401  torch.onnx needs it, and its own error would not say how to install it
import torch
from onnx import TensorProto, helper, numpy_helper

from modeling_nerret.encoding import Encoder
from modeling_nerret.loading import quiet
from modeling_nerret.modeling_nerret import NerretModel
from modeling_nerret.pretrained.checkpoints import Checkpoint

INPUT, OUTPUT = "ids", "vector"
LARGE = 4096  # numbers of a weight from which it is stored in half precision
TOLERANCE = 1e-3  # of one number in a vector of length 1


class QueryModel(torch.nn.Module):
    """One type query's tokens (1, tokens), special ones included, to its vector (1, hidden_size)."""

    def __init__(self, model: NerretModel):
        super().__init__()
        self.model = model

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Pool what stands between the special tokens; as `NerretModel.forward`, without indices that ONNX dislikes."""
        config = self.model.config
        states = self.model.hidden_states(ids)[:, config.prefix_tokens : ids.shape[1] - config.suffix_tokens]
        return self.model._project(self.model.head, states.mean(1) if config.pooling == "mean" else states[:, -1])


def write_onnx(checkpoint: Checkpoint, path: Path) -> None:
    """Write the model.

    Raises:
        ValueError: the backbone is quantised or too large for one file of 2 GB.
    """
    model, config = checkpoint.model, checkpoint.model.config
    if model.quantized:
        raise ValueError("the weights of a quantised backbone cannot be written as ONNX; load it without quantisation")
    if sum(weight.numel() for weight in model.parameters()) * 4 > 2**31:
        raise ValueError(f"{checkpoint.name} is too large for a browser, which has to load it whole; use a smaller one")
    least = config.prefix_tokens + config.suffix_tokens + 1
    tokens = torch.export.Dim("tokens", min=least, max=config.max_tokens)
    example = torch.arange(least + 3)[None]  # (1, tokens)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it warns that it skips what this model lacks
    with quiet(), warnings.catch_warnings(action="ignore", category=FutureWarning):
        program = torch.onnx.export(
            QueryModel(model).eval(),
            (example,),
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes={"ids": {1: tokens}},
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    onnx.save(halve(program.model_proto), path)


def halve(model: onnx.ModelProto) -> onnx.ModelProto:
    """Store large weights in half precision. Of a table of embeddings, only the rows that are read are widened."""
    graph = model.graph
    casts: list[tuple[int, onnx.NodeProto]] = []  # nodes, and where they are inserted
    for weight in graph.initializer:
        array = numpy_helper.to_array(weight)
        if weight.data_type != TensorProto.FLOAT or array.size < LARGE:
            continue
        name, wide = weight.name, f"{weight.name}_wide"
        weight.CopyFrom(numpy_helper.from_array(array.astype(np.float16), name))
        users = [(place, node) for place, node in enumerate(graph.node) if name in node.input]
        for place, node in users:
            if node.op_type == "Gather":
                rows = node.output[0]
                node.output[0] = f"{rows}_narrow"
                casts.append((place + 1, helper.make_node("Cast", [node.output[0]], [rows], to=TensorProto.FLOAT)))
            else:
                node.input[:] = [wide if part == name else part for part in node.input]
        if any(node.op_type != "Gather" for _, node in users):
            casts.append((0, helper.make_node("Cast", [name], [wide], to=TensorProto.FLOAT)))
    for place, node in sorted(casts, key=lambda cast: -cast[0]):
        graph.node.insert(place, node)
    del graph.value_info[:]  # which names the former types
    onnx.checker.check_model(model)
    return model


def compare_vectors(encoder: Encoder, path: Path, queries: Sequence[str]) -> float:
    """Largest difference between the ONNX model's vectors of type queries and the package's.

    Raises:
        ValueError: it is larger than half precision can explain.
    """
    session: Any = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    rows = [np.array([encoder.tokenizer(query)["input_ids"]], dtype=np.int64) for query in queries]
    vectors = np.concatenate([session.run([OUTPUT], {INPUT: ids})[0] for ids in rows])
    difference = float(np.abs(vectors - encoder.embed_queries(queries)).max())  # of (queries, hidden_size)
    if not difference < TOLERANCE:
        raise ValueError(f"ONNX gives other vectors than the package (by {difference:.1e}); the Space was deleted")
    return difference
