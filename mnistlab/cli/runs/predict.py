"""`mnistlab runs predict`: what a run takes a picture or a test image for."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mnistlab.cli.options import Plugins, RunsDir
from mnistlab.cli.runs.naming import RunName, find

if TYPE_CHECKING:
    from mnistlab.store.predict import Predictions


def predict(
    run: RunName,
    images: Annotated[
        list[str],
        typer.Argument(
            metavar="IMAGE...",
            help="A PNG or JPEG file, or the number of a test image, from 0.",
        ),
    ],
    runs_dir: RunsDir = None,
    plugin: Plugins = None,
    save: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Draw the images as the model saw them (.png, .svg, .pdf)."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the predictions as one JSON document.")
    ] = False,
) -> None:
    """Show what a run takes images for: the class, and what it gives for each of the ten.

    A picture is made like MNIST's digits first: its ink, dark or light, is found, scaled to fit
    20 x 20 pixels and centred by its mass in 28 x 28. So it should show one digit and no more.
    """
    from mnistlab.console.progress import fetch_progress
    from mnistlab.plots.picture import check_picture
    from mnistlab.plugins import load_plugins
    from mnistlab.runs.files import to_json
    from mnistlab.store.predict import predict

    if save is not None:
        check_picture(save)
    load_plugins(plugin or [])
    predictions = predict(find(run, runs_dir), images, fetch_progress(quiet=as_json))
    if save is not None:
        _draw(predictions, save)
    if as_json:
        drawn = None if save is None else str(save)
        typer.echo(to_json(predictions.as_json() | {"plot": drawn}))
        return
    from mnistlab.console.predictions import print_predictions

    print_predictions(predictions)
    if save is not None:
        typer.echo(f"plot: {save}")


def _draw(predictions: "Predictions", path: Path) -> None:
    import numpy as np

    from mnistlab.plots.own_settings import import_matplotlib
    from mnistlab.plots.picture import save_picture

    import_matplotlib()
    from mnistlab.plots.seen_images import seen_images

    classes, images = predictions.classes, predictions.images
    headings: list[tuple[str, ...]] = [
        (Path(one.image).name, f"predicted {classes[one.predicted]}") for one in images
    ]
    if any(one.label is not None for one in images):
        truths = ["" if one.label is None else f"true {classes[one.label]}" for one in images]
        headings = [(*heading, truth) for heading, truth in zip(headings, truths, strict=True)]
    figure = seen_images(
        np.stack([one.seen for one in images]),
        headings,
        title=f"What {predictions.run} saw",
    )
    save_picture(figure, path)
