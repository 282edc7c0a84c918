"""Batches of training: what a stage's loss reads at a step."""
