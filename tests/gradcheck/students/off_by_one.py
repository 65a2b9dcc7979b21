"""Classes counted from one."""

import numpy as np


def softmax(a):
    e = np.exp(a - np.max(a))
    return e / np.sum(e)


def loss(a, y):
    return -np.log(softmax(a)[y])


def gradient(a, y):
    g = softmax(a)
    g[y - 1] -= 1
    return g
