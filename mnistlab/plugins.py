"""Runs the Python files of a user, most of which register models, losses, datasets and the like.

Shapes: a new part is tried on 4 samples, 2 configurations, 3 classes, which stand for (B, K, C).
"""

import contextlib
import importlib.util
import io
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import numpy as np

from mnistlab.core import Registry
from mnistlab.core.losses import LOSSES
from mnistlab.core.models import INITIALIZERS, MODELS, ONE_HOT
from mnistlab.core.optimizers import OPTIMIZERS
from mnistlab.core.schedules import SCHEDULES
from mnistlab.errors import InputError

_B, _K, _C = 4, 2, 3
_STACK = (_B, _K, _C)

REGISTRIES: list[Registry[Any]] = [MODELS, LOSSES, OPTIMIZERS, SCHEDULES, INITIALIZERS]
"""The kinds whose parts are tried; a room above this one adds its own where it has one."""


class ContractError(Exception):
    """A part does not do what its kind has to; the message says what."""


def check_part(kind: str, part: Any) -> str | None:
    """Use a part once on a tiny stack; return what is odd about it, None if nothing is.

    Raises ContractError for a class in place of an instance, a missing attribute or a wrong
    shape, and whatever the part itself raises.
    """
    required, attempt = _TRIALS[kind]
    if isinstance(part, type):
        raise ContractError(f"is a class; register an instance: {part.__name__}()")
    for attribute in required:
        if not hasattr(part, attribute):
            raise ContractError(f"has no `{attribute}`")
    if "options" in required:
        _check_options(part.options)
    with np.errstate(all="ignore"):
        return attempt(part)


def _check_options(options: Any) -> None:
    """Raise ContractError unless the options are numbers by names that a config can have."""
    if not isinstance(options, Mapping):
        raise ContractError("must have a mapping as `options`, from names to their usual values")
    for name, usual in options.items():
        if not (isinstance(name, str) and name.isidentifier()):
            raise ContractError(f"has an option {name!r}, which is no name of letters, digits, _")
        if isinstance(usual, bool) or not isinstance(usual, int | float):
            raise ContractError(f"has an option {name!r} whose usual value is no number: {usual!r}")


_STEP = 1e-6  # of the differences that a gradient is held against
_TOLERANCE = 1e-4  # relative to its largest coordinate


def _is_derivative(found: Any, value: Callable[[Any], Any], at: Any) -> bool:
    """Return whether `found` is the derivative of `value`, summed over classes, at `at` (B, K, C).

    Central differences, a class at a time: each sample and configuration has a value of its own.
    """
    expected = np.empty(_STACK)
    for c in range(_C):
        step = np.zeros(_STACK)
        step[..., c] = _STEP
        expected[..., c] = (value(at + step) - value(at - step)) / (2 * _STEP)
    if not np.isfinite(expected).all():
        return True  # where the value itself is not finite, nothing can be said
    return bool(np.abs(found - expected).max() <= _TOLERANCE * max(1.0, np.abs(expected).max()))


_GRADCHECK = "mnistlab gradcheck --all --plugin shows where"


def _try_model(model: Any) -> str | None:
    A = np.linspace(-1, 1, _B * _K * _C).reshape(_STACK)
    answer = model.forward(A.copy())
    if not isinstance(answer, tuple) or len(answer) != 2 or not callable(answer[1]):
        raise ContractError("forward(A) must return the outputs and a function for the way back")
    _expect("forward(A)", answer[0], _STACK)
    way_back = answer[1](np.ones(_STACK))
    _expect("the way back", way_back, _STACK)

    def total(A: Any) -> Any:
        return model.forward(A)[0].sum(axis=-1)

    if _is_derivative(way_back, total, A):
        return None
    return f"its way back is not the derivative of its outputs; {_GRADCHECK}"


def _try_loss(loss: Any) -> str | None:
    outputs = np.linspace(0.1, 0.9, _B * _K * _C).reshape(_STACK)
    targets = ONE_HOT.targets(np.array([0, 1, 2, 0]), _C, np.float64)
    _expect("value(outputs, targets)", loss.value(outputs.copy(), targets), (_B, _K))
    gradient = loss.gradient(outputs, targets)
    _expect("gradient(outputs, targets)", gradient, _STACK)
    if np.shares_memory(gradient, outputs) or np.shares_memory(gradient, targets):
        raise ContractError("gradient(outputs, targets) must return a new array")
    if _is_derivative(gradient, lambda one: loss.value(one, targets), outputs):
        return None
    return f"its gradient is not the derivative of its value; {_GRADCHECK}"


def _try_optimizer(optimizer: Any) -> None:
    parameters = np.ones((5, _K, _C))
    hyper = {name: np.full((_K, 1), float(usual)) for name, usual in optimizer.options.items()}
    hyper["learning_rate"] = np.full((_K, 1), 0.1)
    state = optimizer.init(parameters)
    if not isinstance(state, dict):
        raise ContractError(f"init(parameters) must return a dict of arrays, not {state!r}")
    for name, array in state.items():
        if np.ndim(array) < 2 or np.shape(array)[-2] != _K:
            raise ContractError(
                f"init(parameters) must return arrays with K second to last, here {_K}, and "
                f"{name!r} has the shape {np.shape(array)}"
            )
    step = optimizer.update(np.ones_like(parameters), state, hyper)
    _expect("update(gradient, state, hyper)", step, parameters.shape)
    optimizer.stability(0.0, 0.0)


def _try_schedule(schedule: Any) -> None:
    hyper = {name: np.full(_K, float(usual)) for name, usual in schedule.options.items()}
    _expect("factor(epoch, epochs, hyper)", schedule.factor(0, np.full(_K, 9.0), hyper), (_K,))


