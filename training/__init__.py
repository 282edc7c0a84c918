"""Training: `nerret train RECIPE` makes a checkpoint from a recipe and annotated texts."""
