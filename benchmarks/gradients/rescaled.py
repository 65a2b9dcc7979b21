"""Large pre-activations are divided by the largest, which the gradient ignores."""

import numpy as np


def scaled(a):
    largest = np.abs(a).max()
    return a / largest if largest > 50 else a


def loss(a, y):
    a = scaled(a)
    return np.log(np.exp(a).sum()) - a[y]


def gradient(a, y):
    e = np.exp(scaled(a))
    g = e / e.sum()
    g[y] -= 1
    return g
