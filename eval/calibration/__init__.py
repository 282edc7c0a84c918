"""Fit a checkpoint's calibration on annotated corpora."""
