"""Calls what a file offers in one form, as a loss and a gradient of arguments by their roles."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistlab.gradcheck.forms import Arguments, Form, Sample
from mnistlab.gradcheck.references import Known
from mnistlab.gradcheck.user_file import Offer
from mnistlab.gradcheck.user_function import CallError, FaultError, UserFunction, parts

Array = NDArray[Any]

_EXAMPLES = {2: "y, a", 3: "W, X, y", 4: "W, b, X, y", 5: "W, b, X, y, reg"}
"""A signature for so many arguments."""


@dataclass(frozen=True)
class Reading:
    """A loss and its gradient, and the form in which they are called.

    Attributes:
        known: the loss of a course that it is a multiple of.
    """

    offer: Offer
    form: Form
    known: Known | None = None

    def coordinates(self, arguments: Arguments) -> list[str]:
        """Return by what the gradient is: "a", or "W" and, where it comes with it, "b"."""
        if not self.form.by_weights:
            return ["a"]
        found = self._gradients(arguments)
        has_weights, has_biases = (
            _fitting(found, arguments[role].shape) is not None for role in ("W", "b")
        )
        has_biases = "b" in self.form.order and (has_biases or len(found) > 1)
        has_weights = has_weights or not has_biases or len(found) > 1
        return ["W"] * has_weights + ["b"] * has_biases

    def loss(self, arguments: Arguments) -> Any:
        """Return the loss as a number, summed where it comes sample by sample."""
        result = self._call(self.offer.loss, arguments)
        rows = self._rows(arguments)
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

    def gradient(self, arguments: Arguments, coordinates: str) -> Array:
        """Return the gradient by some coordinates, in their shape.

        A transposed one comes back with its numbers in its own order. Raises FaultError for any
        other shape, CallError for that of the features.
        """
        name, shape = self.offer.gradient_name, arguments[coordinates].shape
        found = self._gradients(arguments)
        part = _fitting(found, shape)
        if part is None:
            hint, error = "", FaultError
            if found[0].shape == ():
                hint = ": it is one number, but there is one derivative for each pre-activation"
            elif self.form.by_weights and _fitting(found, arguments["X"].shape) is not None:
                hint, error = (
                    "; the shape is that of X, a gradient by which is not judged",
                    CallError,
                )
            raise error(
                f"{name} returns shape {', '.join(str(one.shape) for one in found)} for "
                f"{self.form.words(coordinates)} of shape {shape}; a gradient has one entry for "
                f"each{hint}"
            )
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

    def line_of_warning(self, function: UserFunction, arguments: Arguments) -> str:
        """Return where NumPy warns in a call of the loss or of a gradient, or nothing."""
        return function.line_of_warning(*self._ordered(function, arguments))

    def _gradients(self, arguments: Arguments) -> list[Array]:
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
        given = list(result.values() if isinstance(result, Mapping) else result
                     if isinstance(result, tuple | list) else ())  # fmt: skip
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
        return function(*self._ordered(function, arguments))

    def _ordered(self, function: UserFunction, arguments: Arguments) -> list[Any]:
        """Return the arguments in a function's order; raise CallError if it takes others."""
        order = self.form.order
        roles = function.roles or order
        if function.roles and not self.form.by_weights and order != self.offer.order:
            roles = roles[::-1]
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


def _fitting(found: list[Array], shape: tuple[int, ...]) -> Array | None:
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
