"""The forms in which a user's loss and gradient may be called, and what they return in one.

Shapes: B batch, D features, C classes. A sample is kept in rows: pre-activations A (B, C), or
features X (B, D), weights W (D, C) and biases b (C,), with A = X W + b. A form lays it out as the
functions want it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistlab.core.losses import softmax
from mnistlab.gradcheck.check import Options
from mnistlab.gradcheck.differences import Floats
from mnistlab.gradcheck.mistakes import Known
from mnistlab.gradcheck.user_file import CallError, FaultError, Offer, UserFunction

Labels = NDArray[np.integer]
Arguments = dict[str, Any]
"""What a function takes, by role: "a" and "y", or "W", "b", "X", "y" and "reg"."""

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

_EXAMPLES = {2: "y, a", 3: "W, X, y", 4: "W, b, X, y", 5: "W, b, X, y, reg"}
"""A signature for so many arguments."""


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


@dataclass(frozen=True)
class Reading:
    """A loss and its gradient, and the form in which they are called.

    Attributes:
        known: the loss of a course that it is a multiple of.
        is_usual: whether a course would write that multiple.
    """

    offer: Offer
    form: Form
    known: Known | None = None
    is_usual: bool = False

    def coordinates(self, arguments: Arguments) -> list[str]:
        """Return by what the gradient is: "a", or "W" and, where it comes with it, "b"."""
        if not self.form.by_weights:
            return ["a"]
        found = self._gradients(arguments)
        has = {role: len(found) > 1 or _fitting(found, arguments[role].shape) is not None
               for role in "Wb"}  # fmt: skip
        by_biases = has["b"] and "b" in self.form.order
        return [*(["W"] if has["W"] or not by_biases else []), *(["b"] if by_biases else [])]

    def loss(self, arguments: Arguments) -> Any:
        """Return the loss as a number, summed where it comes sample by sample."""
        result, rows = self._call(self.offer.loss, arguments), self._rows(arguments)
        if self.offer.returns_both:
            result = self._both(result, rows)[0]
        found = self.offer.loss.numbers(result)
        if found.size not in {1, rows} or found.ndim > 2:
            wanted = f"one number, or {rows} for {rows} samples" if rows > 1 else "one number"
            name = self.offer.loss.name
            raise CallError(f"{name} returns an array of shape {found.shape}; a loss is {wanted}")
        return found.sum()

    def loss_or_nan(self, arguments: Arguments, *, is_complex: bool) -> Any:
        """Return the loss nearby, NaN where it fails: that is for the differences to see."""
        try:
            value = self.loss(arguments)
        except FaultError as error:
            if is_complex:
                raise TypeError from error
            return np.nan
        if is_complex and not np.iscomplexobj(value):
            raise TypeError("the function drops imaginary parts")
        return value

    def gradient(self, arguments: Arguments, coordinates: str) -> NDArray[Any]:
        """Return the gradient by some coordinates, in their shape.

        A transposed one comes back with its numbers in its own order. Raises FaultError for any
        other shape, CallError for that of the features.
        """
        name, shape = self.offer.gradient_name, arguments[coordinates].shape
        found = self._gradients(arguments)
        part = _fitting(found, shape)
        if part is None:
            shapes, words = ", ".join(str(one.shape) for one in found), self.form.words(coordinates)
            what = (
                f"{name} returns shape {shapes} for {words} of shape {shape}; a gradient has one "
            )
            what += "entry for each"
            if found[0].shape == ():
                why = "it is one number, but there is one derivative for each pre-activation"
                raise FaultError(f"{what}: {why}")
            if self.form.by_weights and _fitting(found, arguments["X"].shape) is not None:
                why = "the shape is that of X, a gradient by which is not judged"
                raise CallError(f"{what}; {why}")
            raise FaultError(what)
        if np.iscomplexobj(part):
            raise FaultError(f"{name} returns complex numbers for real ones")
        return np.ascontiguousarray(part).reshape(shape)

    def value(self, sample: Sample) -> float:
        """Return the loss of a sample as a real number."""
        return float(np.real(self.loss(self.form.arguments(sample))))

    def share(self, sample: Sample) -> float:
        """Return what one sample counts in the loss of a batch: 1/B for a mean, else 1."""
        B = len(sample.labels)
        if not self.form.batch or B == 1:
            return 1.0
        whole = self.value(sample)
        try:
            doubled = self.value(sample.rows([*range(B), *range(B)]))
        except FaultError:
            return 1.0
        return 1 / B if np.isclose(whole, doubled) and not np.isclose(whole, 0) else 1.0

    def _gradients(self, arguments: Arguments) -> list[NDArray[Any]]:
        """Return the arrays that the functions for the gradient return together."""
        if self.offer.returns_both:
            given = self._both(self._call(self.offer.loss, arguments), self._rows(arguments))[1:]
            return [self.offer.loss.numbers(part) for part in given]
        return [
            function.numbers(part)
            for function in self.offer.gradients
            for part in parts(self._call(function, arguments))
        ]

    def _both(self, result: Any, rows: int) -> list[Any]:
        """Return the loss, then the gradients, out of what one function returns."""
        result = tuple(result.values()) if isinstance(result, Mapping) else result
        given = [*result] if isinstance(result, tuple | list) else []
        losses = [
            at
            for at, part in enumerate(given)
            if not isinstance(part, Mapping | tuple) and np.size(part) in {1, rows}
        ]
        if len(given) < 2 or not losses:
            raise CallError(
                f"{self.offer.gradient_name} is missing: where there is no function for it, the "
                f"loss must return (loss, gradient), not {type(result).__name__}; or name one "
                "with --gradient"
            )
        return [given.pop(losses[0]), *parts(tuple(given))]

    def _call(self, function: UserFunction, arguments: Arguments) -> Any:
        return function(*self.ordered(function, arguments))

    def ordered(self, function: UserFunction, arguments: Arguments) -> list[Any]:
        """Return the arguments in a function's order; raise CallError if it takes others."""
        roles = function.roles or self.form.order
        count = len(function.parameters)
        if len(roles) != count or not set(roles) <= set(arguments):
            example = _EXAMPLES.get(count)
            hint = f'; say what they are, such as --signature "{example}"' if example else ""
            raise CallError(f"{function.name} takes ({', '.join(function.parameters)}){hint}")
        given = {role: arguments[role] for role in roles}
        if "a" in given:
            given["a"] = self.form.given(given["a"], to_loss=function is self.offer.loss)
        return list(given.values())

    def _rows(self, arguments: Arguments) -> int:
        """Return B."""
        if not self.form.batch:
            return 1
        given = arguments["X" if self.form.by_weights else "a"]
        return int(given.shape[1 if self.form.columns else 0])


def _fitting(found: list[NDArray[Any]], shape: tuple[int, ...]) -> NDArray[Any] | None:
    """Return the array with a shape, a column or a row for a vector, or one that is transposed."""
    plain = tuple(n for n in shape if n > 1)
    for is_fit in (
        lambda part: part.shape == shape,
        lambda part: tuple(n for n in part.shape if n > 1) == plain,
        lambda part: part.shape == shape[::-1],
    ):
        fitting = [part for part in found if is_fit(part)]
        if fitting:
            return fitting[-1]
    return None


def parts(result: Any) -> list[Any]:
    """Return what is in a tuple, in a dict or in a list of unlike things; else the one thing."""
    if isinstance(result, Mapping):
        result = tuple(result.values())
    elif isinstance(result, list):
        try:
            np.asarray(result, float)
        except (TypeError, ValueError):
            result = tuple(result)
    if isinstance(result, tuple):
        return [part for each in result for part in parts(each)]
    return [result]
