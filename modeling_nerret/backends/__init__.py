"""What runs a backbone: torch, ONNX Runtime, or OpenVINO, which are faster on a CPU and a little less exact."""

from __future__ import annotations

TORCH = "torch"
BACKENDS = (TORCH, "onnx", "openvino")
