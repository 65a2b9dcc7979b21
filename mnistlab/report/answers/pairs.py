"""Two runs side by side: in which settings they differ, and on which images they do.

C classes, N images.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistlab.core.metrics import pre_activations
from mnistlab.report.chance import SELDOM, tell_chance
from mnistlab.report.collect import ReportRun
from mnistlab.statistics import mcnemar_p
from mnistlab.store.diff import Pair, differing
from mnistlab.store.facts import flatten
from mnistlab.sweep.results import shown_value


def settings_apart(one: ReportRun, other: ReportRun) -> dict[str, Pair] | None:
    """Return in which keys two configs differ, names aside; None where one cannot be read."""
    if one.config is None or other.config is None:
        return None
    pairs = differing(dict(flatten(one.config)), dict(flatten(other.config)))
    return {key: pair for key, pair in pairs.items() if key != "name"}


def tell_settings(pairs: dict[str, Pair]) -> str:
    """Return settings and what the second run has in their place, in words."""
    return ", ".join(
        f"{key.replace('_', ' ')} {_shown(ours)} instead of {_shown(theirs)}"
        for key, (ours, theirs) in pairs.items()
    )


def _shown(value: Any) -> str:
    return "none" if value is None else shown_value(value)


@dataclass(frozen=True)
class Paired:
    """On how many images of a split only the one of two runs is right, and McNemar's p."""

    images: int
    only_first: int
    only_second: int

    @property
    def p(self) -> float:
        """McNemar's exact p."""
        return mcnemar_p(self.only_first, self.only_second)

    @property
    def is_told(self) -> bool:
        """Whether the runs can be told apart on these images."""
        return self.p < SELDOM

    def tell(self, first: str, second: str, split: str) -> str:
        """Return a sentence on the two runs, called by these names."""
        return (
            f"Of the {self.images:,} {split} images {self.only_first:,} are classified rightly by "
            f"{first} alone and {self.only_second:,} by {second} alone: by McNemar's exact test "
            f"{tell_chance(self.p)}."
        )


def pair_on_validation(first: ReportRun, second: ReportRun) -> Paired | None:
    """Return how two runs answer on the validation split, None where that cannot be known."""
    if not _share_images(first, second):
        return None
    return _pair(_right_on_validation(first), _right_on_validation(second))


def pair_on_test(first: ReportRun, second: ReportRun) -> Paired | None:
    """Return how two runs answered on the test split, None where that cannot be known."""
    if not _share_images(first, second):
        return None
    return _pair(_right_on_test(first), _right_on_test(second))


def _share_images(first: ReportRun, second: ReportRun) -> bool:
    one, other = first.dataset, second.dataset
    if one is None or other is None or one.sha256 != other.sha256:
        return False
    return len(one.train) == len(other.train)


def _pair(one: NDArray[np.bool_] | None, other: NDArray[np.bool_] | None) -> Paired | None:
    if one is None or other is None or len(one) != len(other):
        return None
    return Paired(len(one), int((one & ~other).sum()), int((other & ~one).sum()))


def _right_on_validation(run: ReportRun) -> NDArray[np.bool_] | None:
    """Return which validation images a run's parameters classify rightly, (N,).

    Models keep the order of the pre-activations, so that their largest decides.
    """
    if run.dataset is None or run.dataset.validation is None or run.parameters is None:
        return None
    rows = run.dataset.validation
    if run.parameters.shape != (rows.images.shape[1] + 1, len(run.dataset.classes)):
        return None
    A = pre_activations(run.parameters, rows.images, run.dataset.pixels)
    right: NDArray[np.bool_] = A.argmax(axis=1) == rows.labels
    return right


def _right_on_test(run: ReportRun) -> NDArray[np.bool_] | None:
    if run.dataset is None or run.predictions is None:
        return None
    right: NDArray[np.bool_] = run.predictions == run.dataset.test.labels
    return right
