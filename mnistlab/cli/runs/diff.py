"""`mnistlab runs diff`: what differs between two runs, down to single images."""

from typing import TYPE_CHECKING, Annotated

import typer

from mnistlab.cli.completion import complete_run
from mnistlab.cli.options import Plugins, RunsDir
from mnistlab.cli.runs.late_test import evaluate_late_if_possible
from mnistlab.cli.runs.naming import find

if TYPE_CHECKING:
    from mnistlab.runs import RunFolder


def diff(
    first: Annotated[
        str,
        typer.Argument(
            metavar="A",
            help="A run, named as for `runs show`.",
            autocompletion=complete_run,
        ),
    ],
    second: Annotated[
        str,
        typer.Argument(
            metavar="B", help="The run to compare it with.", autocompletion=complete_run
        ),
    ],
    runs_dir: RunsDir = None,
    plugin: Plugins = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print everything as one JSON document.")
    ] = False,
) -> None:
    """Show what differs between two runs: config, environment, metrics, weights, predictions.

    Where both were made on the same data, every test image counts: which ones only one of them
    gets right, and by McNemar's test whether that can be chance. A run of a sweep that has not
    seen the test split is evaluated for it, as `runs show` does.
    """
    from dataclasses import asdict

    from mnistlab.console.progress import fetch_progress
    from mnistlab.plugins import load_plugins
    from mnistlab.runs.files import to_json
    from mnistlab.store.diff import find_differences

    folders = [find(first, runs_dir), find(second, runs_dir)]
    for folder in folders:
        _refuse_sweep(folder)
    load_plugins(plugin or [])
    for folder in folders:
        evaluate_late_if_possible(folder, [])
    found = find_differences(folders[0], folders[1], fetch_progress(quiet=as_json))
    if as_json:
        typer.echo(to_json(asdict(found)))
        return
    from mnistlab.console.comparisons import print_differences

    print_differences(found)


def _refuse_sweep(folder: "RunFolder") -> None:
    from mnistlab.errors import RunFolderError
    from mnistlab.runs.folder import SweepFolder

    if isinstance(folder, SweepFolder):
        raise RunFolderError(
            f"{folder.name}: is a sweep; name one of its runs, {folder.name}/7 for its run 7"
        )
