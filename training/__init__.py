"""Recipes that turn annotated text into a head and a detector."""
