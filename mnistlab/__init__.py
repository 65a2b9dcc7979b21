"""Trains and compares shallow classifiers: a config becomes a run that can be repeated."""

__version__ = "0.1.0"
