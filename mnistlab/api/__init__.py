"""The Python interface: what `import mnistlab` offers."""

from mnistlab.api.results import Run, Runs, Sweep
from mnistlab.api.training import load_run, runs, sweep, train
from mnistlab.errors import InputError, MnistlabError

__all__ = [
    "InputError",
    "MnistlabError",
    "Run",
    "Runs",
    "Sweep",
    "load_run",
    "runs",
    "sweep",
    "train",
]
