"""Runs that are there: listed, compared, verified, asked for predictions, and cleared away."""
