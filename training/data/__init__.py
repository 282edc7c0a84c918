"""Annotated text: read it from files and the Hub, name its types, and make sets of it that batches are drawn from."""
