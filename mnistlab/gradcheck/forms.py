"""The forms in which the functions of a user may take their arguments.

Shapes: B batch, C classes. A function takes `(a, y)` or `(y, a)`: pre-activations (C,) or their
softmax with one label, or (B, C) with B labels; a label is a class number or a one-hot vector.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistlab.core.losses import softmax
from mnistlab.gradcheck.functions import FaultError, UserFunction
from mnistlab.gradcheck.suites import Options
from mnistlab.gradcheck.user_file import UserFile

Floats = NDArray[np.floating]
Labels = NDArray[np.integer]


@dataclass(frozen=True)
class Form:
    """A way in which the functions may take their arguments."""

    batch: bool
    one_hot: bool
    columns: bool = False
    label_first: bool = False
    probabilities: bool = False

    def __str__(self) -> str:
        """Return it in words."""
        rows = f"a batch of {'columns' if self.columns else 'rows'}" if self.batch else "one vector"
        return (
            f"{'y, then ' if self.label_first else ''}{rows}"
            f"{' of probabilities' if self.probabilities else ''}, "
            f"y as {'one-hot' if self.one_hot else 'class numbers'}"
        )

    def label(self, labels: Labels, C: int) -> Any:
        """Return labels (B,), or the only one, as the functions want them."""
        given: Any = np.eye(C)[labels] if self.one_hot else labels
        return given if self.batch else given[0] if self.one_hot else int(given[0])

    def point(self, A: Floats) -> Floats:
        """Return pre-activations (B, C), or the only row, as the functions want them.

        Functions of probabilities get the softmax of these.
        """
        points = softmax(A) if self.probabilities else A
        return points if self.batch else points[0]


@dataclass(frozen=True)
class Reading:
    """A file and the form in which its functions are called."""

    file: UserFile
    form: Form


def random_points(
    form: Form, options: Options, generator: np.random.Generator
) -> tuple[Floats, Labels]:
    """Return pre-activations (B, C) and labels (B,); B = 1 for one vector."""
    C = options.classes
    B = (4 if C != 4 else 3) if form.batch else 1  # B = C would hide a transposed gradient
    return generator.normal(0, options.scale, (B, C)), generator.integers(C, size=B)


def loss_value(loss: UserFunction, a: NDArray[Any], y: Any) -> Any:
    """Return the loss as a number, summed where it comes row by row."""
    result = loss(a, y)
    rows = len(a) if a.ndim == 2 else 1
    if result.shape not in {(), (1,), (rows,), (rows, 1)}:
        wanted = f"one number, or {rows} for {rows} rows" if a.ndim == 2 else "one number"
        raise FaultError(
            f"{loss.name} returns an array of shape {result.shape}; a loss is {wanted}"
        )
    return result.sum()


def loss_or_nan(loss: UserFunction, a: NDArray[Any], y: Any) -> Any:
    """Return the loss nearby, NaN where it fails: that is for the differences to see."""
    try:
        value = loss_value(loss, a, y)
    except FaultError as error:
        if np.iscomplexobj(a):
            raise TypeError from error
        return np.nan
    if np.iscomplexobj(a) and not np.iscomplexobj(value):
        raise TypeError("the function drops imaginary parts")
    return value


def gradient_value(gradient: UserFunction, a: Floats, y: Any) -> Floats:
    """Return the gradient, which must have the shape of the point."""
    result = gradient(a, y)
    if a.ndim == 1 and result.size == a.size:
        result = result.reshape(a.shape)  # a column or a row is as good
    if result.shape != a.shape:
        if result.shape == a.shape[::-1]:
            hint = ": it is transposed, one row is to be one sample"
        elif result.shape == ():
            hint = ": it is one number, but there is one derivative for each pre-activation"
        else:
            hint = ""
        raise FaultError(
            f"{gradient.name} returns shape {result.shape} for pre-activations of shape {a.shape}; "
            f"a gradient has one entry for each{hint}"
        )
    if np.iscomplexobj(result):
        raise FaultError(f"{gradient.name} returns complex numbers for real ones")
    return np.asarray(result, np.float64)


def check_deterministic(function: UserFunction, a: Floats, y: Any) -> None:
    """Raise FaultError for a function that gives another result for the same input."""
    first, second = function(a, y), function(a, y)
    if not np.array_equal(first, second, equal_nan=True):
        raise FaultError(
            f"{function.name} gives another result for the same input: it must not draw random "
            "numbers or keep state between calls"
        )


def value_of(file: UserFile, form: Form, A: Floats, labels: Labels) -> float:
    """Return the loss of rows (B, C), or of the only one, as a real number."""
    y = form.label(labels, A.shape[1])
    return float(np.real(loss_value(file.loss, form.point(A), y)))


def sample_weight(file: UserFile, form: Form, A: Floats, labels: Labels) -> float:
    """Return the weight of a sample in a batch's loss: 1/B for a mean, else 1."""
    B = len(A)
    if not form.batch or B == 1:
        return 1.0
    C = A.shape[1]
    whole = loss_value(file.loss, form.point(A), form.label(labels, C))
    try:
        twice = np.concatenate((labels, labels))
        two = form.point(np.concatenate((A, A)))
        doubled = loss_value(file.loss, two, form.label(twice, C))
    except FaultError:
        return 1.0
    return 1 / B if np.isclose(whole, doubled) and not np.isclose(whole, 0) else 1.0


def precision(gradient: UserFunction, a: Floats, y: Any) -> float:
    """Return the unit of rounding of the numbers that a gradient comes in."""
    dtype = gradient(a, y).dtype
    return float(np.finfo(dtype if dtype.kind == "f" else np.float64).eps)