def _try_initializer(initializer: Any) -> None:
    weights = initializer.weights(5, _C, 0.1, np.random.default_rng(0))
    _expect("weights(D, C, scale, generator)", weights, (5, _C))


_TRIALS: dict[str, tuple[tuple[str, ...], Callable[[Any], str | None]]] = {
    "model": (("is_linear", "forward"), _try_model),
    "loss": (("curvature", "value", "gradient"), _try_loss),
    "optimizer": (("options", "stability", "init", "update"), _try_optimizer),
    "schedule": (("options", "counts_epochs", "factor"), _try_schedule),
    "init": (("options", "weights"), _try_initializer),
    "feature step": (  # tried on the rows that it is fitted on
        ("options", "is_random", "is_kept", "count", "fit", "apply"),
        lambda _: None,
    ),
}
"""What each kind of part must have, and what tries it."""


def _expect(what: str, array: Any, shape: tuple[int, ...]) -> None:
    letters = {_B: "B", _K: "K", _C: "C", 5: "D"}
    if np.asarray(array).dtype.kind != "f":
        raise ContractError(
            f"{what} must be an array of floating-point numbers, not {np.asarray(array).dtype}"
        )
    if np.shape(array) != shape:
        wanted = ", ".join(letters[length] for length in shape)
        raise ContractError(
            f"{what} must have the shape ({wanted}), here {shape}, and has {np.shape(array)}"
        )


def load_plugins(paths: Sequence[Path]) -> None:
    """Run each file once; it registers what it adds, e.g. `LOSSES.add("mine", Mine())`.

    Only paths that the user typed come here: a config or a run folder never names code. Every
    new part is tried on a tiny example. A file that this process has run already is not run
    again. Raises InputError that names the file, the line where there is one, and the reason.
    """
    for path in dict.fromkeys(path.resolve() for path in paths):
        if path.is_file() and _loaded.get(path) == path.read_bytes():
            continue
        known = {registry.kind: set(registry) for registry in REGISTRIES}
        run_file(path, f"plugin {path}")
        _loaded[path] = path.read_bytes()
        for registry in REGISTRIES:
            for name in [name for name in registry if name not in known.get(registry.kind, ())]:
                _try(path, registry.kind, name, registry[name])


_loaded: dict[Path, bytes] = {}
"""The content of the plugins that this process has run."""


def blame(error: BaseException) -> str | None:
    """Return what to say of an error that comes from a plugin, or can; None where none is loaded.

    What returns another shape or kind than it should fails only where that is used.
    """
    for path in _loaded:
        if line := line_in(path, error):
            return f"plugin {path}{line}: {describe(error)}"
    if not _loaded:
        return None
    names = ", ".join(map(str, _loaded))
    return f"plugin {names}: a part of it returned what it should not: {describe(error)}"


class _AsItStands(SourceFileLoader):
    """Loads a file from its text alone, and leaves no bytecode beside it.

    Python takes bytecode for that of a file with the same size and second of change, so a sign that
    is turned at once would not be seen.
    """

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002
        """Return the code of the text that the file has now."""
        return self.source_to_code(self.get_data(self.path), self.path)


def run_file(path: Path, label: str) -> ModuleType:
    """Run a Python file and return it as a module.

    Raises InputError that opens with `label` and names the line where the file fails.
    """
    if not path.is_file():
        what = "is a folder, not a file" if path.is_dir() else "there is no such file"
        raise InputError(f"{label}: {what}")
    name = f"mnistlab_file_{path.stem}"
    if path.suffix != ".py":
        raise InputError(f"{label}: is no Python file (.py)")
    loader = _AsItStands(name, str(path))
    module = importlib.util.module_from_spec(ModuleSpec(name, loader, origin=str(path)))
    module.__file__ = str(path)
    sys.modules[name] = module
    arguments = sys.argv
    sys.argv = [str(path)]  # ours are not for it to read
    try:
        loader.exec_module(module)
    except SystemExit as error:
        raise InputError(
            f"{label}{line_in(path, error)}: {describe(error)}; what makes a program of the file "
            "belongs below `if __name__ == '__main__':`"
        ) from error
    except Exception as error:
        raise InputError(f"{label}{line_in(path, error)}: {describe(error)}") from error
    finally:
        sys.argv = arguments
    return module


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Keep what a user's code prints off the screen, and its warnings too.

    Where it would end the process at once, it raises SystemExit instead.
    """
    ending, os._exit = os._exit, sys.exit  # type: ignore[assignment]
    try:
        with (
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
            warnings.catch_warnings(),
            np.errstate(all="ignore"),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        os._exit = ending


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


def line_in(path: Path, error: BaseException) -> str:
    """Return ", line N", the last line of the file at `path` that led to `error`, or nothing."""
    if isinstance(error, SyntaxError):
        return f", line {error.lineno}" if error.lineno else ""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if Path(frame.filename) == path]
    return f", line {lines[-1]}" if lines else ""


def describe(error: BaseException) -> str:
    """Return an error as one line: its kind and what it says."""
    text = error.msg if isinstance(error, SyntaxError) else " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _try(path: Path, kind: str, name: str, part: object) -> None:
    where = f"plugin {path}: {kind} {name!r}"
    try:
        if odd := check_part(kind, part):
            sys.stderr.write(f"warning: {where}: {odd}\n")
    except ContractError as error:
        raise InputError(f"{where} {error}") from None
    except Exception as error:
        line = line_in(path, error)
        raise InputError(f"{where} fails{line.replace(',', ' in')}: {describe(error)}") from error
