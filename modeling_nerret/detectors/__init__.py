"""Detectors beside the model's own probe."""
