"""Calls functions from a user's own file; what they do wrong becomes a sentence with its line."""

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

from mnistlab.plugins import describe, line_in

Function = Callable[..., Any]


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
            if isinstance(given, np.ndarray) and not _is_same(given, now):
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
            if array.dtype.kind not in "fciub":
                raise TypeError
        except (TypeError, ValueError):
            kind = type(result).__name__
            hint = "; is a `return` missing?" if result is None else ""
            if isinstance(result, tuple):
                hint = (
                    "; return the one thing that it is named for, or let one function return both"
                )
            raise CallError(f"{self.name} returns {kind}, not numbers{hint}") from None
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
                value.flags.writeable = False
        try:
            with silence():
                self.call(*locked)
        except Exception as error:
            return line_in(self.path, error).replace(",", " in")
        return ""


def _copies(arguments: Sequence[Any]) -> list[Any]:
    return [value.copy("K") if isinstance(value, np.ndarray) else value for value in arguments]


def _is_same(given: NDArray[Any], now: NDArray[Any]) -> bool:
    """Whether an array is still what was given; bytes are compared first, which is fastest."""
    is_same = given.shape == now.shape and given.tobytes() == now.tobytes()
    return is_same or np.array_equal(given, now, equal_nan=True)


def unit_of(array: NDArray[Any]) -> float:
    """Return the unit of rounding of the numbers in an array."""
    return float(np.finfo(array.dtype if array.dtype.kind == "f" else np.float64).eps)


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
