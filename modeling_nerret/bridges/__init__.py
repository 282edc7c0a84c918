"""Bridges to other libraries, each in one file and each its own extra; nothing here is imported before it is used.

`langchain.py`, `llama_index.py` and `haystack.py` are retrievers over an index, `spacy.py` is a component of a
pipeline, `mteb.py` is a model of MTEB, and `tables.py` makes tables of answers. `vector_stores.py` gives the mentions
to vector stores. `evidence.py` says what a hit carries into another library.
"""
