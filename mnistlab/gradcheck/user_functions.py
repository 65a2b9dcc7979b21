"""Calls functions of a user's own file in one form: as a loss and a gradient of given arguments.

What they do wrong becomes a sentence with its line.
"""

import contextlib
import io
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistlab.gradcheck.courses import Known
from mnistlab.gradcheck.forms import Arguments, Form, Sample
from mnistlab.plugins import describe, line_in

Function = Callable[..., Any]

Array = NDArray[Any]

_EXAMPLES = {2: "y, a", 3: "W, X, y", 4: "W, b, X, y", 5: "W, b, X, y, reg"}
"""A signature for so many arguments."""


class FaultError(Exception):
    """A user's function did something that no loss or gradient may do; the message says what."""


class CallError(FaultError):
    """A user's function cannot be judged: it raised, perhaps because it was called wrongly."""


@dataclass(frozen=True)
class UserFunction:
    """A function of a user's file.

    Attributes:
        parameters: what it calls its arguments.
        roles: what each of them is, by its name: "a", "y", "W", "b", "X" or "reg"; empty where
            the names do not tell.
    """

    name: str
    path: Path
    call: Function
    parameters: tuple[str, ...] = ("a", "y")
    roles: tuple[str, ...] = ()

    def __call__(self, *arguments: Any) -> Any:
        """Return whatever comes back; the arguments are copied first.

        Raises FaultError for an argument changed in place, CallError for an exception.
        """
        copies = _copies(arguments)
        try:
            with silence():
                result = self.call(*copies)
        except FaultError:
            raise
        except (Exception, SystemExit) as error:
            line = line_in(self.path, error).replace(",", " in")
            raise CallError(f"{self.name} fails{line}: {describe(error)}") from error
        for at, (given, now) in enumerate(zip(arguments, copies, strict=True)):
            if isinstance(given, np.ndarray) and (
                given.shape != now.shape or given.tobytes() != now.tobytes()
            ):
                name = self.parameters[at]
                raise FaultError(
                    f"{self.name} changes {name} in place{self._line_of_change(arguments)}: "
                    f"work on a copy, such as {name} = {name}.copy()"
                )
        return result

    def numbers(self, result: Any) -> NDArray[Any]:
        """Return a result as an array of float or complex; raise CallError if it is none."""
        try:
            array = np.asarray(result)
        except (TypeError, ValueError):  # lists of unlike lengths
            array = np.array(None)
        if array.dtype.kind not in "fciub":
            hint = "; is a `return` missing?" if result is None else ""
            if isinstance(result, tuple):
                hint = (
                    "; return the one thing that it is named for, or let one function return both"
                )
            raise CallError(f"{self.name} returns {type(result).__name__}, not numbers{hint}")
        if array.dtype.kind in "iub" or array.dtype == np.longdouble:
            return array.astype(float)
        return array.astype(complex) if array.dtype == np.clongdouble else array

    def line_of_warning(self, *arguments: Any) -> str:
        """Return ", line N: overflow encountered in exp" for NumPy's first warning, or nothing."""
        with (
            silence(),
            warnings.catch_warnings(record=True) as caught,
            np.errstate(all="warn"),
            contextlib.suppress(Exception),
        ):
            warnings.simplefilter("always")
            self.call(*_copies(arguments))
        for warning in caught:
            if Path(warning.filename) == self.path and "underflow" not in str(warning.message):
                return f", line {warning.lineno}: {warning.message}"
        return ""

    def _line_of_change(self, arguments: Sequence[Any]) -> str:
        """Return where the input is written to: NumPy refuses that for a read-only array."""
        locked = _copies(arguments)
        for value in locked:
            if isinstance(value, np.ndarray):
                value.setflags(write=False)
        try:
            with silence():
                self.call(*locked)
        except Exception as error:
            return line_in(self.path, error).replace(",", " in")
        return ""


@dataclass(frozen=True)
class Offer:
    """A loss and its gradient, as a file offers them.

    Attributes:
        gradients: the functions that together return the gradient, one for each parameter perhaps.
        returns_both: whether it is one function that returns loss and gradient together.
    """

    loss: UserFunction
    gradients: tuple[UserFunction, ...]
    softmax: UserFunction | None
    returns_both: bool

    @property
    def told(self) -> tuple[str, ...]:
        """Return the roles of the arguments as their names, or the user, tell them, if they do."""
        return next((one.roles for one in (self.loss, *self.gradients) if one.roles), ())

    def argument(self, role: str) -> str:
        """Return what the loss calls the argument of a role, "" where that is not known."""
        return dict(zip(self.told, self.loss.parameters, strict=False)).get(role, "")

    @property
    def gradient_name(self) -> str:
        """Return the names of the functions for the gradient, as sentences have them."""
        return " with ".join(one.name for one in self.gradients)


def _copies(arguments: Sequence[Any]) -> list[Any]:
    return [value.copy("K") if isinstance(value, np.ndarray) else value for value in arguments]


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


@contextlib.contextmanager
def no_output() -> Iterator[None]:
    """Send to stderr what is written past Python's own stdout, by a subprocess say."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Keep what a user's code prints off the screen, and its warnings too."""
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        warnings.catch_warnings(),
        np.errstate(all="ignore"),
    ):
        warnings.simplefilter("ignore")
        yield


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

    def gradient(self, arguments: Arguments, coordinates: str) -> Array:
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
