"""The gradient has the wrong sign."""

import numpy as np


def softmax(a):
    e = np.exp(a - a.max())
    return e / e.sum()


def loss(a, y):
    a = a - a.max()
    return np.log(np.exp(a).sum()) - a[y]


def gradient(a, y):
    g = -softmax(a)
    g[y] += 1
    return g
