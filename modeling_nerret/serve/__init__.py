"""Serving: indexes over HTTP for programs, and as tools for language models (MCP).

`paths.py` reads and `indexes.py` opens the indexes, `batches.py` embeds queries that arrive together in one pass, and
`questions.py` reads what is asked. Over HTTP, `gate.py` stands in front: who may ask (`tokens.py`) and how much;
`forms.py` says what a body holds, `api.py` answers, `metrics.py` counts, `server.py` listens. `tools.py` gives the same
to an MCP client. Importing this package imports nothing heavy.
"""
