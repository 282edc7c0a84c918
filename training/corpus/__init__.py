"""The project's own open-type training corpus."""
