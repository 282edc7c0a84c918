"""Find checkpoints by name, load them, convert the published head; and the weights that ship with the package."""
