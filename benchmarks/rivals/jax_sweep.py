"""JAX trains all learning rates of a sweep at once, compiled, in one of two formulations.

`vmap` is one configuration's step, mapped over the configurations, as its documentation writes
it; `fused` writes their weights side by side, so that a step is two matrix products.

Shapes: N images, B batch, D pixels, K configurations, C classes. Weights and biases are
(K, D, C) and (K, C) for `vmap`, (D, K C) and (K C,) for `fused`.
"""

# ruff: noqa: E402 - the clock starts before the imports, which are part of what is measured

import time

started = time.perf_counter()

import argparse
import json
import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from clock import Clock
from data import PIXELS, load_mnist
from jax import Array, lax

EPOCHS, B, C = 10, 100, 10
CHUNK = 1000
"""Images evaluated at once: of 500 to 5,000 all took the same time, the products' own."""


class Formulation(NamedTuple):
    """Initial parameters, one step's new parameters, and a chunk's losses and hits, each (K,)."""

    parameters: Any
    step: Callable[[Any, Array, Array], Any]
    score: Callable[[Any, Array, Array], tuple[Array, Array]]


def _zeros(*shapes: tuple[int, ...]) -> tuple[Array, ...]:
    return tuple(jnp.asarray(np.zeros(shape, np.float32)) for shape in shapes)


def vmapped(rates: np.ndarray) -> Formulation:
    """Return the formulation by vmap over the learning rates."""

    def outputs(parameters: tuple[Array, Array], x: Array) -> Array:
        W, b = parameters
        return x @ W + b

    def loss(parameters: tuple[Array, Array], x: Array, t: Array) -> Array:
        return jnp.square(outputs(parameters, x) - t).sum() / len(x)

    def step(parameters: Any, rate: Array, x: Array, t: Array) -> Any:
        gradient = jax.grad(loss)(parameters, x, t)
        return jax.tree.map(lambda value, slope: value - rate * slope, parameters, gradient)

    def score(parameters: Any, x: Array, t: Array) -> tuple[Array, Array]:
        y = outputs(parameters, x)
        return jnp.square(y - t).sum(), (y.argmax(1) == t.argmax(1)).sum()

    K = len(rates)
    steps = jax.vmap(step, in_axes=(0, 0, None, None))
    return Formulation(
        _zeros((K, PIXELS, C), (K, C)),
        lambda parameters, x, t: steps(parameters, rates, x, t),
        jax.vmap(score, in_axes=(0, None, None)),
    )


def fused(rates: np.ndarray) -> Formulation:
    """Return the formulation by two matrix products over all configurations.

    Measured against it and no faster: weights stored class by class, biases as weights of a
    constant pixel, batches gathered once an epoch, images as bytes that each step converts,
    steps unrolled.
    """
    K = len(rates)
    factors = np.repeat(rates, C) * np.float32(2 / B)

    def step(parameters: tuple[Array, Array], x: Array, t: Array) -> tuple[Array, Array]:
        W, b = parameters
        change = (x @ W + b - jnp.tile(t, (1, K))) * factors
        return W - x.T @ change, b - change.sum(0)

    def score(parameters: tuple[Array, Array], x: Array, t: Array) -> tuple[Array, Array]:
        W, b = parameters
        y = (x @ W + b).reshape(-1, K, C)
        hits = y.argmax(2) == t.argmax(1)[:, None]
        return jnp.square(y - t[:, None]).sum((0, 2)), hits.sum(0)

    return Formulation(_zeros((PIXELS, K * C), (K * C,)), step, score)


FORMULATIONS = {"vmap": vmapped, "fused": fused}


def run_epoch(
    step: Callable[[Any, Array, Array], Any], parameters: Any, x: Array, t: Array, order: Array
) -> Any:
    """Return the parameters after all steps of an epoch; each takes a row of `order`, (-1, B)."""

    def body(before: Any, rows: Array) -> tuple[Any, None]:
        return step(before, x[rows], t[rows]), None

    return lax.scan(body, parameters, order)[0]


def evaluate(
    score: Callable[..., tuple[Array, Array]], parameters: Any, x: Array, t: Array
) -> tuple[Array, Array]:
    """Return mean loss and accuracy over a split, each (K,)."""
    chunk = math.gcd(CHUNK, len(x))
    chunks = x.reshape(-1, chunk, PIXELS), t.reshape(-1, chunk, C)
    loss, hits = lax.map(lambda one: score(parameters, *one), chunks)
    return loss.sum(0) / len(x), hits.sum(0) / len(x)


def train_all(
    clock: Clock, parts: Formulation, splits: Mapping[str, tuple[Array, Array]]
) -> dict[str, tuple[Array, Array]]:
    """Compile, train, evaluate after every epoch, test once; return results by split."""
    x, t = splits["train"]
    generator = np.random.default_rng(0)  # JAX's own takes longer, and to compile besides
    orders = [generator.permutation(len(x)).reshape(-1, B) for _ in range(EPOCHS)]
    parameters = parts.parameters
    train = jax.jit(partial(run_epoch, parts.step), donate_argnums=0)
    train = train.lower(parameters, x, t, orders[0]).compile()
    measure = jax.jit(partial(evaluate, parts.score))
    measures = {name: measure.lower(parameters, *split).compile() for name, split in splits.items()}
    clock.charge("compile")
    results: dict[str, tuple[Array, Array]] = {}
    for order in orders:
        parameters = jax.block_until_ready(train(parameters, x, t, order))
        clock.charge("steps")
        for name in ("train", "validation"):
            results[name] = jax.block_until_ready(measures[name](parameters, *splits[name]))
        clock.charge("evaluate")
    results["test"] = jax.block_until_ready(measures["test"](parameters, *splits["test"]))
    clock.charge("test")
    return results


def main() -> None:
    """Train and evaluate at every learning rate, and print the results as JSON."""
    clock = Clock(started)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("formulation", choices=FORMULATIONS)
    parser.add_argument("rates", type=float, nargs="+")
    chosen = parser.parse_args()
    clock.charge("import")
    one_hot = np.eye(C, dtype=np.float32)
    parts = FORMULATIONS[chosen.formulation](np.array(chosen.rates, np.float32))
    splits = {
        name: (jnp.asarray(images), jnp.asarray(one_hot[labels]))
        for name, (images, labels) in load_mnist()._asdict().items()
    }
    clock.charge("load")
    results = train_all(clock, parts, splits)
    runs = [
        {"learning_rate": rate}
        | {
            name: {"loss": float(loss[k]), "accuracy": float(accuracy[k])}
            for name, (loss, accuracy) in results.items()
        }
        for k, rate in enumerate(chosen.rates)
    ]
    print(json.dumps({"runs": runs, "seconds": clock.seconds}))


if __name__ == "__main__":
    main()
