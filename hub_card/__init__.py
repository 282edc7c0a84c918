"""Model cards, Hub repositories, their upload, and the demo Space."""
