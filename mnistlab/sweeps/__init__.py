"""Sweeps: many trials of one config, listed and checked, then trained together."""
