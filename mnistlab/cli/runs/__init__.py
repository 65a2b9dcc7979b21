"""`mnistlab runs`: live with the runs and sweeps that are there, a small file a command."""

import typer

from mnistlab.cli.runs import (
    compare,
    delete,
    diff,
    export,
    listing,
    plot,
    predict,
    resume,
    show,
    verify,
)

app = typer.Typer(
    help="List, compare, repeat and clear away runs and sweeps.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

app.command(
    "list", short_help="List runs and sweeps, or the runs inside a sweep.", help=listing.HELP
)(listing.list_runs)
app.command("show", short_help="Show a run: its config, status, metrics and files.")(show.show)
app.command("plot", short_help="Draw the plots of a run or a sweep.")(plot.plot)
app.command("diff", short_help="Show what differs between two runs, image by image.")(diff.diff)
app.command("compare", short_help="Compare runs in a table and a picture.")(compare.compare)
app.command("verify", short_help="Train runs again; say whether the same comes out.")(verify.verify)
app.command("resume", short_help="Go on with a run or a sweep that was cut short.")(resume.resume)
app.command("predict", short_help="Show what a run takes pictures or test images for.")(
    predict.predict
)
app.command("export", short_help="Write runs into one CSV or JSON file.")(export.export)
app.command("delete", short_help="Delete runs and sweeps for good.")(delete.delete)
