"""Imports a large package once a test uses it: each process collects all tests and runs some."""

from importlib import import_module


class Late:
    """Stands for a module, which is imported when something of it is first asked for."""

    def __init__(self, name):
        self._name = name

    def __getattr__(self, attribute):
        # pytest asks each object of a file whether it is a fixture
        if attribute.startswith(("_", "pytest")):
            raise AttributeError(attribute)
        return getattr(import_module(self._name), attribute)
