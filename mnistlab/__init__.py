"""Trains and compares shallow classifiers: a config becomes a run that can be repeated.

    import mnistlab

    run = mnistlab.train("linear", epochs=5, data__dataset="mnist-mini", data__validation=1000)
    run["test.accuracy"]        # any key that `mnistlab runs list` knows
    run.metrics                 # a row an epoch, as a pandas.DataFrame if pandas is there
    run.predict(images)         # uint8 images (N, 28, 28) to classes (N,)
    run.plot("weights")         # a Matplotlib figure

    swept = mnistlab.sweep("softmax", {"learning_rate": [0.01, 0.1, 0.5]}, seeds=3)
    swept.best, swept.to_frame()

    mnistlab.runs("validation.accuracy > 90%", sort="-test.accuracy").to_frame()
    mnistlab.load_run("latest")

It is the code of the command `mnistlab`, to the last bit; `mnistlab config show` and
`mnistlab config schema` tell which keys there are. Wrong input raises `InputError`, a ValueError.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mnistlab.api import (
        InputError,
        MnistlabError,
        Run,
        Runs,
        Sweep,
        load_run,
        runs,
        sweep,
        train,
    )

__version__ = "0.1.0"

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


def __getattr__(name: str) -> Any:
    """Return a name of the Python interface, which is imported when it is first asked for."""
    if name not in __all__:
        raise AttributeError(f"module 'mnistlab' has no attribute {name!r}")
    return getattr(importlib.import_module("mnistlab.api"), name)


def __dir__() -> list[str]:
    """Return the names of the interface, imported or not."""
    return [*globals(), *__all__]
