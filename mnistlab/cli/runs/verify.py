"""`mnistlab runs verify`: train runs again and say whether the same comes out."""

import sys
from contextlib import redirect_stdout
from typing import Annotated

import typer

from mnistlab.cli.options import Plugins, Quiet, RunsDir
from mnistlab.cli.runs.naming import AllRuns, SeveralRuns, find


def verify(
    names: SeveralRuns = None,
    everything: AllRuns = False,
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
    it), `differs`, with the first epoch that does and what has changed since (data, versions,
    linear algebra, code), or `cannot be verified`, with the reason. The run folder is left as it
    is. Exit codes: 0 all the same, 1 one differs, 2 one cannot be verified and none differs.
    """
    from dataclasses import asdict

    from mnistlab.console.progress import ConsoleReporter
    from mnistlab.console.verification import describe
    from mnistlab.errors import InputError, MnistlabError
    from mnistlab.plugins import load_plugins
    from mnistlab.runs import default_runs_dir
    from mnistlab.runs.files import to_json
    from mnistlab.store.export import all_runs, single_runs
    from mnistlab.store.verify import DIFFERS, IMPOSSIBLE, verify

    if bool(names) == everything:
        raise InputError("runs verify: name at least one run, or take --all of them")
    load_plugins(plugin or [])
    if everything:
        folders = all_runs(runs_dir or default_runs_dir())
    else:
        folders = single_runs(find(name, runs_dir) for name in names or [])
    reporter = ConsoleReporter(quiet=quiet or len(folders) > 1)
    verdicts = []
    for folder in folders:
        with redirect_stdout(sys.stderr):  # what a plugin prints is no result
            verdicts.append(verify(folder, reporter))
        if not as_json:
            typer.echo(describe(verdicts[-1]))
    if as_json:
        typer.echo(to_json([asdict(verdict) for verdict in verdicts]))
    for kind, error, told in (
        (DIFFERS, MnistlabError, "not the same came out for"),
        (IMPOSSIBLE, InputError, "cannot be verified:"),
    ):
        runs = [one.run for one in verdicts if one.verdict == kind]
        if runs:
            raise error(f"{told} {', '.join(runs)}")
