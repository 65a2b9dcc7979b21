"""The gradient is computed and forgotten."""

import numpy as np


def loss(a, y):
    shifted = a - np.max(a)
    return np.log(np.sum(np.exp(shifted))) - shifted[y]


def gradient(a, y):
    e = np.exp(a - np.max(a))
    g = e / np.sum(e)
    g[y] -= 1
