"""What a report holds besides its facts: pictures of runs, and data for the scripts of its page.

A run draws its plots as it ends, so a report finds them as PNG; one that is missing or is no
picture is drawn anew, and so are those of the answers: as SVG, which paper shows sharper.

Shapes: C classes, D features, N test images.
"""

import base64
import io
import warnings
import zlib
from collections.abc import Sequence
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mnistlab.config.schema import Config
from mnistlab.core.losses import LOSSES, gives_probabilities
from mnistlab.core.samples import Samples
from mnistlab.datasets import PREPROCESSING, Dataset, MovePixels, describe_steps
from mnistlab.errors import shown
from mnistlab.report.records import RunRecord, clean, clean_all
from mnistlab.run_folders import RunFolder
from mnistlab.run_folders.folder import SweepFolder

OF_RUN = {
    "learning_curves": "Loss and error rate after each epoch",
    "confusion_matrix": "How often each class was predicted as which",
    "weights": "The weights of each class as an image",
    "mistakes": "The mistakes with the largest margin",
}
OF_SWEEP = {
    "learning_rate": "Validation error against the learning rate",
    "parameter": "Validation error against the value tried",
    "heat_map": "Validation error over the parameters",
    "parallel_coordinates": "All trials, one line each",
    "all_learning_curves": "The learning curves of all trials",
}
"""The plots that a report shows, and what each shows."""

_MOST_PIXELS = 8_000_000  # some three times the largest plot
_MOST_BYTES = 4_000_000

MOST_IMAGES = 800
"""Test images in the page: some 210 bytes each."""

_OF_A_PAIR = 8  # images that only one of two runs gets right, for each of the two

MODELS, MOVES, SHAPE = frozenset({"linear", "sigmoid"}), frozenset({"deskew"}), (28, 28)
"""The models, the steps that move pixels, and the size of images that the page's script knows."""


class Pictures:
    """The pictures of a report: `files` holds the PNG or SVG of each by its file name."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def of(self, folder: RunFolder, title: str) -> list[dict[str, str]]:
        """Return the plots of a run, or those that a sweep has: `plot`, `file`, `caption`.

        One that cannot be drawn has a `problem` for a file.
        """
        names = list(OF_RUN)
        if isinstance(folder, SweepFolder):
            names = [name for name in OF_SWEEP if folder.plot(name).exists()]
        drawn = (
            self._png(folder, name, title) or self.sharp(folder, name, title) for name in names
        )
        return [one for one in drawn if one is not None]

    def sharp(self, folder: RunFolder, name: str, title: str) -> dict[str, str] | None:
        """Return one plot drawn as SVG, None where there is no data for it."""
        from mnistlab.plots import encode, plots_of  # noqa: PLC0415 - most need no matplotlib

        try:
            with warnings.catch_warnings():
                # a letter that the font lacks is drawn as an empty box, which says enough
                warnings.filterwarnings("ignore", message="Glyph .* missing from")
                plots, view = plots_of(folder)
                figure = plots[name](view)
                if figure is None:
                    return None
                return {**_told(name, title), "file": self._keep(encode(figure, "svg"), "svg")}
        except Exception as error:  # whatever it is, the rest is worth having
            return {**_told(name, title), "problem": shown(str(error) or type(error).__name__)}

    def _png(self, folder: RunFolder, name: str, title: str) -> dict[str, str] | None:
        picture = _read_png(folder, name)
        if picture is None:
            return None
        return {**_told(name, title), "file": self._keep(picture, "png")}

    def _keep(self, picture: bytes, form: str) -> str:
        file = f"{len(self.files)}.{form}"
        self.files[file] = picture
        return file


def _told(name: str, title: str) -> dict[str, str]:
    return {"plot": name, "caption": f"{(OF_RUN | OF_SWEEP)[name]}: {title}"}


def _read_png(folder: RunFolder, name: str) -> bytes | None:
    """Return a plot of the folder, None unless it is a PNG of a plot's size."""
    path = folder.plot(name)
    try:
        if path.is_symlink() or path.stat().st_size > _MOST_BYTES:
            return None
        return _shrink(path.read_bytes())
    except Exception:  # Pillow raises all kinds of errors at what is no picture
        return None


