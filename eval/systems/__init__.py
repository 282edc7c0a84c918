"""The systems that are compared: nerret's checkpoints, and what a user would take instead."""
