"""Checkpoints: found by name, loaded, and converted from the published head; the shipped weights."""
