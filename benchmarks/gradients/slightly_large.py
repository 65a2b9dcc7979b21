"""One constant is off: the gradient is 1.0005 times what it should be."""

import numpy as np


def softmax(a):
    e = np.exp(a - a.max())
    return e / e.sum()


def loss(a, y):
    a = a - a.max()
    return np.log(np.exp(a).sum()) - a[y]


def gradient(a, y):
    g = softmax(a)
    g[y] -= 1
    return g * 1.0005
