"""What runs a backbone: torch, or OpenVINO, which is faster on a CPU and a little less exact."""

from __future__ import annotations

TORCH = "torch"
BACKENDS = (TORCH, "openvino")
