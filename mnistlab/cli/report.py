"""`mnistlab report`: run folders as a page, a PDF or Markdown."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mnistlab.cli.options import Plugins, Quiet, RunsDir

if TYPE_CHECKING:
    from mnistlab.console.progress import ConsoleReporter
    from mnistlab.report.write import Request

_ASSIGNMENT_TITLE = "Classification with linear regression and softmax"
_TITLE = "Runs of mnistlab"


def report(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN|SWEEP]...",
            help="Runs and sweeps: name or its beginning, `latest`, SWEEP/7; or a path with a "
            "slash, to a run or a folder of runs anywhere, which is only read. None: the "
            "assignment's, which are trained if they are not there.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where to write (default: `report` in the runs folder)."),
    ] = None,
    formats: Annotated[
        str | None,
        typer.Option(
            "--format", metavar="html,pdf,md", help="What to write (default: html and pdf)."
        ),
    ] = None,
    title: Annotated[
        str | None, typer.Option(metavar="TEXT", help="The heading of the report.")
    ] = None,
    author: Annotated[str, typer.Option(metavar="TEXT", help="Who hands it in.")] = "",
    runs_dir: RunsDir = None,
    plugin: Plugins = None,
    anew: Annotated[
        bool, typer.Option("--anew", help="Write it even if nothing has changed since.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Write over files that no report has written.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the files as one JSON document.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Write a report on runs and sweeps: one page that works offline, a PDF, Markdown.

    Without names it answers the assignment: derivations, plots, results, and a canvas to draw
    digits on; what it needs and does not find is trained first. A run that is damaged, diverged
    or interrupted is listed with what it lacks. Of all commands only this one opens runs outside
    the runs folder: those whose path it is given. It reads plain files there and writes nothing;
    a folder with links in it is refused as everywhere. Exit codes: 0 written; 1 one of the formats
    could not be; 2 a wrong name or option.
    """
    from mnistlab.console.progress import ConsoleReporter
    from mnistlab.errors import MnistlabError
    from mnistlab.plots.picture_file import import_matplotlib
    from mnistlab.plugins import load_plugins
    from mnistlab.runs import default_runs_dir
    from mnistlab.runs.files import to_json

    import_matplotlib()
    from mnistlab.report.write import FORMATS, check_place, write_report

    chosen = _formats(formats, FORMATS)
    load_plugins(plugin or [])
    runs = runs_dir or default_runs_dir()
    place = out or runs / "report"
    teller = ConsoleReporter(quiet=quiet)
    check_place(place, chosen, force=force)  # before a training that may take a minute
    if not (names or author):
        teller.message("nobody is named in it: --author 'A. Student, B. Student' does")
    request = _request(names or [], chosen, title, author, runs, plugin or [], teller, quiet=quiet)
    written = write_report(request, place, teller.message, teller.warn, anew=anew)
    if as_json:
        typer.echo(to_json({form: str(path) for form, path in written.files.items()}))
    else:
        if not written.is_new:
            teller.message("nothing has changed since this report was written; --anew writes it")
        for form, path in written.files.items():
            typer.echo(f"{form}: {path}")
    if written.failed and formats is None and list(written.failed) == ["pdf"]:
        teller.warn(written.failed["pdf"])  # not asked for by name
    elif written.failed:
        raise MnistlabError("; ".join(written.failed.values()))


def _formats(given: str | None, known: tuple[str, ...]) -> list[str]:
    from mnistlab.errors import InputError, suggest

    chosen = ["html", "pdf"] if given is None else [word.strip() for word in given.split(",")]
    for form in chosen:
        if form not in known:
            raise InputError(f"--format: unknown format {form!r}{suggest(form, known)}")
    return list(dict.fromkeys(chosen))


def _request(
    names: list[str],
    formats: list[str],
    title: str | None,
    author: str,
    runs_dir: Path,
    plugins: list[Path],
    teller: "ConsoleReporter",
    *,
    quiet: bool,
) -> "Request":
    from mnistlab.report.write import Request

    if names:
        from mnistlab.report.given import open_given

        folders = open_given(names, runs_dir)
        return Request(folders, formats, title or _TITLE, author, plugins=plugins)
    from mnistlab.console.sweeping import ConsoleSweepReporter
    from mnistlab.plots.painter import Painter
    from mnistlab.report.assignment import complete_assignment

    found = complete_assignment(
        runs_dir,
        teller,
        lambda metric: ConsoleSweepReporter(quiet=quiet, metric=metric),
        teller.message,
        partial(Painter, plugins),
    )
    needed = {**found.runs, "sweep": found.sweep}
    heading = title or _ASSIGNMENT_TITLE
    return Request(found.folders, formats, heading, author, needed, plugins)