def _shrink(content: bytes) -> bytes | None:
    """Return a PNG in 128 colours, a quarter of its size; the corner's stays as it is.

    What somebody else may have hidden in the file is gone with it. None if it is too large.
    """
    with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
        if picture.width * picture.height > _MOST_PIXELS:
            return None
        colours = picture.convert("RGB")
    few = colours.quantize(128, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    corner, palette = (0, 0, 1, 1), few.getpalette() or []
    at = few.crop(corner).tobytes()[0]
    palette[3 * at : 3 * at + 3] = colours.crop(corner).tobytes()
    few.putpalette(palette)
    file = io.BytesIO()
    few.save(file, "PNG")
    return file.getvalue()


def embed(runs: Sequence[RunRecord]) -> dict[str, Any]:
    """Return what the page's script works with, as plain data.

    `sets` holds test images, `models` one entry for each run, with the number of its set. Arrays
    are packed by `pack`.
    """
    of_set: dict[str, list[RunRecord]] = {}
    for run in runs:
        if run.dataset is not None:
            of_set.setdefault(run.dataset.sha256, []).append(run)
    packed = {sha256: _embed_set(alike) for sha256, alike in of_set.items()}
    sets = {sha256: one for sha256, one in packed.items() if one is not None}
    models = []
    for run in runs:
        sha256 = None if run.dataset is None else run.dataset.sha256
        known = {
            "set": list(sets).index(sha256) if sha256 in sets else None,
            "predictions": None if run.predictions is None else pack(run.predictions),
        }
        models.append({"run": run.name, **known, **_weights(run)})
    return {"sets": list(sets.values()), "models": models}


def pack(array: NDArray[Any]) -> str:
    """Return an array's bytes, little-endian, deflated and in base64.

    Weights stay float32: as float16 they took 18 KB a run instead of 36, but of 10,000 test
    images one was classified otherwise.
    """
    ordered = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return base64.b64encode(zlib.compress(ordered.tobytes(), 9)).decode()


def _raw_test(run: RunRecord) -> Samples | None:
    """Return a run's test images without what its preprocessing moved."""
    if run.dataset is None or run.config is None:
        return None
    plain = run.config.data.model_copy(update={"preprocess": []})
    raw = run.data_of(run.config.model_copy(update={"data": plain}))
    return None if raw is None else raw.test


def _weights(run: RunRecord) -> dict[str, Any]:
    """Return what classifies a drawing, or under `why` the reason why nothing can."""
    dataset, config, parameters = run.dataset, run.config, run.parameters
    if parameters is None:
        return {"why": "its weights are missing or damaged"}
    if config is None or dataset is None:
        return {"why": clean(run.config_problem) or "its data is missing or has changed"}
    moves = [name for name in dataset.preprocess if isinstance(PREPROCESSING[name], MovePixels)]
    if why := _why_not(config, dataset, parameters, moves):
        return {"why": why}
    pixels = dataset.features.pixels
    scale = np.broadcast_to(pixels.scale, len(parameters) - 1)
    shift = np.broadcast_to(pixels.shift, len(parameters) - 1)
    # a = W (s x + t) + b, so the map from bytes to features goes into weights and biases
    exact = parameters.astype(np.float64)
    folded = np.vstack([exact[:-1] * scale[:, None], exact[-1] + shift @ exact[:-1]])
    return {
        "weights": pack(folded.astype(np.float32)),
        "model": config.model,
        "moves": moves,
        "probabilities": gives_probabilities(LOSSES[config.loss]),
    }


def _why_not(
    config: Config, dataset: Dataset, parameters: NDArray[np.floating], moves: list[str]
) -> str | None:
    """Return why the page cannot compute what a run does, None if it can."""
    if config.features:
        return f"the page cannot compute its features ({clean(describe_steps(config.features))})"
    if config.model not in MODELS or not MOVES.issuperset(moves):
        return "the page cannot compute its model or its preprocessing"
    if dataset.test.images.shape[1:] != SHAPE or len(parameters) != SHAPE[0] * SHAPE[1] + 1:
        return "its images are not of 28 by 28 pixels"
    if parameters.shape[1] != len(dataset.classes) or not np.isfinite(parameters).all():
        return "its weights do not fit its data, or are not finite"
    return None


def _embed_set(alike: Sequence[RunRecord]) -> dict[str, Any] | None:
    raw, dataset = _raw_test(alike[0]), alike[0].dataset
    if raw is None or dataset is None:
        return None
    chosen = _choose_images(raw.labels, [run.predictions for run in alike])
    return {
        "height": raw.images.shape[1],
        "width": raw.images.shape[2],
        "classes": clean_all(dataset.classes),
        "labels": pack(raw.labels),
        "chosen": chosen,
        "images": pack(raw.images[chosen]),
    }


def _choose_images(
    labels: NDArray[np.integer], predictions: Sequence[NDArray[np.uint8] | None]
) -> list[int]:
    """Return the indices of the test images that are in the page.

    They are the first image of each class and, for each pair of runs, the first that only the
    one or only the other gets right.
    """
    chosen = dict.fromkeys(np.unique(labels, return_index=True)[1].tolist())
    right = [one == labels for one in predictions if one is not None]
    for first, second in permutations(right, 2):
        alone = np.flatnonzero(first & ~second).tolist()
        chosen.update(dict.fromkeys(alone[: min(_OF_A_PAIR, MOST_IMAGES - len(chosen))]))
    return list(chosen)
