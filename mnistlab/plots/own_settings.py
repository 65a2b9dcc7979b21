"""matplotlib reads a `matplotlibrc` where one works, which may be in somebody else's run folder."""

import contextlib
from pathlib import Path

import mnistlab


def import_matplotlib() -> None:
    """Import matplotlib with nobody's settings but the user's own; later imports keep to that."""
    # In a folder that was removed meanwhile there is nothing to be read either.
    with contextlib.suppress(FileNotFoundError), contextlib.chdir(Path(mnistlab.__file__).parent):
        import matplotlib  # noqa: F401, PLC0415 - it reads its settings as it is imported
