"""Calls functions from a user's own file; what they do wrong becomes a sentence with its line."""

import contextlib
import inspect
import io
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistlab.errors import InputError, suggest
from mnistlab.plugins import describe, line_in, run_file

Function = Callable[..., Any]


class FaultError(Exception):
    """A user's function did something that no loss or gradient may do; the message says what."""


@dataclass(frozen=True)
class UserFunction:
    """A function of a user's file.

    Attributes:
        columns: whether it wants a batch's samples in columns; it is called with rows all the same.
    """

    name: str
    path: Path
    call: Function
    columns: bool = False

    def __call__(self, *arguments: Any) -> NDArray[Any]:
        """Return the result as an array; the arguments are copied first.

        Raises FaultError for an exception, an argument changed in place, or a result that is
        no array of numbers.
        """
        if self.columns:
            arguments = tuple(_turned(value) for value in arguments)
        copies = [np.copy(value) if isinstance(value, np.ndarray) else value for value in arguments]
        result = self._run(copies)
        for given, now in zip(arguments, copies, strict=True):
            if isinstance(given, np.ndarray) and not np.array_equal(given, now, equal_nan=True):
                raise FaultError(
                    f"{self.name} changes its input in place{self._line_of_change(arguments)}: "
                    "work on a copy, such as a - a.max() instead of a -= a.max()"
                )
        try:
            array = np.asarray(result)
            if array.dtype.kind not in "fciub":
                raise TypeError
        except (TypeError, ValueError):
            kind = type(result).__name__
            hint = "; is a `return` missing?" if result is None else ""
            if isinstance(result, tuple):
                hint = "; return the one thing that it is named for"
            raise FaultError(f"{self.name} returns {kind}, not numbers{hint}") from None
        if array.dtype.kind in "iub" or array.dtype == np.longdouble:
            array = array.astype(float)
        elif array.dtype == np.clongdouble:
            array = array.astype(complex)
        return np.asarray(_turned(array) if self.columns else array)

    def line_of_warning(self, *arguments: Any) -> str:
        """Return ", line N: overflow encountered in exp" for NumPy's first warning, or nothing."""
        copies = [np.copy(value) if isinstance(value, np.ndarray) else value for value in arguments]
        with (
            _silence(),
            warnings.catch_warnings(record=True) as caught,
            np.errstate(all="warn"),
            contextlib.suppress(Exception),
        ):
            warnings.simplefilter("always")
            self.call(*copies)
        for warning in caught:
            if Path(warning.filename) == self.path and "underflow" not in str(warning.message):
                return f", line {warning.lineno}: {warning.message}"
        return ""

    def _run(self, arguments: Sequence[Any]) -> Any:
        try:
            with _silence():
                return self.call(*arguments)
        except (Exception, SystemExit) as error:
            line = line_in(self.path, error)
            raise FaultError(
                f"{self.name} fails{line.replace(',', ' in')}: {describe(error)}"
            ) from (error)

    def _line_of_change(self, arguments: Sequence[Any]) -> str:
        """Return where the input is written to: NumPy refuses that for a read-only array."""
        locked = [np.copy(value) if isinstance(value, np.ndarray) else value for value in arguments]
        for value in locked:
            if isinstance(value, np.ndarray):
                value.flags.writeable = False
        try:
            with _silence():
                self.call(*locked)
        except Exception as error:
            return line_in(self.path, error).replace(",", " in")
        return ""


def _turned(value: Any) -> Any:
    """Return a matrix transposed, and anything else as it is."""
    return value.T if isinstance(value, np.ndarray) and value.ndim == 2 else value


@dataclass(frozen=True)
class UserFile:
    """A user's file with the functions that are to be checked."""

    path: Path
    loss: UserFunction
    gradient: UserFunction
    softmax: UserFunction | None

    def in_columns(self) -> "UserFile":
        """Return the file with functions that want samples in columns."""
        softmax = self.softmax and replace(self.softmax, columns=True)
        return UserFile(
            self.path,
            replace(self.loss, columns=True),
            replace(self.gradient, columns=True),
            softmax,
        )


def read_user_file(path: Path, loss: str | None, gradient: str | None) -> UserFile:
    """Run a user's file and find its functions, by the names given or by their own.

    Raises InputError that names the line where the file fails, or lists the functions there are.
    """
    path = path.resolve()
    sys.path.insert(0, str(path.parent))  # files beside it, which its functions import perhaps
    with _silence(), _no_output():
        module = run_file(path, str(path))
    functions = {
        name: function
        for name, function in vars(module).items()
        if callable(function)
        and not isinstance(function, type)
        and (getattr(function, "__module__", None) == module.__name__ or name in (loss, gradient))
    }

    def find(name: str | None, option: str, guess: Callable[[str], bool]) -> UserFunction:
        if name is None:
            guesses = [known for known in functions if guess(known)]
            guesses = [option] if option in functions else guesses
            if len(guesses) != 1:
                raise InputError(
                    f"{path}: which function is the {option}? name it with --{option}"
                    f"{suggest(option, functions) if functions else '; it has no functions'}"
                )
            name = guesses[0]
        if name not in functions:
            raise InputError(f"{path}: has no function {name!r}{suggest(name, functions)}")
        return UserFunction(name, path, functions[name])

    found_gradient = find(gradient, "gradient", _looks_like_gradient)
    found_loss = find(loss, "loss", _looks_like_loss)
    softmax = functions.get("softmax")
    if softmax is not None and len(_required(softmax)) != 1:
        softmax = None
    return UserFile(
        path,
        found_loss,
        found_gradient,
        None if softmax is None else UserFunction("softmax", path, softmax),
    )


def _looks_like_gradient(name: str) -> bool:
    low = name.lower()
    is_numerical = any(part in low for part in ("num", "finite", "check"))
    return not is_numerical and any(part in low for part in ("grad", "derivative", "backward"))


def _looks_like_loss(name: str) -> bool:
    low = name.lower()
    is_derived = any(part in low for part in ("grad", "derivative", "backward", "num", "check"))
    parts = ("loss", "cross_entropy", "crossentropy", "error", "cost")
    return not is_derived and any(part in low for part in parts)


def _required(function: Function) -> list[str]:
    return [
        name
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.default is parameter.empty
        and parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]


@contextlib.contextmanager
def _no_output() -> Iterator[None]:
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
def _silence() -> Iterator[None]:
    """Keep what a user's code prints off the screen, and its warnings too."""
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        warnings.catch_warnings(),
        np.errstate(all="ignore"),
    ):
        warnings.simplefilter("ignore")
        yield
