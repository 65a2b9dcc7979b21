"""Hands every file of benchmarks/gradients to one checker, and prints what that says of each.

PyTorch and JAX get the functions of a file as an operation with a derivative of its own, at three
random points in float64, with the settings that their checkers have.

Shapes: B batch, D features, C classes.
"""

import csv
import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

FILES = Path(__file__).parents[1] / "gradients"
B, D, C = 5, 7, 10
POINTS = 3
"""Random points of a file; `mnistlab gradcheck` takes as many."""

Array = np.ndarray


class Given(NamedTuple):
    """The functions of a file at a point, and the arrays by which it has a gradient there."""

    value: Callable[[tuple[Array, ...]], float]
    gradient: Callable[[tuple[Array, ...]], tuple[Array, ...]]
    at: tuple[Array, ...]


def main(who: str, seed: int) -> None:
    """Print {file: {"verdict": ..., "diagnosis": ...}} as JSON."""
    print(json.dumps(CHECKERS[who](seed)))


def by_mnistlab(seed: int) -> dict[str, dict[str, str]]:
    """Return the verdicts of `mnistlab gradcheck --target`, whose exit code is 1 as some are wrong.

    A folder is checked as each of its files would be, in a process of its own.
    """
    command = ["-m", "mnistlab", "gradcheck", "--target", str(FILES), "--seed", str(seed), "--json"]
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)
    targets = json.loads(done.stdout)["targets"]
    return {
        Path(one["file"]).stem: {key: one[key] for key in ("verdict", "diagnosis")}
        for one in targets
    }


def by_torch(seed: int) -> dict[str, dict[str, str]]:
    """Return the verdicts of torch.autograd.gradcheck."""
    import torch  # noqa: PLC0415 - only this one needs it

    def check(given: Given) -> None:
        class Operation(torch.autograd.Function):
            @staticmethod
            def forward(context: Any, *x: torch.Tensor) -> torch.Tensor:
                context.save_for_backward(*x)
                return torch.tensor(given.value(tuple(map(_copy, x))), dtype=torch.float64)

            @staticmethod
            def backward(context: Any, by_loss: torch.Tensor) -> Any:
                found = given.gradient(tuple(map(_copy, context.saved_tensors)))
                return tuple(by_loss * torch.from_numpy(one) for one in found)

        at = tuple(torch.tensor(one, requires_grad=True) for one in given.at)
        torch.autograd.gradcheck(Operation.apply, at)

    return _check_all(check, seed)


def by_jax(seed: int) -> dict[str, dict[str, str]]:
    """Return the verdicts of jax.test_util.check_grads."""
    import jax  # noqa: PLC0415 - only this one needs it
    from jax.test_util import check_grads  # noqa: PLC0415

    jax.config.update("jax_enable_x64", True)

    def check(given: Given) -> None:
        shapes = tuple(jax.ShapeDtypeStruct(one.shape, one.dtype) for one in given.at)

        @jax.custom_vjp
        def operation(*x: Any) -> Any:
            number = jax.ShapeDtypeStruct((), np.float64)
            return jax.pure_callback(
                lambda *x: np.float64(given.value(tuple(map(_copy, x)))), number, *x
            )

        def backward(x: Any, by_loss: Any) -> Any:
            found = jax.pure_callback(lambda *x: given.gradient(tuple(map(_copy, x))), shapes, *x)
            return tuple(by_loss * one for one in found)

        operation.defvjp(lambda *x: (operation(*x), x), backward)
        check_grads(operation, given.at, order=1, modes=["rev"])

    return _check_all(check, seed)


CHECKERS = {"mnistlab": by_mnistlab, "torch": by_torch, "jax": by_jax}


def read_table() -> list[dict[str, str]]:
    """Return the rows of files.csv."""
    with (FILES / "files.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def points(row: dict[str, str], seed: int) -> Iterator[Given]:
    """Yield the functions of a file at random points."""
    loss, gradient = functions(FILES / f"{row['file']}.py")
    generator = np.random.default_rng(seed)
    for _ in range(POINTS):
        yield given(loss, gradient, arguments(row["takes"], generator))


def given(
    loss: Callable[..., Any], gradient: Callable[..., Any], arguments: dict[str, Any]
) -> Given:
    """Return functions of all arguments as functions of those by which there is a gradient."""
    by = [name for name in arguments if name in ("a", "A", "W", "b", "theta")]

    def with_(x: tuple[Array, ...]) -> list[Any]:
        return list({**arguments, **dict(zip(by, x, strict=True))}.values())

    def gradients(x: tuple[Array, ...]) -> tuple[Array, ...]:
        found = gradient(*with_(x))
        found = found if isinstance(found, tuple) else (found,)
        return tuple(np.asarray(one, np.float64) for one in found)

    return Given(lambda x: float(loss(*with_(x))), gradients, tuple(arguments[one] for one in by))


def functions(path: Path) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return the loss and the gradient of a file, however they are offered."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if hasattr(module, "loss_and_gradient"):
        both = module.loss_and_gradient
        return lambda *x: both(*x)[0], lambda *x: both(*x)[1]
    if hasattr(module, "CrossEntropy"):
        return lambda *x: module.CrossEntropy().forward(*x), lambda *x: _backward(module, *x)
    return module.loss, module.gradient


def _backward(module: Any, *x: Any) -> Any:
    layer = module.CrossEntropy()
    layer.forward(*x)
    return layer.backward()


def arguments(takes: str, generator: np.random.Generator) -> dict[str, Any]:
    """Return random arguments by their names, as a row's `takes` lists them."""
    words = takes.split()
    is_batch, is_binary = not {"a"} & set(words), "theta" in words and "packed" not in words
    labels = generator.integers(2 if is_binary else C, size=B if is_batch else 1)
    hot = np.eye(C)[labels]
    size = (D + 1) * C if "packed" in words else D
    found = {
        "a": generator.normal(size=C),
        "A": generator.normal(size=(B, C)),
        "X": generator.normal(size=(B, D)),
        "W": generator.normal(size=(D, C)),
        "b": generator.normal(size=C),
        "theta": generator.normal(size=size),
        "y": (labels.astype(float) if is_binary else labels) if is_batch else int(labels[0]),
        "t": hot[0],
        "T": hot,
        "reg": 0.1,
    }
    if "columns" in words:
        found |= {"A": found["A"].T.copy(), "T": hot.T.copy()}
    return {word: found[word] for word in words if word in found}


def _check_all(check: Callable[[Given], None], seed: int) -> dict[str, dict[str, str]]:
    """Return right for a file that passes at all points, wrong with the message else."""
    verdicts = {}
    for row in read_table():
        verdicts[row["file"]] = {"verdict": "right", "diagnosis": ""}
        try:
            for one in points(row, seed):
                check(one)
        except Exception as error:  # each checker has its own
            verdicts[row["file"]] = {"verdict": "wrong", "diagnosis": str(error)[:2000]}
    return verdicts


def _copy(x: Any) -> Array:
    """Return an array of one's own: a function may write into it."""
    return np.array(x.numpy(force=True) if hasattr(x, "numpy") else x)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
