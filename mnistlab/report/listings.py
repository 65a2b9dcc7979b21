"""Lines of our own code, taken from the source as it is installed, so that none goes stale."""

import ast
import inspect
import re
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mnistlab
from mnistlab.core.losses import SoftmaxCrossEntropy, SquaredError, softmax
from mnistlab.core.models import Sigmoid
from mnistlab.core.objective import Objective, Products, batch_gradient
from mnistlab.core.optimizers import SGD
from mnistlab.core.trainer import Trainer
from mnistlab.gradcheck.differences import central

_PARTS: dict[str, tuple[Callable[..., Any], str, str]] = {
    "squared_error": (SquaredError.gradient, "gradient = outputs", "return gradient"),
    "product": (Products.parameter_gradient, "np.multiply", "np.matmul"),
    "batch": (batch_gradient, "dA =", "gradient = products"),
    "epoch": (Trainer._take_steps, "for rows in shuffled", "parameters -="),
    "outputs": (Products.pre_activations, "for first in range", "A *= factor"),
    "chain_rule": (Objective.gradient, "outputs, pullback", "return pullback"),
    "descent": (SGD.update, "gradient *=", "return gradient"),
    "differences": (central, "steps =", "rough ="),
    "sigmoid": (Sigmoid.forward, "sign =", "return outputs"),
    "softmax": (softmax, "exponentials: Array", "return exponentials"),
    "cross_entropy": (SoftmaxCrossEntropy.value, "shifted =", "return loss"),
    "cross_entropy_gradient": (SoftmaxCrossEntropy.gradient, "return", "return"),
}
"""The listings by name: a function, and a text in its first and its last statement shown."""


def read_listings() -> dict[str, dict[str, str]]:
    """Return the `code` and the `source` (file, lines, function) of each listing by its name.

    Raises ValueError where a function has no such statement.
    """
    return {name: _excerpt(*part) for name, part in _PARTS.items()}


def _excerpt(function: Callable[..., Any], start: str, end: str) -> dict[str, str]:
    lines, first = inspect.getsourcelines(function)
    text = textwrap.dedent("".join(lines))
    opening, closing = _statement(text, start), _statement(text, end)
    from_line, to_line = opening.lineno, closing.end_lineno or closing.lineno
    code = textwrap.dedent("\n".join(text.splitlines()[from_line - 1 : to_line]))
    package = Path(mnistlab.__file__).resolve().parent
    path = Path(inspect.getfile(function)).resolve().relative_to(package.parent)
    numbers = f"line {first + from_line - 1}"
    if to_line > from_line:
        numbers = f"lines {first + from_line - 1} to {first + to_line - 1}"
    source = f"{path.as_posix()}, {numbers}, in {function.__qualname__}"
    return {"code": re.sub(r" *# noqa:.*", "", code), "source": source}


def _statement(text: str, key: str) -> ast.stmt:
    """Return the smallest statement of a function that holds a text."""
    function = ast.parse(text).body[0]
    holding = [
        (len(source), node)
        for node in ast.walk(function)
        if isinstance(node, ast.stmt) and node is not function
        if key in (source := ast.get_source_segment(text, node) or "")
        and not source.startswith(('"', "'"))
    ]
    if not holding:
        raise ValueError(f"{text.splitlines()[0]} has no statement with {key!r}")
    return min(holding, key=lambda pair: pair[0])[1]
