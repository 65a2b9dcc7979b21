"""Finds the loss and the gradient in a user's own file, and calls them in whichever form they have.

Functions are called with `(a, y)`: pre-activations (B, C) or (C,), and labels. One that takes them
the other way round, that returns loss and gradient together, or that takes `(W, X, y)`, weights
(D, C) and features (B, D), is wrapped so that it can be called with these.
"""

import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistlab.errors import InputError, suggest
from mnistlab.gradcheck.functions import (
    CallError,
    FaultError,
    Function,
    UserFunction,
    no_output,
    silence,
)
from mnistlab.plugins import run_file

_WEIGHTS, _FEATURES = ("w", "weight", "theta"), ("x", "input", "feature", "data")
"""How the names of parameters begin that are weights, and those that are features."""


@dataclass(frozen=True)
class UserFile:
    """A user's file with the functions that are to be checked.

    Attributes:
        by_weights: whether they take (W, X, y), and then so many strengths of penalties.
    """

    path: Path
    loss: UserFunction
    gradient: UserFunction
    softmax: UserFunction | None = None
    by_weights: bool = False
    penalties: int = 0

    @property
    def names_label_first(self) -> bool:
        """Whether the name of the loss's first parameter is that of a label."""
        first = self.loss.parameters[0].lower() if self.loss.parameters else ""
        return first == "y" or any(word in first for word in ("true", "label", "target"))

    def in_form(
        self, *, columns: bool = False, label_first: bool = False, penalty: float = 0.0
    ) -> "UserFile":
        """Return the file with functions to be called with (a, y), whatever they take themselves.

        That is samples in columns, the label first, or weights, features, labels and then, as
        often as they want one, the strength of a penalty.
        """
        loss, gradient = self.loss, self.gradient
        if self.by_weights:
            more = (penalty,) * self.penalties
            loss, gradient = (
                replace(one, call=_by_weights(one, more, columns=columns, is_gradient=is_gradient))
                for one, is_gradient in ((loss, False), (gradient, True))
            )
        elif label_first:
            loss, gradient = _turned_round(loss), _turned_round(gradient)
        if not columns:
            return replace(self, loss=loss, gradient=gradient)
        return replace(
            self,
            loss=replace(loss, columns=True),
            gradient=replace(gradient, columns=True),
            softmax=self.softmax and replace(self.softmax, columns=True),
        )


def read_user_file(path: Path, loss: str | None, gradient: str | None) -> list[UserFile]:
    """Run a user's file and find its functions, by the names given or by their own.

    A function that returns loss and gradient counts as both; of those there may be several.
    Raises InputError that names the line where the file fails, or lists the functions there are.
    """
    path = path.resolve()
    sys.path.insert(0, str(path.parent))  # files beside it, which its functions import perhaps
    with silence(), no_output():
        module = run_file(path, str(path))
    functions = {
        name: function
        for name, function in vars(module).items()
        if callable(function)
        and not isinstance(function, type)
        and (getattr(function, "__module__", None) == module.__name__ or name in (loss, gradient))
    }
    gradients = _named(path, functions, gradient, "gradient", _looks_like_gradient)
    losses = _named(path, functions, loss, "loss", _looks_like_loss)
    softmax = _function(path, "softmax", functions) if "softmax" in functions else None
    softmax = softmax if softmax and len(softmax.parameters) == 1 else None
    if not gradients and losses:
        pairs = losses
    elif not losses and len(gradients) == 1:
        pairs = gradients
    elif losses == gradients and len(losses) == 1:
        pairs = losses
    else:
        for option, names in (("gradient", gradients), ("loss", losses)):
            if len(names) != 1:
                raise InputError(
                    f"{path}: which function is the {option}? name it with --{option}"
                    f"{suggest(option, functions) if functions else '; it has no functions'}"
                )
        parts = _function(path, losses[0], functions), _function(path, gradients[0], functions)
        return [_completed(UserFile(path, *parts, softmax))]
    return [
        _completed(
            UserFile(
                path,
                _part(_function(path, name, functions), 0),
                _part(_function(path, name, functions), 1),
                softmax,
            )
        )
        for name in pairs
    ]


