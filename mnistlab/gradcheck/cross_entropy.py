"""Holds a user's loss and gradient against the softmax cross-entropy, to say which is at fault.

Shapes: B batch, C classes.
"""

import numpy as np
from numpy.typing import NDArray

from mnistlab.core.gradcheck import Check
from mnistlab.core.losses import LOSSES, softmax
from mnistlab.core.samples import one_hot
from mnistlab.gradcheck.forms import Form, random_points, value_of
from mnistlab.gradcheck.functions import UserFile
from mnistlab.gradcheck.suites import Options

Floats = NDArray[np.floating]
Labels = NDArray[np.integer]


def cross_entropy(A: Floats, labels: Labels) -> tuple[Floats, Floats]:
    """Return the softmax cross-entropy of each row (B,) and its gradient (B, C)."""
    loss, targets = LOSSES["softmax_cross_entropy"], one_hot(labels, A.shape[1], np.float64)
    return loss.value(A[:, None], targets)[:, 0], loss.gradient(A[:, None], targets)[:, 0]


def is_cross_entropy(file: UserFile, form: Form, options: Options) -> bool:
    """Whether the loss is the softmax cross-entropy, summed or averaged over a batch."""
    A, labels = random_points(form, options, np.random.default_rng([options.seed, 3]))
    value = value_of(file, form, A, labels)
    losses, _ = cross_entropy(A, labels)
    return bool(np.isclose(value, [losses.sum(), losses.mean()], rtol=1e-9).any())


def explain(file: UserFile, form: Form, found: Check, A: Floats, labels: Labels) -> str:
    """Say which of the two is at fault where one of them is known to be right."""
    losses, gradients = cross_entropy(A, labels)
    analytic = found.problem.analytic.reshape(A.shape)
    loss_is_right = np.isclose(found.loss, [losses.sum(), losses.mean()], rtol=1e-6).any()
    gradient_is_right = any(
        np.allclose(analytic, gradients * share, rtol=1e-6, atol=1e-9)
        for share in (1.0, 1 / len(A))
    )
    if loss_is_right and not gradient_is_right:
        return (
            f"{file.loss.name} is right (softmax cross-entropy), {file.gradient.name} is not: "
            f"{found.diagnosis}"
        )
    if gradient_is_right and not loss_is_right:
        wanted = losses.sum() if form.batch else losses[0]
        return (
            f"{file.gradient.name} is right (softmax cross-entropy), {file.loss.name} is not: "
            f"it is {found.loss:.8g} where -log softmax(a)_y is {wanted:.8g}"
            f"{_about_loss(found.loss, A, labels, wanted)}"
        )
    return found.diagnosis


def _about_loss(value: float, A: Floats, labels: Labels, wanted: float) -> str:
    p = softmax(A)[np.arange(len(A)), labels]
    known = [
        ("the minus sign is missing", -wanted),
        ("the logarithm is missing", float(p.sum())),
        ("the logarithm is missing", -float(p.sum())),
        ("the logarithm must be the natural one, not to base 2", wanted / np.log(2)),
        ("the logarithm must be the natural one, not to base 10", wanted / np.log(10)),
        ("it is divided by the number of classes", wanted / A.shape[1]),
        ("only the true class' logarithm counts, not those of all", -np.log(softmax(A)).sum()),
    ]
    for meaning, number in known:
        if np.isclose(value, number, rtol=1e-6):
            return f": {meaning}"
    extra = float(np.exp(-value) - p[0])
    power = 10.0 ** np.round(np.log10(extra)) if extra > 0 else 0.0
    if len(A) == 1 and extra < 1e-2 and np.isclose(extra, power, rtol=1e-3):
        return f": {extra:.1g} seems to be added inside the logarithm, but not in the gradient"
    return ""
