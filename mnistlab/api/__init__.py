"""The Python interface: what `import mnistlab` offers."""

from mnistlab.api.commands import load_run, runs, sweep, train
from mnistlab.api.run_objects import Run, Runs, Sweep
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
