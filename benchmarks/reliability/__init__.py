"""Campaigns that attack the package: each is one command, seeded and bounded, and prints a table of what it found."""
