"""The index: what is on disk, how it is searched, and how corpora are read into it."""
