"""Retrieval tasks: annotated documents, their types as queries, and published benchmarks."""

BENCHMARKS = ("fewnerd", "multiconer2", "neretrieve")
