"""Single precision inside: right as far as that goes."""

import numpy as np


def loss(a, y):
    a = a.astype(np.float32) - np.float32(a.max())
    return np.log(np.exp(a).sum()) - a[y]


def gradient(a, y):
    e = np.exp(a.astype(np.float32) - np.float32(a.max()))
    g = e / e.sum()
    g[y] -= 1
    return g
