"""The forms in which a user's functions may take their arguments, and the arguments in each.

Shapes: B batch, D features, C classes. A sample is kept in rows: pre-activations A (B, C), or
features X (B, D), weights W (D, C) and biases b (C,), with A = X W + b. A form lays it out as the
functions want it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistlab.core.models import softmax
from mnistlab.gradcheck.differences import Floats
from mnistlab.gradcheck.suites import Options

Labels = NDArray[np.integer]
Arguments = dict[str, Any]
"""What a function takes, by role: "a" and "y", or "W", "b", "X", "y" and "reg"."""

ROLES = ("a", "y", "W", "b", "X", "reg")
PENALTY = 0.1
"""The strength at which a penalty is checked."""

NUMBERS, ONE_HOT, FROM_ONE = "class numbers", "one-hot", "class numbers from 1"
BINARY = "0 or 1 for a single output"

PACKED = ("weights", "weights and biases")
"""What may be packed into one vector: W, or W with b in a last row or column of its own."""

SOFTMAX_OUTSIDE = {
    "": "",
    "both": " of probabilities",
    "chain": " of probabilities, with the gradient by the pre-activations",
    "loss": " of pre-activations, of which the loss takes the softmax",
}
"""Where the functions do not call the softmax: both take its outputs p, with the gradient by p
("both") or by the pre-activations ("chain"), or the loss alone takes them ("loss")."""


@dataclass(frozen=True)
class Sample:
    """A batch at which functions are called: labels (B,), A (B, C), and X, W, b if it has weights.

    The labels of a single output are 0 or 1, and C is 1.
    """

    labels: Labels
    A: Floats
    X: Floats | None = None
    W: Floats | None = None
    b: Floats | None = None

    def rows(self, chosen: Any) -> "Sample":
        """Return the sample with only these of its rows, any of them several times."""
        X = None if self.X is None else self.X[chosen]
        return replace(self, labels=self.labels[chosen], A=self.A[chosen], X=X)


@dataclass(frozen=True)
class Form:
    """A way in which the functions may take their arguments.

    Attributes:
        order: the roles of the arguments.
        columns: whether a sample is a column, not a row.
        by_class: whether the weights are (C, D), a row for each class, not (D, C).
        matrices: whether the biases are a matrix with one row or one column, not a vector; and
            the same for the weights and labels of a single output.
        packed: one of `PACKED` where the weights are a vector of D C or D C + C numbers.
        softmax: a key of `SOFTMAX_OUTSIDE`.
    """

    order: tuple[str, ...] = ("a", "y")
    batch: bool = False
    labels: str = NUMBERS
    columns: bool = False
    by_class: bool = False
    matrices: bool = False
    packed: str = ""
    softmax: str = ""

    @property
    def by_weights(self) -> bool:
        """Whether the functions take weights and features."""
        return "W" in self.order

    @property
    def is_binary(self) -> bool:
        """Whether there is a single output, with labels 0 and 1."""
        return self.labels == BINARY

    def __str__(self) -> str:
        """Return it in words."""
        vector = "one column" if self.columns else "one vector"
        rows = f"a batch of {'columns' if self.columns else 'rows'}" if self.batch else vector
        labels = f"y as {self.labels}"
        if not self.by_weights:
            first = "" if self.order[0] == "a" else "y, then "
            return f"{first}{rows}{SOFTMAX_OUTSIDE[self.softmax]}, {labels}"
        shape = "(C, D)" if self.by_class else "(D, C)"
        what = self.packed.replace("weights", f"W {shape}").replace("biases", "b")
        if self.is_binary:
            shape = "(D, 1)" if self.matrices else "(D,)"
        weights = f"({', '.join(self.order)}) with W {shape}"
        what = f"{what} packed into one vector" if self.packed else weights
        return f"weights and features: {rows}, {what}, {labels}"

    def words(self, coordinates: str) -> str:
        """Return what some coordinates are: pre-activations, probabilities, weights or biases."""
        of_a = "probabilities" if self.softmax == "both" else "pre-activations"
        return {"a": of_a, "W": "weights", "b": "biases"}[coordinates]

    def targets(self, sample: Sample) -> Floats:
        """Return what the outputs should be, (B, C)."""
        if self.is_binary:
            return sample.labels[:, None].astype(float)
        return np.eye(sample.A.shape[1])[sample.labels]

    def arguments(self, sample: Sample) -> Arguments:
        """Return the arguments as the functions want them, by role; a penalty of strength 0."""
        labels: Any = sample.labels + (self.labels == FROM_ONE)
        if self.labels == ONE_HOT or (self.is_binary and self.matrices):
            labels = self._laid("y", self.targets(sample))
        elif self.is_binary:
            labels = labels.astype(float) if self.batch else float(labels[0])
        elif not self.batch:
            labels = labels[0].item()
        found: Arguments = {"y": labels, "reg": 0.0}
        if sample.X is None or sample.W is None or sample.b is None:
            a = softmax(sample.A) if self.softmax == "both" else sample.A
            return found | {"a": self._laid("a", a)}
        b = sample.b[None]
        W = np.vstack([sample.W, b]) if self.packed == PACKED[1] else sample.W
        given = {"X": sample.X, "W": W, "b": b}
        return found | {role: self._laid(role, rows) for role, rows in given.items()}

    def back(self, coordinates: str, sample: Sample, dA: Floats) -> Floats:
        """Return the gradient by some coordinates, laid out, from dL/dA (B, C)."""
        return self._laid(coordinates, self._inputs(coordinates, sample).T @ dA)

    def forth(self, coordinates: str, sample: Sample, gradient: Floats) -> Floats:
        """Return the shortest dL/dA (B, C) that leads to a gradient."""
        inputs, C = self._inputs(coordinates, sample), sample.A.shape[1]
        is_turned = self._is_turned(coordinates)
        rows = gradient.reshape(C, -1).T if is_turned else gradient.reshape(-1, C)
        found: Floats = rows if coordinates == "a" else np.linalg.lstsq(inputs.T, rows)[0]
        return found

    def _inputs(self, coordinates: str, sample: Sample) -> Floats:
        """Return by what some coordinates (n, C) are multiplied to give A, (B, n)."""
        if coordinates == "a" or sample.X is None:
            return np.eye(len(sample.A))
        ones = np.ones((len(sample.A), 1))
        with_biases = np.hstack([sample.X, ones]) if self.packed == PACKED[1] else sample.X
        return ones if coordinates == "b" else with_biases

    def _is_turned(self, role: str) -> bool:
        return self.by_class if role == "W" else self.columns

    def _laid(self, role: str, rows: Floats) -> Floats:
        """Return samples in rows, weights (D, C) or biases (1, C) as the functions want them."""
        is_flat = not (self.batch or self.columns)
        if role == "W":
            is_flat = bool(self.packed) or (self.is_binary and not self.matrices)
        elif role == "b":
            is_flat = self.is_binary or not self.matrices
        turned = rows.T if self._is_turned(role) else rows
        return turned.flatten() if is_flat else turned.copy()

    def given(self, a: NDArray[Any], *, to_loss: bool) -> NDArray[Any]:
        """Return what the loss, or the gradient, takes for pre-activations or probabilities."""
        if self.softmax == "chain" or (self.softmax == "loss" and to_loss):
            return softmax(a.T).T if self.columns else softmax(a)
        return a


def stages(told: tuple[str, ...], *, batch: bool) -> Iterator[list[Form]]:
    """Yield the forms that are tried together, the likelier ones first.

    `told` are the roles of the arguments in their order; without them the label may come last or
    first. Later forms are for functions that make no sense in those before: many a formula runs in
    a form that it was not made for.
    """
    order = told or ("a", "y")
    first, switches = Form(order, batch), (False, True)
    if not first.by_weights:
        for each in (order,) if told else (order, order[::-1]):
            yield [
                replace(first, order=each, columns=columns, labels=labels, softmax=softmax)
                for columns, softmax, labels in product(
                    switches, SOFTMAX_OUTSIDE, (NUMBERS, ONE_HOT, FROM_ONE)
                )
            ]
        return
    for kinds in ((ONE_HOT, NUMBERS, FROM_ONE), (BINARY,)):
        yield [
            replace(first, columns=columns, labels=labels, by_class=by_class, matrices=matrices)
            for labels, columns, by_class, matrices in product(kinds, switches, switches, switches)
            if "b" in order or labels == BINARY or not matrices
        ]
    if "b" not in order:
        kinds = (ONE_HOT, NUMBERS, FROM_ONE)
        yield [
            replace(first, columns=columns, labels=labels, by_class=by_class, packed=packed)
            for labels, columns, by_class, packed in product(kinds, switches, switches, PACKED)
        ]


def random_sample(form: Form, options: Options, generator: np.random.Generator) -> Sample:
    """Return a random sample whose pre-activations have the spread that was asked for.

    Neither B nor 2 B is C, so that a division by one cannot be taken for one by the other.
    """
    C = 1 if form.is_binary else options.classes
    B = (5 if C in (3, 6) else 3) if form.batch else 1
    labels = generator.integers(2 if form.is_binary else C, size=B)
    if not form.by_weights:
        return Sample(labels, generator.normal(0, options.scale, (B, C)))
    D = _features(B, C)
    X = generator.normal(0, 1, (B, D))
    W = generator.normal(0, options.scale / np.sqrt(D), (D, C))
    has_biases = "b" in form.order or form.packed == PACKED[1]
    b = generator.normal(0, options.scale / 2, C) if has_biases else np.zeros(C)
    return Sample(labels, X @ W + b, X, W, b)


def sample_at(form: Form, a: Floats, label: int) -> Sample:
    """Return one sample with the pre-activations (C,)."""
    labels = np.array([label])
    if not form.by_weights:
        return Sample(labels, a[None])
    x = np.linspace(0.5, 1.0, _features(1, len(a)))
    W = np.outer(x, a) / (x @ x)
    return Sample(labels, a[None], x[None], W, np.zeros(len(a)))


def _features(B: int, C: int) -> int:
    """Return D: not C, which would hide a transposed W, and above B, so that dL/dW tells dL/dA."""
    D = max(B + 1, 4)
    return D if C != D else D + 1
