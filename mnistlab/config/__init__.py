"""Configs: strict YAML, overrides, the schema, and how they come together in `load`.

Nothing is imported here: the schema takes time that a reader of plain YAML can save.
"""
