"""Sweeps: many trials of one config, read, listed and checked before the first of them runs."""
