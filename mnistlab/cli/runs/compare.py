"""`mnistlab runs compare`: what differs among runs, in a table and in one picture."""

from pathlib import Path
from typing import Annotated

import typer

from mnistlab.cli.options import RunsDir
from mnistlab.cli.runs.naming import RunNames, find


def compare(
    runs: RunNames,
    runs_dir: RunsDir = None,
    plot: Annotated[
        bool, typer.Option("--plot", help="Draw the learning curves of all runs together.")
    ] = False,
    to: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Draw into this .png, .svg or .pdf (default: comparison.png); implies --plot.",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", "-f", help="Replace the picture if it is there.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the comparison as one JSON document.")
    ] = False,
) -> None:
    """Compare two to twelve runs: the settings that differ, the metrics, the best of each.

    A sweep stands for all of its runs. Their test split is not looked at for this: a run that
    has not seen it has no test metrics here.
    """
    from dataclasses import asdict

    from mnistlab.errors import InputError
    from mnistlab.plots.picture import check_picture, save_picture
    from mnistlab.runs.files import to_json
    from mnistlab.errors import shown
    from mnistlab.store.compare import choose_runs, compare_runs

    folders = choose_runs([find(run, runs_dir) for run in runs])
    picture = to or (Path("comparison.png") if plot else None)
    if picture is not None:
        check_picture(picture)
        if not force and (picture.exists() or picture.is_symlink()):
            raise InputError(f"{shown(picture)}: is there already; --force replaces it")
    comparison = compare_runs(folders)
    if picture is not None:
        from mnistlab.plots.own_settings import import_matplotlib

        import_matplotlib()
        from mnistlab.store.comparison_picture import draw_comparison, has_curves

        save_picture(draw_comparison(folders, comparison), picture)
        if not has_curves(folders):
            typer.echo(
                "warning: none of these runs measured a finite loss, so the picture has no curve; "
                "runs plot RUN draws where one overflowed",
                err=True,
            )
    if as_json:
        drawn = None if picture is None else str(picture)
        typer.echo(to_json(asdict(comparison) | {"plot": drawn}))
        return
    from mnistlab.console.comparisons import print_comparison

    print_comparison(comparison)
    if picture is not None:
        typer.echo(f"plot: {picture}")
