"""Measure systems that find documents by the types of the entities that they mention."""
