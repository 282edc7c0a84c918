"""Entities: who is in an answer, under which names, and which stand together."""
