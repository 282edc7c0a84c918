"""The stages of a training run, in their order: head, joint (adapter and heads), detector."""
