"""Finds what can be checked in a user's own file, and calls it: a loss and its gradient."""

import contextlib
import inspect
import re
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistlab.errors import InputError, suggest
from mnistlab.plugins import describe, line_in, no_output, run_file, silence

_NAMES = {
    "a": "a z s p o logit logits score scores activation activations preactivation preactivations "
    "y_hat yhat y_pred ypred pred preds prediction predictions predicted output outputs prob probs "
    "probabilities",
    "y": "y t target targets label labels y_true ytrue true one_hot onehot y_onehot y_one_hot "
    "truth ground_truth y_train",
    "W": "w weight weights theta thetas beta coef w1",
    "b": "b bias biases intercept b1",
    "X": "x inputs input features feature images image data x_train",
    "reg": "reg regularization lam lamb lambda lambda_ lmbda lambd lamda l2 weight_decay decay",
}
"""How courses call an argument, by its role; X without weights is what enters a softmax."""

_ROLE_OF = {name: role for role, names in _NAMES.items() for name in names.split()}
_OTHER = ("num", "finite", "check", "approx", "descent", "train", "test", "plot", "update", "step")
_GRADIENT_WORDS = ("grad", "deriv", "backward", "backprop", "prime", "delta", "jacobian")
_LOSS_WORDS = ("loss", "entropy", "xent", "error", "cost", "mse", "nll", "objective")
_LOSS_METHODS = ("loss", "forward", "__call__", "cost", "value", "compute_loss")
_GRADIENT_METHODS = ("gradient", "grad", "backward", "derivative", "gradients", "backprop")


class FaultError(Exception):
    """A user's function did something that no loss or gradient may do; the message says what."""

    judged = True


class CallError(FaultError):
    """A user's function cannot be judged: it raised, perhaps because it was called wrongly."""

    judged = False


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
    call: Callable[..., Any]
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
        for name, given, now in zip(self.parameters, arguments, copies, strict=True):
            if isinstance(given, np.ndarray) and (
                given.shape != now.shape or given.tobytes() != now.tobytes()
            ):
                raise FaultError(
                    f"{self.name} changes {name} in place{self._line_of_change(arguments)}: "
                    f"work on a copy, such as {name} = {name}.copy()"
                )
        return result

    def numbers(self, result: Any) -> NDArray[Any]:
        """Return a result as an array of float or complex; raise CallError if it is none."""
        array = np.array(None)
        with contextlib.suppress(TypeError, ValueError):  # lists of unlike lengths
            array = np.asarray(result)
        if array.dtype.kind not in "fciub":
            hint = "; is a `return` missing?" if result is None else ""
            if isinstance(result, tuple):
                hint = "; return the one thing it is named for, or let one function return both"
            raise CallError(f"{self.name} returns {type(result).__name__}, not numbers{hint}")
        if array.dtype in (np.float16, np.float32, np.complex64):
            return array
        return array.astype(complex if array.dtype.kind == "c" else float)

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
        for one in caught:
            if Path(one.filename) == self.path and "underflow" not in str(one.message):
                return f", line {one.lineno}: {one.message}"
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


def _copies(arguments: Sequence[Any]) -> list[Any]:
    return [value.copy("K") if isinstance(value, np.ndarray) else value for value in arguments]


