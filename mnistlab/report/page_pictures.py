"""Draws the small pictures of the page, weight templates and digits, as PNG of a few hundred bytes.

Shapes: H rows and W columns, C classes, D = H * W features, N test images, M mistakes.
"""

import base64
import io
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mnistlab.core.metrics import pre_activations
from mnistlab.core.models import MODELS
from mnistlab.report.collect import ReportRun
from mnistlab.report.page_data import TestSet, title_of

MISTAKES = 20
"""So many mistakes of each run are shown."""

_LEVELS = 31  # shades of either sign: more are not told apart, and make the files larger
_NEGATIVE, _POSITIVE = (48, 124, 226), (222, 70, 48)  # seen on a light page and on a dark one
_SHADES = 8  # of the cells of a confusion matrix


@dataclass(frozen=True)
class Template:
    """The weights of a class as a picture."""

    class_name: str
    url: str


@dataclass(frozen=True)
class MistakenImage:
    """A test image and what it was taken for."""

    index: int
    true: str
    predicted: str
    url: str


@dataclass(frozen=True)
class Cell:
    """How many images of one class were taken for another, and how dark that is shown."""

    count: int
    right: bool
    shade: int


@dataclass(frozen=True)
class FeaturedRun:
    """What the page shows of one run; what its folder lacks is empty."""

    run: ReportRun
    test_set: TestSet | None
    number: int

    @property
    def title(self) -> str:
        """The run's title."""
        return title_of(self.run)

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names, () where the data are not there."""
        return () if self.run.dataset is None else self.run.dataset.classes

    @cached_property
    def templates(self) -> list[Template]:
        """The weights of each class, all on one scale."""
        dataset, parameters = self.run.dataset, self.run.parameters
        if dataset is None or parameters is None:
            return []
        shape = dataset.test.images.shape[1:]
        if parameters.shape != (shape[0] * shape[1] + 1, len(self.classes)):
            return []
        weights = np.nan_to_num(parameters[:-1].astype(np.float64), posinf=0, neginf=0)
        limit = float(np.quantile(np.abs(weights), 0.995)) or float(np.abs(weights).max()) or 1.0
        columns = (weights / limit).clip(-1, 1).T.reshape(-1, *shape)
        pairs = zip(self.classes, columns, strict=True)
        return [Template(name, template_url(one)) for name, one in pairs]

    @cached_property
    def confusion(self) -> list[list[Cell]]:
        """The confusion matrix, the true classes in rows."""
        counts = self.run.confusion
        if counts is None:
            return []
        wrong = counts - np.diag(np.diag(counts))
        of_class = np.maximum(counts.sum(axis=1), 1)
        shares = np.where(wrong > 0, np.sqrt(wrong / max(1, wrong.max())), 0.0)
        np.fill_diagonal(shares, np.diag(counts) / of_class)
        shades = np.ceil(shares * _SHADES).astype(int)
        return [
            [Cell(int(counts[t, p]), bool(t == p), int(shades[t, p])) for p in range(len(counts))]
            for t in range(len(counts))
        ]

    @cached_property
    def mistaken(self) -> int:
        """How many test images were taken for another class."""
        confusion = self.run.confusion
        return 0 if confusion is None else int(confusion.sum() - np.trace(confusion))

    @cached_property
    def mistakes(self) -> list[MistakenImage]:
        """The mistakes whose wrong class outscored the true one by most, the worst first."""
        dataset, predictions = self.run.dataset, self.run.predictions
        if dataset is None or predictions is None or self.test_set is None:
            return []
        if self.run.confusion is None or not self.templates:
            return []
        labels = dataset.test.labels
        wrong = np.flatnonzero(predictions != labels)
        outputs = self._outputs(dataset.test.rows[wrong])
        at = np.arange(len(wrong))
        margin = outputs[at, predictions[wrong]] - outputs[at, labels[wrong]]
        worst = wrong[np.argsort(-margin, kind="stable")][:MISTAKES]
        return [
            MistakenImage(
                index=int(n),
                true=self.classes[labels[n]],
                predicted=self.classes[predictions[n]],
                url=digit_url(self.test_set.raw.images[n]),
            )
            for n in worst
        ]

    def _outputs(self, images: NDArray[np.uint8]) -> NDArray[np.floating]:
        """Return the model's outputs (n, C) for images (n, D)."""
        parameters, dataset, config = self.run.parameters, self.run.dataset, self.run.config
        if parameters is None or dataset is None or config is None:
            return np.zeros((len(images), len(self.classes)))
        A = pre_activations(parameters, images, dataset.pixels)
        name = str(config.get("model"))
        return MODELS[name].forward(A[:, None, :])[0][:, 0] if name in MODELS else A


def template_url(weights: NDArray[np.float64]) -> str:
    """Return weights (H, W) in [-1, 1] as a PNG: red speaks for the class, blue against it.

    Zero is transparent, so that it is the page's own colour, light or dark.
    """
    levels = np.rint(weights * _LEVELS).astype(np.int64) + _LEVELS
    picture = Image.fromarray(levels.astype(np.uint8), "P")
    strengths = range(-_LEVELS, _LEVELS + 1)
    colours = [_NEGATIVE if strength < 0 else _POSITIVE for strength in strengths]
    picture.putpalette([part for colour in colours for part in colour])
    alphas = bytes(round(255 * abs(strength) / _LEVELS) for strength in strengths)
    return _data_url(picture, alphas)


def digit_url(image: NDArray[np.uint8]) -> str:
    """Return an image (H, W) as a PNG, dark on light."""
    return _data_url(Image.fromarray(255 - image))


def _data_url(picture: Image.Image, transparency: bytes | None = None) -> str:
    file = io.BytesIO()
    options = {} if transparency is None else {"transparency": transparency}
    picture.save(file, "PNG", optimize=True, **options)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
