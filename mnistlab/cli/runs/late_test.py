"""Evaluates the test split for a run of a sweep when somebody asks for it by name."""

import errno
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from mnistlab.runs import RunFolder

_NOT_OURS = (errno.EACCES, errno.EPERM, errno.EROFS)


def evaluate_late(folder: "RunFolder", plugins: list[Path]) -> None:
    """Evaluate the test split for a complete run that has not seen it: one of a sweep.

    Raises MnistlabError where that cannot be, and OSError; with a warning where somebody else's
    run cannot be written to.
    """
    from mnistlab.runs.folder import SweepFolder

    if isinstance(folder, SweepFolder):
        return
    files = folder.checksums()
    if not files or isinstance(files.get(folder.predictions.name), str):
        return
    if folder.read_status()["status"] != "completed":
        return
    from mnistlab.config.load import load_config
    from mnistlab.console.progress import ConsoleReporter
    from mnistlab.experiment.run import evaluate_test
    from mnistlab.experiment.prepare import open_data
    from mnistlab.plugins import load_plugins
    from mnistlab.runs.integrity import check_undamaged

    check_undamaged(folder)  # before a config that somebody has changed is read
    load_plugins(plugins)
    config = load_config(folder.config)
    try:
        evaluate_test(folder, config, open_data(config, ConsoleReporter()))
    except OSError as error:
        if error.errno not in _NOT_OURS:
            raise
        typer.echo(f"warning: {error.filename}: its test numbers cannot be kept there", err=True)


def evaluate_late_if_possible(folder: "RunFolder", plugins: list[Path]) -> None:
    """Do as `evaluate_late`, but only warn where it cannot be: all else can still be told."""
    from mnistlab.errors import MnistlabError

    try:
        evaluate_late(folder, plugins)
    except MnistlabError as error:
        typer.echo(f"warning: {folder.name}: no test predictions: {error}", err=True)