@dataclass(frozen=True)
class Offer:
    """A loss and its gradient, as a file offers them, called with the same arguments.

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


@dataclass(frozen=True)
class Names:
    """What the options say of the functions: their names, and the names of their arguments."""

    loss: str | None = None
    gradient: str | None = None
    signature: str | None = None

    def roles(self) -> tuple[str, ...]:
        """Return the roles that the signature gives; raise InputError for one that cannot be."""
        if self.signature is None:
            return ()
        given = [word.strip() for word in self.signature.strip("() ").split(",")]
        known = {role.lower(): role for role in _NAMES}
        roles = tuple(known.get(word.lower(), word) for word in given)
        is_known = set(roles) <= set(_NAMES) and len(set(roles)) == len(roles)
        if not is_known or "y" not in roles or ("a" in roles) == ({"W", "X"} <= set(roles)):
            raise InputError(
                f"--signature {self.signature!r} must name y, and either a or both W and X, out of "
                f"{', '.join(_NAMES)}, each once"
            )
        return roles


def read_user_file(path: Path, names: Names) -> list[Offer]:
    """Run a user's file and return what it offers, by the names given or by its own.

    Raises InputError that names the line where the file fails, or lists the functions there are.
    """
    path, roles = path.resolve(), names.roles()
    sys.path.insert(0, str(path.parent))  # files beside it, which its functions import perhaps
    with silence(), no_output():
        module = run_file(path, str(path))
    own = {
        name: value
        for name, value in vars(module).items()
        if callable(value)
        if getattr(value, "__module__", None) == module.__name__
        or name in (names.loss, names.gradient)
    }
    classes = {name: value for name, value in own.items() if isinstance(value, type)}
    functions = {
        name: UserFunction(name, path, value, _parameters(value))
        for name, value in own.items()
        if name not in classes
    }
    found = _pairs(functions, names)
    for name, kind in classes.items():
        if not any(kind in other.__mro__[1:] for other in classes.values()):  # no mere base
            found += _pairs_of_class(path, name, kind, names)
    known = [*functions] + [
        f"{name}.{one}"
        for name, kind in classes.items()
        for one, value in vars(kind).items()
        if isinstance(value, FunctionType | staticmethod | classmethod)
        if one == "__call__" or not one.startswith("__")
    ]
    for given in (names.loss, names.gradient):
        if given not in (None, *classes, *known):
            raise InputError(f"{path}: has no function {given!r}{suggest(str(given), known)}")
    if not found:
        raise unclear(path, known)
    if (softmax := functions.get("softmax")) and len(softmax.parameters) != 1:
        softmax = None
    offers = []
    for pair in found:
        loss, *gradients = (replace(one, roles=_roles(one, roles)) for one in pair)
        if not gradients:  # it returns both
            gradients = [replace(loss, name=f"the gradient of {loss.name}")]
            loss = replace(loss, name=f"the loss of {loss.name}")
        offers.append(Offer(loss, tuple(gradients), softmax, len(pair) == 1))
    return offers


def unclear(path: Path, known: Sequence[str]) -> InputError:
    """Return the error of a file whose functions, `known` by name, cannot be told apart."""
    return InputError(
        f"{path}: which function is the gradient? name it with --gradient, and the loss with "
        f"--loss{suggest('gradient', known) if known else '; it has no functions'}"
    )


def _pairs(functions: Mapping[str, UserFunction], names: Names) -> list[list[UserFunction]]:
    """Return each loss with its gradients, or a function alone that may return both."""
    losses = _named(functions, names.loss, "loss", _is_loss)
    gradients = _named(functions, names.gradient, "gradient", _is_gradient)
    if losses and not gradients and names.gradient is None:
        return [[loss] for loss in losses]
    if len(gradients) == 1 and (losses == gradients or (not losses and names.loss is None)):
        return [gradients]
    if len(losses) == len(gradients) == 1:
        return [[*losses, *gradients]]
    if not losses and not gradients and names == Names(signature=names.signature):
        return [[one] for one in functions.values() if _roles(one, ())]  # such as "propagate"
    related = [[loss, *(one for one in gradients if _stem(one) == _stem(loss))] for loss in losses]
    return [found for found in related if len(found) > 1]


def _pairs_of_class(path: Path, name: str, kind: type, names: Names) -> list[list[UserFunction]]:
    """Return the loss and the gradient among the methods of a class, if it has them."""
    methods = {
        method: _parameters(function, of_method=True)
        for method, function in inspect.getmembers_static(kind)
        if callable(getattr(kind, method, None))
    }

    def chosen(given: str | None, usual: Sequence[str], guess: Callable[[str], bool]) -> list[str]:
        of_class, _, method = (given or name).partition(".")
        wanted = [method] if method else [*usual, *filter(guess, methods)]
        return [one for one in wanted if one in methods] if of_class == name else []

    losses = [one for one in chosen(names.loss, _LOSS_METHODS, _is_loss) if len(methods[one]) > 1]
    gradients = chosen(names.gradient, _GRADIENT_METHODS, _is_gradient)
    if not losses:
        return []
    loss = UserFunction(f"{name}.{losses[0]}", path, _method(kind, losses[0]), methods[losses[0]])
    if not gradients or gradients[0] == losses[0]:
        return [[loss]]
    call = _method(kind, losses[0], gradients[0], _places(loss, methods[gradients[0]]))
    return [[loss, replace(loss, name=f"{name}.{gradients[0]}", call=call)]]


def _places(loss: UserFunction, needed: Sequence[str]) -> list[int | None]:
    """Return which argument of the loss each one of its gradient is, None for one from outside."""
    if len(needed) == len(loss.parameters):
        return list(range(len(needed)))
    known, wanted = (
        [_ROLE_OF.get(name.lower(), name) for name in named] for named in (loss.parameters, needed)
    )
    return [known.index(one) if one in known else None for one in wanted]


def _method(
    kind: type, loss: str, gradient: str | None = None, places: Sequence[int | None] = ()
) -> Callable[..., Any]:
    """Return a function that calls a method of a new object, and then perhaps its gradient.

    That gets those arguments that it wants; 1 stands for a gradient from outside.
    """

    def call(*arguments: Any) -> Any:
        try:
            made = kind()
        except Exception as error:
            raise CallError(
                f"{kind.__name__}() fails: {describe(error)}; it must need no arguments"
            ) from error
        result = getattr(made, loss)(*arguments)
        if gradient is None:
            return result
        return getattr(made, gradient)(*(1.0 if at is None else arguments[at] for at in places))

    return call


def _named(
    functions: Mapping[str, UserFunction],
    name: str | None,
    option: str,
    guess: Callable[[str], bool],
) -> list[UserFunction]:
    """Return the functions that may be the one that an option names."""
    if name is not None or option in functions:
        exact = functions.get(option if name is None else name)
        return [] if exact is None else [exact]
    return [one for known, one in functions.items() if guess(known) and len(one.parameters) > 1]


def _is_gradient(name: str) -> bool:
    low = name.lower()
    is_derived = any(word in low for word in _GRADIENT_WORDS) or low.startswith(("d_", "dloss"))
    return is_derived and not any(word in low for word in _OTHER)


def _is_loss(name: str) -> bool:
    low = name.lower()
    is_other = _is_gradient(name) or any(word in low for word in (*_GRADIENT_WORDS, *_OTHER))
    return not is_other and any(word in low for word in _LOSS_WORDS)


def _stem(function: UserFunction) -> set[str]:
    """Return what a name says but for that it is a loss, or a gradient by some parameter."""
    words = re.sub("([a-z])([A-Z])", r"\1_\2", function.name).lower().split("_")
    plain = {"", "compute", "get", "calc", "function", "func", "d", "wrt", "w", "b", "dw", "db",
             "weights", "bias", "biases"}  # fmt: skip
    kinds = (*_GRADIENT_WORDS, "loss", "error", "cost")
    return {word for word in words if not any(kind in word for kind in kinds)} - plain


def _roles(function: UserFunction, given: tuple[str, ...]) -> tuple[str, ...]:
    """Return the roles of a function's arguments, empty where their names do not tell."""
    if len(given) == len(function.parameters):
        return given
    names = (name.lower().strip("_") for name in function.parameters)
    known = [_ROLE_OF.get(name.removesuffix("_batch")) for name in names]
    if "W" not in known:
        known = ["a" if role == "X" else role for role in known]
    wanted = ("W", "X", "y") if "W" in known else ("a", "y")
    missing = [role for role in wanted if role not in known]
    if len(missing) == 1 and known.count(None) == 1:
        known[known.index(None)] = missing[0]
        missing = []
    roles = tuple(role for role in known if role is not None)
    return roles if not missing and len(set(roles)) == len(known) else ()


def _parameters(function: Callable[..., Any], *, of_method: bool = False) -> tuple[str, ...]:
    """Return the arguments that a function requires, and a penalty that may follow them."""
    try:
        signature = inspect.signature(getattr(function, "__func__", function))
    except (TypeError, ValueError):  # one of C
        return ("a", "y")
    found: list[str] = []
    for name, parameter in signature.parameters.items():
        if parameter.kind not in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            break
        if parameter.default is not parameter.empty and _ROLE_OF.get(name.lower()) != "reg":
            break
        found.append(name)
    bound = of_method and not isinstance(function, staticmethod)
    return tuple(found[1:] if bound else found)
