"""`mnistlab runs`: live with the runs and sweeps that are there, a small file a command."""

import typer

from mnistlab.cli.runs import plot, show

app = typer.Typer(
    help="List, compare, repeat and clear away runs and sweeps.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

app.command("show", short_help="Show a run: its config, status, metrics and files.")(show.show)
app.command("plot", short_help="Draw the plots of a run or a sweep.")(plot.plot)
