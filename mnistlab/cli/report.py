"""`mnistlab report`: run folders as a page and as a PDF."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from mnistlab.cli.options import (
    RUNS,
    AsJson,
    Plugins,
    Quiet,
    RunsDir,
    complete_run,
    echo,
    echo_json,
    fail_if_refused,
)

_ASSIGNMENT_TITLE = "Classification with linear regression and softmax"
_TITLE = "Runs of mnistlab"


def report(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN|SWEEP]...",
            help="Runs and sweeps: a name, its beginning, `latest` or SWEEP/7; or a path, to a "
            "run, a folder of runs or a class's folder anywhere, which is only read. None: the "
            "assignment's, which are trained if they are not there.",
            autocompletion=complete_run,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where to write (default: `report` in the runs folder)."),
    ] = None,
    formats: Annotated[
        str, typer.Option("--format", metavar="html,pdf", help="What to write.")
    ] = "html,pdf",
    title: Annotated[
        str | None, typer.Option(metavar="TEXT", help="The heading of the report.")
    ] = None,
    author: Annotated[str, typer.Option(metavar="TEXT", help="Who hands it in.")] = "",
    runs_dir: RunsDir = RUNS,
    plugin: Plugins = None,
    full: Annotated[
        bool,
        typer.Option(
            "--full",
            help="Add to the assignment's PDF what the page has: all runs, all trials, and "
            "where the numbers come from.",
        ),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite files that no report has written.")
    ] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Write a report on runs and sweeps: a page that works offline, and a PDF.

    Without names it answers the assignment: derivations, plots, results, and a canvas to draw
    digits on; what it needs and does not find is trained first. A run that is damaged, diverged
    or interrupted is listed with what it lacks. Of a folder of folders, such as a class's, the
    table says whose each run is; a folder with links in it, or without a run, is listed as
    refused. Beside the report, report.json holds all facts. Exit codes: 0 written; 1 it could
    not be, or a folder is refused; 2 a wrong name or option.
    """
    from mnistlab.console.progress import ConsoleReporter
    from mnistlab.report.render import ReportRequest, check_place, write_report
    from mnistlab.store.opening import of_folders, open_given

    chosen = _formats(formats)
    place = out or runs_dir / "report"
    reporter = ConsoleReporter(quiet=quiet)
    check_place(place, force=force)  # before a training that may take a minute
    if not (names or author):
        reporter.message("nobody is named in it: --author 'A. Student, B. Student' does")
    if names:
        given, needed = open_given(names, runs_dir), None
    else:
        from mnistlab.console.sweeps import ConsoleSweepReporter
        from mnistlab.plots.drawing import Painter
        from mnistlab.report.assignment import complete_assignment

        needed = complete_assignment(
            runs_dir,
            reporter,
            partial(ConsoleSweepReporter, quiet=quiet),
            partial(Painter, plugin or []),
        )
        given = of_folders(needed.values())
    heading = title or (_TITLE if names else _ASSIGNMENT_TITLE)
    request = ReportRequest(given, chosen, heading, author, needed, full)
    files = write_report(request, place, reporter.message, reporter.warn)
    if as_json:
        echo_json({form: str(path) for form, path in files.items()})
    elif not quiet:
        for form, path in files.items():
            echo(f"{form}: {path}")
    fail_if_refused(given)


def _formats(given: str) -> list[str]:
    from mnistlab.errors import InputError, suggest
    from mnistlab.report.render import FILES

    chosen = [word.strip() for word in given.split(",")]
    for form in chosen:
        if form not in FILES:
            raise InputError(f"--format: unknown format {form!r}{suggest(form, FILES)}")
    return list(dict.fromkeys(chosen))
