"""Answers: what is asked, where an answer ends, and what it promises."""