def _named(
    path: Path,
    functions: Mapping[str, Function],
    name: str | None,
    option: str,
    guess: Callable[[str], bool],
) -> list[str]:
    """Return the names of the functions that may be the one that an option names."""
    if name is None:
        return [option] if option in functions else [known for known in functions if guess(known)]
    if name not in functions:
        raise InputError(f"{path}: has no function {name!r}{suggest(name, functions)}")
    return [name]


def _function(path: Path, name: str, functions: Mapping[str, Function]) -> UserFunction:
    function = functions[name]
    return UserFunction(name, path, function, parameters=_required(function))


def _completed(file: UserFile) -> UserFile:
    """Return the file, its functions wrapped if they take (W, X, y)."""
    names = [name.lower() for name in file.gradient.parameters]
    by_weights = (
        len(names) >= 3 and names[0].startswith(_WEIGHTS) and names[1].startswith(_FEATURES)
    )
    if not by_weights:
        return file
    return replace(file, by_weights=True, penalties=len(names) - 3)


def _turned_round(function: UserFunction) -> UserFunction:
    call = function.call
    return replace(
        function, call=lambda a, y: call(y, a), parameters=tuple(reversed(function.parameters))
    )


def _part(function: UserFunction, at: int) -> UserFunction:
    """Return a function that gives back the loss (0) or the gradient (1) of one with both."""
    call = function.call

    def part(*arguments: Any) -> Any:
        both = call(*arguments)
        if not isinstance(both, tuple | list) or len(both) != 2:
            raise CallError(
                f"{function.name} returns {type(both).__name__}; where there is no function for "
                "the gradient it must return (loss, gradient), or name one with --gradient"
            )
        return both[at]

    return replace(function, name=f"the {('loss', 'gradient')[at]} of {function.name}", call=part)


def _by_weights(
    function: UserFunction, more: tuple[float, ...], *, columns: bool, is_gradient: bool
) -> Function:
    """Return a function of (a, y) for one of (W, X, y).

    With a square X, W = X^-1 a has the pre-activations X W = a, and a gradient G by W is X^-T G by
    them: that of the chain rule, dL/dW = X^T dL/da.
    """
    call = function.call

    def turned(matrix: Any) -> Any:
        return np.transpose(matrix) if columns else matrix

    def wrapped(a: NDArray[Any], y: Any) -> Any:
        if a.ndim != 2:
            raise CallError(f"{function.name} takes weights and features, so a batch")
        a, side = turned(a), a.shape[1 if columns else 0]
        X = np.eye(side) + np.random.default_rng(0).uniform(-0.2, 0.2, (side, side))
        W = np.linalg.solve(X, a)
        result = call(turned(W).copy(), turned(X).copy(), y, *more)
        if not is_gradient:
            return result
        if np.shape(result) != np.shape(turned(W)):
            raise FaultError(
                f"{function.name} gives a gradient of shape {np.shape(result)} for weights of "
                f"shape {np.shape(turned(W))}"
            )
        return turned(np.linalg.solve(X.T, turned(np.asarray(result))))

    return wrapped


def _looks_like_gradient(name: str) -> bool:
    low = name.lower()
    is_numerical = any(part in low for part in ("num", "finite", "check"))
    return not is_numerical and any(part in low for part in ("grad", "derivative", "backward"))


def _looks_like_loss(name: str) -> bool:
    low = name.lower()
    is_derived = any(part in low for part in ("grad", "derivative", "backward", "num", "check"))
    parts = ("loss", "cross_entropy", "crossentropy", "error", "cost")
    return not is_derived and any(part in low for part in parts)


def _required(function: Function) -> tuple[str, ...]:
    return tuple(
        name
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.default is parameter.empty
        and parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    )
