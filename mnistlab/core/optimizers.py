"""Optimizers turn a gradient into a step; each is a pair (init, update), state is passed.

Shapes: parameters, gradients and every array of a state have K second to last, like
(D+1, K, C); hyperparameters are (K, 1) and broadcast, so no optimizer knows of K.

`update` writes the step over the gradient it is given: these arrays are as large as the
model, and a fresh one a step would cost as much as the arithmetic.
"""

from collections.abc import Mapping
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from mnistlab.core import Registry

Array = NDArray[np.floating]
State = dict[str, Array]
Hyperparameters = Mapping[str, Array]


class Optimizer(Protocol):
    """What the trainer asks of an optimizer.

    One that has `decouples_decay` is given the gradient of the loss alone, and the trainer shrinks
    the weights by learning_rate * weight_decay beside its step; for all others weight decay is a
    penalty, whose gradient is part of theirs.
    """

    options: ClassVar[Mapping[str, float]]
    """The hyperparameters it reads besides learning_rate, with their usual values."""

    def stability(self, momentum: float, noise: float) -> float | None:
        """Return the largest stable learning rate times the mean curvature, None if unknown.

        `noise` is the variance of a step's curvature over the square of its mean, 0 for steps that
        are all alike: stable is what keeps the mean square of the deviation bounded.
        """
        ...

    def init(self, parameters: Array) -> State:
        """Return the state before the first step."""
        ...

    def update(self, gradient: Array, state: State, hyper: Hyperparameters) -> Array:
        """Return what to subtract from the parameters; gradient and state are overwritten."""
        ...


class Exact:
    """No steps: the trainer solves the normal equations by `least_squares.solve` in one epoch.

    Nothing depends on the order of the samples, on the parameters to start from, or on a rate.
    """

    options: ClassVar[Mapping[str, float]] = {}

    def stability(self, momentum: float, noise: float) -> None:  # noqa: ARG002
        """Return None: nothing can become unstable."""
        return

    def init(self, parameters: Array) -> State:  # noqa: ARG002
        """Return the empty state."""
        return {}


OPTIMIZERS: Registry[Optimizer | Exact] = Registry("optimizer")


class SGD:
    """step = learning_rate * g."""

    options: ClassVar[Mapping[str, float]] = {}

    def stability(self, momentum: float, noise: float) -> float | None:  # noqa: ARG002
        """Return 2 / (1 + noise): E (1 - rate h)^2 = 1."""
        return 2 / (1 + noise)

    def init(self, parameters: Array) -> State:  # noqa: ARG002 - plain descent remembers nothing
        """Return the empty state."""
        return {}

    def update(self, gradient: Array, state: State, hyper: Hyperparameters) -> Array:  # noqa: ARG002
        """Return learning_rate * g."""
        gradient *= hyper["learning_rate"]
        return gradient


class Momentum:
    """v <- momentum * v + g; step = learning_rate * v (Polyak's heavy ball)."""

    options: ClassVar[Mapping[str, float]] = {"momentum": 0.9}

    def stability(self, momentum: float, noise: float) -> float | None:
        """Return 2 (1 + m) / (1 + noise (1 + m)/(1 - m)).

        There E x_t^2 and E x_t x_(t-1) repeat themselves in x_(t+1) = (1 + m - rate h) x_t -
        m x_(t-1); without noise it is 2 (1 + m).
        """
        return 2 * (1 + momentum) / (1 + noise * (1 + momentum) / (1 - momentum))

    def init(self, parameters: Array) -> State:
        """Return a velocity of zero."""
        return {"velocity": np.zeros_like(parameters)}

    def update(self, gradient: Array, state: State, hyper: Hyperparameters) -> Array:
        """Return learning_rate * v."""
        velocity = state["velocity"]
        velocity *= hyper["momentum"]
        velocity += gradient
        return np.multiply(velocity, hyper["learning_rate"], out=gradient)


class Nesterov(Momentum):
    """v <- momentum * v + g; step = learning_rate * (g + momentum * v).

    Nesterov's accelerated gradient as a step from the current point (Sutskever, Martens,
    Dahl and Hinton, ICML 2013, after a change of variables).
    """

    def stability(self, momentum: float, noise: float) -> float | None:
        """Return the rate u from which on E z_t^2 grows; without noise 2 (1 + m)/(1 + 2m).

        With z = (1 - rate h) x the method is z_(t+1) = (1 - rate h) ((1 + m) z_t - m z_(t-1)), and
        E z_t^2 and E z_t z_(t-1) repeat themselves where `growth` is 0.
        """
        m = momentum

        def growth(u: float) -> float:
            b = 1 - u
            square = b * b + noise * u * u
            return square * ((1 + m) ** 2 * (1 - b * m) + m * m * (1 + b * m)) - (1 + b * m)

        low, high = 0.0, 2 * (1 + m) / (1 + 2 * m)
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (low, middle) if growth(middle) > 0 else (middle, high)
        return high

    def update(self, gradient: Array, state: State, hyper: Hyperparameters) -> Array:
        """Return learning_rate * (g + momentum * v)."""
        velocity = state["velocity"]
        velocity *= hyper["momentum"]
        velocity += gradient
        gradient += velocity * hyper["momentum"]
        gradient *= hyper["learning_rate"]
        return gradient


class Adam:
    """step = learning_rate * m / (sqrt(v) + 1e-8) with bias-corrected running moments.

    Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1.
    """

    options: ClassVar[Mapping[str, float]] = {"beta1": 0.9, "beta2": 0.999}

    def stability(self, momentum: float, noise: float) -> float | None:  # noqa: ARG002
        """Return None: it rescales its steps by the size of the gradient."""
        return None

    def init(self, parameters: Array) -> State:
        """Return moments of zero and a count of steps, the latter of shape (K, 1)."""
        return {
            "mean": np.zeros_like(parameters),
            "square": np.zeros_like(parameters),
            "steps": np.zeros((parameters.shape[-2], 1), parameters.dtype),
        }

    def update(self, gradient: Array, state: State, hyper: Hyperparameters) -> Array:
        """Return the bias-corrected step."""
        beta1, beta2 = hyper["beta1"], hyper["beta2"]
        mean, square, steps = state["mean"], state["square"], state["steps"]
        steps += 1
        mean *= beta1
        mean += gradient * (1 - beta1)
        square *= beta2
        square += np.square(gradient) * (1 - beta2)
        denominator = np.sqrt(square)
        denominator /= np.sqrt(1 - beta2**steps)
        denominator += 1e-8
        np.multiply(mean, hyper["learning_rate"] / (1 - beta1**steps), out=gradient)
        gradient /= denominator
        return gradient


class AdamW(Adam):
    """Adam's step on the loss alone, while the weights decay beside it.

    Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019, algorithm 2.
    """

    decouples_decay = True


OPTIMIZERS.add("sgd", SGD())
OPTIMIZERS.add("momentum", Momentum())
OPTIMIZERS.add("nesterov", Nesterov())
OPTIMIZERS.add("adam", Adam())
OPTIMIZERS.add("adamw", AdamW())
OPTIMIZERS.add("exact", Exact())
