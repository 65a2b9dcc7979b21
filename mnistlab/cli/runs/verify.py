"""`mnistlab runs verify`: train a run again and say whether the same comes out."""

import sys
from contextlib import redirect_stdout
from typing import Annotated

import typer

from mnistlab.cli.options import Plugins, Quiet, RunsDir
from mnistlab.cli.runs.naming import RunNames, find


def verify(
    runs: RunNames,
    runs_dir: RunsDir = None,
    plugin: Plugins = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the verdicts as one JSON document, a list.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Train finished runs again from what their folders record, and compare.

    The verdict is `identical` (metrics, weights and predictions to the bit), `within tolerance`
    (apart by rounding, as another machine, another number of threads or a sweep's stack makes
    it), or `differs`, with the first epoch that does and what has changed since: data, versions,
    linear algebra, code. The run folder is left as it is. Exit codes: 0 the same, 1 one differs,
    2 a run that cannot be verified.
    """
    from dataclasses import asdict

    from mnistlab.console.progress import ConsoleReporter
    from mnistlab.console.verification import describe
    from mnistlab.errors import MnistlabError
    from mnistlab.plugins import load_plugins
    from mnistlab.runs.atomic import to_json
    from mnistlab.store.verification import DIFFERS, check_verifiable, verify

    load_plugins(plugin or [])
    folders = [find(run, runs_dir) for run in runs]
    for folder in folders:
        check_verifiable(folder)
    reporter = ConsoleReporter(quiet=quiet)
    verdicts = []
    for folder in folders:
        with redirect_stdout(sys.stderr):  # what a plugin prints is no result
            verdict = verify(folder, reporter)
        verdicts.append(verdict)
        if not as_json:
            typer.echo(describe(verdict))
    if as_json:
        typer.echo(to_json([asdict(verdict) for verdict in verdicts]))
    differing = [verdict.run for verdict in verdicts if verdict.verdict == DIFFERS]
    if differing:
        raise MnistlabError(f"not the same came out for {', '.join(differing)}")
