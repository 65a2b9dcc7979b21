"""Finds in a user's own file what can be checked: functions or classes for a loss and its gradient.

Whatever a file offers becomes an `Offer`: one function for the loss and one or several for the
gradient, which are called with the same arguments.
"""

import inspect
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import FunctionType
from typing import Any

from mnistlab.errors import InputError, suggest
from mnistlab.gradcheck.forms import ROLES
from mnistlab.gradcheck.user_functions import (
    CallError,
    Function,
    Offer,
    UserFunction,
    no_output,
    silence,
)
from mnistlab.plugins import describe, run_file

_NAMES = {
    "y": "y t target targets label labels y_true ytrue true one_hot onehot y_onehot y_one_hot "
    "truth ground_truth y_train",
    "a": "a z s p o logit logits score scores activation activations preactivation preactivations "
    "y_hat yhat y_pred ypred pred preds prediction predictions predicted output outputs prob probs "
    "probabilities",
    "W": "w weight weights theta thetas beta coef w1",
    "b": "b bias biases intercept b1",
    "X": "x inputs input features feature images image data x_train",
    "reg": "reg regularization lam lamb lambda lambda_ lmbda lambd lamda l2 weight_decay decay",
}
"""How courses call an argument, in lower case; X without weights is what enters a softmax."""

_ROLE_OF = {name: role for role, names in _NAMES.items() for name in names.split()}
_OTHER = ("num", "finite", "check", "approx", "descent", "train", "test", "plot", "update", "step")
_GRADIENT_WORDS = ("grad", "deriv", "backward", "backprop", "prime", "delta", "jacobian")
_LOSS_WORDS = ("loss", "entropy", "xent", "error", "cost", "mse", "nll", "objective")
_LOSS_METHODS = ("loss", "forward", "__call__", "cost", "value", "compute_loss")
_GRADIENT_METHODS = ("gradient", "grad", "backward", "derivative", "gradients", "backprop")


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
        known = {role.lower(): role for role in ROLES}
        roles = tuple(known.get(word.lower(), word) for word in given)
        is_known = set(roles) <= set(ROLES) and len(set(roles)) == len(roles)
        if not is_known or "y" not in roles or ("a" in roles) == ({"W", "X"} <= set(roles)):
            raise InputError(
                f"--signature {self.signature!r} must name y, and either a or both W and X, out of "
                f"{', '.join(ROLES)}, each once"
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
    softmax = functions.get("softmax")
    softmax = softmax if softmax and len(softmax.parameters) == 1 else None
    offers = []
    for pair in found:
        loss, *gradients = (replace(one, roles=_roles(one, roles)) for one in pair)
        if not gradients:  # it returns both
            name = loss.name
            loss, *gradients = (
                replace(loss, name=f"the {part} of {name}") for part in ("loss", "gradient")
            )
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
) -> Function:
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
    if name is not None:
        return [functions[name]] if name in functions else []
    if option in functions:
        return [functions[option]]
    return [one for known, one in functions.items() if guess(known) and len(one.parameters) > 1]


def _is_gradient(name: str) -> bool:
    low = name.lower()
    is_derived = any(word in low for word in _GRADIENT_WORDS) or low.startswith(("d_", "dloss"))
    return is_derived and not any(word in low for word in _OTHER)


def _is_loss(name: str) -> bool:
    low, words = name.lower(), (*_GRADIENT_WORDS, *_OTHER)
    is_loss = any(word in low for word in _LOSS_WORDS) and not _is_gradient(name)
    return is_loss and not any(word in low for word in words)


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
    known = [_ROLE_OF.get(name.lower().strip("_").removesuffix("_batch"))
             for name in function.parameters]  # fmt: skip
    if "W" not in known:
        known = ["a" if role == "X" else role for role in known]
    wanted = ("W", "X", "y") if "W" in known else ("a", "y")
    missing = [role for role in wanted if role not in known]
    if len(missing) == 1 and known.count(None) == 1:
        known[known.index(None)] = missing[0]
        missing = []
    roles = tuple(role for role in known if role is not None)
    return roles if not missing and len(set(roles)) == len(known) else ()


def _parameters(function: Function, *, of_method: bool = False) -> tuple[str, ...]:
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
