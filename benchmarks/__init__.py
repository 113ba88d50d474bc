"""Measurements of what we promise, each against something else in the same run."""
