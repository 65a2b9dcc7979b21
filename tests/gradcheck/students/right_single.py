"""One vector at a time, as the assignment's template has it."""

import numpy as np


def softmax(a):
    e = np.exp(a - np.max(a))
    return e / np.sum(e)


def cross_entropy(a, y):
    shifted = a - np.max(a)
    return np.log(np.sum(np.exp(shifted))) - shifted[y]


def gradient(a, y):
    g = softmax(a)
    g[y] -= 1
    return g
