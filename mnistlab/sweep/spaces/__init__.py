"""Which trials a sweep has: sweep files, words on the command line, and their checks.

Nothing is imported here: a command loads what it needs.
"""
