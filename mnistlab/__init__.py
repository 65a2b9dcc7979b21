"""A lab bench for shallow classifiers: configs in, proven and repeatable runs out."""

__version__ = "0.1.0"
