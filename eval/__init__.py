"""Measure how well systems find documents by the types of the entities they mention."""
